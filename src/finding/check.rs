//! What a check found.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use strum::{IntoStaticStr, VariantNames};

use super::{CertificateRef, Fact, Pods};
use crate::document::ObjectRef;
use crate::mesh::{BundleFilter, Doubt, Scheme};
use crate::pki::pem::Defect;
use crate::pki::{Curve, Fingerprint, KeyKind, Refusal, SignatureKind};

/// A private key in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInFile {
    /// The file, and the line.
    pub place: String,
    /// The trust anchor that it is of, where it is.
    pub anchor: Option<CertificateRef>,
    /// Is it of the issuer in force?
    pub is_of_issuer: bool,
}

/// Something is wrong with a mesh as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "evidence", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[strum(serialize_all = "kebab-case")]
pub enum CheckFact {
    /// The published bundle's object, or its key, is missing.
    TrustBundleMissing { object: ObjectRef },
    /// One of Linkerd's readers refuses the published text, or loses certificates of it.
    TrustBundleMisread { object: ObjectRef, defects: Vec<Defect> },
    /// Linkerd reads the published text, stricter readers do not.
    TrustBundleUntidy { object: ObjectRef, defects: Vec<Defect> },
    /// The published text is too long for an environment variable.
    TrustBundleTooLarge { object: ObjectRef, bytes: u64, most: u64 },

    /// Private keys stand in plain text in files that Git tracks.
    PrivateKeysInFiles { keys: Vec<KeyInFile> },
    /// `linkerd-config` is missing.
    LinkerdConfigMissing { config: ObjectRef },
    /// `linkerd-config` holds anchors that do not accept the issuer, and the next upgrade publishes them.
    ConfigCopyRefusesIssuer { config: ObjectRef, difference: BundleDifference },
    /// `linkerd-config` holds other anchors than are published, and the next upgrade publishes them.
    ConfigCopyDiffers { config: ObjectRef, difference: BundleDifference },
    /// `linkerd-config` holds the anchors of the day of installation, and an external CA publishes others.
    ConfigCopyOutdated { config: ObjectRef },
    /// The identity controller is given other anchors than are published (2.9 and 2.10).
    IdentityCopyDiffers { deployment: ObjectRef, difference: BundleDifference },
    /// The identity controller cannot read the anchors that it is given (2.9 and 2.10).
    IdentityCopyUnreadable { deployment: ObjectRef, defect: Defect },
    /// The issuer Secret has no `ca.crt`.
    IssuerCaMissing { secret: ObjectRef },
    /// Linkerd cannot read `ca.crt` of the issuer Secret.
    IssuerCaUnreadable { secret: ObjectRef, defect: Defect },
    /// `ca.crt` of the issuer Secret does not hold the anchor that signed the issuer.
    IssuerCaDiffers { secret: ObjectRef, refusal: Refusal },
    /// `ca.crt` is not what `linkerd-config` holds, which Linkerd demands up to 2.9.
    IssuerCaNotInConfig { secret: ObjectRef, config: ObjectRef },
    /// Linkerd cannot read the anchors that `linkerd check` looks at.
    CheckedAnchorsUnreadable { object: ObjectRef, defect: Defect },
    /// The anchors that `linkerd check` looks at do not accept the issuer; the published ones are others.
    CheckedAnchorsRefuseIssuer { object: ObjectRef, refusal: Refusal },
    /// There are no anchors where `linkerd check` looks for them.
    CheckedAnchorsEmpty { object: ObjectRef },

    /// Linkerd does not support the key or the signature of these anchors.
    TrustAnchorAlgorithm { anchors: Vec<UnsupportedAnchor> },
    /// Anchors that are not all valid yet: the others have expired.
    TrustAnchorNotYetValid { anchors: Vec<AnchorRef> },
    /// Anchors have expired, and the issuer depends on one of them.
    TrustAnchorExpired { anchors: Vec<AnchorRef> },
    /// Anchors expire soon.
    TrustAnchorExpiring { anchors: Vec<AnchorRef> },
    /// A private key stands in the published bundle's object.
    PrivateKeyPublished { object: ObjectRef, lines: Vec<usize> },
    /// Anchors have expired, and nothing depends on them.
    ExpiredAnchorLeft { anchors: Vec<AnchorRef> },

