//! Objects that somebody proposes, laid over what is there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::error::Contradiction;
use super::unrendered::{Unrendered, names};
use super::{Sink, SourceError};
use crate::document::{self, Document, ObjectRef, Origin, lay_over, take_away};
use crate::linkerd;
use crate::mesh::{
    CERT_MANAGER_GROUP, CLUSTER_BUNDLE_GROUP, Gap, Interest, Known, Mesh, MeshError, Observer, Plane, Pod,
    TRUST_MANAGER_GROUP,
};

/// Documents, one an object: what says more of it is laid over what was said before.
///
/// Running pods are no proposal, and are passed over.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    documents: Vec<Document>,
    unrendered: Unrendered,
    /// Objects that a chart makes of values: of `linkerd-config` they hold a part of the values alone.
    declared: Vec<Document>,
    /// Objects that declare releases of charts.
    releases: Vec<Document>,
    /// Objects that go.
    gone: Vec<ObjectRef>,
    /// Two documents that say different things of one object.
    contradiction: Option<Box<Contradiction>>,
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
        self.add(document);
        Ok(())
    }

    fn pod(&mut self, _: &Origin, _: Pod) {}

    fn pods_were_read(&mut self) {}

    fn secrets_were_read(&mut self) {}

    fn gap(&mut self, _: Gap) {}

    fn takes_changes(&self) -> bool {
        true
    }
}

impl Proposal {
    /// Takes in an object.
    pub fn add(&mut self, document: Document) {
        if Unrendered::is_release(&document.tree) {
            return self.releases.push(document);
        }
        self.see(document);
    }

    /// Objects that declare releases of charts: whoever knows what comes of them takes them, and gives back what is left.
    pub fn take_releases(&mut self) -> Vec<Document> {
        std::mem::take(&mut self.releases)
    }

    /// Takes patches that delete an object of cert-manager or trust-manager for what they say.
    pub fn delete(&mut self) {
        let is_deletion = |document: &Document| {
            is_of_controllers(&document.tree) && document.tree.get("$patch") == Some(&json!("delete"))
        };
        let (deletions, kept): (Vec<_>, _) =
            std::mem::take(&mut self.documents).into_iter().partition(is_deletion);
        self.documents = kept;
        self.gone.extend(deletions.iter().filter_map(|document| ObjectRef::of(&document.tree)));
        self.unrendered.forget(&self.gone);
    }

    /// Its objects, as they were read.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Takes in an object of whatever kind: of a release, that it is not rendered.
    pub fn see(&mut self, document: Document) {
        self.unrendered.see(&document);
        let text = |key: &str| document.tree.get(key).and_then(Value::as_str).unwrap_or_default();
        if Observer::interest(text("apiVersion"), text("kind")) == Interest::Object {
            let found = lay(&mut self.documents, document, "");
            self.contradiction = self.contradiction.take().or(found);
        }
    }

    /// Takes in an object of which it is known what another program makes: that is declared besides.
    pub fn add_rendered(&mut self, document: Document) {
        lay(&mut self.documents, document, "");
    }

    /// Takes in an object that a chart makes of values.
    pub fn declare(&mut self, document: Document) {
        self.unrendered.see(&document);
        let found = lay(&mut self.declared, document, "");
        self.contradiction = self.contradiction.take().or(found);
    }

