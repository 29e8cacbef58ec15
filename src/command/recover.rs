//! `recover`: what has expired, what still works, and the shortest remedy.

use std::path::Path;

use super::start::{Begin, anchor_file};
use super::{Failure, reading};
use crate::cli;
use crate::mesh::Mesh;
use crate::report::{Exit, Recovery, Response, Screen, findings};
use crate::rotation::Strategy;
use crate::rotation::recover::{Diagnosis, Remedy};

/// Shows the diagnosis of the mesh that is read, or begins the recovery.
pub(super) fn run(args: &cli::Recover, input: &cli::Input, screen: &Screen) -> Result<Response, Failure> {
    let Some(dir) = &args.dir else {
        if args.minting.anchor.is_some() {
            return Err(Failure::new(
                "--anchor says what is minted, and nothing is minted without --dir",
                "add --dir DIR, or leave --anchor and --anchor-key out for the diagnosis",
            ));
        }
        return Ok(diagnosis(args, input, &reading::mesh(input, false)?, screen));
    };
    begin(args, dir, input, screen)
}

fn diagnosis(args: &cli::Recover, input: &cli::Input, mesh: &Mesh, screen: &Screen) -> Response {
    let diagnosis = Diagnosis::of(mesh, screen.at);
    let recovery = Recovery { diagnosis: &diagnosis, arguments: &reading::arguments(input), screen };
    Response { out: recovery.print(args.output), exit: recovery.exit(), ..Response::default() }
}

fn begin(args: &cli::Recover, dir: &Path, input: &cli::Input, screen: &Screen) -> Result<Response, Failure> {
    let minting = &args.minting;
    let issuer_only = minting.anchor.is_some();
    let begin = Begin {
        dir,
        minting,
        issuer_only,
        strategy: Strategy::Recover,
        old_anchor_key: None,
        checkout: None,
        signed: None,
    };
    begin.refuse_begun()?;
    let mesh = reading::mesh(input, false)?;
    let found = Diagnosis::of(&mesh, screen.at);
    refuse_needless(&found, &reading::arguments(input), screen)?;
    refuse_expired(minting, screen)?;
    let mut response = begin.write(&mesh, input, screen)?;
    let recovery = Recovery { diagnosis: &found, arguments: "", screen };
    response.notes.push(recovery.downtime(issuer_only));
    Ok(response)
}

/// A recovery takes downtime: it is refused where an ordinary rotation, or something else, does without.
fn refuse_needless(found: &Diagnosis, arguments: &str, screen: &Screen) -> Result<(), Failure> {
    let (message, help) = match &found.remedy {
        Remedy::Replace(_) => return Ok(()),
        Remedy::None => (
            "nothing has expired, and a recovery takes downtime",
            format!(
                "`kubectl l5d-rotate start --dir DIR{arguments}` replaces trust anchor and issuer without downtime"
            ),
        ),
        Remedy::Prune => (
            "nothing depends on the trust anchor that has expired, and a recovery takes downtime",
            format!(
                "remove it from the bundle in an ordinary commit: `kubectl l5d-rotate recover{arguments}` tells how"
            ),
        ),
        Remedy::RemoveExpired => (
            "the issuer is good without what has expired behind it in its file, and a recovery mints what is not needed",
            format!(
                "remove that from the file, and restart everything: `kubectl l5d-rotate recover{arguments}` tells how"
            ),
        ),
        Remedy::Repair => (
            "nothing has expired, and the published bundle does not accept the issuer",
            format!("see `kubectl l5d-rotate check -o short{arguments}`"),
        ),
        Remedy::Unknown => {
            let unknown: Vec<_> =
                found.unknown.iter().map(|finding| findings::words(finding, screen).what).collect();
            let message = format!("whether a recovery is needed cannot be told. {}", unknown.join(" "));
            let help = "give it in the input, or the right to read it";
            return Err(Failure::new(message, help).exiting(Exit::NotMet));
        }
    };
    Err(Failure::new(message, help).exiting(Exit::Refused))
}

/// The identity controller accepts nothing that an expired anchor signs.
fn refuse_expired(minting: &cli::Minting, screen: &Screen) -> Result<(), Failure> {
    let Some(path) = &minting.anchor else { return Ok(()) };
    let anchor = anchor_file(path)?;
    if !anchor.is_expired_at(screen.at) {
        return Ok(());
    }
    Err(Failure::new(
        format!(
            "{}: the trust anchor {} expired {}: the identity controller accepts nothing that it signs",
            path.display(),
            anchor.name(),
            screen.when(anchor.facts().not_after)
        ),
        "leave --anchor and --anchor-key out: a new trust anchor is minted as well",
    ))
}
