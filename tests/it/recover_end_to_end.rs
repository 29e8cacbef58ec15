//! Recoveries through the program itself, over a cluster that takes what is rendered and then prints what it is.

use std::fs;

use l5d_rotate::pki::KeyEncoding;
use l5d_rotate::rotation::recover::steps;
use l5d_rotate::rotation::{Record, Scope};
use serde_json::{Value, json};

use crate::cluster::{Cluster, at, pem};
use crate::support::reviewer::trust_roots;
use crate::support::user::User;

const PAST: &str = "2026-11-22T21:04:11Z";
const LATER: &str = "2027-12-28T09:00:00Z";

fn user(cluster: Cluster) -> User {
    let user = User::without_keys(cluster);
    user.hold_anchor();
    user
}

/// What it prints for people and programs, and its exit code.
fn ran(user: &User, arguments: &str) -> (String, String, i32) {
    let ran = user.run(arguments);
    (ran.out, ran.err, ran.code)
}

/// The diagnosis as data, and the exit code.
fn diagnosed(user: &User) -> (Value, i32) {
    let (out, notes, exit) = ran(user, "recover -o json");
    (serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{notes}")), exit)
}

fn record(user: &User) -> Record {
    let directory = user.home.path().join("rotation");
    Record::from_files(|file| fs::read_to_string(directory.join(file)).ok()).unwrap()
}

/// Merges every step that the diagnosis tells, in its order, without any `--force`; then nothing has expired and nothing is left.
fn recovers(user: &mut User, issuer_alone: bool) {
    let told = steps(issuer_alone);
    assert_eq!(record(user).steps(), told, "the steps that are told are those of the rotation");
    for step in told {
        let rendered =
            user.out(&format!("render {} --step {} --dir rotation -o object", step.phase, step.number()));
        user.put("step.yaml", &rendered);
        let (verdict, notes, exit) = ran(user, "verify --proposed step.yaml --dir rotation");
        assert_eq!(exit, 0, "{step}, where nothing works any more: {verdict}{notes}");
        user.take(&step.phase.to_string(), step.number());
        user.cluster.all_manually();
    }
    let (found, exit) = diagnosed(user);
    assert_eq!((&found["expired"], &found["issuance"]["state"]), (&json!([]), &json!("works")), "{found}");
    assert!(found["issuance"]["until"].as_str().unwrap().starts_with("2027-11-23"), "{found}");
    assert_eq!(exit, 0);
    assert!(user.out("status --dir rotation").contains("the rotation is finished"));
}

#[test]
#[ignore = "long"]
fn an_expired_anchor_is_replaced_with_its_issuer() {
    for cluster in [Cluster::expiring(PAST, PAST), Cluster::expiring(LATER, PAST)] {
        let mut user = user(cluster);
        assert_eq!(ran(&user, "recover").2, 1);
        let (out, notes, exit) = ran(&user, "recover --dir rotation");
        assert!(out.contains("anchor.key") && notes.starts_with("Downtime: now."), "{out}{notes}");
        assert_eq!(exit, 0);
        recovers(&mut user, false);
        let anchors = user.anchors();
        assert_eq!(record(&user).scope, Scope::Full { anchor: anchors[0].clone() });
        assert_eq!(anchors.len(), 1);
    }
}

#[test]
fn an_expired_issuer_is_replaced_alone_with_the_key_of_its_anchor() {
    let mut user = user(Cluster::expiring(LATER, PAST));
    let published = user.cluster.bundle.clone();
    let (out, _, exit) = ran(&user, "recover --dir rotation --anchor anchor.pem --anchor-key anchor.key");
    assert!(!out.contains("anchor.key"), "{out}");
    assert_eq!((exit, record(&user).scope), (0, Scope::IssuerOnly));
    let plan: serde_json::Value = serde_json::from_str(&user.out("plan --dir rotation -o json")).unwrap();
    let notes = plan["steps"].as_array().unwrap().iter().flat_map(|step| step["notes"].as_array().unwrap());
    let downtime: Vec<_> = notes.filter(|note| note["code"] == "downtime").collect();
    assert!(!downtime.is_empty(), "{plan:#}");
    assert!(downtime.iter().all(|note| note["evidence"]["replacesAnchor"] == false), "{plan:#}");
    recovers(&mut user, true);
    assert_eq!(user.cluster.bundle, published);
}

/// The same anchor, which has expired, below it an issuer that has not.
fn anchor_has_expired(user: &mut User) {
    let key = rcgen::KeyPair::from_pem(&user.cluster.anchor.key.to_pem(KeyEncoding::Pkcs8).unwrap()).unwrap();
    let mut anchor = rcgen::CertificateParams::default();
    let name = "root.linkerd.cluster.local".try_into().unwrap();
    anchor.distinguished_name.push(rcgen::DnType::CommonName, rcgen::DnValue::PrintableString(name));
    anchor.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(1));
    anchor.not_before = rcgen::date_time_ymd(2025, 12, 28);
    anchor.not_after = time::OffsetDateTime::from_unix_timestamp(at(PAST).as_second()).unwrap();
    anchor.self_signed(&key).unwrap().pem().trim_end().clone_into(&mut user.cluster.bundle);
    let past = user.cluster.bundle.clone();
    user.cluster.workloads.iter_mut().for_each(|load| load.held.clone_from(&past));
}

