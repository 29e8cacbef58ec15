//! `--in`: a step as an edit of the files of a Git checkout.

use std::path::{Path, PathBuf};

use super::check::keys_found;
use super::gate::Passed;
use super::rotation::UnderWay;
use super::{Failure, reading};
use crate::check::Outcome;
use crate::checkout::{self, Repository};
use crate::cli;
use crate::document::ObjectRef;
use crate::edit::{
    self, EditError, Edited, EditedFile, Encryption, External, Holds, Left, Maker, Plain, Target,
};
use crate::mesh::{Injection, Mesh, Owner};
use crate::output::{self, Access, Replacement};
use crate::report::{
    Exit, Patch, Response, Screen, declared_places, edited, edited_already, found_places, git_commands,
    in_store, in_words, not_edited, not_in_repository, patch, shell_word,
};
use crate::rotation::{Change, Direction, PlannedStep};
use crate::seal::Sealer;
use crate::source::git;

/// Edits the files that a step changes.
pub(super) fn run(
    Passed { ready: steps, mut notes }: Passed<'_>,
    under_way: &UnderWay,
    directory: &Path,
    args: &cli::Editing,
    printing: &cli::Printing,
    input: &cli::Input,
    screen: &Screen,
) -> Result<Response, Failure> {
    let planned = one(&steps)?;
    let repository = open(directory, input)?;
    let seal = Some(printing.seal.as_deref());
    let version = args.store_version.as_deref();
    let Edited { files, left, external } = if args.target.is_empty() {
        let found = edit_of(planned, &repository, under_way, seal, version, input, screen)?;
        if version.is_some() && found.external.is_some() {
            return Err(Failure::new(
                "no version is pinned in this repository that --store-version could set",
                "leave it out: External Secrets takes the newest version, or the ExternalSecret pins one in another way",
            ));
        }
        found
    } else {
        let documents = super::render::documents(planned, &under_way.mesh, under_way, "", screen)?;
        edit::edit_files(&repository, &args.target, &documents)?
    };
    let elsewhere =
        external.map(|external| in_store_of(&external, planned, under_way, screen)).unwrap_or_default();
    refuse_unedited(planned, &files, &left, &elsewhere, under_way, screen)?;
    let uncommitted = git::changed(&repository.root(), "HEAD").unwrap_or_default();
    let dirty = files.iter().find(|file| uncommitted.contains(&file.name));
    if let Some(file) = dirty.filter(|_| !args.allow_dirty) {
        return Err(Failure::new(
            format!("{}: has changes that are not committed", file.place),
            "commit or stash them first, so that the step is a commit of its own; or say --allow-dirty",
        ));
    }
    write(&files, printing.allow_plaintext_keys)?;
    let keys: Vec<_> = files.iter().flat_map(EditedFile::plain_keys).collect();
    if let Outcome::Found(finding) = keys_found(&keys, &under_way.mesh).outcome {
        notes.push(in_words(&finding, screen));
    }
    let is_alone = uncommitted.iter().all(|name| files.iter().any(|file| file.name == *name));
    let mut out = edited(planned, &files, screen);
    out.push_str(&not_in_repository(&left, screen));
    out.push_str(&elsewhere);
    out.push_str(&git_commands(planned, directory, &files, is_alone));
    let rollback = if under_way.record.direction == Direction::Rollback { " --rollback" } else { "" };
    out.push_str(&format!(
        "  # when it is merged and has taken effect\n  kubectl l5d-rotate next --in {}{} --dir {}{rollback}{}\n",
        shell_word(&directory.display().to_string()),
        targets(args),
        shell_word(&under_way.dir.display().to_string()),
        reading::arguments(input)
    ));
    Ok(Response { out, notes, ..Response::default() })
}

/// The files that were named, for the next command.
pub(super) fn targets(args: &cli::Editing) -> String {
    let flag = |file: &PathBuf| format!(" --target {}", shell_word(&file.display().to_string()));
    args.target.iter().map(flag).collect()
}

