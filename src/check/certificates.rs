//! What is asked of one certificate: its algorithms, and how long it is still valid.

use jiff::{SignedDuration, Timestamp};

use crate::finding::AlgorithmFault;
use crate::mesh::Era;
use crate::pki::{Certificate, Curve, IssuerChain, KeyKind, SignatureKind};

/// What `linkerd check` of this era has against a trust anchor: RSA is allowed since 2.12 (`pkg/issuercerts`).
pub(crate) fn anchor_fault(anchor: &Certificate, era: Era) -> Option<AlgorithmFault> {
    match anchor.facts().key {
        KeyKind::Rsa(2048 | 4096) if era >= Era::V2_12 => signature_fault(anchor, era),
        KeyKind::Rsa(bits) if era >= Era::V2_12 => Some(AlgorithmFault::RsaBits { bits }),
        key => key_fault(key, era >= Era::V2_12).or_else(|| signature_fault(anchor, era)),
    }
}

/// What `linkerd check` of this era has against an issuer.
pub(crate) fn issuer_fault(issuer: &Certificate, era: Era) -> Option<AlgorithmFault> {
    key_fault(issuer.facts().key, false).or_else(|| signature_fault(issuer, era))
}

fn key_fault(key: KeyKind, rsa_allowed: bool) -> Option<AlgorithmFault> {
    match key {
        KeyKind::Ec(Curve::P256) => None,
        KeyKind::Ec(used) => Some(AlgorithmFault::Curve { used }),
        used @ (KeyKind::Rsa(_) | KeyKind::Ed25519 | KeyKind::Other) => {
            Some(AlgorithmFault::Key { used, rsa_allowed })
        }
    }
}

fn signature_fault(certificate: &Certificate, era: Era) -> Option<AlgorithmFault> {
    match certificate.facts().signature {
        SignatureKind::EcdsaSha256 => None,
        SignatureKind::RsaSha256 if era >= Era::V2_12 => None,
        used => Some(AlgorithmFault::Signature { used }),
    }
}

/// How much longer the certificate is valid; negative when it has expired.
pub(super) fn remaining(certificate: &Certificate, at: Timestamp) -> SignedDuration {
    at.duration_until(certificate.facts().not_after)
}

/// How long the certificate is valid in all.
pub(super) fn lifetime(certificate: &Certificate) -> SignedDuration {
    certificate.facts().not_before.duration_until(certificate.facts().not_after)
}

/// Does the certificate expire within `threshold`? One whose whole lifetime is shorter than that is judged by its share:
/// it is near its expiry in the last third, when whatever renews it should have done so.
pub(super) fn expires_soon(certificate: &Certificate, at: Timestamp, threshold: SignedDuration) -> bool {
    let lifetime = lifetime(certificate);
    let left = remaining(certificate, at);
    if lifetime < threshold { left < lifetime / 3 } else { left < threshold }
}

/// Does an issuer's file expire soon? Beside an issuer of a long life, whatever is short-lived, such as a cross certificate, is made
/// once and renewed by nobody: its share of lifetime says nothing.
pub(crate) fn chain_expires_soon(chain: &IssuerChain, at: Timestamp, threshold: SignedDuration) -> bool {
    let first = chain.first_to_expire();
    let made_once = *first != chain.issuer && lifetime(&chain.issuer) >= threshold;
    expires_soon(first, at, threshold) || made_once && remaining(first, at) < threshold
}