/// Workload certificates are valid for hours yet: what a recovery breaks then is told.
#[test]
fn a_recovery_is_called_unsafe_where_something_works_still() {
    let mut user = user(Cluster::expiring(LATER, LATER));
    anchor_has_expired(&mut user);
    assert_eq!(ran(&user, "recover --dir rotation").2, 0);
    user.put("step.yaml", &user.out("render bundle --step 1 --dir rotation -o object"));
    let (verdict, _, exit) = ran(&user, "verify --proposed step.yaml --dir rotation -o json");
    let verdict: serde_json::Value = serde_json::from_str(&verdict).unwrap();
    let rejected = verdict["findings"].as_array().unwrap().iter().find(|one| one["code"] == "peer-rejected");
    assert_eq!(rejected.unwrap()["evidence"]["presenter"]["pods"]["count"], 25, "{verdict:#}");
    assert_eq!(exit, 4);
}

/// No recovery excuses an issuer that is none of its own.
#[test]
fn a_change_that_is_no_part_of_the_recovery_is_called_unsafe_though_nothing_works() {
    let user = user(Cluster::expiring(PAST, PAST));
    assert_eq!(ran(&user, "recover --dir rotation").2, 0);
    user.put("step.yaml", &trust_roots(&Cluster::new().bundle).to_string());
    let (verdict, _, exit) = ran(&user, "verify --proposed step.yaml --dir rotation");
    assert_eq!(exit, 4, "{verdict}");
}

/// What the screen says of an anchor whose key is there, followed manually: `verify` calls it safe.
#[test]
fn an_expired_anchor_may_be_signed_anew_with_its_own_key() {
    let mut user = user(Cluster::expiring(LATER, LATER));
    let renewed = user.cluster.bundle.clone();
    anchor_has_expired(&mut user);
    let (found, exit) = diagnosed(&user);
    let expired = &found["expired"][0]["certificate"]["fingerprint"];
    assert_eq!(&found["remedy"]["renewableAnchors"], &json!([expired]), "{found}");
    assert_eq!((&found["issuance"]["workloadCertificates"]["remaining"], exit), (&json!("all"), 1));
    let config_map = trust_roots(&renewed);
    user.put("renewed.json", &config_map.to_string());
    let (verdict, notes, exit) = ran(&user, "verify --proposed renewed.json");
    assert_eq!(exit, 0, "{verdict}{notes}");
    user.cluster.apply(&config_map);
    let (found, _) = diagnosed(&user);
    assert_eq!((&found["expired"], &found["issuance"]["state"]), (&json!([]), &json!("works")), "{found}");
}

