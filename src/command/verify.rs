//! `verify`: is the step from what is there to what is proposed safe?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Failure, reading, rotation};
use crate::checkout::{self, Change, Open, Why};
use crate::cli::{self, VerifyFormat};
use crate::finding::{Finding, Severity};
use crate::mesh::{Mesh, MeshError};
use crate::report::verify::{self as report, Around, Format, Judged, OfRotation};
use crate::report::{Exit, Response, Screen};
use crate::rotation::{Record, RestartAnnotation, plan};
use crate::source::{Proposal, Sealed, SourceError, Unjudged};
use crate::verify::{
    Annotated, Verdict, Verification, control_plane_removed, controllers, declared_once, field_unreadable,
    not_rendered, not_understood, verify, without_effect,
};

/// Judges a proposal against the mesh that is read, or a checkout against one of its commits.
pub(super) fn run(args: &cli::Verify, input: &cli::Input, screen: &Screen) -> Result<Response, Failure> {
    let directed = |dir| rotation::directed(rotation::record(dir)?, args.rollback);
    let record = args.dir.as_deref().map(directed).transpose()?;
    let namespace = input.linkerd_namespace.as_deref();
    let accepts_annotated = args.accept_annotated;
    let dir = args.dir.as_deref();
    let judge = Judge { record, dir, screen, namespace, accepts_annotated, of_several: false };
    let judged = match &args.git_base {
        Some(revision) => judge.checkout(revision, input)?,
        None => {
            let (verification, around) = judge.laid_over(args, input)?;
            vec![Judged { unit: String::new(), verification, around }]
        }
    };
    let format = match args.output {
        VerifyFormat::Text => Format::Text,
        VerifyFormat::Json => Format::Json,
        VerifyFormat::Markdown => Format::Markdown,
        VerifyFormat::Github => Format::Github,
    };
    let verdicts = judged.iter().map(|one| one.verification.verdict);
    let exit = match verdicts.max_by_key(|verdict| verdict.rank()) {
        None | Some(Verdict::Safe | Verdict::NotAboutTrust) => Exit::Fine,
        Some(Verdict::SafeAfter(_) | Verdict::Unknown) => Exit::NotMet,
        Some(Verdict::Unsafe) => Exit::Refused,
    };
    Ok(Response { out: report::write(&judged, format, screen), exit, ..Response::default() })
}

/// A verdict, and what it is of.
type Of = (Verification, Option<Around>);

/// What every change is judged with.
struct Judge<'a> {
    record: Option<Record>,
    dir: Option<&'a Path>,
    screen: &'a Screen,
    namespace: Option<&'a str>,
    accepts_annotated: bool,
    /// Does the repository declare several clusters?
    of_several: bool,
}

