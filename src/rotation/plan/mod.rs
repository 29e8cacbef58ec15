//! What every step of a rotation changes in the mesh as it is observed.

mod annotation;
mod blocker;
mod change;
mod confirmation;
mod invariant;
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

use super::record::StartError;
use super::{Phase, PhaseSpec, Record, Stage, Step};
use crate::document::ObjectRef;
use crate::mesh::{BundlePlace, Mesh, Obstacle, Owner, WorkloadId};
use crate::pki::{Bundle, IssuerChain};
use crate::step::Confirmation;

pub use annotation::{Annotation, RestartAnnotation, Restarts};
pub(in crate::rotation) use confirmation::as_confirmed;
pub(in crate::rotation) use note::refresh;
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
    pub blocked: Vec<Blocker>,
    /// What would stand in the way, had it not been confirmed by hand.
    pub confirmed: Vec<String>,
    /// What it changes, ordered by namespace, kind and name.
    pub changes: Vec<Change>,
    /// What a template change does not restart: to be done by hand.
    pub manual: Vec<Manual>,
    /// Workloads whose template carries this step's restart already, while their pods are not as they shall be: where no rollout is
    /// under way any more, the same annotation restarts nothing, and only a restart by hand does.
    pub again: Vec<ObjectRef>,
    /// What the reader must know: owners that would revert a change, waiting times, why a step is empty.
    pub notes: Vec<Note>,
}

/// How far a step is, by observation.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    Unknown(String),
}

/// Something that must hold before a step is taken, and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// How much it matters.
    pub severity: Severity,
    /// What was found, and the next thing to do.
    pub reason: String,
    /// What opens it, where a human can know better.
    pub confirm: Option<Confirmation>,
    /// The earlier step that is not done, where that is the reason: what else stands before this one may yet change.
    pub after: Option<Step>,
    /// The present issuer is over: no step opens by itself, and the reason names the way out, which is by force.
    pub over: bool,
}

impl Blocker {
    const fn of(severity: Severity, reason: String) -> Self {
        Self { severity, reason, confirm: None, after: None, over: false }
    }

    const fn unsafe_because(reason: String) -> Self {
        Self::of(Severity::Unsafe, reason)
    }

    const fn wait(reason: String) -> Self {
        Self::of(Severity::Wait, reason)
    }

    const fn unknown(reason: String) -> Self {
        Self::of(Severity::Unknown, reason)
    }

    /// Not known, and a human can know it.
    fn to_confirm(reason: String, confirm: Confirmation) -> Self {
        Self { confirm: Some(confirm), ..Self::unknown(reason) }
    }
}

/// What taking a blocked step would mean; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// It would break handshakes or the control plane.
    Unsafe,
    /// Something must be done or waited for first.
    Wait,
    /// It cannot be told from the input.
    Unknown,
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

/// A workload that no rendered YAML restarts, or not alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manual {
    /// Which workload.
    pub object: ObjectRef,
    /// Why.
    pub obstacles: Vec<Obstacle>,
    /// The command or act that does it.
    pub act: String,
    /// Running proxies concerned.
    pub proxies: u64,
}

/// Something the reader of a step must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Somebody else renders this object and would revert the patch; the named place must change instead.
    Owned {
        /// The object.
        object: ObjectRef,
        /// Who.
        owner: Owner,
        /// Where to make the change instead, and how.
        instead: String,
    },
    /// Instead of a restart: after this instant every proxy has a leaf of the new issuer (`None`: not swapped yet, or
    /// the swap's time is not known).
    Wait {
        /// How long after the swap, in words and figures.
        how_long: String,
        /// The instant, where it is known.
        until: Option<Timestamp>,
    },
    /// Why the step changes nothing, or less than expected.
    Said(String),
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
    #[error("the trust bundle in {place} is not known: {finding}")]
    BundleUnknown {
        /// Object and field.
        place: Box<BundlePlace>,
        /// What was found.
        finding: String,
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

/// Plans every step of `record` over `mesh` as it stood at `at`; what is `confirmed` by hand does not stand in the way.
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
    let (mesh, trusted) = as_confirmed(mesh, confirmed);
    let view = View::new(record, &mesh, restarts.into(), at);
    let states: Vec<_> = record.steps().into_iter().map(|step| (step, state::of(&view, step))).collect();
    let standing = states
        .iter()
        .find(|(_, state)| *state != StepState::Done)
        .map_or(Standing::Finished, |(step, _)| Standing::At(*step));
    let steps = states
        .iter()
        .enumerate()
        .map(|(place, (step, state))| {
            let change::Planned { changes, manual, again, said } = change::of(&view, *step, state);
            let again = if state::no_pods(&view).is_some() { Vec::new() } else { again };
            let notes = note::of(&view, *step, &changes, said);
            let blocked = blocker::of(&view, *step, state, &states[..place]);
            let opened = |blocker: &Blocker| blocker.confirm.is_some_and(|one| confirmed.contains(&one));
            let (open, blocked): (Vec<_>, _) = blocked.into_iter().partition(opened);
            let confirmed =
                trusted.iter().cloned().chain(open.into_iter().map(|blocker| blocker.reason)).collect();
            PlannedStep {
                step: *step,
                state: state.clone(),
                blocked,
                confirmed,
                changes,
                manual,
                again,
                notes,
            }
        })
        .collect();
    Ok(Plan { steps, standing })
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
        Err(StartError::BundleUnknown { place, finding }) => Err(PlanError::BundleUnknown { place, finding }),
        _ => Ok(()),
    }
}

impl Plan {
    /// The steps of one phase.
    pub fn phase(&self, phase: Phase) -> impl Iterator<Item = &PlannedStep> {
        self.steps.iter().filter(move |planned| planned.step.phase == phase)
    }
}
