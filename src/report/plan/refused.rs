//! What is said of steps that are not rendered.

use std::path::Path;

use super::notes;
use crate::finding::Finding;
use crate::report::{Exit, Next, Screen, shell_word};
use crate::rotation::PlannedStep;

/// What stands before a message about a failure.
const LABEL: &str = "error: ";

/// Why none of the steps was rendered, and what to do next.
#[must_use]
pub fn refused(blocked: &[&PlannedStep], exit: Exit, next: &Next, dir: &Path, screen: &Screen) -> String {
    let (steps, number) = (named(blocked), exit as u8);
    let (is, was) = if blocked.len() == 1 { ("is", "was") } else { ("are", "were") };
    let title = match exit {
        Exit::Refused => format!("{steps} would break the mesh and {was} not rendered (exit {number})"),
        _ => format!("{steps} {is} not ready and {was} not rendered (exit {number})"),
    };
    let beside_label = Screen { width: screen.width.saturating_sub(LABEL.len()), ..screen.clone() };
    let title = beside_label.wrapped(&title, "", "  ");
    format!("{title}\n{}{}", reasons(blocked, dir, screen), next.text(screen))
}

/// Why some steps were not rendered while others were.
#[must_use]
pub fn not_rendered(blocked: &[&PlannedStep], dir: &Path, screen: &Screen) -> String {
    let was = if blocked.len() == 1 { "was" } else { "were" };
    format!("{} {was} not rendered\n{}", named(blocked), reasons(blocked, dir, screen))
}

/// What stands before steps that are shown all the same.
#[must_use]
pub fn not_ready(blocked: &[&PlannedStep], dir: &Path, screen: &Screen) -> String {
    let is = if blocked.len() == 1 { "is" } else { "are" };
    format!("{} {is} not ready\n{}", named(blocked), reasons(blocked, dir, screen))
}

/// Why steps were not rendered that are made where their owner renders them from, and where that is.
#[must_use]
pub fn made_elsewhere(steps: &[&PlannedStep], dir: &Path, screen: &Screen) -> String {
    let were = if steps.len() == 1 { "was" } else { "were" };
    let title = format!(
        "{} would change nothing beside the release that renders these objects and {were} not rendered",
        named(steps)
    );
    let found: Vec<_> = steps.iter().flat_map(|planned| notes::of(planned)).collect();
    let mut lines: Vec<(&Finding, String)> = Vec::new();
    for finding in &found {
        if !lines.iter().any(|(one, _)| *one == finding) {
            lines.push((finding, String::new()));
        }
    }
    let beside_label = Screen { width: screen.width.saturating_sub(LABEL.len()), ..screen.clone() };
    format!("{}{}", beside_label.wrapped(&title, "", "  "), notes::list(&lines, dir, screen))
}

/// The command that edits the files which an owner renders objects from.
#[must_use]
pub fn into_repository(dir: &Path) -> String {
    let dir = dir.display().to_string();
    let dir = shell_word(&dir);
    format!(
        "\nNext  in the repository that the release stands in\n  kubectl l5d-rotate next --in . --dir {dir}\n"
    )
}

/// What stands before steps, each thing once, with the steps where it is not all of them.
fn reasons(blocked: &[&PlannedStep], dir: &Path, screen: &Screen) -> String {
    let mut found: Vec<(&Finding, Vec<&PlannedStep>)> = Vec::new();
    for planned in blocked {
        for finding in &planned.blocked {
            match found.iter_mut().find(|(one, _)| *one == finding) {
                Some((_, steps)) => steps.push(planned),
                None => found.push((finding, vec![planned])),
            }
        }
    }
    found.sort_by_key(|(finding, _)| finding.severity);
    let before = |steps: &[&PlannedStep]| {
        if steps.len() == blocked.len() { String::new() } else { named(steps) }
    };
    let lines: Vec<_> = found.iter().map(|(finding, steps)| (*finding, before(steps))).collect();
    notes::list(&lines, dir, screen)
}

fn named(steps: &[&PlannedStep]) -> String {
    let names: Vec<_> = steps.iter().map(|planned| planned.step.to_string()).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}
