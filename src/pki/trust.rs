//! The one trust relation: do these anchors accept this chain, at this time, under these rules?

mod controller;
mod known;
mod probe;
mod proxy;
mod refusal;

use jiff::Timestamp;

use super::{Bundle, Certificate, IssuerChain};
pub use refusal::{Candidate, Refusal, Usage};

/// Whose rules judge a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rules {
    /// A proxy meeting another proxy's workload certificate (rustls-webpki): an anchor is a name and a key, its validity,
    /// path length and usages do not count; both directions (server and client usage) must hold.
    Proxy,
    /// The identity controller and `linkerd check` looking at the issuer (Go's `crypto/x509`): anchors expire, path
    /// lengths count, extended key usages nest.
    Controller,
}

/// Whom a verifier asks for: the mesh's names, and what its version's identity controller asks of an issuer besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The DNS name that the workload certificate carries (name constraints look at it).
    pub name: String,
    /// The DNS name that the controller asks of the issuer (up to 2.9.0).
    pub issuer: Option<String>,
    /// Does the controller take an issuer that is no CA (up to 2.10)?
    pub takes_any_issuer: bool,
}

impl From<&str> for Identity {
    /// As the controller of today asks.
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), issuer: None, takes_any_issuer: false }
    }
}

/// Do `anchors` accept a workload certificate that the first certificate of `chain` signs at `at`, presented with the rest of
/// the chain?
///
/// Under [`Rules::Proxy`] the workload certificate is a probe, signed in thought only: no key is needed. Under
/// [`Rules::Controller`] the question is the identity controller's own, of the issuer itself. `identity` names who is
/// asked for.
///
/// # Errors
/// The reason, as the verifier of these rules gives it.
pub fn accepts(
    anchors: &Bundle,
    chain: &IssuerChain,
    identity: &Identity,
    at: Timestamp,
    rules: Rules,
) -> Result<(), Refusal> {
    let verify = || match rules {
        Rules::Proxy => proxy::accepts(anchors, chain, &identity.name, at),
        Rules::Controller => controller::accepts(anchors, chain, identity, at),
    };
    known::accepts((anchors, chain), identity, at, rules, verify)
}

/// Does `chain` come from this anchor, as the identity controller judged it when the issuer began?
pub fn is_signed_by(chain: &IssuerChain, anchor: &Certificate, identity: &Identity) -> bool {
    let begun = chain.issuer.facts().not_before.max(anchor.facts().not_before);
    accepts(&Bundle::of(anchor), chain, identity, begun, Rules::Controller).is_ok()
}

/// Is a certificate's signature by its own key?
pub(in crate::pki) fn signs_itself(certificate: &Certificate) -> bool {
    controller::signs_itself(certificate)
}

/// Does rustls-webpki take these bytes for a trust anchor, as the proxy asks it?
pub(in crate::pki) fn parses_for_proxy(der: &[u8]) -> Result<(), String> {
    webpki::anchor_from_trusted_cert(&der.into()).map(drop).map_err(|error| format!("{error:?}"))
}

/// Does Go's `x509.ParseCertificate` take these bytes for a certificate?
pub(in crate::pki) fn parses_for_controller(der: &[u8]) -> Result<(), &'static str> {
    controller::parses(der)
}
