//! The objects that cert-manager and trust-manager make trust material of.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::observer::tree::{items, map, text};
use super::{GoDuration, Manifest, Mesh};
use crate::document::ObjectRef;
use crate::linkerd;
use crate::pki::pem::certificates_alone;
use crate::pki::{Bundle, BundleText, Certificate, Rules};
use crate::printable::escaped;

/// cert-manager's API group.
pub const CERT_MANAGER_GROUP: &str = "cert-manager.io";
/// trust-manager's API group.
pub const TRUST_MANAGER_GROUP: &str = "trust.cert-manager.io";
/// The API group of trust-manager's ClusterBundle.
pub const CLUSTER_BUNDLE_GROUP: &str = "trust-manager.io";
/// A Bundle's successor, whose sources are written otherwise.
const CLUSTER_BUNDLE: &str = "ClusterBundle";
/// The version of it whose fields are known (`pkg/apis/trustmanager/v1alpha2` of trust-manager).
const CLUSTER_BUNDLE_VERSION: &str = "trust-manager.io/v1alpha2";
/// The key of a Secret of cert-manager that holds the certificate.
pub const CERTIFICATE_KEY: &str = "tls.crt";

/// A cert-manager `Certificate` that makes the anchor or the issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertManagerCertificate {
    /// Which object.
    pub object: ObjectRef,
    /// `spec.secretName`.
    pub secret: String,
    /// `spec.isCA`.
    pub is_ca: bool,
    /// `spec.duration`.
    pub duration: Option<GoDuration>,
    /// `spec.renewBefore`.
    pub renew_before: Option<GoDuration>,
    /// `spec.privateKey.rotationPolicy`.
    pub rotation_policy: Option<String>,
    /// `status.renewalTime`.
    pub renewal_time: Option<Timestamp>,
    /// `spec.issuerRef`.
    pub signer: Option<ObjectRef>,
    /// `spec.renewal.policy: Disabled`: time alone renews it never (1.21 and later).
    pub renewal_disabled: bool,
    /// `metadata.generation`, which grows with each change of its spec.
    pub generation: Option<u64>,
    /// What became of its latest `CertificateRequest`, where that was seen.
    pub request: Option<RequestOutcome>,
    /// Which request that was.
    pub requested: Option<Requested>,
    /// `status.lastFailureTime`: the latest issuance failed then.
    pub last_failure: Option<Timestamp>,
    /// `status.failedIssuanceAttempts`, those that failed one after the other.
    pub failed_attempts: Option<u64>,
}

/// A `CertificateRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requested {
    /// In the Certificate's namespace.
    pub name: String,
    /// `lastTransitionTime` of the condition that tells what became of it; before there is one, when it was made.
    pub since: Option<Timestamp>,
}

/// What became of a `CertificateRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RequestOutcome {
    /// It was signed: the first certificate in `status.certificate`.
    Issued(Certificate),
    /// An approver denied it.
    Denied(String),
    /// The issuer refused it.
    Failed(String),
    /// It waits, and for what.
    Pending(String),
}

/// A cert-manager `Issuer` or `ClusterIssuer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertManagerIssuer {
    /// Which object.
    pub object: ObjectRef,
    /// What it signs with.
    pub signs_with: SignsWith,
    /// `metadata.generation`, which grows with each change of its spec.
    pub generation: Option<u64>,
}

/// What an `Issuer` signs with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SignsWith {
    /// Each certificate with its own key (`spec.selfSigned`).
    ItsOwnKey,
    /// A CA in this Secret (`spec.ca.secretName`).
    Secret(String),
    /// Something outside the cluster: Vault, ACME, an issuer of another group.
    Elsewhere,
}

/// The trust-manager `Bundle` or `ClusterBundle` that publishes the trust anchors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustBundle {
    /// Which object.
    pub object: ObjectRef,
    /// What it publishes: `spec.sources`, or of a ClusterBundle `spec.sourceRefs` and `spec.inLineCAs`.
    pub sources: Vec<BundleSource>,
    /// What trust-manager leaves away of them, where its Deployment was seen and says so.
    pub filter: Option<BundleFilter>,
}

/// What trust-manager's flags leave away (`cmd/trust-manager/app/options`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleFilter {
    /// trust-manager's Deployment.
    pub deployment: ObjectRef,
    /// `--filter-expired-certificates`.
    pub expired: bool,
    /// `--filter-non-ca-certs`.
    pub non_ca: bool,
}

impl BundleFilter {
    /// Does a certificate not come into the bundle?
    #[must_use]
    pub fn drops(&self, certificate: &Certificate, at: Timestamp) -> bool {
        self.expired && certificate.is_expired_at(at) || self.non_ca && !certificate.facts().is_ca
    }

