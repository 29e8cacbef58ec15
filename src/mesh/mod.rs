//! The observed mesh as plain data.
//!
//! What is here was seen in files or in a cluster's answers; nothing is judged, nothing is read, no clock is asked.

mod annotations;
mod cert_manager;
mod era;
mod gap;
mod objects;
mod observer;
mod owner;
mod pod;
mod proxy;
mod read;
mod time;
mod workload;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::document::{Document, ObjectRef, Origin};
use crate::linkerd;
use crate::pki::{BundleText, Identity, IssuerChain};

pub use annotations::PodAnnotations;
pub use cert_manager::{
    BundleFilter, BundleSource, CERT_MANAGER_GROUP, CERTIFICATE_KEY, CLUSTER_BUNDLE_GROUP,
    CertManagerCertificate, CertManagerIssuer, RequestOutcome, Requested, SignsWith, TRUST_MANAGER_GROUP,
    TrustBundle, is_cluster_bundle, issuer_reference,
};
pub use era::{ChartNames, Era, Scheme, TrustHome};
pub use gap::{Gap, MissingPods, NoChain, Scope, Unread};
pub use objects::BundlePlace;
pub use observer::{FieldFault, Interest, MeshError, Observer};
pub use owner::{Owner, VALUES_BELOW, VALUES_FILE};
pub use pod::{Pod, PodSpec};
pub use proxy::{BundleId, Held, Made, Plane, ProxyGroup, Replica, Starts, Unmeshed};
pub use read::{Change, Doubt, Read};
use time::mounted_by;
pub use time::{ChangeTime, GoDuration, KUBELET_LAG_SECONDS, WATCH_LAG_SECONDS, handed_over};
pub use workload::{Injection, Obstacle, Template, Workload, WorkloadId};

/// Something that was read, was looked for and is not there, or could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<T> {
    /// It was read.
    Is(T),
    /// It was looked for and does not exist.
    Absent,
    /// It could not be read, and why; nothing may be concluded from it.
    Unknown(Unread),
}

impl<T> Known<T> {
    /// What was read, if it was.
    pub const fn as_option(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}

/// One Linkerd: its control plane, its trust material and every proxy in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// The control plane and its settings.
    pub control_plane: ControlPlane,
    /// The trust bundle and its copies.
    pub trust: Trust,
    /// The identity issuer, from its Secret (or, where that may not be read, from `linkerd-config`).
    pub issuer: Known<Issuer>,
    /// Every bundle text that some proxy holds literally, each once.
    pub bundles: Vec<BundleText>,
    /// Running proxies, grouped by what tells them apart.
    pub proxies: Vec<ProxyGroup>,
    /// Running pods without a proxy, of workloads that ask for one; only a dump shows them, as a cluster is asked for injected
    /// pods alone.
    pub unmeshed: Vec<Unmeshed>,
    /// What owns meshed pods, or would.
    pub workloads: Vec<Workload>,
    /// The objects that a rotation patches, as they are (the issuer Secret without its private key).
    pub manifests: Vec<Manifest>,
    /// cert-manager Certificates that feed the anchor or the issuer.
    pub certificates: Vec<CertManagerCertificate>,
    /// All Issuers and ClusterIssuers.
    pub certificate_issuers: Vec<CertManagerIssuer>,
    /// The trust-manager Bundle that publishes the anchors.
    pub trust_bundle: Option<TrustBundle>,
    /// `ExternalWorkload`s, as `namespace/name`: their proxies' bundles cannot be seen.
    pub external_workloads: Vec<String>,
    /// Multicluster `Link`s, as `namespace/name`: clusters that share this trust.
    pub links: Vec<String>,
    /// Were pods part of the input (a cluster or a dump), or only manifests?
    pub pods: Known<()>,
    /// The one namespace whose data plane was looked at, where it was not all of them: of the others nothing is known.
    pub only: Option<String>,
    /// What could not be read, by name.
    pub gaps: Vec<Gap>,
}

/// The control plane and the settings in force.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlPlane {
    /// Its namespace, `linkerd` by default.
    pub namespace: String,
    /// `stable-2.14.10`, `edge-25.4.4`, …, where some object tells.
    pub version: Option<String>,
    /// How this version stores trust material.
    pub era: Era,
    /// Who installed it, and so what the next upgrade will render again.
    pub installer: Option<Owner>,
    /// The trust domain, `cluster.local` by default.
    pub trust_domain: String,
    /// How long a workload certificate is valid; 24 h by default (`charts/linkerd-control-plane/values.yaml`).
    pub issuance_lifetime: GoDuration,
    /// Added on both ends of its validity; 20 s by default.
    pub clock_skew: GoDuration,
    /// Which keys the issuer Secret has.
    pub scheme: Scheme,
    /// Are the anchors published by somebody else (`identity.externalCA`)?
    pub external_ca: bool,
    /// Running containers of the control plane that read trust material when they start.
    pub replicas: Vec<Replica>,
    /// Does a human say that all of these have started since bundle and issuer last changed? No input shows it.
    pub is_restart_confirmed: bool,
}

