//! Objects and pods, seen one after the other in any order, brought together into a mesh.

mod assembly;
mod certificates;
mod chain;
mod config;
mod error;
mod evidence;
mod finish;
mod gaps;
mod identity;
mod injection;
mod issuer;
mod kept;
mod key;
mod missing;
mod proxies;
mod redact;
mod settings;
pub(in crate::mesh) mod tree;
mod trust;
mod workload;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::certificates::Certificates;
use self::gaps::Gaps;
use self::injection::Namespaces;
use self::kept::{Kept, named};
use self::key::Key;
use self::proxies::Proxies;
use self::tree::text;
use super::{CERT_MANAGER_GROUP, CLUSTER_BUNDLE_GROUP, Gap, Mesh, Pod, TRUST_MANAGER_GROUP};
use crate::document::{Document, ObjectRef, Origin};
use crate::linkerd;

pub use self::error::{FieldFault, MeshError};
pub(in crate::mesh) use self::redact::prune;

/// What an observer does with objects of a kind: how a decoder knows what to skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Decode it as a [`Pod`] and hand it to [`Observer::pod`].
    Pod,
    /// Decode it whole and hand it to [`Observer::object`].
    Object,
    /// Skip it.
    None,
}

/// What is taken out of an object.
type Take = fn(&mut Observer, ObjectRef, Document);

/// What is taken out of which kinds; a workload's kinds are [`key::is_workload`]'s.
const KINDS: [(&str, &str, Take); 13] = [
    ("", "Namespace", |observer, _, document| observer.namespaces.see(&document.tree)),
    ("", "ConfigMap", Observer::config_map),
    ("", "Secret", Observer::secret),
    (CERT_MANAGER_GROUP, "Certificate", |observer, object, document| {
        observer.certificates.certificate(object, document);
    }),
    (CERT_MANAGER_GROUP, "CertificateRequest", |observer, object, document| {
        observer.certificates.request(&object, &document.tree);
    }),
    (CERT_MANAGER_GROUP, "Issuer", |observer, object, document| {
        observer.certificates.issuer(object, document);
    }),
    (CERT_MANAGER_GROUP, "ClusterIssuer", |observer, object, document| {
        observer.certificates.issuer(object, document);
    }),
    (TRUST_MANAGER_GROUP, "Bundle", |observer, object, document| {
        observer.certificates.bundle(object, document);
    }),
    (CLUSTER_BUNDLE_GROUP, "ClusterBundle", |observer, object, document| {
        observer.certificates.bundle(object, document);
    }),
    ("external-secrets.io", "ExternalSecret", |observer, object, document| {
        let target = text(&document.tree, "/spec/target/name").unwrap_or(&object.name).to_owned();
        observer.secret_source(&target, &object, &document);
    }),
    ("bitnami.com", "SealedSecret", |observer, object, document| {
        observer.secret_source(&object.name, &object, &document);
    }),
    ("workload.linkerd.io", "ExternalWorkload", |observer, object, _| {
        observer.external_workloads.insert(path(&object));
    }),
    ("multicluster.linkerd.io", "Link", |observer, object, _| {
        observer.links.insert(path(&object));
    }),
];

/// Collects what is seen. Its memory grows with workloads and distinct bundles; of each pod eight bytes stay, so that one
/// that is in the input twice counts once.
#[derive(Debug, Clone, Default)]
pub struct Observer {
    keep_workloads: bool,
    /// ConfigMaps `linkerd-config` and `linkerd-identity-trust-roots`, by name and namespace.
    config_maps: BTreeMap<(String, String), Kept>,
    /// Secrets `linkerd-identity-issuer`, by namespace.
    issuers: BTreeMap<String, issuer::Seen>,
    /// What other controllers turn into that Secret, by namespace: its name and place.
    sources: BTreeMap<String, String>,
    /// Secrets `linkerd-config-overrides`, by namespace.
    overrides: BTreeMap<String, Kept>,
    workloads: BTreeMap<Key, workload::Seen>,
    /// Of what a ReplicaSet, a Job or a ReplicationController is a part.
    parents: BTreeMap<Key, Key>,
    namespaces: Namespaces,
    certificates: Certificates,
    external_workloads: BTreeSet<String>,
    links: BTreeSet<String>,
    proxies: Proxies,
    gaps: Gaps,
    /// Was some pod seen? Whether that is all is judged at the end.
    has_pods: bool,
    pods_were_read: bool,
    secrets_were_read: bool,
}

impl Observer {
    /// An observer; with `keep_workloads` it keeps the whole manifest of each meshed workload (for whole objects and `diff`).
    #[must_use]
    pub fn new(keep_workloads: bool) -> Self {
        Self { keep_workloads, ..Self::default() }
    }

    /// What is done with objects of this kind.
    #[must_use]
    pub fn interest(api_version: &str, kind: &str) -> Interest {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        match (group, kind) {
            ("", "Pod") => Interest::Pod,
            _ if take(group, kind).is_some() || key::is_workload(group, kind) => Interest::Object,
            _ => Interest::None,
        }
    }

