//! What is said of workload certificates and of downtime, held against real handshakes.

use jiff::{SignedDuration, Timestamp, ToSpan};
use l5d_rotate::mesh::GoDuration;
use l5d_rotate::pki::{Authority, Bundle, BundleText, IssuerChain, Rules, accepts};
use l5d_rotate::rotation::recover::{Diagnosis, Issuance, Remaining, Stopped};
use rcgen::KeyPair;

use super::{told, twins};
use crate::support::checked::{at, chain, good_issuer, issuer, mesh, now, published, root};
use crate::support::pki::tls::{Proxy, handshake, key_pair};

const LIFE: SignedDuration = SignedDuration::from_secs(86_420);
/// 0.7 of it.
const REFRESH: SignedDuration = SignedDuration::from_secs(60_494);

/// A workload certificate as the identity controller issues it at an instant: valid for the lifetime and the skew, capped by its own file.
fn certificate(chain: &IssuerChain, signer: &Authority, issued: Timestamp) -> Proxy {
    let end = issued.checked_add(LIFE).unwrap().min(chain.first_to_expire().facts().not_after);
    let window = (issued - 20.seconds(), end);
    Proxy::issued(chain, &key_pair(signer), &KeyPair::generate().unwrap(), Some(window))
}

/// In each state in which issuance has stopped: what is said of the first and the last workload certificate is what real handshakes do, to the
/// second, and the controller's rules stop at the instant that is told.
#[test]
fn real_handshakes_hold_until_the_instants_that_are_told() {
    let good = root("root");
    let [short, long] = twins("root", "2026-05-31T12:00:00Z");
    let states = [
        (&good, issuer(&good, "2026-01-02", "2026-05-31")),
        (&short, issuer(&long, "2026-01-02", "2026-12-31")),
        (&short, issuer(&long, "2026-01-02", "2026-06-01T06:00:00Z")),
    ];
    for (anchor, signer) in states {
        let mesh = mesh(&[anchor], &signer);
        let Issuance::Stopped(Stopped { since, presented, .. }) = Diagnosis::of(&mesh, now()).issuance else {
            panic!()
        };
        let (anchors, chain) =
            (Bundle::new([anchor.certificate.clone()]).unwrap(), chain(&signer.certificate));
        let signs = |at| accepts(&anchors, &chain, &mesh.identity_name(), at, Rules::Controller).is_ok();
        assert!(signs(since) && !signs(since + 1.seconds()));
        let works = |proxy: &Proxy, at| handshake((&anchors, proxy), (&anchors, proxy), at).is_ok();
        let last = certificate(&chain, &signer, since);
        assert!(works(&last, presented.last) && !works(&last, presented.last + 1.seconds()));
        // The oldest certificate that a healthy proxy can have at that time: it was about to renew it.
        let first = certificate(&chain, &signer, since - REFRESH);
        let told = presented.first.unwrap();
        assert!(works(&first, told) && !works(&first, told + 1.seconds()));
    }
}

#[test]
fn an_expired_anchor_signed_anew_with_its_own_key_is_accepted_at_once_by_everybody() {
    let [short, long] = twins("root", "2026-05-31T12:00:00Z");
    let signer = issuer(&long, "2026-01-02", "2026-12-31");
    let mut mesh = mesh(&[&short], &signer);
    assert_eq!(Diagnosis::of(&mesh, now()).renewable, std::slice::from_ref(&short.certificate));
    let chain = chain(&signer.certificate);
    let bundle = |anchor: &Authority| Bundle::new([anchor.certificate.clone()]).unwrap();
    let controller =
        |anchor| accepts(&bundle(anchor), &chain, &mesh.identity_name(), now(), Rules::Controller);
    assert!(controller(&short).is_err());
    assert_eq!(controller(&long), Ok(()));
    // A proxy that still holds the expired certificate and one that holds the renewed one, with old certificate and new.
    let (before, after) = (
        certificate(&chain, &signer, short.certificate.facts().not_after),
        certificate(&chain, &signer, now()),
    );
    let (old, new) = (bundle(&short), bundle(&long));
    assert_eq!(handshake((&old, &before), (&new, &after), now()), Ok(()));
    assert_eq!(handshake((&new, &after), (&old, &before), now()), Ok(()));
    // Published, nothing is expired any more.
    published(&mut mesh).text = BundleText::read(long.certificate.to_pem());
    assert_eq!(told(&mesh), "expired []; issues until 2026-12-31T00:00:00Z; none");
}

#[test]
fn a_lifetime_over_a_day_is_renewed_daily_and_a_certificates_last_second_counts() {
    let [short, long] = twins("root", "2026-05-31T12:00:00Z");
    let mut mesh = mesh(&[&short], &issuer(&long, "2026-01-02", "2026-12-31"));
    mesh.control_plane.issuance_lifetime = GoDuration::from_secs(7 * 86_400);
    let Issuance::Stopped(stopped) = Diagnosis::of(&mesh, now()).issuance else { panic!() };
    // 7 days and 20 s, renewed after 24 h at most (not after 4.9 days).
    assert_eq!(stopped.presented.first, Some(at("2026-06-06T12:00:20Z")));
    assert_eq!(stopped.presented.last, at("2026-06-07T12:00:20Z"));
    let left = |time: &str| stopped.presented.left(at(time));
    assert_eq!(left("2026-06-06T12:00:20Z"), Remaining::All);
    assert_eq!(left("2026-06-06T12:00:21Z"), Remaining::Some);
    assert_eq!(left("2026-06-07T12:00:20Z"), Remaining::Some);
    assert_eq!(left("2026-06-07T12:00:21Z"), Remaining::None);
}

/// With a new anchor: who has restarted and who has not refuse each other, certificate valid or not. With a new issuer of an anchor that
/// everybody holds: nobody is refused but those whose certificate has expired.
#[test]
fn the_downtime_that_is_told_is_what_handshakes_do() {
    let good = root("good");
    let [short, long] = twins("root", "2026-05-31T12:00:00Z");
    let (old, new, alone) = (issuer(&long, "2026-01-02", "2026-12-31"), root("new"), good_issuer(&good));
    let bundle =
        |anchors: &[&Authority]| Bundle::new(anchors.iter().map(|one| one.certificate.clone())).unwrap();
    let of = |signer: &Authority, issued| certificate(&chain(&signer.certificate), signer, issued);
    let works = |(anchors, a): (&Bundle, &Proxy), (others, b): (&Bundle, &Proxy)| {
        let [calls, is_called] =
            [handshake((anchors, a), (others, b), now()), handshake((others, b), (anchors, a), now())];
        assert_eq!(calls.is_ok(), is_called.is_ok());
        calls.is_ok()
    };
    let end = short.certificate.facts().not_after;
    let (valid, ended) = (of(&old, end), of(&old, end - 24.hours()));
    assert!(now() <= end.checked_add(LIFE).unwrap() && now() > (end - 24.hours()).checked_add(LIFE).unwrap());

    let (before, after) = (bundle(&[&short]), bundle(&[&new]));
    let restarted = of(&good_issuer(&new), now());
    assert!(works((&before, &valid), (&before, &valid)) && works((&after, &restarted), (&after, &restarted)));
    assert!(!works((&before, &valid), (&after, &restarted)));

    let held = bundle(&[&short, &good]);
    let restarted = of(&alone, now());
    assert!(works((&held, &valid), (&held, &restarted)) && works((&held, &restarted), (&held, &restarted)));
    assert!(!works((&held, &ended), (&held, &restarted)));
}