/// Refuses a step of which the repository does not come to declare what counts, and one that it declares already.
fn refuse_unedited(
    planned: &PlannedStep,
    files: &[EditedFile],
    left: &[Left],
    elsewhere: &str,
    under_way: &UnderWay,
    screen: &Screen,
) -> Result<(), Failure> {
    let homes = [under_way.mesh.bundle_home(), under_way.mesh.issuer_secret()];
    // Of what cert-manager and trust-manager have to do with each other, one part alone is never committed.
    let is_managed = planned.changes.iter().any(|change| matches!(change, Change::Managed(_)));
    // What a store holds is no part of the repository.
    let is_in_store = |left: &Left| !elsewhere.is_empty() && left.object == under_way.mesh.issuer_secret();
    let stops = |left: &Left| {
        is_managed
            || left.is_trust
                && (left.why != edit::Why::NotDeclared || homes.contains(&left.object))
                && !is_in_store(left)
    };
    let message = if left.iter().any(stops) || (files.is_empty() && !left.is_empty()) {
        not_edited(planned, left, elsewhere, &under_way.dir, screen)
    } else if files.is_empty() {
        edited_already(planned, left, screen)
    } else {
        return Ok(());
    };
    Err(Failure::bare(message).exiting(Exit::NotMet))
}

/// What is to be done in the store that External Secrets takes the issuer from.
fn in_store_of(external: &External, planned: &PlannedStep, under_way: &UnderWay, screen: &Screen) -> String {
    let chain = planned.changes.iter().find_map(|change| match change {
        Change::Swap { chain, .. } => Some(chain),
        _ => None,
    });
    let Some(chain) = chain else { return String::new() };
    let certificate = under_way.dir.join(under_way.record.issuer_file(chain));
    let is_old = chain.issuer != under_way.record.issuer.issuer && under_way.issuer_key == under_way.own_key;
    let key = if is_old { Path::new("OLD-ISSUER-KEY") } else { &under_way.issuer_key };
    in_store(external, &certificate, key, screen)
}

fn write(files: &[EditedFile], allow_plaintext_keys: bool) -> Result<(), Failure> {
    let mut replacements = Vec::new();
    for file in files {
        let EditedFile { path, before, after, .. } = file;
        let access = if file.has_private_key() { Access::PrivateKey } else { Access::Public };
        let brings_key = file.brings_private_key();
        replacements.push(Replacement { path, before, after, access, brings_key });
    }
    Ok(output::replace(&replacements, allow_plaintext_keys)?)
}

/// Shows the edit of a step, and makes none.
pub(super) fn show(
    steps: &[&PlannedStep],
    directory: &Path,
    under_way: &UnderWay,
    input: &cli::Input,
    screen: &Screen,
) -> Result<Response, Failure> {
    let planned = one(steps)?;
    let repository = open(directory, input)?;
    let Edited { files, left, external } =
        edit_of(planned, &repository, under_way, None, None, input, screen)?;
    let Patch { text, hides_key } = patch(&files);
    let mut notes = Vec::new();
    if !left.is_empty() {
        let elsewhere = external.map(|external| in_store_of(&external, planned, under_way, screen));
        notes.push(not_edited(planned, &left, &elsewhere.unwrap_or_default(), &under_way.dir, screen));
    }
    if hides_key {
        notes.push(
            "the private key is hidden: `git apply` does not take this patch, `render --in` edits".to_owned(),
        );
    }
    let exit = if text.is_empty() { Exit::Fine } else { Exit::Findings };
    Ok(Response { out: text, notes, exit, ..Response::default() })
}

/// Where a checkout holds what a rotation of `mesh` replaces, in words.
pub(super) fn found(
    directory: &Path,
    mesh: &Mesh,
    issuer_only: bool,
    input: &cli::Input,
    screen: &Screen,
) -> Result<String, Failure> {
    let repository = open(directory, input)?;
    let target = Target::find(&repository, input.unit.as_deref())?;
    let bundle = mesh.trust.published.as_option().and_then(|published| published.readings().next().cloned());
    let bundle = bundle.map(|bundle| bundle.anchors().to_vec()).unwrap_or_default();
    let issuer: Vec<_> =
        mesh.secret_chain().map(|chain| chain.certificates().cloned().collect()).unwrap_or_default();
    let places = target.places(&bundle, &issuer);
    if !issuer_only && !places.iter().any(|place| place.holds == Holds::Bundle) {
        return Err(Failure::new(
            format!("{}: the trust bundle that is published is not found there", directory.display()),
            "name the repository that it is deployed from; without --in, each step is rendered as documents of its own, and says \
             where its change belongs",
        )
        .exiting(Exit::NotMet));
    }
    Ok(found_places(&places, screen))
}

/// Where a checkout declares the objects that a rotation changes, in words.
pub(super) fn found_objects(
    directory: &Path,
    objects: &[&ObjectRef],
    input: &cli::Input,
    screen: &Screen,
) -> Result<String, Failure> {
    let repository = open(directory, input)?;
    let target = Target::find(&repository, input.unit.as_deref())?;
    let mut places = Vec::new();
    for object in objects {
        let Some(place) = target.place_of(object) else {
            return Err(Failure::new(
                format!("{}: {object} is not declared there", directory.display()),
                "name the repository that it is deployed from; without --in, each step is rendered as documents of its own",
            )
            .exiting(Exit::NotMet));
        };
        places.push((*object, place));
    }
    Ok(declared_places(&places, screen))
}

