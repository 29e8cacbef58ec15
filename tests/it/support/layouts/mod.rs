//! One mesh, laid out in a repository in the ways in which people do.

pub mod deployed;
pub mod desk;
mod repository;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::document::yaml;
use serde_json::{Value, json};

use crate::cluster::{Cluster, pem};
use crate::support::reviewer::{secret, trust_roots};

pub use repository::Repository;

/// What a repository declares, however it is laid out.
#[derive(Clone)]
pub struct Declared {
    pub bundle: String,
    pub issuer: String,
    pub key: String,
    /// Something that is not about trust.
    pub replicas: u64,
}

impl Declared {
    pub fn of(cluster: &Cluster) -> Self {
        Self {
            bundle: cluster.bundle.clone(),
            issuer: cluster.issuer.clone(),
            key: cluster.issuer_key.clone(),
            replicas: 1,
        }
    }

    pub fn with_issuer(&self, issuer: &l5d_rotate::pki::Authority) -> Self {
        Self { issuer: issuer.certificate.to_pem(), key: pem(&issuer.key), ..self.clone() }
    }

    /// Values of Linkerd's chart.
    pub fn values(&self) -> Value {
        json!({
            "identityTrustAnchorsPEM": self.bundle,
            "identity": {"issuer": {"tls": {"crtPEM": self.issuer, "keyPEM": self.key}}},
            "controllerReplicas": self.replicas,
        })
    }

    fn config(&self) -> Value {
        let mut values = self.values();
        values["identity"]["issuer"]["scheme"] = "linkerd.io/tls".into();
        values["identityTrustDomain"] = "cluster.local".into();
        values["clusterDomain"] = "cluster.local".into();
        values.as_object_mut().unwrap().remove("controllerReplicas");
        values["identity"]["issuer"]["tls"] = json!({"crtPEM": self.issuer});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "linkerd-config", "namespace": "linkerd"},
            "data": {"linkerd-crds-chart-version": "x", "values": text(&[values])}})
    }

    fn shop(&self) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"replicas": self.replicas, "selector": {"matchLabels": {"app": "shop"}}, "template": {
                "metadata": {"labels": {"app": "shop"}, "annotations": {"linkerd.io/inject": "enabled"}},
                "spec": {"containers": [{"name": "shop", "image": format!("shop:{}", self.replicas)}]}}}})
    }

    pub fn objects(&self) -> Vec<Value> {
        vec![trust_roots(&self.bundle), secret(&self.issuer, &self.key), self.config(), self.shop()]
    }
}

/// Path and content of each file.
pub type Files = Vec<(String, String)>;

/// A way to lay it out: its name, and its files.
pub type Layout = (&'static str, fn(&Declared) -> Files);

pub fn text(objects: &[Value]) -> String {
    let documents: Vec<_> = objects.iter().map(|object| (Vec::new(), object.clone())).collect();
    yaml::write_stream(&documents)
}

fn files(all: &[(&str, String)]) -> Files {
    all.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect()
}

fn kustomization(fields: Value) -> String {
    let mut tree = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"});
    tree.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    text(&[tree])
}

/// What is in the base where an overlay brings the bundle and the issuer.
fn base(declared: &Declared) -> Vec<Value> {
    let mut objects = declared.objects();
    objects[0]["data"]["ca-bundle.crt"] = "base".into();
    objects[1]["data"] = json!({"crt.pem": "", "key.pem": ""});
    objects
}

fn patch(object: &Value) -> Value {
    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": object["metadata"], "data": object["data"]})
}

fn release(spec: Value) -> Value {
    let mut all = json!({"chart": {"spec": {"chart": "linkerd-control-plane", "version": "1.16.11",
        "sourceRef": {"kind": "HelmRepository", "name": "linkerd"}}}, "interval": "5m"});
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": "linkerd-control-plane", "namespace": "linkerd"}, "spec": all})
}

fn application(helm: Value) -> Value {
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "linkerd-control-plane", "namespace": "argocd"},
        "spec": {"project": "default", "destination": {"namespace": "linkerd", "server": "https://kubernetes.default.svc"},
            "source": {"repoURL": "https://helm.example.test", "chart": "linkerd-control-plane", "targetRevision": "1.16.11",
                "helm": helm}}})
}

