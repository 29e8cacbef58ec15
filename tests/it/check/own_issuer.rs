//! Ours about the anchors in use and the issuer.

use l5d_rotate::check::{Outcome, Severity, run};
use l5d_rotate::mesh::{KeyState, Known, Mesh};
use l5d_rotate::pki::{BundleText, Certificate, IssuerChain, cross_sign};

use crate::check::builder::*;

#[test]
fn pitfall_10_an_expired_anchor_that_nothing_needs_only_troubles_linkerd_check() {
    let (good, old) = (root("good"), anchor("old", "2020-01-01", "2026-05-01"));
    let mesh = mesh(&[&good, &old], &good_issuer(&good));
    assert_eq!(
        outcome(&mesh, "expired-anchor-left"),
        warning(format!(
            "proxies do not mind, but `linkerd check` fails on it and shows nothing after it; remove it \
             (phase prune):\n\t* {} old expired on 2026-05-01T00:00:00Z",
            old.certificate.facts().serial
        ))
    );
    assert_eq!(outcome(&mesh, "anchor-in-use-valid"), Outcome::Success);
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), Outcome::Success);
    assert_eq!(outcome(&mesh, "issuer-accepted-by-bundle"), Outcome::Success);
}

#[test]
fn an_expired_anchor_beside_its_renewal_with_the_same_key_is_not_needed_either() {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = |begin, end| {
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "root");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (begin, end);
        (Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap(), params)
    };
    let day = rcgen::date_time_ymd;
    let (expired, _) = made(day(2020, 1, 1), day(2026, 5, 1));
    let (renewed, params) = made(day(2026, 1, 1), day(2036, 1, 1));
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let signer = rcgen::Issuer::from_params(&params, &key);
    let issuer = Certificate::from_der(params.signed_by(&leaf_key, &signer).unwrap().der()).unwrap();
    let base = root("base");
    let mut mesh = mesh(&[&base], &good_issuer(&base));
    secret(&mut mesh).chain = Ok(chain(&issuer));
    published(&mut mesh).text = BundleText::read(expired.to_pem() + &renewed.to_pem());
    assert_eq!(outcome(&mesh, "anchor-in-use-valid"), Outcome::Success);
    let Outcome::Failed(Severity::Warning, said) = outcome(&mesh, "expired-anchor-left") else { panic!() };
    assert!(said.ends_with(" root expired on 2026-05-01T00:00:00Z"), "{said}");
}

/// An anchor `old` and an issuer below it that may outlive it: minting would not allow that.
fn outliving(anchor_end: &str, issuer_end: &str) -> (Certificate, Certificate) {
    let (root, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let params = |name: &str, end: &str| {
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2025, 1, 1);
        params.not_after = time::OffsetDateTime::from_unix_timestamp(at(end).as_second()).unwrap();
        params
    };
    let anchor = params("old", anchor_end).self_signed(&root).unwrap();
    let signer = rcgen::Issuer::new(params("old", anchor_end), root);
    let issuer = params("issuer", issuer_end).signed_by(&key, &signer).unwrap();
    [anchor, issuer].map(|made| Certificate::from_der(made.der()).unwrap()).into()
}

/// A mesh of an anchor that ends on `anchor_end`, with an issuer that ends on `issuer_end`.
fn ends(anchor_end: &str, issuer_end: &str) -> Mesh {
    let base = root("base");
    let mut mesh = mesh(&[&base], &good_issuer(&base));
    let (anchor, issuer) = outliving(anchor_end, issuer_end);
    let bundle = BundleText::read(anchor.to_pem());
    published(&mut mesh).text = bundle.clone();
    mesh.trust.config = Known::Is(bundle.clone());
    mesh.bundles = vec![bundle];
    secret(&mut mesh).chain = Ok(chain(&issuer));
    mesh
}

#[test]
fn pitfall_11_an_expired_anchor_in_use_stops_issuance_while_proxies_still_accept() {
    let mesh = ends("2026-05-31", "2027-01-01");
    assert_eq!(
        outcome(&mesh, "anchor-in-use-valid"),
        error(
            "`old` expired on 2026-05-31T00:00:00Z: the identity controller issues nothing since, and \
             proxies lose their connections as their leaves end, within 24 hours; follow \"Replacing \
             expired certificates\" (kubectl l5d-rotate recover), which takes downtime"
        )
    );
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), Outcome::Success);
    let Outcome::Failed(Severity::Error, said) = outcome(&mesh, "issuer-accepted-by-bundle") else {
        panic!()
    };
    assert!(said.contains("`old` expired on 2026-05-31T00:00:00Z"), "{said}");
    assert!(said.ends_with("; replace what is not valid"), "{said}");
    assert_eq!(check(&mesh, "anchor-in-use-not-expiring-soon"), None);
    assert_eq!(outcome(&mesh, "expired-anchor-left"), Outcome::Success);
}

