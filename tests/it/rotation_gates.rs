//! How far each step is, what blocks it, and the pains and outages that this spares.

use std::collections::BTreeSet;

use jiff::ToSpan;
use l5d_rotate::finding::{CertificateRef, Fact, InputFact, SecretGap, Severity, StepFact};
use l5d_rotate::mesh::{ChangeTime, Era, Held, Known, Scheme, Unread};
use l5d_rotate::rotation::{
    BundleGap, Change, Phase, PlanError, Record, RestartAnnotation, Scope, Standing, StepState, Strategy,
    plan,
};

use crate::support::rotation::*;

#[test]
fn times_that_are_not_known_make_a_step_unknown_and_tell_what_to_read() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Bundle, 3));
    for unknown in [ChangeTime::Unknown, ChangeTime::Since(time(INSTALLED))] {
        cluster.bundle().changed = unknown;
        let why = self::unknown(state(&cluster.plan(&record), step(Phase::Bundle, 2)));
        let object = cluster.mesh.bundle_home();
        assert_eq!(why.fact, InputFact::ChangeTimeUnknown { object }.into());
    }
    cluster.bundle().changed = ChangeTime::Since(cluster.now);
    assert_eq!(state(&cluster.plan(&record), step(Phase::Bundle, 2)), StepState::Pending { done: 0, of: 5 });
}

#[test]
fn an_unreadable_secret_makes_the_swap_unknown() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 2));
    cluster.issuer().from_secret = false;
    assert!(matches!(state(&cluster.plan(&record), step(Phase::Issuer, 1)), StepState::Unknown(_)));
    cluster.mesh.issuer = Known::Unknown(Unread::Refused("secrets is forbidden".into()));
    let plan = cluster.plan(&record);
    let why = unknown(state(&plan, step(Phase::Issuer, 1)));
    let Fact::Step(StepFact::IssuerSecretUnknown { secret, why: SecretGap::Unread(gap) }) = &why.fact else {
        panic!("{why:?}")
    };
    assert_eq!(
        (secret.name.as_str(), gap),
        ("linkerd-identity-issuer", &Unread::Refused("secrets is forbidden".into()))
    );
    assert!(planned(&plan, step(Phase::Prune, 1)).blocked.contains(&why));
}

#[test]
fn once_prune_is_published_the_bundle_phase_is_done_and_stays_done() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 2));
    let plan = cluster.plan(&record);
    assert_eq!(plan.standing, Standing::At(step(Phase::Prune, 2)));
    for planned in plan.phase(Phase::Bundle) {
        assert_eq!((&planned.state, planned.changes.len()), (&StepState::Done, 0), "{}", planned.step);
    }
    let Change::Swap { anchors, .. } = &planned(&plan, step(Phase::Issuer, 1)).changes[0] else { panic!() };
    assert_eq!(anchors.anchors(), [record.anchor().unwrap().clone()]);
}

#[test]
fn the_record_is_of_one_mesh() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let found = |cluster: &Cluster| {
        plan(&record, &cluster.mesh, RestartAnnotation::Content, &BTreeSet::new(), cluster.now).unwrap_err()
    };
    cluster.mesh.control_plane.trust_domain = "other.local".into();
    assert!(matches!(found(&cluster), PlanError::OtherTrustDomain { .. }));
    cluster.mesh.control_plane.namespace = "other".into();
    assert!(matches!(found(&cluster), PlanError::OtherMesh { .. }));
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.mesh.trust.published = Known::Unknown(Unread::Refused("forbidden".into()));
    let error =
        plan(&record, &cluster.mesh, RestartAnnotation::Content, &BTreeSet::new(), cluster.now).unwrap_err();
    let PlanError::BundleUnknown { why, .. } = error else { panic!("{error}") };
    assert_eq!(why, BundleGap::Unread(Unread::Refused("forbidden".into())));
}

#[test]
fn a_new_anchor_published_alone_before_the_swap_is_mended_by_phase_bundle() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    cluster.bundle().text = text(&[&pki.new.certificate]);
    let plan = cluster.plan(&record);
    assert_eq!(plan.standing, Standing::At(step(Phase::Bundle, 1)));
    let Change::Publish(bundle) = &planned(&plan, step(Phase::Bundle, 1)).changes[0] else { panic!() };
    assert!(bundle.same_set(&record.anchors_of(Phase::Bundle)));
}

#[test]
fn control_plane_proxies_that_kept_running_have_new_workload_certificates_once_the_old_ones_expire() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 2));
    let identity = cluster.id("linkerd", "linkerd-identity");
    cluster.now += 1.minute();
    cluster.restart(identity);
    assert_eq!(state(&cluster.plan(&record), step(Phase::Issuer, 2)), StepState::Done);
    assert_eq!(state(&cluster.plan(&record), step(Phase::Issuer, 3)), StepState::Pending { done: 0, of: 5 });
    cluster.now += 25.hours();
    let plan = cluster.plan(&record);
    assert_eq!(plan.standing, Standing::At(step(Phase::Prune, 1)));
}

