//! Linkerd's own rendered installs and certificates, read and judged.

use l5d_rotate::check::{Category, run};
use l5d_rotate::finding::{Finding, InputFact};
use l5d_rotate::mesh::Known;
use l5d_rotate::pki::{BundleText, Certificate, pem};

use crate::check::identity::{error, outcome};
use crate::support::checked::*;
use crate::support::manifests;

#[test]
fn installs_of_four_versions_pass_and_only_what_needs_pods_is_unknown() {
    let test = "installs_of_four_versions_pass_and_only_what_needs_pods_is_unknown";
    let Some(real) = manifests::real(test) else { return };
    for version in ["2.8.1", "2.10.2", "2.12.6", "2.20"] {
        let text = std::fs::read_to_string(real.join(format!("install/{version}.yaml"))).unwrap();
        let checks = run(&manifests::mesh(&[&text]), options());
        let linkerds = checks.iter().filter(|check| check.category == Category::Identity);
        assert_eq!(linkerds.filter(|check| check.finding().is_none()).count(), 8, "{version}");
        let rest: Vec<_> = checks.iter().filter(|check| check.finding().is_some()).collect();
        let pods = |finding: &Finding| (finding.severity, finding.fact.clone());
        let all_pods = rest.iter().filter_map(|check| check.finding()).map(pods);
        assert!(
            all_pods.map(Some).all(|found| found == unknown(InputFact::PodsNotGiven)),
            "{version}: {rest:?}"
        );
        let codes: Vec<_> = rest.iter().map(|check| check.code).collect();
        let by_reference = (!["2.8.1", "2.10.2"].contains(&version)).then_some("control-plane-restarted");
        let expected: Vec<_> = ["l5d-identity-data-plane-proxies-certs-match-ca"]
            .into_iter()
            .chain(by_reference)
            .chain(["identity-loaded-issuer", "proxies-accept-issuer"])
            .collect();
        assert_eq!(codes, expected, "{version}");
    }
}

#[test]
fn certificates_of_linkerds_own_tests_fail_as_its_tests_say() {
    let Some(real) = manifests::real("certificates_of_linkerds_own_tests_fail_as_its_tests_say") else {
        return;
    };
    let read = |name: &str| std::fs::read_to_string(real.join(format!("pem/{name}.pem"))).unwrap();
    let base = root("base");
    let judged = |name: &str| {
        let mut mesh = mesh(&[&base], &good_issuer(&base));
        mesh.trust.config = Known::Is(BundleText::read(read(&format!("{name}-trust-anchors"))));
        let issuer: Vec<Certificate> = pem::read_as_controller(&read(&format!("{name}-crt"))).unwrap();
        secret(&mut mesh).chain = Ok(chain(&issuer[0]));
        mesh
    };
    assert_eq!(
        outcome(&judged("expired"), "l5d-identity-trustAnchors-are-time-valid"),
        error(
            "Invalid anchors:\n\t* 1 identity.linkerd.cluster.local not valid anymore. Expired on \
             1990-01-01T01:01:11Z"
        )
    );
    assert_eq!(
        outcome(&judged("expired"), "l5d-identity-issuer-cert-is-time-valid"),
        error("issuer certificate is not valid anymore. Expired on 1990-01-01T01:01:11Z")
    );
    assert_eq!(
        outcome(&judged("wrong-algo"), "l5d-identity-issuer-cert-uses-supported-crypto"),
        error("issuer certificate must use P-256 curve for public key, instead P-521 was used")
    );
    let valid = judged("valid");
    assert_eq!(outcome(&valid, "l5d-identity-issuer-cert-issued-by-trust-anchor"), None);
}
