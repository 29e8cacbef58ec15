//! What stands before a step, and what to know beside it.

use jiff::Timestamp;
use serde::Serialize;
use strum::{IntoStaticStr, VariantNames};

use super::managed::Instead;
use super::rotation::{Need, RotationAnchors, RotationIssuer, SecretGap, WhyRefused};
use super::{CertificateRef, Fact, IssuerRole, Pods};
use crate::document::ObjectRef;
use crate::linkerd;
use crate::mesh::{BundlePlace, GoDuration, Mesh, Owner, RequestOutcome, Unread};
use crate::pki::Refusal;
use crate::step::{Direction, Phase, Step};

/// Something about a step of a rotation.
#[derive(Debug, Clone, PartialEq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "evidence", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[strum(serialize_all = "kebab-case")]
pub enum StepFact {
    // What stands before a step.
    /// An earlier step is not done.
    StepOrder { before: Step, done: u64, of: u64 },
    /// Whether an earlier step is done is not known.
    StepOrderUnknown { before: Step, why: Box<Fact> },
    /// Running proxies would refuse workload certificates of the issuer that the step puts in place.
    ProxiesNotReady { proxies: Pods, issuer: RotationIssuer, why: WhyRefused },
    /// The published bundle does not accept the issuer that the step puts in place.
    BundleRefusesIssuer {
        bundle: BundlePlace,
        issuer: RotationIssuer,
        lacks: RotationAnchors,
        why: WhyRefused,
    },
    /// Containers of the control plane have not read the published bundle.
    ControlPlaneLacksBundle { bundle: ObjectRef, done: u64, of: u64 },
    /// The anchors that the step leaves in the bundle do not accept the issuer in the Secret.
    AnchorsRefuseIssuer { anchors: RotationAnchors, secret: ObjectRef, issuer: CertificateRef, why: Refusal },
    /// The step would drop anchors that the rotation does not know.
    UnknownAnchors { bundle: BundlePlace, anchors: Vec<CertificateRef> },
    /// An identity controller that restarts now would not start.
    RestartStopsIdentity { secret: ObjectRef, issuer: CertificateRef, why: WhyRefused },
    /// An identity controller that restarts now would sign with an issuer that proxies refuse.
    RestartActivatesIssuer { secret: ObjectRef, issuer: CertificateRef, proxies: Pods, why: Refusal },
    /// Identity pods that restart now would have proxies that refuse whoever asks for a certificate with one of the issuer.
    RestartRefusesRequests { issuer: CertificateRef, proxies: Pods, certain: bool, why: Refusal },
    /// Proxies of the control plane that are restarted refuse, until then, certificates of the issuer that is loaded by it.
    RestartSplitsControlPlane { issuer: CertificateRef, workloads: Vec<ObjectRef>, why: Refusal },
    /// The issuer in the Secret, or its anchor, has expired: these steps lead on, and only with --force.
    PresentIssuerExpired { issuer: CertificateRef, forced: Vec<Step> },
    /// Proxies present workload certificates that the anchors which stay do not accept.
    CertificatesRefused {
        issuer: CertificateRef,
        proxies: Pods,
        certain: bool,
        anchors: RotationAnchors,
        why: Refusal,
    },
    /// Identity controllers sign with an issuer that the anchors which stay do not accept.
    IdentitySignsRefused {
        issuer: CertificateRef,
        replicas: Pods,
        certain: bool,
        anchors: RotationAnchors,
        why: Refusal,
    },
    /// Some clock may not take a certificate for valid yet.
    CertificateNotBegun { certificate: CertificateRef, skew: GoDuration },
    /// A certificate that the rotation needs has expired.
    RotationExpired { certificate: CertificateRef, direction: Direction },
    /// The cross certificate has expired, and every workload certificate with it; the issuer is good without it.
    CrossExpired { certificate: CertificateRef, instead: Step },
    /// The cross certificate expires before the rotation can do without it.
    CrossExpiresSoon { certificate: CertificateRef, lifetime: GoDuration, direction: Direction },
    /// The step would publish an expired anchor again.
    ExpiredAnchorReturns { anchor: CertificateRef },
    /// The copy in `linkerd-config`, which the next upgrade publishes again, does not accept the issuer.
    UpgradeRevertsBundle { config: ObjectRef, issuer: RotationIssuer, value: &'static str, why: WhyRefused },
    /// Whether what the next upgrade publishes accepts the issuer is not known, as the copy in `linkerd-config` is not.
    UpgradeNotJudged { config: ObjectRef, issuer: RotationIssuer, value: &'static str, why: Option<Unread> },
    /// How long workload certificates are valid is not known: the default is assumed.
    LifetimeAssumed { deployment: ObjectRef, config: ObjectRef, assumed: GoDuration },
    /// cert-manager renews the anchor or the issuer while the step is loaded.
    RenewalDue { certificate: ObjectRef, due: Timestamp, until: Timestamp },
    /// A kubelet may still have an object mounted as it was.
    MountOutdated { object: ObjectRef },
    /// An identity controller that was replaced may still sign.
    IdentityHandover,
    /// No proxy injector runs.
    InjectorNotRunning { namespace: String },
    /// The proxies of ExternalWorkloads must be prepared, which no input shows.
    ExternalWorkloadsFirst { names: Vec<String>, need: Need },
    /// The proxies of linked clusters must be prepared, which no input shows.
    LinkedClustersFirst { names: Vec<String>, need: Need },

    // What keeps a step's state from being known.
    /// The issuer in the Secret is not known.
    IssuerSecretUnknown { secret: ObjectRef, why: SecretGap },
    /// No running container of these names was seen.
    ContainersNotSeen { containers: Vec<&'static str> },
    /// When some containers started is not known.
    StartTimeUnknown,
    /// Containers started so soon after an object changed that they may have read it as it was.
    StartedTooEarly { object: ObjectRef, containers: Vec<String>, seconds: i64 },

    // What was taken on trust.
    /// Every pod of the mesh is in the input, as a human confirmed.
    PodsConfirmed,
    /// The control plane has started since an object last changed, as a human confirmed.
    RestartConfirmed { object: ObjectRef },

    // What to know beside a step.
    /// Somebody else renders an object and would revert the patch.
    ManagedObject {
        object: ObjectRef,
        owner: Owner,
        instead: Instead,
        /// The file that `instead` names lacks anchors that are published.
        lacks_published: bool,
    },
    /// These apply the step's objects from Git: there the step is committed.
    AppliedFromGit { owners: Vec<Owner> },
    /// How long workload certificates of the issuer that was replaced can be valid.
    RenewalTime {
        issuer: IssuerRole,
        lifetime: GoDuration,
        issuance_lifetime: GoDuration,
        clock_skew: GoDuration,
        renewed_after: GoDuration,
        /// Waiting does what the restart does.
        instead_of_restart: bool,
        until: Option<Timestamp>,
    },
    /// A later phase is published and has taken the anchors of this step away.
    PhaseSuperseded { by: Phase, dropped: RotationAnchors },
    /// The strategy waits until workload certificates of the replaced issuer expire, and restarts nothing.
    CertificatesRenewedByTime { strategy: String, issuer: IssuerRole },
    /// The strategy waits until workloads restart on their own, and restarts nothing.
    BundleLoadedByTime { strategy: String, latest: Option<Timestamp>, is_late: bool },
    /// Of some workloads only pods were seen.
    WorkloadsNotSeen { count: u64 },
    /// Every meshed workload is taken to need the restart.
    RestartsAssumed { why: Box<Fact> },
    /// These workloads restart when the bundle's value changes where Linkerd is installed from.
    RestartedByInstall { workloads: Vec<ObjectRef> },
    /// Templates carry the step's restart already, while their pods are not as they shall be.
    RestartUnchanged { workloads: Vec<ObjectRef> },
    /// Proxies without identity are passed over.
    ProxiesWithoutIdentity { count: u64 },
    /// The issuer's file holds intermediates.
    IntermediatesInFile { file: &'static str },
    /// The step takes downtime.
    Downtime { replaces_anchor: bool },
    /// cert-manager has not issued the new anchor yet, and what became of the latest request for it.
    AnchorAwaited { certificate: ObjectRef, request: Option<RequestOutcome> },
    /// The Issuer that is to sign the issuer does not exist.
    SignerMissing { issuer: ObjectRef },
    /// The Issuer that is to sign the issuer signs with another Secret.
    SignerOfAnother { issuer: ObjectRef, secret: String },
    /// Nothing that is read tells that an Issuer signs below the anchor that the step leads to.
    SignerNotShown { issuer: ObjectRef, anchor: CertificateRef },
    /// cert-manager has issued another certificate meanwhile than the anchor that proxies were given.
    AnchorReissued {
        certificate: ObjectRef,
        known: CertificateRef,
        issued: CertificateRef,
        /// Is the one that proxies were given still published?
        is_kept: bool,
    },
    /// No CertificateRequest shows which certificate an anchor's Certificate was issued last.
    AnchorNotShown { certificate: ObjectRef },
    /// A rollback leaves the new anchor's Certificate and its Issuer, which nothing needs after it.
    NewObjectsLeft { certificate: ObjectRef, signer: Option<ObjectRef> },
    /// The old anchor's Secret, with its private key, stays when its Certificate has gone.
    OldKeyStays { secret: ObjectRef, signer: Option<ObjectRef> },
    /// The Issuer whose Secret changes signs for every Certificate that names it.
    SignerShared { issuer: ObjectRef, direction: Direction },
    /// No CertificateRequest of the issuer's Certificate was seen: a changed duration then starts nothing before this renewal.
    IssuedAtRenewal { certificate: ObjectRef, due: Option<Timestamp> },
    /// `ca.crt` of the issuer Secret holds anchors that are gone.
    CaCrtOutdated { secret: ObjectRef, dropped: RotationAnchors, render: Step },
}

impl StepFact {
    /// The lifetime that is assumed of workload certificates, and what would tell it.
    pub(crate) fn lifetime_assumed(mesh: &Mesh) -> Self {
        let control_plane = &mesh.control_plane;
        Self::LifetimeAssumed {
            deployment: ObjectRef::new("apps/v1", "Deployment", &control_plane.namespace, linkerd::IDENTITY),
            config: mesh.linkerd_config(),
            assumed: GoDuration(control_plane.workload_certificate_lifetime()),
        }
    }
}
