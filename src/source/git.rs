//! Files as a commit of the user's Git checkout has them; the repository is only read.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Observed, Sink, SourceError, observe_reader};

/// Reads what `paths` (files or directories of the working tree) held in the commit `revision`.
///
/// Directories are read as [`super::read`] reads them; a path that the commit does not have gives nothing.
///
/// # Errors
/// When `git` is not there, a path is in no checkout, the revision is unknown, or a text cannot be understood.
pub fn observe<S: Sink>(
    paths: &[impl AsRef<Path>],
    recursive: bool,
    revision: &str,
    mut sink: S,
) -> Result<S, SourceError> {
    for path in paths.iter().map(AsRef::as_ref) {
        let checkout = Checkout::of(path);
        let commit = checkout.commit(revision)?;
        for name in checkout.files(&commit, recursive)? {
            let text = checkout.git(&["show", &format!("{commit}:./{name}")])?;
            let place = checkout.directory.join(&name).display().to_string();
            let place = format!("{} at {revision}", place.strip_prefix("./").unwrap_or(&place));
            sink = match observe_reader(text.as_slice(), &place, sink)? {
                Observed::Objects(sink) => sink,
                Observed::Snapshot(_) => return Err(SourceError::GitSnapshot { place }),
            };
        }
    }
    Ok(sink)
}

/// A directory of a working tree, and the one file in it that is meant, if it is one.
struct Checkout<'a> {
    directory: &'a Path,
    file: Option<&'a str>,
}

impl<'a> Checkout<'a> {
    fn of(path: &'a Path) -> Self {
        if path.is_dir() {
            return Self { directory: path, file: None };
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self {
            directory: parent.unwrap_or(Path::new(".")),
            file: path.file_name().and_then(|name| name.to_str()),
        }
    }

    /// The commit's full name, so that nothing the user typed is taken for an option afterwards.
    fn commit(&self, revision: &str) -> Result<String, SourceError> {
        let commit = format!("{revision}^{{commit}}");
        let name = self.git(&["rev-parse", "--quiet", "--verify", "--end-of-options", &commit]).map_err(
            |error| {
                let place = self.directory.display().to_string();
                match error {
                    SourceError::Git { said, .. } if said.is_empty() => {
                        SourceError::GitRevision { place, revision: revision.to_owned() }
                    }
                    other => other,
                }
            },
        )?;
        Ok(String::from_utf8_lossy(&name).trim().to_owned())
    }

    /// The files below the directory that are read, by their path from it.
    fn files(&self, commit: &str, recursive: bool) -> Result<Vec<String>, SourceError> {
        let listed = self.git(&["ls-tree", "-r", "-z", "--name-only", commit])?;
        let names = listed.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok());
        let wanted = |name: &&str| match self.file {
            Some(file) => *name == file,
            None => {
                let hidden = name.split('/').any(|part| part.starts_with('.'));
                let manifest = [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
                manifest && !hidden && (recursive || !name.contains('/'))
            }
        };
        Ok(names.filter(wanted).map(str::to_owned).collect())
    }

    fn git(&self, arguments: &[&str]) -> Result<Vec<u8>, SourceError> {
        let place = || self.directory.display().to_string();
        let mut git = Command::new("git");
        // Neither the index is refreshed nor a missing object fetched: the repository stays as it is.
        git.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_LAZY_FETCH", "1").env("LC_ALL", "C");
        let output = git.arg("-C").arg(self.directory).args(arguments).stdin(Stdio::null()).output();
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
}
