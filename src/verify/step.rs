//! Which step of a rotation a change takes.

use std::collections::BTreeSet;

use super::Changes;
use super::changes::{reading, text};
use crate::mesh::Mesh;
use crate::rotation::{Change, Plan, PlannedStep, StepState};

/// The first step that is not done and whose changes are those of the proposal.
#[must_use]
pub fn step_of<'p>(changes: &Changes, plan: &'p Plan, current: &Mesh) -> Option<&'p PlannedStep> {
    let left = plan.steps.iter().filter(|planned| planned.state != StepState::Done);
    left.into_iter().find(|planned| takes(changes, planned, current))
}

fn takes(changes: &Changes, planned: &PlannedStep, current: &Mesh) -> bool {
    let mut restarted = BTreeSet::new();
    for change in &planned.changes {
        match change {
            Change::Publish(bundle) => {
                let held = text(current).and_then(reading).map(|held| held.anchors()).unwrap_or_default();
                let kept = held.iter().filter(|anchor| !changes.removed.contains(anchor));
                let after: BTreeSet<_> =
                    kept.chain(&changes.added).map(|anchor| anchor.fingerprint()).collect();
                return changes.bundle.is_some()
                    && changes.issuer.is_none()
                    && after == bundle.fingerprints();
            }
            Change::Swap { chain, .. } => {
                let to = changes.issuer.as_ref().and_then(|issuer| issuer.to.as_ref());
                return changes.bundle.is_none() && to == Some(&chain.issuer);
            }
            // What cert-manager makes of it is judged as a change of bundle or issuer.
            Change::Managed(_) => return false,
            Change::ControlPlane { workload, .. } | Change::Restart { workload, .. } => {
                restarted.insert(&current.workload(*workload).object);
            }
        }
    }
    let are_restarts = changes.bundle.is_none() && changes.issuer.is_none() && !changes.restarts.is_empty();
    are_restarts && changes.restarts.iter().all(|restart| restarted.contains(&restart.place.object))
}
