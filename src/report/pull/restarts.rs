//! What merging a step restarts.

use std::collections::{BTreeMap, BTreeSet};

use super::PullRequest;
use crate::document::ObjectRef;
use crate::finding::{Fact, Finding, StepFact};
use crate::mesh::Mesh;
use crate::report::findings::listed;
use crate::report::markdown::{escaped, folded, table};
use crate::report::words::count;
use crate::rotation::{Change, PlannedStep, Stage};

/// How many workloads are named before they are folded.
const NAMED: usize = 12;

pub(in crate::report) fn of_step(request: &PullRequest<'_>) -> String {
    let PullRequest { planned, mesh, under_way, .. } = request;
    let of_step = planned.changes.iter().filter_map(Change::restarts).map(|id| &mesh.workload(id).object);
    let restarted: BTreeSet<_> = of_step.chain(planned.restarted_along()).collect();
    if restarted.is_empty() {
        let nothing = match restarted_by_install(planned, &under_way.plan.steps) {
            Some(workloads) => format!(
                "The step itself restarts nothing. Where a chart renders the control plane, its next render restarts {}.",
                escaped(&listed(workloads))
            ),
            None => "Nothing restarts.".to_owned(),
        };
        return format!("{nothing}\n");
    }
    of_workloads(&restarted, mesh)
}

/// Workloads that restart, namespace by namespace, with the proxies that run in them.
pub(in crate::report) fn of_workloads(restarted: &BTreeSet<&ObjectRef>, mesh: &Mesh) -> String {
    let mut namespaces: BTreeMap<&str, (Vec<&ObjectRef>, u64)> = BTreeMap::new();
    for object in restarted {
        namespaces.entry(object.namespace.as_str()).or_default().0.push(object);
    }
    for group in &mesh.proxies {
        let object = &mesh.workload(group.workload).object;
        if restarted.contains(object)
            && let Some((_, proxies)) = namespaces.get_mut(object.namespace.as_str())
        {
            *proxies += group.count();
        }
    }
    let all: Vec<&ObjectRef> =
        namespaces.values().flat_map(|(workloads, _)| workloads.iter().copied()).collect();
    let running: u64 = namespaces.values().map(|(_, proxies)| proxies).sum();
    let mut out = format!(
        "{} in {}, with {}. Each rolls out as its own update strategy has it.\n\n",
        count(all.len() as u64, "workload", "workloads"),
        count(namespaces.len() as u64, "namespace", "namespaces"),
        count(running, "running proxy", "running proxies")
    );
    out.push_str(&summary(&namespaces));
    if all.len() > NAMED {
        let lines: String =
            all.iter().map(|object| format!("- {}\n", escaped(&object.to_string()))).collect();
        out.push_str(&format!("\n{}", folded("Every workload", &lines)));
    }
    out
}

fn summary(namespaces: &BTreeMap<&str, (Vec<&ObjectRef>, u64)>) -> String {
    let mut rows = Vec::new();
    for (namespace, (workloads, proxies)) in namespaces {
        let names: Vec<_> =
            workloads.iter().take(NAMED).map(|object| format!("{} {}", object.kind, object.name)).collect();
        let more = workloads.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        rows.push(vec![
            escaped(namespace),
            format!("{}{more}", escaped(&names.join(", "))),
            proxies.to_string(),
        ]);
    }
    table(&["namespace", "workloads", "proxies"], &rows)
}

/// What the install restarts when it renders what this step publishes.
fn restarted_by_install<'a>(planned: &PlannedStep, steps: &'a [PlannedStep]) -> Option<&'a [ObjectRef]> {
    if planned.step.stage != Stage::Trust {
        return None;
    }
    let of_phase = steps.iter().filter(|other| other.step.phase == planned.step.phase);
    let mut notes = of_phase.flat_map(|other| &other.notes);
    notes.find_map(|note: &Finding| match &note.fact {
        Fact::Step(StepFact::RestartedByInstall { workloads }) => Some(workloads.as_slice()),
        _ => None,
    })
}
