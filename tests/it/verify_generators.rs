//! `verify --git-base` where an ApplicationSet combines generators: what comes of them is judged, and what is not told is unknown.

use serde_json::{Value, json};

use crate::layouts::{Declared, Files, text};
use crate::verify_reach::{judge, row};
use crate::verify_repositories::{Scene, edit, files, scene};

/// An ApplicationSet of Linkerd's chart, one Application for what each cluster is given.
fn set(spec: Value, helm: Value) -> Value {
    let mut all = json!({"template": {"metadata": {"name": "linkerd-{{cluster}}"}, "spec": {"project": "default",
    "destination": {"namespace": "linkerd", "server": "{{server}}"},
    "sources": [
        {"repoURL": "https://helm.linkerd.io/edge", "chart": "linkerd-control-plane", "targetRevision": "1", "helm": helm},
        {"repoURL": "https://git.example.test/platform", "ref": "values"},
    ]}}});
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "linkerd", "namespace": "argocd"}, "spec": all})
}

/// Values without the anchors, which come from elsewhere.
fn rest(it: &Declared) -> Value {
    let mut values = it.values();
    values.as_object_mut().unwrap().remove("identityTrustAnchorsPEM");
    values
}

fn verdicts(scene: &Scene, base: &Files, changes: &[(&str, Files)]) -> Vec<(String, String)> {
    scene.base(base);
    let verdict = |(name, files): &(&str, Files)| ((*name).to_owned(), scene.verdict(files));
    changes.iter().map(verdict).collect()
}

fn expected(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, verdict)| ((*name).to_owned(), (*verdict).to_owned())).collect()
}

#[test]
fn a_matrix_of_clusters_and_directories_is_judged_cluster_by_cluster() {
    let Some(scene) = scene() else { return };
    let spec = json!({"generators": [{"matrix": {"generators": [
        {"list": {"elements": [{"cluster": "eu", "server": "s1"}, {"cluster": "us", "server": "s2"}]}},
        {"git": {"directories": [{"path": "mesh/{{cluster}}/*"}], "values": {"file": "{{path}}/values.yaml"}}},
    ]}}]});
    let helm = json!({"valueFiles": ["$values/{{values.file}}"], "parameters": [{"name": "a", "value": "{{path.basename}}"}]});
    let of = |eu: &Declared, us: &Declared| {
        files(&[
            ("set.yaml", text(&[set(spec.clone(), helm.clone())])),
            ("mesh/eu/one/values.yaml", text(&[eu.values()])),
            ("mesh/us/two/values.yaml", text(&[us.values()])),
            ("mesh/us/two/notes.txt", "x".to_owned()),
        ])
    };
    let (now, both, new) = (scene.now(), scene.with_both(), scene.with_new());
    let replicas = Declared { replicas: 4, ..scene.now() };
    let mut moved = of(&now, &now);
    moved.retain(|(name, _)| !name.starts_with("mesh/us/"));
    assert_eq!(
        verdicts(
            &scene,
            &of(&now, &now),
            &[
                ("both anchors", of(&both, &now)),
                ("the new anchor alone", of(&now, &new)),
                ("replicas", of(&replicas, &now)),
                ("a cluster less", moved),
            ]
        ),
        expected(&[
            ("both anchors", "safe"),
            ("the new anchor alone", "unsafe"),
            ("replicas", "not-about-trust"),
            ("a cluster less", "unknown"),
        ])
    );
}

#[test]
fn a_merge_lays_what_a_cluster_has_of_its_own_over_what_all_have() {
    let Some(scene) = scene() else { return };
    let of = |all: &Declared, own: &Declared, replicas: &str| {
        let element = |cluster: &str| json!({"cluster": cluster, "server": cluster, "values": {"anchors": all.bundle, "replicas": replicas}});
        let spec = json!({"generators": [{"merge": {"mergeKeys": ["cluster"], "generators": [
            {"list": {"elements": [element("eu"), element("us")]}},
            {"list": {"elements": [{"cluster": "us", "values": {"anchors": own.bundle}}, {"cluster": "no-such", "values": {"anchors": "x"}}]}},
        ]}}]});
        let mut values = rest(&scene.now());
        values["controllerReplicas"] = "{{values.replicas}}".into();
        values["identityTrustAnchorsPEM"] = "{{values.anchors}}".into();
        files(&[("set.yaml", text(&[set(spec, json!({"valuesObject": values}))]))])
    };
    let (now, both, new) = (scene.now(), scene.with_both(), scene.with_new());
    assert_eq!(
        verdicts(
            &scene,
            &of(&now, &now, "1"),
            &[
                ("both anchors for one", of(&now, &both, "1")),
                ("the new anchor for one", of(&now, &new, "1")),
                ("the new anchor for the others", of(&new, &now, "1")),
                ("replicas", of(&now, &now, "2")),
            ]
        ),
        expected(&[
            ("both anchors for one", "safe"),
            ("the new anchor for one", "unsafe"),
            ("the new anchor for the others", "unsafe"),
            ("replicas", "not-about-trust"),
        ])
    );
}