    /// The issuer Secret does not exist.
    IssuerSecretMissing { secret: ObjectRef },
    /// The issuer Secret lacks keys of its scheme.
    IssuerSecretKeys { secret: ObjectRef, scheme: Scheme, missing: Vec<String>, found: Vec<String> },
    /// There is no private key in the issuer Secret.
    IssuerKeyMissing { secret: ObjectRef, scheme: Scheme },
    /// The private key is of another certificate.
    IssuerKeyMismatch { secret: ObjectRef },
    /// The private key cannot be read; `said` is the reader's answer.
    IssuerKeyUnreadable { secret: ObjectRef, said: String },
    /// Linkerd does not support the issuer's key or signature.
    IssuerAlgorithm { issuer: CertificateRef, fault: AlgorithmFault },
    /// The issuer is no certificate authority.
    IssuerMayNotSign { issuer: CertificateRef, lacks: SigningRight },
    /// The issuer, or a certificate after it in its file, is not valid yet.
    IssuerNotYetValid { certificate: CertificateRef },
    /// The issuer, or a certificate after it in its file, has expired.
    IssuerExpired { certificate: CertificateRef, part: ChainPart },
    /// The issuer, or a certificate after it in its file, expires soon.
    IssuerExpiring { certificate: CertificateRef, part: ChainPart },
    /// The issuer expires before a fresh workload certificate would.
    IssuerTooShort { certificate: CertificateRef, left: SignedDuration, lifetime: SignedDuration },
    /// The issuer expires after the anchor that signed it.
    IssuerOutlivesAnchor { issuer: CertificateRef, anchor: CertificateRef },
    /// The issuer is a published anchor itself.
    IssuerIsAnchor { issuer: CertificateRef, secret: ObjectRef },
    /// Only the copy of the issuer in `linkerd-config` could be looked at: what was found there, if anything.
    IssuerCopyChecked { secret: ObjectRef, config: ObjectRef, found: Option<Box<Fact>> },

    /// Containers of the control plane started before the bundle changed.
    ControlPlaneNotRestarted { object: ObjectRef, changed: Timestamp, containers: Vec<Container> },
    /// Containers of the control plane may not have read the last change.
    RestartUnproven { object: ObjectRef, changed: Timestamp, containers: Vec<Container> },
    /// Identity controllers started before the issuer changed, and read it at the start only (2.6).
    IssuerNotLoaded { object: ObjectRef, changed: Timestamp, containers: Vec<Container> },
    /// Identity controllers started before the issuer changed, and may have missed the change.
    IssuerReloadUnproven { object: ObjectRef, changed: Timestamp, containers: Vec<Container> },

    /// Running proxies do not accept workload certificates of the issuer.
    ProxiesRefuseIssuer { refusals: Vec<RefusingProxies> },
    /// Proxies do not start again with the bundle they hold.
    ProxyBundleUnreadable { bundles: Vec<UnreadableBundle> },
    /// Proxies run without trust anchors.
    ProxiesWithoutAnchors { pods: Pods },
    /// Proxies hold another bundle than the published one; `pods.sample` has all whose names are known.
    ProxiesOutdated { pods: Pods },
    /// Pods run without the proxy they should have.
    PodsNotMeshed { workloads: Vec<WorkloadPods> },
    /// Workloads hold the bundle in their own templates.
    ManualInjection { workloads: Vec<WorkloadPods> },

    /// cert-manager renews the trust anchor before proxies can know the new one.
    CertManagerRenewsAnchor { renewals: Vec<Renewal> },
    /// Certificates of the trust anchor do not say what happens to their keys.
    CertManagerRotationPolicy { certificates: Vec<ObjectRef> },
    /// cert-manager renews the issuer when it has less left than the lifetime of a workload certificate.
    CertManagerRenewsLate { certificates: Vec<LateRenewal>, lifetime: SignedDuration },
    /// cert-manager should have renewed these.
    CertManagerOverdue { certificates: Vec<Overdue> },
    /// An approver has denied what cert-manager asks for.
    CertManagerRequestDenied { requests: Vec<HeldRequest> },
    /// What cert-manager asks for has failed.
    CertManagerRequestFailed { requests: Vec<HeldRequest> },
    /// What cert-manager asks for waits.
    CertManagerRequestWaits { requests: Vec<HeldRequest> },
    /// The next issuer is signed by an anchor that proxies do not hold.
    CertManagerNextIssuerRefused {
        /// The issuer's.
        certificate: ObjectRef,
        /// What its Issuer signs with now.
        anchor: CertificateRef,
        made_by: ObjectRef,
        due: Option<Timestamp>,
        is_published: bool,
        refusals: Vec<RefusingProxies>,
    },
    /// trust-manager leaves certificates away that its sources hold.
    BundleFilters { bundle: ObjectRef, filter: BundleFilter, dropped: Vec<CertificateRef> },
    /// The trust bundle lacks certificates that sources of the Bundle hold.
    BundleLacksSources { bundle: ObjectRef, lacked: Vec<LackedAnchor> },
    /// The Bundle holds an anchor only as long as cert-manager does not renew it.
    BundleForgetsAnchor { bundle: ObjectRef, certificates: Vec<ObjectRef> },
}

