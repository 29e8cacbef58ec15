//! A plan as a runbook: one table of steps, then everything there is to say, each thing once.

mod json;
mod manual;
mod markdown;
mod notes;
mod preview;
mod refused;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use anstyle::Style;

use super::next::UnderWay;
use super::words::{count, styled};
use super::{Next, Screen};
use crate::finding::{Fact, Finding, StepFact};
use crate::mesh::{Mesh, Owner};
use crate::rotation::{Change, Direction, Plan, PlannedStep, Record, Scope, StepState};

pub use json::plan_json;
pub use manual::acts;
pub(super) use manual::acts_and_commands;
pub use markdown::plan_markdown;
pub(super) use notes::committed_to;
pub use notes::{directory_notes, head_notes, step_notes};
pub use preview::{NoPreview, Preview, plan_previews};
pub use refused::{into_repository, made_elsewhere, not_ready, not_rendered, refused};
pub(super) use table::{Row, rows, table};

/// The plan as text; the next command reads what this one has read, by `arguments`.
#[must_use]
pub fn plan_text(under_way: &UnderWay<'_>, mesh: &Mesh, arguments: &str, screen: &Screen) -> String {
    let head = head(under_way.record, under_way.plan.steps.len(), screen);
    let next = Next::of(under_way, mesh, screen).reading(arguments);
    head + &body(under_way, mesh, false, screen) + &next.text(screen)
}

/// The same, with the workloads that each step restarts.
#[must_use]
pub fn plan_wide(under_way: &UnderWay<'_>, mesh: &Mesh, arguments: &str, screen: &Screen) -> String {
    let head = head(under_way.record, under_way.plan.steps.len(), screen);
    let next = Next::of(under_way, mesh, screen).reading(arguments);
    head + &body(under_way, mesh, true, screen) + &next.text(screen)
}

/// The steps by name, one a line.
#[must_use]
pub fn plan_names(plan: &Plan) -> String {
    plan.steps.iter().map(|planned| format!("{}\n", planned.step)).collect()
}

fn body(under_way: &UnderWay<'_>, mesh: &Mesh, is_wide: bool, screen: &Screen) -> String {
    let UnderWay { dir, record, plan, .. } = under_way;
    let mut out = format!("\n{}", table(&rows(plan, record, mesh)));
    let due = || plan.steps.iter().enumerate().filter(|(_, planned)| planned.state != StepState::Done);
    if is_wide {
        out.push_str(&restarted(due(), mesh, screen));
    }
    out.push_str(&committed(due()));
    section("Stands before", &of_steps(due(), untold), plan.steps.len(), dir, screen, &mut out);
    let confirmed = |planned: &PlannedStep| planned.confirmed.clone();
    section("Confirmed", &of_steps(due(), confirmed), plan.steps.len(), dir, screen, &mut out);
    out.push_str(&manual::section(due(), screen));
    let notes = of_steps(due(), notes::besides_commit);
    section("Notes", &notes, plan.steps.len(), dir, screen, &mut out);
    out
}

/// The workloads that each step restarts by what it commits; the same ones are named once.
fn restarted<'a>(
    steps: impl Iterator<Item = (usize, &'a PlannedStep)>,
    mesh: &Mesh,
    screen: &Screen,
) -> String {
    let mut groups: Vec<(Vec<String>, Vec<usize>)> = Vec::new();
    for (place, planned) in steps {
        let workload = |change: &Change| match change {
            Change::ControlPlane { workload, .. } | Change::Restart { workload, .. } => {
                Some(mesh.workload(*workload).object.to_string())
            }
            Change::Publish(_) | Change::Swap { .. } | Change::Managed(_) => None,
        };
        let workloads: Vec<_> = planned.changes.iter().filter_map(workload).collect();
        match groups.iter_mut().find(|(known, _)| *known == workloads) {
            _ if workloads.is_empty() => {}
            Some((_, places)) => places.push(place + 1),
            None => groups.push((workloads, vec![place + 1])),
        }
    }
    let mut out = String::new();
    for (workloads, places) in groups {
        out += &format!("\n{}\n", styled(Style::new().bold(), format!("Restarted in {}", numbers(&places))));
        out.extend(workloads.iter().map(|workload| screen.wrapped(workload, "  ", "    ")));
    }
    out
}

