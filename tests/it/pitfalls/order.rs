//! Steps in the wrong order, and steps whose effect did not come.

use jiff::SignedDuration;
use serde_json::json;

use crate::cluster::at;
use crate::pitfalls::scene::{Scene, judged, started};
use crate::support::reviewer::{
    bundle, codes, issuer_of, new_anchor, restart, secret_of, trust_roots, violated,
};

pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// `check`'s sentence on an identity controller that starts now.
pub const WOULD_START: &str = "identity controller starts with the published trust bundle";
/// `check`'s sentence on proxies and the Secret's issuer.
pub const ACCEPT: &str = "running proxies accept the issuer";
/// `check`'s sentence on what reads the bundle at its start.
pub const RESTARTED: &str = "control plane started after the trust bundle last changed";
/// `check`'s sentence on what the identity controller serves.
pub const LOADED: &str = "identity controller started after the issuer last changed";

/// `check`'s sentence on pods without a proxy.
const MESHED: &str = "pods that should have a proxy have one";

/// A proxy refuses its own new workload certificate and keeps the old one until that expires (linkerd2-proxy's
/// `linkerd/proxy/identity-client/src/certify.rs`), and peers with the old bundle refuse the workload certificates of those
/// who have a new one.
#[test]
fn pitfall_01_swapping_the_issuer_before_every_proxy_has_the_new_anchor_is_refused() {
    let scene = Scene::rotating();
    scene
        .render("issuer", 1)
        .refuses(4, &["proxies-not-ready", "22 running proxies", "bundle-refuses-issuer"]);
    judged(&scene.verify(&[secret_of(&issuer_of(&new_anchor()))]), "unsafe", 4);

    // All but one workload restarted.
    let mut scene = Scene::before("issuer", 1);
    let old = bundle(&[&scene.cluster.anchor]);
    scene.load("shop", "cart-db").held = old;
    scene.render("issuer", 1).refuses(4, &["proxies-not-ready", "3 running proxies (shop/cart-db-0"]);
}

/// linkerd2#4287: BadCertificate, a 12 minute outage.
#[test]
fn pitfall_02_removing_the_old_anchor_while_a_workload_certificate_of_the_old_issuer_may_be_left_is_refused()
{
    let mut scene = Scene::before("issuer", 3);
    let loaded = scene.load("linkerd", "linkerd-identity").started;
    let expired = (loaded + SignedDuration::from_secs(24 * 3600 + 20)).to_string();
    scene.render("prune", 1).refuses(3, &["certificates-refused", "24 proxies", "may still present"]);
    let presenting = scene.blocked("prune/1-trust", "certificates-refused");
    assert_eq!(
        (&presenting["evidence"]["proxies"]["count"], &presenting["evidence"]["certain"]),
        (&json!(24), &json!(false))
    );
    assert_eq!(presenting["opens"], json!([{"at": expired}]));
    scene.cluster.now = at(&expired) + SignedDuration::from_secs(1);
    assert_eq!(scene.render("prune", 1).code, 0);
}

/// linkerd2#8018 and #8282: in 2.11, and with an external CA ever since, nothing restarts the identity controller.
#[test]
fn pitfall_03_the_issuer_waits_for_identity_controllers_that_have_not_read_the_bundle() {
    let mut scene = Scene::before("bundle", 2);
    scene.restart_data_plane();
    scene.minutes(30);
    scene.render("issuer", 1).refuses(3, &["step-order", "bundle/2-control-plane is not done yet"]);
    let restarted = scene.found(RESTARTED);
    restarted.is_coded("warning", "control-plane-not-restarted", &["linkerd/linkerd-identity-"]);
    assert!(restarted.found["opens"].to_string().contains("restart"), "{:#}", restarted.found);

    // Swapped all the same: the identity controller skips it, and going on to drop the old anchor is refused.
    scene.swap_by_force();
    scene
        .render("prune", 1)
        .refuses(4, &["identity-signs-refused", "1 identity controller (linkerd/linkerd-identity-"]);
}

