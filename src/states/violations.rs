//! What does not hold in the possible states, by the one trust relation.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::class::{Class, Classes};
use super::{Certainty, Sides, States, Violation};
use crate::pki::{Bundle, Certificate, Fingerprint, Identity, IssuerChain, Refusal, Rules, accepts};

/// Who refuses which chain, each asked once.
struct Refusals<'a> {
    identity: &'a Identity,
    at: Timestamp,
    /// Does a workload certificate expire with the first certificate of its issuer's file (`findFirstExpiration` in Linkerd's
    /// `pkg/tls`, since 2.7)?
    capped: bool,
    made: BTreeMap<(Fingerprint, Vec<Fingerprint>, bool), Option<Refusal>>,
}

impl Refusals<'_> {
    fn of(&mut self, bundle: &Bundle, chain: &IssuerChain, rules: Rules) -> Option<Refusal> {
        let certificates = chain.certificates();
        let key = (
            bundle.fingerprint(),
            certificates.map(Certificate::fingerprint).collect(),
            rules == Rules::Controller,
        );
        let (identity, at, capped) = (self.identity, self.at, self.capped && rules == Rules::Proxy);
        let evaluate = || {
            let expired = || capped.then(|| expired_in_chain(chain, at)).flatten();
            accepts(bundle, chain, identity, at, rules).err().or_else(expired)
        };
        self.made.entry(key).or_insert_with(evaluate).clone()
    }
}

impl States {
    /// Everything that does not hold at `at`, the certain first.
    #[must_use]
    pub fn violations(&self, at: Timestamp) -> Vec<Violation> {
        let mut refusals =
            Refusals { identity: &self.identity, at, capped: self.classes.reloads, made: BTreeMap::new() };
        let mut violations: Vec<_> = self.start(&mut refusals).into_iter().collect();
        let expired = |until: Option<Timestamp>| until.is_some_and(|end| end < at);
        for (bundle, held) in self.bundles.iter().enumerate() {
            for (presented, chain) in self.presented.iter().enumerate() {
                let Some(refusal) = refusals.of(&held.what, &chain.what, Rules::Proxy) else { continue };
                // Whoever could not renew has an expired certificate, and is refused for good.
                let asks = held.by_identity.min(chain.by_others);
                let passes = hangs_on_time(&refusal);
                if !passes && asks > Certainty::Not {
                    let (sides, certain) = (Sides::Request { bundle, presented }, asks == Certainty::Surely);
                    violations.push(Violation { sides, refusal: refusal.clone(), certain });
                }
                if !expired(chain.until) {
                    let sides = Sides::Peers { bundle, presented };
                    violations.push(Violation { sides, refusal, certain: held.certain && chain.certain });
                }
            }
            for (controller, replica) in self.controllers.iter().enumerate() {
                // What a controller has skipped, or failed to start with, it signs nothing with.
                let (own, chain) = &replica.what;
                let signs = refusals.of(own, chain, Rules::Controller).is_none_or(|why| hangs_on_time(&why));
                if signs && let Some(refusal) = refusals.of(&held.what, chain, Rules::Proxy) {
                    let sides = Sides::Renewal { bundle, controller };
                    violations.push(Violation { sides, refusal, certain: held.certain && replica.certain });
                }
            }
        }
        for (controller, replica) in self.controllers.iter().enumerate() {
            let (bundle, chain) = &replica.what;
            if let Some(refusal) = refusals.of(bundle, chain, Rules::Controller) {
                let sides = Sides::Signing { controller };
                violations.push(Violation { sides, refusal, certain: replica.certain });
            }
        }
        violations.sort_by_key(|one| !one.certain);
        violations
    }

    /// S1, of what an identity controller reads when it starts.
    fn start(&self, refusals: &mut Refusals<'_>) -> Option<Violation> {
        let refusal = match (&self.unreadable, &self.published, &self.issuer) {
            (Some(defect), ..) => Refusal::BundleUnreadable { defect: defect.clone() },
            (None, Some(bundle), Some(chain)) => refusals.of(bundle, chain, Rules::Controller)?,
            _ => return None,
        };
        Some(Violation { sides: Sides::Start, refusal, certain: true })
    }
}

/// The expiry of a certificate in the issuer's file with which every workload certificate expired, though the certificate is
/// not on the way to the anchor.
fn expired_in_chain(chain: &IssuerChain, at: Timestamp) -> Option<Refusal> {
    let first = chain.first_to_expire();
    let (certificate, not_after) = (first.name().to_owned(), first.facts().not_after);
    first.is_expired_at(at).then_some(Refusal::Expired { certificate, not_after, at })
}

/// Would an identity controller with this bundle not start with the chain, and skip it when the Secret brings it
/// (`IssuerUpdateSkipped`), whatever the time? What only the time speaks against may have been taken at another.
pub(super) fn rejects(classes: &Classes, identity: &Identity, bundle: usize, chain: usize) -> bool {
    let (bundle, chain) = (classes.bundle(bundle), classes.chain(chain));
    match accepts(bundle, chain, identity, classes.at, Rules::Controller) {
        Ok(()) => false,
        Err(refusal) => !hangs_on_time(&refusal),
    }
}

/// Does a proxy with this bundle never present a workload certificate of the chain? No anchor of it has signed the chain, whatever the time and
/// the use: it rejects such a one of its own and keeps the one it has (`Store::validate` in the proxy).
pub(super) fn is_strange(classes: &Classes, identity: &Identity, bundle: usize, chain: usize) -> bool {
    let (bundle, chain) = (classes.bundle(bundle), classes.chain(chain));
    let found = accepts(bundle, chain, identity, classes.at, Rules::Proxy);
    matches!(found, Err(Refusal::UnknownIssuer { .. }))
}

/// Do the proxies of identity pods refuse whoever asks for a certificate with one of the chain, so that it is never renewed?
pub(super) fn is_stuck(classes: &Classes, identity: &Identity, chain: usize) -> Certainty {
    let held = classes.held.iter().filter(|class| classes.is_identity(class) != Some(false));
    let of_class = |class: &Class<usize>| {
        let refusing =
            class.may.iter().filter(|(bundle, _)| is_strange(classes, identity, *bundle, chain)).count();
        match refusing {
            0 => Certainty::Not,
            all if all == class.may.len() && class.workload.is_some() => Certainty::Surely,
            _ => Certainty::Perhaps,
        }
    };
    held.map(of_class).max().unwrap_or_default()
}

fn hangs_on_time(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Expired { .. } | Refusal::NotYetValid { .. } => true,
        Refusal::UnknownIssuer { candidate: Some(candidate), .. } => hangs_on_time(&candidate.because),
        _ => false,
    }
}