    /// What the arguments of a Deployment's containers say, where it is trust-manager's.
    pub(super) fn of(object: &ObjectRef, tree: &Value) -> Option<Self> {
        let mut found = None;
        for container in items(tree, "/spec/template/spec/containers") {
            let arguments: Vec<&str> = ["/command", "/args"]
                .iter()
                .flat_map(|list| items(container, list))
                .filter_map(Value::as_str)
                .collect();
            // No other program has this flag.
            if !arguments.iter().any(|argument| argument.starts_with("--trust-namespace")) {
                continue;
            }
            let is_set = |flag: &str| {
                let said = arguments.iter().rev().find_map(|argument| argument.strip_prefix(flag));
                said.is_some_and(|said| matches!(said, "" | "=1" | "=t" | "=T" | "=true" | "=TRUE" | "=True"))
            };
            let [expired, non_ca] = ["--filter-expired-certificates", "--filter-non-ca-certs"].map(is_set);
            found = (expired || non_ca).then(|| Self { deployment: object.clone(), expired, non_ca });
        }
        found
    }
}

/// One of a Bundle's sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BundleSource {
    /// A key of a Secret in trust-manager's namespace.
    Secret { name: String, key: String },
    /// A key of a ConfigMap in trust-manager's namespace.
    ConfigMap { name: String, key: String },
    /// PEM in the Bundle itself.
    InLine(String),
    /// A selector, all keys of an object, the default CAs, or what is not understood.
    Other,
}

impl TrustBundle {
    /// The Secrets among its sources.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter_map(|source| match source {
            BundleSource::Secret { name, .. } => Some(name.as_str()),
            BundleSource::ConfigMap { .. } | BundleSource::InLine(_) | BundleSource::Other => None,
        })
    }
}

impl CertManagerCertificate {
    /// Does it write the issuer's Secret of the control plane in this namespace?
    #[must_use]
    pub fn writes_issuer(&self, namespace: &str) -> bool {
        self.secret == linkerd::ISSUER_SECRET && self.object.namespace == namespace
    }

    /// Does an Issuer sign with its Secret? That of a ClusterIssuer is in cert-manager's own namespace, wherever that is.
    #[must_use]
    pub fn is_ca_of(&self, issuer: &CertManagerIssuer) -> bool {
        let SignsWith::Secret(secret) = &issuer.signs_with else { return false };
        let signer = &issuer.object;
        let is_near = signer.kind == "ClusterIssuer" || self.object.namespace == signer.namespace;
        self.is_ca && self.secret == *secret && is_near
    }

    /// When cert-manager asks again after a failure: an hour later, and twice as long each time, up to 32 hours
    /// (`shouldBackoffReissuingOnFailure` in its `pkg/controller/certificates/trigger`).
    #[must_use]
    pub fn retried_at(&self) -> Option<Timestamp> {
        let doubled = self.failed_attempts.unwrap_or(1).saturating_sub(1).min(5);
        self.last_failure?.checked_add(SignedDuration::from_hours(1 << doubled)).ok()
    }

    /// Its latest request, as an object.
    #[must_use]
    pub fn latest_request(&self) -> Option<ObjectRef> {
        let version = format!("{CERT_MANAGER_GROUP}/v1");
        let of = |named: &Requested| {
            ObjectRef::new(&version, "CertificateRequest", &self.object.namespace, &named.name)
        };
        self.requested.as_ref().map(of)
    }

    /// The certificate that cert-manager issued last for it.
    #[must_use]
    pub fn issued(&self) -> Option<&Certificate> {
        match &self.request {
            Some(RequestOutcome::Issued(certificate)) => Some(certificate),
            _ => None,
        }
    }
}

/// Is it an object of cert-manager or trust-manager?
pub(super) fn is_theirs(manifest: &Manifest) -> bool {
    [CERT_MANAGER_GROUP, TRUST_MANAGER_GROUP, CLUSTER_BUNDLE_GROUP].contains(&manifest.object.group())
}

/// What `issuerRef` of a Certificate in this namespace names. Issuers of other groups are not read: which of them have no namespace
/// tells their kind, as that of cert-manager's own does.
#[must_use]
pub fn issuer_reference(group: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    let namespace = if kind.contains("ClusterIssuer") { "" } else { namespace };
    ObjectRef::new(&format!("{group}/v1"), kind, namespace, name)
}

/// Is it a ClusterBundle, rather than a Bundle?
#[must_use]
pub fn is_cluster_bundle(object: &ObjectRef) -> bool {
    object.kind == CLUSTER_BUNDLE
}