fn head(record: &Record, steps: usize, screen: &Screen) -> String {
    let issuer = format!("issuer {}", record.issuer.issuer.fingerprint().short());
    let what_for = match &record.scope {
        // cert-manager makes another issuer every day.
        Scope::Full { anchor } if record.managed.is_some() => {
            format!("anchor {}", anchor.fingerprint().short())
        }
        Scope::Full { anchor } => format!("anchor {}, {issuer}", anchor.fingerprint().short()),
        Scope::IssuerOnly => issuer,
        Scope::Awaited => "an anchor that cert-manager is to mint".to_owned(),
    };
    let (what, from_or_to) = match record.direction {
        Direction::Forward => ("Rotation", "to"),
        Direction::Rollback => ("Rollback", "from"),
    };
    let title = format!("{what} of {} {from_or_to} {what_for}", record.trust_domain);
    let (strategy, started) = (record.strategy, screen.when(record.started));
    let steps = count(steps as u64, "step", "steps");
    let facts = format!("Strategy {strategy}, {steps}, started {started}");
    let cross = record.cross.as_ref().map(|cross| {
        let end = cross.facts().not_after;
        let expires = if end < screen.at { "expired" } else { "expires" };
        format!(
            "No workload certificate outlives the cross certificate, which {expires} {}",
            screen.when(end)
        )
    });
    let lines = [Some(title), Some(facts), cross];
    lines.into_iter().flatten().map(|line| screen.wrapped(&line, "", "  ")).collect()
}

/// What is to be told of a step's state and of its preconditions. Where an earlier step is not done, only the table says so:
/// the other preconditions may yet change.
fn untold(planned: &PlannedStep) -> Vec<Finding> {
    let state = match &planned.state {
        StepState::Unknown(why) => Some((**why).clone()),
        StepState::Done | StepState::Pending { .. } => None,
    };
    let blocked = if after(planned).is_some() { &[] } else { planned.blocked.as_slice() };
    let mut found: Vec<Finding> = Vec::new();
    for finding in state.iter().chain(blocked) {
        if !found.contains(finding) {
            found.push(finding.clone());
        }
    }
    found
}

/// The earlier step that is not done.
pub(super) fn after(planned: &PlannedStep) -> Option<crate::rotation::Step> {
    planned.blocked.iter().find_map(|finding| match finding.fact {
        Fact::Step(StepFact::StepOrder { before, .. } | StepFact::StepOrderUnknown { before, .. }) => {
            Some(before)
        }
        _ => None,
    })
}

/// A finding with the numbers of the steps that it concerns.
struct Concern {
    finding: Finding,
    steps: Vec<usize>,
}

/// Each finding once.
fn of_steps<'a>(
    steps: impl Iterator<Item = (usize, &'a PlannedStep)>,
    of: impl Fn(&PlannedStep) -> Vec<Finding>,
) -> Vec<Concern> {
    let mut concerns: Vec<Concern> = Vec::new();
    for (place, planned) in steps {
        for finding in of(planned) {
            match concerns.iter_mut().find(|one| one.finding == finding) {
                Some(one) if one.steps.contains(&(place + 1)) => {}
                Some(one) => one.steps.push(place + 1),
                None => concerns.push(Concern { finding, steps: vec![place + 1] }),
            }
        }
    }
    concerns
}

fn section(title: &str, concerns: &[Concern], all: usize, dir: &Path, screen: &Screen, out: &mut String) {
    if concerns.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", styled(Style::new().bold(), title)));
    let lines: Vec<_> = concerns
        .iter()
        .map(|one| {
            let steps = if one.steps.len() == all { String::new() } else { numbers(&one.steps) };
            (&one.finding, steps)
        })
        .collect();
    out.push_str(&notes::list(&lines, dir, screen));
}

/// Who applies which steps from Git.
fn committed<'a>(steps: impl Iterator<Item = (usize, &'a PlannedStep)>) -> String {
    let mut owners: BTreeMap<&Owner, Vec<usize>> = BTreeMap::new();
    for (place, planned) in steps {
        for owner in planned.notes.iter().flat_map(notes::committed_to) {
            owners.entry(owner).or_default().push(place + 1);
        }
    }
    if owners.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", styled(Style::new().bold(), "Commit them where they are applied from"));
    let width = owners.keys().map(|owner| owner.to_string().chars().count()).max().unwrap_or(0);
    for (owner, steps) in &owners {
        out.push_str(&format!("  {:<width$}  {}\n", owner, numbers(steps)));
    }
    out
}

/// `step 4`, `steps 3, 6 and 9`.
fn numbers(steps: &[usize]) -> String {
    let numbers: Vec<_> = steps.iter().map(ToString::to_string).collect();
    match numbers.split_last() {
        Some((last, [])) => format!("step {last}"),
        Some((last, before)) => format!("steps {} and {last}", before.join(", ")),
        None => String::new(),
    }
}
