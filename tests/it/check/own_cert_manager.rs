//! Ours about cert-manager, and about what could not be read.

use jiff::SignedDuration;
use l5d_rotate::check::{Checked, Outcome};
use l5d_rotate::document::ObjectRef;
use l5d_rotate::mesh::{CertManagerCertificate, Gap, GoDuration, Unread};

use crate::check::builder::*;

fn certificate(name: &str, namespace: &str) -> CertManagerCertificate {
    CertManagerCertificate {
        object: ObjectRef::new("cert-manager.io/v1", "Certificate", namespace, name),
        secret: name.into(),
        is_ca: true,
        duration: Some(GoDuration(SignedDuration::from_hours(8760))),
        renew_before: Some(GoDuration(SignedDuration::from_hours(720))),
        rotation_policy: Some("Always".into()),
        renewal_time: Some(at("2026-11-01")),
    }
}

#[test]
fn pain_21_cert_manager_certificates_of_the_anchor_are_looked_at_before_they_surprise() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(check(&mesh, "cert-manager-anchor-renewal"), None);
    let anchor = certificate("linkerd-trust-anchor", "cert-manager");
    mesh.certificates = vec![anchor.clone()];
    assert_eq!(not_passed(&mesh), [""; 0]);
    let codes =
        ["cert-manager-anchor-renewal", "cert-manager-rotation-policy", "cert-manager-renewal-overdue"];
    assert_eq!(codes.map(|code| outcome(&mesh, code)), [const { Outcome::Success }; 3]);
    mesh.certificates = vec![CertManagerCertificate { rotation_policy: None, ..anchor.clone() }];
    assert_eq!(
        outcome(&mesh, "cert-manager-rotation-policy"),
        warning(
            "without spec.privateKey.rotationPolicy an upgrade of cert-manager to 1.18 turns Never into \
             Always: the next renewal makes a new key that no proxy knows; set it:\n\t* Certificate \
             cert-manager/linkerd-trust-anchor"
        )
    );
    let head = "the issuer follows a renewed anchor within its own renewal, and no proxy is restarted in \
                between; set renewBefore short and plan the rotation before that day:\n\t* Certificate \
                cert-manager/linkerd-trust-anchor is renewed";
    mesh.certificates =
        vec![CertManagerCertificate { renewal_time: Some(at("2026-06-11")), ..anchor.clone() }];
    assert_eq!(
        outcome(&mesh, "cert-manager-anchor-renewal"),
        warning(format!("{head} on 2026-06-11T00:00:00Z, in 10 days"))
    );
    let guides = Some(GoDuration(SignedDuration::from_hours(7320)));
    mesh.certificates = vec![CertManagerCertificate { renew_before: guides, renewal_time: None, ..anchor }];
    assert_eq!(
        outcome(&mesh, "cert-manager-anchor-renewal"),
        warning(format!("{head} 60 days after it was made, not 60 days before its end"))
    );
}

#[test]
fn an_issuer_that_is_renewed_with_less_than_a_leafs_life_left_is_a_warning() {
    let (root, code) = (root("root"), "cert-manager-issuer-renewal");
    let mut mesh = mesh(&[&root], &issuer(&root, "2026-05-31", "2026-06-02"));
    assert_eq!(check(&mesh, code), None);
    let hours = |hours| Some(GoDuration(SignedDuration::from_hours(hours)));
    let of_issuer = certificate("linkerd-identity-issuer", "linkerd");
    for (renew_before, renewal_time, left) in [
        (hours(25), None, None),
        (hours(16), None, Some("16 hours")),
        // What cert-manager says goes before what it was asked: it has defaults and shares of lifetime.
        (hours(16), Some(at("2026-05-31T23:00:00Z")), None),
        (None, Some(at("2026-06-01T08:00:00Z")), Some("16 hours")),
    ] {
        mesh.certificates = vec![CertManagerCertificate { renew_before, renewal_time, ..of_issuer.clone() }];
        let told = left.map(|left| {
            warning(format!(
                "leaves end with the issuer that signed them: before each renewal they are cut short, and all \
                 proxies ask for new ones ever more often; give spec.renewBefore more than a leaf's life (the \
                 guide: duration 48h, renewBefore 25h):\n\t* Certificate linkerd/linkerd-identity-issuer is \
                 renewed {left} before its end, and a leaf lives 24 hours"
            ))
        });
        assert_eq!(
            outcome(&mesh, code),
            told.unwrap_or(Outcome::Success),
            "{renew_before:?} {renewal_time:?}"
        );
    }
}

#[test]
fn a_renewal_that_is_overdue_is_a_warning_for_the_issuer_too() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let late = Some(at("2026-05-31"));
    mesh.certificates = vec![CertManagerCertificate {
        renewal_time: late,
        ..certificate("linkerd-identity-issuer", "linkerd")
    }];
    assert_eq!(
        outcome(&mesh, "cert-manager-renewal-overdue"),
        warning(
            "the time of renewal has passed; look at `kubectl describe certificate` and cert-manager's \
             log:\n\t* Certificate linkerd/linkerd-identity-issuer was due on 2026-05-31T00:00:00Z"
        )
    );
    assert_eq!(check(&mesh, "cert-manager-anchor-renewal"), None);
}

#[test]
fn gaps_in_the_input_are_told_by_name() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(check(&mesh, "input-complete"), None);
    mesh.gaps = vec![Gap::all("", "links", Unread::Refused("forbidden".into()))];
    let Some(Checked { outcome: Outcome::Unknown(said), .. }) = check(&mesh, "input-complete") else {
        panic!()
    };
    assert!(said.ends_with(":\n\t* links: forbidden"), "{said}");
}
