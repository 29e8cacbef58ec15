//! git, as it sees a directory by itself.

use std::path::Path;
use std::process::{Command, Stdio};

/// The variables in which users keep their settings. All others that begin with `GIT_` lead git to another repository, work
/// tree or index than the directory's own: a hook, or a shell with a foreign `GIT_DIR`, has them set.
const KEPT: [&str; 4] = ["GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];

/// A git that is asked in `directory`, and about the repository that this directory is in.
#[must_use]
pub fn git(directory: &Path) -> Command {
    let mut git = Command::new("git");
    for (name, _) in std::env::vars_os() {
        let is_git = name.as_encoded_bytes().starts_with(b"GIT_");
        if is_git && !KEPT.iter().any(|kept| name == *kept) {
            git.env_remove(name);
        }
    }
    // Neither the index is refreshed nor a missing object fetched: the repository stays as it is.
    git.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_LAZY_FETCH", "1").env("LC_ALL", "C");
    git.arg("-C").arg(directory).stdin(Stdio::null());
    git
}