/// The trust bundle where it counts, and where it is copied.
#[derive(Debug, Clone, PartialEq)]
pub struct Trust {
    /// The bundle that the injector hands out.
    pub published: Known<Published>,
    /// `linkerd-config`'s copy, which `linkerd check`, `inject --manual` and multicluster checks read; for eras where that
    /// is the published one, the same text.
    pub config: Known<BundleText>,
    /// What the identity controller is given by argument or environment (2.9 and 2.10 only).
    pub identity: Option<BundleText>,
}

/// The authoritative bundle.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// In which object and field it stands.
    pub home: TrustHome,
    /// Its text.
    pub text: BundleText,
    /// When the object's data last changed.
    pub changed: ChangeTime,
}

/// The identity issuer as its Secret has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// Was it read from the Secret, or is it `linkerd-config`'s copy, which shows the last render only?
    pub from_secret: bool,
    /// The Secret's data keys, sorted.
    pub keys: Vec<String>,
    /// The Secret's `type`.
    pub secret_type: Option<String>,
    /// Issuer and intermediates, or why they cannot be read.
    pub chain: Result<IssuerChain, NoChain>,
    /// The private key, by what can be said of it without having it.
    pub key: KeyState,
    /// `ca.crt`, where the Secret has it.
    pub ca: Option<BundleText>,
    /// When the Secret's data last changed.
    pub changed: ChangeTime,
}

/// What was found where the issuer's private key should be. The key itself is never kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyState {
    /// It belongs to the issuer certificate.
    Matches,
    /// It belongs to another certificate.
    Mismatch,
    /// There is no key.
    Missing,
    /// It cannot be read, and why.
    Unreadable(String),
    /// It was not looked at.
    NotSeen,
}

/// An object as it was observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Which object.
    pub object: ObjectRef,
    /// Where it was read.
    pub origin: Origin,
    /// Who would put it back, strongest first.
    pub owners: Vec<Owner>,
    /// The object. Private keys are replaced by [`REDACTED`].
    pub tree: Value,
}

/// What stands in a manifest instead of a private key.
pub const REDACTED: &str = "(private key, not kept)";

impl ControlPlane {
    /// How long a workload certificate is valid after it is issued, and so may be presented: issuance lifetime and clock skew
    /// (T+s; `Validity.Window` in Linkerd's `pkg/tls`).
    #[must_use]
    pub const fn workload_certificate_lifetime(&self) -> SignedDuration {
        self.issuance_lifetime.0.saturating_add(self.clock_skew.0)
    }

    /// Must the issuer bear the name `identity.NAMESPACE.TRUST-DOMAIN`? Asked up to 2.9.0; where the version does not tell,
    /// the stricter holds.
    fn names_issuer(&self) -> bool {
        let later = |version: &str| version.starts_with("stable-2.9.") && version != "stable-2.9.0";
        self.era <= Era::V2_9 && !self.version.as_deref().is_some_and(later)
    }

    /// Does the controller start with an issuer that is no CA? The releases up to 2.10 do; an edge release before 2.11.0 may not.
    fn takes_any_issuer(&self) -> bool {
        self.era <= Era::V2_10
            && self.version.as_deref().is_some_and(|version| version.starts_with("stable-"))
    }
}

