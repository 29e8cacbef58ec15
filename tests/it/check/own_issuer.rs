//! Ours about the anchors in use and the issuer.

use jiff::SignedDuration;
use l5d_rotate::check::run;
use l5d_rotate::finding::{AnchorRef, ChainPart, CheckFact, Opens, Procedure, SigningRight};
use l5d_rotate::mesh::{KeyState, Known, Mesh, Scheme};
use l5d_rotate::pki::{BundleText, Certificate, IssuerChain, Refusal, cross_sign};

use crate::support::checked::*;

#[test]
fn pitfall_10_an_expired_anchor_that_nothing_needs_only_troubles_linkerd_check() {
    let (good, old) = (root("good"), anchor("old", "2020-01-01", "2026-05-01"));
    let mesh = mesh(&[&good, &old], &good_issuer(&good));
    assert_eq!(
        outcome(&mesh, "expired-anchor-left"),
        warning(CheckFact::ExpiredAnchorLeft { anchors: anchors(&[&old]) })
    );
    assert_eq!(outcome(&mesh, "anchor-in-use-valid"), PASSES);
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), PASSES);
    assert_eq!(outcome(&mesh, "issuer-accepted-by-bundle"), PASSES);
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
    let issuer_key = rcgen::KeyPair::generate().unwrap();
    let signer = rcgen::Issuer::from_params(&params, &key);
    let issuer = Certificate::from_der(params.signed_by(&issuer_key, &signer).unwrap().der()).unwrap();
    let base = root("base");
    let mut mesh = mesh(&[&base], &good_issuer(&base));
    secret(&mut mesh).chain = Ok(chain(&issuer));
    published(&mut mesh).text = BundleText::read(expired.to_pem() + &renewed.to_pem());
    assert_eq!(outcome(&mesh, "anchor-in-use-valid"), PASSES);
    let anchors = vec![AnchorRef::from(&expired)];
    assert_eq!(outcome(&mesh, "expired-anchor-left"), warning(CheckFact::ExpiredAnchorLeft { anchors }));
}

/// An anchor `old` and an issuer below it that may outlive it: minting would not allow that.
fn outliving(anchor_expiry: &str, issuer_expiry: &str) -> (Certificate, Certificate) {
    let (root, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let params = |name: &str, end: &str| {
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2025, 1, 1);
        params.not_after = time::OffsetDateTime::from_unix_timestamp(at(end).as_second()).unwrap();
        params
    };
    let anchor = params("old", anchor_expiry).self_signed(&root).unwrap();
    let signer = rcgen::Issuer::new(params("old", anchor_expiry), root);
    let issuer = params("issuer", issuer_expiry).signed_by(&key, &signer).unwrap();
    [anchor, issuer].map(|made| Certificate::from_der(made.der()).unwrap()).into()
}

/// A mesh of an anchor that expires on `anchor_expiry`, with an issuer that expires on `issuer_expiry`.
fn expiring(anchor_expiry: &str, issuer_expiry: &str) -> Mesh {
    let base = root("base");
    let mut mesh = mesh(&[&base], &good_issuer(&base));
    let (anchor, issuer) = outliving(anchor_expiry, issuer_expiry);
    let bundle = BundleText::read(anchor.to_pem());
    published(&mut mesh).text = bundle.clone();
    mesh.trust.config = Known::Is(bundle.clone());
    mesh.bundles = vec![bundle];
    secret(&mut mesh).chain = Ok(chain(&issuer));
    mesh
}

/// The anchor that [`expiring`] publishes.
fn only_anchor(mesh: &Mesh) -> Certificate {
    let text = &mesh.trust.published.as_option().unwrap().text;
    text.as_read_by(l5d_rotate::pki::Rules::Proxy).unwrap().anchors()[0].clone()
}

fn only_issuer(mesh: &Mesh) -> Certificate {
    mesh.secret_chain().unwrap().issuer.clone()
}

#[test]
fn pitfall_11_an_expired_anchor_in_use_stops_issuance_while_proxies_still_accept() {
    let mesh = expiring("2026-05-31", "2027-01-01");
    let anchors = vec![AnchorRef::from(&only_anchor(&mesh))];
    assert_eq!(
        outcome(&mesh, "anchor-in-use-valid"),
        error(CheckFact::TrustAnchorExpired { anchors: anchors.clone() })
    );
    assert_eq!(finding(&mesh, "anchor-in-use-valid").opens, [Opens::Procedure(Procedure::ReplaceExpired)]);
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), PASSES);
    let refusal = Refusal::Expired { certificate: "old".into(), not_after: at("2026-05-31"), at: now() };
    assert_eq!(why_identity_fails(&mesh), refusal);
    assert_eq!(check(&mesh, "anchor-in-use-not-expiring-soon"), None);
    assert_eq!(outcome(&mesh, "expired-anchor-left"), PASSES);
}

