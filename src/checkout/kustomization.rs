//! What a kustomization refers to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::file::{KUSTOMIZATION, is_kustomization};
use super::path::join;
use super::side::{Side, directory_of};
use crate::document::{self, Document};

/// A directory with a kustomization.
#[derive(Debug)]
pub(super) struct Kustomization {
    pub(super) file: String,
    pub(super) tree: Value,
}

/// Everything that a kustomization is made of, itself and what it refers to.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// Directories with a kustomization; the first is the one that was asked for.
    pub(super) directories: Vec<String>,
    /// Files, those of the kustomizations among them.
    pub(super) files: BTreeSet<String>,
    /// What is not in the repository: another's base, or a file that is not there.
    pub(super) elsewhere: Vec<String>,
    /// Kustomizations in which Helm charts are to be rendered.
    pub(super) charts: Vec<String>,
    /// Kustomizations that cannot be read.
    pub(super) broken: Vec<String>,
}

/// The kustomization of a directory.
pub(super) fn of(side: &Side, directory: &str) -> Option<String> {
    let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
    KUSTOMIZATION.iter().map(|file| format!("{prefix}{file}")).find(|file| side.has(file))
}

impl Kustomization {
    fn read(side: &Side, directory: &str) -> Option<Option<Self>> {
        let file = of(side, directory)?;
        let parsed = side.text(&file).and_then(|text| document::parse(&text, &file).ok());
        let tree = parsed.and_then(|mut documents| documents.pop()).map(|document| document.tree);
        Some(tree.map(|tree| Self { file, tree }))
    }

    /// Resources, bases and components: files, directories, or what is elsewhere.
    fn bases(&self) -> impl Iterator<Item = &str> {
        let lists = [
            "resources",
            "bases",
            "components",
            "crds",
            "configurations",
            "generators",
            "transformers",
            "validators",
        ];
        lists.into_iter().flat_map(|field| strings(self.tree.get(field)))
    }

    /// Files that patches, generators and replacements are made of.
    fn files(&self) -> Vec<&str> {
        let mut found = Vec::new();
        for field in ["patches", "patchesJson6902", "replacements"] {
            found.extend(list(self.tree.get(field)).filter_map(|entry| entry["path"].as_str()));
        }
        found.extend(strings(self.tree.get("patchesStrategicMerge")).filter(|text| !text.contains('\n')));
        for field in ["configMapGenerator", "secretGenerator"] {
            found.extend(list(self.tree.get(field)).flat_map(generated_from));
        }
        found.extend(self.tree.pointer("/openapi/path").and_then(Value::as_str));
        found
    }

    pub(super) fn has_charts(&self) -> bool {
        ["helmCharts", "helmChartInflationGenerator"].iter().any(|field| self.tree.get(*field).is_some())
    }
}

impl Reach {
    /// What the kustomization in `directory` is made of.
    pub(super) fn of(side: &Side, directory: &str) -> Self {
        let mut reach = Self::default();
        reach.add(side, directory);
        reach
    }

    pub(super) fn add(&mut self, side: &Side, directory: &str) {
        if self.directories.iter().any(|known| known == directory) {
            return;
        }
        self.directories.push(directory.to_owned());
        let kustomization = match Kustomization::read(side, directory) {
            Some(Some(kustomization)) => kustomization,
            Some(None) => return self.broken.extend(of(side, directory)),
            None => return self.elsewhere.push(directory.to_owned()),
        };
        self.files.insert(kustomization.file.clone());
        if kustomization.has_charts() {
            self.charts.push(directory.to_owned());
        }
        for chart in charts(&kustomization.tree) {
            if let Some(local) = chart_directory(side, directory, &chart) {
                self.files.extend(side.below(&local).map(str::to_owned));
            }
            let files = chart["valuesFile"].as_str().into_iter();
            for file in files.chain(strings(chart.get("additionalValuesFiles"))) {
                self.file(side, directory, file);
            }
        }
        for base in kustomization.bases() {
            // A generator or transformer may be written in place.
            if base.contains('\n') {
                self.plugins(side, directory, base);
            } else {
                self.base(side, directory, base);
            }
        }
        for file in kustomization.files() {
            self.file(side, directory, file);
        }
    }

