//! What takes a mesh down, and what users suffered of it: the state that caused it, and the answer given.

use jiff::ToSpan;
use l5d_rotate::finding::{Fact, Opens, Severity, StepFact};
use l5d_rotate::mesh::{CertManagerCertificate, ChangeTime, Era};
use l5d_rotate::pki::{
    AnchorRequest, Authority, BundleText, IssuerChain, IssuerRequest, Refusal, Rules, mint_anchor,
    mint_issuer,
};
use l5d_rotate::rotation::{Confirmation, Phase, PlannedStep, Record};
use l5d_rotate::states::{Invariant, States, Violation};

use crate::support::mesh;
use crate::support::rotation::*;

fn states(cluster: &Cluster, record: &Record) -> States {
    States::of(&cluster.mesh, Some(&record.history()), cluster.now)
}

fn certain(violations: &[Violation]) -> Vec<Invariant> {
    let mut found: Vec<_> = violations.iter().filter(|one| one.certain).map(|one| one.invariant()).collect();
    found.dedup();
    found
}

pub fn at(cluster: &Cluster, record: &Record, phase: Phase, number: usize) -> PlannedStep {
    planned(&cluster.plan(record), step(phase, number))
}

/// Proxies that may still present a certificate that the remaining anchors refuse: how many, the first of them, until when.
fn presenting(prune: &PlannedStep) -> (u64, String, bool, Vec<Opens>) {
    let finding = blocker(prune, Severity::Wait, "certificates-refused");
    let Fact::Step(StepFact::CertificatesRefused { proxies, certain, why, .. }) = finding.fact else {
        panic!()
    };
    assert!(is_unsigned(&why), "{why}");
    (proxies.count, proxies.sample[0].clone(), certain, finding.opens)
}

/// Swaps the issuer now, whatever the gates say.
pub fn swap(cluster: &mut Cluster, record: &Record) {
    cluster.now += 10.minutes();
    let now = ChangeTime::At(cluster.now);
    cluster.issuer().chain = Ok(record.issuer.clone());
    cluster.issuer().changed = now;
    cluster.now += 5.minutes();
}

fn mint(name: &str, from: &str, to: &str) -> Authority {
    let request = AnchorRequest { common_name: name.into(), not_before: time(from), not_after: time(to) };
    mint_anchor(&request).unwrap()
}

fn chain(anchor: &Authority, from: &str, to: &str) -> IssuerChain {
    let request = IssuerRequest {
        common_name: "identity.linkerd.cluster.local".into(),
        dns_names: vec![],
        not_before: time(from),
        not_after: time(to),
    };
    IssuerChain { issuer: mint_issuer(&request, anchor).unwrap().certificate, intermediates: vec![] }
}

#[test]
fn pitfall_1_a_premature_swap_breaks_every_renewal_once_an_identity_controller_signs() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let now = states(&cluster, &record);
    // A running controller skips it, and goes on: nobody is refused.
    let skipped = now.swapping(&record.issuer);
    assert_eq!(certain(&skipped.violations(cluster.now)), [Invariant::ControllerStarts]);
    let [presented] = &skipped.presented[..] else { panic!("{:?}", skipped.presented) };
    assert_eq!(presented.what, now.presented[0].what);
    // A step asks what would be if it did not.
    let simulated = now.swapping_for_all(&record.issuer);
    let all = [
        Invariant::ControllerStarts,
        Invariant::EveryRequest,
        Invariant::EveryPair,
        Invariant::ControllerSigns,
    ];
    assert_eq!(certain(&simulated.violations(cluster.now)), all);
    cluster.advance(&record, step(Phase::Bundle, 3));
    swap(&mut cluster, &record);
    let identity = cluster.id("linkerd", "linkerd-identity");
    cluster.restart(identity);
    let violations = states(&cluster, &record).violations(cluster.now);
    assert!(certain(&violations).contains(&Invariant::EveryRenewal), "{violations:?}");
    let refusal = &violations.iter().find(|one| one.invariant() == Invariant::EveryRenewal).unwrap().refusal;
    assert!(matches!(refusal, Refusal::UnknownIssuer { .. }), "{refusal}");
}

