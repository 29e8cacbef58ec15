//! Proxies and replicas that cannot be told apart, each class with what it may hold.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Certainty, Holding, States};
use crate::mesh::WorkloadId;
use crate::pki::{Bundle, Fingerprint, IssuerChain};

/// How many pod names a holding names.
const SAMPLE: usize = 5;

/// Index into [`Classes::bundles`].
pub(super) type BundleAt = usize;
/// Index into [`Classes::chains`].
pub(super) type ChainAt = usize;

/// Possibilities, each with whether it is sure.
pub(super) type May<K> = Vec<(K, bool)>;

/// A few of one workload, and what they may hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Class<K> {
    /// Whose pods they are; `None` for those that were not seen.
    pub(super) workload: Option<WorkloadId>,
    pub(super) count: u64,
    pub(super) sample: Vec<String>,
    pub(super) may: May<K>,
}

/// Every class of proxies by bundle and by workload certificate, every class of identity replicas, and what each may hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Classes {
    /// The instant that these states are of.
    pub(super) at: Timestamp,
    /// How long a workload certificate is valid after it is issued: issuance lifetime and clock skew.
    pub(super) workload_certificate_lifetime: SignedDuration,
    /// Does the identity controller load a changed Secret while it runs (2.7 and later)?
    pub(super) reloads: bool,
    /// The workload of the identity controller.
    pub(super) identity: Option<WorkloadId>,
    bundles: Vec<(Fingerprint, Bundle)>,
    chains: Vec<IssuerChain>,
    pub(super) held: Vec<Class<BundleAt>>,
    pub(super) presented: Vec<Class<ChainAt>>,
    pub(super) signing: Vec<Class<(BundleAt, ChainAt)>>,
    /// Since when nobody signs with a chain any more.
    pub(super) signed_until: BTreeMap<ChainAt, Timestamp>,
}

impl<K> Class<K> {
    /// Nobody that was seen, who may hold this.
    pub(super) const fn unseen(may: May<K>) -> Self {
        Self { workload: None, count: 0, sample: Vec::new(), may }
    }

    pub(super) fn is_of(&self, chosen: impl Fn(WorkloadId) -> bool) -> bool {
        self.workload.is_some_and(chosen)
    }
}

impl<K: PartialEq> Class<K> {
    /// Adds a possibility that comes true sooner or later, or (`certain` is false) may.
    pub(super) fn bring(&mut self, what: K, certain: bool) {
        let known = self.may.iter().any(|(known, sure)| *known == what && *sure);
        self.may.retain(|(known, _)| *known != what);
        self.may.push((what, certain || known));
    }
}

impl Classes {
    pub(super) const fn new(
        at: Timestamp,
        workload_certificate_lifetime: SignedDuration,
        reloads: bool,
        identity: Option<WorkloadId>,
    ) -> Self {
        Self {
            at,
            workload_certificate_lifetime,
            reloads,
            identity,
            bundles: Vec::new(),
            chains: Vec::new(),
            held: Vec::new(),
            presented: Vec::new(),
            signing: Vec::new(),
            signed_until: BTreeMap::new(),
        }
    }

    /// The place of a bundle, by its set of anchors.
    pub(super) fn bundle_at(&mut self, bundle: &Bundle) -> BundleAt {
        let fingerprint = bundle.fingerprint();
        self.bundles.iter().position(|(known, _)| *known == fingerprint).unwrap_or_else(|| {
            self.bundles.push((fingerprint, bundle.clone()));
            self.bundles.len() - 1
        })
    }

    /// The place of a chain.
    pub(super) fn chain_at(&mut self, chain: &IssuerChain) -> ChainAt {
        self.chains.iter().position(|known| known == chain).unwrap_or_else(|| {
            self.chains.push(chain.clone());
            self.chains.len() - 1
        })
    }

    pub(super) fn bundle(&self, at: BundleAt) -> &Bundle {
        &self.bundles[at].1
    }

    pub(super) fn chain(&self, at: ChainAt) -> &IssuerChain {
        &self.chains[at]
    }

    /// The chains that some identity controller may sign with, and whether all of them surely sign with the same.
    pub(super) fn signed(&self) -> May<ChainAt> {
        self.signed_where(|_, _| true)
    }

