//! Meshes for tests: certificates minted on the spot, put into the skeletons of `testdata/mesh`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::document::{self, Document};
use l5d_rotate::mesh::{Interest, Mesh, MeshError, Observer, Pod};
use l5d_rotate::pki::Fingerprint;
use serde_json::Value;

use super::pki::{self, Pair, at};

/// The workloads of the control plane in Linkerd's own installs.
pub const CONTROL_PLANES: [(&str, &[&str]); 4] = [
    (
        "2.8.1",
        &[
            "linkerd-controller",
            "linkerd-destination",
            "linkerd-grafana",
            "linkerd-identity",
            "linkerd-prometheus",
            "linkerd-proxy-injector",
            "linkerd-sp-validator",
            "linkerd-tap",
            "linkerd-web",
        ],
    ),
    (
        "2.10.2",
        &[
            "linkerd-controller",
            "linkerd-destination",
            "linkerd-identity",
            "linkerd-proxy-injector",
            "linkerd-sp-validator",
        ],
    ),
    ("2.12.6", &["linkerd-destination", "linkerd-identity", "linkerd-proxy-injector"]),
    ("2.20", &["linkerd-destination", "linkerd-identity", "linkerd-proxy-injector"]),
];

/// An anchor and an issuer for a mesh.
pub fn mint(name: &str) -> Pair {
    let (from, to) = (at("2026-01-01"), at("2036-01-01"));
    let anchor = pki::anchor_within(&format!("{name}.linkerd.cluster.local"), from, to);
    let issuer = pki::issuer_within(&anchor, from, to);
    Pair { anchor, issuer }
}

/// A skeleton with its placeholders filled. `@NAME@` after nothing but blanks is replaced with every line indented alike,
/// elsewhere as it is.
pub fn fill(skeleton: &str, values: &[(&str, &str)]) -> String {
    let lines = skeleton.lines().flat_map(|line| {
        let indent = &line[..line.len() - line.trim_start().len()];
        let whole = values.iter().find(|(name, _)| line.trim() == format!("@{name}@"));
        match whole {
            Some((_, value)) => value.lines().map(|part| format!("{indent}{part}")).collect(),
            None => {
                let filled = values
                    .iter()
                    .fold(line.to_owned(), |line, (name, value)| line.replace(&format!("@{name}@"), value));
                vec![filled]
            }
        }
    });
    lines.map(|line| line + "\n").collect()
}

/// A control plane of an era, as `testdata/mesh/ERA.yaml.in` has it.
pub fn control_plane(era: &str, pki: &Pair) -> String {
    let path = format!("{}/testdata/mesh/{era}.yaml.in", env!("CARGO_MANIFEST_DIR"));
    let skeleton = std::fs::read_to_string(path).unwrap();
    let (anchor, issuer, key) = (pki.anchor_pem(), pki.issuer_pem(), pki.key_pem());
    fill(
        &skeleton,
        &[
            ("ANCHORS", &anchor),
            ("ANCHORS_JSON", &serde_json::to_string(&anchor).unwrap()),
            ("ANCHORS_BASE64", &STANDARD.encode(&anchor)),
            ("ANCHORS_SHA256", &Fingerprint::digest(anchor.as_bytes()).to_string()),
            ("ISSUER", &issuer),
            ("ISSUER_BASE64", &STANDARD.encode(&issuer)),
            ("KEY_BASE64", &STANDARD.encode(&key)),
        ],
    )
}

/// Documents and observers in one go: reads texts, as files called `1.yaml`, `2.yaml`, ….
pub fn documents(texts: &[&str]) -> Vec<Document> {
    let named = texts.iter().enumerate();
    named.flat_map(|(at, text)| document::parse(text, &format!("{}.yaml", at + 1)).unwrap()).collect()
}

pub fn feed(observer: &mut Observer, document: Document) -> Result<(), MeshError> {
    let field = |name: &str| document.tree[name].as_str().unwrap_or_default();
    match Observer::interest(field("apiVersion"), field("kind")) {
        Interest::None => Ok(()),
        Interest::Object => observer.object(document),
        Interest::Pod => {
            let pod: Pod = serde_json::from_value(document.tree).unwrap();
            observer.pod(&document.origin, pod);
            Ok(())
        }
    }
}

pub fn observe_all(documents: Vec<Document>, keep: bool) -> Observer {
    let mut observer = Observer::new(keep);
    documents.into_iter().for_each(|document| feed(&mut observer, document).unwrap());
    observer
}

pub fn observe(texts: &[&str]) -> Observer {
    observe_all(documents(texts), false)
}

pub fn mesh(texts: &[&str]) -> Mesh {
    observe(texts).finish(None).unwrap()
}

pub fn refused(texts: &[&str]) -> String {
    let error = observe(texts).finish(None).unwrap_err();
    assert!(!error.help().is_empty());
    error.to_string()
}

/// A running pod of a Deployment's ReplicaSet, with a proxy that the injector gave this bundle.
pub fn pod(namespace: &str, deployment: &str, suffix: &str, started: &str, bundle: &str) -> Value {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{deployment}-7d4f8c-{suffix}"), "namespace": namespace,
            "labels": {"linkerd.io/control-plane-ns": "linkerd", "linkerd.io/proxy-deployment": deployment, "pod-template-hash": "7d4f8c"},
            "annotations": {"linkerd.io/created-by": "linkerd/proxy-injector edge-25.4.4"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{deployment}-7d4f8c"), "controller": true}],
        },
        "spec": {"containers": [
            {"name": "app"},
            {"name": "linkerd-proxy", "env": [{"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": bundle}]},
        ]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "linkerd-proxy", "state": {"running": {"startedAt": started}}},
        ]},
    })
}

/// Trees as one JSON text that is read like any other.
pub fn list(trees: &[Value]) -> String {
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": trees}).to_string()
}

/// The folder of Linkerd's own test data; `None`, said by name, where it is not there.
pub fn real(test: &str) -> Option<std::path::PathBuf> {
    let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/real"));
    if !path.is_dir() {
        println!("skipped: {test}: no ../shared/real");
        return None;
    }
    Some(path.to_owned())
}