/// linkerd2#9022: no hash of the bundle in the templates of 2.11; with an external CA that of nothing (`_metadata.tpl`).
#[test]
fn pitfall_03_the_restart_of_identity_is_a_step_of_its_own_where_no_upgrade_restarts_it() {
    for external in [true, false] {
        let mut scene = Scene::before("bundle", 2);
        scene.edit(move |objects| {
            for object in objects.iter_mut().filter(|object| object["metadata"]["namespace"] == "linkerd") {
                let annotations = match object["kind"].as_str().unwrap() {
                    "Deployment" => object.pointer_mut("/spec/template/metadata/annotations"),
                    "Pod" => object.pointer_mut("/metadata/annotations"),
                    _ => None,
                };
                if let Some(annotations) = annotations.and_then(|found| found.as_object_mut()) {
                    annotations.remove("linkerd.io/trust-root-sha256");
                    if external {
                        // sha256 of nothing: the chart knows no anchors.
                        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
                        annotations.insert("linkerd.io/trust-root-sha256".into(), json!(empty));
                    }
                }
                if let Some(values) = object.pointer_mut("/data/values").filter(|_| external) {
                    *values =
                        json!(values.as_str().unwrap().replace("externalCA: false", "externalCA: true"));
                }
            }
        });
        let restarted: Vec<_> = scene.rendered("bundle", 2);
        let identity =
            restarted.iter().find(|object| object["metadata"]["name"] == "linkerd-identity").unwrap();
        let annotations = &identity["spec"]["template"]["metadata"]["annotations"];
        assert!(annotations["l5d-rotate/trust-bundle"].is_string(), "{annotations}");
    }
}

/// Every start of the identity controller verifies the Secret's issuer with the ConfigMap's bundle
/// (`controller/cmd/identity/main.go`).
#[test]
fn pitfall_04_a_restart_while_the_bundle_refuses_the_secrets_issuer_is_refused() {
    let mut scene = Scene::before("bundle", 2);
    let stranger = issuer_of(&new_anchor());
    scene.cluster.apply(&secret_of(&stranger));
    scene.minutes(30);
    scene
        .render("bundle", 2)
        .refuses(4, &["restart-stops-identity", "would refuse the issuer identity.new ("]);
    scene.found(WOULD_START).is_coded("error", "identity-fails-to-start", &["unknown-issuer"]);
    let status = scene.print("status --dir rotation");
    assert!(status.contains("identity-fails-to-start"), "{status}");
}

