//! Which rotation is meant where `--dir` does not say it: that of the environment, or the one in the Git work tree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Environment, Failure, rotation};
use crate::mesh::Mesh;
use crate::report::shell_word;
use crate::rotation::{RECORD_FILE, RestartAnnotation, Standing, plan};
use crate::source::git;

/// What is known of the rotation before the mesh is read.
pub(super) enum Asked {
    /// By the command line or the environment.
    Named(PathBuf),
    /// By nobody; these are in the work tree.
    Found(Vec<PathBuf>),
}

impl Asked {
    /// What the command line, then the environment, then the work tree of the current directory say.
    pub(super) fn of(named: Option<&Path>, environment: &Environment) -> Result<Self, Failure> {
        match (named, environment.rotation_dir.as_deref()) {
            (Some(dir), _) => Ok(Self::Named(dir.to_owned())),
            // Set, and empty: nothing is looked for.
            (None, Some(dir)) if dir.as_os_str().is_empty() => Ok(Self::Found(Vec::new())),
            (None, Some(dir)) => Ok(Self::Named(dir.to_owned())),
            (None, None) => Ok(Self::Found(in_work_tree()?)),
        }
    }

    /// The directory by itself, where it is named or there is no other.
    pub(super) fn alone(&self) -> Option<&Path> {
        match self {
            Self::Named(dir) => Some(dir),
            Self::Found(found) => match found.as_slice() {
                [one] => Some(one),
                _ => None,
            },
        }
    }

    /// The directory that `status` shows: nothing keeps it from showing the mesh.
    pub(super) fn of_status(&self, mesh: &Mesh, at: Timestamp) -> Option<PathBuf> {
        match self {
            Self::Named(dir) => Some(dir.clone()),
            Self::Found(_) => {
                let dir = self.over(mesh, at).ok()?;
                is_unfinished(&dir, mesh, at).then_some(dir)
            }
        }
    }

    /// The directory: of several, the only one whose rotation is of this mesh and not finished.
    pub(super) fn over(&self, mesh: &Mesh, at: Timestamp) -> Result<PathBuf, Failure> {
        let found = match (self, self.alone()) {
            (_, Some(one)) => return Ok(one.to_owned()),
            (Self::Found(found), None) => found,
            (Self::Named(dir), None) => return Ok(dir.clone()),
        };
        if found.is_empty() {
            return Err(Failure::new(
                "which rotation is not said, and there is none in this Git work tree",
                "name its directory with --dir or in L5D_ROTATE_DIR, or begin one: kubectl l5d-rotate start --dir rotation",
            ));
        }
        let unfinished: Vec<&PathBuf> = found.iter().filter(|dir| is_unfinished(dir, mesh, at)).collect();
        match unfinished.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(ambiguous("no rotation in this Git work tree is of this mesh and unfinished", found)),
            _ => Err(ambiguous("there are several rotations in this Git work tree", found)),
        }
    }
}

fn ambiguous(message: &str, found: &[PathBuf]) -> Failure {
    let flags: Vec<_> =
        found.iter().map(|dir| format!("--dir {}", shell_word(&dir.display().to_string()))).collect();
    Failure::new(message, format!("name the one that is meant: {}", flags.join(", ")))
}

fn is_unfinished(dir: &Path, mesh: &Mesh, at: Timestamp) -> bool {
    let Ok(record) = rotation::record(dir) else { return false };
    let record = record.observed(mesh);
    let planned = plan(&record, mesh, RestartAnnotation::Content, &BTreeSet::new(), at);
    planned.is_ok_and(|plan| plan.standing != Standing::Finished)
}

/// The work tree that a rotation directory is committed to; `None` where it is in none, or ignored there.
pub(super) fn work_tree(dir: &Path) -> Option<PathBuf> {
    let root = git::top_level(dir).ok()??.canonicalize().ok()?;
    let record = dir.join(RECORD_FILE).canonicalize().ok()?;
    let name = record.strip_prefix(&root).ok()?.to_str()?.to_owned();
    if !git::untracked(&root).ok()?.contains(&name) {
        return None;
    }
    let is_here = std::env::current_dir().and_then(|here| here.canonicalize()).is_ok_and(|here| here == root);
    Some(if is_here { PathBuf::from(".") } else { root })
}

/// The rotation directories of the work tree that the current directory is in, the paths from there where they are below it.
fn in_work_tree() -> Result<Vec<PathBuf>, Failure> {
    let here = Path::new(".");
    let Some(root) = git::top_level(here)? else { return Ok(Vec::new()) };
    let current = std::env::current_dir().and_then(|current| current.canonicalize()).unwrap_or_default();
    let names = git::tracked(&root)?.into_keys().chain(git::untracked(&root)?);
    let mut found = BTreeSet::new();
    for name in names {
        let path = root.join(&name);
        if path.file_name().is_none_or(|file| file != RECORD_FILE) || !path.is_file() {
            continue;
        }
        let Some(dir) = path.parent() else { continue };
        let dir = dir.strip_prefix(&current).unwrap_or(dir);
        let dir = if dir.as_os_str().is_empty() { here } else { dir };
        // Other programs have files of this name.
        if rotation::record(dir).is_ok() {
            found.insert(dir.to_owned());
        }
    }
    Ok(found.into_iter().collect())
}
