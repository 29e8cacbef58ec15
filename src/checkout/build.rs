//! Kustomizations, built by the user's own `kubectl kustomize` in a directory of their own.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use super::kustomization::{self, Reach};
use super::open::{Open, Why};
use super::release;
use super::side::{Side, directory_of};
use crate::document::{self, Document, Origin};
use crate::pki::Fingerprint;
use crate::process::{Child, Unfinished};

/// What came out of a kustomization.
#[derive(Debug, Clone, Default)]
pub(super) struct Built {
    pub(super) objects: Vec<Document>,
    pub(super) open: Vec<Open>,
    /// Where its charts come from.
    pub(super) deployment: Vec<Open>,
    /// Why nothing came out of it.
    pub(super) failed: Option<Why>,
}

/// Where Kustomize notes the file of an object, when it is asked to.
const ORIGIN: &str = "config.kubernetes.io/origin";

/// What a file begins with that git-crypt has encrypted.
const GIT_CRYPT: &[u8] = b"\0GITCRYPT\0";

/// Builds the kustomization in `directory` with what an engine adds to it. `place` names its files in messages.
pub(super) fn build(
    side: &Side,
    directory: &str,
    edits: &Value,
    reach: &Reach,
    place: &impl Fn(&str) -> String,
) -> Built {
    let mut built = Built::default();
    if let Some(file) = reach.broken.first() {
        built.failed = Some(Why::Unread(file.clone()));
        return built;
    }
    if let Some(elsewhere) = reach.elsewhere.first() {
        built.failed = Some(Why::Elsewhere(elsewhere.clone()));
        return built;
    }
    let output = Tree::new(side, reach).and_then(|tree| {
        tree.without_charts(side, reach, &mut built, place)?;
        tree.edited(side, directory, edits)?;
        tree.kustomize(directory)
    });
    match output {
        Ok(Ok(text)) => match objects(&text, directory, place) {
            Ok(objects) => built.objects = objects,
            Err(said) => built.failed = Some(Why::NotBuilt(said)),
        },
        Ok(Err(why)) => built.failed = Some(why),
        Err(error) => built.failed = Some(Why::NotBuilt(error.to_string())),
    }
    built
}

/// A copy of the files that a kustomization is made of, which goes when it has been built.
struct Tree {
    home: tempfile::TempDir,
    _unfinished: Unfinished,
}

impl Tree {
    fn new(side: &Side, reach: &Reach) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("l5d-rotate-");
        let (unfinished, home) = Unfinished::directory(builder, &std::env::temp_dir(), |_| Ok(()))?;
        let tree = Self { home, _unfinished: unfinished };
        for name in &reach.files {
            if let Some(bytes) = side.read(name) {
                // Kustomize puts bytes that are no text where no reader looks for them.
                if bytes.starts_with(GIT_CRYPT) {
                    tree.write(name, format!("encrypted: {}", Fingerprint::digest(&bytes)).as_bytes())?
                } else {
                    tree.write(name, &bytes)?
                }
            }
        }
        Ok(tree)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.create(name)?.write_all(bytes)
    }

    /// Secrets may be among the files: nobody else can read them.
    fn create(&self, name: &str) -> io::Result<File> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let _ = fs::remove_file(&path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)
    }

    /// Charts are rendered by Helm, which is not asked; in their place stands what Linkerd's make of trust material.
    fn without_charts(
        &self,
        side: &Side,
        reach: &Reach,
        built: &mut Built,
        place: &impl Fn(&str) -> String,
    ) -> io::Result<()> {
        for directory in &reach.charts {
            let Some((file, mut tree)) = self.kustomization(side, directory) else { continue };
            let origin = Origin { source: place(&file), document: 1, item: 0, line: 1 };
            let mut made = Vec::new();
            for entry in kustomization::charts(&tree) {
                if let Some(release) = release::of_kustomization(&entry, directory, &origin, side) {
                    made.extend(release.objects.into_iter().map(|document| document.tree));
                    built.open.extend(release.open);
                    built.deployment.extend(release.deployment);
                }
            }
            if let Some(map) = tree.as_object_mut() {
                ["helmCharts", "helmGlobals", "helmChartInflationGenerator"]
                    .iter()
                    .for_each(|key| _ = map.remove(*key));
            }
            for (number, object) in made.iter().enumerate() {
                let name = format!("l5d-rotate-chart-{number}.json");
                self.write(&format!("{directory}/{name}"), object.to_string().as_bytes())?;
                push(&mut tree, "resources", name.into());
            }
            self.write(&file, tree.to_string().as_bytes())?;
        }
        Ok(())
    }

    fn kustomization(&self, side: &Side, directory: &str) -> Option<(String, Value)> {
        let file = kustomization::of(side, directory)?;
        let text = fs::read_to_string(self.path(&file)).ok()?;
        let tree = document::parse(&text, &file).ok()?.pop()?.tree;
        Some((file, tree))
    }

    /// Adds what an engine adds, and asks for the origin of each object.
    fn edited(&self, side: &Side, directory: &str, edits: &Value) -> io::Result<()> {
        let (file, mut tree) = self.kustomization(side, directory).unwrap_or_else(|| {
            let file = if directory.is_empty() {
                "kustomization.yaml".to_owned()
            } else {
                format!("{directory}/kustomization.yaml")
            };
            (file, json!({}))
        });
        for (field, value) in edits.as_object().into_iter().flatten() {
            match value {
                Value::Array(all) => all.iter().for_each(|one| push(&mut tree, field, one.clone())),
                other => tree[field] = other.clone(),
            }
        }
        push(&mut tree, "buildMetadata", "originAnnotations".into());
        self.write(&file, tree.to_string().as_bytes())
    }

    /// Runs `kubectl kustomize`, which needs no cluster; it is not let on the network.
    fn kustomize(&self, directory: &str) -> io::Result<Result<String, Why>> {
        const STDOUT: &str = ".l5d-rotate.out";
        const STDERR: &str = ".l5d-rotate.err";
        const NOWHERE: &str = "http://127.0.0.1:9";
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["kustomize", "--load-restrictor", "LoadRestrictionsNone"]).arg(self.path(directory));
        kubectl.env("GIT_ALLOW_PROTOCOL", "none").env("GIT_TERMINAL_PROMPT", "0");
        ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"]
            .iter()
            .for_each(|name| _ = kubectl.env(name, NOWHERE));
        kubectl.current_dir(self.home.path()).stdin(Stdio::null());
        kubectl.stdout(self.create(STDOUT)?).stderr(self.create(STDERR)?);
        let status = match Child::start(&mut kubectl) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(Why::NoKubectl)),
            child => child?.wait()?,
        };
        let text =
            |name: &str| fs::read(self.path(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if status.success() {
            return text(STDOUT).map(Ok);
        }
        let said = text(STDERR)?.replace(&format!("{}/", self.home.path().display()), "");
        Ok(Err(Why::NotBuilt(reason(&said))))
    }
}

