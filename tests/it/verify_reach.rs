//! `verify --git-base` on what reaches trust material by a detour: each change is never taken for green, and a harmless one
//! beside it stays green.

use std::fs;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::layouts::{Declared, Files, text};
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
pub fn object(api_version: &str, kind: &str, name: &str, fields: Value) -> Value {
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
pub fn chart(dependencies: &str) -> Files {
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

pub fn helm_release(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": name, "namespace": "linkerd"}, "spec": spec})
}

const MESH: &str = "dependencies:\n- name: linkerd-control-plane\n  alias: mesh\n  version: 2025.4.4\n  repository: https://helm.linkerd.io/edge\n";

#[test]
#[ignore = "long"]
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
#[ignore = "long"]
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

#[test]
fn what_a_generator_of_kustomize_reads_is_in_the_repository() {
    let Some(scene) = scene() else { return };
    let mut outside = tempfile::NamedTempFile::new().unwrap();
    outside.write_all(scene.with_both().bundle.as_bytes()).unwrap();
    let generator = |path: &str| {
        text(&[json!({"apiVersion": "builtin", "kind": "ConfigMapGenerator",
            "metadata": {"name": "linkerd-identity-trust-roots", "namespace": "linkerd"},
            "files": [format!("ca-bundle.crt={path}")], "options": {"disableNameSuffixHash": true}})])
    };
    let of = |it: &Declared, generator: String, in_place: bool| {
        let generators = if in_place { generator.clone() } else { "generators/trust.yaml".to_owned() };
        let mut objects = it.objects();
        objects.retain(|object| object["metadata"]["name"] != "linkerd-identity-trust-roots");
        files(&[
            (
                "kustomization.yaml",
                kustomization(&json!({"resources": ["all.yaml"], "generators": [generators]})),
            ),
            ("generators/trust.yaml", generator),
            ("all.yaml", text(&objects)),
            ("ca.crt", it.bundle.clone()),
        ])
    };
    for in_place in [true, false] {
        scene.base(&of(&scene.now(), generator("ca.crt"), in_place));
        assert_eq!(scene.verdict(&of(&scene.with_both(), generator("ca.crt"), in_place)), "safe");
        assert_eq!(scene.verdict(&of(&scene.with_new(), generator("ca.crt"), in_place)), "unsafe");
        let outside = outside.path().to_str().unwrap();
        for path in [outside, "../../../../../../etc/hostname"] {
            let (verdict, codes) = scene.after(&of(&scene.now(), generator(path), in_place));
            assert!(
                verdict == "unknown" && codes.contains(&"not-understood".to_owned()),
                "{path}: {codes:?}"
            );
        }
    }
}
