//! A workload certificate as the identity controller would sign it, signed in thought only.

use jiff::{Timestamp, tz::TimeZone};
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

use super::known;
use crate::pki::Certificate;
use crate::pki::der::{
    BIT_STRING, BOOLEAN, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SET, UTC_TIME, UTF8_STRING,
    bit_string, context, context_constructed, element, sequence,
};

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// The probe: a workload certificate that names `issuer` as its issuer, whose signature only its own [`Signed`] algorithms
/// accept.
pub(super) struct Probe {
    pub(super) der: CertificateDer<'static>,
    tbs: Vec<u8>,
    issuer_key: Vec<u8>,
}

impl Probe {
    /// The certificate that Linkerd's `pkg/tls/ca.go` makes for `identity`, valid at the second of `at` and no other.
    pub(super) fn new(issuer: &Certificate, identity: &str, at: Timestamp) -> Self {
        let algorithm = sequence(&[&alg_id::ECDSA_SHA256]);
        let time = time(at);
        let subject = element(UTF8_STRING, &[identity.as_bytes()]);
        let key_algorithm = sequence(&[&alg_id::ECDSA_P256]);
        let extensions = sequence(&[
            &extension(KEY_USAGE, true, &element(BIT_STRING, &[&[5, 0xa0]])),
            &extension(
                EXTENDED_KEY_USAGE,
                false,
                &sequence(&[&element(OID, &[SERVER_AUTH]), &element(OID, &[CLIENT_AUTH])]),
            ),
            &extension(SUBJECT_ALT_NAME, false, &sequence(&[&element(context(2), &[identity.as_bytes()])])),
        ]);
        let tbs = sequence(&[
            &element(context_constructed(0), &[&element(INTEGER, &[&[2]])]),
            &element(INTEGER, &[&[1]]),
            &algorithm,
            issuer.raw_subject(),
            &sequence(&[&time, &time]),
            &sequence(&[&element(SET, &[&sequence(&[&element(OID, &[COMMON_NAME]), &subject])])]),
            &sequence(&[&key_algorithm, &bit_string(&GENERATOR)]),
            &element(context_constructed(3), &[&extensions]),
        ]);
        let der = sequence(&[&tbs, &algorithm, &bit_string(b"probe")]).into();
        Self { der, tbs, issuer_key: issuer.public_key().to_vec() }
    }

    /// `algorithm`, which besides accepts the probe itself under the issuer's key.
    pub(super) fn signed<'a>(&'a self, algorithm: &'a dyn SignatureVerificationAlgorithm) -> Signed<'a> {
        Signed { probe: self, algorithm }
    }
}

/// A signature algorithm for which the issuer has signed the probe; of everything else it is the real one.
pub(super) struct Signed<'a> {
    probe: &'a Probe,
    algorithm: &'a dyn SignatureVerificationAlgorithm,
}

impl std::fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.algorithm.fmt(f)
    }
}

impl SignatureVerificationAlgorithm for Signed<'_> {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        if message == self.probe.tbs && key == self.probe.issuer_key {
            return Ok(());
        }
        known::verify(self.algorithm, key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[BOOLEAN, 1, 0xff] } else { &[] };
    sequence(&[&element(OID, &[id]), critical, &element(OCTET_STRING, &[value])])
}

/// RFC 5280 4.1.2.5: two digits for the year until 2049, four after it.
fn time(at: Timestamp) -> Vec<u8> {
    let at = at.to_zoned(TimeZone::UTC);
    let (tag, format) =
        if at.year() < 2050 { (UTC_TIME, "%y%m%d%H%M%SZ") } else { (GENERALIZED_TIME, "%Y%m%d%H%M%SZ") };
    element(tag, &[at.strftime(format).to_string().as_bytes()])
}

/// The base point of P-256 (SEC 2, 2.4.2): a workload certificate's own key plays no part in its verification.
const GENERATOR: [u8; 65] = [
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f,
    0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce,
    0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];
