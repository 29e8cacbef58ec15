//! Signatures that were verified before: thousands of bundles have the same few anchors, and verifying is what takes time.

use std::cell::RefCell;
use std::collections::HashMap;

use rustls_pki_types::{InvalidSignature, SignatureVerificationAlgorithm};

use crate::pki::Fingerprint;

/// How many verdicts are kept.
const KEPT: usize = 1 << 16;

thread_local! {
    static VERDICTS: RefCell<HashMap<Fingerprint, Result<(), InvalidSignature>>> = RefCell::default();
}

/// What `algorithm` says of a signature; asked once for all that it depends on.
pub(super) fn verify(
    algorithm: &dyn SignatureVerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), InvalidSignature> {
    let (of_key, of_signature) = (algorithm.public_key_alg_id(), algorithm.signature_alg_id());
    let parts = [of_key.as_ref(), of_signature.as_ref(), key, message, signature];
    let length = |part: &[u8]| (part.len() as u64).to_be_bytes();
    let all: Vec<u8> =
        parts.into_iter().flat_map(|part| length(part).into_iter().chain(part.iter().copied())).collect();
    let question = Fingerprint::digest(&all);
    if let Some(verdict) = VERDICTS.with_borrow(|verdicts| verdicts.get(&question).copied()) {
        return verdict;
    }
    let verdict = algorithm.verify_signature(key, message, signature);
    VERDICTS.with_borrow_mut(|verdicts| {
        if verdicts.len() == KEPT {
            verdicts.clear();
        }
        verdicts.insert(question, verdict);
    });
    verdict
}