fn parameters(declared: &Declared) -> Value {
    json!([
        {"name": "identityTrustAnchorsPEM", "value": declared.bundle},
        {"name": "identity.issuer.tls.crtPEM", "value": declared.issuer},
        {"name": "identity.issuer.tls.keyPEM", "value": declared.key},
        {"name": "controllerReplicas", "value": declared.replicas.to_string()},
    ])
}

/// Layouts of rendered objects.
pub const RENDERED: &[Layout] = &[
    ("one file", |it| files(&[("linkerd.yaml", text(&it.objects()))])),
    ("a file an object", |it| {
        let name = |(number, object): (usize, &Value)| {
            (format!("linkerd/{number}.yaml"), text(std::slice::from_ref(object)))
        };
        it.objects().iter().enumerate().map(name).collect()
    }),
    ("a list in JSON", |it| {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": it.objects()});
        files(&[("linkerd.json", format!("{list:#}"))])
    }),
    ("a list with an empty item", |it| {
        let mut items = it.objects();
        items.insert(1, Value::Null);
        files(&[("linkerd.yaml", text(&[json!({"apiVersion": "v1", "kind": "List", "items": items})]))])
    }),
    ("a kustomization", |it| {
        files(&[
            ("linkerd/kustomization.yaml", kustomization(json!({"resources": ["all.yaml"]}))),
            ("linkerd/all.yaml", text(&it.objects())),
        ])
    }),
    ("base and overlay", |it| {
        let [roots, issuer] = [0, 1].map(|at| patch(&it.objects()[at]));
        files(&[
            ("base/kustomization.yaml", kustomization(json!({"resources": ["all.yaml"]}))),
            ("base/all.yaml", text(&base(it))),
            (
                "prod/kustomization.yaml",
                kustomization(
                    json!({"resources": ["../base"], "patches": [{"path": "trust.yaml"}, {"path": "issuer.yaml"}]}),
                ),
            ),
            ("prod/trust.yaml", text(&[roots])),
            ("prod/issuer.yaml", text(&[issuer])),
        ])
    }),
    ("an overlay before its base in the alphabet", |it| {
        let [roots, issuer] = [0, 1].map(|at| patch(&it.objects()[at]));
        files(&[
            ("z/kustomization.yaml", kustomization(json!({"resources": ["all.yaml"]}))),
            ("z/all.yaml", text(&base(it))),
            (
                "a/kustomization.yaml",
                kustomization(json!({"resources": ["../z"], "patchesStrategicMerge": ["patch.yaml"]})),
            ),
            ("a/patch.yaml", text(&[roots, issuer])),
        ])
    }),
    ("a component", |it| {
        let [roots, issuer] = [0, 1].map(|at| patch(&it.objects()[at]));
        let mut component = json!({"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"});
        component["patches"] = json!([{"path": "trust.yaml"}, {"path": "issuer.yaml"}]);
        files(&[
            (
                "linkerd/kustomization.yaml",
                kustomization(json!({"resources": ["all.yaml"], "components": ["../trust"]})),
            ),
            ("linkerd/all.yaml", text(&base(it))),
            ("trust/kustomization.yaml", text(&[component])),
            ("trust/trust.yaml", text(&[roots])),
            ("trust/issuer.yaml", text(&[issuer])),
        ])
    }),
    ("an inline patch", |it| {
        let [roots, issuer] = [0, 1].map(|at| text(&[patch(&it.objects()[at])]));
        files(&[
            (
                "linkerd/kustomization.yaml",
                kustomization(
                    json!({"resources": ["all.yaml"], "patches": [{"patch": roots}, {"patch": issuer}]}),
                ),
            ),
            ("linkerd/all.yaml", text(&base(it))),
        ])
    }),
    ("a patch of RFC 6902", |it| {
        let patch = json!([{"op": "replace", "path": "/data/ca-bundle.crt", "value": it.bundle}]);
        let issuer = json!([{"op": "replace", "path": "/data", "value": it.objects()[1]["data"]}]);
        let target = |kind: &str, name: &str| json!({"kind": kind, "name": name});
        files(&[
            (
                "linkerd/kustomization.yaml",
                kustomization(json!({"resources": ["all.yaml"], "patches": [
                {"path": "trust.yaml", "target": target("ConfigMap", "linkerd-identity-trust-roots")},
                {"path": "issuer.yaml", "target": target("Secret", "linkerd-identity-issuer")}]})),
            ),
            ("linkerd/all.yaml", text(&base(it))),
            ("linkerd/trust.yaml", text(&[patch])),
            ("linkerd/issuer.yaml", text(&[issuer])),
        ])
    }),
    ("generators", |it| {
        let objects = it.objects();
        files(&[
            (
                "linkerd/kustomization.yaml",
                kustomization(json!({"namespace": "linkerd", "resources": ["config.yaml"],
                "generatorOptions": {"disableNameSuffixHash": true},
                "configMapGenerator": [{"name": "linkerd-identity-trust-roots", "files": ["ca-bundle.crt=ca.crt"]}],
                "secretGenerator": [{"name": "linkerd-identity-issuer", "files": ["crt.pem=issuer.crt", "key.pem=issuer.key"]}]})),
            ),
            ("linkerd/config.yaml", text(&objects[2..3])),
            ("linkerd/ca.crt", it.bundle.clone()),
            ("linkerd/issuer.crt", it.issuer.clone()),
            ("linkerd/issuer.key", it.key.clone()),
            ("shop/shop.yaml", text(&objects[3..])),
        ])
    }),
    ("replacements", |it| {
        let mut objects = base(it);
        objects[1] = it.objects()[1].clone();
        let source = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "anchors", "namespace": "linkerd",
            "annotations": {"config.kubernetes.io/local-config": "true"}}, "data": {"pem": it.bundle}});
        objects.push(source);
        files(&[
            (
                "linkerd/kustomization.yaml",
                kustomization(json!({"resources": ["all.yaml"], "replacements": [
                {"source": {"kind": "ConfigMap", "name": "anchors", "fieldPath": "data.pem"}, "targets": [
                    {"select": {"kind": "ConfigMap", "name": "linkerd-identity-trust-roots"},
                        "fieldPaths": ["data.[ca-bundle.crt]"]}]}]})),
            ),
            ("linkerd/all.yaml", text(&objects)),
        ])
    }),
    ("a Flux Kustomization with patches", |it| {
        let [roots, issuer] = [0, 1].map(|at| text(&[patch(&it.objects()[at])]));
        let flux = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "linkerd", "namespace": "flux-system"}, "spec": {"path": "./infrastructure/linkerd",
                "prune": true, "interval": "10m", "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
                "patches": [{"patch": roots}, {"patch": issuer}]}});
        files(&[
            ("clusters/prod/linkerd.yaml", text(&[flux])),
            ("infrastructure/linkerd/all.yaml", text(&base(it))),
        ])
    }),
    ("an Application of a kustomization", |it| {
        let roots = text(&[patch(&it.objects()[0])]);
        let mut objects = base(it);
        objects[1] = it.objects()[1].clone();
        let application = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "linkerd", "namespace": "argocd"}, "spec": {"destination": {"namespace": "linkerd"},
                "source": {"repoURL": "https://git.example.test/x", "path": "linkerd", "kustomize": {"patches": [{"patch": roots}]}}}});
        files(&[
            ("apps/linkerd.yaml", text(&[application])),
            ("linkerd/kustomization.yaml", kustomization(json!({"resources": ["all.yaml"]}))),
            ("linkerd/all.yaml", text(&objects)),
        ])
    }),
];

