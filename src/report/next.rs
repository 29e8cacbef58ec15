//! The next thing to do, and the command for it.

use std::path::Path;

use anstyle::Style;
use serde::Serialize;

use super::Screen;
use super::findings::{Words, words};
use super::plan::acts;
use super::words::{count, shell_word, styled};
use crate::finding::{Fact, Finding, StepFact};
use crate::mesh::Mesh;
use crate::rotation::{Direction, Manual, Plan, PlannedStep, Record, Stage, Standing, Step, StepState};

/// The next thing to do.
#[derive(Debug, Clone, Serialize)]
pub struct Next {
    /// Why, in a sentence or more.
    pub why: String,
    /// The command, where there is one.
    pub command: Option<String>,
}

/// A rotation under way.
#[derive(Debug, Clone, Copy)]
pub struct UnderWay<'a> {
    /// Its directory.
    pub dir: &'a Path,
    /// Its record.
    pub record: &'a Record,
    /// Its plan over the mesh.
    pub plan: &'a Plan,
    /// The checkout whose files its steps edit, where one is known.
    pub checkout: Option<&'a Path>,
}

impl Next {
    /// What is next in a rotation.
    #[must_use]
    pub fn of(under_way: &UnderWay<'_>, mesh: &Mesh, screen: &Screen) -> Self {
        let Some(planned) = under_way.standing() else {
            return Self { why: under_way.ended(), command: None };
        };
        let (step, plan) = (planned.step, Some(under_way.command("plan", "")));
        let by_force = planned.blocked.iter().find(|finding| forced(finding).is_some());
        if let Some(finding) = by_force.or(planned.blocked.first()) {
            let Words { what, todo, .. } = words(finding, screen);
            let why = format!("Before {step}: {}: {what} {todo}", finding.code());
            return Self { why: why.trim_end().to_owned(), command: plan };
        }
        if planned.is_merged(mesh) {
            return Self { why: merged(planned, screen), command: plan };
        }
        if under_way.checkout.is_none() && planned.is_made_elsewhere(mesh) {
            return Self { why: made_elsewhere(planned, screen), command: plan };
        }
        let (command, render) = match under_way.checkout {
            Some(_) => (under_way.next(), "edit it into the files"),
            None => (under_way.render(step, ""), "render it"),
        };
        let why = match &planned.state {
            StepState::Unknown(unknown) => format!(
                "It is not known whether {step} is done: {} If it is not merged, {render} and merge it.",
                in_words(unknown, screen)
            ),
            StepState::Done | StepState::Pending { .. } => {
                let take = match under_way.checkout {
                    Some(_) => format!("Edit {step} into the files and merge it."),
                    None => format!("Render {step} and merge it."),
                };
                format!("{take} {}", restart_again(planned, screen))
            }
        };
        let command = Some(command);
        Self { why: why.trim_end().to_owned(), command }
    }

    /// What leads on for who asked for steps that are not ready.
    #[must_use]
    pub fn instead_of(
        blocked: &[&PlannedStep],
        under_way: &UnderWay<'_>,
        mesh: &Mesh,
        screen: &Screen,
    ) -> Self {
        let forced = blocked.iter().flat_map(|planned| &planned.blocked).find_map(forced);
        let is_blocked = |step| blocked.iter().any(|planned| planned.step == step);
        match (forced, under_way.plan.standing) {
            (Some(forced), _) => match forced.first() {
                Some(step) => Self {
                    why: "The present issuer has expired. This takes downtime:".to_owned(),
                    command: Some(under_way.render(*step, " --force")),
                },
                None => Self {
                    why: "The present issuer has expired.".to_owned(),
                    command: Some("kubectl l5d-rotate recover".to_owned()),
                },
            },
            (None, Standing::At(step)) if is_blocked(step) => Self {
                why: format!("When the preconditions of {step} are met (--force renders it all the same):"),
                command: Some(under_way.next()),
            },
            (None, _) => Self::of(under_way, mesh, screen),
        }
    }

    /// The same, whose command reads what this one has read.
    #[must_use]
    pub fn reading(self, arguments: &str) -> Self {
        Self { command: self.command.map(|command| command + arguments), ..self }
    }

    /// The last section of a screen.
    #[must_use]
    pub fn text(&self, screen: &Screen) -> String {
        let title = styled(Style::new().bold(), "Next");
        let mut out = format!("\n{title}\n{}", screen.wrapped(&self.why, "  ", "  "));
        out.extend(
            self.command.as_ref().map(|command| format!("  {}\n", styled(Style::new().bold(), command))),
        );
        out
    }
}

impl UnderWay<'_> {
    /// The first step that is not done.
    #[must_use]
    pub fn standing(&self) -> Option<&PlannedStep> {
        match self.plan.standing {
            Standing::Finished => None,
            Standing::At(step) => self.plan.steps.iter().find(|planned| planned.step == step),
        }
    }

    /// What there is to do when no step is left.
    #[must_use]
    pub fn ended(&self) -> String {
        let dir = self.dir.display();
        let (is, then) = match self.record.direction {
            Direction::Forward => {
                ("finished", format!("Archive the directory {dir}, and destroy the old keys."))
            }
            Direction::Rollback => {
                ("rolled back", format!("Delete the directory {dir}, and destroy the new keys."))
            }
        };
        format!("Nothing is left to do: the rotation is {is}. {then}")
    }

    pub(super) fn command(&self, verb: &str, flags: &str) -> String {
        let dir = self.dir.display().to_string();
        let rollback = if self.record.direction == Direction::Rollback { " --rollback" } else { "" };
        format!("kubectl l5d-rotate {verb}{flags} --dir {}{rollback}", shell_word(&dir))
    }

    /// The command for the next step, into the files where it is known which.
    fn next(&self) -> String {
        let flags =
            self.checkout.map(|checkout| format!(" --in {}", shell_word(&checkout.display().to_string())));
        self.command("next", &flags.unwrap_or_default())
    }

    pub(super) fn render(&self, step: Step, flags: &str) -> String {
        self.command(&format!("render {} --step {}", step.phase, step.number()), flags)
    }
}

