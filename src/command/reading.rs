//! What the input arguments name, read.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Failure;
use crate::checkout::{self, Checkout, Declared, Open, Skip};
use crate::cli;
use crate::limits;
use crate::linkerd;
use crate::mesh::{Gap, Mesh, MeshError, Unread};
use crate::report::findings::Words;
use crate::report::{self, count, not_understood, shell_word};
use crate::rotation::Record;
use crate::source::{
    self, Cluster, Input, Observed, Progress, Proposal, Request, SourceError, Unrendered, git,
};

/// A byte more than what is read shows that there is more.
const LIMIT: u64 = limits::FILE + 1;

/// A mesh that the input arguments name.
pub(super) struct Read {
    /// The cluster's directory, where a repository declares several.
    pub(super) unit: String,
    pub(super) mesh: Mesh,
    /// What a person should know about how it was read.
    pub(super) notes: Vec<String>,
    /// The Git checkout that declares it, where it is read from one.
    pub(super) checkout: Option<PathBuf>,
}

/// The mesh that the input arguments name: files, or the cluster.
pub(super) fn mesh(input: &cli::Input, keep_workloads: bool) -> Result<Mesh, Failure> {
    Ok(one(input, keep_workloads)?.mesh)
}

/// The same, with how it was read.
pub(super) fn one(input: &cli::Input, keep_workloads: bool) -> Result<Read, Failure> {
    single(meshes(input, keep_workloads)?, |read| &read.unit)
}

/// The mesh that a rotation is of: where a repository declares several, the only one that can be its.
pub(super) fn of_record(
    input: &cli::Input,
    keep_workloads: bool,
    record: Option<&Record>,
) -> Result<Read, Failure> {
    let mut all = meshes(input, keep_workloads)?;
    if let Some(record) = record.filter(|_| all.len() > 1) {
        let names: Vec<String> = all.iter().map(|read| read.unit.clone()).collect();
        all.retain(|read| record.is_of(&read.mesh) != Some(false));
        match &*all {
            [] => {
                return Err(Failure::new(
                    "no cluster of this repository publishes an anchor of this rotation",
                    format!("name another --dir, or one of the clusters with --unit: {}", listed(&names)),
                ));
            }
            // It is not known to be another's, and not known to be the rotation's.
            [one] if record.is_of(&one.mesh).is_none() => return Err(several(&[one.unit.as_str()])),
            _ => {}
        }
    }
    single(all, |read| &read.unit)
}

fn single<T>(mut all: Vec<T>, name: impl Fn(&T) -> &str) -> Result<T, Failure> {
    let refused = several(&all.iter().map(name).collect::<Vec<_>>());
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(refused),
    }
}

/// The meshes that the input arguments name: a repository may declare several.
pub(super) fn meshes(input: &cli::Input, keep_workloads: bool) -> Result<Vec<Read>, Failure> {
    let (progress, _shown) = shown();
    let mut found = Vec::new();
    for Part { unit, request, open, notes, checkout } in parts(input, keep_workloads, &progress)? {
        let mesh = source::read(&request).map_err(|error| match (error, &*open, unit.as_str()) {
            (SourceError::Mesh(MeshError::NoControlPlane), [first, ..], _) => undeclared_because(first),
            (error, _, "") => Failure::from(error),
            (error, _, unit) => Failure::from(error).of(unit),
        })?;
        found.push(Read { unit, mesh, notes, checkout });
    }
    Ok(found)
}

/// The same with its workloads, and what beside it another program would have to render.
pub(super) fn mesh_beside(input: &cli::Input) -> Result<(Mesh, Unrendered), Failure> {
    let (progress, _shown) = shown();
    let part = single(parts(input, true, &progress)?, |part| &part.unit)?;
    Ok(source::read_beside(&part.request)?)
}

/// What counts what is read, and what shows that as long as it is kept.
fn shown() -> (Arc<Progress>, report::Progress) {
    let progress = Arc::<Progress>::default();
    let read = Arc::clone(&progress);
    (progress, report::Progress::of_reading(move || read.pods()))
}

