//! The possible states: every bundle that may be held, and every chain that may be presented, at one instant.

mod class;
mod history;
mod moved;
mod observed;
mod violations;

use jiff::Timestamp;

use crate::mesh::WorkloadId;
use crate::pki::{Bundle, IssuerChain, Refusal, Rules};
use class::Classes;
pub use history::History;

/// What may be in use. Where something cannot be told, every possibility is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct States {
    /// The DNS name that name constraints are asked with.
    pub identity: String,
    /// Bundles that proxies hold, or may hold; each once.
    pub bundles: Vec<Holding<Bundle>>,
    /// Chains that proxies may present their leaf with; each once.
    pub presented: Vec<Holding<IssuerChain>>,
    /// What identity controllers may have loaded: the bundle of their start, the issuer that they sign with.
    pub controllers: Vec<Holding<(Bundle, IssuerChain)>>,
    /// The bundle that is published, and so what the injector hands out and what a restarted controller reads.
    pub published: Option<Bundle>,
    /// The issuer in the Secret: what a restarted identity controller loads.
    pub issuer: Option<IssuerChain>,
    /// Why an identity controller that restarts would not read the published text, where it would not.
    pub unreadable: Option<String>,
    /// What could not be seen, by name.
    pub unseen: Vec<String>,
    /// Who holds what, class by class: what the lists above are summed up from.
    classes: Classes,
}

/// A possibility and those it is true of.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding<T> {
    /// The bundle, chain or pair.
    pub what: T,
    /// How many proxies or replicas hold it, or may; 0 where none was seen.
    pub count: u64,
    /// The first few pods of their groups, as `namespace/pod`.
    pub sample: Vec<String>,
    /// Their workloads.
    pub workloads: Vec<WorkloadId>,
    /// Does one of them hold it for sure, or may each hold something else?
    pub certain: bool,
    /// The last instant at which it can still be so (a leaf that runs out), where there is one.
    pub until: Option<Timestamp>,
}

/// Two sides that cannot work together.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Which of the standing invariants does not hold.
    pub invariant: Invariant,
    /// Index into [`States::bundles`] (or the controller's own bundle, or the published one, by the invariant).
    pub bundle: Option<usize>,
    /// Index into [`States::presented`] or [`States::controllers`], by the invariant.
    pub chain: Option<usize>,
    /// Under whose rules.
    pub rules: Rules,
    /// The reason, as the verifier gives it.
    pub refusal: Refusal,
    /// Is it so in every possible world, or only in some?
    pub certain: bool,
}

/// The standing invariants of trust (S1 to S4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// S1: the published bundle accepts the Secret's issuer, so that an identity controller that restarts comes up.
    ControllerStarts,
    /// S2: every proxy accepts every leaf that may be presented to it.
    EveryPair,
    /// S3: every proxy accepts the leaf that any identity controller would sign for it now.
    EveryRenewal,
    /// S4: every identity controller still accepts its own issuer.
    ControllerSigns,
}
