//! A diagnosis in sentences.

use jiff::Timestamp;

use super::super::Clock;
use super::super::status::first;
use super::super::words::count;
use super::is_broken;
use crate::document::ObjectRef;
use crate::linkerd::EXPIRY_THRESHOLD;
use crate::mesh::Owner;
use crate::pki::{Certificate, Refusal};
use crate::rotation::recover::{
    Candidate, Diagnosis, Issuance, Left, Part, Role, Standing, Stopped, Way, WithoutCertificate, steps,
};
use crate::rotation::{Phase, Stage, Step};

pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Anchor => "trust anchor",
        Role::Issuer => "issuer",
        Role::Intermediate => "intermediate",
    }
}

/// The whole in one sentence.
pub(super) fn headline(diagnosis: &Diagnosis, clock: &Clock) -> String {
    let at = diagnosis.at;
    match &diagnosis.issuance {
        Issuance::Works { .. } if diagnosis.is_idle() => {
            "An expired trust anchor is still published, and nothing depends on it: no outage, though `linkerd check` fails"
                .to_owned()
        }
        Issuance::Works { .. } if !diagnosis.also.is_empty() => {
            "Nothing has expired, and yet something is broken".to_owned()
        }
        Issuance::Works { until } if diagnosis.unknown.is_empty() => {
            format!("Nothing has expired; proxies get leaves until {}", clock.when(*until))
        }
        Issuance::Works { .. } | Issuance::Unknown => {
            let found = if diagnosis.expired.is_empty() { "Nothing that was read has" } else { "Something has" };
            format!("{found} expired, and whether proxies get leaves cannot be told")
        }
        Issuance::Refused(refusal) => {
            let when = match begins(refusal) {
                Some(begin) => format!(" before {}", clock.when(begin)),
                None => ", whatever the time".to_owned(),
            };
            let expired = if diagnosis.expired.is_empty() { "Nothing has expired, and yet" } else { "Expired, and" };
            format!("{expired} the published bundle does not accept the issuer{when}")
        }
        Issuance::Stopped(stopped) => match stopped.presented.left(at) {
            Left::None => "Expired: every leaf has ended, and no new connection between proxies works".to_owned(),
            Left::Some => format!("Expired: leaves are running out, the last by {}", clock.when(stopped.presented.last)),
            Left::All => {
                let first = stopped.presented.first.unwrap_or(stopped.presented.last);
                format!("Expired: no leaf is issued any more; those in use begin to run out {}", clock.when(first))
            }
        },
    }
}

/// When what is refused because it has not begun begins.
fn begins(refusal: &Refusal) -> Option<Timestamp> {
    match refusal {
        Refusal::NotYetValid { not_before, .. } => Some(*not_before),
        Refusal::UnknownIssuer { candidate: Some(candidate), .. } => begins(&candidate.because),
        _ => None,
    }
}

/// What does not work at this moment.
pub(super) fn broken(diagnosis: &Diagnosis, clock: &Clock) -> Vec<String> {
    match &diagnosis.issuance {
        Issuance::Works { .. } => diagnosis.also.clone(),
        Issuance::Refused(refusal) => vec![format!(
            "an identity controller that restarts does not come up: {refusal}; those that run may sign with the issuer before it"
        )],
        Issuance::Unknown => Vec::new(),
        Issuance::Stopped(stopped) => stopped_lines(stopped, clock),
    }
}

fn stopped_lines(stopped: &Stopped, clock: &Clock) -> Vec<String> {
    let at = clock.at;
    let ended: Vec<_> = stopped
        .because
        .iter()
        .map(|part| format!("{} `{}`", role(part.role), part.certificate.name()))
        .collect();
    let latest = if stopped.exact { "" } else { ", at the latest" };
    let issuing = format!(
        "no leaf is issued since {}{latest}, the end of {}",
        clock.when(stopped.since),
        ended.join(" and of ")
    );
    let restart = stopped
        .no_start
        .as_ref()
        .map(|refusal| format!("an identity controller that restarts does not come up: {refusal}"));
    let ending = stopped.presented.first.filter(|first| at > *first && *first < stopped.presented.last);
    let ending = ending.map(|first| {
        format!(
            "leaves run out since {}; a proxy whose leaf has ended is refused by all others",
            clock.when(first)
        )
    });
    let over = (stopped.presented.left(at) == Left::None).then(|| {
        format!(
            "every leaf has ended by {}: every new connection between proxies fails, open ones go on until they close",
            clock.when(stopped.presented.last)
        )
    });
    let all_over = over.is_some();
    let without_certificate = without_certificate(&stopped.without_certificate).filter(|_| !all_over);
    [Some(issuing), restart, without_certificate, ending.filter(|_| !all_over), over]
        .into_iter()
        .flatten()
        .collect()
}

