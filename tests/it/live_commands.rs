//! Commands over a live cluster: the program, the user's kubectl and an API server on the loopback.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::cluster::{Cluster, NOW};
use crate::layouts::{Declared, Repository, VALUES};
use crate::runner;
use crate::sizes;
use crate::support::api_server::{NOT_FOUND, Reply, Server, groups};
use crate::support::reviewer::{bundle, new_anchor};

/// What an API server answers that has the kinds of these objects: items of a list have no kind of their own.
pub(crate) fn answers(objects: Vec<Value>) -> impl Fn(&str) -> Reply {
    move |target| {
        let path = target.split('?').next().unwrap_or_default().trim_start_matches('/');
        if path == "apis" {
            let versions: Vec<_> =
                objects.iter().map(|object| object["apiVersion"].as_str().unwrap()).collect();
            return groups(&versions);
        }
        let Some((api_version, rest)) = api(path) else { return NOT_FOUND };
        let (namespace, rest) = match rest.strip_prefix("namespaces/").and_then(|rest| rest.split_once('/')) {
            Some((namespace, rest)) => (Some(namespace), rest),
            None => (None, rest),
        };
        let (resource, name) =
            rest.split_once('/').map_or((rest, None), |(resource, name)| (resource, Some(name)));
        let is_it = |object: &&Value| {
            let kind = object["kind"].as_str().unwrap().to_lowercase();
            object["apiVersion"] == api_version
                && format!("{kind}s") == resource
                && namespace.is_none_or(|namespace| object["metadata"]["namespace"] == namespace)
                && name.is_none_or(|name| object["metadata"]["name"] == name)
        };
        let found: Vec<&Value> = objects.iter().filter(is_it).collect();
        match (name, found.first()) {
            (Some(_), Some(object)) => Reply::Json((*object).clone()),
            (None, Some(object)) => Reply::Json(json!({
                "kind": format!("{}List", object["kind"].as_str().unwrap()),
                "apiVersion": api_version,
                "metadata": {"resourceVersion": "1"},
                "items": found.into_iter().map(bare).collect::<Vec<_>>(),
            })),
            _ => NOT_FOUND,
        }
    }
}

/// The version of an API path, and what follows it.
fn api(path: &str) -> Option<(String, &str)> {
    if let Some(rest) = path.strip_prefix("api/v1/") {
        return Some(("v1".to_owned(), rest));
    }
    let (group, rest) = path.strip_prefix("apis/")?.split_once('/')?;
    let (version, rest) = rest.split_once('/')?;
    Some((format!("{group}/{version}"), rest))
}

fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    let map = object.as_object_mut().unwrap();
    map.shift_remove("kind");
    map.shift_remove("apiVersion");
    object
}

