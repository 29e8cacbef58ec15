//! `verify`: is the step from what is there to what is proposed safe?

use std::path::Path;

use super::{Failure, reading, rotation};
use crate::cli::{self, VerifyFormat};
use crate::document::ObjectRef;
use crate::mesh::{FieldFault, Mesh, MeshError};
use crate::report::verify::{self as report, Format};
use crate::report::{Clock, Exit, Response};
use crate::source::{Proposal, SourceError, Unjudged, git};
use crate::verify::{Finding, Place, Verdict, Verification, Weight, verify};

/// Judges a proposal against the mesh that is read, or a checkout against one of its commits.
pub(super) fn run(args: &cli::Verify, input: &cli::Input, clock: &Clock) -> Result<Response, Failure> {
    let record = args.dir.as_deref().map(rotation::record).transpose()?;
    let (current, proposed, unjudged) = match &args.git_base {
        Some(revision) => checkout(revision, input)?,
        None => laid_over(args, input)?,
    };
    let verification = match proposed {
        Ok(proposed) => {
            let beside = unjudged.into_iter().map(not_judged).collect();
            verify(&current, &proposed, record.as_ref(), clock.at, beside)
        }
        Err(error) => Verification::unreadable(unreadable(error)?),
    };
    let format = match args.output {
        VerifyFormat::Text => Format::Text,
        VerifyFormat::Json => Format::Json,
        VerifyFormat::Markdown => Format::Markdown,
        VerifyFormat::Github => Format::Github,
    };
    let exit = match verification.verdict {
        Verdict::Safe | Verdict::NotAboutTrust => Exit::Fine,
        Verdict::SafeAfter(_) | Verdict::Unknown => Exit::Closed,
        Verdict::Unsafe => Exit::Refused,
    };
    Ok(Response { out: report::write(&verification, format, clock), exit, ..Response::default() })
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

fn not_judged(unjudged: Unjudged) -> Finding {
    let Unjudged { origin, what, gone, .. } = unjudged;
    let gone = if gone { " (gone from the proposal)" } else { "" };
    Finding {
        weight: Weight::Unknown,
        code: "not-rendered",
        text: format!("{origin}: {what}{gone} may change trust material, and is not rendered here"),
        help: "give what comes out of it: the output of `kustomize build` or `helm template`, or the Secret as the \
               cluster has it"
            .to_owned(),
        place: Some(Place { object: ObjectRef::new("", "document", "", &origin.source), origin }),
    }
}

/// The objects that the control plane reads trust material from.
const TRUST: [&str; 3] = ["linkerd-identity-trust-roots", "linkerd-identity-issuer", "linkerd-config"];

/// A proposed object that has not the field that Linkerd reads is a finding; everything else keeps the question open.
fn unreadable(error: SourceError) -> Result<Finding, Failure> {
    match error {
        SourceError::Mesh(MeshError::Field(fault)) if TRUST.contains(&fault.object.name.as_str()) => {
            let FieldFault { origin, object, field, found } = *fault;
            Ok(Finding {
                weight: Weight::Unsafe,
                code: "field-unreadable",
                text: format!("{object}: {field} {found}: the control plane could not start with it"),
                help: "restore the field".to_owned(),
                place: Some(Place { object, origin }),
            })
        }
        other => Err(other.into()),
    }
}
