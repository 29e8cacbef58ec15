//! A user with a directory, the dump of a cluster and the program.

use std::fs;
use std::process::Command;

use jiff::SignedDuration;
use l5d_rotate::document;
use l5d_rotate::pki::{BundleText, Certificate, Rules};
use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::{self, Cluster};
use crate::runner::{self, Ran};

pub(crate) struct User {
    pub(crate) home: TempDir,
    pub(crate) cluster: Cluster,
    /// May this user read Secrets?
    sees_keys: bool,
}

impl User {
    /// Over a small mesh, whose Secrets the user may read.
    pub(crate) fn new() -> Self {
        Self::over(Cluster::new())
    }

    pub(crate) fn over(cluster: Cluster) -> Self {
        Self { home: tempfile::tempdir().unwrap(), cluster, sees_keys: true }
    }

    /// Whose dump has words in the place of the private key.
    pub(crate) fn without_keys(cluster: Cluster) -> Self {
        Self { sees_keys: false, ..Self::over(cluster) }
    }

    /// The same with a rotation begun.
    pub(crate) fn rotating(cluster: Cluster) -> Self {
        let user = Self::without_keys(cluster);
        user.out("start --dir rotation");
        user
    }

    /// With the anchor and its key, and a rotation begun.
    pub(crate) fn started(cluster: Cluster, arguments: &str) -> Self {
        let user = Self::over(cluster);
        user.hold_anchor();
        user.out(&format!("start --dir rotation {arguments}"));
        user
    }

    /// Gives the user the anchor and its key: `anchor.pem` and `anchor.key`.
    pub(crate) fn hold_anchor(&self) {
        self.put("anchor.pem", &self.cluster.anchor.certificate.to_pem());
        self.put("anchor.key", &cluster::pem(&self.cluster.anchor.key));
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        fs::write(self.home.path().join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(name)).unwrap()
    }

    /// The file with the dump.
    pub(crate) const fn dump(&self) -> &'static str {
        if self.sees_keys { "dump.json" } else { "cluster.yaml" }
    }

    /// Writes the cluster as it is into the dump.
    pub(crate) fn print(&self) {
        let text = if self.sees_keys { self.cluster.dump() } else { self.cluster.dump_yaml() };
        self.put(self.dump(), &text);
    }

    /// The program over the dump as it is, at the cluster's time.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut plugin = runner::plugin();
        plugin.current_dir(self.home.path()).args(arguments.split_whitespace());
        plugin.args(["-f", self.dump(), "--at", &self.cluster.now.to_string()]);
        plugin
    }

    /// Runs the program over the cluster as it is.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.print();
        runner::run(&mut self.command(arguments))
    }

    pub(crate) fn run_over(&self, arguments: &str, dump: &str) -> Ran {
        self.put(self.dump(), dump);
        runner::run(&mut self.command(arguments))
    }

    /// What a command prints that must succeed.
    #[track_caller]
    pub(crate) fn out(&self, arguments: &str) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments}: {}", ran.err);
        ran.out
    }

    /// What it prints for programs, whatever its exit code is.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &str) -> Value {
        let ran = self.run(&format!("{arguments} -o json"));
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{arguments}: {ran:?}"))
    }

    pub(crate) fn apply(&mut self, documents: &str) {
        for document in document::parse(documents, "documents").unwrap() {
            self.cluster.apply(&document.tree);
        }
    }

    /// Merges a step, such as `bundle --step 1`.
    pub(crate) fn merge(&mut self, step: &str) {
        let text = self.out(&format!("render {step} --dir rotation -o object"));
        self.apply(&text);
    }

    /// Merges a step, and waits half an hour.
    pub(crate) fn take(&mut self, phase: &str, step: u8) {
        self.merge(&format!("{phase} --step {step}"));
        self.cluster.wait(SignedDuration::from_mins(30));
    }

    /// Merges the step of the data plane, and does all that is left to do manually.
    pub(crate) fn take_everywhere(&mut self, phase: &str) {
        self.take(phase, 3);
        self.cluster.all_manually();
        self.cluster.wait(SignedDuration::from_mins(30));
    }

    /// The published anchors.
    pub(crate) fn anchors(&self) -> Vec<Certificate> {
        let bundle = BundleText::read(self.cluster.bundle.as_str());
        bundle.as_read_by(Rules::Controller).unwrap().anchors().to_vec()
    }
}
