//! The proxy's rules are those of a real mutual TLS handshake, configured as the proxy configures it.

use jiff::Timestamp;
use l5d_rotate::pki::{Authority, Bundle, Certificate, IssuerChain, Refusal, Rules, accepts, cross_sign};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};
use rustls::Error;

use crate::sizes;
use crate::support::pki;
use crate::support::pki::random::{self, Keys};
use crate::support::pki::tls::{Proxy, key_pair};
use crate::support::pki::{IDENTITY, anchor, at, bundle, chain, identity, issuer, now, tls};

/// Two proxies, one calling the other, both with this identity and these anchors.
fn handshake(anchors: &Bundle, proxy: &Proxy, at: Timestamp) -> Result<(), Error> {
    tls::handshake((anchors, proxy), (anchors, proxy), at)
}

/// What a real handshake says, having checked that our own verdict is the same.
fn proxies_accept(
    anchors: &Bundle,
    chain: &IssuerChain,
    signer: &Authority,
    at: Timestamp,
) -> Result<(), Refusal> {
    let real = handshake(anchors, &Proxy::new(chain, &key_pair(signer)), at);
    let ours = accepts(anchors, chain, &identity(), at, Rules::Proxy);
    assert_eq!(real.is_ok(), ours.is_ok(), "{real:?} {ours:?}");
    ours
}

fn controller_accepts(anchors: &Bundle, chain: &IssuerChain, at: Timestamp) -> Result<(), Refusal> {
    accepts(anchors, chain, &identity(), at, Rules::Controller)
}

#[test]
fn a_cross_signed_rotation_is_accepted_as_measured() {
    for (old_name, new_name) in [("root", "root"), ("old root", "new root")] {
        let (old, new) = (anchor(old_name), anchor(new_name));
        let cross = cross_sign(&new.certificate, &old, at("2026-02-01T00:00:00Z")).unwrap();
        assert!(new.certificate.is_self_signed() && !cross.is_self_signed());
        let (i_old, i_new) = (issuer(&old), issuer(&new));
        let bundles = [
            bundle([&old.certificate]),
            bundle([&new.certificate]),
            bundle([&old.certificate, &new.certificate]),
        ];
        for (signer, presented, expected) in [
            (&i_old, chain(&i_old.certificate, &[]), [true, false, true]),
            (&i_new, chain(&i_new.certificate, &[]), [false, true, true]),
            (&i_new, chain(&i_new.certificate, &[cross]), [true, true, true]),
        ] {
            let proxy =
                bundles.each_ref().map(|anchors| proxies_accept(anchors, &presented, signer, now()).is_ok());
            let controller =
                bundles.each_ref().map(|anchors| controller_accepts(anchors, &presented, now()).is_ok());
            assert_eq!((proxy, controller), (expected, expected));
        }
    }
}

/// A certificate of any shape, with its key.
struct Shape {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

impl Shape {
    fn new(name: &str, signer: Option<&Self>, change: impl Fn(&mut CertificateParams)) -> Self {
        Self::of_key(KeyPair::generate().unwrap(), name, signer, change)
    }

    fn of_key(
        key: KeyPair,
        name: &str,
        signer: Option<&Self>,
        change: impl Fn(&mut CertificateParams),
    ) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        change(&mut params);
        let signed = match signer {
            None => params.self_signed(&key),
            Some(signer) => params.signed_by(&key, &Issuer::from_params(&signer.params, &signer.key)),
        };
        let certificate = Certificate::from_der(signed.unwrap().der()).unwrap();
        Self { params, key, certificate }
    }
}

