//! What a rotation is: its record, its phases and steps, and what each step changes in an observed mesh.

mod course;
mod objects;
mod plan;
mod record;
pub mod recover;
pub mod simulate;
mod step;
pub mod verify;
pub mod worlds;

pub use course::{Direction, Leg, Restarted};
pub use plan::{
    Annotation, Blocker, ByHand, Change, Confirmation, Note, Plan, PlanError, PlannedStep, RestartAnnotation,
    Restarts, Severity, Standing, StepState, plan,
};
pub use record::{
    ANCHOR_FILE, ANCHOR_KEY_FILE, CrossError, ISSUER_CHAIN_FILE, ISSUER_FILE, ISSUER_KEY_FILE, NoWayBack,
    OLD_ANCHORS_FILE, OLD_ISSUER_FILE, RECORD_FILE, Record, RecordError, Scope, StartError, Strategy,
    TRUST_BUNDLE_FILE, anchor_of_key,
};
pub use step::{Phase, Stage, Step};
