//! Which directories GitOps engines deploy, and what they change on the way.

use serde_json::{Value, json};

use super::annotated::PostRenderers;
use super::kustomization::{list, strings};
use super::open::{Open, Why};
use super::path::{is_within, join};
use super::side::{Side, directory_of};
use super::values;
use crate::document::{Document, Origin, text_at};

/// A directory that an engine deploys.
#[derive(Debug)]
pub(super) struct Deployed {
    pub(super) directory: String,
    /// The object that says so.
    pub(super) by: Document,
    /// What the engine adds to the kustomization of the directory.
    pub(super) edits: Value,
    /// What it does besides, and is not followed.
    pub(super) open: Option<Why>,
    /// Are the directory's subdirectories deployed with it?
    pub(super) recursive: bool,
    /// The cluster, where the engine deploys to several.
    pub(super) destination: String,
}

/// Is it an object that tells what is deployed, and never deployed material itself?
pub(super) fn is_engine(tree: &Value) -> bool {
    let group = text_at(tree, "/apiVersion").split('/').next().unwrap_or_default();
    match text_at(tree, "/kind") {
        "Kustomization" | "Component" => {
            ["kustomize.toolkit.fluxcd.io", "kustomize.config.k8s.io"].contains(&group)
        }
        "Application" | "ApplicationSet" => group == "argoproj.io",
        _ => false,
    }
}

/// Fields of engines' objects that decide neither what is deployed nor where; what is read elsewhere is among them.
const HARMLESS: [&str; 42] = [
    "interval",
    "retryInterval",
    "timeout",
    "wait",
    "healthChecks",
    "healthCheckExprs",
    "dependsOn",
    "prune",
    "force",
    "suspend",
    "serviceAccountName",
    "decryption",
    "patches",
    "components",
    "images",
    "values",
    "valuesFrom",
    "install",
    "upgrade",
    "test",
    "rollback",
    "uninstall",
    "driftDetection",
    "maxHistory",
    "syncPolicy",
    "ignoreDifferences",
    "revisionHistoryLimit",
    "info",
    "project",
    "version",
    "targetRevision",
    "reconcileStrategy",
    "valuesObject",
    "parameters",
    "labels",
    "commonLabels",
    "commonAnnotations",
    "commonMetadata",
    "annotations",
    "replicas",
    "skipCrds",
    "includeCRDs",
];

/// Of a source of Argo CD: files that are read.
const READ: [&str; 3] = ["fileParameters", "valueFiles", "valuesContent"];

/// What an engine's object says of what it deploys and where, without what is harmless or read elsewhere.
pub(super) fn deployment(document: &Document) -> Open {
    let mut said = document.tree.get("spec").cloned().unwrap_or_default();
    strip(&mut said);
    // Annotations of pods are among the objects.
    if let Some(spec) = said.as_object_mut().filter(|spec| spec.contains_key("postRenderers")) {
        let mut others = PostRenderers::of(&document.tree).others;
        strip(&mut others);
        match others {
            Value::Null => _ = spec.shift_remove("postRenderers"),
            others => _ = spec.insert("postRenderers".to_owned(), others),
        }
    }
    let name = |pointer| text_at(&document.tree, pointer);
    let content = json!([name("/kind"), name("/metadata/name"), name("/metadata/namespace"), said]);
    Open::new(&document.origin, Why::Redeployed, &content)
}

/// Where an object of Flux takes a chart from; which version of it is of no concern.
pub(super) fn source(origin: &Origin, tree: &Value) -> Open {
    let mut said = tree.get("spec").cloned().unwrap_or_default();
    strip(&mut said);
    if tree["kind"] == "OCIRepository"
        && let Some(said) = said.as_object_mut()
    {
        said.shift_remove("ref");
    }
    Open::new(origin, Why::Redeployed, &said)
}

/// Does an object say where a chart is deployed?
pub(super) fn is_deployment(tree: &Value) -> bool {
    ["HelmRelease", "Application", "ApplicationSet", "HelmChart"].contains(&text_at(tree, "/kind"))
}