pub(crate) fn objects(cluster: &Cluster) -> Vec<Value> {
    let list: Value = serde_json::from_str(&cluster.dump()).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// A user whose kubeconfig points at a server, and who has the same cluster as a file.
struct User {
    home: tempfile::TempDir,
    server: Server,
}

impl User {
    fn new(cluster: &Cluster, reply: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::of(objects(cluster), reply)
    }

    fn of(objects: Vec<Value>, reply: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let home = tempfile::tempdir().unwrap();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        fs::write(home.path().join("dump.json"), list.to_string()).unwrap();
        let answers = answers(objects);
        let server = Server::start(move |target| reply(target).unwrap_or_else(|| answers(target)));
        Self { home, server }
    }

    fn run(&self, arguments: &str) -> Output {
        let output = runner::plugin()
            .current_dir(self.home.path())
            .env("KUBECONFIG", self.server.kubeconfig())
            .env("HOME", self.home.path())
            .args(arguments.split_whitespace())
            .args(["--at", NOW])
            .output()
            .unwrap();
        let seen = self.server.seen.lock().unwrap();
        assert!(seen.iter().all(|request| request.starts_with("GET ")), "only GETs: {seen:#?}");
        output
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What was printed, without the file that the next command names.
fn unnamed(bytes: &[u8], file: &str) -> String {
    text(bytes).replace(&format!(" -f {file}"), "")
}

fn forbidden(what: &'static str) -> Reply {
    Reply::Status(403, "Forbidden", what)
}

/// JSON without the places that objects were read from; other text as it is.
fn unplaced(text: &str) -> String {
    let Ok(mut tree) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    for finding in tree["findings"].as_array_mut().into_iter().flatten() {
        finding["place"].take();
    }
    format!("{tree:#}")
}

#[test]
fn every_command_says_the_same_of_the_live_cluster_and_of_its_dump() {
    const NAME: &str = "every_command_says_the_same_of_the_live_cluster_and_of_its_dump";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    let user = User::new(&Cluster::realistic(), |_| None);
    let started = user.run("start --dir rotation");
    assert_eq!(started.status.code(), Some(0), "{}", text(&started.stderr));
    assert!(user.home.path().join("rotation/rotation.yaml").exists());
    let commands = [
        ("status --dir rotation -o json", 0),
        ("check -o json --fail-on warning", 1),
        ("plan --dir rotation", 0),
        ("render bundle --dir rotation -o object --force", 0),
        ("render issuer --step 1 --dir rotation", 4),
        ("diff bundle --dir rotation", 1),
    ];
    for (command, code) in commands.into_iter().step_by(sizes::of(2, 1)) {
        user.server.seen.lock().unwrap().clear();
        let live = user.run(command);
        assert!(!user.server.seen.lock().unwrap().is_empty(), "{command}");
        let read = user.server.seen.lock().unwrap().len();
        let file = user.run(&format!("{command} -f dump.json"));
        assert_eq!(user.server.seen.lock().unwrap().len(), read, "a file needs no cluster: {command}");
        assert_eq!(live.status.code(), Some(code), "{command}: {}", text(&live.stderr));
        let of_file = unnamed(&file.stdout, "dump.json");
        assert_eq!(unplaced(&text(&live.stdout)), unplaced(&of_file), "{command}");
        assert_eq!(text(&live.stderr), text(&file.stderr).replace(" -f dump.json", ""), "{command}");
        assert_eq!(live.status.code(), file.status.code(), "{command}");
    }
}

#[test]
#[ignore = "long"]
fn a_snapshot_of_the_live_cluster_says_what_the_cluster_says() {
    const NAME: &str = "a_snapshot_of_the_live_cluster_says_what_the_cluster_says";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    let user = User::new(&Cluster::realistic(), |_| None);
    let written = user.run("snapshot --out mesh.yaml");
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    let of_snapshot = user.run("status -f mesh.yaml").stdout;
    assert_eq!(text(&user.run("status").stdout), unnamed(&of_snapshot, "mesh.yaml"));
}

#[test]
#[ignore = "long"]
fn a_forbidden_secret_is_unknown_by_name_and_no_step_of_the_issuer_is_taken_on_faith() {
    const NAME: &str = "a_forbidden_secret_is_unknown_by_name_and_no_step_of_the_issuer_is_taken_on_faith";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    let user = User::new(&Cluster::new(), |target| {
        target.contains("/secrets").then(|| forbidden("secrets is forbidden: User \"jane\" cannot get"))
    });
    assert_eq!(user.run("start --dir rotation").status.code(), Some(0));
    let status = user.run("status --dir rotation");
    let said = text(&status.stdout);
    assert_eq!(status.status.code(), Some(0), "{}", text(&status.stderr));
    let plain = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        plain.contains("ConfigMap linkerd-config, a copy of the certificate; the Secret was not read"),
        "{said}"
    );
    for secret in ["linkerd-identity-issuer", "linkerd-config-overrides"] {
        assert!(plain.contains(&format!("secrets linkerd/{secret}")), "{said}");
    }
    let check = user.run("check -o short");
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stdout));
    assert!(text(&check.stdout).contains("? issuer key belongs to the issuer"), "{}", text(&check.stdout));
    assert_eq!(user.run("check --fail-on warning").status.code(), Some(1));
    // Publishing both anchors needs no Secret; restarting on an issuer that cannot be seen does.
    assert_eq!(user.run("render bundle --step 1 --dir rotation").status.code(), Some(0));
    let plan: Value = serde_json::from_str(&text(&user.run("plan -o json --dir rotation").stdout)).unwrap();
    let of = |step: &str| {
        plan["steps"].as_array().unwrap().iter().find(|planned| planned["step"] == step).unwrap()
    };
    for step in ["bundle/2-control-plane", "prune/1-trust"] {
        let blocked = of(step)["blocked"].to_string();
        assert!(blocked.contains("linkerd-identity-issuer"), "{step}: {blocked}");
    }
    assert_eq!(of("issuer/1-issuer")["state"]["code"], "unknown");
}

