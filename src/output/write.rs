//! One file, whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Access, NewFile, OutputError, io_error};
use crate::process::Unfinished;

/// How temporary files and directories begin.
const PREFIX: &str = ".l5d-rotate-";

/// How those with a private key end: what `.gitignore` of a rotation directory names.
const KEY_SUFFIX: &str = ".key";

/// Writes a file; it is taken back when a signal comes while the value lives.
pub(super) fn write(file: &NewFile, replace: bool) -> Result<Unfinished, OutputError> {
    let parent = directory_of(&file.path);
    fs::create_dir_all(parent).map_err(io_error(parent))?;
    let fail = io_error(&file.path);
    let temporary = Temporary::holding(&file.content, parent, file.access).map_err(&fail)?;
    let Temporary { file: named, directory, unfinished } = temporary;
    let temporary_path = named.path().to_owned();
    let persist = || {
        if replace {
            // What it replaces was finished once: a signal leaves the one or the other.
            named.persist(&file.path).map(|_| (temporary_path, ()))
        } else {
            named.persist_noclobber(&file.path).map(|_| (file.path.clone(), ()))
        }
    };
    let persisted = Unfinished::make(persist);
    drop((directory, unfinished));
    match persisted {
        Ok((written, ())) => Ok(written),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(OutputError::Exists(file.path.clone()))
        }
        Err(error) => Err(fail(error.error)),
    }
}

/// Puts another content in the place of a file, which keeps its mode.
pub(super) fn replace(path: &Path, content: &str, access: Access) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions();
    let temporary = Temporary::holding(content, directory_of(path), access)?;
    fs::set_permissions(temporary.file.path(), mode)?;
    let Temporary { file, directory, unfinished } = temporary;
    file.persist(path).map_err(|error| error.error)?;
    drop((directory, unfinished));
    Ok(())
}

pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file that is being written.
struct Temporary {
    file: NamedTempFile,
    /// Where a file with a private key is written: Git leaves alone what is in it, whatever the file will be called.
    directory: Option<tempfile::TempDir>,
    /// What a signal removes.
    unfinished: Unfinished,
}

impl Temporary {
    fn holding(content: &str, parent: &Path, access: Access) -> io::Result<Self> {
        let temporary = Self::new(parent, access)?;
        let mut open = temporary.file.as_file();
        open.write_all(content.as_bytes()).and_then(|()| open.sync_all())?;
        Ok(temporary)
    }

    fn new(parent: &Path, access: Access) -> io::Result<Self> {
        if access != Access::PrivateKey {
            let mut builder = tempfile::Builder::new();
            builder.prefix(PREFIX);
            if access == Access::Public {
                public(&mut builder);
            }
            let (unfinished, file) = Unfinished::make(|| named(&builder, parent))?;
            return Ok(Self { file, directory: None, unfinished });
        }
        // A temporary file is born with mode 0600.
        let builder = || {
            let mut builder = tempfile::Builder::new();
            builder.prefix(PREFIX).suffix(KEY_SUFFIX);
            builder
        };
        let ignore = |directory: &Path| fs::write(directory.join(".gitignore"), "*\n");
        let (unfinished, directory) = Unfinished::directory(builder(), parent, ignore)?;
        let file = builder().tempfile_in(directory.path())?;
        Ok(Self { file, directory: Some(directory), unfinished })
    }
}

fn named(builder: &tempfile::Builder<'_, '_>, parent: &Path) -> io::Result<(PathBuf, NamedTempFile)> {
    let file = builder.tempfile_in(parent)?;
    Ok((file.path().to_owned(), file))
}

/// The operating system takes off what the umask forbids.
#[cfg(unix)]
fn public(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn public(_: &mut tempfile::Builder<'_, '_>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_interrupted_write_of_a_key_leaves_is_not_for_git() {
        let dir = tempfile::tempdir().unwrap();
        let temporary = Temporary::new(dir.path(), Access::PrivateKey).unwrap();
        let inside = temporary.file.path().strip_prefix(dir.path()).unwrap().to_owned();
        assert!(inside.components().all(|part| part.as_os_str().to_string_lossy().ends_with(".key")));
        let ignored = fs::read_to_string(temporary.file.path().with_file_name(".gitignore")).unwrap();
        assert_eq!(ignored, "*\n");
    }
}
