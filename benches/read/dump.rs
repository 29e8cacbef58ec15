//! Dumps of a big mesh, as `kubectl get … -A -o json` prints them.

use std::io::{self, Write};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Value, json};

/// How many Deployments own the pods.
pub(crate) const WORKLOADS: usize = 300;
/// How many bundles the proxies hold: old, both, new.
const BUNDLES: usize = 3;

/// Writes a `List` of a control plane, its workloads and `pods` meshed pods, as JSON.
pub(crate) fn json(out: &mut impl Write, pods: usize) -> io::Result<()> {
    write(out, pods, &bundles())
}

/// The same with a bundle for each pod: an anchor of its own beside the one that is published.
pub(crate) fn distinct(out: &mut impl Write, pods: usize) -> io::Result<()> {
    let common = anchor("old");
    let own = (0..pods).map(|index| format!("{common}{}", anchor(&index.to_string())));
    write(out, pods, &own.collect::<Vec<_>>())
}

fn write(out: &mut impl Write, pods: usize, bundles: &[String]) -> io::Result<()> {
    out.write_all(b"{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n")?;
    for object in control_plane(&bundles[1])
        .into_iter()
        .chain((0..WORKLOADS.min(pods)).flat_map(|index| workload(index, pods)))
    {
        out.write_all(pretty(&object).as_bytes())?;
        out.write_all(b",\n")?;
    }
    let templates: Vec<String> = bundles.iter().map(|bundle| pretty(&pod(bundle))).collect();
    for index in 0..pods {
        let workload = owner(index, pods);
        let bundle = if bundles.len() == BUNDLES { workload % BUNDLES } else { index };
        out.write_all(fill(&templates[bundle], index, workload).as_bytes())?;
        out.write_all(if index + 1 < pods { b",\n" } else { b"\n" })?;
    }
    out.write_all(
        b"    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\":
        \"\"\n    }\n}\n",
    )
}

/// The same, as YAML.
pub(crate) fn yaml(out: &mut impl Write, pods: usize) -> io::Result<()> {
    let bundles = bundles();
    out.write_all(b"apiVersion: v1\nitems:\n")?;
    for object in control_plane(&bundles[1])
        .into_iter()
        .chain((0..WORKLOADS.min(pods)).flat_map(|index| workload(index, pods)))
    {
        out.write_all(l5d_rotate::document::yaml::write(&json!([object])).as_bytes())?;
    }
    let item = |bundle: &String| l5d_rotate::document::yaml::write(&json!([pod(bundle)]));
    let templates: Vec<String> = bundles.iter().map(item).collect();
    for index in 0..pods {
        let workload = owner(index, pods);
        out.write_all(fill(&templates[workload % BUNDLES], index, workload).as_bytes())?;
    }
    out.write_all(b"kind: List\nmetadata:\n  resourceVersion: \"\"\n")
}

/// Whose pod it is: an API server lists by name, and so the pods of one Deployment stand together.
fn owner(index: usize, pods: usize) -> usize {
    index * WORKLOADS.min(pods) / pods
}

/// One pod's own values in the template of its bundle.
fn fill(template: &str, index: usize, workload: usize) -> String {
    let ip = format!("10.{}.{}.{}", index >> 16 & 255, index >> 8 & 255, index & 255);
    let started = format!("2026-03-{:02}T{:02}:{:02}:00Z", 1 + workload % 20, index / 3600 % 24, index % 60);
    let name = format!("{index:05x}");
    let values =
        [("@POD@", name.as_str()), ("@APP@", &workload.to_string()), ("@IP@", &ip), ("@STARTED@", &started)];
    values.iter().fold(template.to_owned(), |text, (key, value)| text.replace(key, value))
}

fn pretty(value: &Value) -> String {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"    "));
    serde::Serialize::serialize(value, &mut serializer).expect("a tree is always JSON");
    let text = String::from_utf8(text).expect("JSON is text");
    text.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}

/// Old anchor; old and new; new.
fn bundles() -> [String; BUNDLES] {
    let [old, new] = ["old", "new"].map(anchor);
    [old.clone(), format!("{old}{new}"), new]
}

fn anchor(name: &str) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, format!("root.linkerd.cluster.local ({name})"));
    let key = KeyPair::generate().expect("randomness");
    params.self_signed(&key).expect("the parameters are complete").pem()
}

