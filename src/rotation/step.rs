//! Phases and steps by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What one rotation goes through: the three headings of Linkerd's guide, and the end of a cross-signed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Publish the new anchor beside the old one.
    Bundle,
    /// Put the new issuer in place.
    Issuer,
    /// Remove the old anchor.
    Prune,
    /// Remove the cross certificate from the issuer file.
    Uncross,
}

/// What a step touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The published bundle and its copies.
    Trust,
    /// The issuer Secret and its copy.
    Issuer,
    /// The control plane's own pods.
    ControlPlane,
    /// Every other meshed workload.
    DataPlane,
}

/// One commit within a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Step {
    /// The phase it belongs to.
    pub phase: Phase,
    /// What it touches.
    pub stage: Stage,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Self; 4] = [Self::Bundle, Self::Issuer, Self::Prune, Self::Uncross];
}

impl Step {
    /// Its place within the phase, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self.stage {
            Stage::Trust | Stage::Issuer => 1,
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
            Self::Uncross => "uncross",
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trust => "trust",
            Self::Issuer => "issuer",
            Self::ControlPlane => "control-plane",
            Self::DataPlane => "data-plane",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.phase, self.directory())
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.to_string() == text)
            .ok_or_else(|| format!("`{text}` is not a phase (bundle, issuer, prune, uncross)"))
    }
}
