//! The mesh on one screen: who trusts what, where the rotation stands, and the next command.

mod observed;

use std::path::Path;

use anstyle::Style;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use observed::{CURRENT, Class, Shown, bundle, classes, issuer};

use super::Clock;
use super::plan::{blocker_word, plan_json, step_line};
use super::words::{as_data, count, shell_word, styled};
use crate::check::{Advice, Checked, Outcome, Severity};
use crate::cli::DataFormat;
use crate::document::ObjectRef;
use crate::mesh::Mesh;
use crate::rotation::{Direction, Note, Plan, PlannedStep, Record, Standing, StepState};

/// Everything that the screen shows, ready to be printed in any format.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    at: Timestamp,
    linkerd: Linkerd,
    bundle: Shown,
    issuer: Shown,
    proxies: Vec<Class>,
    findings: Findings,
    unread: Vec<String>,
    #[serde(skip_serializing_if = "Value::is_null")]
    rotation: Value,
    next: Next,
    #[serde(skip)]
    steps: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Linkerd {
    namespace: String,
    version: Option<String>,
    era: crate::mesh::Era,
    trust_domain: String,
    installed_by: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
    unknown: Vec<String>,
}

/// The next thing to do.
#[derive(Debug, Clone, Serialize)]
pub struct Next {
    /// Why, in a sentence.
    pub why: String,
    /// The command, where there is one.
    pub command: Option<String>,
}

impl From<&Advice> for Next {
    fn from(advice: &Advice) -> Self {
        Self { why: advice.to_string(), command: advice.command().map(str::to_owned) }
    }
}

/// A rotation under way.
pub struct UnderWay<'a> {
    /// Its directory.
    pub dir: &'a Path,
    /// Its record.
    pub record: &'a Record,
    /// Its plan over the mesh.
    pub plan: &'a Plan,
}

impl Status {
    /// Puts the screen together as it is at `at`. `advice` is the next flow where no rotation is under way.
    #[must_use]
    pub fn new(
        mesh: &Mesh,
        checks: &[Checked],
        rotation: Option<&UnderWay<'_>>,
        advice: &Advice,
        at: Timestamp,
    ) -> Self {
        let plane = &mesh.control_plane;
        Self {
            at,
            linkerd: Linkerd {
                namespace: plane.namespace.clone(),
                version: plane.version.clone(),
                era: plane.era,
                trust_domain: plane.trust_domain.clone(),
                installed_by: plane.installer.as_ref().map(ToString::to_string),
            },
            bundle: bundle(mesh),
            issuer: issuer(mesh, at),
            proxies: classes(mesh, rotation.map(|under_way| under_way.record)),
            findings: Findings::of(checks),
            unread: mesh.unread().collect(),
            rotation: rotation.map_or(Value::Null, |under_way| {
                plan_json(under_way.plan, under_way.record, mesh, under_way.dir)
            }),
            next: rotation.map_or_else(|| Next::from(advice), |under_way| next(under_way, mesh)),
            steps: rotation.map_or_else(Vec::new, |under_way| {
                under_way
                    .plan
                    .steps
                    .iter()
                    .map(|planned| {
                        format!("{:<7} {}", planned.step.phase.to_string(), step_line(planned, mesh))
                    })
                    .collect()
            }),
        }
    }

    /// The same screen, whose next command reads what this one read.
    #[must_use]
    pub fn reading(mut self, arguments: &str) -> Self {
        self.next.command = self.next.command.map(|command| command + arguments);
        self
    }

    /// The screen in one of the formats; people see instants in `zone` as well.
    #[must_use]
    pub fn print(&self, format: DataFormat, zone: &TimeZone) -> String {
        as_data(format, self).unwrap_or_else(|| self.text(&Clock { at: self.at, zone: zone.clone() }))
    }

    fn text(&self, clock: &Clock) -> String {
        let linkerd = &self.linkerd;
        let mut out = format!(
            "Linkerd {} in namespace {}, trust domain {}{}\n",
            linkerd.version.as_deref().unwrap_or("of unknown version"),
            linkerd.namespace,
            linkerd.trust_domain,
            linkerd.installed_by.as_ref().map_or_else(String::new, |by| format!(", installed by {by}")),
        );
        self.bundle.print("Trust bundle", clock, &mut out);
        self.issuer.print("Issuer", clock, &mut out);
        section("Proxies", "", &mut out);
        if self.proxies.is_empty() {
            line("none seen", &mut out);
        }
        for class in &self.proxies {
            line(&format!("{:>9}  {}", count(class.proxies, "", "").trim(), class.holds), &mut out);
            if class.holds != CURRENT {
                line(&format!("{:>9}  {}", "", first(&class.workloads, 3)), &mut out);
            }
        }
        if !self.steps.is_empty() {
            section("Rotation", "", &mut out);
            self.steps.iter().for_each(|step| line(step, &mut out));
        }
        self.findings.print(&mut out);
        if !self.unread.is_empty() {
            section("Not read", "", &mut out);
            self.unread.iter().for_each(|gap| line(gap, &mut out));
        }
        section("Next", "", &mut out);
        line(&self.next.why, &mut out);
        out = clock.localized(&out);
        if let Some(command) = &self.next.command {
            line(&styled(Style::new().bold(), command), &mut out);
        }
        out
    }
}

