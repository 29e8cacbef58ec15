//! A rotation's phases and steps, and what a human confirms of them, by name.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What one rotation goes through: the three headings of Linkerd's guide, and the end of a cross-signed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Publish the new anchor beside the old one, and restart what reads it
    Bundle,
    /// Put the new issuer in place
    Issuer,
    /// Remove the old anchor, and restart what reads it
    Prune,
    /// Remove the cross certificate from the issuer file (cross-signed rotations only)
    RemoveCross,
    /// Remove the old anchor's Certificate and its Issuer (managed rotations only)
    RemoveOld,
}

/// In which direction the phases are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the old anchors and issuer to the new ones.
    #[default]
    Forward,
    /// From the last phase to the first, each to what was before it.
    Rollback,
}

/// What a step touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The published bundle and its copies.
    Trust,
    /// The Secret that cert-manager's Issuer signs with.
    Signer,
    /// The issuer Secret and its copy.
    Issuer,
    /// The control plane's own pods.
    ControlPlane,
    /// Every other meshed workload.
    DataPlane,
    /// Objects of cert-manager that nothing needs any more.
    Objects,
}

/// One commit within a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    pub phase: Phase,
    pub stage: Stage,
}

/// Something that no input shows, confirmed by a human.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Confirmation {
    /// Proxies of ExternalWorkloads are as the step needs them
    ExternalWorkloads,
    /// Linked clusters are as far as the step needs them
    LinkedClusters,
    /// Every container of the control plane that may have read bundle and issuer as they are now has read them
    ControlPlaneRestarted,
    /// Every pod of the mesh is in the input
    AllPodsSeen,
    /// cert-manager renews neither anchor nor issuer before the rotation is finished
    RenewalSuspended,
    /// The next Helm or CLI upgrade of Linkerd publishes the anchors that are published now
    UpgradeKeepsBundle,
    /// The Issuer that the step names signs below the anchor of that step, whose key is kept outside of the cluster
    SignerOfAnchor,
}

impl Confirmation {
    /// Does it complete what is known of the mesh, rather than answer one finding?
    #[must_use]
    pub const fn completes_mesh(self) -> bool {
        matches!(self, Self::AllPodsSeen | Self::ControlPlaneRestarted)
    }
}

impl Stage {
    /// May another issuer sign workload certificates from then on?
    #[must_use]
    pub const fn is_about_issuer(self) -> bool {
        matches!(self, Self::Signer | Self::Issuer)
    }
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Self; 5] = [Self::Bundle, Self::Issuer, Self::Prune, Self::RemoveCross, Self::RemoveOld];
}

impl Step {
    /// Its place within the phase, from 1; 0 for what few rotations have before that.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self.stage {
            Stage::Signer => 0,
            Stage::Trust | Stage::Issuer | Stage::Objects => 1,
            Stage::ControlPlane => 2,
            Stage::DataPlane => 3,
        }
    }

    /// Its directory's name within the phase: `1-trust`, `2-control-plane`, …
    #[must_use]
    pub fn directory(self) -> String {
        format!("{}-{}", self.number(), self.stage)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bundle => "bundle",
            Self::Issuer => "issuer",
            Self::Prune => "prune",
            Self::RemoveCross => "remove-cross",
            Self::RemoveOld => "remove-old",
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trust => "trust",
            Self::Signer => "signer",
            Self::Issuer => "issuer",
            Self::ControlPlane => "control-plane",
            Self::DataPlane => "data-plane",
            Self::Objects => "objects",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.phase, self.directory())
    }
}

impl Serialize for Step {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExternalWorkloads => "external-workloads",
            Self::LinkedClusters => "linked-clusters",
            Self::ControlPlaneRestarted => "control-plane-restarted",
            Self::AllPodsSeen => "all-pods-seen",
            Self::RenewalSuspended => "renewal-suspended",
            Self::UpgradeKeepsBundle => "upgrade-keeps-bundle",
            Self::SignerOfAnchor => "signer-of-anchor",
        })
    }
}
