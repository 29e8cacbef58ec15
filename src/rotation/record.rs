//! The rotation record: what one rotation sets out to do, without any private key.

mod files;
mod start;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Phase, Step};
use crate::mesh::{Issuer, Mesh, Published};
use crate::pki::{Bundle, Certificate, IssuerChain, Rules};

pub use files::{
    ANCHOR_FILE, ANCHOR_KEY_FILE, ISSUER_FILE, ISSUER_KEY_FILE, OLD_ANCHORS_FILE, OLD_ISSUER_FILE,
    RECORD_FILE, RecordError, TRUST_BUNDLE_FILE,
};
pub use start::StartError;
pub(super) use start::published_bundle;

/// One rotation, as `rotation.yaml` and the certificates beside it hold it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When it was started; whole seconds.
    pub started: Timestamp,
    /// The control plane's namespace.
    pub namespace: String,
    /// The trust domain.
    pub trust_domain: String,
    /// The order of steps.
    pub strategy: Strategy,
    /// The anchors that were published when it was started.
    pub old: Bundle,
    /// What is replaced.
    pub scope: Scope,
    /// The issuer that was in the Secret when it was started, where that could be read.
    pub old_issuer: Option<IssuerChain>,
    /// The new issuer with its intermediates.
    pub issuer: IssuerChain,
}

/// What a rotation replaces.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// Trust anchor and issuer: all three phases.
    Full {
        /// The new anchor.
        anchor: Certificate,
    },
    /// The issuer alone, signed by an anchor that is already published: phase `issuer` only.
    IssuerOnly,
}

/// The order of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The guide's: restart the data plane in each phase.
    Staged,
    /// As `staged`, but leaf lifetimes are waited out instead of a data-plane restart after the issuer swap.
    Patient,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Self; 2] = [Self::Staged, Self::Patient];
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Staged => "staged",
            Self::Patient => "patient",
        })
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.to_string() == text)
            .ok_or_else(|| format!("`{text}` is not a strategy (staged, patient)"))
    }
}

impl Record {
    /// The new anchor; `None` where only the issuer is replaced.
    #[must_use]
    pub const fn anchor(&self) -> Option<&Certificate> {
        match &self.scope {
            Scope::Full { anchor } => Some(anchor),
            Scope::IssuerOnly => None,
        }
    }

    /// The steps of this rotation in order.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        match self.scope {
            Scope::Full { .. } => Phase::ALL.into_iter().flat_map(Phase::steps).collect(),
            Scope::IssuerOnly => Phase::Issuer.steps().to_vec(),
        }
    }

    /// The anchors that a phase is about, by the record alone: old and new until `prune`, then the new one.
    #[must_use]
    pub fn anchors_of(&self, phase: Phase) -> Bundle {
        match (self.anchor(), phase) {
            (None, _) => self.old.clone(),
            (Some(anchor), Phase::Bundle | Phase::Issuer) => self.old.union(std::slice::from_ref(anchor)),
            (Some(anchor), Phase::Prune) => alone(anchor),
        }
    }

    /// The bundle that a phase publishes: old and new anchors until `prune`, then the new anchor only. In the phases before
    /// `prune` nothing that the mesh publishes is dropped, even if the record does not know it; once `prune` has been
    /// published, they no longer bring the old anchors back.
    #[must_use]
    pub fn bundle_for(&self, phase: Phase, mesh: &Mesh) -> Bundle {
        let wanted = self.anchors_of(phase);
        match mesh.trust.published.as_option() {
            _ if self.is_pruned(mesh) => self.anchors_of(Phase::Prune),
            Some(published) if phase != Phase::Prune => {
                Bundle::new(readings(published).flat_map(Bundle::anchors).cloned())
                    .map_or_else(|| wanted.clone(), |published| published.union(wanted.anchors()))
            }
            _ => wanted,
        }
    }

    /// Does the mesh publish the new anchor only, with the issuer Secret not known to hold another issuer? Then `prune` has
    /// begun, and the phases before it are over.
    #[must_use]
    pub fn is_pruned(&self, mesh: &Mesh) -> bool {
        let (Some(anchor), Some(published)) = (self.anchor(), mesh.trust.published.as_option()) else {
            return false;
        };
        let other_issuer = secret_chain(mesh).is_some_and(|chain| chain.issuer != self.issuer.issuer);
        both_readings(published, |bundle| bundle.same_set(&alone(anchor))) && !other_issuer
    }
}

/// The chain in the issuer Secret, where it is known.
pub(super) fn secret_chain(mesh: &Mesh) -> Option<&IssuerChain> {
    mesh.issuer
        .as_option()
        .filter(|issuer| issuer.from_secret)
        .and_then(|Issuer { chain, .. }| chain.as_ref().ok())
}

/// What each of Linkerd's two readers gets from the published text.
pub(super) fn readings(published: &Published) -> impl Iterator<Item = &Bundle> {
    [Rules::Controller, Rules::Proxy].into_iter().filter_map(|rules| published.text.as_read_by(rules).ok())
}

/// Does it hold for what either reader gets, neither refusing the text?
pub(super) fn both_readings(published: &Published, holds: impl Fn(&Bundle) -> bool) -> bool {
    [Rules::Controller, Rules::Proxy]
        .into_iter()
        .all(|rules| published.text.as_read_by(rules).is_ok_and(&holds))
}

#[expect(clippy::expect_used, reason = "a bundle of one anchor is never empty")]
fn alone(anchor: &Certificate) -> Bundle {
    Bundle::new([anchor.clone()]).expect("one anchor")
}
