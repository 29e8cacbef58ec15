//! What was begun and must not be left behind: programs that were started, and files and directories that are not finished.
//!
//! When SIGINT or SIGTERM ends this program, those programs are ended and those files are removed first.

mod child;
mod git;
mod signal;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared_child::SharedChild;
use tempfile::TempDir;

pub use child::{Answer, Child, piped};
pub use git::git;
pub use signal::end_on_signals;

/// Everything that is to be ended or removed.
static BEGUN: Mutex<Begun> = Mutex::new(Begun { children: Vec::new(), paths: Vec::new() });

struct Begun {
    children: Vec<Arc<SharedChild>>,
    paths: Vec<PathBuf>,
}

fn begun() -> MutexGuard<'static, Begun> {
    BEGUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file or directory that is removed when a signal ends the program before this value is dropped.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
    /// Makes what `make` makes, at the path that it gives: a signal comes before it or after it, never in between.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn make<T, E>(make: impl FnOnce() -> Result<(PathBuf, T), E>) -> Result<(Self, T), E> {
        let mut begun = begun();
        let (path, made) = make()?;
        begun.paths.push(path.clone());
        Ok((Self(path), made))
    }

    /// A directory for temporary files that nobody else may look into, with whatever `fill` puts there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn directory(
        mut builder: tempfile::Builder<'_, '_>,
        parent: &Path,
        fill: impl FnOnce(&Path) -> io::Result<()>,
    ) -> io::Result<(Self, TempDir)> {
        only_the_owners(&mut builder);
        Self::make(|| {
            let directory = builder.tempdir_in(parent)?;
            fill(directory.path())?;
            Ok((directory.path().to_owned(), directory))
        })
    }
}

/// Mode 0700; by itself it would be what the umask leaves.
#[cfg(unix)]
fn only_the_owners(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o700));
}

#[cfg(not(unix))]
fn only_the_owners(_: &mut tempfile::Builder<'_, '_>) {}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut begun = begun();
        if let Some(at) = begun.paths.iter().position(|path| *path == self.0) {
            begun.paths.swap_remove(at);
        }
    }
}

/// Ends all programs and removes all files. The guard is kept until the program is gone, so that nothing is begun any more.
#[cfg(unix)]
fn end_all() -> MutexGuard<'static, Begun> {
    let begun = begun();
    child::end(&begun.children);
    for path in &begun.paths {
        // Whatever cannot be removed is left: there is nobody to tell.
        let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
    begun
}