#[test]
fn pitfall_2_pain_2_prune_names_who_still_presents_an_old_certificate_and_until_when() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 3));
    let end = cluster.now - 5.minutes() + 86_420.seconds();
    let expected = (5, "linkerd/linkerd-destination-0".to_owned(), false, vec![Opens::At(end)]);
    assert_eq!(presenting(&at(&cluster, &record, Phase::Prune, 1)), expected);
    cluster.now = end;
    assert_ne!(
        codes(&at(&cluster, &record, Phase::Prune, 1), Severity::Wait),
        [""; 0],
        "the last instant of the certificate"
    );
    cluster.now += 1.second();
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Prune, 1)).blocked, []);
}

#[test]
fn pitfall_3_pain_3_an_identity_controller_with_the_old_bundle_skips_the_new_issuer() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)));
    let web = cluster.id("emojivoto", "web");
    cluster.restart(web);
    swap(&mut cluster, &record);
    let now = states(&cluster, &record);
    let [controller] = &now.controllers[..] else { panic!("{:?}", now.controllers) };
    assert!(
        controller.certain && controller.what.1 == pki.old_issuer,
        "it signs with the old issuer for sure"
    );
    assert_eq!(certain(&now.violations(cluster.now)), []);
    let prune = at(&cluster, &record, Phase::Prune, 1);
    let fact = step_fact(&prune, Severity::Error, "identity-signs-refused");
    let StepFact::IdentitySignsRefused { replicas, certain, .. } = fact else { panic!() };
    assert_eq!(
        (replicas.count, replicas.sample, certain),
        (1, vec!["linkerd/linkerd-identity-0".into()], true)
    );
}

#[test]
fn pitfall_4_a_bundle_that_refuses_the_secrets_issuer_stops_the_next_identity_controller() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    cluster.bundle().text = text(&[&pki.new.certificate]);
    let violations = states(&cluster, &record).violations(cluster.now);
    assert_eq!(violations[0].invariant(), Invariant::ControllerStarts);
    assert_eq!((violations[0].certain, violations[0].rules()), (true, Rules::Controller));
    step_fact(&at(&cluster, &record, Phase::Bundle, 3), Severity::Error, "restart-stops-identity");
}

#[test]
fn pitfall_5_a_restart_of_identity_after_an_early_swap_activates_the_new_issuer() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)));
    swap(&mut cluster, &record);
    let before = states(&cluster, &record);
    assert_eq!(certain(&before.violations(cluster.now)), []);
    let identity = cluster.id("linkerd", "linkerd-identity");
    let after = before.restarted(|id| id == identity);
    assert!(certain(&after.violations(cluster.now)).contains(&Invariant::EveryRenewal));
    assert!(after.controllers[0].certain && after.controllers[0].what.1 == record.issuer);
}

#[test]
fn pitfall_6_pain_4_after_a_missed_reload_prune_is_never_ready_however_long_one_waits() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 2));
    for id in 0..cluster.mesh.workloads.len() {
        let id = l5d_rotate::mesh::WorkloadId(id);
        if cluster.mesh.workload(id).object.name != "linkerd-identity" {
            cluster.restart(id);
        }
    }
    cluster.now += 96.hours();
    let finding = blocker(&at(&cluster, &record, Phase::Prune, 1), Severity::Wait, "identity-signs-refused");
    let Fact::Step(StepFact::IdentitySignsRefused { replicas, certain, .. }) = finding.fact else { panic!() };
    assert_eq!(
        (replicas.count, replicas.sample, certain),
        (1, vec!["linkerd/linkerd-identity-0".into()], false)
    );
    let identity = cluster.mesh.workload(cluster.id("linkerd", "linkerd-identity")).object.clone();
    assert_eq!(finding.opens, [Opens::Restart(vec![identity])]);
}

