//! A user with the dump of a cluster, a rotation directory and the program.

use std::fs;

use jiff::SignedDuration;
use l5d_rotate::document;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::{Cluster, Load, at};
use crate::runner::{self, Ran};
use crate::support::manifests::{control_plane, mint};
use crate::support::pki::Pair;

/// What is done to the objects of the cluster before they are printed: whatever the cluster itself does not know.
type Edit = Box<dyn Fn(&mut Vec<Value>)>;

pub struct Scene {
    pub home: TempDir,
    pub cluster: Cluster,
    edits: Vec<Edit>,
    /// What the dump is instead.
    text: Option<String>,
}

/// A finding of `check`.
pub struct Finding {
    pub result: String,
    pub error: String,
    /// What was found, where the check does not pass.
    pub found: Value,
}

impl Scene {
    /// A small mesh of 2.18.
    pub fn new() -> Self {
        Self::over(Cluster::new())
    }

    pub fn over(cluster: Cluster) -> Self {
        Self { home: tempfile::tempdir().unwrap(), cluster, edits: vec![], text: None }
    }

    /// A Linkerd of an era as its installer leaves it, with pods that hold these texts.
    pub fn of_era(era: &str, pods: impl Fn(&Pair) -> Vec<Value>) -> (Self, Pair) {
        let pki = mint("root");
        let pods = pods(&pki).iter().map(|pod| format!("---\n{pod}\n")).collect::<String>();
        let text = format!("{}{pods}", control_plane(era, &pki));
        (Self { text: Some(text), ..Self::new() }, pki)
    }

    /// Writes that text otherwise.
    pub fn replace(&mut self, from: &str, to: &str) {
        let text = self.text.take().unwrap();
        assert!(text.contains(from), "{from}");
        self.text = Some(text.replace(from, to));
    }

    /// From here on a snapshot of the mesh is read.
    pub fn snapshot(&mut self) {
        self.text = Some(self.print("snapshot"));
    }

    /// That mesh, with a staged rotation of it started.
    pub fn rotating() -> Self {
        let scene = Self::new();
        scene.start();
        scene
    }

    /// The same, with all steps before this one merged and everything done manually that they leave.
    pub fn before(phase: &str, step: u8) -> Self {
        let mut scene = Self::rotating();
        scene.advance(phase, step);
        scene
    }

    pub fn start(&self) {
        self.print("start --dir rotation");
    }

    pub fn advance(&mut self, phase: &str, step: u8) {
        let steps =
            ["bundle", "issuer", "prune"].into_iter().flat_map(|phase| (1..=3).map(move |n| (phase, n)));
        for (phase, step) in steps.take_while(|one| *one != (phase, step)) {
            self.merge(phase, step);
        }
    }

    /// Prints objects otherwise than the cluster would.
    pub fn edit(&mut self, edit: impl Fn(&mut Vec<Value>) + 'static) {
        self.edits.push(Box::new(edit));
    }

    /// Prints one more object.
    pub fn add(&mut self, object: Value) {
        self.edit(move |objects| objects.push(object.clone()));
    }

    /// Rotating up to the issuer, where linkerd-config was left as it was before.
    pub fn with_stale_config() -> Self {
        let mut scene = Self::rotating();
        let is_config = |object: &Value| object["metadata"]["name"] == "linkerd-config";
        let stale = scene.items().into_iter().find(is_config).unwrap();
        scene.advance("issuer", 1);
        scene
            .edit_object("ConfigMap", "linkerd-config", move |object| object["data"] = stale["data"].clone());
        scene
    }

    /// Prints the object of this kind and name otherwise.
    pub fn edit_object(
        &mut self,
        kind: &'static str,
        name: &'static str,
        edit: impl Fn(&mut Value) + 'static,
    ) {
        self.edit(move |objects| {
            let is_it = |object: &&mut Value| object["kind"] == kind && object["metadata"]["name"] == name;
            objects.iter_mut().filter(is_it).for_each(&edit);
        });
    }

