//! The algorithms Linkerd asks of certificates (`pkg/issuercerts`, `Check…AlgoRequirements`).

use crate::mesh::Era;
use crate::pki::{Certificate, Curve, KeyKind, SignatureKind};

/// What `linkerd check` of this era minds in a trust anchor, in its words: RSA is allowed since 2.12.
pub(crate) fn mind_anchor(anchor: &Certificate, era: Era) -> Option<String> {
    match anchor.facts().key {
        KeyKind::Rsa(2048 | 4096) if era >= Era::V2_12 => mind_signature(anchor, era),
        KeyKind::Rsa(bits) if era >= Era::V2_12 => {
            Some(format!("must use 2048 or 4096 bit RSA for public key, instead {bits} bit was used"))
        }
        key if era >= Era::V2_12 => mind_key(key, "ECDSA or RSA").or_else(|| mind_signature(anchor, era)),
        _ => mind_issuer(anchor, era),
    }
}

/// What `linkerd check` of this era minds in an issuer, in its words.
pub(super) fn mind_issuer(issuer: &Certificate, era: Era) -> Option<String> {
    mind_key(issuer.facts().key, "ECDSA").or_else(|| mind_signature(issuer, era))
}

fn mind_key(key: KeyKind, allowed: &str) -> Option<String> {
    let curve = |name: &str| Some(format!("must use P-256 curve for public key, instead {name} was used"));
    let other =
        |name: &str| Some(format!("must use {allowed} for public key algorithm, instead {name} was used"));
    match key {
        KeyKind::Ec(Curve::P256) => None,
        KeyKind::Ec(Curve::P384) => curve("P-384"),
        KeyKind::Ec(Curve::P521) => curve("P-521"),
        KeyKind::Ec(Curve::Other) => curve("another curve"),
        KeyKind::Rsa(_) => other("RSA"),
        KeyKind::Ed25519 => other("Ed25519"),
        KeyKind::Other => other("another algorithm"),
    }
}

fn mind_signature(certificate: &Certificate, era: Era) -> Option<String> {
    let instead = match certificate.facts().signature {
        SignatureKind::EcdsaSha256 => return None,
        SignatureKind::RsaSha256 if era >= Era::V2_12 => return None,
        SignatureKind::RsaSha256 => "SHA256-RSA",
        SignatureKind::Other => "another algorithm",
    };
    Some(format!("must be signed by an ECDSA P-256 key, instead {instead} was used"))
}
