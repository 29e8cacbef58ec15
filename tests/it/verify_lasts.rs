//! No workload certificate outlives the first certificate of the issuer's file to expire: `verify` says so in time.

use jiff::{SignedDuration, Timestamp, ToSpan};
use l5d_rotate::finding::{Finding, Severity};
use l5d_rotate::mesh::{Era, Known, Mesh};
use l5d_rotate::pki::{IssuerChain, cross_sign};
use l5d_rotate::rotation::Record;
use l5d_rotate::verify::{self, Verdict, Verification};

use crate::support::pki;
use crate::support::rotation::*;

/// A mesh whose old anchor, and so a cross certificate that it signs, has so many hours left; and the issuer with it.
fn crossed(hours: i64) -> (Pki, Cluster, IssuerChain) {
    let now = time(STARTED);
    let new = mint_root("root.linkerd.cluster.local");
    let old = pki::anchor_until("root.linkerd.cluster.local", now + hours.hours());
    let cross = cross_sign(&new.certificate, &old, time("2026-05-31T00:00:00Z")).unwrap();
    let issuer = mint_chain(&new).issuer;
    let chain = IssuerChain { issuer, intermediates: vec![cross] };
    let pki = Pki { old_issuer: mint_chain(&old), new_issuer: chain.clone(), old, new };
    let cluster = Cluster::new(&pki, Era::V2_12);
    (pki, cluster, chain)
}

fn verified(current: &Mesh, at: Timestamp, change: impl Fn(&mut Mesh)) -> Verification {
    let mut proposed = current.clone();
    proposed.pods = Known::Absent;
    change(&mut proposed);
    verify::verify(current, &proposed, None, at, Vec::new())
}

fn codes(verified: &Verification) -> Vec<(&'static str, Severity)> {
    let about_time = ["issuer-too-short", "chain-expires-soon", "issuer-expiring"];
    let all = verified.findings.iter().map(|one: &Finding| (one.code(), one.severity));
    all.filter(|(code, _)| about_time.contains(code)).collect()
}

#[test]
fn a_cross_certificate_that_expires_soon_is_not_safe() {
    for (hours, expected) in [
        (2, Some(("issuer-too-short", Severity::Error))),
        (23, Some(("issuer-too-short", Severity::Error))),
        (40, Some(("chain-expires-soon", Severity::Error))),
        (48, Some(("chain-expires-soon", Severity::Error))),
        (49, Some(("issuer-expiring", Severity::Warning))),
        (24 * 59, Some(("issuer-expiring", Severity::Warning))),
        (24 * 61, None),
    ] {
        let (_, cluster, chain) = crossed(hours);
        let verified = verified(&cluster.mesh, cluster.now, |proposed| {
            let Known::Is(issuer) = &mut proposed.issuer else { panic!() };
            issuer.chain = Ok(chain.clone());
        });
        assert_eq!(codes(&verified), Vec::from_iter(expected), "{hours}");
        let is_unsafe = matches!(expected, Some((_, Severity::Error)));
        assert_eq!(verified.verdict, if is_unsafe { Verdict::Unsafe } else { Verdict::Safe }, "{hours}");
        // Shown is what ends first, not the issuer's own end.
        let ends = verified.changes.issuer.unwrap().ends_with.unwrap();
        assert_eq!(ends.facts().not_after, cluster.now + SignedDuration::from_hours(hours));
    }
}

/// Old proxies with certificates of the old issuer are not dead because a cross certificate that was never in place has expired.
#[test]
fn an_expired_cross_certificate_excuses_nothing_while_certificates_of_the_old_issuer_are_valid() {
    let (pki, mut cluster, chain) = crossed(96);
    let cross = chain.intermediates[0].clone();
    let bare = IssuerChain { intermediates: vec![], ..chain };
    let record =
        Record::cross_signed(&cluster.mesh, cluster.now, pki.new.certificate.clone(), bare.clone(), cross);
    let record = record.unwrap();
    cluster.bundle().text = text(&[&pki.old.certificate, &pki.new.certificate]);
    cluster.now += SignedDuration::from_hours(100);
    let mut proposed = cluster.mesh.clone();
    proposed.pods = Known::Absent;
    let Known::Is(issuer) = &mut proposed.issuer else { panic!() };
    issuer.chain = Ok(bare);
    let verified = verify::verify(&cluster.mesh, &proposed, Some(&record), cluster.now, Vec::new());
    assert!(verified.findings.iter().any(|one| one.code() == "peer-rejected"), "{:#?}", verified.findings);
    assert_eq!(verified.verdict, Verdict::Unsafe);
}

#[test]
fn a_chain_that_is_about_to_expire_is_told_beside_any_change_of_trust() {
    for (hours, expected) in [(5, vec![("issuer-too-short", Severity::Warning)]), (30, vec![])] {
        let (pki, mut cluster, chain) = crossed(hours);
        cluster.issuer().chain = Ok(chain);
        let both = text(&[&pki.old.certificate, &pki.new.certificate]);
        let verified = verified(&cluster.mesh, cluster.now, |proposed| {
            let Known::Is(published) = &mut proposed.trust.published else { panic!() };
            published.text = both.clone();
        });
        assert_eq!(codes(&verified), expected, "{hours}");
        assert_ne!(verified.verdict, Verdict::Unsafe);
    }
}
