//! `render`: the YAML of a phase, to standard output or into directories.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Failure;
use super::edit;
use super::gate::{self, Passed};
use super::rotation::UnderWay;
use super::{Environment, reading};
use crate::cli;
use crate::document::{ObjectRef, yaml};
use crate::finding::Instead;
use crate::mesh::Mesh;
use crate::output::{self, Access, MARK, NewFile};
use crate::pki::{Certificate, PrivateKey};
use crate::render::{self, Form, Rendered, masked};
use crate::report::{
    Exit, Keyed, Response, Screen, directory_notes, head_notes, into_repository, made_elsewhere, step_notes,
};
use crate::rotation::{Change, Direction, PlannedStep};
use crate::seal::Sealer;

/// Renders the steps that are ready.
pub(super) fn run(
    args: &cli::Render,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    let selection = &args.selection;
    let under_way = UnderWay::read(
        &selection.rotation,
        input,
        screen.at,
        args.printing.output == Form::Object,
        environment,
    )?
    .editing(&args.editing);
    let input = &under_way.input;
    let steps = under_way.selected(selection)?;
    let passed = gate::pass(&steps, selection.force, &under_way, &reading::arguments(input), screen)?;
    finished(passed, &under_way, &args.printing, &args.editing, input, screen, environment)
}

/// Edits the steps that were let through into a checkout, or shows them.
pub(super) fn finished(
    passed: Passed<'_>,
    under_way: &UnderWay,
    printing: &cli::Printing,
    editing: &cli::Editing,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    let mut passed = passed;
    passed.notes.extend(under_way.keep_learned()?);
    match &editing.checkout {
        Some(directory) => edit::run(passed, under_way, directory, editing, printing, input, screen),
        None => show(passed, under_way, printing, screen, environment),
    }
}

/// Prints or writes the steps that were let through.
fn show(
    passed: Passed<'_>,
    under_way: &UnderWay,
    printing: &cli::Printing,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    let form = printing.output;
    let Passed { mut ready, mut notes } = passed;
    let mut shown = Vec::new();
    let mut directories = Vec::new();
    let mut elsewhere = Vec::new();
    for planned in &ready {
        let mut documents = committed(planned, under_way, form, "FORCED", screen)?;
        if let Some(kind) = &printing.only {
            documents.retain(|document| document.object.kind.eq_ignore_ascii_case(kind));
        }
        if documents.is_empty() && !planned.changes.is_empty() {
            elsewhere.push(*planned);
            continue;
        }
        match &printing.out {
            Some(root) => {
                directories.push(directory(&under_way.below(root), planned, &documents, form, screen)?);
            }
            None => {
                let keys = match &printing.seal {
                    Some(command) => Keys::Sealed(Sealer::new(command)),
                    None if environment.terminal && !printing.show_keys => Keys::Hidden,
                    None => Keys::Shown,
                };
                shown.extend(stream(&documents, form, &keys, &mut notes)?);
            }
        }
    }
    if elsewhere.len() == ready.len() && !elsewhere.is_empty() {
        let message = made_elsewhere(&elsewhere, &under_way.dir, screen) + &into_repository(&under_way.dir);
        return Err(Failure::bare(message).exiting(Exit::NotMet));
    }
    notes.extend(elsewhere.iter().map(|planned| made_elsewhere(&[planned], &under_way.dir, screen)));
    ready.retain(|planned| !elsewhere.contains(planned));
    notes.extend(step_notes(&ready, &under_way.dir, screen));
    notes.extend(write(&directories, printing.allow_plaintext_keys)?);
    if shown.iter().any(|(_, has_key)| *has_key) {
        let keyed = shown.into_iter().map(|(text, _)| Keyed(text)).collect();
        return Ok(Response { keyed, notes, ..Response::default() });
    }
    let out = shown.iter().map(|(text, _)| text.as_str()).collect();
    Ok(Response { out, notes, ..Response::default() })
}

/// The documents of a step over a mesh's manifests, with what stands before it at the top of each head; the issuer's key is read
/// only for the step that needs it.
pub(super) fn documents(
    planned: &PlannedStep,
    mesh: &Mesh,
    under_way: &UnderWay,
    warning: &str,
    screen: &Screen,
) -> Result<Vec<Rendered>, Failure> {
    let swapped = planned.changes.iter().find_map(|change| match change {
        Change::Swap { chain, .. } => Some(&chain.issuer),
        _ => None,
    });
    let key = swapped.map(|issuer| issuer_key(under_way, issuer)).transpose()?;
    let documents = render::render(planned, mesh, &under_way.record, key.as_ref())?;
    Ok(with_notes(documents, planned, warning, screen))
}

/// The same documents, with what stands before the step at the top of each head.
fn with_notes(
    mut documents: Vec<Rendered>,
    planned: &PlannedStep,
    warning: &str,
    screen: &Screen,
) -> Vec<Rendered> {
    for document in &mut documents {
        let notes = head_notes(planned, &document.object, warning, &Screen::utc(screen.at));
        document.head.splice(0..0, notes.iter().map(|note| render::one_line(note)));
    }
    documents
}

