//! What checks ask of a mesh: its parts, or why they cannot be had.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::certificates::{chain_expires_soon, expires_soon};
use super::{Judged, Options, Outcome, Stop, advice};
use crate::document::ObjectRef;
use crate::finding::{CheckFact, InputFact, Opens, WorkloadPods};
use crate::linkerd;
use crate::mesh::{Change, ChangeTime, Issuer, KeyState, Known, Mesh, ProxyGroup, Published, Scheme};
use crate::pki::{Bundle, BundleText, Certificate, IssuerChain, Refusal, Rules, accepts};

/// A mesh and what to evaluate it by.
pub(super) struct Case<'a> {
    pub mesh: &'a Mesh,
    pub options: Options,
}

impl<'a> Case<'a> {
    /// The published bundle.
    pub(super) fn published(&self) -> Result<&'a Published, Stop> {
        known(&self.mesh.trust.published, || self.mesh.bundle_home())
    }

    /// The published anchors as proxies read them; where they cannot, the check of the text says so.
    pub(super) fn anchors(&self) -> Result<&'a Bundle, Stop> {
        self.published()?.text.as_read_by(Rules::Proxy).map_err(|_| Stop::NotApplicable)
    }

    /// The text from which an identity controller that starts now reads its anchors.
    pub(super) fn identity_text(&self) -> Result<&'a BundleText, Stop> {
        match &self.mesh.trust.identity {
            Some(copy) => Ok(copy),
            None => Ok(&self.published()?.text),
        }
    }

    /// The issuer, from wherever it was read.
    pub(super) fn issuer(&self) -> Result<&'a Issuer, Stop> {
        known(&self.mesh.issuer, || self.mesh.issuer_secret())
    }

    /// The issuer as its Secret has it.
    pub(super) fn issuer_in_secret(&self) -> Result<&'a Issuer, Stop> {
        let issuer = self.issuer()?;
        if issuer.from_secret {
            return Ok(issuer);
        }
        let object = self.mesh.issuer_secret();
        let gap = self.mesh.gaps.iter().find(|gap| gap.covers("secrets", &object.namespace, &object.name));
        Err(Stop::unknown(match gap {
            Some(gap) => InputFact::ObjectUnknown { object, why: gap.why.clone() },
            None => InputFact::ObjectAbsent { object },
        }))
    }

    /// Was the issuer's private key looked at?
    pub(super) fn saw_key(&self) -> Result<(), Stop> {
        if self.issuer_in_secret()?.key == KeyState::NotSeen {
            return Err(Stop::unknown(InputFact::IssuerKeyNotSeen { secret: self.mesh.issuer_secret() }));
        }
        Ok(())
    }

    /// The issuer's certificates, from wherever they were read.
    pub(super) fn chain(&self) -> Result<&'a IssuerChain, Stop> {
        self.issuer()?.chain.as_ref().map_err(|why| {
            if why.is_hidden() {
                let object = self.mesh.issuer_secret();
                Stop::unknown(InputFact::IssuerUnreadable { object, said: why.to_string() })
            } else {
                Stop::NotApplicable
            }
        })
    }

    /// Judges the issuer's certificates. What holds for `linkerd-config`'s copy is not said of the Secret.
    pub(super) fn judge_chain(&self, judge: impl FnOnce(&'a IssuerChain) -> Outcome) -> Judged {
        let outcome = judge(self.chain()?);
        if self.issuer()?.from_secret {
            return Ok(outcome);
        }
        let found = match outcome {
            Outcome::Success => None,
            Outcome::Found(finding) => Some(Box::new(finding.fact)),
        };
        let (secret, config) = (self.mesh.issuer_secret(), self.mesh.linkerd_config());
        Err(Stop::unknown(CheckFact::IssuerCopyChecked { secret, config, found }))
    }

    /// Running proxies; an input without pods is not known to have none.
    pub(super) fn proxies(&self) -> Result<&'a [ProxyGroup], Stop> {
        match self.seen_proxies() {
            Err(Stop::NotApplicable) => Err(Stop::unknown(InputFact::PodsNotGiven)),
            proxies => proxies,
        }
    }

    /// Running proxies, for checks that have nothing to say of an input without pods.
    pub(super) fn seen_proxies(&self) -> Result<&'a [ProxyGroup], Stop> {
        match &self.mesh.pods {
            Known::Is(()) => Ok(&self.mesh.proxies),
            Known::Absent => Err(Stop::NotApplicable),
            Known::Unknown(why) => Err(Stop::unknown(InputFact::PodsUnknown { why: why.clone() })),
        }
    }

    /// Do these anchors accept the issuer's workload certificates, validity left aside? Asked for an instant at which the chain is
    /// valid.
    pub(super) fn trusts(&self, anchors: &Bundle, chain: &IssuerChain) -> Result<(), Refusal> {
        let start = chain.certificates().map(|one| one.facts().not_before).max();
        let at =
            self.at().max(start.unwrap_or(Timestamp::MIN)).min(chain.first_to_expire().facts().not_after);
        accepts(anchors, chain, &self.mesh.identity_name(), at, Rules::Proxy)
    }

    /// The published anchors that accept the issuer's workload certificates, validity left aside.
    pub(super) fn anchors_in_use(&self, anchors: &'a Bundle, chain: &IssuerChain) -> Vec<&'a Certificate> {
        let trusted = |anchor: &&Certificate| self.trusts(&Bundle::of(anchor), chain).is_ok();
        anchors.anchors().iter().filter(trusted).collect()
    }

    /// The anchor that carries the issuer longest; that there is none is said by the checks of who accepts the issuer.
    /// Of a single anchor it is known even where the issuer is not.
    pub(super) fn carrier(&self) -> Result<&'a Certificate, Stop> {
        let anchors = self.anchors()?;
        if let (Err(Stop::Unknown(_)), [only]) = (self.chain(), anchors.anchors()) {
            return Ok(only);
        }
        let in_use = self.anchors_in_use(anchors, self.chain()?);
        in_use.into_iter().max_by_key(|anchor| anchor.facts().not_after).ok_or(Stop::NotApplicable)
    }

    /// The instant to evaluate as of.
    pub(super) const fn at(&self) -> Timestamp {
        self.options.at
    }

    /// The same outcome, with the procedure that is next as what resolves it.
    pub(super) fn opened_by_procedure(&self, outcome: Outcome) -> Outcome {
        match (outcome, advice(self.mesh, self.options).procedure()) {
            (Outcome::Found(finding), Some(procedure)) => {
                Outcome::found(finding.opened_by(Opens::Procedure(procedure)))
            }
            (outcome, _) => outcome,
        }
    }

    /// Does the certificate expire soon, by the asked threshold or its share of lifetime?
    pub(super) fn expires_soon(&self, certificate: &Certificate) -> bool {
        expires_soon(certificate, self.at(), self.options.expiry_threshold)
    }

    /// Does the issuer's file expire soon?
    pub(super) fn chain_expires_soon(&self, chain: &IssuerChain) -> bool {
        chain_expires_soon(chain, self.at(), self.options.expiry_threshold)
    }

    /// How long a fresh workload certificate is valid from now on: its lifetime and the clock skew.
    pub(super) fn workload_certificate_lifetime(&self) -> SignedDuration {
        self.mesh.control_plane.workload_certificate_lifetime()
    }

    /// Does somebody else than Linkerd's installer make the issuer?
    pub(super) fn is_external(&self) -> bool {
        self.mesh.control_plane.scheme == Scheme::Kubernetes
    }

    /// How many proxies each workload of these groups has.
    pub(super) fn by_workload(&self, groups: &[&ProxyGroup]) -> Vec<WorkloadPods> {
        let mut counts: BTreeMap<&ObjectRef, u64> = BTreeMap::new();
        for group in groups {
            *counts.entry(&self.mesh.workload(group.workload).object).or_default() += group.count();
        }
        counts
            .into_iter()
            .map(|(workload, count)| WorkloadPods { workload: workload.clone(), count, sample: Vec::new() })
            .collect()
    }

    /// The Deployment of the identity controller.
    pub(super) fn identity_deployment(&self) -> ObjectRef {
        ObjectRef::new("apps/v1", "Deployment", &self.mesh.control_plane.namespace, linkerd::IDENTITY)
    }
}

