//! What is known of an object before a step.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::document::ObjectRef;
use crate::mesh::{Manifest, Workload};

/// What is known of an object as it is. Trees hold nothing that the API server alone writes.
#[derive(Clone, PartialEq)]
pub enum Current {
    /// The whole object.
    Whole(Value),
    /// Its name and the annotations of its pod template.
    Part(Value),
    /// It was not seen; this is what it starts from when it is created (no data yet).
    New(Value),
    /// Its name only.
    Unseen,
}

/// What the API server fills in under `metadata`; in a commit it is noise, and a `resourceVersion` makes `apply` fail.
const SERVER_METADATA: [&str; 7] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Annotations that `kubectl apply` and the Deployment controller write; the first repeats the object, private key included.
const SERVER_ANNOTATIONS: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"];

impl Current {
    /// An observed object.
    pub(super) fn whole(manifest: &Manifest) -> Self {
        Self::Whole(as_written(manifest.tree.clone()))
    }

    /// A workload: whole where it was kept, else as far as it was observed.
    pub(super) fn workload(workload: &Workload, manifest: Option<&Manifest>) -> Self {
        match (manifest, &workload.template) {
            (Some(manifest), _) => Self::whole(manifest),
            (None, Some(template)) => Self::Part(part(&workload.object, template.annotations.as_ref())),
            (None, None) => Self::Unseen,
        }
    }

    /// What a patch can be compared with.
    #[must_use]
    pub const fn tree(&self) -> Option<&Value> {
        match self {
            Self::Whole(tree) | Self::Part(tree) | Self::New(tree) => Some(tree),
            Self::Unseen => None,
        }
    }
}

/// The fields that name an object: how every patch begins.
pub(super) fn named(object: &ObjectRef) -> Value {
    let ObjectRef { api_version, kind, namespace, name } = object;
    let mut metadata = json!({ "name": name });
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata })
}

fn part(object: &ObjectRef, annotations: Option<&BTreeMap<String, String>>) -> Value {
    let mut tree = named(object);
    let metadata = annotations.map_or_else(|| json!({}), |annotations| json!({ "annotations": annotations }));
    tree["spec"] = json!({ "template": { "metadata": metadata } });
    tree
}

/// The object as somebody would write it: without status and what else the cluster adds.
fn as_written(mut tree: Value) -> Value {
    let Some(object) = tree.as_object_mut() else { return tree };
    object.shift_remove("status");
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        SERVER_METADATA.iter().for_each(|key| drop(metadata.shift_remove(*key)));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            SERVER_ANNOTATIONS.iter().for_each(|key| drop(annotations.shift_remove(*key)));
            if annotations.is_empty() {
                metadata.shift_remove("annotations");
            }
        }
    }
    tree
}
