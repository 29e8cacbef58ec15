//! What takes a mesh down (pitfalls) and what users suffered (pains): the state that caused it, and the answer given.

use jiff::ToSpan;
use l5d_rotate::document::ObjectRef;
use l5d_rotate::finding::{Fact, Finding, InputFact, Opens, Severity, StepFact, WhyRefused};
use l5d_rotate::mesh::{CertManagerCertificate, ChangeTime, Era, Held, Known, Owner, Starts, Unread};
use l5d_rotate::pki::{
    AnchorRequest, Authority, BundleText, IssuerChain, IssuerRequest, Refusal, Rules, mint_anchor,
    mint_issuer,
};
use l5d_rotate::rotation::{Confirmation, Phase, PlannedStep, Record, Stage, StepState};
use l5d_rotate::states::{Invariant, States, Violation};

use crate::support::rotation::*;

fn states(cluster: &Cluster, record: &Record) -> States {
    States::of(&cluster.mesh, Some(&record.history()), cluster.now)
}

fn certain(violations: &[Violation]) -> Vec<Invariant> {
    let mut found: Vec<_> = violations.iter().filter(|one| one.certain).map(|one| one.invariant()).collect();
    found.dedup();
    found
}

fn at(cluster: &Cluster, record: &Record, phase: Phase, number: usize) -> PlannedStep {
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
fn swap(cluster: &mut Cluster, record: &Record) {
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
        object: ObjectRef::new("cert-manager.io/v1", "Certificate", "cert-manager", "linkerd-trust-anchor"),
        secret: "linkerd-trust-anchor".into(),
        is_ca: true,
        duration: None,
        renew_before: None,
        rotation_policy: None,
        renewal_time: Some(at),
        signer: None,
        renewal_disabled: false,
        generation: None,
        request: None,
        requested: None,
        last_failure: None,
        failed_attempts: None,
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
            object: ObjectRef::new("cert-manager.io/v1", "Certificate", "linkerd", "linkerd-identity-issuer"),
            secret: "linkerd-identity-issuer".into(),
            is_ca: true,
            duration: None,
            renew_before: None,
            rotation_policy: None,
            renewal_time: Some(cluster.now + 18.hours()),
            signer: None,
            renewal_disabled: false,
            generation: None,
            request: None,
            requested: None,
            last_failure: None,
            failed_attempts: None,
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

#[test]
fn no_restart_of_the_data_plane_without_a_running_injector() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Bundle, 3));
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Bundle, 3)).blocked, []);
    for replica in &mut cluster.mesh.control_plane.replicas {
        if replica.container == "proxy-injector" {
            replica.started = None;
        }
    }
    step_fact(&at(&cluster, &record, Phase::Bundle, 3), Severity::Wait, "injector-not-running");
    cluster.mesh.pods = Known::Absent;
    blocker(&at(&cluster, &record, Phase::Bundle, 3), Severity::Unknown, "pods-not-given");
}

#[test]
fn the_swap_waits_while_the_next_upgrade_would_publish_the_old_anchors_again() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 1));
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Issuer, 1)).blocked, []);
    cluster.mesh.trust.config = Known::Is(text(&[&pki.old.certificate]));
    let fact = step_fact(&at(&cluster, &record, Phase::Issuer, 1), Severity::Wait, "upgrade-reverts-bundle");
    let StepFact::UpgradeRevertsBundle { config, value, why, .. } = fact else { panic!() };
    assert_eq!((config.name.as_str(), value), ("linkerd-config", "identityTrustAnchorsPEM"));
    assert!(matches!(&why, WhyRefused::Refusal(why) if is_unsigned(why)), "{why:?}");
    cluster.mesh.control_plane.external_ca = true;
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Issuer, 1)).blocked, []);
}

#[test]
fn without_linkerd_config_the_swap_waits_until_somebody_has_looked_at_the_value() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 1));
    let swap = |cluster: &Cluster| planned(&cluster.plan(&record), step(Phase::Issuer, 1)).blocked;
    for config in [Known::Absent, Known::Unknown(Unread::Refused("jane may not".into()))] {
        cluster.mesh.trust.config = config;
        let finding =
            blocker(&at(&cluster, &record, Phase::Issuer, 1), Severity::Unknown, "upgrade-not-judged");
        let Fact::Step(StepFact::UpgradeNotJudged { config, value, why, .. }) = &finding.fact else {
            panic!()
        };
        assert_eq!((config.name.as_str(), *value), ("linkerd-config", "identityTrustAnchorsPEM"));
        assert_eq!(why.is_some(), matches!(cluster.mesh.trust.config, Known::Unknown(_)));
        assert!(finding.is_confirmed_by(Confirmation::UpgradeKeepsBundle));
        cluster.confirmed.insert(Confirmation::UpgradeKeepsBundle);
        assert_eq!(swap(&cluster), []);
        cluster.confirmed.clear();
    }
    // No step but the swap needs it.
    assert_eq!(
        planned(&cluster.plan(&record), step(Phase::Issuer, 2))
            .blocked
            .iter()
            .find(|one| one.code() == "upgrade-not-judged"),
        None
    );
    // Who publishes the anchors otherwise, or has given the chart none, loses nothing by an upgrade.
    cluster.mesh.control_plane.external_ca = true;
    assert_eq!(swap(&cluster), []);
    cluster.mesh.control_plane.external_ca = false;
    cluster.own("ConfigMap", "linkerd-config", Owner::LinkerdCli);
    cluster.mesh.trust.config = Known::Absent;
    assert_eq!(swap(&cluster), []);
}