    /// Is there anything in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.declared.is_empty()
    }

    /// What is new or different in it, and what has gone: the change from `before`.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        let same = |one: &Document, others: &[Document]| {
            let of = |tree: &Value| ObjectRef::of(tree);
            others.iter().any(|other| of(&other.tree) == of(&one.tree) && other.tree == one.tree)
        };
        let names = |side: &Self| -> BTreeSet<ObjectRef> {
            side.documents.iter().chain(&side.declared).filter_map(|one| ObjectRef::of(&one.tree)).collect()
        };
        self.gone = names(before).difference(&names(&self)).cloned().collect();
        self.documents.retain(|one| !same(one, &before.documents));
        self.declared.retain(|one| !same(one, &before.declared));
        for document in &mut self.documents {
            let of = ObjectRef::of(&document.tree);
            let twin = before.documents.iter().find(|one| ObjectRef::of(&one.tree) == of);
            let Some(twin) = twin else { continue };
            remove_annotations(document, &twin.tree, |_| true);
            take_away(&mut document.tree, &twin.tree);
        }
        self
    }

    fn consistent(&self) -> Result<(), SourceError> {
        self.contradiction.clone().map_or(Ok(()), |found| Err(found.into()))
    }

    /// What it holds that cannot be judged as it stands.
    #[must_use]
    pub fn unrendered(&self) -> &Unrendered {
        &self.unrendered
    }

    /// Its objects, those that charts make among them.
    ///
    /// # Errors
    /// When two documents say different things of one object.
    pub fn into_documents(mut self) -> Result<Vec<Document>, SourceError> {
        for document in std::mem::take(&mut self.declared) {
            let found = lay(&mut self.documents, document, "");
            self.contradiction = self.contradiction.take().or(found);
        }
        self.consistent()?;
        Ok(self.documents)
    }

    /// The mesh that its objects make, alone: the whole of a checkout.
    ///
    /// # Errors
    /// When they make none, or contradict each other.
    pub fn whole(self, namespace: Option<&str>) -> Result<Mesh, SourceError> {
        let mut observer = Observer::new(true);
        for document in self.into_documents()? {
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
        self.consistent()?;
        let namespace = current.control_plane.namespace.as_str();
        let touches = |kinds: &[&str], name: &str| {
            let is_of = |document: &&Document| {
                document.tree["kind"].as_str().is_some_and(|kind| kinds.contains(&kind))
            };
            let all = self.documents.iter().chain(&self.declared);
            let goes = self.gone.iter().any(|one| kinds.contains(&one.kind.as_str()) && one.name == name);
            goes || all.filter(is_of).any(|document| names(&document.tree, name))
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
        documents.retain(|document| !self.gone.iter().any(|gone| is_object(document, gone, namespace)));
        for mut document in self.documents {
            let of = ObjectRef::of(&document.tree);
            let known = of.and_then(|of| documents.iter().find(|one| is_object(one, &of, namespace)));
            // A whole template says which of our restarts it carries; a patch adds one.
            if let Some(known) = known.filter(|_| has_containers(&document.tree)) {
                remove_annotations(&mut document, &known.tree, |key| OURS.contains(&key));
            }
            lay(&mut documents, document, namespace);
        }
        for document in self.declared {
            let document = with_values(document, &documents, namespace);
            lay(&mut documents, document, namespace);
        }
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

/// The API groups of the controllers whose objects a step changes and removes.
const CONTROLLERS: [&str; 3] = [CERT_MANAGER_GROUP, TRUST_MANAGER_GROUP, CLUSTER_BUNDLE_GROUP];

fn is_of_controllers(tree: &Value) -> bool {
    ObjectRef::of(tree).is_some_and(|object| CONTROLLERS.contains(&object.group()))
}

/// The annotations that steps restart pods with: they are where they are written, and go where they are not written any more.
const OURS: [&str; 2] = [linkerd::BUNDLE_ANNOTATION, linkerd::ISSUER_ANNOTATION];

const ANNOTATIONS: &str = "/spec/template/metadata/annotations";

fn has_containers(tree: &Value) -> bool {
    tree.pointer("/spec/template/spec/containers").is_some()
}

/// Makes a document say of each annotation of its template that was there before and is not in it that it goes, which restarts
/// pods. Only of a document that has a template.
fn remove_annotations(document: &mut Document, before: &Value, goes: impl Fn(&str) -> bool) {
    let had = before.pointer(ANNOTATIONS).and_then(Value::as_object);
    let has = document.tree.pointer(ANNOTATIONS);
    let gone: Vec<_> = had
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
        .filter(|key| goes(key) && has.is_none_or(|has| has.get(key.as_str()).is_none()))
        .collect();
    let Some(template) = document.tree.pointer_mut("/spec/template").and_then(Value::as_object_mut) else {
        return;
    };
    for key in gone {
        let metadata = template.entry("metadata").or_insert_with(|| json!({}));
        let annotations =
            metadata.as_object_mut().map(|all| all.entry("annotations").or_insert_with(|| json!({})));
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            annotations.insert(key.clone(), Value::Null);
        }
    }
}

/// What of an object is applied: the rest the API server writes.
fn applied(tree: &Value) -> Value {
    let mut tree = tree.clone();
    if let Some(tree) = tree.as_object_mut() {
        tree.shift_remove("status");
    }
    if let Some(metadata) = tree.get_mut("metadata").and_then(Value::as_object_mut) {
        ["resourceVersion", "managedFields", "generation"]
            .iter()
            .for_each(|field| _ = metadata.shift_remove(*field));
    }
    tree
}

fn is_object(document: &Document, object: &ObjectRef, default: &str) -> bool {
    ObjectRef::of(&document.tree).is_some_and(|of| {
        let namespace = if object.namespace.is_empty() { default } else { &object.namespace };
        (of.kind.as_str(), of.name.as_str(), of.group())
            == (object.kind.as_str(), object.name.as_str(), object.group())
            && ["", namespace].contains(&of.namespace.as_str())
    })
}

/// `linkerd-config` as a chart would make it anew: with the values that it has, and those that are declared over them.
fn with_values(mut document: Document, known: &[Document], default: &str) -> Document {
    const VALUES: &str = "/data/values";
    let text = |tree: &Value| tree.pointer(VALUES).and_then(Value::as_str).map(str::to_owned);
    let tree = |text: &str| document::parse(text, "").ok()?.pop().map(|document| document.tree);
    let object = ObjectRef::of(&document.tree);
    let same = object.and_then(|object| known.iter().find(|known| is_object(known, &object, default)));
    if let (Some(known), Some(declared)) = (same.and_then(|known| text(&known.tree)), text(&document.tree))
        && let (Some(mut values), Some(declared)) = (tree(&known), tree(&declared))
    {
        lay_over(&mut values, declared);
        document.tree["data"]["values"] = values.to_string().into();
        if let Some(data) = document.tree["data"].as_object_mut() {
            data.retain(|key, _| key == "values");
        }
    }
    document
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
/// for the only object of its name. Where the other way round makes something else of the two, they contradict each other.
fn lay(documents: &mut Vec<Document>, document: Document, control_plane: &str) -> Option<Box<Contradiction>> {
    let object = ObjectRef::of(&document.tree)?;
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
            let known = &mut documents[at];
            let (one, other) = (known.origin.clone(), document.origin.clone());
            let mut reverse = document.tree.clone();
            lay_over(&mut reverse, known.tree.clone());
            lay_over(&mut known.tree, document.tree);
            let agree = applied(&reverse) == applied(&known.tree);
            known.origin = document.origin;
            (!agree).then(|| Box::new(Contradiction { object, one, other }))
        }
        None => {
            documents.push(document);
            None
        }
    }
}