#[test]
fn pitfall_9_a_bundle_that_the_controller_cannot_read_is_a_start_that_fails() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let pem = cluster.published().text().to_owned();
    cluster.bundle().text = BundleText::read(format!("{pem}\n# our root\n"));
    let now = states(&cluster, &record);
    let violations = now.violations(cluster.now);
    assert_eq!((violations[0].invariant(), violations[0].certain), (Invariant::ControllerStarts, true));
    assert!(matches!(violations[0].refusal, Refusal::BundleUnreadable { .. }), "{}", violations[0].refusal);
    let mended = now.publishing(&record.bundle_for(Phase::Bundle, &cluster.mesh));
    assert_eq!(mended.violations(cluster.now), [], "phase bundle publishes it strictly");
}

#[test]
fn pitfall_10_an_expired_anchor_beside_a_valid_one_breaks_nothing() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    let expired = mint("expired", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z").certificate;
    cluster.bundle().text = text(&[&pki.old.certificate, &expired]);
    assert_eq!(states(&cluster, &record).violations(cluster.now), []);
}

#[test]
fn pitfall_11_pain_5_an_expired_anchor_and_the_issuer_that_expires_with_it_break_everything_from_then_on() {
    let old = mint("root", "2026-01-01T00:00:00Z", "2026-06-10T00:00:00Z");
    let new = mint_root("new");
    let issuer = chain(&old, "2026-01-02T00:00:00Z", "2027-01-01T00:00:00Z");
    let new_issuer = mint_chain(&new);
    let pki = Pki { old, new, old_issuer: issuer, new_issuer };
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let record = pki.record(&cluster.mesh, l5d_rotate::rotation::Strategy::Staged);
    assert_eq!(states(&cluster, &record).violations(cluster.now), []);
    cluster.now = time("2026-06-11T00:00:00Z");
    let violations = states(&cluster, &record).violations(cluster.now);
    assert_eq!((certain(&violations)[0], violations.len()), (Invariant::ControllerStarts, 4));
    assert!(violations.iter().all(|one| one.refusal.to_string().contains("expired")), "{violations:?}");
}

#[test]
fn pitfall_16_workload_certificates_expire_with_the_first_certificate_of_their_chain() {
    let old = mint_root("old");
    let issuer = chain(&old, "2026-01-02T00:00:00Z", "2026-06-01T02:00:00Z");
    let new = mint_root("new");
    let new_issuer = mint_chain(&new);
    let pki = Pki { old, new, old_issuer: issuer.clone(), new_issuer };
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let record = pki.record(&cluster.mesh, l5d_rotate::rotation::Strategy::Staged);
    cluster.advance(&record, step(Phase::Issuer, 3));
    let now = states(&cluster, &record);
    let old = now.presented.iter().find(|presented| presented.what == issuer).unwrap();
    assert_eq!(old.until, Some(issuer.issuer.facts().not_after), "and not a lifetime after the swap");
}

#[test]
fn pitfall_20_a_renewal_by_cert_manager_within_the_step_holds_it_up() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let renewed_at = |at| CertManagerCertificate {
        renewal_time: Some(at),
        ..mesh::certificate("cert-manager", "linkerd-trust-anchor")
    };
    cluster.mesh.certificates = vec![renewed_at(cluster.now + 3.hours())];
    let finding = blocker(&at(&cluster, &record, Phase::Bundle, 1), Severity::Unknown, "renewal-due");
    let Fact::Step(StepFact::RenewalDue { certificate, due, .. }) = &finding.fact else { panic!() };
    assert_eq!((certificate.name.as_str(), *due), ("linkerd-trust-anchor", cluster.now + 3.hours()));
    assert!(finding.is_confirmed_by(Confirmation::RenewalSuspended));
    cluster.confirmed.insert(Confirmation::RenewalSuspended);
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Bundle, 1)).blocked, []);
    cluster.confirmed.clear();
    cluster.mesh.certificates = vec![renewed_at(cluster.now + 300.hours())];
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Bundle, 1)).blocked, []);
}

