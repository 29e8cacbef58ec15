//! The shortest remedy.

use jiff::Timestamp;
use serde::Serialize;

use super::parts::Parts;
use super::{Issuance, Part};
use crate::finding::Pods;
use crate::mesh::Mesh;
use crate::pki::{Bundle, Certificate, Rules, accepts};
use crate::rotation::{Phase, Stage, Step};
use crate::states::{Holding, States};

/// What mends a mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing has expired: an ordinary rotation, in time.
    None,
    /// What has expired are anchors that nothing depends on: they leave the bundle in an ordinary commit.
    Prune,
    /// A new issuer, signed by one of these published anchors where one is eligible and its key is there; else a new anchor too.
    /// The anchor that signed the present issuer comes first.
    Replace(Vec<Signer>),
    /// Expired certificates behind the issuer leave its file, and everything restarts: whoever starts accepts the issuer without
    /// them, and nothing is minted.
    RemoveExpired,
    /// The published bundle does not accept the issuer, and not because of time.
    Repair,
    /// Too little is known.
    Unknown,
}

/// A published anchor that has not expired, as the signer of a new issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The anchor.
    pub anchor: Certificate,
    /// Is the present issuer of it, so that its key may be at hand?
    pub signed_present: bool,
    /// May it sign alone?
    pub eligibility: Eligibility,
}

impl Signer {
    /// May it sign alone, as far as was seen?
    #[must_use]
    pub const fn is_eligible(&self) -> bool {
        matches!(self.eligibility, Eligibility::Eligible | Eligibility::EligibleUnseen)
    }
}

/// Would every proxy that was seen accept the workload certificates of a new issuer that an anchor signs?
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Eligibility {
    /// It would.
    Eligible,
    /// No proxy was seen that would not, nor any other: the input holds no pods.
    EligibleUnseen,
    /// The anchor is not valid yet.
    NotYetValid { not_before: Timestamp },
    /// The anchor is not a CA certificate.
    NotACa,
    /// These proxies may not hold it.
    NotHeld { by: Pods },
}

/// The steps of a recovery in order, as strategy `recover` has them: with an anchor that everybody holds, the issuer's alone.
#[must_use]
pub fn steps(issuer_alone: bool) -> Vec<Step> {
    let step = |phase| move |stage| Step { phase, stage };
    let issuer = [Stage::Issuer, Stage::ControlPlane, Stage::DataPlane].map(step(Phase::Issuer));
    let publish = (!issuer_alone).then_some(Stage::Trust).map(step(Phase::Bundle));
    publish.into_iter().chain(issuer).collect()
}

pub(super) fn of(
    mesh: &Mesh,
    parts: &Parts,
    issuance: &Issuance,
    expired: &[Part],
    states: &States,
    at: Timestamp,
) -> Remedy {
    match issuance {
        Issuance::Works { .. } if expired.is_empty() => Remedy::None,
        Issuance::Works { .. } => Remedy::Prune,
        Issuance::Refused(_) if expired.is_empty() => Remedy::Repair,
        Issuance::Refused(_) | Issuance::Stopped(_) if !parts.unneeded(states, at).is_empty() => {
            Remedy::RemoveExpired
        }
        Issuance::Refused(_) | Issuance::Stopped(_) => match &parts.anchors {
            Some(anchors) => Remedy::Replace(signers(mesh, parts, anchors, states, at)),
            None => Remedy::Unknown,
        },
        Issuance::Unknown => Remedy::Unknown,
    }
}

fn signers(mesh: &Mesh, parts: &Parts, anchors: &Bundle, states: &States, at: Timestamp) -> Vec<Signer> {
    let signer = |anchor: &Certificate| Signer {
        anchor: anchor.clone(),
        signed_present: signed_present(parts, anchor, states),
        eligibility: eligibility(mesh, anchor, states, parts.pods, at),
    };
    let valid = anchors.anchors().iter().filter(|anchor| !anchor.is_expired_at(at));
    let mut signers: Vec<_> = valid.map(signer).collect();
    signers.sort_by_key(|one| (!one.is_eligible(), !one.signed_present));
    signers
}

/// Do proxies take the present issuer for one of this anchor, validity left aside?
fn signed_present(parts: &Parts, anchor: &Certificate, states: &States) -> bool {
    let (Some(chain), Some(alone)) = (&parts.chain, Bundle::new([anchor.clone()])) else { return false };
    let while_valid = chain.first_to_expire().facts().not_after;
    accepts(&alone, chain, &states.identity, while_valid, Rules::Proxy).is_ok()
}

fn eligibility(mesh: &Mesh, anchor: &Certificate, states: &States, pods: bool, at: Timestamp) -> Eligibility {
    let facts = anchor.facts();
    if facts.not_before > at {
        return Eligibility::NotYetValid { not_before: facts.not_before };
    }
    if !facts.is_ca {
        return Eligibility::NotACa;
    }
    let lacking: Vec<_> = states.bundles.iter().filter(|held| !held.what.contains(anchor)).collect();
    if !lacking.is_empty() {
        return Eligibility::NotHeld { by: proxies_of(mesh, &lacking) };
    }
    if pods { Eligibility::Eligible } else { Eligibility::EligibleUnseen }
}

/// How many of a list are named.
const NAMED: usize = 3;

fn proxies_of(mesh: &Mesh, holdings: &[&Holding<Bundle>]) -> Pods {
    let ids = holdings.iter().flat_map(|held| &held.workloads);
    let mut workloads: Vec<_> = ids.map(|id| mesh.workload(*id).object.clone()).collect();
    workloads.sort();
    workloads.dedup();
    Pods {
        count: holdings.iter().map(|held| held.count).sum(),
        sample: holdings.iter().flat_map(|held| held.sample.iter().cloned()).take(NAMED).collect(),
        workloads,
    }
}
