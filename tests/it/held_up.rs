//! Why cert-manager does not renew, as its objects say it: requests with the conditions that cert-manager 1.21 writes
//! (`pkg/controller/certificaterequests/util/reporter.go`), and a controller that is down.

use crate::cluster::Cluster;
use crate::runner;

use serde_json::{Value, json};

/// What a verb finds in the guide's mesh with another latest request of the issuer's Certificate, and another status of that.
fn found(verb: &str, request: Option<Value>, status: &Value, at: &str) -> Vec<Value> {
    let mut dump: Value = serde_json::from_str(&Cluster::by_cert_manager().dump()).unwrap();
    let items = dump["items"].as_array_mut().unwrap();
    for one in items.iter_mut() {
        if one["kind"] == "Certificate" && one["metadata"]["name"] == "linkerd-identity-issuer" {
            let known = one["status"].as_object_mut().unwrap();
            known.extend(status.as_object().unwrap().clone());
        }
    }
    items.extend(request.map(|status| {
        json!({"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest", "status": status,
            "metadata": {"name": "linkerd-identity-issuer-1000", "namespace": "linkerd",
                "creationTimestamp": "2026-11-23T00:00:00Z", "annotations": {
                    "cert-manager.io/certificate-name": "linkerd-identity-issuer",
                    "cert-manager.io/certificate-revision": "1000"}}})
    }));
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("dump.json"), dump.to_string()).unwrap();
    let output = runner::plugin()
        .current_dir(home.path())
        .args([verb, "-o", "json", "-f", "dump.json", "--at", at])
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let is_theirs = |one: &&Value| one["code"].as_str().unwrap().starts_with("cert-manager-");
    let mut found: Vec<Value> =
        told["findings"].as_array().unwrap().iter().filter(is_theirs).cloned().collect();
    // `check` names the check besides.
    found.iter_mut().for_each(|one| _ = one.as_object_mut().unwrap().remove("check"));
    found
}

/// The one that is about the issuer, by `check` and `recover` alike.
fn one(request: Option<Value>, status: &Value, at: &str, code: &str) -> Value {
    let by = |verb| found(verb, request.clone(), status, at).into_iter().find(|one| one["code"] == code);
    let (check, recover) = (by("check"), by("recover"));
    assert_eq!(check, recover);
    check.unwrap_or_else(|| panic!("{code} is not found"))
}

fn ready(reason: &str, message: &str) -> Value {
    json!({"type": "Ready", "status": "False", "reason": reason, "message": message,
        "lastTransitionTime": "2026-11-23T00:10:00Z"})
}

fn denied() -> Value {
    let message = "No policy approved this request: [linkerd: spec.allowed.isCA: Forbidden]";
    json!({
        "conditions": [
            {"type": "Denied", "status": "True", "reason": "policy.cert-manager.io", "message": message,
                "lastTransitionTime": "2026-11-23T00:05:00Z"},
            ready("Denied", "The CertificateRequest was denied by an approval controller"),
        ],
        "failureTime": "2026-11-23T00:10:00Z",
    })
}

const NOW: &str = "2026-11-23T02:00:00Z";

#[test]
fn a_request_that_is_denied_is_told_with_who_when_and_the_next_attempt() {
    let status = json!({"lastFailureTime": "2026-11-23T00:10:00Z", "failedIssuanceAttempts": 3});
    let told = one(Some(denied()), &status, NOW, "cert-manager-request-denied");
    let request = &told["evidence"]["requests"][0];
    assert_eq!(request["request"]["name"], "linkerd-identity-issuer-1000");
    assert_eq!(request["certificate"]["name"], "linkerd-identity-issuer");
    assert_eq!(request["since"], "2026-11-23T00:05:00Z");
    // An hour after the first failure, two after the second, four after the third.
    assert_eq!(request["retry"], "2026-11-23T04:10:00Z");
    let text = told["text"].as_str().unwrap();
    assert!(text.contains("policy.cert-manager.io: No policy approved this request"), "{text}");
    assert!(told["todo"].as_str().unwrap().contains("2026-11-23 04:10 UTC"), "{told}");
}

