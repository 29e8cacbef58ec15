//! The proxy's rules: rustls-webpki's own verdict of a workload certificate, with the proxy's algorithms.

use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::aws_lc_rs as algorithms;
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use super::probe::Probe;
use super::{Candidate, Refusal, Usage};
use crate::pki::{Bundle, Certificate, IssuerChain, KeyKind};

/// What a proxy verifies signatures with (linkerd2-proxy, `linkerd/rustls/src/crypto.rs`).
static ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 14] = [
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ECDSA_P521_SHA256,
    algorithms::ECDSA_P521_SHA384,
    algorithms::ECDSA_P521_SHA512,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    algorithms::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    algorithms::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
];

/// Would a proxy with these anchors accept a workload certificate of this issuer, as a server and as a client?
pub(super) fn accepts(
    anchors: &Bundle,
    chain: &IssuerChain,
    identity: &str,
    at: Timestamp,
) -> Result<(), Refusal> {
    let facts = chain.issuer.facts();
    if !matches!(facts.key, KeyKind::Ec(_)) {
        return Err(Refusal::IssuerKey { certificate: chain.issuer.name().to_owned(), key: facts.key });
    }
    let probe = Probe::new(&chain.issuer, identity, at);
    let question = Question { anchors, chain, identity, at };
    for (key_usage, usage) in
        [(KeyUsage::server_auth(), Usage::Server), (KeyUsage::client_auth(), Usage::Client)]
    {
        question.verify(&probe, key_usage).map_err(|error| question.refusal(&error, usage))?;
    }
    Ok(())
}

struct Question<'a> {
    anchors: &'a Bundle,
    chain: &'a IssuerChain,
    identity: &'a str,
    at: Timestamp,
}

impl<'a> Question<'a> {
    /// The issuer and its intermediates: what the controller sends along with every workload certificate.
    fn certificates(&self) -> impl Iterator<Item = &'a Certificate> {
        self.chain.certificates()
    }

    fn verify(&self, probe: &Probe, usage: KeyUsage) -> Result<(), Error> {
        let signed = ALGORITHMS.map(|algorithm| probe.signed(algorithm));
        let algorithms = signed.each_ref().map(|algorithm| algorithm as &dyn SignatureVerificationAlgorithm);
        let anchors =
            self.anchors.anchors().iter().filter_map(|anchor| anchor_from_trusted_cert(anchor.der()).ok());
        let anchors: Vec<_> = anchors.collect();
        let intermediates: Vec<CertificateDer<'_>> =
            self.certificates().map(|certificate| certificate.der().clone()).collect();
        let seconds = u64::try_from(self.at.as_second()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        EndEntityCert::try_from(&probe.der)?
            .verify_for_usage(&algorithms, &anchors, &intermediates, time, usage, None, None)
            .map(drop)
    }

    /// webpki's error in our words.
    fn refusal(&self, error: &Error, usage: Usage) -> Refusal {
        let at = self.at;
        match error {
            Error::CertExpired { not_after, .. } => {
                let not_after = timestamp(*not_after);
                let certificate = self.culprit(|_, certificate| certificate.facts().not_after == not_after);
                Refusal::Expired { certificate, not_after, at }
            }
            Error::CertNotValidYet { not_before, .. } => {
                let not_before = timestamp(*not_before);
                let certificate = self.culprit(|_, certificate| certificate.facts().not_before == not_before);
                Refusal::NotYetValid { certificate, not_before, at }
            }
            Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => self.unknown_issuer(),
            Error::EndEntityUsedAsCa => {
                Refusal::NotACa { certificate: self.culprit(|_, certificate| !certificate.facts().is_ca) }
            }
            Error::PathLenConstraintViolated => {
                Refusal::PathTooLong { certificate: self.culprit(is_too_far_up) }
            }
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Refusal::ExtendedKeyUsage {
                certificate: self.culprit(|_, certificate| lacks(certificate, usage)),
                usage,
            },
            Error::NameConstraintViolation => self.name_constraint(),
            Error::UnsupportedCriticalExtension => {
                Refusal::CriticalExtension { certificate: self.culprit(has_unknown_extension) }
            }
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                Refusal::UnsupportedAlgorithm { certificate: self.culprit(|_, _| true) }
            }
            Error::MaximumSignatureChecksExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => Refusal::TooManyChecks,
            other => {
                Refusal::Malformed { certificate: self.culprit(|_, _| true), detail: format!("{other:?}") }
            }
        }
    }

    /// webpki does not say which certificate is at fault: the first one, by its place above the workload certificate, of
    /// which the error can be true.
    fn culprit(&self, guilty: impl Fn(usize, &Certificate) -> bool) -> String {
        let found = self.certificates().enumerate().find(|(place, certificate)| guilty(*place, certificate));
        found.map_or(&self.chain.issuer, |(_, certificate)| certificate).name().to_owned()
    }

    fn name_constraint(&self) -> Refusal {
        let mut all = self.certificates().chain(self.anchors.anchors());
        let constrained = all.find(|certificate| certificate.facts().name_constraints);
        Refusal::NameConstraint {
            certificate: constrained.unwrap_or(&self.chain.issuer).name().to_owned(),
            detail: format!("a workload certificate of `{}` is outside of them", self.identity),
        }
    }

    /// A wrong signature and a missing name are one thing: no anchor signed it. An anchor of the same name says more, so
    /// the certificate told of is the first on the way up that has one, else the last.
    fn unknown_issuer(&self) -> Refusal {
        let Self { anchors, chain, .. } = self;
        let namesake = |of: &Certificate| {
            anchors.anchors().iter().find(|anchor| anchor.raw_subject() == of.raw_issuer())
        };
        let above = |of: &&Certificate| {
            chain.intermediates.iter().find(|found| found.raw_subject() == of.raw_issuer())
        };
        let way_up = || std::iter::successors(Some(&chain.issuer), above).take(1 + chain.intermediates.len());
        let certificate = way_up().find(|found| namesake(found).is_some()).or_else(|| way_up().last());
        let certificate = certificate.unwrap_or(&chain.issuer);
        let name = certificate.name().to_owned();
        let candidate = namesake(certificate).map(|anchor| Candidate {
            name: anchor.name().to_owned(),
            because: Box::new(Refusal::SignatureMismatch {
                certificate: name.clone(),
                key: anchor.facts().key,
            }),
        });
        Refusal::UnknownIssuer { certificate: name, issuer: certificate.issuer_name().to_owned(), candidate }
    }
}

/// Are there more CA certificates between it and the workload certificate than its path length allows?
fn is_too_far_up(place: usize, certificate: &Certificate) -> bool {
    certificate.facts().path_len.is_some_and(|limit| usize::try_from(limit).is_ok_and(|limit| place > limit))
}

fn lacks(certificate: &Certificate, usage: Usage) -> bool {
    let usages = &certificate.facts().extended_key_usages;
    usages.as_ref().is_some_and(|usages| !usages.iter().any(|found| found == usage.oid()))
}

fn has_unknown_extension(_: usize, certificate: &Certificate) -> bool {
    matches!(EndEntityCert::try_from(certificate.der()), Err(Error::UnsupportedCriticalExtension))
}

fn timestamp(time: UnixTime) -> Timestamp {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|second| Timestamp::from_second(second).ok())
        .unwrap_or(Timestamp::MAX)
}