#[test]
fn a_go_template_takes_nested_values_of_files() {
    let Some(scene) = scene() else { return };
    let of = |it: &Declared, color: &str| {
        let spec = json!({"goTemplate": true, "goTemplateOptions": ["missingkey=error"],
            "generators": [{"merge": {"mergeKeys": ["cluster"], "generators": [
                {"git": {"files": [{"path": "clusters/*/cluster.yaml"}]}},
                {"list": {"elements": [{"cluster": "eu", "mesh": {"anchors": it.bundle}, "more": ""}]}},
            ]}}],
            "template": {"metadata": {"name": "linkerd-{{ .cluster }}"}, "spec": {
                "destination": {"namespace": "linkerd", "server": "{{.server}}"},
                "source": {"chart": "linkerd-control-plane", "helm": {"releaseName": "{{ index .path.segments 1 }}", "valuesObject": {
                    "identityTrustAnchorsPEM": "{{ .mesh.anchors }}", "identity": rest(&scene.now())["identity"],
                    "podLabels": {"color": "{{ .color }}", "directory": "{{ .path.basename }}"}}}}}}});
        let cluster =
            format!("cluster: eu\nserver: s\ncolor: {color}\nmore: x\nmesh:\n  anchors: none\n  zone: a\n");
        files(&[("set.yaml", text(&[set(spec, json!({}))])), ("clusters/eu/cluster.yaml", cluster)])
    };
    assert_eq!(
        verdicts(
            &scene,
            &of(&scene.now(), "red"),
            &[
                ("both", of(&scene.with_both(), "red")),
                ("new", of(&scene.with_new(), "red")),
                ("color", of(&scene.now(), "blue")),
            ]
        ),
        expected(&[("both", "safe"), ("new", "unsafe"), ("color", "not-about-trust")])
    );
}

#[test]
fn what_generators_do_not_tell_is_unknown_where_it_changes() {
    let Some(scene) = scene() else { return };
    let now = scene.now();
    let one = |spec: Value| files(&[("set.yaml", text(&[set(spec, json!({"valuesObject": now.values()}))]))]);
    let list = |elements: Value| json!({"list": {"elements": elements}});
    let clusters = json!([{"cluster": "eu", "server": "s1", "env": "live"}, {"cluster": "us", "server": "s2", "env": "live"}]);
    let mut chosen = list(clusters.clone());
    chosen["selector"] = json!({"matchExpressions": [{"key": "env", "operator": "In", "values": ["live"]}]});
    let asked = json!({"generators": [{"matrix": {"generators": [
        {"clusters": {"selector": {"matchLabels": {"mesh": "one"}}, "values": {"color": "red"}}}, list(json!([{"env": "live"}]))]}}]});
    let unlike = json!({"generators": [{"merge": {"mergeKeys": ["cluster"], "generators": [
        list(clusters.clone()), list(json!([{"cluster": "eu", "server": "one"}, {"cluster": "eu", "server": "two"}]))]}}]});
    let directories = |path: &str| {
        let set = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "all"}, "spec": {
            "generators": [{"matrix": {"generators": [{"clusters": {}}, {"git": {"directories": [{"path": path}]}}]}}],
            "template": {"metadata": {"name": "{{path.basename}}"}, "spec": {"destination": {"server": "{{server}}"}, "source": {"path": "{{path}}"}}}}});
        let shop = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\n".to_owned();
        files(&[
            ("set.yaml", text(&[set])),
            ("apps/mesh/all.yaml", text(&now.objects())),
            ("apps/shop/all.yaml", shop),
        ])
    };
    judge(
        &scene,
        vec![
            row(
                "a selector",
                one(json!({"generators": [chosen]})),
                |it| edit(it, "set.yaml", "- live", "- test"),
                |it| edit(it, "set.yaml", "targetRevision: \"1\"", "targetRevision: \"2\""),
            ),
            row(
                "clusters that Argo CD knows",
                one(asked),
                |it| edit(it, "set.yaml", "mesh: one", "mesh: two"),
                |it| edit(it, "set.yaml", "targetRevision: \"1\"", "targetRevision: \"2\""),
            ),
            row(
                "a merge that Argo CD refuses",
                one(unlike),
                |it| edit(it, "set.yaml", "server: two", "server: three"),
                |it| edit(it, "set.yaml", "targetRevision: \"1\"", "targetRevision: \"2\""),
            ),
            row(
                "directories for clusters that Argo CD knows",
                directories("apps/*"),
                |it| edit(it, "set.yaml", "apps/*", "apps/s*"),
                |it| edit(it, "apps/shop/all.yaml", "name: shop", "name: store"),
            ),
            row(
                "files of two globbings",
                [
                    one(json!({"generators": [{"git": {"files": [{"path": "clusters/*/config.json"}]}}]})),
                    files(&[(
                        "clusters/live/eu/config.json",
                        "{\"cluster\": \"eu\", \"server\": \"s1\", \"color\": \"red\"}".to_owned(),
                    )]),
                ]
                .concat(),
                |it| edit(it, "clusters/live/eu/config.json", "s1", "s2"),
                |it| edit(it, "set.yaml", "targetRevision: \"1\"", "targetRevision: \"2\""),
            ),
        ],
    );
}
