//! The possible states after a step: what is published, swapped, restarted or waited out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::class::{Class, Classes, May};
use super::violations::{is_stuck, rejects};
use super::{Certainty, States};
use crate::mesh::WorkloadId;
use crate::pki::{Bundle, Identity, IssuerChain};

impl States {
    /// The states while and after `bundle` is being published: pods that start meanwhile may get either. That some get it is
    /// certain. An identity controller that starts meanwhile may load an issuer that it skipped before.
    #[must_use]
    pub fn publishing(&self, bundle: &Bundle) -> Self {
        let mut next = self.clone();
        let classes = &mut next.classes;
        let published = classes.bundle_at(bundle);
        let issuer = self.issuer.as_ref().map(|issuer| classes.chain_at(issuer));
        let signed = signed(classes, &self.identity);
        somebody(&mut classes.held);
        classes.held.iter_mut().for_each(|class| class.bring(published, true));
        for class in &mut classes.signing {
            let loaded: BTreeSet<_> = match issuer {
                Some(issuer) => BTreeSet::from([issuer]),
                None => class.may.iter().map(|((_, chain), _)| *chain).collect(),
            };
            for chain in loaded {
                // That a controller restarts is not certain: what it does not sign with yet, it may go on without.
                let signs = class.may.iter().any(|((_, signed), _)| *signed == chain);
                class.bring((published, chain), signs);
            }
        }
        let skipped = issuer.filter(|issuer| !signed.iter().any(|(chain, _)| chain == issuer));
        if let Some(issuer) = skipped.filter(|issuer| !rejects(classes, &self.identity, published, *issuer)) {
            classes.presented.iter_mut().for_each(|class| class.bring(issuer, false));
        }
        next.published = Some(bundle.clone());
        next.unreadable = None;
        next.summed_up()
    }

    /// The states while and after `chain` is put into the Secret: controllers load it at different moments, workload
    /// certificates of both issuers are presented. That some are of the new one is certain, unless every controller skips it:
    /// one that runs keeps its issuer (`IssuerUpdateSkipped`), one that starts stops.
    #[must_use]
    pub fn swapping(&self, chain: &IssuerChain) -> Self {
        self.loading(chain, |classes, bundle, new| !rejects(classes, &self.identity, bundle, new))
    }

    /// The same, if controllers load `chain` whatever they hold: for what must hold of proxies before any of them does.
    #[must_use]
    pub fn swapping_for_all(&self, chain: &IssuerChain) -> Self {
        self.loading(chain, |_, _, _| true)
    }

    fn loading(&self, chain: &IssuerChain, loads: impl Fn(&Classes, usize, usize) -> bool) -> Self {
        let mut next = self.clone();
        let classes = &mut next.classes;
        let new = classes.chain_at(chain);
        let published = self.published.as_ref().map(|bundle| classes.bundle_at(bundle));
        let mut signing = std::mem::take(&mut classes.signing);
        for class in &mut signing {
            let bundles: BTreeSet<_> = class.may.iter().map(|((bundle, _), _)| *bundle).collect();
            let reloading = bundles.into_iter().filter(|_| classes.reloads).chain(published);
            let loading: BTreeSet<_> = reloading.filter(|bundle| loads(classes, *bundle, new)).collect();
            loading.into_iter().for_each(|bundle| class.bring((bundle, new), true));
        }
        classes.signing = signing;
        let signs = |bundle, chain| loads(classes, bundle, chain);
        if classes.signed_where(signs).iter().any(|(chain, _)| *chain == new) || published.is_none() {
            somebody(&mut classes.presented);
            classes.presented.iter_mut().for_each(|class| class.bring(new, true));
            classes.signed_until.remove(&new);
        }
        next.issuer = Some(chain.clone());
        next.summed_up()
    }

