//! What is minted, rendered and told, so that what is committed does not bring a mesh down.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use l5d_rotate::pki::{Certificate, pem};
use serde_json::{Value, json};

use crate::cluster::at;
use crate::pitfalls::order::{LOADED, one_of_two_reloaded};
use crate::pitfalls::scene::{Scene, judged};
use crate::support::pki;
use crate::support::reviewer::{bundle, new_anchor, restart, secret_of, trust_roots};

const STEPS: [(&str, u8); 9] = [
    ("bundle", 1),
    ("bundle", 2),
    ("bundle", 3),
    ("issuer", 1),
    ("issuer", 2),
    ("issuer", 3),
    ("prune", 1),
    ("prune", 2),
    ("prune", 3),
];

/// Takes the marks of Flux off everything, so that this is who owns it.
fn owned_by(scene: &mut Scene, labels: Value, annotations: Value) {
    scene.edit(move |objects| {
        for object in objects.iter_mut().filter(|object| object["kind"] != "Namespace") {
            for (place, marks) in [("labels", &labels), ("annotations", &annotations)] {
                let Some(metadata) = object["metadata"].as_object_mut() else { continue };
                let found = metadata.entry(place).or_insert_with(|| json!({})).as_object_mut().unwrap();
                found.retain(|key, _| !key.contains("fluxcd.io"));
                found.extend(marks.as_object().unwrap().clone());
            }
        }
    });
}

/// Every note of the plan, in words.
fn notes(scene: &Scene) -> Vec<String> {
    let plan: Value = serde_json::from_str(&scene.print("plan --dir rotation -o json")).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    steps
        .iter()
        .flat_map(|step| step["notes"].as_array().unwrap())
        .map(|note| format!("{} {}", note["text"].as_str().unwrap(), note["todo"].as_str().unwrap()))
        .collect()
}

/// The guide's bare `--set-file` resets every other value.
#[test]
fn pitfall_12_no_helm_upgrade_is_told_that_would_reset_other_values_or_the_version() {
    let release = json!({"meta.helm.sh/release-name": "linkerd-control-plane", "meta.helm.sh/release-namespace": "linkerd"});
    let mut scene = Scene::new();
    owned_by(&mut scene, json!({"app.kubernetes.io/managed-by": "Helm"}), release);
    scene.start();
    let told: Vec<_> = notes(&scene)
        .into_iter()
        .filter(|note| note.contains("helm upgrade linkerd-control-plane"))
        .collect();
    assert!(told.len() >= 3, "{told:#?}");
    for note in &told {
        assert!(note.contains(" --reuse-values ") && note.contains(" --version INSTALLED "), "{note}");
    }
    for value in [
        "identityTrustAnchorsPEM=rotation/trust-bundle.pem",
        "identity.issuer.tls.keyPEM=rotation/issuer.key",
        "identityTrustAnchorsPEM=rotation/anchor.pem",
    ] {
        assert!(told.iter().any(|note| note.contains(value)), "{value}: {told:#?}");
    }
    // Who renders the chart from Git is told of values only.
    let mut scene = Scene::new();
    let labels =
        json!({"helm.toolkit.fluxcd.io/name": "linkerd", "helm.toolkit.fluxcd.io/namespace": "flux-system"});
    owned_by(&mut scene, labels, json!({}));
    scene.start();
    let told = notes(&scene);
    assert!(told.iter().any(|note| note.contains("spec.values.identityTrustAnchorsPEM")), "{told:#?}");
    assert!(!told.iter().any(|note| note.contains("`helm upgrade")), "{told:#?}");
}

