//! Restarting workloads by their pod templates, whose own copies of the trust bundle are kept true.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::config::like;
use super::draft::Draft;
use super::trust::{anchors, config_text};
use super::{Current, Edit, RenderError, mask};
use crate::linkerd;
use crate::mesh::WorkloadId;
use crate::pki::{Bundle, Fingerprint};
use crate::rotation::Annotation;

/// A literal copy of the bundle in a container of a control-plane template, up to 2.10.
struct Copy {
    container: &'static str,
    /// The environment variable, or the argument with its `=`.
    name: &'static str,
    base64: bool,
}

/// Environment variables that hold the bundle (`charts/partials/templates/_proxy.tpl`; 2.10's `identity.yaml`).
const VARIABLES: [Copy; 2] = [
    Copy { container: linkerd::PROXY_CONTAINER, name: linkerd::TRUST_ANCHORS_ENV, base64: false },
    Copy { container: "identity", name: "LINKERD2_IDENTITY_TRUST_ANCHORS", base64: true },
];

/// The argument that holds it (2.9's `identity.yaml`).
const ARGUMENT: Copy = Copy { container: "identity", name: "-identity-trust-anchors-pem=", base64: true };

/// Restarts a workload.
pub(super) fn restart(draft: &mut Draft<'_>, id: WorkloadId, annotation: &Annotation) {
    let workload = draft.mesh.workload(id);
    let current = Current::workload(workload, draft.manifest(&workload.object));
    let item = draft.item(workload.object.clone(), current, "restarts a meshed workload");
    item.edits.push(template_annotation(annotation.key, &annotation.value));
}

/// Restarts a control-plane workload and keeps its copies of the bundle true.
pub(super) fn control_plane(
    draft: &mut Draft<'_>,
    id: WorkloadId,
    bundle: &Bundle,
    annotation: &Annotation,
) -> Result<(), RenderError> {
    let (mesh, object) = (draft.mesh, draft.mesh.workload(id).object.clone());
    let current = Current::workload(mesh.workload(id), draft.manifest(&object));
    if !mesh.control_plane.era.control_plane_by_reference() && !matches!(current, Current::Whole(_)) {
        return Err(RenderError::Missing { object: object.into() });
    }
    let mut edits = vec![template_annotation(annotation.key, &annotation.value)];
    let mut before = Vec::new();
    if let Some(tree) = current.tree() {
        edits.extend(trust_root_hash(tree, config_text(draft, bundle).as_deref()));
        for (edit, old) in copies(tree, &bundle.to_pem()) {
            edits.push(edit);
            before.extend(anchors(Some(&old)));
        }
    }
    let literal = edits.iter().any(|edit| matches!(edit, Edit::Env { .. } | Edit::Argument { .. }));
    let item = draft.item(object, current, "restarts a control-plane workload");
    item.edits.extend(edits);
    if literal {
        item.certificates.add(&before, bundle.anchors());
    }
    Ok(())
}

fn template_annotation(key: &str, value: &str) -> Edit {
    Edit::TemplateAnnotation { key: key.to_owned(), value: value.to_owned() }
}

/// The hash annotation, where the template has one that means something: with an external CA it is the hash of nothing.
fn trust_root_hash(tree: &Value, config: Option<&str>) -> Option<Edit> {
    let old =
        tree.pointer("/spec/template/metadata/annotations")?.get(linkerd::TRUST_ROOT_ANNOTATION)?.as_str()?;
    let hash = |text: &str| Fingerprint::digest(text.as_bytes()).to_string();
    (![hash(""), hash("\n")].contains(&old.to_owned()))
        .then_some(config)?
        .map(|text| template_annotation(linkerd::TRUST_ROOT_ANNOTATION, &hash(text)))
}

/// Every literal copy of the bundle in a template, with the text it holds now.
fn copies(tree: &Value, pem: &str) -> Vec<(Edit, String)> {
    let mut found = Vec::new();
    for (list, init) in [("initContainers", true), ("containers", false)] {
        let containers = tree["spec"]["template"]["spec"][list].as_array();
        for container in containers.into_iter().flatten() {
            found.extend(variables(container, init, pem));
            found.extend(arguments(container, pem).filter(|_| !init));
        }
    }
    found
}

fn variables(container: &Value, init: bool, pem: &str) -> impl Iterator<Item = (Edit, String)> {
    let copies = VARIABLES.iter().filter(|copy| container["name"] == *copy.container);
    copies.filter_map(move |copy| {
        let last = container["env"].as_array()?.iter().rfind(|entry| entry["name"] == *copy.name)?;
        let (old, value) = copy.renew(last["value"].as_str()?, pem);
        let (container, name) = (copy.container.to_owned(), copy.name.to_owned());
        Some((Edit::Env { container, init, name, value }, old))
    })
}

fn arguments(container: &Value, pem: &str) -> impl Iterator<Item = (Edit, String)> {
    let arguments = container["args"].as_array().filter(|_| container["name"] == *ARGUMENT.container);
    arguments.into_iter().flatten().enumerate().filter_map(move |(index, argument)| {
        let argument = argument.as_str()?;
        let flag = argument.find(ARGUMENT.name).filter(|dashes| *dashes <= 1)? + ARGUMENT.name.len();
        let (old, renewed) = ARGUMENT.renew(&argument[flag..], pem);
        let value = format!("{}{renewed}", &argument[..flag]);
        Some((Edit::Argument { container: ARGUMENT.container.to_owned(), index, value }, old))
    })
}

impl Copy {
    /// The text now, and the value that holds `pem` in the same way.
    fn renew(&self, value: &str, pem: &str) -> (String, String) {
        if !self.base64 {
            return (value.to_owned(), like(Some(value), pem));
        }
        let old = mask::decoded(value).unwrap_or_default();
        let renewed = STANDARD.encode(like(Some(&old), pem));
        (old, renewed)
    }
}