fn section(title: &str, place: &str, out: &mut String) {
    out.push_str(&format!("\n{}", styled(Style::new().bold(), title)));
    out.push_str(&if place.is_empty() { "\n".to_owned() } else { format!("  {place}\n") });
}

fn line(text: &str, out: &mut String) {
    out.push_str(&format!("  {text}\n"));
}

/// The first few of many: `a, b, c and 9 more`.
pub(super) fn first(names: &[String], shown: usize) -> String {
    match names.len().checked_sub(shown) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..shown].join(", ")),
    }
}

impl Shown {
    fn print(&self, title: &str, clock: &Clock, out: &mut String) {
        section(title, &self.place, out);
        self.certificates.iter().for_each(|certificate| line(&certificate.line(clock), out));
        if let Some(changed) = self.changed {
            line(&format!("last changed {}", clock.when(changed)), out);
        }
        self.remarks.iter().for_each(|remark| line(remark, out));
    }
}

impl Findings {
    fn of(checks: &[Checked]) -> Self {
        let mut findings = Self::default();
        for check in checks {
            let description = check.description.clone();
            match &check.outcome {
                Outcome::Success => {}
                Outcome::Failed(Severity::Error, _) => findings.errors.push(description),
                Outcome::Failed(Severity::Warning, _) => findings.warnings.push(description),
                Outcome::Unknown(_) => findings.unknown.push(description),
            }
        }
        findings
    }

    fn print(&self, out: &mut String) {
        let failed = self.errors.len() + self.warnings.len() + self.unknown.len();
        section("Checks", "", out);
        if failed == 0 {
            return line("all hold", out);
        }
        for (mark, descriptions) in [("×", &self.errors), ("‼", &self.warnings), ("?", &self.unknown)] {
            descriptions.iter().for_each(|description| line(&format!("{mark} {description}"), out));
        }
        line("details: kubectl l5d-rotate check -o short", out);
    }
}

/// What is left to be done when the rollouts of a merged step are through and its pods are still not as they shall be; empty
/// where nothing is.
#[must_use]
pub fn restart_again(planned: &PlannedStep) -> String {
    let command = |object: &ObjectRef| {
        format!(
            "`kubectl rollout restart {}/{} -n {}`",
            object.kind.to_lowercase(),
            object.name,
            object.namespace
        )
    };
    let commands: Vec<_> = planned.again.iter().map(command).collect();
    if commands.is_empty() {
        return String::new();
    }
    format!(
        "; what is left when they are through started too early, and restarts by hand only: {}",
        first(&commands, 5)
    )
}

fn next(under_way: &UnderWay<'_>, mesh: &Mesh) -> Next {
    let dir = under_way.dir.display();
    let directory = dir.to_string();
    let word = shell_word(&directory);
    let way = if under_way.record.direction == Direction::Rollback { " --rollback" } else { "" };
    let plan = Some(format!("kubectl l5d-rotate plan --dir {word}{way}"));
    let standing = match under_way.plan.standing {
        Standing::Finished => None,
        Standing::At(step) => under_way.plan.steps.iter().find(|planned| planned.step == step),
    };
    let Some(planned) = standing else {
        let why = match under_way.record.direction {
            Direction::Forward => {
                format!("the rotation is finished: archive {dir}, and destroy the old keys")
            }
            Direction::Rollback => {
                format!("the rotation is rolled back: delete {dir}, and destroy the new keys")
            }
        };
        return Next { why, command: None };
    };
    let step = planned.step;
    if let Some(blocker) = planned.blocked.first() {
        let why = format!("before {step}: {}: {}", blocker_word(blocker.severity), blocker.reason);
        return Next { why, command: plan };
    }
    if planned.is_merged(mesh) {
        let why = match planned.manual.first() {
            Some(manual) => format!("{step} is merged; by hand: {}: {}", manual.object, manual.act),
            None if planned.changes.is_empty() => {
                let followed = match planned.state {
                    StepState::Pending { done, of } => format!(", {done} of {of} are through"),
                    StepState::Done | StepState::Unknown(_) => String::new(),
                };
                let said = planned.notes.iter().find_map(|note| match note {
                    Note::Said(text) => Some(text.as_str()),
                    Note::Owned { .. } | Note::Wait { .. } => None,
                });
                let said = said.unwrap_or("it comes to its end by itself");
                format!("{step} has nothing to merge{followed}: {said}")
            }
            None => format!("{step} is merged; its pods are still to start again{}", restart_again(planned)),
        };
        return Next { why, command: plan };
    }
    let command =
        format!("kubectl l5d-rotate render {} --step {} --dir {word}{way}", step.phase, step.number());
    Next { why: format!("{step} may be rendered and merged"), command: Some(command) }
}
