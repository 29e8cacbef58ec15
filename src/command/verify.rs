//! `verify`: is the step from what is there to what is proposed safe?

use std::path::Path;

use super::{Failure, reading, rotation};
use crate::cli::{self, VerifyFormat};
use crate::mesh::{Mesh, MeshError};
use crate::report::verify::{self as report, Format};
use crate::report::{Exit, Response, Screen};
use crate::source::{Proposal, SourceError, Unjudged, git};
use crate::verify::{Verdict, Verification, field_unreadable, not_rendered, verify};

/// Judges a proposal against the mesh that is read, or a checkout against one of its commits.
pub(super) fn run(args: &cli::Verify, input: &cli::Input, screen: &Screen) -> Result<Response, Failure> {
    let record = args.dir.as_deref().map(rotation::record).transpose()?;
    let (current, proposed, unjudged) = match &args.git_base {
        Some(revision) => checkout(revision, input)?,
        None => laid_over(args, input)?,
    };
    let verification = match proposed {
        Ok(proposed) => {
            let beside = unjudged.iter().map(not_rendered).collect();
            verify(&current, &proposed, record.as_ref(), screen.at, beside)
        }
        Err(SourceError::Mesh(MeshError::Field(fault))) => match field_unreadable(&fault) {
            Some(finding) => Verification::unreadable(finding),
            None => return Err(SourceError::Mesh(MeshError::Field(fault)).into()),
        },
        Err(error) => return Err(error.into()),
    };
    let format = match args.output {
        VerifyFormat::Text => Format::Text,
        VerifyFormat::Json => Format::Json,
        VerifyFormat::Markdown => Format::Markdown,
        VerifyFormat::Github => Format::Github,
    };
    let exit = match verification.verdict {
        Verdict::Safe | Verdict::NotAboutTrust => Exit::Fine,
        Verdict::SafeAfter(_) | Verdict::Unknown => Exit::NotMet,
        Verdict::Unsafe => Exit::Refused,
    };
    Ok(Response { out: report::write(&verification, format, screen), exit, ..Response::default() })
}

/// What is there, what is proposed (or why it is no mesh), and what of it cannot be judged.
type Sides = (Mesh, Result<Mesh, SourceError>, Vec<Unjudged>);

fn laid_over(args: &cli::Verify, input: &cli::Input) -> Result<Sides, Failure> {
    let stdin = Path::new("-");
    if input.filename.iter().any(|path| path == stdin) && args.proposed.iter().any(|path| path == stdin) {
        return Err(Failure::new(
            "standard input cannot be both what is there and what is proposed",
            "name a file for one of them",
        ));
    }
    let proposal = reading::proposal(&args.proposed, input.recursive)?;
    let (current, known) = reading::mesh_beside(input)?;
    let unjudged = proposal.unrendered().over(&known, &current);
    let proposed = proposal.over(&current);
    Ok((current, proposed, unjudged))
}

fn checkout(revision: &str, input: &cli::Input) -> Result<Sides, Failure> {
    if input.filename.iter().any(|path| path == Path::new("-")) {
        return Err(Failure::new(
            "--git-base compares files of a checkout, and standard input is none",
            "name the checkout's files or directory with -f",
        ));
    }
    let after = reading::proposal(&input.filename, input.recursive)?;
    let before = git::observe(&input.filename, input.recursive, revision, Proposal::default())?;
    let namespace = input.linkerd_namespace.as_deref();
    let known = before.unrendered().clone();
    let current = before.whole(namespace)?;
    let unjudged = after.unrendered().since(&known, &current);
    Ok((current, after.whole(namespace), unjudged))
}
