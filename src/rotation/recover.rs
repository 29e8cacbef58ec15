//! A mesh whose certificates have expired: what is broken, until when the rest holds, and the shortest way back.

mod parts;
mod remedy;
mod workload_certificates;

use jiff::Timestamp;

use crate::document::ObjectRef;
use crate::linkerd;
use crate::mesh::{Change, GoDuration, Known, Mesh, Owner, Read, Replica};
use crate::pki::{Certificate, Refusal};
use crate::states::States;

pub use parts::{Part, Role};
use parts::{Parts, is_past};
pub use remedy::{Candidate, Standing, Way, steps};
pub use workload_certificates::{Left, WithoutCertificate, WorkloadCertificates};

/// What is to be said of a mesh at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// The instant that it is of.
    pub at: Timestamp,
    /// How long a leaf may be in use after it is issued: issuance lifetime and clock skew (T+s).
    pub workload_certificate_lifetime: GoDuration,
    /// The published anchors and the issuer file's certificates that are over, the first to end first.
    pub expired: Vec<Part>,
    /// The others, the next to end first.
    pub valid: Vec<Part>,
    /// Do proxies get leaves that are good for something?
    pub issuance: Issuance,
    /// The shortest way back.
    pub way: Way,
    /// Certificates behind the issuer in its file that are over and that it does not need: without them it is good again, with
    /// nothing minted.
    pub trim: Vec<Certificate>,
    /// Expired anchors whose end alone has stopped issuance: signed anew with its own key, such an anchor is accepted by everybody
    /// at once, because proxies know it by name and key, and the issuer stays.
    pub renewable: Vec<Certificate>,
    /// What is broken besides, whatever has expired: in every possible world, as the verifier says it.
    pub also: Vec<String>,
    /// The bundle's and the issuer's object, where cert-manager or trust-manager makes it.
    pub automated: Vec<(ObjectRef, Owner)>,
    /// What the diagnosis needs and could not be read, by name.
    pub unknown: Vec<String>,
    /// What was not seen and may be broken besides, by name.
    pub unseen: Vec<String>,
}

/// Does the identity controller issue leaves that proxies accept?
#[derive(Debug, Clone, PartialEq)]
pub enum Issuance {
    /// It does.
    Works {
        /// The last instant at which it will, if nothing is changed.
        until: Timestamp,
    },
    /// It did, until something ended.
    Stopped(Stopped),
    /// The published bundle does not accept the Secret's issuer, and did not before anything ended: identity controllers that
    /// run may sign with the one before it.
    Refused(Refusal),
    /// It cannot be told.
    Unknown,
}

/// The end of issuance, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopped {
    /// The last instant at which a leaf was issued that is good for something.
    pub since: Timestamp,
    /// Is it that very instant? Else it was then at the latest, because a part of the trust material is not known.
    pub exact: bool,
    /// What ended then.
    pub because: Vec<Part>,
    /// When the leaves that were in use then end.
    pub presented: WorkloadCertificates,
    /// Proxies that started since, and so have no leaf.
    pub without_certificate: WithoutCertificate,
    /// Why an identity controller that restarts does not come up, where it does not for certain.
    pub no_start: Option<Refusal>,
}

