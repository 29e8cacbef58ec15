//! The verdict on one screen.

use std::collections::BTreeSet;

use anstyle::{AnsiColor, Style};

use super::Judged;
use super::wording::{self, Line};
use crate::finding::{Finding, Severity};
use crate::report::Screen;
use crate::report::findings::{Words, mark, words};
use crate::report::words::{count, styled};
use crate::verify::Verdict;

/// How many findings of a kind a person is shown.
const SHOWN: usize = 8;

pub(super) fn write(judged: &Judged, screen: &Screen) -> String {
    let Judged { unit, verification, .. } = judged;
    let (word, sentence) = wording::headline(verification, screen);
    let head =
        if unit.is_empty() { String::new() } else { format!("{}\n", styled(Style::new().bold(), unit)) };
    let first = format!("{}  ", styled(bold(colour(verification.verdict)), &word));
    let mut out = head + &screen.wrapped(&sentence, &first, &" ".repeat(word.chars().count() + 2));
    let changes = wording::changes(&verification.changes, screen);
    if !changes.is_empty() {
        section(&mut out, "Changes");
    }
    for Line { sign, text, details } in &changes {
        out.push_str(&screen.wrapped(text, &format!("  {sign} "), "    "));
        details.iter().for_each(|detail| out.push_str(&screen.wrapped(detail, "    ", "      ")));
    }
    let mut told = BTreeSet::new();
    for (title, severity) in [
        ("Breaks", Severity::Error),
        ("Breaks until then", Severity::Wait),
        ("Not known", Severity::Unknown),
        ("Also", Severity::Warning),
    ] {
        let found: Vec<_> = verification.findings.iter().filter(|one| one.severity == severity).collect();
        if found.is_empty() {
            continue;
        }
        section(&mut out, title);
        found.iter().take(SHOWN).for_each(|one| finding(&mut out, one, &mut told, screen));
        if let Some(more @ 1..) = found.len().checked_sub(SHOWN) {
            let more = count(more as u64, "more finding", "more findings");
            out.push_str(&format!("  and {more}: -o json names all\n"));
        }
    }
    if let Some(advice) = verification.advice() {
        section(&mut out, if verification.verdict == Verdict::Unsafe { "Instead" } else { "Next" });
        out.push_str(&screen.wrapped(wording::advice(advice), "  ", "  "));
    }
    if !verification.findings.is_empty() {
        out.push_str("\nkubectl l5d-rotate explain CODE tells more\n");
    }
    out
}

/// The code on a line, then what was found; what several have in common is said once.
fn finding(out: &mut String, finding: &Finding, told: &mut BTreeSet<String>, screen: &Screen) {
    let Words { what, items, effect, todo } = words(finding, screen);
    out.push_str(&format!("  {} {}\n", mark(finding.severity), finding.code()));
    out.push_str(&screen.wrapped(&what, "    ", "    "));
    for item in items {
        out.push_str(&screen.wrapped(&item, "      ", "        "));
    }
    for text in [effect, todo] {
        if !text.is_empty() && told.insert(text.clone()) {
            out.push_str(&screen.wrapped(&text, "    ", "    "));
        }
    }
}

fn section(out: &mut String, name: &str) {
    out.push_str(&format!("\n{}\n", styled(Style::new().bold(), name)));
}

const fn bold(colour: AnsiColor) -> Style {
    Style::new().bold().fg_color(Some(anstyle::Color::Ansi(colour)))
}

const fn colour(verdict: Verdict) -> AnsiColor {
    match verdict {
        Verdict::Safe | Verdict::NotAboutTrust => AnsiColor::Green,
        Verdict::SafeAfter(_) | Verdict::Unknown => AnsiColor::Yellow,
        Verdict::Unsafe => AnsiColor::Red,
    }
}
