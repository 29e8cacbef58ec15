//! `linkerd-identity` and `linkerd-identity-data-plane`.

use l5d_rotate::check::{Category, Options, run};
use l5d_rotate::finding::{ChainPart, CheckFact, Fact, InputFact, Severity};
use l5d_rotate::mesh::{Era, Gap, Held, Injection, KeyState, Known, Mesh, NoChain, Plane, Unread};
use l5d_rotate::pki::{BundleText, Certificate};
use l5d_rotate::report::Screen;
use l5d_rotate::report::checks::{Row, Said, rows};

use crate::support::checked::{self, *};

const CONFIG: &str = "l5d-identity-cert-config-valid";
const CRYPTO: &str = "l5d-identity-trustAnchors-use-supported-crypto";
const TIME: &str = "l5d-identity-trustAnchors-are-time-valid";
const SOON: &str = "l5d-identity-trustAnchors-not-expiring-soon";
const ISSUER_CRYPTO: &str = "l5d-identity-issuer-cert-uses-supported-crypto";
const ISSUER_TIME: &str = "l5d-identity-issuer-cert-is-time-valid";
const ISSUER_SOON: &str = "l5d-identity-issuer-cert-not-expiring-soon";
const ISSUED: &str = "l5d-identity-issuer-cert-issued-by-trust-anchor";
const MATCH_CA: &str = "l5d-identity-data-plane-proxies-certs-match-ca";

/// What `linkerd check` prints, where it does not pass.
pub(super) type Text = Option<(Severity, String)>;

fn row(mesh: &Mesh, options: Options, code: &str) -> Row {
    let rows = rows(&run(mesh, options), &Screen::utc(now()));
    rows.into_iter().find(|row| row.code == code).unwrap_or_else(|| panic!("{code} does not apply"))
}

fn printed(row: Row) -> Text {
    row.outcome.map(|failed| match failed.said {
        Said::Linkerd(text) => (failed.severity, text),
        said @ Said::Ours { .. } => panic!("not in Linkerd's words: {said:?}"),
    })
}

pub(super) fn outcome(mesh: &Mesh, code: &str) -> Text {
    printed(row(mesh, options(), code))
}

pub(super) fn error(text: impl Into<String>) -> Text {
    Some((Severity::Error, text.into()))
}

fn warning(text: impl Into<String>) -> Text {
    Some((Severity::Warning, text.into()))
}

#[test]
fn a_healthy_mesh_passes_every_check_and_linkerds_stand_first_in_linkerds_order() {
    let root = root("root.linkerd.cluster.local");
    let checks = run(&mesh(&[&root], &good_issuer(&root)), options());
    let failed: Vec<_> = checks.iter().filter(|check| check.finding().is_some()).collect();
    assert_eq!(failed, Vec::<&l5d_rotate::check::Checked>::new());
    let linkerds: Vec<_> = rows(&checks, &Screen::utc(now()))
        .into_iter()
        .filter(|row| row.category != Category::Own)
        .map(|row| (row.code, row.description))
        .collect();
    assert_eq!(
        linkerds,
        [
            (CONFIG, "certificate config is valid"),
            (CRYPTO, "trust anchors are using supported crypto algorithm"),
            (TIME, "trust anchors are within their validity period"),
            (SOON, "trust anchors are valid for at least 60 days"),
            (ISSUER_CRYPTO, "issuer cert is using supported crypto algorithm"),
            (ISSUER_TIME, "issuer cert is within its validity period"),
            (ISSUER_SOON, "issuer cert is valid for at least 60 days"),
            (ISSUED, "issuer cert is issued by the trust anchor"),
            (MATCH_CA, "data plane proxies certificate match CA"),
        ]
    );
    assert!(checks.is_sorted_by_key(|check| check.category));
}

