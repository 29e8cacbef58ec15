//! The verdict as workflow commands of GitHub Actions, which show as annotations at the proposed documents.

use super::wording;
use crate::report::Clock;
use crate::verify::{Place, Verdict, Verification, Weight};

pub(super) fn write(verification: &Verification, clock: &Clock) -> String {
    let grave = if verification.verdict == Verdict::Unsafe { "error" } else { "warning" };
    let mut out: String = verification
        .findings
        .iter()
        .map(|finding| {
            let level = if finding.weight == Weight::Unsafe { "error" } else { "warning" };
            let message = format!("{}\nto do: {}", finding.text, finding.help);
            command(level, finding.place.as_ref(), finding.code, &message)
        })
        .collect();
    let place = wording::place(&verification.changes);
    for pair in &verification.pairs {
        let level = if pair.certain { grave } else { "warning" };
        let (said, details) = wording::pair(pair, clock);
        out.push_str(&command(level, place, "who refuses whom", &format!("{said}\n{}", details.join("\n"))));
    }
    let level = match verification.verdict {
        Verdict::Safe | Verdict::NotAboutTrust => "notice",
        _ => grave,
    };
    let advice = verification.advice().map(|advice| format!("\nnext: {advice}"));
    let summary = format!("{}{}", wording::headline(verification, clock), advice.unwrap_or_default());
    out + &command(level, place, "l5d-rotate verify", &summary)
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
