//! Right and wrong orders of phases through `simulate`, and what it refuses to take for one.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use l5d_rotate::pki::{self, Bundle, BundleText, Certificate, IssuerChain, Rules};
use serde_json::{Value, json};

use crate::cluster;
use crate::cluster::Cluster;
use crate::runner::Ran;
use crate::support::user::User;

pub(crate) fn simulate(user: &User, flags: &str) -> Ran {
    user.run(&format!("simulate --dir rotation {flags}"))
}

/// Merges a step whose restarts take a while.
pub(crate) fn merge(user: &mut User, step: &str) {
    user.merge(step);
    user.cluster.control_plane_restarts_again();
    user.cluster.wait(SignedDuration::from_mins(5));
}

#[test]
fn a_patient_rotation_waits_until_the_old_workload_certificates_have_expired_and_breaks_nothing() {
    let ran =
        simulate(&User::started(Cluster::new(), "--strategy patient"), "--order issuer,prune,bundle -o json");
    assert_eq!(ran.code, 4);
    let ran = simulate(&User::started(Cluster::new(), "--strategy patient"), "");
    assert_eq!(ran.code, 0);
    let wait = "\
issuer/3-data-plane: wait until the old workload certificates have expired
  while waiting: as before
  after T+s = 24h0m20s                new issuer
    {old,new}  25 proxies                  ✓
";
    assert!(ran.out.contains(wait), "{}", ran.out);
}

#[test]
fn a_self_signed_issuer_that_is_its_own_anchor_is_rotated_without_a_break() {
    let mut cluster = Cluster::new();
    cluster.issuer = cluster.bundle.clone();
    cluster.issuer_key = cluster::pem(&cluster.anchor.key);
    let user = User::started(cluster, "");
    let ran = simulate(&user, "");
    assert_eq!(
        (ran.code, ran.out.lines().next().unwrap()),
        (0, "Every handshake works through all 9 steps.")
    );
    assert_eq!(simulate(&user, "--order issuer,bundle,prune").code, 4);
}

#[test]
fn a_mesh_that_is_broken_before_the_first_step_is_called_so() {
    let mut user = User::started(Cluster::new(), "");
    user.cluster.now = cluster::at("2026-12-29T00:00:00Z");
    let ran = simulate(&user, "");
    assert_eq!(ran.code, 4);
    assert!(ran.out.starts_with("Already broken before the first step: "), "{}", ran.out);
    assert!(ran.out.contains("expired 2026-12-28 09:00 UTC"), "{}", ran.out);
}

#[test]
fn without_pods_it_cannot_be_told_unless_the_order_is_wrong_for_any_pod() {
    let user = User::started(Cluster::new(), "");
    let mut list: Value = serde_json::from_str(&user.cluster.dump()).unwrap();
    list["items"].as_array_mut().unwrap().retain(|item| item["kind"] != "Pod");
    let ran = user.run_over("simulate --dir rotation", &list.to_string());
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.starts_with("Unknown. The input holds no pods."), "{}", ran.out);
    let ran = user.run_over("simulate --dir rotation --order issuer,bundle,prune", &list.to_string());
    assert_eq!(ran.code, 4);
}

#[test]
#[ignore = "long"]
fn a_rotation_under_way_is_safe_wherever_that_can_be_told_and_its_done_steps_grow() {
    for strategy in ["staged", "patient"] {
        let mut user = User::started(Cluster::new(), &format!("--strategy {strategy}"));
        let steps =
            ["bundle", "issuer", "prune"].iter().flat_map(|phase| (1..=3).map(move |step| (*phase, step)));
        for (place, (phase, step)) in steps.enumerate() {
            let simulation = user.json("simulate --dir rotation");
            let done =
                simulation["steps"].as_array().unwrap().iter().filter(|step| step["done"] == true).count();
            // Once prune is published, nothing tells which bundle the control plane's proxies loaded before it; and once the
            // identity controller has started again, since when nobody signs with the old issuer.
            let untold = [
                ("staged", "prune", 2),
                ("staged", "prune", 3),
                ("patient", "prune", 2),
                ("patient", "prune", 3),
            ];
            let verdict = if untold.contains(&(strategy, phase, step)) { "unknown" } else { "safe" };
            let found = (strategy, &simulation["verdict"]["is"], done);
            assert_eq!(found, (strategy, &json!(verdict), place), "{}", simulation["text"]);
            if (strategy, phase, step) == ("patient", "issuer", 3) {
                user.cluster.wait(SignedDuration::from_hours(25));
                continue;
            }
            merge(&mut user, &format!("{phase} --step {step}"));
            if step == 3 {
                user.cluster.all_manually();
                user.cluster.wait(SignedDuration::from_mins(5));
            }
        }
        let finished = user.json("simulate --dir rotation");
        assert!(finished["steps"].as_array().unwrap().iter().all(|step| step["done"] == true));
        assert_eq!(finished["now"]["bundles"][0]["name"], "{new}");
    }
}

