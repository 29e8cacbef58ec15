//! `start`: mints certificates and keys, and writes the rotation directory.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::{Failure, reading};
use crate::check;
use crate::cli::{self, Lifetime};
use crate::mesh::{ControlPlane, Era, Mesh};
use crate::output::{self, NewFile};
use crate::pki::{
    AnchorRequest, Authority, Certificate, IssuerChain, IssuerRequest, KeyEncoding, PrivateKey, mint_anchor,
    mint_issuer,
};
use crate::report::{Response, started, when};
use crate::rotation::{self, Record, Scope, Strategy};

/// How far certificates are backdated, for nodes whose clock lags.
const BACKDATED: SignedDuration = SignedDuration::from_mins(10);

/// Git is told to leave keys alone before the first one is written.
const GITIGNORE: &str = "# Private keys stay out of Git.\n*.key\n";

/// What `linkerd check` allows, for an anchor that it does not.
const ALLOWED_ANCHOR: &str = "give an anchor with an ECDSA P-256 key and an ECDSA SHA-256 signature (since 2.12 also RSA with \
     2048 or 4096 bits and SHA-256), or let `start` mint one";

/// Begins a rotation.
pub(super) fn run(args: &cli::Start, input: &cli::Input, at: Timestamp) -> Result<Response, Failure> {
    refuse_begun(&args.dir)?;
    let mesh = reading::mesh(input, false)?;
    let anchor = anchor(args, &mesh, at)?;
    let issuer = mint_issuer(&issuer_request(args, &mesh, &anchor.certificate, at)?, &anchor)?;
    let scope =
        if args.issuer_only { Scope::IssuerOnly } else { Scope::Full { anchor: anchor.certificate.clone() } };
    let chain = IssuerChain { issuer: issuer.certificate.clone(), intermediates: Vec::new() };
    let record = Record::new(&mesh, at, strategy(args), scope, chain, args.despite_owner)?;

    let encoding =
        if mesh.control_plane.era.needs_sec1_key() { KeyEncoding::Sec1 } else { KeyEncoding::Pkcs8 };
    let mut files = vec![key_file(&args.dir.join(rotation::ISSUER_KEY_FILE), &issuer.key, encoding)?];
    if args.anchor.is_none() {
        files.push(key_file(&args.dir.join(rotation::ANCHOR_KEY_FILE), &anchor.key, encoding)?);
    }
    // rotation.yaml comes last in the record's files: a directory without it is not a rotation yet.
    files.extend(record.to_files().into_iter().map(|(name, content)| public(&args.dir.join(name), content)));
    write(&args.dir, &files, args.allow_plaintext_keys)?;
    let out = started(&record, &args.dir, args.anchor.is_none(), at);
    let not_after = record.issuer.issuer.facts().not_after;
    let capped = not_after < end(args.issuer_lifetime, at, "--issuer-lifetime")?;
    let notes = capped.then(|| {
        format!(
            "the issuer ends with its anchor, {}: sooner than --issuer-lifetime asks",
            when(not_after, at)
        )
    });
    Ok(Response { out, notes: notes.into_iter().collect(), ..Response::default() })
}

fn refuse_begun(dir: &Path) -> Result<(), Failure> {
    let name = dir.display();
    if dir.join(rotation::RECORD_FILE).exists() {
        return Err(Failure::new(
            format!("{name}: a rotation was started here already"),
            format!(
                "go on with `kubectl l5d-rotate status --dir {name}`, or start another in another directory"
            ),
        ));
    }
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::new(format!("{name}: {error}"), "name a directory that can be created")),
        Ok(entries) => match entries.flatten().find(|entry| entry.file_name() != ".gitignore") {
            None => Ok(()),
            Some(entry) => Err(Failure::new(
                format!(
                    "{name}: holds {} already, and no {}",
                    entry.file_name().display(),
                    rotation::RECORD_FILE
                ),
                "name an empty or new directory; what an interrupted start left behind may be deleted",
            )),
        },
    }
}

