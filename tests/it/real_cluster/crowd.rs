//! Ten thousand pods: what reading them costs beside `linkerd check --proxy`, and pages of a list while pods come and go.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use l5d_rotate::document::{self, yaml};
use l5d_rotate::source::{self, Observed, Request};
use serde_json::{Value, json};

use super::Cluster;
use super::counter::Counter;
use super::desk::Desk;
use super::servers::Servers;
use crate::runner;
use crate::support::recorder::Recorder;

/// Deployments, and the pods of each.
const WORKLOADS: usize = 200;
const REPLICAS: usize = 50;
const PODS: usize = WORKLOADS * REPLICAS;

/// What `linkerd check --proxy` asks of a cluster with as many pods, recorded by [`linkerds_own_check_is_recorded`].
const RECORD: &str = "testdata/linkerd-check.json";
/// Linkerd's CLI, for the recording.
const LINKERD: &str = "L5D_ROTATE_TEST_LINKERD";

/// What a command made an API server do.
#[derive(Debug)]
struct Cost {
    requests: usize,
    bytes: u64,
    seconds: f64,
    processor_seconds: f64,
}

impl Cost {
    /// Runs a command, by the times that the shell tells of it and what it started.
    fn of(desk: &Desk, counter: &Counter, command: &str) -> Self {
        let (before, bytes) = (desk.servers.done_by("jane").len(), counter.answered());
        let mut shell = runner::other("bash");
        shell.args(["-c", &format!("TIMEFORMAT='%3R %3U %3S'; time {command} 2>&1")]);
        shell.current_dir(desk.path("")).env("HOME", desk.path("")).env("PLUGIN", runner::PLUGIN);
        let ran = runner::run(shell.env("KUBECONFIG", desk.servers.kubeconfig("jane")));
        println!("{command}: exit code {}\n{}{}", ran.code, ran.out, ran.err);
        let times: Vec<f64> = ran.err.split_whitespace().map(|time| time.parse().unwrap()).collect();
        // Some kubectl ask for the version before anything else, to run the one that fits it.
        let mut done = desk.servers.done_by("jane").split_off(before);
        done.retain(|entry| !entry["requestURI"].as_str().unwrap().starts_with("/version"));
        Self {
            requests: done.len(),
            bytes: counter.answered() - bytes,
            seconds: times[0],
            processor_seconds: times[1] + times[2],
        }
    }
}

/// An ordinary team's Deployment, whose pods are about as long as real ones.
fn workload(index: usize) -> Value {
    let name = format!("web-{index:03}");
    let variables = (0..40).map(|variable| {
        let value =
            format!("https://{name}.crowd.svc.cluster.local:8443/settings/{variable}?region=eu-central-1");
        json!({"name": format!("WEB_SETTING_{variable:02}"), "value": value})
    });
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": "http"}, "periodSeconds": 10});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "crowd", "labels": {"app.kubernetes.io/name": name}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": {
                "metadata": {
                    "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/version": "1.42.0"},
                    "annotations": {"linkerd.io/inject": "enabled", "prometheus.io/scrape": "true"},
                },
                "spec": {
                    "containers": [{
                        "name": "web", "image": "registry.example.com/crowd/web:1.42.0",
                        "env": variables.collect::<Vec<_>>(),
                        "ports": [{"containerPort": 8080, "name": "http"}],
                        "livenessProbe": probe("/healthz"), "readinessProbe": probe("/ready"),
                        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
                        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true},
                        "volumeMounts": [{"mountPath": "/etc/web", "name": "config"}],
                    }],
                    "volumes": [{"configMap": {"name": "web"}, "name": "config"}],
                },
            },
        },
    })
}

/// Starts a pod of each workload, with its proxy, and makes ten thousand of them.
fn gather(desk: &mut Desk) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "crowd"}});
    desk.declared.push(namespace);
    desk.declared.extend((0..WORKLOADS).map(workload));
    desk.apply();
    let started = desk.get("pods -n crowd");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let started = started["items"].as_array().unwrap().iter().map(|pod| &pod["metadata"]);
    let uids: Vec<_> = started.map(|pod| (text(&pod["name"]), text(&pod["uid"]))).collect();
    assert_eq!(uids.len(), WORKLOADS);
    desk.servers.end_controllers();
    desk.servers.etcd_itself().copy_pods("crowd", &uids, REPLICAS - 1);
}

