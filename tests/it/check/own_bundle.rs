//! Ours about the published bundle and its copies.

use l5d_rotate::check::{Outcome, Severity};
use l5d_rotate::mesh::{Era, Known};
use l5d_rotate::pki::{Authority, BundleText};

use crate::check::builder::*;

fn short(authority: &Authority) -> String {
    authority.certificate.fingerprint().short()
}

#[test]
fn a_bundle_that_is_not_published_is_an_error() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    mesh.trust.published = Known::Absent;
    assert_eq!(
        outcome(&mesh, "trust-bundle-published"),
        error(
            "ConfigMap linkerd/linkerd-identity-trust-roots or its key is missing: neither the identity \
             controller nor a control-plane proxy would start again, and the injector fails; put it back \
             from Git before anything restarts"
        )
    );
    assert_eq!(not_passed(&mesh), ["trust-bundle-published"]);
}

#[test]
fn pitfall_9_text_that_crashes_the_control_plane_is_an_error_and_the_rest_a_warning() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let block = pem(&[&root]);
    let lines = block.lines().count();
    published(&mut mesh).text = BundleText::read(format!("{block}\n"));
    assert_eq!(
        outcome(&mesh, "trust-bundle-strict-pem"),
        error(format!(
            "Linkerd does not read all of ConfigMap linkerd/linkerd-identity-trust-roots; write it anew as \
             plain CERTIFICATE blocks:\n\t* line {}: blank line after the last block: the identity \
             controller and control-plane proxies would not start; remove it",
            lines + 1
        ))
    );
    published(&mut mesh).text = BundleText::read(format!("# ours\n{block}"));
    assert_eq!(
        outcome(&mesh, "trust-bundle-strict-pem"),
        warning(
            "Linkerd reads ConfigMap linkerd/linkerd-identity-trust-roots, stricter readers would not; the \
             next render tidies it up:\n\t* line 1: text before or between blocks: Linkerd reads over it, \
             stricter tools do not; remove it"
        )
    );
}

#[test]
fn a_foreign_block_that_hides_an_anchor_from_the_controller_is_an_error() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&new));
    let foreign = l5d_rotate::pki::pem::block("X509 CRL", b"x");
    published(&mut mesh).text = BundleText::read(format!("{}{foreign}{}", pem(&[&old]), pem(&[&new])));
    let Outcome::Failed(Severity::Error, _) = outcome(&mesh, "trust-bundle-strict-pem") else { panic!() };
    assert_eq!(
        outcome(&mesh, "issuer-accepted-by-bundle"),
        error(
            "the identity controller would not start again, nor take up this issuer: \
             `identity.linkerd.cluster.local` was signed by no anchor of the bundle: none is named `new` \
             (it logs `x509: certificate signed by unknown authority`); publish the issuer's anchor, or put \
             back an issuer that the published ones accept"
        )
    );
}

#[test]
fn a_bundle_too_large_for_an_environment_variable_is_an_error() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(outcome(&mesh, "trust-bundle-size"), Outcome::Success);
    let block = pem(&[&root]);
    let text = block.repeat(100 * 1024 / block.len() + 1);
    published(&mut mesh).text = BundleText::read(text.as_str());
    assert_eq!(
        outcome(&mesh, "trust-bundle-size"),
        error(format!(
            "the bundle measures {} bytes; above 128 KiB no proxy starts with it, and 102400 are the most \
             that leaves room: remove anchors that nothing uses",
            text.len()
        ))
    );
}

#[test]
fn pitfall_13_a_copy_that_an_upgrade_would_publish_again_is_told_by_what_it_would_break() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&old));
    mesh.trust.config = Known::Is(text(&[&old]));
    let only = format!("\n\t* only in the published bundle: new ({})", short(&new));
    assert_eq!(
        outcome(&mesh, "trust-bundle-config-copy"),
        warning(format!(
            "`linkerd check`, `linkerd inject --manual` and multicluster checks read other anchors than are \
             published, and the next Helm or CLI upgrade publishes them again; put the published ones into \
             the value identityTrustAnchorsPEM:{only}"
        ))
    );
    secret(&mut mesh).chain = Ok(chain(&good_issuer(&new).certificate));
    assert_eq!(
        outcome(&mesh, "trust-bundle-config-copy"),
        error(format!(
            "the next Helm or CLI upgrade publishes anchors again that do not accept the issuer; put the \
             published ones into the value identityTrustAnchorsPEM first:{only}"
        ))
    );
    mesh.trust.config = Known::Is(BundleText::read("nothing"));
    let Outcome::Failed(Severity::Error, _) = outcome(&mesh, "trust-bundle-config-copy") else { panic!() };
    mesh.trust.config = Known::Is(text(&[&new, &old]));
    assert_eq!(outcome(&mesh, "trust-bundle-config-copy"), Outcome::Success);
    mesh.trust.config = Known::Absent;
    assert_eq!(
        outcome(&mesh, "trust-bundle-config-copy"),
        warning(
            "ConfigMap linkerd/linkerd-config is missing, and `linkerd check` and `linkerd upgrade` need \
             it; restore it"
        )
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
    let Outcome::Failed(Severity::Warning, _) = outcome(&mesh, "trust-bundle-config-copy") else { panic!() };
}

#[test]
fn before_2_11_there_is_no_copy_in_linkerd_config_and_the_identity_controller_has_its_own() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&old));
    assert_eq!(check(&mesh, "trust-bundle-identity-copy"), None);
    mesh.control_plane.era = Era::V2_10;
    assert_eq!(check(&mesh, "trust-bundle-config-copy"), None);
    assert_eq!(
        outcome(&mesh, "trust-bundle-identity-copy"),
        unknown(
            "Deployment linkerd/linkerd-identity, whose argument or environment holds the anchors, was not \
             seen"
        )
    );
    mesh.trust.identity = Some(text(&[&new, &old]));
    assert_eq!(outcome(&mesh, "trust-bundle-identity-copy"), Outcome::Success);
    mesh.trust.identity = Some(text(&[&old]));
    assert_eq!(
        outcome(&mesh, "trust-bundle-identity-copy"),
        error(format!(
            "the identity controller refuses issuers of anchors that it is not given; render its Deployment \
             again (phase bundle, step 2):\n\t* only in the published bundle: new ({})",
            short(&new)
        ))
    );
}

#[test]
fn ca_crt_must_hold_the_anchor_that_signed_the_issuer() {
    let (root, other) = (root("root"), root("other"));
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(check(&mesh, "issuer-secret-ca"), None);
    external(&mut mesh, Some(text(&[&root])));
    assert_eq!(outcome(&mesh, "issuer-secret-ca"), Outcome::Success);
    external(&mut mesh, Some(text(&[&other])));
    assert_eq!(
        outcome(&mesh, "issuer-secret-ca"),
        warning(
            "`linkerd check` and `linkerd upgrade` judge the issuer by ca.crt, which does not hold its \
             anchor; put the published anchors there: `identity.linkerd.cluster.local` was signed by no \
             anchor of the bundle: none is named `root`"
        )
    );
    external(&mut mesh, None);
    assert_eq!(
        outcome(&mesh, "issuer-secret-ca"),
        warning(
            "Secret linkerd/linkerd-identity-issuer has no ca.crt: the mesh works, and `linkerd check` and \
             `linkerd upgrade` fail; add the published anchors under that key"
        )
    );
}
