//! Why a chain is not accepted.

use jiff::Timestamp;
use serde::Serialize;

use crate::pki::KeyKind;
use crate::pki::pem::Defect;

/// A use of a certificate in TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Usage {
    /// serverAuth: the proxy that is called.
    Server,
    /// clientAuth: the proxy that calls.
    Client,
}

impl Usage {
    /// Its object identifier (RFC 5280 4.2.1.12).
    #[must_use]
    pub fn oid(self) -> &'static str {
        match self {
            Self::Server => "1.3.6.1.5.5.7.3.1",
            Self::Client => "1.3.6.1.5.5.7.3.2",
        }
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Server => "serverAuth",
            Self::Client => "clientAuth",
        })
    }
}

/// A certificate of the right name that was tried as the signer, and why it was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Its name as Go gives it: common name, else organization, else `serial:N`.
    pub name: String,
    /// Why it is not the signer.
    pub because: Box<Refusal>,
}

/// Why a chain is not accepted. Each variant's `certificate` is the name of the certificate that is at fault, `at` the
/// instant that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are told by the documentation of the enum and of each variant")]
pub enum Refusal {
    /// A certificate of the chain, or (for the controller) the anchor, has expired.
    #[error("`{certificate}` expired on {not_after}")]
    Expired { certificate: String, not_after: Timestamp, at: Timestamp },
    /// A certificate of the chain, or (for the controller) the anchor, has not begun.
    #[error("`{certificate}` is not valid before {not_before}")]
    NotYetValid { certificate: String, not_before: Timestamp, at: Timestamp },
    /// No anchor signed the chain. `issuer` is the name it would have; `candidate` one of that name that did not.
    #[error("no anchor in the bundle signed `{certificate}` ({})", unknown_issuer(issuer, candidate))]
    UnknownIssuer { certificate: String, issuer: String, candidate: Option<Candidate> },
    /// The signature of the certificate is not by the key that was tried.
    #[error("the signature of `{certificate}` was made with another key")]
    SignatureMismatch { certificate: String, key: KeyKind },
    /// Go passes over a signer that has the name, the key and the alternative names of a certificate already in the
    /// chain: a self-signed issuer is not accepted by a renewed anchor of the same key, as it is by proxies.
    #[error("`{certificate}` has that name and the same key already, and the controller passes it over")]
    SameNameAndKey { certificate: String },
    /// Basic constraints lack the CA flag.
    #[error("`{certificate}` is not a CA certificate")]
    NotACa { certificate: String },
    /// Basic constraints or key usage do not let the certificate sign others.
    #[error("`{certificate}` may not sign certificates: {}", if *.is_ca { "its key usage lacks keyCertSign" } else { "it is not a CA certificate" })]
    MayNotSign { certificate: String, is_ca: bool },
    /// The issuer is accepted by Go's verification and is no CA, which Linkerd asks for besides (2.11 and later).
    #[error("the issuer `{certificate}` is not a CA certificate")]
    IssuerNotACa { certificate: String },
    /// The issuer does not bear the name that the identity controller asks of it (up to 2.9.0). `names` are its own.
    #[error("the issuer `{certificate}` does not bear the name {wanted}, which Linkerd up to 2.9.0 asks for")]
    IssuerName { certificate: String, wanted: String, names: Vec<String> },
    /// More CA certificates follow below a certificate than its path length allows.
    #[error("more CA certificates stand below `{certificate}` than its path length allows")]
    PathTooLong { certificate: String },
    /// An extended key usage is there, and not the one that is needed.
    #[error("the extended key usage of `{certificate}` does not allow {usage}")]
    ExtendedKeyUsage { certificate: String, usage: Usage },
    /// A name constraint forbids a name. `detail` is the verifier's own.
    #[error("the name constraints of `{certificate}` do not allow this chain: {detail}")]
    NameConstraint { certificate: String, detail: String },
    /// A critical extension that the verifier does not know.
    #[error("`{certificate}` has a critical extension that Linkerd does not know")]
    CriticalExtension { certificate: String },
    /// The signature or key algorithm is not one that the verifier has.
    #[error("`{certificate}` is signed with an algorithm that Linkerd does not verify")]
    UnsupportedAlgorithm { certificate: String },
    /// Go refuses MD5 and SHA-1. `algorithm` is Go's name of it.
    #[error("`{certificate}` is signed with {algorithm}, which is not secure")]
    InsecureAlgorithm { certificate: String, algorithm: &'static str },
    /// The certificate's signature algorithm is not one of the tried signer's key.
    #[error("`{certificate}` was not signed with a key of the kind {key}")]
    WrongKindOfKey { certificate: String, algorithm: &'static str, key: KeyKind },
    /// The identity controller signs every workload certificate with ECDSA and SHA-256, which this issuer's key cannot.
    #[error("the issuer `{certificate}` has an {key} key, and the identity controller signs with ECDSA only")]
    IssuerKey { certificate: String, key: KeyKind },
    /// So many certificates share names that the verifier gave up.
    #[error(
        "the verifier gave up after too many candidates: too many certificates share the name of the anchor"
    )]
    TooManyChecks,
    /// Certificate policies are constrained, which this program does not judge: it refuses rather than guesses.
    #[error("`{certificate}` constrains or maps certificate policies, which is not evaluated here")]
    Policies { certificate: String },
    /// The verifier reads no anchors out of the bundle's text.
    #[error("the bundle cannot be read: {defect}")]
    BundleUnreadable { defect: Defect },
    /// A certificate cannot be read by this verifier. `detail` is the verifier's own.
    #[error("`{certificate}` cannot be read: {detail}")]
    Malformed { certificate: String, detail: String },
}

