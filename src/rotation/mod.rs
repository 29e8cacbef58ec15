//! What a rotation is: its record, its phases and steps, and what each step changes in an observed mesh.

mod objects;
mod plan;
mod record;
pub mod simulate;
mod step;
pub mod verify;
pub mod worlds;

pub use plan::{
    Annotation, Blocker, ByHand, Change, Confirmation, Note, Plan, PlanError, PlannedStep, RestartAnnotation,
    Severity, Standing, StepState, plan,
};
pub use record::{
    ANCHOR_FILE, ANCHOR_KEY_FILE, ISSUER_FILE, ISSUER_KEY_FILE, OLD_ANCHORS_FILE, OLD_ISSUER_FILE,
    RECORD_FILE, Record, RecordError, Scope, StartError, Strategy, TRUST_BUNDLE_FILE,
};
pub use step::{Phase, Stage, Step};
