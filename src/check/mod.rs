//! The checks of `linkerd check --proxy` for identity, and stricter ones of our own, over an observed mesh.

mod advice;
mod algorithm;
mod case;
mod data_plane;
mod expiry;
mod identity;
mod own;
mod rule;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::mesh::Mesh;
pub use advice::{Advice, advice};
pub(crate) use algorithm::mind_anchor;
use case::Case;

/// A group of checks, in Linkerd's order, ours last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// `linkerd-identity`.
    Identity,
    /// `linkerd-identity-data-plane`.
    IdentityDataPlane,
    /// `l5d-rotate`: what the two above miss.
    Own,
}

/// How much a failed check matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Exit code stays 0 unless `--fail-on warning`.
    Warning,
    /// Exit code 1.
    Error,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Success,
    /// It does not, and why, with what to do; items of a list stand on lines of their own after a tab, as in Linkerd's.
    Failed(Severity, String),
    /// It could not be looked at: what is missing.
    Unknown(String),
}

/// One check and its outcome. Checks that do not apply to the mesh are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Which group.
    pub category: Category,
    /// The hint anchor: Linkerd's own (`l5d-identity-…`), or ours in kebab-case.
    pub code: &'static str,
    /// The sentence that holds or does not.
    pub description: String,
    /// What was found.
    pub outcome: Outcome,
}

/// What to judge by.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The instant to judge for.
    pub at: Timestamp,
    /// Warn when a certificate ends sooner than this; Linkerd's own is 60 days.
    pub expiry_threshold: SignedDuration,
}

/// Runs every check that applies.
#[must_use]
pub fn run(mesh: &Mesh, options: Options) -> Vec<Checked> {
    let case = Case { mesh, options };
    let own = own::RULES.iter().flat_map(|rules| rules.iter());
    let rules = (identity::RULES.iter().map(|rule| (Category::Identity, rule)))
        .chain(data_plane::RULES.iter().map(|rule| (Category::IdentityDataPlane, rule)))
        .chain(own.map(|rule| (Category::Own, rule)));
    rules.filter_map(|(category, rule)| rule.check(category, &case)).collect()
}

impl Checked {
    /// Where Linkerd explains the check; ours say in the message what to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        (self.category != Category::Own).then(|| format!("https://linkerd.io/2/checks/#{}", self.code))
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "linkerd-identity",
            Self::IdentityDataPlane => "linkerd-identity-data-plane",
            Self::Own => "l5d-rotate",
        })
    }
}
