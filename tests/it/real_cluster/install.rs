//! Linkerd and its data plane as somebody declares them in Git: the objects of [`cluster`](crate::cluster), without what an API
//! server adds, and with certificates that are valid while the test runs.

use jiff::ToSpan as _;
use l5d_rotate::pki::{AnchorRequest, IssuerRequest, mint_anchor, mint_issuer};
use serde_json::Value;

use crate::cluster::{Cluster, pem};

/// A cluster whose anchor and issuer expire in five weeks by the real clock.
pub(super) fn minted(mut cluster: Cluster) -> Cluster {
    let now = super::now();
    let (not_before, not_after) = (now - 1.hour(), now + (5 * 7 * 24).hours());
    let common_name = "root.linkerd.cluster.local".to_owned();
    let anchor = mint_anchor(&AnchorRequest { common_name, not_before, not_after }).unwrap();
    let common_name = "identity.linkerd.cluster.local".to_owned();
    let issuer =
        mint_issuer(&IssuerRequest { common_name, dns_names: vec![], not_before, not_after }, &anchor)
            .unwrap();
    cluster.bundle = anchor.certificate.to_pem().trim_end().to_owned();
    cluster.issuer = issuer.certificate.to_pem().trim_end().to_owned();
    cluster.issuer_key = pem(&issuer.key);
    for load in &mut cluster.workloads {
        load.held.clone_from(&cluster.bundle);
    }
    cluster.anchor = anchor;
    cluster
}

/// What is declared of it: objects, and workloads. No ReplicaSets, Jobs and pods, which controllers make, and no Rollout, which has
/// none here; where cert-manager and trust-manager make bundle and issuer, neither these.
pub(super) fn declared(cluster: &Cluster) -> (Vec<Value>, Vec<Value>) {
    let is_made = |tree: &Value| {
        let by_controllers = ["linkerd-identity-trust-roots", "linkerd-identity-issuer"];
        let kind = tree["kind"].as_str().unwrap();
        ["ReplicaSet", "Job", "Rollout", "CertificateRequest"].contains(&kind)
            || cluster.controllers.is_some()
                && ["ConfigMap", "Secret"].contains(&kind)
                && by_controllers.contains(&tree["metadata"]["name"].as_str().unwrap())
    };
    let is_owned = |tree: &Value| tree["kind"] == "Pod" && tree["metadata"].get("ownerReferences").is_some();
    let items = cluster.items().into_iter().filter(|tree| !is_made(tree) && !is_owned(tree));
    let runs =
        |tree: &Value| tree["spec"].get("template").is_some() || tree["spec"].get("containers").is_some();
    let has_job = |tree: &Value| tree["spec"].get("jobTemplate").is_some();
    let (workloads, objects) = items.map(bare).partition(|tree| runs(tree) || has_job(tree));
    (objects, workloads)
}

/// An object without what the API server and controllers write into it.
fn bare(mut tree: Value) -> Value {
    let kind = tree["kind"].as_str().unwrap().to_owned();
    let object = tree.as_object_mut().unwrap();
    object.remove("status");
    if kind == "Namespace" {
        object.remove("spec");
    }
    let metadata = tree["metadata"].as_object_mut().unwrap();
    for field in ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"] {
        metadata.remove(field);
    }
    if kind == "Pod" {
        not_injected(&mut tree);
    }
    tree
}

/// A pod as it was before the injector saw it.
fn not_injected(tree: &mut Value) {
    for field in ["labels", "annotations"] {
        let all = tree["metadata"][field].as_object_mut().unwrap();
        all.retain(|key, _| !key.starts_with("linkerd.io/"));
    }
    let spec = tree["spec"].as_object_mut().unwrap();
    for field in ["initContainers", "nodeName", "volumes"] {
        spec.remove(field);
    }
    let containers = tree["spec"]["containers"].as_array_mut().unwrap();
    containers.retain(|container| container["name"] != "linkerd-proxy");
}
