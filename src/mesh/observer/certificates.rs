//! cert-manager's Certificates that make the anchor or the issuer, with what signs them and what publishes them.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use super::kept::Kept;
use super::tree::{annotation, is_true, items, map, text};
use crate::document::{Document, ObjectRef};
use crate::linkerd;
use crate::mesh::{
    BundleFilter, BundleSource, CERT_MANAGER_GROUP, CertManagerCertificate, CertManagerIssuer, GoDuration,
    Manifest, REDACTED, RequestOutcome, Requested, SignsWith, TrustBundle, issuer_reference,
};
use crate::pki::IssuerChain;
use crate::printable::escaped;

/// The anchor's Secret in Linkerd's guide.
const ANCHOR: &str = "linkerd-trust-anchor";

/// What was seen of cert-manager and trust-manager.
#[derive(Debug, Clone, Default)]
pub(super) struct Certificates {
    certificates: BTreeMap<ObjectRef, (CertManagerCertificate, Kept)>,
    issuers: BTreeMap<ObjectRef, (CertManagerIssuer, Kept)>,
    /// By kind.
    bundles: BTreeMap<String, (TrustBundle, Kept)>,
    /// What trust-manager leaves away.
    filter: Option<BundleFilter>,
    /// The latest request for each Certificate, by its namespace and name.
    requests: BTreeMap<(String, String), Latest>,
}

/// A request.
#[derive(Debug, Clone)]
struct Latest {
    revision: u64,
    requested: Requested,
    outcome: RequestOutcome,
}

/// What of it is about this mesh.
pub(super) struct Relevant {
    pub(super) certificates: Vec<CertManagerCertificate>,
    pub(super) issuers: Vec<CertManagerIssuer>,
    pub(super) bundle: Option<TrustBundle>,
    pub(super) manifests: Vec<Manifest>,
}

impl Certificates {
    /// Reads a Certificate.
    pub(super) fn certificate(&mut self, object: ObjectRef, document: Document) {
        let tree = &document.tree;
        let field = |pointer| text(tree, pointer).map(|name| escaped(name).into_owned());
        let duration = |pointer| text(tree, pointer)?.parse::<GoDuration>().ok();
        let time = |pointer| text(tree, pointer).and_then(|time| time.parse().ok());
        let certificate = CertManagerCertificate {
            object: object.clone(),
            secret: field("/spec/secretName").unwrap_or_default(),
            is_ca: is_true(tree, "/spec/isCA"),
            duration: duration("/spec/duration"),
            renew_before: duration("/spec/renewBefore"),
            rotation_policy: field("/spec/privateKey/rotationPolicy"),
            renewal_time: time("/status/renewalTime"),
            signer: signer(tree, &object.namespace),
            renewal_disabled: text(tree, "/spec/renewal/policy") == Some("Disabled"),
            generation: tree.pointer("/metadata/generation").and_then(Value::as_u64),
            request: None,
            requested: None,
            last_failure: time("/status/lastFailureTime"),
            failed_attempts: tree.pointer("/status/failedIssuanceAttempts").and_then(Value::as_u64),
        };
        let mut kept = Kept::new(object.clone(), document);
        for keystore in ["jks", "pkcs12"] {
            if let Some(password) = kept.tree.pointer_mut(&format!("/spec/keystores/{keystore}/password")) {
                *password = REDACTED.into();
            }
        }
        self.certificates.insert(object, (certificate, kept));
    }

    /// Reads a CertificateRequest; the one of the highest revision counts.
    pub(super) fn request(&mut self, object: &ObjectRef, tree: &Value) {
        let of = |key: &str| annotation(tree, &format!("cert-manager.io/{key}"));
        let Some(certificate) = of("certificate-name") else { return };
        let revision = of("certificate-revision").and_then(|text| text.parse().ok()).unwrap_or_default();
        let key = (object.namespace.clone(), escaped(certificate).into_owned());
        if self.requests.get(&key).is_none_or(|known| known.revision <= revision) {
            let (outcome, since) = outcome(tree);
            let requested = Requested { name: object.name.clone(), since };
            self.requests.insert(key, Latest { revision, requested, outcome });
        }
    }