fn without_certificate(without_certificate: &WithoutCertificate) -> Option<String> {
    let some = |number: u64| count(number, "proxy", "proxies");
    let unknown = match without_certificate.unknown {
        0 => String::new(),
        unknown => format!("; {} did not tell when they started", some(unknown)),
    };
    match without_certificate.count {
        0 if unknown.is_empty() => None,
        0 => Some(format!("proxies that started since have no leaf{unknown}")),
        started => Some(format!(
            "{} that started since {} no leaf: {}{unknown}",
            some(started),
            if started == 1 { "has" } else { "have" },
            first(&without_certificate.workloads, 3)
        )),
    }
}

/// What works still, and until when.
pub(super) fn holds(diagnosis: &Diagnosis, clock: &Clock) -> Vec<String> {
    let Issuance::Stopped(stopped) = &diagnosis.issuance else { return Vec::new() };
    let (leaves, at) = (stopped.presented, diagnosis.at);
    let left = leaves.left(at);
    if left == Left::None {
        return Vec::new();
    }
    let all = leaves.first.filter(|_| left == Left::All).map(|first| {
        format!(
            "until {}: every leaf that a proxy renewed whenever it should (at 70% of its life)",
            clock.when(first)
        )
    });
    let last = format!("until {}: the last leaf that there can be", clock.when(leaves.last));
    let open = "connections that are open go on until they close, whatever ends meanwhile".to_owned();
    let keep = "restart nothing and drain no node before the new issuer is merged: what starts gets no leaf"
        .to_owned();
    all.into_iter().chain([last, open, keep]).collect()
}

/// What ends within 60 days, or else the first to end.
pub(super) fn ending(diagnosis: &Diagnosis) -> &[Part] {
    let soon = diagnosis.valid.iter().take_while(|part| is_soon(&part.certificate, diagnosis.at)).count();
    &diagnosis.valid[..soon.max(1).min(diagnosis.valid.len())]
}

fn is_soon(certificate: &Certificate, at: Timestamp) -> bool {
    at.duration_until(certificate.facts().not_after) < EXPIRY_THRESHOLD
}

/// The way back.
pub(super) struct Told {
    pub(super) title: &'static str,
    pub(super) lines: Vec<String>,
}

pub(super) fn way(diagnosis: &Diagnosis, clock: &Clock) -> Told {
    let told = |title, lines| Told { title, lines };
    let candidates = match &diagnosis.way {
        Way::Nothing => return told("none is needed", Vec::new()),
        Way::Repair => {
            return told("put back an issuer that the bundle accepts, or publish its anchor", Vec::new());
        }
        Way::Unknown => return told("not known", Vec::new()),
        Way::Prune => return told("an ordinary commit", prune(diagnosis)),
        Way::Replace(candidates) => candidates,
    };
    let alone = diagnosis.fit().next().is_some();
    let mut lines = automated(diagnosis);
    lines.extend(trim(diagnosis));
    lines.extend(candidates.iter().map(|one| candidate(one, clock)));
    if candidates.is_empty() {
        lines.push("the issuer alone is not enough: no published trust anchor is valid any more".to_owned());
    }
    lines.extend(steps(alone).into_iter().zip(1..).map(|(step, number)| step_line(number, step)));
    let pace = if alone {
        "2 when 1 is in the cluster, 3 when 2 is done"
    } else {
        "2 right after 1, 3 when both are in the cluster, 4 when 3 is done"
    };
    lines.push(pace.to_owned());
    lines.push(downtime(diagnosis, alone, clock));
    lines.extend(renewable(diagnosis));
    told(
        if alone {
            "a new issuer, if you have its anchor's key"
        } else {
            "a new trust anchor and a new issuer"
        },
        lines,
    )
}

fn prune(diagnosis: &Diagnosis) -> Vec<String> {
    let names: Vec<_> =
        diagnosis.expired.iter().map(|part| part.certificate.fingerprint().short().to_string()).collect();
    let mut lines = automated(diagnosis);
    lines.extend([
        format!(
            "take {} out of the published bundle: with phase prune of the rotation that brought its successor, or by hand",
            names.join(" and ")
        ),
        "there is no hurry: proxies do not look at an anchor's validity, and the identity controller has another; it may go \
         when no leaf of an issuer of it is left"
            .to_owned(),
    ]);
    lines
}

fn trim(diagnosis: &Diagnosis) -> Vec<String> {
    let names: Vec<_> = diagnosis
        .trim
        .iter()
        .map(|one| format!("`{}` ({})", one.name(), one.fingerprint().short()))
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "shortest: take {} out of the issuer's file in the Secret; the issuer itself is good, and leaves are only capped by what \
         stands behind it",
        names.join(" and ")
    )]
}