/// One row: what a proxy and the controller say of the last of `chain`'s issuers, "" for yes.
fn row(anchors: &[&Shape], chain: &[&Shape], proxy: &str, controller: &str) {
    let anchors = bundle(anchors.iter().map(|shape| &shape.certificate));
    let rest: Vec<_> = chain[1..].iter().map(|shape| shape.certificate.clone()).collect();
    let presented = pki::chain(&chain[0].certificate, &rest);
    let real = handshake(&anchors, &Proxy::new(&presented, &chain[0].key), now());
    let say =
        |verdict: Result<(), Refusal>| verdict.err().map(|refusal| refusal.to_string()).unwrap_or_default();
    let ours = say(accepts(&anchors, &presented, &identity(), now(), Rules::Proxy));
    assert_eq!(real.is_ok(), ours.is_empty(), "{real:?} {ours}");
    assert_eq!((&*ours, &*say(controller_accepts(&anchors, &presented, now()))), (proxy, controller));
}

fn plain(_: &mut CertificateParams) {}

#[test]
fn an_anchors_validity_counts_for_the_controller_only() {
    for (years, controller) in [
        ((2024, 2026), "`root` expired on 2026-01-01T00:00:00Z"),
        ((2027, 2036), "`root` is not valid before 2027-01-01T00:00:00Z"),
    ] {
        let root = Shape::new("root", None, |params| {
            (params.not_before, params.not_after) =
                (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        });
        let issuer = Shape::new("identity", Some(&root), plain);
        row(&[&root], &[&issuer], "", controller);
        // A second anchor does not make up for the first, nor does the bad one spoil the second.
        let other = Shape::new("other", None, plain);
        row(&[&root, &other], &[&issuer], "", controller);
        row(&[&root, &other], &[&Shape::new("identity", Some(&other), plain)], "", "");
    }
}

#[test]
fn an_issuers_validity_counts_for_both() {
    let root = Shape::new("root", None, plain);
    let over = Shape::new("identity", Some(&root), |params| params.not_after = date_time_ymd(2026, 5, 1));
    let message = "`identity` expired on 2026-05-01T00:00:00Z";
    row(&[&root], &[&over], message, message);
    let early = Shape::new("identity", Some(&root), |params| params.not_before = date_time_ymd(2026, 7, 1));
    let message = "`identity` is not valid before 2026-07-01T00:00:00Z";
    row(&[&root], &[&early], message, message);
}

#[test]
fn an_anchors_path_length_and_ca_flag_count_for_the_controller_only() {
    let short = Shape::new("root", None, |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let middle = Shape::new("middle", Some(&short), plain);
    let issuer = Shape::new("identity", Some(&middle), plain);
    let too_long = "more CA certificates stand below `root` than its path length allows";
    row(&[&short], &[&issuer, &middle], "", too_long);

    let flat = Shape::new("root", None, |params| params.is_ca = IsCa::ExplicitNoCa);
    let issuer = Shape::new("identity", Some(&flat), plain);
    let flat_message = "no anchor in the bundle signed `identity` (the bundle's `root` does not count: `root` may not sign \
                        certificates: it is not a CA certificate)";
    row(&[&flat], &[&issuer], "", flat_message);
}

#[test]
fn an_intermediates_path_length_counts_for_both() {
    let root = Shape::new("root", None, plain);
    let upper =
        Shape::new("upper", Some(&root), |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let lower = Shape::new("lower", Some(&upper), plain);
    let issuer = Shape::new("identity", Some(&lower), plain);
    let message = "more CA certificates stand below `upper` than its path length allows";
    row(&[&root], &[&issuer, &lower, &upper], message, message);
    // For proxies the end-entity certificate is the workload's, for the controller the issuer: one CA more for proxies.
    let issuer = Shape::new("identity", Some(&upper), plain);
    row(&[&root], &[&issuer, &upper], message, "");
}

#[test]
fn extended_key_usages_count_differently() {
    use ExtendedKeyUsagePurpose::{ClientAuth, CodeSigning, ServerAuth};
    let root = Shape::new("root", None, plain);
    let no = |usage: &str| format!("the extended key usage of `identity` does not allow {usage}");
    for (usages, proxy, controller) in [
        (vec![ServerAuth, ClientAuth], String::new(), String::new()),
        (vec![ServerAuth], no("clientAuth"), String::new()),
        (vec![ClientAuth], no("serverAuth"), no("serverAuth")),
        (vec![CodeSigning], no("serverAuth"), no("serverAuth")),
        (vec![ExtendedKeyUsagePurpose::Any], no("serverAuth"), String::new()),
    ] {
        let issuer =
            Shape::new("identity", Some(&root), |params| params.extended_key_usages = usages.clone());
        row(&[&root], &[&issuer], &proxy, &controller);
    }
    let root = Shape::new("root", None, |params| params.extended_key_usages = vec![ClientAuth]);
    let issuer = Shape::new("identity", Some(&root), plain);
    row(&[&root], &[&issuer], "", "the extended key usage of `root` does not allow serverAuth");
}

#[test]
fn key_usage_counts_for_the_controller_only_and_not_of_the_issuer() {
    let mute = |params: &mut CertificateParams| params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let root = Shape::new("root", None, plain);
    row(&[&root], &[&Shape::new("identity", Some(&root), mute)], "", "");
    let root = Shape::new("root", None, mute);
    row(
        &[&root],
        &[&Shape::new("identity", Some(&root), plain)],
        "",
        "no anchor in the bundle signed `identity` (the bundle's `root` does not count: `root` may not sign \
         certificates: its key usage lacks keyCertSign)",
    );
}

#[test]
fn the_issuer_must_be_a_ca_for_both() {
    let root = Shape::new("root", None, plain);
    let issuer = Shape::new("identity", Some(&root), |params| params.is_ca = IsCa::NoCa);
    row(
        &[&root],
        &[&issuer],
        "`identity` is not a CA certificate",
        "the issuer `identity` is not a CA certificate",
    );
}

#[test]
fn another_key_under_the_same_name_is_told_as_an_unknown_issuer() {
    let (root, namesake) = (Shape::new("root", None, plain), Shape::new("root", None, plain));
    let issuer = Shape::new("identity", Some(&root), plain);
    let message = "no anchor in the bundle signed `identity` (the bundle's `root` has the same name but a different key)";
    row(&[&namesake], &[&issuer], message, message);
    row(&[&namesake, &root], &[&issuer], "", "");
    let stranger = Shape::new("stranger", None, plain);
    let message = "no anchor in the bundle signed `identity` (it holds none named `root`)";
    row(&[&stranger], &[&issuer], message, message);
}

#[test]
fn name_constraints_look_at_the_workload_certificate_for_proxies_and_at_the_issuer_for_the_controller() {
    let only = |name: &str| NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(name.into())],
        excluded_subtrees: vec![],
    };
    let root = Shape::new("root", None, |params| params.name_constraints = Some(only("cluster.local")));
    row(&[&root], &[&Shape::new("identity", Some(&root), plain)], "", "");
    let root = Shape::new("root", None, |params| params.name_constraints = Some(only("example.com")));
    let proxy = format!(
        "the name constraints of `root` do not allow this chain: a workload certificate of `{IDENTITY}` is outside of them"
    );
    row(&[&root], &[&Shape::new("identity", Some(&root), plain)], &proxy, "");
    let named = Shape::new("identity", Some(&root), |params| {
        params.subject_alt_names =
            vec![SanType::DnsName("identity.linkerd.cluster.local".try_into().unwrap())];
    });
    let controller = "the name constraints of `root` do not allow this chain: DNS name \"identity.linkerd.cluster.local\" \
                      is not permitted by any constraint";
    row(&[&root], &[&named], &proxy, controller);
}

#[test]
fn an_issuer_that_is_the_anchor_itself_is_accepted_until_the_anchor_is_renewed_with_its_key() {
    let root = Shape::new("root", None, plain);
    row(&[&root], &[&root], "", "");
    let key = || KeyPair::try_from(root.key.serialize_der()).unwrap();
    let renewed = Shape::of_key(key(), "root", None, |params| params.not_after = date_time_ymd(2036, 1, 1));
    let controller = "no anchor in the bundle signed `root` (the bundle's `root` does not count: `root` has that name and \
                      the same key already, and the controller passes it over)";
    row(&[&renewed], &[&root], "", controller);
    row(&[&renewed], &[&Shape::new("identity", Some(&root), plain)], "", "");
}

#[test]
fn an_unknown_critical_extension_counts_for_both_but_not_in_a_proxys_anchor() {
    let strange = |params: &mut CertificateParams| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4, 5], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    };
    let root = Shape::new("root", None, plain);
    let message = "`identity` has a critical extension that Linkerd does not know";
    row(&[&root], &[&Shape::new("identity", Some(&root), strange)], message, message);
    let root = Shape::new("root", None, strange);
    let controller = "`root` has a critical extension that Linkerd does not know";
    row(&[&root], &[&Shape::new("identity", Some(&root), plain)], "", controller);
}