/// The steps that lead on by force where the present issuer has expired.
fn forced(finding: &Finding) -> Option<&[Step]> {
    match &finding.fact {
        Fact::Step(StepFact::PresentIssuerExpired { forced, .. }) => Some(forced),
        _ => None,
    }
}

/// Where a step is made of which no document would change anything: the first of its places, as all have one owner mostly.
fn made_elsewhere(planned: &PlannedStep, screen: &Screen) -> String {
    let is_it = |note: &&Finding| matches!(note.fact, Fact::Step(StepFact::ManagedObject { .. }));
    let place = planned.notes.iter().find(is_it).map(|note| words(note, screen).todo).unwrap_or_default();
    format!("{} is made where its objects are rendered from. {place}", planned.step).trim_end().to_owned()
}

/// What is left of a step of which everything is merged.
fn merged(planned: &PlannedStep, screen: &Screen) -> String {
    let step = planned.step;
    if planned.changes.is_empty() && planned.notes.iter().any(tells_why_nothing_changes) {
        return nothing_to_merge(planned, screen);
    }
    if let Some(manual) = planned.manual.first() {
        let unknown = match &planned.state {
            StepState::Unknown(why) => {
                format!(" It is not known whether it is done: {}", in_words(why, screen))
            }
            StepState::Done | StepState::Pending { .. } => String::new(),
        };
        let others = others_restart(planned);
        return format!("{step} is merged. {}{unknown} {others}", first_of(manual, planned))
            .trim_end()
            .to_owned();
    }
    if !planned.changes.is_empty() {
        return format!("{step} is merged, and {}", left_of(planned, screen));
    }
    nothing_to_merge(planned, screen)
}

/// What is left of a step that merges nothing: time, the restarts of others, and what no deploy replaces.
fn nothing_to_merge(planned: &PlannedStep, screen: &Screen) -> String {
    let progress = match planned.state {
        StepState::Pending { done, of } => format!(", {done} of {of} are done"),
        StepState::Done | StepState::Unknown(_) => String::new(),
    };
    let why = planned.notes.iter().find(|note| tells_why_nothing_changes(note));
    let why = why.map_or_else(
        || "Time alone completes it.".to_owned(),
        |note| {
            let Words { what, effect, todo, .. } = words(note, screen);
            [what, effect, todo].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        },
    );
    let unknown = match &planned.state {
        StepState::Unknown(why) => format!(" {}", in_words(why, screen)),
        StepState::Done | StepState::Pending { .. } => String::new(),
    };
    let manual = planned.manual.first().map(|manual| format!(" {}", first_of(manual, planned)));
    format!("{} has nothing to merge{progress}. {why}{}{unknown}", planned.step, manual.unwrap_or_default())
}

/// What is done manually for the first workload, and for how many it is.
fn first_of(manual: &Manual, planned: &PlannedStep) -> String {
    let more = match planned.manual.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" (and for {})", count(more as u64, "more workload", "more workloads")),
    };
    format!("Manual{more}: {}: {}", manual.object, acts(manual))
}

/// That proxies are still to restart beside those of the workloads that are restarted manually; empty where none are.
#[must_use]
pub fn others_restart(planned: &PlannedStep) -> String {
    let StepState::Pending { done, of } = planned.state else { return String::new() };
    let manual: u64 = planned.manual.iter().map(|manual| manual.proxies).sum();
    match of.saturating_sub(done).saturating_sub(manual) {
        0 => String::new(),
        _ if planned.step.stage != Stage::DataPlane => String::new(),
        left => format!("Of the others, {} still to restart.", count(left, "proxy is", "proxies are")),
    }
}

/// What is known of the pods of a merged step, and what leads on.
fn left_of(planned: &PlannedStep, screen: &Screen) -> String {
    let StepState::Unknown(why) = &planned.state else {
        let again = restart_again(planned, screen);
        return format!("its pods have not all restarted yet. {again}").trim_end().to_owned();
    };
    format!("it is not known whether its pods have restarted since: {}", in_words(why, screen))
}

/// A finding in one text, with its code.
#[must_use]
pub fn in_words(finding: &Finding, screen: &Screen) -> String {
    let Words { what, items, effect, todo } = words(finding, screen);
    let parts = [what].into_iter().chain(items).chain([effect, todo]).filter(|part| !part.is_empty());
    format!("{}: {}", finding.code(), parts.collect::<Vec<_>>().join(" "))
}

const fn tells_why_nothing_changes(note: &Finding) -> bool {
    matches!(
        note.fact,
        Fact::Step(
            StepFact::CertificatesRenewedByTime { .. }
                | StepFact::BundleLoadedByTime { .. }
                | StepFact::RestartedByInstall { .. }
                | StepFact::PhaseSuperseded { .. }
        )
    )
}

/// What is left to do when the rollouts of a merged step are done and its pods are still not as they shall be; empty where nothing
/// is.
#[must_use]
pub fn restart_again(planned: &PlannedStep, screen: &Screen) -> String {
    let is_it = |note: &&Finding| matches!(note.fact, Fact::Step(StepFact::RestartUnchanged { .. }));
    let Some(note) = planned.notes.iter().find(is_it) else { return String::new() };
    let Words { effect, todo, .. } = words(note, screen);
    format!("{effect} {todo}")
}
