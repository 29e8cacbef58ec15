//! To renew, a proxy is let in by the identity pods' own proxies with the certificate that it has: where they refuse it, time does
//! not mend it. Gates, `verify` and `recover` say so.

use jiff::ToSpan;
use l5d_rotate::finding::{Fact, Invariant, Opens, RecoveryFact, Severity, StepFact};
use l5d_rotate::mesh::{ChangeTime, Era, Held, Known};
use l5d_rotate::pki::BundleText;
use l5d_rotate::rotation::recover::Diagnosis;
use l5d_rotate::rotation::{Phase, Record};
use l5d_rotate::verify::{self, Verdict};

use crate::support::rotation::*;

/// A cluster right after the swap: identity signs with the new issuer, the data plane may still have certificates of the old one.
fn swapped() -> (Pki, Cluster, Record) {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 3));
    (pki, cluster, record)
}

/// Publishes the new anchor alone, whatever the gates say.
fn prune(pki: &Pki, cluster: &mut Cluster) {
    cluster.now += 10.minutes();
    let now = ChangeTime::At(cluster.now);
    let pruned = text(&[&pki.new.certificate]);
    cluster.bundle().text = pruned.clone();
    cluster.bundle().changed = now;
    cluster.mesh.trust.config = Known::Is(pruned);
    cluster.now += 5.minutes();
}

#[test]
fn identity_is_not_restarted_with_the_new_anchor_alone_while_somebody_may_ask_with_an_old_certificate() {
    let (pki, mut cluster, record) = swapped();
    let since = cluster.now;
    prune(&pki, &mut cluster);
    let restart = |cluster: &Cluster| planned(&cluster.plan(&record), step(Phase::Prune, 2));
    let finding = blocker(&restart(&cluster), Severity::Wait, "restart-refuses-requests");
    let Fact::Step(StepFact::RestartRefusesRequests { issuer, proxies, certain, why }) = finding.fact else {
        panic!()
    };
    assert_eq!(issuer.fingerprint, pki.old_issuer.issuer.fingerprint());
    assert!(proxies.sample.contains(&"emojivoto/web-0".to_owned()), "{proxies:?}");
    assert!(!certain && is_unsigned(&why), "{why}");
    let [Opens::At(end)] = finding.opens[..] else { panic!("{:?}", finding.opens) };
    assert!(end > since + 23.hours() && end < since + 25.hours(), "{end}");
    // Whoever has renewed by then asks with a new one.
    cluster.now = end + 1.second();
    assert!(!codes(&restart(&cluster), Severity::Wait).contains(&"restart-refuses-requests"));
}

#[test]
fn a_change_that_cuts_off_renewals_does_not_say_that_it_passes() {
    let (pki, mut cluster, record) = swapped();
    let current = cluster.mesh.clone();
    let at = cluster.now;
    prune(&pki, &mut cluster);
    let mut proposed = cluster.mesh;
    proposed.pods = Known::Absent;
    let verified = verify::verify(&current, &proposed, Some(&record), at, Vec::new());
    // Merged when every old certificate has been renewed, it is safe.
    assert!(matches!(verified.verdict, Verdict::SafeAfter(_)), "{:?}", verified.verdict);
    let trust = verified.findings.iter().filter_map(|one| match &one.fact {
        Fact::Trust(fact) => Some((one.code(), one.severity, fact)),
        _ => None,
    });
    let trust: Vec<_> = trust.collect();
    let codes: Vec<_> = trust.iter().map(|(code, severity, _)| (*code, *severity)).collect();
    assert_eq!(codes, [("peer-rejected", Severity::Wait), ("request-rejected", Severity::Wait)]);
    // Merged before, it does not pass: who asks with an old certificate never gets another.
    for (code, _, fact) in trust {
        assert_eq!(fact.rejection().until, None, "{code}");
        assert!(fact.rejection().presenter.pods.count > 0, "{code}");
    }
}

#[test]
fn a_change_that_is_safe_by_a_lifetime_that_nothing_tells_is_not_known_to_be() {
    let verdict = |cluster: &Cluster, (pki, record): (&Pki, &Record), is_told: bool, days: i64| {
        let mut current = cluster.mesh.clone();
        if !is_told {
            current.trust.config = Known::Absent;
            current.workloads.iter_mut().for_each(|one| one.template = None);
        }
        let mut proposed = current.clone();
        proposed.pods = Known::Absent;
        let Known::Is(published) = &mut proposed.trust.published else { panic!() };
        published.text = text(&[&pki.new.certificate]);
        let at = cluster.now + (24 * days).hours();
        let verified = verify::verify(&current, &proposed, Some(record), at, Vec::new());
        let assumed = verified.findings.iter().find(|one| one.code() == "lifetime-assumed");
        (verified.verdict, assumed.map(|one| one.severity))
    };
    // The data plane may have certificates of the old issuer until they have expired.
    let (pki, mut cluster, record) = swapped();
    let rotation = (&pki, &record);
    assert!(matches!(verdict(&cluster, rotation, true, 0), (Verdict::SafeAfter(_), None)));
    assert_eq!(verdict(&cluster, rotation, true, 3), (Verdict::Safe, None));
    for days in [0, 3] {
        let assumed = (Verdict::Unknown, Some(Severity::Unknown));
        assert_eq!(verdict(&cluster, rotation, false, days), assumed, "{days}");
    }
    // Nobody has any after restarts, however long they are valid.
    cluster.advance(&record, step(Phase::Prune, 1));
    assert_eq!(verdict(&cluster, (&pki, &record), false, 0), (Verdict::Safe, None));
}

#[test]
fn recover_names_proxies_that_identity_does_not_let_in() {
    let (pki, mut cluster, _) = fixture(Era::V2_10);
    let new = cluster.intern(text(&[&pki.new.certificate]));
    let identity = cluster.id("linkerd", "linkerd-identity");
    cluster.group(identity).held = Held::Literal(new);
    cluster.mesh.trust.identity = Some(BundleText::read(pki.old.certificate.to_pem()));
    let diagnosis = Diagnosis::of(&cluster.mesh, cluster.now);
    let named = diagnosis.rejected.iter().any(|one| match &one.fact {
        Fact::Recovery(RecoveryFact::ChainRejected { fails, .. }) => fails.contains(&Invariant::EveryRequest),
        _ => false,
    });
    assert!(named, "{:#?}", diagnosis.rejected);
}
