//! What findings rest on, in types that several of them share.

use jiff::Timestamp;
use serde::Serialize;

use crate::document::ObjectRef;
use crate::mesh::{Mesh, ProxyGroup};
use crate::pki::{Certificate, Fingerprint};

/// A certificate, as far as a finding tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRef {
    /// Its common name, else what Go calls it.
    pub name: String,
    pub fingerprint: Fingerprint,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

impl From<&Certificate> for CertificateRef {
    fn from(certificate: &Certificate) -> Self {
        Self {
            name: certificate.name().to_owned(),
            fingerprint: certificate.fingerprint(),
            not_before: certificate.facts().not_before,
            not_after: certificate.facts().not_after,
        }
    }
}

/// Running pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pods {
    pub count: u64,
    /// A few of them, as `namespace/pod`.
    pub sample: Vec<String>,
    pub workloads: Vec<ObjectRef>,
}

impl Pods {
    /// The pods of these groups.
    pub fn of<'a>(mesh: &Mesh, groups: impl Iterator<Item = &'a ProxyGroup> + Clone) -> Self {
        let mut workloads: Vec<_> =
            groups.clone().map(|group| mesh.workload(group.workload).object.clone()).collect();
        workloads.sort();
        workloads.dedup();
        Self { count: groups.clone().map(ProxyGroup::count).sum(), sample: mesh.sample(groups), workloads }
    }
}
