//! What the input arguments name, read.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::cli;
use crate::mesh::Mesh;
use crate::report::shell_word;
use crate::source::{self, Cluster, Input, Observed, Proposal, Request, Unrendered};

/// More than any PEM file or manifest of secrets has.
const LIMIT: u64 = 16 << 20;

/// The mesh that the input arguments name: files, or the cluster.
pub(super) fn mesh(input: &cli::Input, keep_workloads: bool) -> Result<Mesh, Failure> {
    Ok(source::read(&request(input, keep_workloads))?)
}

/// The same with its workloads, and what beside it another program would have to render.
pub(super) fn mesh_beside(input: &cli::Input) -> Result<(Mesh, Unrendered), Failure> {
    Ok(source::read_beside(&request(input, true))?)
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
    }
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
    let failed = |error: std::io::Error| {
        Failure::new(
            format!("{}: {error}", path.display()),
            "name a text file that can be read, or `-` for standard input",
        )
    };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(LIMIT).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| {
            // Room for all of it: where the text is a private key, no smaller buffer is left behind.
            let length = file.metadata()?.len().min(LIMIT);
            text.reserve(usize::try_from(length).unwrap_or_default() + 1);
            file.take(LIMIT).read_to_string(&mut text)
        })
    };
    match read.map_err(failed)? as u64 {
        LIMIT => Err(Failure::new(
            format!("{}: is larger than 16 MiB", path.display()),
            "name the one file with certificates in it",
        )),
        _ => Ok(text),
    }
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
