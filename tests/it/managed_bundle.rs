//! What trust-manager leaves out of the bundle, and anchors that are renewed behind a rotation's back.

use std::fs;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::cluster::{Cluster, at};
use crate::runner::Ran;
use crate::support::managed::{anchor, anchor_until};
use crate::support::user::User;

/// What `check` finds, by code.
fn found(user: &User) -> Vec<Value> {
    user.json("check")["findings"].as_array().unwrap().clone()
}

fn of<'a>(found: &'a [Value], code: &str) -> Option<&'a Value> {
    found.iter().find(|one| one["code"] == code)
}

/// trust-manager itself, with these flags.
fn trust_manager(flags: &[&str]) -> Value {
    let mut arguments = vec!["--trust-namespace=cert-manager"];
    arguments.extend(flags);
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "trust-manager", "namespace": "cert-manager"},
        "spec": {"selector": {"matchLabels": {"app": "trust-manager"}}, "template": {"metadata": {"labels": {"app": "trust-manager"}},
            "spec": {"containers": [{"name": "trust-manager", "image": "quay.io/jetstack/trust-manager:v0.25.0", "args": arguments}]}}}})
}

#[test]
fn a_trust_manager_that_filters_is_named() {
    let mut user = User::by_cert_manager();
    assert!(of(&found(&user), "bundle-filters").is_none());
    for (flags, expired, non_ca) in [
        (&["--filter-expired-certificates=true"][..], true, false),
        (&["--filter-non-ca-certs"], false, true),
        (&["--filter-expired-certificates", "--filter-non-ca-certs=true"], true, true),
    ] {
        user.cluster.controllers.as_mut().unwrap().apply(&trust_manager(flags));
        let all = found(&user);
        let one = of(&all, "bundle-filters").unwrap_or_else(|| panic!("{flags:?}: {all:?}"));
        let filter = &one["evidence"]["filter"];
        assert_eq!((&filter["expired"], &filter["nonCa"]), (&json!(expired), &json!(non_ca)), "{one}");
        let snapshot = user.out("snapshot");
        assert!(snapshot.contains("filter:"), "{flags:?}");
    }
    for flags in [
        &[][..],
        &["--filter-expired-certificates=false"],
        &["--filter-expired-certificates", "--filter-expired-certificates=false"],
    ] {
        user.cluster.controllers.as_mut().unwrap().apply(&trust_manager(flags));
        assert!(of(&found(&user), "bundle-filters").is_none(), "{flags:?}");
    }
}

#[test]
fn a_trust_bundle_that_lacks_what_its_sources_hold_is_named() {
    let mut user = User::by_cert_manager();
    assert!(of(&found(&user), "bundle-lacks-sources").is_none());
    // A source that is missing freezes the whole Bundle: what was added meanwhile is not published.
    let stranger = anchor("company 2027");
    let mut bundle = user.object("Bundle", "linkerd-identity-trust-roots");
    let sources = bundle["spec"]["sources"].as_array_mut().unwrap();
    sources.push(json!({"inLine": stranger.certificate.to_pem()}));
    sources.push(json!({"secret": {"name": "not-there", "key": "tls.crt"}}));
    user.apply(&bundle.to_string());
    let all = found(&user);
    let one = of(&all, "bundle-lacks-sources").unwrap_or_else(|| panic!("{all:?}"));
    assert_eq!(one["severity"], "warning");
    assert_eq!(one["evidence"]["lacked"].as_array().unwrap().len(), 1, "{one}");
    assert_eq!(
        one["evidence"]["lacked"][0]["anchor"]["fingerprint"],
        stranger.certificate.fingerprint().to_string(),
        "{one}"
    );
    bundle["spec"]["sources"].as_array_mut().unwrap().pop();
    user.apply(&bundle.to_string());
    assert!(of(&found(&user), "bundle-lacks-sources").is_none());
}

#[test]
fn a_bundle_that_forgets_the_present_anchor_at_its_renewal_is_named() {
    let mut user = User::by_cert_manager();
    // The copy that the guide has made of it may hold it.
    assert!(of(&found(&user), "bundle-forgets-anchor").is_none());
    let mut bundle = user.object("Bundle", "linkerd-identity-trust-roots");
    let own = json!({"secret": {"name": "linkerd-trust-anchor", "key": "tls.crt"}});
    bundle["spec"]["sources"] = json!([own]);
    user.apply(&bundle.to_string());
    let all = found(&user);
    let one = of(&all, "bundle-forgets-anchor").unwrap_or_else(|| panic!("{all:?}"));
    assert_eq!(one["evidence"]["certificates"][0]["name"], "linkerd-trust-anchor", "{one}");
    for (kept, is_named) in
        [(user.cluster.bundle.clone(), false), (anchor("another").certificate.to_pem(), true)]
    {
        bundle["spec"]["sources"] = json!([own, {"inLine": kept}]);
        user.apply(&bundle.to_string());
        assert_eq!(of(&found(&user), "bundle-forgets-anchor").is_some(), is_named);
    }
}