/// Who would put back what is changed.
fn automated(diagnosis: &Diagnosis) -> Vec<String> {
    let line = |(object, owner): &(ObjectRef, Owner)| {
        format!(
            "{object} is made by {owner}, which would put it back: what it makes it from must change instead"
        )
    };
    diagnosis.automated.iter().map(line).collect()
}

/// The way that needs nobody to learn anything, for whoever has the key of the anchor that is over.
fn renewable(diagnosis: &Diagnosis) -> Option<String> {
    let Issuance::Stopped(stopped) = &diagnosis.issuance else { return None };
    let names: Vec<_> = diagnosis.renewable.iter().map(|one| one.fingerprint().short().to_string()).collect();
    let (gain, then) = match stopped.presented.left(diagnosis.at) {
        Left::All => ("without downtime", "what has no leaf"),
        Left::Some => ("with less downtime", "what has no leaf"),
        Left::None => ("with less to change", "everything else"),
    };
    (!names.is_empty()).then(|| {
        format!(
            "{gain}, if you have the key of {}: sign that anchor anew with its own key, the same subject to the byte and a later \
             end, publish it instead, restart the control plane, then {then}; proxies know an anchor by subject and key, and the \
             issuer stays. It is not rendered here: see what `verify --proposed` says of it",
            names.join(" or ")
        )
    })
}

fn candidate(candidate: &Candidate, clock: &Clock) -> String {
    let Candidate { anchor, signed_present, standing } = candidate;
    let named = format!("trust anchor {} {}", anchor.name(), anchor.fingerprint().short());
    match standing {
        Standing::Fit | Standing::FitUnseen => {
            let held = match standing {
                Standing::Fit => "and held by every proxy that was seen",
                _ => "and whether every proxy holds it cannot be told without pods",
            };
            let known = if *signed_present { "; it signed the present issuer" } else { "" };
            let end = clock.when(anchor.facts().not_after);
            let soon = if is_soon(anchor, clock.at) {
                ", soon: a new issuer ends with it, so rotate both right after"
            } else {
                ""
            };
            format!("{named} is published, {held}{known}; it ends {end}{soon}")
        }
        Standing::NotBefore(begin) => {
            format!("not by {named}: it is not valid before {}", clock.when(*begin))
        }
        Standing::NotACa => format!("not by {named}: it is no CA certificate"),
        Standing::Lacking { proxies, sample } => format!(
            "not by {named}: {} may not hold it ({}, …)",
            count(*proxies, "proxy", "proxies"),
            first(sample, 3)
        ),
    }
}

fn step_line(number: usize, step: Step) -> String {
    let does = match (step.phase, step.stage) {
        (_, Stage::Trust) => "publish the new anchor, alone",
        (Phase::Issuer, Stage::Issuer) => "put the new issuer into the Secret",
        (_, Stage::ControlPlane) => "restart the identity controller",
        _ => "restart everything else",
    };
    format!("{number}. {:<24}{does}", step.to_string())
}

/// What the way back costs.
pub(super) fn downtime(diagnosis: &Diagnosis, alone: bool, clock: &Clock) -> String {
    let (over, first) = match &diagnosis.issuance {
        Issuance::Stopped(Stopped { presented: leaves, .. }) => {
            (leaves.left(diagnosis.at) == Left::None, leaves.first.filter(|first| diagnosis.at <= *first))
        }
        _ => (false, None),
    };
    let choice = first.filter(|_| !over && !alone).map_or_else(String::new, |first| {
        format!("; until {} you may choose when it begins", clock.when(first))
    });
    let cost = match (over, alone) {
        (true, true) => {
            "downtime: it is there already, and ends workload by workload as they restart; nothing else breaks"
        }
        (true, false) => {
            "downtime: it is there already; each pod that restarts works with those that restarted before it, and the last ends it"
        }
        (false, true) => {
            "downtime: none for proxies whose leaf holds, old and new leaves are accepted by all; the others are back when they restart"
        }
        (false, false) => {
            "downtime: from the first pod that restarts until the last has: those that have restarted and those that have not \
             refuse each other"
        }
    };
    format!("{cost}{choice}")
}

/// What the diagnosis lacks, and what it says nothing of.
pub(super) fn not_known(diagnosis: &Diagnosis) -> Vec<String> {
    diagnosis.unknown.iter().chain(&diagnosis.unseen).cloned().collect()
}

/// What is to be done first, where nothing is to be replaced.
pub(super) fn needs_reading(diagnosis: &Diagnosis) -> bool {
    !diagnosis.unknown.is_empty() && !is_broken(diagnosis)
}
