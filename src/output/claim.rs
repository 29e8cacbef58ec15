//! A directory that one run at a time writes into.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{OutputError, io_error};
use crate::process::Unfinished;

/// The file that says so.
const NAME: &str = ".l5d-rotate-start";

/// A directory that this run alone writes into, as long as the value lives.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    _unfinished: Unfinished,
}

impl Claim {
    /// Claims a directory, which is made where there is none.
    ///
    /// # Errors
    /// When another run has claimed it, or the operating system refuses.
    pub fn of(directory: &Path) -> Result<Self, OutputError> {
        fs::create_dir_all(directory).map_err(io_error(directory))?;
        let path = directory.join(NAME);
        let claimed = Unfinished::make(|| File::create_new(&path).map(|_| (path.clone(), ())));
        match claimed {
            Ok((unfinished, ())) => Ok(Self { path, _unfinished: unfinished }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(OutputError::Claimed(path)),
            Err(error) => Err(io_error(&path)(error)),
        }
    }

    /// Refuses a directory that another run has claimed.
    ///
    /// # Errors
    /// When it has.
    pub fn refuse_held(directory: &Path) -> Result<(), OutputError> {
        let path = directory.join(NAME);
        if path.symlink_metadata().is_ok() { Err(OutputError::Claimed(path)) } else { Ok(()) }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