#[test]
fn where_linkerd_config_is_the_bundle_itself_nothing_of_an_upgrade_is_missing() {
    for era in [Era::V2_9, Era::V2_10] {
        let (_, mut cluster, record) = fixture(era);
        cluster.advance(&record, step(Phase::Issuer, 1));
        cluster.mesh.trust.config = Known::Absent;
        let codes = codes(&at(&cluster, &record, Phase::Issuer, 1), Severity::Unknown);
        assert!(!codes.contains(&"upgrade-not-judged"), "{codes:?}");
    }
}

#[test]
fn a_copy_that_cannot_be_read_is_no_copy_that_accepts_the_issuer() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 1));
    cluster.mesh.trust.config = Known::Is(BundleText::read("-----BEGIN CERTIFICATE-----\nno\n"));
    let fact = step_fact(&at(&cluster, &record, Phase::Issuer, 1), Severity::Wait, "upgrade-reverts-bundle");
    let StepFact::UpgradeRevertsBundle { why, .. } = fact else { panic!() };
    assert!(matches!(why, WhyRefused::Unreadable(_)), "{why:?}");
}

#[test]
fn whoever_waits_for_certificates_to_expire_must_know_how_long_they_are_valid() {
    let waiting = |strategy, unread: bool| {
        let (pki, mut cluster, _) = fixture(Era::V2_12);
        let record = pki.record(&cluster.mesh, strategy);
        cluster.advance(&record, step(Phase::Prune, 1));
        if unread {
            cluster.mesh.trust.config = Known::Unknown(Unread::Refused("jane may not".into()));
            cluster.mesh.workloads.iter_mut().for_each(|one| one.template = None);
        }
        let prune = at(&cluster, &record, Phase::Prune, 1);
        codes(&prune, Severity::Unknown).contains(&"lifetime-assumed")
    };
    use l5d_rotate::rotation::Strategy::{CrossSigned, Patient, Staged};
    for strategy in [Patient, CrossSigned] {
        assert!(waiting(strategy, true) && !waiting(strategy, false), "{strategy}");
    }
    assert!(!waiting(Staged, true), "restarts take the place of time");
}

/// Who must be prepared outside the cluster.
fn outside(finding: &Finding) -> Vec<String> {
    match &finding.fact {
        Fact::Step(
            StepFact::ExternalWorkloadsFirst { names, .. } | StepFact::LinkedClustersFirst { names, .. },
        ) => names.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_lies_outside_the_cluster_is_unknown_until_it_is_confirmed_and_then_still_told() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.mesh.external_workloads = vec!["vms/legacy".into()];
    cluster.mesh.links = vec!["linkerd-multicluster/west".into()];
    for at in [step(Phase::Issuer, 1), step(Phase::Prune, 1)] {
        cluster.confirmed.clear();
        cluster.advance(&record, at);
        let unconfirmed = planned(&cluster.plan(&record), at);
        assert_eq!(
            (unconfirmed.blocked.len(), unconfirmed.confirmed.len()),
            (2, 0),
            "{:?}",
            unconfirmed.blocked
        );
        for (code, name, confirmation) in [
            ("external-workloads-first", "vms/legacy", Confirmation::ExternalWorkloads),
            ("linked-clusters-first", "linkerd-multicluster/west", Confirmation::LinkedClusters),
        ] {
            let finding = blocker(&unconfirmed, Severity::Unknown, code);
            assert_eq!(
                (outside(&finding), finding.is_confirmed_by(confirmation)),
                (vec![name.to_owned()], true)
            );
        }
        cluster.confirmed.insert(Confirmation::ExternalWorkloads);
        assert_eq!(planned(&cluster.plan(&record), at).blocked.len(), 1);
        cluster.confirmed.insert(Confirmation::LinkedClusters);
        let ready = planned(&cluster.plan(&record), at);
        assert_eq!((ready.blocked.len(), ready.confirmed.len()), (0, 2));
        assert_eq!(outside(&ready.confirmed[0]), ["vms/legacy"]);
    }
}

#[test]
fn with_a_dump_without_change_times_a_step_is_ready_once_the_restart_is_confirmed() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 1));
    cluster.bundle().changed = ChangeTime::Since(time(INSTALLED));
    let swap = |cluster: &Cluster| planned(&cluster.plan(&record), step(Phase::Issuer, 1));
    let waits = blocker(&swap(&cluster), Severity::Unknown, "step-order-unknown");
    assert!(waits.is_confirmed_by(Confirmation::ControlPlaneRestarted), "{waits:?}");
    cluster.confirmed.insert(Confirmation::ControlPlaneRestarted);
    let ready = swap(&cluster);
    assert_eq!(ready.blocked, []);
    let object = cluster.mesh.bundle_home();
    assert_eq!(ready.confirmed, [Finding::new(Severity::Note, StepFact::RestartConfirmed { object })]);
    // A time that is known is not talked away.
    let now = cluster.now;
    cluster.bundle().changed = ChangeTime::At(now);
    assert!(waits_for(&swap(&cluster), step(Phase::Bundle, 2), 0, 5), "{:?}", swap(&cluster).blocked);
    assert_eq!(swap(&cluster).confirmed, []);
}

