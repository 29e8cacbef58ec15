//! A step on disk: Kustomize Components, one a namespace, that an overlay takes with one line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::head::one_line;
use super::release::HELM_RELEASE;
use super::{Form, RenderError, Rendered, WholeChange};
use crate::document::{ObjectRef, yaml};
use crate::rotation::PlannedStep;

/// One file of a step.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Where, below the directory that is written to.
    pub path: PathBuf,
    /// What.
    pub content: Zeroizing<String>,
    /// Does it hold a private key?
    pub secret: bool,
}

/// The directory of objects that name no namespace; no namespace has this name.
const NO_NAMESPACE: &str = "_no-namespace";

/// The files of a step: `bundle/1-trust/kustomization.yaml`, which takes in one directory a namespace, and there a file for
/// each object. `notes` stand at the top.
///
/// Patches are Components with a `target`: an overlay that lacks an object passes over it, where a bare path would fail.
/// Whole objects are resources.
///
/// # Errors
/// A form that needs more than was observed, or a name that Kubernetes does not allow.
pub fn directory(
    step: &PlannedStep,
    rendered: &[Rendered],
    form: Form,
    notes: &[String],
) -> Result<Vec<File>, RenderError> {
    let root = PathBuf::from(step.step.phase.to_string()).join(step.step.directory());
    let mut namespaces: BTreeMap<&str, Vec<&Rendered>> = BTreeMap::new();
    for item in rendered {
        namespaces.entry(namespace(&item.object)?).or_default().push(item);
    }
    let (field, entries) = match form {
        _ if namespaces.is_empty() => ("resources", Vec::new()),
        Form::Patch | Form::JsonPatch => ("components", namespaces.keys().map(|name| json!(name)).collect()),
        Form::Object => ("resources", namespaces.keys().map(|name| json!(name)).collect()),
    };
    let mut files = vec![plain(
        root.join(KUSTOMIZATION),
        &about(step, rendered, form, notes),
        &kustomization(form, field, entries),
    )];
    for (namespace, items) in namespaces {
        let root = root.join(namespace);
        let (mut entries, mut added) = (Vec::new(), Vec::new());
        for item in items {
            let name = file_name(&item.object)?;
            let content = item.written(form)?;
            match form {
                Form::Object => entries.push(json!(name)),
                Form::Patch | Form::JsonPatch if item.whole == Some(WholeChange::Added) => {
                    added.push(json!(name))
                }
                Form::Patch | Form::JsonPatch => {
                    entries.push(json!({ "path": name, "target": target(&item.as_written()) }));
                }
            }
            files.push(File { path: root.join(name), content, secret: item.key.is_some() });
        }
        let field = if form == Form::Object { "resources" } else { "patches" };
        let head = [format!("step {}, namespace {namespace}", step.step)];
        let mut written = kustomization(form, field, entries);
        if !added.is_empty() {
            written["resources"] = json!(added);
        }
        files.push(plain(root.join(KUSTOMIZATION), &head, &written));
    }
    Ok(files)
}

/// The file that makes a directory a Component, or a Kustomization.
pub const KUSTOMIZATION: &str = "kustomization.yaml";

/// What stays of a namespace in which a step has nothing left to change: overlays may name its directory, and one that were
/// gone would stop them from building.
#[must_use]
pub fn emptied(step: &PlannedStep, namespace: &str, form: Form) -> File {
    let root = PathBuf::from(step.step.to_string()).join(namespace);
    let head = [format!("step {}, namespace {namespace}: nothing is left to be changed here", step.step)];
    plain(root.join(KUSTOMIZATION), &head, &kustomization(form, "resources", Vec::new()))
}

pub(super) fn plain(path: PathBuf, head: &[String], tree: &Value) -> File {
    let head: Vec<_> = head.iter().map(|line| one_line(line)).collect();
    File { path, content: Zeroizing::new(yaml::write_stream(&[(head, tree.clone())])), secret: false }
}

pub(super) fn kustomization(form: Form, field: &str, entries: Vec<Value>) -> Value {
    let (version, kind) = match form {
        Form::Object => ("v1beta1", "Kustomization"),
        Form::Patch | Form::JsonPatch => ("v1alpha1", "Component"),
    };
    json!({ "apiVersion": format!("kustomize.config.k8s.io/{version}"), "kind": kind, field: entries })
}

/// What a patch is aimed at: whole names, group and version (Kustomize takes names as regular expressions). An object without a
/// namespace counts as one of `default` there, until the overlay's own namespace is set, after its components.
pub(super) fn target(object: &ObjectRef) -> Value {
    let exactly = |name: &str| json!(format!("^{}$", name.replace('.', "\\.")));
    let mut target = json!({});
    // Of a HelmRelease any version that the base has will do.
    let version = if object.kind == HELM_RELEASE { "" } else { object.version() };
    for (field, value) in [("group", object.group()), ("version", version), ("kind", &object.kind)] {
        if !value.is_empty() {
            target[field] = json!(value);
        }
    }
    target["name"] = exactly(&object.name);
    if !["", "default"].contains(&object.namespace.as_str()) {
        target["namespace"] = json!(format!("^({}|default)$", object.namespace));
    }
    target
}

/// What a target means; Kustomize sets an overlay's own namespace after it takes in components.
const PASSED_OVER: [&str; 2] = [
    "an object that the overlay does not hold under this namespace and name is passed over; one that is written without a",
    "namespace, or in `default`, is taken for it, as the overlay's own `namespace:` is set after its components",
];

/// The head of a step's own file: how to take it, what to know, and what it does not do.
fn about(step: &PlannedStep, rendered: &[Rendered], form: Form, notes: &[String]) -> Vec<String> {
    let list = if form == Form::Object { "resources" } else { "components" };
    let mut lines = vec![
        format!("step {}, objects: {}", step.step, rendered.len()),
        format!("an overlay takes it with `{list}: [this directory]`, or one namespace's directory of it"),
    ];
    if form != Form::Object {
        lines.extend(PASSED_OVER.map(str::to_owned));
    }
    if rendered.is_empty() && step.changes.is_empty() {
        lines.push("nothing is to be changed in this step".to_owned());
    } else if rendered.is_empty() {
        lines.push("this step is not made here: the notes below tell where".to_owned());
    }
    lines.extend(notes.iter().cloned());
    lines
}

pub(super) fn namespace(object: &ObjectRef) -> Result<&str, RenderError> {
    match object.namespace.as_str() {
        "" => Ok(NO_NAMESPACE),
        name if is_dns_1123(name) => Ok(name),
        name => Err(RenderError::Name { kind: "Namespace".to_owned(), name: one_line(name) }),
    }
}

/// `deployment-web.yaml`; names are at most 253 bytes, file names 255, so the end of a long one is left off for its hash.
pub(super) fn file_name(object: &ObjectRef) -> Result<String, RenderError> {
    let kind = object.kind.to_lowercase();
    if !is_dns_1123(&object.name) || !is_dns_1123(&kind) {
        return Err(RenderError::Name { kind: one_line(&object.kind), name: one_line(&object.name) });
    }
    let name = match object.name.get(..LONG) {
        None => object.name.clone(),
        Some(start) => format!("{start}-{}", crate::pki::Fingerprint::digest(object.name.as_bytes()).short()),
    };
    Ok(format!("{kind}-{name}.yaml"))
}

/// Names of this many bytes are cut.
const LONG: usize = 180;

/// A DNS-1123 subdomain without two dots in a row: no separator, no way up.
fn is_dns_1123(name: &str) -> bool {
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(inner)
    };
    name.len() <= 253 && name.split('.').all(label)
}