/// `linkerd upgrade` renders from `linkerd-config-overrides`, and `linkerd check` reads `linkerd-config`.
#[test]
fn pitfall_13_a_patch_that_an_upgrade_reverts_is_told_and_the_copy_follows_in_the_same_step() {
    let mut scene = Scene::new();
    owned_by(&mut scene, json!({}), json!({}));
    scene.add(json!({"apiVersion": "v1", "kind": "Secret", "data": {"linkerd-config-overrides": ""},
        "metadata": {"name": "linkerd-config-overrides", "namespace": "linkerd"}}));
    scene.start();
    let told = scene.planned("bundle/1-trust")["notes"].to_string();
    for said in [
        "linkerd upgrade --identity-trust-anchors-file=rotation/trust-bundle.pem",
        "Secret linkerd-config-overrides",
    ] {
        assert!(told.contains(said), "{told}");
    }
    let names: Vec<_> =
        scene.rendered("bundle", 1).iter().map(|object| object["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["linkerd-config", "linkerd-identity-trust-roots"]);
}

/// The ConfigMap was patched alone: the next upgrade would take the new anchor away under new workload certificates in use.
#[test]
fn pitfall_13_the_issuer_waits_while_the_next_upgrade_would_publish_the_old_anchors_again() {
    let scene = Scene::with_stale_config();
    scene.render("issuer", 1).refuses(
        3,
        &[
            "upgrade-reverts-bundle",
            "ConfigMap linkerd/linkerd-config still holds other anchors",
            "identityTrustAnchorsPEM",
        ],
    );
    scene.found("linkerd-config holds the published trust anchors").is_coded(
        "warning",
        "config-copy-differs",
        &[r#""name":"linkerd-config""#],
    );
}

/// Up to 2.8 only SEC1 is read, and no EC PARAMETERS before it (linkerd2's `pkg/tls/codec.go`).
#[test]
fn pitfall_19_the_issuers_key_is_written_as_its_era_reads_it() {
    for (era, label) in [
        ("2.6", "EC PRIVATE KEY"),
        ("2.8", "EC PRIVATE KEY"),
        ("2.9", "PRIVATE KEY"),
        ("2.12", "PRIVATE KEY"),
    ] {
        let (scene, _) = Scene::of_era(era, |_| vec![]);
        scene.start();
        let text = scene.print("render issuer --step 1 --dir rotation -o object --force");
        let documents = l5d_rotate::document::parse(&text, "issuer").unwrap();
        let secret = documents.iter().find(|document| document.tree["kind"] == "Secret").unwrap();
        let key = STANDARD.decode(secret.tree["data"]["key.pem"].as_str().unwrap()).unwrap();
        let file = fs::read_to_string(scene.home.path().join("rotation/issuer.key")).unwrap();
        for key in [String::from_utf8(key).unwrap(), file] {
            assert!(key.starts_with(&format!("-----BEGIN {label}-----\n")), "{era}");
            assert_eq!(key.matches("-----BEGIN ").count(), 1, "{era}");
        }
    }
}

/// "Automatically rotating control plane TLS credentials": its own `renewBefore` of 7320h renews the anchor 60 days after it was made.
#[test]
fn pitfall_20_a_renewal_by_cert_manager_within_the_step_holds_it_up_until_it_is_suspended() {
    let mut scene = Scene::rotating();
    let due = scene.cluster.now + SignedDuration::from_hours(3);
    scene.add(json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": "linkerd-trust-anchor", "namespace": "cert-manager"},
        "spec": {"isCA": true, "secretName": "linkerd-trust-anchor", "duration": "8760h0m0s", "renewBefore": "7320h0m0s"},
        "status": {"renewalTime": due},
    }));
    scene.add(json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "linkerd-identity-issuer"},
        "spec": {"ca": {"secretName": "linkerd-trust-anchor"}}}));
    scene.add(json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": "linkerd-identity-issuer", "namespace": "linkerd"},
        "spec": {"isCA": true, "secretName": "linkerd-identity-issuer", "issuerRef": {"kind": "ClusterIssuer", "name": "linkerd-identity-issuer"}},
    }));
    scene.render("bundle", 1).refuses(
        3,
        &[
            "renewal-due",
            "cert-manager renews Certificate cert-manager/linkerd-trust-anchor",
            "--confirm renewal-suspended",
        ],
    );
    assert_eq!(scene.blocked("bundle/1-trust", "renewal-due")["evidence"]["due"], due.to_string());
    scene.found("cert-manager does not renew the trust anchor soon").is_coded(
        "warning",
        "cert-manager-renews-anchor",
        &[r#""name":"linkerd-trust-anchor"},"when":{"at":"#],
    );
    let suspended = scene.run("render bundle --step 1 --dir rotation --confirm renewal-suspended");
    assert_eq!(suspended.code, 0, "{}", suspended.err);
}

/// `Validity.Window` in `pkg/tls`: a workload certificate's skew is 20 s only; what is minted is backdated, and what others
/// minted waits for every clock.
#[test]
fn pitfall_21_certificates_begin_in_the_past_of_every_clock() {
    let scene = Scene::rotating();
    for file in ["anchor.pem", "issuer.pem"] {
        let text = fs::read_to_string(scene.home.path().join("rotation").join(file)).unwrap();
        let [certificate] = &pem::read_as_controller(&text).unwrap()[..] else { panic!() };
        assert_eq!(
            certificate.facts().not_before,
            scene.cluster.now - SignedDuration::from_mins(10),
            "{file}"
        );
    }
    let now = scene.cluster.now;
    let anchor = crate::support::reviewer::anchor("root.new", &now.to_string(), "2036-11-20T02:00:00Z");
    let mut scene = Scene::new();
    fs::write(scene.home.path().join("own.pem"), anchor.certificate.to_pem()).unwrap();
    fs::write(scene.home.path().join("own.key"), crate::cluster::pem(&anchor.key)).unwrap();
    scene.print("start --dir rotation --anchor own.pem --anchor-key own.key");
    scene.render("bundle", 1).refuses(3, &["certificate-not-begun", "Wait until"]);
    let waits = scene.blocked("bundle/1-trust", "certificate-not-begun");
    assert_eq!(waits["opens"], json!([{"at": "2026-11-23T02:00:20Z"}]));
    scene.cluster.now += SignedDuration::from_secs(20);
    assert_eq!(scene.render("bundle", 1).code, 0);
}