/// What kubectl says is wrong: `error: TEXT`, or as its log has it, `… err="TEXT"` or `… err=<` and the text below it.
fn reason(said: &str) -> String {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.is_empty());
    let first = lines.next().unwrap_or_default();
    match first.split_once(" err=") {
        Some((_, "<")) => lines.take_while(|line| *line != ">").collect::<Vec<_>>().join(" "),
        Some((_, text)) => text.trim_matches('"').replace("\\\"", "\""),
        None => first.trim_start_matches("error: ").to_owned(),
    }
}

fn push(tree: &mut Value, field: &str, value: Value) {
    if !tree.is_object() {
        *tree = Map::new().into();
    }
    match tree.get_mut(field).and_then(Value::as_array_mut) {
        Some(all) if all.contains(&value) => {}
        Some(all) => all.push(value),
        None => tree[field] = json!([value]),
    }
}

/// The objects of Kustomize's output, each with the file that it comes from.
fn objects(text: &str, directory: &str, place: &impl Fn(&str) -> String) -> Result<Vec<Document>, String> {
    let mut objects = document::parse(text, directory).map_err(|error| error.reason)?;
    for document in &mut objects {
        let annotations = document.tree.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
        let noted = annotations.and_then(|all| all.shift_remove(ORIGIN));
        if document
            .tree
            .pointer("/metadata/annotations")
            .and_then(Value::as_object)
            .is_some_and(Map::is_empty)
            && let Some(metadata) = document.tree["metadata"].as_object_mut()
        {
            metadata.shift_remove("annotations");
        }
        let noted = noted.as_ref().and_then(Value::as_str).unwrap_or_default();
        let field = |name: &str| noted.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let file = field("path:").or_else(|| field("configuredIn:"));
        let name = file.and_then(|file| super::path::join(directory, file));
        let source = place(&name.unwrap_or_else(|| directory.to_owned()));
        document.origin = Origin { source, document: 1, item: 0, line: 0 };
    }
    Ok(objects)
}

/// The resources of a directory without a kustomization, as Flux writes them into one: all manifests below it, and each
/// directory below that has a kustomization of its own (`fluxcd/pkg/kustomize`).
pub(super) fn generated(side: &Side, directory: &str, files: &BTreeSet<String>) -> (Value, Reach) {
    let mut reach = Reach { directories: vec![directory.to_owned()], ..Reach::default() };
    let mut resources = BTreeSet::new();
    for name in files {
        let mut within = directory_of(name);
        let mut top = None;
        while within.len() > directory.len() {
            if kustomization::of(side, within).is_some() {
                top = Some(within.to_owned());
            }
            within = directory_of(within);
        }
        let below =
            |path: &str| path.strip_prefix(directory).unwrap_or(path).trim_start_matches('/').to_owned();
        match top {
            Some(base) => {
                reach.add(side, &base);
                resources.insert(below(&base));
            }
            None => {
                reach.files.insert(name.clone());
                resources.insert(below(name));
            }
        }
    }
    (json!({"resources": resources}), reach)
}

/// Where the directory is, as a message names it.
pub(super) fn origin(directory: &str, place: &impl Fn(&str) -> String) -> Origin {
    let name = if directory.is_empty() { "." } else { directory };
    Origin { source: place(name), document: 1, item: 0, line: 0 }
}