    /// Reads an Issuer or a ClusterIssuer.
    pub(super) fn issuer(&mut self, object: ObjectRef, document: Document) {
        let tree = &document.tree;
        let secret =
            text(tree, "/spec/ca/secretName").map(|name| SignsWith::Secret(escaped(name).into_owned()));
        let itself = map(tree, "/spec/selfSigned").map(|_| SignsWith::ItsOwnKey);
        // Of two kinds at once the API server takes neither (`ValidateIssuerConfig`).
        let kinds = ["acme", "ca", "selfSigned", "vault", "venafi"];
        let named = kinds.iter().filter(|kind| map(tree, &format!("/spec/{kind}")).is_some()).count();
        let signs_with = secret.or(itself).filter(|_| named == 1).unwrap_or(SignsWith::Elsewhere);
        let generation = tree.pointer("/metadata/generation").and_then(Value::as_u64);
        let issuer = CertManagerIssuer { object: object.clone(), signs_with, generation };
        let kept = Kept::new(object.clone(), document);
        self.issuers.insert(object, (issuer, kept));
    }

    /// Reads a Bundle or a ClusterBundle, if it is that of the anchors.
    pub(super) fn bundle(&mut self, object: ObjectRef, document: Document) {
        if object.name == linkerd::TRUST_ROOTS {
            let sources = BundleSource::all_of(&object, &document.tree);
            let bundle = TrustBundle { object: object.clone(), sources, filter: None };
            self.bundles.insert(object.kind.clone(), (bundle, Kept::new(object, document)));
        }
    }

    /// Reads what trust-manager's own Deployment leaves away.
    pub(super) fn deployment(&mut self, object: &ObjectRef, tree: &Value) {
        if object.kind == "Deployment"
            && let Some(filter) = BundleFilter::of(object, tree)
        {
            self.filter = Some(filter);
        }
    }

    /// Is there a Bundle that publishes the anchors?
    pub(super) fn has_bundle(&self) -> bool {
        !self.bundles.is_empty()
    }

    /// What is about the mesh of this namespace: Certificates of the issuer, of the anchors by the names of Linkerd's guide or as
    /// a source of the Bundle, and every CA above or beside them; and what signs these.
    pub(super) fn relevant(self, namespace: &str) -> Relevant {
        let chosen = self.chosen(namespace);
        let Self { certificates, issuers, bundles, filter, mut requests } = self;
        let mut relevant =
            Relevant { certificates: Vec::new(), issuers: Vec::new(), bundle: None, manifests: Vec::new() };
        let mut signers = BTreeSet::new();
        for (object, (mut certificate, kept)) in certificates {
            if !chosen.contains(&object) {
                continue;
            }
            signers.extend(certificate.signer.clone());
            if let Some(latest) = requests.remove(&(object.namespace.clone(), object.name.clone())) {
                certificate.request = Some(latest.outcome);
                certificate.requested = Some(latest.requested);
            }
            relevant.manifests.push(kept.manifest(""));
            relevant.certificates.push(certificate);
        }
        for (object, (issuer, kept)) in issuers {
            let signs_with_chosen = matches!(&issuer.signs_with, SignsWith::Secret(secret)
                if relevant.certificates.iter().any(|one| one.is_ca && one.secret == *secret));
            if signs_with_chosen || signers.iter().any(|signer| signer.is_same(&object)) {
                relevant.manifests.push(kept.manifest(""));
            }
            // Of the others it is known that they are there.
            relevant.issuers.push(issuer);
        }
        for (bundle, kept) in bundles.into_values() {
            relevant.manifests.push(kept.manifest(""));
            match &mut relevant.bundle {
                // A Bundle and a ClusterBundle of one name write the same ConfigMap, one over the other.
                Some(first) => first.sources.push(BundleSource::Other),
                None => relevant.bundle = Some(TrustBundle { filter: filter.clone(), ..bundle }),
            }
        }
        relevant
    }