#[test]
fn an_issuer_that_cannot_sign_with_ecdsa_is_refused_by_its_own_name() {
    let root = Shape::new("root", None, plain);
    for algorithm in [&rcgen::PKCS_RSA_SHA256, &rcgen::PKCS_ED25519] {
        let issuer = Shape::of_key(KeyPair::generate_for(algorithm).unwrap(), "identity", Some(&root), plain);
        let presented = chain(&issuer.certificate, &[]);
        let refusal =
            accepts(&bundle([&root.certificate]), &presented, &identity(), now(), Rules::Proxy).unwrap_err();
        assert!(matches!(refusal, Refusal::IssuerKey { .. }), "{refusal}");
        // The controller loads it all the same, and fails at the first workload certificate.
        assert_eq!(controller_accepts(&bundle([&root.certificate]), &presented, now()), Ok(()));
    }
}

#[test]
fn anchors_of_every_kind_of_key_serve_both() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
        &rcgen::PKCS_RSA_SHA512,
    ] {
        let root = Shape::of_key(KeyPair::generate_for(algorithm).unwrap(), "root", None, plain);
        row(&[&root], &[&Shape::new("identity", Some(&root), plain)], "", "");
    }
}

#[test]
fn many_anchors_of_one_name_are_tried_until_the_verifiers_give_up() {
    let root = Shape::new("root", None, plain);
    let issuer = Shape::new("identity", Some(&root), plain);
    let namesakes: Vec<_> = (0..120).map(|_| Shape::new("root", None, plain)).collect();
    let with = |count: usize| namesakes[..count].iter().chain([&root]).collect::<Vec<_>>();
    let gave_up =
        "the verifier gave up after too many candidates: too many certificates share the name of the anchor";
    row(&with(40), &[&issuer], "", "");
    row(&with(120), &[&issuer], gave_up, gave_up);
}

