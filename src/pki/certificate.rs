//! One X.509 certificate as Linkerd's rules look at it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use x509_parser::oid_registry::OID_X509_EXT_NAME_CONSTRAINTS;
use x509_parser::prelude::*;
use x509_parser::public_key::PublicKey;

use super::Fingerprint;
use crate::printable::escaped;

/// A parsed certificate. Cloning is cheap; equality is equality of the DER.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: CertificateDer<'static>,
    fingerprint: Fingerprint,
    facts: Facts,
    raw: Raw,
}

/// The parts that verification and minting copy byte for byte.
struct Raw {
    subject: Vec<u8>,
    issuer: Vec<u8>,
    /// The whole SubjectPublicKeyInfo.
    spki: Vec<u8>,
    /// The contents of its bit string.
    public_key: Vec<u8>,
    subject_key_id: Option<Vec<u8>>,
}

/// What the rules and the reader want to know of a certificate. Its names are for people: hidden characters in them are
/// escaped, and verification compares the DER.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The subject's common name, if it has one.
    pub common_name: Option<String>,
    /// The subject as a distinguished name, most specific part first (`CN=…, O=…`).
    pub subject: String,
    /// The issuer as a distinguished name.
    pub issuer: String,
    /// The issuer's common name, if it has one.
    pub issuer_common_name: Option<String>,
    /// The serial number in decimal, as `linkerd check` prints it.
    pub serial: String,
    /// First instant at which the certificate is valid.
    pub not_before: Timestamp,
    /// Last instant at which the certificate is valid.
    pub not_after: Timestamp,
    /// The kind of the certified public key.
    pub key: KeyKind,
    /// The algorithm its issuer signed it with.
    pub signature: SignatureKind,
    /// Basic constraints: is it a certificate authority? (RFC 5280 4.2.1.9)
    pub is_ca: bool,
    /// Basic constraints: how many CA certificates may follow below it; `None` is without limit.
    pub path_len: Option<u32>,
    /// Key usage: may it sign certificates? `None` where the extension is missing. (RFC 5280 4.2.1.3)
    pub may_sign: Option<bool>,
    /// Extended key usages, in dotted form; `None` where the extension is missing. (RFC 5280 4.2.1.12)
    pub extended_key_usages: Option<Vec<String>>,
    /// Does it constrain the names of what stands below it? (RFC 5280 4.2.1.10)
    pub name_constraints: bool,
    /// The DNS names of the subject alternative name.
    pub dns_names: Vec<String>,
    /// Subject key identifier, in hexadecimal.
    pub subject_key_id: Option<String>,
    /// Authority key identifier, in hexadecimal.
    pub authority_key_id: Option<String>,
}

/// A public key, as far as Linkerd tells keys apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyKind {
    /// ECDSA on one of the NIST curves.
    Ec(Curve),
    /// RSA with this many bits.
    Rsa(usize),
    /// Ed25519.
    Ed25519,
    /// Anything else.
    Other,
}

/// A NIST curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Curve {
    /// secp256r1, the one that Linkerd wants.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
    /// Another curve.
    Other,
}

/// A signature algorithm, as far as Linkerd tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SignatureKind {
    /// ecdsa-with-SHA256.
    EcdsaSha256,
    /// sha256WithRSAEncryption.
    RsaSha256,
    /// Anything else.
    Other,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ec(Curve::P256) => f.write_str("ECDSA P-256"),
            Self::Ec(Curve::P384) => f.write_str("ECDSA P-384"),
            Self::Ec(Curve::P521) => f.write_str("ECDSA P-521"),
            Self::Ec(Curve::Other) => f.write_str("ECDSA on another curve"),
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other => f.write_str("unknown key"),
        }
    }
}

/// The bytes are not a certificate that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate: {0}")]
pub struct CertificateError(pub String);

