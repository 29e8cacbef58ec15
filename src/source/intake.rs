//! What is read, sorted by what the sink wants of it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{
    Contradiction, Observed, Progress, SNAPSHOT_KIND, SNAPSHOT_VERSION, Sink, SourceError, snapshot,
};
use crate::document::{Document, ObjectRef, Origin};
use crate::linkerd;
use crate::mesh::{Gap, Interest, Mesh, Pod};
use crate::pki::Fingerprint;

/// Hands objects and pods to a sink, and keeps a snapshot apart.
#[derive(Debug, Clone)]
pub(super) struct Intake<S> {
    sink: S,
    snapshot: Option<(Origin, Box<Mesh>)>,
    /// The first object that is no snapshot.
    first: Option<Origin>,
    /// What was said of objects with trust material, and where.
    said: BTreeMap<ObjectRef, (Origin, Fingerprint)>,
    pods: u64,
    progress: Arc<Progress>,
}

impl<S: Sink> Intake<S> {
    pub(super) fn new(sink: S, progress: Arc<Progress>) -> Self {
        Self { sink, snapshot: None, first: None, said: BTreeMap::new(), pods: 0, progress }
    }

    pub(super) fn interest(&self, api_version: &str, kind: &str) -> Interest {
        if is_snapshot(api_version, kind) { Interest::Object } else { self.sink.interest(api_version, kind) }
    }

    /// Notes that an object was there, whatever its kind.
    pub(super) fn met(&mut self, origin: &Origin) {
        if self.first.is_none() {
            self.first = Some(origin.clone());
        }
    }

    /// Takes in a document of any kind.
    pub(super) fn document(&mut self, document: Document) -> Result<(), SourceError> {
        let text = |key: &str| document.tree.get(key).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if is_snapshot(api_version, kind) {
            return self.snapshot(document);
        }
        self.met(&document.origin);
        match self.sink.interest(api_version, kind) {
            Interest::None => Ok(()),
            Interest::Pod => {
                let Document { origin, tree } = document;
                let pod = Pod::deserialize(without_nulls(tree))
                    .map_err(|error| SourceError::field(&origin, "the Pod", &error))?;
                self.count_pod();
                self.sink.pod(&origin, pod);
                Ok(())
            }
            Interest::Object => {
                self.same_as_before(&document)?;
                let origin = document.origin.clone();
                self.sink.object(document).map_err(|error| SourceError::Object { origin, error })
            }
        }
    }

    /// An object with trust material that is in the input twice must say the same both times: which of the two counts would
    /// else follow from the order of the input.
    fn same_as_before(&mut self, document: &Document) -> Result<(), SourceError> {
        let Some(object) = ObjectRef::of(&document.tree) else { return Ok(()) };
        let is_trust = matches!(object.kind.as_str(), "ConfigMap" | "Secret")
            && [linkerd::TRUST_ROOTS, linkerd::ISSUER_SECRET, linkerd::CONFIG]
                .contains(&object.name.as_str());
        if !is_trust || self.sink.takes_changes() {
            return Ok(());
        }
        let data = ["data", "stringData"].map(|field| document.tree.get(field).cloned().unwrap_or_default());
        let hash = Fingerprint::digest(json!(data).to_string().as_bytes());
        match self.said.entry(object) {
            Entry::Vacant(place) => _ = place.insert((document.origin.clone(), hash)),
            Entry::Occupied(known) if known.get().1 != hash => {
                let (object, (one, _)) = known.remove_entry();
                return Err(Box::new(Contradiction { object, one, other: document.origin.clone() }).into());
            }
            Entry::Occupied(_) => {}
        }
        Ok(())
    }

    pub(super) fn pod(&mut self, origin: &Origin, pod: Pod) {
        self.met(origin);
        self.count_pod();
        self.sink.pod(origin, pod);
    }

    fn count_pod(&mut self) {
        self.pods += 1;
        self.progress.set_pods(self.pods);
    }

    pub(super) fn pods_were_read(&mut self) {
        self.sink.pods_were_read();
    }

    pub(super) fn secrets_were_read(&mut self) {
        self.sink.secrets_were_read();
    }

    pub(super) fn gap(&mut self, gap: Gap) {
        self.sink.gap(gap);
    }

    fn snapshot(&mut self, Document { origin, mut tree }: Document) -> Result<(), SourceError> {
        let version = tree["apiVersion"].as_str().unwrap_or_default();
        if version != SNAPSHOT_VERSION {
            return Err(SourceError::SnapshotVersion { origin, version: version.to_owned() });
        }
        if self.snapshot.is_some() {
            return Err(SourceError::SnapshotNotAlone { origin });
        }
        match snapshot::read(tree["mesh"].take()) {
            Ok(mesh) => self.snapshot = Some((origin, Box::new(mesh))),
            Err(error) => return Err(SourceError::SnapshotDamaged { origin, reason: error.to_string() }),
        }
        Ok(())
    }

    pub(super) fn into_sink(self) -> S {
        self.sink
    }

    /// Was there any object at all?
    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none() && self.snapshot.is_none()
    }

    pub(super) fn finish(self) -> Result<Observed<S>, SourceError> {
        match (self.snapshot, self.first) {
            (None, _) => Ok(Observed::Objects(self.sink)),
            (Some((_, mesh)), None) => Ok(Observed::Snapshot(*mesh)),
            (Some(_), Some(origin)) => Err(SourceError::SnapshotNotAlone { origin }),
        }
    }
}

/// A snapshot of any version.
fn is_snapshot(api_version: &str, kind: &str) -> bool {
    kind == SNAPSHOT_KIND && api_version.split('/').next() == SNAPSHOT_VERSION.split('/').next()
}

/// To Kubernetes a field that is null is a field that is not there.
pub(super) fn without_nulls(mut tree: Value) -> Value {
    match &mut tree {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(|value| *value = without_nulls(value.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_nulls(item.take())),
        _ => {}
    }
    tree
}
