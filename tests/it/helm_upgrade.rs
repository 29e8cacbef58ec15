//! What Helm, Flux and the Linkerd CLI do to a rotation: they publish the bundle and roll the control plane within seconds.

use std::fs;

use jiff::SignedDuration;
use l5d_rotate::pki::Fingerprint;
use serde_json::{Value, json};

use crate::cluster::rotation::Rotation;
use crate::cluster::{Cluster, Proxy};
use crate::runner;

/// Who renders the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Renderer {
    Helm,
    HelmRelease,
    Cli,
    /// Argo CD with the chart as its source.
    Argo,
}

const RENDERERS: [Renderer; 4] = [Renderer::Helm, Renderer::HelmRelease, Renderer::Cli, Renderer::Argo];

/// An answer of the program.
#[derive(Debug)]
struct Answer {
    out: String,
    err: String,
    code: i32,
}

/// A cluster whose control plane somebody renders, with a rotation of it.
struct Desk {
    renderer: Renderer,
    rotation: Rotation,
}

impl Desk {
    fn new(renderer: Renderer) -> Self {
        let desk = Self { renderer, rotation: Rotation::over(Cluster::new()) };
        let answer = desk.run("start --dir rotation");
        assert_eq!(answer.code, 0, "{answer:?}");
        desk
    }

    fn cluster(&mut self) -> &mut Cluster {
        &mut self.rotation.cluster
    }

    /// Runs the program over the cluster as `kubectl get` prints it.
    fn run(&self, arguments: &str) -> Answer {
        let home = self.rotation.home.path();
        let items: Vec<_> =
            self.rotation.cluster.items().into_iter().map(|tree| self.renderer.marked(tree)).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        fs::write(home.join("cluster.json"), list.to_string()).unwrap();
        let output = runner::plugin()
            .current_dir(home)
            .args(arguments.split_whitespace())
            .args(["-f", "cluster.json", "--at", &self.rotation.cluster.now.to_string()])
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Answer { out: text(output.stdout), err: text(output.stderr), code: output.status.code().unwrap() }
    }

    /// A step of the plan.
    fn step(&self, name: &str) -> Value {
        let answer = self.run("plan --dir rotation -o json");
        let plan: Value = serde_json::from_str(&answer.out).unwrap_or_else(|_| panic!("{answer:?}"));
        plan["steps"].as_array().unwrap().iter().find(|step| step["step"] == name).unwrap().clone()
    }

    fn state(&self, name: &str) -> String {
        self.step(name)["state"]["code"].as_str().unwrap().to_owned()
    }

    /// Publishes what `start` wrote, and rolls the control plane: created so many seconds after the ConfigMap changed, its
    /// containers four seconds later.
    fn upgrade(&mut self, created_after: i64, is_marked: bool) {
        let file = fs::read_to_string(self.rotation.home.path().join("rotation/trust-bundle.pem")).unwrap();
        // The chart hashes the value as it was given, and publishes it trimmed.
        let mark = Fingerprint::digest(file.as_bytes()).to_string();
        let cluster = self.cluster();
        cluster.bundle = file.trim().to_owned();
        cluster.bundle_changed = cluster.now;
        let (bundle, started) =
            (cluster.bundle.clone(), cluster.now + SignedDuration::from_secs(created_after + 4));
        for load in cluster.workloads.iter_mut().filter(|load| load.proxy == Proxy::ControlPlane) {
            let mark = if is_marked { mark.clone() } else { Fingerprint::digest(b"").to_string() };
            load.annotations.insert("linkerd.io/trust-root-sha256".to_owned(), mark);
            (load.held, load.started) = (bundle.clone(), started);
        }
        cluster.wait(SignedDuration::from_mins(1));
    }

    /// Restarts a control-plane workload as `kubectl rollout restart` would.
    fn roll(&mut self, name: &str) {
        let now = self.cluster().now;
        let load = self.cluster().workloads.iter_mut().find(|load| load.name == name).unwrap();
        load.started = now + SignedDuration::from_secs(4);
        self.cluster().wait(SignedDuration::from_mins(1));
    }
}

impl Renderer {
    /// An object of the control plane as its renderer marks it.
    fn marked(self, mut tree: Value) -> Value {
        let is_ours = tree["metadata"]["namespace"] == "linkerd"
            && ["ConfigMap", "Secret", "Deployment"].contains(&tree["kind"].as_str().unwrap());
        if !is_ours {
            return tree;
        }
        let (mut labels, mut annotations) =
            (json!({}), json!({"linkerd.io/created-by": "linkerd/helm edge-25.4.4"}));
        if let Some(component) = tree.pointer("/metadata/labels/linkerd.io~1control-plane-component") {
            labels["linkerd.io/control-plane-component"] = component.clone();
        }
        match self {
            Self::Cli => annotations["linkerd.io/created-by"] = json!("linkerd/cli edge-25.4.4"),
            Self::Argo => {
                annotations["argocd.argoproj.io/tracking-id"] = json!("linkerd:apps/Deployment:linkerd/x");
            }
            Self::Helm | Self::HelmRelease => {
                annotations["meta.helm.sh/release-name"] = json!("linkerd-control-plane");
                annotations["meta.helm.sh/release-namespace"] = json!("linkerd");
            }
        }
        if self == Self::HelmRelease {
            labels["helm.toolkit.fluxcd.io/name"] = json!("linkerd-control-plane");
            labels["helm.toolkit.fluxcd.io/namespace"] = json!("flux-system");
        }
        (tree["metadata"]["labels"], tree["metadata"]["annotations"]) = (labels, annotations);
        tree
    }
}

/// Seen of a real `helm upgrade`: the ConfigMap's managedFields and the creation of all new pods in one second, their containers
/// four seconds later.
#[test]
fn pods_that_an_upgrade_makes_in_the_second_of_the_change_have_read_it() {
    for renderer in RENDERERS {
        let mut desk = Desk::new(renderer);
        desk.upgrade(0, true);
        assert_eq!(desk.state("bundle/2-control-plane"), "done", "{renderer:?}");
    }
}
