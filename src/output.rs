//! The only place that writes files: whole or not at all, private where they hold keys, never over something foreign.

mod claim;
mod git;
mod write;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::process::Unfinished;
pub use claim::Claim;
use git::refuse_plaintext_keys;
use write::write;

/// The first line of every file that may be written again; a file without it is somebody else's.
pub const MARK: &str = "# Rendered by kubectl l5d-rotate. Render again instead of editing.\n";

/// The same as the first line of a Markdown file, where it is not shown.
pub const MARKDOWN_MARK: &str = "<!-- Rendered by kubectl l5d-rotate. Render again instead of editing. -->\n";

/// A file to be written.
pub struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub content: Zeroizing<String>,
    /// Who may read it.
    pub access: Access,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever the umask lets.
    Public,
    /// Its owner alone (mode 0600): it tells more of a cluster than everybody should know.
    Owner,
    /// Its owner alone, and it holds a private key: Git must not take it.
    PrivateKey,
}

/// Why nothing, or not all, was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// There is a file already.
    #[error("{}: exists already", .0.display())]
    Exists(PathBuf),
    /// There is a file already, and it is not of this program's making.
    #[error("{}: was not rendered by this program, and is not replaced", .0.display())]
    Foreign(PathBuf),
    /// Another run of this program is writing there.
    #[error("{}: another `start` writes here, or was interrupted", .0.display())]
    Claimed(PathBuf),
    /// Git would take a private key.
    #[error("{}: would put a private key, in plain text, into a Git work tree", .0.display())]
    PlaintextKey(PathBuf),
    /// Git has the file already, so that it would take a private key whatever it ignores.
    #[error("{}: is tracked by Git, and would hold a private key in plain text", .0.display())]
    TrackedKey(PathBuf),
    /// Somebody else has changed the file since it was read.
    #[error("{}: has changed since it was read", .0.display())]
    Changed(PathBuf),
    /// The operating system refused.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl OutputError {
    /// The next thing to do.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Exists(_) => "choose another place, or move it away first".to_owned(),
            Self::Claimed(path) => format!(
                "wait until it has ended; where none runs, what an interrupted start left behind may be deleted, {} with it",
                path.display()
            ),
            Self::Foreign(_) => "choose another directory, or move that file away".to_owned(),
            Self::PlaintextKey(path) => format!(
                "let Git ignore it (a line `{}` in .gitignore), write outside the work tree, print it into an encrypting \
                 tool instead (render … | kubeseal, sops), or say --allow-plaintext-keys",
                path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
            ),
            Self::TrackedKey(path) => format!(
                "a line in .gitignore does nothing for a file that Git tracks: encrypt it (sops, kubeseal) and commit that \
                 first, or take it out of Git (`git rm --cached`, and a line `{}` in .gitignore); a key that was committed \
                 stays in the history, so replace it; or say --allow-plaintext-keys",
                path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
            ),
            Self::Changed(_) => "nothing was written; run again".to_owned(),
            Self::Io { .. } => {
                "nothing was left half-written; free the space or mend the permissions, and run again"
                    .to_owned()
            }
        }
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> OutputError {
    move |error| OutputError::Io { path: path.to_owned(), error }
}

