//! `recover`: what has expired, what still holds, and the shortest way back.

use std::path::Path;

use jiff::Timestamp;

use super::start::{Begin, anchor_file};
use super::{Failure, reading};
use crate::cli;
use crate::mesh::Mesh;
use crate::report::{Clock, Exit, Recovery, Response};
use crate::rotation::Strategy;
use crate::rotation::recover::{Diagnosis, Way};

/// Shows the diagnosis of the mesh that is read, or begins the way back.
pub(super) fn run(args: &cli::Recover, input: &cli::Input, clock: &Clock) -> Result<Response, Failure> {
    let Some(dir) = &args.dir else {
        if args.minting.anchor.is_some() {
            return Err(Failure::new(
                "--anchor says what is minted, and nothing is minted without --dir",
                "add --dir DIR, or leave --anchor and --anchor-key out for the diagnosis",
            ));
        }
        return Ok(diagnosis(args, input, &reading::mesh(input, false)?, clock));
    };
    begin(args, dir, input, clock)
}

fn diagnosis(args: &cli::Recover, input: &cli::Input, mesh: &Mesh, clock: &Clock) -> Response {
    let diagnosis = Diagnosis::of(mesh, clock.at);
    let recovery = Recovery { diagnosis: &diagnosis, arguments: &reading::arguments(input), clock };
    Response { out: recovery.print(args.output), exit: recovery.exit(), ..Response::default() }
}

fn begin(args: &cli::Recover, dir: &Path, input: &cli::Input, clock: &Clock) -> Result<Response, Failure> {
    let minting = &args.minting;
    let issuer_only = minting.anchor.is_some();
    let begin = Begin { dir, minting, issuer_only, strategy: Strategy::Recover, old_anchor_key: None };
    begin.refuse_begun()?;
    let mesh = reading::mesh(input, false)?;
    let found = Diagnosis::of(&mesh, clock.at);
    refuse_needless(&found, &reading::arguments(input))?;
    refuse_expired(minting, clock.at)?;
    let mut response = begin.write(&mesh, input, clock)?;
    let recovery = Recovery { diagnosis: &found, arguments: "", clock };
    response.notes.push(recovery.downtime(issuer_only));
    Ok(response)
}

/// A recovery takes downtime: it is refused where an ordinary rotation, or something else, does without.
fn refuse_needless(found: &Diagnosis, arguments: &str) -> Result<(), Failure> {
    let (message, help) = match &found.way {
        Way::Replace(_) => return Ok(()),
        Way::Nothing => (
            "nothing has expired: there is nothing to recover, and a recovery takes downtime",
            format!(
                "`kubectl l5d-rotate start --dir DIR{arguments}` replaces trust anchor and issuer without downtime"
            ),
        ),
        Way::Prune => (
            "nothing depends on the trust anchor that has expired: there is nothing to recover, and a recovery takes downtime",
            format!(
                "take it out of the bundle in an ordinary commit: `kubectl l5d-rotate recover{arguments}` tells how"
            ),
        ),
        Way::Repair => (
            "nothing has expired, and the published bundle does not accept the issuer",
            format!("see `kubectl l5d-rotate check -o short{arguments}`"),
        ),
        Way::Unknown => {
            let message =
                format!("whether a recovery is needed cannot be told: {}", found.unknown.join("; "));
            let help = "give it in the input, or the right to read it";
            return Err(Failure::new(message, help).exiting(Exit::Closed));
        }
    };
    Err(Failure::new(message, help).exiting(Exit::Refused))
}

/// Nothing that an anchor signs after its end is accepted by the identity controller.
fn refuse_expired(minting: &cli::Minting, at: Timestamp) -> Result<(), Failure> {
    let Some(path) = &minting.anchor else { return Ok(()) };
    let anchor = anchor_file(path)?;
    if !anchor.is_expired_at(at) {
        return Ok(());
    }
    Err(Failure::new(
        format!(
            "{}: the trust anchor `{}` expired on {}: the identity controller accepts nothing that it signs",
            path.display(),
            anchor.name(),
            anchor.facts().not_after
        ),
        "leave --anchor and --anchor-key out: a new trust anchor is minted as well",
    ))
}
