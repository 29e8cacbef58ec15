//! What was judged before. Thousands of bundles have the same few anchors, and a plan asks for each step what it asked for the
//! last one; all that a verdict depends on is the key under which it is kept.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::Timestamp;
use rustls_pki_types::{InvalidSignature, SignatureVerificationAlgorithm};

use super::{Identity, Refusal, Rules};
use crate::pki::{Bundle, Certificate, Fingerprint, IssuerChain};

/// How many verdicts of a kind are kept.
const KEPT: usize = 1 << 16;

thread_local! {
    static SIGNATURES: Verdicts<InvalidSignature> = RefCell::default();
    static CHAINS: Verdicts<Refusal> = RefCell::default();
}

type Verdicts<E> = RefCell<HashMap<Fingerprint, Result<(), E>>>;

/// The verdict that is kept, or else the one that `verify` gives.
fn once<E: Clone>(
    kept: &Verdicts<E>,
    question: Fingerprint,
    verify: impl FnOnce() -> Result<(), E>,
) -> Result<(), E> {
    if let Some(verdict) = kept.borrow().get(&question) {
        return verdict.clone();
    }
    let verdict = verify();
    let mut kept = kept.borrow_mut();
    if kept.len() == KEPT {
        kept.clear();
    }
    kept.insert(question, verdict.clone());
    verdict
}

/// The parts of a question, told apart by their lengths.
#[derive(Default)]
struct Question(Vec<u8>);

impl Question {
    fn with(mut self, part: &[u8]) -> Self {
        self.0.extend((part.len() as u64).to_be_bytes());
        self.0.extend(part);
        self
    }

    fn with_all<'a>(self, certificates: impl Iterator<Item = &'a Certificate>) -> Self {
        let fingerprints: Vec<u8> =
            certificates.flat_map(|certificate| certificate.fingerprint().bytes()).collect();
        self.with(&fingerprints)
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::digest(&self.0)
    }
}

/// What `algorithm` says of a signature.
pub(super) fn verify(
    algorithm: &dyn SignatureVerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), InvalidSignature> {
    let question = Question::default()
        .with(algorithm.public_key_alg_id().as_ref())
        .with(algorithm.signature_alg_id().as_ref())
        .with(key)
        .with(message)
        .with(signature);
    let verify = || algorithm.verify_signature(key, message, signature);
    SIGNATURES.with(|kept| once(kept, question.fingerprint(), verify))
}

/// What `verify` says of a chain; the order of anchors is part of the question, as a refusal names one of them.
pub(super) fn accepts(
    (anchors, chain): (&Bundle, &IssuerChain),
    identity: &Identity,
    at: Timestamp,
    rules: Rules,
    verify: impl FnOnce() -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let Identity { name, issuer, takes_any_issuer } = identity;
    let flags = [u8::from(rules == Rules::Proxy), u8::from(issuer.is_some()), u8::from(*takes_any_issuer)];
    let question = Question::default()
        .with(&flags)
        .with(name.as_bytes())
        .with(issuer.as_deref().unwrap_or_default().as_bytes())
        .with(&at.as_nanosecond().to_be_bytes())
        .with_all(chain.certificates())
        .with_all(anchors.anchors().iter());
    CHAINS.with(|kept| once(kept, question.fingerprint(), verify))
}