    /// Prints the pods of a workload otherwise, each with its place among them.
    pub fn edit_pods(&mut self, workload: &'static str, edit: impl Fn(usize, &mut Value) + 'static) {
        self.edit(move |objects| {
            let is_it = |object: &&mut Value| {
                let name = object["metadata"]["name"].as_str().unwrap();
                object["kind"] == "Pod" && name.starts_with(workload)
            };
            objects.iter_mut().filter(is_it).enumerate().for_each(|(place, pod)| edit(place, pod));
        });
    }

    pub fn load(&mut self, namespace: &str, name: &str) -> &mut Load {
        let is_it = |load: &&mut Load| load.namespace == namespace && load.name == name;
        self.cluster.workloads.iter_mut().find(is_it).unwrap()
    }

    /// Restarts the pods of a workload: they take what is published.
    pub fn restart(&mut self, namespace: &str, name: &str) {
        let (bundle, now) = (self.cluster.bundle.clone(), self.cluster.now);
        let load = self.load(namespace, name);
        (load.held, load.started) = (bundle, now);
    }

    /// Restarts every proxy of the data plane.
    pub fn restart_data_plane(&mut self) {
        let names: Vec<_> = self.cluster.workloads.iter().map(|load| (load.namespace, load.name)).collect();
        for (namespace, name) in names.into_iter().filter(|(namespace, _)| *namespace != "linkerd") {
            self.restart(namespace, name);
        }
    }

    pub fn minutes(&mut self, minutes: i64) {
        self.cluster.wait(SignedDuration::from_mins(minutes));
    }

    pub fn hours(&mut self, hours: i64) {
        self.cluster.wait(SignedDuration::from_hours(hours));
    }

    pub fn items(&self) -> Vec<Value> {
        let mut items = self.cluster.items();
        self.edits.iter().for_each(|edit| edit(&mut items));
        items
    }

    /// Runs the program over the cluster's dump.
    pub fn run(&self, arguments: &str) -> Ran {
        let items = || json!({"apiVersion": "v1", "kind": "List", "items": self.items()}).to_string();
        let dump = self.text.clone().unwrap_or_else(items);
        fs::write(self.home.path().join("dump.yaml"), dump).unwrap();
        let mut plugin = runner::plugin();
        plugin.current_dir(self.home.path()).args(arguments.split_whitespace());
        runner::run(plugin.args(["-f", "dump.yaml", "--at", &self.cluster.now.to_string()]))
    }

