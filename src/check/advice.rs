//! Which of the guide's procedures is next.

use jiff::Timestamp;
use serde::Serialize;

use super::case::Case;
use super::{Options, Stop};
use crate::finding::{CertificateRef, CheckFact, Fact, InputFact, Procedure};
use crate::mesh::{Known, Mesh, Owner};
use crate::pki::{Bundle, Certificate, IssuerChain, Refusal, Rules, accepts};

/// What is next where no rotation is under way, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "code", content = "evidence", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Advice {
    /// Nothing: no certificate expires soon.
    Fine {
        /// Of issuer and anchor the one that expires first.
        first: CertificateRef,
    },
    /// The trust anchor expires soon: rotate anchor and issuer.
    RotateAnchor { anchor: CertificateRef },
    /// The issuer expires soon, and the anchor can still sign a new one, without any restart.
    RotateIssuer {
        /// The issuer, or an intermediate in its file that expires before it.
        issuer: CertificateRef,
        /// The anchor that signs the next one.
        anchor: CertificateRef,
    },
    /// The issuer has expired, and the anchor can still sign a new one.
    ReplaceIssuer { issuer: CertificateRef, anchor: CertificateRef },
    /// A certificate after the issuer in its file has expired, and the published anchors accept the issuer without it.
    RemoveExpired { expired: CertificateRef },
    /// The anchor that the issuer needs has expired: new certificates all at once, with downtime.
    ReplaceExpired {
        anchor: CertificateRef,
        /// The instant at which the last workload certificate expires.
        last_workload_certificate: Timestamp,
    },
    /// cert-manager makes what expires soon, or has expired: its objects are changed, not the Secret.
    CertManager {
        expires: CertificateRef,
        /// Is it the anchor (else the issuer)?
        anchor: bool,
        /// The Certificates, as `namespace/name`.
        certificates: Vec<String>,
    },
    /// The published bundle does not accept the issuer.
    Untrusted { refusal: Refusal },
    /// This comes before any rotation.
    Repair { fact: Fact },
    /// It cannot be told, because this is not known.
    Unknown { fact: Fact },
}

/// Tells the next procedure from trust material alone.
#[must_use]
pub fn advice(mesh: &Mesh, options: Options) -> Advice {
    let case = Case { mesh, options };
    if let Some(published) = mesh.trust.published.as_option()
        && published.text.as_read_by(Rules::Proxy).is_ok()
        && published.text.as_read_by(Rules::Controller).is_err()
    {
        return Advice::Repair { fact: bundle_fault(mesh) };
    }
    let anchors = match case.anchors() {
        Ok(anchors) => anchors,
        Err(Stop::Unknown(fact)) => return Advice::Unknown { fact: *fact },
        Err(Stop::NotApplicable) => return Advice::Repair { fact: bundle_fault(mesh) },
    };
    match case.chain() {
        Ok(chain) => of_parts(&case, anchors, chain),
        Err(Stop::Unknown(fact)) => Advice::Unknown { fact: *fact },
        Err(Stop::NotApplicable) => Advice::Repair { fact: issuer_fault(mesh) },
    }
}

/// Why the published bundle cannot be used.
fn bundle_fault(mesh: &Mesh) -> Fact {
    let object = mesh.bundle_home();
    match &mesh.trust.published {
        Known::Is(published) => {
            CheckFact::TrustBundleMisread { object, defects: published.text.defects().to_vec() }.into()
        }
        Known::Absent | Known::Unknown(_) => CheckFact::TrustBundleMissing { object }.into(),
    }
}

/// Why the issuer cannot be used.
fn issuer_fault(mesh: &Mesh) -> Fact {
    let object = mesh.issuer_secret();
    match mesh.issuer.as_option().map(|issuer| &issuer.chain) {
        Some(Err(said)) => InputFact::IssuerUnreadable { object, said: said.to_string() }.into(),
        Some(Ok(_)) | None => CheckFact::IssuerSecretMissing { secret: object }.into(),
    }
}