impl Diagnosis {
    /// Looks at `mesh` as it stands at `at`.
    #[must_use]
    pub fn of(mesh: &Mesh, at: Timestamp) -> Self {
        let parts = Parts::of(mesh);
        let all = parts.all();
        let (expired, valid): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|part| is_past(&part.certificate, at));
        let issuance = parts.issuance(mesh, &expired, at);
        let states = States::of(mesh, None, at);
        let way = remedy::of(&parts, &issuance, &expired, &states, at);
        let also = match &issuance {
            Issuance::Works { .. } => also(&states, at),
            Issuance::Stopped(_) | Issuance::Refused(_) | Issuance::Unknown => Vec::new(),
        };
        Self {
            at,
            workload_certificate_lifetime: GoDuration(mesh.control_plane.workload_certificate_lifetime()),
            trim: parts.trim(&states, at),
            unseen: unseen(mesh, &issuance),
            renewable: parts.renewable(&issuance, at),
            automated: automated(mesh),
            expired,
            valid,
            issuance,
            way,
            also,
            unknown: parts.unknown,
        }
    }

    /// Has something expired on which nothing depends any more?
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.expired.is_empty() && matches!(self.issuance, Issuance::Works { .. })
    }

    /// The anchors that can sign a new issuer which every proxy accepts, if the user has the key of one: the likeliest first.
    pub fn fit(&self) -> impl Iterator<Item = &Candidate> {
        let candidates: &[Candidate] = match &self.way {
            Way::Replace(candidates) => candidates,
            Way::Nothing | Way::Prune | Way::Repair | Way::Unknown => &[],
        };
        candidates.iter().filter(|one| one.is_fit())
    }
}

/// Handshakes, renewals and starts that fail for certain at this instant.
fn also(states: &States, at: Timestamp) -> Vec<String> {
    let mut said: Vec<_> = states
        .broken(at)
        .into_iter()
        .filter(|broken| broken.certain)
        .map(|broken| broken.refusal.to_string())
        .collect();
    said.sort();
    said.dedup();
    said
}

/// The objects with trust material that a controller would make again.
fn automated(mesh: &Mesh) -> Vec<(ObjectRef, Owner)> {
    let makes = |owner: &Owner| matches!(owner, Owner::CertManager { .. } | Owner::TrustManager { .. });
    let objects = [mesh.bundle_home(), mesh.issuer_secret()];
    let owner = |object: ObjectRef| {
        let owner = mesh.owners_of(&object).into_iter().find(makes)?;
        Some((object, owner))
    };
    objects.into_iter().filter_map(owner).collect()
}

/// What was not looked at, or does not tell.
fn unseen(mesh: &Mesh, issuance: &Issuance) -> Vec<String> {
    let pods = match &mesh.pods {
        Known::Is(()) => None,
        Known::Absent => Some("pods: they are not in the input".to_owned()),
        Known::Unknown(why) => Some(format!("pods: {why}")),
    };
    let name =
        |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
    let external = name("ExternalWorkloads", &mesh.external_workloads);
    let links = name("the proxies of linked clusters", &mesh.links);
    let works = matches!(issuance, Issuance::Works { .. });
    let loaded = works.then(|| not_loaded(mesh)).into_iter().flatten();
    pods.into_iter().chain(mesh.unread()).chain(external).chain(links).chain(loaded).collect()
}

/// Identity controllers that may go on without the last change of the bundle, which they read at their start, or of the issuer,
/// which they sometimes miss (linkerd2#15109): what they have loaded may be over.
fn not_loaded(mesh: &Mesh) -> Vec<String> {
    let published =
        mesh.trust.published.as_option().filter(|_| mesh.control_plane.era.control_plane_by_reference());
    let issuer = mesh.issuer.as_option().filter(|issuer| issuer.from_secret);
    let sources = [
        published.map(|_| (mesh.bundle_home(), mesh.bundle_change())),
        issuer.map(|_| (mesh.issuer_secret(), mesh.issuer_change())),
    ];
    let told = |(object, change): (ObjectRef, Change)| {
        if !change.is_dated() {
            return Some(format!(
                "whether identity controllers have taken up {object}: when it changed is not told"
            ));
        }
        let is_older = |replica: &&Replica| {
            replica.container == linkerd::IDENTITY_CONTAINER
                && change.by_mount(replica.started) != Read::After
        };
        let older = mesh.control_plane.replicas.iter().filter(is_older).map(|replica| replica.pod.as_str());
        let older: Vec<_> = older.collect();
        (!older.is_empty()).then(|| {
            format!(
                "whether these identity controllers have taken up the last change of {object}, or go on with what was there \
                 before and may be over: {}",
                older.join(", ")
            )
        })
    };
    sources.into_iter().flatten().filter_map(told).collect()
}