#[test]
fn missing_keys_are_named_as_linkerd_names_them() {
    let root = root("root");
    let needs = |key: &str, what: &str, external: bool| {
        error(format!(
            "key {key} containing the {what} needs to exist in secret linkerd-identity-issuer if \
             --identity-external-issuer={external}"
        ))
    };
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    secret(&mut mesh).keys = vec!["key.pem".into()];
    assert_eq!(outcome(&mesh, CONFIG), needs("crt.pem", "issuer certificate", false));
    secret(&mut mesh).keys = vec!["crt.pem".into()];
    assert_eq!(outcome(&mesh, CONFIG), needs("key.pem", "issuer key", true));
    external(&mut mesh, None);
    assert_eq!(outcome(&mesh, CONFIG), needs("ca.crt", "trust anchors", true));
    external(&mut mesh, Some(text(&[&root])));
    assert_eq!(outcome(&mesh, CONFIG), None);
    secret(&mut mesh).keys = vec!["ca.crt".into(), "crt.pem".into()];
    assert_eq!(outcome(&mesh, CONFIG), needs("tls.crt", "issuer certificate", true));
    secret(&mut mesh).keys = vec!["ca.crt".into(), "tls.crt".into()];
    assert_eq!(outcome(&mesh, CONFIG), needs("tls.key", "issuer key", true));
    mesh.issuer = Known::Absent;
    assert_eq!(outcome(&mesh, CONFIG), error("secrets \"linkerd-identity-issuer\" not found"));
}

#[test]
fn a_config_that_linkerd_cannot_use_fails_in_its_words() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    secret(&mut mesh).key = KeyState::Mismatch;
    assert_eq!(outcome(&mesh, CONFIG), error("tls: Public and private key do not match"));
    secret(&mut mesh).key = KeyState::Matches;
    mesh.trust.config = Known::Is(BundleText::read(pem(&[&root]) + "\n"));
    let (_, said) = outcome(&mesh, CONFIG).expect("a blank line at the end is an error to Go");
    assert!(said.starts_with("not a PEM certificate: line "), "{said}");
    secret(&mut mesh).chain = Err(NoChain::Unreadable("no PEM block".into()));
    assert_eq!(outcome(&mesh, CONFIG), error("could not parse issuer certificate: no PEM block"));
}

#[test]
fn up_to_2_9_ca_crt_must_be_what_the_configuration_has() {
    let (root, other) = (root("root"), root("other"));
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    external(&mut mesh, Some(text(&[&root])));
    mesh.trust.config = Known::Is(text(&[&other]));
    let differs = "IdentityContext.TrustAnchorsPem does not match ca.crt in linkerd-identity-issuer";
    for (era, expected) in [(Era::V2_7, error(differs)), (Era::V2_9, error(differs)), (Era::V2_10, None)] {
        mesh.control_plane.era = era;
        assert_eq!(outcome(&mesh, CONFIG), expected, "{era:?}");
    }
}

#[test]
fn anchors_outside_their_validity_are_listed_with_serial_and_name() {
    let (good, old, new) =
        (root("good"), anchor("old", "2020-01-01", "2026-05-01"), anchor("new", "2026-06-02", "2036-01-01"));
    let mesh = mesh(&[&good, &old, &new], &good_issuer(&good));
    let serial = |authority: &l5d_rotate::pki::Authority| authority.certificate.facts().serial.clone();
    assert_eq!(
        outcome(&mesh, TIME),
        error(format!(
            "Invalid anchors:\n\t* {} old not valid anymore. Expired on 2026-05-01T00:00:00Z\n\t* {} new \
             not valid before: 2026-06-02T00:00:00Z",
            serial(&old),
            serial(&new)
        ))
    );
    assert_eq!(
        outcome(&mesh, SOON),
        warning(format!(
            "Anchors expiring soon:\n\t* {} old will expire on 2026-05-01T00:00:00Z",
            serial(&old)
        ))
    );
}

#[test]
fn sixty_days_are_linkerds_whatever_threshold_is_asked() {
    let root = root("root");
    for (end, expected) in [
        ("2026-07-31T00:00:00Z", None),
        ("2026-07-30T23:59:59Z", warning("issuer certificate will expire on 2026-07-30T23:59:59Z")),
    ] {
        let mesh = mesh(&[&root], &issuer(&root, "2026-01-02", end));
        for days in [1, 60, 365] {
            let mut options = options();
            options.expiry_threshold = jiff::SignedDuration::from_hours(24 * days);
            assert_eq!(printed(row(&mesh, options, ISSUER_SOON)), expected, "{days}");
        }
    }
}

#[test]
fn an_issuer_outside_its_validity_fails() {
    let root = root("root");
    let over = mesh(&[&root], &issuer(&root, "2026-01-02", "2026-05-31"));
    assert_eq!(
        outcome(&over, ISSUER_TIME),
        error("issuer certificate is not valid anymore. Expired on 2026-05-31T00:00:00Z")
    );
    assert_eq!(
        outcome(&over, ISSUED),
        error(
            "x509: certificate has expired or is not yet valid: current time 2026-06-01T00:00:00Z is after \
             2026-05-31T00:00:00Z"
        )
    );
    let early = mesh(&[&root], &issuer(&root, "2026-06-02", "2026-12-31"));
    assert_eq!(
        outcome(&early, ISSUER_TIME),
        error("issuer certificate is not valid before: 2026-06-02T00:00:00Z")
    );
}