    /// The same of those pairs of bundle and chain that `signs` holds of.
    pub(super) fn signed_where(&self, signs: impl Fn(BundleAt, ChainAt) -> bool) -> May<ChainAt> {
        let pairs = self.signing.iter().flat_map(|class| &class.may).map(|(pair, _)| *pair);
        let signed: BTreeSet<_> =
            pairs.filter(|(bundle, chain)| signs(*bundle, *chain)).map(|(_, chain)| chain).collect();
        let is_sure = |class: &Class<_>| class.may.iter().any(|(_, sure)| *sure);
        let sure = signed.len() == 1 && self.signing.iter().all(is_sure);
        signed.into_iter().map(|chain| (chain, sure)).collect()
    }

    /// Are these proxies of identity pods? `None` for those that were not seen.
    pub(super) fn is_identity<K>(&self, class: &Class<K>) -> Option<bool> {
        class.workload.map(|workload| Some(workload) == self.identity)
    }

    /// The last instant at which a workload certificate of `chain` can be valid: that of the first certificate of the chain
    /// to expire (`findFirstExpiration` in Linkerd's `pkg/tls`), or a lifetime after the last was signed.
    pub(super) fn end(&self, chain: ChainAt) -> Timestamp {
        let clamp = self.chain(chain).first_to_expire().facts().not_after;
        let signed = self.signed_until.get(&chain);
        signed
            .and_then(|since| since.checked_add(self.workload_certificate_lifetime).ok())
            .map_or(clamp, |end| end.min(clamp))
    }
}

impl States {
    /// Sums up the classes again after a change of them.
    pub(super) fn summed_up(mut self) -> Self {
        let classes = &self.classes;
        let issuer = self.issuer.as_ref();
        let until = |chain: ChainAt| (issuer != Some(classes.chain(chain))).then(|| classes.end(chain));
        self.bundles = holdings(classes, &classes.held, |at| classes.bundle(at).clone(), |_| None);
        self.presented = holdings(classes, &classes.presented, |at| classes.chain(at).clone(), until);
        self.controllers = holdings(
            classes,
            &classes.signing,
            |(bundle, chain)| (classes.bundle(bundle).clone(), classes.chain(chain).clone()),
            |_| None,
        );
        self
    }
}

fn holdings<K: Copy + Ord, T>(
    all: &Classes,
    classes: &[Class<K>],
    what: impl Fn(K) -> T,
    until: impl Fn(K) -> Option<Timestamp>,
) -> Vec<Holding<T>> {
    let mut found: BTreeMap<K, (Holding<T>, BTreeSet<WorkloadId>)> = BTreeMap::new();
    for class in classes {
        for (key, certain) in &class.may {
            let (holding, workloads) = found.entry(*key).or_insert_with(|| {
                let empty = Holding {
                    what: what(*key),
                    count: 0,
                    sample: Vec::new(),
                    workloads: Vec::new(),
                    certain: false,
                    by_identity: Certainty::Not,
                    by_others: Certainty::Not,
                    until: until(*key),
                };
                (empty, BTreeSet::new())
            });
            holding.count += class.count;
            holding.certain |= certain;
            let sure = if *certain { Certainty::Surely } else { Certainty::Perhaps };
            let (identity, others) = match all.is_identity(class) {
                Some(true) => (sure, Certainty::Not),
                Some(false) => (Certainty::Not, sure),
                None => (Certainty::Perhaps, sure),
            };
            holding.by_identity = holding.by_identity.max(identity);
            holding.by_others = holding.by_others.max(others);
            let room = SAMPLE.saturating_sub(holding.sample.len());
            let fresh = class.sample.iter().filter(|pod| !holding.sample.contains(pod)).take(room);
            let fresh: Vec<_> = fresh.cloned().collect();
            holding.sample.extend(fresh);
            workloads.extend(class.workload);
        }
    }
    let whole = |(holding, workloads): (Holding<T>, BTreeSet<WorkloadId>)| Holding {
        workloads: workloads.into_iter().collect(),
        ..holding
    };
    found.into_values().map(whole).collect()
}