/// What one mesh is read from.
struct Part {
    unit: String,
    request: Request,
    open: Vec<Open>,
    notes: Vec<String>,
    checkout: Option<PathBuf>,
}

/// Directories that are read with all below them are repositories; dumps among their files are read as every dump is.
fn parts(input: &cli::Input, keep_workloads: bool, progress: &Arc<Progress>) -> Result<Vec<Part>, Failure> {
    let request = Request { progress: Arc::clone(progress), ..request(input, keep_workloads) };
    let (directories, others): (Vec<_>, Vec<_>) =
        input.filename.iter().cloned().partition(|path| input.recursive && path.is_dir());
    if directories.is_empty() {
        return Ok(vec![Part {
            unit: String::new(),
            request,
            open: Vec::new(),
            notes: Vec::new(),
            checkout: None,
        }]);
    }
    let in_git = match &*directories {
        [one] => git::top_level(one)?.map(|_| one.clone()),
        _ => None,
    };
    let asked = checkout::Request { paths: directories, recursive: true, excluded: input.exclude.clone() };
    let Checkout { units, dumps, skipped, untracked } = checkout::read(&asked)?;
    let others: Vec<Input> = places(&others).into_iter().chain(dumps.into_iter().map(Input::Path)).collect();
    let mut notes = passed_over(&skipped, input.verbose);
    notes.extend(not_tracked(&untracked));
    let meshes = units.iter().filter(|unit| unit.is_mesh).count();
    let units = only(units, input.unit.as_deref(), |unit| &unit.name)?;
    if let ([unit], Some(_)) = (&*units, &input.unit)
        && !unit.is_mesh
    {
        return Err(Failure::new(
            format!("{} declares no control plane", unit.name),
            "name another with --unit, or none",
        ));
    }
    let mut found = Vec::new();
    for unit in units.into_iter().filter(|unit| unit.is_mesh || meshes == 0) {
        let gaps = if unit.is_mesh { undeclared(&unit) } else { Vec::new() };
        let Declared { name, documents, open, is_mesh, .. } = unit;
        let notes = notes.iter().cloned().chain(open.iter().map(open_note)).collect();
        let request = Request { inputs: others.clone(), documents: Some(documents), gaps, ..request.clone() };
        let checkout = in_git.clone().filter(|_| is_mesh);
        found.push(Part { unit: name, request, open, notes, checkout });
    }
    // Several directories without a control plane are one input.
    if meshes == 0 && found.len() > 1 {
        let all = found.drain(..).reduce(|mut one, other| {
            one.request
                .documents
                .get_or_insert_default()
                .extend(other.request.documents.into_iter().flatten());
            one.open.extend(other.open);
            one
        });
        found.extend(all);
    }
    Ok(found)
}

fn request(input: &cli::Input, keep_workloads: bool) -> Request {
    Request {
        inputs: places(&input.filename),
        recursive: input.recursive,
        linkerd_namespace: input.linkerd_namespace.clone(),
        keep_workloads,
        cluster: Cluster {
            context: input.context.clone(),
            kubeconfig: input.kubeconfig.clone(),
            cluster: input.cluster.clone(),
            user: input.user.clone(),
            impersonate: input.impersonate.clone(),
            impersonate_groups: input.impersonate_groups.clone(),
            request_timeout: input.request_timeout.clone(),
            namespace: input.namespace.clone(),
            ..Cluster::default()
        },
        ..Request::default()
    }
}