fn strip(tree: &mut Value) {
    match tree {
        Value::Object(map) => {
            if let Some(path) = map.get("path").and_then(Value::as_str).and_then(|path| join("", path)) {
                map.insert("path".to_owned(), path.into());
            }
            // The revision of a directory in Git decides what stands there; that of a chart is its version.
            let is_of_git =
                !map.contains_key("chart") && (map.contains_key("path") || map.contains_key("ref"));
            let is_harmless = |key: &str| HARMLESS.contains(&key) && !(is_of_git && key == "targetRevision");
            map.retain(|key, _| !is_harmless(key) && !READ.contains(&key.as_str()));
            let is_empty = |value: &Value| *value == json!({}) || *value == json!([]);
            map.retain(|_, value| {
                let said_something = !is_empty(value);
                strip(value);
                !(said_something && is_empty(value))
            });
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// The directories of this repository that an object deploys.
pub(super) fn deployed(document: &Document, side: &Side) -> Vec<Deployed> {
    let tree = &document.tree;
    let found = match (text_at(tree, "/apiVersion").split('/').next(), text_at(tree, "/kind")) {
        (Some("kustomize.toolkit.fluxcd.io"), "Kustomization") => flux(document, side).into_iter().collect(),
        (Some("argoproj.io"), "Application") => argo(document, side),
        _ => Vec::new(),
    };
    found.into_iter().filter(|one| side.has_directory(&one.directory)).collect()
}

/// Flux writes these into the kustomization of the path (`kustomize-controller`, `kustomization_controller.go`).
fn flux(document: &Document, side: &Side) -> Option<Deployed> {
    let spec = &document.tree["spec"];
    let directory = side.of_root(text_at(spec, "/path"))?;
    // The root of a repository is one of many: only Flux's own source is surely this one.
    if directory.is_empty() && text_at(spec, "/sourceRef/name") != "flux-system" {
        return None;
    }
    let mut edits = json!({});
    for field in ["patches", "components", "images"] {
        if let Some(value) = spec.get(field) {
            edits[field] = value.clone();
        }
    }
    if let Some(namespace) = spec.get("targetNamespace") {
        edits["namespace"] = namespace.clone();
    }
    let open = spec.get("postBuild").map(|_| Why::Substituted);
    let destination = text_at(spec, "/kubeConfig/secretRef/name").to_owned();
    Some(Deployed { directory, by: document.clone(), edits, open, recursive: true, destination })
}

/// The sources of an Application, with what files in their paths say over them (`.argocd-source.yaml`,
/// `.argocd-source-APPLICATION.yaml`: merge patches, `reposerver/repository/repository.go`); and these files.
pub(super) fn sources(application: &Document, side: &Side) -> (Vec<Value>, Vec<String>) {
    let spec = &application.tree["spec"];
    let several: Vec<Value> = list(spec.get("sources")).cloned().collect();
    let mut all = if several.is_empty() { vec![spec["source"].clone()] } else { several };
    let mut files = Vec::new();
    for source in &mut all {
        let Some(directory) = source["path"].as_str().and_then(|path| side.of_root(path)) else { continue };
        let own = format!(".argocd-source-{}.yaml", text_at(&application.tree, "/metadata/name"));
        for name in [".argocd-source.yaml", &own] {
            let file = join(&directory, name).filter(|file| side.has(file));
            if let Some(patch) = file.as_ref().and_then(|file| values::parse(&side.text(file)?)) {
                json_patch::merge(source, &patch);
                files.extend(file);
            }
        }
    }
    (all, files)
}

/// Argo CD writes these into the checkout (`util/kustomize/kustomize.go`).
fn argo(document: &Document, side: &Side) -> Vec<Deployed> {
    let spec = &document.tree["spec"];
    let (all, _) = sources(document, side);
    let deployed = |source: &Value| {
        let directory = source.get("path").and_then(Value::as_str).and_then(|path| side.of_root(path))?;
        if source.get("chart").is_some() || side.has(&format!("{directory}/Chart.yaml")) {
            return None;
        }
        let mut edits = json!({});
        let kustomize = &source["kustomize"];
        for field in ["patches", "components", "namespace"] {
            if let Some(value) = kustomize.get(field) {
                edits[field] = value.clone();
            }
        }
        let renames = ["namePrefix", "nameSuffix", "replicas", "commonAnnotations", "commonLabels"];
        let is_open = source.get("plugin").is_some()
            || renames[..2].iter().any(|field| kustomize.get(*field).is_some());
        let destination = [text_at(spec, "/destination/name"), text_at(spec, "/destination/server")];
        Some(Deployed {
            directory,
            by: document.clone(),
            edits,
            open: is_open.then_some(Why::Patched),
            recursive: source.pointer("/directory/recurse") == Some(&Value::Bool(true)),
            destination: destination.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned(),
        })
    };
    all.iter().filter_map(deployed).collect()
}

/// Is this file deployed with the directory?
pub(super) fn covers(deployed: &Deployed, name: &str) -> bool {
    if deployed.recursive {
        is_within(&deployed.directory, name)
    } else {
        directory_of(name) == deployed.directory
    }
}

/// Components that an engine adds, by their directories.
pub(super) fn components(deployed: &Deployed) -> Vec<String> {
    strings(deployed.edits.get("components")).filter_map(|name| join(&deployed.directory, name)).collect()
}
