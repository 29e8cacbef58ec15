//! Keys and signature algorithms as Go's `crypto/x509` knows them, verified with AWS-LC.

use std::borrow::Cow;

use aws_lc_rs::signature::{self as aws, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::alg_id;

use super::certificate::Error;
use crate::pki::der::{INTEGER, Reader, SEQUENCE};
use crate::pki::{Curve, KeyKind};

/// A hash of the SHA-2 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rsa(Hash),
    RsaPss(Hash),
    Ecdsa(Hash),
    Ed25519,
    /// Known to Go, and refused in certificates: Go's name for it.
    Insecure(&'static str),
    Unknown,
}

/// A public key with the contents of its bit string.
#[derive(Debug, Clone)]
pub(super) struct Key<'a> {
    pub(super) kind: KeyKind,
    /// Go knows the algorithm. (DSA is known, and cannot verify; what is not known gives another error.)
    pub(super) known: bool,
    bytes: Cow<'a, [u8]>,
}

/// What came of checking a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    Good,
    Bad,
    /// The algorithm is for keys of this kind, in Go's word, and this one is of another.
    WrongKind(&'static str),
    Insecure(&'static str),
    Unsupported,
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
const P224: &[u8] = &[0x06, 5, 0x2b, 0x81, 4, 0, 0x21];

impl Algorithm {
    /// From the contents of an AlgorithmIdentifier.
    pub(super) fn parse(identifier: &[u8]) -> Result<Self, Error> {
        let mut fields = Reader(identifier);
        let oid = fields.oid().ok_or("x509: malformed OID")?;
        let parameters = parameters(&mut fields)?;
        Ok(match (oid.strip_prefix(RSA), oid.strip_prefix(ECDSA), oid) {
            (Some([4]), ..) => Self::Insecure("MD5-RSA"),
            (Some([5]), ..) | (_, _, [0x2b, 0x0e, 3, 2, 0x1d]) => Self::Insecure("SHA1-RSA"),
            (Some([11]), ..) => Self::Rsa(Hash::Sha256),
            (Some([12]), ..) => Self::Rsa(Hash::Sha384),
            (Some([13]), ..) => Self::Rsa(Hash::Sha512),
            (Some([10]), ..) => pss(identifier),
            (_, Some([4, 1]), _) => Self::Insecure("ECDSA-SHA1"),
            (_, Some([4, 3, 2]), _) => Self::Ecdsa(Hash::Sha256),
            (_, Some([4, 3, 3]), _) => Self::Ecdsa(Hash::Sha384),
            (_, Some([4, 3, 4]), _) => Self::Ecdsa(Hash::Sha512),
            (_, _, ED25519) if parameters.is_empty() => Self::Ed25519,
            (_, _, [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3]) => Self::Insecure("DSA-SHA1"),
            _ => Self::Unknown,
        })
    }
}

/// RSA-PSS counts only in the three combinations whose parameters have this one encoding.
fn pss(identifier: &[u8]) -> Algorithm {
    let known = [
        (alg_id::RSA_PSS_SHA256, Hash::Sha256),
        (alg_id::RSA_PSS_SHA384, Hash::Sha384),
        (alg_id::RSA_PSS_SHA512, Hash::Sha512),
    ];
    let found = known.iter().find(|(id, _)| id.as_ref() == identifier);
    found.map_or(Algorithm::Unknown, |(_, hash)| Algorithm::RsaPss(*hash))
}

/// The whole element of the parameters; empty where there are none.
fn parameters<'a>(fields: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    if fields.is_empty() {
        return Ok(&[]);
    }
    fields.any().map(|element| element.whole).ok_or("x509: malformed parameters")
}

impl<'a> Key<'a> {
    /// From the contents of a SubjectPublicKeyInfo.
    pub(super) fn parse(spki: &'a [u8]) -> Result<Self, Error> {
        let mut fields = Reader(spki);
        let mut identifier =
            fields.nested(SEQUENCE).ok_or("x509: malformed public key algorithm identifier")?;
        let oid = identifier.oid().ok_or("x509: malformed OID")?;
        let parameters = parameters(&mut identifier)?;
        let bytes = fields.right_aligned().ok_or("x509: malformed subjectPublicKey")?;
        let kind = match oid {
            _ if oid.strip_prefix(RSA) == Some(&[1]) => rsa(parameters, &bytes)?,
            _ if oid.strip_prefix(ECDSA) == Some(&[2, 1]) => ec(parameters, &bytes)?,
            ED25519 if !parameters.is_empty() => {
                return Err("x509: Ed25519 key encoded with illegal parameters");
            }
            ED25519 if bytes.len() != 32 => return Err("x509: wrong Ed25519 public key size"),
            ED25519 => KeyKind::Ed25519,
            _ => KeyKind::Other,
        };
        Ok(Self { kind, known: kind != KeyKind::Other || oid == DSA, bytes })
    }