    fn chosen(&self, namespace: &str) -> BTreeSet<ObjectRef> {
        let sources: Vec<&str> = self.bundles.values().flat_map(|(bundle, _)| bundle.secrets()).collect();
        let named = |found: &&CertManagerCertificate| {
            found.secret == ANCHOR
                || found.secret == linkerd::ISSUER_SECRET
                    && [namespace, ""].contains(&found.object.namespace.as_str())
                || found.is_ca && sources.contains(&found.secret.as_str())
        };
        let all = || self.certificates.values().map(|(certificate, _)| certificate);
        let mut chosen: BTreeSet<ObjectRef> = BTreeSet::new();
        let mut found: Vec<&CertManagerCertificate> = all().filter(named).collect();
        while let Some(certificate) = found.pop() {
            if !chosen.insert(certificate.object.clone()) {
                continue;
            }
            let Some(signer) = &certificate.signer else { continue };
            let mut issuers = self.issuers.values().map(|(issuer, _)| issuer);
            let Some(issuer) = issuers.find(|issuer| issuer.object.is_same(signer)) else { continue };
            match issuer.signs_with {
                SignsWith::Secret(_) => found.extend(all().filter(|above| above.is_ca_of(issuer))),
                SignsWith::ItsOwnKey => found.extend(all().filter(|beside| {
                    beside.is_ca
                        && beside.object.namespace == certificate.object.namespace
                        && beside.signer.as_ref().is_some_and(|other| other.is_same(signer))
                })),
                SignsWith::Elsewhere => {}
            }
        }
        chosen
    }
}

/// What `spec.issuerRef` names.
fn signer(tree: &Value, namespace: &str) -> Option<ObjectRef> {
    let of = |key: &str| text(tree, &format!("/spec/issuerRef/{key}")).filter(|text| !text.is_empty());
    let kind = of("kind").unwrap_or("Issuer");
    Some(issuer_reference(of("group").unwrap_or(CERT_MANAGER_GROUP), kind, namespace, of("name")?))
}

/// What became of a request, and since when (`pkg/apis/certmanager/v1/types_certificaterequest.go`).
fn outcome(tree: &Value) -> (RequestOutcome, Option<Timestamp>) {
    let condition = |kind: &str| items(tree, "/status/conditions").iter().find(|one| one["type"] == kind);
    let since = |condition: &Value| text(condition, "/lastTransitionTime").and_then(|time| time.parse().ok());
    let told = |condition: &Value| {
        let [reason, message] = ["/reason", "/message"].map(|at| text(condition, at).unwrap_or_default());
        escaped(&format!("{reason}: {message}")).into_owned()
    };
    let is_true = |one: &&Value| one["status"] == "True";
    if let Some(denied) = condition("Denied").filter(is_true) {
        return (RequestOutcome::Denied(told(denied)), since(denied));
    }
    let ready = condition("Ready");
    let failed = ready.filter(|one| one["reason"] == "Failed");
    if let Some(failed) = failed.or_else(|| condition("InvalidRequest").filter(is_true)) {
        return (RequestOutcome::Failed(told(failed)), since(failed));
    }
    let issued = text(tree, "/status/certificate").and_then(|encoded| STANDARD.decode(encoded).ok());
    let issued = issued.and_then(|bytes| String::from_utf8(bytes).ok());
    let outcome = match issued.and_then(|pem| IssuerChain::from_pem(&pem).ok()) {
        Some(chain) => RequestOutcome::Issued(chain.issuer),
        None => RequestOutcome::Pending(ready.map(told).unwrap_or_default()),
    };
    let created = text(tree, "/metadata/creationTimestamp").and_then(|time| time.parse().ok());
    (outcome, ready.and_then(since).or(created))
}