/// The same file: with both anchors published, and proxies that hold the old one only, the Secret was swapped early; the identity
/// controller skipped it. Its next restart would be the swap.
#[test]
fn pitfall_05_an_issuer_swapped_too_early_that_a_restart_would_activate_is_an_error() {
    let mut scene = Scene::before("bundle", 2);
    scene.swap_by_force();
    scene.found(ACCEPT).is_coded("error", "proxies-refuse-issuer", &[r#""name":"checkout"},"count":4"#]);
    let identity = restart("Deployment", "linkerd", "linkerd-identity", RESTARTED_AT, "2026-11-23T03:00:00Z");
    let verdict = scene.verify(&[identity]);
    judged(&verdict, "unsafe", 4);
    assert!(violated(&verdict.0).contains(&"renewal-rejected"), "{:#}", verdict.0);
}

/// The same by the rotation's own step: its precondition is not met until the issuer that signs now is back in the Secret, or
/// its successor's anchor is everywhere.
#[test]
fn pitfall_05_the_restart_that_would_activate_it_is_refused() {
    let mut scene = Scene::before("bundle", 2);
    let (issuer, key) = (scene.cluster.issuer.clone(), scene.cluster.issuer_key.clone());
    scene.swap_by_force();
    scene.render("bundle", 2).refuses(
        4,
        &["restart-activates-issuer", "22 proxies (emojivoto/emoji-", "Put back the issuer that signs now"],
    );
    let now = scene.cluster.now;
    (scene.cluster.issuer, scene.cluster.issuer_key, scene.cluster.issuer_changed) = (issuer, key, now);
    scene.minutes(30);
    assert_eq!(scene.render("bundle", 2).code, 0);
}

/// linkerd2#15109: fsnotify's one attempt was missed, and nothing in the Secret shows it.
#[test]
fn pitfall_06_after_a_missed_hot_reload_prune_is_never_ready_however_long_one_waits() {
    let mut scene = Scene::before("issuer", 2);
    scene.restart_data_plane();
    scene.hours(96);
    scene.render("prune", 1).refuses(
        3,
        &[
            "step-order",
            "issuer/2-control-plane is not done yet",
            "identity-signs-refused",
            "1 identity controller (linkerd/linkerd-identity-",
            "may still sign with",
        ],
    );
    let loaded = scene.found(LOADED);
    loaded.is_coded("unknown", "issuer-reload-unproven", &["linkerd/linkerd-identity-"]);
    loaded.is("warning", &["could not be checked", "IssuerUpdated"]);
}

/// The injector's mounted bundle (`controller/proxy-injector/webhook.go`) lags by the kubelet's sync.
#[test]
fn pitfall_07_pods_that_restarted_while_the_injectors_mount_was_stale_are_seen_and_hold_up_the_issuer() {
    let mut scene = Scene::before("issuer", 1);
    let (old, now) = (bundle(&[&scene.cluster.anchor]), scene.cluster.now);
    let checkout = scene.load("shop", "checkout");
    (checkout.held, checkout.started) = (old, now);
    scene.minutes(10);
    scene.render("issuer", 1).refuses(4, &["proxies-not-ready", "4 running proxies (shop/checkout-"]);
    let again = scene.render("bundle", 3);
    assert!(again.code == 0 && again.out.contains("name: checkout\n"), "{}", again.err);

    // Somebody restarts in the commit of the bundle.
    let scene = Scene::new();
    let both = bundle(&[&scene.cluster.anchor, &new_anchor()]);
    let restarted = restart("Deployment", "shop", "checkout", RESTARTED_AT, "2026-11-23T02:00:00Z");
    let verdict = scene.verify(&[trust_roots(&both), restarted]);
    judged(&verdict, "safe", 0);
    assert!(codes(&verdict.0).contains(&"restart-with-bundle"), "{:#}", verdict.0);
}

/// With `webhookFailurePolicy: Ignore`, the chart's default, pods start without a proxy.
#[test]
fn pitfall_08_no_restart_of_the_data_plane_while_no_injector_runs() {
    let mut scene = Scene::before("bundle", 3);
    assert_eq!(scene.render("bundle", 3).code, 0);
    scene.edit_pods("linkerd-proxy-injector", |_, pod| {
        for status in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
            if status["name"] == "proxy-injector" {
                status["ready"] = json!(false);
                status["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
            }
        }
    });
    scene.render("bundle", 3).refuses(3, &["injector-not-running", "namespace linkerd", "Start it first"]);
    let manual = restart("Deployment", "shop", "checkout", RESTARTED_AT, "2026-11-23T03:00:00Z");
    let verdict = scene.verify(&[manual]);
    judged(&verdict, "unsafe", 4);
    assert_eq!(codes(&verdict.0), ["restart-without-injector"]);
}

/// The same with an injector that runs and answers nothing: its readiness probe fails.
#[test]
fn pitfall_08_an_injector_that_is_not_ready_is_none() {
    let mut scene = Scene::before("bundle", 3);
    scene.edit_pods("linkerd-proxy-injector", |_, pod| {
        for status in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
            status["ready"] = json!(false);
        }
    });
    scene.render("bundle", 3).refuses(3, &["injector-not-running", "namespace linkerd"]);
}

/// The same default afterwards: what started without a proxy while no injector ran is out of the mesh, and nobody tells.
#[test]
fn pitfall_08_pods_that_came_up_without_a_proxy_are_told() {
    let mut scene = Scene::new();
    assert!(scene.finding(MESHED).is_none());
    scene.edit_pods("checkout", |_, pod| {
        let containers = pod["spec"]["containers"].as_array_mut().unwrap();
        containers.retain(|container| container["name"] != "linkerd-proxy");
        pod["metadata"]["labels"].as_object_mut().unwrap().remove("linkerd.io/control-plane-ns");
    });
    let told = [r#""name":"checkout"},"count":4,"sample":["checkout-"#];
    scene.found(MESHED).is_coded("warning", "pods-not-meshed", &told);
    scene.snapshot();
    scene.found(MESHED).is_coded("warning", "pods-not-meshed", &told);
    // They are no proxies that anybody waits for.
    assert!(scene.finding("everything that matters could be read").is_none());
}

/// Two replicas; `place` 0 has loaded the new issuer, the other one has not.
pub fn one_of_two_reloaded(scene: &mut Scene) {
    let now = scene.cluster.now.to_string();
    scene.load("linkerd", "linkerd-identity").replicas = 2;
    scene.edit_pods("linkerd-identity", move |place, pod| {
        if place == 0 {
            started(pod, &now);
        }
    });
}

/// An unsafe order made manually, shown by `simulate` with the instant of its breakage.
#[test]
fn pitfall_01_the_guide_backwards_breaks_slowly_and_simulate_says_when() {
    let scene = Scene::rotating();
    let said = scene.run("simulate --dir rotation --order issuer,bundle,prune");
    assert_eq!(said.code, 4, "{}\n{}", said.out, said.err);
    let verdict = scene.verify(&[secret_of(&issuer_of(&new_anchor()))]).0;
    assert_eq!(violated(&verdict), ["identity-fails-to-start"], "{verdict:#}");
}
