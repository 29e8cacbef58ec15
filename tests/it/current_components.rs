//! Components whose path stays: an overlay refers to them once, and `next --out` brings them from step to step.

use std::fs;
use std::path::Path;

use l5d_rotate::document;
use l5d_rotate::pki::{BundleText, Rules};
use serde_json::json;

use crate::cluster::Cluster;
use crate::layouts::deployed::{Made, declared, workloads};
use crate::layouts::desk::Desk;
use crate::layouts::{Declared, text};
use crate::runner;
use crate::sizes;

/// An overlay that names the Components of the rotation, each once.
fn takes_current(home: &Path) {
    let mut names: Vec<String> = fs::read_dir(home.join("steps/current"))
        .unwrap()
        .map(|entry| format!("../steps/current/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    names.sort();
    let path = home.join("prod/kustomization.yaml");
    let mut tree = document::parse(&fs::read_to_string(&path).unwrap(), "t").unwrap().remove(0).tree;
    tree["components"] = json!(names);
    fs::write(path, text(&[tree])).unwrap();
    // What Git does not track is no part of the repository.
    assert!(runner::other("git").current_dir(home).args(["add", "-A"]).status().unwrap().success());
}

#[test]
#[ignore = "long"]
fn an_overlay_refers_once_to_what_a_rotation_writes() {
    const TEST: &str = "an_overlay_refers_once_to_what_a_rotation_writes";
    if !runner::has(TEST, &["kubectl"]) {
        return;
    }
    let cluster = Cluster::new();
    let all =
        [Declared::of(&cluster).objects()[..3].to_vec(), workloads(&cluster, Made::ByManifests)].concat();
    let kustomization = |resources: &[&str]| {
        text(&[
            json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources}),
        ])
    };
    let files = [
        ("base/kustomization.yaml", kustomization(&["all.yaml"])),
        ("base/all.yaml", text(&all)),
        ("prod/kustomization.yaml", kustomization(&["../base"])),
        // The steps' own directories, to which nothing refers, are no part of the repository.
        (".gitignore", "steps/*\n!steps/current/\n".to_owned()),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text)).to_vec();
    let Some(mut desk) = Desk::over(cluster, &files, None) else {
        println!("skipped: {TEST}: no git");
        return;
    };
    desk.way = ["--out", "steps"].map(str::to_owned).to_vec();
    desk.before_commit = takes_current;
    let overlay = desk.repository.home.path().join("prod/kustomization.yaml");
    let (mut taken, mut overlays) = (0, vec![fs::read_to_string(&overlay).unwrap()]);
    while taken < sizes::of(4, usize::MAX) {
        match desk.step(&[]) {
            Ok(step) => taken += usize::from(step.is_some()),
            Err(why) if why == "Nothing is left" => break,
            Err(why) => panic!("{taken}: {why}"),
        }
        let now = fs::read_to_string(&overlay).unwrap();
        if overlays.last() != Some(&now) {
            overlays.push(now);
        }
        assert!(taken < 20);
    }
    assert_eq!(taken, sizes::of(4, 9));
    // The control plane's namespace, then those of the data plane.
    assert_eq!(overlays.len(), 3, "{overlays:#?}");
    let anchors = BundleText::read(desk.cluster.bundle.as_str());
    assert_eq!(anchors.as_read_by(Rules::Controller).unwrap().anchors().len(), sizes::of(2, 1));
    // Whatever their order, and with another component among them, the bundle is the same.
    let built = || {
        let trees = declared(desk.repository.home.path(), None);
        trees.into_iter().find(|tree| tree["metadata"]["name"] == "linkerd-identity-trust-roots").unwrap()
    };
    let before = built();
    let other = json!({"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component",
        "patches": [{"target": {"kind": "ConfigMap"}, "patch": "- op: add\n  path: /metadata/labels\n  value: {team: mesh}\n"}]});
    let component = ("other/kustomization.yaml".to_owned(), text(&[other]));
    let mut tree = document::parse(&fs::read_to_string(&overlay).unwrap(), "t").unwrap().remove(0).tree;
    let components = tree["components"].as_array_mut().unwrap();
    components.reverse();
    components.insert(1, json!("../other"));
    desk.repository.add(&vec![component, ("prod/kustomization.yaml".to_owned(), text(&[tree]))]);
    assert_eq!(built()["data"], before["data"]);
    assert_eq!(built()["metadata"]["labels"]["team"], "mesh");
}