/// The names of all pods with a proxy, as the API server lists them: in one piece, as pages expire while etcd is compacted.
fn meshed(desk: &Desk) -> BTreeSet<String> {
    let listed = desk.admin("get pods -A --chunk-size=0 -l linkerd.io/control-plane-ns --no-headers -o custom-columns=A:.metadata.namespace,B:.metadata.name");
    listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join("/")).collect()
}

/// The names of the pods that are read, with a kubectl that does something before it asks for another page of them.
fn read(desk: &Desk, before_next_page: &str) -> Vec<String> {
    let script = format!(
        "url=\nfor argument; do case $argument in /*) url=$argument;; esac; done\n\
         case $url in /api/v1/pods*continue=*) {before_next_page};; esac\nexec kubectl \"$@\""
    );
    runner::write_script(&desk.path("kubectl.sh"), &script);
    let cluster = source::Cluster {
        kubectl: desk.path("kubectl.sh"),
        kubeconfig: Some(desk.servers.kubeconfig("jane")),
        ..source::Cluster::default()
    };
    let observed = source::observe(&Request { cluster, ..Request::default() }, Recorder::default());
    let Observed::Objects(Recorder(lines)) = observed.unwrap() else { panic!("a snapshot") };
    assert!(!lines.iter().any(|line| line.starts_with("gap ")), "what was asked for was answered");
    let pods = lines.iter().filter_map(|line| line.strip_prefix("pod ")?.split(' ').next());
    pods.map(str::to_owned).collect()
}

