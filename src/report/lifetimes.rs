//! Certificates as a picture and a table that tell old from new.

use jiff::{SignedDuration, Timestamp};

use super::Screen;
use super::gantt::{Axis, Bar, Look, Section, gantt};
use super::markdown::{escaped, table};
use crate::pki::{Bundle, Certificate, IssuerChain};
use crate::rotation::{Change, PlannedStep, Record};

/// A certificate, and what becomes of it.
pub(super) struct Part<'a> {
    pub(super) role: &'static str,
    pub(super) is_anchor: bool,
    pub(super) look: Look,
    pub(super) fate: Fate,
    pub(super) certificate: &'a Certificate,
}

/// What a change makes of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Added,
    Removed,
    Stays,
    NotInUse,
}

impl Fate {
    pub(super) const fn of(before: bool, after: bool) -> Self {
        match (before, after) {
            (false, true) => Self::Added,
            (true, false) => Self::Removed,
            (true, true) => Self::Stays,
            (false, false) => Self::NotInUse,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Added => "**added**",
            Self::Removed => "**removed**",
            Self::Stays => "stays",
            Self::NotInUse => "not in use",
        }
    }

    const fn now(self) -> &'static str {
        match self {
            Self::Stays | Self::Removed => "in use",
            Self::Added | Self::NotInUse => "not in use",
        }
    }
}

/// What is published and what is in the issuer's Secret.
#[derive(Clone, Copy)]
pub(super) struct InUse<'a> {
    pub(super) bundle: Option<&'a Bundle>,
    pub(super) chain: Option<&'a IssuerChain>,
}

impl<'a> InUse<'a> {
    fn has(&self, certificate: &Certificate) -> bool {
        let published = self.bundle.is_some_and(|bundle| bundle.contains(certificate));
        published || self.chain.is_some_and(|chain| chain.certificates().any(|one| one == certificate))
    }

    /// The same once a step is merged.
    pub(super) fn after(mut self, planned: &'a PlannedStep) -> Self {
        for change in &planned.changes {
            match change {
                Change::Publish(bundle) => self.bundle = Some(bundle),
                Change::Swap { chain, .. } => self.chain = Some(chain),
                Change::Managed(_) => {}
                Change::ControlPlane { .. } | Change::Restart { .. } => {}
            }
        }
        self
    }
}

/// The certificates of a rotation, the old ones first.
pub(super) fn of_rotation<'a>(record: &'a Record, before: InUse<'_>, after: InUse<'_>) -> Vec<Part<'a>> {
    let part = |role, is_anchor, look, certificate| {
        let fate = Fate::of(before.has(certificate), after.has(certificate));
        Part { role, is_anchor, look, fate, certificate }
    };
    let (role, look) = match record.anchor() {
        Some(_) => ("Old trust anchor", Look::Old),
        None => ("Trust anchor", Look::Plain),
    };
    let mut parts: Vec<_> =
        record.old.anchors().iter().map(|anchor| part(role, true, look, anchor)).collect();
    parts.extend(record.anchor().map(|anchor| part("New trust anchor", true, Look::New, anchor)));
    let old = record.old_issuer.as_ref().map(|chain| &chain.issuer);
    parts.extend(old.map(|issuer| part("Old issuer", false, Look::Old, issuer)));
    parts.push(part("New issuer", false, Look::New, &record.issuer.issuer));
    parts.extend(record.cross.as_ref().map(|cross| part("Cross certificate", false, Look::New, cross)));
    parts
}

/// How long the certificates are valid, with their ends by name where these are far away.
pub(super) fn picture(parts: &[Part<'_>], at: Timestamp) -> String {
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let begin = at.checked_sub(days(400)).unwrap_or(Timestamp::MIN);
    let near = at.checked_add(days(400)).unwrap_or(Timestamp::MAX);
    let bars = |is_anchor: bool| {
        let shown = parts.iter().filter(|part| part.is_anchor == is_anchor);
        shown.filter_map(|part| bar(part, begin, near)).collect()
    };
    let sections =
        [Section { name: "Trust anchors", bars: bars(true) }, Section { name: "Issuers", bars: bars(false) }];
    gantt("How long certificates are valid (UTC)", Axis::Days, &sections)
}

fn bar(part: &Part<'_>, begin: Timestamp, near: Timestamp) -> Option<Bar> {
    let facts = part.certificate.facts();
    let (from, to) = (facts.not_before.max(begin), facts.not_after.min(near));
    if from >= to {
        return None;
    }
    let end = Screen::utc(facts.not_after).date(facts.not_after);
    let name = format!("{} {} until {end}", part.role, part.certificate.fingerprint().short());
    Some(Bar { name, look: part.look, from, to })
}

/// The same as a table, with which of them are in use.
pub(super) fn listed_now(parts: &[Part<'_>], screen: &Screen) -> String {
    table(&["certificate", "now", "name", "fingerprint", "valid until"], &rows(parts, Fate::now, screen))
}

/// The same as a table, with what becomes of each.
pub(super) fn listed(parts: &[Part<'_>], screen: &Screen) -> String {
    table(
        &["certificate", "with this change", "name", "fingerprint", "valid until"],
        &rows(parts, Fate::word, screen),
    )
}

fn rows(parts: &[Part<'_>], word: fn(Fate) -> &'static str, screen: &Screen) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for part in parts {
        let certificate = part.certificate;
        rows.push(vec![
            part.role.to_owned(),
            word(part.fate).to_owned(),
            escaped(certificate.name()),
            format!("`{}`", certificate.fingerprint().short()),
            escaped(&screen.plain(certificate.facts().not_after)),
        ]);
    }
    rows
}