/// What a repository that is not understood everywhere does not declare is not known, rather than absent.
fn undeclared(unit: &Declared) -> Vec<Gap> {
    let find = |kind: &str, name: &str| {
        unit.documents.iter().find(|one| one.tree["kind"] == kind && one.tree["metadata"]["name"] == name)
    };
    let config = find("ConfigMap", linkerd::CONFIG);
    let namespace =
        config.and_then(|one| one.tree.pointer("/metadata/namespace")?.as_str()).unwrap_or("linkerd");
    let all = [
        ("ConfigMap", "configmaps", linkerd::TRUST_ROOTS),
        ("ConfigMap", "configmaps", linkerd::CONFIG),
        ("Secret", "secrets", linkerd::ISSUER_SECRET),
    ];
    // Who makes the Secret is read, and says so.
    let is_made = |kind: &str, name: &str| {
        kind == "Secret" && ["SealedSecret", "ExternalSecret"].iter().any(|kind| find(kind, name).is_some())
    };
    let missing = all.iter().filter(|(kind, _, name)| find(kind, name).is_none() && !is_made(kind, name));
    missing.map(|(_, resource, name)| Gap::object(resource, namespace, name, Unread::NotDeclared)).collect()
}

fn undeclared_because(open: &Open) -> Failure {
    let Words { what, todo, .. } = not_understood(open);
    Failure::new(format!("this repository declares no control plane that is understood: {what}"), todo)
}

fn passed_over(skipped: &[(String, Skip)], verbose: bool) -> Vec<String> {
    let all = count(skipped.len() as u64, "file is no Kubernetes object", "files are no Kubernetes objects");
    match skipped {
        [] => Vec::new(),
        _ if verbose => {
            skipped.iter().map(|(name, why)| format!("passed over: {name}: {}", skip(*why))).collect()
        }
        _ => vec![format!("{all} and passed over; -v lists them")],
    }
}

const fn skip(why: Skip) -> &'static str {
    match why {
        Skip::ChartTemplate => "a chart's template",
        Skip::List => "a list, as a JSON patch is",
        Skip::Other => "no Kubernetes object",
        Skip::Unreadable => "not YAML or JSON as Kubernetes reads it",
    }
}

fn not_tracked(untracked: &[String]) -> Option<String> {
    let first = untracked.first()?;
    let all = count(untracked.len() as u64, "manifest is", "manifests are");
    Some(format!(
        "{all} not in Git and not read ({first}{}): `git add` what belongs to the repository",
        if untracked.len() > 1 { ", …" } else { "" }
    ))
}

fn open_note(open: &Open) -> String {
    format!("not understood: {}", not_understood(open).what)
}

/// The unit that was asked for, or all there are.
pub(super) fn only<T>(
    all: Vec<T>,
    asked: Option<&str>,
    name: impl Fn(&T) -> &str,
) -> Result<Vec<T>, Failure> {
    let Some(asked) = asked else { return Ok(all) };
    let asked = asked.trim_start_matches("./").trim_end_matches('/');
    let names: Vec<String> = all.iter().map(|one| name(one).to_owned()).collect();
    let found: Vec<T> = all.into_iter().filter(|one| name(one).trim_start_matches("./") == asked).collect();
    if found.is_empty() {
        let message = format!("no unit `{asked}` in this repository");
        return Err(Failure::new(message, format!("units are: {}", listed(&names))));
    }
    Ok(found)
}

/// A repository that declares several clusters, where one is needed.
pub(super) fn several(names: &[&str]) -> Failure {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Failure::new(
        "this repository declares several clusters",
        format!("name one of them with --unit: {}", listed(&names)),
    )
}

