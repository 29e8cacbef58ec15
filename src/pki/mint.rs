//! New certificates, equal to what `step certificate create` makes with the profiles `root-ca` and `intermediate-ca`.

use aws_lc_rs::{digest, rand};
use jiff::Timestamp;
use rcgen::string::{Ia5String, PrintableString};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, Issuer, KeyIdMethod,
    KeyUsagePurpose, SanType, SerialNumber, SigningKey as _,
};

use super::der::{Reader, SEQUENCE, bit_string, sequence};
use super::{Certificate, KeyError, PrivateKey};

/// A certificate authority whose key is at hand.
pub struct Authority {
    /// Its certificate.
    pub certificate: Certificate,
    /// The key that the certificate certifies.
    pub key: PrivateKey,
}

/// What a new trust anchor shall be.
#[derive(Debug, Clone)]
pub struct AnchorRequest {
    /// Common name; `root.linkerd.cluster.local` in the guide.
    pub common_name: String,
    /// First valid instant; backdate it by some minutes for nodes whose clock lags.
    pub not_before: Timestamp,
    /// Last valid instant.
    pub not_after: Timestamp,
}

/// What a new identity issuer shall be.
#[derive(Debug, Clone)]
pub struct IssuerRequest {
    /// Common name; `identity.linkerd.cluster.local` in the guide.
    pub common_name: String,
    /// DNS names of the certificate; empty as `step` leaves it, except that Linkerd up to 2.9.0 requires
    /// `identity.<namespace>.<trust domain>`.
    pub dns_names: Vec<String>,
    /// First valid instant.
    pub not_before: Timestamp,
    /// Last valid instant; clamped to the anchor's.
    pub not_after: Timestamp,
}

/// Why a certificate cannot be minted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The signer's key is not the one its certificate certifies.
    #[error("the key does not belong to the certificate `{0}`")]
    KeyMismatch(String),
    /// The anchor expires before the new certificate would begin.
    #[error(
        "the trust anchor `{anchor}` expired on {not_after}, before the new certificate would begin ({not_before})"
    )]
    AnchorExpired {
        /// The anchor's name.
        anchor: String,
        /// When it expired.
        not_after: Timestamp,
        /// When the new certificate would begin.
        not_before: Timestamp,
    },
    /// The anchor has not begun when the new certificate would.
    #[error(
        "the trust anchor `{anchor}` is valid from {anchor_not_before} only, after the new certificate would begin ({not_before})"
    )]
    AnchorNotYetValid {
        /// The anchor's name.
        anchor: String,
        /// When it begins.
        anchor_not_before: Timestamp,
        /// When the new certificate would begin.
        not_before: Timestamp,
    },
    /// The anchor is no CA.
    #[error("`{0}` is not a CA certificate: what its key signs, the identity controller refuses")]
    NotACa(String),
    /// The anchor's path length leaves no room.
    #[error(
        "the trust anchor `{anchor}` has path length {path_len}, and {wanted} CA certificates would follow below it"
    )]
    PathLength {
        /// The anchor's name.
        anchor: String,
        /// Its path length.
        path_len: u32,
        /// How many CA certificates would follow below it.
        wanted: u32,
    },
    /// The anchor's key usage does not have keyCertSign.
    #[error(
        "the key usage of `{0}` does not allow signing certificates: the identity controller refuses what it signs"
    )]
    MayNotSign(String),
    /// It would expire before it is valid.
    #[error("the certificate would expire ({not_after}) before it is valid ({not_before})")]
    Validity {
        /// First valid instant.
        not_before: Timestamp,
        /// Last valid instant.
        not_after: Timestamp,
    },
    /// It would begin before the instant from which proxies count time.
    #[error("the certificate would be valid from {not_before}, and proxies know no time before 1970")]
    BeforeEpoch {
        /// First valid instant.
        not_before: Timestamp,
    },
    /// A name is empty or has characters that a certificate cannot carry.
    #[error("`{0}` cannot be a name in a certificate")]
    Name(String),
    /// The key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signing library failed, in its own words.
    #[error("the certificate could not be signed: {0}")]
    Signing(String),
}

impl MintError {
    /// The next thing to do.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::KeyMismatch(_) => Some("pass the key that was made together with this certificate"),
            Self::AnchorExpired { .. } => {
                Some("mint a new trust anchor: an expired one cannot issue, and must be rotated")
            }
            Self::AnchorNotYetValid { .. } => {
                Some("begin the certificate when the anchor is valid, or check the clock")
            }
            Self::NotACa(_) => {
                Some("pass the trust anchor (basic constraints CA:TRUE), not a certificate below it")
            }
            Self::PathLength { .. } => Some(
                "mint a new trust anchor; `step certificate create --profile root-ca` gives path length 1",
            ),
            Self::MayNotSign(_) => Some("mint a new trust anchor with key usage keyCertSign"),
            Self::Validity { .. } => Some("give a longer lifetime"),
            Self::BeforeEpoch { .. } => {
                Some("give the instant of the rotation with --at, or check the clock")
            }
            Self::Name(_) => Some("give a name of printable characters; a DNS name in ASCII"),
            Self::Key(error) => error.help(),
            Self::Signing(_) => None,
        }
    }
}

