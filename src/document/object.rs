//! Naming a Kubernetes object.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::printable::escaped;

/// Which object: what a patch is aimed at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `v1`, `apps/v1`, …
    pub api_version: String,
    /// `ConfigMap`, `Deployment`, …
    pub kind: String,
    /// Empty for what has no namespace, or where a manifest leaves it to the one who applies it.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectRef {
    /// Names an object. No name that Kubernetes takes has a control character; in a manifest that has one it is escaped.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        let [api_version, kind, namespace, name] =
            [api_version, kind, namespace, name].map(|part| escaped(part).into_owned());
        Self { api_version, kind, namespace, name }
    }

    /// The object that a tree is; `None` where it has no `apiVersion`, `kind` or `metadata.name`.
    #[must_use]
    pub fn of(tree: &Value) -> Option<Self> {
        let text = |pointer: &str| tree.pointer(pointer).and_then(Value::as_str);
        Some(Self::new(
            text("/apiVersion")?,
            text("/kind")?,
            text("/metadata/namespace").unwrap_or_default(),
            text("/metadata/name")?,
        ))
    }

    /// Are both names of one object, be it in two versions of its API?
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.group(), &self.kind, &self.namespace, &self.name)
            == (other.group(), &other.kind, &other.namespace, &other.name)
    }

    /// The API group, empty for the core one.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// The version within the group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version.rsplit_once('/').map_or(&self.api_version, |(_, version)| version)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}