/// What is known, or why the check stops: what is absent is another check's finding.
pub(super) fn known<T>(known: &Known<T>, object: impl FnOnce() -> ObjectRef) -> Result<&T, Stop> {
    match known {
        Known::Is(value) => Ok(value),
        Known::Absent => Err(Stop::NotApplicable),
        Known::Unknown(why) => {
            Err(Stop::unknown(InputFact::ObjectUnknown { object: object(), why: why.clone() }))
        }
    }
}

/// When an object last changed.
pub(super) fn changed_at(change: Change, object: &ObjectRef) -> Result<Timestamp, Stop> {
    match change.at {
        ChangeTime::At(at) => Ok(at),
        ChangeTime::Since(_) | ChangeTime::Unknown => {
            Err(Stop::unknown(InputFact::ChangeTimeUnknown { object: object.clone() }))
        }
    }
}

/// The same anchors, whatever their order and format? Texts that no proxy can read are the same if they are equal.
pub(super) fn same_anchors(one: &BundleText, other: &BundleText) -> bool {
    match (one.as_read_by(Rules::Proxy), other.as_read_by(Rules::Proxy)) {
        (Ok(one), Ok(other)) => one.same_set(other),
        (Err(_), Err(_)) => one.text().trim() == other.text().trim(),
        _ => false,
    }
}