    /// What a command prints that must succeed.
    pub fn print(&self, arguments: &str) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "{arguments}: {}", said.err);
        said.out
    }

    pub fn render(&self, phase: &str, step: u8) -> Ran {
        self.run(&format!("render {phase} --step {step} --dir rotation"))
    }

    /// The whole objects that a step makes.
    pub fn rendered(&self, phase: &str, step: u8) -> Vec<Value> {
        let text = self.print(&format!("render {phase} --step {step} --dir rotation -o object"));
        document::parse(&text, phase).unwrap().into_iter().map(|document| document.tree).collect()
    }

    /// Merges a step, does all that it leaves to do manually, and waits half an hour.
    pub fn merge(&mut self, phase: &str, step: u8) {
        for object in self.rendered(phase, step) {
            self.cluster.apply(&object);
        }
        match step {
            2 => self.cluster.control_plane_restarts_again(),
            3 => self.cluster.all_manually(),
            _ => {}
        }
        self.minutes(30);
    }

    /// Merges the swap of the issuer whatever its gate says, and waits half an hour.
    pub fn swap_by_force(&mut self) {
        let text = self.print("render issuer --step 1 --dir rotation -o object --force");
        for document in document::parse(&text, "issuer").unwrap() {
            self.cluster.apply(&document.tree);
        }
        self.minutes(30);
    }

    /// The finding of a check by its sentence; `None` where the check does not apply.
    pub fn finding(&self, description: &str) -> Option<Finding> {
        let said = self.run("check -o json");
        let report: Value = serde_json::from_str(&said.out).expect(&said.err);
        let categories = report["categories"].as_array().unwrap();
        let checks: Vec<_> =
            categories.iter().filter_map(|category| category["checks"].as_array()).flatten().collect();
        let place = checks.iter().position(|check| check["description"] == description)?;
        let check = checks[place];
        let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
        // What was found stands in the order of the checks that do not pass.
        let failed = |check: &&&Value| check["result"] != "success";
        let before = checks[..place].iter().filter(failed).count();
        let found = if failed(&&check) { report["findings"][before].clone() } else { Value::Null };
        Some(Finding { result: text("result"), error: text("error"), found })
    }

    /// The finding of a check that must apply.
    pub fn found(&self, description: &str) -> Finding {
        self.finding(description).unwrap_or_else(|| panic!("no check says `{description}`"))
    }

    /// What `status` advises where no rotation is under way.
    pub fn advice(&self) -> Value {
        let status: Value = serde_json::from_str(&self.print("status -o json")).unwrap();
        status["advice"].clone()
    }

    /// What `verify` says of a proposal, as JSON, and its exit code.
    pub fn verify(&self, objects: &[Value]) -> (Value, i32) {
        self.verify_with("", objects)
    }

    /// The same by who knows the rotation: what was published and issued before it.
    pub fn verify_with(&self, arguments: &str, objects: &[Value]) -> (Value, i32) {
        let text: String = objects.iter().map(|object| format!("---\n{object:#}\n")).collect();
        fs::write(self.home.path().join("proposed.yaml"), text).unwrap();
        let said = self.run(&format!("verify --proposed proposed.yaml -o json {arguments}"));
        (serde_json::from_str(&said.out).expect(&said.err), said.code)
    }

    /// The step's entry in the plan.
    pub fn planned(&self, step: &str) -> Value {
        let plan: Value = serde_json::from_str(&self.print("plan --dir rotation -o json")).unwrap();
        plan["steps"].as_array().unwrap().iter().find(|one| one["step"] == step).unwrap().clone()
    }
}

impl Scene {
    /// What stands before a step, by its code.
    pub fn blocked(&self, step: &str, code: &str) -> Value {
        let planned = self.planned(step);
        let found = planned["blocked"].as_array().unwrap().iter().find(|one| one["code"] == code);
        found.unwrap_or_else(|| panic!("{step}: no {code}: {planned:#}")).clone()
    }
}

impl Finding {
    #[track_caller]
    pub fn is(&self, result: &str, why: &[&str]) {
        assert_eq!(self.result, result, "{}", self.error);
        for why in why {
            assert!(self.error.contains(why), "`{why}` is not in: {}", self.error);
        }
    }

    /// Found with this severity and code, and with all of this in its evidence.
    #[track_caller]
    pub fn is_coded(&self, severity: &str, code: &str, evidence: &[&str]) {
        let found = &self.found;
        assert_eq!((&found["severity"], &found["code"]), (&json!(severity), &json!(code)), "{found:#}");
        let told = found["evidence"].to_string();
        for one in evidence {
            assert!(told.contains(one), "`{one}` is not in: {told}");
        }
    }
}

/// A proposal to swap one object's state with the present one.
#[track_caller]
pub fn judged((verdict, exit): &(Value, i32), word: &str, expected: i32) {
    assert_eq!((verdict["verdict"].as_str(), *exit), (Some(word), expected), "{verdict:#}");
}

/// When a container of a pod started.
pub fn started(pod: &mut Value, time: &str) {
    let time = at(time);
    for list in ["containerStatuses", "initContainerStatuses"] {
        for status in pod["status"][list].as_array_mut().into_iter().flatten() {
            if status["state"].get("running").is_some() {
                status["state"]["running"]["startedAt"] = json!(time);
            }
        }
    }
}
