//! What a snapshot keeps, by allow-list: whoever puts a secret where none belongs does not find it in the file.
//!
//! The mesh has no private key that it knew as one. What else could be one (any other variable of a container, any text around
//! certificates) is replaced here, in such a way that Linkerd's readers, and so every verdict, see the same defects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::values::without_variables;
use crate::linkerd;
use crate::mesh::{Known, Manifest, Mesh, REDACTED};
use crate::pki::BundleText;
use crate::pki::pem::certificates_alone;

/// The containers of Linkerd's own charts.
const CONTAINERS: [&str; 17] = [
    "controller",
    "destination",
    "grafana",
    "heartbeat",
    "identity",
    "linkerd-init",
    "linkerd-network-validator",
    "linkerd-proxy",
    "metrics-api",
    "policy",
    "profile-validator",
    "prometheus",
    "proxy-injector",
    "public-api",
    "sp-validator",
    "tap",
    "web",
];

/// How the variables that those charts set begin, and the ones that do not begin so.
const VARIABLES: [&str; 3] = ["LINKERD", "_l5d_", "_pod_"];
const OTHER_VARIABLES: [&str; 4] = ["GF_PATHS_DATA", "GODEBUG", "GOMAXPROCS", "GOMEMLIMIT"];

/// Where a container is given anchors in base64 (2.9 and 2.10): a variable, and an argument.
const ENCODED_VARIABLE: &str = "LINKERD2_IDENTITY_TRUST_ANCHORS";
const ENCODED_ARGUMENT: &str = "-identity-trust-anchors-pem=";

/// The entries of the two ConfigMaps.
const ENTRIES: [&str; 6] =
    ["ca-bundle.crt", "global", "install", "linkerd-crds-chart-version", "proxy", "values"];

/// Whose annotations are read, or told to whoever renders the object again: Linkerd's, Kubernetes', and those of the programs
/// that apply manifests.
const ANNOTATIONS: [&str; 10] = [
    "argocd.argoproj.io/",
    "cert-manager.io/",
    "checksum/",
    "helm.sh/",
    "k8s.io/",
    "kubernetes.io/",
    "l5d-rotate/",
    "linkerd.io/",
    "prometheus.io/",
    "toolkit.fluxcd.io/",
];

fn is_known(annotation: &str) -> bool {
    ANNOTATIONS.iter().any(|domain| annotation.contains(domain))
}

/// Is this a variable of Linkerd's charts?
pub(super) fn is_own(variable: &str) -> bool {
    VARIABLES.iter().any(|begin| variable.starts_with(begin)) || OTHER_VARIABLES.contains(&variable)
}

/// The mesh with what a snapshot keeps of it.
pub(super) fn reduced(mut mesh: Mesh) -> Mesh {
    let ca = match &mut mesh.issuer {
        Known::Is(issuer) => issuer.ca.as_mut(),
        Known::Absent | Known::Unknown(_) => None,
    };
    for bundle in mesh.bundles.iter_mut().chain(&mut mesh.trust.identity).chain(ca) {
        let kept = certificates_alone(bundle.text());
        if kept != bundle.text() {
            *bundle = BundleText::read(kept);
        }
    }
    let templates = mesh.workloads.iter_mut().filter_map(|workload| workload.template.as_mut());
    for annotations in templates.filter_map(|template| template.annotations.as_mut()) {
        annotations.retain(|name, _| is_known(name));
    }
    mesh.manifests.iter_mut().for_each(manifest);
    mesh
}

fn manifest(manifest: &mut Manifest) {
    for place in ["/metadata/annotations", "/spec/template/metadata/annotations"] {
        let annotations = entries(manifest.tree.pointer_mut(place));
        annotations.filter(|(name, _)| !is_known(name)).for_each(|(_, value)| *value = REDACTED.into());
    }
    match manifest.object.kind.as_str() {
        // It has its certificates only, since it was read.
        "Secret" => {}
        "ConfigMap" => {
            for (name, value) in entries(manifest.tree.get_mut("data")) {
                match value.as_str() {
                    Some(_) if !ENTRIES.contains(&name.as_str()) => *value = REDACTED.into(),
                    Some(text) if name == "values" || name == "proxy" => {
                        *value = without_variables(text).into()
                    }
                    _ => {}
                }
            }
            drop(manifest.tree.as_object_mut().and_then(|tree| tree.shift_remove("binaryData")));
        }
        _ => {
            for template in ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec", "/spec"] {
                for list in ["containers", "initContainers"] {
                    let list = manifest.tree.pointer_mut(&format!("{template}/{list}"));
                    list.and_then(Value::as_array_mut).into_iter().flatten().for_each(container);
                }
            }
        }
    }
}

fn entries(map: Option<&mut Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    map.and_then(Value::as_object_mut).into_iter().flatten()
}

fn container(container: &mut Value) {
    let ours = container["name"].as_str().is_some_and(|name| CONTAINERS.contains(&name));
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = variable["name"].as_str().unwrap_or_default().to_owned();
        let Some(value) = variable.get_mut("value") else { continue };
        let kept = value.as_str().filter(|_| ours && is_own(&name)).map(|text| match name.as_str() {
            linkerd::TRUST_ANCHORS_ENV => certificates_alone(text),
            ENCODED_VARIABLE => encoded(text),
            _ => text.to_owned(),
        });
        *value = kept.unwrap_or_else(|| REDACTED.to_owned()).into();
    }
    for list in ["args", "command"] {
        for word in container.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let kept = word.as_str().filter(|_| ours).map(argument);
            *word = kept.unwrap_or_else(|| REDACTED.to_owned()).into();
        }
    }
}

fn argument(word: &str) -> String {
    match word.split_once(ENCODED_ARGUMENT) {
        Some((dash, text)) => format!("{dash}{ENCODED_ARGUMENT}{}", encoded(text)),
        None => word.to_owned(),
    }
}

/// A bundle in base64. What is none is not kept.
fn encoded(text: &str) -> String {
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded {
        _ if text.is_empty() => String::new(),
        Some(bundle) => STANDARD.encode(certificates_alone(&bundle)),
        None => REDACTED.to_owned(),
    }
}