/// Creates files that must not exist yet. When one cannot be written, those written before it are removed again.
///
/// # Errors
/// A file that exists, a private key that Git would take (unless `allow_plaintext_keys`), or the operating system.
pub fn create(files: &[NewFile], allow_plaintext_keys: bool) -> Result<(), OutputError> {
    for file in files {
        if file.path.symlink_metadata().is_ok() {
            return Err(OutputError::Exists(file.path.clone()));
        }
    }
    refuse_plaintext_keys(files, allow_plaintext_keys)?;
    let mut written: Vec<Unfinished> = Vec::new();
    for (at, file) in files.iter().enumerate() {
        match write(file, false) {
            Ok(one) => written.push(one),
            Err(error) => {
                for written in &files[..at] {
                    let _ = fs::remove_file(&written.path);
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

/// A file of the user's, with another content.
pub struct Replacement<'a> {
    /// Where.
    pub path: &'a Path,
    /// What it holds now.
    pub before: &'a str,
    /// What it shall hold.
    pub after: &'a str,
    /// [`Access::PrivateKey`] where it shall hold one.
    pub access: Access,
    /// Does it bring a private key that is not there yet?
    pub brings_key: bool,
}

/// Puts other contents in the place of files of the user's, which keep their modes. When one cannot be written, those written
/// before it are put back.
///
/// # Errors
/// A file that has changed since it was read, a private key that it brings and that Git would take, or the operating system.
pub fn replace(files: &[Replacement<'_>], allow_plaintext_keys: bool) -> Result<(), OutputError> {
    for file in files {
        let now = Zeroizing::new(fs::read(file.path).map_err(io_error(file.path))?);
        if *now != file.before.as_bytes() {
            return Err(OutputError::Changed(file.path.to_owned()));
        }
        if file.brings_key && !allow_plaintext_keys {
            git::refuse_plaintext_key(file.path)?;
        }
    }
    for (at, file) in files.iter().enumerate() {
        if let Err(error) = write::replace(file.path, file.after, file.access) {
            for written in &files[..at] {
                write::replace(written.path, written.before, written.access)
                    .map_err(io_error(written.path))?;
            }
            return Err(OutputError::Io { path: file.path.to_owned(), error });
        }
    }
    Ok(())
}

/// Makes each directory hold exactly its files of ours: earlier ones are replaced, those no longer rendered are removed.
/// Everything is looked at before anything is written.
///
/// # Errors
/// A file in the way that has not our [`MARK`], a private key that Git would take, or the operating system.
pub fn render_into(
    directories: &[(PathBuf, Vec<NewFile>)],
    allow_plaintext_keys: bool,
) -> Result<(), OutputError> {
    for file in directories.iter().flat_map(|(_, files)| files) {
        refuse_foreign(&file.path)?;
    }
    for (_, files) in directories {
        refuse_plaintext_keys(files, allow_plaintext_keys)?;
    }
    directories.iter().try_for_each(|(directory, files)| make_hold(directory, files))
}

fn make_hold(directory: &Path, files: &[NewFile]) -> Result<(), OutputError> {
    for file in files {
        drop(write(file, true)?);
    }
    for stale in files_below(directory).map_err(io_error(directory))? {
        if files.iter().all(|file| file.path != stale) && is_ours(&stale) {
            fs::remove_file(&stale).map_err(io_error(&stale))?;
        }
    }
    Ok(())
}

/// The directories in `directory` that hold a file of ours with this name, by their own names, sorted.
#[must_use]
pub fn directories_with(directory: &Path, name: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| is_ours(&entry.path().join(name)));
    let mut names: Vec<_> = ours.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// The files of ours in a directory, by their names, without their mark.
#[must_use]
pub fn files_of_ours(directory: &Path) -> Vec<(String, Zeroizing<String>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (Ok(name), path) = (entry.file_name().into_string(), entry.path()) else { continue };
        let text = Some(path).filter(|path| is_ours(path)).and_then(|path| fs::read_to_string(path).ok());
        let text = text.map(Zeroizing::new);
        let Some(rest) = text.as_deref().and_then(|text| text.strip_prefix(MARK)) else { continue };
        found.push((name, Zeroizing::new(rest.to_owned())));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// Refuses a file that is there and is not of this program's making.
///
/// # Errors
/// When it is.
pub fn refuse_foreign(path: &Path) -> Result<(), OutputError> {
    if path.symlink_metadata().is_ok() && !is_ours(path) {
        return Err(OutputError::Foreign(path.to_owned()));
    }
    Ok(())
}

/// Writes one file, in the place of an earlier one of ours.
///
/// # Errors
/// A file in the way that is not ours, or the operating system.
pub fn rewrite(file: &NewFile) -> Result<(), OutputError> {
    refuse_foreign(&file.path)?;
    drop(write(file, true)?);
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    // A directory, a pipe or a device is none of ours, and not waited for.
    if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    let mut begin = Vec::with_capacity(MARKDOWN_MARK.len());
    let read =
        File::open(path).and_then(|file| file.take(MARKDOWN_MARK.len() as u64).read_to_end(&mut begin));
    read.is_ok() && [MARK, MARKDOWN_MARK].iter().any(|mark| begin.starts_with(mark.as_bytes()))
}

fn files_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files_below(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn file(path: PathBuf, content: &str, access: Access) -> NewFile {
        NewFile { path, content: Zeroizing::new(content.to_owned()), access }
    }

    #[test]
    fn an_existing_file_is_never_overwritten_and_nothing_else_is_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("b"), "theirs").unwrap();
        let files = [
            file(dir.path().join("a"), "1", Access::Public),
            file(dir.path().join("b"), "2", Access::Public),
        ];
        assert!(matches!(create(&files, false), Err(OutputError::Exists(_))));
        assert!(!dir.path().join("a").exists());
        assert_eq!(fs::read_to_string(dir.path().join("b")).unwrap(), "theirs");
    }

    #[test]
    fn files_written_before_a_failure_are_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("plain"), "").unwrap();
        let files = [
            file(dir.path().join("a.key"), "1", Access::PrivateKey),
            file(dir.path().join("plain/b"), "2", Access::Public),
        ];
        assert!(matches!(create(&files, false), Err(OutputError::Io { .. })));
        assert!(!dir.path().join("a.key").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let [key, cert] = ["a.key", "a.pem"].map(|name| dir.path().join(name));
        create(&[file(key.clone(), "1", Access::PrivateKey), file(cert.clone(), "2", Access::Public)], false)
            .unwrap();
        assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(cert).unwrap().permissions().mode() & 0o777, 0o644);
    }

    #[test]
    fn a_key_enters_a_git_work_tree_only_where_git_ignores_it_or_the_user_says_so() {
        let dir = tempfile::tempdir().unwrap();
        if !Command::new("git")
            .args(["init", "-q"])
            .current_dir(dir.path())
            .status()
            .is_ok_and(|s| s.success())
        {
            println!(
                "skipped: a_key_enters_a_git_work_tree_only_where_git_ignores_it_or_the_user_says_so: no git"
            );
            return;
        }
        let path = dir.path().join("sub/issuer.key");
        let key = [file(path.clone(), "k", Access::PrivateKey)];
        assert!(matches!(create(&key, false), Err(OutputError::PlaintextKey(_))));
        assert!(!path.exists());
        fs::write(dir.path().join(".gitignore"), "*.key\n").unwrap();
        create(&key, false).unwrap();
        fs::remove_file(&path).unwrap();
        fs::remove_file(dir.path().join(".gitignore")).unwrap();
        create(&key, true).unwrap();
    }

    #[test]
    fn a_key_in_a_file_that_git_tracks_is_not_sent_to_gitignore() {
        let dir = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            Command::new("git").args(arguments).current_dir(dir.path()).status().is_ok_and(|s| s.success())
        };
        if !git(&["init", "-q"]) {
            println!("skipped: a_key_in_a_file_that_git_tracks_is_not_sent_to_gitignore: no git");
            return;
        }
        let path = dir.path().join("secret.yaml");
        fs::write(&path, "k").unwrap();
        fs::write(dir.path().join(".gitignore"), "secret.yaml\n").unwrap();
        let replaced = [Replacement {
            path: &path,
            before: "k",
            after: "l",
            access: Access::PrivateKey,
            brings_key: true,
        }];
        assert!(git(&["add", "-f", "secret.yaml"]));
        let refused = replace(&replaced, false).unwrap_err();
        assert!(matches!(refused, OutputError::TrackedKey(_)), "{refused}");
        assert!(refused.help().contains("git rm --cached") && refused.help().contains("history"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "k");
        assert!(git(&["rm", "-q", "--cached", "secret.yaml"]));
        replace(&replaced, false).unwrap();
    }

    #[test]
    fn rendering_again_replaces_ours_removes_what_is_gone_and_leaves_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let ours =
            |name: &str, body: &str| file(dir.path().join(name), &format!("{MARK}{body}"), Access::Public);
        let render = |files| render_into(&[(dir.path().to_owned(), files)], false);
        render(vec![ours("a/x.yaml", "1"), ours("a/y.yaml", "1")]).unwrap();
        fs::write(dir.path().join("note.txt"), "theirs").unwrap();
        render(vec![ours("a/x.yaml", "2")]).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("a/x.yaml")).unwrap(), format!("{MARK}2"));
        assert!(!dir.path().join("a/y.yaml").exists());
        assert!(dir.path().join("note.txt").exists());
        fs::write(dir.path().join("a/z.yaml"), "theirs").unwrap();
        assert!(matches!(render(vec![ours("a/z.yaml", "1")]), Err(OutputError::Foreign(_))));
    }
}