/// The documents of a step as they are committed: what is rendered from a Flux HelmRelease is changed there, where a patch can do
/// it, and left out otherwise.
pub(super) fn committed(
    planned: &PlannedStep,
    under_way: &UnderWay,
    form: Form,
    warning: &str,
    screen: &Screen,
) -> Result<Vec<Rendered>, Failure> {
    if planned.is_made_elsewhere(&under_way.mesh) {
        return Ok(Vec::new());
    }
    let is_left = |object: &ObjectRef| planned.instead_of(object).is_some_and(Instead::leaves_no_patch);
    let mut documents = documents(planned, &under_way.mesh, under_way, warning, screen)?;
    documents.retain(|document| !is_left(&document.object));
    if form == Form::Patch {
        let releases = render::releases(planned, &under_way.mesh, &under_way.record);
        documents.extend(with_notes(releases, planned, warning, screen));
    }
    Ok(documents)
}

fn issuer_key(under_way: &UnderWay, issuer: &Certificate) -> Result<PrivateKey, Failure> {
    let is_new = *issuer == under_way.record.issuer.issuer;
    let rollback = under_way.record.direction == Direction::Rollback;
    // With --rollback the key that is given is the old issuer's; the rollback of `remove-cross` needs the new one's beside it.
    let path = if rollback && is_new && under_way.own_key.exists() {
        &under_way.own_key
    } else {
        &under_way.issuer_key
    };
    let (whose, help) = match under_way.record.direction {
        Direction::Rollback if !is_new => (
            "old",
            "give the private key of the issuer that was replaced with --issuer-key: it was in the issuer Secret before",
        ),
        _ => {
            ("new", "it stays out of Git: give the file that `start` wrote as issuer.key, with --issuer-key")
        }
    };
    if path != Path::new("-") && !path.exists() {
        let message = format!("{}: the {whose} issuer's private key is not there", path.display());
        return Err(Failure::new(message, help));
    }
    let text = Zeroizing::new(reading::text(path)?);
    let key = PrivateKey::from_pem(&text).map_err(|error| {
        Failure::new(
            format!("{}: {error}", path.display()),
            error.help().unwrap_or("give the issuer's private key as PEM"),
        )
    })?;
    if key.matches(issuer) {
        return Ok(key);
    }
    Err(Failure::new(
        format!("{}: is not the key of the rotation's {whose} issuer {}", path.display(), issuer.name()),
        help,
    ))
}

/// What becomes of private keys that are printed.
enum Keys {
    Shown,
    Hidden,
    Sealed(Sealer),
}

/// The documents of a step, and whether each shows a private key.
fn stream(
    documents: &[Rendered],
    form: Form,
    keys: &Keys,
    notes: &mut Vec<String>,
) -> Result<Vec<(Zeroizing<String>, bool)>, Failure> {
    let mut shown = Vec::new();
    for document in documents {
        match (&document.key, keys) {
            (Some(_), Keys::Hidden) => {
                let object = &document.object;
                notes.push(format!(
                    "{object}: the private key is hidden on a terminal; pipe the output, or say --show-keys"
                ));
                let tree = masked(&document.document(form)?);
                let text = yaml::write_stream(&[(document.head.clone(), tree)]);
                shown.push((Zeroizing::new(text), false));
            }
            // What is sealed is a whole object, whatever the others are.
            (Some(key), Keys::Sealed(sealer)) => {
                let sealed = sealer.whole(&document.written(Form::Object)?, &key.pem(), None)?;
                let begin = if sealed.starts_with("---") { "" } else { "---\n" };
                shown.push((Zeroizing::new(format!("{begin}{sealed}")), false));
            }
            (key, _) => shown.push((document.written(form)?, key.is_some())),
        }
    }
    Ok(shown)
}

/// A step's directory below `root`, and the files that it shall hold.
pub(super) fn directory(
    root: &Path,
    planned: &PlannedStep,
    documents: &[Rendered],
    form: Form,
    screen: &Screen,
) -> Result<(PathBuf, Vec<NewFile>), Failure> {
    let directory = root.join(planned.step.to_string());
    let notes = directory_notes(planned, &Screen::utc(screen.at));
    let mut files = render::directory(planned, documents, form, &notes)?;
    for namespace in output::directories_with(&directory, render::KUSTOMIZATION) {
        let kept = render::emptied(planned, &namespace, form);
        if files.iter().all(|file| file.path != kept.path) {
            files.push(kept);
        }
    }
    Ok((directory, files.into_iter().map(|file| new_file(root, file)).collect()))
}

/// A file of a step below `root`, with the mark by which it is known as ours.
pub(super) fn new_file(root: &Path, file: render::File) -> NewFile {
    let mut content = Zeroizing::new(String::with_capacity(MARK.len() + file.content.len()));
    content.push_str(MARK);
    content.push_str(&file.content);
    let access = if file.secret { Access::PrivateKey } else { Access::Public };
    NewFile { path: root.join(file.path), content, access }
}

/// Writes the directories of several steps, and says so.
pub(super) fn write(
    directories: &[(PathBuf, Vec<NewFile>)],
    allow_plaintext_keys: bool,
) -> Result<impl Iterator<Item = String>, Failure> {
    output::render_into(directories, allow_plaintext_keys)?;
    Ok(directories.iter().map(|(directory, _)| format!("wrote {}", directory.display())))
}
