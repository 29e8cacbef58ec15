//! What `kubectl get` prints of a cluster's objects, pods excepted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use l5d_rotate::pki::Fingerprint;
use serde_json::{Value, json};

use super::{Cluster, Load, Proxy, at};

impl Cluster {
    /// Everything that `kubectl get` would print, with this text as the issuer's key.
    pub(super) fn objects(&self, key: &str) -> Vec<Value> {
        let mut objects = vec![
            namespace("linkerd", false),
            namespace("linkerd-viz", true),
            namespace("emojivoto", true),
            namespace("shop", true),
            namespace("logging", true),
            self.trust_roots(),
            self.config(),
            self.secret(key),
        ];
        if let Some(controllers) = &self.controllers {
            objects.extend(controllers.printed());
        }
        for load in &self.workloads {
            match load.kind {
                "Pod" => {}
                "CronJob" => objects.extend([
                    load.object(self.installed),
                    load.job(load.started),
                    load.job(finished()),
                ]),
                _ => objects.push(load.object(self.installed)),
            }
            objects.extend((0..load.replicas).map(|ordinal| load.pod(ordinal)));
            if load.kind == "CronJob" {
                objects.push(load.finished_pod());
            }
        }
        if self.controllers.is_some() || self.brought_issuer {
            // The chart gives the identity controller the scheme of its Secret.
            let printed =
                json!(objects).to_string().replace("-scheme=linkerd.io/tls", "-scheme=kubernetes.io/tls");
            return serde_json::from_str(&printed).unwrap();
        }
        objects
    }

    /// Of an object that Flux applies, with the time at which its data last changed.
    fn metadata(&self, name: &str, changed: Timestamp) -> Value {
        json!({
            "name": name,
            "namespace": "linkerd",
            "labels": {
                "linkerd.io/control-plane-component": if name == "linkerd-config" { "controller" } else { "identity" },
                "linkerd.io/control-plane-ns": "linkerd",
                "kustomize.toolkit.fluxcd.io/name": "linkerd",
                "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
            },
            "annotations": {"linkerd.io/created-by": "linkerd/cli edge-25.4.4"},
            "creationTimestamp": "2025-12-28T09:14:02Z",
            "managedFields": [{
                "apiVersion": "v1",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": {}},
                "manager": "kustomize-controller",
                "operation": "Apply",
                "time": changed,
            }],
            "resourceVersion": resource_version(changed),
            "uid": uid(&format!("linkerd/{name}")),
        })
    }

    fn trust_roots(&self) -> Value {
        let mut metadata = self.metadata("linkerd-identity-trust-roots", self.bundle_changed);
        if self.controllers.is_some() {
            metadata["labels"] = json!({"trust.cert-manager.io/bundle": "linkerd-identity-trust-roots"});
        }
        json!({
            "apiVersion": "v1",
            "data": {"ca-bundle.crt": self.bundle},
            "kind": "ConfigMap",
            "metadata": metadata,
        })
    }

    fn config(&self) -> Value {
        let indented = |text: &str, by: usize| {
            text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect::<String>()
        };
        if self.controllers.is_some() {
            return self.config_of_external_ca();
        }
        let values = format!(
            "clusterDomain: cluster.local\nclusterNetworks: 10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8\ncontrollerReplicas: 1\nidentity:\n  externalCA: false\n  issuer:\n    clockSkewAllowance: 20s\n    issuanceLifetime: 24h0m0s\n    scheme: linkerd.io/tls\n    tls:\n      crtPEM: |\n{}  kubeAPI:\n    clientBurst: 200\n    clientQPS: 100\nidentityTrustAnchorsPEM: |\n{}identityTrustDomain: cluster.local\nlinkerdVersion: edge-25.4.4\npodMonitor:\n  enabled: false\npolicyController:\n  logLevel: info\nproxy:\n  logLevel: warn,linkerd=info\n  nativeSidecar: false\nwebhookFailurePolicy: Ignore\n",
            indented(&self.issuer, 8),
            indented(&self.bundle, 2),
        );
        let values = if self.brought_issuer {
            let tls = format!("    tls:\n      crtPEM: |\n{}", indented(&self.issuer, 8));
            values.replace(&tls, "").replace("scheme: linkerd.io/tls", "scheme: kubernetes.io/tls")
        } else {
            values
        };
        json!({
            "apiVersion": "v1",
            "data": {"linkerd-crds-chart-version": "linkerd-crds-1.0.0-edge", "values": values},
            "kind": "ConfigMap",
            "metadata": self.metadata("linkerd-config", self.bundle_changed.max(self.issuer_changed)),
        })
    }

