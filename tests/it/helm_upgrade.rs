//! What Helm, Flux and the Linkerd CLI do to a rotation: they publish the bundle and roll the control plane within seconds.

use std::fs;

use jiff::SignedDuration;
use l5d_rotate::pki::Fingerprint;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Proxy};
use crate::runner::{self, Ran};
use crate::sizes;
use crate::support::user::User;

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

/// A cluster whose control plane somebody renders, with a rotation of it.
struct Desk {
    renderer: Renderer,
    user: User,
}

impl Desk {
    fn new(renderer: Renderer) -> Self {
        let desk = Self { renderer, user: User::without_keys(Cluster::new()) };
        let answer = desk.run("start --dir rotation");
        assert_eq!(answer.code, 0, "{answer:?}");
        desk
    }

    fn cluster(&mut self) -> &mut Cluster {
        &mut self.user.cluster
    }

    /// Runs the program over the cluster as `kubectl get` prints it.
    fn run(&self, arguments: &str) -> Ran {
        let items: Vec<_> =
            self.user.cluster.items().into_iter().map(|tree| self.renderer.marked(tree)).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        self.user.run_over(arguments, &list.to_string())
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
        let file = self.user.read("rotation/trust-bundle.pem");
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

    /// Merges what a step changes where its owner takes it from: the annotations of its restarts, one by one.
    fn merge_restarts(&mut self, name: &str) {
        let step = self.step(name);
        for change in step["changes"].as_array().unwrap() {
            let workload = change["restart"]["name"].as_str().unwrap().to_owned();
            let (key, value) = change["annotation"].as_object().unwrap().iter().next().unwrap();
            let load = self.cluster().workloads.iter_mut().find(|load| load.name == workload).unwrap();
            let before = load.annotations.insert(key.clone(), value.as_str().unwrap().to_owned());
            if before.as_deref() != value.as_str() {
                self.roll(&workload);
            }
        }
    }

    /// Does a text hold the command that restarts the identity controller?
    fn names_the_restart(text: &str) -> bool {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.contains("kubectl rollout restart deployment/linkerd-identity -n linkerd")
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

const CONTROL_PLANE: [&str; 3] = ["linkerd-identity", "linkerd-destination", "linkerd-proxy-injector"];
const STEP: &str = "bundle/2-control-plane";

/// Pods that were created just before the ConfigMap changed, in the same second, or just after it.
#[test]
#[ignore = "long"]
fn whatever_an_upgrade_left_in_doubt_is_opened_by_a_rendered_restart_a_manual_one_or_a_confirmation() {
    for (place, renderer) in RENDERERS.into_iter().enumerate() {
        let all = [(-3, true), (-3, false), (0, false), (3, false), (10, false)];
        // Of each renderer one, and of the next one another.
        for (created_after, is_marked) in all.into_iter().skip(sizes::of(place, 0)).step_by(sizes::of(5, 1)) {
            let told = format!("{renderer:?}, created after {created_after} s, marked: {is_marked}");
            let upgraded = || {
                let mut desk = Desk::new(renderer);
                desk.upgrade(created_after, is_marked);
                assert_eq!(desk.state(STEP), "unknown", "{told}");
                desk
            };
            let mut desk = upgraded();
            let plan = desk.run("plan --dir rotation").out;
            assert!(Desk::names_the_restart(&plan), "{told}: {plan}");
            desk.merge_restarts(STEP);
            assert_eq!(desk.state(STEP), "done", "{told}, by what is rendered");

            let mut desk = upgraded();
            CONTROL_PLANE.iter().for_each(|name| desk.roll(name));
            assert_eq!(desk.state(STEP), "done", "{told}, by a manual restart");

            let desk = upgraded();
            let confirmed =
                desk.run("render bundle --step 3 --dir rotation --confirm control-plane-restarted");
            assert_eq!(confirmed.code, 0, "{told}, confirmed: {}", confirmed.err);
            assert!(confirmed.out.contains("confirmed: restart-confirmed"), "{told}: {}", confirmed.out);
        }
    }
}

#[test]
fn pods_of_an_upgrade_that_are_created_later_have_read_the_change_marked_or_not() {
    let mut desk = Desk::new(Renderer::Argo);
    desk.upgrade(11, false);
    assert_eq!(desk.state(STEP), "done");
}

#[test]
fn while_the_upgrades_own_rollout_runs_nothing_else_is_rendered() {
    let mut desk = Desk::new(Renderer::Helm);
    let before = desk.cluster().workloads.clone();
    desk.upgrade(0, true);
    let own = |name: &str, desk: &Desk| {
        let changes = desk.step(STEP)["changes"].clone();
        changes.as_array().unwrap().iter().any(|change| change["restart"]["name"] == name)
    };
    // The template of the identity controller is changed, its pod has not been replaced yet.
    let load = desk.cluster().workloads.iter_mut().find(|load| load.name == "linkerd-identity").unwrap();
    load.started = before.iter().find(|load| load.name == "linkerd-identity").unwrap().started;
    load.pod_mark = Some(Fingerprint::digest(b"the old bundle").to_string());
    assert_eq!(desk.state(STEP), "pending");
    assert!(!own("linkerd-identity", &desk));
}

/// A step that is merged, and whose pods started too early, says everywhere that its annotation restarts nothing any more.
#[test]
fn a_restart_that_would_change_nothing_is_said_to_in_plan_render_status_and_next() {
    let mut desk = Desk::new(Renderer::Argo);
    desk.upgrade(0, false);
    let mut loads = desk.cluster().workloads.clone();
    desk.merge_restarts(STEP);
    // The pods are those of the upgrade, the templates carry the step's annotation.
    for (load, old) in desk.cluster().workloads.iter_mut().zip(&mut loads) {
        load.started = old.started;
    }
    assert_eq!(desk.state(STEP), "unknown");
    for arguments in [
        "plan --dir rotation",
        "render bundle --step 2 --dir rotation",
        "status --dir rotation",
        "next --dir rotation",
    ] {
        let Ran { out, err, .. } = desk.run(arguments);
        assert!(Desk::names_the_restart(&(out + &err)), "{arguments}");
    }
    for arguments in ["plan --dir rotation", "render bundle --step 2 --dir rotation"] {
        let Ran { out, err, .. } = desk.run(arguments);
        assert!((out + &err).contains("restart-unchanged"), "{arguments}");
    }
}

/// Beside a HelmRelease no patch of what it renders is of any effect: the anchors are set in its values, and a restart is a patch
/// of the release.
#[test]
fn what_a_helm_release_renders_is_changed_in_the_release_and_not_beside_it() {
    let mut desk = Desk::new(Renderer::HelmRelease);
    let bundle = desk.run("render bundle --step 1 --dir rotation");
    assert_eq!((bundle.code, bundle.out.as_str()), (3, ""), "{}", bundle.err);
    let said = bundle.err.split_whitespace().collect::<Vec<_>>().join(" ");
    let set = "Set `spec.values.identityTrustAnchorsPEM` to the content of trust-bundle.pem in HelmRelease \
               flux-system/linkerd-control-plane instead.";
    assert!(said.contains("not rendered") && said.contains(set), "{said}");
    let next = desk.run("next --dir rotation");
    assert_eq!((next.code, next.out.as_str()), (3, ""), "{}", next.err);

    for arguments in ["status --dir rotation", "plan --dir rotation"] {
        let said = desk.run(arguments).out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("Next bundle/1-trust is made where its objects are rendered from. Set"),
            "{said}"
        );
    }

    desk.upgrade(3, false);
    let restart = desk.run("render bundle --step 2 --dir rotation");
    assert_eq!(restart.code, 0, "{}", restart.err);
    let documents = l5d_rotate::document::parse(&restart.out, "restart").unwrap();
    let [document] = &documents[..] else { panic!("{}", restart.out) };
    let step = desk.step(STEP);
    let annotation = &step["changes"][0]["annotation"];
    let values = json!({
        "destinationController": {"podAnnotations": annotation},
        "identity": {"podAnnotations": annotation},
    });
    let metadata = json!({"name": "linkerd-control-plane", "namespace": "flux-system"});
    let release = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": metadata, "spec": {"values": values},
    });
    assert_eq!(document.tree, release);
    let other = desk.run("render bundle --step 2 --dir rotation -o json-patch");
    assert_eq!((other.code, other.out.as_str()), (3, ""), "{}", other.err);
}

