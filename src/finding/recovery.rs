//! What has expired, and what follows from it.

use jiff::Timestamp;
use serde::Serialize;
use strum::{IntoStaticStr, VariantNames};

use super::{CertificateRef, Invariant};
use crate::document::ObjectRef;
use crate::mesh::Owner;
use crate::pki::Refusal;

/// Something that has expired, or that stands in the way of replacing it.
#[derive(Debug, Clone, PartialEq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "evidence", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[strum(serialize_all = "kebab-case")]
pub enum RecoveryFact {
    /// An expired anchor is still published, and nothing depends on it.
    ExpiredUnused { certificate: CertificateRef },
    /// No workload certificate is issued that proxies accept.
    IssuanceStopped {
        /// The last instant at which one was issued.
        since: Timestamp,
        /// Is it that very instant? Else it was then at the latest, because a part of the trust material is not known.
        exact: bool,
        /// What expired then.
        because: Vec<PlacedCertificate>,
    },
    /// The published bundle does not accept the issuer, and did not before anything expired.
    IssuerRefused {
        issuer: ObjectRef,
        bundle: ObjectRef,
        refusal: Refusal,
        /// From when on the chain is accepted, where the chain is not valid yet.
        valid_from: Option<Timestamp>,
    },
    /// Proxies started when no workload certificate was issued.
    NoWorkloadCertificate {
        /// How many are known to have started since.
        count: u64,
        /// Their workloads.
        workloads: Vec<ObjectRef>,
        /// How many do not tell when they started.
        start_unknown: u64,
    },
    /// Workload certificates expire one after the other, and none is renewed.
    WorkloadCertificatesExpiring { first: Timestamp, last: Timestamp },
    /// Every workload certificate has expired.
    WorkloadCertificatesExpired { last: Timestamp },
    /// Something is rejected for certain though nothing has expired.
    ChainRejected {
        /// What fails for this reason.
        fails: Vec<Invariant>,
        refusal: Refusal,
    },
    /// A controller makes an object with trust material, and would revert a change of it.
    MadeByController { object: ObjectRef, owner: Owner },
}

/// A certificate, and what it is there for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedCertificate {
    pub role: CertificateRole,
    #[serde(flatten)]
    pub certificate: CertificateRef,
}

/// What a certificate is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateRole {
    /// A published trust anchor.
    TrustAnchor,
    /// The issuer in the Secret.
    Issuer,
    /// A certificate after the issuer in its file.
    Intermediate,
}
