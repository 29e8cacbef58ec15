//! The possible states after a step: what is published, swapped, restarted or waited out.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::States;
use super::class::Class;
use super::violations::rejects;
use crate::mesh::WorkloadId;
use crate::pki::{Bundle, IssuerChain};

impl States {
    /// The states while and after `bundle` is being published: pods that start meanwhile may get either. That some get it is
    /// certain.
    #[must_use]
    pub fn publishing(&self, bundle: &Bundle) -> Self {
        let mut next = self.clone();
        let classes = &mut next.classes;
        let published = classes.bundle_at(bundle);
        let issuer = self.issuer.as_ref().map(|issuer| classes.chain_at(issuer));
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
        next.published = Some(bundle.clone());
        next.unreadable = None;
        next.summed_up()
    }

    /// The states while and after `chain` is put into the Secret: controllers load it at different moments, workload
    /// certificates of both issuers are presented. That some are of the new one is certain.
    #[must_use]
    pub fn swapping(&self, chain: &IssuerChain) -> Self {
        let mut next = self.clone();
        let classes = &mut next.classes;
        let new = classes.chain_at(chain);
        let published = self.published.as_ref().map(|bundle| classes.bundle_at(bundle));
        let mut signing = std::mem::take(&mut classes.signing);
        for class in &mut signing {
            let bundles: BTreeSet<_> = class.may.iter().map(|((bundle, _), _)| *bundle).collect();
            let reloading =
                |bundle: &usize| classes.reloads && !rejects(classes, &self.identity, *bundle, new);
            let loading = bundles.into_iter().filter(reloading).chain(published).collect::<BTreeSet<_>>();
            loading.into_iter().for_each(|bundle| class.bring((bundle, new), true));
        }
        classes.signing = signing;
        somebody(&mut classes.presented);
        classes.presented.iter_mut().for_each(|class| class.bring(new, true));
        classes.signed_until.remove(&new);
        next.issuer = Some(chain.clone());
        next.summed_up()
    }

    /// The states when every workload of `restarted` has started anew: with the published bundle, and a workload certificate
    /// of the Secret's issuer; of what identity controllers that are not among them may sign with, too.
    #[must_use]
    pub fn restarted(&self, restarted: impl Fn(WorkloadId) -> bool) -> Self {
        let mut next = self.clone();
        let classes = &mut next.classes;
        let signed_before = classes.signed();
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
        let signed = classes.signed();
        for (chain, _) in
            signed_before.iter().filter(|(chain, _)| !signed.iter().any(|(one, _)| one == chain))
        {
            classes.signed_until.entry(*chain).or_insert(classes.at);
        }
        for class in
            classes.presented.iter_mut().filter(|class| class.is_of(&restarted) && !signed.is_empty())
        {
            class.may.clone_from(&signed);
        }
        next.summed_up()
    }

    /// The states when expiring workload certificates have expired: nothing certain is left of chains that nobody signs any
    /// more.
    #[must_use]
    pub fn waited(&self, until: Timestamp) -> Self {
        let mut next = self.clone();
        let classes = &mut next.classes;
        let signed = classes.signed();
        classes.at = classes.at.max(until);
        let expired: BTreeSet<_> = classes
            .presented
            .iter()
            .flat_map(|class| &class.may)
            .map(|(chain, _)| *chain)
            .filter(|chain| !signed.iter().any(|(one, _)| one == chain) && classes.end(*chain) <= until)
            .collect();
        for class in &mut classes.presented {
            if class.may.iter().any(|(chain, _)| expired.contains(chain)) {
                class.may.retain(|(chain, _)| !expired.contains(chain));
                renewed(class, &signed);
            }
        }
        next.summed_up()
    }
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