/// The same where somebody else's issuer begins in a minute: whoever has a workload certificate of it is refused until then.
#[test]
fn pitfall_21_an_issuer_that_begins_in_the_future_is_not_called_safe() {
    let mut scene = Scene::new();
    let begins = scene.cluster.now + SignedDuration::from_mins(1);
    let issuer = pki::issuer_named("identity.new", &scene.cluster.anchor, begins, at("2026-12-20T00:00:00Z"));
    let proposed = [secret_of(&issuer)];
    let verdict = scene.verify(&proposed);
    judged(&verdict, "safe-after", 3);
    let by_every_clock = begins + SignedDuration::from_secs(20);
    assert_eq!(verdict.0["after"], by_every_clock.to_string(), "{:#}", verdict.0);
    scene.cluster.now = by_every_clock - SignedDuration::from_secs(1);
    judged(&scene.verify(&proposed), "safe-after", 3);
    scene.cluster.now = by_every_clock;
    judged(&scene.verify(&proposed), "safe", 0);
}

/// `pkg/tls/creds_watcher.go`: each replica reloads in its own time, and both issuers sign.
#[test]
fn pitfall_22_one_replica_that_has_not_reloaded_keeps_the_old_anchor() {
    let mut scene = Scene::before("issuer", 2);
    one_of_two_reloaded(&mut scene);
    scene.minutes(10);
    scene.restart_data_plane();
    scene.hours(96);
    scene.render("prune", 1).refuses(
        3,
        &["1 identity controller (linkerd/linkerd-identity-", "may still sign with", "certificates-refused"],
    );
    let pods: Vec<_> = scene.items().into_iter().filter(|object| object["kind"] == "Pod").collect();
    let names: Vec<_> = pods
        .iter()
        .map(|pod| pod["metadata"]["name"].as_str().unwrap())
        .filter(|name| name.starts_with("linkerd-identity-"))
        .collect();
    let found = scene.found(LOADED);
    found.is("warning", &[names[1]]);
    assert!(!found.error.contains(names[0]), "{}", found.error);
}

/// linkerd2#4203, #8440: each render of the chart makes new webhook certificates.
#[test]
fn pitfall_23_nothing_but_trust_and_restarts_is_rendered_and_webhooks_stay_as_they_are() {
    let mut scene = Scene::rotating();
    let checksum = "6f1a3f2e7c";
    scene.edit_object("Deployment", "linkerd-destination", move |object| {
        object["spec"]["template"]["metadata"]["annotations"]["checksum/config"] = json!(checksum);
    });
    scene.add(json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": {"tls.crt": "QQ==", "tls.key": "QQ=="},
        "metadata": {"name": "linkerd-proxy-injector-k8s-tls", "namespace": "linkerd"}}));
    scene.add(
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "linkerd-proxy-injector-webhook-config"},
        "webhooks": [{"name": "linkerd-proxy-injector.linkerd.io", "clientConfig": {"caBundle": "QQ=="}}]}),
    );
    let mut names = BTreeSet::new();
    for (phase, step) in STEPS {
        for object in scene.rendered(phase, step) {
            let text = object.to_string();
            assert!(
                !text.contains("caBundle") && !text.contains("k8s-tls") && !text.contains("webhooks"),
                "{text}"
            );
            if object["metadata"]["name"] == "linkerd-destination" {
                assert_eq!(
                    object["spec"]["template"]["metadata"]["annotations"]["checksum/config"],
                    checksum
                );
            }
            if matches!(object["kind"].as_str(), Some("ConfigMap" | "Secret")) {
                names.insert(object["metadata"]["name"].as_str().unwrap().to_owned());
            }
        }
        scene.merge(phase, step);
    }
    let of_trust =
        ["linkerd-config", "linkerd-identity-issuer", "linkerd-identity-trust-roots"].map(str::to_owned);
    assert_eq!(names, BTreeSet::from(of_trust));
}