#[test]
fn the_last_steps_of_a_cross_signed_rotation_break_nothing_once_all_hold_the_new_anchor() {
    let mut user = User::started(Cluster::new(), "--old-anchor-key anchor.key");
    ["issuer --step 1", "issuer --step 2"].into_iter().for_each(|step| merge(&mut user, step));
    user.cluster.wait(SignedDuration::from_hours(25));
    ["prune --step 1", "prune --step 2"].into_iter().for_each(|step| merge(&mut user, step));
    user.cluster.deploy();
    user.cluster.wait(SignedDuration::from_mins(5));
    for step in ["remove-cross --step 1", "remove-cross --step 2"] {
        merge(&mut user, step);
        let ran = simulate(&user, "");
        assert_eq!(ran.code, 0, "after {step}: {}", ran.out);
        assert!(
            !ran.out.contains("old issuer  "),
            "no proxy with the new anchor loads an old workload certificate: {}",
            ran.out
        );
    }
}

#[test]
fn every_workload_certificate_expires_with_the_cross_certificate_though_the_new_anchor_accepts_its_issuer() {
    let mut user = User::started(Cluster::new(), "--old-anchor-key anchor.key");
    ["issuer --step 1", "issuer --step 2"].into_iter().for_each(|step| merge(&mut user, step));
    user.cluster.wait(SignedDuration::from_hours(25));
    ["prune --step 1", "prune --step 2"].into_iter().for_each(|step| merge(&mut user, step));
    user.cluster.deploy();
    user.cluster.now = cluster::at("2026-12-28T15:00:00Z");
    let ran = simulate(&user, "");
    assert_eq!(ran.code, 4, "{}", ran.out);
    assert!(ran.out.contains("root.linkerd.cluster.local expired 2026-12-28 09:00 UTC"), "{}", ran.out);
}

#[test]
fn a_finished_rotation_is_safe_at_once_though_old_workload_certificates_could_last_a_day() {
    let mut user = User::started(Cluster::realistic(), "");
    for phase in ["bundle", "issuer", "prune"] {
        for step in 1..=3 {
            merge(&mut user, &format!("{phase} --step {step}"));
        }
        user.cluster.all_manually();
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    assert!(user.run("status --dir rotation").out.contains("the rotation is finished"));
    let ran = simulate(&user, "");
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn data_has_every_moment_of_every_step_and_the_late_one_where_renewals_break() {
    let user = User::started(Cluster::new(), "");
    let moments = |step: &Value| -> Vec<String> {
        step["moments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["when"].as_str().unwrap().to_owned())
            .collect()
    };
    for step in user.json("simulate --dir rotation")["steps"].as_array().unwrap() {
        assert_eq!(moments(step), ["before", "during", "after"]);
    }
    let wrong = user.json("simulate --dir rotation --order issuer,bundle,prune");
    assert_eq!(wrong["verdict"], json!({"is": "breaks", "step": "issuer/1-issuer", "when": "during"}));
    let first = &wrong["steps"][0];
    assert_eq!(moments(first), ["before", "during", "after", "later"]);
    let felt = |step: usize, moment: usize| -> Vec<(String, bool)> {
        let violations = wrong["steps"][step]["moments"][moment]["violations"].as_array().unwrap();
        let mut felt: Vec<_> = violations
            .iter()
            .map(|one| (one["code"].as_str().unwrap().to_owned(), one["atOnce"] == true))
            .collect();
        felt.sort();
        felt
    };
    let of = |codes: &[&str]| codes.iter().map(|one| ((*one).to_owned(), false)).collect::<Vec<_>>();
    assert_eq!(felt(0, 0), []);
    assert_eq!(felt(0, 1), of(&["identity-fails-to-start"]));
    assert_eq!(felt(0, 3), of(&["identity-fails-to-start"]));
    assert_eq!(felt(1, 2), of(&["identity-fails-to-start", "signing-refused"]));
}

#[test]
fn external_workloads_are_taken_on_trust_only_when_confirmed() {
    let user = User::started(Cluster::new(), "");
    let mut list: Value = serde_json::from_str(&user.cluster.dump()).unwrap();
    list["items"].as_array_mut().unwrap().push(json!({
        "apiVersion": "workload.linkerd.io/v1beta1",
        "kind": "ExternalWorkload",
        "metadata": {"name": "vm", "namespace": "shop"},
    }));
    let ran = user.run_over("simulate --dir rotation", &list.to_string());
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(
        ran.out.starts_with("Unknown. Proxies of ExternalWorkloads were not seen: shop/vm."),
        "{}",
        ran.out
    );
    let ran = user.run_over("simulate --dir rotation --confirm external-workloads", &list.to_string());
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn a_dump_without_managed_fields_breaks_nothing_and_says_what_was_not_seen() {
    let user = User::started(Cluster::new(), "");
    let mut list: Value = serde_json::from_str(&user.cluster.dump()).unwrap();
    for item in list["items"].as_array_mut().unwrap() {
        item["metadata"].as_object_mut().unwrap().remove("managedFields");
    }
    let ran = user.run_over("simulate --dir rotation", &list.to_string());
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.starts_with("Every handshake works through all 9 steps."), "{}", ran.out);
    let ran = user.run_over("simulate --dir rotation --order prune,issuer", &list.to_string());
    assert_eq!(ran.code, 4, "{}", ran.out);
}

#[test]
fn an_order_names_known_phases_and_each_once() {
    let user = User::started(Cluster::new(), "");
    let ran = simulate(&user, "--order issuer,bundle,issuer");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("the order names phase issuer twice"), "{}", ran.err);
    assert!(ran.err.contains("--order issuer,bundle,prune"), "{}", ran.err);
    let ran = simulate(&user, "--order issuer,bundel");
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("bundel")
            && ran.err.contains("[possible values: bundle, issuer, prune, remove-cross, remove-old]"),
        "{}",
        ran.err
    );
}

/// Every order of every choice of phases.
fn orders() -> Vec<Vec<&'static str>> {
    let phases = ["bundle", "issuer", "prune"];
    let mut found: Vec<Vec<&str>> = vec![vec![]];
    for _ in phases {
        let longer = found.iter().flat_map(|order| {
            let free = phases.iter().filter(|phase| !order.contains(*phase));
            free.map(|phase| [order.clone(), vec![*phase]].concat()).collect::<Vec<_>>()
        });
        found = found.iter().cloned().chain(longer.collect::<Vec<_>>()).collect();
    }
    found.retain(|order| !order.is_empty());
    found.sort();
    found.dedup();
    found
}

