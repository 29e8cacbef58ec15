//! The pods of a cluster, as the injector and the kubelets leave them.

use jiff::{SignedDuration, Timestamp};
use l5d_rotate::pki::Fingerprint;
use serde_json::{Value, json};

use super::objects::{finished, resource_version, uid};
use super::{Load, Proxy};

impl Load {
    /// One running pod.
    pub(super) fn pod(&self, ordinal: usize) -> Value {
        let started = self.started + SignedDuration::from_secs(7 * i64::try_from(ordinal).unwrap());
        let (name, owner) = self.names(ordinal);
        let mut tree = self.live(&name, &owner, started);
        let statuses = |containers: &Value| -> Vec<Value> {
            let running = |container: &Value| {
                json!({
                    "name": container["name"], "ready": true, "restartCount": 0, "state": {"running": {"startedAt": started}},
                })
            };
            containers.as_array().into_iter().flatten().map(running).collect()
        };
        let mut status = json!({
            "containerStatuses": statuses(&tree["spec"]["containers"]),
            "phase": "Running",
            "podIP": format!("10.42.{}.{}", self.name.len(), 10 + ordinal),
            "startTime": started - SignedDuration::from_secs(4),
        });
        let mut init = statuses(&tree["spec"]["initContainers"]);
        let setup = json!({"terminated": {"exitCode": 0, "finishedAt": started, "reason": "Completed", "startedAt": started}});
        for status in init.iter_mut().filter(|status| status["name"] == "linkerd-init") {
            status["state"] = setup.clone();
        }
        if !init.is_empty() {
            status["initContainerStatuses"] = json!(init);
        }
        tree["status"] = status;
        tree
    }

    /// The pod of a CronJob's completed run.
    pub(super) fn finished_pod(&self) -> Value {
        let started = finished();
        let run = self.run(started);
        let mut tree = self.live(&format!("{run}-t5w2h"), &format!("Job {run}"), started);
        let over = |container: &Value| {
            json!({
                "name": container["name"], "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "finishedAt": started + SignedDuration::from_mins(21), "reason": "Completed", "startedAt": started}},
            })
        };
        let statuses: Vec<_> = tree["spec"]["containers"].as_array().unwrap().iter().map(over).collect();
        tree["status"] = json!({"containerStatuses": statuses, "phase": "Succeeded", "startTime": started});
        tree
    }

    /// The pod's name, and kind and name of what controls it.
    fn names(&self, ordinal: usize) -> (String, String) {
        let suffix = ["x7k2q", "b4vzm", "m9xhd", "q2lfw"][ordinal % 4];
        let set = format!("{}-{}", self.name, self.hash());
        match self.kind {
            "StatefulSet" => (format!("{}-{ordinal}", self.name), format!("StatefulSet {}", self.name)),
            "DaemonSet" => (format!("{}-{suffix}", self.name), format!("DaemonSet {}", self.name)),
            "CronJob" => {
                let run = self.run(self.started);
                (format!("{run}-{suffix}"), format!("Job {run}"))
            }
            "Pod" => (self.name.to_owned(), String::new()),
            _ => (format!("{set}-{suffix}"), format!("ReplicaSet {set}")),
        }
    }

    /// `pod-template-hash`: another for another template.
    fn hash(&self) -> String {
        let template = format!("{}/{}{:?}{}", self.namespace, self.name, self.annotations, self.held);
        Fingerprint::digest(template.as_bytes()).to_string()[..10].to_owned()
    }

    /// A pod without its status.
    fn live(&self, name: &str, owner: &str, started: Timestamp) -> Value {
        let mut metadata = json!({
            "annotations": self.pod_annotations(),
            "creationTimestamp": started - SignedDuration::from_secs(4),
            "labels": self.pod_labels(),
            "name": name,
            "namespace": self.namespace,
            "resourceVersion": resource_version(started),
            "uid": uid(&format!("{}/{name}{started}", self.namespace)),
        });
        if let Some((kind, owner)) = owner.split_once(' ') {
            let api_version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
            metadata["ownerReferences"] = json!([{
                "apiVersion": api_version, "blockOwnerDeletion": true, "controller": true, "kind": kind, "name": owner,
                "uid": uid(&format!("{}/{owner}", self.namespace)),
            }]);
        }
        let mut spec = self.pod_spec(true);
        spec["nodeName"] = json!(format!("node-{}", 1 + name.len() % 3));
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    }

    fn pod_annotations(&self) -> Value {
        let mut annotations = json!(self.annotations);
        if let Some(mark) = &self.pod_mark {
            annotations["linkerd.io/trust-root-sha256"] = json!(mark);
        }
        if !self.is_control_plane() && self.proxy != Proxy::Manual {
            annotations["linkerd.io/created-by"] = json!("linkerd/proxy-injector edge-25.4.4");
            annotations["linkerd.io/inject"] = json!("enabled");
            annotations["linkerd.io/proxy-version"] = json!("edge-25.4.4");
            annotations["linkerd.io/trust-root-sha256"] =
                json!(Fingerprint::digest(self.held.as_bytes()).to_string());
        }
        annotations
    }

