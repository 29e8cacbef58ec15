//! Objects that somebody proposes, laid over what is there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::unrendered::{Unrendered, names};
use super::{Sink, SourceError};
use crate::document::{Document, ObjectRef, Origin, lay_over};
use crate::linkerd;
use crate::mesh::{Gap, Interest, Known, Mesh, MeshError, Observer, Plane, Pod};

/// Documents in the order in which they were read, one an object: later ones are laid over earlier ones.
///
/// Running pods are no proposal, and are passed over.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    documents: Vec<Document>,
    unrendered: Unrendered,
}

impl Sink for Proposal {
    fn interest(&self, api_version: &str, kind: &str) -> Interest {
        match Observer::interest(api_version, kind) {
            Interest::Pod => Interest::None,
            Interest::Object => Interest::Object,
            Interest::None => Unrendered::interest(kind),
        }
    }

    fn object(&mut self, document: Document) -> Result<(), MeshError> {
        self.unrendered.see(&document);
        let text = |key: &str| document.tree.get(key).and_then(Value::as_str).unwrap_or_default();
        if Observer::interest(text("apiVersion"), text("kind")) == Interest::Object {
            lay(&mut self.documents, document, "");
        }
        Ok(())
    }

    fn pod(&mut self, _: &Origin, _: Pod) {}

    fn pods_were_read(&mut self) {}

    fn secrets_were_read(&mut self) {}

    fn gap(&mut self, _: Gap) {}
}

impl Proposal {
    /// What it holds that cannot be judged as it stands.
    #[must_use]
    pub fn unrendered(&self) -> &Unrendered {
        &self.unrendered
    }

    /// The mesh that its objects make, alone: the whole of a checkout.
    ///
    /// # Errors
    /// When they make none.
    pub fn whole(self, namespace: Option<&str>) -> Result<Mesh, SourceError> {
        let mut observer = Observer::new(true);
        for document in self.documents {
            observer.object(document)?;
        }
        Ok(observer.finish(namespace)?)
    }

    /// The mesh of which these objects have been applied: those that it does not name are unchanged, and nothing has
    /// restarted yet.
    ///
    /// # Errors
    /// When the result makes no mesh.
    pub fn over(self, current: &Mesh) -> Result<Mesh, SourceError> {
        let namespace = current.control_plane.namespace.as_str();
        let touches = |kinds: &[&str], name: &str| {
            let is_of = |document: &&Document| {
                document.tree["kind"].as_str().is_some_and(|kind| kinds.contains(&kind))
            };
            self.documents.iter().filter(is_of).any(|document| names(&document.tree, name))
        };
        let issuer = touches(&["Secret", "SealedSecret", "ExternalSecret"], linkerd::ISSUER_SECRET);
        let trust = touches(&["ConfigMap"], linkerd::TRUST_ROOTS) || touches(&["ConfigMap"], linkerd::CONFIG);
        let manifests = current.manifests.iter();
        let mut documents: Vec<_> = manifests
            .map(|manifest| {
                let mut tree = manifest.tree.clone();
                if let Some(metadata) = tree.get_mut("metadata").and_then(Value::as_object_mut)
                    && !manifest.object.namespace.is_empty()
                {
                    metadata.insert("namespace".to_owned(), manifest.object.namespace.clone().into());
                }
                Document { origin: manifest.origin.clone(), tree }
            })
            .collect();
        self.documents.into_iter().for_each(|document| lay(&mut documents, document, namespace));
        let mut observer = Observer::new(true);
        current.gaps.iter().for_each(|gap| observer.gap(gap.clone()));
        if current.issuer == Known::Absent {
            observer.secrets_were_read();
        }
        for document in documents.into_iter().chain(injected(current)) {
            observer.object(document)?;
        }
        let mut mesh = observer.finish(Some(namespace))?;
        if !issuer {
            mesh.issuer = current.issuer.clone();
        }
        if !trust {
            mesh.trust = current.trust.clone();
        }
        Ok(mesh)
    }
}

/// The namespaces of the data plane, as injected ones: a workload that has proxies today stays one of the mesh, whatever
/// it has them by.
fn injected(current: &Mesh) -> impl Iterator<Item = Document> {
    let data_plane = current.workloads.iter().filter(|workload| workload.plane == Plane::Data);
    let names: BTreeSet<_> = data_plane.map(|workload| &workload.object.namespace).collect();
    names.into_iter().map(|name| {
        let metadata = json!({ "name": name, "annotations": { "linkerd.io/inject": "enabled" } });
        let tree = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
        Document { origin: Origin::default(), tree }
    })
}

/// Lays a document over the one of the same object, or adds it. One without a namespace is meant for the control plane's, or
/// for the only object of its name.
fn lay(documents: &mut Vec<Document>, document: Document, control_plane: &str) {
    let Some(object) = ObjectRef::of(&document.tree) else { return };
    let same_name = |known: &Document| {
        // Most have another name, which is told without taking a reference apart.
        known.tree["metadata"]["name"] == *object.name
            && ObjectRef::of(&known.tree).is_some_and(|of| {
                (of.kind.as_str(), of.group(), of.name.as_str())
                    == (object.kind.as_str(), object.group(), object.name.as_str())
            })
    };
    let namespace = |known: &Document| {
        known.tree.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let candidates: Vec<usize> = (0..documents.len()).filter(|at| same_name(&documents[*at])).collect();
    let exact = |wanted: &str| candidates.iter().copied().find(|at| namespace(&documents[*at]) == wanted);
    let found = match (object.namespace.as_str(), &*candidates) {
        ("", [one]) => Some(*one),
        ("", _) => exact(control_plane),
        (wanted, _) => exact(wanted),
    };
    match found {
        Some(at) => {
            lay_over(&mut documents[at].tree, document.tree);
            documents[at].origin = document.origin;
        }
        None => documents.push(document),
    }
}
