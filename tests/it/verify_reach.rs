//! `verify --git-base` on what reaches trust material by a detour: each change is never taken for green, and a harmless one
//! beside it stays green.

use std::fs;

use serde_json::{Value, json};

use crate::layouts::{Files, text};
use crate::verify_repositories::{Scene, below, edit, files, kustomization, layout, scene};

/// A change in a repository: its name, the files, what reaches trust material, and what does not.
pub struct Row {
    name: &'static str,
    base: Files,
    change: fn(&mut Files),
    harmless: fn(&mut Files),
}

pub fn row(name: &'static str, base: Files, change: fn(&mut Files), harmless: fn(&mut Files)) -> Row {
    Row { name, base, change, harmless }
}

pub fn judge(scene: &Scene, rows: Vec<Row>) {
    let mut wrong = Vec::new();
    for Row { name, base, change, harmless } in rows {
        scene.base(&base);
        let mut changed = base.clone();
        change(&mut changed);
        let (verdict, codes) = scene.after(&changed);
        if !["unknown", "unsafe"].contains(&verdict.as_str()) {
            wrong.push(format!("{name}: {verdict} {codes:?}"));
        }
        let mut beside = base;
        harmless(&mut beside);
        let (verdict, codes) = scene.after(&beside);
        if verdict != "not-about-trust" {
            wrong.push(format!("{name}, harmless: {verdict} {codes:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An object whose name is all that is said of it.
fn object(api_version: &str, kind: &str, name: &str, fields: Value) -> Value {
    let mut tree =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "linkerd"}});
    tree.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    tree
}

const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: linkerd-identity-trust-roots\ndata:\n  ca-bundle.crt: {{ include \"platform.roots\" . | quote }}\n";
const HELPERS: &str = "{{- define \"platform.roots\" -}}\n{{ .Values.pki.root }}\n{{- end }}\n";
const SHOP: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: shop\nspec:\n  template:\n    spec:\n      containers:\n      - image: {{ .Values.shop.image }}\n";
const PKI: &str = "pki:\n  root: one\nshop:\n  image: shop:1\n  color: red\n";

/// A chart whose own templates make the bundle.
fn chart(dependencies: &str) -> Files {
    files(&[
        ("platform/Chart.yaml", format!("apiVersion: v2\nname: platform\nversion: 1.0.0\n{dependencies}")),
        ("platform/templates/_helpers.tpl", HELPERS.to_owned()),
        ("platform/templates/roots.yaml", TEMPLATE.to_owned()),
        ("platform/templates/shop.yaml", SHOP.to_owned()),
    ])
}

pub fn with(mut all: Files, more: &[(&str, String)]) -> Files {
    all.extend(files(more));
    all
}

pub fn application(name: &str, source: Value) -> Value {
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"destination": {"namespace": "linkerd", "server": "https://kubernetes.default.svc"}, "source": source}})
}

fn helm_release(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": name, "namespace": "linkerd"}, "spec": spec})
}

const MESH: &str = "dependencies:\n- name: linkerd-control-plane\n  alias: mesh\n  version: 2025.4.4\n  repository: https://helm.linkerd.io/edge\n";

#[test]
fn what_templates_of_a_chart_make_trust_of() {
    let Some(scene) = scene() else { return };
    let values = || with(chart(""), &[("platform/values.yaml", PKI.to_owned())]);
    let environment = |by: &Value| {
        with(
            values(),
            &[
                ("apps/platform.yaml", text(std::slice::from_ref(by))),
                ("environments/prod.yaml", "pki:\n  root: one\nshop:\n  image: shop:1\n".to_owned()),
            ],
        )
    };
    let by_argo = application(
        "platform",
        json!({"path": "platform", "helm": {"valueFiles": ["values.yaml", "../environments/prod.yaml"]}}),
    );
    let by_flux = helm_release(
        "platform",
        json!({"chart": {"spec": {"chart": "./platform", "valuesFiles": ["platform/values.yaml", "environments/prod.yaml"], "reconcileStrategy": "Revision", "sourceRef": {"kind": "GitRepository", "name": "flux-system"}}}}),
    );
    let inline = helm_release(
        "platform",
        json!({"chart": {"spec": {"chart": "./platform", "reconcileStrategy": "Revision", "sourceRef": {"kind": "GitRepository", "name": "flux-system"}}}, "values": {"pki": {"root": "one"}, "shop": {"image": "shop:1"}}}),
    );
    let umbrella = || {
        let mesh = json!({"mesh": scene.now().values(), "pki": {"root": "one"}, "shop": {"image": "shop:1", "color": "red"}});
        with(chart(MESH), &[("platform/values.yaml", text(&[mesh]))])
    };
    let with_inline = json!({"path": "platform", "helm": {"valuesObject": {"pki": {"root": "one"}, "shop": {"color": "red"}}}});
    let certificate = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata:\n  name: linkerd-identity-issuer\nspec:\n  issuerRef: {{ toYaml .Values.signer | nindent 4 }}\n";
    let nested = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: mesh\nspec:\n  chart:\n    spec:\n      chart: linkerd-control-plane\n      version: {{ .Values.mesh.version }}\n  values:\n    {{- with .Values.mesh.values }}\n    {{- toYaml . | nindent 4 }}\n    {{- end }}\n";
    judge(&scene, vec![
        row("a value of a template", values(), |it| edit(it, "platform/values.yaml", "root: one", "root: two"), |it| edit(it, "platform/values.yaml", "red", "blue")),
        row("a helper of a template", values(), |it| edit(it, "platform/templates/_helpers.tpl", ".root", ".other"), |it| edit(it, "platform/templates/shop.yaml", "name: shop", "name: store")),
        row("values of an environment by Argo CD", environment(&by_argo), |it| edit(it, "environments/prod.yaml", "root: one", "root: two"), |it| edit(it, "environments/prod.yaml", "shop:1", "shop:2")),
        row("values of an environment by Flux", environment(&by_flux), |it| edit(it, "environments/prod.yaml", "root: one", "root: two"), |it| edit(it, "environments/prod.yaml", "shop:1", "shop:2")),
        row("values of a HelmRelease", with(values(), &[("release.yaml", text(&[inline]))]), |it| edit(it, "release.yaml", "root: one", "root: two"), |it| edit(it, "release.yaml", "shop:1", "shop:2")),
        row("a value beside those of the control plane", umbrella(), |it| edit(it, "platform/values.yaml", "root: one", "root: two"), |it| edit(it, "platform/values.yaml", "red", "blue")),
        row("a template beside the control plane", umbrella(), |it| edit(it, "platform/templates/_helpers.tpl", ".root", ".other"), |it| edit(it, "platform/templates/shop.yaml", "name: shop", "name: store")),
        row("a value of an environment beside the control plane", with(umbrella(), &[("platform/values-prod.yaml", "pki:\n  root: one\nshop:\n  color: red\n".to_owned())]), |it| edit(it, "platform/values-prod.yaml", "root: one", "root: two"), |it| edit(it, "platform/values-prod.yaml", "red", "blue")),
        row("a value of an Application beside the control plane", with(umbrella(), &[("apps/platform.yaml", text(&[application("platform", with_inline)]))]), |it| edit(it, "apps/platform.yaml", "root: one", "root: two"), |it| edit(it, "apps/platform.yaml", "red", "blue")),
        row("the trust domain of an environment", with(chart(MESH), &[("platform/values.yaml", "mesh:\n  controllerReplicas: 1\n".to_owned()), ("platform/environments/prod.yaml", "mesh:\n  identityTrustDomain: one\n  controllerReplicas: 1\n".to_owned())]), |it| edit(it, "platform/environments/prod.yaml", "one", "two"), |it| edit(it, "platform/environments/prod.yaml", "Replicas: 1", "Replicas: 2")),
        row("the issuer scheme of an environment", with(chart(MESH), &[("platform/values.yaml", "mesh:\n  controllerReplicas: 1\n".to_owned()), ("platform/environments/prod.yaml", "mesh:\n  identity:\n    issuer:\n      scheme: linkerd.io/tls\n  controllerReplicas: 1\n".to_owned())]), |it| edit(it, "platform/environments/prod.yaml", "linkerd.io/tls", "kubernetes.io/tls"), |it| edit(it, "platform/environments/prod.yaml", "Replicas: 1", "Replicas: 2")),
        row("the issuer of a Certificate", with(chart(""), &[("platform/templates/issuer.yaml", certificate.to_owned()), ("platform/values.yaml", "signer:\n  name: one\nshop:\n  color: red\n".to_owned())]), |it| edit(it, "platform/values.yaml", "name: one", "name: two"), |it| edit(it, "platform/values.yaml", "red", "blue")),
        row("values of a release in a template", with(chart(""), &[("platform/templates/mesh.yaml", nested.to_owned()), ("platform/values.yaml", "mesh:\n  version: 1\n  values:\n    identity:\n      issuer:\n        scheme: linkerd.io/tls\n".to_owned())]), |it| edit(it, "platform/values.yaml", "linkerd.io/tls", "kubernetes.io/tls"), |it| edit(it, "platform/values.yaml", "version: 1", "version: 2")),
        row("a list of applications", files(&[
            ("apps/Chart.yaml", "apiVersion: v2\nname: apps\nversion: 1.0.0\n".to_owned()),
            ("apps/templates/all.yaml", "{{- range .Values.apps }}\napiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    chart: {{ .chart }}\n{{- end }}\n".to_owned()),
            ("apps/values.yaml", "apps:\n- name: mesh\n  chart: linkerd-control-plane\n  version: 1\n  values:\n    disableIdentity: false\n- name: shop\n  chart: shop\n".to_owned()),
            ("root.yaml", text(&[application("apps", json!({"path": "apps"}))])),
        ]), |it| edit(it, "apps/values.yaml", "Identity: false", "Identity: true"), |it| edit(it, "apps/values.yaml", "- name: shop", "- name: new\n  chart: new\n- name: shop")),
            row("values of an environment that a pipeline gives", with(values(), &[("live/prod/platform.yaml", "pki:\n  root: one\nshop:\n  color: red\n".to_owned())]), |it| edit(it, "live/prod/platform.yaml", "root: one", "root: two"), |it| edit(it, "live/prod/platform.yaml", "red", "blue")),
        row("a value of a chart below", with(below("charts/trust", chart("").into_iter().map(|(name, text)| (name.replace("platform/", ""), text)).collect()), &[("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- name: platform\n  alias: trust\n  repository: file://../charts/trust\n".to_owned()), ("shop/values.yaml", "trust:\n  pki:\n    root: one\ncolor: red\n".to_owned())]), |it| edit(it, "shop/values.yaml", "root: one", "root: two"), |it| edit(it, "shop/values.yaml", "red", "blue")),
        row("a setting of an environment", with(chart(MESH), &[("platform/values.yaml", "mesh:\n  controllerReplicas: 1\n".to_owned()), ("platform/values-prod.yaml", "mesh:\n  disableIdentity: false\nshop:\n  color: red\n".to_owned())]), |it| edit(it, "platform/values-prod.yaml", "disableIdentity: false", "disableIdentity: true"), |it| edit(it, "platform/values-prod.yaml", "red", "blue")),
        row("all values of a template", with(chart(""), &[("platform/templates/roots.yaml", TEMPLATE.replace("include \"platform.roots\" .", "tpl .Values.text $")), ("platform/values.yaml", "text: '{{ .Values.x }}'\nx: one\nshop:\n  image: shop:1\n".to_owned())]), |it| edit(it, "platform/values.yaml", "x: one", "x: two"), |it| edit(it, "platform/values.yaml", "shop:1", "shop:2")),
    ]);
}

#[test]
fn what_engines_make_applications_of() {
    let Some(scene) = scene() else { return };
    let set = |generators: Value, helm: Value| {
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "linkerd"},
            "spec": {"syncPolicy": {"preserveResourcesOnDeletion": false}, "generators": generators, "template": {"metadata": {"name": "{{cluster}}-linkerd"}, "spec": {
                "destination": {"namespace": "linkerd", "server": "{{server}}"}, "source": {"chart": "linkerd-control-plane", "targetRevision": "1", "helm": helm}}}}})
    };
    let now = scene.now();
    let own = set(
        json!([{"list": {"elements": [{"cluster": "a", "server": "s"}], "template": {"metadata": {}, "spec": {"source": {"helm": {"parameters": [{"name": "identityTrustDomain", "value": "one"}]}}}}}}]),
        json!({"valuesObject": now.values()}),
    );
    let by_files = set(
        json!([{"git": {"files": [{"path": "clusters/*/config.json"}]}}]),
        json!({"valuesObject": now.values(), "parameters": [{"name": "proxy.additionalEnv[0].name", "value": "{{env}}"}, {"name": "proxy.additionalEnv[0].value", "value": "one"}]}),
    );
    let by_matrix = set(
        json!([{"matrix": {"generators": [{"git": {"files": [{"path": "clusters/**/config.json"}]}}, {"list": {"elements": [{"x": "y"}]}}]}}]),
        json!({"valuesObject": now.values(), "parameters": [{"name": "identity.additionalEnv[0].name", "value": "{{env}}"}]}),
    );
    let cluster = || {
        (
            "clusters/a/config.json",
            "{\n  \"cluster\": \"a\", \"server\": \"s\",\n  \"env\": \"one\",\n  \"version\": \"1\"\n}\n"
                .to_owned(),
        )
    };
    let parameters = |name: &str, value: &str| {
        let helm = json!({"valuesObject": now.values(), "parameters": [{"name": "proxy.additionalEnv[0].name", "value": name}, {"name": "proxy.additionalEnv[0].value", "value": value}, {"name": "proxy.image.version", "value": "1"}]});
        files(&[(
            "linkerd.yaml",
            text(&[application("linkerd", json!({"chart": "linkerd-control-plane", "helm": helm}))]),
        )])
    };
    let flux = |name: &str, path: &str, more: Value| {
        let mut spec = json!({"path": path, "interval": "5m", "sourceRef": {"kind": "GitRepository", "name": "flux-system"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": name, "namespace": "flux-system"}, "spec": spec})
    };
    let patched = [
        files(&[
            ("clusters/a.yaml", text(&[flux("apps", "./apps", json!({"patches": [{"target": {"kind": "Kustomization", "name": "mesh"}, "patch": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: mesh\nspec:\n  targetNamespace: one\n"}]}))])),
            ("apps/mesh.yaml", text(&[flux("mesh", "./mesh", json!({}))])),
        ]),
        below("mesh", layout("one file", &now)),
    ]
    .concat();
    let directory = [
        files(&[("apps/mesh.yaml", text(&[application("mesh", json!({"path": "mesh"}))]))]),
        below("mesh", layout("one file", &now)),
        files(&[("mesh/shop.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\n".to_owned())]),
    ]
    .concat();
    let oci = |url: &str| {
        object(
            "source.toolkit.fluxcd.io/v1",
            "OCIRepository",
            "mesh",
            json!({"spec": {"interval": "5m", "url": url, "ref": {"tag": "1"}}}),
        )
    };
    let by_oci = files(&[
        (
            "release.yaml",
            text(&[helm_release(
                "mesh",
                json!({"chartRef": {"kind": "OCIRepository", "name": "mesh"}, "values": now.values()}),
            )]),
        ),
        ("source.yaml", text(&[oci("oci://one.example/charts/linkerd-control-plane")])),
    ]);
    let by_repository = with(
        layout("a HelmRelease", &now),
        &[(
            "source.yaml",
            text(&[object(
                "source.toolkit.fluxcd.io/v1",
                "HelmRepository",
                "linkerd",
                json!({"spec": {"interval": "5m", "url": "https://one.example"}}),
            )]),
        )],
    );
    let sealed = files(&[
        (
            "release.yaml",
            text(&[helm_release(
                "mesh",
                json!({"interval": "5m", "chart": {"spec": {"chart": "platform"}}, "values": {"linkerd-control-plane": now.values()},
                    "valuesFrom": [{"kind": "Secret", "name": "roots", "valuesKey": "ca.crt", "targetPath": "linkerd-control-plane.identityTrustAnchorsPEM"}]}),
            )]),
        ),
        (
            "sealed.yaml",
            text(&[object(
                "bitnami.com/v1alpha1",
                "SealedSecret",
                "roots",
                json!({"spec": {"encryptedData": {"ca.crt": "AgB1"}}}),
            )]),
        ),
    ]);
    let charts = files(&[(
        "mesh/kustomization.yaml",
        kustomization(
            &json!({"helmCharts": [{"name": "linkerd-control-plane", "repo": "https://one.example", "version": "1", "namespace": "linkerd", "valuesInline": now.values()}]}),
        ),
    )]);
    judge(
        &scene,
        vec![
            row(
                "a template of a generator",
                files(&[("set.yaml", text(&[own]))]),
                |it| edit(it, "set.yaml", "value: one", "value: two"),
                |it| {
                    edit(
                        it,
                        "set.yaml",
                        "preserveResourcesOnDeletion: false",
                        "preserveResourcesOnDeletion: true",
                    )
                },
            ),
            row(
                "a file of a generator",
                with(files(&[("set.yaml", text(&[by_files]))]), &[cluster()]),
                |it| edit(it, "clusters/a/config.json", "one", "two"),
                |it| edit(it, "clusters/a/config.json", "\"1\"", "\"2\""),
            ),
            row(
                "a file of a nested generator",
                with(files(&[("set.yaml", text(&[by_matrix]))]), &[cluster()]),
                |it| edit(it, "clusters/a/config.json", "one", "two"),
                |it| edit(it, "clusters/a/config.json", "\"1\"", "\"2\""),
            ),
            row(
                "the name of a variable",
                parameters("A", "x"),
                |it| edit(it, "linkerd.yaml", "value: A", "value: B"),
                |it| edit(it, "linkerd.yaml", "value: \"1\"", "value: \"2\""),
            ),
            row(
                "the value of a variable",
                parameters("A", "x"),
                |it| edit(it, "linkerd.yaml", "value: x", "value: y"),
                |it| edit(it, "linkerd.yaml", "value: \"1\"", "value: \"2\""),
            ),
            row(
                "a patch of another engine's object",
                patched,
                |it| edit(it, "clusters/a.yaml", "targetNamespace: one", "targetNamespace: two"),
                |it| edit(it, "clusters/a.yaml", "interval: 5m", "interval: 9m"),
            ),
            row(
                "a file that Argo CD passes over",
                directory,
                |it| {
                    edit(
                        it,
                        "mesh/linkerd.yaml",
                        "apiVersion: v1\nkind: Secret",
                        "# +argocd:skip-file-rendering\napiVersion: v1\nkind: Secret",
                    )
                },
                |it| edit(it, "mesh/shop.yaml", "apiVersion", "# +argocd:skip-file-rendering\napiVersion"),
            ),
            row(
                "another registry",
                by_oci,
                |it| edit(it, "source.yaml", "one.example", "two.example"),
                |it| edit(it, "source.yaml", "tag: \"1\"", "tag: \"2\""),
            ),
            row(
                "another repository",
                by_repository,
                |it| edit(it, "source.yaml", "one.example", "two.example"),
                |it| edit(it, "source.yaml", "interval: 5m", "interval: 9m"),
            ),
            row(
                "a sealed value of an umbrella chart",
                sealed,
                |it| edit(it, "sealed.yaml", "AgB1", "AgB2"),
                |it| edit(it, "release.yaml", "interval: 5m", "interval: 9m"),
            ),
            row(
                "another repository of a kustomization's chart",
                charts,
                |it| edit(it, "mesh/kustomization.yaml", "one.example", "two.example"),
                |it| edit(it, "mesh/kustomization.yaml", "version: \"1\"", "version: \"2\""),
            ),
        ],
    );
}

#[test]
fn what_other_tools_make_a_mesh_of() {
    let Some(scene) = scene() else { return };
    let now = scene.now();
    let mesh = || layout("one file", &now);
    let helm_tf = "resource \"helm_release\" \"linkerd\" {\n  name  = \"mesh\"\n  chart = \"linkerd-control-plane\"\n  set {\n    name  = \"identityTrustAnchorsPEM\"\n    value = tls_self_signed_cert.root.cert_pem\n  }\n}\n";
    let pki_tf = "resource \"tls_private_key\" \"root\" {\n  algorithm = \"ECDSA\"\n}\n\nresource \"tls_self_signed_cert\" \"root\" {\n  private_key_pem       = tls_private_key.root.private_key_pem\n  validity_period_hours = 87600\n}\n";
    let bucket_tf = "resource \"aws_s3_bucket\" \"shop\" {\n  bucket = \"one\"\n}\n";
    let module_tf = "module \"mesh\" {\n  source = \"../../modules/mesh\"\n  root   = var.root\n}\n";
    let in_module = || {
        with(
            mesh(),
            &[
                ("modules/mesh/main.tf", helm_tf.replace("tls_self_signed_cert.root.cert_pem", "var.root")),
                ("live/prod/main.tf", module_tf.to_owned()),
                ("live/prod/terraform.tfvars", "root = \"one\"\nregion = \"eu\"\n".to_owned()),
            ],
        )
    };
    let terraform = || {
        with(
            mesh(),
            &[
                ("infra/linkerd.tf", helm_tf.to_owned()),
                ("infra/pki.tf", pki_tf.to_owned()),
                ("infra/bucket.tf", bucket_tf.to_owned()),
            ],
        )
    };
    let program = "import * as k8s from '@pulumi/kubernetes';\nconst config = new pulumi.Config();\nconst root = config.require('meshRoot');\nnew k8s.helm.v3.Release('mesh', { chart: 'linkerd-control-plane', values: { identityTrustAnchorsPEM: root } });\n";
    let skaffold = "apiVersion: skaffold/v4beta6\nkind: Config\ndeploy:\n  helm:\n    releases:\n    - name: mesh\n      remoteChart: linkerd-control-plane\n      setValues:\n        identity.issuer.scheme: one\n        disableIdentity: a\n    - name: shop\n      remoteChart: shop\n      setValues:\n        color: red\n";
    let fleet = "defaultNamespace: linkerd\nhelm:\n  chart: linkerd-control-plane\n  version: \"1\"\ntargetCustomizations:\n- name: prod\n  helm:\n    values:\n      identity:\n        issuer:\n          scheme: linkerd.io/tls\n";
    let helmfile = "releases:\n- name: mesh\n  chart: linkerd/linkerd-control-plane\n  version: \"1\"\n  values:\n  - identity:\n      issuer:\n        scheme: linkerd.io/tls\n  - mesh/prod.yaml\n- name: shop\n  chart: shop/shop\n  values:\n  - color: red\n";
    let prod = "identity:\n  issuer:\n    scheme: linkerd.io/tls\ncontrollerReplicas: 1\n";
    let ytt = "#@ load(\"@ytt:data\", \"data\")\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: linkerd-identity-trust-roots\n  namespace: linkerd\ndata:\n  ca-bundle.crt: #@ data.values.root\n";
    let kptfile = "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata:\n  name: mesh\npipeline:\n  mutators:\n  - image: gcr.io/kpt-fn/apply-setters:v0.2\n    configMap:\n      root: one\n";
    let setters = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: setters\n  namespace: linkerd\n  annotations:\n    config.kubernetes.io/local-config: \"true\"\ndata:\n  root: one\n  replicas: \"1\"\n";
    let kpt_roots = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: linkerd-identity-trust-roots\n  namespace: linkerd\ndata:\n  ca-bundle.crt: one # kpt-set: ${root}\n";
    judge(
        &scene,
        vec![
            row(
                "a certificate of Terraform",
                terraform(),
                |it| edit(it, "infra/pki.tf", "87600", "87601"),
                |it| edit(it, "infra/bucket.tf", "one", "two"),
            ),
            row(
                "a key of Terraform",
                terraform(),
                |it| edit(it, "infra/pki.tf", "ECDSA", "RSA"),
                |it| {
                    it.push((
                        "infra/other.tf".to_owned(),
                        "resource \"aws_s3_bucket\" \"new\" {\n  bucket = \"new\"\n}\n".to_owned(),
                    ))
                },
            ),
            row(
                "a variable of a module",
                in_module(),
                |it| edit(it, "live/prod/terraform.tfvars", "one", "two"),
                |it| edit(it, "live/prod/terraform.tfvars", "eu", "us"),
            ),
            row(
                "an argument of a module",
                in_module(),
                |it| edit(it, "live/prod/main.tf", "var.root", "var.other"),
                |it| {
                    it.push((
                        "live/prod/shop.tf".to_owned(),
                        "module \"shop\" {\n  source = \"../../modules/shop\"\n}\n".to_owned(),
                    ))
                },
            ),
            row(
                "a configuration of Pulumi",
                with(
                    mesh(),
                    &[
                        ("infra/Pulumi.yaml", "name: infra\nruntime: nodejs\n".to_owned()),
                        (
                            "infra/Pulumi.prod.yaml",
                            "config:\n  infra:meshRoot: one\n  infra:region: eu\n".to_owned(),
                        ),
                        ("infra/index.ts", program.to_owned()),
                    ],
                ),
                |it| edit(it, "infra/Pulumi.prod.yaml", "one", "two"),
                |it| edit(it, "infra/Pulumi.prod.yaml", "eu", "us"),
            ),
            row(
                "a value of Skaffold",
                with(mesh(), &[("skaffold.yaml", skaffold.to_owned())]),
                |it| edit(it, "skaffold.yaml", "disableIdentity: a", "disableIdentity: b"),
                |it| edit(it, "skaffold.yaml", "red", "blue"),
            ),
            row(
                "a customization of Fleet",
                with(mesh(), &[("mesh/fleet.yaml", fleet.to_owned())]),
                |it| edit(it, "mesh/fleet.yaml", "linkerd.io/tls", "kubernetes.io/tls"),
                |it| edit(it, "mesh/fleet.yaml", "version: \"1\"", "version: \"2\""),
            ),
            row(
                "a scheme in helmfile",
                with(mesh(), &[("helmfile.yaml", helmfile.to_owned()), ("mesh/prod.yaml", prod.to_owned())]),
                |it| edit(it, "helmfile.yaml", "linkerd.io/tls", "kubernetes.io/tls"),
                |it| edit(it, "helmfile.yaml", "- name: shop", "- name: new\n  chart: new/new\n- name: shop"),
            ),
            row(
                "a scheme in a file of helmfile",
                with(mesh(), &[("helmfile.yaml", helmfile.to_owned()), ("mesh/prod.yaml", prod.to_owned())]),
                |it| edit(it, "mesh/prod.yaml", "linkerd.io/tls", "kubernetes.io/tls"),
                |it| edit(it, "mesh/prod.yaml", "Replicas: 1", "Replicas: 2"),
            ),
            row("a command of a Makefile", with(mesh(), &[("Makefile", "mesh:\n\thelm upgrade mesh linkerd/linkerd-control-plane \\\n\t\t--set disableIdentity=false\n\nshop:\n\thelm upgrade shop shop\n".to_owned())]), |it| edit(it, "Makefile", "=false", "=true"), |it| edit(it, "Makefile", "upgrade shop shop", "upgrade shop store")),
        row("a module that a program imports", with(mesh(), &[("infra/index.ts", program.replace("config.require('meshRoot')", "roots.mesh").replace("const config", "import roots from './roots';\nconst config")), ("infra/roots.ts", "export default { mesh: 'one' };\n".to_owned()), ("infra/shop.ts", "export default { color: 'red' };\n".to_owned())]), |it| edit(it, "infra/roots.ts", "one", "two"), |it| edit(it, "infra/shop.ts", "red", "blue")),
        row("a substitution of a pipeline", files(&[("mesh/roots.yaml", kpt_roots.replace("one # kpt-set: ${root}", "${ROOTS}")), ("mesh/prod.env", "ROOTS=one\nCOLOR=red\n".to_owned())]), |it| edit(it, "mesh/prod.env", "one", "two"), |it| edit(it, "mesh/prod.env", "red", "blue")),
        row(
                "a value of ytt",
                with(
                    mesh()[..0].to_vec(),
                    &[
                        ("config/roots.yaml", ytt.to_owned()),
                        (
                            "config/values.yaml",
                            "#@data/values\n---\nroot: one\nshop:\n  image: shop:1\n  color: red\n"
                                .to_owned(),
                        ),
                    ],
                ),
                |it| edit(it, "config/values.yaml", "root: one", "root: two"),
                |it| edit(it, "config/values.yaml", "red", "blue"),
            ),
            row(
                "a setter of kpt",
                files(&[("mesh/Kptfile", kptfile.to_owned()), ("mesh/roots.yaml", kpt_roots.to_owned())]),
                |it| edit(it, "mesh/Kptfile", "root: one", "root: two"),
                |it| edit(it, "mesh/Kptfile", "v0.2", "v0.3"),
            ),
            row(
                "a setter of kpt in a ConfigMap",
                files(&[
                    (
                        "mesh/Kptfile",
                        kptfile.replace("configMap:\n      root: one", "configPath: setters.yaml"),
                    ),
                    ("mesh/setters.yaml", setters.to_owned()),
                    ("mesh/roots.yaml", kpt_roots.to_owned()),
                ]),
                |it| edit(it, "mesh/setters.yaml", "root: one", "root: two"),
                |it| edit(it, "mesh/setters.yaml", "replicas: \"1\"", "replicas: \"2\""),
            ),
        ],
    );
}

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

#[test]
fn what_is_encrypted_behind_a_generator() {
    let Some(scene) = scene() else { return };
    let crypted = |text: &str| format!("\0GITCRYPT\0{text}");
    let sops = |text: &str| {
        format!("{{\n\t\"data\": \"ENC[AES256_GCM,data:{text}]\",\n\t\"sops\": {{\"mac\": \"x\"}}\n}}\n")
    };
    let with_file = |name: &str, content: String| {
        let mut all = layout("generators", &scene.now());
        all.iter_mut().find(|(file, _)| file == name).unwrap().1 = content;
        all
    };
    let image: fn(&mut Files) = |it| edit(it, "shop/shop.yaml", "shop:1", "shop:2");
    let mut rows = Vec::new();
    for (name, change) in [
        ("linkerd/ca.crt", (|it| edit(it, "linkerd/ca.crt", "one", "two")) as fn(&mut Files)),
        ("linkerd/issuer.crt", |it| edit(it, "linkerd/issuer.crt", "one", "two")),
        ("linkerd/issuer.key", |it| edit(it, "linkerd/issuer.key", "one", "two")),
    ] {
        rows.push(row(name, with_file(name, crypted("one")), change, image));
        rows.push(row(name, with_file(name, sops("one")), change, image));
    }
    judge(&scene, rows);
    let base = layout("generators", &scene.now());
    for name in ["linkerd/ca.crt", "linkerd/issuer.crt", "linkerd/issuer.key"] {
        scene.repository.write(&base);
        let file = scene.repository.home.path().join(name);
        fs::write(&file, b"\0GITCRYPT\0\xff\xfe1").unwrap();
        scene.repository.commit();
        fs::write(&file, b"\0GITCRYPT\0\xff\xfe2").unwrap();
        let (verdict, tree, _) = scene.repository.verify(&["-f", ".", "-R"]);
        assert!(["unknown", "unsafe"].contains(&verdict.as_str()), "{name}: {verdict} {tree:#}");
        fs::write(&file, b"\0GITCRYPT\0\xff\xfe1").unwrap();
        fs::write(
            scene.repository.home.path().join("shop/shop.yaml"),
            base.iter().find(|(file, _)| file == "shop/shop.yaml").unwrap().1.replace("shop:1", "shop:2"),
        )
        .unwrap();
        let (verdict, tree, _) = scene.repository.verify(&["-f", ".", "-R"]);
        assert_eq!(verdict, "not-about-trust", "{name}: {tree:#}");
    }
}
