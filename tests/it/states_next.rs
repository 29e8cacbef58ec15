//! `next` through the program itself: it renders the step that is next, and nothing else.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::support::user::User;

#[test]
fn next_alone_finishes_a_rotation() {
    let mut user = User::new();
    user.out("start --dir rotation");
    let mut waited = 0;
    for _ in 0..60 {
        let next = user.run("next --dir rotation -o object");
        match next.code {
            0 if next.out.is_empty() => {
                let said = next.err;
                assert!(said.contains("Nothing is left to do: the rotation is finished"), "{said}");
                assert!(waited > 0, "preconditions were not met for a while");
                return;
            }
            0 => user.apply(&next.out),
            3 => {
                assert_eq!(next.out, "", "a step that is not ready prints no YAML");
                waited += 1;
                user.cluster.manual("shipper");
                user.cluster.wait(SignedDuration::from_hours(1));
            }
            other => panic!("{other}: {}", next.err),
        }
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    panic!("the rotation does not finish: {}", user.run("next --dir rotation").err);
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
    let mut user = User::new();
    user.out("start --dir rotation");
    for _ in 0..30 {
        let next = user.run_over("next --dir rotation -o object", &with_external_workload(&user.cluster));
        let said = next.err;
        if said.contains("external-workloads-first") {
            assert_eq!((next.code, next.out), (3, String::new()), "{said}");
            let dump = with_external_workload(&user.cluster);
            let confirmed = user.run_over("next --dir rotation --confirm external-workloads", &dump);
            let yaml = confirmed.out;
            assert!(confirmed.code == 0, "{}", confirmed.err);
            assert!(yaml.contains("# confirmed: external-workloads-first: "), "{yaml}");
            assert!(yaml.contains("vms/legacy"), "{yaml}");
            return;
        }
        user.apply(&next.out);
        user.cluster.manual("shipper");
        user.cluster.wait(SignedDuration::from_mins(10));
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
    let mut user = User::new();
    user.out("start --dir rotation");
    for step in 1..=2 {
        user.merge(&format!("bundle --step {step}"));
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    let dump = without(&user.cluster, "Pod");
    let next = user.run_over("next --dir rotation", &dump);
    let said = next.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(next.code, 3, "{said}");
    assert!(said.contains("is merged, and it is not known whether it is done"), "{said}");
    assert!(said.contains("pods-not-given") && said.contains("kubectl get pods -A -o json"), "{said}");
    assert!(!said.contains("wait"), "{said}");
    let status = user.run_over("status --dir rotation", &dump);
    let said = status.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("it is not known whether its pods have restarted since: pods-not-given"), "{said}");
}

#[test]
fn an_issuer_that_may_not_be_read_is_not_taken_for_unmerged() {
    let mut user = User::new();
    user.out("start --dir rotation");
    for step in ["bundle --step 1", "bundle --step 2", "bundle --step 3", "issuer --step 1"] {
        user.merge(step);
        user.cluster.all_manually();
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    let status = user.run_over("status --dir rotation -o json", &without(&user.cluster, "Secret"));
    let status: Value = serde_json::from_str(&status.out).unwrap();
    let why = status["next"]["why"].as_str().unwrap();
    assert!(why.contains("issuer-secret-unknown"), "{why}");
    assert!(why.contains("Give the Secret in the input, or the right to read it."), "{why}");
    assert!(!why.contains("rollouts"), "{why}");
}

#[test]
fn a_confirmation_that_is_not_known_is_refused_with_those_that_are() {
    let wrong = User::new().run("next --dir rotation --confirm everything");
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("external-workloads"), "{}", wrong.err);
}
