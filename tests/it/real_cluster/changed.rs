//! What changes an object without changing what is in it: there is always a way on.

use jiff::SignedDuration;

use super::desk::Desk;
use super::{Cluster, finished, rotate};

const ROOTS: &str = "configmap linkerd-identity-trust-roots -n linkerd";
const STEP: &str = "bundle/2-control-plane";

/// A rotation whose new bundle is published, and the control plane restarted with it.
fn restarted(test: &str) -> Option<Desk> {
    let mut desk = Desk::new(test, Cluster::new())?;
    desk.ahead = SignedDuration::from_secs(1);
    desk.out("start --dir rotation");
    desk.merge_next("bundle/1-trust");
    desk.merge_next(STEP);
    assert_eq!(state(&desk), "done");
    Some(desk)
}

fn state(desk: &Desk) -> String {
    desk.step(STEP)["state"]["code"].as_str().unwrap().to_owned()
}

/// The step is not done any more as far as it can be told; what the answers tell to restart is restarted, and it is.
fn there_is_a_way_on(desk: &mut Desk, what: &str) {
    assert_ne!(state(desk), "done", "{what}");
    std::thread::sleep(super::desk::GIVEN);
    let next = desk.run("next --dir rotation");
    let plan = desk.run("plan --dir rotation");
    if desk.merge("next").is_err() {
        let told = desk.restart_as_told(&(next.out + &next.err + &plan.out + &plan.err));
        assert!(told > 0, "{what}: nothing tells what to restart: {}", plan.out);
    }
    assert_eq!(state(desk), "done", "{what}: {}", desk.out("plan --dir rotation"));
}

#[test]
fn a_bundle_that_is_recreated_is_new_and_restarts_that_are_told_go_on() {
    const NAME: &str = "a_bundle_that_is_recreated_is_new_and_restarts_that_are_told_go_on";
    let Some(mut desk) = restarted(NAME) else { return };
    let before = desk.get(ROOTS)["metadata"]["uid"].clone();
    desk.admin(&format!("delete {ROOTS}"));
    desk.apply();
    assert_ne!(desk.get(ROOTS)["metadata"]["uid"], before);
    there_is_a_way_on(&mut desk, "recreated");
    desk.merge_next("bundle/3-data-plane");
    desk.only_reads();
}

#[test]
fn a_label_of_the_bundles_owner_moves_its_time_and_restarts_that_are_told_go_on() {
    const NAME: &str = "a_label_of_the_bundles_owner_moves_its_time_and_restarts_that_are_told_go_on";
    let Some(mut desk) = restarted(NAME) else { return };
    desk.admin(&format!("label {ROOTS} team=mesh"));
    assert_eq!(state(&desk), "done", "another manager's label has a time of its own");

    // One entry holds all that a manager owns: its time is that of a label, too.
    desk.declared("ConfigMap", "linkerd-identity-trust-roots")["metadata"]["labels"]["cost-center"] =
        "7".into();
    desk.apply();
    there_is_a_way_on(&mut desk, "the owner's label");

    // Another manager that comes to own the same bytes.
    let data = desk.get(ROOTS)["data"].clone();
    let metadata = serde_json::json!({"name": "linkerd-identity-trust-roots", "namespace": "linkerd"});
    let same =
        serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data});
    std::fs::write(desk.path("same.json"), same.to_string()).unwrap();
    desk.admin("apply --server-side --field-manager=trust-manager -f same.json");
    assert_eq!(desk.get(ROOTS)["data"], data);
    assert_eq!(state(&desk), "done", "the entry of who comes to own the same bytes has no time");

    rotate(&mut desk, "");
    finished(&desk);
}

/// What a step renders conflicts with whoever holds the field, and is merged once that is resolved.
#[test]
fn a_field_that_another_manager_holds_is_told_by_the_api_server_and_the_step_goes_on() {
    const NAME: &str = "a_field_that_another_manager_holds_is_told_by_the_api_server_and_the_step_goes_on";
    let Some(mut desk) = Desk::new(NAME, Cluster::new()) else { return };
    desk.ahead = SignedDuration::from_secs(1);
    desk.out("start --dir rotation");
    std::fs::write(desk.path("step.yaml"), desk.out("render bundle --step 1 --dir rotation")).unwrap();
    let refused = desk.kubectl("admin", "apply --server-side --field-manager=pipeline -f step.yaml");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("conflict with \"kustomize-controller\""), "{said}");
    assert!(said.contains(".data.ca-bundle.crt"), "{said}");
    assert_ne!(desk.step("bundle/1-trust")["state"]["code"], "done");
    desk.admin("apply --server-side --force-conflicts --field-manager=pipeline -f step.yaml");
    assert_eq!(desk.step("bundle/1-trust")["state"]["code"], "done");
    // The owner by Git puts its own back: the step is to be taken again, and what `next` renders is in Git then.
    desk.apply();
    assert_ne!(desk.step("bundle/1-trust")["state"]["code"], "done");
    desk.merge_next("bundle/1-trust");
    desk.merge_next(STEP);
    assert_eq!(state(&desk), "done");
    desk.only_reads();
}
