//! Rights that are withdrawn: each is named where it is missing, and nothing becomes possible by it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use l5d_rotate::document::{self, yaml};
use serde_json::{Value, json};

use super::Cluster;
use super::desk::Desk;

/// The kinds of others that are looked for: group, version, plural, kind, scope.
const OTHERS: [(&str, &str, &str, &str, &str); 11] = [
    ("argoproj.io", "v1alpha1", "rollouts", "Rollout", "Namespaced"),
    ("multicluster.linkerd.io", "v1alpha3", "links", "Link", "Namespaced"),
    ("workload.linkerd.io", "v1beta1", "externalworkloads", "ExternalWorkload", "Namespaced"),
    ("cert-manager.io", "v1", "certificates", "Certificate", "Namespaced"),
    ("cert-manager.io", "v1", "certificaterequests", "CertificateRequest", "Namespaced"),
    ("cert-manager.io", "v1", "issuers", "Issuer", "Namespaced"),
    ("cert-manager.io", "v1", "clusterissuers", "ClusterIssuer", "Cluster"),
    ("trust.cert-manager.io", "v1alpha1", "bundles", "Bundle", "Cluster"),
    ("trust-manager.io", "v1alpha2", "clusterbundles", "ClusterBundle", "Cluster"),
    ("external-secrets.io", "v1", "externalsecrets", "ExternalSecret", "Namespaced"),
    ("bitnami.com", "v1alpha1", "sealedsecrets", "SealedSecret", "Namespaced"),
];

fn definition((group, version, plural, kind, scope): (&str, &str, &str, &str, &str)) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}"), "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
        "spec": {
            "group": group, "scope": scope, "names": {"plural": plural, "kind": kind, "singular": kind.to_lowercase()},
            "versions": [{"name": version, "served": true, "storage": true, "schema": schema}],
        },
    })
}

/// One right: the place of its rule, and what it is about.
struct Right {
    role: usize,
    rule: usize,
    what: String,
    /// Without it.
    roles: Vec<Value>,
}

/// Each resource, or object that is named, of each rule.
fn rights(roles: &[Value]) -> Vec<Right> {
    let mut rights = Vec::new();
    for (role, tree) in roles.iter().enumerate() {
        for (rule, granted) in tree["rules"].as_array().unwrap().iter().enumerate() {
            let field = if granted["resourceNames"].is_array() { "resourceNames" } else { "resources" };
            for (place, what) in granted[field].as_array().unwrap().iter().enumerate() {
                let mut left = roles.to_vec();
                let list = left[role]["rules"][rule][field].as_array_mut().unwrap();
                list.remove(place);
                // A rule without a name would be one of all names.
                if list.is_empty() {
                    left[role]["rules"].as_array_mut().unwrap().remove(rule);
                }
                rights.push(Right { role, rule, what: what.as_str().unwrap().to_owned(), roles: left });
            }
        }
    }
    rights
}

/// How far each step is; nothing where the program has no answer.
fn readiness(desk: &Desk) -> BTreeMap<String, String> {
    let answer = desk.run("plan --dir rotation -o json");
    if answer.code == 2 {
        return BTreeMap::new();
    }
    let plan: Value = serde_json::from_str(&answer.out).unwrap();
    let steps = plan["steps"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    steps.map(|step| (text(&step["step"]), text(&step["readiness"]))).collect()
}

/// The question whether jane has a right.
fn question(roles: &[Value], right: &Right) -> String {
    let rule = &roles[right.role]["rules"][right.rule];
    let (verb, group) = (rule["verbs"][0].as_str().unwrap(), rule["apiGroups"][0].as_str().unwrap());
    let scope = if right.role == 0 { "-A" } else { "-n linkerd" };
    let resource = rule["resources"][0].as_str().unwrap();
    let what = match (rule["resourceNames"].is_array(), group) {
        (true, _) => format!("{resource}/{}", right.what),
        (false, "") => right.what.clone(),
        (false, _) => format!("{}.{group}", right.what),
    };
    format!("auth can-i {verb} {what} {scope} --as=jane --as-group=readers")
}

#[test]
fn each_right_that_is_withdrawn_is_named_and_opens_nothing() {
    const NAME: &str = "each_right_that_is_withdrawn_is_named_and_opens_nothing";
    let Some(mut desk) = Desk::new(NAME, Cluster::new()) else { return };
    let definitions: Vec<_> = OTHERS.iter().map(|kind| (Vec::new(), definition(*kind))).collect();
    std::fs::write(desk.path("definitions.yaml"), yaml::write_stream(&definitions)).unwrap();
    desk.admin("apply -f definitions.yaml");
    desk.admin("wait --for=condition=Established -f definitions.yaml");
    desk.ahead = SignedDuration::from_secs(1);
    desk.out("start --dir rotation");
    for step in ["bundle/1-trust", "bundle/2-control-plane", "bundle/3-data-plane"] {
        desk.merge_next(step);
    }
    desk.manually(&desk.standing(""));
    let whole = readiness(&desk);
    assert_eq!(whole["issuer/1-issuer"], "ready");

    let text = desk.run("rbac").out;
    let roles: Vec<Value> =
        document::parse(&text, "rbac").unwrap().into_iter().map(|document| document.tree).collect();
    let mut before = None;
    // How far the new issuer is without each.
    let mut swap = BTreeMap::new();
    for right in rights(&roles) {
        let narrowed: Vec<_> = right.roles.iter().map(|tree| (Vec::new(), tree.clone())).collect();
        std::fs::write(desk.path("narrowed.yaml"), yaml::write_stream(&narrowed)).unwrap();
        desk.admin("apply -f narrowed.yaml");
        let asked = question(&roles, &right);
        desk.eventually("the right is withdrawn", |desk| !desk.kubectl("admin", &asked).status.success());
        if let Some(before) = before.replace(asked) {
            desk.eventually("the one before is granted", |desk| {
                desk.kubectl("admin", &before).status.success()
            });
        }
        is_told(&desk, &right.what);
        let narrowed = readiness(&desk);
        swap.extend(narrowed.get("issuer/1-issuer").map(|state| (right.what.clone(), state.clone())));
        for (step, state) in narrowed {
            let opens = ["ready", "done"].contains(&&*state);
            assert!(!opens || whole[&step] == state, "without {}: {step} is {state}", right.what);
        }
    }
    // What a step needs that was withdrawn is in its way.
    for what in [
        "pods",
        "links",
        "externalworkloads",
        "linkerd-config",
        "linkerd-identity-trust-roots",
        "linkerd-identity-issuer",
    ] {
        assert_ne!(swap.get(what).map(String::as_str), Some("ready"), "without {what}");
    }
    desk.only_reads();
}

/// `status` names what may not be read, or says that it has no answer without it.
fn is_told(desk: &Desk, what: &str) {
    let answer = desk.run("status --dir rotation -o json");
    if answer.code == 2 {
        return assert!(answer.err.contains(what), "{what}: {}", answer.err);
    }
    let status: Value = serde_json::from_str(&answer.out).unwrap();
    let findings = status["findings"].as_array().unwrap();
    let incomplete = findings.iter().find(|finding| finding["code"] == "input-incomplete");
    let gaps = incomplete.unwrap_or_else(|| panic!("{what}: {status:#}"))["evidence"]["gaps"].to_string();
    assert!(gaps.contains(what), "{what}: {gaps}");
}