#[test]
fn an_issuer_that_outlives_its_anchor_is_a_warning() {
    let mesh = ends("2026-12-01", "2027-01-01");
    assert_eq!(
        outcome(&mesh, "issuer-within-anchor"),
        warning(
            "`issuer` is valid until 2027-01-01T00:00:00Z, its trust anchor until 2026-12-01T00:00:00Z \
             only: the identity controller stops issuing on that day; go by the anchor's end"
        )
    );
    assert_eq!(
        outcome(&ends("2026-12-31", "2027-01-01T00:00:20Z"), "issuer-within-anchor"),
        Outcome::Success
    );
}

#[test]
fn an_anchor_that_ends_within_the_threshold_is_a_warning() {
    assert_eq!(
        outcome(&ends("2026-07-30", "2026-07-30"), "anchor-in-use-not-expiring-soon"),
        warning(
            "`old` ends on 2026-07-30T00:00:00Z, in 59 days; while it is valid, old and new can be trusted \
             side by side: follow \"Rotating control plane TLS credentials\" (kubectl l5d-rotate start \
             --dir DIR)"
        )
    );
    assert_eq!(
        outcome(&ends("2026-07-31", "2026-07-31"), "anchor-in-use-not-expiring-soon"),
        Outcome::Success
    );
}

#[test]
fn pain_16_an_issuer_that_lives_48_hours_is_judged_by_its_share_and_linkerds_check_still_warns() {
    let root = root("root");
    let mesh = |begin: &str, end: &str| mesh(&[&root], &issuer(&root, begin, end));
    let fresh = mesh("2026-05-31", "2026-06-02");
    assert_eq!(outcome(&fresh, "issuer-not-expiring-soon"), Outcome::Success);
    assert_eq!(
        outcome(&fresh, "l5d-identity-issuer-cert-not-expiring-soon"),
        warning("issuer certificate will expire on 2026-06-02T00:00:00Z")
    );
    let third_left = mesh("2026-05-30T16:00:00Z", "2026-06-01T16:00:00Z");
    assert_eq!(outcome(&third_left, "issuer-not-expiring-soon"), Outcome::Success);
    let stuck = mesh("2026-05-30T15:00:00Z", "2026-06-01T15:00:00Z");
    assert_eq!(
        outcome(&stuck, "issuer-not-expiring-soon"),
        warning(
            "`identity.linkerd.cluster.local` ends on 2026-06-01T15:00:00Z, in 15 hours; follow \"Rotating \
             control plane TLS credentials\" (kubectl l5d-rotate start --issuer-only --anchor ca.crt --anchor-key ca.key --dir DIR)"
        )
    );
}

#[test]
fn pain_15_an_issuer_that_is_over_is_an_error_and_not_a_warning() {
    let root = root("root");
    let mesh = mesh(&[&root], &issuer(&root, "2026-01-02", "2026-05-31"));
    assert_eq!(
        outcome(&mesh, "issuer-not-expiring-soon"),
        error(
            "`identity.linkerd.cluster.local` expired on 2026-05-31T00:00:00Z: nothing is issued since, and \
             proxies whose leaves have ended must be restarted; follow \"Rotating control plane TLS \
             credentials\" (kubectl l5d-rotate recover)"
        )
    );
    assert!(!l5d_rotate::report::checks::success(&run(&mesh, options())));
    assert_eq!(outcome(&mesh, "issuer-outlives-leaves"), Outcome::Success);
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), Outcome::Success);
}

#[test]
fn an_issuer_that_has_not_begun_is_not_called_untrusted() {
    let root = root("root");
    let mesh = mesh(&[&root], &issuer(&root, "2026-06-02", "2026-12-31"));
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), Outcome::Success);
    assert_eq!(outcome(&mesh, "anchor-in-use-valid"), Outcome::Success);
}

#[test]
fn pitfall_16_an_issuer_with_less_left_than_a_leaf_lives_cuts_leaves_short() {
    let root = root("root");
    let healthy = mesh(&[&root], &issuer(&root, "2026-05-31T01:00:00Z", "2026-06-02T01:00:00Z"));
    assert_eq!(outcome(&healthy, "issuer-outlives-leaves"), Outcome::Success);
    let short = mesh(&[&root], &issuer(&root, "2026-05-31", "2026-06-02"));
    assert_eq!(
        outcome(&short, "issuer-outlives-leaves"),
        warning(
            "`identity.linkerd.cluster.local` ends in 24 hours, and a leaf would live 24 hours: leaves are \
             cut short, and all proxies ask for new ones ever more often; renew the issuer earlier, or give \
             it a longer life (at least twice a leaf's)"
        )
    );
}

#[test]
fn an_intermediate_that_ends_first_counts_for_the_issuer() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&new));
    let short = anchor("old", "2026-01-01", "2026-06-20");
    let cross = cross_sign(&new.certificate, &short, at("2026-02-01")).unwrap();
    secret(&mut mesh).chain =
        Ok(IssuerChain { issuer: good_issuer(&new).certificate, intermediates: vec![cross] });
    let Outcome::Failed(Severity::Warning, said) = outcome(&mesh, "issuer-not-expiring-soon") else {
        panic!()
    };
    assert!(
        said.starts_with(
            "`new` ends on 2026-06-20T00:00:00Z, in 19 days; it stands behind the issuer in its file"
        ),
        "{said}"
    );
}