#[test]
#[ignore = "long"]
fn forbidden_pods_leave_every_step_that_needs_them_unknown() {
    const NAME: &str = "forbidden_pods_leave_every_step_that_needs_them_unknown";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    let user =
        User::new(&Cluster::new(), |target| target.contains("/pods").then(|| forbidden("pods is forbidden")));
    assert_eq!(user.run("start --dir rotation").status.code(), Some(0));
    let status: Value =
        serde_json::from_str(&text(&user.run("status -o json --dir rotation").stdout)).unwrap();
    let findings = status["findings"].as_array().unwrap();
    let found = |code: &str| findings.iter().find(|finding| finding["code"] == code).unwrap();
    assert_eq!(found("pods-unknown")["severity"], "unknown");
    let gaps = &found("input-incomplete")["evidence"]["gaps"];
    assert!(gaps.as_array().unwrap().iter().any(|gap| gap["resource"] == "pods"), "{gaps:#}");
    let plan: Value = serde_json::from_str(&text(&user.run("plan -o json --dir rotation").stdout)).unwrap();
    for planned in plan["steps"].as_array().unwrap() {
        if planned["step"].as_str().unwrap().ends_with("-plane") {
            assert_ne!(planned["state"]["code"], "done", "{planned:#}");
        }
    }
    let refused = user.run("render issuer --step 1 --dir rotation");
    assert!(matches!(refused.status.code(), Some(3 | 4)), "{}", text(&refused.stderr));
    assert!(refused.stdout.is_empty());
}

/// Who may not list them does not know that there are none.
#[test]
#[ignore = "long"]
fn what_is_outside_of_the_cluster_and_may_not_be_listed_is_to_be_confirmed() {
    const NAME: &str = "what_is_outside_of_the_cluster_and_may_not_be_listed_is_to_be_confirmed";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    for (resource, confirmation) in
        [("links", "linked-clusters"), ("externalworkloads", "external-workloads")]
    {
        let user = User::new(&Cluster::new(), move |target| match target {
            "/apis" => Some(groups(&["multicluster.linkerd.io/v1alpha3", "workload.linkerd.io/v1beta1"])),
            _ => target.contains(resource).then(|| forbidden("forbidden")),
        });
        assert_eq!(user.run("start --dir rotation").status.code(), Some(0));
        let asked = |flags: &str| {
            let plan = user.run(&format!("plan -o json --dir rotation {flags}"));
            let plan: Value = serde_json::from_str(&text(&plan.stdout)).unwrap();
            let steps = plan["steps"].as_array().unwrap();
            let step = steps.iter().find(|step| step["step"] == "issuer/1-issuer").unwrap();
            step["blocked"].to_string().contains(&format!("{{\"confirm\":\"{confirmation}\"}}"))
        };
        assert!(asked(""), "{resource}");
        assert!(!asked(&format!("--confirm {confirmation}")), "{resource}");
    }
}