    /// The states when every workload of `restarted` has started anew: with the published bundle, and a workload certificate
    /// of the Secret's issuer; of what identity controllers that are not among them may sign with, too.
    #[must_use]
    pub fn restarted(&self, restarted: impl Fn(WorkloadId) -> bool) -> Self {
        let mut next = self.clone();
        let classes = &mut next.classes;
        let signed_before = signed(classes, &self.identity);
        let published = self.published.as_ref().map(|bundle| classes.bundle_at(bundle));
        let issuer = self.issuer.as_ref().map(|issuer| classes.chain_at(issuer));
        if let Some((bundle, chain)) = published.zip(issuer) {
            for class in classes.signing.iter_mut().filter(|class| class.is_of(&restarted)) {
                class.may = vec![((bundle, chain), true)];
            }
        }
        if let Some(bundle) = published {
            for class in classes.held.iter_mut().filter(|class| class.is_of(&restarted)) {
                class.may = vec![(bundle, true)];
            }
        }
        let signed = signed(classes, &self.identity);
        for (chain, _) in
            signed_before.iter().filter(|(chain, _)| !signed.iter().any(|(one, _)| one == chain))
        {
            classes.signed_until.entry(*chain).or_insert(classes.at);
        }
        // Where every controller fails to start, whoever starts has no workload certificate.
        let known = !classes.signed().is_empty();
        for class in classes.presented.iter_mut().filter(|class| class.is_of(&restarted) && known) {
            class.may.clone_from(&signed);
        }
        next.summed_up()
    }

    /// The states when expiring workload certificates have expired: nothing is left of chains that nobody signs any more, but
    /// with those whom the identity pods' proxies refuse: they could not renew.
    #[must_use]
    pub fn waited(&self, until: Timestamp) -> Self {
        let mut next = self.clone();
        let classes = &mut next.classes;
        let signed = signed(classes, &self.identity);
        classes.at = classes.at.max(until);
        let expired: BTreeSet<_> = classes
            .presented
            .iter()
            .flat_map(|class| &class.may)
            .map(|(chain, _)| *chain)
            .filter(|chain| !signed.iter().any(|(one, _)| one == chain) && classes.end(*chain) <= until)
            .collect();
        let stuck: BTreeMap<_, _> =
            expired.iter().map(|chain| (*chain, is_stuck(classes, &self.identity, *chain))).collect();
        let identity = classes.identity;
        for class in classes.presented.iter_mut().filter(|class| holds_any(class, &expired)) {
            // An identity pod's proxy asks the controller beside it, without TLS.
            let renews = class.workload.is_some() && class.workload == identity;
            let how = |chain: &usize| stuck.get(chain).copied().filter(|_| !renews).unwrap_or_default();
            if let [(chain, true)] = class.may[..]
                && how(&chain) == Certainty::Surely
            {
                continue;
            }
            class.may.retain(|(chain, _)| !expired.contains(chain) || how(chain) > Certainty::Not);
            class.may.iter_mut().for_each(|(chain, sure)| *sure &= !expired.contains(chain));
            renewed(class, &signed);
        }
        next.summed_up()
    }
}

fn holds_any(class: &Class<usize>, chains: &BTreeSet<usize>) -> bool {
    class.may.iter().any(|(chain, _)| chains.contains(chain))
}

/// The chains that some identity controller signs with: none that its own bundle refuses.
fn signed(classes: &Classes, identity: &Identity) -> May<usize> {
    classes.signed_where(|bundle, chain| !rejects(classes, identity, bundle, chain))
}

/// A class whose workload certificates expired in part: it has what is signed, beside what is left.
fn renewed(class: &mut Class<usize>, signed: &[(usize, bool)]) {
    let left: Vec<_> =
        class.may.iter().filter(|(chain, _)| !signed.iter().any(|(one, _)| one == chain)).copied().collect();
    let certain = left.is_empty() && class.workload.is_some();
    class.may =
        left.into_iter().chain(signed.iter().map(|(chain, sure)| (*chain, *sure && certain))).collect();
}

/// Where nobody was seen, whoever starts next.
fn somebody<K>(classes: &mut Vec<Class<K>>) {
    if classes.is_empty() {
        classes.push(Class::unseen(Vec::new()));
    }
}
