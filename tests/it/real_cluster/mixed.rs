//! Workloads that no annotation restarts, beside those that it does.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::json;

use super::desk::Desk;
use super::{Cluster, finished, rotate};

#[test]
fn workloads_of_every_kind_are_rotated_with_what_is_told_to_do_manually() {
    const NAME: &str = "workloads_of_every_kind_are_rotated_with_what_is_told_to_do_manually";
    let Some(mut desk) = Desk::new(NAME, Cluster::realistic()) else { return };
    // Only one that has run can be paused with a pod.
    desk.declared("Deployment", "recommendations")["spec"]["paused"] = json!(false);
    desk.apply();
    desk.declared("Deployment", "recommendations")["spec"]["paused"] = json!(true);
    desk.declared("StatefulSet", "cart-db")["spec"]["updateStrategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    desk.admin(
        "create poddisruptionbudget cart-db -n shop --selector=app.kubernetes.io/name=cart-db --min-available=3",
    );
    desk.admin("create job settlement-now --from=cronjob/settlement -n shop");
    desk.apply();
    desk.ahead = SignedDuration::from_secs(1);
    desk.out("start --dir rotation");

    let mut done = BTreeSet::new();
    let mut step = String::new();
    for _ in 0..20 {
        match desk.merge("next") {
            Ok(merged) => step = merged,
            Err(answer) => {
                let standing = desk.standing("");
                println!("{}", answer.err);
                done.extend(desk.manually(&standing));
            }
        }
        if step == "issuer/1-issuer" {
            break;
        }
    }
    let expected = ["await-run", "delete-pods", "inject-again", "lower-partition", "recreate-pod", "resume"];
    assert!(expected.iter().all(|act| done.contains(*act)), "{done:?}");
    rotate(&mut desk, "");
    finished(&desk);
}
