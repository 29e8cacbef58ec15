//! A Git repository of somebody, in a directory of its own.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Files;
use crate::runner;

/// A Git repository in a directory of its own.
pub struct Repository {
    pub home: tempfile::TempDir,
}

impl Repository {
    /// `None` where there is no git.
    pub fn new() -> Option<Self> {
        let repository = Self { home: tempfile::tempdir().unwrap() };
        repository.git(&["init", "-q", "-b", "main"]).then_some(repository)
    }

    pub fn git(&self, arguments: &[&str]) -> bool {
        let mut git = runner::other("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]);
        git.current_dir(self.home.path()).args(arguments).output().is_ok_and(|output| output.status.success())
    }

    /// Puts the files in the place of those that were there.
    pub fn write(&self, files: &Files) {
        for entry in fs::read_dir(self.home.path()).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                _ if entry.ends_with(".git") => {}
                true => fs::remove_dir_all(&entry).unwrap(),
                false => fs::remove_file(&entry).unwrap(),
            }
        }
        self.add(files);
    }

    pub fn add(&self, files: &Files) {
        for (name, text) in files {
            let path = self.home.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
            fs::write(path, text).unwrap();
        }
        assert!(self.git(&["add", "-A"]));
    }

    pub fn commit(&self) {
        assert!(self.git(&["add", "-A"]) && self.git(&["commit", "-q", "--allow-empty", "-m", "x"]));
    }

    /// The verdict on the working tree, the answer, and the exit code.
    pub fn verify(&self, arguments: &[&str]) -> (String, Value, i32) {
        let output = runner::plugin()
            .current_dir(self.home.path())
            .args(["verify", "--git-base", "HEAD", "-o", "json", "--at", crate::cluster::NOW])
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().unwrap();
        let Ok(tree) = serde_json::from_slice::<Value>(&output.stdout) else {
            return (format!("error: {said}"), Value::Null, code);
        };
        (tree["verdict"].as_str().unwrap().to_owned(), tree, code)
    }
}