#[test]
fn an_issuer_of_another_anchor_fails_in_gos_words() {
    let (root, other) = (root("root"), root("other"));
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    mesh.trust.config = Known::Is(text(&[&other]));
    assert_eq!(outcome(&mesh, ISSUED), error("x509: certificate signed by unknown authority"));
    let same_name = crate::support::checked::root("root");
    mesh.trust.config = Known::Is(text(&[&same_name]));
    assert_eq!(
        outcome(&mesh, ISSUED),
        error(
            "x509: certificate signed by unknown authority (possibly because of \"x509: ECDSA verification \
             failure\" while trying to verify candidate authority certificate \"root\")"
        )
    );
}

#[test]
fn pain_14_linkerds_check_reads_the_copy_and_ours_the_published_bundle() {
    let (root, other) = (root("root"), root("other"));
    let mut mesh = mesh(&[&other], &good_issuer(&root));
    mesh.trust.config = Known::Is(text(&[&root]));
    assert_eq!(outcome(&mesh, ISSUED), None);
    let (severity, fact) = checked::outcome(&mesh, "issuer-accepted-by-bundle").unwrap();
    assert_eq!((severity, fact.code()), (Severity::Error, "identity-fails-to-start"));
    external(&mut mesh, Some(text(&[&other])));
    assert_eq!(outcome(&mesh, ISSUED), error("x509: certificate signed by unknown authority"));
}

#[test]
fn an_empty_copy_has_no_anchors_and_only_the_last_check_minds() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    mesh.trust.config = Known::Is(BundleText::read(""));
    let outcomes = [CONFIG, CRYPTO, TIME, SOON].map(|code| outcome(&mesh, code));
    assert_eq!(outcomes, [const { None }; 4]);
    assert_eq!(outcome(&mesh, ISSUED), error("x509: certificate signed by unknown authority"));
}

#[test]
fn what_could_not_be_read_is_unknown_by_name() {
    let root = root("root");
    let refused = || Unread::Refused("forbidden".into());
    let object_unknown = |object| unknown(InputFact::ObjectUnknown { object, why: refused() });
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    mesh.trust.config = Known::Unknown(refused());
    assert_eq!(checked::outcome(&mesh, TIME), object_unknown(config_ref()));
    mesh.issuer = Known::Unknown(refused());
    assert_eq!(checked::outcome(&mesh, CONFIG), object_unknown(secret_ref()));
    mesh.pods = Known::Absent;
    assert_eq!(checked::outcome(&mesh, MATCH_CA), unknown(InputFact::PodsNotGiven));
    mesh.pods = Known::Unknown(refused());
    assert_eq!(checked::outcome(&mesh, MATCH_CA), unknown(InputFact::PodsUnknown { why: refused() }));
}

#[test]
fn a_copy_of_the_issuer_proves_nothing_of_the_secret() {
    let root = root("root");
    let expiring = issuer(&root, "2026-01-02", "2026-07-01");
    let mut mesh = mesh(&[&root], &expiring);
    secret(&mut mesh).from_secret = false;
    let copy = |found: Option<Fact>| {
        let (secret, config) = (secret_ref(), config_ref());
        unknown(CheckFact::IssuerCopyChecked { secret, config, found: found.map(Box::new) })
    };
    let absent = unknown(InputFact::ObjectAbsent { object: secret_ref() });
    assert_eq!(checked::outcome(&mesh, CONFIG), absent);
    assert_eq!(checked::outcome(&mesh, ISSUER_TIME), copy(None));
    let soon = CheckFact::IssuerExpiring { certificate: certificate(&expiring), part: ChainPart::Issuer };
    assert_eq!(checked::outcome(&mesh, ISSUER_SOON), copy(Some(soon.into())));
    let why = Unread::Refused("forbidden".into());
    mesh.gaps = vec![Gap::object("secrets", "linkerd", "linkerd-identity-issuer", why.clone())];
    assert_eq!(
        checked::outcome(&mesh, CONFIG),
        unknown(InputFact::ObjectUnknown { object: secret_ref(), why })
    );
}