/// A new self-signed P-256 anchor (path length 1).
///
/// # Errors
/// A validity that expires before it begins, or a failure of the signing library.
pub fn mint_anchor(request: &AnchorRequest) -> Result<Authority, MintError> {
    let key = PrivateKey::generate()?;
    let mut params = params(request.not_before, request.not_after, Some(1), &key_id(key.public_key()))?;
    params.distinguished_name = name(&request.common_name)?;
    let signed = params.self_signed(&key).map_err(signing)?;
    Ok(Authority { certificate: parse(signed.der())?, key })
}

/// A new P-256 issuer (path length 0) signed by `anchor`. It never outlives its anchor: look at its `not_after`.
///
/// # Errors
/// An anchor that is not valid at the issuer's start, is no CA, may not sign another CA, or whose key does not match.
pub fn mint_issuer(request: &IssuerRequest, anchor: &Authority) -> Result<Authority, MintError> {
    let not_after = request.not_after.min(anchor.certificate.facts().not_after);
    anchor.may_sign(request.not_before, 1)?;
    let key = PrivateKey::generate()?;
    let mut params = params(request.not_before, not_after, Some(0), &key_id(key.public_key()))?;
    params.distinguished_name = name(&request.common_name)?;
    params.subject_alt_names =
        request.dns_names.iter().map(|name| dns_name(name)).collect::<Result<_, _>>()?;
    Ok(Authority { certificate: anchor.sign(params, None, &key)?, key })
}

/// A signing request for an identity issuer (PKCS#10, PEM), for who holds the anchor's key: of a CA of path length 0 that signs
/// certificates and revocation lists.
///
/// # Errors
/// A name that a certificate cannot carry, or a failure of the signing library.
pub fn request_issuer(
    common_name: &str,
    dns_names: &[String],
    key: &PrivateKey,
) -> Result<String, MintError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(common_name)?;
    params.subject_alt_names = dns_names.iter().map(|name| dns_name(name)).collect::<Result<_, _>>()?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let request = params.serialize_request(key).map_err(signing)?;
    Ok(super::pem::block("CERTIFICATE REQUEST", request.der()))
}

/// `new` once more, signed by `old`: a chain of an issuer of `new` and this certificate is accepted by whoever trusts `old`.
///
/// It begins at `not_before`, and expires when the first of both anchors does. The key of `new` is not needed. An old anchor
/// of path length 1 will do, though RFC 5280 counts two CA certificates below it: the identity controller verifies the
/// issuer, not an end-entity certificate, and so counts one, and proxies do not look at an anchor's path length.
///
/// # Errors
/// An old anchor that is not valid at `not_before`, is no CA, may not sign another CA, or whose key does not match.
pub fn cross_sign(
    new: &Certificate,
    old: &Authority,
    not_before: Timestamp,
) -> Result<Certificate, MintError> {
    let facts = new.facts();
    old.may_sign(not_before, 1)?;
    if !facts.is_ca {
        return Err(MintError::NotACa(new.name().to_owned()));
    }
    let not_after = facts.not_after.min(old.certificate.facts().not_after);
    let subject_key_id = new.raw_subject_key_id().map_or_else(|| key_id(new.public_key()), <[u8]>::to_vec);
    let params = params(not_before, not_after, facts.path_len, &subject_key_id)?;
    old.sign(params, Some(new), &old.key)
}

impl Authority {
    /// May it sign a certificate that begins at `not_before`, with `wanted` CA certificates below itself?
    fn may_sign(&self, not_before: Timestamp, wanted: u32) -> Result<(), MintError> {
        let anchor = self.certificate.name().to_owned();
        let facts = self.certificate.facts();
        if !self.key.matches(&self.certificate) {
            return Err(MintError::KeyMismatch(anchor));
        }
        if !facts.is_ca {
            return Err(MintError::NotACa(anchor));
        }
        if facts.may_sign == Some(false) {
            return Err(MintError::MayNotSign(anchor));
        }
        if let Some(path_len) = facts.path_len.filter(|path_len| *path_len < wanted) {
            return Err(MintError::PathLength { anchor, path_len, wanted });
        }
        if self.certificate.is_expired_at(not_before) {
            return Err(MintError::AnchorExpired { anchor, not_after: facts.not_after, not_before });
        }
        if not_before < facts.not_before {
            return Err(MintError::AnchorNotYetValid {
                anchor,
                anchor_not_before: facts.not_before,
                not_before,
            });
        }
        Ok(())
    }