fn control_plane(bundle: &str) -> Vec<Value> {
    let labels =
        json!({"linkerd.io/control-plane-component": "identity", "linkerd.io/control-plane-ns": "linkerd"});
    let values = l5d_rotate::document::yaml::write(&json!({
        "clusterDomain": "cluster.local", "identity": {"externalCA": false,
            "issuer": {"clockSkewAllowance": "20s", "issuanceLifetime": "24h0m0s",
            "scheme": "linkerd.io/tls"}},
        "identityTrustAnchorsPEM": bundle, "identityTrustDomain": "cluster.local",
            "linkerdVersion": "edge-25.4.4"
    }));
    let meta = |name: &str| json!({"name": name, "namespace": "linkerd", "labels": labels});
    vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("linkerd-config"),
            "data": {"linkerd-crds-chart-version": "linkerd-crds-1.0.0", "values": values}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("linkerd-identity-trust-roots"),
            "data": {"ca-bundle.crt": bundle.trim()}}),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("linkerd-identity"),
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels,
                "annotations": {"linkerd.io/trust-root-sha256": ""}}, "spec": {
                "containers": [{"name": "identity", "args": ["identity", "-controller-namespace=linkerd",
                    "-identity-trust-domain=cluster.local", "-identity-issuance-lifetime=24h0m0s",
                    "-identity-clock-skew-allowance=20s", "-identity-scheme=linkerd.io/tls"]}],
                "volumes": [{"name": "identity-issuer", "secret": {"secretName": "linkerd-identity-issuer"}},
                    {"name": "trust-roots", "configMap": {"name": "linkerd-identity-trust-roots"}}]
            }}}
        }),
    ]
}

/// One of the Deployments, with as many pods as [`owner`] gives it.
fn workload(index: usize, pods: usize) -> [Value; 2] {
    let replicas = (0..pods).filter(|pod| owner(*pod, pods) == index).count();
    let (name, replica_set) = (format!("web-{index}"), format!("web-{index}-6d4cf56db6"));
    let labels = json!({"app": name});
    let template = json!({"metadata": {"labels": labels, "annotations": {"linkerd.io/inject": "enabled"}},
        "spec": {"containers": [{"name": "web", "image": "registry.example.com/shop/web:1.42.0"}]}});
    let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "controller": true,
        "blockOwnerDeletion": true}]);
    let spec = json!({"replicas": replicas, "selector": {"matchLabels": labels}, "template": template});
    [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop",
            "labels": labels}, "spec": spec, "status": {"replicas": replicas}}),
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": replica_set,
            "namespace": "shop", "labels": labels, "ownerReferences": owner}, "spec": spec,
            "status": {"replicas": replicas}}),
    ]
}

