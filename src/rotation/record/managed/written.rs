//! cert-manager's objects as `rotation.yaml` names them.

use serde::{Deserialize, Serialize};

use super::{Managed, ManagedAnchor, Signed, Signing};
use crate::document::ObjectRef;
use crate::pki::{Bundle, Certificate, Fingerprint};

/// `certManager` of `rotation.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::rotation::record) struct WrittenManaged {
    issuer: WrittenObject,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bundle: Option<WrittenObject>,
    old: WrittenAnchor,
    /// The old anchor, one of those in `old-anchors.pem`.
    old_anchor: Fingerprint,
    new: WrittenAnchor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<Signed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenAnchor {
    /// What makes it; neither where it comes from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<WrittenObject>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    signer: WrittenObject,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenObject {
    api_version: String,
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    namespace: String,
    name: String,
}

impl From<&ObjectRef> for WrittenObject {
    fn from(object: &ObjectRef) -> Self {
        let ObjectRef { api_version, kind, namespace, name } = object.clone();
        Self { api_version, kind, namespace, name }
    }
}

impl From<&WrittenObject> for ObjectRef {
    fn from(written: &WrittenObject) -> Self {
        Self::new(&written.api_version, &written.kind, &written.namespace, &written.name)
    }
}

impl From<&Signing> for WrittenAnchor {
    fn from(signing: &Signing) -> Self {
        let made = signing.made();
        Self {
            certificate: made.map(|made| (&made.certificate).into()),
            secret: made.map(|made| made.secret.clone()),
            signer: signing.signer().into(),
        }
    }
}

impl From<&WrittenAnchor> for Signing {
    fn from(written: &WrittenAnchor) -> Self {
        let signer = (&written.signer).into();
        match (&written.certificate, &written.secret) {
            (Some(certificate), Some(secret)) => {
                Self::Made(ManagedAnchor { certificate: certificate.into(), secret: secret.clone(), signer })
            }
            _ => Self::Outside(signer),
        }
    }
}

impl From<&Managed> for WrittenManaged {
    fn from(managed: &Managed) -> Self {
        Self {
            issuer: (&managed.issuer).into(),
            bundle: managed.bundle.as_ref().map(Into::into),
            old: (&managed.old).into(),
            old_anchor: managed.old_anchor.fingerprint(),
            new: (&managed.new).into(),
            signed: managed.signed,
        }
    }
}

impl WrittenManaged {
    /// What was written; `None` where the old anchor is none of these.
    pub(in crate::rotation::record) fn read(&self, old: &Bundle) -> Option<Managed> {
        let is_it = |anchor: &&Certificate| anchor.fingerprint() == self.old_anchor;
        Some(Managed {
            issuer: (&self.issuer).into(),
            bundle: self.bundle.as_ref().map(Into::into),
            old: (&self.old).into(),
            old_anchor: old.anchors().iter().find(is_it)?.clone(),
            new: (&self.new).into(),
            signed: self.signed,
        })
    }
}
