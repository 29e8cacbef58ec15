//! A cluster whose rotation goes on by what the program itself renders.

use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use l5d_rotate::document;

use super::Cluster;
use crate::runner;

/// A cluster, and a rotation of it in a temporary directory.
pub(crate) struct Rotation {
    pub(crate) home: tempfile::TempDir,
    pub(crate) cluster: Cluster,
}

impl Rotation {
    /// Starts a rotation.
    pub(crate) fn start(cluster: Cluster) -> Self {
        let rotation = Self::over(cluster);
        rotation.run("start --dir rotation");
        rotation
    }

    /// A cluster with no rotation begun.
    pub(crate) fn over(cluster: Cluster) -> Self {
        Self { home: tempfile::tempdir().unwrap(), cluster }
    }

    /// Prints the cluster into `cluster.yaml` and runs the program over that; what it prints.
    pub(crate) fn run(&self, arguments: &str) -> String {
        self.print(self.home.path());
        let output = runner::plugin()
            .current_dir(self.home.path())
            .args(arguments.split_whitespace())
            .args(["-f", "cluster.yaml", "--at", &self.cluster.now.to_string()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Writes the cluster as it is into `cluster.yaml`.
    pub(crate) fn print(&self, directory: &Path) {
        fs::write(directory.join("cluster.yaml"), self.cluster.dump_yaml()).unwrap();
    }

    /// Merges a step, and waits half an hour.
    pub(crate) fn merge(&mut self, phase: &str, step: u8) {
        let text = self.run(&format!("render {phase} --step {step} --dir rotation -o object"));
        for document in document::parse(&text, phase).unwrap() {
            self.cluster.apply(&document.tree);
        }
        self.cluster.wait(SignedDuration::from_mins(30));
    }

    /// Merges the step of the data plane, and does all that is left to do manually.
    pub(crate) fn merge_everywhere(&mut self, phase: &str) {
        self.merge(phase, 3);
        self.cluster.all_manually();
        self.cluster.wait(SignedDuration::from_mins(30));
    }
}
