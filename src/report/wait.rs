//! What `wait` says while it waits, and at its end.

use std::time::Duration;

use jiff::SignedDuration;

use super::words::seconds;
use super::{Next, Screen, UnderWay};
use crate::rotation::{PlannedStep, StepState};

/// What was waited for is so: of a step, or of all.
#[must_use]
pub fn waited(planned: Option<&PlannedStep>, under_way: &UnderWay<'_>) -> String {
    match planned {
        None => format!("{}\n", under_way.ended()),
        Some(planned) if planned.state == StepState::Done => format!("{} is done\n", planned.step),
        Some(planned) => format!("{} may be merged\n", planned.step),
    }
}

/// `passed` of `timeout` had passed when a pause of `length` began, `now` ago.
#[must_use]
pub fn waiting(
    step: &str,
    passed: SignedDuration,
    timeout: SignedDuration,
    length: SignedDuration,
    now: Duration,
) -> String {
    let now = SignedDuration::try_from(now).unwrap_or(SignedDuration::MAX);
    // A second that has begun is left.
    let left = length.saturating_sub(now).saturating_add(SignedDuration::from_millis(999));
    let passed = passed.saturating_add(now);
    format!("waiting for {step}: {} of {}, next look in {}", seconds(passed), seconds(timeout), seconds(left))
}

/// The time is up; with what there is to do or to wait for.
#[must_use]
pub fn not_yet(planned: Option<&PlannedStep>, next: &Next, screen: &Screen) -> String {
    let step = planned.map(|planned| format!("{}: ", planned.step)).unwrap_or_default();
    format!("{step}the time is up, and it is not so yet (exit 3)\n{}", next.text(screen))
}