fn listed(names: &[String]) -> String {
    let name = |name: &String| if name.is_empty() { ".".to_owned() } else { shell_word(name).into_owned() };
    names.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Objects that are proposed, in files or on standard input.
pub(super) fn proposal(paths: &[PathBuf], recursive: bool) -> Result<Proposal, Failure> {
    let request = Request { inputs: places(paths), recursive, ..Request::default() };
    match source::observe(&request, Proposal::default())? {
        Observed::Objects(proposal) => Ok(proposal),
        Observed::Snapshot(_) => Err(Failure::new(
            "the proposal is a snapshot, which shows what is there and proposes nothing",
            "name the manifests of the change with --proposed, and the snapshot with -f",
        )),
    }
}

fn places(paths: &[PathBuf]) -> Vec<Input> {
    let place =
        |path: &PathBuf| if path == Path::new("-") { Input::Stdin } else { Input::Path(path.clone()) };
    paths.iter().map(place).collect()
}

/// The same arguments with the cluster that was read, of several, by name.
pub(super) fn of_unit(input: &cli::Input, unit: &str) -> cli::Input {
    let unit = Some(unit.to_owned()).filter(|unit| !unit.is_empty());
    cli::Input { unit: unit.or_else(|| input.unit.clone()), ..input.clone() }
}

/// The input arguments for a command that reads the same, as a shell takes them.
pub(super) fn arguments(input: &cli::Input) -> String {
    let path = |path: &PathBuf| path.display().to_string();
    let files = input.filename.iter().map(|file| ("-f", path(file)));
    let kubeconfig = input.kubeconfig.as_ref().map(|file| ("--kubeconfig", path(file)));
    let named = [
        ("--unit", &input.unit),
        ("--namespace", &input.namespace),
        ("--linkerd-namespace", &input.linkerd_namespace),
        ("--context", &input.context),
        ("--cluster", &input.cluster),
        ("--user", &input.user),
        ("--as", &input.impersonate),
        ("--request-timeout", &input.request_timeout),
    ];
    let named = named.into_iter().filter_map(|(flag, value)| Some((flag, value.clone()?)));
    let groups = input.impersonate_groups.iter().map(|group| ("--as-group", group.clone()));
    let excluded = input.exclude.iter().map(|pattern| ("--exclude", pattern.clone()));
    let valued = files.chain(excluded).chain(named).chain(kubeconfig).chain(groups);
    let valued: String = valued.map(|(flag, value)| format!(" {flag} {}", shell_word(&value))).collect();
    let recursive = if input.recursive { " -R" } else { "" };
    valued + recursive
}

/// A small text file, or standard input for `-`.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let failed = |error: io::Error| {
        Failure::new(
            format!("{}: {error}", path.display()),
            match error.kind() {
                io::ErrorKind::FileTooLarge => "name the one file with certificates in it",
                _ => "name a text file that can be read, or `-` for standard input",
            },
        )
    };
    let text = if path == Path::new("-") { limited(std::io::stdin(), 0) } else { file(path) };
    text.map_err(failed)
}

/// The text of a file that has no more than it may.
pub(super) fn file(path: &Path) -> io::Result<String> {
    let file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    limited(file, length)
}

fn limited(reader: impl io::Read, length: u64) -> io::Result<String> {
    let mut text = String::new();
    // Room for all of it: where the text is a private key, no smaller buffer is left behind.
    text.reserve(usize::try_from(length.min(LIMIT)).unwrap_or_default() + 1);
    if reader.take(LIMIT).read_to_string(&mut text)? as u64 == LIMIT {
        let said = format!("is larger than {} MiB", limits::FILE >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, said));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn every_input_argument_is_handed_on() {
        let line = "-f a.yaml -f b --exclude x --unit clusters/prod --namespace shop --linkerd-namespace linkerd2 --context prod --cluster c --user u \
                    --as ann --request-timeout 30s --kubeconfig k/config --as-group g --as-group h -R";
        let parse = |line: &str| {
            cli::Cli::parse_from(["l5d-rotate"].into_iter().chain(line.split_whitespace())).input
        };
        let input = parse(line);
        assert_eq!(
            arguments(&input).split_whitespace().collect::<Vec<_>>(),
            line.split_whitespace().collect::<Vec<_>>()
        );
        let every = format!("{input:?}");
        assert!(!every.contains("None") && !every.contains("[]"), "an argument is not in this test: {every}");
    }

    #[test]
    fn a_path_is_quoted_where_it_has_to_be() {
        let input = cli::Input { filename: vec!["my dump.yaml".into()], ..cli::Input::default() };
        assert_eq!(arguments(&input), " -f 'my dump.yaml'");
    }
}