/// An anchor with a key of this kind, and an issuer with one of that kind below it.
fn with_keys(anchor: rcgen::KeyPair, issuer: rcgen::KeyPair) -> (Certificate, Certificate) {
    let params = |name: &str| {
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.serial_number = Some(rcgen::SerialNumber::from(7_u64));
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2036, 1, 1);
        params
    };
    let root = params("root").self_signed(&anchor).unwrap();
    let signer = rcgen::Issuer::new(params("root"), anchor);
    let issuer = params("issuer").signed_by(&issuer, &signer).unwrap();
    [root, issuer].map(|made| Certificate::from_der(made.der()).unwrap()).into()
}

#[test]
fn algorithms_are_judged_by_the_rules_of_the_era() {
    let p256 = || rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let p384 = || rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let rsa = || rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let anchors = |why: &str| error(format!("Invalid trustAnchors:\n\t* 7 root {why}"));
    let must = |what: &str| error(format!("issuer certificate {what}"));
    let p384_used = "must use P-256 curve for public key, instead P-384 was used";
    let rsa_used = "must use ECDSA for public key algorithm, instead RSA was used";
    let rsa_signed = "must be signed by an ECDSA P-256 key, instead SHA256-RSA was used";
    let cases = [
        (p256(), p256(), Era::V2_7, None, None),
        (
            p384(),
            p256(),
            Era::V2_12,
            anchors(p384_used),
            must("must be signed by an ECDSA P-256 key, instead another algorithm was used"),
        ),
        (p256(), p384(), Era::V2_12, None, must(p384_used)),
        (rsa(), p256(), Era::V2_12, None, None),
        (rsa(), p256(), Era::V2_11, anchors(rsa_used), must(rsa_signed)),
        (p256(), rsa(), Era::V2_12, None, must(rsa_used)),
    ];
    let base = root("base");
    for (anchor_key, issuer_key, era, anchor_outcome, issuer_outcome) in cases {
        let (anchor, issuer) = with_keys(anchor_key, issuer_key);
        let mut mesh = mesh(&[&base], &good_issuer(&base));
        mesh.control_plane.era = era;
        mesh.trust.config = Known::Is(BundleText::read(anchor.to_pem()));
        secret(&mut mesh).chain = Ok(chain(&issuer));
        assert_eq!(outcome(&mesh, CRYPTO), anchor_outcome, "{era:?}");
        assert_eq!(outcome(&mesh, ISSUER_CRYPTO), issuer_outcome, "{era:?}");
    }
}

#[test]
fn pitfall_15_bundles_are_compared_as_sets_so_order_and_format_are_no_mismatch() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&old));
    let reversed = format!("# a comment\r\n\n{}", pem(&[&new, &old])).replace('\n', "\r\n");
    proxies(&mut mesh, "voting", BundleText::read(reversed), &["voting-1"], 1);
    assert_eq!(outcome(&mesh, MATCH_CA), None);
}

#[test]
fn pods_with_another_bundle_are_listed_and_those_beyond_the_sample_counted() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&old));
    proxies(&mut mesh, "voting", text(&[&old]), &["voting-2", "voting-1"], 40);
    proxies(&mut mesh, "emoji", BundleText::read("nothing"), &["emoji-1"], 1);
    assert_eq!(
        outcome(&mesh, MATCH_CA),
        warning(
            "Some pods do not have the current trust bundle and must be restarted:\n\t* \
             emojivoto/emoji-1\n\t* emojivoto/voting-1\n\t* emojivoto/voting-2\n\t* … and 38 more"
        )
    );
}

#[test]
fn pitfall_14_control_plane_proxies_are_listed_only_where_their_bundle_is_literal() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&old));
    mesh.bundles.push(text(&[&old]));
    let held = Held::Literal(l5d_rotate::mesh::BundleId(mesh.bundles.len() - 1));
    let id = workload(&mut mesh, "linkerd", "linkerd-destination", Plane::Control, Injection::ControlPlane);
    group(&mut mesh, id, held, &["linkerd-destination-0"], 1);
    assert_eq!(outcome(&mesh, MATCH_CA), None);
    mesh.control_plane.era = Era::V2_10;
    assert_eq!(
        outcome(&mesh, MATCH_CA),
        warning(
            "Some pods do not have the current trust bundle and must be restarted:\n\t* \
             linkerd/linkerd-destination-0"
        )
    );
}
