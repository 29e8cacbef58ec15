//! `check`: the checks of `linkerd check --proxy` and ours.

use jiff::{SignedDuration, Timestamp};

use super::{Failure, reading};
use crate::check::{self, Checked, InForce, Options};
use crate::checkout::{self, Repository};
use crate::cli::{self, CheckFormat, FailOn};
use crate::edit::{self, PlainKey};
use crate::finding::{CertificateRef, Fact, Finding, InputFact, KeyInFile, Severity};
use crate::mesh::Mesh;
use crate::report::checks::{self, Format};
use crate::report::{Exit, Response, Screen};

/// Runs all checks over the mesh that is read.
pub(super) fn run(args: &cli::Check, input: &cli::Input, screen: &Screen) -> Result<Response, Failure> {
    let reading::Read { mesh, mut notes, .. } = reading::one(input, false)?;
    let mut results = check::run(&mesh, Options { at: screen.at, expiry_threshold: args.expiry_threshold });
    results.extend(keys_in_files(&mesh, input)?);
    let out = match args.output {
        CheckFormat::Table => checks::write(&results, Format::Table, screen),
        CheckFormat::Json => checks::write(&results, Format::Json, screen),
        CheckFormat::Short => checks::write(&results, Format::Short, screen),
        CheckFormat::Yaml => checks::write(&results, Format::Yaml, screen),
        CheckFormat::Name => checks::write(&results, Format::Name, screen),
        CheckFormat::Prometheus => checks::prometheus(&mesh, &results, screen),
    };
    if let Some(within) = args.expires_within {
        let (exit, found) = expiry(&mesh, within, screen);
        notes.extend(found);
        return Ok(Response { out, exit, notes, ..Response::default() });
    }
    let exit = if fails(&results, args.fail_on, &mesh) { Exit::Findings } else { Exit::Fine };
    Ok(Response { out, exit, notes, ..Response::default() })
}

/// Private keys in the files of a repository; `None` where none is read.
fn keys_in_files(mesh: &Mesh, input: &cli::Input) -> Result<Option<Checked>, Failure> {
    let paths: Vec<_> =
        input.filename.iter().filter(|path| input.recursive && path.is_dir()).cloned().collect();
    if paths.is_empty() {
        return Ok(None);
    }
    let request = checkout::Request { paths, recursive: true, excluded: input.exclude.clone() };
    Ok(Some(keys_found(&edit::plain_keys(&Repository::open(&request)?), mesh)))
}

/// What private keys in files are to a mesh.
pub(super) fn keys_found(found: &[PlainKey], mesh: &Mesh) -> Checked {
    let bundle = mesh.trust.published.as_option().and_then(|published| published.readings().next().cloned());
    let anchors = bundle.map(|bundle| bundle.anchors().to_vec()).unwrap_or_default();
    let issuer = mesh.secret_chain().and_then(|chain| chain.certificates().next().cloned());
    let in_file = |key: &PlainKey| KeyInFile {
        place: key.place.clone(),
        anchor: anchors.iter().find(|anchor| key.is_of(anchor)).map(CertificateRef::from),
        is_of_issuer: issuer.as_ref().is_some_and(|issuer| key.is_of(issuer)),
    };
    check::keys_in_files(found.iter().map(in_file).collect())
}

/// Does anything expire sooner, and what?
fn expiry(mesh: &Mesh, within: SignedDuration, screen: &Screen) -> (Exit, Vec<String>) {
    let in_force = InForce::of(mesh);
    let until = screen.at.checked_add(within).unwrap_or(Timestamp::MAX);
    let found = in_force.expired_at(until);
    let exit = match (found.is_empty(), in_force.is_complete) {
        (false, _) => Exit::Findings,
        (true, true) => Exit::Fine,
        (true, false) => Exit::NotMet,
    };
    (exit, checks::expires_soon(&found, screen))
}

/// Is there a finding that makes the check fail?
fn fails(results: &[Checked], fail_on: FailOn, mesh: &Mesh) -> bool {
    let counts = |severity| match severity {
        Severity::Error => true,
        Severity::Wait | Severity::Unknown | Severity::Warning => fail_on == FailOn::Warning,
        Severity::Note => false,
    };
    // What a snapshot cannot hold is said, and fails nothing.
    let is_kept = |finding: &Finding| {
        matches!(finding.fact, Fact::Input(InputFact::IssuerKeyNotSeen { .. })) && mesh.key_was_taken_out()
    };
    let mut found = results.iter().filter_map(Checked::finding);
    found.any(|finding| counts(finding.severity) && !is_kept(finding))
}