/// The other way round: a pull request in which a chart was rendered again is no change of trust.
#[test]
fn pitfall_23_new_webhook_certificates_beside_it_do_not_change_a_verdict() {
    let scene = Scene::new();
    let webhook = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": {"tls.crt": "Qg==", "tls.key": "Qg=="},
        "metadata": {"name": "linkerd-proxy-injector-k8s-tls", "namespace": "linkerd"}});
    let checksum = restart("Deployment", "linkerd", "linkerd-destination", "checksum/config", "0a9b8c");
    judged(&scene.verify(std::slice::from_ref(&webhook)), "not-about-trust", 0);
    let both = trust_roots(&bundle(&[&scene.cluster.anchor, &new_anchor()]));
    judged(&scene.verify(&[both, webhook, checksum]), "safe", 0);
}

/// `charts/linkerd2/templates/identity.yaml` at stable-2.11: charts up to 2.11 require the issuer's expiry beside it, later
/// ones do not know it.
#[test]
fn pitfall_24_helm_up_to_2_11_is_given_the_issuers_expiry() {
    for (era, value) in [
        ("2.10", Some("identity.issuer.crtExpiry")),
        ("2.11", Some("identity.issuer.crtExpiry")),
        ("2.12", None),
    ] {
        let (mut scene, _) = Scene::of_era(era, |_| vec![]);
        let release = "meta.helm.sh/release-name: linkerd2\n    meta.helm.sh/release-namespace: default";
        scene.replace(
            "kind: Secret\nmetadata:\n",
            &format!("kind: Secret\nmetadata:\n  annotations:\n    {release}\n"),
        );
        scene.start();
        let text = fs::read_to_string(scene.home.path().join("rotation/issuer.pem")).unwrap();
        let expiry = expiry_of(&pem::read_as_controller(&text).unwrap()[0]);
        let told = scene.planned("issuer/1-issuer")["notes"].to_string();
        assert!(told.contains("helm upgrade"), "{era}: {told}");
        match value {
            Some(value) => assert!(told.contains(&format!(" --set {value}={expiry}")), "{era}: {told}"),
            None => assert!(!told.contains("crtExpiry"), "{era}: {told}"),
        }
    }
}

/// The same where Flux or Argo CD renders the chart: its value would go on naming the expiry of the issuer before.
#[test]
fn pitfall_24_whoever_renders_such_a_chart_from_git_is_given_it_too() {
    for marks in [
        "labels: {helm.toolkit.fluxcd.io/name: linkerd, helm.toolkit.fluxcd.io/namespace: flux-system}",
        "labels: {app.kubernetes.io/instance: linkerd, app.kubernetes.io/managed-by: Helm}\n  \
         annotations: {argocd.argoproj.io/tracking-id: \"linkerd:/Secret:linkerd/linkerd-identity-issuer\", meta.helm.sh/release-name: linkerd2}",
    ] {
        let (mut scene, _) = Scene::of_era("2.11", |_| vec![]);
        let place = "name: linkerd-identity-issuer\n  namespace: linkerd\n  labels:\n    linkerd.io/control-plane-ns: linkerd\n";
        scene.replace(place, &format!("name: linkerd-identity-issuer\n  namespace: linkerd\n  {marks}\n"));
        scene.start();
        let text = fs::read_to_string(scene.home.path().join("rotation/issuer.pem")).unwrap();
        let expiry = expiry_of(&pem::read_as_controller(&text).unwrap()[0]);
        let told = scene.planned("issuer/1-issuer")["notes"].to_string();
        assert!(told.contains("identity.issuer.crtExpiry") && told.contains(&expiry), "{told}");
    }
}

/// The annotation that those charts make of it may lie, and must not.
#[test]
fn pitfall_24_the_annotation_with_the_issuers_expiry_is_kept_true_where_there_is_one() {
    for era in ["2.10", "2.11"] {
        let (mut scene, _) = Scene::of_era(era, |_| vec![]);
        let stale = "linkerd.io/identity-issuer-expiry: \"2027-03-01T12:00:00Z\"";
        scene.replace(
            "kind: Secret\nmetadata:\n",
            &format!("kind: Secret\nmetadata:\n  annotations:\n    {stale}\n"),
        );
        scene.start();
        let text = scene.print("render issuer --step 1 --dir rotation -o object --force");
        let documents = l5d_rotate::document::parse(&text, "issuer").unwrap();
        let secret = documents.iter().find(|document| document.tree["kind"] == "Secret").unwrap();
        let issuer = fs::read_to_string(scene.home.path().join("rotation/issuer.pem")).unwrap();
        let expiry = expiry_of(&pem::read_as_controller(&issuer).unwrap()[0]);
        assert_eq!(
            secret.tree["metadata"]["annotations"]["linkerd.io/identity-issuer-expiry"], expiry,
            "{era}"
        );
    }
}

fn expiry_of(certificate: &Certificate) -> String {
    certificate.facts().not_after.to_string()
}
