//! `check`: the guide's checks and ours.

use super::{Failure, reading};
use crate::check::{self, Options, Outcome, Severity};
use crate::cli::{self, CheckFormat, FailOn};
use crate::report::checks::{self, Format};
use crate::report::{Clock, Exit, Response};

/// Judges the mesh that is read.
pub(super) fn run(args: &cli::Check, input: &cli::Input, clock: &Clock) -> Result<Response, Failure> {
    let mesh = reading::mesh(input, false)?;
    let results = check::run(&mesh, Options { at: clock.at, expiry_threshold: args.expiry_threshold });
    let format = match args.output {
        CheckFormat::Table => Format::Table,
        CheckFormat::Json => Format::Json,
        CheckFormat::Short => Format::Short,
        CheckFormat::Yaml => Format::Yaml,
    };
    let counts = |outcome: &Outcome| match outcome {
        Outcome::Success => false,
        Outcome::Failed(Severity::Error, _) => true,
        Outcome::Failed(Severity::Warning, _) | Outcome::Unknown(_) => args.fail_on == FailOn::Warning,
    };
    let exit = if results.iter().any(|result| counts(&result.outcome)) { Exit::Findings } else { Exit::Fine };
    Ok(Response { out: checks::write(&results, format, clock), exit, ..Response::default() })
}
