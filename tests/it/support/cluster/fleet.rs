//! Which workloads a cluster runs.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use l5d_rotate::pki::Fingerprint;
use serde_json::{Value, json};

use super::{Load, Proxy, at};

/// Plain workloads, and one DaemonSet whose pods must be deleted manually.
pub(super) fn small(bundle: &str) -> Vec<Load> {
    let mut loads = core(bundle);
    loads.push(load(bundle, "DaemonSet", "logging", "shipper", 3).with(on_delete()));
    loads
}

/// Those, and one of each kind that a restart annotation does not reach.
pub(super) fn realistic(bundle: &str) -> Vec<Load> {
    let of = |kind, namespace, name, replicas| load(bundle, kind, namespace, name, replicas);
    let mut loads = core(bundle);
    loads.extend([
        of("DaemonSet", "logging", "shipper", 3).with(on_delete()),
        of("CronJob", "shop", "settlement", 1)
            .with(json!({"concurrencyPolicy": "Forbid", "schedule": "30 * * * *"})),
        of("Deployment", "shop", "recommendations", 1).with(json!({"paused": true})),
        of("Rollout", "shop", "storefront", 2).with(
            json!({"strategy": {"canary": {"steps": [{"setWeight": 25}, {"pause": {"duration": "10m"}}]}}}),
        ),
        of("Deployment", "shop", "returns", 0),
        of("Deployment", "shop", "legacy-pricing", 1).injected(Proxy::Manual),
        of("Deployment", "shop", "payments", 2).injected(Proxy::Native),
        of("Pod", "shop", "debug-shell", 1),
    ]);
    // Teams deploy when they like.
    for (load, hours) in loads.iter_mut().zip((0..).step_by(7)) {
        load.started += SignedDuration::from_hours(hours);
    }
    let run = loads.iter_mut().find(|load| load.kind == "CronJob").unwrap();
    run.started = at("2026-11-23T01:30:00Z");
    loads
}

fn core(bundle: &str) -> Vec<Load> {
    let of = |kind, namespace, name, replicas| load(bundle, kind, namespace, name, replicas);
    vec![
        of("Deployment", "linkerd", "linkerd-identity", 1).injected(Proxy::ControlPlane),
        of("Deployment", "linkerd", "linkerd-destination", 1).injected(Proxy::ControlPlane),
        of("Deployment", "linkerd", "linkerd-proxy-injector", 1).injected(Proxy::ControlPlane),
        of("Deployment", "linkerd-viz", "metrics-api", 1),
        of("Deployment", "linkerd-viz", "prometheus", 1),
        of("Deployment", "linkerd-viz", "tap", 1),
        of("Deployment", "linkerd-viz", "web", 1),
        of("Deployment", "emojivoto", "emoji", 2),
        of("Deployment", "emojivoto", "voting", 2),
        of("Deployment", "emojivoto", "web", 3),
        of("Deployment", "emojivoto", "vote-bot", 1),
        of("StatefulSet", "shop", "cart-db", 3),
        of("Deployment", "shop", "checkout", 4),
    ]
}

fn on_delete() -> Value {
    json!({"updateStrategy": {"type": "OnDelete"}})
}

fn load(
    bundle: &str,
    kind: &'static str,
    namespace: &'static str,
    name: &'static str,
    replicas: usize,
) -> Load {
    Load {
        kind,
        namespace,
        name,
        replicas,
        proxy: Proxy::Webhook,
        annotations: BTreeMap::new(),
        held: bundle.to_owned(),
        started: at("2026-10-05T08:12:41Z"),
        pod_mark: None,
        spec: json!({}),
        release: None,
    }
}

impl Load {
    fn with(mut self, spec: Value) -> Self {
        self.spec = spec;
        self
    }

    /// With the annotations that its template then has.
    fn injected(mut self, proxy: Proxy) -> Self {
        let hash = Fingerprint::digest(self.held.as_bytes()).to_string();
        let annotations: &[(&str, &str)] = match proxy {
            Proxy::Webhook => &[],
            Proxy::Native => &[("config.beta.linkerd.io/proxy-enable-native-sidecar", "true")],
            Proxy::ControlPlane | Proxy::Manual => &[
                ("linkerd.io/created-by", "linkerd/cli edge-25.4.4"),
                ("linkerd.io/proxy-version", "edge-25.4.4"),
                ("linkerd.io/trust-root-sha256", &hash),
            ],
        };
        self.annotations =
            annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.proxy = proxy;
        self
    }
}