/// An anchor that a source holds, and the trust bundle does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LackedAnchor {
    pub anchor: CertificateRef,
    /// The Secret that holds it; none where it stands in the Bundle itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// An anchor as `linkerd check` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnchorRef {
    #[serde(flatten)]
    pub certificate: CertificateRef,
    pub serial: String,
    pub common_name: Option<String>,
}

/// An anchor that `linkerd check` does not support, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnsupportedAnchor {
    pub anchor: AnchorRef,
    pub fault: AlgorithmFault,
}

/// Why `linkerd check` does not support a certificate, in its words (`pkg/issuercerts`, `Check…AlgoRequirements`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum AlgorithmFault {
    #[error("must use 2048 or 4096 bit RSA for public key, instead {bits} bit was used")]
    RsaBits { bits: usize },
    #[error("must use P-256 curve for public key, instead {} was used", curve(*.used))]
    Curve { used: Curve },
    #[error(
        "must use {} for public key algorithm, instead {} was used",
        if *.rsa_allowed { "ECDSA or RSA" } else { "ECDSA" }, algorithm(*.used)
    )]
    Key { used: KeyKind, rsa_allowed: bool },
    #[error("must be signed by an ECDSA P-256 key, instead {} was used", signature(*.used))]
    Signature { used: SignatureKind },
}

fn curve(used: Curve) -> &'static str {
    match used {
        Curve::P256 => "P-256",
        Curve::P384 => "P-384",
        Curve::P521 => "P-521",
        Curve::Other => "another curve",
    }
}

fn algorithm(used: KeyKind) -> &'static str {
    match used {
        KeyKind::Ec(_) => "ECDSA",
        KeyKind::Rsa(_) => "RSA",
        KeyKind::Ed25519 => "Ed25519",
        KeyKind::Other => "another algorithm",
    }
}

fn signature(used: SignatureKind) -> &'static str {
    match used {
        SignatureKind::EcdsaSha256 => "ECDSA-SHA256",
        SignatureKind::RsaSha256 => "SHA256-RSA",
        SignatureKind::Other => "another algorithm",
    }
}

/// How two bundles differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum BundleDifference {
    /// One of the texts, or both, cannot be read as certificates.
    Unreadable,
    /// Anchors that only one of them holds.
    Anchors { only_published: Vec<CertificateRef>, only_copy: Vec<CertificateRef> },
}

/// What a certificate needs in order to sign others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SigningRight {
    /// CA:TRUE in its basic constraints.
    BasicConstraints,
    /// keyCertSign in its key usage.
    KeyUsage,
}

/// Which certificate of the issuer's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainPart {
    /// The first, which signs.
    Issuer,
    /// One after it.
    Intermediate,
}

/// A running container of the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its pod, as `namespace/pod`.
    pub pod: String,
    pub container: String,
    pub started: Option<Timestamp>,
    /// Why it is not known whether it has read the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
}

/// Pods of one workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadPods {
    pub workload: ObjectRef,
    pub count: u64,
    /// The names of a few, where they matter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sample: Vec<String>,
}

/// Proxies of one bundle that do not accept the issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusingProxies {
    pub bundle: Fingerprint,
    pub refusal: Refusal,
    pub workloads: Vec<WorkloadPods>,
}

/// A bundle that proxies hold and would not read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadableBundle {
    pub defect: Defect,
    pub workloads: Vec<WorkloadPods>,
}

/// A renewal of a trust anchor by cert-manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewal {
    pub certificate: ObjectRef,
    pub when: RenewalTime,
}

/// When cert-manager renews.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenewalTime {
    /// At this time.
    At(Timestamp),
    /// When the certificate is that old, which is in the first half of its life.
    Age(SignedDuration),
}

/// An issuer that cert-manager renews late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LateRenewal {
    pub certificate: ObjectRef,
    /// What is left of the issuer then.
    pub left: SignedDuration,
}

/// A renewal that should have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overdue {
    pub certificate: ObjectRef,
    pub due: Timestamp,
    /// The latest CertificateRequest, which is of the certificate in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_request: Option<ObjectRef>,
}

/// A CertificateRequest without which a Certificate is not issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldRequest {
    pub certificate: ObjectRef,
    pub request: Option<ObjectRef>,
    pub since: Option<Timestamp>,
    /// Reason and message of its condition.
    pub said: String,
    /// When cert-manager asks again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Timestamp>,
}

impl From<&crate::pki::Certificate> for AnchorRef {
    fn from(certificate: &crate::pki::Certificate) -> Self {
        let facts = certificate.facts();
        Self {
            certificate: certificate.into(),
            serial: facts.serial.clone(),
            common_name: facts.common_name.clone(),
        }
    }
}
