//! A sink that writes down what it is given.

use l5d_rotate::document::{Document, ObjectRef, Origin};
use l5d_rotate::mesh::{Gap, Interest, MeshError, Pod};
use l5d_rotate::source::Sink;

/// What was handed to the sink, in order: one line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recorder(pub(crate) Vec<String>);

impl Sink for Recorder {
    fn interest(&self, _api_version: &str, kind: &str) -> Interest {
        match kind {
            "Pod" => Interest::Pod,
            "ConfigMap" | "Secret" | "Deployment" | "CronJob" | "Namespace" | "Link" | "ReplicaSet" => {
                Interest::Object
            }
            _ => Interest::None,
        }
    }

    fn object(&mut self, Document { origin, tree }: Document) -> Result<(), MeshError> {
        let object = ObjectRef::of(&tree)
            .map_or_else(|| "?".to_owned(), |object| format!("{} {object}", object.api_version));
        if object.ends_with("refused") {
            return Err(MeshError::NoControlPlane);
        }
        self.0.push(format!("object {object} at {origin}"));
        Ok(())
    }

    fn pod(&mut self, origin: &Origin, pod: Pod) {
        let containers = pod.spec.containers.len();
        self.0.push(format!(
            "pod {}/{} ({containers}, {}) at {origin}",
            pod.metadata.namespace, pod.metadata.name, pod.status.phase
        ));
    }

    fn pods_were_read(&mut self) {
        self.0.push("pods were read".to_owned());
    }

    fn gap(&mut self, gap: Gap) {
        self.0.push(format!("gap {gap}"));
    }
}
