//! The user's Git repository, which is only read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::SourceError;
use crate::process;

/// What a name in a tree is; submodules are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A file.
    File,
    /// A symbolic link.
    Link,
}

impl Mode {
    fn of(mode: &str) -> Option<Self> {
        match mode {
            "120000" => Some(Self::Link),
            mode if mode.starts_with("100") => Some(Self::File),
            _ => None,
        }
    }
}

/// The root of the working tree that a path is part of; `None` where it is part of none, or `git` is not there.
///
/// # Errors
/// When `git` could not be started.
pub fn top_level(path: &Path) -> Result<Option<PathBuf>, SourceError> {
    match run(path, &["rev-parse", "--show-toplevel"]) {
        Ok(name) => {
            let name = String::from_utf8_lossy(&name);
            Ok(Some(PathBuf::from(name.trim_end_matches(['\n', '\r'])))
                .filter(|root| !root.as_os_str().is_empty()))
        }
        Err(SourceError::NoGit | SourceError::Git { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The full name of the commit that the user calls `revision`.
///
/// # Errors
/// When `git` is not there, the path is in no work tree, or the revision is unknown.
pub fn commit(path: &Path, revision: &str) -> Result<String, SourceError> {
    let commit = format!("{revision}^{{commit}}");
    let name = run(path, &["rev-parse", "--quiet", "--verify", "--end-of-options", &commit]);
    let name = name.map_err(|error| match error {
        SourceError::Git { place, said } if said.is_empty() => {
            SourceError::GitRevision { place, revision: revision.to_owned() }
        }
        other => other,
    })?;
    Ok(String::from_utf8_lossy(&name).trim().to_owned())
}

/// The tracked files of a working tree, by their path from its root.
///
/// # Errors
/// When `git` fails.
pub fn tracked(root: &Path) -> Result<BTreeMap<String, Mode>, SourceError> {
    let listed = run(root, &["ls-files", "-z", "--stage"])?;
    Ok(names(&listed).filter_map(|line| entry(&line)).map(|(name, mode, _)| (name, mode)).collect())
}

/// Tracked files of which Git commits what its index has, whatever the working tree holds (`assume-unchanged`,
/// `skip-worktree`): with their blobs.
///
/// # Errors
/// When `git` fails.
pub fn held(root: &Path) -> Result<Vec<(String, String)>, SourceError> {
    let listed = run(root, &["ls-files", "-z", "-v", "--stage"])?;
    let mut found = Vec::new();
    for line in names(&listed) {
        let Some((tag, rest)) = line.split_once(' ') else { continue };
        if tag == "S" || tag.chars().all(char::is_lowercase) {
            found.extend(entry(rest).map(|(name, _, blob)| (name, blob)));
        }
    }
    Ok(found)
}

/// Files of a working tree that are neither tracked nor ignored, by their path from its root.
///
/// # Errors
/// When `git` fails.
pub fn untracked(root: &Path) -> Result<Vec<String>, SourceError> {
    Ok(names(&run(root, &["ls-files", "-z", "--others", "--exclude-standard"])?).collect())
}

/// The files of a commit with their blobs.
///
/// # Errors
/// When `git` fails.
pub fn tree(root: &Path, commit: &str) -> Result<BTreeMap<String, (Mode, String)>, SourceError> {
    let listed = run(root, &["ls-tree", "-r", "-z", "--full-tree", commit])?;
    Ok(names(&listed)
        .filter_map(|line| entry(&line))
        .map(|(name, mode, blob)| (name, (mode, blob)))
        .collect())
}

/// Files that differ between a commit and the working tree.
///
/// # Errors
/// When `git` fails.
pub fn changed(root: &Path, commit: &str) -> Result<BTreeSet<String>, SourceError> {
    let listed = run(root, &["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", commit, "--"])?;
    Ok(names(&listed).collect())
}

/// The contents of blobs, by the names that they are given with.
///
/// # Errors
/// When `git` fails.
pub fn contents(root: &Path, blobs: &[(&str, &str)]) -> Result<BTreeMap<String, Vec<u8>>, SourceError> {
    if blobs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let failed = |said: String| SourceError::Git { place: root.display().to_string(), said };
    let asked = || -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        blobs.iter().try_for_each(|(_, blob)| writeln!(file, "{blob}"))?;
        file.rewind()?;
        Ok(file)
    };
    let asked = asked().map_err(|error| failed(error.to_string()))?;
    let answer = run_with(root, &["cat-file", "--batch"], asked.into())?;
    let (mut rest, mut found) = (answer.as_slice(), BTreeMap::new());
    for (name, blob) in blobs {
        let cut = || failed(format!("no content for {blob}"));
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(cut)?;
        let head = String::from_utf8_lossy(&rest[..end]);
        let size: usize = head.rsplit(' ').next().and_then(|size| size.parse().ok()).ok_or_else(cut)?;
        let content = rest.get(end + 1..end + 1 + size).ok_or_else(cut)?;
        found.insert((*name).to_owned(), content.to_vec());
        rest = rest.get(end + 2 + size..).unwrap_or_default();
    }
    Ok(found)
}

/// `MODE [TYPE] BLOB [STAGE]\tPATH`
fn entry(line: &str) -> Option<(String, Mode, String)> {
    let (head, name) = line.split_once('\t')?;
    let mut head = head.split(' ');
    let mode = Mode::of(head.next()?)?;
    let blob = head.find(|part| part.len() >= 40)?;
    Some((name.to_owned(), mode, blob.to_owned()))
}

/// Names end with a zero byte; one that is not UTF-8 keeps what can be shown of it.
fn names(listed: &[u8]) -> impl Iterator<Item = String> {
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned())
}

fn run(path: &Path, arguments: &[&str]) -> Result<Vec<u8>, SourceError> {
    run_with(path, arguments, Stdio::null())
}

fn run_with(path: &Path, arguments: &[&str], stdin: Stdio) -> Result<Vec<u8>, SourceError> {
    let directory = if path.is_dir() {
        path
    } else {
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    };
    let place = || directory.display().to_string();
    let output = process::git(directory).args(arguments).stdin(stdin).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::NoGit,
        _ => SourceError::Git { place: place(), said: error.to_string() },
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or_default().trim_start_matches("fatal: ");
    Err(SourceError::Git { place: place(), said: said.to_owned() })
}