fn refused(user: &User, arguments: &str, code: i32, says: &str, helps: &str) {
    let (out, notes, exit) = ran(user, arguments);
    assert_eq!((out.as_str(), exit), ("", code), "{notes}");
    assert!(notes.contains(says) && notes.contains(helps), "{notes}");
    assert!(!user.home.path().join("rotation").exists());
}

#[test]
fn it_is_refused_where_nothing_has_expired() {
    let user = user(Cluster::new());
    refused(
        &user,
        "recover --dir rotation",
        4,
        "nothing has expired",
        "`kubectl l5d-rotate start --dir DIR -f cluster.yaml`",
    );
}

#[test]
fn it_is_refused_where_nothing_depends_on_the_expired_anchor() {
    let mut user = user(Cluster::expiring(LATER, LATER));
    let past = Cluster::expiring(PAST, PAST).bundle;
    user.cluster.bundle = format!("{past}\n{}", user.cluster.bundle);
    refused(
        &user,
        "recover --dir rotation",
        4,
        "nothing depends on the trust anchor that has expired",
        "ordinary commit",
    );
}

#[test]
fn it_is_refused_with_an_expired_anchor_or_is_not_published() {
    let mut user = user(Cluster::expiring(PAST, PAST));
    let arguments = "recover --dir rotation --anchor anchor.pem --anchor-key anchor.key";
    let says = "anchor.pem: the trust anchor root.linkerd.cluster.local expired 2026-11-22 21:04 UTC";
    refused(&user, arguments, 2, says, "leave --anchor and --anchor-key out");
    user.cluster = Cluster::expiring(LATER, PAST);
    let other = Cluster::new().anchor;
    user.put("anchor.pem", &other.certificate.to_pem());
    user.put("anchor.key", &pem(&other.key));
    refused(
        &user,
        arguments,
        2,
        "does not accept the new issuer",
        "sign the issuer with the key of an anchor that is published",
    );
    refused(
        &user,
        "recover --anchor anchor.pem --anchor-key anchor.key",
        2,
        "nothing is minted without --dir",
        "add --dir DIR",
    );
}

#[test]
fn it_is_refused_where_it_cannot_be_told_whether_it_is_needed() {
    let user = user(Cluster::new());
    let without: Vec<_> =
        user.cluster.items().into_iter().filter(|object| object["kind"] != "Secret").collect();
    let text = json!({"apiVersion": "v1", "kind": "List", "items": without}).to_string();
    let screen = user.run_over("recover -o json", &text);
    let found: Value = serde_json::from_str(&screen.out).unwrap();
    assert_eq!(found["issuance"]["state"], "unknown", "{found}");
    assert_eq!(found["findings"][0]["severity"], "unknown", "{found}");
    assert_eq!(found["findings"][0]["evidence"]["object"]["kind"], "Secret", "{found}");
    assert_eq!(screen.code, 3);
    let refused = user.run_over("recover --dir rotation", &text);
    assert!(refused.err.contains("whether a recovery is needed cannot be told"), "{}", refused.err);
    assert_eq!(refused.code, 3);
}

/// Begun before the old anchor expired, left lying, and superseded: it must not bring back an anchor on which `linkerd check`
/// fails.
#[test]
fn a_rotation_that_a_recovery_has_overtaken_does_not_publish_the_expired_anchor_again() {
    let mut user = user(Cluster::expiring("2026-11-23T03:00:00Z", "2026-11-23T03:00:00Z"));
    assert_eq!(ran(&user, "start --dir first").2, 0);
    user.cluster.wait(jiff::SignedDuration::from_hours(3));
    assert_eq!(ran(&user, "recover --dir rotation").2, 0);
    for step in steps(false) {
        user.take(&step.phase.to_string(), step.number());
        user.cluster.all_manually();
    }
    assert!(user.out("status --dir rotation").contains("the rotation is finished"));
    let (out, notes, exit) = ran(&user, "render bundle --step 1 --dir first");
    assert_eq!((out.as_str(), exit), ("", 4), "{notes}");
    assert!(notes.contains(" expired-anchor-returns\n"), "{notes}");
}
