//! Edits where two clusters share files: what both deploy stays, and what one deploys alone is edited.

use std::fs;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::layouts::deployed::{Made, workloads};
use crate::layouts::desk::Desk;
use crate::layouts::{Declared, Files, text};
use crate::runner;
use crate::sizes;

/// One step of each kind, or all.
fn steps() -> usize {
    sizes::of(4, 9)
}

/// Production and staging deploy the same applications, from one base.
fn shared(cluster: &Cluster) -> Files {
    let (of_linkerd, of_apps): (Vec<Value>, Vec<Value>) = workloads(cluster, Made::ByManifests)
        .into_iter()
        .partition(|tree| tree["metadata"]["namespace"] == "linkerd");
    let kustomization = |resources: &[&str]| {
        text(&[
            json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources}),
        ])
    };
    let here = Declared::of(cluster);
    let there = Declared::of(&Cluster::new());
    let plane = |it: &Declared| text(&[it.objects()[..3].to_vec(), of_linkerd.clone()].concat());
    let files = [
        ("apps/base/kustomization.yaml", kustomization(&["apps.yaml"])),
        ("apps/base/apps.yaml", text(&of_apps)),
        ("clusters/production/linkerd/all.yaml", plane(&here)),
        ("clusters/production/apps/kustomization.yaml", kustomization(&["../../../apps/base"])),
        ("clusters/staging/linkerd/all.yaml", plane(&there)),
        ("clusters/staging/apps/kustomization.yaml", kustomization(&["../../../apps/base"])),
    ];
    files.map(|(name, text)| (name.to_owned(), text)).to_vec()
}

#[test]
#[ignore = "long"]
fn what_two_clusters_share_is_left_and_the_overlay_of_one_is_edited() {
    const TEST: &str = "what_two_clusters_share_is_left_and_the_overlay_of_one_is_edited";
    if !runner::has(TEST, &["kubectl"]) {
        return;
    }
    let cluster = Cluster::new();
    let files = shared(&cluster);
    let Some(mut desk) = Desk::over(cluster, &files, Some("clusters/production")) else {
        println!("skipped: {TEST}: no git");
        return;
    };
    let taken = desk.take(steps()).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(taken.len(), steps(), "{taken:?}");
    for (name, before) in files {
        let is_others = name.starts_with("apps/") || name.starts_with("clusters/staging/");
        let now = fs::read_to_string(desk.repository.home.path().join(&name)).unwrap();
        assert_eq!(is_others, now == before, "{name}");
    }
}

/// Two clusters deploy the same applications without a file of their own: what differs stands in the objects of their engine.
fn shared_by_engines(cluster: &Cluster, engine: fn(&str, &str) -> Value) -> Files {
    let (of_linkerd, of_apps): (Vec<Value>, Vec<Value>) = workloads(cluster, Made::ByManifests)
        .into_iter()
        .partition(|tree| tree["metadata"]["namespace"] == "linkerd");
    let kustomization =
        text(&[json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": ["apps.yaml"]})]);
    let plane = |it: &Declared| text(&[it.objects()[..3].to_vec(), of_linkerd.clone()].concat());
    let files = [
        ("apps/kustomization.yaml", kustomization),
        ("apps/apps.yaml", text(&of_apps)),
        (
            "clusters/production/engine.yaml",
            text(&[engine("production", "linkerd/production"), engine("production", "apps")]),
        ),
        (
            "clusters/staging/engine.yaml",
            text(&[engine("staging", "linkerd/staging"), engine("staging", "apps")]),
        ),
        ("linkerd/production/all.yaml", plane(&Declared::of(cluster))),
        ("linkerd/staging/all.yaml", plane(&Declared::of(&Cluster::new()))),
    ];
    files.map(|(name, text)| (name.to_owned(), text)).to_vec()
}

fn application_of(cluster: &str, path: &str) -> Value {
    let name = format!("{cluster}-{}", path.replace('/', "-"));
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"project": "default", "destination": {"name": cluster},
            "source": {"repoURL": "https://git.example.test/x", "path": path}, "syncPolicy": {"automated": {}}}})
}

/// The kustomization is one of several sources, and not the first.
fn application_of_sources(cluster: &str, path: &str) -> Value {
    let mut application = application_of(cluster, path);
    let spec = application["spec"].as_object_mut().unwrap();
    let source = spec.remove("source").unwrap();
    let other = json!({"repoURL": "https://charts.example.test", "chart": "podinfo", "targetRevision": "6.9.0",
        "helm": {"valuesObject": {"replicaCount": 2}}});
    spec.insert("sources".to_owned(), json!([other, source]));
    application
}

fn kustomization_of(_: &str, path: &str) -> Value {
    let patch = json!({"patch": "- op: add\n  path: /metadata/labels/x\n  value: \"1\"\n", "target": {"kind": "StatefulSet"}});
    json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": path.replace('/', "-"), "namespace": "flux-system"},
        "spec": {"path": format!("./{path}"), "prune": true, "patches": [patch],
            "sourceRef": {"kind": "GitRepository", "name": "flux-system"}}})
}

#[test]
#[ignore = "long"]
fn what_only_an_engine_tells_apart_is_patched_in_its_object() {
    const TEST: &str = "what_only_an_engine_tells_apart_is_patched_in_its_object";
    if !runner::has(TEST, &["kubectl"]) {
        return;
    }
    type Engine = (&'static str, fn(&str, &str) -> Value);
    let engines: [Engine; 3] = [
        ("production", application_of_sources),
        ("production", application_of),
        ("clusters/production", kustomization_of),
    ];
    for (unit, engine) in engines.into_iter().take(sizes::of(1, 3)) {
        let cluster = Cluster::new();
        let files = shared_by_engines(&cluster, engine);
        let Some(mut desk) = Desk::over(cluster, &files, Some(unit)) else {
            println!("skipped: {TEST}: no git");
            return;
        };
        let taken = desk.take(steps()).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(taken.len(), steps(), "{taken:?}");
        for (name, before) in files {
            let now = fs::read_to_string(desk.repository.home.path().join(&name)).unwrap();
            assert_eq!(name.starts_with("apps") || name.contains("staging"), now == before, "{name}");
        }
    }
}
