//! A small cluster with Linkerd in it: it prints itself as `kubectl get` would, takes objects as `kubectl apply` would,
//! and restarts pods as controllers would. A mock of what cannot run in a test: the API server and the kubelets.

pub(crate) mod controllers;
mod fleet;
mod objects;
mod pods;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use l5d_rotate::document::yaml;
use l5d_rotate::mesh::REDACTED;
use l5d_rotate::pki::{
    AnchorRequest, Authority, IssuerRequest, KeyEncoding, PrivateKey, mint_anchor, mint_issuer,
};
use serde_json::{Value, json};

/// The instant of every test: 23 November 2026, two in the morning.
pub(crate) const NOW: &str = "2026-11-23T02:00:00Z";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A control plane and the workloads of a few teams.
pub(crate) struct Cluster {
    pub(crate) now: Timestamp,
    /// `ca-bundle.crt`, as published.
    pub(crate) bundle: String,
    pub(crate) bundle_changed: Timestamp,
    /// `crt.pem` and `key.pem`.
    pub(crate) issuer: String,
    pub(crate) issuer_key: String,
    pub(crate) issuer_changed: Timestamp,
    /// When the control plane was made.
    pub(crate) installed: Timestamp,
    pub(crate) workloads: Vec<Load>,
    /// cert-manager and trust-manager, where they make bundle and issuer.
    pub(crate) controllers: Option<controllers::Controllers>,
    /// Does somebody else than the chart bring the issuer's Secret (scheme `kubernetes.io/tls`)?
    pub(crate) brought_issuer: bool,
    /// Keys of the material that the cluster was made with, for `start --issuer-only`.
    pub(crate) anchor: Authority,
}

/// A workload and its pods.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) kind: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    /// Running pods; of a CronJob those of the run under way.
    pub(crate) replicas: usize,
    pub(crate) proxy: Proxy,
    /// Of the pod template.
    pub(crate) annotations: BTreeMap<String, String>,
    /// The bundle that its pods were given.
    pub(crate) held: String,
    pub(crate) started: Timestamp,
    /// `linkerd.io/trust-root-sha256` of its pods, where they are not of the present template.
    pub(crate) pod_mark: Option<String>,
    /// What its `spec` has beside selector, replicas and template.
    pub(crate) spec: Value,
    /// The HelmRelease that makes it, where no manifest does.
    pub(crate) release: Option<&'static str>,
}

/// How the pods of a workload came by their proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxy {
    ControlPlane,
    Webhook,
    /// By the webhook, as a native sidecar.
    Native,
    /// `linkerd inject --manual`.
    Manual,
}

impl Cluster {
    /// A mesh of 2.18 whose anchor expires in five weeks, and its issuer with it.
    pub(crate) fn new() -> Self {
        Self::made(fleet::small)
    }

    /// The same mesh with everything in it that makes rotations hard.
    pub(crate) fn realistic() -> Self {
        Self::made(fleet::realistic)
    }

    fn made(fleet: fn(&str) -> Vec<Load>) -> Self {
        Self::valid(fleet, "2026-12-28T09:00:00Z", "2026-12-28T09:00:00Z")
    }

    /// The same mesh with an issuer of scheme `kubernetes.io/tls`, which the chart does not bring.
    pub(crate) fn with_brought_issuer() -> Self {
        Self { brought_issuer: true, ..Self::new() }
    }

    /// A small mesh whose anchor and issuer expire at these instants.
    pub(crate) fn expiring(anchor: &str, issuer: &str) -> Self {
        Self::valid(fleet::small, anchor, issuer)
    }

    fn valid(fleet: fn(&str) -> Vec<Load>, anchor_expires: &str, issuer_expires: &str) -> Self {
        let not_before = at("2025-12-28T09:00:00Z");
        let anchor = mint_anchor(&AnchorRequest {
            common_name: "root.linkerd.cluster.local".to_owned(),
            not_before,
            not_after: at(anchor_expires),
        })
        .unwrap();
        let issuer = issuer(&anchor, at(issuer_expires));
        let bundle = anchor.certificate.to_pem().trim_end().to_owned();
        Self {
            now: at(NOW),
            bundle_changed: at("2025-12-28T09:14:02Z"),
            issuer: issuer.certificate.to_pem().trim_end().to_owned(),
            issuer_key: pem(&issuer.key),
            issuer_changed: at("2025-12-28T09:14:03Z"),
            installed: at("2026-01-12T10:20:30Z"),
            workloads: fleet(&bundle),
            bundle,
            controllers: None,
            brought_issuer: false,
            anchor,
        }
    }

    /// `kubectl get … -o json`.
    pub(crate) fn dump(&self) -> String {
        format!("{:#}\n", self.list(&self.issuer_key))
    }

    /// `kubectl get … -o yaml`, with words in the place of the private key.
    pub(crate) fn dump_yaml(&self) -> String {
        yaml::write(&self.list(REDACTED))
    }

    /// Every object, one by one.
    pub(crate) fn items(&self) -> Vec<Value> {
        self.objects(&self.issuer_key)
    }

