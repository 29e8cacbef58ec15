//! States that `check` must see, and states that it must not mistake for sick ones.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::pki::{Authority, Certificate, KeyEncoding, PrivateKey, pem};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::pitfalls::order::{RESTARTED, RESTARTED_AT, WOULD_START};
use crate::pitfalls::scene::{Scene, judged};
use crate::support::manifests::pod;
use crate::support::reviewer::{
    anchor, bundle, codes, issuer_of, new_anchor, restart, secret_of, trust_roots,
};

/// Linkerd's own sentences.
const ANCHORS_VALID: &str = "trust anchors are within their validity period";
const ISSUED: &str = "issuer cert is issued by the trust anchor";
pub const MATCH_CA: &str = "data plane proxies certificate match CA";
/// Ours.
const STRICT: &str = "trust bundle is strict PEM";
const IN_USE: &str = "the issuer's trust anchor is valid";
const OUTLIVES: &str = "issuer is valid for longer than a workload certificate";

/// A certificate that some other tool made below an anchor.
pub fn made(anchor: &Authority, edit: impl FnOnce(&mut CertificateParams)) -> Authority {
    let pair = |key: &PrivateKey| KeyPair::from_pem(&key.to_pem(KeyEncoding::Pkcs8).unwrap()).unwrap();
    let named = |name: &str| {
        let mut params = CertificateParams::default();
        let name = DnValue::PrintableString(name.try_into().unwrap());
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let (signer, mut params) = (named(anchor.certificate.name()), named("identity.linkerd.cluster.local"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2027, 1, 1));
    edit(&mut params);
    let key = PrivateKey::generate().unwrap();
    let signed = params.signed_by(&pair(&key), &rcgen::Issuer::from_params(&signer, pair(&anchor.key)));
    Authority { certificate: Certificate::from_der(signed.unwrap().der()).unwrap(), key }
}

/// linkerd2#10012, a37f63239: a trailing newline out of a vault crashed the control plane (`DecodePEMCertificates` in `pkg/tls/codec.go`).
#[test]
fn pitfall_09_a_bundle_that_the_control_plane_would_crash_on_is_seen_refused_and_never_rendered() {
    let crl = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
    for (why, before, after) in [
        ("blank line after the last block", "", "\n\n"),
        ("after the last block", "", "\n# our root\n"),
        ("X509 CRL", crl, ""),
    ] {
        let mut scene = Scene::new();
        let bad = format!("{before}{}{after}", scene.cluster.bundle);
        judged(&scene.verify(&[trust_roots(&bad)]), "unsafe", 4);

        scene.cluster.bundle = bad;
        scene.found(STRICT).is("error", &["line ", why]);
        // Whoever runs does not mind; whoever restarts does.
        for (name, word, exit) in [("linkerd-destination", "unsafe", 4), ("checkout", "safe", 0)] {
            let namespace = if name == "checkout" { "shop" } else { "linkerd" };
            let restarted = restart("Deployment", namespace, name, RESTARTED_AT, "2026-11-23T02:00:00Z");
            judged(&scene.verify(&[restarted]), word, exit);
        }
        scene.start();
        let rendered = scene.rendered("bundle", 1);
        let roots =
            rendered.iter().find(|object| object["metadata"]["name"] == "linkerd-identity-trust-roots");
        let text = roots.unwrap()["data"]["ca-bundle.crt"].as_str().unwrap();
        assert_eq!(pem::read_as_controller(text).map(|anchors| anchors.len()), Ok(2), "{why}");
        // As the chart does, or with the one newline that every reader allows.
        let plain = text.strip_suffix('\n').unwrap_or(text);
        assert!(plain.starts_with("-----BEGIN") && plain.ends_with("-----END CERTIFICATE-----"), "{text:?}");
        assert!(!text.contains("\n\n") && !text.contains('#') && !text.contains("CRL"), "{text:?}");
    }
}

/// `trust anchors are within their validity period` is fatal: `linkerd check` fails on any such anchor, and shows
/// nothing that comes after.
#[test]
fn pitfall_10_an_expired_anchor_left_in_the_bundle_hides_no_check_and_may_go() {
    let mut scene = Scene::new();
    let good = bundle(&[&scene.cluster.anchor]);
    let over = anchor("root.gone", "2024-11-22T02:00:00Z", "2025-11-22T02:00:00Z");
    let both = bundle(&[&over, &scene.cluster.anchor]);
    scene.cluster.workloads.iter_mut().for_each(|load| load.held.clone_from(&both));
    scene.cluster.bundle = both;
    scene.found(ANCHORS_VALID).is("error", &["root.gone not valid anymore"]);
    scene.found("trust bundle holds no expired anchor that nothing needs").is_coded(
        "warning",
        "expired-anchor-left",
        &["root.gone"],
    );
    for later in [ISSUED, MATCH_CA, WOULD_START, IN_USE, RESTARTED] {
        scene.found(later).is("success", &[]);
    }
    judged(&scene.verify(&[trust_roots(&good)]), "safe", 0);
    scene.start();
    assert_eq!(scene.render("bundle", 1).code, 0);
}

/// linkerd/website#1475: Go refuses to issue, proxies go on until their workload certificates expire. The issuer outlives its
/// anchor.
#[test]
fn pitfall_11_an_expired_anchor_in_use_takes_downtime_and_is_called_so() {
    let mut scene = Scene::over(Cluster::expiring("2026-11-22T21:04:11Z", "2026-11-22T21:04:11Z"));
    let issuer = made(&scene.cluster.anchor, |_| {});
    (scene.cluster.issuer, scene.cluster.issuer_key) =
        (issuer.certificate.to_pem().trim_end().to_owned(), crate::cluster::pem(&issuer.key));
    let in_use = scene.found(IN_USE);
    in_use.is_coded("error", "trust-anchor-expired", &[]);
    assert_eq!(in_use.found["opens"], json!([{"procedure": "replace-expired"}]));
    in_use.is("error", &["No workload certificate is issued since", "downtime"]);
    scene.found(WOULD_START).is_coded("error", "identity-fails-to-start", &[r#""reason":"expired""#]);
    // Not a word of proxies that refuse each other: until their workload certificates expire they do not.
    scene.found(crate::pitfalls::order::ACCEPT).is("success", &[]);
    let advice = scene.advice();
    assert_eq!(
        (&advice["code"], &advice["evidence"]["lastWorkloadCertificate"]),
        (&json!("replace-expired"), &json!("2026-11-23T21:04:31Z"))
    );
    assert!(scene.print("status").contains("This takes downtime"));
}

/// The guide "Replacing expired certificates": the issuer has expired, its anchor has not.
#[test]
fn pitfall_11_an_expired_issuer_below_a_valid_anchor_is_replaced_alone_without_force() {
    let scene = Scene::over(Cluster::expiring("2027-12-28T09:00:00Z", "2026-11-22T21:04:11Z"));
    let status = scene.print("status");
    assert!(status.contains("kubectl l5d-rotate recover"), "{status}");
    assert_eq!(scene.advice()["code"], "replace-issuer");
    let anchor = &scene.cluster.anchor;
    fs::write(scene.home.path().join("ca.crt"), anchor.certificate.to_pem()).unwrap();
    fs::write(scene.home.path().join("ca.key"), crate::cluster::pem(&anchor.key)).unwrap();
    scene.print("start --issuer-only --anchor ca.crt --anchor-key ca.key --dir rotation");
    let said = scene.render("issuer", 1);
    assert!(said.code == 0 && said.out.contains("name: linkerd-identity-issuer"), "{}", said.err);
}

/// The guide's sample lists them. Since 2.11 the control plane's proxies have no literal bundle, and `linkerd check` skips them.
#[test]
fn pitfall_14_pods_of_the_control_plane_are_told_to_restart_only_where_theirs_is_a_literal_bundle() {
    let mut scene = Scene::before("bundle", 2);
    let stale = scene.found(MATCH_CA);
    stale.is("warning", &["shop/checkout-", "logging/shipper-"]);
    assert!(!stale.error.contains("linkerd/"), "{}", stale.error);
    scene.merge("bundle", 2);
    scene.found(RESTARTED).is("success", &[]);

    let old = bundle(&[&new_anchor()]);
    let (scene, _) = Scene::of_era("2.10", |_| {
        let pod = |namespace, name| pod(namespace, name, "x7k2q", "2026-06-01T00:00:00Z", &old);
        let mut identity = pod("linkerd", "linkerd-identity");
        identity["metadata"]["labels"]["linkerd.io/control-plane-component"] = json!("identity");
        vec![identity, pod("emojivoto", "web")]
    });
    scene.found(MATCH_CA).is("warning", &["linkerd/linkerd-identity-7d4f8c-x7k2q"]);
}

/// `checkPodsProxiesCertificate` in `pkg/healthcheck`: pods that are done, and the same anchors in another order, fail `linkerd check --proxy`.
#[test]
fn pitfall_15_pods_that_are_done_and_anchors_in_another_order_raise_no_alarm() {
    let mut scene = Scene::over(Cluster::realistic());
    let old = scene.cluster.bundle.clone();
    scene.start();
    scene.advance("issuer", 1);
    let both = scene.cluster.bundle.clone();
    let at = both.rfind("-----BEGIN").unwrap();
    scene.load("shop", "cart-db").held = format!("\n{}\n{}\n\n", &both[at..], both[..at].trim_end());
    scene.edit_pods("settlement", move |_, pod| {
        if pod["status"]["phase"] == "Succeeded" {
            *anchors_of(pod) = json!({"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": old});
        }
    });
    scene.found(MATCH_CA).is("success", &[]);
    assert_eq!(scene.render("issuer", 1).code, 0);
}

/// The variable with a pod's bundle, wherever its proxy is.
fn anchors_of(pod: &mut Value) -> &mut Value {
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    let proxy = containers.iter_mut().find(|container| container["name"] == "linkerd-proxy").unwrap();
    let env = proxy["env"].as_array_mut().unwrap();
    env.iter_mut().find(|one| one["name"] == "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS").unwrap()
}

/// The same function, the other way round: the control plane, native sidecars under an older CLI, and what runs outside of the cluster.
#[test]
fn pitfall_15_what_linkerds_check_does_not_see_is_seen() {
    let mut scene = Scene::over(Cluster::realistic());
    let old = scene.cluster.bundle.clone();
    scene.start();
    scene.merge("bundle", 1);
    scene.found(RESTARTED).is("warning", &["linkerd/linkerd-identity-", "linkerd/linkerd-destination-"]);
    scene.advance("issuer", 1);
    scene.load("shop", "payments").held = old;
    scene.found(MATCH_CA).is("warning", &["shop/payments-"]);
    for (kind, version) in
        [("ExternalWorkload", "workload.linkerd.io/v1beta1"), ("Link", "multicluster.linkerd.io/v1alpha3")]
    {
        scene.add(
            json!({"apiVersion": version, "kind": kind, "metadata": {"name": "outside", "namespace": "vms"}}),
        );
    }
    let external = scene.found("external workloads keep up with the trust bundle");
    external.is_coded("warning", "external-workloads-unseen", &["vms/outside"]);
    let linked = scene.found("linked clusters keep up with the trust bundle");
    linked.is_coded("warning", "linked-clusters-unseen", &["vms/outside"]);
}

/// linkerd/website#868: with less than a workload certificate's lifetime left, workload certificates are capped and everybody
/// asks for new ones ever more often.
#[test]
fn pitfall_16_an_issuer_that_expires_before_a_workload_certificate_would_is_told_and_one_of_48_hours_is_not()
{
    let short = Scene::over(Cluster::expiring("2036-01-01T00:00:00Z", "2026-11-23T12:00:00Z"));
    short.found(OUTLIVES).is_coded(
        "warning",
        "issuer-too-short",
        &[r#""left":"PT10H""#, r#""lifetime":"PT24H20S""#],
    );
    let guide = Scene::over(Cluster::expiring("2036-01-01T00:00:00Z", "2026-11-25T01:00:00Z"));
    guide.found(OUTLIVES).is("success", &[]);
}

/// The same before it happens: a `renewBefore` that leaves less than a workload certificate's lifetime. The guide has 48h and
/// 25h since #868.
#[test]
fn pitfall_16_a_renewal_too_late_for_a_whole_lifetime_is_told_before_workload_certificates_are_capped() {
    for (before, result) in [("25h0m0s", "success"), ("1h0m0s", "warning")] {
        let mut scene = Scene::over(Cluster::expiring("2036-01-01T00:00:00Z", "2026-11-25T01:00:00Z"));
        scene.add(json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": {"name": "linkerd-identity-issuer", "namespace": "linkerd"},
            "spec": {"isCA": true, "secretName": "linkerd-identity-issuer", "duration": "48h0m0s", "renewBefore": before},
        }));
        let found = scene.found("cert-manager renews the issuer while it outlives a workload certificate");
        found.is(result, &[]);
        if result == "warning" {
            let late = [r#""name":"linkerd-identity-issuer"},"left":"PT1H""#, r#""lifetime":"PT24H20S""#];
            found.is_coded("warning", "cert-manager-renews-late", &late);
        }
    }
}

/// linkerd2#6428, #10391: Vault ignores `isCA`; Go's `Verify` wants serverAuth wherever there is any EKU.
#[test]
fn pitfall_17_an_issuer_that_may_not_sign_is_an_error_and_its_proposal_unsafe() {
    let mut scene = Scene::new();
    let not_a_ca = made(&scene.cluster.anchor, |params| params.is_ca = IsCa::NoCa);
    let client = made(&scene.cluster.anchor, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]
    });
    for issuer in [&not_a_ca, &client] {
        judged(&scene.verify(&[secret_of(issuer)]), "unsafe", 4);
    }
    scene.cluster.apply(&secret_of(&not_a_ca));
    scene.found("issuer may sign workload certificates").is_coded(
        "error",
        "issuer-may-not-sign",
        &[r#""lacks":"basic-constraints""#],
    );
    scene.found(WOULD_START).is_coded("error", "identity-fails-to-start", &[]);
    scene.cluster.apply(&secret_of(&client));
    let fails = scene.found(WOULD_START);
    fails.is_coded("error", "identity-fails-to-start", &["extended-key-usage"]);
    fails.is("error", &["x509: certificate specifies an incompatible key usage"]);
}

/// Tools that match by common name take one for the other: two roots with one name are told apart by fingerprint, everywhere.
#[test]
fn pitfall_18_a_new_anchor_with_the_old_ones_name_is_another_anchor() {
    let scene = Scene::new();
    let old = &scene.cluster.anchor;
    let name = old.certificate.name();
    let new = anchor(name, "2026-11-22T02:00:00Z", "2036-11-20T02:00:00Z");
    let verdict = scene.verify(&[trust_roots(&bundle(&[&new]))]);
    judged(&verdict, "unsafe", 4);
    let changes = &verdict.0["changes"]["bundle"];
    let one = |change: &str| changes[change][0]["name"] == name && changes[change][1].is_null();
    assert!(one("added") && one("removed"), "{changes:#}");
    let refusal = &verdict.0["findings"][0]["evidence"]["refusal"];
    assert_eq!(refusal["candidate"]["because"]["reason"], "signature-mismatch", "{refusal:#}");

    let mut scene = Scene::rotating();
    scene.merge("bundle", 1);
    let status = scene.print("status");
    for anchor in crate::pitfalls::cluster_anchors(&scene.cluster) {
        let short = anchor.fingerprint().short();
        let line = |line: &str| line.trim_start().starts_with(name) && line.contains(&short);
        assert!(status.lines().any(line), "{short}: {status}");
    }
}

/// The key that a tool wrote in a way that Linkerd does not read: seen in the Secret and in a proposal.
#[test]
fn pitfall_19_an_ec_parameters_block_before_the_key_is_an_error_and_its_proposal_unsafe() {
    let mut scene = Scene::new();
    let issuer = issuer_of(&scene.cluster.anchor);
    let key = format!(
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}",
        crate::cluster::pem(&issuer.key)
    );
    let mut proposed = secret_of(&issuer);
    proposed["data"]["key.pem"] = json!(STANDARD.encode(&key));
    let verdict = scene.verify(std::slice::from_ref(&proposed));
    judged(&verdict, "unsafe", 4);
    assert_eq!(codes(&verdict.0), ["issuer-key-unusable"]);
    scene.cluster.apply(&proposed);
    scene.found("issuer key belongs to the issuer").is("error", &["EC PARAMETERS"]);
}
