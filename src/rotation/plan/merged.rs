//! Is what a step renders already part of the observed objects?

use super::{Annotation, Change, PlannedStep};
use crate::mesh::{Known, Mesh, WorkloadId};
use crate::pki::Rules;

impl PlannedStep {
    /// Has everything that this step renders been merged and applied? What is left then is done manually, or by controllers
    /// that still roll pods.
    #[must_use]
    pub fn is_merged(&self, mesh: &Mesh) -> bool {
        self.changes.iter().all(|change| match change {
            Change::Publish(bundle) => mesh
                .trust
                .published
                .as_option()
                .and_then(|published| published.text.as_read_by(Rules::Controller).ok())
                .is_some_and(|published| published.same_set(bundle)),
            Change::Swap { chain, .. } => {
                matches!(&mesh.issuer, Known::Is(issuer) if issuer.chain.as_ref().is_ok_and(|observed| observed == chain))
            }
            Change::ControlPlane { workload, annotation, .. } | Change::Restart { workload, annotation } => {
                bears(mesh, *workload, annotation)
            }
        })
    }
}

fn bears(mesh: &Mesh, workload: WorkloadId, annotation: &Annotation) -> bool {
    let template = mesh.workload(workload).template.as_ref();
    let annotations = template.and_then(|template| template.annotations.as_ref());
    annotations.and_then(|annotations| annotations.get(annotation.key)) == Some(&annotation.value)
}
