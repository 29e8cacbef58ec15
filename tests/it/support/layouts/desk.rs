//! A user with a repository, from which a cluster is deployed, and a rotation that goes into it step by step.

use std::fs;
use std::path::Path;
use std::process::Output;

use jiff::SignedDuration;
use serde_json::Value;

use super::deployed::{Made, deploy, workloads};
use super::{Declared, Files, Layout, Repository, text};
use crate::cluster::Cluster;
use crate::runner;

/// A stand-in for `kubeseal --raw`: what it seals is told from its base64 by two letters.
pub(crate) const SEALER: &str = "printf Ag; base64 -w0";

/// A user with a repository, and a cluster that is deployed from it.
pub(crate) struct Desk {
    pub(crate) repository: Repository,
    pub(crate) beside: tempfile::TempDir,
    pub(crate) cluster: Cluster,
    /// The cluster's directory, where the repository deploys to several.
    unit: Option<&'static str>,
    /// How `next` is told where its step goes.
    pub(crate) way: Vec<String>,
    /// What `verify` is told besides.
    pub(crate) verify: Vec<&'static str>,
    /// What the user does before a commit.
    pub(crate) before_commit: fn(&Path),
    /// What is done elsewhere, where the repository does not hold what a step changes: with the rotation's directory, and what was said.
    pub(crate) elsewhere: Option<fn(&mut Cluster, &Path, &str)>,
    /// How many steps were made elsewhere.
    pub(crate) manual: usize,
}

impl Desk {
    pub(crate) fn new(layout: &Layout, made: Made) -> Option<Self> {
        let cluster = Cluster::new();
        let mut files = (layout.1)(&Declared::of(&cluster));
        files.push(("workloads/all.yaml".to_owned(), text(&workloads(&cluster, made))));
        Self::over(cluster, &files, None)
    }

    pub(crate) fn over(cluster: Cluster, files: &Files, unit: Option<&'static str>) -> Option<Self> {
        let repository = Repository::new()?;
        repository.write(files);
        repository.commit();
        let desk = Self {
            repository,
            beside: tempfile::tempdir().unwrap(),
            cluster,
            unit,
            way: ["--in", "."].map(str::to_owned).to_vec(),
            verify: Vec::new(),
            before_commit: |_| {},
            elsewhere: None,
            manual: 0,
        };
        fs::write(desk.at("old.key"), &desk.cluster.issuer_key).unwrap();
        let started = desk.run(&["start", "--dir", &desk.at("rotation")]);
        assert!(started.status.success(), "{}", said(&started));
        Some(desk)
    }

    pub(crate) fn at(&self, name: &str) -> String {
        self.beside.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs the program in the repository, over the cluster.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        fs::write(self.at("dump.json"), self.cluster.dump()).unwrap();
        runner::plugin()
            .current_dir(self.repository.home.path())
            .args(arguments)
            .args(["-f", &self.at("dump.json"), "--at", &self.cluster.now.to_string()])
            .output()
            .unwrap()
    }

    fn standing(&self) -> Value {
        let status = self.run(&["status", "--dir", &self.at("rotation"), "-o", "json"]);
        serde_json::from_slice(&status.stdout).unwrap_or_else(|_| panic!("{}", said(&status)))
    }

    pub(crate) fn next(&self, direction: &[&str]) -> Output {
        let dir = self.at("rotation");
        let next = ["next", "--dir", &dir, "--allow-plaintext-keys"];
        let way: Vec<&str> = self.way.iter().map(String::as_str).collect();
        let unit = self.unit.map(|unit| ["--unit", unit]);
        self.run(&[&next[..], &way, direction, unit.as_ref().map_or(&[][..], |unit| &unit[..])].concat())
    }

    /// Takes one step, which `verify` calls safe; what was edited, and the lines that the commit adds and removes.
    pub(crate) fn step(&mut self, direction: &[&str]) -> Result<Option<(String, String)>, String> {
        let next = self.next(direction);
        match next.status.code() {
            Some(0) if said(&next).contains("Nothing is left") => Err("Nothing is left".to_owned()),
            Some(0) => {
                (self.before_commit)(self.repository.home.path());
                let dir = self.at("rotation");
                let unit = self.unit.map(|unit| ["--unit", unit]);
                let verify = ["verify", "--git-base", "HEAD", "-f", ".", "-R", "--dir", &dir];
                let back = if direction.contains(&"--rollback") { &["--rollback"][..] } else { &[] };
                let unit = unit.as_ref().map_or(&[][..], |unit| &unit[..]);
                let verify = self.run(&[&verify[..], &self.verify, back, unit].concat());
                if verify.status.code() != Some(0) {
                    return Err(format!("{}\n{}", said(&next), said(&verify)));
                }
                let git = runner::other("git")
                    .current_dir(self.repository.home.path())
                    .args(["diff", "--shortstat"])
                    .output();
                let numbers = String::from_utf8(git.unwrap().stdout).unwrap();
                let first = said(&next).lines().nth(1).unwrap_or_default().to_owned();
                self.merge();
                Ok(Some((first, numbers.trim().to_owned())))
            }
            Some(3) if !said(&next).contains("was not edited") => {
                self.cluster.all_manually();
                self.cluster.wait(SignedDuration::from_hours(1));
                Ok(None)
            }
            Some(3) if self.elsewhere.is_some() && self.manual < 9 => {
                let elsewhere = self.elsewhere.unwrap();
                elsewhere(&mut self.cluster, &self.beside.path().join("rotation"), &said(&next));
                self.manual += 1;
                self.cluster.wait(SignedDuration::from_mins(5));
                Ok(None)
            }
            _ => Err(said(&next)),
        }
    }

    /// What the repository declares is applied.
    fn merge(&mut self) {
        self.repository.commit();
        deploy(&mut self.cluster, self.repository.home.path(), self.unit);
        self.cluster.wait(SignedDuration::from_mins(5));
    }

    /// Takes every step that there is, each a commit; what was taken.
    pub(crate) fn rotate(&mut self) -> Result<Vec<(String, String)>, String> {
        self.take(usize::MAX)
    }

    /// Takes so many steps, or all that there are.
    pub(crate) fn take(&mut self, most: usize) -> Result<Vec<(String, String)>, String> {
        let mut taken = Vec::new();
        for _ in 0..40 {
            if taken.len() == most {
                return Ok(taken);
            }
            match self.step(&[]) {
                Ok(step) => taken.extend(step),
                Err(said) if said == "Nothing is left" => return Ok(taken),
                Err(said) => return Err(format!("{taken:?}\n{said}")),
            }
        }
        Err(format!("no end: {taken:?}\n{}", self.standing()["next"]))
    }
}

pub(crate) fn said(output: &Output) -> String {
    format!(
        "{:?}\n{}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
