//! What every step of a rotation changes in the mesh as it is observed.

mod annotation;
mod blocker;
mod change;
mod confirmation;
mod invariant;
mod managed;
mod merged;
mod note;
mod obstacle;
mod owner;
mod state;
mod tally;
mod view;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::record::{BundleGap, StartError};
use super::{Phase, PhaseSpec, Record, Stage, Step};
use crate::document::ObjectRef;
use crate::finding::Finding;
use crate::mesh::{BundlePlace, Mesh, Obstacle, WorkloadId};
use crate::pki::{Bundle, IssuerChain};
use crate::step::Confirmation;

pub use annotation::{Annotation, RestartAnnotation, Restarts};
pub(in crate::rotation) use confirmation::as_confirmed;
pub use managed::{ManagedChange, NewAnchor, RENEWED_BEFORE};
pub(in crate::rotation) use note::refresh;
pub use obstacle::Act;
pub(in crate::rotation) use owner::deciding;
use view::View;

/// All steps of a rotation, in order, with where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<PlannedStep>,
    /// The first step that is not done, or that there is none.
    pub standing: Standing,
}

/// Where a rotation stands, told from the observed mesh alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// This step is next.
    At(Step),
    /// Everything is in place.
    Finished,
}

/// A step with everything it changes now. What is already as it shall be is still listed when it is the step's own doing,
/// so that rendering a step again gives the same bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// Which step.
    pub step: Step,
    /// How far it is.
    pub state: StepState,
    /// What must hold before the step is taken and does not; the gravest first. Empty for a step that is done.
    pub blocked: Vec<Finding>,
    /// What a human confirmed: findings that would stand in the way, and what was taken on trust.
    pub confirmed: Vec<Finding>,
    /// What it changes, ordered by namespace, kind and name.
    pub changes: Vec<Change>,
    /// What a template change does not restart: to be done manually.
    pub manual: Vec<Manual>,
    /// Workloads whose template carries this step's restart already, while their pods are not as they shall be: where no rollout
    /// runs any more, the same annotation restarts nothing, and only a manual restart does.
    pub again: Vec<ObjectRef>,
    /// What the reader must know: owners that would revert a change, waiting times, why a step is empty.
    pub notes: Vec<Finding>,
}

/// How far a step is, by observation.
#[derive(Debug, Clone, PartialEq)]
pub enum StepState {
    /// Nothing is left to do.
    Done,
    /// So many of so many are as they shall be.
    Pending {
        /// Already as they shall be.
        done: u64,
        /// All.
        of: u64,
    },
    /// It cannot be told, and why.
    Unknown(Box<Finding>),
}

/// One change to one or more objects.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Publish this bundle in its home and keep `linkerd-config`'s copy true.
    Publish(Bundle),
    /// Put this issuer (and its private key) into the Secret; `ca.crt` holds the bundle; `linkerd-config`'s copy is kept true.
    Swap {
        /// Issuer and intermediates.
        chain: IssuerChain,
        /// The anchors for `ca.crt`.
        anchors: Bundle,
    },
    /// Change an object of cert-manager or trust-manager, which make bundle and issuer of it.
    Managed(ManagedChange),
    /// Restart a control-plane workload; its template's own copies of the bundle (literal in eras up to 2.10, the
    /// annotation `linkerd.io/trust-root-sha256` since 2.12) are kept true to `bundle`.
    ControlPlane {
        /// Which workload.
        workload: WorkloadId,
        /// The bundle that its template shall hold.
        bundle: Bundle,
        /// The annotation that restarts it.
        annotation: Annotation,
    },
    /// Restart a data-plane workload by an annotation on its pod template.
    Restart {
        /// Which workload.
        workload: WorkloadId,
        /// The annotation that restarts it.
        annotation: Annotation,
    },
}

impl Change {
    /// The workload that it restarts.
    #[must_use]
    pub const fn restarts(&self) -> Option<WorkloadId> {
        match self {
            Self::ControlPlane { workload, .. } | Self::Restart { workload, .. } => Some(*workload),
            Self::Publish(_) | Self::Swap { .. } | Self::Managed(_) => None,
        }
    }
}