impl Certificate {
    /// Reads one certificate.
    ///
    /// # Errors
    /// When the bytes are not exactly one DER certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, parsed) =
            X509Certificate::from_der(der).map_err(|error| CertificateError(error.to_string()))?;
        if !rest.is_empty() {
            return Err(CertificateError(format!("{} bytes follow the certificate", rest.len())));
        }
        let facts = facts(&parsed);
        let raw = Raw {
            subject: parsed.subject().as_raw().to_vec(),
            issuer: parsed.issuer().as_raw().to_vec(),
            spki: parsed.public_key().raw.to_vec(),
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
            subject_key_id: subject_key_id(&parsed).map(<[u8]>::to_vec),
        };
        Ok(Self(Arc::new(Inner {
            der: CertificateDer::from(der.to_vec()),
            fingerprint: Fingerprint::of(der),
            facts,
            raw,
        })))
    }

    /// The DER encoding.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0.der
    }

    /// The SHA-256 of the DER encoding.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// What the certificate says.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// The name people know it by: the common name, or the whole subject, or `(no subject)`.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.0.facts {
            Facts { common_name: Some(name), .. } => name,
            Facts { subject, .. } if subject.is_empty() => "(no subject)",
            Facts { subject, .. } => subject,
        }
    }

    /// The name of its issuer: the common name, or the whole distinguished name.
    #[must_use]
    pub fn issuer_name(&self) -> &str {
        self.0.facts.issuer_common_name.as_deref().unwrap_or(&self.0.facts.issuer)
    }

    /// Is `at` within the validity, both ends included? (RFC 5280 4.1.2.5)
    #[must_use]
    pub fn is_valid_at(&self, at: Timestamp) -> bool {
        (self.0.facts.not_before..=self.0.facts.not_after).contains(&at)
    }

    /// Has the certificate expired at `at`?
    #[must_use]
    pub fn is_expired_at(&self, at: Timestamp) -> bool {
        at > self.0.facts.not_after
    }

    /// The subject's DER, tag and length included: what a chain is built by.
    pub(in crate::pki) fn raw_subject(&self) -> &[u8] {
        &self.0.raw.subject
    }

    /// The issuer's DER, tag and length included.
    pub(in crate::pki) fn raw_issuer(&self) -> &[u8] {
        &self.0.raw.issuer
    }

    /// The whole SubjectPublicKeyInfo.
    pub(in crate::pki) fn raw_spki(&self) -> &[u8] {
        &self.0.raw.spki
    }

    /// The contents of the public key's bit string.
    pub(crate) fn public_key(&self) -> &[u8] {
        &self.0.raw.public_key
    }

    /// The subject key identifier, if there is one.
    pub(in crate::pki) fn raw_subject_key_id(&self) -> Option<&[u8]> {
        self.0.raw.subject_key_id.as_deref()
    }

    /// Does it name itself as its issuer? (Not: did it sign itself.)
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.raw_subject() == self.raw_issuer()
    }

    /// Did its own key sign it? A cross certificate may name itself and be signed by another.
    #[must_use]
    pub fn is_self_signed(&self) -> bool {
        self.is_self_issued() && super::trust::signs_itself(self)
    }

    /// The certificate as one strict PEM block: LF line ends, 64 columns, a final newline.
    #[must_use]
    pub fn to_pem(&self) -> String {
        super::pem::block("CERTIFICATE", &self.0.der)
    }
}