#[test]
#[ignore = "long"]
fn a_cluster_that_fails_midway_ends_in_an_error_and_not_in_a_judgement() {
    const NAME: &str = "a_cluster_that_fails_midway_ends_in_an_error_and_not_in_a_judgement";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    for (reply, finding) in [
        (|| Reply::Status(500, "InternalError", "etcd is down"), "etcd is down"),
        (|| Reply::Cut("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[".to_owned()), "broken off"),
        (|| Reply::Status(401, "Unauthorized", "Unauthorized"), "does not accept the credentials"),
    ] as [(fn() -> Reply, &str); 3]
    {
        let user = User::new(&Cluster::new(), move |target| target.contains("/pods").then(reply));
        for command in ["start --dir rotation", "status"].into_iter().take(sizes::of(1, 2)) {
            let output = user.run(command);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command}: {said}");
            assert!(output.stdout.is_empty() && said.contains(finding), "{command}: {said}");
            assert!(said.contains("\nhelp:  "), "{command}: {said}");
        }
        assert!(!user.home.path().join("rotation").exists());
    }
}

/// The same objects with the control plane in another namespace.
fn moved(objects: Vec<Value>, to: &str) -> Vec<Value> {
    fn rename(value: &mut Value, to: &str) {
        match value {
            Value::Object(map) => {
                let is_namespace = map.get("kind").is_some_and(|kind| kind == "Namespace");
                for (key, value) in map.iter_mut() {
                    let names = ["namespace", "linkerd.io/control-plane-ns"].contains(&key.as_str());
                    if names && value == "linkerd" {
                        *value = to.into();
                    }
                    if is_namespace && key == "metadata" && value["name"] == "linkerd" {
                        value["name"] = to.into();
                    }
                    rename(value, to);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| rename(item, to)),
            Value::String(text) => *text = text.replace("-namespace=linkerd", &format!("-namespace={to}")),
            _ => {}
        }
    }
    objects
        .into_iter()
        .map(|mut object| {
            rename(&mut object, to);
            object
        })
        .collect()
}

#[test]
#[ignore = "long"]
fn a_control_plane_in_another_namespace_is_found_by_one_more_get() {
    const NAME: &str = "a_control_plane_in_another_namespace_is_found_by_one_more_get";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    let both = [false, true];
    let all = both.map(|hidden| ["check -o json", "status -o json", "status -n shop"].map(|it| (hidden, it)));
    for (hidden, command) in all.concat().into_iter().step_by(sizes::of(5, 1)) {
        // A role may well allow the ConfigMaps of the control plane's namespace alone.
        let user = User::of(moved(objects(&Cluster::realistic()), "mesh"), move |target| {
            (hidden && target.contains("/namespaces/linkerd/")).then(|| forbidden("is forbidden"))
        });
        let live = user.run(command);
        let looked = user.server.targets("labelSelector=linkerd.io%2Fcontrol-plane-component%3Didentity");
        assert_eq!(looked.len(), 1, "{command}: {looked:?}");
        let told = user.run(&format!("{command} --linkerd-namespace mesh"));
        let unflagged = |out: &[u8]| text(out).replace(" --linkerd-namespace mesh", "");
        assert_eq!(text(&live.stdout), unflagged(&told.stdout), "{command}: {}", text(&live.stderr));
        assert_eq!(
            unplaced(&text(&live.stdout)),
            unplaced(&unnamed(&user.run(&format!("{command} -f dump.json")).stdout, "dump.json"))
        );
        assert_eq!(live.status.code(), told.status.code());
        let looked = user.server.targets("labelSelector=linkerd.io%2Fcontrol-plane-component%3Didentity");
        assert_eq!(looked.len(), 1, "a namespace that is given is not looked for: {command}");
    }
}

#[test]
#[ignore = "long"]
fn a_control_plane_where_it_is_expected_is_not_looked_for() {
    const NAME: &str = "a_control_plane_where_it_is_expected_is_not_looked_for";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    let user = User::new(&Cluster::new(), |_| None);
    assert_eq!(user.run("status").status.code(), Some(0));
    assert_eq!(user.server.targets("control-plane-component"), [""; 0]);
    // Its ConfigMap may be hidden, and it is there all the same.
    let user = User::new(&Cluster::new(), |target| {
        target.contains("/configmaps/linkerd-config").then(|| forbidden("configmaps is forbidden"))
    });
    let status = text(&user.run("status").stdout);
    assert!(status.contains("Not read: configmaps linkerd/linkerd-config."), "{status}");
    assert_eq!(user.server.targets("/secrets/linkerd-identity-issuer").len(), 1);
}

#[test]
#[ignore = "long"]
fn what_is_not_found_in_the_namespace_that_was_looked_at_is_said_with_the_flag_that_names_another() {
    const NAME: &str =
        "what_is_not_found_in_the_namespace_that_was_looked_at_is_said_with_the_flag_that_names_another";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    let two = [moved(objects(&Cluster::new()), "mesh"), moved(objects(&Cluster::new()), "mesh-two")].concat();
    let several = User::of(two, |_| None).run("status");
    let said = text(&several.stderr);
    assert_eq!(several.status.code(), Some(2), "{said}");
    assert!(said.contains("in the namespaces mesh, mesh-two"), "{said}");
    assert!(said.contains("--linkerd-namespace mesh|mesh-two"), "{said}");

    for (forbidden_path, finding) in [
        (
            "/nothing",
            "no Linkerd control plane in namespace linkerd, and no identity controller in another one",
        ),
        ("/deployments", "nothing of Linkerd"),
    ] {
        let nothing = User::of(Vec::new(), move |target| {
            target.contains(forbidden_path).then(|| forbidden("deployments is forbidden"))
        });
        let output = nothing.run("status");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(finding) && said.contains("--linkerd-namespace"), "{said}");
    }
    let named = User::of(Vec::new(), |_| None).run("status --linkerd-namespace mesh");
    assert!(
        text(&named.stderr).contains("no Linkerd control plane in namespace mesh"),
        "{}",
        text(&named.stderr)
    );
}

