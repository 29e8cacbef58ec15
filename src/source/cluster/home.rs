//! In which namespace the control plane is, where nobody said.

use std::collections::BTreeSet;

use super::{Query, Reading, Scope, resource};
use crate::document::{Document, Origin};
use crate::mesh::{Gap, Interest, MeshError, Pod};
use crate::source::intake::Intake;
use crate::source::{Cluster, Sink, SourceError};

/// The label of a control plane's Deployments, and what it says of identity's (`charts/linkerd-control-plane`).
const COMPONENT: (&str, &str) = ("linkerd.io/control-plane-component", "identity");

/// Finds the namespace by its identity controller; `None` where there is none to be seen.
///
/// # Errors
/// Several control planes, and whatever keeps the cluster from answering.
pub(super) fn find(cluster: &Cluster) -> Result<Option<String>, SourceError> {
    let deployments = resource("apps", &["v1"], "deployments", "Deployment", Scope::Everywhere);
    let query = Query::list(
        &deployments,
        deployments.versions,
        None,
        Some(format!("{}={}", COMPONENT.0, COMPONENT.1)),
    );
    let mut reading = Reading::new(cluster, Intake::new(Homes::default(), std::sync::Arc::default()));
    reading.ask(&query, None)?;
    let mut found: Vec<String> = reading.intake.into_sink().0.into_iter().collect();
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => Err(MeshError::SeveralControlPlanes { namespaces: found }.into()),
    }
}

/// The namespaces of identity controllers.
#[derive(Debug, Clone, Default)]
struct Homes(BTreeSet<String>);

impl Sink for Homes {
    fn interest(&self, _: &str, kind: &str) -> Interest {
        if kind == "Deployment" { Interest::Object } else { Interest::None }
    }

    fn object(&mut self, document: Document) -> Result<(), MeshError> {
        let metadata = &document.tree["metadata"];
        if metadata["labels"][COMPONENT.0] == COMPONENT.1 {
            self.0.extend(metadata["namespace"].as_str().map(str::to_owned));
        }
        Ok(())
    }

    fn pod(&mut self, _: &Origin, _: Pod) {}

    fn pods_were_read(&mut self) {}

    fn gap(&mut self, _: Gap) {}
}