/// Layouts of values, of which a chart makes the objects.
pub const VALUES: &[Layout] = &[
    ("a values file", |it| files(&[("linkerd/values.yaml", text(&[it.values()]))])),
    ("values of an umbrella chart", |it| {
        let chart = json!({"apiVersion": "v2", "name": "platform", "version": "0.1.0", "dependencies": [
            {"name": "linkerd-control-plane", "alias": "mesh", "version": "1.16.11", "repository": "https://helm.example.test"}]});
        files(&[
            ("platform/Chart.yaml", text(&[chart])),
            (
                "platform/values.yaml",
                text(&[json!({"mesh": it.values(), "ingress": {"replicas": it.replicas}})]),
            ),
            (
                "platform/templates/extra.yaml",
                "{{- if .Values.x }}\nkind: {{ .Values.kind }}\n{{- end }}\n".to_owned(),
            ),
        ])
    }),
    ("a HelmRelease", |it| files(&[("linkerd.yaml", text(&[release(json!({"values": it.values()}))]))])),
    ("a HelmRelease with values set by path", |it| {
        let from = |kind: &str, key: &str, path: &str| json!({"kind": kind, "name": "linkerd-trust", "valuesKey": key, "targetPath": path});
        let spec = json!({"valuesFrom": [
            from("ConfigMap", "ca.crt", "identityTrustAnchorsPEM"),
            from("Secret", "crt", "identity.issuer.tls.crtPEM"),
            from("Secret", "key", "identity.issuer.tls.keyPEM")], "values": {"controllerReplicas": it.replicas}});
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "linkerd-trust", "namespace": "linkerd"},
            "data": {"ca.crt": it.bundle}});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "linkerd-trust", "namespace": "linkerd"},
            "data": {"crt": STANDARD.encode(&it.issuer), "key": STANDARD.encode(&it.key)}});
        files(&[("release.yaml", text(&[release(spec)])), ("trust.yaml", text(&[map, secret]))])
    }),
    ("a HelmRelease with a generated file of values", |it| {
        let spec = json!({"valuesFrom": [{"kind": "Secret", "name": "linkerd-values"}]});
        files(&[
            (
                "linkerd/kustomization.yaml",
                kustomization(json!({"namespace": "linkerd", "resources": ["release.yaml"],
                "generatorOptions": {"disableNameSuffixHash": true},
                "secretGenerator": [{"name": "linkerd-values", "files": ["values.yaml=v.yaml"]}]})),
            ),
            ("linkerd/release.yaml", text(&[release(spec)])),
            ("linkerd/v.yaml", text(&[it.values()])),
        ])
    }),
    ("an Application with valuesObject", |it| {
        files(&[("linkerd.yaml", text(&[application(json!({"valuesObject": it.values()}))]))])
    }),
    ("an Application with values", |it| {
        files(&[("linkerd.yaml", text(&[application(json!({"values": text(&[it.values()])}))]))])
    }),
    ("an Application with parameters", |it| {
        files(&[("linkerd.yaml", text(&[application(json!({"parameters": parameters(it)}))]))])
    }),
    ("an Application with files of several sources", |it| {
        let mut application = application(json!({"valueFiles": ["$values/mesh/values.yaml"],
            "fileParameters": [{"name": "identityTrustAnchorsPEM", "path": "$values/mesh/ca.crt"}]}));
        let source = application["spec"].as_object_mut().unwrap().remove("source").unwrap();
        application["spec"]["sources"] =
            json!([source, {"repoURL": "https://git.example.test/x", "ref": "values"}]);
        let mut values = it.values();
        values.as_object_mut().unwrap().remove("identityTrustAnchorsPEM");
        files(&[
            ("apps/linkerd.yaml", text(&[application])),
            ("mesh/values.yaml", text(&[values])),
            ("mesh/ca.crt", it.bundle.clone()),
        ])
    }),
    ("an Application with values in one of several sources", |it| {
        let mut application = application(json!({"valuesObject": it.values()}));
        let source = application["spec"].as_object_mut().unwrap().remove("source").unwrap();
        let other = json!({"repoURL": "https://charts.example.test", "chart": "podinfo", "targetRevision": "6.9.0",
            "helm": {"parameters": [{"name": "replicaCount", "value": "2"}]}});
        application["spec"]["sources"] = json!([other, source]);
        files(&[("apps/linkerd.yaml", text(&[application]))])
    }),
    ("an ApplicationSet with a list", |it| {
        let element = json!({"cluster": "prod", "anchors": it.bundle, "crt": it.issuer, "key": it.key});
        let values = json!({"identityTrustAnchorsPEM": "{{anchors}}", "identity": {"issuer": {"tls": {"crtPEM": "{{crt}}", "keyPEM": "{{key}}"}}},
            "controllerReplicas": it.replicas});
        let template = application(json!({"valuesObject": values}));
        let set = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "linkerd"},
            "spec": {"generators": [{"list": {"elements": [element]}}],
                "template": {"metadata": {"name": "linkerd-{{cluster}}"}, "spec": template["spec"]}}});
        files(&[("set.yaml", text(&[set]))])
    }),
    ("helmCharts of Kustomize", |it| {
        let chart = json!({"name": "linkerd-control-plane", "repo": "https://helm.example.test", "version": "1.16.11",
            "namespace": "linkerd", "releaseName": "linkerd", "valuesInline": it.values()});
        files(&[("linkerd/kustomization.yaml", kustomization(json!({"helmCharts": [chart]})))])
    }),
    ("helmCharts of Kustomize with a file", |it| {
        let chart = json!({"name": "linkerd-control-plane", "repo": "https://helm.example.test", "version": "1.16.11",
            "namespace": "linkerd", "valuesInline": {"identityTrustAnchorsPEM": "x"}, "additionalValuesFiles": ["v.yaml"]});
        files(&[
            ("linkerd/kustomization.yaml", kustomization(json!({"helmCharts": [chart]}))),
            ("linkerd/v.yaml", text(&[it.values()])),
        ])
    }),
    ("a HelmChart of k3s", |it| {
        let chart = json!({"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart", "metadata": {"name": "linkerd", "namespace": "kube-system"},
            "spec": {"chart": "linkerd-control-plane", "targetNamespace": "linkerd", "valuesContent": text(&[it.values()])}});
        files(&[("linkerd.yaml", text(&[chart]))])
    }),
    ("a ControlPlane of Buoyant's operator", |it| {
        let plane = json!({"apiVersion": "linkerd.buoyant.io/v1alpha1", "kind": "ControlPlane", "metadata": {"name": "linkerd-control-plane"},
            "spec": {"components": {"linkerd": {"version": "enterprise-2.18.0", "controlPlaneConfig": it.values()}}}});
        files(&[("linkerd.yaml", text(&[plane]))])
    }),
];