    /// As the guide installs Linkerd: `identity.externalCA=true` and scheme `kubernetes.io/tls`.
    fn config_of_external_ca(&self) -> Value {
        let values = "clusterDomain: cluster.local\nidentity:\n  externalCA: true\n  issuer:\n    clockSkewAllowance: 20s\n    issuanceLifetime: 24h0m0s\n    scheme: kubernetes.io/tls\nidentityTrustDomain: cluster.local\nlinkerdVersion: edge-25.4.4\n";
        json!({
            "apiVersion": "v1",
            "data": {"values": values},
            "kind": "ConfigMap",
            "metadata": self.metadata("linkerd-config", at("2026-10-05T08:00:00Z")),
        })
    }

    fn secret(&self, key: &str) -> Value {
        let encoded = |text: &str| STANDARD.encode(text);
        if let Some(controllers) = &self.controllers {
            let mut metadata = self.metadata("linkerd-identity-issuer", self.issuer_changed);
            metadata["labels"] = json!({"controller.cert-manager.io/fao": "true"});
            metadata["annotations"] = json!({"cert-manager.io/certificate-name": "linkerd-identity-issuer"});
            let ca = controllers.issuer().ca.to_pem();
            return json!({
                "apiVersion": "v1",
                "data": {"ca.crt": encoded(&ca), "tls.crt": encoded(&self.issuer), "tls.key": encoded(key)},
                "kind": "Secret",
                "metadata": metadata,
                "type": "kubernetes.io/tls",
            });
        }
        let (data, kind) = if self.brought_issuer {
            (json!({"tls.crt": encoded(&self.issuer), "tls.key": encoded(key)}), "kubernetes.io/tls")
        } else {
            (json!({"crt.pem": encoded(&self.issuer), "key.pem": encoded(key)}), "Opaque")
        };
        json!({
            "apiVersion": "v1",
            "data": data,
            "kind": "Secret",
            "metadata": self.metadata("linkerd-identity-issuer", self.issuer_changed),
            "type": kind,
        })
    }
}

fn namespace(name: &str, injected: bool) -> Value {
    let mut tree = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"labels": {"kubernetes.io/metadata.name": name}, "name": name, "uid": uid(name)},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    });
    if injected {
        tree["metadata"]["annotations"] = json!({"linkerd.io/inject": "enabled"});
    } else {
        tree["metadata"]["annotations"] = json!({"linkerd.io/inject": "disabled"});
        tree["metadata"]["labels"]["linkerd.io/is-control-plane"] = json!("true");
        tree["metadata"]["labels"]["config.linkerd.io/admission-webhooks"] = json!("disabled");
    }
    tree
}

/// When the CronJob's run before the present one began.
pub(super) fn finished() -> Timestamp {
    at("2026-11-23T00:30:00Z")
}

/// A version that grows with time, as one from etcd does.
pub(super) fn resource_version(at: Timestamp) -> String {
    (at.as_second() / 40 - 44_000_000).to_string()
}