/// A workload that no rendered YAML restarts, or not alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manual {
    /// Which workload.
    pub object: ObjectRef,
    /// Why.
    pub obstacles: Vec<Obstacle>,
    /// What is done instead.
    pub acts: Vec<Act>,
    /// Running proxies concerned.
    pub proxies: u64,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The rotation was started for another mesh.
    #[error("the rotation is of control plane `{expected}`, the input holds `{found}`")]
    OtherMesh {
        /// The record's namespace.
        expected: String,
        /// The mesh's.
        found: String,
    },
    /// The rotation was started for another trust domain.
    #[error("the rotation is of trust domain `{expected}`, the input is of `{found}`")]
    OtherTrustDomain {
        /// The record's trust domain.
        expected: String,
        /// The mesh's.
        found: String,
    },
    /// What the mesh publishes is not known, so nothing can be added to it or taken from it.
    #[error("the trust bundle in {place} is not known: {why}")]
    BundleUnknown {
        /// Object and field.
        place: Box<BundlePlace>,
        why: BundleGap,
    },
}

impl PlanError {
    /// The next thing to do.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::OtherMesh { .. } | Self::OtherTrustDomain { .. } => {
                "give the input of the cluster that the rotation was started for, or another --dir"
            }
            Self::BundleUnknown { .. } => "give the ConfigMap in the input, or the right to read it",
        }
    }
}

/// Plans every step of `record` over `mesh` as of `at`; what a human has `confirmed` does not stand in the way.
///
/// # Errors
/// A mesh that is not the record's, or whose published bundle is not known.
pub fn plan(
    record: &Record,
    mesh: &Mesh,
    restarts: impl Into<Restarts>,
    confirmed: &BTreeSet<Confirmation>,
    at: Timestamp,
) -> Result<Plan, PlanError> {
    same_mesh(record, mesh)?;
    let mesh = record.without_reissues(mesh);
    let (mesh, trusted) = as_confirmed(&mesh, confirmed);
    let view = View::new(record, &mesh, restarts.into(), at);
    let states: Vec<_> = record.steps().into_iter().map(|step| (step, state::of(&view, step))).collect();
    let first = states.iter().filter(|(step, _)| view.takes_cross_away(*step)).chain(&states);
    let standing = first
        .into_iter()
        .find(|(_, state)| *state != StepState::Done)
        .map_or(Standing::Finished, |(step, _)| Standing::At(*step));
    let steps = (0..states.len()).map(|place| planned(&view, &states, place, &trusted, confirmed)).collect();
    Ok(Plan { steps, standing })
}

/// The step at a place among all of them.
fn planned(
    view: &View<'_>,
    states: &[(Step, StepState)],
    place: usize,
    trusted: &[Finding],
    confirmed: &BTreeSet<Confirmation>,
) -> PlannedStep {
    let (step, state) = &states[place];
    let change::Planned { changes, manual, again, notes } = change::of(view, *step, state);
    let again = if state::no_pods(view).is_some() { Vec::new() } else { again };
    let notes = note::of(view, *step, &changes, &again, notes);
    let taken_at_word = |finding: &Finding| {
        confirmed.iter().any(|one| !one.completes_mesh() && finding.is_confirmed_by(*one))
    };
    let found = blocker::of(view, *step, state, &states[..place]);
    let (confirmed, blocked): (Vec<_>, _) = found.into_iter().partition(taken_at_word);
    PlannedStep {
        step: *step,
        state: state.clone(),
        blocked,
        confirmed: trusted.iter().cloned().chain(confirmed).collect(),
        changes,
        manual,
        again,
        notes,
    }
}

fn same_mesh(record: &Record, mesh: &Mesh) -> Result<(), PlanError> {
    let found = &mesh.control_plane;
    if record.namespace != found.namespace {
        let (expected, found) = (record.namespace.clone(), found.namespace.clone());
        return Err(PlanError::OtherMesh { expected, found });
    }
    if record.trust_domain != found.trust_domain {
        let (expected, found) = (record.trust_domain.clone(), found.trust_domain.clone());
        return Err(PlanError::OtherTrustDomain { expected, found });
    }
    match super::record::published_bundle(mesh) {
        Err(StartError::BundleUnknown { place, why }) => Err(PlanError::BundleUnknown { place, why }),
        _ => Ok(()),
    }
}

impl Plan {
    /// The steps of one phase.
    pub fn phase(&self, phase: Phase) -> impl Iterator<Item = &PlannedStep> {
        self.steps.iter().filter(move |planned| planned.step.phase == phase)
    }
}