/// A pod of nobody.
fn pod(name: &str) -> Value {
    let metadata = json!({"name": name, "namespace": "crowd", "labels": {"app.kubernetes.io/name": name}});
    let spec = json!({"containers": [{"name": "shell", "image": "registry.example.com/crowd/shell:1"}]});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// Each of them once, and no other one.
fn assert_same(read: Vec<String>, meshed: &BTreeSet<String>) {
    let once: BTreeSet<String> = read.iter().cloned().collect();
    assert_eq!(once.len(), read.len(), "none is read twice");
    assert!(once == *meshed, "{:?}", once.symmetric_difference(meshed).take(10).collect::<Vec<_>>());
}

#[test]
fn ten_thousand_pods_cost_less_than_linkerds_own_check_and_are_whole_while_they_change() {
    const NAME: &str = "ten_thousand_pods_cost_less_than_linkerds_own_check_and_are_whole_while_they_change";
    // Tokens of pages expire after twice that at the latest.
    let Some(servers) = Servers::start_with(NAME, &["--etcd-compaction-interval=20s"]) else { return };
    let mut desk = Desk::within(servers, Cluster::new());
    let selected = "/api/v1/pods?labelSelector=linkerd.io%2Fcontrol-plane-ns&limit=5";
    let page: Value = serde_json::from_str(&desk.admin(&format!("get --raw {selected}"))).unwrap();
    let expired = page["metadata"]["continue"].as_str().unwrap().to_owned();
    gather(&mut desk);

    let record: Value = serde_json::from_str(&fs::read_to_string(RECORD).unwrap()).unwrap();
    assert_eq!(record["pods"], PODS);
    let ours = Cost::of(&desk, &desk.servers.count("jane"), "\"$PLUGIN\" check");
    let of = |field: &str| record[field].as_u64().unwrap();
    println!("{ours:?}, and linkerd's: {record}");
    assert!(ours.requests < of("requests") as usize && ours.bytes < of("bytes") / 2, "{ours:?}");

    let admin = format!("kubectl --kubeconfig={}", desk.servers.kubeconfig("admin").display());
    // While its pages are read pods come and go before and behind them: the list stays as it was.
    let before = meshed(&desk);
    let [first, last] = [0, WORKLOADS - 1].map(|index| format!("web-{index:03}"));
    let pods = ["a-first", "z-last"].map(pod);
    fs::write(desk.path("come.json"), json!({"apiVersion": "v1", "kind": "List", "items": pods}).to_string())
        .unwrap();
    let change = format!(
        "mkdir changed 2>&- && {{ {admin} delete pods -n crowd -l 'app.kubernetes.io/name in ({first},{last})'; {admin} apply -f come.json; }} >&2"
    );
    assert_same(read(&desk, &in_home(&desk, &change)), &before);
    let after = meshed(&desk);
    let [gone, new] = [before.difference(&after), after.difference(&before)].map(Iterator::count);
    assert_eq!((gone, new), (2 * REPLICAS, 2));

    // A page that cannot be given any more: the list is begun again, and in one piece at last.
    let old = |times: &str| {
        format!(
            "{times} && set -- get --raw '{selected}&continue={expired}' --kubeconfig={}",
            desk.servers.kubeconfig("jane").display()
        )
    };
    for times in ["mkdir expired 2>&-", "true"] {
        let from = desk.servers.done_by("jane").len();
        assert_same(read(&desk, &in_home(&desk, &old(times))), &after);
        let gone = desk.servers.done_by("jane").split_off(from);
        let gone = gone.iter().filter(|entry| entry["responseStatus"]["code"] == 410).count();
        assert_eq!(gone, if times == "true" { 3 } else { 1 });
    }
    desk.only_reads();
}

/// A line of a script, in the user's directory; whether it does something or not, the script goes on.
fn in_home(desk: &Desk, line: &str) -> String {
    format!("cd {} && {line} || true", desk.path("").display())
}

/// Installs Linkerd by its CLI. Nobody answers the webhook of its injector, so that it is asked nothing.
fn install(desk: &mut Desk, linkerd: &Path) {
    let mut workloads = Vec::new();
    for arguments in ["install --crds --set installGatewayAPI=true", "install --ignore-cluster"] {
        let mut cli = runner::other(linkerd);
        cli.env("KUBECONFIG", desk.servers.kubeconfig("admin")).env("HOME", desk.path(""));
        let ran = runner::run(cli.args(arguments.split(' ')));
        assert_eq!(ran.code, 0, "{}", ran.err);
        let (runs, mut objects): (Vec<_>, Vec<_>) = document::parse(&ran.out, "linkerd")
            .unwrap()
            .into_iter()
            .map(|document| document.tree)
            .partition(|tree| tree["kind"] == "Deployment" || tree["kind"] == "CronJob");
        for tree in objects.iter_mut().filter(|tree| tree["kind"] == "MutatingWebhookConfiguration") {
            for webhook in tree["webhooks"].as_array_mut().unwrap() {
                webhook["namespaceSelector"] = json!({"matchLabels": {"there": "is-none"}});
            }
        }
        workloads.extend(runs);
        let objects: Vec<_> = objects.into_iter().map(|tree| (Vec::new(), tree)).collect();
        fs::write(desk.path("linkerd.yaml"), yaml::write_stream(&objects)).unwrap();
        desk.admin("apply --server-side -f linkerd.yaml");
    }
    desk.admin("create namespace shop");
    desk.start(workloads);
}

#[test]
#[ignore = "writes testdata, with Linkerd's CLI"]
fn linkerds_own_check_is_recorded() {
    if runner::writes_nothing("linkerds_own_check_is_recorded") {
        return;
    }
    const NAME: &str = "linkerds_own_check_is_recorded";
    let Some(servers) = Servers::start(NAME) else { return };
    let linkerd = PathBuf::from(std::env::var_os(LINKERD).unwrap());
    let mut desk = Desk::empty(servers, &Cluster::new());
    install(&mut desk, &linkerd);
    gather(&mut desk);
    desk.admin("create clusterrolebinding jane --clusterrole=cluster-admin --user=jane");
    let counter = desk.servers.count("jane");
    let check = format!("{} check --proxy --wait 1s", linkerd.display());
    let theirs = Cost::of(&desk, &counter, &check);
    let ours = Cost::of(&desk, &counter, "\"$PLUGIN\" check");
    println!("{theirs:?}, and ours: {ours:?}");
    let version = runner::run(runner::other(&linkerd).args(["version", "--client", "--short"]));
    let record = json!({
        "version": version.out.trim(), "pods": PODS, "requests": theirs.requests, "bytes": theirs.bytes,
        "seconds": theirs.seconds, "processorSeconds": theirs.processor_seconds,
    });
    fs::write(RECORD, format!("{record:#}\n")).unwrap();
}