    /// A name that somebody in `directory` gives.
    pub(super) fn base(&mut self, side: &Side, directory: &str, name: &str) {
        match join(directory, name) {
            Some(path) if side.has(&path) => {
                if let Some(text) = side.text(&path) {
                    self.plugins(side, directory, &text);
                }
                self.files.insert(path);
            }
            Some(path) if of(side, &path).is_some() => self.add(side, &path),
            _ => self.elsewhere.push(name.to_owned()),
        }
    }

    /// What Kustomize's own generators and transformers read, be it outside of the repository: nothing else keeps them from it
    /// (`api/konfig/general.go`, `plugin/builtin`).
    fn plugins(&mut self, side: &Side, directory: &str, text: &str) {
        if !text.contains("builtin") {
            return;
        }
        let Ok(documents) = document::parse(text, directory) else {
            return self.broken.push(directory.to_owned());
        };
        for Document { tree, .. } in documents {
            if tree["apiVersion"] == "builtin" {
                let paths = strings(tree.get("paths")).chain(tree["path"].as_str());
                let replacements = list(tree.get("replacements")).filter_map(|entry| entry["path"].as_str());
                for name in paths.chain(replacements).chain(generated_from(&tree)) {
                    // Of what stands in a directory of generators, Kustomize looks for files from the one that names the directory.
                    if name.split('/').any(|part| part == "..") {
                        self.elsewhere.push(name.to_owned());
                    } else {
                        self.file(side, directory, name);
                    }
                }
            }
        }
    }

    pub(super) fn file(&mut self, side: &Side, directory: &str, name: &str) {
        match join(directory, name).filter(|path| side.has(path)) {
            Some(path) => _ = self.files.insert(path),
            None => self.elsewhere.push(name.to_owned()),
        }
    }
}

/// The Helm charts of a kustomization as entries of `helmCharts`, each with the directory of charts that it is looked for in
/// (`api/types/helmchartargs.go`).
pub(super) fn charts(tree: &Value) -> Vec<Value> {
    const OLD_NAMES: [(&str, &str); 9] = [
        ("chartName", "name"),
        ("chartVersion", "version"),
        ("chartRepoUrl", "repo"),
        ("chartHome", "chartHome"),
        ("releaseName", "releaseName"),
        ("releaseNamespace", "namespace"),
        ("values", "valuesFile"),
        ("valuesLocal", "valuesInline"),
        ("valuesMerge", "valuesMerge"),
    ];
    let home = tree.pointer("/helmGlobals/chartHome").and_then(Value::as_str).unwrap_or("charts");
    let mut found: Vec<Value> =
        list(tree.get("helmCharts")).filter(|entry| entry.is_object()).cloned().collect();
    for old in list(tree.get("helmChartInflationGenerator")) {
        let renamed = OLD_NAMES
            .iter()
            .filter_map(|(old_name, name)| Some(((*name).to_owned(), old.get(*old_name)?.clone())));
        found.push(renamed.collect::<serde_json::Map<_, _>>().into());
    }
    for entry in &mut found {
        if entry.get("chartHome").is_none() {
            entry["chartHome"] = home.into();
        }
    }
    found
}

/// Where a chart stands in the repository. What was pulled from elsewhere is below a directory with its version, since
/// Kustomize 5.1.
pub(super) fn chart_directory(side: &Side, directory: &str, chart: &Value) -> Option<String> {
    let text = |key: &str| chart[key].as_str().unwrap_or_default();
    let home = join(directory, text("chartHome"))?;
    let (name, version) = (text("name"), text("version"));
    let below = [format!("{name}-{version}/{name}"), name.to_owned()];
    let pulled = !version.is_empty() && !text("repo").is_empty();
    let mut places = below.iter().skip(usize::from(!pulled)).filter_map(|below| join(&home, below));
    places.find(|place| side.has(&format!("{place}/Chart.yaml")))
}

/// Directories with a kustomization.
pub(super) fn directories(side: &Side) -> BTreeSet<String> {
    side.names().filter(|name| is_kustomization(name)).map(|name| directory_of(name).to_owned()).collect()
}

/// The files that a ConfigMap or a Secret is generated from.
fn generated_from(generator: &Value) -> impl Iterator<Item = &str> {
    let files = ["files", "envs"].into_iter().flat_map(|key| strings(generator.get(key)));
    files.chain(generator["env"].as_str()).map(|file| match file.split_once('=') {
        Some((_, path)) => path,
        None => file,
    })
}

pub(super) fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}
