//! `diff`: what a phase changes against the current state.

use std::fs;
use std::process::Command;

use super::rotation::UnderWay;
use super::{Environment, Failure};
use crate::cli;
use crate::diff::{self, Sides};
use crate::process::{Child, Unfinished};
use crate::report::{Exit, Response, Screen, differences, not_ready, step_notes};

/// Shows the differences of the selected steps; like `kubectl diff` the exit code is 1 when there are any.
pub(super) fn run(
    args: &cli::Diff,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    let selection = &args.selection;
    let under_way = UnderWay::read(&selection.rotation, input, screen.at, true, environment)?;
    let steps = under_way.selected(selection)?;
    if let Some(directory) = &args.checkout {
        return super::edit::show(&steps, directory, &under_way, &under_way.input, screen);
    }
    let blocked: Vec<_> = steps.iter().copied().filter(|planned| !planned.blocked.is_empty()).collect();
    let mut notes = Vec::new();
    if !blocked.is_empty() {
        notes.push(not_ready(&blocked, &under_way.dir, screen));
    }
    notes.extend(step_notes(&steps, &under_way.dir, screen));
    let mut rendered = Vec::new();
    for planned in steps {
        rendered.extend(super::render::documents(planned, &under_way.mesh, &under_way, "NOT READY", screen)?);
    }
    if let Some(program) = &environment.external_diff {
        return external(program, &diff::external(&rendered)?, notes);
    }
    let diffs = diff::diff(&rendered)?;
    let out: String = diffs.iter().map(differences).collect();
    let exit = if out.is_empty() { Exit::Fine } else { Exit::Findings };
    Ok(Response { out, notes, exit, ..Response::default() })
}

/// Runs `KUBECTL_EXTERNAL_DIFF` as kubectl does: split at blanks, the directories LIVE and MERGED as last arguments, on the
/// user's own terminal.
fn external(program: &str, files: &[Sides], notes: Vec<String>) -> Result<Response, Failure> {
    let failed = |said: String| {
        Failure::new(format!("KUBECTL_EXTERNAL_DIFF={program}: {said}"), "unset it to see the built-in diff")
    };
    let io = |error: std::io::Error| failed(error.to_string());
    let (_unfinished, temporary) =
        Unfinished::directory(tempfile::Builder::new(), &std::env::temp_dir(), |_| Ok(())).map_err(io)?;
    let [live, merged] = ["LIVE", "MERGED"].map(|name| temporary.path().join(name));
    for directory in [&live, &merged] {
        fs::create_dir(directory).map_err(io)?;
    }
    for sides in files {
        if let Some(text) = &sides.live {
            fs::write(live.join(&sides.name), text).map_err(io)?;
        }
        fs::write(merged.join(&sides.name), &sides.merged).map_err(io)?;
    }
    let mut words = program.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or(program));
    let child = Child::start(command.args(words).args([&live, &merged])).map_err(io)?;
    let status = child.wait().map_err(io)?;
    match status.code() {
        Some(0) => Ok(Response { notes, ..Response::default() }),
        Some(1) => Ok(Response { notes, exit: Exit::Findings, ..Response::default() }),
        _ => Err(failed(status.to_string())),
    }
}
