//! The sentences that every form of the verdict shares.

use crate::finding::{Fact, Place, Severity};
use crate::pki::Certificate;
use crate::report::Screen;
use crate::report::findings::listed;
use crate::report::words::count;
use crate::verify::{Advice, Changes, Restart, Verdict, Verification};

/// The verdict in a word or two, and what it means in a sentence.
pub(super) fn headline(verification: &Verification, screen: &Screen) -> (String, String) {
    let (word, sentence) = match verification.verdict {
        Verdict::Safe => (
            "SAFE".to_owned(),
            "nothing that works stops working, in whatever order it is applied".to_owned(),
        ),
        Verdict::SafeAfter(after) => {
            (format!("SAFE AFTER {}", screen.exactly(after)), "do not merge before".to_owned())
        }
        Verdict::NotAboutTrust => (
            "NOT ABOUT TRUST".to_owned(),
            "it changes no anchor and no issuer, and restarts nothing for their sake".to_owned(),
        ),
        Verdict::Unknown => {
            ("UNKNOWN".to_owned(), "do not merge: the input does not tell whether it is safe".to_owned())
        }
        Verdict::Unsafe => ("UNSAFE".to_owned(), format!("do not merge: {}", harm(verification))),
    };
    (word, sentence)
}

fn harm(verification: &Verification) -> String {
    let grave = |fact: fn(&Fact) -> bool| {
        verification.findings.iter().filter(|one| one.severity == Severity::Error && fact(&one.fact)).count()
            as u64
    };
    match (grave(|fact| !matches!(fact, Fact::Trust(_))), grave(|fact| matches!(fact, Fact::Trust(_)))) {
        (0, ways) => format!("it breaks the mesh in {}", count(ways, "way", "ways")),
        _ => "Linkerd cannot work with it".to_owned(),
    }
}

/// A word for the verdict.
pub(super) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Safe => "safe",
        Verdict::SafeAfter(_) => "safe-after",
        Verdict::Unsafe => "unsafe",
        Verdict::NotAboutTrust => "not-about-trust",
        Verdict::Unknown => "unknown",
    }
}

/// What to do instead, or next.
pub(super) const fn advice(advice: Advice) -> &'static str {
    match advice {
        Advice::Correct => "Correct what is named above, and verify again.",
        Advice::Split => {
            "Split it. First the bundle with the old and the new anchors, then the restart of the control plane and of every \
             proxy, then the issuer; the old anchor leaves last."
        }
        Advice::PublishAnchorFirst => {
            "First publish the anchor that signed the new issuer beside the present ones, and restart the control plane and \
             every proxy. The issuer comes after that. If an intermediate is missing between them, add it to the issuer's file."
        }
        Advice::ReplaceIssuer => {
            "Put in another issuer: no anchor makes this one good. The reason above says what is wrong with it."
        }
        Advice::KeepAnchor => {
            "Keep the anchor in the bundle until the issuer in the Secret is of another one, and every workload certificate \
             that it signed has expired or been replaced."
        }
        Advice::MendFirst => "Make the bundle and the issuer fit each other before anything restarts.",
        Advice::MergeLater => {
            "Merge it at that time, and verify it again then. Nothing else may change until then."
        }
        Advice::GiveWhatIsMissing => "Give what is missing, and verify again.",
    }
}

/// Something that the change does, and what belongs to it.
pub(super) struct Line {
    /// `+`, `-`, or a blank.
    pub(super) sign: char,
    pub(super) text: String,
    pub(super) details: Vec<String>,
}

/// What the change does.
pub(super) fn changes(changes: &Changes, screen: &Screen) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(place) = &changes.bundle {
        let removed = changes.removed.iter().map(|one| ('-', one));
        let all = removed.chain(changes.added.iter().map(|one| ('+', one)));
        let anchors = all.map(|(sign, one)| certificate(sign, "trust anchor", one, screen));
        lines.extend(placed(anchors, "the text of the bundle, not its anchors", place));
    }
    if let Some(change) = &changes.issuer {
        let (from, to) =
            if change.from == change.to { (None, None) } else { (change.from.as_ref(), change.to.as_ref()) };
        let all = from.map(|one| ('-', one)).into_iter().chain(to.map(|one| ('+', one)));
        let issuers = all.map(|(sign, one)| certificate(sign, "issuer", one, screen));
        let same = "the issuer's key or its intermediates, not its certificate";
        lines.extend(placed(issuers, same, &change.place));
        let ends = |one| certificate(' ', "workload certificates end with", one, screen);
        lines.extend(change.ends_with.iter().map(ends));
    }
    if changes.copy {
        lines.push(plain("the copy of the bundle in ConfigMap linkerd-config".to_owned()));
    }
    lines.extend(restarts(&changes.restarts));
    lines
}

/// The lines, or the one that stands for none; the last names the place.
fn placed(lines: impl Iterator<Item = Line>, none: &str, place: &Place) -> Vec<Line> {
    let mut lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        lines.push(plain(none.to_owned()));
    }
    if let Some(last) = lines.last_mut() {
        last.details.push(located(place));
    }
    lines
}

const fn plain(text: String) -> Line {
    Line { sign: ' ', text, details: Vec::new() }
}

fn restarts(restarts: &[Restart]) -> Option<Line> {
    let names: Vec<_> = restarts.iter().map(|restart| &restart.place.object).collect();
    let counted = count(restarts.len() as u64, "workload", "workloads");
    (!restarts.is_empty()).then(|| plain(format!("restarts of {counted}: {}", listed(&names))))
}

/// Where the change has an object; where no file does, the object.
fn located(place: &Place) -> String {
    match place.origin.source.as_str() {
        "" => place.object.to_string(),
        _ => place.origin.to_string(),
    }
}

fn certificate(sign: char, what: &str, certificate: &Certificate, screen: &Screen) -> Line {
    let (name, end) = (certificate.name(), screen.date(certificate.facts().not_after));
    let text = format!("{what} {name}  {}  expires {end}", certificate.fingerprint().short());
    Line { sign, text, details: Vec::new() }
}