fn facts(parsed: &X509Certificate<'_>) -> Facts {
    let constraints = parsed.basic_constraints().ok().flatten().map(|extension| extension.value);
    let names =
        parsed.subject_alternative_name().ok().flatten().map(|extension| &extension.value.general_names);
    Facts {
        common_name: common_name(parsed.subject()),
        subject: escaped(&parsed.subject().to_string()).into_owned(),
        issuer: escaped(&parsed.issuer().to_string()).into_owned(),
        issuer_common_name: common_name(parsed.issuer()),
        serial: parsed.tbs_certificate.serial.to_string(),
        not_before: instant(parsed.validity().not_before),
        not_after: instant(parsed.validity().not_after),
        key: key_kind(parsed),
        signature: match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
            "1.2.840.10045.4.3.2" => SignatureKind::EcdsaSha256,
            "1.2.840.113549.1.1.11" => SignatureKind::RsaSha256,
            _ => SignatureKind::Other,
        },
        is_ca: constraints.is_some_and(|value| value.ca),
        path_len: constraints.and_then(|value| value.path_len_constraint),
        may_sign: parsed.key_usage().ok().flatten().map(|usage| usage.value.key_cert_sign()),
        extended_key_usages: parsed.iter_extensions().find_map(extended_key_usages),
        name_constraints: parsed
            .iter_extensions()
            .any(|extension| extension.oid == OID_X509_EXT_NAME_CONSTRAINTS),
        dns_names: names
            .into_iter()
            .flatten()
            .filter_map(|name| match name {
                GeneralName::DNSName(dns) => Some(escaped(dns).into_owned()),
                _ => None,
            })
            .collect(),
        subject_key_id: subject_key_id(parsed).map(hex),
        authority_key_id: parsed.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| hex(id.0)),
            _ => None,
        }),
    }
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    name.iter_common_name()
        .last()
        .and_then(|value| value.as_str().ok())
        .map(|name| escaped(name).into_owned())
}

/// An expiry that no clock can express (RFC 5280's 9999-12-31T23:59:59Z, "no expiration") becomes the last that can.
fn instant(time: ASN1Time) -> Timestamp {
    let last = if time.timestamp() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(time.timestamp()).unwrap_or(last)
}

fn subject_key_id<'a>(parsed: &X509Certificate<'a>) -> Option<&'a [u8]> {
    parsed.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
        _ => None,
    })
}

fn extended_key_usages(extension: &X509Extension<'_>) -> Option<Vec<String>> {
    let ParsedExtension::ExtendedKeyUsage(usages) = extension.parsed_extension() else { return None };
    let known = [
        (usages.any, "2.5.29.37.0"),
        (usages.server_auth, "1.3.6.1.5.5.7.3.1"),
        (usages.client_auth, "1.3.6.1.5.5.7.3.2"),
        (usages.code_signing, "1.3.6.1.5.5.7.3.3"),
        (usages.email_protection, "1.3.6.1.5.5.7.3.4"),
        (usages.time_stamping, "1.3.6.1.5.5.7.3.8"),
        (usages.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
    ];
    let known = known.into_iter().filter(|(there, _)| *there).map(|(_, oid)| oid.to_owned());
    Some(known.chain(usages.other.iter().map(ToString::to_string)).collect())
}

fn key_kind(parsed: &X509Certificate<'_>) -> KeyKind {
    let curve = |oid: String| match oid.as_str() {
        "1.2.840.10045.3.1.7" => Curve::P256,
        "1.3.132.0.34" => Curve::P384,
        "1.3.132.0.35" => Curve::P521,
        _ => Curve::Other,
    };
    match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => KeyKind::Rsa(rsa.key_size()),
        Ok(PublicKey::EC(_)) => {
            let parameters = parsed.public_key().algorithm.parameters.as_ref();
            KeyKind::Ec(
                parameters
                    .and_then(|any| any.as_oid().ok())
                    .map_or(Curve::Other, |oid| curve(oid.to_id_string())),
            )
        }
        _ if parsed.public_key().algorithm.algorithm.to_id_string() == "1.3.101.112" => KeyKind::Ed25519,
        _ => KeyKind::Other,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

impl Eq for Certificate {}

impl Hash for Certificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint().hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.name(), self.fingerprint().short())
    }
}

impl Serialize for Certificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0.der))
    }
}

impl<'de> Deserialize<'de> for Certificate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let der = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        Self::from_der(&der).map_err(serde::de::Error::custom)
    }
}
