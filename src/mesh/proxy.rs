//! Running proxies, and the containers beside them that read trust material.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Injection, WorkloadId};
use crate::pki::Fingerprint;

/// Index into [`super::Mesh::bundles`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct BundleId(pub usize);

/// Where a proxy belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Plane {
    /// Beside a control-plane component.
    Control,
    /// Everything else, extensions included.
    Data,
}

/// How a proxy came by its bundle: the last `LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS` of its environment counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Held {
    /// A literal value: known.
    Literal(BundleId),
    /// From the ConfigMap, as it was when the container started.
    ByReference,
    /// There is no such variable (identity disabled, or not a proxy that Linkerd injected).
    Nothing,
}

/// Proxies of one workload that hold the same bundle in the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyGroup {
    /// Whose pods they run in.
    pub workload: WorkloadId,
    /// Control plane or data plane.
    pub plane: Plane,
    /// The bundle.
    pub held: Held,
    /// Who put the proxy there.
    pub injection: Injection,
    /// When their containers started.
    pub starts: Starts,
    /// How their pods were made, where that matters: of those that hold the bundle by reference, each group has its own.
    pub made: Made,
    /// The first few pod names, sorted.
    pub sample: Vec<String>,
}

impl ProxyGroup {
    /// How many proxies the group has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.starts.count()
    }
}

/// How a pod was made, by its own metadata.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    /// When it was created, by the API server's clock, to the second.
    pub created: Option<Timestamp>,
    /// `linkerd.io/trust-root-sha256`: of the bundle that its template was rendered for.
    pub trust_root: Option<Fingerprint>,
}

/// Pods of a workload that run without the proxy that its template or namespace asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmeshed {
    /// Their workload.
    pub workload: WorkloadId,
    /// How many they are.
    pub count: u64,
    /// The names of a few.
    pub sample: Vec<String>,
}

/// How many containers started when: by the second, with those that have not started, or do not tell, apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starts {
    /// Containers by the instant they started.
    pub at: BTreeMap<Timestamp, u64>,
    /// Containers whose start is not known: pending, or a dump without status.
    pub unknown: u64,
}

impl Starts {
    /// Counts one container in.
    pub fn add(&mut self, started: Option<Timestamp>) {
        match started {
            Some(at) => *self.at.entry(at).or_default() += 1,
            None => self.unknown += 1,
        }
    }

    /// How many containers there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.at.values().sum::<u64>() + self.unknown
    }

    /// How many are known to have started at or before `instant`.
    #[must_use]
    pub fn not_after(&self, instant: Timestamp) -> u64 {
        self.at.range(..=instant).map(|(_, count)| count).sum()
    }
}

/// A running container of the control plane that reads trust material when it starts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replica {
    /// Its pod.
    pub pod: String,
    /// `linkerd.io/control-plane-component`: `identity`, `proxy-injector`, `destination`, …
    pub component: String,
    /// `identity`, `proxy-injector`, `linkerd-proxy`, …
    pub container: String,
    /// When it started, by its node's clock, where that is known.
    pub started: Option<Timestamp>,
    /// How its pod was made.
    pub made: Made,
}
