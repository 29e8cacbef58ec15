//! Pods that the mesh must have beside those in the input.

use std::collections::{BTreeMap, BTreeSet};

use super::key::Key;
use super::proxies::Bare;
use crate::mesh::{Plane, ProxyGroup, Workload, WorkloadId};

/// Kinds that may well have no running pod.
const PASSING: [&str; 3] = ["CronJob", "Job", "Pod"];

/// How many workloads are named.
const NAMED: usize = 3;

/// Why pods in the input cannot be all of the mesh: none is of the data plane, or a
/// workload of it that asks for pods has none.
/// `without_proxy` are the workloads of pods that have no proxy.
pub(super) fn missing(
    workloads: &[Workload],
    proxies: &[ProxyGroup],
    without_proxy: &BTreeMap<Key, Bare>,
) -> Option<String> {
    let advice = "add the output of `kubectl get pods -A -o json`";
    if proxies.iter().all(|group| group.plane == Plane::Control) {
        return Some(format!("no proxy outside of the control plane is in the input; {advice}"));
    }
    let seen: BTreeSet<WorkloadId> = proxies.iter().map(|group| group.workload).collect();
    let unseen: Vec<String> = workloads
        .iter()
        .enumerate()
        .filter(|(at, workload)| {
            workload.plane == Plane::Data
                && !seen.contains(&WorkloadId(*at))
                && workload.replicas != Some(0)
                && !PASSING.contains(&workload.object.kind.as_str())
                && !without_proxy.contains_key(&Key::of(&workload.object))
        })
        .map(|(_, workload)| workload.object.to_string())
        .collect();
    let named = unseen[..unseen.len().min(NAMED)].join(", ");
    let more = match unseen.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!unseen.is_empty()).then(|| format!("no pods of {named}{more} are in the input; {advice}"))
}
