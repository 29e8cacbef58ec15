//! Version 1 of the file: each type beside the mesh's type of which it is the written form.
//!
//! What is renamed in the mesh gets its old name here: `#[serde(rename = "…")]` on the field or variant. Nothing here is removed
//! or made mandatory. Timestamps, durations, PEM texts and certificates are written as texts and stand for themselves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::filed::{Filed, Pem, filed_enum, filed_struct};
use crate::document::{ObjectRef, Origin};
use crate::mesh::{
    BundleFilter, BundleSource, CertManagerCertificate, CertManagerIssuer, ChangeTime, ControlPlane, Era,
    Gap, GoDuration, Held, Injection, Issuer, KeyState, Known, Made, Manifest, Mesh, MissingPods, Obstacle,
    Owner, Plane, ProxyGroup, Published, Replica, RequestOutcome, Requested, Scheme, Scope, SignsWith,
    Starts, Template, Trust, TrustBundle, TrustHome, Unmeshed, Unread, Workload,
};
use crate::pki::{BundleText, Certificate, Fingerprint, IssuerChain};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KnownV1<T> {
    Is(T),
    Absent,
    Unknown(UnreadV1),
}

impl<F: Filed<M>, M> Filed<Known<M>> for KnownV1<F> {
    fn of(mesh: Known<M>) -> Self {
        match mesh {
            Known::Is(value) => Self::Is(F::of(value)),
            Known::Absent => Self::Absent,
            Known::Unknown(why) => Self::Unknown(UnreadV1::of(why)),
        }
    }

    fn into_mesh(self) -> Known<M> {
        match self {
            Self::Is(value) => Known::Is(value.into_mesh()),
            Self::Absent => Known::Absent,
            Self::Unknown(why) => Known::Unknown(why.into_mesh()),
        }
    }
}

filed_struct! {
    MeshV1 of Mesh {
        control_plane: ControlPlaneV1,
        trust: TrustV1,
        issuer: KnownV1<IssuerV1>,
        bundles: Vec<BundleText>,
        proxies: Vec<ProxyGroupV1>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unmeshed: Vec<UnmeshedV1>,
        workloads: Vec<WorkloadV1>,
        manifests: Vec<ManifestV1>,
        certificates: Vec<CertManagerCertificateV1>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        certificate_issuers: Vec<CertManagerIssuerV1>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trust_bundle: Option<TrustBundleV1>,
        external_workloads: Vec<String>,
        links: Vec<String>,
        pods: KnownV1<()>,
        only: Option<String>,
        gaps: Vec<GapV1>,
    }
}

filed_struct! {
    ControlPlaneV1 of ControlPlane {
        namespace: String,
        version: Option<String>,
        era: EraV1,
        installer: Option<OwnerV1>,
        trust_domain: String,
        issuance_lifetime: GoDuration,
        clock_skew: GoDuration,
        scheme: SchemeV1,
        external_ca: bool,
        replicas: Vec<ReplicaV1>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_restart_confirmed: bool,
    }
}

filed_struct! {
    TrustV1 of Trust {
        published: KnownV1<PublishedV1>,
        config: KnownV1<BundleText>,
        identity: Option<BundleText>,
    }
}

filed_struct! {
    PublishedV1 of Published {
        home: TrustHomeV1,
        text: BundleText,
        changed: ChangeTimeV1,
    }
}

filed_struct! {
    IssuerV1 of Issuer {
        from_secret: bool,
        keys: Vec<String>,
        secret_type: Option<String>,
        chain: Result<IssuerChainV1, String>,
        key: KeyStateV1,
        ca: Option<BundleText>,
        changed: ChangeTimeV1,
    }
}

filed_struct! {
    IssuerChainV1 of IssuerChain {
        issuer: Certificate,
        intermediates: Vec<Certificate>,
    }
}

filed_enum! {
    #[serde(rename_all = "camelCase")]
    KeyStateV1 of KeyState {
        Matches,
        Mismatch,
        Missing,
        Unreadable(why: String),
        NotSeen,
    }
}

filed_enum! {
    #[serde(rename_all = "camelCase")]
    ChangeTimeV1 of ChangeTime {
        At(instant: Timestamp),
        Since(instant: Timestamp),
        Unknown,
    }
}

filed_enum! {
    EraV1 of Era {
        #[serde(rename = "2.6")]
        V2_6,
        #[serde(rename = "2.7-2.8")]
        V2_7,
        #[serde(rename = "2.9")]
        V2_9,
        #[serde(rename = "2.10")]
        V2_10,
        #[serde(rename = "2.11")]
        V2_11,
        #[serde(rename = "2.12+")]
        V2_12,
    }
}

filed_enum! {
    TrustHomeV1 of TrustHome {
        ConfigGlobal,
        ConfigValuesGlobal,
        ConfigValues,
        TrustRoots,
    }
}

filed_enum! {
    SchemeV1 of Scheme {
        #[serde(rename = "linkerd.io/tls")]
        Linkerd,
        #[serde(rename = "kubernetes.io/tls")]
        Kubernetes,
    }
}

