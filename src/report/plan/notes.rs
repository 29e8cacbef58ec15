//! What there is to say of steps: each thing once, with its code.

use std::path::Path;

use super::manual::manual_notes;
use crate::document::ObjectRef;
use crate::finding::{Fact, Finding, StepFact};
use crate::mesh::Owner;
use crate::printable::escaped;
use crate::report::Screen;
use crate::report::findings::{Words, mark, words};
use crate::rotation::PlannedStep;

/// Findings: the code and the steps on one line, the sentences below it.
pub(super) fn list(findings: &[(&Finding, String)], dir: &Path, screen: &Screen) -> String {
    let mut out = String::new();
    for (finding, steps) in findings {
        let gap = if steps.is_empty() { "" } else { "  " };
        out.push_str(&format!("  {} {}{gap}{steps}\n", mark(finding.severity), finding.code()));
        out.push_str(&screen.wrapped(&sentences(finding, dir, screen), "    ", "    "));
    }
    out
}

/// A finding in sentences, its evidence, effect and what to do; the rotation directory stands by name.
pub(super) fn sentences(finding: &Finding, dir: &Path, screen: &Screen) -> String {
    let Words { what, items, effect, todo } = words(finding, screen);
    let parts = [what].into_iter().chain(items).chain([effect, todo]).filter(|part| !part.is_empty());
    escaped(&in_directory(&parts.collect::<Vec<_>>().join(" "), dir)).into_owned()
}

/// A text in which the rotation directory stands by name.
pub(super) fn in_directory(text: &str, dir: &Path) -> String {
    text.replace("DIR/", &format!("{}/", dir.display()))
}

/// A step's notes, but for what is said in the place of a blocker or a confirmation.
pub(super) fn of(planned: &PlannedStep) -> Vec<Finding> {
    let is_said = |note: &&Finding| {
        planned.blocked.iter().chain(&planned.confirmed).any(|finding| finding.fact == note.fact)
    };
    planned.notes.iter().filter(|note| !is_said(note)).cloned().collect()
}

/// The same without where a step is committed.
pub(super) fn besides_commit(planned: &PlannedStep) -> Vec<Finding> {
    of(planned).into_iter().filter(|note| committed_to(note).is_empty()).collect()
}

/// Who applies a step from Git, as far as a note tells it.
pub(in crate::report) fn committed_to(note: &Finding) -> &[Owner] {
    match &note.fact {
        Fact::Step(StepFact::AppliedFromGit { owners }) => owners,
        _ => &[],
    }
}

/// What a person should know beside the documents of steps: what is done manually, who would revert a change.
#[must_use]
pub fn step_notes(steps: &[&PlannedStep], dir: &Path, screen: &Screen) -> Vec<String> {
    let mut notes: Vec<(String, Vec<String>)> = Vec::new();
    for planned in steps {
        let found = of(planned);
        let found = found.iter().map(|finding| {
            let code = finding.code();
            format!("{code}: {}", sentences(finding, dir, screen))
        });
        for text in manual_notes(planned).into_iter().chain(found) {
            match notes.iter_mut().find(|(said, _)| *said == text) {
                Some((_, steps)) => steps.push(planned.step.to_string()),
                None => notes.push((text, vec![planned.step.to_string()])),
            }
        }
    }
    let line = |(text, steps): (String, Vec<String>)| {
        screen.wrapped(&format!("{}: {text}", steps.join(", ")), "", "  ").trim_end().to_owned()
    };
    notes.into_iter().map(line).collect()
}

/// What stands at the top of a step's directory.
#[must_use]
pub fn directory_notes(planned: &PlannedStep, screen: &Screen) -> Vec<String> {
    let note = |finding: &Finding| sentences(finding, Path::new("DIR"), screen);
    planned.notes.iter().map(note).chain(manual_notes(planned)).collect()
}

/// What stands at the top of a document: what it was rendered in spite of, what was confirmed, and who would put it back.
#[must_use]
pub fn head_notes(planned: &PlannedStep, object: &ObjectRef, warning: &str, screen: &Screen) -> Vec<String> {
    let line = |label: &str, finding: &Finding| {
        let dir = Path::new("DIR");
        format!("{label}: {}: {}", finding.code(), sentences(finding, dir, screen))
    };
    let blocked = planned.blocked.iter().map(|finding| line(warning, finding));
    let confirmed = planned.confirmed.iter().map(|finding| line("confirmed", finding));
    let is_of = |finding: &&Finding| matches!(&finding.fact, Fact::Step(StepFact::ManagedObject { object: managed, .. }) if managed == object);
    let managed = planned.notes.iter().filter(is_of).map(|finding| line("note", finding));
    blocked.chain(confirmed).chain(managed).collect()
}