#[test]
fn random_chains_meet_in_a_handshake_as_we_say() {
    let keys = Keys::new();
    let (mut accepted, mut refused, mut differ) = (0_u64, 0_u64, 0_u64);
    let cases = sizes::of(300, 600);
    for seed in 0..cases {
        let case = random::case(&keys, seed);
        let signer = keys.get(case.issuer_key);
        let real = handshake(&case.anchors, &Proxy::new(&case.chain, signer), now());
        let ours = accepts(&case.anchors, &case.chain, &identity(), now(), Rules::Proxy);
        // The controller signs with ECDSA only, so no handshake can be had of such an issuer's workload certificate.
        if !matches!(ours, Err(Refusal::IssuerKey { .. }))
            && signer.algorithm() == &rcgen::PKCS_ECDSA_P256_SHA256
        {
            assert_eq!(real.is_ok(), ours.is_ok(), "{real:?} {ours:?} {}", case.description);
            differ += u64::from(
                ours.is_ok()
                    != accepts(&case.anchors, &case.chain, &identity(), now(), Rules::Controller).is_ok(),
            );
        }
        *(if ours.is_ok() { &mut accepted } else { &mut refused }) += 1;
    }
    assert!(
        accepted * 6 > cases && refused * 6 > cases && differ * 20 > cases,
        "{accepted} {refused} {differ}"
    );
}