fn of_parts(case: &Case<'_>, anchors: &Bundle, chain: &IssuerChain) -> Advice {
    if let Err(refusal) = case.trusts(anchors, chain) {
        return Advice::Untrusted { refusal };
    }
    let Ok(anchor) = case.carrier() else {
        // All together accept it and none alone does: only a verifier that gave up can answer so.
        return Advice::Untrusted { refusal: Refusal::TooManyChecks };
    };
    let issuer = chain.first_to_expire();
    if anchor.is_expired_at(case.at()) {
        return Advice::ReplaceExpired {
            anchor: anchor.into(),
            last_workload_certificate: last_workload_certificate(case, anchor, issuer),
        };
    }
    let expired = issuer.is_expired_at(case.at());
    if !expired
        && let Err(refusal) =
            accepts(anchors, chain, &case.mesh.identity_name(), case.at(), Rules::Controller)
    {
        return Advice::Untrusted { refusal };
    }
    let (anchor_soon, issuer_soon) = (case.expires_soon(anchor), expired || case.chain_expires_soon(chain));
    if !anchor_soon && !issuer_soon {
        let first = if issuer.facts().not_after < anchor.facts().not_after { issuer } else { anchor };
        return Advice::Fine { first: first.into() };
    }
    // An expired issuer is replaced first: nothing is issued meanwhile, and with a new one the anchor's rotation can wait.
    let anchor_first = anchor_soon && !expired;
    let certificates = cert_manager(case.mesh);
    if !certificates.is_empty() {
        let expires = if anchor_first { anchor } else { issuer };
        return Advice::CertManager { expires: expires.into(), anchor: anchor_first, certificates };
    }
    if expired && is_good_without_expired(case, anchors, chain) {
        return Advice::RemoveExpired { expired: issuer.into() };
    }
    let (anchor, issuer) = (anchor.into(), issuer.into());
    match (anchor_first, expired) {
        (true, _) => Advice::RotateAnchor { anchor },
        (false, true) => Advice::ReplaceIssuer { issuer, anchor },
        (false, false) => Advice::RotateIssuer { issuer, anchor },
    }
}

/// Do the published anchors accept the issuer without what has expired behind it in its file?
fn is_good_without_expired(case: &Case<'_>, anchors: &Bundle, chain: &IssuerChain) -> bool {
    let kept = chain.without_expired(case.at());
    let accepted = |rules| accepts(anchors, &kept, &case.mesh.identity_name(), case.at(), rules).is_ok();
    kept != *chain && accepted(Rules::Controller) && accepted(Rules::Proxy)
}

/// A workload certificate made just before the anchor expired is valid for its lifetime and skew, or until the issuer expires.
fn last_workload_certificate(case: &Case<'_>, anchor: &Certificate, issuer: &Certificate) -> Timestamp {
    let anchor = anchor.facts().not_after;
    anchor
        .checked_add(case.workload_certificate_lifetime())
        .unwrap_or(Timestamp::MAX)
        .min(issuer.facts().not_after)
}

/// The cert-manager Certificates that make anchor or issuer, told by themselves or by what they left on the Secret.
fn cert_manager(mesh: &Mesh) -> Vec<String> {
    let secret = mesh.issuer_secret();
    let manifest = mesh.manifest(&secret.kind, &secret.namespace, &secret.name);
    let owner = manifest.into_iter().flat_map(|manifest| &manifest.owners).find_map(|owner| match owner {
        Owner::CertManager { certificate } => Some(format!("{}/{certificate}", secret.namespace)),
        _ => None,
    });
    let observed =
        mesh.certificates.iter().map(|found| format!("{}/{}", found.object.namespace, found.object.name));
    let mut names: Vec<_> = observed.chain(owner).collect();
    names.sort();
    names.dedup();
    names
}

impl Advice {
    /// The procedure, where there is one.
    #[must_use]
    pub const fn procedure(&self) -> Option<Procedure> {
        match self {
            Self::RotateAnchor { .. } => Some(Procedure::RotateAnchor),
            Self::RotateIssuer { .. } => Some(Procedure::RotateIssuer),
            Self::ReplaceIssuer { .. } => Some(Procedure::ReplaceIssuer),
            Self::RemoveExpired { .. } => Some(Procedure::RemoveExpired),
            Self::ReplaceExpired { .. } => Some(Procedure::ReplaceExpired),
            Self::CertManager { anchor: true, .. } => Some(Procedure::RotateManaged),
            Self::CertManager { anchor: false, .. } => Some(Procedure::RenewManaged),
            Self::Fine { .. } | Self::Untrusted { .. } | Self::Repair { .. } | Self::Unknown { .. } => None,
        }
    }

    /// Does the procedure bring a new trust anchor, so that every proxy has to learn it?
    pub(super) const fn brings_anchor(&self) -> bool {
        match self {
            Self::RotateAnchor { .. } | Self::ReplaceExpired { .. } | Self::Untrusted { .. } => true,
            Self::CertManager { anchor, .. } => *anchor,
            Self::Fine { .. }
            | Self::RotateIssuer { .. }
            | Self::ReplaceIssuer { .. }
            | Self::RemoveExpired { .. }
            | Self::Repair { .. }
            | Self::Unknown { .. } => false,
        }
    }
}
