//! Pods that the mesh must have beside those in the input.

use std::collections::BTreeSet;

use crate::mesh::{Plane, ProxyGroup, Workload, WorkloadId};

/// Kinds that may well have no running pod.
const PASSING: [&str; 3] = ["CronJob", "Job", "Pod"];

/// How many workloads are named.
const NAMED: usize = 3;

const ADVICE: &str = "add the output of `kubectl get pods -A -o json`";

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
pub(super) fn missing(workloads: &[Workload], proxies: &[ProxyGroup], counts: &[Count]) -> Option<String> {
    if proxies.iter().all(|group| group.plane == Plane::Control) {
        return Some(format!("no proxy outside of the control plane is in the input; {ADVICE}"));
    }
    let seen: BTreeSet<WorkloadId> = proxies.iter().map(|group| group.workload).collect();
    let (mut none, mut few) = (Vec::new(), Vec::new());
    for (at, (workload, count)) in workloads.iter().zip(counts).enumerate() {
        let wants_some = workload.plane == Plane::Data
            && workload.replicas != Some(0)
            && !PASSING.contains(&workload.object.kind.as_str())
            && !count.without_proxy;
        if wants_some && !seen.contains(&WorkloadId(at)) {
            none.push(workload.object.to_string());
        } else if count.seen < u64::from(count.promised) {
            let seen = if count.seen == 0 { "none".to_owned() } else { format!("only {}", count.seen) };
            few.push(format!("{seen} of the {} pods of {}", count.promised, workload.object));
        }
    }
    let none = listed(&none).map(|none| format!("no pods of {none}"));
    let said: Vec<String> = none.into_iter().chain(listed(&few)).collect();
    (!said.is_empty()).then(|| format!("{} are in the input; {ADVICE}", said.join(", and ")))
}

/// The first few: `a, b, c and 2 more`.
fn listed(all: &[String]) -> Option<String> {
    let named = all[..all.len().min(NAMED)].join(", ");
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!all.is_empty()).then(|| named + &more)
}
