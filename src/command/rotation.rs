//! The rotation that is meant, read and planned over the mesh.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::reading::{self, Read};
use super::rotation_dir::Asked;
use super::{Environment, Failure};
use crate::cli;
use crate::mesh::Mesh;
use crate::output::{self, Access, NewFile, Replacement};
use crate::report;
use crate::rotation::{self, Direction, ISSUER_KEY_FILE, Plan, PlannedStep, Record, Restarts, Scope};

/// A rotation, the mesh it is for, and what is left to do.
pub(super) struct UnderWay {
    pub(super) dir: PathBuf,
    pub(super) record: Record,
    pub(super) mesh: Mesh,
    /// Where that is read from: of several clusters, the one that the rotation is of.
    pub(super) input: cli::Input,
    pub(super) plan: Plan,
    /// The checkout whose files its steps edit: the one that the mesh is read from, or that of `--in`.
    pub(super) checkout: Option<PathBuf>,
    pub(super) issuer_key: PathBuf,
    /// Where `start` wrote the new issuer's key.
    pub(super) own_key: PathBuf,
    /// Does the mesh show what cert-manager has made meanwhile, which the record does not hold yet?
    has_learned: bool,
}

impl UnderWay {
    /// Reads the record and the mesh, and plans.
    pub(super) fn read(
        args: &cli::Rotation,
        input: &cli::Input,
        at: Timestamp,
        keep_workloads: bool,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let asked = Asked::of(args.dir.as_deref(), environment)?;
        let restarts = Restarts { annotation: args.restart_annotation, on_request: args.restart_data_plane };
        // What is wrong with a directory that is named is said before anything is read.
        let early = asked.alone().map(record).transpose()?;
        let Read { unit, mesh, checkout, .. } = reading::of_record(input, keep_workloads, early.as_ref())?;
        let input = reading::of_unit(input, &unit);
        let dir = asked.over(&mesh, at)?;
        let kept = directed(early.map_or_else(|| record(&dir), Ok)?, args.rollback)?;
        let record = kept.clone().observed(&mesh);
        let has_learned = record.managed != kept.managed || record.scope != kept.scope;
        let plan = rotation::plan(&record, &mesh, restarts, &args.confirm.iter().copied().collect(), at)?;
        let own_key = dir.join(ISSUER_KEY_FILE);
        let issuer_key = args.issuer_key.clone().unwrap_or_else(|| own_key.clone());
        Ok(Self { dir, record, mesh, input, plan, issuer_key, own_key, checkout, has_learned })
    }

    /// Keeps what cert-manager has made since the record was written; what is to be said of it.
    pub(super) fn keep_learned(&self) -> Result<Option<String>, Failure> {
        if !self.has_learned {
            return Ok(None);
        }
        let place = self.dir.join(rotation::RECORD_FILE);
        let before = reading::file(&place)
            .map_err(|error| Failure::new(format!("{}: {error}", place.display()), "restore it from Git"))?;
        let forward = Record { direction: Direction::Forward, ..self.record.clone() };
        let mut after = String::new();
        let mut files = Vec::new();
        for (name, content) in forward.to_files() {
            let path = self.dir.join(name);
            if name == rotation::RECORD_FILE {
                after = content;
            } else if !path.exists() {
                let content = Zeroizing::new(content);
                files.push(NewFile { path, content, access: Access::Public });
            }
        }
        output::create(&files, false)?;
        let access = Access::Public;
        let record = Replacement { path: &place, before: &before, after: &after, access, brings_key: false };
        output::replace(&[record], false)?;
        let name = self.record.anchor().map(|anchor| anchor.fingerprint().short()).unwrap_or_default();
        Ok(Some(if files.is_empty() {
            format!("{} tells now which anchor signs the issuer; commit that with the step", place.display())
        } else {
            format!(
                "cert-manager has minted the new trust anchor {name}: {} holds it now; commit that with the step",
                self.dir.display()
            )
        }))
    }

    /// As it is shown.
    pub(super) fn shown(&self) -> report::UnderWay<'_> {
        report::UnderWay {
            dir: &self.dir,
            record: &self.record,
            plan: &self.plan,
            checkout: self.checkout.as_deref(),
        }
    }

    /// The same, whose steps are edited into the files of this checkout, where one is named.
    pub(super) fn editing(self, editing: &cli::Editing) -> Self {
        Self { checkout: editing.checkout.clone().or(self.checkout), ..self }
    }

    /// Where the directories of its steps are written: a rollback has a place of its own.
    pub(super) fn below(&self, root: &Path) -> PathBuf {
        match self.record.direction {
            Direction::Forward => root.to_owned(),
            Direction::Rollback => root.join("rollback"),
        }
    }

    /// The steps that a selection names, in order.
    pub(super) fn selected(&self, selection: &cli::Selection) -> Result<Vec<&PlannedStep>, Failure> {
        let phase = selection.phase;
        let wanted =
            |planned: &&PlannedStep| selection.step.is_none_or(|number| planned.step.number() == number);
        let steps: Vec<_> = self.plan.phase(phase).filter(wanted).collect();
        if steps.is_empty() {
            return Err(Failure::new(
                format!(
                    "{}: this rotation has no phase {phase}{}: its strategy is {}",
                    self.dir.display(),
                    selection.step.map_or_else(String::new, |number| format!(" with a step {number}")),
                    match self.record.scope {
                        Scope::Full { .. } | Scope::Awaited => self.record.strategy.to_string(),
                        Scope::IssuerOnly =>
                            format!("{}, and it replaces the issuer only", self.record.strategy),
                    }
                ),
                format!("kubectl l5d-rotate plan --dir {} lists its steps", self.dir.display()),
            ));
        }
        Ok(steps)
    }
}

/// The record in the direction that was asked for.
pub(super) fn directed(record: Record, rollback: bool) -> Result<Record, Failure> {
    if rollback {
        record.rolled_back().map_err(|error| Failure::new(error.to_string(), error.help()))
    } else {
        Ok(record)
    }
}

/// The record in a rotation directory.
pub(super) fn record(dir: &Path) -> Result<Record, Failure> {
    let name = dir.display();
    if !dir.is_dir() {
        return Err(Failure::new(
            format!("{name}: there is no such directory"),
            format!("begin a rotation with `kubectl l5d-rotate start --dir {name}`"),
        ));
    }
    let place = |error: rotation::RecordError| {
        let help = error.help().to_owned();
        Failure::new(format!("{name}: {error}"), help)
    };
    let unreadable = RefCell::new(None);
    let record = Record::from_files(|file| {
        let text = reading::file(&dir.join(file));
        text.map_err(|error| unreadable.replace(Some((file.to_owned(), error)))).ok()
    });
    match unreadable.into_inner() {
        Some((file, error)) if error.kind() != io::ErrorKind::NotFound => Err(Failure::new(
            format!("{}: {error}", dir.join(file).display()),
            "see that it is a text file that this user may read, or restore it from Git",
        )),
        _ => record.map_err(place),
    }
}
