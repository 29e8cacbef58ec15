//! Which of the selected steps may be shown: those whose preconditions are met, or all where the user insists.

use super::Failure;
use super::rotation::UnderWay;
use crate::finding::{Finding, Severity};
use crate::report::{Exit, Next, Screen, not_rendered, refused};
use crate::rotation::PlannedStep;

/// The steps that may be shown, and what is said of the others.
pub(super) struct Passed<'a> {
    pub(super) ready: Vec<&'a PlannedStep>,
    pub(super) notes: Vec<String>,
}

/// Parts steps that are ready from the others; commands that are named read what this one has read, by `arguments`.
///
/// # Errors
/// None of the steps is ready: nothing is shown, the exit code tells waiting (3) from refusing (4).
pub(super) fn pass<'a>(
    steps: &[&'a PlannedStep],
    force: bool,
    under_way: &UnderWay,
    arguments: &str,
    screen: &Screen,
) -> Result<Passed<'a>, Failure> {
    let (ready, blocked): (Vec<&PlannedStep>, Vec<&PlannedStep>) =
        steps.iter().partition(|step| force || step.blocked.is_empty());
    if !ready.is_empty() {
        let notes = if blocked.is_empty() {
            Vec::new()
        } else {
            vec![not_rendered(&blocked, &under_way.dir, screen)]
        };
        return Ok(Passed { ready, notes });
    }
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    let breaks = blocked.iter().flat_map(|step| &step.blocked).any(is_error);
    let exit = if breaks { Exit::Refused } else { Exit::NotMet };
    let next = Next::instead_of(&blocked, &under_way.shown(), &under_way.mesh, screen).reading(arguments);
    Err(Failure::bare(refused(&blocked, exit, &next, &under_way.dir, screen)).exiting(exit))
}
