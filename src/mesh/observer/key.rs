//! What tells one workload from another, in the order they are listed in.

use crate::document::ObjectRef;
use crate::mesh::pod::OwnerReference;

/// Namespace, kind and name, and the API group where it is none that Kubernetes or Argo Rollouts has for that kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) kind: String,
    pub(super) name: String,
    foreign: String,
}

/// The kinds that own pods and whose restart is known: their groups, the first with the version of today.
const KNOWN: [(&str, &[&str], &str); 9] = [
    ("Deployment", &["apps", "extensions"], "apps/v1"),
    ("StatefulSet", &["apps"], "apps/v1"),
    ("DaemonSet", &["apps", "extensions"], "apps/v1"),
    ("ReplicaSet", &["apps", "extensions"], "apps/v1"),
    ("ReplicationController", &[""], "v1"),
    ("Job", &["batch"], "batch/v1"),
    ("CronJob", &["batch"], "batch/v1"),
    ("Rollout", &["argoproj.io"], "argoproj.io/v1alpha1"),
    ("Pod", &[""], "v1"),
];

/// Is it a workload of a known kind?
pub(super) fn is_workload(group: &str, kind: &str) -> bool {
    KNOWN.iter().any(|(known, groups, _)| *known == kind && groups.contains(&group))
}

fn group(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

impl Key {
    pub(super) fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        let group = group(api_version);
        let foreign = if is_workload(group, kind) { "" } else { group };
        let [namespace, kind, name, foreign] = [namespace, kind, name, foreign].map(str::to_owned);
        Self { namespace, kind, name, foreign }
    }

    /// A workload of a known kind.
    pub(super) fn known(kind: &str, namespace: &str, name: &str) -> Self {
        let [namespace, kind, name] = [namespace, kind, name].map(str::to_owned);
        Self { namespace, kind, name, foreign: String::new() }
    }

    pub(super) fn of(object: &ObjectRef) -> Self {
        Self::new(&object.api_version, &object.kind, &object.namespace, &object.name)
    }

    /// What an owner reference in a namespace points at.
    pub(super) fn referenced(reference: &OwnerReference, namespace: &str) -> Self {
        Self::new(&reference.api_version, &reference.kind, namespace, &reference.name)
    }

    /// Is its restart unknown?
    pub(super) fn is_foreign(&self) -> bool {
        !KNOWN.iter().any(|(kind, ..)| *kind == self.kind) || !self.foreign.is_empty()
    }

    /// The object, for where only its name is known; of foreign kinds the version is not.
    pub(super) fn object(&self) -> ObjectRef {
        let known = KNOWN.iter().find(|(kind, ..)| *kind == self.kind && self.foreign.is_empty());
        let api_version = known.map_or(self.foreign.as_str(), |(.., version)| version);
        ObjectRef::new(api_version, &self.kind, &self.namespace, &self.name)
    }
}