impl Judge<'_> {
    /// The rotation with what cert-manager has made of it in this mesh; `None` where it is one of another cluster.
    fn record(&self, current: &Mesh) -> Option<Record> {
        let record = self.record.clone()?;
        let is_other = self.of_several && record.is_of(current) == Some(false);
        (!is_other).then(|| record.observed(current))
    }

    fn laid_over(&self, args: &cli::Verify, input: &cli::Input) -> Result<Of, Failure> {
        let stdin = Path::new("-");
        if input.filename.iter().any(|path| path == stdin) && args.proposed.iter().any(|path| path == stdin) {
            return Err(Failure::new(
                "standard input cannot be both what is there and what is proposed",
                "name a file for one of them",
            ));
        }
        let mut proposal = reading::proposal(&args.proposed, input.recursive)?;
        proposal.delete();
        let open = checkout::render_releases(&mut proposal).iter().map(not_understood).collect();
        let (current, known) = reading::mesh_beside(input)?;
        let unjudged = proposal.unrendered().over(&known, &current);
        let sealed = proposal.unrendered().laid_over(&known).sealed(&known, issuer_names(&current));
        self.between(&current, proposal.over(&current), &unjudged, sealed.as_ref(), open)
    }

    /// The changes of a checkout, cluster by cluster.
    fn checkout(self, revision: &str, input: &cli::Input) -> Result<Vec<Judged>, Failure> {
        let (paths, running) = sides(input)?;
        let request = checkout::Request {
            recursive: input.recursive || input.filename.is_empty(),
            excluded: input.exclude.clone(),
            paths,
        };
        let changes =
            reading::only(checkout::since(&request, revision)?, input.unit.as_deref(), |one| &one.name)?;
        let running = running.map(|input| reading::mesh(&input, true)).transpose()?;
        let meshes = changes.iter().filter(|one| one.is_mesh).count();
        if running.is_some() && meshes > 1 {
            let names = changes.iter().filter(|one| one.is_mesh).map(|one| one.name.as_str());
            return Err(reading::several(&names.collect::<Vec<_>>()));
        }
        let judge = Self { of_several: meshes > 1, ..self };
        let mut judged = Vec::new();
        for change in changes {
            let (unit, is_mesh) = (change.name.clone(), change.is_mesh);
            let (verification, around) = match &running {
                Some(running) => judge.against(running, change)?,
                None => judge.alone(change)?,
            };
            // What has nothing to do with a control plane is of no interest beside one.
            if is_mesh || meshes == 0 || verification.verdict != Verdict::NotAboutTrust {
                judged.push(Judged { unit, verification, around });
            }
        }
        Ok(judged)
    }

    /// A change, against what runs.
    fn against(&self, running: &Mesh, change: Change) -> Result<Of, Failure> {
        let before = change.before.unwrap_or_default();
        let after = change.after.unwrap_or_default();
        let unjudged = after.unrendered().since(before.unrendered(), Some(running));
        let sealed = after.unrendered().sealed(before.unrendered(), issuer_names(running));
        let is_broken = is_broken(&change.open);
        let mut open: Vec<Finding> =
            change.open.iter().map(not_understood).chain(change.traps.iter().map(without_effect)).collect();
        match after.since(&before).over(running) {
            Err(SourceError::Mesh(MeshError::NoControlPlane | MeshError::NotThere { .. })) => {
                // What cannot be built has not gone.
                open.extend((!is_broken).then(|| control_plane_removed(running)));
                Ok((Verification::without_mesh(open), Some(self.around(running))))
            }
            proposed => self.between(running, proposed, &unjudged, sealed.as_ref(), open),
        }
    }

    /// A change, against what the repository declared before it.
    fn alone(&self, change: Change) -> Result<Of, Failure> {
        let Change { name, before, after, open, traps, .. } = change;
        let is_broken = is_broken(&open);
        let open = open.iter().map(not_understood);
        let mut findings: Vec<Finding> = open.chain(traps.iter().map(without_effect)).collect();
        let [before, after] = [before, after].map(Option::unwrap_or_default);
        let unrendered = (before.unrendered().clone(), after.unrendered().clone());
        let unjudged = |current: Option<&Mesh>| unrendered.1.since(&unrendered.0, current);
        let sealed = |current: &Mesh| unrendered.1.sealed(&unrendered.0, issuer_names(current));
        let (old, new) = (self.declared(before)?, self.declared_or_why(after));
        match (old, new) {
            (Some(current), Ok(Some(proposed))) => {
                let (unjudged, sealed) = (unjudged(Some(&current)), sealed(&current));
                self.between(&current, Ok(proposed), &unjudged, sealed.as_ref(), findings)
            }
            (Some(current), Err(why)) => {
                self.between(&current, Err(why), &unjudged(Some(&current)), None, findings)
            }
            (old, Ok(new)) => {
                findings.retain(|one| one.severity != Severity::Warning);
                findings.extend(unjudged(None).iter().map(not_rendered));
                if (old.is_some() && !is_broken) || new.is_some() {
                    findings.push(declared_once(&name, old.is_some()));
                }
                Ok((Verification::without_mesh(findings), None))
            }
            (None, Err(why)) => Err(why.into()),
        }
    }

    /// The mesh that a side declares; `None` where it declares no control plane.
    fn declared(&self, side: Proposal) -> Result<Option<Mesh>, Failure> {
        Ok(self.declared_or_why(side)?)
    }

    fn declared_or_why(&self, side: Proposal) -> Result<Option<Mesh>, SourceError> {
        match side.whole(self.namespace) {
            Ok(mesh) => Ok(Some(mesh)),
            Err(SourceError::Mesh(MeshError::NoControlPlane)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn between(
        &self,
        current: &Mesh,
        proposed: Result<Mesh, SourceError>,
        unjudged: &[Unjudged],
        sealed: Option<&Sealed>,
        mut beside: Vec<Finding>,
    ) -> Result<Of, Failure> {
        let annotated = sealed.and_then(|sealed| Annotated::of(sealed, self.accepts_annotated));
        let made = proposed.as_ref().ok().and_then(|proposed| controllers(current, proposed, self.screen.at));
        let is_known = |one: &&Unjudged| {
            made.as_ref().is_some_and(|made| made.understand(one))
                || annotated.is_some_and(|annotated| proposed.is_ok() && annotated.is_of(one))
        };
        beside.extend(unjudged.iter().filter(|one| !is_known(one)).map(not_rendered));
        let proposed = match made {
            Some(made) => {
                beside.extend(made.findings);
                Ok(made.proposed)
            }
            None => proposed,
        };
        let verification = match proposed {
            Ok(proposed) => {
                let record = self.record(current);
                let steady = record.as_ref().map(|record| record.without_reissues(current));
                let (steady, at) = (steady.as_deref().unwrap_or(current), self.screen.at);
                match annotated {
                    Some(annotated) => annotated.verify(steady, &proposed, record.as_ref(), at, &beside),
                    None => verify(steady, &proposed, record.as_ref(), at, beside),
                }
            }
            Err(SourceError::Mesh(MeshError::Field(fault))) => match field_unreadable(&fault) {
                Some(finding) => Verification::unreadable(finding),
                None => return Err(SourceError::Mesh(MeshError::Field(fault)).into()),
            },
            Err(error) => return Err(error.into()),
        };
        Ok((verification, Some(self.around(current))))
    }

    /// What the verdict is of; a rotation of another mesh has no part in it.
    fn around(&self, current: &Mesh) -> Around {
        let rotation = self.record(current).zip(self.dir).and_then(|(record, dir)| {
            let restarts = RestartAnnotation::Content;
            let plan = plan(&record, current, restarts, &BTreeSet::new(), self.screen.at).ok()?;
            Some(OfRotation { dir: dir.to_owned(), record, plan })
        });
        Around { mesh: current.clone(), rotation }
    }
}

/// What the certificate of an issuer and its key are called.
fn issuer_names(mesh: &Mesh) -> [&'static str; 2] {
    let (certificate, key) = mesh.control_plane.scheme.keys();
    [certificate, key]
}

/// Does the change leave something that cannot be built?
fn is_broken(open: &[Open]) -> bool {
    open.iter().any(|one| matches!(one.why, Why::NotBuilt(_) | Why::NoKubectl))
}

/// The checkout's paths, and where what runs is read from, if it is not to be what the checkout declared before.
fn sides(input: &cli::Input) -> Result<(Vec<PathBuf>, Option<cli::Input>), Failure> {
    if input.filename.is_empty() {
        return Ok((vec![PathBuf::from(".")], Some(input.clone())));
    }
    let of_checkout = |path: &&PathBuf| *path != Path::new("-") && checkout::is_part_of_one(path);
    let (paths, others): (Vec<&PathBuf>, Vec<&PathBuf>) = input.filename.iter().partition(of_checkout);
    if paths.is_empty() {
        return Err(Failure::new(
            "--git-base compares files of a checkout, and -f names none",
            "name the checkout's directory with -f besides, as in -f . -R",
        ));
    }
    let others: Vec<PathBuf> = others.into_iter().cloned().collect();
    let running =
        (!others.is_empty()).then(|| cli::Input { filename: others, recursive: false, ..input.clone() });
    Ok((paths.into_iter().cloned().collect(), running))
}
