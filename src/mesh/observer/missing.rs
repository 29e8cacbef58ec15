//! Pods that the mesh must have beside those in the input.

use std::collections::BTreeSet;

use crate::mesh::{MissingPods, Plane, ProxyGroup, Unread, Workload, WorkloadId};

/// Kinds that may well have no running pod.
const PASSING: [&str; 3] = ["CronJob", "Job", "Pod"];

/// The pods of one workload.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    /// In the input, with a proxy or without.
    pub(super) seen: u64,
    /// There are at least so many by the workload's own status; 0 where it has none.
    pub(super) promised: u32,
    /// Is one of them without a proxy?
    pub(super) without_proxy: bool,
}

/// Why pods in the input cannot be all of the mesh: none is of the data plane, a workload of it that asks for pods has none, or
/// a workload has more by its own status. `counts` are of `workloads`, in their order.
pub(super) fn missing(workloads: &[Workload], proxies: &[ProxyGroup], counts: &[Count]) -> Option<Unread> {
    if proxies.iter().all(|group| group.plane == Plane::Control) {
        return Some(Unread::NoDataPlane);
    }
    let seen: BTreeSet<WorkloadId> = proxies.iter().map(|group| group.workload).collect();
    let mut missing = Vec::new();
    for (at, (workload, count)) in workloads.iter().zip(counts).enumerate() {
        let wants_some = workload.plane == Plane::Data
            && workload.replicas != Some(0)
            && !PASSING.contains(&workload.object.kind.as_str())
            && !count.without_proxy;
        let pods = |promised| MissingPods { workload: workload.object.clone(), seen: count.seen, promised };
        if wants_some && !seen.contains(&WorkloadId(at)) {
            missing.push(pods(None));
        } else if count.seen < u64::from(count.promised) {
            missing.push(pods(Some(count.promised)));
        }
    }
    (!missing.is_empty()).then_some(Unread::FewPods(missing))
}
