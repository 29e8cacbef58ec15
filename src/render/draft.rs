//! What is rendered so far of a step, one entry an object.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

use super::{Certificates, Current, Edit, RenderError, Rendered};
use crate::document::ObjectRef;
use crate::mesh::{Manifest, Mesh};
use crate::rotation::Step;

/// What is rendered so far: one entry an object, however many changes touch it.
pub(super) struct Draft<'a> {
    pub(super) mesh: &'a Mesh,
    step: Step,
    manifests: HashMap<[&'a str; 3], &'a Manifest>,
    items: BTreeMap<[String; 4], Rendered>,
}

/// What documents are ordered by.
fn order(object: &ObjectRef) -> [String; 4] {
    let ObjectRef { api_version, kind, namespace, name } = object.clone();
    [namespace, kind, name, api_version]
}

impl<'a> Draft<'a> {
    pub(super) fn new(mesh: &'a Mesh, step: Step) -> Self {
        let key = |object: &'a ObjectRef| [object.kind.as_str(), &object.namespace, &object.name];
        let manifests = mesh.manifests.iter().map(|manifest| (key(&manifest.object), manifest)).collect();
        Self { mesh, step, manifests, items: BTreeMap::new() }
    }

    /// The entries, ordered by namespace, kind and name.
    pub(super) fn finish(self) -> Vec<Rendered> {
        self.items.into_values().collect()
    }

    /// An object of the control plane.
    pub(super) fn ours(&self, api_version: &str, kind: &str, name: &str) -> ObjectRef {
        ObjectRef::new(api_version, kind, &self.mesh.control_plane.namespace, name)
    }

    /// An object as observed.
    pub(super) fn manifest(&self, object: &ObjectRef) -> Option<&'a Manifest> {
        self.manifests.get(&[object.kind.as_str(), &object.namespace, &object.name]).copied()
    }

    /// The entry of an object; `purpose` is the first line of its head, a later one is added to it.
    pub(super) fn item(&mut self, object: ObjectRef, current: Current, purpose: &str) -> &mut Rendered {
        let step = self.step;
        let item = self.items.entry(order(&object)).or_insert_with(|| Rendered {
            object,
            step,
            head: Vec::new(),
            current,
            edits: Vec::new(),
            certificates: Certificates::default(),
            key: None,
            whole: None,
            key_in_place: false,
        });
        item.head.push(purpose.to_owned());
        item
    }

    /// A ConfigMap's text as it stands after the edits so far.
    pub(super) fn text(&self, object: &ObjectRef, tree: Option<&Value>, key: &str) -> Option<String> {
        let edited = self.items.get(&order(object)).and_then(|item| item.data(key)).map(str::to_owned);
        edited.or_else(|| tree?["data"][key].as_str().map(str::to_owned))
    }

    /// A ConfigMap that must be there, with the text under `key` after the edits so far.
    pub(super) fn config(&self, object: &ObjectRef, key: &str) -> Result<(Current, String), RenderError> {
        let manifest =
            self.manifest(object).ok_or_else(|| RenderError::Missing { object: object.clone().into() })?;
        let current = Current::whole(manifest);
        let text = self.text(object, current.tree(), key).ok_or_else(|| RenderError::Field {
            object: object.clone().into(),
            field: format!("data.{key}"),
            found: "nothing".to_owned(),
            expected: "the settings of this version",
        })?;
        Ok((current, text))
    }
}

impl Rendered {
    fn data(&self, of: &str) -> Option<&str> {
        self.edits.iter().rev().find_map(|edit| match edit {
            Edit::Data { key, value } if key == of => Some(value.as_str()),
            _ => None,
        })
    }

    /// Sets a data key once, whatever an earlier change made of it.
    pub(super) fn set_data(&mut self, of: &str, value: String) {
        self.edits.retain(|edit| !matches!(edit, Edit::Data { key, .. } if key == of));
        self.edits.push(Edit::Data { key: of.to_owned(), value });
    }
}

/// The metadata of an object of the control plane as Linkerd's chart writes it.
pub(super) fn control_plane_metadata(mesh: &Mesh, name: &str) -> ObjectMeta {
    let namespace = mesh.control_plane.namespace.clone();
    let label = |key: &str, value: &str| (format!("linkerd.io/control-plane-{key}"), value.to_owned());
    let labels = [label("component", "identity"), label("ns", &namespace)].into();
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace),
        labels: Some(labels),
        ..ObjectMeta::default()
    }
}

/// An object that this program builds, as a tree.
#[expect(clippy::expect_used, reason = "Kubernetes' own types have text keys only, so JSON can hold them")]
pub(super) fn as_tree(object: &impl Serialize) -> Value {
    serde_json::to_value(object).expect("an object of Kubernetes' own types")
}
