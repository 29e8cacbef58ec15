//! A change of what cert-manager and trust-manager are told, and what `verify` says of the certificates that come of it.

use std::fs;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::cluster::{Cluster, controllers};
use crate::support::managed::Git;
use crate::support::user::User;

/// A change of one object, and what `verify` says of it.
fn changed(user: &User, kind: &str, name: &str, pointer: &str, value: Value) -> (i32, Vec<String>) {
    let mut object = user.object(kind, name);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    user.verified(&object.to_string())
}

#[test]
fn a_change_of_their_objects_is_judged_by_the_certificates_that_come_of_it() {
    let user = User::by_cert_manager();
    let anchor = |pointer, value| changed(&user, "Certificate", "linkerd-trust-anchor", pointer, value);
    let issuer = |pointer, value| changed(&user, "Certificate", "linkerd-identity-issuer", pointer, value);
    let fine: (i32, Vec<String>) = (0, Vec::new());
    // What cert-manager does not compare, and the same written otherwise.
    assert_eq!(anchor("/spec/renewBefore", json!("1h")), fine);
    assert_eq!(anchor("/spec/duration", json!("8760h")), fine);
    assert_eq!(anchor("/spec/secretTemplate", json!({"labels": {"team": "mesh"}})), fine);
    assert_eq!(anchor("/metadata/labels", json!({"team": "mesh"})), fine);
    assert_eq!(issuer("/spec/renewBefore", json!("24h30m")), fine);
    // A longer life of the issuer has it signed once more by the same anchor.
    assert_eq!(issuer("/spec/duration", json!("72h")).0, 0);
    let unsafe_for = |found: (i32, Vec<String>), code: &str| {
        assert_eq!(found.0, 4, "{code}: {found:?}");
        assert!(found.1.iter().any(|one| one == code), "{code}: {found:?}");
    };
    // What makes it issue the anchor again.
    for (pointer, value) in [
        ("/spec/commonName", json!("root.2027")),
        ("/spec/duration", json!("87600h")),
        ("/spec/renewBefore", json!("8700h")),
        ("/spec/privateKey/algorithm", json!("RSA")),
        ("/spec/issuerRef/name", json!("another")),
        ("/spec/secretName", json!("linkerd-trust-anchor-2")),
    ] {
        let found = anchor(pointer, value);
        // Of another Secret the Issuer knows nothing: it signs with the one that stays.
        if pointer != "/spec/secretName" {
            unsafe_for(found, "signed-by-new-anchor");
        }
    }
    unsafe_for(issuer("/spec/issuerRef/name", json!("not-there")), "signer-gone");
    let another = issuer("/spec/issuerRef", json!({"kind": "Issuer", "name": "linkerd-trust-root-issuer"}));
    unsafe_for(another, "signer-gone");
    let bundle = |sources| changed(&user, "Bundle", "linkerd-identity-trust-roots", "/spec/sources", sources);
    let secret = |name: &str| json!({"secret": {"name": name, "key": "tls.crt"}});
    let pinned = json!({"inLine": user.cluster.bundle});
    // The anchor in use stays: by its Secret, or as text.
    assert_eq!(bundle(json!([secret("linkerd-trust-anchor")])), fine);
    assert_eq!(bundle(json!([pinned])), fine);
    assert_eq!(bundle(json!([secret("linkerd-previous-anchor")])).0, 3);
    let damaged = json!({"inLine": user.cluster.bundle.replace("-----END", "----END")});
    assert_eq!(bundle(json!([damaged])).0, 4);
    // What else decides about the ConfigMap, or about what kind of issuer there is, is not known.
    let of_bundle = |pointer, value| changed(&user, "Bundle", "linkerd-identity-trust-roots", pointer, value);
    assert_eq!(of_bundle("/spec/target/configMap/key", json!("other.crt")).0, 3);
    assert_eq!(of_bundle("/spec/target/namespaceSelector", json!({"matchLabels": {"a": "b"}})).0, 3);
    assert_eq!(bundle(json!([{"secret": {"name": "linkerd-trust-anchor", "key": "other.crt"}}])).0, 3);
    assert_eq!(issuer("/spec/isCA", json!(false)).0, 3);
    assert_eq!(issuer("/spec/privateKey/algorithm", json!("Ed25519")).0, 3);
    assert_eq!(issuer("/spec/duration", json!("2h")).0, 3);
    unsafe_for(issuer("/spec/secretName", json!("another")), "issuer-not-renewed");
    let vault = json!({"vault": {"server": "https://vault", "path": "pki/root/sign-intermediate"}});
    assert_eq!(changed(&user, "ClusterIssuer", "linkerd-identity-issuer", "/spec", vault).0, 3);
    // One that was there all the time, and has nothing to do with the mesh.
    let mut elsewhere = User::by_cert_manager();
    elsewhere
        .cluster
        .controllers
        .as_mut()
        .unwrap()
        .apply(&json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer",
        "metadata": {"name": "company"}, "spec": {"vault": {"server": "https://vault", "path": "pki"}}}));
    let found = changed(
        &elsewhere,
        "Certificate",
        "linkerd-identity-issuer",
        "/spec/issuerRef/name",
        json!("company"),
    );
    assert_eq!(found.0, 3, "{found:?}");
    let gone = |kind: &str, name: &str| {
        let mut object = user.object(kind, name);
        object["$patch"] = json!("delete");
        user.verified(&object.to_string()).0
    };
    assert_eq!(gone("Certificate", "linkerd-trust-anchor"), 3);
    assert_eq!(gone("ClusterIssuer", "linkerd-identity-issuer"), 4);
    assert_eq!(gone("Certificate", "linkerd-identity-issuer"), 4);
    assert_eq!(gone("Bundle", "linkerd-identity-trust-roots"), 4);
    let other = controllers::Controllers::stranger();
    let found = bundle(json!([{ "inLine": other }]));
    assert_eq!(found.0, 4, "{found:?}");
}

