//! Whether Git would take a private key.

use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use super::write::directory_of;
use super::{Access, NewFile, OutputError};
use crate::process::git;

pub(super) fn refuse_plaintext_keys(files: &[NewFile], allow: bool) -> Result<(), OutputError> {
    let is_key = |file: &&NewFile| file.access == Access::PrivateKey && !allow;
    files.iter().filter(is_key).try_for_each(|file| refuse_plaintext_key(&file.path))
}

/// Refuses a file with a private key that Git would take.
pub(super) fn refuse_plaintext_key(path: &Path) -> Result<(), OutputError> {
    match path {
        path if !would_take(path) => Ok(()),
        path if is_tracked(path) => Err(OutputError::TrackedKey(path.to_owned())),
        path => Err(OutputError::PlaintextKey(path.to_owned())),
    }
}

/// Is the file in the index of the repository that its directory is part of?
fn is_tracked(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let mut git = git(directory_of(path));
    git.env("GIT_LITERAL_PATHSPECS", "1").args(["ls-files", "--error-unmatch", "--"]).arg(name);
    git.stdout(Stdio::null()).stderr(Stdio::null());
    git.status().is_ok_and(|status| status.success())
}

/// Is the path inside a Git work tree, and not ignored there? Where Git cannot be asked, the answer is yes.
///
/// The work trees are that of the directory itself, and those in which a `git add` typed here would end: a repository's
/// `core.worktree`, or the user's `GIT_DIR`, may lay one over any directory.
pub(super) fn would_take(path: &Path) -> bool {
    let path = match path.file_name() {
        // A link with the file's name is replaced, not followed.
        Some(name) => real(directory_of(path)).join(name),
        None => real(path),
    };
    let Some(standing) = path.ancestors().skip(1).find(|directory| directory.is_dir()) else { return true };
    let by_itself = path.ancestors().skip(1).any(|directory| directory.join(".git").exists());
    if by_itself && !ignores(git(standing), &path) {
        return true;
    }
    let asked: [fn(&Path) -> Command; 2] = [git, as_the_user];
    let places = [standing, Path::new(".")];
    asked.iter().any(|git| {
        let takes = |place: &Path| has(git(place), &path) && !ignores(git(place), &path);
        places.into_iter().any(takes)
    })
}

/// git as the user's own shell starts it.
fn as_the_user(directory: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory).stdin(Stdio::null());
    git
}

/// Is the path in the work tree that this git sees?
fn has(mut git: Command, path: &Path) -> bool {
    let output = git.args(["rev-parse", "--show-toplevel"]).stderr(Stdio::null()).output();
    let Some(said) = output.ok().filter(|output| output.status.success()) else { return false };
    let top = path_of(said.stdout.strip_suffix(b"\n").unwrap_or(&said.stdout));
    !top.as_os_str().is_empty() && path.starts_with(real(&top))
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn ignores(mut git: Command, path: &Path) -> bool {
    git.args(["check-ignore", "--quiet", "--"]).arg(path);
    git.stdout(Stdio::null()).stderr(Stdio::null());
    git.status().is_ok_and(|status| status.success())
}

/// The path without symlinks, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut real = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                real.pop();
            }
            part => real.push(part),
        }
        if !matches!(part, Component::Prefix(_))
            && let Ok(canonical) = real.canonicalize()
        {
            real = canonical;
        }
    }
    real
}