/// The new anchor is forced to renew once the issuer is of it: trust-manager forgets it, and every gate is shut until it is back.
#[test]
#[ignore = "long"]
fn a_new_anchor_that_is_renewed_after_the_issuers_step_is_put_back_first() {
    let mut user = User::by_cert_manager();
    user.out("start --dir rotation");
    user.until("issuer/2-control-plane");
    assert!(of(&found(&user), "cert-manager-next-issuer-refused").is_none());
    let known = user.read("rotation/anchor.pem");
    let now = user.cluster.now;
    user.cluster.controllers.as_mut().unwrap().renew("linkerd-trust-anchor-20261123", now);
    user.cluster.wait(SignedDuration::from_mins(6));
    assert!(!user.cluster.bundle.contains(known.lines().nth(1).unwrap()));
    // No pod that starts now would work: nothing of the rotation is rendered, and what is wrong is told with when it is felt.
    let Ran { code, err: refused, .. } = user.run("next --dir rotation");
    assert_eq!(code, 4, "{refused}");
    let refused = user.run("render prune --step 1 --dir rotation").err;
    assert!(refused.contains("anchor-reissued") && refused.contains("as inLine PEM"), "{refused}");
    let all = found(&user);
    let one = of(&all, "cert-manager-next-issuer-refused").unwrap_or_else(|| panic!("{all:?}"));
    assert_eq!(one["severity"], "error");
    assert_eq!(one["evidence"]["isPublished"], true, "{one}");
    assert!(
        one["evidence"]["due"].is_string() && !one["evidence"]["refusals"].as_array().unwrap().is_empty(),
        "{one}"
    );
    // As it says: the known one goes back, and another rotation goes on from there.
    let mut bundle = user.object("Bundle", "linkerd-identity-trust-roots");
    bundle["spec"]["sources"].as_array_mut().unwrap().push(json!({"inLine": known}));
    user.apply(&bundle.to_string());
    fs::rename(user.home.path().join("rotation"), user.home.path().join("left")).unwrap();
    user.out("start --dir rotation");
    user.rotate("");
    assert_eq!(user.anchors().len(), 1);
    assert!(of(&found(&user), "cert-manager-next-issuer-refused").is_none());
}

/// The guide's own first step does it, too: the next issuer is of an anchor that no proxy has loaded.
#[test]
fn an_anchor_that_was_renewed_and_that_no_proxy_has_loaded_is_named_with_the_issuers_renewal() {
    let mut user = User::by_cert_manager();
    assert!(of(&found(&user), "cert-manager-next-issuer-refused").is_none());
    let now = user.cluster.now;
    user.cluster.controllers.as_mut().unwrap().renew("linkerd-trust-anchor", now);
    user.cluster.wait(SignedDuration::from_mins(6));
    let all = found(&user);
    let one = of(&all, "cert-manager-next-issuer-refused").unwrap_or_else(|| panic!("{all:?}"));
    assert_eq!(one["evidence"]["madeBy"]["name"], "linkerd-trust-anchor");
}

/// Flags of trust-manager change what it publishes, though no Bundle does.
#[test]
fn a_filter_that_is_added_alone_is_judged_by_what_it_drops() {
    let filtering = trust_manager(&["--filter-expired-certificates"]).to_string();
    let mut user = User::by_cert_manager();
    let expired = anchor_until("company 2025", "2026-11-20T00:00:00Z");
    let mut bundle = user.object("Bundle", "linkerd-identity-trust-roots");
    bundle["spec"]["sources"].as_array_mut().unwrap().push(json!({"inLine": expired.certificate.to_pem()}));
    user.apply(&bundle.to_string());
    user.cluster.controllers.as_mut().unwrap().apply(&trust_manager(&[]));
    assert_eq!(user.verified(&trust_manager(&["--v=2"]).to_string()), (0, vec![]));
    user.put("proposed.yaml", &filtering);
    let judged = user.json("verify --proposed proposed.yaml");
    let dropped = judged["changes"]["bundle"]["removed"].to_string();
    assert!(dropped.contains(&expired.certificate.fingerprint().to_string()), "{judged:#}");
    // Where that is the only anchor, nothing is left.
    let only = anchor_until("company 2026", "2026-11-23T04:00:00Z");
    let mut user = User::over(Cluster::by_cert_manager_below(only));
    user.cluster.controllers.as_mut().unwrap().apply(&trust_manager(&[]));
    user.cluster.now = at("2026-11-23T05:00:00Z");
    let (code, found) = user.verified(&filtering);
    assert_eq!((code, found.contains(&"trust-bundle-removed".to_owned())), (4, true), "{found:?}");
}
