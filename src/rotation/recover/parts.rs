//! The certificates that issuance stands on: the published anchors and the issuer file.

use jiff::Timestamp;

use super::findings::unknown;
use super::{Issuance, Stopped, WithoutCertificate, WorkloadCertificates};
use crate::finding::{CertificateRole, Finding};
use crate::mesh::{Known, Mesh};
use crate::pki::{Bundle, Certificate, IssuerChain, Refusal, Rules, accepts};
use crate::states::States;

/// A certificate in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is there for.
    pub role: CertificateRole,
    /// The certificate.
    pub certificate: Certificate,
}

/// The trust material as far as it is known, and what of it is not.
pub(super) struct Parts {
    /// The published anchors that either of Linkerd's readers gets.
    pub(super) anchors: Option<Bundle>,
    /// What the identity controller gets of them when it starts; the same, where it refuses the text.
    controller: Option<Bundle>,
    /// The chain in the Secret.
    pub(super) chain: Option<IssuerChain>,
    /// What of it is not known.
    pub(super) unknown: Vec<Finding>,
    /// Were pods looked at?
    pub(super) pods: bool,
}

impl Parts {
    pub(super) fn of(mesh: &Mesh) -> Self {
        let published = mesh.trust.published.as_option();
        let anchors = published
            .and_then(|published| Bundle::new(published.readings().flat_map(Bundle::anchors).cloned()));
        let controller =
            published.and_then(|published| published.text.as_read_by(Rules::Controller).ok()).cloned();
        let chain = mesh.secret_chain().cloned();
        Self {
            controller: controller.or_else(|| anchors.clone()),
            anchors,
            chain,
            unknown: unknown(mesh),
            pods: mesh.pods == Known::Is(()),
        }
    }

    /// Every certificate with its role, the first to expire first.
    pub(super) fn all(&self) -> Vec<Part> {
        let part = |role| move |certificate: &Certificate| Part { role, certificate: certificate.clone() };
        let anchors = self.anchors.iter().flat_map(Bundle::anchors).map(part(CertificateRole::TrustAnchor));
        let issuer = self.chain.iter().map(|chain| &chain.issuer).map(part(CertificateRole::Issuer));
        let more =
            self.chain.iter().flat_map(|chain| &chain.intermediates).map(part(CertificateRole::Intermediate));
        let mut all: Vec<_> = anchors.chain(issuer).chain(more).collect();
        all.sort_by_key(Part::not_after);
        all
    }

    /// Whether workload certificates are issued at `at`, and if not, since when.
    pub(super) fn issuance(&self, mesh: &Mesh, expired: &[Part], at: Timestamp) -> Issuance {
        let (Some(anchors), Some(chain)) = (&self.controller, &self.chain) else {
            return self.issuance_from_one_side(mesh, expired, at);
        };
        let refusal = |at| accepts(anchors, chain, &mesh.identity_name(), at, Rules::Controller).err();
        let cap = chain.first_to_expire().facts().not_after;
        let issues = |at: Timestamp| at <= cap && refusal(at).is_none();
        let all = self.all();
        let expiries = all.iter().map(Part::not_after);
        if issues(at) {
            let stops = |end: &Timestamp| *end >= at && !issues(just_after(*end));
            return Issuance::Works { until: expiries.into_iter().find(stops).unwrap_or(Timestamp::MAX) };
        }
        match expiries.rev().find(|end| *end < at && issues(*end)) {
            Some(since) => {
                let stopped = Stopped::at(since, Some(cap), expired, mesh);
                Issuance::Stopped(Stopped { no_start: refusal(at), ..stopped })
            }
            None => refusal(at.min(cap)).map_or(Issuance::Unknown, Issuance::Refused),
        }
    }

    /// The expired certificates of the issuer file, if the published anchors accept the issuer without them: with these whoever has
    /// lost its workload certificate restarts, whatever it holds now.
    pub(super) fn unneeded(&self, states: &States, at: Timestamp) -> Vec<Certificate> {
        let (Some(anchors), Some(chain)) = (&self.controller, &self.chain) else { return Vec::new() };
        let expired: Vec<_> =
            chain.intermediates.iter().filter(|one| one.is_expired_at(at)).cloned().collect();
        let kept = chain.without_expired(at);
        let accepted = |anchors, rules| accepts(anchors, &kept, &states.identity, at, rules).is_ok();
        let good = accepted(anchors, Rules::Controller) && accepted(anchors, Rules::Proxy);
        if good { expired } else { Vec::new() }
    }

    /// The anchors whose expiry alone has stopped issuance. One that is the issuer itself does not count: Go passes over an anchor
    /// of the issuer's own name and key.
    pub(super) fn renewable(&self, issuance: &Issuance, at: Timestamp) -> Vec<Certificate> {
        let (Issuance::Stopped(Stopped { because, exact: true, .. }), Some(chain)) = (issuance, &self.chain)
        else {
            return Vec::new();
        };
        if chain.first_to_expire().is_expired_at(at)
            || chain.issuer.is_self_issued()
            || because.iter().any(|part| part.role != CertificateRole::TrustAnchor)
        {
            return Vec::new();
        }
        because.iter().map(|part| part.certificate.clone()).collect()
    }

    /// What follows from the bundle alone, or from the issuer alone: nobody issues without a valid anchor, nor with an expired
    /// issuer.
    fn issuance_from_one_side(&self, mesh: &Mesh, expired: &[Part], at: Timestamp) -> Issuance {
        let has_expired = |part: &Part| expired.contains(part);
        let all = self.all();
        let since = match (&self.anchors, &self.chain) {
            (Some(_), None) if all.iter().all(has_expired) => all.iter().map(Part::not_after).max(),
            (None, Some(_)) => all.iter().filter(|part| has_expired(part)).map(Part::not_after).min(),
            _ => None,
        };
        let cap = self.chain.as_ref().map(|chain| chain.first_to_expire().facts().not_after);
        since.map_or(Issuance::Unknown, |since| {
            let stopped = Stopped::at(since, cap, expired, mesh);
            let presented = WorkloadCertificates { first: None, ..stopped.presented };
            // Of the issuer file, only the issuer itself is needed whatever the bundle.
            let needed = stopped.because.iter().find(|part| part.role != CertificateRole::Intermediate);
            let no_start = needed.map(|part| Refusal::Expired {
                certificate: part.certificate.name().to_owned(),
                not_after: since,
                at,
            });
            Issuance::Stopped(Stopped { exact: false, presented, no_start, ..stopped })
        })
    }
}

impl Part {
    /// Its last valid instant.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.certificate.facts().not_after
    }
}

impl Stopped {
    fn at(since: Timestamp, cap: Option<Timestamp>, expired: &[Part], mesh: &Mesh) -> Self {
        Self {
            since,
            exact: true,
            because: expired.iter().filter(|part| part.not_after() == since).cloned().collect(),
            presented: WorkloadCertificates::of(mesh, since, cap),
            without_certificate: WithoutCertificate::of(mesh, since),
            no_start: None,
        }
    }
}

/// Validity is told in whole seconds, the last one included.
fn just_after(end: Timestamp) -> Timestamp {
    end.checked_add(jiff::SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX)
}
