//! The verdict as workflow commands of GitHub Actions, which show as annotations at the proposed documents.

use super::{Judged, wording};
use crate::finding::{Place, Severity};
use crate::report::Screen;
use crate::report::findings::{Words, words};
use crate::verify::Verdict;

pub(super) fn write(judged: &Judged, screen: &Screen) -> String {
    let Judged { unit, verification, .. } = judged;
    let mut out = String::new();
    for finding in &verification.findings {
        let level = if finding.severity == Severity::Error { "error" } else { "warning" };
        let Words { what, items, effect, todo } = words(finding, screen);
        let lines: Vec<_> = std::iter::once(what).chain(items).chain([effect, todo]).collect();
        let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        out.push_str(&command(level, finding.place.as_ref(), finding.code(), &lines.join("\n")));
    }
    let level = match verification.verdict {
        Verdict::Safe | Verdict::NotAboutTrust => "notice",
        Verdict::Unsafe => "error",
        Verdict::SafeAfter(_) | Verdict::Unknown => "warning",
    };
    let (word, sentence) = wording::headline(verification, screen);
    let advice =
        verification.advice().map_or_else(String::new, |advice| format!("\n{}", wording::advice(advice)));
    let summary = format!("{word}: {sentence}{advice}");
    let title =
        if unit.is_empty() { "l5d-rotate verify".to_owned() } else { format!("l5d-rotate verify {unit}") };
    out + &command(level, verification.changes.place(), &title, &summary)
}

/// `::error file=…,line=…,title=…::message`, escaped as the runner's toolkit does.
fn command(level: &str, place: Option<&Place>, title: &str, message: &str) -> String {
    let origin =
        place.map(|place| &place.origin).filter(|origin| !["", "stdin"].contains(&origin.source.as_str()));
    let at = origin.map_or_else(String::new, |origin| {
        let line = if origin.line > 0 { format!(",line={}", origin.line) } else { String::new() };
        format!("file={}{line},", property(origin.source.strip_prefix("./").unwrap_or(&origin.source)))
    });
    format!("::{level} {at}title={}::{}\n", property(title), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{ObjectRef, Origin};

    #[test]
    fn a_message_stays_on_its_line_and_a_path_in_its_place() {
        let origin = Origin { source: "./a,b:c.yaml".to_owned(), document: 1, item: 0, line: 7 };
        let place = Place { object: ObjectRef::new("v1", "Secret", "linkerd", "x"), origin };
        let said = command("error", Some(&place), "t", "100%\nsecond");
        assert_eq!(said, "::error file=a%2Cb%3Ac.yaml,line=7,title=t::100%25%0Asecond\n");
    }
}