filed_struct! {
    ManifestV1 of Manifest {
        object: ObjectRefV1,
        origin: OriginV1,
        owners: Vec<OwnerV1>,
        tree: Value,
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRefV1 {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Filed<ObjectRef> for ObjectRefV1 {
    fn of(mesh: ObjectRef) -> Self {
        let ObjectRef { api_version, kind, namespace, name } = mesh;
        Self { api_version, kind, namespace, name }
    }

    fn into_mesh(self) -> ObjectRef {
        ObjectRef::new(&self.api_version, &self.kind, &self.namespace, &self.name)
    }
}

filed_struct! {
    OriginV1 of Origin {
        source: String,
        document: usize,
        item: usize,
        line: usize,
    }
}

filed_struct! {
    CertManagerCertificateV1 of CertManagerCertificate {
        object: ObjectRefV1,
        secret: String,
        is_ca: bool,
        duration: Option<GoDuration>,
        renew_before: Option<GoDuration>,
        rotation_policy: Option<String>,
        renewal_time: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signer: Option<ObjectRefV1>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        renewal_disabled: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<RequestOutcomeV1>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requested: Option<RequestedV1>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_failure: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed_attempts: Option<u64>,
    }
}

filed_struct! {
    RequestedV1 of Requested {
        name: String,
        since: Option<Timestamp>,
    }
}

filed_enum! {
    #[serde(rename_all = "camelCase")]
    RequestOutcomeV1 of RequestOutcome {
        Issued(certificate: Certificate),
        Denied(why: String),
        Failed(why: String),
        Pending(why: String),
    }
}

filed_struct! {
    CertManagerIssuerV1 of CertManagerIssuer {
        object: ObjectRefV1,
        signs_with: SignsWithV1,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u64>,
    }
}

filed_enum! {
    #[serde(rename_all = "camelCase")]
    SignsWithV1 of SignsWith {
        ItsOwnKey,
        Secret(name: String),
        Elsewhere,
    }
}

filed_struct! {
    TrustBundleV1 of TrustBundle {
        object: ObjectRefV1,
        sources: Vec<BundleSourceV1>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<BundleFilterV1>,
    }
}

filed_struct! { BundleFilterV1 of BundleFilter { deployment: ObjectRefV1, expired: bool, non_ca: bool, } }

filed_enum! {
    #[serde(rename_all = "camelCase")]
    BundleSourceV1 of BundleSource {
        Secret { name: String, key: String },
        ConfigMap { name: String, key: String },
        InLine(pem: Pem),
        Other,
    }
}

filed_enum! {
    #[serde(rename_all = "camelCase", tag = "kind")]
    OwnerV1 of Owner {
        CertManager { certificate: String },
        TrustManager { bundle: String },
        ExternalSecrets { name: String },
        SealedSecrets { name: String },
        ChartValues { file: String, below: String },
        Helm { release: String, namespace: String },
        LinkerdCli,
        ArgoCd { application: String },
        FluxKustomization { name: String, namespace: String },
        FluxHelmRelease { name: String, namespace: String },
    }
}

filed_struct! {
    ProxyGroupV1 of ProxyGroup {
        workload: usize,
        plane: PlaneV1,
        held: HeldV1,
        injection: InjectionV1,
        starts: StartsV1,
        #[serde(default, skip_serializing_if = "MadeV1::is_empty")]
        made: MadeV1,
        sample: Vec<String>,
    }
}

filed_enum! {
    #[serde(rename_all = "camelCase")]
    PlaneV1 of Plane {
        Control,
        Data,
    }
}

filed_enum! {
    #[serde(rename_all = "camelCase")]
    HeldV1 of Held {
        Literal(id: usize),
        ByReference,
        Nothing,
    }
}

filed_enum! {
    #[serde(rename_all = "camelCase")]
    InjectionV1 of Injection {
        Webhook,
        Manual,
        ControlPlane,
    }
}

filed_struct! {
    StartsV1 of Starts {
        at: BTreeMap<Timestamp, u64>,
        unknown: u64,
    }
}

filed_struct! {
    UnmeshedV1 of Unmeshed {
        workload: usize,
        count: u64,
        sample: Vec<String>,
    }
}

filed_struct! {
    ReplicaV1 of Replica {
        pod: String,
        component: String,
        container: String,
        started: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "MadeV1::is_empty")]
        made: MadeV1,
    }
}

filed_struct! {
    #[derive(Default)]
    MadeV1 of Made {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trust_root: Option<Fingerprint>,
    }
}

impl MadeV1 {
    const fn is_empty(&self) -> bool {
        self.created.is_none() && self.trust_root.is_none()
    }
}

filed_struct! {
    WorkloadV1 of Workload {
        object: ObjectRefV1,
        plane: PlaneV1,
        injection: InjectionV1,
        template: Option<TemplateV1>,
        replicas: Option<u32>,
        obstacles: Vec<ObstacleV1>,
        owners: Vec<OwnerV1>,
        origin: OriginV1,
    }
}

filed_struct! {
    TemplateV1 of Template {
        annotations: Option<BTreeMap<String, String>>,
    }
}

filed_enum! {
    #[serde(rename_all = "camelCase")]
    ObstacleV1 of Obstacle {
        OnDelete,
        Partition(above: u32),
        Paused,
        BarePod,
        RunningJob,
        NextRun,
        ManualInjection,
        ZeroReplicas,
        ArgoRollout,
        BareReplicas,
        UnknownOwner,
        Promotion,
    }
}

filed_struct! {
    GapV1 of Gap {
        group: String,
        resource: String,
        scope: ScopeV1,
        why: UnreadV1,
    }
}

filed_enum! {
    #[serde(rename_all = "camelCase")]
    ScopeV1 of Scope {
        All,
        Object { namespace: String, name: String },
    }
}

filed_enum! {
    #[serde(rename_all = "kebab-case")]
    UnreadV1 of Unread {
        Refused(said: String),
        OtherVersions(versions: String),
        OnePage(place: String),
        NoSecret,
        NotDeclared,
        NoDataPlane,
        FewPods(missing: Vec<MissingPodsV1>),
    }
}

filed_struct! {
    MissingPodsV1 of MissingPods {
        workload: ObjectRefV1,
        seen: u64,
        promised: Option<u32>,
    }
}
