//! The objects of cert-manager and trust-manager that the certificates come from, and what they will do by themselves.

use jiff::Timestamp;
use serde::Serialize;

use super::observed::{COLUMN, heading};
use crate::document::ObjectRef;
use crate::mesh::{BundleSource, CertManagerCertificate, Mesh, RequestOutcome, TrustBundle};
use crate::pki::Fingerprint;
use crate::report::Screen;
use crate::report::findings::listed;

/// What makes the certificates; empty where others do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CertManager {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<Made>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<Published>,
}

/// A Certificate.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    certificate: ObjectRef,
    makes: Makes,
    secret: String,
    signer: Option<ObjectRef>,
    rotation_policy: Option<String>,
    renewal_time: Option<Timestamp>,
    /// What was issued last, where its request was seen.
    issued: Option<Fingerprint>,
    /// Why its latest request has not been issued.
    waits: Option<String>,
}

/// What a Certificate is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Makes {
    Anchor,
    Issuer,
}

/// The Bundle.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    object: ObjectRef,
    sources: Vec<String>,
}

impl CertManager {
    pub(super) fn of(mesh: &Mesh) -> Self {
        let mut certificates: Vec<Made> = mesh.certificates.iter().map(|one| Made::of(one, mesh)).collect();
        certificates.sort_by_key(|made| made.makes);
        Self { certificates, bundle: mesh.trust_bundle.as_ref().map(Published::of) }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.bundle.is_none()
    }

    pub(super) fn text(&self, screen: &Screen) -> String {
        let (mut out, mut title) = (String::new(), heading("cert-manager"));
        let below = " ".repeat(COLUMN);
        for made in &self.certificates {
            out += &screen.wrapped(&made.words(screen), &title, &format!("{below}  "));
            title.clone_from(&below);
        }
        if let Some(Published { object, sources }) = &self.bundle {
            let said = format!("{object} of {}", listed(sources));
            out += &screen.wrapped(&said, &heading("trust-manager"), &format!("{below}  "));
        }
        out
    }
}

impl Made {
    fn of(certificate: &CertManagerCertificate, mesh: &Mesh) -> Self {
        let waits = match &certificate.request {
            Some(RequestOutcome::Denied(why)) => Some(format!("denied: {why}")),
            Some(RequestOutcome::Failed(why)) => Some(format!("failed: {why}")),
            Some(RequestOutcome::Pending(why)) => Some(why.clone()),
            Some(RequestOutcome::Issued(_)) | None => None,
        };
        let is_issuer = certificate.writes_issuer(&mesh.control_plane.namespace);
        Self {
            certificate: certificate.object.clone(),
            makes: if is_issuer { Makes::Issuer } else { Makes::Anchor },
            secret: certificate.secret.clone(),
            signer: certificate.signer.clone(),
            rotation_policy: certificate.rotation_policy.clone(),
            renewal_time: certificate.renewal_time,
            issued: certificate.issued().map(|issued| issued.fingerprint()),
            waits,
        }
    }

    fn words(&self, screen: &Screen) -> String {
        let what = if self.makes == Makes::Issuer { "the issuer" } else { "an anchor" };
        let signer = self.signer.as_ref().map(|signer| format!(", signed by {signer}"));
        let renewed = self.renewal_time.map(|due| format!(", renews itself {}", screen.when(due)));
        let waits = self.waits.as_ref().map(|why| format!("; its request waits: {why}"));
        let rest: String = [signer, renewed, waits].into_iter().flatten().collect();
        format!("{} makes {what}{rest}", self.certificate)
    }
}

impl Published {
    fn of(bundle: &TrustBundle) -> Self {
        let source = |source: &BundleSource| match source {
            BundleSource::Secret { name, .. } => format!("Secret {name}"),
            BundleSource::ConfigMap { name, .. } => format!("ConfigMap {name}"),
            BundleSource::InLine(_) => "inLine PEM".to_owned(),
            BundleSource::Other => "what is not read here (a selector, default CAs, other fields)".to_owned(),
        };
        Self { object: bundle.object.clone(), sources: bundle.sources.iter().map(source).collect() }
    }
}