#[test]
fn an_issuer_that_outlives_its_anchor_is_a_warning() {
    let mesh = expiring("2026-12-01", "2027-01-01");
    let (issuer, anchor) = ((&only_issuer(&mesh)).into(), (&only_anchor(&mesh)).into());
    assert_eq!(
        outcome(&mesh, "issuer-within-anchor"),
        warning(CheckFact::IssuerOutlivesAnchor { issuer, anchor })
    );
    assert_eq!(outcome(&expiring("2026-12-31", "2027-01-01T00:00:20Z"), "issuer-within-anchor"), PASSES);
}

#[test]
fn an_anchor_that_expires_within_the_threshold_is_a_warning() {
    let (mesh, code) = (expiring("2026-07-30", "2026-07-30"), "anchor-in-use-not-expiring-soon");
    let anchors = vec![AnchorRef::from(&only_anchor(&mesh))];
    assert_eq!(outcome(&mesh, code), warning(CheckFact::TrustAnchorExpiring { anchors }));
    assert_eq!(finding(&mesh, code).opens, [Opens::Procedure(Procedure::RotateAnchor)]);
    assert_eq!(outcome(&expiring("2026-07-31", "2026-07-31"), code), PASSES);
}

#[test]
fn pain_16_an_issuer_that_lives_48_hours_is_judged_by_its_share_and_linkerds_check_still_warns() {
    let root = root("root");
    let issuer = |begin: &str, end: &str| issuer(&root, begin, end);
    let expiring = |authority| {
        let certificate = certificate(authority);
        warning(CheckFact::IssuerExpiring { certificate, part: ChainPart::Issuer })
    };
    let fresh = issuer("2026-05-31", "2026-06-02");
    let of_fresh = mesh(&[&root], &fresh);
    assert_eq!(outcome(&of_fresh, "issuer-not-expiring-soon"), PASSES);
    assert_eq!(outcome(&of_fresh, "l5d-identity-issuer-cert-not-expiring-soon"), expiring(&fresh));
    let third_left = mesh(&[&root], &issuer("2026-05-30T16:00:00Z", "2026-06-01T16:00:00Z"));
    assert_eq!(outcome(&third_left, "issuer-not-expiring-soon"), PASSES);
    let stuck = issuer("2026-05-30T15:00:00Z", "2026-06-01T15:00:00Z");
    let of_stuck = mesh(&[&root], &stuck);
    assert_eq!(outcome(&of_stuck, "issuer-not-expiring-soon"), expiring(&stuck));
    assert_eq!(
        finding(&of_stuck, "issuer-not-expiring-soon").opens,
        [Opens::Procedure(Procedure::RotateIssuer)]
    );
}

#[test]
fn pain_15_an_expired_issuer_is_an_error_and_not_a_warning() {
    let root = root("root");
    let expired = issuer(&root, "2026-01-02", "2026-05-31");
    let mesh = mesh(&[&root], &expired);
    let certificate = certificate(&expired);
    assert_eq!(
        outcome(&mesh, "issuer-not-expiring-soon"),
        error(CheckFact::IssuerExpired { certificate, part: ChainPart::Issuer })
    );
    assert_eq!(
        finding(&mesh, "issuer-not-expiring-soon").opens,
        [Opens::Procedure(Procedure::ReplaceIssuer)]
    );
    assert!(!l5d_rotate::report::checks::success(&run(&mesh, options())));
    assert_eq!(outcome(&mesh, "issuer-outlives-workload-certificates"), PASSES);
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), PASSES);
}

#[test]
fn an_issuer_that_has_not_begun_is_not_called_untrusted() {
    let root = root("root");
    let mesh = mesh(&[&root], &issuer(&root, "2026-06-02", "2026-12-31"));
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), PASSES);
    assert_eq!(outcome(&mesh, "anchor-in-use-valid"), PASSES);
}

#[test]
fn pitfall_16_an_issuer_with_less_left_than_a_workload_certificate_lives_cuts_them_short() {
    let (root, code) = (root("root"), "issuer-outlives-workload-certificates");
    let healthy = mesh(&[&root], &issuer(&root, "2026-05-31T01:00:00Z", "2026-06-02T01:00:00Z"));
    assert_eq!(outcome(&healthy, code), PASSES);
    let short = issuer(&root, "2026-05-31", "2026-06-02");
    assert_eq!(
        outcome(&mesh(&[&root], &short), code),
        warning(CheckFact::IssuerTooShort {
            certificate: certificate(&short),
            left: SignedDuration::from_hours(24),
            lifetime: SignedDuration::from_secs(86_420),
        })
    );
}

/// The issuer of `new` with this certificate after it in its file.
fn followed_by(new: &l5d_rotate::pki::Authority, cross: &Certificate) -> IssuerChain {
    IssuerChain { issuer: good_issuer(new).certificate, intermediates: vec![cross.clone()] }
}