/// A cross certificate ends with the old anchor, mostly weeks after it is made: that is its end, however short its life.
#[test]
fn a_cross_certificate_that_was_made_weeks_before_its_end_is_warned_of_all_along() {
    let new = root("new");
    let mut mesh = mesh(&[&new], &good_issuer(&new));
    let old = anchor("old", "2020-01-01", "2026-07-05");
    let soon_over = cross_sign(&new.certificate, &old, at("2026-05-30")).unwrap();
    secret(&mut mesh).chain =
        Ok(IssuerChain { issuer: good_issuer(&new).certificate, intermediates: vec![soon_over] });
    let Outcome::Failed(Severity::Warning, said) = outcome(&mesh, "issuer-not-expiring-soon") else {
        panic!()
    };
    assert!(said.starts_with("`new` ends on 2026-07-05T00:00:00Z, in 34 days; "), "{said}");
    assert!(said.contains("no leaf outlives it") && said.contains("phase remove-cross"), "{said}");
}

#[test]
fn pitfall_17_an_issuer_that_may_not_sign_is_an_error() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let made = |is_ca, usages: Vec<_>| {
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "vault");
        params.is_ca = is_ca;
        params.key_usages = usages;
        let key = rcgen::KeyPair::generate().unwrap();
        Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap()
    };
    let said = |lacks: &str| {
        error(format!(
            "`vault` lacks {lacks}: nobody accepts what it signs; have it made as an intermediate CA \
             (cert-manager: `isCA: true`, usage `cert sign`; some Vault roles ignore both)"
        ))
    };
    secret(&mut mesh).chain = Ok(chain(&made(rcgen::IsCa::ExplicitNoCa, vec![])));
    mesh.trust.config =
        Known::Is(BundleText::read(secret(&mut mesh).chain.as_ref().unwrap().issuer.to_pem()));
    assert_eq!(
        outcome(&mesh, "l5d-identity-issuer-cert-issued-by-trust-anchor"),
        Outcome::Success,
        "Go asks nothing of a certificate that is its own anchor, and `linkerd check` not for a CA"
    );
    let unconstrained = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    for (certificate, expected) in [
        (made(rcgen::IsCa::ExplicitNoCa, vec![]), said("CA:TRUE in its basic constraints")),
        (
            made(unconstrained, vec![rcgen::KeyUsagePurpose::DigitalSignature]),
            said("keyCertSign in its key usage"),
        ),
        (made(unconstrained, vec![rcgen::KeyUsagePurpose::KeyCertSign]), Outcome::Success),
    ] {
        secret(&mut mesh).chain = Ok(chain(&certificate));
        assert_eq!(outcome(&mesh, "issuer-is-ca"), expected);
    }
}

#[test]
fn the_secret_must_have_the_keys_of_its_scheme_and_a_key_that_belongs_to_the_issuer() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    secret(&mut mesh).keys = ["ca.crt", "tls.crt", "tls.key"].map(str::to_owned).to_vec();
    assert_eq!(
        outcome(&mesh, "issuer-secret-keys"),
        error(
            "the identity controller reads crt.pem and key.pem (-identity-scheme), Secret \
             linkerd/linkerd-identity-issuer has ca.crt, tls.crt, tls.key; rename them, or change the \
             scheme and make the Secret anew (its type cannot be changed)"
        )
    );
    secret(&mut mesh).key = KeyState::Mismatch;
    assert_eq!(
        outcome(&mesh, "issuer-key-matches"),
        error(
            "the private key belongs to another certificate: the identity controller keeps the issuer it \
             has, and would not start again; put certificate and key of one issuer into the Secret"
        )
    );
    secret(&mut mesh).key = KeyState::Missing;
    let Outcome::Failed(Severity::Error, _) = outcome(&mesh, "issuer-key-matches") else { panic!() };
    secret(&mut mesh).key = KeyState::NotSeen;
    assert_eq!(
        outcome(&mesh, "issuer-key-matches"),
        unknown("the private key in Secret linkerd/linkerd-identity-issuer was not looked at")
    );
    mesh.issuer = Known::Absent;
    assert_eq!(
        outcome(&mesh, "issuer-secret-keys"),
        error(
            "Secret linkerd/linkerd-identity-issuer is missing; put it back before the identity controller \
             restarts"
        )
    );
}

#[test]
fn the_default_install_whose_issuer_is_the_anchor_is_a_warning() {
    let root = anchor("identity.linkerd.", "2026-01-01", "2027-01-01");
    assert_eq!(
        outcome(&mesh(&[&root], &root), "issuer-is-not-anchor"),
        warning(
            "`identity.linkerd.` is both, as `linkerd install` makes it without flags: the key in Secret \
             linkerd/linkerd-identity-issuer is the root key of the mesh, and the issuer cannot be replaced \
             without the anchor; rotate to an anchor of your own (kubectl l5d-rotate start)"
        )
    );
    assert_eq!(not_passed(&mesh(&[&root], &root)), ["issuer-is-not-anchor"]);
}