fn unknown_issuer(issuer: &str, candidate: &Option<Candidate>) -> String {
    match candidate {
        Some(Candidate { name, because }) => match &**because {
            Refusal::SignatureMismatch { .. } => {
                format!("the bundle's `{name}` has the same name but a different key")
            }
            other => format!("the bundle's `{name}` does not count: {other}"),
        },
        None => format!("it holds none named `{issuer}`"),
    }
}

impl Refusal {
    /// Go's own text, as `linkerd check` and the identity controller print it (`crypto/x509` of Go 1.26).
    ///
    /// Instants are in UTC, as in Linkerd's containers. What only proxies say comes in our words.
    #[must_use]
    pub fn go_text(&self) -> String {
        let outside = "x509: certificate has expired or is not yet valid: current time";
        match self {
            Self::Expired { not_after, at, .. } => {
                format!("{outside} {} is after {}", rfc3339(*at), rfc3339(*not_after))
            }
            Self::NotYetValid { not_before, at, .. } => {
                format!("{outside} {} is before {}", rfc3339(*at), rfc3339(*not_before))
            }
            Self::UnknownIssuer { candidate, .. } => go_unknown_authority(candidate.as_ref()),
            Self::SignatureMismatch { key: KeyKind::Rsa(_), .. } => {
                "crypto/rsa: verification error".to_owned()
            }
            Self::SignatureMismatch { key: KeyKind::Ed25519, .. } => {
                "x509: Ed25519 verification failure".to_owned()
            }
            Self::SignatureMismatch { .. } => "x509: ECDSA verification failure".to_owned(),
            Self::NotACa { .. } => {
                "x509: certificate is not authorized to sign other certificates".to_owned()
            }
            Self::MayNotSign { .. } => {
                "x509: invalid signature: parent certificate cannot sign this kind of certificate".to_owned()
            }
            Self::IssuerNotACa { .. } => {
                "failed to verify issuer certificate: it must be an intermediate-CA, but it is not".to_owned()
            }
            Self::IssuerName { wanted, names, .. } if names.is_empty() => {
                format!("x509: certificate is not valid for any names, but wanted to match {wanted}")
            }
            Self::IssuerName { wanted, names, .. } => {
                format!("x509: certificate is valid for {}, not {wanted}", names.join(", "))
            }
            Self::PathTooLong { .. } => "x509: too many intermediates for path length constraint".to_owned(),
            Self::ExtendedKeyUsage { .. } => {
                "x509: certificate specifies an incompatible key usage".to_owned()
            }
            Self::NameConstraint { detail, .. } => format!(
                "x509: a root or intermediate certificate is not authorized to sign for this name: {detail}"
            ),
            Self::CriticalExtension { .. } => "x509: unhandled critical extension".to_owned(),
            Self::UnsupportedAlgorithm { .. } => {
                "x509: cannot verify signature: algorithm unimplemented".to_owned()
            }
            Self::InsecureAlgorithm { algorithm, .. } => {
                format!("x509: cannot verify signature: insecure algorithm {algorithm}")
            }
            Self::WrongKindOfKey { algorithm, key, .. } => format!(
                "x509: signature algorithm specifies an {algorithm} public key, but have public key of type {}",
                go_type(*key)
            ),
            Self::TooManyChecks => {
                "x509: signature check attempts limit reached while verifying certificate chain".to_owned()
            }
            Self::Malformed { detail, .. } => detail.clone(),
            Self::BundleUnreadable { defect } => defect.to_string(),
            Self::IssuerKey { .. } | Self::Policies { .. } | Self::SameNameAndKey { .. } => self.to_string(),
        }
    }
}

fn go_unknown_authority(candidate: Option<&Candidate>) -> String {
    let unknown = "x509: certificate signed by unknown authority";
    match candidate.filter(|candidate| !matches!(*candidate.because, Refusal::SameNameAndKey { .. })) {
        None => unknown.to_owned(),
        Some(Candidate { name, because }) => format!(
            "{unknown} (possibly because of {} while trying to verify candidate authority certificate {})",
            quoted(&because.go_text()),
            quoted(name)
        ),
    }
}

/// Go's `time.RFC3339` of an instant: whole seconds.
fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Go's `%q` of text without anything unusual in it.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn go_type(key: KeyKind) -> &'static str {
    match key {
        KeyKind::Rsa(_) => "*rsa.PublicKey",
        KeyKind::Ed25519 => "ed25519.PublicKey",
        KeyKind::Ec(_) => "*ecdsa.PublicKey",
        KeyKind::Other => "*dsa.PublicKey",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_says_what_linkerd_check_prints() {
        let time = |text: &str| text.parse().unwrap();
        let expired = Refusal::Expired {
            certificate: "root".into(),
            not_after: time("2026-01-01T00:00:00Z"),
            at: time("2026-06-01T12:00:00.25Z"),
        };
        assert_eq!(
            expired.go_text(),
            "x509: certificate has expired or is not yet valid: current time 2026-06-01T12:00:00Z is after \
             2026-01-01T00:00:00Z"
        );
        let because = Refusal::SignatureMismatch {
            certificate: "identity".into(),
            key: KeyKind::Ec(crate::pki::Curve::P256),
        };
        let candidate = Some(Candidate { name: "root".into(), because: Box::new(because) });
        let unknown =
            Refusal::UnknownIssuer { certificate: "identity".into(), issuer: "root".into(), candidate };
        assert_eq!(
            unknown.go_text(),
            "x509: certificate signed by unknown authority (possibly because of \"x509: ECDSA verification failure\" while \
             trying to verify candidate authority certificate \"root\")"
        );
    }
}
