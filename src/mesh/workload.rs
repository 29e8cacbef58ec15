//! What owns meshed pods, and what keeps a template change from restarting them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Owner, Plane};
use crate::document::{ObjectRef, Origin};
use crate::linkerd;

/// Index into [`super::Mesh::workloads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct WorkloadId(pub usize);

/// A Deployment, StatefulSet, DaemonSet, Job, CronJob, Rollout, ReplicaSet, ReplicationController or bare Pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Which object.
    pub object: ObjectRef,
    /// Control plane or data plane.
    pub plane: Plane,
    /// How its pods get their proxy.
    pub injection: Injection,
    /// Its pod template, where the object itself was seen and not only its pods.
    pub template: Option<Template>,
    /// Desired replicas, where the object says.
    pub replicas: Option<u32>,
    /// Everything that keeps a template change from giving every pod the new bundle; empty: a change restarts it.
    pub obstacles: Vec<Obstacle>,
    /// Who would put the object back after a change.
    pub owners: Vec<Owner>,
    /// Where it was read.
    pub origin: Origin,
}

impl Workload {
    /// Is it the identity controller?
    #[must_use]
    pub fn is_identity_controller(&self) -> bool {
        self.plane == Plane::Control && self.object.name == linkerd::IDENTITY
    }
}

/// What is needed of a pod template to patch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// `spec.template.metadata.annotations`; `None` where there are none at all (a JSON patch must add the map first).
    pub annotations: Option<BTreeMap<String, String>>,
}

/// How a proxy gets into a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Injection {
    /// The proxy injector adds it when the pod is created.
    Webhook,
    /// `linkerd inject --manual` wrote it into the template: its literal bundle survives every restart.
    Manual,
    /// It is part of the control plane's own manifests.
    ControlPlane,
}

/// A reason for which a changed pod template does not, or not alone, give every pod a new start with the new bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Obstacle {
    /// DaemonSet or StatefulSet with `updateStrategy: OnDelete`.
    OnDelete,
    /// StatefulSet whose rolling update stops above this ordinal.
    Partition(u32),
    /// Deployment with `spec.paused`.
    Paused,
    /// A Pod that nothing owns.
    BarePod,
    /// A Job: its template cannot be changed, and its pods run to completion.
    RunningJob,
    /// A CronJob: the next run starts with the new bundle, a change of template is not needed.
    NextRun,
    /// The proxy is part of the template; it must be injected again.
    ManualInjection,
    /// Scaled to zero: nothing runs, whatever starts next is new.
    ZeroReplicas,
    /// An Argo Rollout. Where its template stands elsewhere, or was not seen, it restarts by `spec.restartAt`.
    ArgoRollout,
    /// A ReplicaSet or ReplicationController without a Deployment: a template change reaches new pods only.
    BareReplicas,
    /// An owner of a kind whose restart is not known.
    UnknownOwner,
    /// An Argo Rollout that stops on its way until somebody promotes it.
    Promotion,
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