    fn list(&self, key: &str) -> Value {
        let list = json!({
            "apiVersion": "v1",
            "items": self.objects(key),
            "kind": "List",
            "metadata": {"resourceVersion": ""},
        });
        sorted(list)
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, duration: SignedDuration) {
        self.now += duration;
        self.follow();
    }

    /// Takes an object as `kubectl apply` would; a changed pod template restarts its pods with the bundle of the moment,
    /// unless something is in the way of that.
    pub(crate) fn apply(&mut self, object: &Value) {
        let text =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        // Kustomize breaks the lines of base64.
        let decoded = |pointer: &str| {
            let encoded: String = text(pointer).split_whitespace().collect();
            String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
        };
        if let Some(controllers) = &mut self.controllers
            && ["Certificate", "Issuer", "ClusterIssuer", "Bundle", "ClusterBundle"]
                .contains(&text("/kind").as_str())
        {
            controllers.apply(object);
            return self.follow();
        }
        match (text("/kind").as_str(), text("/metadata/name").as_str()) {
            ("ConfigMap", "linkerd-identity-trust-roots") => {
                let bundle = text("/data/ca-bundle.crt");
                if self.bundle != bundle {
                    (self.bundle, self.bundle_changed) = (bundle, self.now);
                }
            }
            ("ConfigMap", _) => {}
            ("Secret", _) => {
                let names = if self.brought_issuer { ["tls.crt", "tls.key"] } else { ["crt.pem", "key.pem"] };
                let [issuer, key] = names.map(|name| decoded(&format!("/data/{name}")));
                if self.issuer != issuer {
                    (self.issuer, self.issuer_key, self.issuer_changed) = (issuer, key, self.now);
                }
            }
            (kind, name) => {
                let annotations: BTreeMap<String, String> = serde_json::from_value(
                    object.pointer("/spec/template/metadata/annotations").cloned().unwrap_or(json!({})),
                )
                .unwrap();
                let (bundle, now) = (self.bundle.clone(), self.now);
                let namespace = text("/metadata/namespace");
                let is_it =
                    |load: &&mut Load| load.kind == kind && load.name == name && load.namespace == namespace;
                let load = self.workloads.iter_mut().find(is_it).unwrap();
                let before = std::mem::replace(&mut load.annotations, annotations);
                if before != load.annotations && load.rolls() {
                    load.started = now;
                    // A literal bundle of the template is not the injector's.
                    if load.proxy != Proxy::Manual {
                        load.held = bundle;
                    }
                }
            }
        }
    }

    /// Restarts the proxies of the control plane once more, a minute after the identity controller.
    pub(crate) fn control_plane_restarts_again(&mut self) {
        let identity = self.workloads.iter().find(|load| load.name == "linkerd-identity").unwrap().started;
        let others = self.workloads.iter_mut().filter(|load| load.namespace == "linkerd");
        for load in others.filter(|load| load.name != "linkerd-identity") {
            load.started = load.started.max(identity + SignedDuration::from_mins(1));
        }
    }

    /// What is done manually for a workload: its pods deleted, its rollout resumed, its manifest injected again.
    pub(crate) fn manual(&mut self, name: &str) {
        let (bundle, now) = (self.bundle.clone(), self.now);
        let load = self.workloads.iter_mut().find(|load| load.name == name).unwrap();
        (load.held, load.started) = (bundle, now);
    }
}

impl Cluster {
    /// Ordinary deploys: every workload of the data plane restarts on its own.
    pub(crate) fn deploy(&mut self) {
        let (bundle, now) = (self.bundle.clone(), self.now);
        for load in self.workloads.iter_mut().filter(|load| load.proxy != Proxy::ControlPlane) {
            (load.held, load.started) = (bundle.clone(), now);
        }
    }

    /// Everything that is left to do manually after a step over the data plane.
    pub(crate) fn all_manually(&mut self) {
        let left: Vec<_> =
            self.workloads.iter().filter(|load| load.is_left_to_hands()).map(|load| load.name).collect();
        left.into_iter().for_each(|name| self.manual(name));
    }
}

impl Load {
    fn is_left_to_hands(&self) -> bool {
        !self.rolls() || self.proxy == Proxy::Manual
    }

    /// Does a changed template restart its pods?
    fn rolls(&self) -> bool {
        let kind = ["Deployment", "StatefulSet", "DaemonSet", "Rollout"].contains(&self.kind);
        let on_delete = self.spec.pointer("/updateStrategy/type") == Some(&json!("OnDelete"));
        kind && !on_delete && self.spec.get("paused") != Some(&json!(true))
    }
}

/// A new issuer below an anchor.
pub(crate) fn issuer(anchor: &Authority, not_after: Timestamp) -> Authority {
    let request = IssuerRequest {
        common_name: "identity.linkerd.cluster.local".to_owned(),
        dns_names: Vec::new(),
        not_before: at("2025-12-28T09:00:00Z"),
        not_after,
    };
    mint_issuer(&request, anchor).unwrap()
}

pub(crate) fn pem(key: &PrivateKey) -> String {
    key.to_pem(KeyEncoding::Sec1).unwrap().to_string()
}

/// The API server gives maps in the order of their keys.
fn sorted(tree: Value) -> Value {
    match tree {
        Value::Object(map) => {
            let entries: BTreeMap<String, Value> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.into_iter().collect()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}