fn one<'a>(steps: &[&'a PlannedStep]) -> Result<&'a PlannedStep, Failure> {
    match steps {
        [step] => Ok(step),
        [] => Err(Failure::new("no step is ready", "kubectl l5d-rotate plan shows what each waits for")),
        [first, ..] => Err(Failure::new(
            "a step is a commit of its own: --in edits one",
            format!("name it: --step {}", first.step.number()),
        )),
    }
}

fn open(directory: &Path, input: &cli::Input) -> Result<Repository, Failure> {
    if git::top_level(directory)?.is_none() {
        return Err(Failure::new(
            format!("{}: is in no Git work tree", directory.display()),
            "name a directory of the repository that the cluster is deployed from",
        ));
    }
    let request = checkout::Request {
        paths: vec![directory.to_owned()],
        recursive: true,
        excluded: input.exclude.clone(),
    };
    Ok(Repository::open(&request)?)
}

/// The cluster that is named, or the one of several that the rotation is of.
fn target<'a>(
    repository: &'a Repository,
    under_way: &UnderWay,
    input: &cli::Input,
) -> Result<Target<'a>, Failure> {
    let several = match Target::find(repository, input.unit.as_deref()) {
        Err(EditError::Several(names)) => names,
        found => return Ok(found?),
    };
    let filename = vec![repository.asked().to_owned()];
    let declared = cli::Input { filename, recursive: true, ..input.clone() };
    match reading::of_record(&declared, false, Some(&under_way.record)) {
        Ok(own) => Ok(Target::find(repository, Some(&own.unit))?),
        Err(_) => Err(EditError::Several(several).into()),
    }
}

/// The edit of a step; what is encrypted is sealed where `seal` is given, by the program that it may name.
fn edit_of(
    planned: &PlannedStep,
    repository: &Repository,
    under_way: &UnderWay,
    seal: Option<Option<&str>>,
    version: Option<&str>,
    input: &cli::Input,
    screen: &Screen,
) -> Result<Edited, Failure> {
    let target = target(repository, under_way, input)?;
    // What is rendered starts from what the repository declares, not from what the cluster has.
    let mesh = under_way.mesh.as_declared(target.documents());
    let documents = super::render::documents(planned, &mesh, under_way, "", screen)?;
    let control_plane = &under_way.mesh.control_plane;
    let maker = |object: &ObjectRef| {
        let Some(workload) = under_way.mesh.workloads.iter().find(|one| one.object == *object) else {
            return Maker::default();
        };
        let is_ours = workload.injection == Injection::ControlPlane;
        let chart_value = control_plane.pod_annotations(&object.name).filter(|_| is_ours);
        let release = workload.owners.iter().find_map(|owner| match owner {
            Owner::FluxHelmRelease { namespace, name } => Some([namespace.clone(), name.clone()]),
            _ => None,
        });
        Maker { chart_value: chart_value.map(|found| found.value), release }
    };
    let beside: Vec<_> = planned.changes.iter().flat_map(Change::beside).collect();
    let mut edited = target.edit(&documents, &beside, maker);
    if let Some(version) = version {
        target.pin_version(&mut edited, version);
    }
    let Some(named) = seal else { return Ok(edited) };
    for document in &documents {
        let Some(encryption) = target.encryption(document) else { continue };
        let sealer = Sealer::new(named.unwrap_or(match encryption {
            Encryption::Sops => "sops",
            Encryption::SealedSecret => "kubeseal",
        }));
        target.seal(&mut edited, document, |plain| match plain {
            Plain::Whole { path, secret, key } => sealer.whole(&secret, &key, Some(&path)),
            Plain::Value { owner, text } => sealer.value(&text, owner),
        })?;
    }
    Ok(edited)
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        let message = error.to_string();
        match error {
            EditError::Source(error) => error.into(),
            EditError::NoControlPlane { .. } => Self::new(
                message,
                "name the repository that the control plane is deployed from with --in, where it deploys to several clusters the \
                 one that is meant with --unit, and files of Terraform and the like with --target",
            ),
            EditError::NothingThere { .. } => {
                Self::new(message, "see with `kubectl l5d-rotate inspect FILE` which certificates it holds")
            }
            EditError::Several(names) => {
                reading::several(&names.iter().map(String::as_str).collect::<Vec<_>>())
            }
        }
    }
}