/// A stable id that looks like one of the API server's.
pub(super) fn uid(of: &str) -> String {
    let hex = Fingerprint::digest(of.as_bytes()).to_string();
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

impl Load {
    pub(super) fn is_control_plane(&self) -> bool {
        self.proxy == Proxy::ControlPlane
    }

    /// `linkerd.io/control-plane-component`.
    pub(super) fn component(&self) -> &str {
        self.name.trim_start_matches("linkerd-")
    }

    pub(super) fn labels(&self) -> Value {
        if self.is_control_plane() {
            return json!({
                "linkerd.io/control-plane-component": self.component(),
                "linkerd.io/control-plane-ns": "linkerd",
                "linkerd.io/proxy-deployment": self.name,
            });
        }
        json!({"app.kubernetes.io/name": self.name})
    }

    /// The workload's own object.
    pub(super) fn object(&self, created: Timestamp) -> Value {
        let mut labels = self.labels();
        let kustomization = match self.namespace {
            "linkerd" => "linkerd",
            "linkerd-viz" => "linkerd-viz",
            _ => "apps",
        };
        let (engine, name, namespace) = match self.release {
            Some(release) => ("helm", release, self.namespace),
            None => ("kustomize", kustomization, "flux-system"),
        };
        labels[format!("{engine}.toolkit.fluxcd.io/name")] = json!(name);
        labels[format!("{engine}.toolkit.fluxcd.io/namespace")] = json!(namespace);
        let api_version = match self.kind {
            "CronJob" => "batch/v1",
            "Rollout" => "argoproj.io/v1alpha1",
            _ => "apps/v1",
        };
        let mut tree = json!({
            "apiVersion": api_version,
            "kind": self.kind,
            "metadata": {
                "creationTimestamp": created,
                "generation": 7,
                "labels": labels,
                "name": self.name,
                "namespace": self.namespace,
                "resourceVersion": resource_version(self.started),
                "uid": uid(&format!("{}/{}", self.namespace, self.name)),
            },
            "spec": self.own_spec(),
        });
        if self.is_control_plane() {
            tree["metadata"]["annotations"] = json!({"linkerd.io/created-by": "linkerd/cli edge-25.4.4"});
        }
        if !["CronJob", "DaemonSet"].contains(&self.kind) {
            tree["status"] =
                json!({"observedGeneration": 7, "replicas": self.replicas, "readyReplicas": self.replicas});
        }
        tree
    }

    fn own_spec(&self) -> Value {
        let mut spec = match self.kind {
            "CronJob" => json!({"jobTemplate": {"spec": {"template": self.template()}}}),
            _ => json!({"selector": {"matchLabels": self.labels()}, "template": self.template()}),
        };
        if !["CronJob", "DaemonSet"].contains(&self.kind) {
            spec["replicas"] = json!(self.replicas);
        }
        if self.kind == "StatefulSet" {
            spec["serviceName"] = json!(self.name);
        }
        for (key, value) in self.spec.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        spec
    }

    fn template(&self) -> Value {
        let mut metadata = json!({"labels": self.labels()});
        if self.proxy == Proxy::Manual {
            metadata["labels"]["linkerd.io/control-plane-ns"] = json!("linkerd");
            metadata["labels"]["linkerd.io/proxy-deployment"] = json!(self.name);
        }
        if !self.annotations.is_empty() {
            metadata["annotations"] = json!(self.annotations);
        }
        let spec = match self.proxy {
            Proxy::ControlPlane | Proxy::Manual => self.pod_spec(true),
            Proxy::Webhook | Proxy::Native => self.pod_spec(false),
        };
        json!({"metadata": metadata, "spec": spec})
    }

    /// One run of a CronJob.
    fn job(&self, started: Timestamp) -> Value {
        let name = self.run(started);
        let mut tree = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "creationTimestamp": started,
                "labels": self.labels(),
                "name": name,
                "namespace": self.namespace,
                "ownerReferences": [{
                    "apiVersion": "batch/v1", "blockOwnerDeletion": true, "controller": true, "kind": "CronJob", "name": self.name,
                    "uid": uid(&format!("{}/{}", self.namespace, self.name)),
                }],
                "uid": uid(&format!("{}/{name}", self.namespace)),
            },
            "spec": {"completions": 1, "parallelism": 1, "template": self.template()},
            "status": {"active": 1, "startTime": started},
        });
        if started == finished() {
            let completed = started + jiff::SignedDuration::from_mins(21);
            tree["status"] = json!({
                "completionTime": completed,
                "conditions": [{"lastTransitionTime": completed, "status": "True", "type": "Complete"}],
                "startTime": started,
                "succeeded": 1,
            });
        }
        tree
    }

    /// The name of a CronJob's run.
    pub(super) fn run(&self, started: Timestamp) -> String {
        format!("{}-{}", self.name, started.as_second() / 60)
    }
}