#[test]
fn a_step_that_is_taken_too_early_is_unsafe() {
    let mut user = User::by_cert_manager();
    user.out("start --dir rotation");
    let standing = user.standing("");
    assert!(user.step(&standing, ""));
    user.cluster.wait(SignedDuration::from_mins(5));
    user.run("next --dir rotation");
    let issuer = user.out("render issuer --step 1 --force --dir rotation");
    let (code, found) = user.verified(&issuer);
    assert_eq!(code, 4, "{found:?}");
    let prune = user.out("render prune --step 1 --force --dir rotation");
    let (code, found) = user.verified(&prune);
    assert_eq!(code, 4, "{found:?}");
}

/// A list of theirs is replaced whole, however many entries it has: neither kubectl nor a GitOps engine merges those of a
/// custom resource.
#[test]
fn sources_are_replaced_and_not_merged_place_by_place() {
    let stranger = controllers::Controllers::stranger();
    let user = User::by_cert_manager();
    let sources =
        |sources| changed(&user, "Bundle", "linkerd-identity-trust-roots", "/spec/sources", sources);
    let found = sources(json!([{"inLine": stranger}, {"inLine": stranger}]));
    assert_eq!(found.0, 4, "{found:?}");
    let user = User::over(Cluster::by_cluster_bundle(None));
    let references = json!([{"kind": "Secret", "name": "linkerd-previous-anchor", "key": "tls.crt"}]);
    let change =
        |value| changed(&user, "ClusterBundle", "linkerd-identity-trust-roots", "/spec/sourceRefs", value);
    let found = change(references);
    assert_eq!(found.0, 3, "{found:?}");
}

/// What a commit takes out of an object of theirs goes, and what it was about takes its default.
#[test]
fn a_field_that_goes_is_judged_as_gone() {
    let git = Git::new();
    for (file, line, code) in [
        ("mesh/issuer.yaml", "  duration: 48h0m0s\n", 0),
        ("mesh/issuer.yaml", "  isCA: true\n", 3),
        ("mesh/anchor.yaml", "  renewBefore: 7320h0m0s # sixty days after it was made\n", 0),
        ("mesh/anchor.yaml", "  commonName: root.linkerd.cluster.local\n", 4),
        ("mesh/bundle.yaml", "  - secret: {name: linkerd-previous-anchor, key: tls.crt}\n", 0),
    ] {
        let path = git.user.home.path().join("repository").join(file);
        let text = git.text(file);
        assert!(text.contains(line), "{line}");
        fs::write(&path, text.replace(line, "")).unwrap();
        let judged = git.run("verify --git-base HEAD -f . -R");
        assert_eq!(judged.code, code, "{line}: {judged:?}");
        fs::write(&path, text).unwrap();
    }
}
