//! `verify` on what people write, through the program, against a cluster that prints what it is.

use std::fs;

use jiff::SignedDuration;
use l5d_rotate::document;
use serde_json::{Value, json};

use crate::cluster::{at, pem};
use crate::support::reviewer::{
    Reviewer, anchor, bundle, codes, issuer_of, new_anchor, restart, secret_of, swapped, trust_roots,
    violated,
};

#[test]
fn a_new_anchor_beside_the_old_one_is_safe() {
    let reviewer = Reviewer::new();
    let both = bundle(&[&reviewer.cluster.anchor, &new_anchor()]);
    let (verdict, exit) = reviewer.verdict(&[trust_roots(&both)]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe"), 0), "{verdict:#}");
    assert_eq!(verdict["changes"]["bundle"]["added"][0]["name"], "root.new");
    assert_eq!(codes(&verdict), ["config-copy-left-behind"]);
}

#[test]
fn an_anchor_dropped_too_early_is_unsafe() {
    let reviewer = Reviewer::new();
    let (verdict, exit) = reviewer.verdict(&[trust_roots(&bundle(&[&new_anchor()]))]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    let violated = violated(&verdict);
    assert!(
        ["identity-fails-to-start", "peer-rejected"].iter().all(|one| violated.contains(one)),
        "{verdict:#}"
    );
    assert_eq!(verdict["advice"]["code"], "keep-anchor");
}

#[test]
fn bundle_and_issuer_in_one_commit_are_unsafe() {
    let reviewer = Reviewer::new();
    let new = new_anchor();
    let both = bundle(&[&reviewer.cluster.anchor, &new]);
    let (verdict, exit) = reviewer.verdict(&[trust_roots(&both), secret_of(&issuer_of(&new))]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    assert_eq!(verdict["advice"]["code"], "split");
}

#[test]
fn a_bundle_that_would_crash_the_control_plane_is_unsafe_with_its_line() {
    let reviewer = Reviewer::new();
    let text = format!("{}\n\n", bundle(&[&reviewer.cluster.anchor, &new_anchor()]));
    let line = text.lines().count();
    let (verdict, exit) = reviewer.verdict(&[trust_roots(&text)]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    let finding = &verdict["findings"][0];
    assert_eq!(finding["code"], "bundle-unreadable");
    assert_eq!(finding["evidence"]["defect"]["line"], line, "{finding:#}");
    assert_eq!(finding["place"]["origin"]["source"], "proposed.yaml");
}

#[test]
fn a_bundle_without_its_key_in_the_config_map_is_unsafe() {
    let reviewer = Reviewer::new();
    let mut gone = trust_roots("");
    gone["data"] = json!({"ca-bundle.crt": null});
    let (verdict, exit) = reviewer.verdict(&[gone]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    assert_eq!(codes(&verdict), ["field-unreadable"]);
}

#[test]
fn a_restart_in_the_commit_of_the_bundle_is_safe_but_must_be_repeated() {
    let reviewer = Reviewer::new();
    let both = bundle(&[&reviewer.cluster.anchor, &new_anchor()]);
    let restarted = restart(
        "Deployment",
        "shop",
        "checkout",
        "kubectl.kubernetes.io/restartedAt",
        "2026-11-23T02:00:00Z",
    );
    let (verdict, exit) = reviewer.verdict(&[trust_roots(&both), restarted]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe"), 0), "{verdict:#}");
    assert!(codes(&verdict).contains(&"restart-with-bundle"), "{verdict:#}");
    assert_eq!(verdict["changes"]["restarts"][0]["place"]["object"]["name"], "checkout");
}

#[test]
fn an_expired_anchor_is_removed_rightly() {
    let mut reviewer = Reviewer::new();
    let expired = anchor("root.gone", "2024-11-22T02:00:00Z", "2025-11-22T02:00:00Z");
    reviewer.cluster.bundle = bundle(&[&expired, &reviewer.cluster.anchor]);
    for load in &mut reviewer.cluster.workloads {
        load.held.clone_from(&reviewer.cluster.bundle);
    }
    let (verdict, exit) = reviewer.verdict(&[trust_roots(&bundle(&[&reviewer.cluster.anchor]))]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe"), 0), "{verdict:#}");
    assert_eq!(verdict["changes"]["bundle"]["removed"][0]["name"], "root.gone");
}

#[test]
fn a_restart_that_surely_activates_an_issuer_that_was_swapped_too_early_is_unsafe() {
    let mut reviewer = Reviewer::new();
    let new = new_anchor();
    let both = bundle(&[&reviewer.cluster.anchor, &new]);
    reviewer.apply(&trust_roots(&both));
    reviewer.apply(&secret_of(&issuer_of(&new)));
    reviewer.cluster.wait(SignedDuration::from_mins(5));
    let restarted = |name: &str, namespace: &str| {
        restart("Deployment", namespace, name, "kubectl.kubernetes.io/restartedAt", "2026-11-23T02:15:00Z")
    };
    let (verdict, exit) = reviewer.verdict(&[restarted("linkerd-identity", "linkerd")]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    assert_eq!(violated(&verdict), ["renewal-rejected"]);
    let (verdict, exit) = reviewer.verdict(&[restarted("checkout", "shop")]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe"), 0), "{verdict:#}");
}

#[test]
fn an_anchor_may_be_removed_once_the_workload_certificates_under_it_have_expired() {
    let (mut reviewer, new) = swapped();
    let loaded = reviewer.cluster.workloads[0].started;
    let pruned = [trust_roots(&bundle(&[&new]))];
    let (verdict, exit) = reviewer.verdict(&pruned);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe-after"), 3), "{verdict:#}");
    let after = at(verdict["after"].as_str().unwrap());
    let expired = loaded + SignedDuration::from_secs(24 * 3600 + 20);
    assert!(after > expired && after <= expired + SignedDuration::from_secs(2), "{after} {expired}");
    reviewer.cluster.now = after;
    let (verdict, exit) = reviewer.verdict(&pruned);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe"), 0), "{verdict:#}");
}

#[test]
fn without_pods_what_can_be_judged_is_and_the_rest_is_named() {
    let reviewer = Reviewer::new();
    let new = new_anchor();
    let keep = |object: &Value| object["kind"] != "Pod";
    let manifests: Vec<_> = reviewer.cluster.items().into_iter().filter(keep).collect();
    let text: String = manifests.iter().map(|object| format!("---\n{object:#}\n")).collect();
    fs::write(reviewer.home.path().join("manifests.yaml"), text).unwrap();
    let verdict = |objects: &[Value]| {
        reviewer.propose(objects);
        let output =
            reviewer.run(&["verify", "-f", "manifests.yaml", "--proposed", "proposed.yaml", "-o", "json"]);
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
        (verdict, output.status.code().unwrap())
    };
    let (same_anchor, exit) = verdict(&[secret_of(&issuer_of(&reviewer.cluster.anchor))]);
    assert_eq!((same_anchor["verdict"].as_str(), exit), (Some("unknown"), 3), "{same_anchor:#}");
    assert!(codes(&same_anchor).contains(&"pods-not-given"));
    let (early, exit) = verdict(&[secret_of(&issuer_of(&new))]);
    assert_eq!((early["verdict"].as_str(), exit), (Some("unsafe"), 4), "{early:#}");
    let (added, exit) = verdict(&[trust_roots(&bundle(&[&reviewer.cluster.anchor, &new]))]);
    assert_eq!((added["verdict"].as_str(), exit), (Some("safe"), 0), "{added:#}");
}

#[test]
fn a_new_image_is_not_about_trust() {
    let reviewer = Reviewer::new();
    let image = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": [{"name": "checkout", "image": "example.test/checkout:2"}]}}}});
    let (verdict, exit) = reviewer.verdict(&[image]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("not-about-trust"), 0), "{verdict:#}");
    let same: Vec<_> = reviewer.cluster.items();
    let (verdict, exit) = reviewer.verdict(&same);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("not-about-trust"), 0), "{verdict:#}");
    assert_eq!(verdict["changes"]["restarts"].as_array().unwrap().len(), 0, "{verdict:#}");
}

#[test]
fn a_template_that_holds_a_bundle_of_its_own_is_judged_by_it() {
    let reviewer = Reviewer::new();
    let injected = |anchors: String| {
        let variable = json!({"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": anchors});
        let containers =
            json!([{"name": "linkerd-proxy", "image": "example.test/proxy:1", "env": [variable]}]);
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": containers}}}})
    };
    let (verdict, exit) = reviewer.verdict(&[injected(bundle(&[&new_anchor()]))]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    assert_eq!(violated(&verdict), ["peer-rejected", "renewal-rejected"]);
    let (verdict, exit) = reviewer.verdict(&[injected(bundle(&[&reviewer.cluster.anchor]))]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe"), 0), "{verdict:#}");
}

/// The whole Deployment shop/checkout, as Git has it.
fn checkout(reviewer: &Reviewer) -> Value {
    let is_it = |one: &Value| one["kind"] == "Deployment" && one["metadata"]["name"] == "checkout";
    reviewer.cluster.items().into_iter().find(is_it).unwrap()
}

fn restarted(verdict: &Value) -> Vec<&str> {
    let all = verdict["changes"]["restarts"].as_array().unwrap().iter();
    all.map(|one| one["place"]["object"]["name"].as_str().unwrap()).collect()
}

#[test]
fn what_the_server_drops_restarts_nothing() {
    let reviewer = Reviewer::new();
    let mut deployment = checkout(&reviewer);
    let spec = &mut deployment["spec"]["template"]["spec"];
    spec["hostNetwork"] = json!(false);
    spec["containers"][0]["readinessProbe"] = json!({"initialDelaySeconds": 0});
    spec["containers"][0]["tty"] = json!(false);
    let probed = deployment.clone();
    deployment["spec"]["template"]["spec"]["containers"][0].as_object_mut().unwrap().remove("readinessProbe");
    let (verdict, _) = reviewer.verdict(&[deployment]);
    assert_eq!(restarted(&verdict), [""; 0], "{verdict:#}");
    // A probe that was not there is another template, whatever it says.
    let (verdict, _) = reviewer.verdict(&[probed]);
    assert_eq!(restarted(&verdict), ["checkout"], "{verdict:#}");
}

#[test]
fn a_restart_annotation_that_goes_restarts() {
    let mut reviewer = Reviewer::new();
    let before = checkout(&reviewer);
    reviewer.apply(&restart("Deployment", "shop", "checkout", "l5d-rotate/trust-bundle", "f1"));
    let (verdict, _) = reviewer.verdict(&[before]);
    assert_eq!(restarted(&verdict), ["checkout"], "{verdict:#}");
    // A patch that adds something else leaves it.
    let patch = restart("Deployment", "shop", "checkout", "l5d-rotate/trust-bundle", "f1");
    let (verdict, _) = reviewer.verdict(&[patch]);
    assert_eq!(restarted(&verdict), [""; 0], "{verdict:#}");
}

#[test]
fn helm_values_and_inline_patches_keep_the_verdict_open() {
    let reviewer = Reviewer::new();
    let values = json!({"identityTrustAnchorsPEM": bundle(&[&new_anchor()])});
    let (verdict, exit) = reviewer.verdict(&[values]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unknown"), 3), "{verdict:#}");
    let inline = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "patches": [{"target": {"name": "linkerd-identity-trust-roots"}, "patch": "- op: replace"}]});
    let (verdict, exit) = reviewer.verdict(&[inline]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unknown"), 3), "{verdict:#}");
}

#[test]
fn a_release_is_judged_like_what_its_chart_makes_of_it() {
    let reviewer = Reviewer::new();
    let release = |anchors: &str| {
        json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "linkerd", "namespace": "linkerd"},
            "spec": {"chart": {"spec": {"chart": "linkerd-control-plane"}}, "values": {"identityTrustAnchorsPEM": anchors}}})
    };
    let both = bundle(&[&reviewer.cluster.anchor, &new_anchor()]);
    let (verdict, _) = reviewer.verdict(&[release(&both)]);
    assert_eq!(verdict["verdict"], "safe", "{verdict:#}");
    // The release rolls the control plane: its templates have the value's hash.
    assert!(
        verdict["changes"]["restarts"].as_array().is_some_and(|restarts| restarts.len() == 3),
        "{verdict:#}"
    );
    let (verdict, _) = reviewer.verdict(&[release(&bundle(&[&new_anchor()]))]);
    assert_eq!(verdict["verdict"], "unsafe", "{verdict:#}");
}

#[test]
#[ignore = "long"]
fn every_step_that_is_rendered_when_it_is_ready_is_found_safe() {
    let mut reviewer = Reviewer::new();
    assert!(reviewer.run(&["start", "--dir", "rotation", "-f", "dump.json"]).status.success());
    for phase in ["bundle", "issuer", "prune"] {
        for step in ["1", "2", "3"] {
            let render = |form: &str, reviewer: &Reviewer| {
                let output = reviewer.run(&[
                    "render",
                    phase,
                    "--step",
                    step,
                    "--dir",
                    "rotation",
                    "-o",
                    form,
                    "-f",
                    "dump.json",
                ]);
                assert!(
                    output.status.success(),
                    "{phase} {step}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                String::from_utf8(output.stdout).unwrap()
            };
            for form in ["patch", "object"] {
                fs::write(reviewer.home.path().join("step.yaml"), render(form, &reviewer)).unwrap();
                let output = reviewer.run(&[
                    "verify",
                    "-f",
                    "dump.json",
                    "--proposed",
                    "step.yaml",
                    "--dir",
                    "rotation",
                ]);
                let said = String::from_utf8_lossy(&output.stdout);
                assert_eq!(output.status.code(), Some(0), "{phase} {step} as {form}: {said}");
                assert!(said.starts_with("SAFE "), "{phase} {step} as {form}: {said}");
            }
            for document in document::parse(&render("object", &reviewer), "step").unwrap() {
                reviewer.cluster.apply(&document.tree);
            }
            reviewer.cluster.control_plane_restarts_again();
            if step == "3" {
                reviewer.cluster.manual("shipper");
            }
            reviewer.cluster.wait(SignedDuration::from_mins(5));
        }
    }
}

#[test]
fn what_trust_manager_and_cert_manager_make_keeps_the_verdict_open_where_it_changes() {
    let reviewer = Reviewer::new();
    let bundle = json!({"apiVersion": "trust.cert-manager.io/v1alpha1", "kind": "Bundle",
        "metadata": {"name": "linkerd-identity-trust-roots"},
        "spec": {"sources": [{"inLine": bundle(&[&new_anchor()])}], "target": {"configMap": {"key": "ca-bundle.crt"}}}});
    let certificate = |signer: &str| {
        json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": {"name": "issuing", "namespace": "linkerd"},
            "spec": {"isCA": true, "secretName": "linkerd-identity-issuer",
                "issuerRef": {"kind": "ClusterIssuer", "name": signer}}})
    };
    let signer = |name: &str, secret: &str| {
        json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": name},
            "spec": {"ca": {"secretName": secret}}})
    };
    let verdict = |known: &[Value], object: &Value| {
        let text: String = known.iter().map(|object| format!("---\n{object:#}\n")).collect();
        fs::write(reviewer.home.path().join("known.yaml"), text).unwrap();
        reviewer.propose(std::slice::from_ref(object));
        let output = reviewer.run(&[
            "verify",
            "-f",
            "dump.json",
            "-f",
            "known.yaml",
            "--proposed",
            "proposed.yaml",
            "-o",
            "json",
        ]);
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
        (verdict["verdict"].as_str().unwrap().to_owned(), output.status.code().unwrap())
    };
    let (unknown, unaffected) = (("unknown".to_owned(), 3), ("not-about-trust".to_owned(), 0));
    for object in [&bundle, &certificate("anchor"), &signer("linkerd-trust-anchor", "other")] {
        assert_eq!(verdict(&[], object), unknown, "{object:#}");
    }
    let known = [bundle.clone(), certificate("anchor"), signer("anchor", "root")];
    for object in [&bundle, &certificate("anchor"), &signer("anchor", "root"), &signer("of-others", "x")] {
        assert_eq!(verdict(&known, object), unaffected, "{object:#}");
    }
    let mut fewer = bundle.clone();
    fewer["spec"]["sources"] = json!([]);
    assert_eq!(verdict(&known, &signer("anchor", "other")), unknown);
    // Nothing is published any more, and nobody signs the issuer.
    for object in [&fewer, &certificate("other")] {
        assert_eq!(verdict(&known, object), ("unsafe".to_owned(), 4), "{object:#}");
    }
}

#[test]
fn a_patch_directive_counts_for_workloads_of_the_mesh_and_no_others() {
    let reviewer = Reviewer::new();
    let removed = |namespace: &str, name: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "$patch": "delete",
            "metadata": {"name": name, "namespace": namespace}})
    };
    for (namespace, name, expected) in [
        ("linkerd", "linkerd-identity", ("unknown", 3)),
        ("shop", "checkout", ("unknown", 3)),
        ("elsewhere", "checkout", ("not-about-trust", 0)),
    ] {
        let (verdict, exit) = reviewer.verdict(&[removed(namespace, name)]);
        assert_eq!((verdict["verdict"].as_str().unwrap(), exit), expected, "{namespace}/{name}: {verdict:#}");
    }
}

/// Readers get of a bundle with a key in it what they get of the text as it stands, though the key is not kept.
#[test]
fn a_private_key_in_the_bundle_is_named_and_the_rest_is_judged_as_it_stands() {
    let reviewer = Reviewer::new();
    let (old, new) = (reviewer.cluster.anchor.certificate.to_pem(), new_anchor());
    let key = pem(&new.key) + "\n";
    let body = key.lines().nth(1).unwrap().to_owned();
    // Go reads up to the key: A, nothing, and the new anchor alone.
    for (text, code) in [
        (format!("{old}{key}"), "bundle-partly-read"),
        (format!("{key}{old}"), "bundle-unreadable"),
        (format!("{}{key}{old}", new.certificate.to_pem()), "identity-fails-to-start"),
    ] {
        let (verdict, exit) = reviewer.verdict(&[trust_roots(text.trim_end())]);
        assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
        let found = codes(&verdict);
        assert!(found.contains(&"private-key-published") && found.contains(&code), "{verdict:#}");
        assert!(
            !verdict.to_string().contains(&body) && !reviewer.text(&[trust_roots(&text)]).contains(&body)
        );
    }
}

#[test]
fn a_copy_in_linkerd_config_that_leaves_the_bundle_is_a_warning() {
    let reviewer = Reviewer::new();
    let items = reviewer.cluster.items();
    let mut config = items.into_iter().find(|item| item["metadata"]["name"] == "linkerd-config").unwrap();
    let values = config["data"]["values"].as_str().unwrap();
    let own = reviewer.cluster.anchor.certificate.to_pem();
    let indented = |pem: &str| pem.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let other = values.replace(&indented(&own), &indented(&new_anchor().certificate.to_pem()));
    assert_ne!(other, values);
    config["data"]["values"] = other.into();
    let (verdict, exit) = reviewer.verdict(&[config]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe"), 0), "{verdict:#}");
    assert_eq!(codes(&verdict), ["config-copy-left-behind"], "{verdict:#}");
}

#[test]
fn spaces_at_the_ends_of_lines_are_read_by_every_version_and_a_tab_is_not() {
    let reviewer = Reviewer::new();
    for (blanks, expected) in [("  ", "safe"), ("\t", "unsafe")] {
        let lines: Vec<_> = reviewer.cluster.bundle.lines().map(|line| format!("{line}{blanks}")).collect();
        // What stands after the last END line is another matter.
        let text = lines.join("\n").trim_end().to_owned();
        let (verdict, _) = reviewer.verdict(&[trust_roots(&text)]);
        assert_eq!(verdict["verdict"], expected, "{verdict:#}");
        let unreadable = codes(&verdict).into_iter().filter(|code| *code == "bundle-unreadable").count();
        assert_eq!(unreadable, usize::from(expected == "unsafe"), "{verdict:#}");
    }
}
