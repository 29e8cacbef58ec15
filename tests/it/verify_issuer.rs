//! `verify` of a proposed issuer: its key, its anchor, when it begins and expires, and the Secret that holds it.

use serde_json::{Value, json};

use crate::cluster::{at, pem};
use crate::support::pki;
use crate::support::reviewer::{
    Reviewer, anchor, codes, issuer_of, new_anchor, secret, secret_of, trust_roots, violated,
};

#[test]
fn the_issuer_before_the_bundle_is_unsafe_and_refuses_nobody_until_a_controller_restarts() {
    let reviewer = Reviewer::new();
    let (verdict, exit) = reviewer.verdict(&[secret_of(&issuer_of(&new_anchor()))]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    assert_eq!(violated(&verdict), ["identity-fails-to-start"], "{verdict:#}");
    let said = reviewer.text(&[secret_of(&issuer_of(&new_anchor()))]).replace("\n    ", " ");
    let skipped = "A running identity controller skips it (event IssuerUpdateSkipped) and keeps the old issuer; the next one that \
                   starts fails to start.";
    assert!(said.contains(skipped), "{said}");
    assert_eq!(verdict["advice"]["code"], "publish-anchor-first");
}

#[test]
fn a_key_of_another_certificate_is_unsafe_and_never_printed() {
    let reviewer = Reviewer::new();
    let (one, other) = (issuer_of(&reviewer.cluster.anchor), issuer_of(&reviewer.cluster.anchor));
    let key = pem(&other.key);
    let proposed = [secret(&one.certificate.to_pem(), &key)];
    let (verdict, exit) = reviewer.verdict(&proposed);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    assert_eq!(codes(&verdict), ["issuer-key-unusable"]);
    let body = key.lines().nth(1).unwrap();
    assert!(!verdict.to_string().contains(body) && !reviewer.text(&proposed).contains(body));
}

#[test]
fn a_certificate_changed_without_its_key_is_unsafe() {
    let reviewer = Reviewer::new();
    let mut certificate = secret_of(&issuer_of(&reviewer.cluster.anchor));
    certificate["data"].as_object_mut().unwrap().remove("key.pem");
    let (verdict, exit) = reviewer.verdict(&[certificate]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    assert_eq!(codes(&verdict), ["issuer-key-unusable"]);
}

#[test]
fn an_issuer_that_no_proxy_accepts_is_unsafe() {
    let reviewer = Reviewer::new();
    let stranger = anchor("nobody", "2026-11-22T02:00:00Z", "2036-11-20T02:00:00Z");
    let (verdict, exit) = reviewer.verdict(&[secret_of(&issuer_of(&stranger))]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    assert_eq!(violated(&verdict), ["identity-fails-to-start"], "{verdict:#}");
}

#[test]
fn another_issuer_of_the_same_anchor_is_safe() {
    let reviewer = Reviewer::new();
    let (verdict, exit) = reviewer.verdict(&[secret_of(&issuer_of(&reviewer.cluster.anchor))]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe"), 0), "{verdict:#}");
}

#[test]
fn an_expired_issuer_is_replaced_rightly_and_the_outage_is_named() {
    let mut reviewer = Reviewer::new();
    let (from, to) = (at("2025-12-28T09:00:00Z"), at("2026-11-20T09:00:00Z"));
    let issuer = pki::issuer_named("identity.over", &reviewer.cluster.anchor, from, to);
    reviewer.cluster.issuer = issuer.certificate.to_pem();
    reviewer.cluster.issuer_key = pem(&issuer.key);
    let (verdict, exit) = reviewer.verdict(&[secret_of(&issuer_of(&reviewer.cluster.anchor))]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe"), 0), "{verdict:#}");
    assert!(codes(&verdict).contains(&"already-broken"), "{verdict:#}");
}

#[test]
fn an_issuer_that_begins_later_is_safe_once_it_has_begun_by_every_clock() {
    let reviewer = Reviewer::new();
    let (from, to) = (at("2026-11-23T03:00:00Z"), at("2026-12-20T09:00:00Z"));
    let early = pki::issuer_named("identity.early", &reviewer.cluster.anchor, from, to);
    let (verdict, exit) = reviewer.verdict(&[secret_of(&early)]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe-after"), 3), "{verdict:#}");
    assert_eq!(
        verdict["after"], "2026-11-23T03:00:20Z",
        "with the clock skew that a workload certificate allows for"
    );
}

#[test]
fn an_encrypted_secret_and_a_patch_directive_keep_the_verdict_open() {
    let reviewer = Reviewer::new();
    let mut encrypted = secret("ENC[AES256_GCM,data:x]", "ENC[AES256_GCM,data:y]");
    encrypted["data"] = json!({"crt.pem": "ENC[AES256_GCM,data:x]", "key.pem": "ENC[AES256_GCM,data:y]"});
    encrypted["sops"] = json!({"version": "3.9.0"});
    let (verdict, exit) = reviewer.verdict(&[encrypted]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unknown"), 3), "{verdict:#}");
    let mut removed = trust_roots("");
    removed["$patch"] = "delete".into();
    removed.as_object_mut().unwrap().remove("data");
    let (verdict, exit) = reviewer.verdict(&[removed]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unknown"), 3), "{verdict:#}");
}

/// An issuer of the present anchor that is valid from before now until then.
fn present_issuer(reviewer: &Reviewer, not_after: &str) -> Value {
    let (from, to) = (at("2025-12-28T09:00:00Z"), at(not_after));
    secret_of(&pki::issuer_named("identity.short", &reviewer.cluster.anchor, from, to))
}

#[test]
fn an_issuer_with_which_every_workload_certificate_expires_within_a_day_is_unsafe() {
    let reviewer = Reviewer::new();
    for (not_after, verdict, exit, code) in [
        ("2026-11-23T21:00:00Z", "unsafe", 4, "issuer-too-short"),
        ("2026-11-30T21:00:00Z", "safe", 0, "issuer-expiring"),
    ] {
        let (found, ended) = reviewer.verdict(&[present_issuer(&reviewer, not_after)]);
        assert_eq!((found["verdict"].as_str(), ended), (Some(verdict), exit), "{found:#}");
        assert_eq!(codes(&found), [code], "{found:#}");
    }
}

#[test]
fn what_to_do_about_an_issuer_follows_from_the_reason_of_its_refusal() {
    let reviewer = Reviewer::new();
    let (expired, _) = reviewer.verdict(&[present_issuer(&reviewer, "2026-11-20T09:00:00Z")]);
    assert_eq!(expired["advice"]["code"], "replace-issuer", "{expired:#}");
    let (unknown, _) = reviewer.verdict(&[secret_of(&issuer_of(&new_anchor()))]);
    assert_eq!(unknown["advice"]["code"], "publish-anchor-first", "{unknown:#}");
}

/// The identity controller skips such a Secret while it runs, and fails with it at its next start.
#[test]
fn an_issuer_that_no_reader_gets_a_certificate_of_is_unsafe_with_a_key_or_without() {
    let reviewer = Reviewer::new();
    let good = issuer_of(&reviewer.cluster.anchor);
    let pem = good.certificate.to_pem();
    for broken in [
        pem.replace("-----END CERTIFICATE-----", ""),
        format!("{pem}x"),
        pem.replace("MII", "M%I"),
        String::new(),
    ] {
        for key in [crate::cluster::pem(&good.key), String::new()] {
            let mut proposed = secret(&broken, &key);
            if key.is_empty() {
                proposed["data"].as_object_mut().unwrap().remove("key.pem");
            }
            let (verdict, exit) = reviewer.verdict(&[proposed]);
            assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{broken:?} {verdict:#}");
        }
    }
}

#[test]
fn what_linkerd_check_minds_of_a_new_issuer_is_a_warning() {
    let reviewer = Reviewer::new();
    let anchor = &reviewer.cluster.anchor;
    let (verdict, exit) = reviewer.verdict(&[secret(&anchor.certificate.to_pem(), &pem(&anchor.key))]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("safe"), 0), "{verdict:#}");
    assert!(codes(&verdict).contains(&"issuer-is-anchor"), "{verdict:#}");
}

#[test]
fn a_secret_of_another_type_is_unsafe_for_the_api_server_refuses_it() {
    let reviewer = Reviewer::new();
    let issuer = issuer_of(&reviewer.cluster.anchor);
    let mut proposed = secret_of(&issuer);
    proposed["type"] = "kubernetes.io/tls".into();
    let (verdict, exit) = reviewer.verdict(&[proposed]);
    assert_eq!((verdict["verdict"].as_str(), exit), (Some("unsafe"), 4), "{verdict:#}");
    assert!(codes(&verdict).contains(&"secret-type-changed"), "{verdict:#}");
}
