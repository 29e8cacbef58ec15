//! A plan as a runbook.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Clock;
use super::words::{count, styled};
use crate::mesh::{Mesh, Owner, Plane};
use crate::rotation::{
    Blocker, Change, Direction, Note, Phase, PhaseSpec, Plan, PlannedStep, Record, Scope, Severity, Standing,
    StepState,
};

/// The plan as text: a mark a step, what it changes, what is done by hand, what stands in the way.
#[must_use]
pub fn plan_text(plan: &Plan, record: &Record, mesh: &Mesh, dir: &Path, clock: &Clock) -> String {
    let what = match &record.scope {
        Scope::Full { anchor } => format!("trust anchor {} and issuer", anchor.fingerprint().short()),
        Scope::IssuerOnly => "issuer only".to_owned(),
    };
    let mut out = format!(
        "{} of {} in namespace {}: {what}, {} strategy, started {}\n",
        match record.direction {
            Direction::Forward => "Rotation",
            Direction::Rollback => "The way back from the rotation",
        },
        record.trust_domain,
        record.namespace,
        record.strategy,
        clock.when(record.started)
    );
    for spec in record.phases() {
        let phase = spec.phase;
        let steps: Vec<_> = plan.phase(phase).collect();
        if steps.is_empty() {
            continue;
        }
        out.push_str(&format!("\n{}: {}\n", styled(Style::new().bold(), phase), purpose(&spec, record)));
        for planned in steps {
            out.push_str(&step_text(planned, mesh, dir, clock));
        }
    }
    clock.localized(&out)
}

const fn purpose(spec: &PhaseSpec, record: &Record) -> &'static str {
    match (spec.phase, spec.direction()) {
        (Phase::Bundle, Direction::Forward) if spec.drops => {
            "publish the new anchor in the place of those that are over"
        }
        (Phase::Bundle, Direction::Forward) => {
            "publish the new anchor beside the old one, and restart what reads it"
        }
        (Phase::Issuer, Direction::Forward) => "put the new issuer in place, and see every leaf renewed",
        (Phase::Prune, Direction::Forward) if record.cross.is_some() => {
            "publish the new anchor in the place of the old one; workloads take it up as they restart on their own"
        }
        (Phase::Prune, Direction::Forward) => "remove the old anchor, and restart what reads it",
        (Phase::RemoveCross, Direction::Forward) => "remove the cross certificate from the issuer file",
        (Phase::Bundle, Direction::Rollback) => "remove the new anchor again, and restart what reads it",
        (Phase::Issuer, Direction::Rollback) => "put the old issuer back, and see every leaf renewed",
        (Phase::Prune, Direction::Rollback) if record.cross.is_some() => {
            "publish the old anchor in the place of the new one; workloads take it up as they restart on their own"
        }
        (Phase::Prune, Direction::Rollback) => "publish the old anchor again, and restart what reads it",
        (Phase::RemoveCross, Direction::Rollback) => "put the cross certificate back into the issuer file",
    }
}

fn step_text(planned: &PlannedStep, mesh: &Mesh, dir: &Path, clock: &Clock) -> String {
    let mut out = format!("  {}\n", step_line(planned, mesh));
    let mut detail = |label: &str, text: String| out.push_str(&format!("        {label}{text}\n"));
    for blocker in told(&planned.blocked) {
        detail(&format!("{}: ", blocker_word(blocker.severity)), blocker.reason.clone());
    }
    for what in &planned.confirmed {
        detail("confirmed by hand: ", what.clone());
    }
    if planned.state != StepState::Done {
        for manual in &planned.manual {
            let proxies = count(manual.proxies, "proxy", "proxies");
            detail("by hand: ", format!("{} ({proxies}): {}", manual.object, manual.act));
        }
        notes_text(&planned.notes, dir, clock).into_iter().for_each(|note| detail("", note));
    }
    out
}

/// One line: the mark, the step, what it changes, how far it is.
#[must_use]
pub fn step_line(planned: &PlannedStep, mesh: &Mesh) -> String {
    let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
    let (mark, progress) = match &planned.state {
        StepState::Done => (styled(color(AnsiColor::Green), "[x]"), String::new()),
        StepState::Pending { done, of } if *of > 1 => ("[ ]".to_owned(), format!("  ({done} of {of} done)")),
        StepState::Pending { .. } => ("[ ]".to_owned(), String::new()),
        StepState::Unknown(why) => (styled(color(AnsiColor::Yellow), "[?]"), format!("  ({why})")),
    };
    format!("{mark} {:<16}{}{progress}", planned.step.directory(), changes_text(&planned.changes, mesh))
}

fn changes_text(changes: &[Change], mesh: &Mesh) -> String {
    let restarted = |plane: Plane| {
        changes
            .iter()
            .filter(|change| match change {
                Change::ControlPlane { .. } => plane == Plane::Control,
                Change::Restart { .. } => plane == Plane::Data,
                Change::Publish(_) | Change::Swap { .. } => false,
            })
            .count() as u64
    };
    let mut parts = Vec::new();
    for change in changes {
        match change {
            Change::Publish(bundle) => {
                parts.push(format!("publish {}", count(bundle.anchors().len() as u64, "anchor", "anchors")));
            }
            Change::Swap { chain, .. } => {
                parts.push(format!("issuer {}", chain.issuer.fingerprint().short()))
            }
            Change::ControlPlane { .. } | Change::Restart { .. } => {}
        }
    }
    if restarted(Plane::Control) > 0 {
        parts.push(format!(
            "restart {} of the control plane",
            count(restarted(Plane::Control), "workload", "workloads")
        ));
    }
    if restarted(Plane::Data) > 0 {
        let namespaces: std::collections::BTreeSet<_> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Restart { workload, .. } => Some(&mesh.workload(*workload).object.namespace),
                _ => None,
            })
            .collect();
        parts.push(format!(
            "restart {} in {}",
            count(restarted(Plane::Data), "workload", "workloads"),
            count(namespaces.len() as u64, "namespace", "namespaces")
        ));
    }
    if parts.is_empty() { "nothing to render".to_owned() } else { parts.join(", ") }
}

