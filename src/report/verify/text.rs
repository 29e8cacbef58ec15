//! The verdict on one screen.

use super::wording;
use crate::report::Clock;
use crate::report::words::{count, styled};
use crate::verify::{Finding, Verdict, Verification, Weight};
use anstyle::{AnsiColor, Style};

/// How many pairs a person is shown.
const SHOWN: usize = 8;

pub(super) fn write(verification: &Verification, clock: &Clock) -> String {
    let mut out =
        format!("{}\n", styled(bold(colour(verification.verdict)), wording::headline(verification, clock)));
    let changes = wording::changes(&verification.changes, clock);
    section(&mut out, "Proposed", changes);
    let (grave, light): (Vec<_>, Vec<_>) =
        verification.findings.iter().partition(|finding| finding.weight == Weight::Unsafe);
    let mut wrong: Vec<_> = grave.into_iter().flat_map(lines).collect();
    let pairs = verification.pairs.iter().take(SHOWN);
    wrong.extend(pairs.flat_map(|pair| {
        let colour = if pair.certain { AnsiColor::Red } else { AnsiColor::Yellow };
        let (said, details) = wording::pair(pair, clock);
        let title = format!("{} {said}", styled(bold(colour), if pair.certain { '×' } else { '?' }));
        std::iter::once(title).chain(details.into_iter().map(|detail| format!("    {detail}")))
    }));
    let more = verification.pairs.len().saturating_sub(SHOWN) as u64;
    wrong.extend(
        (more > 0).then(|| format!("and {}: -o json names all", count(more, "way more", "ways more"))),
    );
    section(&mut out, "What breaks", wrong);
    section(&mut out, "Also", light.into_iter().flat_map(lines).collect());
    section(&mut out, "Next", verification.advice().map(str::to_owned).into_iter().collect());
    out
}

fn section(out: &mut String, name: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        out.push_str(&format!("\n{}\n", styled(Style::new().bold(), name)));
        lines.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
    }
}

fn lines(finding: &Finding) -> [String; 2] {
    let (mark, colour) = match finding.weight {
        Weight::Unsafe => ('×', AnsiColor::Red),
        Weight::Unknown => ('?', AnsiColor::Yellow),
        Weight::Warning => ('‼', AnsiColor::Yellow),
    };
    [format!("{} {}", styled(bold(colour), mark), finding.text), format!("    to do: {}", finding.help)]
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
