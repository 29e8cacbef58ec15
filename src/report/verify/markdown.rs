//! The verdict as Markdown, for a pull request's comment or a job's summary.

use super::wording;
use crate::report::Clock;
use crate::verify::{Verdict, Verification};

pub(super) fn write(verification: &Verification, clock: &Clock) -> String {
    let mark = match verification.verdict {
        Verdict::Safe | Verdict::NotAboutTrust => "✅",
        Verdict::SafeAfter(_) => "⏳",
        Verdict::Unknown => "❓",
        Verdict::Unsafe => "❌",
    };
    let (headline, rest) = split(wording::headline(verification, clock));
    let mut out = format!("### {mark} {}\n\n{}\n", escaped(&headline), escaped(&rest));
    let changes = wording::changes(&verification.changes, clock);
    list(
        &mut out,
        "Proposed",
        changes.iter().map(|line| {
            let depth = if line.starts_with("  ") { "  " } else { "" };
            format!("{depth}- {}", escaped(line.trim()))
        }),
    );
    list(
        &mut out,
        "What breaks",
        verification.pairs.iter().map(|pair| {
            let (said, details) = wording::pair(pair, clock);
            let details: String = details.iter().map(|detail| format!("\n  - {}", escaped(detail))).collect();
            format!("- {}{}{details}", if pair.certain { "" } else { "(possibly) " }, escaped(&said))
        }),
    );
    list(
        &mut out,
        "Findings",
        verification.findings.iter().map(|finding| {
            let (text, help) = (escaped(&finding.text), escaped(&finding.help));
            format!("- **{}** `{}`: {text}\n  - to do: {help}", wording::weight(finding.weight), finding.code)
        }),
    );
    if let Some(advice) = verification.advice() {
        out.push_str(&format!("\n**Next:** {}\n", escaped(advice)));
    }
    out
}

/// The word before the colon is the heading; without one the whole is.
fn split(headline: String) -> (String, String) {
    match headline.rsplit_once(": ") {
        Some((head, rest)) => (head.to_owned(), rest.to_owned()),
        None => (headline, String::new()),
    }
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
