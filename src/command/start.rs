//! `start`: mints certificates and keys, and writes the rotation directory.

mod managed;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::reading::{self, Read};
use super::{Failure, edit, rotation_dir};
use crate::check;
use crate::cli::{self, ANCHOR_LIFETIME, ISSUER_LIFETIME, Lifetime};
use crate::mesh::{ControlPlane, Era, Mesh};
use crate::output::{self, Access, Claim, NewFile};
use crate::pki::{
    AnchorRequest, Authority, Certificate, IssuerChain, IssuerRequest, KeyEncoding, PrivateKey, cross_sign,
    mint_anchor, mint_issuer, request_issuer,
};
use crate::report::{Again, Response, Screen, requested, started};
use crate::rotation::{self, CrossError, NewSigner, Record, Scope, Strategy, anchor_of_key};

/// How far certificates are backdated, for nodes whose clock lags.
const BACKDATED: SignedDuration = SignedDuration::from_mins(10);

fn backdated(at: Timestamp) -> Timestamp {
    at.checked_sub(BACKDATED).unwrap_or(Timestamp::MIN)
}

/// Git is told to leave keys alone before the first one is written.
const GITIGNORE: &str = "# Private keys stay out of Git.\n*.key\n";

/// What `linkerd check` allows, for an anchor that it does not.
const ALLOWED_ANCHOR: &str = "give an anchor with an ECDSA P-256 key and an ECDSA SHA-256 signature (since 2.12 also RSA with \
     2048 or 4096 bits and SHA-256), or let `start` mint one";

/// Begins a rotation.
pub(super) fn run(args: &cli::Start, input: &cli::Input, screen: &Screen) -> Result<Response, Failure> {
    let signed = args.issuer_cert.as_deref().map(|issuer| Signed {
        issuer,
        key: args.issuer_key.clone().unwrap_or_else(|| args.dir.join(rotation::ISSUER_KEY_FILE)),
    });
    let begin = Begin {
        dir: &args.dir,
        minting: &args.minting,
        issuer_only: args.issuer_only,
        strategy: strategy(args),
        old_anchor_key: args.old_anchor_key.as_deref(),
        checkout: None,
        signed,
    };
    begin.refuse_begun()?;
    let Read { mesh, checkout, .. } = reading::one(input, false)?;
    let checkout = args.checkout.as_deref().or(checkout.as_deref());
    if managed::is_meant(args, &mesh) {
        return managed::begin(args, &mesh, checkout, input, screen);
    }
    if args.csr {
        return request(&args.dir, &args.minting, &mesh, &reading::arguments(input), screen);
    }
    let found = args.checkout.as_deref();
    let found =
        found.map(|directory| edit::found(directory, &mesh, args.issuer_only, input, screen)).transpose()?;
    let response = Begin { checkout, ..begin }.write(&mesh, input, screen)?;
    let out = format!("{}{}", found.unwrap_or_default(), response.out);
    Ok(Response { out, ..response })
}

/// A rotation that is not begun: nothing of what is made for it is kept.
pub(super) fn imagined(mesh: &Mesh, strategy: Strategy, at: Timestamp) -> Result<Record, Failure> {
    if mesh.issuer_certificate().is_some() {
        return Ok(Record::managed(mesh, at, NewSigner::Beside)?);
    }
    let lifetime = |text: &str| text.parse::<Lifetime>().map_err(Failure::bare);
    let ControlPlane { namespace, trust_domain, .. } = &mesh.control_plane;
    let anchor = mint_anchor(&AnchorRequest {
        common_name: format!("root.{namespace}.{trust_domain}"),
        not_before: backdated(at),
        not_after: end(lifetime(ANCHOR_LIFETIME)?, at, "--anchor-lifetime")?,
    })?;
    let until = end(lifetime(ISSUER_LIFETIME)?, at, "--issuer-lifetime")?;
    let issuer = mint_issuer(&issuer_request(None, until, mesh, &anchor.certificate, at), &anchor)?;
    let chain = IssuerChain::alone(issuer.certificate);
    Ok(Record::new(mesh, at, strategy, Scope::Full { anchor: anchor.certificate }, chain, false)?)
}

/// A rotation to be begun.
pub(super) struct Begin<'a> {
    pub(super) dir: &'a Path,
    pub(super) minting: &'a cli::Minting,
    pub(super) issuer_only: bool,
    pub(super) strategy: Strategy,
    pub(super) old_anchor_key: Option<&'a Path>,
    /// The checkout whose files the steps will edit, where one is known.
    pub(super) checkout: Option<&'a Path>,
    /// Instead of one that is minted.
    pub(super) signed: Option<Signed<'a>>,
}

