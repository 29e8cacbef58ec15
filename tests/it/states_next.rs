//! `next` through the program itself: it renders the step that is next, and nothing else.

#[allow(unreachable_pub)]
use crate::cluster;
use crate::runner;

use std::fs;
use std::path::Path;
use std::process::Output;

use cluster::Cluster;
use jiff::SignedDuration;
use l5d_rotate::document;
use serde_json::{Value, json};

fn run(home: &Path, cluster: &Cluster, arguments: &str) -> Output {
    run_over(home, cluster, &cluster.dump(), arguments)
}

fn run_over(home: &Path, cluster: &Cluster, dump: &str, arguments: &str) -> Output {
    fs::write(home.join("dump.json"), dump).unwrap();
    runner::plugin()
        .current_dir(home)
        .args(arguments.split_whitespace())
        .args(["-f", "dump.json", "--at", &cluster.now.to_string()])
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn next_alone_finishes_a_rotation() {
    let home = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::new();
    assert!(run(home.path(), &cluster, "start --dir rotation").status.success());
    let mut waited = 0;
    for _ in 0..60 {
        let next = run(home.path(), &cluster, "next --dir rotation -o object");
        match next.status.code() {
            Some(0) if next.stdout.is_empty() => {
                let said = text(&next.stderr);
                assert!(said.contains("nothing is left to do: the rotation is finished"), "{said}");
                assert!(waited > 0, "preconditions were not met for a while");
                return;
            }
            Some(0) => {
                for document in document::parse(&text(&next.stdout), "next").unwrap() {
                    cluster.apply(&document.tree);
                }
            }
            Some(3) => {
                assert_eq!(text(&next.stdout), "", "a step that is not ready prints no YAML");
                waited += 1;
                cluster.manual("shipper");
                cluster.wait(SignedDuration::from_hours(1));
            }
            other => panic!("{other:?}: {}", text(&next.stderr)),
        }
        cluster.wait(SignedDuration::from_mins(5));
    }
    panic!(
        "the rotation does not finish: {}",
        text(&run(home.path(), &cluster, "next --dir rotation").stderr)
    );
}

/// The cluster's dump with an ExternalWorkload in it.
fn with_external_workload(cluster: &Cluster) -> String {
    let mut dump: Value = serde_json::from_str(&cluster.dump()).unwrap();
    let external = json!({
        "apiVersion": "workload.linkerd.io/v1beta1",
        "kind": "ExternalWorkload",
        "metadata": {"name": "legacy", "namespace": "vms"},
        "spec": {"meshTLS": {"identity": "spiffe://root.linkerd.cluster.local/legacy", "serverName": "legacy.vms"}},
    });
    dump["items"].as_array_mut().unwrap().push(external);
    dump.to_string()
}

#[test]
fn what_no_input_shows_is_a_precondition_not_met_and_what_was_confirmed_stands_in_the_head() {
    let home = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::new();
    assert!(run(home.path(), &cluster, "start --dir rotation").status.success());
    for _ in 0..30 {
        let next = run_over(
            home.path(),
            &cluster,
            &with_external_workload(&cluster),
            "next --dir rotation -o object",
        );
        let said = text(&next.stderr);
        if said.contains("external-workloads-first") {
            assert_eq!((next.status.code(), text(&next.stdout)), (Some(3), String::new()), "{said}");
            let dump = with_external_workload(&cluster);
            let confirmed =
                run_over(home.path(), &cluster, &dump, "next --dir rotation --confirm external-workloads");
            let yaml = text(&confirmed.stdout);
            assert!(confirmed.status.success(), "{}", text(&confirmed.stderr));
            assert!(yaml.contains("# confirmed: external-workloads-first: "), "{yaml}");
            assert!(yaml.contains("vms/legacy"), "{yaml}");
            return;
        }
        for document in document::parse(&text(&next.stdout), "next").unwrap() {
            cluster.apply(&document.tree);
        }
        cluster.manual("shipper");
        cluster.wait(SignedDuration::from_mins(10));
    }
    panic!("the swap does not come");
}

/// The cluster's dump without the objects of a kind, as one sees it who may not read them.
fn without(cluster: &Cluster, kind: &str) -> String {
    let mut dump: Value = serde_json::from_str(&cluster.dump()).unwrap();
    dump["items"].as_array_mut().unwrap().retain(|one| one["kind"] != kind);
    dump.to_string()
}

#[test]
fn what_is_not_known_is_no_rollout_to_wait_for() {
    let home = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::new();
    assert!(run(home.path(), &cluster, "start --dir rotation").status.success());
    for step in 1..=2 {
        let rendered =
            run(home.path(), &cluster, &format!("render bundle --step {step} --dir rotation -o object"));
        for document in document::parse(&text(&rendered.stdout), "step").unwrap() {
            cluster.apply(&document.tree);
        }
        cluster.wait(SignedDuration::from_mins(5));
    }
    let dump = without(&cluster, "Pod");
    let next = run_over(home.path(), &cluster, &dump, "next --dir rotation");
    let said = text(&next.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(next.status.code(), Some(3), "{said}");
    assert!(said.contains("is merged, and it is not known whether it is done"), "{said}");
    assert!(said.contains("pods-not-given") && said.contains("kubectl get pods -A -o json"), "{said}");
    assert!(!said.contains("wait"), "{said}");
    let status = run_over(home.path(), &cluster, &dump, "status --dir rotation");
    let said = text(&status.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("it is not known whether its pods have restarted since: pods-not-given"), "{said}");
}

#[test]
fn an_issuer_that_may_not_be_read_is_not_taken_for_unmerged() {
    let home = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::new();
    assert!(run(home.path(), &cluster, "start --dir rotation").status.success());
    for step in ["bundle --step 1", "bundle --step 2", "bundle --step 3", "issuer --step 1"] {
        let rendered = run(home.path(), &cluster, &format!("render {step} --dir rotation -o object"));
        for document in document::parse(&text(&rendered.stdout), "step").unwrap() {
            cluster.apply(&document.tree);
        }
        cluster.all_manually();
        cluster.wait(SignedDuration::from_mins(5));
    }
    let status =
        run_over(home.path(), &cluster, &without(&cluster, "Secret"), "status --dir rotation -o json");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let why = status["next"]["why"].as_str().unwrap();
    assert!(why.contains("issuer-secret-unknown"), "{why}");
    assert!(why.contains("Give the Secret in the input, or the right to read it."), "{why}");
    assert!(!why.contains("rollouts"), "{why}");
}

#[test]
fn a_confirmation_that_is_not_known_is_refused_with_those_that_are() {
    let home = tempfile::tempdir().unwrap();
    let wrong = run(home.path(), &Cluster::new(), "next --dir rotation --confirm everything");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("external-workloads"), "{}", text(&wrong.stderr));
}
