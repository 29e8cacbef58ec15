//! The possible states: every bundle that may be held, and every chain that may be presented, at one instant.

mod class;
mod history;
mod moved;
mod observed;
mod violations;

use jiff::Timestamp;

use crate::finding::InputFact;
pub use crate::finding::Invariant;
use crate::mesh::WorkloadId;
use crate::pki::pem::Defect;
use crate::pki::{Bundle, Identity, IssuerChain, Refusal, Rules};
use class::Classes;
pub use history::History;

/// What may be in use. Where something cannot be told, every possibility is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct States {
    /// Whom verifiers ask for.
    pub identity: Identity,
    /// Bundles that proxies hold, or may hold; each once.
    pub bundles: Vec<Holding<Bundle>>,
    /// Chains that proxies may present their workload certificate with; each once.
    pub presented: Vec<Holding<IssuerChain>>,
    /// What identity controllers may have loaded: the bundle of their start, the issuer that they sign with.
    pub controllers: Vec<Holding<(Bundle, IssuerChain)>>,
    /// The bundle that is published, and so what the injector hands out and what a restarted controller reads.
    pub published: Option<Bundle>,
    /// The issuer in the Secret: what a restarted identity controller loads.
    pub issuer: Option<IssuerChain>,
    /// Why an identity controller that restarts does not read the published text, where it does not.
    pub unreadable: Option<Defect>,
    /// What is not known and may be in use.
    pub unseen: Vec<InputFact>,
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
    /// The same of the proxies of identity pods alone.
    pub by_identity: Certainty,
    /// The same of all other proxies.
    pub by_others: Certainty,
    /// The last instant at which it can still be so (a workload certificate that expires), where there is one.
    pub until: Option<Timestamp>,
}

/// How sure it is that somebody holds something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    #[default]
    Not,
    Perhaps,
    Surely,
}

/// Two sides that do not work together.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    pub sides: Sides,
    /// The reason, as the verifier gives it.
    pub refusal: Refusal,
    /// Is it so in every possible state, or only in some?
    pub certain: bool,
}

/// Who does not accept whom, by the invariant that does not hold; the numbers are indices into the lists of [`States`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// S1: the published bundle does not accept the Secret's issuer.
    Start,
    /// S2: a proxy's bundle does not accept a chain that a peer presents.
    Peers { bundle: usize, presented: usize },
    /// S3: a proxy's bundle does not accept the chain that an identity controller signs with.
    Renewal { bundle: usize, controller: usize },
    /// S4: an identity controller's own bundle does not accept its issuer.
    Signing { controller: usize },
    /// S8: the bundle of an identity pod's proxy does not accept the chain with which a proxy asks for its next certificate.
    Request { bundle: usize, presented: usize },
}

impl Violation {
    /// Which of the standing invariants does not hold.
    #[must_use]
    pub const fn invariant(&self) -> Invariant {
        match self.sides {
            Sides::Start => Invariant::ControllerStarts,
            Sides::Peers { .. } => Invariant::EveryPair,
            Sides::Renewal { .. } => Invariant::EveryRenewal,
            Sides::Signing { .. } => Invariant::ControllerSigns,
            Sides::Request { .. } => Invariant::EveryRequest,
        }
    }

    /// Under whose rules.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        match self.sides {
            Sides::Start | Sides::Signing { .. } => Rules::Controller,
            Sides::Peers { .. } | Sides::Renewal { .. } | Sides::Request { .. } => Rules::Proxy,
        }
    }

    /// The index of the proxies' bundle that refuses.
    #[must_use]
    pub const fn bundle(&self) -> Option<usize> {
        match self.sides {
            Sides::Peers { bundle, .. } | Sides::Renewal { bundle, .. } | Sides::Request { bundle, .. } => {
                Some(bundle)
            }
            Sides::Start | Sides::Signing { .. } => None,
        }
    }
}

impl States {
    /// The bundle that refuses and the chain that is refused; what is published may not be known.
    #[must_use]
    pub fn sides(&self, violation: &Violation) -> (Option<&Bundle>, Option<&IssuerChain>) {
        match violation.sides {
            Sides::Start => (self.published.as_ref(), self.issuer.as_ref()),
            Sides::Peers { bundle, presented } | Sides::Request { bundle, presented } => {
                (Some(&self.bundles[bundle].what), Some(&self.presented[presented].what))
            }
            Sides::Renewal { bundle, controller } => {
                (Some(&self.bundles[bundle].what), Some(&self.controllers[controller].what.1))
            }
            Sides::Signing { controller } => {
                let (bundle, chain) = &self.controllers[controller].what;
                (Some(bundle), Some(chain))
            }
        }
    }
}
