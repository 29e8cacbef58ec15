//! A mesh whose certificates have expired: what is broken, until when the rest works, and the shortest remedy.

mod findings;
mod parts;
mod remedy;
mod workload_certificates;

use jiff::Timestamp;

use crate::check;
use crate::document::ObjectRef;
use crate::finding::Finding;
use crate::mesh::{GoDuration, Mesh, Owner};
use crate::pki::{Certificate, Refusal};
use crate::states::States;

pub use parts::Part;
use parts::Parts;
pub use remedy::{Eligibility, Remedy, Signer, steps};
pub use workload_certificates::{Remaining, WithoutCertificate, WorkloadCertificates};

/// What is to be said of a mesh at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// The instant that it is of.
    pub at: Timestamp,
    /// How long a workload certificate may be in use after it is issued: issuance lifetime and clock skew (T+s).
    pub workload_certificate_lifetime: GoDuration,
    /// The object with the published anchors.
    pub bundle_home: ObjectRef,
    /// The object with the issuer.
    pub issuer_secret: ObjectRef,
    /// The published anchors and the issuer file's certificates that have expired, the first to expire first.
    pub expired: Vec<Part>,
    /// The others, the next to expire first.
    pub valid: Vec<Part>,
    /// Do proxies get workload certificates that others accept?
    pub issuance: Issuance,
    /// The shortest remedy.
    pub remedy: Remedy,
    /// Expired certificates behind the issuer in its file that it does not need with the published anchors: without them it is good
    /// again, with nothing minted.
    pub unneeded: Vec<Certificate>,
    /// Expired anchors whose expiry alone has stopped issuance: signed anew with its own key, such an anchor is accepted by
    /// everybody at once, because proxies know it by name and key, and the issuer stays.
    pub renewable: Vec<Certificate>,
    /// Where issuance works: what is rejected for certain nevertheless.
    pub rejected: Vec<Finding>,
    /// The bundle's and the issuer's object, where cert-manager or trust-manager makes it.
    pub managed: Vec<(ObjectRef, Owner)>,
    /// Why cert-manager does not renew, where it makes the material.
    pub held_up: Vec<Finding>,
    /// What the diagnosis needs and could not be read.
    pub unknown: Vec<Finding>,
    /// What was not seen and may be broken besides.
    pub unseen: Vec<Finding>,
}

/// Does the identity controller issue workload certificates that proxies accept?
#[derive(Debug, Clone, PartialEq)]
pub enum Issuance {
    /// It does.
    Works {
        /// The last instant at which it will, if nothing is changed.
        until: Timestamp,
    },
    /// It did, until something expired.
    Stopped(Stopped),
    /// The published bundle does not accept the Secret's issuer, and did not before anything expired: identity controllers that
    /// run may sign with the one before it.
    Refused(Refusal),
    /// It cannot be told.
    Unknown,
}

/// The end of issuance, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopped {
    /// The last instant at which a workload certificate was issued that proxies accept.
    pub since: Timestamp,
    /// Is it that very instant? Else it was then at the latest, because a part of the trust material is not known.
    pub exact: bool,
    /// What expired then.
    pub because: Vec<Part>,
    /// When the workload certificates that were in use then expire.
    pub presented: WorkloadCertificates,
    /// Proxies that started since, and so have no workload certificate.
    pub without_certificate: WithoutCertificate,
    /// Why an identity controller that restarts fails to start, where it does so for certain.
    pub no_start: Option<Refusal>,
}

impl Diagnosis {
    /// Looks at `mesh` as it stands at `at`.
    #[must_use]
    pub fn of(mesh: &Mesh, at: Timestamp) -> Self {
        let parts = Parts::of(mesh);
        let (expired, valid): (Vec<_>, Vec<_>) =
            parts.all().into_iter().partition(|part| part.certificate.is_expired_at(at));
        let issuance = parts.issuance(mesh, &expired, at);
        let states = States::of(mesh, None, at);
        let rejected = match &issuance {
            Issuance::Works { .. } => findings::rejected(&states, at),
            Issuance::Stopped(_) | Issuance::Refused(_) | Issuance::Unknown => Vec::new(),
        };
        Self {
            at,
            workload_certificate_lifetime: GoDuration(mesh.control_plane.workload_certificate_lifetime()),
            bundle_home: mesh.bundle_home(),
            issuer_secret: mesh.issuer_secret(),
            remedy: remedy::of(mesh, &parts, &issuance, &expired, &states, at),
            unneeded: parts.unneeded(&states, at),
            renewable: parts.renewable(&issuance, at),
            managed: findings::managed(mesh),
            held_up: check::held_up(mesh, at),
            unseen: findings::unseen(mesh, &issuance),
            rejected,
            expired,
            valid,
            issuance,
            unknown: parts.unknown,
        }
    }

    /// Has something expired on which nothing depends any more?
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.expired.is_empty() && matches!(self.issuance, Issuance::Works { .. })
    }

    /// The anchors that can sign a new issuer which every proxy accepts, if the user has the key of one: the likeliest first.
    pub fn eligible(&self) -> impl Iterator<Item = &Signer> {
        let signers: &[Signer] = match &self.remedy {
            Remedy::Replace(signers) => signers,
            Remedy::None | Remedy::Prune | Remedy::RemoveExpired | Remedy::Repair | Remedy::Unknown => &[],
        };
        signers.iter().filter(|one| one.is_eligible())
    }
}