impl BundleSource {
    /// The anchors that stand in the Bundle itself as PEM, as the identity controller reads them.
    #[must_use]
    pub fn in_line(&self) -> Option<Bundle> {
        let Self::InLine(pem) = self else { return None };
        BundleText::read(pem.clone()).as_read_by(Rules::Controller).ok().cloned()
    }

    /// All sources of a Bundle or a ClusterBundle.
    #[must_use]
    pub(super) fn all_of(object: &ObjectRef, tree: &Value) -> Vec<Self> {
        if !is_cluster_bundle(object) {
            return items(tree, "/spec/sources").iter().map(Self::of).collect();
        }
        let mut all: Vec<Self> = items(tree, "/spec/sourceRefs").iter().map(Self::of_reference).collect();
        let default_cas = tree.pointer("/spec/defaultCAs").filter(|one| one["provider"] != "Disabled");
        let known = ["sourceRefs", "defaultCAs", "inLineCAs", "target"];
        let has_others =
            map(tree, "/spec").is_some_and(|spec| spec.keys().any(|key| !known.contains(&key.as_str())));
        if default_cas.is_some() || has_others || object.api_version != CLUSTER_BUNDLE_VERSION {
            all.push(Self::Other);
        }
        if let Some(pem) = text(tree, "/spec/inLineCAs").filter(|pem| !pem.is_empty()) {
            let read = BundleText::read(certificates_alone(pem));
            let both = [Rules::Controller, Rules::Proxy].map(|rules| read.as_read_by(rules));
            all.push(match both {
                [Ok(one), Ok(other)] if one.same_set(other) => Self::InLine(read.text().to_owned()),
                _ => Self::Other,
            });
        }
        all
    }

    /// One of a ClusterBundle's `spec.sourceRefs`.
    #[must_use]
    pub fn of_reference(tree: &Value) -> Self {
        let named = |key: &str| text(tree, &format!("/{key}")).map(|text| escaped(text).into_owned());
        let by_name = named("name")
            .zip(named("key"))
            .filter(|(_, key)| !key.contains('*') && tree.get("selector").is_none());
        match (named("kind").as_deref(), by_name) {
            (Some("Secret"), Some((name, key))) => Self::Secret { name, key },
            (Some("ConfigMap"), Some((name, key))) => Self::ConfigMap { name, key },
            _ => Self::Other,
        }
    }

    /// One of `spec.sources` (`pkg/apis/trust/v1alpha1/types_bundle.go` of trust-manager).
    #[must_use]
    pub fn of(tree: &Value) -> Self {
        let of = |kind: &str| {
            let named =
                |key: &str| text(tree, &format!("/{kind}/{key}")).map(|text| escaped(text).into_owned());
            Some((named("name")?, named("key")?))
        };
        if let Some((name, key)) = of("secret") {
            Self::Secret { name, key }
        } else if let Some((name, key)) = of("configMap") {
            Self::ConfigMap { name, key }
        } else if let Some(pem) = text(tree, "/inLine") {
            Self::InLine(certificates_alone(pem))
        } else {
            Self::Other
        }
    }
}

impl Mesh {
    /// The Certificate that writes the issuer's Secret.
    #[must_use]
    pub fn issuer_certificate(&self) -> Option<&CertManagerCertificate> {
        let namespace = &self.control_plane.namespace;
        self.certificates.iter().find(|certificate| certificate.writes_issuer(namespace))
    }

    /// All of it that somebody declares, to be compared with another mesh.
    #[must_use]
    pub fn certificates_as_declared(&self) -> Vec<&Value> {
        let manifests = self.manifests.iter().filter(|one| is_theirs(one));
        manifests.filter_map(|manifest| manifest.tree.get("spec")).collect()
    }

    /// The Certificate by its name.
    #[must_use]
    pub fn certificate(&self, object: &ObjectRef) -> Option<&CertManagerCertificate> {
        self.certificates.iter().find(|certificate| certificate.object.is_same(object))
    }

    /// The Issuer or ClusterIssuer by its name.
    #[must_use]
    pub fn certificate_issuer(&self, object: &ObjectRef) -> Option<&CertManagerIssuer> {
        self.certificate_issuers.iter().find(|issuer| issuer.object.is_same(object))
    }

    /// The CA Certificate whose Secret an Issuer signs with.
    #[must_use]
    pub fn signing_certificate(&self, signer: &ObjectRef) -> Option<&CertManagerCertificate> {
        let signer = self.certificate_issuer(signer)?;
        self.certificates.iter().find(|certificate| certificate.is_ca_of(signer))
    }
}