/// Of a step whose turn has not come only that is told: what else stands before it may yet change.
fn told(blocked: &[Blocker]) -> impl Iterator<Item = &Blocker> {
    let not_due = blocked.iter().any(|blocker| blocker.after.is_some());
    blocked.iter().filter(move |blocker| !not_due || blocker.after.is_some())
}

/// How a blocker is called: `wait`, `unsafe`, `unknown`.
#[must_use]
pub fn blocker_word(severity: Severity) -> String {
    let (color, word) = match severity {
        Severity::Wait => (AnsiColor::Yellow, "wait"),
        Severity::Unsafe => (AnsiColor::Red, "unsafe"),
        Severity::Unknown => (AnsiColor::Yellow, "unknown"),
    };
    styled(Style::new().fg_color(Some(color.into())), word)
}

/// Notes as sentences: what is said of several objects alike is said once, and the rotation directory stands by name.
#[must_use]
pub fn notes_text(notes: &[Note], dir: &Path, clock: &Clock) -> Vec<String> {
    notes_with(notes, dir, |until| clock.exactly(until))
}

/// Notes whose instants are written by `instant`.
fn notes_with(notes: &[Note], dir: &Path, instant: impl Fn(Timestamp) -> String) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    let mut owned: Vec<(&Owner, &str, Vec<String>)> = Vec::new();
    for note in notes {
        match note {
            Note::Owned { object, owner, instead } => {
                match owned.iter_mut().find(|(other, said, _)| *other == owner && *said == instead) {
                    Some((.., objects)) => objects.push(object.to_string()),
                    None => owned.push((owner, instead, vec![object.to_string()])),
                }
            }
            Note::Wait { how_long, until: Some(until) } => {
                sentences.push(format!("wait {how_long}: until {}", instant(*until)));
            }
            Note::Wait { how_long, until: None } => sentences.push(format!("wait {how_long}")),
            Note::Said(text) => sentences.push(text.clone()),
        }
    }
    let owned = owned.into_iter().map(|(owner, instead, objects)| {
        let instead = instead.replace("DIR/", &format!("{}/", dir.display()));
        format!("{owner} would put {} back; change there instead: {instead}", objects.join(" and "))
    });
    owned.chain(sentences).collect()
}

/// The plan as data.
#[must_use]
pub fn plan_json(plan: &Plan, record: &Record, mesh: &Mesh, dir: &Path) -> Value {
    let standing = match plan.standing {
        Standing::At(step) => json!(step.to_string()),
        Standing::Finished => Value::Null,
    };
    json!({
        "started": record.started,
        "strategy": record.strategy,
        "next": standing,
        "steps": plan.steps.iter().map(|planned| step_json(planned, mesh, dir)).collect::<Vec<_>>(),
    })
}

fn step_json(planned: &PlannedStep, mesh: &Mesh, dir: &Path) -> Value {
    let state = match &planned.state {
        StepState::Done => json!({"state": "done"}),
        StepState::Pending { done, of } => json!({"state": "pending", "done": done, "of": of}),
        StepState::Unknown(why) => json!({"state": "unknown", "why": why}),
    };
    json!({
        "step": planned.step.to_string(),
        "progress": state,
        "changes": planned.changes.iter().map(|change| change_json(change, mesh)).collect::<Vec<_>>(),
        "blocked": planned.blocked.iter()
            .map(|blocker| json!({"severity": blocker.severity, "reason": blocker.reason}))
            .collect::<Vec<_>>(),
        "confirmed": planned.confirmed,
        "byHand": planned.manual.iter()
            .map(|manual| json!({
                "object": manual.object, "obstacles": manual.obstacles, "act": manual.act, "proxies": manual.proxies,
            }))
            .collect::<Vec<_>>(),
        "notes": notes_with(&planned.notes, dir, |until| until.to_string()),
    })
}

fn change_json(change: &Change, mesh: &Mesh) -> Value {
    let fingerprints = |bundle: &crate::pki::Bundle| json!(bundle.fingerprints());
    match change {
        Change::Publish(bundle) => json!({"publish": fingerprints(bundle)}),
        Change::Swap { chain, .. } => json!({"issuer": chain.issuer.fingerprint()}),
        Change::ControlPlane { workload, annotation, .. } | Change::Restart { workload, annotation } => {
            json!({
                "restart": mesh.workload(*workload).object,
                "annotation": {annotation.key: annotation.value},
            })
        }
    }
}

/// What a person should know beside the documents of a step: what is done by hand, who would revert it.
#[must_use]
pub fn step_notes(planned: &PlannedStep, dir: &Path, clock: &Clock) -> Vec<String> {
    let manual = planned.manual.iter().map(|manual| {
        format!(
            "{}: by hand: {} ({}): {}",
            planned.step,
            manual.object,
            count(manual.proxies, "proxy", "proxies"),
            manual.act
        )
    });
    let notes =
        notes_text(&planned.notes, dir, clock).into_iter().map(|note| format!("{}: {note}", planned.step));
    manual.chain(notes).collect()
}

/// What stands before a step.
#[must_use]
pub fn closed_notes(planned: &PlannedStep) -> Vec<String> {
    let said = |blocker: &Blocker| {
        format!("{}: {}: {}", planned.step, blocker_word(blocker.severity), blocker.reason)
    };
    planned.blocked.iter().map(said).collect()
}
