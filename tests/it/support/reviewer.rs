//! A reviewer who has a cluster's dump and somebody's proposal.

use std::fs;
use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use l5d_rotate::finding::TrustFact;
use l5d_rotate::pki::Authority;
use serde_json::{Value, json};
use strum::VariantNames as _;
use tempfile::TempDir;

use crate::cluster::{Cluster, at, pem};
use crate::runner;
use crate::support::pki;

/// A reviewer with a cluster's dump and somebody's proposal.
pub struct Reviewer {
    pub home: TempDir,
    pub cluster: Cluster,
    /// `TZ`.
    pub zone: &'static str,
}

pub fn anchor(name: &str, from: &str, to: &str) -> Authority {
    pki::anchor_within(name, at(from), at(to))
}

pub fn new_anchor() -> Authority {
    anchor("root.new", "2026-11-22T02:00:00Z", "2036-11-20T02:00:00Z")
}

pub fn issuer_of(anchor: &Authority) -> Authority {
    pki::issuer_named("identity.new", anchor, at("2026-11-22T02:00:00Z"), at("2027-11-22T02:00:00Z"))
}

pub fn bundle(anchors: &[&Authority]) -> String {
    anchors.iter().map(|anchor| anchor.certificate.to_pem()).collect::<String>().trim_end().to_owned()
}

pub fn trust_roots(bundle: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"ca-bundle.crt": bundle},
        "metadata": {"name": "linkerd-identity-trust-roots", "namespace": "linkerd"}})
}

pub fn secret(certificate: &str, key: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "data": {"crt.pem": STANDARD.encode(certificate), "key.pem": STANDARD.encode(key)},
        "metadata": {"name": "linkerd-identity-issuer", "namespace": "linkerd"}})
}

pub fn secret_of(issuer: &Authority) -> Value {
    secret(&issuer.certificate.to_pem(), &pem(&issuer.key))
}

pub fn restart(kind: &str, namespace: &str, name: &str, key: &str, value: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"metadata": {"annotations": {key: value}}}}})
}

impl Reviewer {
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), cluster: Cluster::new(), zone: "UTC" }
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        fs::write(self.home.path().join("dump.json"), self.cluster.dump()).unwrap();
        runner::plugin()
            .env("TZ", self.zone)
            .current_dir(self.home.path())
            .args(arguments)
            .args(["--at", &self.cluster.now.to_string()])
            .output()
            .unwrap()
    }

    pub fn propose(&self, objects: &[Value]) {
        let text: String = objects.iter().map(|object| format!("---\n{object:#}\n")).collect();
        fs::write(self.home.path().join("proposed.yaml"), text).unwrap();
    }

    /// The verdict as JSON, and the exit code.
    pub fn verdict(&self, objects: &[Value]) -> (Value, i32) {
        self.propose(objects);
        let output = self.run(&["verify", "-f", "dump.json", "--proposed", "proposed.yaml", "-o", "json"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (serde_json::from_slice(&output.stdout).expect(&said), output.status.code().unwrap())
    }

    pub fn text(&self, objects: &[Value]) -> String {
        self.propose(objects);
        let output = self.run(&["verify", "-f", "dump.json", "--proposed", "proposed.yaml"]);
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn apply(&mut self, object: &Value) {
        self.cluster.apply(object);
        self.cluster.wait(SignedDuration::from_mins(5));
    }

    /// Restarts everything, the control plane first.
    pub fn restart_all(&mut self) {
        for control_plane in [true, false] {
            let names: Vec<_> =
                self.cluster.workloads.iter().map(|load| (load.namespace, load.name)).collect();
            for (namespace, name) in names {
                if (namespace == "linkerd") == control_plane && !(namespace == "linkerd-viz" && name == "web")
                {
                    self.cluster.manual(name);
                }
            }
            for load in self.cluster.workloads.iter_mut().filter(|load| load.name == "web") {
                (load.held, load.started) = (self.cluster.bundle.clone(), self.cluster.now);
            }
            self.cluster.wait(SignedDuration::from_mins(5));
        }
    }
}

pub fn codes(verdict: &Value) -> Vec<&str> {
    verdict["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// The codes of who would reject whom.
pub fn violated(verdict: &Value) -> Vec<&str> {
    codes(verdict).into_iter().filter(|code| TrustFact::VARIANTS.contains(code)).collect()
}

/// A mesh that has both anchors everywhere, and the new issuer since a moment ago; only the control plane restarted since.
pub fn swapped() -> (Reviewer, Authority) {
    let mut reviewer = Reviewer::new();
    let new = new_anchor();
    let both = bundle(&[&reviewer.cluster.anchor, &new]);
    reviewer.apply(&trust_roots(&both));
    reviewer.restart_all();
    reviewer.apply(&secret_of(&issuer_of(&new)));
    for name in ["linkerd-identity", "linkerd-destination", "linkerd-proxy-injector"] {
        reviewer.cluster.manual(name);
    }
    reviewer.cluster.wait(SignedDuration::from_mins(5));
    (reviewer, new)
}
