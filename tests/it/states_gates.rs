//! What a step waits for, and which confirmation lifts it: the state of the mesh, and the answer given.

use jiff::ToSpan;
use l5d_rotate::finding::{Fact, Finding, InputFact, Severity, StepFact, WhyRefused};
use l5d_rotate::mesh::{ChangeTime, Era, Held, Known, Owner, Starts, Unread};
use l5d_rotate::pki::BundleText;
use l5d_rotate::rotation::{Confirmation, Phase, PlannedStep, Stage, StepState};
use l5d_rotate::states::States;

use crate::support::rotation::*;

use crate::states_pitfalls::{at, swap};

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