    /// Signs what `params` say, of `subject`'s name and key if there is one, else of the params' name and `key`.
    ///
    /// rcgen writes the certificate; this authority's name (and the subject's) then goes in byte for byte, for rcgen's
    /// names hold one value of each attribute, and an enterprise CA's name often has several `DC` or `OU`.
    fn sign(
        &self,
        mut params: CertificateParams,
        subject: Option<&Certificate>,
        key: &PrivateKey,
    ) -> Result<Certificate, MintError> {
        params.use_authority_key_identifier_extension = self.certificate.raw_subject_key_id().is_some();
        let mut signer = CertificateParams::default();
        signer.key_identifier_method =
            KeyIdMethod::PreSpecified(self.certificate.raw_subject_key_id().unwrap_or_default().to_vec());
        let template = params.signed_by(key, &Issuer::from_params(&signer, &self.key)).map_err(signing)?;
        let mut fields =
            fields(template.der()).ok_or_else(|| MintError::Signing("malformed template".to_owned()))?;
        fields.tbs[ISSUER] = self.certificate.raw_subject();
        if let Some(subject) = subject {
            fields.tbs[SUBJECT] = subject.raw_subject();
            fields.tbs[SPKI] = subject.raw_spki();
        }
        let tbs = sequence(&fields.tbs);
        let signature = bit_string(&self.key.sign(&tbs).map_err(signing)?);
        parse(&sequence(&[&tbs, fields.algorithm, &signature]))
    }
}

/// Places in a TBSCertificate of version 3 (RFC 5280 4.1).
const ISSUER: usize = 3;
const SUBJECT: usize = 5;
const SPKI: usize = 6;

struct Fields<'a> {
    tbs: Vec<&'a [u8]>,
    algorithm: &'a [u8],
}

fn fields(der: &[u8]) -> Option<Fields<'_>> {
    let mut certificate = Reader(der).nested(SEQUENCE)?;
    let mut reader = certificate.nested(SEQUENCE)?;
    let tbs: Vec<_> = std::iter::from_fn(|| reader.any().map(|element| element.whole)).collect();
    Some(Fields { tbs, algorithm: certificate.element(SEQUENCE)?.whole })
        .filter(|fields| fields.tbs.len() > SPKI)
}

/// What anchors and issuers have in common: CA, key usage keyCertSign and cRLSign, no extended key usage.
fn params(
    not_before: Timestamp,
    not_after: Timestamp,
    path_len: Option<u32>,
    subject_key_id: &[u8],
) -> Result<CertificateParams, MintError> {
    if not_before < Timestamp::UNIX_EPOCH {
        return Err(MintError::BeforeEpoch { not_before });
    }
    if not_after <= not_before {
        return Err(MintError::Validity { not_before, not_after });
    }
    let path_len = path_len.map_or(BasicConstraints::Unconstrained, |path_len| {
        BasicConstraints::Constrained(path_len.try_into().unwrap_or(u8::MAX))
    });
    let mut params = CertificateParams::default();
    params.not_before = instant(not_before)?;
    params.not_after = instant(not_after)?;
    params.serial_number = Some(serial()?);
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::Ca(path_len);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.key_identifier_method = KeyIdMethod::PreSpecified(subject_key_id.to_vec());
    Ok(params)
}

/// Only a common name, as a PrintableString where its characters allow, like Go and so `step`.
fn name(common_name: &str) -> Result<DistinguishedName, MintError> {
    if common_name.trim().is_empty() || common_name.chars().any(char::is_control) {
        return Err(MintError::Name(common_name.to_owned()));
    }
    let value = PrintableString::try_from(common_name)
        .map_or_else(|_| DnValue::Utf8String(common_name.to_owned()), DnValue::PrintableString);
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, value);
    Ok(name)
}

/// Labels of letters, digits, hyphens and underscores, none of them empty; a `*` may be the first.
fn dns_name(name: &str) -> Result<SanType, MintError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let labels = name.strip_prefix("*.").unwrap_or(name);
    let valid = labels.split('.').all(|label| !label.is_empty() && label.bytes().all(allowed));
    let name_error = || MintError::Name(name.to_owned());
    let name = Ia5String::try_from(name).map_err(|_| name_error())?;
    valid.then_some(SanType::DnsName(name)).ok_or_else(name_error)
}

/// RFC 5280 4.2.1.2, method 1: the SHA-1 of the public key. Only a name, so SHA-1 is no weakness; `step` does the same.
fn key_id(public_key: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, public_key).as_ref().to_vec()
}

/// 128 random bits, positive and not zero (RFC 5280 4.1.2.2).
fn serial() -> Result<SerialNumber, MintError> {
    let mut bytes = [0; 16];
    while bytes == [0; 16] {
        rand::fill(&mut bytes).map_err(|_| MintError::Key(KeyError::Library("give random numbers")))?;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

fn instant(time: Timestamp) -> Result<time::OffsetDateTime, MintError> {
    time::OffsetDateTime::from_unix_timestamp(time.as_second())
        .map_err(|error| MintError::Signing(error.to_string()))
}

fn parse(der: &[u8]) -> Result<Certificate, MintError> {
    Certificate::from_der(der).map_err(|error| MintError::Signing(error.to_string()))
}

fn signing(error: rcgen::Error) -> MintError {
    MintError::Signing(error.to_string())
}