#[test]
fn only_orders_that_publish_swap_and_prune_in_turn_are_safe() {
    let user = User::started(Cluster::new(), "");
    let safe: Vec<_> = orders()
        .into_iter()
        .map(|order| order.join(","))
        .filter(|order| match simulate(&user, &format!("--order {order}")).code {
            0 => true,
            4 => false,
            other => panic!("{order}: {other}"),
        })
        .collect();
    assert_eq!(orders().len(), 15);
    assert_eq!(safe, ["bundle", "bundle,issuer", "bundle,issuer,prune"]);
}

#[test]
fn every_mark_is_the_answer_of_the_one_trust_relation() {
    let user = User::started(Cluster::new(), "");
    let read = |file: &str| fs::read_to_string(user.home.path().join("rotation").join(file)).unwrap();
    let text = format!("{}{}", read("old-anchors.pem"), read("anchor.pem"));
    let anchors = BundleText::read(text).as_read_by(Rules::Controller).unwrap().anchors().to_vec();
    let issuers =
        [&user.cluster.issuer, &read("issuer.pem")].map(|text| IssuerChain::from_pem(text).unwrap());
    let identity = "linkerd-identity.linkerd.serviceaccount.identity.linkerd.cluster.local";
    let mut marks = [0, 0];
    for order in orders() {
        let simulation = user.json(&format!("simulate --dir rotation --order {}", order.join(",")));
        let bundle = |class: &Value| {
            let named = &simulation["bundles"][usize::try_from(class.as_u64().unwrap()).unwrap()]["anchors"];
            let named: Vec<_> = named.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
            let is_named = |anchor: &&Certificate| named.contains(&anchor.fingerprint().to_string().as_str());
            Bundle::new(anchors.iter().filter(is_named).cloned()).unwrap()
        };
        let issuer = |class: &Value| {
            let named = &simulation["issuers"][usize::try_from(class.as_u64().unwrap()).unwrap()]["issuer"];
            issuers.iter().find(|chain| chain.issuer.fingerprint().to_string() == *named).unwrap()
        };
        for moment in simulation["steps"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|step| step["moments"].as_array().unwrap())
        {
            for row in moment["bundles"].as_array().unwrap() {
                let held = bundle(&row["class"]);
                let accepts = row["accepts"].as_array().unwrap();
                assert_eq!(accepts.len(), moment["presented"].as_array().unwrap().len());
                for (accepted, presented) in accepts.iter().zip(moment["presented"].as_array().unwrap()) {
                    let answer = accepts_workload_certificate(
                        &held,
                        issuer(&presented["class"]),
                        identity,
                        user.cluster.now,
                    );
                    assert_eq!(*accepted, answer, "{order:?}: {} {}", row["name"], presented["name"]);
                    marks[usize::from(answer)] += 1;
                }
            }
        }
    }
    assert!(marks[0] > 50 && marks[1] > 100, "{marks:?}");
}

fn accepts_workload_certificate(
    bundle: &Bundle,
    issuer: &IssuerChain,
    identity: &str,
    at: Timestamp,
) -> bool {
    pki::accepts(bundle, issuer, &identity.into(), at, Rules::Proxy).is_ok()
}
