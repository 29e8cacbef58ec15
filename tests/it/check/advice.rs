//! Which procedure is next, by the guide's name.

use jiff::SignedDuration;
use l5d_rotate::check::{Advice, advice};
use l5d_rotate::document::{ObjectRef, Origin};
use l5d_rotate::mesh::{CertManagerCertificate, Known, Manifest, Mesh, Owner, Unread};

use crate::check::builder::*;

fn next(mesh: &Mesh) -> (String, Option<&'static str>, Option<&'static str>) {
    let advice = advice(mesh, options());
    (advice.to_string(), advice.guide(), advice.command())
}

const GUIDE: Option<&str> = Some("Rotating control plane TLS credentials");
const RECOVER: Option<&str> = Some("kubectl l5d-rotate recover");
const START: Option<&str> = Some("kubectl l5d-rotate start --dir DIR");

#[test]
fn a_healthy_mesh_needs_nothing_and_is_told_what_ends_first() {
    let root = root("root");
    let said = "nothing has to be rotated; of issuer and anchor, `identity.linkerd.cluster.local` ends on \
                2026-12-31T00:00:00Z, in 213 days, before the other";
    assert_eq!(next(&mesh(&[&root], &good_issuer(&root))), (said.into(), None, None));
}

#[test]
fn an_anchor_that_ends_soon_asks_for_the_whole_rotation() {
    let root = anchor("root", "2025-01-01", "2026-07-01");
    let said =
        "the trust anchor `root` ends on 2026-07-01T00:00:00Z, in 30 days: rotate trust anchor and issuer";
    assert_eq!(
        next(&mesh(&[&root], &issuer(&root, "2026-01-01", "2026-07-01"))),
        (said.into(), GUIDE, START)
    );
    assert_eq!(next(&mesh(&[&root], &root)), (said.into(), GUIDE, START));
}

#[test]
fn an_issuer_that_ends_soon_or_is_over_asks_for_a_new_issuer_alone() {
    let root = root("root");
    let only = Some("kubectl l5d-rotate start --issuer-only --anchor ca.crt --anchor-key ca.key --dir DIR");
    assert_eq!(
        next(&mesh(&[&root], &issuer(&root, "2026-01-02", "2026-07-01"))),
        (
            "the issuer `identity.linkerd.cluster.local` ends on 2026-07-01T00:00:00Z, in 30 days, and the \
             trust anchor `root` ends on 2036-01-01T00:00:00Z, in 3501 days: with the anchor's key replace \
             the issuer alone, without any restart; without that key rotate both (start without \
             --issuer-only)"
                .into(),
            GUIDE,
            only
        )
    );
    assert_eq!(
        next(&mesh(&[&root], &issuer(&root, "2026-01-02", "2026-05-01"))),
        (
            "the issuer `identity.linkerd.cluster.local` expired on 2026-05-01T00:00:00Z, and the trust \
             anchor `root` ends on 2036-01-01T00:00:00Z, in 3501 days: with the anchor's key replace the \
             issuer alone, then restart what has lost its leaf; without that key replace both"
                .into(),
            GUIDE,
            RECOVER
        )
    );
    let ending = anchor("root", "2025-01-01", "2026-07-01");
    let (said, _, command) = next(&mesh(&[&ending], &issuer(&ending, "2026-01-02", "2026-05-01")));
    assert!(said.contains("and the trust anchor `root` ends on 2026-07-01T00:00:00Z, in 30 days"), "{said}");
    assert_eq!(command, RECOVER, "nothing is issued meanwhile: a new issuer comes before a new anchor");
}

#[test]
fn an_anchor_that_is_over_asks_for_the_replacement_with_downtime() {
    let root = anchor("root", "2025-01-01", "2026-05-31T12:00:00Z");
    let mut mesh = mesh(&[&root], &root);
    mesh.control_plane.issuance_lifetime = l5d_rotate::mesh::GoDuration(SignedDuration::from_hours(24));
    assert_eq!(
        next(&mesh),
        (
            "the trust anchor `root` expired on 2026-05-31T12:00:00Z: the identity controller issues \
             nothing since, and the last proxy's leaf ends by 2026-05-31T12:00:00Z; replace trust anchor \
             and issuer at once and restart everything: this takes downtime, because old and new proxies do \
             not trust each other"
                .into(),
            Some("Replacing expired certificates"),
            RECOVER
        )
    );
}

#[test]
fn an_issuer_that_the_published_bundle_does_not_accept_comes_before_any_rotation() {
    let (root, other) = (root("root"), root("other"));
    assert_eq!(
        next(&mesh(&[&other], &good_issuer(&root))),
        (
            "the published trust bundle does not accept the issuer: `identity.linkerd.cluster.local` was \
             signed by no anchor of the bundle: none is named `root`; publish the issuer's anchor beside \
             the others, or put back an issuer of a published one, before the identity controller restarts"
                .into(),
            None,
            Some("kubectl l5d-rotate check")
        )
    );
    assert_eq!(
        next(&mesh(&[&root], &issuer(&root, "2026-06-02", "2026-12-31"))).0,
        "the issuer does not work yet: `identity.linkerd.cluster.local` is not valid before \
         2026-06-02T00:00:00Z; put back the one before it until then"
    );
}

#[test]
fn what_cert_manager_makes_is_changed_in_its_own_resources() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &issuer(&root, "2026-01-02", "2026-07-01"));
    mesh.certificates = vec![CertManagerCertificate {
        object: ObjectRef::new("cert-manager.io/v1", "Certificate", "linkerd", "linkerd-identity-issuer"),
        secret: "linkerd-identity-issuer".into(),
        is_ca: true,
        duration: None,
        renew_before: None,
        rotation_policy: None,
        renewal_time: None,
    }];
    assert_eq!(
        next(&mesh),
        (
            "the issuer `identity.linkerd.cluster.local` ends on 2026-07-01T00:00:00Z, in 30 days, and \
             cert-manager makes it: change its resources in Git, not the Secret \
             (linkerd/linkerd-identity-issuer)"
                .into(),
            Some("Automatically rotating control plane TLS credentials"),
            None
        )
    );
    let manifest = |certificate: &str| Manifest {
        object: ObjectRef::new("v1", "Secret", "linkerd", "linkerd-identity-issuer"),
        origin: Origin::default(),
        owners: vec![Owner::CertManager { certificate: certificate.into() }],
        tree: serde_json::Value::Null,
    };
    let certificates = |mesh: &Mesh| match advice(mesh, options()) {
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
    mesh.issuer = Known::Absent;
    assert_eq!(
        advice(&mesh, options()),
        Advice::Repair("the issuer is missing, or its certificate cannot be read")
    );
    mesh.issuer = Known::Unknown(Unread::Refused("forbidden".into()));
    assert_eq!(
        next(&mesh).0,
        "it cannot be told what is next: Secret linkerd/linkerd-identity-issuer could not be read: forbidden"
    );
    mesh.trust.published = Known::Absent;
    assert_eq!(
        next(&mesh).0,
        "the published trust bundle is missing, or no proxy can read it: repair that before anything else"
    );
}