fn anchor(args: &cli::Start, mesh: &Mesh, at: Timestamp) -> Result<Authority, Failure> {
    let (Some(certificate), Some(key)) = (&args.anchor, &args.anchor_key) else {
        let ControlPlane { namespace, trust_domain, .. } = &mesh.control_plane;
        let common_name =
            args.anchor_name.clone().unwrap_or_else(|| format!("root.{namespace}.{trust_domain}"));
        let not_after = end(args.anchor_lifetime, at, "--anchor-lifetime")?;
        return Ok(mint_anchor(&AnchorRequest { common_name, not_before: at - BACKDATED, not_after })?);
    };
    let place = |path: &Path, message: String, help: &str| {
        Failure::new(format!("{}: {message}", path.display()), help)
    };
    let chain = IssuerChain::from_pem(&reading::text(certificate)?)
        .map_err(|error| place(certificate, error.to_string(), "give the anchor's certificate as PEM"))?;
    let text = Zeroizing::new(reading::text(key)?);
    let key = PrivateKey::from_pem(&text).map_err(|error| {
        place(key, error.to_string(), error.help().unwrap_or("give the anchor's private key as PEM"))
    })?;
    if let Some(mind) = check::mind_anchor(&chain.issuer, mesh.control_plane.era) {
        let message = format!("`linkerd check` would refuse this trust anchor: it {mind}");
        return Err(place(certificate, message, ALLOWED_ANCHOR));
    }
    Ok(Authority { certificate: chain.issuer, key })
}

fn issuer_request(
    args: &cli::Start,
    mesh: &Mesh,
    anchor: &Certificate,
    at: Timestamp,
) -> Result<IssuerRequest, Failure> {
    let ControlPlane { namespace, trust_domain, era, .. } = &mesh.control_plane;
    let name = format!("identity.{namespace}.{trust_domain}");
    Ok(IssuerRequest {
        common_name: args.issuer_name.clone().unwrap_or_else(|| name.clone()),
        // Up to 2.9.0 the identity controller verifies the issuer for this DNS name.
        dns_names: if *era <= Era::V2_9 { vec![name] } else { Vec::new() },
        not_before: (at - BACKDATED).max(anchor.facts().not_before),
        not_after: end(args.issuer_lifetime, at, "--issuer-lifetime")?,
    })
}

fn end(lifetime: Lifetime, at: Timestamp, flag: &str) -> Result<Timestamp, Failure> {
    lifetime
        .after(at)
        .ok_or_else(|| Failure::new(format!("{flag} reaches past the end of time"), "choose a shorter one"))
}

/// Replacing the issuer alone needs no restart of the data plane, unless somebody asks for one.
const fn strategy(args: &cli::Start) -> Strategy {
    match args.strategy {
        None if args.issuer_only => Strategy::Patient,
        None | Some(cli::Strategy::Staged) => Strategy::Staged,
        Some(cli::Strategy::Patient) => Strategy::Patient,
    }
}

fn key_file(path: &Path, key: &PrivateKey, encoding: KeyEncoding) -> Result<NewFile, Failure> {
    Ok(NewFile { path: path.to_owned(), content: key.to_pem(encoding)?, private: true })
}

fn public(path: &Path, content: String) -> NewFile {
    NewFile { path: path.to_owned(), content: Zeroizing::new(content), private: false }
}

fn write(dir: &Path, files: &[NewFile], allow_plaintext_keys: bool) -> Result<(), Failure> {
    let gitignore = dir.join(".gitignore");
    let ours = !gitignore.exists();
    if ours {
        output::create(&[public(&gitignore, GITIGNORE.to_owned())], false)?;
    }
    output::create(files, allow_plaintext_keys).map_err(|error| {
        if ours {
            // Nothing of this start stays behind; a directory that holds anything else stays.
            let _ = fs::remove_file(&gitignore);
            let _ = fs::remove_dir(dir);
        }
        error.into()
    })
}