impl Mesh {
    /// The manifest of an object, where it was observed.
    #[must_use]
    pub fn manifest(&self, kind: &str, namespace: &str, name: &str) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| {
            let object = &manifest.object;
            object.kind == kind && object.namespace == namespace && object.name == name
        })
    }

    /// The same mesh with its objects' manifests as a repository declares them.
    #[must_use]
    pub fn as_declared(&self, documents: &[Document]) -> Self {
        let mut mesh = self.clone();
        let core = [self.bundle_home(), self.linkerd_config(), self.issuer_secret()];
        let theirs = self.manifests.iter().filter(|one| cert_manager::is_theirs(one)).map(|one| &one.object);
        for object in self.workloads.iter().map(|workload| &workload.object).chain(&core).chain(theirs) {
            let is_it = |document: &&Document| {
                let of = ObjectRef::of(&document.tree);
                of.is_some_and(|of| {
                    let is_there = of.namespace.is_empty() || of.namespace == object.namespace;
                    of.kind == object.kind && of.name == object.name && is_there
                })
            };
            let Some(document) = documents.iter().find(is_it) else { continue };
            let mut tree = document.tree.clone();
            observer::prune(&mut tree);
            mesh.manifests.retain(|manifest| manifest.object != *object);
            let (object, origin) = (object.clone(), document.origin.clone());
            mesh.manifests.push(Manifest { object, origin, owners: Vec::new(), tree });
        }
        mesh
    }

    /// Since when volumes of the control plane surely show a change of one of its objects: after the kubelet's lag, unless the
    /// object is as it was installed.
    #[must_use]
    pub fn mounted_since(&self, kind: &str, name: &str, changed: Timestamp) -> Timestamp {
        if self.is_as_installed(kind, name, changed) { changed } else { mounted_by(changed) }
    }

    /// Has an object of the control plane, which changed at `changed` for the last time, been as it is since it was made, and made
    /// no later than the identity controller's Deployment? Then no volume of the control plane can ever have shown anything else.
    fn is_as_installed(&self, kind: &str, name: &str, changed: Timestamp) -> bool {
        let created = |kind: &str, name: &str| {
            let manifest = self.manifest(kind, &self.control_plane.namespace, name)?;
            manifest.tree.pointer("/metadata/creationTimestamp")?.as_str()?.parse::<Timestamp>().ok()
        };
        let installed = created("Deployment", linkerd::IDENTITY);
        // The API server notes creation and change of one request one after the other, in whole seconds.
        let unchanged = |made: Timestamp| changed.as_second() - made.as_second() <= 1;
        created(kind, name).zip(installed).is_some_and(|(made, by)| unchanged(made) && made <= by)
    }

    /// The bundle that a group of proxies holds, where it is known: the literal one. For proxies that hold it by reference
    /// it follows from the times of their start and of the ConfigMap's change.
    #[must_use]
    pub fn literal_bundle(&self, held: &Held) -> Option<&BundleText> {
        match held {
            Held::Literal(BundleId(id)) => self.bundles.get(*id),
            Held::ByReference | Held::Nothing => None,
        }
    }

    /// The DNS name in the workload certificate of the identity controller's own proxy, which name constraints are asked with, and
    /// what this version asks of its issuer.
    #[must_use]
    pub fn identity_name(&self) -> Identity {
        let ControlPlane { namespace, trust_domain, .. } = &self.control_plane;
        let authority = format!("identity.{namespace}.{trust_domain}");
        Identity {
            name: format!("linkerd-identity.{namespace}.serviceaccount.{authority}"),
            issuer: self.control_plane.names_issuer().then_some(authority),
            takes_any_issuer: self.control_plane.takes_any_issuer(),
        }
    }

    /// Does the input tell how long workload certificates are valid? `linkerd-config` does, and from 2.9 on the identity
    /// controller's Deployment, by its arguments; else Linkerd's default is assumed.
    #[must_use]
    pub fn tells_lifetime(&self) -> bool {
        let config = self.linkerd_config();
        let is_told = |one: &Workload| one.is_identity_controller() && one.template.is_some();
        self.trust.config.as_option().is_some()
            || self.manifest(&config.kind, &config.namespace, &config.name).is_some()
            || self.control_plane.era >= Era::V2_9 && self.workloads.iter().any(is_told)
    }

    /// The same mesh with the data plane of one namespace only.
    #[must_use]
    pub fn limited_to(mut self, namespace: &str) -> Self {
        let kept =
            |workload: &Workload| workload.plane == Plane::Control || workload.object.namespace == namespace;
        let mut ids = BTreeMap::new();
        for (old, _) in self.workloads.iter().enumerate().filter(|(_, workload)| kept(workload)) {
            ids.insert(WorkloadId(old), WorkloadId(ids.len()));
        }
        self.workloads.retain(kept);
        self.unmeshed.retain_mut(|pods| ids.get(&pods.workload).map(|id| pods.workload = *id).is_some());
        self.proxies.retain_mut(|group| ids.get(&group.workload).map(|id| group.workload = *id).is_some());
        self.only = Some(namespace.to_owned());
        self
    }

    /// Workloads by their id.
    #[must_use]
    pub fn workload(&self, id: WorkloadId) -> &Workload {
        &self.workloads[id.0]
    }

    /// The workload of a container of the control plane: a Deployment is named after its component.
    #[must_use]
    pub fn workload_of(&self, replica: &Replica) -> ObjectRef {
        let name = format!("linkerd-{}", replica.component);
        let is_it = |workload: &&Workload| workload.plane == Plane::Control && workload.object.name == name;
        self.workloads.iter().find(is_it).map_or_else(
            || ObjectRef::new("apps/v1", "Deployment", &self.control_plane.namespace, &name),
            |workload| workload.object.clone(),
        )
    }

    /// How many running proxies each workload has, by the workload.
    #[must_use]
    pub fn proxies_by_workload(&self) -> BTreeMap<WorkloadId, Vec<&ProxyGroup>> {
        let mut groups: BTreeMap<WorkloadId, Vec<&ProxyGroup>> = BTreeMap::new();
        for group in &self.proxies {
            groups.entry(group.workload).or_default().push(group);
        }
        groups
    }
}
