//! What users of Linkerd reported, with their issues.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::cluster::{Cluster, at};
use crate::pitfalls::order::{LOADED, RESTARTED};
use crate::pitfalls::scene::{Scene, judged};
use crate::pitfalls::sick::MATCH_CA;
use crate::support::reviewer::{bundle, new_anchor, trust_roots};

const COPY: &str = "linkerd-config holds the published trust anchors";

/// What `status` says of the step, and the next command.
fn next(scene: &Scene) -> Value {
    let status: Value = serde_json::from_str(&scene.print("status --dir rotation -o json")).unwrap();
    status["next"].clone()
}

/// linkerd2#4287, "12 minute partial-downtime": the reporter restarted everything once more, or would have waited a day.
#[test]
fn pain_02_the_old_anchor_may_go_once_everything_restarted_after_the_swap_or_a_day_later() {
    let mut scene = Scene::before("issuer", 3);
    let manual = [trust_roots(&bundle_of_new(&scene))];
    judged(&scene.verify(&manual), "safe-after", 3);
    scene.render("prune", 1).refuses(
        3,
        &[
            "step-order",
            "issuer/3-data-plane is not done yet: 0 of 24",
            "certificates-refused",
            "(emojivoto/emoji-",
            "Restart them. Or wait until",
        ],
    );
    scene.merge("issuer", 3);
    judged(&scene.verify_with("--dir rotation", &manual), "safe", 0);
    assert_eq!(scene.render("prune", 1).code, 0);
}

/// The bundle of the rotation's own anchor alone.
fn bundle_of_new(scene: &Scene) -> String {
    std::fs::read_to_string(scene.home.path().join("rotation/anchor.pem")).unwrap().trim_end().to_owned()
}

/// linkerd2#8018: `IssuerUpdateSkipped` was read over, and the next step bricked pods.
#[test]
fn pain_03_a_skipped_issuer_is_loaded_by_the_restart_that_was_left_out_and_no_step_is_ready_before() {
    let mut scene = Scene::before("bundle", 2);
    scene.restart_data_plane();
    scene.minutes(30);
    scene.swap_by_force();
    scene.found(RESTARTED).is_coded("warning", "control-plane-not-restarted", &["linkerd/linkerd-identity-"]);
    scene.found(LOADED).is_coded("unknown", "issuer-reload-unproven", &[]);
    let told = next(&scene);
    assert!(
        told["command"].as_str().unwrap().starts_with("kubectl l5d-rotate render bundle --step 2"),
        "{told:#}"
    );
    scene.render("prune", 1).refuses(4, &["identity-signs-refused", "signs with"]);
    // It is the only way on, and no harmless one.
    let splits = |scene: &Scene, step: &str| {
        let planned = scene.planned(step);
        let mut notes = planned["notes"].as_array().unwrap().iter();
        notes.find(|note| note["code"] == "restart-splits-control-plane").cloned()
    };
    let note = splits(&scene, "bundle/2-control-plane").unwrap();
    assert_eq!(note["severity"], "warning");
    assert_eq!(note["evidence"]["workloads"].as_array().unwrap().len(), 3, "{note:#}");
    assert_eq!(splits(&scene, "prune/2-control-plane"), None);
    scene.merge("bundle", 2);
    assert_eq!(splits(&scene, "bundle/2-control-plane"), None);
    scene.advance("prune", 1);
    assert_eq!(scene.render("prune", 1).code, 0);
}

/// linkerd2#15109 (open): the Secret is new, the identity controller is not.
#[test]
fn pain_04_a_new_secret_is_not_taken_for_an_issuer_that_signs() {
    let mut scene = Scene::before("issuer", 2);
    scene.restart_data_plane();
    scene.hours(48);
    assert_eq!(scene.planned("issuer/1-issuer")["state"]["code"], "done");
    assert_eq!(scene.planned("issuer/2-control-plane")["state"]["code"], "pending");
    assert_ne!(scene.planned("issuer/3-data-plane")["state"]["code"], "done");
    scene.render("prune", 1).refuses(3, &["step-order", "issuer/2-control-plane is not done yet"]);
    scene.merge("issuer", 2);
    assert_eq!(scene.planned("issuer/2-control-plane")["state"]["code"], "done");
}

/// linkerd2#4808: the anchor has expired, the documented command fails. Openly with downtime, and in steps that work.
#[test]
fn pain_05_out_of_an_expired_anchor_each_refusal_names_the_way_and_it_leads_out() {
    let mut scene = Scene::over(Cluster::expiring("2026-11-22T21:04:11Z", "2026-11-22T21:04:11Z"));
    let status = scene.print("status");
    assert!(status.contains("kubectl l5d-rotate recover"), "{status}");
    let diagnosis = scene.run("recover -o json");
    assert_eq!(diagnosis.code, 1);
    let found: Value = serde_json::from_str(&diagnosis.out).unwrap();
    assert_eq!(found["remedy"]["kind"], "anchor-and-issuer", "{found}");
    assert!(!found["remedy"]["downtime"].as_str().unwrap().is_empty(), "{found}");
    scene.start();
    scene.render("bundle", 2).refuses(
        4,
        &[
            "present-issuer-expired",
            "Take bundle/1-trust, then issuer/1-issuer with --force",
            "takes downtime",
        ],
    );
    scene.merge("bundle", 1);
    scene.render("issuer", 1).refuses(
        4,
        &[
            "present-issuer-expired",
            "Take issuer/1-issuer with --force, then restart the control plane and everything else",
        ],
    );
    scene.swap_by_force();
    scene.merge("bundle", 2);
    scene.merge("bundle", 3);
    scene.found("running proxies accept the issuer").is("success", &[]);
    scene.found(crate::pitfalls::order::WOULD_START).is("success", &[]);
}

