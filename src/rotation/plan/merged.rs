//! Is what a step renders already part of the observed objects, and is it to be made elsewhere?

use super::{Annotation, Change, PlannedStep};
use crate::document::ObjectRef;
use crate::finding::{Fact, Instead, PodAnnotationPlace, StepFact};
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
            Change::Managed(change) => change.is_merged(mesh),
            Change::ControlPlane { workload, annotation, .. } | Change::Restart { workload, annotation } => {
                bears(mesh, *workload, annotation)
            }
        })
    }
}

impl PlannedStep {
    /// Is all of it made where its owners render it from, so that no document of it would change anything?
    #[must_use]
    pub fn is_made_elsewhere(&self, mesh: &Mesh) -> bool {
        let has_no_document = |object: &ObjectRef| match self.instead_of(object) {
            Some(Instead::FluxPodAnnotation { place: PodAnnotationPlace::Value { .. }, .. }) | None => false,
            Some(instead) => instead.leaves_no_patch(),
        };
        let is_elsewhere = |change: &Change| match change {
            Change::Publish(_) => has_no_document(&mesh.bundle_home()),
            Change::Swap { .. } => has_no_document(&mesh.issuer_secret()),
            Change::Managed(_) => false,
            Change::ControlPlane { workload, .. } | Change::Restart { workload, .. } => {
                has_no_document(&mesh.workload(*workload).object)
            }
        };
        !self.changes.is_empty() && self.changes.iter().all(is_elsewhere)
    }

    /// Workloads that restart with those of the step, by the chart's value that they share.
    pub fn restarted_along(&self) -> impl Iterator<Item = &ObjectRef> {
        self.notes.iter().flat_map(|note| match &note.fact {
            Fact::Step(StepFact::ManagedObject { instead, .. }) => instead.restarts_also(),
            _ => &[],
        })
    }

    /// Where a change of an object is made instead, because somebody would put it back; the notes tell it.
    #[must_use]
    pub fn instead_of(&self, object: &ObjectRef) -> Option<&Instead> {
        self.notes.iter().find_map(|note| match &note.fact {
            Fact::Step(StepFact::ManagedObject { object: managed, instead, .. }) if managed == object => {
                Some(instead)
            }
            _ => None,
        })
    }
}

fn bears(mesh: &Mesh, workload: WorkloadId, annotation: &Annotation) -> bool {
    let template = mesh.workload(workload).template.as_ref();
    let annotations = template.and_then(|template| template.annotations.as_ref());
    annotations.and_then(|annotations| annotations.get(annotation.key)) == Some(&annotation.value)
}
