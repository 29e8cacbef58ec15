//! `next`: finds where the rotation stands, and renders the step that is next.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::render::finished;
use super::rotation::UnderWay;
use super::{Environment, Failure, current, edit, gate, reading};
use crate::cli;
use crate::output::{self, Access, MARKDOWN_MARK, NewFile};
use crate::render::Form;
use crate::report::{
    Exit, PullRequest, Response, Screen, acts, in_words, others_restart, restart_again, shell_word,
};
use crate::rotation::{PlannedStep, StepState};

/// Renders the first step that is not done, if it is ready and there is something left to merge.
pub(super) fn run(
    args: &cli::Next,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    let under_way =
        UnderWay::read(&args.rotation, input, screen.at, args.printing.output == Form::Object, environment)?
            .editing(&args.editing);
    let input = &under_way.input;
    let shown = under_way.shown();
    let Some(planned) = shown.standing() else {
        return Ok(Response { notes: vec![shown.ended()], ..Response::default() });
    };
    let passed = gate::pass(&[planned], false, &under_way, &reading::arguments(input), screen)?;
    if planned.is_merged(&under_way.mesh) {
        return Err(merged(planned, screen));
    }
    let take = |passed| {
        let mut response =
            finished(passed, &under_way, &args.printing, &args.editing, input, screen, environment)?;
        if let (Some(root), None) = (&args.printing.out, &args.editing.checkout) {
            response.notes.extend(current::write(planned, &under_way, root, &args.printing, screen)?);
        }
        Ok(response)
    };
    let Some(place) = &args.pr_body else { return take(passed) };
    let body = pull_request(planned, &under_way, args, input, screen);
    if place != Path::new("-") {
        output::refuse_foreign(place)?;
    } else if args.printing.out.is_none() && args.editing.checkout.is_none() {
        return Ok(Response { out: body, notes: passed.notes, ..Response::default() });
    }
    let mut response = take(passed)?;
    if place == Path::new("-") {
        // What was edited is said beside it, so that the body alone is on standard output.
        response.notes.push(std::mem::replace(&mut response.out, body));
        return Ok(response);
    }
    let content = Zeroizing::new(format!("{MARKDOWN_MARK}{body}"));
    output::rewrite(&NewFile { path: place.clone(), content, access: Access::Public })?;
    response.notes.push(format!("wrote {}", place.display()));
    Ok(response)
}

/// The text of the pull request for a step; its next command edits and reads what this one has.
fn pull_request(
    planned: &PlannedStep,
    under_way: &UnderWay,
    args: &cli::Next,
    input: &cli::Input,
    screen: &Screen,
) -> String {
    let directory = |flag: &str, directory: &Option<PathBuf>| {
        let directory = directory.as_ref().map(|directory| directory.display().to_string());
        directory.map_or_else(String::new, |directory| format!(" {flag} {}", shell_word(&directory)))
    };
    let edits = directory("--in", &args.editing.checkout)
        + &edit::targets(&args.editing)
        + &directory("--out", &args.printing.out);
    let arguments = edits + &reading::arguments(input);
    let (under_way, mesh) = (under_way.shown(), &under_way.mesh);
    PullRequest { under_way, planned, mesh, arguments: &arguments }.body(screen)
}

/// Nothing is left to merge, and the step is not done: pods are still to restart, or something is to be done manually.
fn merged(planned: &PlannedStep, screen: &Screen) -> Failure {
    let merges_nothing = planned.changes.is_empty();
    let merged = if merges_nothing { "has nothing to merge" } else { "is merged" };
    let mut manual: Vec<_> =
        planned.manual.iter().map(|manual| format!("{}: {}", manual.object, acts(manual))).collect();
    if !manual.is_empty() {
        manual.insert(0, "do manually:".to_owned());
    }
    // What is not known is no rollout to wait for: no waiting makes it known.
    if let StepState::Unknown(why) = &planned.state {
        let message = format!("{} {merged}, and it is not known whether it is done", planned.step);
        manual.insert(0, in_words(why, screen));
        return Failure::new(message, manual.join("\n  ")).exiting(Exit::NotMet);
    }
    let help = match (manual.is_empty(), merges_nothing) {
        (false, _) => {
            manual.push(others_restart(planned));
            manual.join("\n  ").trim_end().to_owned()
        }
        (true, true) => "wait, then ask again; `kubectl l5d-rotate plan` shows how far it is".to_owned(),
        (true, false) => format!(
            "wait for the rollouts, then ask again; `kubectl l5d-rotate plan` shows how far they are. {}",
            restart_again(planned, screen)
        ),
    };
    let left = if merges_nothing { "is not done yet" } else { "not everything has restarted yet" };
    Failure::new(format!("{} {merged}, and {left}", planned.step), help).exiting(Exit::NotMet)
}
