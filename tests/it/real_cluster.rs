//! Rotations in a real cluster: an API server and its controllers, real rollouts and times, and the rights that `rbac` prints.
//! Only the kubelet, the scheduler and the proxy injector are played: see `stages.yaml` and `injector.yaml`.

mod changed;
mod cost;
mod counter;
mod crowd;
mod desk;
mod etcd;
mod helm;
mod install;
mod manual;
mod mixed;
mod refused;
mod servers;
mod trust_manager;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::cluster::Cluster;
use desk::Desk;

/// Merges whatever `next` renders, does what is to be done manually, and waits where it says so; the steps that were merged.
fn rotate(desk: &mut Desk, flags: &str) -> Vec<String> {
    rotate_beside(desk, flags, |_, _| ())
}

/// The same beside somebody who does something after each step.
fn rotate_beside(desk: &mut Desk, flags: &str, mut beside: impl FnMut(&mut Desk, &str)) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for _ in 0..60 {
        let answer = match desk.merge(&format!("next {flags}")) {
            Ok(step) => {
                beside(desk, &step);
                taken.push(step);
                continue;
            }
            Err(answer) => answer,
        };
        if answer.err.contains("Nothing is left to do") {
            taken.dedup();
            return taken;
        }
        assert_eq!(answer.code, 3, "after {taken:?}: {}", answer.err);
        let step = desk.standing(flags);
        if desk.manually(&step).is_empty() {
            wait(desk, &step);
        }
        // Workloads that only hold the old anchor are left to their next deploy.
        if taken.last().is_some_and(|step| step == "prune/2-control-plane") {
            desk.deploy();
        }
    }
    panic!("the rotation does not finish: {taken:?}");
}

/// By the real clock, unless the user's runs ahead already: then until the instant that is told.
fn wait(desk: &mut Desk, step: &Value) {
    if desk.ahead.is_zero() {
        return std::thread::sleep(Duration::from_secs(5));
    }
    let opens = step["blocked"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|one| one["opens"].as_array().into_iter().flatten());
    let told = opens.filter_map(|opens| opens["at"].as_str()).max();
    desk.ahead = match told {
        Some(at) => at.parse::<Timestamp>().unwrap().duration_since(now()),
        None => desk.ahead + SignedDuration::from_hours(1),
    };
}

/// The time of the cluster, which is not a test's to choose.
#[expect(clippy::disallowed_methods, reason = "an API server reads the clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// What is published, and the issuer's certificates.
fn material(desk: &Desk) -> (String, String) {
    let roots = desk.get("configmap linkerd-identity-trust-roots -n linkerd");
    let secret = desk.get("secret linkerd-identity-issuer -n linkerd");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&roots["data"]["ca-bundle.crt"]), text(&secret["data"]["crt.pem"]))
}

fn finished(desk: &Desk) {
    let status = desk.json("status --dir rotation");
    assert!(
        status["next"]["why"].as_str().unwrap().contains("the rotation is finished"),
        "{}",
        status["next"]
    );
    desk.out("check");
    desk.only_reads();
}

#[test]
fn a_staged_rotation_finishes_by_the_real_clock() {
    let Some(mut desk) = Desk::new("a_staged_rotation_finishes_by_the_real_clock", Cluster::new()) else {
        return;
    };
    let (bundle, issuer) = material(&desk);
    desk.out("start --dir rotation");
    let taken = rotate(&mut desk, "");
    let phase =
        |phase, first| [first, "2-control-plane", "3-data-plane"].map(|step| format!("{phase}/{step}"));
    let all = [phase("bundle", "1-trust"), phase("issuer", "1-issuer"), phase("prune", "1-trust")].concat();
    assert_eq!(taken, all);
    finished(&desk);
    let (new_bundle, new_issuer) = material(&desk);
    assert!(
        new_bundle.matches("BEGIN CERTIFICATE").count() == 1 && new_bundle != bundle && new_issuer != issuer
    );
}

#[test]
fn a_cross_signed_rotation_leaves_the_data_plane_to_its_deploys() {
    const NAME: &str = "a_cross_signed_rotation_leaves_the_data_plane_to_its_deploys";
    let Some(mut desk) = Desk::new(NAME, Cluster::new()) else { return };
    desk.ahead = SignedDuration::from_secs(1);
    desk.out("start --dir rotation --old-anchor-key old.key");
    let taken = rotate(&mut desk, "");
    let expected = [
        "issuer/1-issuer",
        "issuer/2-control-plane",
        "prune/1-trust",
        "prune/2-control-plane",
        "remove-cross/1-issuer",
        "remove-cross/2-control-plane",
    ];
    assert_eq!(taken, expected);
    finished(&desk);
}

#[test]
fn an_issuer_alone_is_replaced_and_the_bundle_stays() {
    const NAME: &str = "an_issuer_alone_is_replaced_and_the_bundle_stays";
    let Some(mut desk) = Desk::new(NAME, Cluster::new()) else { return };
    let (bundle, issuer) = material(&desk);
    desk.ahead = SignedDuration::from_secs(1);
    desk.out("start --dir rotation --issuer-only --anchor anchor.pem --anchor-key old.key");
    assert_eq!(rotate(&mut desk, ""), ["issuer/1-issuer", "issuer/2-control-plane"]);
    finished(&desk);
    let now = material(&desk);
    assert!(now.0 == bundle && now.1 != issuer);
}

#[test]
fn a_rotation_is_rolled_back_from_its_middle() {
    const NAME: &str = "a_rotation_is_rolled_back_from_its_middle";
    let Some(mut desk) = Desk::new(NAME, Cluster::new()) else { return };
    let before = material(&desk);
    desk.ahead = SignedDuration::from_secs(1);
    desk.out("start --dir rotation");
    let mut step = String::new();
    while step != "issuer/2-control-plane" {
        match desk.merge("next") {
            Ok(merged) => step = merged,
            Err(_) => _ = desk.manually(&desk.standing("")),
        }
    }
    assert_ne!(material(&desk).1, before.1);
    let taken = rotate(&mut desk, "--rollback --issuer-key old-issuer.key");
    assert_eq!(taken.first().map(String::as_str), Some("rollback/issuer/1-issuer"), "{taken:?}");
    assert_eq!(taken.last().map(String::as_str), Some("rollback/bundle/3-data-plane"), "{taken:?}");
    assert_eq!(material(&desk), before);
    desk.out("check");
    desk.only_reads();
}
