//! The checks of `linkerd check --proxy` for identity, and stricter ones of our own, over an observed mesh.

mod advice;
mod case;
mod certificates;
mod identity;
mod in_force;
mod own;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::document::ObjectRef;
use crate::finding::{CheckFact, Fact, Finding, KeyInFile, Place, Severity};
use crate::linkerd;
use crate::mesh::Mesh;
pub use advice::{Advice, advice};
use case::Case;
pub(crate) use certificates::{anchor_fault, chain_expires_soon, issuer_fault};
pub use in_force::InForce;
pub use own::difference;

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

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The check holds.
    Success,
    /// It does not hold (an error or a warning), or it could not be looked at (unknown).
    Found(Box<Finding>),
}

/// One check and its outcome. Checks that do not apply to the mesh are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    pub category: Category,
    /// The check's name: the hint anchor of Linkerd's own (`l5d-identity-…`), or ours in kebab-case.
    pub code: &'static str,
    pub outcome: Outcome,
}

/// What to evaluate by.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The instant to evaluate as of.
    pub at: Timestamp,
    /// Warn when a certificate expires sooner than this; Linkerd's own is 60 days.
    pub expiry_threshold: SignedDuration,
}

/// A check as a row of a table.
struct Rule {
    code: &'static str,
    /// The object that its findings are best shown at.
    object: Option<fn(&Mesh) -> ObjectRef>,
    judge: fn(&Case<'_>) -> Judged,
}

/// The outcome, or why there is none.
type Judged = Result<Outcome, Stop>;

/// Why a check has no outcome of its own.
enum Stop {
    /// It does not concern this mesh, or another check already says what is wrong.
    NotApplicable,
    /// It could not be looked at.
    Unknown(Box<Fact>),
}

impl Stop {
    fn unknown(fact: impl Into<Fact>) -> Self {
        Self::Unknown(Box::new(fact.into()))
    }
}

/// Runs every check that applies.
#[must_use]
pub fn run(mesh: &Mesh, options: Options) -> Vec<Checked> {
    let case = Case { mesh, options };
    let linkerds = identity::RULES.iter().map(|rule| (Category::Identity, rule));
    let data_plane = identity::DATA_PLANE_RULES.iter().map(|rule| (Category::IdentityDataPlane, rule));
    let own = own::RULES.iter().flat_map(|rules| rules.iter()).map(|rule| (Category::Own, rule));
    linkerds.chain(data_plane).chain(own).filter_map(|(category, rule)| rule.check(category, &case)).collect()
}

/// Why cert-manager does not renew what it should, as far as its objects say so.
#[must_use]
pub fn held_up(mesh: &Mesh, at: Timestamp) -> Vec<Finding> {
    let options = Options { at, expiry_threshold: linkerd::EXPIRY_THRESHOLD };
    own::held_up(&Case { mesh, options })
}

/// What comes of private keys in the files of a repository, which no mesh tells of.
#[must_use]
pub fn keys_in_files(keys: Vec<KeyInFile>) -> Checked {
    let has_anchors = keys.iter().any(|key| key.anchor.is_some());
    let found = |keys| {
        if has_anchors {
            error(CheckFact::PrivateKeysInFiles { keys })
        } else {
            warning(CheckFact::PrivateKeysInFiles { keys })
        }
    };
    Checked { category: Category::Own, code: "private-keys-in-files", outcome: unless_empty(keys, found) }
}

impl Rule {
    /// Runs the check; `None` where it does not apply.
    fn check(&self, category: Category, case: &Case<'_>) -> Option<Checked> {
        let outcome = match (self.judge)(case) {
            Ok(Outcome::Found(finding)) => Outcome::found(self.placed(*finding, case.mesh)),
            Ok(Outcome::Success) => Outcome::Success,
            Err(Stop::Unknown(fact)) => {
                Outcome::found(self.placed(Finding::new(Severity::Unknown, *fact), case.mesh))
            }
            Err(Stop::NotApplicable) => return None,
        };
        Some(Checked { category, code: self.code, outcome })
    }

    fn placed(&self, finding: Finding, mesh: &Mesh) -> Finding {
        let object = self.object.map(|object| object(mesh));
        match object.and_then(|object| mesh.manifest(&object.kind, &object.namespace, &object.name)) {
            Some(manifest) => {
                finding.at(Place { object: manifest.object.clone(), origin: manifest.origin.clone() })
            }
            None => finding,
        }
    }
}

impl Outcome {
    fn found(finding: Finding) -> Self {
        Self::Found(Box::new(finding))
    }

    /// What was found, where the check does not hold.
    #[must_use]
    pub fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Success => None,
            Self::Found(finding) => Some(finding),
        }
    }
}

impl Checked {
    /// What was found, where the check does not hold.
    #[must_use]
    pub fn finding(&self) -> Option<&Finding> {
        self.outcome.finding()
    }
}

/// A finding that exits with 1.
fn error(fact: impl Into<Fact>) -> Outcome {
    Outcome::found(Finding::new(Severity::Error, fact))
}

/// A finding that exits with 1 only on `--fail-on warning`.
fn warning(fact: impl Into<Fact>) -> Outcome {
    Outcome::found(Finding::new(Severity::Warning, fact))
}

/// Success where nothing is listed.
fn unless_empty<T>(list: Vec<T>, found: impl FnOnce(Vec<T>) -> Outcome) -> Outcome {
    if list.is_empty() { Outcome::Success } else { found(list) }
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
