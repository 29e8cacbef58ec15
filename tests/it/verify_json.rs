//! `verify --git-base` where values are written as JSON, on one line: what is on a line is not judged as one.

use serde_json::{Value, json};

use crate::layouts::{Declared, Files, text};
use crate::verify_reach::{judge, row, with};
use crate::verify_repositories::{edit, files, layout, scene};

#[test]
fn values_on_one_line_of_json_are_read_as_yaml_is() {
    let Some(scene) = scene() else { return };
    let now = scene.now();
    let line = |values: &Value| values.to_string();
    let application = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "linkerd", "namespace": "argocd"},
        "spec": {"destination": {"namespace": "linkerd"}, "sources": [
            {"chart": "linkerd-control-plane", "helm": {"valueFiles": ["$values/mesh/values.json"]}}, {"ref": "values"}]}});
    let kustomization = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "helmCharts": [{"name": "linkerd-control-plane", "namespace": "linkerd", "valuesFile": "values.json"}]});
    let release = |it: &Declared| {
        let release = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "linkerd", "namespace": "linkerd"},
            "spec": {"chart": {"spec": {"chart": "linkerd-control-plane"}}, "valuesFrom": [{"kind": "ConfigMap", "name": "values", "valuesKey": "values.json"}]}});
        let values = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values", "namespace": "linkerd"}, "data": {"values.json": line(&it.values())}});
        files(&[("release.json", line(&release)), ("values.yaml", text(&[values]))])
    };
    type Of<'a> = Box<dyn Fn(&Declared) -> Files + 'a>;
    let shapes: Vec<(&str, Of<'_>)> = vec![
        ("a file of values", Box::new(|it| files(&[("mesh/values.json", line(&it.values()))]))),
        (
            "a file of values that is called YAML",
            Box::new(|it| files(&[("mesh/values.yaml", line(&it.values()))])),
        ),
        (
            "an umbrella's",
            Box::new(|it| {
                files(&[("mesh/values-live.json", line(&json!({"linkerd-control-plane": it.values()})))])
            }),
        ),
        (
            "a file that an Application names",
            Box::new(|it| {
                files(&[("apps/mesh.json", line(&application)), ("mesh/values.json", line(&it.values()))])
            }),
        ),
        (
            "a file that a kustomization names",
            Box::new(|it| {
                files(&[
                    ("mesh/kustomization.yaml", line(&kustomization)),
                    ("mesh/values.json", line(&it.values())),
                ])
            }),
        ),
        ("values of a HelmRelease", Box::new(|it| release(it))),
    ];
    let mut wrong = Vec::new();
    for (name, of) in shapes {
        scene.base(&of(&now));
        let changes = [
            (scene.with_both(), "safe"),
            (scene.with_new(), "unsafe"),
            (Declared { replicas: 4, ..scene.now() }, "not-about-trust"),
        ];
        for (change, expected) in changes {
            let verdict = scene.verdict(&of(&change));
            if verdict != expected {
                wrong.push(format!("{name}: {verdict}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn json_that_no_engine_reads_is_judged_member_by_member() {
    let Some(scene) = scene() else { return };
    let now = scene.now();
    let beside = |more: &[(&str, String)]| with(layout("one file", &now), more);
    let release = |more: Value| {
        let mut release = json!({"name": "mesh", "namespace": "linkerd", "chart": "linkerd-control-plane", "version": "2025.4.4", "timeout": 300});
        release.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        release
    };
    let module = |release: Value| {
        json!({"terraform": {"required_version": ">= 1.5"},
            "resource": {"helm_release": {"linkerd": release}, "aws_s3_bucket": {"shop": {"bucket": "red"}}},
            "variable": {"roots": {"default": "one"}, "region": {"default": "eu"}}})
    };
    let set = json!([{"name": "identityTrustAnchorsPEM", "value": "one"}, {"name": "controllerReplicas", "value": "1"}]);
    let by_set = module(release(json!({"set": set}))).to_string();
    let by_values =
        module(release(json!({"values": [text(&[json!({"identityTrustAnchorsPEM": "one"})])]}))).to_string();
    let by_encoded =
        module(release(json!({"values": ["${yamlencode({identityTrustAnchorsPEM = var.roots})}"]})));
    let listed = json!({"resource": [{"helm_release": [{"linkerd": [release(json!({"set": set}))]}]}, {"aws_s3_bucket": {"shop": {"bucket": "red"}}}]}).to_string();
    let of_module = json!({"module": {"mesh": {"source": "../modules/mesh", "roots": "one"}, "shop": {"source": "../modules/shop", "color": "red"}}});
    let native = "resource \"helm_release\" \"linkerd\" {\n  chart = \"linkerd-control-plane\"\n  set {\n    name  = \"identityTrustAnchorsPEM\"\n    value = var.roots\n  }\n}\n\nvariable \"roots\" {}\n";
    judge(
        &scene,
        vec![
            row(
                "set",
                beside(&[("main.tf.json", by_set.clone())]),
                |it| edit(it, "main.tf.json", "\"one\"", "\"two\""),
                |it| edit(it, "main.tf.json", "2025.4.4", "2025.5.1"),
            ),
            row(
                "a timeout",
                beside(&[("main.tf.json", by_set.clone())]),
                |it| {
                    edit(it, "main.tf.json", "\"identityTrustAnchorsPEM\"", "\"identity.issuer.tls.crtPEM\"")
                },
                |it| edit(it, "main.tf.json", "300", "600"),
            ),
            row(
                "a resource beside it",
                beside(&[("main.tf.json", by_set.clone())]),
                |it| edit(it, "main.tf.json", "\"namespace\":\"linkerd\"", "\"namespace\":\"mesh\""),
                |it| edit(it, "main.tf.json", "red", "blue"),
            ),
            row(
                "values",
                beside(&[("main.tf.json", by_values)]),
                |it| edit(it, "main.tf.json", "PEM: one", "PEM: two"),
                |it| edit(it, "main.tf.json", "red", "blue"),
            ),
            row(
                "a list of blocks",
                beside(&[("main.tf.json", listed)]),
                |it| edit(it, "main.tf.json", "\"one\"", "\"two\""),
                |it| edit(it, "main.tf.json", "red", "blue"),
            ),
            row(
                "a variable",
                beside(&[("main.tf.json", by_encoded.to_string())]),
                |it| edit(it, "main.tf.json", "\"default\":\"one\"", "\"default\":\"two\""),
                |it| edit(it, "main.tf.json", "\"default\":\"eu\"", "\"default\":\"us\""),
            ),
            row(
                "a variable of another file",
                beside(&[
                    ("main.tf.json", by_encoded.to_string()),
                    ("live.tfvars.json", json!({"region": "eu", "roots": "one"}).to_string()),
                ]),
                |it| edit(it, "live.tfvars.json", "one", "two"),
                |it| edit(it, "live.tfvars.json", "eu", "us"),
            ),
            row(
                "a variable of both notations",
                beside(&[
                    ("main.tf", native.to_owned()),
                    ("live.auto.tfvars.json", json!({"region": "eu", "roots": "one"}).to_string()),
                ]),
                |it| edit(it, "live.auto.tfvars.json", "one", "two"),
                |it| edit(it, "live.auto.tfvars.json", "eu", "us"),
            ),
            row(
                "who installs a module",
                beside(&[
                    ("live/main.tf.json", of_module.to_string()),
                    ("modules/mesh/main.tf", native.to_owned()),
                ]),
                |it| edit(it, "live/main.tf.json", "\"one\"", "\"two\""),
                |it| edit(it, "live/main.tf.json", "red", "blue"),
            ),
        ],
    );
}