#[test]
fn an_issuer_that_cert_manager_renews_every_day_holds_up_the_swap_and_prune_until_that_is_suspended() {
    for at in [step(Phase::Bundle, 1), step(Phase::Bundle, 2), step(Phase::Issuer, 1), step(Phase::Prune, 1)]
    {
        let (_, mut cluster, record) = fixture(Era::V2_12);
        cluster.advance(&record, at);
        cluster.mesh.certificates = vec![CertManagerCertificate {
            renewal_time: Some(cluster.now + 18.hours()),
            ..mesh::certificate("linkerd", "linkerd-identity-issuer")
        }];
        let found = planned(&cluster.plan(&record), at).blocked;
        let is_held_up = found.iter().any(|one| one.is_confirmed_by(Confirmation::RenewalSuspended));
        assert_eq!(is_held_up, at.phase != Phase::Bundle, "{at}: {found:?}");
        cluster.confirmed.insert(Confirmation::RenewalSuspended);
        assert_eq!(planned(&cluster.plan(&record), at).blocked, []);
    }
}

#[test]
fn pitfall_21_an_anchor_that_begins_in_the_future_of_some_clock_is_not_published() {
    let (_, mut cluster, _) = fixture(Era::V2_12);
    let begin = "2026-06-01T00:00:10Z";
    let new = mint("new", begin, "2036-01-01T00:00:00Z");
    let new_issuer = chain(&new, begin, "2027-01-01T00:00:00Z");
    cluster.now = time("2026-06-01T00:00:20Z");
    let scope = l5d_rotate::rotation::Scope::Full { anchor: new.certificate };
    let strategy = l5d_rotate::rotation::Strategy::Staged;
    let record = Record::new(&cluster.mesh, cluster.now, strategy, scope, new_issuer, false).unwrap();
    let waits = blocker(&at(&cluster, &record, Phase::Bundle, 1), Severity::Wait, "certificate-not-begun");
    assert_eq!(waits.opens, [Opens::At(time("2026-06-01T00:00:30Z"))]);
    cluster.now += 10.seconds();
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Bundle, 1)).blocked, []);
}

#[test]
fn a_rotation_whose_own_certificates_have_expired_is_started_anew() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    let issuer = &pki.new_issuer.issuer;
    cluster.now = issuer.facts().not_after;
    let said = codes(&at(&cluster, &record, Phase::Bundle, 1), Severity::Error);
    assert_eq!(said, [""; 0], "its last instant is a valid one");
    cluster.now += 1.second();
    for at in record.steps() {
        let fact = step_fact(&planned(&cluster.plan(&record), at), Severity::Error, "rotation-expired");
        let StepFact::RotationExpired { certificate, direction } = fact else { panic!() };
        assert_eq!((certificate.fingerprint, direction), (issuer.fingerprint(), record.direction), "{at}");
    }
}

#[test]
fn pitfall_22_replicas_that_reload_at_different_times_sign_with_both_issuers() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 2));
    let identity = |replica: &&mut l5d_rotate::mesh::Replica| replica.container == "identity";
    let mut second = cluster.mesh.control_plane.replicas.iter_mut().find(identity).unwrap().clone();
    second.pod = "linkerd-identity-1".into();
    second.started = Some(cluster.now);
    cluster.mesh.control_plane.replicas.push(second);
    cluster.now += 1.hour();
    let web = cluster.id("emojivoto", "web");
    cluster.restart(web);
    let now = states(&cluster, &record);
    assert_eq!(now.controllers.len(), 2);
    assert_eq!(
        now.presented.len(),
        2,
        "even a proxy that just started may have a workload certificate of either"
    );
    let (count, first, certain, _) = presenting(&at(&cluster, &record, Phase::Prune, 1));
    assert_eq!((count, first.as_str(), certain), (6, "linkerd/linkerd-destination-0", false));
}