#[test]
fn a_request_that_has_failed_is_told_with_what_its_issuer_said() {
    let said = "Error signing certificate: x509: provided PrivateKey doesn't match parent's PublicKey";
    let request = json!({"conditions": [ready("Failed", said)], "failureTime": "2026-11-23T00:10:00Z"});
    let told = one(Some(request), &json!({}), NOW, "cert-manager-request-failed");
    assert_eq!(told["evidence"]["requests"][0]["said"], format!("Failed: {said}"));
    assert_eq!(told["evidence"]["requests"][0]["since"], "2026-11-23T00:10:00Z");
    assert_eq!(told["evidence"]["requests"][0].get("retry"), None);
    // What no issuer takes is invalid, which is as final.
    let invalid = json!({"type": "InvalidRequest", "status": "True", "reason": "InvalidOrder", "message": "no",
        "lastTransitionTime": "2026-11-23T00:10:00Z"});
    one(Some(json!({"conditions": [invalid]})), &json!({}), NOW, "cert-manager-request-failed");
}

#[test]
fn a_request_that_waits_is_told_after_five_minutes() {
    let said = r#"Referenced "ClusterIssuer" not found: clusterissuer.cert-manager.io "linkerd-identity-issuer" not found"#;
    let request = json!({"conditions": [
        {"type": "Approved", "status": "True", "reason": "cert-manager.io", "message": "approved"},
        ready("Pending", said),
    ]});
    let told = one(Some(request.clone()), &json!({}), NOW, "cert-manager-request-waits");
    assert_eq!(told["evidence"]["requests"][0]["said"], format!("Pending: {said}"));
    for verb in ["check", "recover"] {
        let codes = found(verb, Some(request.clone()), &json!({}), "2026-11-23T00:14:59Z");
        assert!(codes.iter().all(|one| one["code"] != "cert-manager-request-waits"), "{codes:?}");
    }
    // Until somebody approves it, it has no condition at all.
    let told = one(Some(json!({})), &json!({}), NOW, "cert-manager-request-waits");
    assert_eq!(told["evidence"]["requests"][0]["since"], "2026-11-23T00:00:00Z");
    assert_eq!(told["evidence"]["requests"][0]["said"], "");
}

#[test]
fn a_controller_that_is_down_has_made_no_request_when_a_renewal_was_due() {
    // The mesh as it was, a day and a half later: the issuer has expired.
    let later = "2026-11-24T14:00:00Z";
    let told = one(None, &json!({}), later, "cert-manager-overdue");
    let overdue = &told["evidence"]["certificates"][0];
    assert_eq!(overdue["certificate"]["name"], "linkerd-identity-issuer");
    assert!(overdue["lastRequest"]["name"].as_str().unwrap().starts_with("linkerd-identity-issuer-"));
    assert!(told["text"].as_str().unwrap().contains("does not run"), "{told}");
    // A request tells more than that: it is not said twice.
    for request in [denied(), json!({"conditions": [ready("Failed", "no")]}), json!({})] {
        let all = found("recover", Some(request), &json!({}), later);
        assert!(all.iter().all(|one| one["code"] != "cert-manager-overdue"), "{all:?}");
        assert_eq!(all.len(), 1, "{all:?}");
    }
    // As long as nothing is due, nothing is said.
    assert_eq!(found("recover", None, &json!({}), NOW), Vec::<Value>::new());
}

/// What mends it comes first: with cert-manager back, nothing is minted.
#[test]
fn recover_begins_with_what_keeps_cert_manager_from_issuing() {
    let dump = Cluster::by_cert_manager().dump();
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("dump.json"), dump).unwrap();
    let output = runner::plugin()
        .current_dir(home.path())
        .args(["recover", "-f", "dump.json", "--at", "2026-11-26T02:00:00Z"])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let next = told.split("\nNext\n").nth(1).unwrap_or_else(|| panic!("{told}"));
    let [first, second] =
        ["kubectl get deployments -A -l app.kubernetes.io/name=cert-manager", "kubectl describe"]
            .map(|command| next.find(command).unwrap_or_else(|| panic!("{command}: {next}")));
    assert!(first < second, "{next}");
}