/// What reads and edits the same again; the work tree of `dir` matters where no checkout is edited.
fn again<'a>(input: &cli::Input, checkout: Option<&'a Path>, dir: &Path) -> Again<'a> {
    let work_tree = if checkout.is_none() { rotation_dir::work_tree(dir) } else { None };
    Again { arguments: reading::arguments(input), checkout, work_tree }
}

/// An issuer that was signed elsewhere.
pub(super) struct Signed<'a> {
    issuer: &'a Path,
    key: PathBuf,
}

/// What a rotation brings in, and the files with its keys.
struct Material {
    anchor: Certificate,
    issuer: IssuerChain,
    files: Vec<NewFile>,
}

impl Begin<'_> {
    /// Refuses a directory that holds anything but what a signing request left there.
    pub(super) fn refuse_begun(&self) -> Result<(), Failure> {
        let requested: &[&str] =
            if self.signed.is_some() { &[rotation::ISSUER_KEY_FILE, REQUEST] } else { &[] };
        refuse_begun(self.dir, requested)
    }

    /// Mints what is not given, and writes the rotation directory.
    pub(super) fn write(
        &self,
        mesh: &Mesh,
        input: &cli::Input,
        screen: &Screen,
    ) -> Result<Response, Failure> {
        let (Self { dir, minting, .. }, at) = (self, screen.at);
        let encoding =
            if mesh.control_plane.era.needs_sec1_key() { KeyEncoding::Sec1 } else { KeyEncoding::Pkcs8 };
        let material = match &self.signed {
            Some(signed) => self.given(signed, mesh, encoding)?,
            None => self.minted(mesh, at, encoding)?,
        };
        let Material { anchor, issuer, mut files } = material;
        let minted_anchor = self.signed.is_none() && minting.anchor.is_none();
        let record = self.record(mesh, at, &anchor, issuer)?;
        // rotation.yaml comes last in the record's files: a directory without it is not a rotation yet.
        files.extend(record.to_files().into_iter().map(|(name, content)| public(&dir.join(name), content)));
        write(dir, &files, minting.allow_plaintext_keys)?;
        let again = again(input, self.checkout, dir);
        let out = started(&record, dir, minted_anchor, &again, screen);
        let not_after = record.issuer.issuer.facts().not_after;
        // Certificates are valid to the second.
        let asked = end(minting.issuer_lifetime, at, "--issuer-lifetime")?;
        let capped = self.signed.is_none() && not_after.as_second() < asked.as_second();
        let notes = capped.then(|| {
            format!(
                "the issuer expires with its anchor, {}: sooner than --issuer-lifetime asks",
                screen.when(not_after)
            )
        });
        Ok(Response { out, notes: notes.into_iter().collect(), ..Response::default() })
    }

    fn minted(&self, mesh: &Mesh, at: Timestamp, encoding: KeyEncoding) -> Result<Material, Failure> {
        let (dir, minting) = (self.dir, self.minting);
        if self.issuer_only && minting.anchor.is_none() {
            return Err(Failure::new(
                "--issuer-only needs the present anchor, or an issuer that was signed with its key",
                "give --anchor and --anchor-key, or --issuer-cert",
            ));
        }
        let anchor = anchor(minting, mesh, at)?;
        let until = end(minting.issuer_lifetime, at, "--issuer-lifetime")?;
        let name = minting.issuer_name.as_deref();
        let issuer = mint_issuer(&issuer_request(name, until, mesh, &anchor.certificate, at), &anchor)?;
        let mut files = vec![key_file(&dir.join(rotation::ISSUER_KEY_FILE), &issuer.key, encoding)?];
        if minting.anchor.is_none() {
            files.push(key_file(&dir.join(rotation::ANCHOR_KEY_FILE), &anchor.key, encoding)?);
        }
        let issuer = IssuerChain::alone(issuer.certificate);
        Ok(Material { anchor: anchor.certificate, issuer, files })
    }

    /// What was signed elsewhere: the record judges whether its anchor accepts it.
    fn given(&self, signed: &Signed<'_>, mesh: &Mesh, encoding: KeyEncoding) -> Result<Material, Failure> {
        let place = signed.issuer.display();
        let issuer = IssuerChain::from_pem(&reading::text(signed.issuer)?).map_err(|error| {
            Failure::new(
                format!("{place}: {error}"),
                "give the issuer's certificate as PEM, its intermediates behind it",
            )
        })?;
        if let Some(mind) = check::issuer_fault(&issuer.issuer, mesh.control_plane.era) {
            let message = format!("{place}: `linkerd check` would refuse this issuer: it {mind}");
            return Err(Failure::new(
                message,
                "have one signed with an ECDSA P-256 key, as --csr asks for it",
            ));
        }
        let key = private_key(&signed.key, "the issuer's")?;
        if !key.matches(&issuer.issuer) {
            return Err(Failure::new(
                format!("{}: is not the key of the issuer in {place}", signed.key.display()),
                "give the key that its signing request was made with, with --issuer-key",
            ));
        }
        let own = self.dir.join(rotation::ISSUER_KEY_FILE);
        let files = if own.exists() { Vec::new() } else { vec![key_file(&own, &key, encoding)?] };
        let anchor = match &self.minting.anchor {
            Some(path) => known_anchor(path, mesh)?,
            // Which of the published ones it is, is for the record to say.
            None if self.issuer_only => issuer.issuer.clone(),
            None => {
                return Err(Failure::new(
                    "the anchor that signed the issuer is not given",
                    "give its certificate with --anchor, or say --issuer-only where it is published already",
                ));
            }
        };
        Ok(Material { anchor, issuer, files })
    }

    fn record(
        &self,
        mesh: &Mesh,
        at: Timestamp,
        anchor: &Certificate,
        chain: IssuerChain,
    ) -> Result<Record, Failure> {
        match (self.strategy, self.old_anchor_key) {
            (Strategy::CrossSigned, Some(key)) => cross_signed(mesh, at, anchor, chain, key),
            (Strategy::CrossSigned, None) => Err(Failure::new(
                "--strategy cross-signed needs the present anchor's key",
                "give it with --old-anchor-key",
            )),
            (strategy, _) => {
                let anchor = anchor.clone();
                let scope = if self.issuer_only { Scope::IssuerOnly } else { Scope::Full { anchor } };
                Ok(Record::new(mesh, at, strategy, scope, chain, self.minting.allow_managed)?)
            }
        }
    }
}

