//! A whole rotation as edits of the user's own files, in every layout of a repository: each step is one commit that `verify` calls
//! safe, and what the repository declares then is what the cluster takes.

use std::fs;
use std::path::Path;
use std::process::Output;

use jiff::SignedDuration;
use l5d_rotate::checkout;
use l5d_rotate::pki::{BundleText, Rules};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Proxy};
use crate::layouts::{Declared, Files, Layout, RENDERED, Repository, VALUES, has_kubectl, text};
use crate::runner;
use crate::sizes;

/// A user with a repository, and a cluster that is deployed from it.
struct Desk {
    repository: Repository,
    beside: tempfile::TempDir,
    cluster: Cluster,
}

/// Who makes the Deployments of the control plane.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    ByManifests,
    ByChart,
}

impl Desk {
    fn new(layout: &Layout, made: Made) -> Option<Self> {
        let repository = Repository::new()?;
        let cluster = Cluster::new();
        let mut files = (layout.1)(&Declared::of(&cluster));
        files.extend(workloads(&cluster, made));
        repository.write(&files);
        repository.commit();
        let desk = Self { repository, beside: tempfile::tempdir().unwrap(), cluster };
        let started = desk.run(&["start", "--dir", &desk.at("rotation")]);
        assert!(started.status.success(), "{}", said(&started));
        Some(desk)
    }

    fn at(&self, name: &str) -> String {
        self.beside.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs the program in the repository, over the cluster.
    fn run(&self, arguments: &[&str]) -> Output {
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

    fn next(&self) -> Output {
        self.run(&["next", "--in", ".", "--dir", &self.at("rotation"), "--allow-plaintext-keys"])
    }

    /// What the repository declares is applied.
    fn merge(&mut self) {
        self.repository.commit();
        for tree in declared(self.repository.home.path()) {
            let name = tree["metadata"]["name"].as_str().unwrap_or_default();
            match tree["kind"].as_str().unwrap_or_default() {
                "ConfigMap" if name == "linkerd-identity-trust-roots" => self.cluster.apply(&tree),
                "Secret" if name == "linkerd-identity-issuer" => self.cluster.apply(&tree),
                kind => {
                    let is_it = |load: &&crate::cluster::Load| {
                        load.kind == kind
                            && load.name == name
                            && load.namespace == tree["metadata"]["namespace"]
                    };
                    let Some(load) = self.cluster.workloads.iter().find(is_it) else { continue };
                    let mut annotations = json!(load.annotations);
                    let declared = tree.pointer("/spec/template/metadata/annotations");
                    annotations
                        .as_object_mut()
                        .unwrap()
                        .extend(declared.and_then(Value::as_object).cloned().unwrap_or_default());
                    let template = json!({"metadata": {"annotations": annotations}});
                    self.cluster.apply(
                        &json!({"kind": kind, "metadata": {"name": name, "namespace": load.namespace},
                        "spec": {"template": template}}),
                    );
                }
            }
        }
        self.cluster.wait(SignedDuration::from_mins(5));
    }

    /// Takes every step that there is; what was taken, with the lines that each commit adds and removes.
    fn rotate(&mut self) -> Result<Vec<(String, String)>, String> {
        let mut taken: Vec<(String, String)> = Vec::new();
        for _ in 0..40 {
            let status = self.standing();
            let why = status["next"]["why"].as_str().unwrap_or_default().to_owned();
            if why.contains("rotation is finished") {
                return Ok(taken);
            }
            let next = self.next();
            match next.status.code() {
                Some(0) => {
                    let verify = self.run(&[
                        "verify",
                        "--git-base",
                        "HEAD",
                        "-f",
                        ".",
                        "-R",
                        "--dir",
                        &self.at("rotation"),
                    ]);
                    if verify.status.code() != Some(0) {
                        return Err(format!("{taken:?}\n{}\n{}", said(&next), said(&verify)));
                    }
                    let numbers = runner::other("git")
                        .current_dir(self.repository.home.path())
                        .args(["diff", "--shortstat"])
                        .output()
                        .unwrap();
                    let first =
                        String::from_utf8_lossy(&next.stdout).lines().next().unwrap_or_default().to_owned();
                    taken.push((first, String::from_utf8_lossy(&numbers.stdout).trim().to_owned()));
                    self.merge();
                }
                Some(3) if !said(&next).contains("was not edited") => {
                    self.cluster.all_manually();
                    self.cluster.wait(SignedDuration::from_hours(1));
                }
                _ => return Err(format!("{taken:?}\n{}", said(&next))),
            }
        }
        Err(format!("no end: {taken:?}\n{}\n{}", said(&self.next()), self.standing()["next"]))
    }
}

fn said(output: &Output) -> String {
    format!(
        "{:?}\n{}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The manifests of the cluster's workloads.
fn workloads(cluster: &Cluster, made: Made) -> Files {
    let is_one = |tree: &Value| {
        ["Deployment", "StatefulSet", "DaemonSet", "CronJob"]
            .contains(&tree["kind"].as_str().unwrap_or_default())
    };
    let of_data_plane = |tree: &Value| {
        let of = |load: &crate::cluster::Load| {
            load.name == tree["metadata"]["name"] && load.proxy == Proxy::ControlPlane
        };
        made == Made::ByManifests || !cluster.workloads.iter().any(of)
    };
    let mut all: Vec<Value> = cluster.items().into_iter().filter(is_one).filter(of_data_plane).collect();
    for tree in &mut all {
        tree.as_object_mut().unwrap().remove("status");
        let metadata = tree["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, _| ["name", "namespace", "labels"].contains(&key.as_str()));
    }
    vec![("workloads/all.yaml".to_owned(), text(&all))]
}

fn declared(root: &Path) -> Vec<Value> {
    let request = checkout::Request { paths: vec![root.to_owned()], recursive: true, excluded: Vec::new() };
    let units = checkout::read(&request).unwrap().units;
    units.into_iter().flat_map(|unit| unit.documents).map(|document| document.tree).collect()
}

fn every(layouts: &[Layout], made: Made) {
    let mut wrong = Vec::new();
    for layout in layouts.iter().step_by(sizes::of(5, 1)) {
        let builds = (layout.1)(&Declared::of(&Cluster::new()))
            .iter()
            .any(|(name, _)| name.ends_with("kustomization.yaml"));
        if builds && !has_kubectl() {
            println!("skipped: edits: {}: no kubectl", layout.0);
            continue;
        }
        let Some(mut desk) = Desk::new(layout, made) else {
            println!("skipped: edits: no git");
            return;
        };
        let old = desk.cluster.bundle.clone();
        match desk.rotate() {
            Ok(taken) => {
                let anchors = BundleText::read(desk.cluster.bundle.as_str());
                let is_one =
                    anchors.as_read_by(Rules::Controller).is_ok_and(|bundle| bundle.anchors().len() == 1);
                println!("{}: {taken:#?}", layout.0);
                if !is_one || old == desk.cluster.bundle {
                    wrong.push(format!("{}: {taken:?}", layout.0));
                }
            }
            Err(why) => wrong.push(format!("{}: {why}", layout.0)),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_rotation_is_edited_into_manifests_in_every_layout() {
    every(RENDERED, Made::ByManifests);
}

#[test]
fn a_rotation_is_edited_into_values_of_charts_in_every_layout() {
    every(VALUES, Made::ByChart);
}
