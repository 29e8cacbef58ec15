//! The steps of a plan as one table.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::after;
use crate::finding::Severity;
use crate::mesh::{Mesh, ProxyGroup, WorkloadId, is_cluster_bundle};
use crate::pki::{Bundle, IssuerChain};
use crate::report::words::{count, styled};
use crate::rotation::{Change, ManagedChange, Plan, PlannedStep, Record, StepState};

/// A line of the table.
#[derive(Debug, Clone)]
pub(in crate::report) struct Row {
    step: String,
    commit: String,
    restarts: String,
    state: String,
    colour: Option<AnsiColor>,
}

impl Row {
    /// What stands in its columns.
    pub(in crate::report) fn cells(&self) -> [&str; 4] {
        [&self.step, &self.commit, &self.restarts, &self.state]
    }
}

/// The lines, in order.
pub(in crate::report) fn rows(plan: &Plan, record: &Record, mesh: &Mesh) -> Vec<Row> {
    let proxies = mesh.proxies_by_workload();
    let row = |(place, planned): (usize, &PlannedStep)| {
        let (state, colour) = state(place, planned);
        Row {
            step: format!("{} {}", place + 1, planned.step),
            commit: commit(&planned.changes, record, mesh),
            restarts: restarts(planned, &proxies, mesh),
            state,
            colour,
        }
    };
    plan.steps.iter().enumerate().map(row).collect()
}

/// The table, its last column coloured.
pub(in crate::report) fn table(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &str, title: &str| {
        rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(title.len())
    };
    let (step, commit) = (width(|row| &row.step, "step"), width(|row| &row.commit, "commit"));
    let restarts = width(|row| &row.restarts, "restarts");
    let mut out = String::new();
    let mut line = |cells: [&str; 3], last: String| {
        let [first, second, third] = cells;
        out.push_str(&format!("  {first:<step$}  {second:<commit$}  {third:<restarts$}  {last}\n"));
    };
    line(["step", "commit", "restarts"], "state".to_owned());
    for row in rows {
        let colour = Style::new().fg_color(row.colour.map(Into::into));
        line([&row.step, &row.commit, &row.restarts], styled(colour, &row.state));
    }
    out
}

/// May a step be merged?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Readiness {
    Done,
    /// An earlier step comes first.
    After,
    Unsafe,
    Wait,
    Unknown,
    Ready,
}

impl Readiness {
    pub(super) fn of(planned: &PlannedStep) -> Self {
        if planned.state == StepState::Done {
            return Self::Done;
        }
        if after(planned).is_some() {
            return Self::After;
        }
        match (planned.blocked.first().map(|finding| finding.severity), &planned.state) {
            (Some(Severity::Error), _) => Self::Unsafe,
            (Some(Severity::Wait), _) => Self::Wait,
            (Some(_), _) | (None, StepState::Unknown(_)) => Self::Unknown,
            (None, _) => Self::Ready,
        }
    }
}

fn state(place: usize, planned: &PlannedStep) -> (String, Option<AnsiColor>) {
    match (Readiness::of(planned), &planned.state) {
        (Readiness::Done, _) => ("done".to_owned(), Some(AnsiColor::Green)),
        (Readiness::After, _) => (format!("after {place}"), None),
        (Readiness::Unsafe, _) => ("unsafe".to_owned(), Some(AnsiColor::Red)),
        (Readiness::Wait, _) => ("wait".to_owned(), Some(AnsiColor::Yellow)),
        (Readiness::Unknown, _) => ("unknown".to_owned(), Some(AnsiColor::Yellow)),
        (Readiness::Ready, StepState::Pending { done, of }) if *done > 0 => (format!("{done} of {of}"), None),
        (Readiness::Ready, _) => ("ready".to_owned(), Some(AnsiColor::Green)),
    }
}