/// What a signing request is written as.
const REQUEST: &str = "issuer.csr";

/// Writes a key and a signing request, and says what is to be signed.
fn request(
    dir: &Path,
    minting: &cli::Minting,
    mesh: &Mesh,
    arguments: &str,
    screen: &Screen,
) -> Result<Response, Failure> {
    let ControlPlane { namespace, trust_domain, era, .. } = &mesh.control_plane;
    let name = format!("identity.{namespace}.{trust_domain}");
    let common_name = minting.issuer_name.clone().unwrap_or_else(|| name.clone());
    let dns_names = if *era <= Era::V2_9 { vec![name] } else { Vec::new() };
    let key = PrivateKey::generate()?;
    let request = request_issuer(&common_name, &dns_names, &key)?;
    let encoding = if era.needs_sec1_key() { KeyEncoding::Sec1 } else { KeyEncoding::Pkcs8 };
    let files = [
        key_file(&dir.join(rotation::ISSUER_KEY_FILE), &key, encoding)?,
        public(&dir.join(REQUEST), request),
    ];
    write(dir, &files, minting.allow_plaintext_keys)?;
    let until = end(minting.issuer_lifetime, screen.at, "--issuer-lifetime")?;
    Ok(Response::fine(requested(dir, &common_name, &dns_names, until, arguments, screen)))
}

fn refuse_begun(dir: &Path, requested: &[&str]) -> Result<(), Failure> {
    let name = dir.display();
    Claim::refuse_held(dir)?;
    if dir.join(rotation::RECORD_FILE).exists() {
        return Err(Failure::new(
            format!("{name}: a rotation was started here already"),
            format!(
                "continue with `kubectl l5d-rotate status --dir {name}`, or start another in another directory"
            ),
        ));
    }
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::new(format!("{name}: {error}"), "name a directory that can be created")),
        Ok(entries) => match entries.flatten().find(|entry| {
            let name = entry.file_name();
            name != ".gitignore" && !requested.iter().any(|known| name == *known)
        }) {
            None => Ok(()),
            Some(entry) => Err(Failure::new(
                format!(
                    "{name}: holds {} already, and no {}",
                    entry.file_name().display(),
                    rotation::RECORD_FILE
                ),
                "name an empty or new directory, or with --issuer-cert the one that --csr has written; what an interrupted start \
                 left behind may be deleted",
            )),
        },
    }
}