    fn pod_labels(&self) -> Value {
        let mut labels = self.labels();
        labels["linkerd.io/control-plane-ns"] = json!("linkerd");
        labels["linkerd.io/workload-ns"] = json!(self.namespace);
        if !["Rollout", "Pod"].contains(&self.kind) {
            labels[format!("linkerd.io/proxy-{}", self.kind.to_lowercase())] = json!(self.name);
        }
        match self.kind {
            "Deployment" => labels["pod-template-hash"] = json!(self.hash()),
            "Rollout" => labels["rollouts-pod-template-hash"] = json!(self.hash()),
            _ => {}
        }
        labels
    }

    /// The spec of a pod or of its template, with or without what injection adds.
    pub(super) fn pod_spec(&self, with_proxy: bool) -> Value {
        let mut containers = vec![self.own_container()];
        let mut init = Vec::new();
        let mut volumes = Vec::new();
        if with_proxy {
            init.push(json!({
                "args": ["--incoming-proxy-port=4143", "--outgoing-proxy-port=4140"],
                "image": "cr.l5d.io/linkerd/proxy-init:v2.4.2",
                "name": "linkerd-init",
            }));
            match self.proxy {
                Proxy::Native => init.push(self.proxy_container()),
                _ => containers.push(self.proxy_container()),
            }
            volumes.push(json!({"emptyDir": {"medium": "Memory"}, "name": "linkerd-identity-end-entity"}));
        }
        let reads = |component: &str| self.is_control_plane() && self.component() == component;
        if reads("identity") {
            volumes.push(
                json!({"name": "identity-issuer", "secret": {"secretName": "linkerd-identity-issuer"}}),
            );
        }
        if reads("identity") || reads("proxy-injector") {
            volumes
                .push(json!({"configMap": {"name": "linkerd-identity-trust-roots"}, "name": "trust-roots"}));
        }
        let mut spec = json!({"containers": containers, "serviceAccountName": self.name});
        if !init.is_empty() {
            spec["initContainers"] = json!(init);
        }
        if !volumes.is_empty() {
            spec["volumes"] = json!(volumes);
        }
        if self.kind == "CronJob" {
            spec["restartPolicy"] = json!("OnFailure");
        }
        spec
    }

    fn own_container(&self) -> Value {
        if !self.is_control_plane() {
            return json!({
                "image": format!("registry.example.com/{}/{}:v1.4.2", self.namespace, self.name),
                "name": self.name,
            });
        }
        let mut container =
            json!({"image": "cr.l5d.io/linkerd/controller:edge-25.4.4", "name": self.component()});
        if self.component() == "identity" {
            container["args"] = json!([
                "identity",
                "-log-level=info",
                "-controller-namespace=linkerd",
                "-identity-trust-domain=cluster.local",
                "-identity-issuance-lifetime=24h0m0s",
                "-identity-clock-skew-allowance=20s",
                "-identity-scheme=linkerd.io/tls",
            ]);
            container["volumeMounts"] = json!([
                {"mountPath": "/var/run/linkerd/identity/issuer", "name": "identity-issuer"},
                {"mountPath": "/var/run/linkerd/identity/trust-roots/", "name": "trust-roots"},
            ]);
        }
        container
    }

    fn proxy_container(&self) -> Value {
        let anchors = if self.is_control_plane() {
            json!({
                "name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS",
                "valueFrom": {"configMapKeyRef": {"key": "ca-bundle.crt", "name": "linkerd-identity-trust-roots"}},
            })
        } else {
            json!({"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": format!("{}\n", self.held)})
        };
        let mut container = json!({
            "name": "linkerd-proxy",
            "image": "cr.l5d.io/linkerd/proxy:edge-25.4.4",
            "env": [
                {"name": "_pod_ns", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                {"name": "_pod_sa", "valueFrom": {"fieldRef": {"fieldPath": "spec.serviceAccountName"}}},
                {"name": "LINKERD2_PROXY_LOG", "value": "warn,linkerd=info"},
                {"name": "LINKERD2_PROXY_IDENTITY_DIR", "value": "/var/run/linkerd/identity/end-entity"},
                anchors,
                {"name": "LINKERD2_PROXY_IDENTITY_LOCAL_NAME", "value": "$(_pod_sa).$(_pod_ns).serviceaccount.identity.linkerd.cluster.local"},
            ],
            "volumeMounts": [{"mountPath": "/var/run/linkerd/identity/end-entity", "name": "linkerd-identity-end-entity"}],
        });
        if self.proxy == Proxy::Native {
            container["restartPolicy"] = json!("Always");
        }
        container
    }
}