#[test]
fn an_intermediate_that_expires_first_counts_for_the_issuer() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&new));
    let short = anchor("old", "2026-01-01", "2026-06-20");
    let cross = cross_sign(&new.certificate, &short, at("2026-02-01")).unwrap();
    secret(&mut mesh).chain = Ok(followed_by(&new, &cross));
    assert_eq!(
        outcome(&mesh, "issuer-not-expiring-soon"),
        warning(CheckFact::IssuerExpiring { certificate: (&cross).into(), part: ChainPart::Intermediate })
    );
}

/// A cross certificate expires with the old anchor, mostly weeks after it is made: so it expires, however short its lifetime.
#[test]
fn a_cross_certificate_that_was_made_weeks_before_it_expires_is_warned_of_all_along() {
    let new = root("new");
    let mut mesh = mesh(&[&new], &good_issuer(&new));
    let old = anchor("old", "2020-01-01", "2026-07-05");
    let cross = cross_sign(&new.certificate, &old, at("2026-05-30")).unwrap();
    secret(&mut mesh).chain = Ok(followed_by(&new, &cross));
    assert_eq!(
        outcome(&mesh, "issuer-not-expiring-soon"),
        warning(CheckFact::IssuerExpiring { certificate: (&cross).into(), part: ChainPart::Intermediate })
    );
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
    let lacks = |certificate: &Certificate, lacks| {
        error(CheckFact::IssuerMayNotSign { issuer: certificate.into(), lacks })
    };
    secret(&mut mesh).chain = Ok(chain(&made(rcgen::IsCa::ExplicitNoCa, vec![])));
    mesh.trust.config =
        Known::Is(BundleText::read(secret(&mut mesh).chain.as_ref().unwrap().issuer.to_pem()));
    assert_eq!(
        outcome(&mesh, "l5d-identity-issuer-cert-issued-by-trust-anchor"),
        PASSES,
        "Go asks nothing of a certificate that is its own anchor, and `linkerd check` not for a CA"
    );
    let unconstrained = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    for (certificate, missing) in [
        (made(rcgen::IsCa::ExplicitNoCa, vec![]), Some(SigningRight::BasicConstraints)),
        (made(unconstrained, vec![rcgen::KeyUsagePurpose::DigitalSignature]), Some(SigningRight::KeyUsage)),
        (made(unconstrained, vec![rcgen::KeyUsagePurpose::KeyCertSign]), None),
    ] {
        secret(&mut mesh).chain = Ok(chain(&certificate));
        let expected = missing.and_then(|missing| lacks(&certificate, missing));
        assert_eq!(outcome(&mesh, "issuer-is-ca"), expected);
    }
}

#[test]
fn the_secret_must_have_the_keys_of_its_scheme_and_a_key_that_belongs_to_the_issuer() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let strings = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let found = strings(&["ca.crt", "tls.crt", "tls.key"]);
    secret(&mut mesh).keys = found.clone();
    assert_eq!(
        outcome(&mesh, "issuer-secret-keys"),
        error(CheckFact::IssuerSecretKeys {
            secret: secret_ref(),
            scheme: Scheme::Linkerd,
            missing: strings(&["crt.pem", "key.pem"]),
            found,
        })
    );
    let secret_is = |key, mesh: &mut Mesh| {
        secret(mesh).key = key;
        outcome(mesh, "issuer-key-matches")
    };
    assert_eq!(
        secret_is(KeyState::Mismatch, &mut mesh),
        error(CheckFact::IssuerKeyMismatch { secret: secret_ref() })
    );
    assert_eq!(
        secret_is(KeyState::Missing, &mut mesh),
        error(CheckFact::IssuerKeyMissing { secret: secret_ref(), scheme: Scheme::Linkerd })
    );
    assert_eq!(
        secret_is(KeyState::Unreadable("encrypted".into()), &mut mesh),
        error(CheckFact::IssuerKeyUnreadable { secret: secret_ref(), said: "encrypted".into() })
    );
    assert_eq!(
        secret_is(KeyState::NotSeen, &mut mesh),
        unknown(l5d_rotate::finding::InputFact::IssuerKeyNotSeen { secret: secret_ref() })
    );
    mesh.issuer = Known::Absent;
    assert_eq!(
        outcome(&mesh, "issuer-secret-keys"),
        error(CheckFact::IssuerSecretMissing { secret: secret_ref() })
    );
}

#[test]
fn the_default_install_whose_issuer_is_the_anchor_is_a_warning() {
    let root = anchor("identity.linkerd.", "2026-01-01", "2027-01-01");
    let mesh = mesh(&[&root], &root);
    assert_eq!(
        outcome(&mesh, "issuer-is-not-anchor"),
        warning(CheckFact::IssuerIsAnchor { issuer: certificate(&root), secret: secret_ref() })
    );
    assert_eq!(not_passed(&mesh), ["issuer-is-not-anchor"]);
}
