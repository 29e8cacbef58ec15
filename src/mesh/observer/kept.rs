//! An object as it is kept until the mesh is made: without private keys, with what the API server knew of it.

use jiff::Timestamp;
use serde_json::Value;

use super::error::FieldFault;
use super::redact::prune;
use super::tree::{items, label, text};
use crate::document::{Document, ObjectRef, Origin};
use crate::mesh::{ChangeTime, Manifest, MeshError, Owner};

/// A kept object.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) object: ObjectRef,
    pub(super) origin: Origin,
    pub(super) owners: Vec<Owner>,
    pub(super) changed: ChangeTime,
    pub(super) tree: Value,
}

impl Kept {
    /// Keeps an object; its private keys are gone from here on.
    pub(super) fn new(object: ObjectRef, document: Document) -> Self {
        let Document { origin, mut tree } = document;
        let (owners, changed) = (Owner::all_of(&tree), changed(&tree));
        prune(&mut tree);
        Self { object, origin, owners, changed, tree }
    }

    /// The object as the mesh holds it, in `namespace` where its manifest names none.
    pub(super) fn manifest(&self, namespace: &str) -> Manifest {
        let mut object = self.object.clone();
        if object.namespace.is_empty() {
            namespace.clone_into(&mut object.namespace);
        }
        Manifest { object, origin: self.origin.clone(), owners: self.owners.clone(), tree: self.tree.clone() }
    }

    /// The fault in one of its fields.
    pub(super) fn fault(&self, field: &str, found: impl Into<String>) -> MeshError {
        let (origin, object) = (self.origin.clone(), self.object.clone());
        MeshError::Field(Box::new(FieldFault {
            origin,
            object,
            field: field.to_owned(),
            found: found.into(),
        }))
    }

    /// Its name and where it was read.
    pub(super) fn place(&self) -> String {
        format!("{} ({})", self.object, self.origin)
    }
}

/// Names an object. One of Linkerd's own that leaves its namespace to whoever applies it is in the one its label names.
pub(super) fn named(tree: &Value) -> Option<ObjectRef> {
    let mut object = ObjectRef::of(tree)?;
    if object.namespace.is_empty()
        && let Some(namespace) = label(tree, "linkerd.io/control-plane-ns")
    {
        namespace.clone_into(&mut object.namespace);
    }
    Some(object)
}

/// When the object's data last changed: each entry of `managedFields` has the time of its own manager's last change.
fn changed(tree: &Value) -> ChangeTime {
    let time = |tree: &Value, pointer: &str| text(tree, pointer)?.parse::<Timestamp>().ok();
    let holds_data = |entry: &&Value| {
        ["/fieldsV1/f:data", "/fieldsV1/f:binaryData"].iter().any(|field| entry.pointer(field).is_some())
    };
    let entries = items(tree, "/metadata/managedFields").iter().filter(holds_data);
    let latest = entries.filter_map(|entry| time(entry, "/time")).max();
    let created = || time(tree, "/metadata/creationTimestamp").map_or(ChangeTime::Unknown, ChangeTime::Since);
    latest.map_or_else(created, ChangeTime::At)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_latest_manager_of_the_data_tells_the_change_and_not_that_of_a_label() {
        let tree = json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [
            {"manager": "helm", "operation": "Update", "time": "2026-02-01T00:00:00Z", "fieldsV1": {"f:data": {"f:x": {}}}},
            {"manager": "kubectl", "operation": "Apply", "time": "2026-03-01T00:00:00Z", "fieldsV1": {"f:data": {"f:x": {}}}},
            {"manager": "labeller", "time": "2026-04-01T00:00:00Z", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
        ]}});
        assert_eq!(changed(&tree), ChangeTime::At(at("2026-03-01T00:00:00Z")));
    }

    #[test]
    fn without_managed_fields_the_creation_is_a_lower_bound() {
        let created = json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}});
        assert_eq!(changed(&created), ChangeTime::Since(at("2026-01-01T00:00:00Z")));
        assert_eq!(changed(&json!({"metadata": {"creationTimestamp": null}})), ChangeTime::Unknown);
    }
}
