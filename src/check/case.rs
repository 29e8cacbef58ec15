//! What checks ask of a mesh: its parts, or why they cannot be had.

use jiff::{SignedDuration, Timestamp};

use super::rule::{Judged, Stop};
use super::{Options, Outcome, advice, expiry};
use crate::mesh::{ChangeTime, Issuer, KeyState, Known, Mesh, ProxyGroup, Published, Scheme};
use crate::pki::{Bundle, BundleText, Certificate, IssuerChain, Refusal, Rules, accepts};

/// A mesh and what to judge it by.
pub(super) struct Case<'a> {
    /// What was observed.
    pub mesh: &'a Mesh,
    /// When, and how far ahead to look.
    pub options: Options,
}

impl<'a> Case<'a> {
    /// The published bundle.
    pub(super) fn published(&self) -> Result<&'a Published, Stop> {
        known(&self.mesh.trust.published, || self.bundle_name())
    }

    /// The published anchors as proxies read them; where they cannot, the check of the text says so.
    pub(super) fn anchors(&self) -> Result<&'a Bundle, Stop> {
        self.published()?.text.as_read_by(Rules::Proxy).map_err(|_| Stop::NotApplicable)
    }

    /// The issuer, from wherever it was read.
    pub(super) fn issuer(&self) -> Result<&'a Issuer, Stop> {
        known(&self.mesh.issuer, || self.secret_name())
    }

    /// The issuer as its Secret has it.
    pub(super) fn issuer_in_secret(&self) -> Result<&'a Issuer, Stop> {
        let issuer = self.issuer()?;
        let unread = || Stop::Unknown(format!("{} was not read", self.secret_name()));
        if issuer.from_secret { Ok(issuer) } else { Err(unread()) }
    }

    /// Was the issuer's private key looked at?
    pub(super) fn saw_key(&self) -> Result<(), Stop> {
        let unseen = || Stop::Unknown(format!("the private key in {} was not looked at", self.secret_name()));
        if self.issuer_in_secret()?.key == KeyState::NotSeen { Err(unseen()) } else { Ok(()) }
    }

    /// The issuer's certificates, from wherever they were read.
    pub(super) fn chain(&self) -> Result<&'a IssuerChain, Stop> {
        self.issuer()?.chain.as_ref().map_err(|_| Stop::NotApplicable)
    }

    /// Judges the issuer's certificates. What holds for `linkerd-config`'s copy is not said of the Secret.
    pub(super) fn judge_chain(&self, judge: impl FnOnce(&'a IssuerChain) -> Outcome) -> Judged {
        let outcome = judge(self.chain()?);
        if self.issuer()?.from_secret {
            return Ok(outcome);
        }
        let copy = format!(
            "{} was not read; linkerd-config's copy of the issuer, of the last render,",
            self.secret_name()
        );
        Err(Stop::Unknown(match outcome {
            Outcome::Success => format!("{copy} passes"),
            Outcome::Failed(_, why) => format!("{copy} does not pass: {why}"),
            Outcome::Unknown(why) => format!("{copy} cannot be judged either: {why}"),
        }))
    }

    /// Running proxies; an input without pods is not known to have none.
    pub(super) fn proxies(&self) -> Result<&'a [ProxyGroup], Stop> {
        self.seen_proxies().map_err(|stop| match stop {
            Stop::NotApplicable => {
                Stop::Unknown("the input holds no pods; add a dump of them, or read the cluster".to_owned())
            }
            stop @ Stop::Unknown(_) => stop,
        })
    }

    /// Running proxies, for checks that have nothing to say of an input without pods.
    pub(super) fn seen_proxies(&self) -> Result<&'a [ProxyGroup], Stop> {
        known(&self.mesh.pods, || "pods".to_owned()).map(|()| self.mesh.proxies.as_slice())
    }

    /// Do these anchors accept the issuer's leaves, validity left aside? Asked for an instant at which the chain is valid.
    pub(super) fn trusts(&self, anchors: &Bundle, chain: &IssuerChain) -> Result<(), Refusal> {
        let start = chain.certificates().map(|one| one.facts().not_before).max();
        let at =
            self.at().max(start.unwrap_or(Timestamp::MIN)).min(chain.first_to_expire().facts().not_after);
        accepts(anchors, chain, &self.mesh.identity_name(), at, Rules::Proxy)
    }

    /// The published anchors that accept the issuer's leaves, validity left aside.
    pub(super) fn anchors_in_use(&self, anchors: &'a Bundle, chain: &IssuerChain) -> Vec<&'a Certificate> {
        let trusted = |anchor: &&Certificate| {
            Bundle::new([(*anchor).clone()]).is_some_and(|alone| self.trusts(&alone, chain).is_ok())
        };
        anchors.anchors().iter().filter(trusted).collect()
    }

    /// The anchor that carries the issuer longest; that there is none is said by the checks of who accepts the issuer.
    pub(super) fn carrier(&self) -> Result<&'a Certificate, Stop> {
        let in_use = self.anchors_in_use(self.anchors()?, self.chain()?);
        in_use.into_iter().max_by_key(|anchor| anchor.facts().not_after).ok_or(Stop::NotApplicable)
    }

    /// The instant to judge for.
    pub(super) const fn at(&self) -> Timestamp {
        self.options.at
    }

    /// The procedure that is next, in a clause.
    pub(super) fn next(&self) -> String {
        advice(self.mesh, self.options).clause()
    }

    /// Does the certificate end soon, by the asked threshold or its share of lifetime?
    pub(super) fn ends_soon(&self, certificate: &Certificate) -> bool {
        expiry::is_near(certificate, self.at(), self.options.expiry_threshold)
    }

    /// Does the issuer's file end soon? Beside an issuer of a long life, whatever is short-lived, such as a cross certificate, is
    /// made once and renewed by nobody: its share of lifetime says nothing.
    pub(super) fn chain_ends_soon(&self, chain: &IssuerChain) -> bool {
        let (first, threshold) = (chain.first_to_expire(), self.options.expiry_threshold);
        let made_once = *first != chain.issuer && expiry::lifetime(&chain.issuer) >= threshold;
        self.ends_soon(first) || made_once && expiry::remaining(first, self.at()) < threshold
    }

    /// How long a fresh leaf is valid from now on: its lifetime and the clock skew.
    pub(super) fn workload_certificate_lifetime(&self) -> SignedDuration {
        self.mesh.control_plane.workload_certificate_lifetime()
    }

    /// When the published bundle last changed, or how to learn it.
    pub(super) fn bundle_changed(&self) -> Result<Timestamp, Stop> {
        changed(self.published()?.changed, &self.bundle_name())
    }

    /// The object that holds the published bundle.
    pub(super) fn bundle_name(&self) -> String {
        let plane = &self.mesh.control_plane;
        format!("ConfigMap {}/{}", plane.namespace, plane.era.trust_home().config_map())
    }

    /// The issuer's Secret.
    pub(super) fn secret_name(&self) -> String {
        format!("Secret {}/linkerd-identity-issuer", self.mesh.control_plane.namespace)
    }

    /// Is the issuer made by somebody else than Linkerd's installer?
    pub(super) fn is_external(&self) -> bool {
        self.mesh.control_plane.scheme == Scheme::Kubernetes
    }
}

/// What is known, or why the check stops: what is absent is another check's finding.
pub(super) fn known<T>(known: &Known<T>, name: impl FnOnce() -> String) -> Result<&T, Stop> {
    match known {
        Known::Is(value) => Ok(value),
        Known::Absent => Err(Stop::NotApplicable),
        Known::Unknown(why) => Err(Stop::Unknown(format!("{} could not be read: {why}", name()))),
    }
}

/// When an object last changed, or how to learn it.
pub(super) fn changed(changed: ChangeTime, name: &str) -> Result<Timestamp, Stop> {
    match changed {
        ChangeTime::At(at) => Ok(at),
        ChangeTime::Since(_) | ChangeTime::Unknown => Err(Stop::Unknown(format!(
            "the input does not say when {name} last changed; dump it with `kubectl get -o yaml \
             --show-managed-fields`, or read the cluster"
        ))),
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