#[test]
fn pods_that_are_not_all_do_once_they_are_confirmed_to_be_and_unread_ones_never_do() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 1));
    cluster.mesh.pods = Known::Unknown(Unread::NoDataPlane);
    let swap = |cluster: &Cluster| planned(&cluster.plan(&record), step(Phase::Issuer, 1));
    let is_confirmable = |planned: &PlannedStep| {
        planned.blocked.iter().any(|one| one.is_confirmed_by(Confirmation::AllPodsSeen))
    };
    assert!(is_confirmable(&swap(&cluster)));
    cluster.confirmed.insert(Confirmation::AllPodsSeen);
    let ready = swap(&cluster);
    assert_eq!(ready.blocked, []);
    assert_eq!(ready.confirmed, [Finding::new(Severity::Note, StepFact::PodsConfirmed)]);
    // A list that may not be read is not talked away.
    cluster.mesh.pods = Known::Unknown(Unread::Refused("forbidden".into()));
    let unread = swap(&cluster);
    assert!(!is_confirmable(&unread));
    assert!(unread.blocked.iter().any(|one| matches!(one.fact, Fact::Input(InputFact::PodsUnknown { .. }))));
    assert_eq!(unread.confirmed, []);
}

#[test]
fn without_pods_no_precondition_about_them_is_met() {
    let (_, _, record) = fixture(Era::V2_12);
    for until in record.steps().into_iter().filter(|until| *until != step(Phase::Bundle, 1)) {
        let (_, mut cluster, record) = fixture(Era::V2_12);
        cluster.advance(&record, until);
        cluster.mesh.pods = Known::Absent;
        cluster.mesh.proxies.clear();
        cluster.mesh.control_plane.replicas.clear();
        let planned = planned(&cluster.plan(&record), until);
        let ready = planned.blocked.is_empty() && planned.state != StepState::Done;
        let restarts_control_plane = until.stage == Stage::ControlPlane;
        assert!(!ready || restarts_control_plane, "{until}: {:?}", planned.state);
    }
}

#[test]
fn a_proxy_with_an_older_bundle_than_its_workload_is_named_with_the_verifiers_reason() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let old = cluster.published();
    cluster.advance(&record, step(Phase::Issuer, 1));
    let stale = cluster.intern(old);
    let web = cluster.id("emojivoto", "web");
    cluster.group(web).held = Held::Literal(stale);
    let fact = step_fact(&at(&cluster, &record, Phase::Issuer, 1), Severity::Error, "proxies-not-ready");
    let StepFact::ProxiesNotReady { proxies, issuer, why: WhyRefused::Refusal(why) } = fact else { panic!() };
    assert_eq!((proxies.count, proxies.sample[0].as_str()), (3, "emojivoto/web-0"));
    assert_eq!(issuer.certificate.fingerprint, record.issuer.issuer.fingerprint());
    assert!(is_unsigned(&why), "{why}");
}

#[test]
fn a_restart_gives_no_certain_workload_certificate_of_an_issuer_that_no_controller_certainly_signs_with() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)));
    swap(&mut cluster, &record);
    let web = cluster.id("emojivoto", "web");
    let after = States::of(&cluster.mesh, None, cluster.now).restarted(|id| id == web);
    let signs = after.controllers.iter().any(|one| one.certain && one.what.1 == record.issuer);
    let presented = after.presented.iter().find(|presented| presented.what == record.issuer).unwrap();
    assert_eq!(presented.certain, signs, "{:?}\n{:?}", after.presented, after.controllers);
}

#[test]
fn a_proxy_that_starts_seconds_after_the_last_identity_controller_is_not_surely_of_the_new_issuer() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 3));
    let identity =
        cluster.mesh.control_plane.replicas.iter().find(|one| one.container == "identity").unwrap();
    let since = identity.started.unwrap();
    // A rolling update: the new replica's container starts, turns ready (readiness probe: 10 s), then the old one ends (grace: 30 s).
    let web = cluster.id("emojivoto", "web");
    cluster.group(web).starts = Starts { at: [(since + 5.seconds(), 3)].into(), unknown: 0 };
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Issuer, 3)));
    let web = cluster.id("emojivoto", "web");
    cluster.group(web).starts = Starts { at: [(since + 5.seconds(), 3)].into(), unknown: 0 };
    let plan = cluster.plan(&record);
    assert_ne!(state(&plan, step(Phase::Issuer, 3)), StepState::Done);
    assert_ne!(codes(&planned(&plan, step(Phase::Prune, 1)), Severity::Wait), [""; 0]);
}