/// A pod with the proxy beside its own container, about as long as real ones are.
fn pod(bundle: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "annotations": {
                "linkerd.io/created-by": "linkerd/proxy-injector edge-25.4.4", "linkerd.io/inject": "enabled",
                    "linkerd.io/proxy-version": "edge-25.4.4",
                "linkerd.io/trust-root-sha256": "5ad4e0f5f1f9c5d0c3a1e7a4c3d1f6f9b2c7e8d9a0b1c2d3e4f5a6b7c8d9e0f1", "viz.linkerd.io/tap-enabled": "true",
                "prometheus.io/scrape": "true", "prometheus.io/port": "9090",
                    "checksum/config": "0f4e3d2c1b0a99887766554433221100ffeeddccbbaa99887766554433221100"
            },
            "creationTimestamp": "@STARTED@", "generateName": "web-@APP@-6d4cf56db6-",
            "labels": {
                "app": "web-@APP@", "app.kubernetes.io/instance": "shop",
                    "app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/name": "web-@APP@",
                    "app.kubernetes.io/version": "1.42.0",
                "linkerd.io/control-plane-ns": "linkerd", "linkerd.io/proxy-deployment": "web-@APP@",
                    "linkerd.io/workload-ns": "shop", "pod-template-hash": "6d4cf56db6",
                    "topology.kubernetes.io/zone": "zone-a"
            },
            "name": "web-@APP@-6d4cf56db6-@POD@", "namespace": "shop",
            "ownerReferences": [{"apiVersion": "apps/v1", "blockOwnerDeletion": true, "controller": true,
                "kind": "ReplicaSet", "name": "web-@APP@-6d4cf56db6",
                "uid": "7d1f8c5e-3f0b-4a55-9d0e-1b2c3d4e5f60"}],
            "resourceVersion": "184467440", "uid": "0a1b2c3d-4e5f-6071-8293-a4b5c6d@POD@"
        },
        "spec": {
            "containers": [proxy(bundle), {
                "env": env(&[("DATABASE_URL",
                    "postgres://shop@db.shop.svc.cluster.local:5432/shop?sslmode=verify-full"), ("LOG_LEVEL",
                    "info"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel-collector.observability:4317"),
                    ("OTEL_SERVICE_NAME", "web-@APP@"), ("FEATURE_FLAGS",
                    "checkout-v2,search-v3,recommendations")]),
                "image": "registry.example.com/shop/web:1.42.0", "imagePullPolicy": "IfNotPresent",
                "livenessProbe": {"failureThreshold": 3, "httpGet": {"path": "/healthz", "port": "http",
                    "scheme": "HTTP"}, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1},
                "name": "web", "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"},
                    {"containerPort": 9090, "name": "metrics", "protocol": "TCP"}],
                "readinessProbe": {"failureThreshold": 3, "httpGet": {"path": "/ready", "port": "http",
                    "scheme": "HTTP"}, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1},
                "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true, "runAsNonRoot": true},
                "volumeMounts": [{"mountPath": "/etc/web", "name": "config"},
                    {"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": "kube-api-access-@POD@",
                    "readOnly": true}]
            }],
            "dnsPolicy": "ClusterFirst", "enableServiceLinks": true,
            "initContainers": [{"args": ["--incoming-proxy-port", "4143", "--outgoing-proxy-port", "4140",
                "--proxy-uid", "2102", "--inbound-ports-to-ignore", "4190,4191,4567,4568"],
                "image": "cr.l5d.io/linkerd/proxy-init:v2.4.1", "name": "linkerd-init", "resources": {},
                "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}, "runAsUser": 65534}}],
            "nodeName": "node-@APP@.compute.internal", "restartPolicy": "Always",
                "schedulerName": "default-scheduler", "serviceAccountName": "web",
            "tolerations": [{"effect": "NoExecute", "key": "node.kubernetes.io/not-ready",
                "operator": "Exists", "tolerationSeconds": 300}, {"effect": "NoExecute",
                "key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 300}],
            "volumes": [{"configMap": {"defaultMode": 420, "name": "web"}, "name": "config"},
                {"emptyDir": {"medium": "Memory"}, "name": "linkerd-identity-end-entity"},
                {"name": "linkerd-identity-token", "projected": {"defaultMode": 420,
                "sources": [{"serviceAccountToken": {"audience": "identity.l5d.io",
                "expirationSeconds": 86400, "path": "linkerd-identity-token"}}]}}, {"name": "kube-api-access-@POD@", "projected": {
                "defaultMode": 420, "sources": [{"serviceAccountToken": {"expirationSeconds": 3607,
                "path": "token"}}]}}]
        },
        "status": {
            "conditions": (["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady",
                "PodScheduled"]).map(|kind| json!({"lastProbeTime": null, "lastTransitionTime": "@STARTED@",
                "status": "True", "type": kind})),
            "containerStatuses": (["linkerd-proxy",
                "web"]).map(|name| json!({"containerID": "containerd://2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "image": "registry.example.com/image:1", "lastState": {}, "name": name, "ready": true, "restartCount": 0, "started": true, "state": {"running": {"startedAt": "@STARTED@"}}})),
            "hostIP": "192.0.2.10", "initContainerStatuses": [{"lastState": {}, "name": "linkerd-init",
                "ready": true, "restartCount": 0, "state": {"terminated": {"exitCode": 0,
                "finishedAt": "@STARTED@", "reason": "Completed", "startedAt": "@STARTED@"}}}],
            "phase": "Running", "podIP": "@IP@", "podIPs": [{"ip": "@IP@"}], "qosClass": "Burstable",
                "startTime": "@STARTED@"
        }
    })
}

fn env(variables: &[(&str, &str)]) -> Vec<Value> {
    variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn proxy(bundle: &str) -> Value {
    let references = [
        ("_pod_name", "metadata.name"),
        ("_pod_ns", "metadata.namespace"),
        ("_pod_nodeName", "spec.nodeName"),
        ("_pod_sa", "spec.serviceAccountName"),
        ("_pod_ip", "status.podIP"),
    ];
    let mut variables: Vec<Value> = references
        .iter()
        .map(|(name, path)| {
            json!({"name": name,
        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}})
        })
        .collect();
    variables.extend(env(&[
        ("LINKERD2_PROXY_LOG", "warn,linkerd=info,hickory=error,[{headers}]=off,[{request}]=off"),
        ("LINKERD2_PROXY_LOG_FORMAT", "plain"),
        ("LINKERD2_PROXY_CORES", "1"),
        ("LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED", "false"),
        ("LINKERD2_PROXY_DESTINATION_SVC_ADDR", "linkerd-dst-headless.linkerd.svc.cluster.local.:8086"),
        (
            "LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS",
            "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8",
        ),
        ("LINKERD2_PROXY_POLICY_SVC_ADDR", "linkerd-policy.linkerd.svc.cluster.local.:8090"),
        ("LINKERD2_PROXY_POLICY_WORKLOAD", "{\"ns\":\"$(_pod_ns)\", \"pod\":\"$(_pod_name)\"}"),
        ("LINKERD2_PROXY_INBOUND_DEFAULT_POLICY", "all-unauthenticated"),
        (
            "LINKERD2_PROXY_POLICY_CLUSTER_NETWORKS",
            "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8",
        ),
        ("LINKERD2_PROXY_CONTROL_LISTEN_ADDR", "0.0.0.0:4190"),
        ("LINKERD2_PROXY_ADMIN_LISTEN_ADDR", "0.0.0.0:4191"),
        ("LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS", "127.0.0.1:4140"),
        ("LINKERD2_PROXY_INBOUND_LISTEN_ADDR", "0.0.0.0:4143"),
        ("LINKERD2_PROXY_INBOUND_IPS", "$(_pod_ip)"),
        ("LINKERD2_PROXY_INBOUND_PORTS", "8080,9090"),
        ("LINKERD2_PROXY_INBOUND_CONNECT_TIMEOUT", "100ms"),
        ("LINKERD2_PROXY_OUTBOUND_CONNECT_TIMEOUT", "1000ms"),
        ("LINKERD2_PROXY_INBOUND_ACCEPT_KEEPALIVE", "10000ms"),
        ("LINKERD2_PROXY_OUTBOUND_CONNECT_KEEPALIVE", "10000ms"),
        ("LINKERD2_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION", "25,587,3306,4444,5432,6379,9300,11211"),
        (
            "LINKERD2_PROXY_DESTINATION_CONTEXT",
            "{\"ns\":\"$(_pod_ns)\", \"nodeName\":\"$(_pod_nodeName)\", \"pod\":\"$(_pod_name)\"}",
        ),
        ("LINKERD2_PROXY_IDENTITY_DIR", "/var/run/linkerd/identity/end-entity"),
        ("LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", bundle),
        ("LINKERD2_PROXY_IDENTITY_TOKEN_FILE", "/var/run/secrets/tokens/linkerd-identity-token"),
        ("LINKERD2_PROXY_IDENTITY_SVC_ADDR", "linkerd-identity-headless.linkerd.svc.cluster.local.:8080"),
        (
            "LINKERD2_PROXY_IDENTITY_LOCAL_NAME",
            "$(_pod_sa).$(_pod_ns).serviceaccount.identity.linkerd.cluster.local",
        ),
        (
            "LINKERD2_PROXY_IDENTITY_SVC_NAME",
            "linkerd-identity.linkerd.serviceaccount.identity.linkerd.cluster.local",
        ),
        (
            "LINKERD2_PROXY_DESTINATION_SVC_NAME",
            "linkerd-destination.linkerd.serviceaccount.identity.linkerd.cluster.local",
        ),
        (
            "LINKERD2_PROXY_POLICY_SVC_NAME",
            "linkerd-destination.linkerd.serviceaccount.identity.linkerd.cluster.local",
        ),
    ]));
    json!({
        "env": variables, "image": "cr.l5d.io/linkerd/proxy:edge-25.4.4", "imagePullPolicy": "IfNotPresent",
        "lifecycle": {"postStart": {"exec": {"command": ["/usr/lib/linkerd/linkerd-await", "--timeout=2m",
            "--port=4191"]}}},
        "livenessProbe": {"failureThreshold": 3, "httpGet": {"path": "/live", "port": 4191, "scheme": "HTTP"},
            "initialDelaySeconds": 10, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1},
        "name": "linkerd-proxy", "ports": [{"containerPort": 4143, "name": "linkerd-proxy",
            "protocol": "TCP"}, {"containerPort": 4191, "name": "linkerd-admin", "protocol": "TCP"}],
        "readinessProbe": {"failureThreshold": 3, "httpGet": {"path": "/ready", "port": 4191,
            "scheme": "HTTP"}, "initialDelaySeconds": 2, "periodSeconds": 10, "successThreshold": 1,
            "timeoutSeconds": 1},
        "resources": {}, "securityContext": {"allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true, "runAsUser": 2102},
        "volumeMounts": [{"mountPath": "/var/run/linkerd/identity/end-entity",
            "name": "linkerd-identity-end-entity"}, {"mountPath": "/var/run/secrets/tokens",
            "name": "linkerd-identity-token"}, {"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            "name": "kube-api-access-@POD@", "readOnly": true}]
    })
}
