//! A rotation whose certificates cert-manager mints.

use std::path::Path;

use super::super::{Failure, edit};
use super::{again, known_anchor, public};
use crate::cli;
use crate::mesh::{CERT_MANAGER_GROUP, Mesh, issuer_reference};
use crate::output::{self, Claim};
use crate::report::{Response, Screen, started_managed};
use crate::rotation::{NewSigner, OutsideAnchor, Record, Strategy};

/// Does the rotation go over cert-manager's objects: where it makes the issuer, unless something else is asked for?
pub(super) fn is_meant(args: &cli::Start, mesh: &Mesh) -> bool {
    let minting = &args.minting;
    let asks_otherwise = args.issuer_only
        || args.csr
        || args.issuer_cert.is_some()
        || args.old_anchor_key.is_some()
        || minting.anchor.is_some()
        || minting.allow_managed;
    match args.strategy {
        Some(strategy) => strategy == Strategy::Managed,
        None if args.signer.is_some() || args.keep_issuer_name => true,
        None => mesh.issuer_certificate().is_some() && !asks_otherwise,
    }
}

/// Begins a rotation in which cert-manager mints the certificates: only its record is written.
pub(super) fn begin(
    args: &cli::Start,
    mesh: &Mesh,
    checkout: Option<&Path>,
    input: &cli::Input,
    screen: &Screen,
) -> Result<Response, Failure> {
    let given = [
        ("--anchor without --signer", args.minting.anchor.is_some() && args.signer.is_none()),
        ("--csr", args.csr),
        ("--issuer-cert", args.issuer_cert.is_some()),
        ("--issuer-only", args.issuer_only),
        ("--old-anchor-key", args.old_anchor_key.is_some()),
    ];
    if let Some((flag, _)) = given.iter().find(|(_, is_given)| *is_given) {
        return Err(Failure::new(
            format!("{flag} does not go with --strategy managed: cert-manager mints the certificates"),
            "leave it out, or choose another strategy; for an anchor from outside give --anchor and --signer"
                .to_owned(),
        ));
    }
    let record = Record::managed(mesh, screen.at, new_signer(args, mesh)?)?;
    let found = args.checkout.as_deref().zip(record.managed.as_ref()).map(|(directory, managed)| {
        let old = managed.old.made().into_iter().flat_map(|old| [&old.certificate, &old.signer]);
        let objects: Vec<_> = old.chain([&managed.issuer]).chain(managed.bundle.as_ref()).collect();
        edit::found_objects(directory, &objects, input, screen)
    });
    let found = found.transpose()?.unwrap_or_default();
    let files = record.to_files().into_iter().map(|(name, content)| public(&args.dir.join(name), content));
    let files: Vec<_> = files.collect();
    let _claim = Claim::of(&args.dir)?;
    output::create(&files, false)?;
    let out = found + &started_managed(&record, &args.dir, &again(input, checkout, &args.dir), screen);
    Ok(Response::fine(out))
}

/// What is to sign below the new anchor.
fn new_signer(args: &cli::Start, mesh: &Mesh) -> Result<NewSigner, Failure> {
    let (Some(path), Some(signer)) = (&args.minting.anchor, &args.signer) else {
        return Ok(if args.keep_issuer_name { NewSigner::Present } else { NewSigner::Beside });
    };
    let (group, namespace) = (signer.group.as_deref(), &mesh.control_plane.namespace);
    let group = group.unwrap_or(CERT_MANAGER_GROUP);
    let signer = issuer_reference(group, &signer.kind, namespace, &signer.name);
    Ok(NewSigner::Outside(OutsideAnchor { anchor: known_anchor(path, mesh)?, signer }))
}
