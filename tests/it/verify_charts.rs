//! `verify --git-base` where a kustomization renders charts that stand in the repository.

use serde_json::{Value, json};

use crate::layouts::{Declared, Files, text};
use crate::verify_reach::{judge, row};
use crate::verify_repositories::{edit, files, kustomization, scene};

const UMBRELLA: &str = "apiVersion: v2\nname: platform\nversion: 1.0.0\ndependencies:\n- name: linkerd-control-plane\n  alias: mesh\n  version: 2025.4.4\n  repository: https://helm.linkerd.io/edge\n";
const PLAIN: &str = "apiVersion: v2\nname: trust\nversion: 1.0.0\n";
const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: linkerd-identity-trust-roots\ndata:\n  ca-bundle.crt: {{ .Values.pki.root | quote }}\n";

#[test]
#[ignore = "long"]
fn values_for_a_local_chart_are_judged_wherever_they_stand() {
    let Some(scene) = scene() else { return };
    let with = |fields: Value, inline: Option<&Declared>, own: &Declared, directory: &str| {
        let mut chart = json!({"name": "platform", "namespace": "linkerd", "releaseName": "platform"});
        chart.as_object_mut().unwrap().extend(fields["chart"].as_object().unwrap().clone());
        if let Some(inline) = inline {
            chart["valuesInline"] = json!({"mesh": inline.values()});
        }
        let mut all = json!({"helmCharts": [chart]});
        if let Some(home) = fields.get("home") {
            all["helmGlobals"] = json!({"chartHome": home});
        }
        files(&[
            ("mesh/kustomization.yaml", kustomization(&all)),
            (&format!("{directory}/Chart.yaml"), UMBRELLA.to_owned()),
            (&format!("{directory}/values.yaml"), text(&[json!({"mesh": own.values()})])),
        ])
    };
    let (now, new) = (scene.now(), scene.with_new());
    type Of<'a> = Box<dyn Fn(&Declared) -> Files + 'a>;
    let shapes: Vec<(&str, Of<'_>)> = vec![
        (
            "inline, over the chart's own",
            Box::new(|it| with(json!({"home": "../charts", "chart": {}}), Some(it), &new, "charts/platform")),
        ),
        (
            "the chart's own",
            Box::new(|it| with(json!({"home": "../charts", "chart": {}}), None, it, "charts/platform")),
        ),
        (
            "the chart's own, over those inline",
            Box::new(|it| {
                with(json!({"chart": {"valuesMerge": "merge"}}), Some(&new), it, "mesh/charts/platform")
            }),
        ),
        (
            "the chart's own, with a version that was pulled",
            Box::new(|it| {
                let chart = json!({"chart": {"repo": "https://charts.example.test", "version": "1.0.0"}});
                with(chart, None, it, "mesh/charts/platform-1.0.0/platform")
            }),
        ),
        (
            "Linkerd's own chart, as it was pulled",
            Box::new(|it| {
                let mut values = it.values();
                values["proxy"] = json!({"logLevel": format!("level-{}", it.replicas)});
                let chart =
                    json!({"name": "linkerd-control-plane", "namespace": "linkerd", "valuesInline": values});
                let template = "kind: ConfigMap\nmetadata:\n  name: linkerd-identity-trust-roots\ndata:\n  ca-bundle.crt: {{ .Values.identityTrustAnchorsPEM }}\n  x: {{ .Values.proxy.logLevel }}\n";
                files(&[
                    ("mesh/kustomization.yaml", kustomization(&json!({"helmCharts": [chart]}))),
                    (
                        "mesh/charts/linkerd-control-plane/Chart.yaml",
                        "name: linkerd-control-plane\nversion: 1.0.0\n".to_owned(),
                    ),
                    ("mesh/charts/linkerd-control-plane/templates/identity.yaml", template.to_owned()),
                ])
            }),
        ),
        (
            "the old generator's",
            Box::new(|it| {
                let chart = json!({"chartName": "platform", "chartHome": "../charts", "releaseNamespace": "linkerd",
                    "valuesLocal": {"mesh": it.values()}});
                let all = json!({"helmChartInflationGenerator": [chart]});
                files(&[
                    ("mesh/kustomization.yaml", kustomization(&all)),
                    ("charts/platform/Chart.yaml", UMBRELLA.to_owned()),
                ])
            }),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, of) in shapes {
        scene.base(&of(&now));
        let replicas = Declared { replicas: 4, ..scene.now() };
        for (change, expected) in
            [(scene.with_both(), "safe"), (scene.with_new(), "unsafe"), (replicas, "not-about-trust")]
        {
            let (verdict, codes) = scene.after(&of(&change));
            if verdict != expected {
                wrong.push(format!("{name}: {verdict} {codes:?}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_local_chart_makes_trust_of_is_unknown_where_it_changes() {
    let Some(scene) = scene() else { return };
    let of = |fields: Value| {
        let mut chart = json!({"name": "trust", "namespace": "linkerd"});
        chart.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        files(&[
            (
                "mesh/kustomization.yaml",
                kustomization(&json!({"helmGlobals": {"chartHome": "../charts"}, "helmCharts": [chart]})),
            ),
            ("charts/trust/Chart.yaml", PLAIN.to_owned()),
            ("charts/trust/values.yaml", "pki:\n  root: one\ncolor: red\n".to_owned()),
            ("charts/trust/templates/roots.yaml", TEMPLATE.to_owned()),
            ("charts/trust/templates/shop.yaml", "kind: ConfigMap\nmetadata:\n  name: shop\n".to_owned()),
        ])
    };
    judge(
        &scene,
        vec![
            row(
                "a value of its own",
                of(json!({})),
                |it| edit(it, "charts/trust/values.yaml", "root: one", "root: two"),
                |it| edit(it, "charts/trust/values.yaml", "red", "blue"),
            ),
            row(
                "a template",
                of(json!({})),
                |it| edit(it, "charts/trust/templates/roots.yaml", ".root", ".other"),
                |it| edit(it, "charts/trust/templates/shop.yaml", "name: shop", "name: store"),
            ),
            row(
                "a value inline",
                of(json!({"valuesInline": {"pki": {"root": "one"}, "color": "red"}})),
                |it| edit(it, "mesh/kustomization.yaml", "root: one", "root: two"),
                |it| edit(it, "mesh/kustomization.yaml", "red", "blue"),
            ),
            row(
                "the directory of charts",
                [of(json!({})), files(&[("other/trust/Chart.yaml", PLAIN.to_owned())])].concat(),
                |it| edit(it, "mesh/kustomization.yaml", "../charts", "../other"),
                |it| edit(it, "charts/trust/Chart.yaml", "version: 1.0.0", "version: 1.0.1"),
            ),
        ],
    );
}
