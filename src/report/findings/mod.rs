//! Findings in words, each code in one place.

mod change;
mod check;
mod explain;
mod input;
pub(super) mod procedure;
mod recovery;
mod refusal;
mod step;
mod trust;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::Screen;
use super::words::{restart_command, styled};
use crate::checkout::Open;
use crate::finding::{CertificateRef, Fact, Finding, Opens, Pods, Severity};
use crate::report::words::count;
use crate::step::Confirmation;

pub use explain::{Explained, Explanation, explained_markdown, explained_text, explanations, listed_text};
pub use recovery::role;
pub(in crate::report) use refusal::refused;

/// A finding in words: whole sentences, each of one fact.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// What was found.
    pub what: String,
    /// What it is about, where there are several: one line each.
    pub items: Vec<String>,
    /// What follows from it; empty where that is plain.
    pub effect: String,
    /// The next thing to do.
    pub todo: String,
}

/// How many of a list are named.
const NAMED: usize = 3;

/// A finding in words.
#[must_use]
pub fn words(finding: &Finding, screen: &Screen) -> Words {
    let mut words = match &finding.fact {
        Fact::Input(fact) => input::words(fact, screen),
        Fact::Trust(fact) => trust::words(fact, screen),
        Fact::Check(fact) => check::words(fact, screen),
        Fact::Step(fact) => step::words(fact, screen),
        Fact::Change(fact) => change::words(fact),
        Fact::Recovery(fact) => recovery::words(fact, screen),
    };
    for opens in &finding.opens {
        let todo = opening(opens, !words.todo.is_empty(), screen);
        words.todo =
            [words.todo, todo].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    }
    words
}

/// What of a repository is not understood, in words.
#[must_use]
pub fn not_understood(open: &Open) -> Words {
    change::repository::not_understood(&open.origin.to_string(), &open.why)
}

/// What opens a finding, in a sentence; time alone may open what something else opens as well.
fn opening(opens: &Opens, is_other: bool, screen: &Screen) -> String {
    match opens {
        Opens::At(instant) if is_other => format!("Or wait until {}.", screen.exactly(*instant)),
        Opens::At(instant) => format!("Wait until {}.", screen.exactly(*instant)),
        Opens::Step(step) => format!("Take step {step} first."),
        Opens::Confirm(confirmation) => {
            format!("If {}, say --confirm {confirmation}.", confirmed(*confirmation))
        }
        Opens::Restart(workloads) if workloads.len() > NAMED => {
            format!("Restart {}.", listed(workloads))
        }
        Opens::Restart(workloads) => {
            let commands: Vec<_> =
                workloads.iter().map(|object| format!("`{}`", restart_command(object))).collect();
            if commands.is_empty() { String::new() } else { format!("Run {}.", listed(&commands)) }
        }
        Opens::Procedure(procedure) => procedure::sentence(*procedure),
    }
}

/// What a human who confirms it says.
const fn confirmed(confirmation: Confirmation) -> &'static str {
    match confirmation {
        Confirmation::ExternalWorkloads | Confirmation::LinkedClusters => "that is so",
        Confirmation::ControlPlaneRestarted => {
            "every container of the control plane has read it as it is (its pod is newer than the change)"
        }
        Confirmation::AllPodsSeen => "the input holds every pod of the mesh",
        Confirmation::RenewalSuspended => "it is suspended",
        Confirmation::UpgradeKeepsBundle => "that value holds the published anchors",
        Confirmation::SignerOfAnchor => "it signs below that anchor",
    }
}

/// A finding for programs: code, severity, evidence, place, what opens it, and the words, with instants in UTC.
#[must_use]
pub fn json(finding: &Finding, screen: &Screen) -> Value {
    let Words { what, items, effect, todo } = words(finding, &Screen::utc(screen.at));
    // A finding is strings, numbers and lists of them: such a value always has a JSON form.
    let mut value = serde_json::to_value(finding).unwrap_or_default();
    let text = [what, effect].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    value["text"] = json!(text);
    if !items.is_empty() {
        value["items"] = json!(items);
    }
    value["todo"] = json!(todo);
    value
}

/// The mark before a finding.
#[must_use]
pub fn mark(severity: Severity) -> String {
    let (mark, colour) = match severity {
        Severity::Error => ('×', AnsiColor::Red),
        Severity::Wait => ('…', AnsiColor::Yellow),
        Severity::Unknown => ('?', AnsiColor::Yellow),
        Severity::Warning => ('‼', AnsiColor::Yellow),
        Severity::Note => ('·', AnsiColor::Cyan),
    };
    styled(Style::new().bold().fg_color(Some(colour.into())), mark)
}

/// A certificate's name and fingerprint: names alone may be the same.
fn named(certificate: &CertificateRef) -> String {
    format!("{} ({})", certificate.name, certificate.fingerprint.short())
}

/// `3 proxies (ns/pod, ns/pod and 1 more)`.
pub(super) fn pods(pods: &Pods, one: &str, many: &str) -> String {
    let counted = count(pods.count, one, many);
    if pods.sample.is_empty() {
        return counted;
    }
    let shown = pods.sample.len().min(NAMED);
    let more = pods.count.saturating_sub(shown as u64);
    let names = pods.sample[..shown].join(", ");
    if more == 0 { format!("{counted} ({names})") } else { format!("{counted} ({names} and {more} more)") }
}

/// The first few: `a, b, c and 9 more`.
#[must_use]
pub fn listed<T: ToString>(all: &[T]) -> String {
    let named: Vec<_> = all.iter().take(NAMED).map(ToString::to_string).collect();
    match all.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
