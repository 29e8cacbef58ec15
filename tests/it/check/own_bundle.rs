//! Ours about the published bundle and its copies.

use l5d_rotate::finding::{BundleDifference, CheckFact, InputFact, Severity};
use l5d_rotate::mesh::{Era, Known};
use l5d_rotate::pki::pem::{Defect, DefectKind};
use l5d_rotate::pki::{Authority, BundleText};

use crate::support::checked::*;

fn only_published(authorities: &[&Authority]) -> BundleDifference {
    let only_published = authorities.iter().map(|authority| certificate(authority)).collect();
    BundleDifference::Anchors { only_published, only_copy: vec![] }
}

fn coded(found: Found) -> (Severity, &'static str) {
    let (severity, fact) = found.unwrap();
    (severity, fact.code())
}

#[test]
fn a_bundle_that_is_not_published_is_an_error() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    mesh.trust.published = Known::Absent;
    assert_eq!(
        outcome(&mesh, "trust-bundle-published"),
        error(CheckFact::TrustBundleMissing { object: bundle_ref() })
    );
    assert_eq!(not_passed(&mesh), ["trust-bundle-published"]);
}

#[test]
fn pitfall_9_text_that_crashes_the_control_plane_is_an_error_and_the_rest_a_warning() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let block = pem(&[&root]);
    let line = block.lines().count() + 1;
    published(&mut mesh).text = BundleText::read(format!("{block}\n"));
    let defects = vec![Defect { line, kind: DefectKind::BlankLineAtEnd }];
    assert_eq!(
        outcome(&mesh, "trust-bundle-strict-pem"),
        error(CheckFact::TrustBundleMisread { object: bundle_ref(), defects })
    );
    published(&mut mesh).text = BundleText::read(format!("# ours\n{block}"));
    let defects = vec![Defect { line: 1, kind: DefectKind::Comment }];
    assert_eq!(
        outcome(&mesh, "trust-bundle-strict-pem"),
        warning(CheckFact::TrustBundleUntidy { object: bundle_ref(), defects })
    );
}

#[test]
fn a_foreign_block_that_hides_an_anchor_from_the_controller_is_an_error() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&new));
    let foreign = l5d_rotate::pki::pem::block("X509 CRL", b"x");
    published(&mut mesh).text = BundleText::read(format!("{}{foreign}{}", pem(&[&old]), pem(&[&new])));
    let misread = coded(outcome(&mesh, "trust-bundle-strict-pem"));
    assert_eq!(misread, (Severity::Error, "trust-bundle-misread"));
    assert_eq!(why_identity_fails(&mesh), no_anchor("new"));
}

#[test]
fn a_bundle_too_large_for_an_environment_variable_is_an_error() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(outcome(&mesh, "trust-bundle-size"), PASSES);
    let block = pem(&[&root]);
    let text = block.repeat(100 * 1024 / block.len() + 1);
    published(&mut mesh).text = BundleText::read(text.as_str());
    let (object, bytes) = (bundle_ref(), text.len() as u64);
    assert_eq!(
        outcome(&mesh, "trust-bundle-size"),
        error(CheckFact::TrustBundleTooLarge { object, bytes, most: 102_400 })
    );
}

#[test]
fn pitfall_13_a_copy_that_an_upgrade_would_publish_again_is_told_by_what_it_would_break() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&old));
    mesh.trust.config = Known::Is(text(&[&old]));
    let difference = only_published(&[&new]);
    assert_eq!(
        outcome(&mesh, "trust-bundle-config-copy"),
        warning(CheckFact::ConfigCopyDiffers { config: config_ref(), difference: difference.clone() })
    );
    secret(&mut mesh).chain = Ok(chain(&good_issuer(&new).certificate));
    assert_eq!(
        outcome(&mesh, "trust-bundle-config-copy"),
        error(CheckFact::ConfigCopyRefusesIssuer { config: config_ref(), difference })
    );
    mesh.trust.config = Known::Is(BundleText::read("nothing"));
    let difference = BundleDifference::Unreadable;
    assert_eq!(
        outcome(&mesh, "trust-bundle-config-copy"),
        error(CheckFact::ConfigCopyRefusesIssuer { config: config_ref(), difference })
    );
    mesh.trust.config = Known::Is(text(&[&new, &old]));
    assert_eq!(outcome(&mesh, "trust-bundle-config-copy"), PASSES);
    mesh.trust.config = Known::Absent;
    assert_eq!(
        outcome(&mesh, "trust-bundle-config-copy"),
        warning(CheckFact::LinkerdConfigMissing { config: config_ref() })
    );
}

#[test]
fn the_copy_of_an_external_ca_is_not_expected_to_follow() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&new], &good_issuer(&new));
    mesh.control_plane.external_ca = true;
    mesh.trust.config = Known::Is(BundleText::read(""));
    assert_eq!(check(&mesh, "trust-bundle-config-copy"), None);
    mesh.trust.config = Known::Is(text(&[&old]));
    assert_eq!(
        outcome(&mesh, "trust-bundle-config-copy"),
        warning(CheckFact::ConfigCopyOutdated { config: config_ref() })
    );
}

#[test]
fn before_2_11_there_is_no_copy_in_linkerd_config_and_the_identity_controller_has_its_own() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&old));
    assert_eq!(check(&mesh, "trust-bundle-identity-copy"), None);
    mesh.control_plane.era = Era::V2_10;
    assert_eq!(check(&mesh, "trust-bundle-config-copy"), None);
    let deployment = deployment("linkerd", "linkerd-identity");
    assert_eq!(
        outcome(&mesh, "trust-bundle-identity-copy"),
        unknown(InputFact::ObjectAbsent { object: deployment.clone() })
    );
    mesh.trust.identity = Some(text(&[&new, &old]));
    assert_eq!(outcome(&mesh, "trust-bundle-identity-copy"), PASSES);
    mesh.trust.identity = Some(text(&[&old]));
    assert_eq!(
        outcome(&mesh, "trust-bundle-identity-copy"),
        error(CheckFact::IdentityCopyDiffers { deployment, difference: only_published(&[&new]) })
    );
    // The same anchors, and a blank line behind them, which proxies pass over.
    mesh.trust.identity = Some(BundleText::read(format!("{}\n", pem(&[&new, &old]))));
    let misread = coded(outcome(&mesh, "trust-bundle-identity-copy"));
    assert_eq!(misread, (Severity::Error, "identity-copy-unreadable"));
}

#[test]
fn ca_crt_must_hold_the_anchor_that_signed_the_issuer() {
    let (root, other) = (root("root"), root("other"));
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(check(&mesh, "issuer-secret-ca"), None);
    external(&mut mesh, Some(text(&[&root])));
    assert_eq!(outcome(&mesh, "issuer-secret-ca"), PASSES);
    external(&mut mesh, Some(text(&[&other])));
    assert_eq!(
        outcome(&mesh, "issuer-secret-ca"),
        warning(CheckFact::IssuerCaDiffers { secret: secret_ref(), refusal: no_anchor("root") })
    );
    external(&mut mesh, Some(BundleText::read("")));
    let unreadable = coded(outcome(&mesh, "issuer-secret-ca"));
    assert_eq!(unreadable, (Severity::Warning, "issuer-ca-unreadable"));
    external(&mut mesh, None);
    assert_eq!(
        outcome(&mesh, "issuer-secret-ca"),
        warning(CheckFact::IssuerCaMissing { secret: secret_ref() })
    );
}