#[test]
fn an_issuer_only_swap_waits_for_a_control_plane_that_has_not_read_the_bundle() {
    let pki = Pki::mint();
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let chain = mint_chain(&pki.old);
    let record =
        Record::new(&cluster.mesh, time(STARTED), Strategy::Staged, Scope::IssuerOnly, chain, false).unwrap();
    let swap = |cluster: &Cluster| planned(&cluster.plan(&record), step(Phase::Issuer, 1));
    assert_eq!(swap(&cluster).blocked, []);
    cluster.bundle().changed = ChangeTime::At(cluster.now);
    let bundle = cluster.mesh.bundle_home();
    let lacking = StepFact::ControlPlaneLacksBundle { bundle, done: 0, of: 5 };
    assert_eq!(step_fact(&swap(&cluster), Severity::Wait, "control-plane-lacks-bundle"), lacking);
    cluster.bundle().changed = ChangeTime::Unknown;
    blocker(&swap(&cluster), Severity::Unknown, "change-time-unknown");
}

#[test]
fn a_data_plane_proxy_that_holds_the_bundle_by_reference_must_have_started_since_it_was_published() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let web = cluster.id("emojivoto", "web");
    cluster.group(web).held = Held::ByReference;
    let data = step(Phase::Bundle, 3);
    cluster.now += 1.minute();
    cluster.restart(web);
    assert_eq!(
        state(&cluster.plan(&record), data),
        StepState::Pending { done: 0, of: 3 },
        "nothing is published"
    );
    cluster.advance(&record, data);
    assert_eq!(state(&cluster.plan(&record), data), StepState::Pending { done: 0, of: 3 });
    cluster.restart(web);
    assert_eq!(state(&cluster.plan(&record), data), StepState::Done);
}

#[test]
fn workload_certificates_are_unknown_while_the_time_of_the_swap_is() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 1));
    cluster.issuer().changed = ChangeTime::Unknown;
    let plan = cluster.plan(&record);
    for number in [2, 3] {
        let why = unknown(state(&plan, step(Phase::Issuer, number)));
        let object = cluster.mesh.issuer_secret();
        assert_eq!(why.fact, InputFact::ChangeTimeUnknown { object }.into());
    }
    let prune = planned(&plan, step(Phase::Prune, 1));
    let fact = step_fact(&prune, Severity::Unknown, "step-order-unknown");
    assert!(matches!(fact, StepFact::StepOrderUnknown { before, .. } if before == step(Phase::Issuer, 2)));
}

#[test]
fn a_restart_is_never_in_the_commit_of_the_bundle() {
    let (_, cluster, record) = fixture(Era::V2_12);
    let plan = cluster.plan(&record);
    for number in [2, 3] {
        assert!(waits_for(&planned(&plan, step(Phase::Bundle, number)), step(Phase::Bundle, 1), 0, 1));
    }
}

#[test]
fn prune_never_drops_an_anchor_that_the_record_does_not_know() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 1));
    let third = mint_root("third").certificate;
    let mut anchors = record.anchors_of(Phase::Bundle).anchors().to_vec();
    anchors.push(third.clone());
    cluster.bundle().text = text(&anchors.iter().collect::<Vec<_>>());
    let prune = planned(&cluster.plan(&record), step(Phase::Prune, 1));
    assert_eq!(prune.changes, []);
    let StepFact::UnknownAnchors { anchors, .. } = step_fact(&prune, Severity::Error, "unknown-anchors")
    else {
        panic!()
    };
    assert_eq!(anchors, [CertificateRef::from(&third)]);
}

#[test]
fn external_workloads_and_linked_clusters_are_told_before_the_steps_that_need_them() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.mesh.external_workloads = vec!["vms/legacy".into()];
    cluster.mesh.links = vec!["linkerd-multicluster/west".into()];
    for at in [step(Phase::Issuer, 1), step(Phase::Prune, 1)] {
        let planned = planned(&cluster.plan(&record), at);
        let [StepFact::ExternalWorkloadsFirst { names, .. }] =
            &notes(&planned, "external-workloads-first")[..]
        else {
            panic!("{:?}", planned.notes)
        };
        assert_eq!(names, &["vms/legacy"]);
        let [StepFact::LinkedClustersFirst { names, .. }] = &notes(&planned, "linked-clusters-first")[..]
        else {
            panic!("{:?}", planned.notes)
        };
        assert_eq!(names, &["linkerd-multicluster/west"]);
    }
}

#[test]
fn the_old_anchor_in_ca_crt_is_told_when_prune_is_planned() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.mesh.control_plane.scheme = Scheme::Kubernetes;
    cluster.advance(&record, step(Phase::Prune, 1));
    let found = notes(&planned(&cluster.plan(&record), step(Phase::Prune, 1)), "ca-crt-outdated");
    let [StepFact::CaCrtOutdated { render, .. }] = &found[..] else { panic!("{found:?}") };
    assert_eq!(*render, step(Phase::Issuer, 1));
}
