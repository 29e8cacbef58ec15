//! Ours about cert-manager, and about what could not be read.

use jiff::SignedDuration;
use l5d_rotate::document::ObjectRef;
use l5d_rotate::finding::{CheckFact, InputFact, LateRenewal, Overdue, Renewal, RenewalTime};
use l5d_rotate::mesh::{CertManagerCertificate, Gap, GoDuration, Unread};

use crate::support::checked::*;
use crate::support::mesh;

fn object(name: &str, namespace: &str) -> ObjectRef {
    ObjectRef::new("cert-manager.io/v1", "Certificate", namespace, name)
}

fn made_by_cert_manager(name: &str, namespace: &str) -> CertManagerCertificate {
    CertManagerCertificate {
        duration: Some(GoDuration(SignedDuration::from_hours(8760))),
        renew_before: Some(GoDuration(SignedDuration::from_hours(720))),
        rotation_policy: Some("Always".into()),
        renewal_time: Some(at("2026-11-01")),
        ..mesh::certificate(namespace, name)
    }
}

#[test]
fn pain_21_cert_manager_certificates_of_the_anchor_are_looked_at_before_they_surprise() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(check(&mesh, "cert-manager-anchor-renewal"), None);
    let anchor = made_by_cert_manager("linkerd-trust-anchor", "cert-manager");
    mesh.certificates = vec![anchor.clone()];
    assert_eq!(not_passed(&mesh), [""; 0]);
    let codes =
        ["cert-manager-anchor-renewal", "cert-manager-rotation-policy", "cert-manager-renewal-overdue"];
    assert_eq!(codes.map(|code| outcome(&mesh, code)), [PASSES; 3]);
    mesh.certificates = vec![CertManagerCertificate { rotation_policy: None, ..anchor.clone() }];
    assert_eq!(
        outcome(&mesh, "cert-manager-rotation-policy"),
        warning(CheckFact::CertManagerRotationPolicy { certificates: vec![anchor.object.clone()] })
    );
    let renewed = |when| {
        let certificate = object("linkerd-trust-anchor", "cert-manager");
        warning(CheckFact::CertManagerRenewsAnchor { renewals: vec![Renewal { certificate, when }] })
    };
    mesh.certificates =
        vec![CertManagerCertificate { renewal_time: Some(at("2026-06-11")), ..anchor.clone() }];
    assert_eq!(outcome(&mesh, "cert-manager-anchor-renewal"), renewed(RenewalTime::At(at("2026-06-11"))));
    let guides = Some(GoDuration(SignedDuration::from_hours(7320)));
    mesh.certificates = vec![CertManagerCertificate { renew_before: guides, renewal_time: None, ..anchor }];
    assert_eq!(
        outcome(&mesh, "cert-manager-anchor-renewal"),
        renewed(RenewalTime::Age(SignedDuration::from_hours(60 * 24)))
    );
}

#[test]
fn an_issuer_that_is_renewed_with_less_than_a_workload_certificates_life_left_is_a_warning() {
    let (root, code) = (root("root"), "cert-manager-issuer-renewal");
    let mut mesh = mesh(&[&root], &issuer(&root, "2026-05-31", "2026-06-02"));
    assert_eq!(check(&mesh, code), None);
    let hours = |hours| Some(GoDuration(SignedDuration::from_hours(hours)));
    let of_issuer = made_by_cert_manager("linkerd-identity-issuer", "linkerd");
    for (renew_before, renewal_time, left) in [
        (hours(25), None, None),
        (hours(16), None, Some(16)),
        // What cert-manager says goes before what it was asked: it has defaults and shares of lifetime.
        (hours(16), Some(at("2026-05-31T23:00:00Z")), None),
        (None, Some(at("2026-06-01T08:00:00Z")), Some(16)),
    ] {
        mesh.certificates = vec![CertManagerCertificate { renew_before, renewal_time, ..of_issuer.clone() }];
        let told = left.and_then(|left| {
            let left = SignedDuration::from_hours(left);
            warning(CheckFact::CertManagerRenewsLate {
                certificates: vec![LateRenewal { certificate: of_issuer.object.clone(), left }],
                lifetime: SignedDuration::from_secs(86_420),
            })
        });
        assert_eq!(outcome(&mesh, code), told, "{renew_before:?} {renewal_time:?}");
    }
}

#[test]
fn a_renewal_that_is_overdue_is_a_warning_for_the_issuer_too() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let due = at("2026-05-31");
    mesh.certificates = vec![CertManagerCertificate {
        renewal_time: Some(due),
        ..made_by_cert_manager("linkerd-identity-issuer", "linkerd")
    }];
    let certificate = object("linkerd-identity-issuer", "linkerd");
    assert_eq!(
        outcome(&mesh, "cert-manager-renewal-overdue"),
        warning(CheckFact::CertManagerOverdue {
            certificates: vec![Overdue { certificate, due, last_request: None }]
        })
    );
    assert_eq!(check(&mesh, "cert-manager-anchor-renewal"), None);
}

#[test]
fn gaps_in_the_input_are_told_by_name() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(check(&mesh, "input-complete"), None);
    let gaps = vec![Gap::all("", "links", Unread::Refused("forbidden".into()))];
    mesh.gaps = gaps.clone();
    assert_eq!(
        outcome(&mesh, "input-complete"),
        unknown(InputFact::InputIncomplete { gaps: gaps.clone(), only_namespace: None })
    );
    mesh.only = Some("shop".into());
    assert_eq!(
        outcome(&mesh, "input-complete"),
        unknown(InputFact::InputIncomplete { gaps, only_namespace: Some("shop".into()) })
    );
}
