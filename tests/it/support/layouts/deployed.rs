//! What a repository declares of a cluster's workloads, and how it is applied.

use std::path::Path;

use l5d_rotate::checkout;
use serde_json::{Map, Value, json};

use crate::cluster::{Cluster, Load, Proxy};

/// Who makes the Deployments of the control plane.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    ByManifests,
    ByChart,
}

/// The manifests of the cluster's workloads.
pub(crate) fn workloads(cluster: &Cluster, made: Made) -> Vec<Value> {
    let is_one = |tree: &Value| {
        ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Rollout"]
            .contains(&tree["kind"].as_str().unwrap_or_default())
    };
    let is_made = |tree: &Value| {
        let of = |load: &Load| load.name == tree["metadata"]["name"] && load.proxy == Proxy::ControlPlane;
        made == Made::ByManifests || !cluster.workloads.iter().any(of)
    };
    let mut all: Vec<Value> = cluster.items().into_iter().filter(is_one).filter(is_made).collect();
    for tree in &mut all {
        tree.as_object_mut().unwrap().remove("status");
        let metadata = tree["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, _| ["name", "namespace", "labels"].contains(&key.as_str()));
    }
    all
}

pub(crate) fn declared(root: &Path, unit: Option<&str>) -> Vec<Value> {
    let request = checkout::Request { paths: vec![root.to_owned()], recursive: true, excluded: Vec::new() };
    let units = checkout::read(&request).unwrap().units;
    let units = units.into_iter().filter(|one| unit.is_none_or(|unit| one.name.ends_with(unit)));
    units.flat_map(|unit| unit.documents).map(|document| document.tree).collect()
}

/// What a repository declares is applied.
pub(crate) fn deploy(cluster: &mut Cluster, root: &Path, unit: Option<&str>) {
    for tree in declared(root, unit) {
        let name = tree["metadata"]["name"].as_str().unwrap_or_default();
        match tree["kind"].as_str().unwrap_or_default() {
            "ConfigMap" if name == "linkerd-identity-trust-roots" => cluster.apply(&tree),
            "Secret" if name == "linkerd-identity-issuer" => cluster.apply(&tree),
            // Its controller opens what was sealed here (`desk::SEALER`).
            "SealedSecret" if name == "linkerd-identity-issuer" => {
                let open = |(key, sealed): (&String, &Value)| {
                    (key.clone(), Value::from(sealed.as_str().unwrap().strip_prefix("Ag").unwrap_or("")))
                };
                let data: Map<_, _> =
                    tree["spec"]["encryptedData"].as_object().unwrap().iter().map(open).collect();
                cluster.apply(&json!({"kind": "Secret", "metadata": tree["metadata"], "data": data}));
            }
            kind => {
                let is_it = |load: &&Load| {
                    load.kind == kind && load.name == name && load.namespace == tree["metadata"]["namespace"]
                };
                let Some(load) = cluster.workloads.iter().find(is_it) else { continue };
                let mut annotations = json!(load.annotations);
                let declared = tree.pointer("/spec/template/metadata/annotations");
                annotations
                    .as_object_mut()
                    .unwrap()
                    .extend(declared.and_then(Value::as_object).cloned().unwrap_or_default());
                let template = json!({"metadata": {"annotations": annotations}});
                cluster.apply(&json!({"kind": kind, "metadata": {"name": name, "namespace": load.namespace},
                    "spec": {"template": template}}));
            }
        }
    }
}
