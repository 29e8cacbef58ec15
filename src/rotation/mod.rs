//! What a rotation is: its record, its phases and steps, and what each step changes in an observed mesh.

mod phases;
mod plan;
mod record;
pub mod recover;
pub mod simulate;

pub use crate::step::{Confirmation, Direction, Phase, Stage, Step};
pub use phases::{PhaseSpec, Restarted};
pub use plan::{
    Act, Annotation, Change, ManagedChange, Manual, NewAnchor, Plan, PlanError, PlannedStep, RENEWED_BEFORE,
    RestartAnnotation, Restarts, Standing, StepState, plan,
};
pub use record::{
    ANCHOR_FILE, ANCHOR_KEY_FILE, BundleGap, CrossError, ISSUER_CHAIN_FILE, ISSUER_FILE, ISSUER_KEY_FILE,
    Managed, ManagedAnchor, ManagedError, NewSigner, NoRollback, OLD_ANCHORS_FILE, OLD_ISSUER_FILE,
    OutsideAnchor, RECORD_FILE, Record, RecordError, Scope, Signing, StartError, Strategy, TRUST_BUNDLE_FILE,
    anchor_of_key,
};
