//! A user with a cluster, a rotation and the program.

use std::fs;
use std::process::Output;

use jiff::SignedDuration;
use l5d_rotate::document;
use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::{self, Cluster};
use crate::runner;

/// A user with a cluster and a rotation directory.
pub struct User {
    pub home: TempDir,
    pub cluster: Cluster,
}

/// What a run printed and how it ended.
pub struct Ran {
    pub out: String,
    pub notes: String,
    pub code: i32,
}

impl User {
    /// A rotation begun over the cluster.
    pub fn started(cluster: Cluster, arguments: &str) -> Self {
        let user = Self { home: tempfile::tempdir().unwrap(), cluster };
        fs::write(user.home.path().join("anchor.key"), cluster::pem(&user.cluster.anchor.key)).unwrap();
        fs::write(user.home.path().join("anchor.pem"), user.cluster.anchor.certificate.to_pem()).unwrap();
        let ran = user.run(&format!("start --dir rotation {arguments}"));
        assert_eq!(ran.code, 0, "{}", ran.notes);
        user
    }

    pub fn run(&self, arguments: &str) -> Ran {
        self.run_over(arguments, &self.cluster.dump())
    }

    pub fn run_over(&self, arguments: &str, dump: &str) -> Ran {
        let output = self.output(arguments, dump);
        let [out, notes] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Ran { out: nameless(&out), notes, code: output.status.code().unwrap() }
    }

    fn output(&self, arguments: &str, dump: &str) -> Output {
        fs::write(self.home.path().join("dump.json"), dump).unwrap();
        runner::plugin()
            .current_dir(self.home.path())
            .args(arguments.split_whitespace())
            .args(["-f", "dump.json", "--at", &self.cluster.now.to_string()])
            .output()
            .unwrap()
    }

    pub fn simulate(&self, arguments: &str) -> Ran {
        self.run(&format!("simulate --dir rotation {arguments}"))
    }

    pub fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.simulate(&format!("{arguments} -o json")).out).unwrap()
    }

    /// Merges a step, and waits five minutes.
    pub fn merge(&mut self, step: &str) {
        let rendered = self.output(&format!("render {step} --dir rotation -o object"), &self.cluster.dump());
        assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
        for document in document::parse(&String::from_utf8(rendered.stdout).unwrap(), step).unwrap() {
            self.cluster.apply(&document.tree);
        }
        self.cluster.control_plane_restarts_again();
        self.cluster.wait(SignedDuration::from_mins(5));
    }
}

/// Fingerprints differ from run to run, and with them the hashes in names of pods: each is written in zeros.
fn nameless(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for char in text.chars().chain(['\n']) {
        if char.is_ascii_alphanumeric() {
            word.push(char);
            continue;
        }
        let is_hash = [10, 12].contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        out.push_str(&if is_hash { "0".repeat(word.len()) } else { std::mem::take(&mut word) });
        word.clear();
        out.push(char);
    }
    out.pop();
    out
}