/// Layouts of which it is said by name that they are not understood.
pub const NOT_UNDERSTOOD: &[Layout] = &[
    ("Terraform", |it| {
        let set = |name: &str, value: &str| {
            format!("  set_sensitive {{\n    name  = \"{name}\"\n    value = <<EOT\n{value}\nEOT\n  }}\n")
        };
        let text = format!(
            "resource \"helm_release\" \"linkerd\" {{\n  chart = \"linkerd-control-plane\"\n{}{}{}  replicas = {}\n}}\n",
            set("identityTrustAnchorsPEM", &it.bundle),
            set("identity.issuer.tls.crtPEM", &it.issuer),
            set("identity.issuer.tls.keyPEM", &it.key),
            it.replicas
        );
        files(&[("linkerd.tf", text)])
    }),
    ("a remote base", |it| {
        files(&[
            (
                "linkerd/kustomization.yaml",
                kustomization(json!({"resources": ["https://git.example.test/linkerd?ref=1", "trust.yaml"]})),
            ),
            ("linkerd/trust.yaml", text(&it.objects()[..2])),
        ])
    }),
    ("an App of Giant Swarm", |it| {
        let app = json!({"apiVersion": "application.giantswarm.io/v1alpha1", "kind": "App", "metadata": {"name": "linkerd"},
            "spec": {"name": "linkerd-control-plane", "userConfig": {"secret": {"name": "linkerd-values"}}}});
        let values = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "linkerd-values"},
            "stringData": {"values": text(&[it.values()])}});
        files(&[("app.yaml", text(&[app])), ("values.yaml", text(&[values]))])
    }),
];
