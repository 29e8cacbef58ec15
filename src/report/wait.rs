//! What `wait` says at its end.

use super::{Next, Screen};
use crate::rotation::{PlannedStep, StepState};

/// What was waited for is so.
#[must_use]
pub fn waited(planned: Option<&PlannedStep>) -> String {
    match planned {
        None => "nothing is left to do: the rotation is finished\n".to_owned(),
        Some(planned) if planned.state == StepState::Done => format!("{} is done\n", planned.step),
        Some(planned) => format!("{} may be merged\n", planned.step),
    }
}

/// The time is up; with what there is to do or to wait for.
#[must_use]
pub fn not_yet(planned: Option<&PlannedStep>, next: &Next, screen: &Screen) -> String {
    let step = planned.map(|planned| format!("{}: ", planned.step)).unwrap_or_default();
    format!("{step}the time is up, and it is not so yet (exit 3)\n{}", next.text(screen))
}
