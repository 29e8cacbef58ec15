//! `check`: the checks of `linkerd check --proxy` and ours.

use super::{Failure, reading};
use crate::check::{self, Checked, Options};
use crate::cli::{self, CheckFormat, FailOn};
use crate::finding::{Fact, Finding, InputFact, Severity};
use crate::report::checks::{self, Format};
use crate::report::{Exit, Response, Screen};

/// Runs all checks over the mesh that is read.
pub(super) fn run(args: &cli::Check, input: &cli::Input, screen: &Screen) -> Result<Response, Failure> {
    let reading::Read { mesh, notes, .. } = reading::one(input, false)?;
    let results = check::run(&mesh, Options { at: screen.at, expiry_threshold: args.expiry_threshold });
    let format = match args.output {
        CheckFormat::Table => Format::Table,
        CheckFormat::Json => Format::Json,
        CheckFormat::Short => Format::Short,
        CheckFormat::Yaml => Format::Yaml,
    };
    let counts = |severity| match severity {
        Severity::Error => true,
        Severity::Wait | Severity::Unknown | Severity::Warning => args.fail_on == FailOn::Warning,
        Severity::Note => false,
    };
    // What a snapshot cannot hold is said, and fails nothing.
    let is_kept = |finding: &Finding| {
        matches!(finding.fact, Fact::Input(InputFact::IssuerKeyNotSeen { .. })) && mesh.key_was_taken_out()
    };
    let mut found = results.iter().filter_map(Checked::finding);
    let failed = found.any(|finding| counts(finding.severity) && !is_kept(finding));
    let exit = if failed { Exit::Findings } else { Exit::Fine };
    Ok(Response { out: checks::write(&results, format, screen), exit, notes, ..Response::default() })
}