#[test]
#[ignore = "long"]
fn a_cluster_without_linkerd_is_called_so() {
    const NAME: &str = "a_cluster_without_linkerd_is_called_so";
    if !runner::has(NAME, &["kubectl"]) {
        return;
    }
    let user = User::new(&Cluster::new(), |_| Some(NOT_FOUND));
    let output = user.run("status");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("no Linkerd control plane"), "{}", text(&output.stderr));
}

#[test]
#[ignore = "long"]
fn a_pull_request_is_judged_against_the_cluster_of_the_context() {
    if !runner::has("a_pull_request_is_judged_against_the_cluster_of_the_context", &["kubectl"]) {
        return;
    }
    let cluster = Cluster::new();
    let user = User::new(&cluster, |_| None);
    let Some(repository) = Repository::new() else {
        println!("skipped: a_pull_request_is_judged_against_the_cluster_of_the_context: no git");
        return;
    };
    let now = Declared::of(&cluster);
    let (_, layout) = VALUES.iter().find(|(name, _)| *name == "a HelmRelease").unwrap();
    repository.write(&layout(&now));
    repository.commit();
    let kubeconfig = user.server.kubeconfig();
    let verdict = |declared: &Declared| {
        repository.write(&layout(declared));
        let (verdict, tree, _) = repository.verify(&["--kubeconfig", kubeconfig.to_str().unwrap()]);
        (verdict, tree["findings"].to_string())
    };
    let new = new_anchor();
    let both = Declared { bundle: bundle(&[&cluster.anchor, &new]), ..now.clone() };
    assert_eq!(verdict(&both).0, "safe");
    let (word, findings) = verdict(&Declared { bundle: bundle(&[&new]), ..now.clone() });
    // The cluster knows the proxies that the repository does not.
    assert!(word == "unsafe" && findings.contains("\"count\":25"), "{word}: {findings}");
    assert_eq!(verdict(&Declared { replicas: 5, ..now }).0, "not-about-trust");
}
