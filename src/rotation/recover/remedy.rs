//! The shortest way back.

use jiff::Timestamp;

use super::parts::{Parts, is_past};
use super::{Issuance, Part};
use crate::pki::{Bundle, Certificate, Rules, accepts};
use crate::rotation::{Phase, Stage, Step};
use crate::states::States;

/// What leads back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Nothing has expired: an ordinary rotation, in time.
    Nothing,
    /// What has expired are anchors that nothing depends on: they leave the bundle in an ordinary commit.
    Prune,
    /// A new issuer, signed by one of these published anchors where one is fit and its key is there; else a new anchor too.
    /// The anchor that carried the present issuer comes first.
    Replace(Vec<Candidate>),
    /// The published bundle does not accept the issuer, and not because of time.
    Repair,
    /// Too little is known.
    Unknown,
}

/// A published anchor that has not ended, as the signer of a new issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The anchor.
    pub anchor: Certificate,
    /// Is the present issuer of it, so that its key may be at hand?
    pub signed_present: bool,
    /// May it sign alone?
    pub standing: Standing,
}

impl Candidate {
    /// May it sign alone, as far as was seen?
    #[must_use]
    pub const fn is_fit(&self) -> bool {
        matches!(self.standing, Standing::Fit | Standing::FitUnseen)
    }
}

/// Whether leaves of a new issuer of an anchor would be accepted by every proxy that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// They would.
    Fit,
    /// Nobody was seen who would not, nor anybody else: the input holds no pods.
    FitUnseen,
    /// It is not valid before this instant.
    NotBefore(Timestamp),
    /// It is not a CA certificate.
    NotACa,
    /// Proxies do not hold it.
    Lacking {
        /// How many, as far as it is known.
        proxies: u64,
        /// The first few, as `namespace/pod`.
        sample: Vec<String>,
    },
}

/// The steps of the way back in order, as strategy `recover` has them: with an anchor that everybody holds, the issuer's alone.
#[must_use]
pub fn steps(issuer_alone: bool) -> Vec<Step> {
    let step = |phase| move |stage| Step { phase, stage };
    let issuer = [Stage::Issuer, Stage::ControlPlane, Stage::DataPlane].map(step(Phase::Issuer));
    let publish = (!issuer_alone).then_some(Stage::Trust).map(step(Phase::Bundle));
    publish.into_iter().chain(issuer).collect()
}

pub(super) fn of(
    parts: &Parts,
    issuance: &Issuance,
    expired: &[Part],
    states: &States,
    at: Timestamp,
) -> Way {
    match issuance {
        Issuance::Works { .. } if expired.is_empty() => Way::Nothing,
        Issuance::Works { .. } => Way::Prune,
        Issuance::Refused(_) if expired.is_empty() => Way::Repair,
        Issuance::Refused(_) | Issuance::Stopped(_) => parts
            .anchors
            .as_ref()
            .map_or(Way::Unknown, |anchors| Way::Replace(candidates(parts, anchors, states, at))),
        Issuance::Unknown => Way::Unknown,
    }
}

fn candidates(parts: &Parts, anchors: &Bundle, states: &States, at: Timestamp) -> Vec<Candidate> {
    let candidate = |anchor: &Certificate| Candidate {
        anchor: anchor.clone(),
        signed_present: signed_present(parts, anchor, states),
        standing: standing(anchor, states, parts.pods, at),
    };
    let mut candidates: Vec<_> =
        anchors.anchors().iter().filter(|anchor| !is_past(anchor, at)).map(candidate).collect();
    candidates.sort_by_key(|one| (!one.is_fit(), !one.signed_present));
    candidates
}

/// Do proxies take the present issuer for one of this anchor, validity left aside?
fn signed_present(parts: &Parts, anchor: &Certificate, states: &States) -> bool {
    let (Some(chain), Some(alone)) = (&parts.chain, Bundle::new([anchor.clone()])) else { return false };
    let while_valid = chain.first_to_expire().facts().not_after;
    accepts(&alone, chain, &states.identity, while_valid, Rules::Proxy).is_ok()
}

fn standing(anchor: &Certificate, states: &States, pods: bool, at: Timestamp) -> Standing {
    let facts = anchor.facts();
    let lacking: Vec<_> = states.bundles.iter().filter(|held| !held.what.contains(anchor)).collect();
    match lacking.as_slice() {
        _ if facts.not_before > at => Standing::NotBefore(facts.not_before),
        _ if !facts.is_ca => Standing::NotACa,
        [] if pods => Standing::Fit,
        [] => Standing::FitUnseen,
        lacking => Standing::Lacking {
            proxies: lacking.iter().map(|held| held.count).sum(),
            sample: lacking.iter().flat_map(|held| held.sample.iter().cloned()).take(3).collect(),
        },
    }
}