    /// Takes in one object of a kind of [`Interest::Object`]. Later copies of the same object replace earlier ones; what has
    /// no name, and a patch of a workload, is passed over.
    ///
    /// # Errors
    /// None so far: fields are judged by [`Self::finish`], when it is known which control plane is meant.
    pub fn object(&mut self, document: Document) -> Result<(), MeshError> {
        let Some(object) = named(&document.tree) else { return Ok(()) };
        if let Some(take) = take(object.group(), &object.kind) {
            take(self, object, document);
        } else if key::is_workload(object.group(), &object.kind) {
            self.certificates.deployment(&object, &document.tree);
            self.workload(object, document);
        }
        Ok(())
    }

    /// Takes in one pod; pods without a proxy, and pods that are done, count for nothing. One without any status and owner is
    /// the manifest of a bare pod: intent, not a running proxy.
    pub fn pod(&mut self, origin: &Origin, pod: Pod) {
        if pod.status.phase.is_empty() && pod.metadata.owner_references.is_empty() {
            return self.bare_pod(origin, pod);
        }
        self.has_pods = true;
        if !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
            self.proxies.see(origin, &pod);
        }
    }

    /// Says that all pods were asked for: what was seen is all, be it nothing.
    pub fn pods_were_read(&mut self) {
        self.pods_were_read = true;
    }

    /// Says that Secrets were asked for: an issuer Secret that was not seen then does not exist. Any Secret that a cluster shows
    /// says so too.
    pub fn secrets_were_read(&mut self) {
        self.secrets_were_read = true;
    }

    /// Says that something could not be read: what depends on it becomes unknown.
    pub fn gap(&mut self, gap: Gap) {
        self.gaps.add(gap);
    }

    /// Brings it together. `namespace` names the control plane's where there is more than one.
    ///
    /// # Errors
    /// No control plane, more than one, one whose era cannot be told, or a field that is not what it must be: place, field
    /// and finding are named.
    pub fn finish(self, namespace: Option<&str>) -> Result<Mesh, MeshError> {
        finish::finish(self, namespace)
    }

    fn config_map(&mut self, object: ObjectRef, document: Document) {
        if [linkerd::CONFIG, linkerd::TRUST_ROOTS].contains(&object.name.as_str()) {
            let place = (object.name.clone(), object.namespace.clone());
            self.config_maps.insert(place, Kept::new(object, document));
        }
    }

    fn secret(&mut self, object: ObjectRef, mut document: Document) {
        // A cluster that shows Secrets shows all that were asked for; a manifest tells of no other one.
        self.secrets_were_read |= text(&document.tree, "/metadata/uid").is_some();
        let namespace = object.namespace.clone();
        match object.name.as_str() {
            linkerd::ISSUER_SECRET => {
                let seen = issuer::Seen::new(object, document);
                self.issuers.insert(namespace, seen);
            }
            linkerd::CONFIG_OVERRIDES => {
                self.overrides.insert(namespace, Kept::new(object, document));
            }
            _ => redact::wipe(&mut document.tree),
        }
    }

    fn secret_source(&mut self, target: &str, object: &ObjectRef, document: &Document) {
        if target == linkerd::ISSUER_SECRET {
            self.sources.insert(object.namespace.clone(), format!("{object} ({})", document.origin));
        }
    }

    fn workload(&mut self, object: ObjectRef, document: Document) {
        let key = Key::of(&object);
        if workload::is_idle(&document.tree) {
            return;
        }
        if let Some(parent) = workload::parent(&document.tree, &object.namespace) {
            self.workloads.remove(&key);
            self.parents.insert(key, parent);
        } else if let Some(seen) = workload::Seen::new(object, document, self.keep_workloads) {
            self.parents.remove(&key);
            self.workloads.insert(key, seen);
        }
    }

    fn bare_pod(&mut self, origin: &Origin, pod: Pod) {
        let containers = |all: &[super::pod::Container]| -> Vec<Value> {
            all.iter().map(|container| json!({"name": container.name})).collect()
        };
        let (metadata, spec) = (pod.metadata, pod.spec);
        let tree = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": metadata.name, "labels": metadata.labels, "annotations": metadata.annotations},
            "spec": {"hostNetwork": spec.host_network, "containers": containers(&spec.containers),
                "initContainers": containers(&spec.init_containers)},
        });
        let object = ObjectRef::new("v1", "Pod", &metadata.namespace, &metadata.name);
        if let Some(seen) = workload::Seen::new(object, Document { origin: origin.clone(), tree }, false) {
            self.workloads.insert(Key::of(&seen.object), seen);
        }
    }
}

fn take(group: &str, kind: &str) -> Option<Take> {
    KINDS.iter().find(|(of, called, _)| (*of, *called) == (group, kind)).map(|(.., take)| *take)
}

fn path(object: &ObjectRef) -> String {
    format!("{}/{}", object.namespace, object.name)
}
