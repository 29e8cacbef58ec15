//! A rotation's anchors and issuers, as findings name them.

use serde::Serialize;

use super::CertificateRef;
use crate::mesh::Unread;
use crate::pki::{Bundle, Fingerprint, IssuerChain, Refusal, pem::Defect};

/// Which of a rotation's issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerRole {
    New,
    NewWithCross,
    NewWithoutCross,
    Old,
}

/// An issuer that a rotation puts in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationIssuer {
    pub role: IssuerRole,
    pub certificate: CertificateRef,
}

/// Which of a rotation's anchors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnchorRole {
    New,
    Old,
    /// Those that are published, where the rotation replaces none.
    Present,
}

/// Anchors of a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationAnchors {
    pub role: AnchorRole,
    pub fingerprints: Vec<Fingerprint>,
}

/// Why a bundle, as it was read, does not accept a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyRefused {
    Refusal(Refusal),
    /// The bundle's text cannot be read.
    Unreadable(Defect),
}

/// What proxies that no cluster shows must have before a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// They hold these anchors.
    Anchors(RotationAnchors),
    /// They hold the anchor that signed the cross certificate, or the new one.
    AnchorOfCross,
    /// Their workload certificates are of this issuer.
    Certificates(IssuerRole),
}

/// Why the issuer in the Secret is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretGap {
    Unread(Unread),
    Absent,
    /// Only the copy in `linkerd-config` was read, which shows the last render.
    CopyOnly,
    /// Its certificates cannot be read, and why.
    Unreadable(String),
}

impl RotationIssuer {
    pub fn new(role: IssuerRole, chain: &IssuerChain) -> Self {
        Self { role, certificate: CertificateRef::from(&chain.issuer) }
    }
}

impl RotationAnchors {
    pub fn new(role: AnchorRole, anchors: &Bundle) -> Self {
        Self { role, fingerprints: anchors.fingerprints().into_iter().collect() }
    }
}
