//! Certificates: what they say, who accepts them, and how new ones are made.
//!
//! Nothing here knows Kubernetes, does I/O or reads a clock.

mod bundle;
mod certificate;
mod der;
mod fingerprint;
mod issuer;
mod key;
mod mint;
pub mod pem;
mod trust;

pub use bundle::{Bundle, BundleText};
pub use certificate::{Certificate, CertificateError, Curve, Facts, KeyKind, SignatureKind};
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use issuer::{IssuerChain, IssuerChainError};
pub use key::{KeyEncoding, KeyError, PrivateKey};
pub use mint::{
    AnchorRequest, Authority, IssuerRequest, MintError, cross_sign, mint_anchor, mint_issuer, request_issuer,
};
pub use trust::{Candidate, Identity, Refusal, Rules, Usage, accepts, is_signed_by};
