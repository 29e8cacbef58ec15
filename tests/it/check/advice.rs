//! Which procedure is next.

use jiff::SignedDuration;
use l5d_rotate::check::{Advice, advice};
use l5d_rotate::document::Origin;
use l5d_rotate::finding::{CheckFact, InputFact, Procedure};
use l5d_rotate::mesh::{Known, Manifest, Mesh, NoChain, Owner, Unread};
use l5d_rotate::pki::{BundleText, Refusal};

use crate::support::checked::*;
use crate::support::mesh;

fn next(mesh: &Mesh) -> Advice {
    advice(mesh, options())
}

#[test]
fn a_healthy_mesh_needs_nothing_and_is_told_what_expires_first() {
    let root = root("root");
    let issuer = good_issuer(&root);
    let advice = next(&mesh(&[&root], &issuer));
    assert_eq!(advice, Advice::Fine { first: certificate(&issuer) });
    assert_eq!(advice.procedure(), None);
}

#[test]
fn an_anchor_that_expires_soon_asks_for_the_whole_rotation() {
    let root = anchor("root", "2025-01-01", "2026-07-01");
    for issuer in [&issuer(&root, "2026-01-01", "2026-07-01"), &root] {
        let advice = next(&mesh(&[&root], issuer));
        assert_eq!(advice, Advice::RotateAnchor { anchor: certificate(&root) });
        assert_eq!(advice.procedure(), Some(Procedure::RotateAnchor));
    }
}

#[test]
fn an_issuer_that_expires_soon_or_has_expired_asks_for_a_new_issuer_alone() {
    let root = root("root");
    let expiring = issuer(&root, "2026-01-02", "2026-07-01");
    let advice = next(&mesh(&[&root], &expiring));
    let (of_issuer, anchor_of) = (certificate(&expiring), certificate(&root));
    assert_eq!(advice, Advice::RotateIssuer { issuer: of_issuer, anchor: anchor_of.clone() });
    assert_eq!(advice.procedure(), Some(Procedure::RotateIssuer));

    let expired = issuer(&root, "2026-01-02", "2026-05-01");
    let advice = next(&mesh(&[&root], &expired));
    assert_eq!(advice, Advice::ReplaceIssuer { issuer: certificate(&expired), anchor: anchor_of });
    assert_eq!(advice.procedure(), Some(Procedure::ReplaceIssuer));

    let expiring = anchor("root", "2025-01-01", "2026-07-01");
    let expired = issuer(&expiring, "2026-01-02", "2026-05-01");
    assert_eq!(
        next(&mesh(&[&expiring], &expired)),
        Advice::ReplaceIssuer { issuer: certificate(&expired), anchor: certificate(&expiring) },
        "nothing is issued meanwhile: a new issuer comes before a new anchor"
    );
}

#[test]
fn an_expired_anchor_asks_for_the_replacement_with_downtime() {
    let root = anchor("root", "2025-01-01", "2026-05-31T12:00:00Z");
    let mut mesh = mesh(&[&root], &root);
    mesh.control_plane.issuance_lifetime = l5d_rotate::mesh::GoDuration(SignedDuration::from_hours(24));
    let advice = next(&mesh);
    let last_workload_certificate = at("2026-05-31T12:00:00Z");
    assert_eq!(advice, Advice::ReplaceExpired { anchor: certificate(&root), last_workload_certificate });
    assert_eq!(advice.procedure(), Some(Procedure::ReplaceExpired));
}

#[test]
fn an_issuer_that_the_published_bundle_does_not_accept_comes_before_any_rotation() {
    let (root, other) = (root("root"), root("other"));
    let advice = next(&mesh(&[&other], &good_issuer(&root)));
    assert_eq!(advice, Advice::Untrusted { refusal: no_anchor("root") });
    assert_eq!(advice.procedure(), None);
    let refusal = Refusal::NotYetValid {
        certificate: "identity.linkerd.cluster.local".into(),
        not_before: at("2026-06-02"),
        at: now(),
    };
    assert_eq!(
        next(&mesh(&[&root], &issuer(&root, "2026-06-02", "2026-12-31"))),
        Advice::Untrusted { refusal }
    );
}

#[test]
fn what_cert_manager_makes_is_changed_in_its_own_resources() {
    let root = root("root");
    let expiring = issuer(&root, "2026-01-02", "2026-07-01");
    let mut mesh = mesh(&[&root], &expiring);
    mesh.certificates = vec![mesh::certificate("linkerd", "linkerd-identity-issuer")];
    let advice = next(&mesh);
    assert_eq!(
        advice,
        Advice::CertManager {
            expires: certificate(&expiring),
            anchor: false,
            certificates: vec!["linkerd/linkerd-identity-issuer".into()],
        }
    );
    assert_eq!(advice.procedure(), Some(Procedure::RenewManaged));
    let manifest = |certificate: &str| Manifest {
        object: secret_ref(),
        origin: Origin::default(),
        owners: vec![Owner::CertManager { certificate: certificate.into() }],
        tree: serde_json::Value::Null,
    };
    let certificates = |mesh: &Mesh| match next(mesh) {
        Advice::CertManager { certificates, anchor: false, .. } => certificates,
        other => panic!("{other:?}"),
    };
    mesh.manifests = vec![manifest("linkerd-identity-issuer")];
    assert_eq!(certificates(&mesh), ["linkerd/linkerd-identity-issuer"]);
    mesh.certificates.clear();
    mesh.manifests = vec![manifest("theirs")];
    assert_eq!(certificates(&mesh), ["linkerd/theirs"]);
}

#[test]
fn what_is_missing_or_unknown_is_said() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    secret(&mut mesh).chain = Err(NoChain::Unreadable("no PEM block".into()));
    let unreadable = InputFact::IssuerUnreadable { object: secret_ref(), said: "no PEM block".into() };
    assert_eq!(next(&mesh), Advice::Repair { fact: unreadable.into() });
    mesh.issuer = Known::Absent;
    let missing = CheckFact::IssuerSecretMissing { secret: secret_ref() };
    assert_eq!(next(&mesh), Advice::Repair { fact: missing.into() });
    let why = Unread::Refused("forbidden".into());
    mesh.issuer = Known::Unknown(why.clone());
    let unknown = InputFact::ObjectUnknown { object: secret_ref(), why };
    assert_eq!(next(&mesh), Advice::Unknown { fact: unknown.into() });
    mesh.trust.published = Known::Absent;
    let missing = CheckFact::TrustBundleMissing { object: bundle_ref() };
    assert_eq!(next(&mesh), Advice::Repair { fact: missing.into() });
}

#[test]
fn a_bundle_that_either_reader_refuses_comes_before_any_rotation() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    for text in [pem(&[&root]) + "\n", String::new()] {
        published(&mut mesh).text = BundleText::read(text);
        let defects = published(&mut mesh).text.defects().to_vec();
        let misread = CheckFact::TrustBundleMisread { object: bundle_ref(), defects };
        assert_eq!(next(&mesh), Advice::Repair { fact: misread.into() });
    }
}