    /// Go's `checkSignature`.
    pub(super) fn check(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Checked {
        let verifier: &'static dyn VerificationAlgorithm = match (algorithm, self.kind) {
            (Algorithm::Insecure(name), _) => return Checked::Insecure(name),
            (Algorithm::Unknown, _) | (_, KeyKind::Other) => return Checked::Unsupported,
            (Algorithm::Ecdsa(hash), KeyKind::Ec(curve)) => match ecdsa(curve, hash) {
                Some(verifier) => verifier,
                None => return Checked::Unsupported,
            },
            (Algorithm::Rsa(hash), KeyKind::Rsa(bits)) => match pkcs1(bits, hash) {
                Some(verifier) => verifier,
                None => return Checked::Unsupported,
            },
            (Algorithm::RsaPss(Hash::Sha256), KeyKind::Rsa(_)) => &aws::RSA_PSS_2048_8192_SHA256,
            (Algorithm::RsaPss(Hash::Sha384), KeyKind::Rsa(_)) => &aws::RSA_PSS_2048_8192_SHA384,
            (Algorithm::RsaPss(Hash::Sha512), KeyKind::Rsa(_)) => &aws::RSA_PSS_2048_8192_SHA512,
            (Algorithm::Ed25519, KeyKind::Ed25519) => &aws::ED25519,
            (Algorithm::Ecdsa(_), _) => return Checked::WrongKind("ECDSA"),
            (Algorithm::Rsa(_) | Algorithm::RsaPss(_), _) => return Checked::WrongKind("RSA"),
            (Algorithm::Ed25519, _) => return Checked::WrongKind("Ed25519"),
        };
        match UnparsedPublicKey::new(verifier, &self.bytes).verify(message, signature) {
            Ok(()) => Checked::Good,
            Err(_) => Checked::Bad,
        }
    }
}

fn rsa(parameters: &[u8], key: &[u8]) -> Result<KeyKind, Error> {
    if parameters != [5, 0] {
        return Err("x509: RSA key missing NULL parameters");
    }
    let mut fields = Reader(key).nested(SEQUENCE).ok_or("x509: invalid RSA public key")?;
    let modulus = fields.integer().ok_or("x509: invalid RSA modulus")?;
    let exponent =
        fields.read(INTEGER).filter(|bytes| bytes.len() <= 8).ok_or("x509: invalid RSA public exponent")?;
    let positive = |bytes: &[u8]| bytes[0] & 0x80 == 0 && bytes.iter().any(|byte| *byte != 0);
    if !positive(modulus) {
        return Err("x509: RSA modulus is not a positive number");
    }
    if exponent.is_empty() || !positive(exponent) {
        return Err("x509: RSA public exponent is not a positive number");
    }
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let bits = modulus.len() * 8 - zeros * 8 - usize::try_from(modulus[zeros].leading_zeros()).unwrap_or(0);
    Ok(KeyKind::Rsa(bits))
}

fn ec(parameters: &[u8], point: &[u8]) -> Result<KeyKind, Error> {
    let named = |id: rustls_pki_types::AlgorithmIdentifier| id.as_ref().ends_with(parameters);
    let curve = match () {
        () if !Reader(parameters).peek(crate::pki::der::OID) => return Err("x509: invalid ECDSA parameters"),
        () if named(alg_id::ECDSA_P256) => Curve::P256,
        () if named(alg_id::ECDSA_P384) => Curve::P384,
        () if named(alg_id::ECDSA_P521) => Curve::P521,
        () if parameters == P224 => Curve::Other,
        () => return Err("x509: unsupported elliptic curve"),
    };
    let on_curve = match ecdsa(curve, Hash::Sha256) {
        Some(algorithm) => ParsedPublicKey::new(algorithm, point).is_ok(),
        None => point.len() == 57,
    };
    if point.first() != Some(&4) || !on_curve {
        return Err("crypto/ecdsa: invalid uncompressed public key");
    }
    Ok(KeyKind::Ec(curve))
}

/// `None` for P-224, which AWS-LC's Rust interface does not have.
fn ecdsa(curve: Curve, hash: Hash) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (curve, hash) {
        (Curve::P256, Hash::Sha256) => &aws::ECDSA_P256_SHA256_ASN1,
        (Curve::P256, Hash::Sha384) => &aws::ECDSA_P256_SHA384_ASN1,
        (Curve::P256, Hash::Sha512) => &aws::ECDSA_P256_SHA512_ASN1,
        (Curve::P384, Hash::Sha256) => &aws::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, Hash::Sha384) => &aws::ECDSA_P384_SHA384_ASN1,
        (Curve::P384, Hash::Sha512) => &aws::ECDSA_P384_SHA512_ASN1,
        (Curve::P521, Hash::Sha256) => &aws::ECDSA_P521_SHA256_ASN1,
        (Curve::P521, Hash::Sha384) => &aws::ECDSA_P521_SHA384_ASN1,
        (Curve::P521, Hash::Sha512) => &aws::ECDSA_P521_SHA512_ASN1,
        (Curve::Other, _) => return None,
    })
}

/// Go verifies from 1024 bits on.
fn pkcs1(bits: usize, hash: Hash) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (bits, hash) {
        (2048.., Hash::Sha256) => &aws::RSA_PKCS1_2048_8192_SHA256,
        (2048.., Hash::Sha384) => &aws::RSA_PKCS1_2048_8192_SHA384,
        (2048.., Hash::Sha512) => &aws::RSA_PKCS1_2048_8192_SHA512,
        (1024.., Hash::Sha256) => &aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        (1024.., Hash::Sha512) => &aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        _ => return None,
    })
}