/// linkerd2#7449 (open), #7484: `linkerd check --proxy` compared with the configuration, not with the bundle.
#[test]
fn pain_14_proxies_are_compared_with_the_bundle_and_the_copy_is_told_apart() {
    let scene = Scene::with_stale_config();
    scene.found(MATCH_CA).is("success", &[]);
    scene.found(COPY).is_coded("warning", "config-copy-differs", &[r#""onlyPublished":[{"#]);
}

/// linkerd2#3880 (a trailing newline), #5292 and #5395 (more than one certificate).
#[test]
fn pain_14_newlines_order_and_number_of_certificates_raise_no_alarm() {
    let mut scene = Scene::before("issuer", 1);
    let both = scene.cluster.bundle.clone();
    assert_eq!(both.matches("-----BEGIN CERTIFICATE-----").count(), 2);
    let (first, second) = both.split_at(both.rfind("-----BEGIN").unwrap());
    let other = format!("{second}\n{first}");
    scene.load("shop", "checkout").held = format!("{both}\n");
    scene.load("shop", "cart-db").held = both.replace('\n', "\r\n");
    scene.load("emojivoto", "emoji").held.clone_from(&other);
    scene.edit_object("ConfigMap", "linkerd-identity-trust-roots", move |object| {
        object["data"]["ca-bundle.crt"] = json!(format!("{}\n", other.trim_end()));
    });
    for check in [MATCH_CA, COPY, "trust bundle is strict PEM", "running proxies accept the issuer"] {
        scene.found(check).is("success", &[]);
    }
    assert_eq!(scene.render("issuer", 1).code, 0);
}

/// linkerd2#9612: `linkerd check` warned and exited with 0 until production was down.
#[test]
fn pain_15_a_warning_fails_a_pipeline_that_asks_for_it() {
    let mut scene = Scene::over(Cluster::expiring("2026-12-13T02:00:00Z", "2026-12-13T02:00:00Z"));
    assert_eq!(scene.run("check").code, 0);
    let asked = scene.run("check --fail-on warning");
    assert!(asked.code == 1 && asked.out.contains("in 20 days"), "{}", asked.out);
    // An expiry that is further away than asked for is none of ours, but Linkerd's own 60 days stay.
    scene.cluster.now = at("2026-12-13T02:00:01Z");
    assert_eq!(scene.run("check").code, 1);

    // A rotation that stands still half way is such a warning as well.
    let mut scene = Scene::over(Cluster::expiring("2036-01-01T00:00:00Z", "2027-06-01T00:00:00Z"));
    assert_eq!(scene.run("check --fail-on warning").code, 0, "{}", scene.run("check -o short").out);
    let both = bundle(&[&scene.cluster.anchor, &new_anchor()]);
    scene.cluster.apply(&trust_roots(&both));
    scene.cluster.wait(SignedDuration::from_mins(30));
    let asked = scene.run("check --fail-on warning -o short");
    assert!(
        asked.code == 1 && asked.out.contains(MATCH_CA) && asked.out.contains(RESTARTED),
        "{}",
        asked.out
    );
}

/// linkerd2#8664, #8282 (grafana with the old CA): extensions, StatefulSets, DaemonSets, Jobs.
#[test]
fn pain_25_nobody_is_forgotten_and_whoever_is_holds_up_the_issuer_by_name() {
    let mut scene = Scene::over(Cluster::realistic());
    scene.start();
    scene.merge("bundle", 1);
    scene.merge("bundle", 2);
    let plan = scene.planned("bundle/3-data-plane");
    let names = |list: &Value, pointer: &str| -> Vec<String> {
        let text = |one: &Value, field: &str| {
            one.pointer(&format!("{pointer}/{field}")).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        list.as_array()
            .unwrap()
            .iter()
            .map(|one| format!("{} {}/{}", text(one, "kind"), text(one, "namespace"), text(one, "name")))
            .collect()
    };
    let restarted = names(&plan["changes"], "/restart");
    for workload in [
        "Deployment linkerd-viz/prometheus",
        "Deployment linkerd-viz/tap",
        "StatefulSet shop/cart-db",
        "DaemonSet logging/shipper",
        "Rollout shop/storefront",
    ] {
        assert!(restarted.contains(&workload.to_owned()), "{workload}: {restarted:#?}");
    }
    let manual = plan["manual"].to_string();
    for workload in ["debug-shell", "settlement", "legacy-pricing", "recommendations"] {
        assert!(manual.contains(workload), "{workload}: {manual}");
    }
    // Everything but the extension, whose team was not told.
    let old = bundle(&[&scene.cluster.anchor]);
    scene.merge("bundle", 3);
    scene.load("linkerd-viz", "prometheus").held = old;
    scene.render("issuer", 1).refuses(4, &["proxies-not-ready", "1 running proxy (linkerd-viz/prometheus-"]);
    scene.found(MATCH_CA).is("warning", &["linkerd-viz/prometheus-"]);
}
