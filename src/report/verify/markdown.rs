//! The verdict as Markdown, for a pull request's comment or a job's summary.

use super::Judged;
use super::wording::{self, Line};
use crate::finding::{Finding, Severity};
use crate::report::Screen;
use crate::report::findings::{Words, words};
use crate::verify::Verdict;

pub(super) fn write(judged: &Judged, screen: &Screen) -> String {
    let Judged { unit, verification } = judged;
    let mark = match verification.verdict {
        Verdict::Safe | Verdict::NotAboutTrust => "✅",
        Verdict::SafeAfter(_) => "⏳",
        Verdict::Unknown => "❓",
        Verdict::Unsafe => "❌",
    };
    let (word, sentence) = wording::headline(verification, screen);
    let place = if unit.is_empty() { String::new() } else { format!("{}: ", escaped(unit)) };
    let mut out = format!("### {mark} {place}{}\n\n{}\n", escaped(&word), escaped(&sentence));
    let changes = wording::changes(&verification.changes, screen);
    list(
        &mut out,
        "Changes",
        changes.iter().map(|Line { sign, text, details }| {
            // Markdown would take the signs for bullets.
            let verb = match sign {
                '+' => "**adds** ",
                '-' => "**removes** ",
                _ => "",
            };
            let details = details.iter().map(|detail| format!("\n  - {}", escaped(detail)));
            format!("- {verb}{}{}", escaped(text), details.collect::<String>())
        }),
    );
    for (title, severity) in [
        ("Breaks", Severity::Error),
        ("Breaks until then", Severity::Wait),
        ("Not known", Severity::Unknown),
        ("Also", Severity::Warning),
    ] {
        let found = verification.findings.iter().filter(|one| one.severity == severity);
        list(&mut out, title, found.map(|one| finding(one, screen)));
    }
    if let Some(advice) = verification.advice() {
        out.push_str(&format!("\n**Next:** {}\n", escaped(wording::advice(advice))));
    }
    out
}

fn finding(finding: &Finding, screen: &Screen) -> String {
    let Words { what, items, effect, todo } = words(finding, screen);
    let mut out = format!("- `{}` {}", finding.code(), escaped(&what));
    for line in items.iter().chain([&effect, &todo]).filter(|line| !line.is_empty()) {
        out.push_str(&format!("\n  - {}", escaped(line)));
    }
    out
}

fn list(out: &mut String, name: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<_> = lines.collect();
    if !lines.is_empty() {
        out.push_str(&format!("\n#### {name}\n\n{}\n", lines.join("\n")));
    }
}

/// Names in certificates and manifests are other people's text: nothing in them is markup, or reaches beyond its line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => out.push(' '),
            _ => {
                if "\\`*_[]<>#|~!@&".contains(character) {
                    out.push('\\');
                }
                out.push(character);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_certificate_is_no_markup() {
        assert_eq!(escaped("root <img src=x>\n# x"), r"root \<img src=x\> \# x");
        assert_eq!(escaped("`a_b` @all"), r"\`a\_b\` \@all");
    }
}