/// What is committed, in a few words.
fn commit(changes: &[Change], record: &Record, mesh: &Mesh) -> String {
    let mut restarted = Vec::new();
    for change in changes {
        match change {
            Change::Publish(bundle) => return format!("ConfigMap: {}", anchors(bundle, record)),
            Change::Swap { chain, .. } => return format!("Secret: {}", issuer(chain, record)),
            Change::Managed(change) => return managed(change, record).to_owned(),
            Change::ControlPlane { workload, .. } | Change::Restart { workload, .. } => {
                restarted.push(&mesh.workload(*workload).object);
            }
        }
    }
    let namespaces: BTreeSet<_> = restarted.iter().map(|object| &object.namespace).collect();
    let kinds: BTreeSet<_> = restarted.iter().map(|object| &object.kind).collect();
    let number = restarted.len() as u64;
    match (restarted.first(), kinds.len()) {
        (None, _) => "-".to_owned(),
        (Some(one), 1) if number == 1 => format!("1 {}", one.kind),
        (Some(one), 1) if namespaces.len() == 1 => format!("{number} {}s", one.kind),
        _ => format!(
            "{} in {}",
            count(number, "workload", "workloads"),
            count(namespaces.len() as u64, "namespace", "namespaces")
        ),
    }
}

/// What is committed of cert-manager's objects; the first of a step tells it.
fn managed(change: &ManagedChange, record: &Record) -> &'static str {
    match change {
        ManagedChange::NewAnchor(_) => "Certificate: new anchor",
        ManagedChange::StopRenewal { .. } => "Certificate: no renewal",
        ManagedChange::Sources { bundle, .. } if is_cluster_bundle(bundle) => "ClusterBundle: sources",
        ManagedChange::Sources { .. } => "Bundle: sources",
        ManagedChange::SignedBy { .. } => "Certificate: issuerRef",
        ManagedChange::SignsWith { .. } => "Issuer: ca.secretName",
        ManagedChange::IssuedAnew { .. } => "Certificate: duration",
        ManagedChange::Remove { .. } if record.keeps_signer() => "old Certificate",
        ManagedChange::Remove { .. } => "old Certificate and Issuer",
    }
}

fn anchors(bundle: &Bundle, record: &Record) -> String {
    let plural = |number: usize| if number == 1 { "anchor" } else { "anchors" };
    let old = record.old.anchors();
    let (new, number) = (record.anchor(), bundle.anchors().len());
    let held = old.iter().filter(|anchor| bundle.contains(anchor)).count();
    let has_new = new.is_some_and(|anchor| bundle.contains(anchor));
    match (held, has_new) {
        (0, true) if number == 1 => "new anchor".to_owned(),
        (held, false) if held == old.len() && held == number => format!("old {}", plural(number)),
        (held, true) if held == old.len() && held + 1 == number => format!("old and new {}", plural(held)),
        _ => count(number as u64, "anchor", "anchors"),
    }
}

fn issuer(chain: &IssuerChain, record: &Record) -> &'static str {
    match &record.cross {
        _ if chain.issuer != record.issuer.issuer => "old issuer",
        Some(_) if *chain == record.chain_with_cross() => "new issuer + cross",
        Some(_) => "new issuer alone",
        None => "new issuer",
    }
}

fn restarts(planned: &PlannedStep, proxies: &BTreeMap<WorkloadId, Vec<&ProxyGroup>>, mesh: &Mesh) -> String {
    match restarting(planned, proxies, mesh) {
        0 => "-".to_owned(),
        all => count(all, "proxy", "proxies"),
    }
}

/// Running proxies that restart, by the commit or manually.
pub(super) fn restarting(
    planned: &PlannedStep,
    proxies: &BTreeMap<WorkloadId, Vec<&ProxyGroup>>,
    mesh: &Mesh,
) -> u64 {
    let changed: BTreeSet<_> = planned.changes.iter().filter_map(Change::restarts).collect();
    let of_workload = |id: &WorkloadId| proxies.get(id).into_iter().flatten().map(|group| group.count());
    let committed: u64 = changed.iter().flat_map(of_workload).sum();
    let is_committed =
        |object: &crate::document::ObjectRef| changed.iter().any(|id| mesh.workload(*id).object == *object);
    let manual = planned.manual.iter().filter(|manual| !is_committed(&manual.object));
    let manual: u64 = manual.map(|manual| manual.proxies).sum();
    committed + manual
}
