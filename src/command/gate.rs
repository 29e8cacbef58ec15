//! Which of the selected steps may be shown: those that nothing stands before, or all where the user insists.

use super::Failure;
use crate::report::{Exit, blocker_word};
use crate::rotation::{Blocker, Direction, PlannedStep, Severity};

/// The steps that may be shown, what is said of the others, and how the program ends.
pub(super) struct Passed<'a> {
    pub(super) open: Vec<&'a PlannedStep>,
    pub(super) notes: Vec<String>,
    pub(super) exit: Exit,
}

/// Parts open steps from closed ones.
///
/// # Errors
/// None of the steps is open: nothing is shown, the exit code tells waiting (3) from refusing (4).
pub(super) fn pass<'a>(
    steps: &[&'a PlannedStep],
    force: bool,
    direction: Direction,
) -> Result<Passed<'a>, Failure> {
    let (open, closed): (Vec<&PlannedStep>, Vec<&PlannedStep>) =
        steps.iter().partition(|step| force || step.blocked.is_empty());
    let notes = reasons(&closed);
    if open.is_empty() {
        let any = |is: fn(&Blocker) -> bool| closed.iter().flat_map(|step| &step.blocked).any(is);
        let (exit, help) = match any(|blocker| blocker.severity == Severity::Unsafe) {
            true if any(|blocker| blocker.over) => (Exit::Refused, OVER),
            true => (Exit::Refused, REFUSED),
            false => (Exit::Closed, CLOSED),
        };
        let way = if direction == Direction::Rollback { " --rollback" } else { "" };
        let help = help.replace(STATUS, &format!("{STATUS}{way}"));
        return Err(Failure::new(notes.join("\n"), help).exiting(exit));
    }
    Ok(Passed { open, notes, exit: Exit::Fine })
}

/// The command that the reader is sent to; it looks the same way as the one that was refused.
const STATUS: &str = "kubectl l5d-rotate status";
const REFUSED: &str =
    "nothing was rendered, as it would break the mesh; `kubectl l5d-rotate status` shows what is next";
const OVER: &str = "nothing was rendered; the present issuer is over: `kubectl l5d-rotate render issuer --step 1 --force` is the \
                    way out, with downtime";
const CLOSED: &str =
    "nothing was rendered; `kubectl l5d-rotate status` shows what is next, --force renders all the same";

/// What stands before steps, said once where it stands before several.
fn reasons(closed: &[&PlannedStep]) -> Vec<String> {
    let mut reasons: Vec<(&Blocker, Vec<String>)> = Vec::new();
    for planned in closed {
        for blocker in &planned.blocked {
            match reasons.iter_mut().find(|(reason, _)| *reason == blocker) {
                Some((_, steps)) => steps.push(planned.step.to_string()),
                None => reasons.push((blocker, vec![planned.step.to_string()])),
            }
        }
    }
    let said = |(blocker, steps): &(&Blocker, Vec<String>)| {
        let is = if steps.len() == 1 { "is" } else { "are" };
        let word = blocker_word(blocker.severity);
        format!("{} {is} not rendered: {word}: {}", steps.join(", "), blocker.reason)
    };
    reasons.iter().map(said).collect()
}
