//! `verify --git-base` on what controllers in the cluster make trust material of.

use serde_json::{Value, json};

use crate::layouts::{Files, text};
use crate::verify_reach::{judge, object, row, with};
use crate::verify_repositories::{edit, files, layout, scene};

#[test]
fn what_controllers_make_trust_of() {
    let Some(scene) = scene() else { return };
    let now = scene.now();
    let mesh = |more: &[Value]| with(layout("one file", &now), &[("more.yaml", text(more))]);
    let external = || -> Files {
        let mut objects = now.objects();
        objects.remove(0);
        files(&[("linkerd.yaml", text(&objects))])
    };
    let bundle = |spec: Value| {
        object(
            "trust.cert-manager.io/v1alpha1",
            "Bundle",
            "linkerd-identity-trust-roots",
            json!({"spec": spec}),
        )
    };
    let target =
        json!({"configMap": {"key": "ca-bundle.crt"}, "namespaceSelector": {"matchLabels": {"mesh": "yes"}}});
    let config_map = |name: &str, labels: Value, root: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "cert-manager", "labels": labels}, "data": {"ca.crt": root}});
    let by_name = [
        bundle(json!({"sources": [{"configMap": {"name": "company", "key": "ca.crt"}}], "target": target})),
        config_map("company", json!({}), "one"),
        config_map("shop", json!({}), "red"),
    ];
    let by_label = [
        bundle(
            json!({"sources": [{"configMap": {"selector": {"matchLabels": {"root": "yes"}}, "key": "ca.crt"}}], "target": target}),
        ),
        config_map("company", json!({"root": "yes"}), "one"),
        config_map("shop", json!({"root": "no"}), "red"),
    ];
    let sealed = |name: &str, labels: Value, data: &str| json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": name, "namespace": "cert-manager"}, "spec": {"encryptedData": {"ca.crt": data}, "template": {"metadata": {"labels": labels}}}});
    let secrets = [
        bundle(
            json!({"sources": [{"secret": {"selector": {"matchLabels": {"root": "yes"}}, "key": "ca.crt"}}], "target": target}),
        ),
        sealed("company", json!({"root": "yes"}), "one"),
        sealed("shop", json!({}), "red"),
    ];
    let namespace = |mesh: &str, color: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "linkerd", "labels": {"mesh": mesh, "color": color}}});
    let selected =
        [bundle(json!({"sources": [{"inLine": now.bundle}], "target": target})), namespace("yes", "red")];
    let job = |name: &str, image: &str, script: &str| {
        object(
            "batch/v1",
            "CronJob",
            name,
            json!({"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "kubectl", "image": image, "command": ["sh", "-c", script]}]}}}}}}),
        )
    };
    let jobs = [
        job(
            "rotate",
            "kubectl:1",
            "kubectl -n linkerd patch configmap linkerd-identity-trust-roots --patch one",
        ),
        job("shop", "shop:1", "echo red"),
    ];
    let runner = |name: &str, image: &str, script: &str| {
        let containers = json!([{"name": "run", "image": image, "command": ["sh", "-c", script]}]);
        let template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}});
        object(
            "apps/v1",
            "Deployment",
            name,
            json!({"spec": {"selector": {"matchLabels": {"app": name}}, "template": template}}),
        )
    };
    let runners = [
        runner(
            "rotate",
            "kubectl:1",
            "while sleep 60; do kubectl -n linkerd patch cm linkerd-identity-trust-roots --patch one; done",
        ),
        runner("shop", "shop:1", "echo red"),
    ];
    let policy = |name: &str, root: &str, kind: &str| {
        json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": name}, "spec": {"rules": [{"name": "r", "match": {"any": [{"resources": {"kinds": [kind], "namespaces": ["linkerd"]}}]},
            "mutate": {"patchStrategicMerge": {"data": {"ca-bundle.crt": root}}}}]}})
    };
    let policies = [policy("roots", "one", "ConfigMap"), policy("shop", "red", "Deployment")];
    let variables = json!({"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "proxies"}, "spec": {"rules": [{"name": "r", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
        "mutate": {"patchStrategicMerge": {"spec": {"containers": [{"name": "linkerd-proxy", "env": [{"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": "one"}]}]}}}}]}});
    let store = |name: &str, server: &str| json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": name}, "spec": {"provider": {"vault": {"server": server}}}});
    let fetched = |name: &str, store: &str| {
        object(
            "external-secrets.io/v1",
            "ExternalSecret",
            name,
            json!({"spec": {"refreshInterval": "1h", "secretStoreRef": {"kind": "ClusterSecretStore", "name": store}, "target": {"name": name}, "dataFrom": [{"extract": {"key": "k"}}]}}),
        )
    };
    let stores = [
        fetched("linkerd-identity-issuer", "vault"),
        store("vault", "one"),
        fetched("shop", "other"),
        store("other", "red"),
    ];
    let without_issuer = |more: &[Value]| {
        let mut objects = now.objects();
        objects.remove(1);
        files(&[("linkerd.yaml", text(&objects)), ("more.yaml", text(more))])
    };
    let aws = |name: &str, arn: &str| json!({"apiVersion": "awspca.cert-manager.io/v1beta1", "kind": "AWSPCAClusterIssuer", "metadata": {"name": name}, "spec": {"arn": arn, "region": "eu"}});
    let certificate = object(
        "cert-manager.io/v1",
        "Certificate",
        "linkerd-identity-issuer",
        json!({"spec": {"secretName": "linkerd-identity-issuer", "isCA": true, "issuerRef": {"group": "awspca.cert-manager.io", "kind": "AWSPCAClusterIssuer", "name": "mesh"}}}),
    );
    let signers = [certificate, aws("mesh", "one"), aws("shop", "red")];
    let root_twin: fn(&mut Files) = |it| edit(it, "more.yaml", "red", "blue");
    judge(
        &scene,
        vec![
            row(
                "a ConfigMap behind a Bundle",
                with(external(), &[("more.yaml", text(&by_name))]),
                |it| edit(it, "more.yaml", "ca.crt: one", "ca.crt: two"),
                root_twin,
            ),
            row(
                "a labelled ConfigMap behind a Bundle",
                with(external(), &[("more.yaml", text(&by_label))]),
                |it| edit(it, "more.yaml", "ca.crt: one", "ca.crt: two"),
                root_twin,
            ),
            row(
                "the label of a ConfigMap",
                with(external(), &[("more.yaml", text(&by_label))]),
                |it| edit(it, "more.yaml", "root: \"no\"", "root: \"yes\""),
                root_twin,
            ),
            row(
                "a labelled Secret behind a Bundle",
                with(external(), &[("more.yaml", text(&secrets))]),
                |it| edit(it, "more.yaml", "ca.crt: one", "ca.crt: two"),
                root_twin,
            ),
            row(
                "the label of the namespace",
                with(external(), &[("more.yaml", text(&selected))]),
                |it| edit(it, "more.yaml", "    mesh: \"yes\"\n    color", "    mesh: \"no\"\n    color"),
                root_twin,
            ),
            row(
                "a script of a Job",
                mesh(&jobs),
                |it| edit(it, "more.yaml", "--patch one", "--patch two"),
                root_twin,
            ),
            row(
                "a script of a Deployment",
                mesh(&runners),
                |it| edit(it, "more.yaml", "--patch one", "--patch two"),
                |it| edit(it, "more.yaml", "kubectl:1", "kubectl:2"),
            ),
            row(
                "the image of a Job",
                mesh(&jobs),
                |it| edit(it, "more.yaml", "--patch one", "--patch two"),
                |it| edit(it, "more.yaml", "kubectl:1", "kubectl:2"),
            ),
            row(
                "a policy on ConfigMaps of the namespace",
                mesh(&policies),
                |it| edit(it, "more.yaml", "ca-bundle.crt: one", "ca-bundle.crt: two"),
                root_twin,
            ),
            row(
                "a policy on the variables of proxies",
                mesh(&[variables]),
                |it| edit(it, "more.yaml", "value: one", "value: two"),
                |_| {},
            ),
            row(
                "a store behind an ExternalSecret",
                without_issuer(&stores),
                |it| edit(it, "more.yaml", "server: one", "server: two"),
                root_twin,
            ),
            row(
                "an issuer of another group",
                without_issuer(&signers),
                |it| edit(it, "more.yaml", "arn: one", "arn: two"),
                root_twin,
            ),
        ],
    );
}
