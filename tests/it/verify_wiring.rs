//! `verify` on changes of where the control plane reads trust material: none of them is "not about trust".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::finding::Severity;
use l5d_rotate::verify::{Verdict, Verification, verify};

use crate::support::manifests::{control_plane, mesh, mint};
use crate::support::pki::{Pair, at};

const NOW: &str = "2026-06-01T00:00:00Z";

/// The verdict on a control plane of `era` in whose text `from` becomes `to`.
fn judged(era: &str, pki: &Pair, from: &str, to: &str) -> Verification {
    let before = control_plane(era, pki);
    assert!(before.contains(from), "{era}: {from}");
    let [current, proposed] = [before.clone(), before.replace(from, to)].map(|text| mesh(&[&text]));
    verify(&current, &proposed, None, at(NOW), Vec::new())
}

fn codes(verification: &Verification) -> Vec<(Severity, &'static str)> {
    verification.findings.iter().map(|finding| (finding.severity, finding.code())).collect()
}

#[test]
fn anchors_that_the_identity_controller_is_given_count_like_a_bundle() {
    for era in ["2.9", "2.10"] {
        let (pki, other) = (mint("root"), mint("other"));
        let [own, others] = [&pki, &other].map(|pki| STANDARD.encode(pki.anchor_pem()));
        let dropped = judged(era, &pki, &own, &others);
        assert_eq!(dropped.verdict, Verdict::Unsafe, "{era}: {:?}", codes(&dropped));
        assert!(codes(&dropped).contains(&(Severity::Error, "identity-fails-to-start")), "{era}");
        let unreadable = judged(era, &pki, &own, &STANDARD.encode("nothing"));
        assert!(codes(&unreadable).contains(&(Severity::Error, "identity-copy-unreadable")), "{era}");
        let both = STANDARD.encode(pki.anchor_pem() + &other.anchor_pem());
        let more = judged(era, &pki, &own, &both);
        assert_eq!(codes(&more)[0], (Severity::Warning, "identity-copy-differs"), "{era}");
        assert_eq!(more.verdict, Verdict::Safe, "{era}");
    }
}

#[test]
fn another_trust_domain_in_linkerd_config_alone_is_unknown() {
    let pki = mint("root");
    for (era, from, to) in [
        ("2.8", r#""trustDomain":"mesh.example""#, r#""trustDomain":"other.example""#),
        ("2.10", "identityTrustDomain: mesh.example", "identityTrustDomain: other.example"),
        ("2.12", "identityTrustDomain: mesh.example", "identityTrustDomain: other.example"),
    ] {
        let before = control_plane(era, &pki);
        let from = if before.contains(from) { from.to_owned() } else { from.replace("\":\"", "\": \"") };
        let found = judged(
            era,
            &pki,
            &from,
            &to.replace("\":\"", if from.contains("\": \"") { "\": \"" } else { "\":\"" }),
        );
        assert_eq!(found.verdict, Verdict::Unknown, "{era}: {:?}", codes(&found));
        assert!(codes(&found).contains(&(Severity::Unknown, "setting-changed")), "{era}");
    }
}

#[test]
fn a_control_plane_that_reads_another_object_is_unknown() {
    let pki = mint("root");
    for (from, to) in [
        (
            "      - name: trust-roots\n        configMap:\n          name: linkerd-identity-trust-roots",
            "      - name: trust-roots\n        configMap:\n          name: others",
        ),
        (
            "            configMapKeyRef:\n              name: linkerd-identity-trust-roots",
            "            configMapKeyRef:\n              name: others",
        ),
    ] {
        let found = judged("2.12", &pki, from, to);
        assert_eq!(found.verdict, Verdict::Unknown, "{to}: {:?}", codes(&found));
        assert!(codes(&found).contains(&(Severity::Unknown, "trust-source-changed")), "{to}");
    }
}

#[test]
fn another_image_and_more_replicas_are_not_about_trust() {
    let pki = mint("root");
    let found = judged("2.12", &pki, "  replicas: 1\n", "  replicas: 3\n");
    assert_eq!((found.verdict, codes(&found)), (Verdict::NotAboutTrust, Vec::new()));
    let found = judged(
        "2.12",
        &pki,
        "      - name: identity\n        args:",
        "      - name: identity\n        image: ghcr.io/linkerd/controller:next\n        args:",
    );
    assert!(matches!(found.verdict, Verdict::Safe | Verdict::NotAboutTrust), "{:?}", codes(&found));
}

#[test]
fn an_argument_or_variable_of_the_identity_controller_alone_is_never_taken_for_green() {
    let pki = mint("root");
    let own = STANDARD.encode(pki.anchor_pem());
    let value = format!("value: {own}");
    let mut wrong = Vec::new();
    for (era, from, to) in [
        ("2.8", "-log-level=info", "-log-level=info, -identity-trust-domain=other"),
        ("2.8", "-log-level=info", "-log-level=info, -controller-namespace=other"),
        ("2.8", "      - name: identity\n", "      - name: identity\n        command: [/bin/other]\n"),
        ("2.10", "-controller-namespace=linkerd", "-controller-namespace=other"),
        ("2.10", "-identity-trust-domain=mesh.example", "-identity-trust-domain=other"),
        ("2.10", "-identity-scheme=linkerd.io/tls", "-identity-scheme=kubernetes.io/tls"),
        (
            "2.10",
            value.as_str(),
            "valueFrom:\n            configMapKeyRef:\n              name: other\n              key: roots",
        ),
        ("2.10", "        - name: LINKERD2_IDENTITY_TRUST_ANCHORS\n", "        - name: OTHER\n"),
        ("2.12", "  replicas: 1\n", "  replicas: 0\n"),
        (
            "2.12",
            "    spec:\n      containers:\n",
            "    spec:\n      serviceAccountName: other\n      containers:\n",
        ),
        (
            "2.12",
            "        - name: LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS\n",
            "        - name: LINKERD2_PROXY_IDENTITY_LOCAL_NAME\n          value: other\n        - name: LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS\n",
        ),
    ] {
        let found = judged(era, &pki, from, to);
        if ![Verdict::Unknown, Verdict::Unsafe].contains(&found.verdict) {
            wrong.push(format!("{era}: {to}: {:?} {:?}", found.verdict, codes(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
