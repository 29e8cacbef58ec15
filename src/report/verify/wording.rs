//! The sentences that every form of the verdict shares.

use crate::pki::Certificate;
use crate::report::Clock;
use crate::report::words::count;
use crate::states::Invariant;
use crate::verify::{Changes, Pair, Party, Place, Restart, Verdict, Verification, Weight};

/// The verdict in a sentence.
pub(super) fn headline(verification: &Verification, clock: &Clock) -> String {
    let broken = verification.pairs.len() as u64;
    let grave =
        verification.findings.iter().filter(|finding| finding.weight == Weight::Unsafe).count() as u64;
    match verification.verdict {
        Verdict::Safe => "Safe: nothing that works stops working, in whatever order it is applied".to_owned(),
        Verdict::SafeAfter(after) => {
            format!("Safe after {}, not before", clock.exactly(after))
        }
        Verdict::NotAboutTrust => {
            "Not about trust: no anchor, issuer or restart for their sake in it".to_owned()
        }
        Verdict::Unknown => "Unknown: it cannot be told from what was read whether it is safe".to_owned(),
        Verdict::Unsafe => match (grave, broken) {
            (0, _) => format!("Unsafe: merging it breaks the mesh in {}", count(broken, "way", "ways")),
            _ => "Unsafe: Linkerd cannot work with what is proposed".to_owned(),
        },
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

/// What is proposed, a line each.
pub(super) fn changes(changes: &Changes, clock: &Clock) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(place) = &changes.bundle {
        let format = changes.added.is_empty() && changes.removed.is_empty();
        lines.push(format!(
            "the bundle in {}{}",
            located(place),
            if format { ": its text only, not its anchors" } else { "" }
        ));
        lines.extend(changes.added.iter().map(|anchor| format!("  + anchor {}", certificate(anchor, clock))));
        lines.extend(
            changes.removed.iter().map(|anchor| format!("  - anchor {}", certificate(anchor, clock))),
        );
    }
    if let Some(change) = &changes.issuer {
        lines.push(format!("the issuer in {}", located(&change.place)));
        if change.from == change.to {
            lines.push("  the same certificate; its key or its intermediates change".to_owned());
        } else {
            lines.extend(
                change.from.iter().map(|issuer| format!("  - issuer {}", certificate(issuer, clock))),
            );
            lines.extend(change.to.iter().map(|issuer| format!("  + issuer {}", certificate(issuer, clock))));
        }
    }
    if changes.copy {
        lines.push("the copy of the bundle in ConfigMap linkerd-config".to_owned());
    }
    lines.extend(restarts(&changes.restarts));
    lines
}

fn restarts(restarts: &[Restart]) -> Option<String> {
    let names = restarts
        .iter()
        .take(5)
        .map(|restart| restart.place.object.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let more = restarts.len().saturating_sub(5);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!restarts.is_empty()).then(|| {
        format!("restarts of {}: {names}{more}", count(restarts.len() as u64, "workload", "workloads"))
    })
}

fn located(place: &Place) -> String {
    match place.origin.source.as_str() {
        "" => place.object.to_string(),
        _ => format!("{} ({})", place.object, place.origin),
    }
}

fn certificate(certificate: &Certificate, clock: &Clock) -> String {
    format!("{}, ends {}", named(certificate), clock.when(certificate.facts().not_after))
}

/// Name and fingerprint: names alone may be the same.
fn named(certificate: &Certificate) -> String {
    format!("{} ({})", certificate.name(), certificate.fingerprint().short())
}

/// Who refuses whom, and when; then what is to know of it, a line each.
pub(super) fn pair(pair: &Pair, clock: &Clock) -> (String, Vec<String>) {
    let issuer = pair.presenter.certificates.first().map_or_else(|| "the issuer".to_owned(), named);
    let refuse = if pair.certain { "refuse" } else { "may refuse" };
    let said = match pair.invariant {
        Invariant::ControllerStarts => {
            "an identity controller that starts does not come up: no proxy gets a leaf any more".to_owned()
        }
        Invariant::EveryPair => {
            let callers = match pair.presenter.count {
                0 => "proxies".to_owned(),
                number => count(number, "proxy", "proxies"),
            };
            format!("{} {refuse} {callers} whose leaf {issuer} signed", verifiers(&pair.verifier))
        }
        Invariant::EveryRenewal => {
            format!(
                "{} {refuse} their next leaf, and stop working when the one they have ends",
                verifiers(&pair.verifier)
            )
        }
        Invariant::ControllerSigns => {
            let refuses = if pair.certain { "refuses" } else { "may refuse" };
            format!("a running identity controller {refuses} to sign")
        }
    };
    let side = |label: &str, what: String, party: &Party| format!("{label} {what}{}", members(party));
    let details = [
        Some(side("holds: ", anchors(&pair.verifier), &pair.verifier)),
        Some(side("meets: ", format!("issuer {issuer}"), &pair.presenter)),
        Some(format!("reason: {}", pair.reason)),
        pair.until.map(|until| format!("until:  {} at the latest", clock.exactly(until))),
    ];
    (format!("{}: {said}", pair.when), details.into_iter().flatten().collect())
}

fn anchors(party: &Party) -> String {
    match &*party.certificates {
        [] => "its bundle".to_owned(),
        [one] => format!("anchor {} alone", named(one)),
        all => format!("anchors {}", all.iter().map(named).collect::<Vec<_>>().join(" and ")),
    }
}

fn verifiers(party: &Party) -> String {
    match party.count {
        0 => "proxies that start from then on".to_owned(),
        number => count(number, "proxy", "proxies"),
    }
}

/// A few of those that were seen.
fn members(party: &Party) -> String {
    let shown = party.pods.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    match (party.pods.is_empty(), party.count > 3) {
        (true, _) => String::new(),
        (false, true) => format!(", by {shown}, …"),
        (false, false) => format!(", by {shown}"),
    }
}

pub(super) const fn weight(weight: Weight) -> &'static str {
    match weight {
        Weight::Unsafe => "unsafe",
        Weight::Unknown => "unknown",
        Weight::Warning => "warning",
    }
}

/// Where a pair is best shown in the proposal: at the issuer, or at the bundle, or at what restarts.
pub(super) fn place(changes: &Changes) -> Option<&Place> {
    let issuer = changes.issuer.as_ref().map(|change| &change.place);
    issuer.or(changes.bundle.as_ref()).or_else(|| changes.restarts.first().map(|restart| &restart.place))
}
