//! cert-manager's Certificates that make the anchor or the issuer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::tree::{is_true, text};
use crate::document::ObjectRef;
use crate::linkerd;
use crate::mesh::{CertManagerCertificate, GoDuration};
use crate::printable::escaped;

/// The anchor's Secret in Linkerd's guide.
const ANCHOR: &str = "linkerd-trust-anchor";

/// Certificates and the issuers they refer to.
#[derive(Debug, Clone, Default)]
pub(super) struct Certificates {
    certificates: BTreeMap<ObjectRef, Seen>,
    /// `spec.ca.secretName` of each Issuer and ClusterIssuer, by kind, namespace and name.
    issuers: BTreeMap<(String, String, String), String>,
}

#[derive(Debug, Clone)]
struct Seen {
    certificate: CertManagerCertificate,
    /// Kind, namespace and name of the issuer that signs it.
    signer: (String, String, String),
}

impl Certificates {
    /// Reads a Certificate.
    pub(super) fn certificate(&mut self, object: ObjectRef, tree: &Value) {
        let field = |pointer| text(tree, pointer).map(|name| escaped(name).into_owned());
        let duration = |pointer| text(tree, pointer)?.parse::<GoDuration>().ok();
        let kind = field("/spec/issuerRef/kind").unwrap_or_else(|| "Issuer".to_owned());
        let namespace = if kind == "ClusterIssuer" { String::new() } else { object.namespace.clone() };
        let signer = (kind, namespace, field("/spec/issuerRef/name").unwrap_or_default());
        let certificate = CertManagerCertificate {
            object: object.clone(),
            secret: field("/spec/secretName").unwrap_or_default(),
            is_ca: is_true(tree, "/spec/isCA"),
            duration: duration("/spec/duration"),
            renew_before: duration("/spec/renewBefore"),
            rotation_policy: field("/spec/privateKey/rotationPolicy"),
            renewal_time: text(tree, "/status/renewalTime").and_then(|time| time.parse().ok()),
        };
        self.certificates.insert(object, Seen { certificate, signer });
    }

    /// Reads an Issuer or a ClusterIssuer.
    pub(super) fn issuer(&mut self, object: ObjectRef, tree: &Value) {
        if let Some(secret) = text(tree, "/spec/ca/secretName") {
            self.issuers.insert((object.kind, object.namespace, object.name), secret.to_owned());
        }
    }

    /// The issuer's and the anchor's by the names of Linkerd's guide, and every CA above them.
    pub(super) fn relevant(self, namespace: &str) -> Vec<CertManagerCertificate> {
        let Self { certificates, issuers } = self;
        let named = |seen: &&Seen| {
            let CertManagerCertificate { object, secret, .. } = &seen.certificate;
            secret == ANCHOR
                || (secret == linkerd::ISSUER_SECRET
                    && (object.namespace == namespace || object.namespace.is_empty()))
        };
        let mut chosen: BTreeSet<&ObjectRef> = BTreeSet::new();
        let mut found: Vec<&Seen> = certificates.values().filter(named).collect();
        while let Some(seen) = found.pop() {
            if !chosen.insert(&seen.certificate.object) {
                continue;
            }
            let Some(secret) = issuers.get(&seen.signer) else { continue };
            // A ClusterIssuer's Secret is in cert-manager's own namespace, wherever that is.
            let signs = |above: &&Seen| {
                let CertManagerCertificate { object, secret: makes, is_ca, .. } = &above.certificate;
                *is_ca
                    && makes == secret
                    && (seen.signer.0 == "ClusterIssuer" || object.namespace == seen.signer.1)
            };
            found.extend(certificates.values().filter(signs));
        }
        certificates
            .values()
            .filter(|seen| chosen.contains(&seen.certificate.object))
            .map(|seen| seen.certificate.clone())
            .collect()
    }
}
