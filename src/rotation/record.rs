//! The rotation record: what one rotation sets out to do, without any private key.

mod cross;
mod error;
mod files;
mod managed;
mod start;

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Direction;
use crate::pki::{Bundle, Certificate, IssuerChain};

pub(super) use cross::cross_expires_too_soon;
pub use cross::{CrossError, anchor_of_key};
pub use error::RecordError;
pub use files::{
    ANCHOR_FILE, ANCHOR_KEY_FILE, ISSUER_CHAIN_FILE, ISSUER_FILE, ISSUER_KEY_FILE, OLD_ANCHORS_FILE,
    OLD_ISSUER_FILE, RECORD_FILE, TRUST_BUNDLE_FILE,
};
pub use managed::{Managed, ManagedAnchor, ManagedError, NewSigner, OutsideAnchor, Signing};
pub(super) use start::published_bundle;
pub use start::{BundleGap, StartError};

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
    /// The new issuer with its intermediates, the cross certificate not among them.
    pub issuer: IssuerChain,
    /// The new anchor signed by the key of an old one: with it, whoever holds only the old anchor accepts the new issuer.
    pub cross: Option<Certificate>,
    /// The objects of cert-manager that it changes, where that makes the certificates.
    pub managed: Option<Managed>,
    /// Which way it is gone through; asked for each time, and never written down.
    pub direction: Direction,
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
    /// Trust anchor and issuer, both to be minted by cert-manager: nothing but the first step is known yet.
    Awaited,
}

/// The order of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Linkerd's guide: the data plane restarts in each phase
    Staged,
    /// Lifetimes of workload certificates are waited out after the issuer phase instead of a restart
    Patient,
    /// The new issuer first, cross-signed with --old-anchor-key; workloads load the new anchor when they restart on their own
    CrossSigned,
    /// cert-manager mints anchor and issuer; its own objects change, and trust-manager's (the default where they make them)
    Managed,
    /// For a mesh whose certificates have expired: the shortest way, with downtime
    #[value(skip)]
    Recover,
}

/// Why a rotation cannot be rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRollback {
    /// What was there before has expired.
    #[error("what this rotation replaces has expired: there is nothing to roll back to")]
    Expired,
    /// The record does not say what was in the Secret.
    #[error(
        "the record does not hold the issuer that was replaced, as its Secret could not be read by `start`"
    )]
    IssuerUnknown,
}

impl NoRollback {
    /// The next thing to do.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Expired => "continue with `next`, or start a new rotation in another directory",
            Self::IssuerUnknown => {
                "revert the commits of the rotation in Git, the last one first, and hold each against the mesh with `verify`"
            }
        }
    }
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Self; 5] = [Self::Staged, Self::Patient, Self::CrossSigned, Self::Managed, Self::Recover];

    /// Are workload certificates of the old issuer left to expire, instead of a restart of the data plane?
    #[must_use]
    pub const fn waits_for_renewal(self) -> bool {
        matches!(self, Self::Patient | Self::CrossSigned | Self::Managed)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Staged => "staged",
            Self::Patient => "patient",
            Self::CrossSigned => "cross-signed",
            Self::Managed => "managed",
            Self::Recover => "recover",
        })
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|strategy| strategy.to_string() == text).ok_or_else(|| {
            format!("`{text}` is not a strategy (staged, patient, cross-signed, managed, recover)")
        })
    }
}

impl Record {
    /// The new anchor; `None` where only the issuer is replaced, or while cert-manager has not minted it.
    #[must_use]
    pub const fn anchor(&self) -> Option<&Certificate> {
        match &self.scope {
            Scope::Full { anchor } => Some(anchor),
            Scope::IssuerOnly | Scope::Awaited => None,
        }
    }

    /// The rollback: every phase to what was before it, the last phase first.
    ///
    /// # Errors
    /// A rotation that cannot be rolled back.
    pub fn rolled_back(self) -> Result<Self, NoRollback> {
        match (self.strategy, &self.old_issuer) {
            (Strategy::Recover, _) => Err(NoRollback::Expired),
            (Strategy::Managed, _) => Ok(Self { direction: Direction::Rollback, ..self }),
            (_, None) => Err(NoRollback::IssuerUnknown),
            _ => Ok(Self { direction: Direction::Rollback, ..self }),
        }
    }
}