fn anchor(args: &cli::Minting, mesh: &Mesh, at: Timestamp) -> Result<Authority, Failure> {
    let Some(path) = &args.anchor else {
        let ControlPlane { namespace, trust_domain, .. } = &mesh.control_plane;
        let common_name =
            args.anchor_name.clone().unwrap_or_else(|| format!("root.{namespace}.{trust_domain}"));
        let not_after = end(args.anchor_lifetime, at, "--anchor-lifetime")?;
        return Ok(mint_anchor(&AnchorRequest { common_name, not_before: backdated(at), not_after })?);
    };
    let Some(key) = &args.anchor_key else {
        return Err(Failure::new(
            "--anchor without its key signs no issuer",
            "give --anchor-key, or with --issuer-cert an issuer that was signed elsewhere",
        ));
    };
    let certificate = known_anchor(path, mesh)?;
    Ok(Authority { certificate, key: private_key(key, "the anchor's")? })
}

/// The certificate that `--anchor` names, where `linkerd check` allows it.
fn known_anchor(path: &Path, mesh: &Mesh) -> Result<Certificate, Failure> {
    let given = anchor_file(path)?;
    match check::anchor_fault(&given, mesh.control_plane.era) {
        None => Ok(given),
        Some(mind) => {
            let place = path.display();
            let message = format!("{place}: `linkerd check` would refuse this trust anchor: it {mind}");
            Err(Failure::new(message, ALLOWED_ANCHOR))
        }
    }
}

/// The certificate that `--anchor` names.
pub(super) fn anchor_file(path: &Path) -> Result<Certificate, Failure> {
    let chain = IssuerChain::from_pem(&reading::text(path)?).map_err(|error| {
        Failure::new(format!("{}: {error}", path.display()), "give the anchor's certificate as PEM")
    })?;
    Ok(chain.issuer)
}

fn private_key(path: &Path, whose: &str) -> Result<PrivateKey, Failure> {
    let text = Zeroizing::new(reading::text(path)?);
    PrivateKey::from_pem(&text).map_err(|error| {
        let help = error.help().map_or_else(|| format!("give {whose} private key as PEM"), str::to_owned);
        Failure::new(format!("{}: {error}", path.display()), help)
    })
}

/// Signs the new anchor once more, with the key of the published one.
fn cross_signed(
    mesh: &Mesh,
    at: Timestamp,
    anchor: &Certificate,
    issuer: IssuerChain,
    old_key: &Path,
) -> Result<Record, Failure> {
    let key = private_key(old_key, "the anchor's")?;
    let place = |error: CrossError| match error {
        CrossError::KeyOfNone { .. } => Failure::new(format!("{}: {error}", old_key.display()), error.help()),
        error => error.into(),
    };
    let old = Authority { certificate: anchor_of_key(mesh, &key).map_err(place)?, key };
    let begin = backdated(at).max(old.certificate.facts().not_before).max(anchor.facts().not_before);
    let cross = cross_sign(anchor, &old, begin)?;
    Ok(Record::cross_signed(mesh, at, anchor.clone(), issuer, cross)?)
}

fn issuer_request(
    common_name: Option<&str>,
    not_after: Timestamp,
    mesh: &Mesh,
    anchor: &Certificate,
    at: Timestamp,
) -> IssuerRequest {
    let ControlPlane { namespace, trust_domain, era, .. } = &mesh.control_plane;
    let name = format!("identity.{namespace}.{trust_domain}");
    IssuerRequest {
        common_name: common_name.unwrap_or(&name).to_owned(),
        // Up to 2.9.0 the identity controller verifies the issuer for this DNS name.
        dns_names: if *era <= Era::V2_9 { vec![name] } else { Vec::new() },
        not_before: backdated(at).max(anchor.facts().not_before),
        not_after,
    }
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
        None if args.old_anchor_key.is_some() => Strategy::CrossSigned,
        None => Strategy::Staged,
        Some(strategy) => strategy,
    }
}

fn key_file(path: &Path, key: &PrivateKey, encoding: KeyEncoding) -> Result<NewFile, Failure> {
    Ok(NewFile { path: path.to_owned(), content: key.to_pem(encoding)?, access: Access::PrivateKey })
}

fn public(path: &Path, content: String) -> NewFile {
    NewFile { path: path.to_owned(), content: Zeroizing::new(content), access: Access::Public }
}

fn write(dir: &Path, files: &[NewFile], allow_plaintext_keys: bool) -> Result<(), Failure> {
    let claim = Claim::of(dir)?;
    let gitignore = dir.join(".gitignore");
    let ours = !gitignore.exists();
    let ignoring = if ours { vec![public(&gitignore, GITIGNORE.to_owned())] } else { Vec::new() };
    let written = output::create(&ignoring, false).and_then(|()| output::create(files, allow_plaintext_keys));
    if written.is_err() && ours {
        // Nothing of this start stays behind; a directory that holds anything else stays.
        let _ = fs::remove_file(&gitignore);
        drop(claim);
        let _ = fs::remove_dir(dir);
    }
    Ok(written?)
}