#[test]
fn kustomize_takes_the_restart_into_the_helm_release_whatever_version_it_is_of() {
    if !runner::has(
        "kustomize_takes_the_restart_into_the_helm_release_whatever_version_it_is_of",
        &["kubectl"],
    ) {
        return;
    }
    let mut desk = Desk::new(Renderer::HelmRelease);
    desk.upgrade(3, false);
    let written = desk.run("render bundle --step 2 --dir rotation --out overlay/rotation");
    assert_eq!(written.code, 0, "{}", written.err);
    let overlay = desk.user.home.path().join("overlay");
    let base = "apiVersion: helm.toolkit.fluxcd.io/v2beta2\nkind: HelmRelease\nmetadata:\n  name: linkerd-control-plane\n\
                spec:\n  values:\n    identity:\n      podAnnotations:\n        team: infra\n    proxy:\n      logLevel: info\n";
    fs::write(overlay.join("release.yaml"), base).unwrap();
    fs::write(
        overlay.join("kustomization.yaml"),
        "namespace: flux-system\nresources: [release.yaml]\ncomponents: [rotation/bundle/2-control-plane]\n",
    )
    .unwrap();
    let built = runner::other("kubectl").args(["kustomize".as_ref(), overlay.as_os_str()]).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let built = l5d_rotate::document::parse(&String::from_utf8(built.stdout).unwrap(), "built").unwrap();
    let values = &built[0].tree["spec"]["values"];
    assert_eq!(values["proxy"], json!({"logLevel": "info"}));
    assert_eq!(values["identity"]["podAnnotations"]["team"], "infra");
    let step = desk.step(STEP);
    for component in ["identity", "destinationController"] {
        let annotation = step["changes"][0]["annotation"].as_object().unwrap();
        let (key, value) = annotation.iter().next().unwrap();
        assert_eq!(values[component]["podAnnotations"][key], *value, "{component}");
    }
}

/// The issuer of a HelmRelease is set in its values: nobody has to give the key for a document that is not rendered.
#[test]
fn a_preview_holds_no_patch_of_what_a_helm_release_renders_and_needs_no_key() {
    let desk = Desk::new(Renderer::HelmRelease);
    let home = desk.user.home.path();
    fs::remove_file(home.join("rotation/issuer.key")).unwrap();
    let preview = desk.run("plan --dir rotation --out preview");
    assert_eq!(preview.code, 0, "{}", preview.err);
    let step = |path: &str| fs::read_to_string(home.join("preview").join(path).join("kustomization.yaml"));
    for (path, set) in [
        ("bundle/1-trust", "spec.values.identityTrustAnchorsPEM"),
        ("issuer/1-issuer", "spec.values.identity.issuer.tls.crtPEM"),
    ] {
        let text = step(path).unwrap();
        assert!(text.contains("this step is not made here") && text.contains(set), "{text}");
    }
    assert!(
        step("issuer/2-control-plane/flux-system").is_ok() && step("issuer/2-control-plane/linkerd").is_err()
    );
    assert!(step("issuer/1-issuer/linkerd").is_err());
}
