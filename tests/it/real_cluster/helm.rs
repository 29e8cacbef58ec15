//! A release of Helm: what is to change is a value of it, and an upgrade publishes that and rolls the control plane by itself.

use std::fs;

use l5d_rotate::pki::Fingerprint;
use serde_json::{Value, json};

use super::desk::{Desk, GIVEN};
use super::servers::Servers;
use super::{Cluster, finished, install};
use crate::cluster::Proxy;

/// The values of the release, and what it makes of them.
struct Release {
    values: Cluster,
    workloads: Vec<Value>,
}

impl Release {
    /// What the chart makes, marked as Helm marks it.
    fn objects(&self) -> Vec<Value> {
        let (objects, workloads) = install::declared(&self.values);
        let runs = |tree: &&Value| tree["metadata"]["namespace"] == "linkerd";
        let mut all: Vec<_> = objects.into_iter().chain(workloads.iter().filter(runs).cloned()).collect();
        for tree in all.iter_mut().filter(|tree| tree["metadata"]["namespace"] == "linkerd") {
            let labels = tree["metadata"]["labels"].as_object_mut().unwrap();
            labels.retain(|key, _| !key.contains("fluxcd"));
            labels.insert("app.kubernetes.io/managed-by".into(), "Helm".into());
            tree["metadata"]["annotations"] = json!({
                "linkerd.io/created-by": "linkerd/helm edge-25.4.4",
                "meta.helm.sh/release-name": "linkerd-control-plane",
                "meta.helm.sh/release-namespace": "linkerd",
            });
        }
        all
    }

    /// `helm upgrade` with the files that a step names.
    fn upgrade(&mut self, desk: &mut Desk, step: &str) {
        let file = |name: &str| fs::read_to_string(desk.path("rotation").join(name)).unwrap();
        match step {
            "bundle/1-trust" => self.publish(&file("trust-bundle.pem")),
            "prune/1-trust" => self.publish(&file("anchor.pem")),
            _ => (self.values.issuer, self.values.issuer_key) = (file("issuer.pem"), file("issuer.key")),
        }
        desk.declared = self.objects();
        desk.declared.extend(self.workloads.clone());
        desk.apply();
        std::thread::sleep(GIVEN);
    }

    /// The chart hashes the value as it was given, and publishes it trimmed.
    fn publish(&mut self, bundle: &str) {
        let hash = Fingerprint::digest(bundle.as_bytes()).to_string();
        self.values.bundle = bundle.trim().to_owned();
        for load in self.values.workloads.iter_mut().filter(|load| load.proxy == Proxy::ControlPlane) {
            load.annotations.insert("linkerd.io/trust-root-sha256".to_owned(), hash.clone());
        }
    }
}

#[test]
fn a_release_that_rolls_by_itself_is_rotated_by_its_values() {
    const NAME: &str = "a_release_that_rolls_by_itself_is_rotated_by_its_values";
    let Some(servers) = Servers::start(NAME) else { return };
    let values = install::minted(Cluster::new());
    let mut desk = Desk::empty(servers, &values);
    let (_, workloads) = install::declared(&values);
    let (own, workloads): (Vec<_>, Vec<_>) =
        workloads.into_iter().partition(|tree| tree["metadata"]["namespace"] == "linkerd");
    let mut release = Release { values, workloads: workloads.clone() };
    desk.declared = release.objects();
    desk.declared.retain(|tree| tree["kind"] != "Deployment");
    desk.apply();
    desk.start(own.into_iter().chain(workloads).collect());
    desk.out("start --dir rotation");

    let mut upgraded = Vec::new();
    for _ in 0..60 {
        let next = desk.run("next --dir rotation");
        if next.err.contains("Nothing is left to do") {
            assert_eq!(upgraded, ["bundle/1-trust", "issuer/1-issuer", "prune/1-trust"]);
            return finished(&desk);
        }
        let step = desk.standing("");
        let name = step["step"].as_str().unwrap().to_owned();
        let is_of_the_release = name.ends_with("/1-trust") || name.ends_with("/1-issuer");
        if is_of_the_release && step["readiness"] == "ready" {
            let said = next.err.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains("`helm upgrade linkerd-control-plane CHART -n linkerd"), "{name}: {said}");
            release.upgrade(&mut desk, &name);
            upgraded.push(name);
        } else if desk.merge("next").is_err() && desk.manually(&step).is_empty() {
            std::thread::sleep(std::time::Duration::from_secs(5));
        }
    }
    panic!("the rotation does not finish: {upgraded:?}, {}", desk.out("plan --dir rotation"));
}
