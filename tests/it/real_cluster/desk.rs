//! Somebody who rotates in a real cluster: `jane` reads it with the program, and what she commits `admin` applies, as Flux would.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use l5d_rotate::document::yaml;
use serde_json::{Value, json};

use super::install;
use super::servers::Servers;
use crate::cluster::{Cluster, pem};
use crate::runner;

/// How long a rollout may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// A pod that is created later than this after a change is given it.
pub(super) const GIVEN: Duration = Duration::from_secs(11);

pub(super) struct Desk {
    pub(super) servers: Servers,
    home: tempfile::TempDir,
    /// The base of the kustomization.
    pub(super) declared: Vec<Value>,
    /// What was rendered into it, in the order in which it was merged.
    components: Vec<String>,
    /// How far jane's clock runs ahead: she waits for lifetimes of workload certificates without sitting through them.
    pub(super) ahead: SignedDuration,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Desk {
    /// A cluster with Linkerd in it, and a user who may do what `rbac` prints; `None` where it cannot be had.
    pub(super) fn new(test: &str, cluster: Cluster) -> Option<Self> {
        Servers::start(test).map(|servers| Self::within(servers, cluster))
    }

    /// The same in a cluster that runs.
    pub(super) fn within(servers: Servers, cluster: Cluster) -> Self {
        let cluster = install::minted(cluster);
        let mut desk = Self::empty(servers, &cluster);
        let (objects, workloads) = install::declared(&cluster);
        desk.declared = objects;
        desk.apply();
        desk.start(workloads);
        desk
    }

    /// Before anything is applied.
    pub(super) fn empty(servers: Servers, cluster: &Cluster) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("deploy")).unwrap();
        for (name, text) in [
            ("injector.yaml", include_str!("injector.yaml").to_owned()),
            ("anchor.pem", cluster.anchor.certificate.to_pem()),
            ("old.key", pem(&cluster.anchor.key)),
            ("old-issuer.key", cluster.issuer_key.clone()),
        ] {
            fs::write(home.path().join(name), text).unwrap();
        }
        Self { servers, home, declared: Vec::new(), components: Vec::new(), ahead: SignedDuration::ZERO }
    }

    /// Starts workloads, with their proxies, once there is a bundle.
    pub(super) fn start(&mut self, workloads: Vec<Value>) {
        self.admin("apply -f injector.yaml");
        self.eventually("pods are admitted by both policies", |desk| {
            let probe = desk.kubectl("admin", "run probe -n shop --image=probe -o json --dry-run=server");
            let said = String::from_utf8_lossy(&probe.stdout);
            said.contains("linkerd-proxy") && said.contains("\"nodeName\"")
        });
        self.declared.extend(workloads);
        self.apply();
        self.grant(&self.run("rbac").out);
    }

    /// Applies roles, and binds them with the commands in their heads.
    pub(super) fn grant(&self, roles: &str) {
        fs::write(self.home.path().join("rbac.yaml"), roles).unwrap();
        self.admin("apply -f rbac.yaml");
        for line in roles.lines() {
            if let Some(command) = line.strip_prefix("# Bind it: kubectl ") {
                self.kubectl("admin", &command.replace("USER", "jane"));
            }
        }
    }

    /// Runs kubectl as a user.
    pub(super) fn kubectl(&self, user: &str, arguments: &str) -> Output {
        let mut kubectl = runner::other("kubectl");
        kubectl.current_dir(self.home.path()).env("HOME", self.home.path());
        kubectl.env("KUBECONFIG", self.servers.kubeconfig(user)).args(arguments.split_whitespace());
        kubectl.output().unwrap()
    }

    /// Runs kubectl as somebody who may do everything; what it prints.
    pub(super) fn admin(&self, arguments: &str) -> String {
        let output = self.kubectl("admin", arguments);
        assert!(output.status.success(), "kubectl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) fn get(&self, what: &str) -> Value {
        serde_json::from_str(&self.admin(&format!("get {what} -o json"))).unwrap()
    }

    /// Runs the program as jane.
    pub(super) fn run(&self, arguments: &str) -> Answer {
        let mut plugin = runner::plugin();
        plugin.current_dir(self.home.path()).env("HOME", self.home.path());
        plugin.env("KUBECONFIG", self.servers.kubeconfig("jane")).args(arguments.split_whitespace());
        if !self.ahead.is_zero() {
            plugin.args(["--at", &(super::now() + self.ahead).to_string()]);
        }
        let output = plugin.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What the program prints where it succeeds.
    pub(super) fn out(&self, arguments: &str) -> String {
        let answer = self.run(arguments);
        assert_eq!(answer.code, 0, "{arguments}: {}", answer.err);
        answer.out
    }

    pub(super) fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.out(&format!("{arguments} -o json"))).unwrap()
    }

    /// A step of the plan.
    pub(super) fn step(&self, name: &str) -> Value {
        let plan = self.json("plan --dir rotation");
        plan["steps"].as_array().unwrap().iter().find(|step| step["step"] == name).unwrap().clone()
    }

    /// Renders a step and merges it; its name, or what is said where there is none to merge.
    pub(super) fn merge(&mut self, command: &str) -> Result<String, Answer> {
        let answer = self.run(&format!("{command} --dir rotation --out deploy/rendered"));
        let Some(wrote) = answer.err.lines().find_map(|line| line.strip_prefix("wrote deploy/")) else {
            return Err(answer);
        };
        assert_eq!(answer.code, 0, "{command}: {}", answer.err);
        if !self.components.iter().any(|component| component == wrote) {
            self.components.push(wrote.to_owned());
        }
        self.apply();
        if wrote.ends_with("-trust") || wrote.ends_with("-issuer") {
            std::thread::sleep(GIVEN);
        }
        Ok(wrote.trim_start_matches("rendered/").to_owned())
    }

    /// Merges the step that is next, which is this one.
    pub(super) fn merge_next(&mut self, step: &str) {
        match self.merge("next") {
            Ok(merged) => assert_eq!(merged, step),
            Err(answer) => panic!("{step}: {}", answer.err),
        }
    }

    /// Applies what is declared and rendered, as Flux does, and waits until its rollouts have ended.
    pub(super) fn apply(&self) {
        let deploy = self.home.path().join("deploy");
        let objects: Vec<_> = self.declared.iter().map(|tree| (Vec::new(), tree.clone())).collect();
        fs::write(deploy.join("objects.yaml"), yaml::write_stream(&objects)).unwrap();
        let kustomization = json!({"resources": ["objects.yaml"], "components": self.components});
        fs::write(deploy.join("kustomization.yaml"), kustomization.to_string()).unwrap();
        self.admin("apply --server-side --force-conflicts --field-manager=kustomize-controller -k deploy");
        self.settle();
    }

    /// An object as it is declared.
    pub(super) fn declared(&mut self, kind: &str, name: &str) -> &mut Value {
        let is_it = |tree: &&mut Value| tree["kind"] == kind && tree["metadata"]["name"] == name;
        self.declared.iter_mut().find(is_it).unwrap()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Waits until every rollout has ended.
    pub(super) fn settle(&self) {
        self.eventually("the rollouts end", |desk| {
            let all = desk.get("deployments,statefulsets,daemonsets,pods -A");
            all["items"].as_array().unwrap().iter().all(has_settled)
        });
    }

    pub(super) fn eventually(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "it does not happen that {what}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// What jane did: requests that her kubeconfig made.
    pub(super) fn only_reads(&self) {
        let done = self.servers.done_by("jane");
        let writes: Vec<_> =
            done.iter().filter(|entry| entry["verb"] != "get" && entry["verb"] != "list").collect();
        assert!(!done.is_empty() && writes.is_empty(), "{} requests, and {writes:#?}", done.len());
    }
}

/// Has a workload's controller done all that it will do, and does a pod run?
fn has_settled(tree: &Value) -> bool {
    let (spec, status) = (&tree["spec"], &tree["status"]);
    let is =
        |field: &str, wanted: &Value| status[field].as_u64().unwrap_or(0) == wanted.as_u64().unwrap_or(0);
    let seen = status["observedGeneration"] == tree["metadata"]["generation"];
    let on_delete = spec["updateStrategy"]["type"] == "OnDelete";
    match tree["kind"].as_str().unwrap() {
        "Deployment" => {
            let wanted = &spec["replicas"];
            let all = ["replicas", "readyReplicas", "updatedReplicas"].iter().all(|field| is(field, wanted));
            seen && (all || spec["paused"] == true)
        }
        "StatefulSet" => {
            let partition = spec["updateStrategy"]["rollingUpdate"]["partition"].as_u64().unwrap_or(0);
            let left = spec["replicas"].as_u64().unwrap_or(0).saturating_sub(partition);
            seen && is("readyReplicas", &spec["replicas"])
                && (on_delete
                    || is("updatedReplicas", &left.into())
                    || is("updatedReplicas", &spec["replicas"]))
        }
        "DaemonSet" => {
            let wanted = &status["desiredNumberScheduled"];
            seen && is("numberReady", wanted) && (on_delete || is("updatedNumberScheduled", wanted))
        }
        _ => {
            let ended = ["Succeeded", "Failed"].iter().any(|phase| status["phase"] == *phase);
            tree["metadata"].get("deletionTimestamp").is_none() && (ended || status["phase"] == "Running")
        }
    }
}
