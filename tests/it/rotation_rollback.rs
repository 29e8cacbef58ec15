//! Rollbacks: from every step of a rotation, each phase to what was before it.

use l5d_rotate::finding::{AnchorRole, Instead, IssuerRole, Opens, Severity, StepFact, ValueContent};
use l5d_rotate::mesh::Era;
use l5d_rotate::rotation::{
    Change, Direction, NoRollback, Phase, Record, Standing, Step, StepState, Strategy,
};

use crate::support::rotation::*;

fn at(strategy: Strategy, era: Era, taken: usize) -> (Cluster, Record) {
    let pki = Pki::mint();
    let mut cluster = Cluster::new(&pki, era);
    cluster.add("StatefulSet", "apps", "db", 3, &[]);
    let record = pki.record(&cluster.mesh, strategy);
    for step in record.steps().into_iter().take(taken) {
        cluster.merge(&planned(&cluster.plan(&record), step));
        cluster.now += jiff::SignedDuration::from_mins(10);
        if strategy.waits_for_renewal() && step == self::step(Phase::Issuer, 3) {
            cluster.now += jiff::SignedDuration::from_hours(25);
        }
    }
    (cluster, record)
}

/// Takes the steps of a rollback in order, each only when it is ready, and gives those that were taken. Whether
/// the cross certificate had been taken out before cannot be seen, so that there certificates without it expire first.
fn roll_back(cluster: &mut Cluster, rollback: &Record) -> Vec<Step> {
    let mut taken = Vec::new();
    while let Standing::At(step) = cluster.plan(rollback).standing {
        let mut next = planned(&cluster.plan(rollback), step);
        let is_waited_for = next.blocked.iter().any(|finding| {
            finding.code() == "certificates-refused"
                && finding.severity == Severity::Wait
                && finding.opens.iter().any(|opens| matches!(opens, Opens::At(_)))
        });
        if rollback.cross.is_some() && is_waited_for {
            cluster.now += jiff::SignedDuration::from_hours(25);
            next = planned(&cluster.plan(rollback), step);
        }
        assert_eq!(next.blocked, [], "{step} after {taken:?}");
        assert!(!taken.contains(&step), "{step} again after {taken:?}");
        cluster.merge(&next);
        if rollback.cross.is_some() && step == self::step(Phase::Prune, 3) {
            cluster.deploy();
        }
        cluster.now +=
            jiff::SignedDuration::from_hours(if rollback.strategy.waits_for_renewal() { 25 } else { 1 });
        taken.push(step);
    }
    taken
}

#[test]
fn from_every_step_of_every_strategy_a_rollback_leads_to_where_the_rotation_began() {
    for era in [Era::V2_9, Era::V2_12] {
        for strategy in strategies(era) {
            let count = at(strategy, era, 0).1.steps().len();
            for taken in 0..=count {
                let (mut cluster, record) = at(strategy, era, taken);
                let rollback = record.clone().rolled_back().unwrap();
                let steps = roll_back(&mut cluster, &rollback);
                let published = cluster.published();
                let bundle = published.as_read_by(l5d_rotate::pki::Rules::Controller).unwrap();
                assert!(bundle.same_set(&record.old), "{era:?} {strategy} {taken}: {steps:?}");
                let l5d_rotate::mesh::Known::Is(issuer) = &cluster.mesh.issuer else { panic!() };
                assert_eq!(
                    issuer.chain.as_ref().ok(),
                    record.old_issuer.as_ref(),
                    "{era:?} {strategy} {taken}"
                );
                assert_eq!(steps.is_empty(), taken == 0, "{era:?} {strategy} {taken}: {steps:?}");
            }
        }
    }
}

#[test]
fn a_phase_that_was_never_taken_asks_for_nothing_in_a_rollback() {
    let (mut cluster, record) = at(Strategy::Staged, Era::V2_12, 1);
    let rollback = record.rolled_back().unwrap();
    let names: Vec<_> = roll_back(&mut cluster, &rollback).iter().map(ToString::to_string).collect();
    // Nobody has restarted with the new anchor yet: taking it out again is all.
    assert_eq!(names, ["bundle/1-trust"]);
}

#[test]
fn the_new_anchor_is_not_taken_out_under_its_own_issuer() {
    let (cluster, record) = at(Strategy::Staged, Era::V2_12, 5);
    let trust = planned(&cluster.plan(&record.rolled_back().unwrap()), step(Phase::Bundle, 1));
    let fact = step_fact(&trust, Severity::Error, "anchors-refuse-issuer");
    let StepFact::AnchorsRefuseIssuer { anchors, .. } = fact else { panic!() };
    assert_eq!(anchors.role, AnchorRole::Old);
}

#[test]
fn the_old_issuer_does_not_come_back_while_a_proxy_holds_the_new_anchor_alone() {
    let (cluster, record) = at(Strategy::Staged, Era::V2_12, 9);
    let swap = planned(&cluster.plan(&record.rolled_back().unwrap()), step(Phase::Issuer, 1));
    let fact = step_fact(&swap, Severity::Error, "proxies-not-ready");
    let StepFact::ProxiesNotReady { issuer, .. } = fact else { panic!() };
    assert_eq!(issuer.role, IssuerRole::Old);
    let fact = step_fact(&swap, Severity::Error, "bundle-refuses-issuer");
    let StepFact::BundleRefusesIssuer { lacks, .. } = fact else { panic!() };
    assert_eq!(lacks.role, AnchorRole::Old);
}

#[test]
fn after_the_old_issuer_has_expired_a_rollback_is_not_safe_any_more() {
    let (mut cluster, record) = at(Strategy::Staged, Era::V2_12, 5);
    cluster.now = time("2027-01-01T00:00:01Z");
    let swap = planned(&cluster.plan(&record.rolled_back().unwrap()), step(Phase::Issuer, 1));
    let fact = step_fact(&swap, Severity::Error, "rotation-expired");
    let StepFact::RotationExpired { direction, .. } = fact else { panic!() };
    assert_eq!(direction, Direction::Rollback);
}

#[test]
fn restarts_of_a_rollback_carry_what_they_are_for() {
    let (cluster, record) = at(Strategy::Staged, Era::V2_12, 9);
    let rollback = record.clone().rolled_back().unwrap();
    let annotation = |record: &Record, phase, number| {
        let planned = planned(&cluster.plan(record), step(phase, number));
        planned.changes.iter().find_map(|change| match change {
            Change::ControlPlane { annotation, .. } | Change::Restart { annotation, .. } => {
                Some(annotation.clone())
            }
            _ => None,
        })
    };
    let forward = annotation(&record, Phase::Prune, 2).unwrap();
    let backward = annotation(&rollback, Phase::Prune, 2).unwrap();
    assert_eq!(forward.key, backward.key);
    assert_ne!(forward.value, backward.value, "the same value again would restart nothing");
}

#[test]
fn a_record_that_does_not_know_the_old_issuer_has_no_rollback() {
    let (_, record) = at(Strategy::Staged, Era::V2_12, 0);
    let blind = Record { old_issuer: None, ..record };
    assert_eq!(blind.rolled_back().unwrap_err(), NoRollback::IssuerUnknown);
}

#[test]
fn what_is_rolled_back_can_be_gone_through_again() {
    let (mut cluster, record) = at(Strategy::Staged, Era::V2_12, 9);
    roll_back(&mut cluster, &record.clone().rolled_back().unwrap());
    for step in record.steps() {
        let next = planned(&cluster.plan(&record), step);
        if next.state != StepState::Done {
            assert_eq!(next.blocked, [], "{step}");
            cluster.merge(&next);
            cluster.now += jiff::SignedDuration::from_hours(1);
        }
    }
    assert_eq!(cluster.plan(&record).standing, Standing::Finished);
}

#[test]
fn each_swap_of_a_rollback_names_the_file_and_the_key_of_its_own_issuer() {
    let (mut cluster, record) = at(Strategy::CrossSigned, Era::V2_12, 0);
    cluster.own("Secret", "linkerd-identity-issuer", helm());
    let plan = cluster.plan(&record.rolled_back().unwrap());
    let files = |phase| {
        let managed = notes(&planned(&plan, step(phase, 1)), "managed-object");
        let [StepFact::ManagedObject { instead: Instead::HelmRelease { values, .. }, .. }] = &managed[..]
        else {
            panic!("{managed:?}")
        };
        values.iter().map(|value| (value.name, value.content.clone())).collect::<Vec<_>>()
    };
    let expected = |certificate, key| {
        let names = Era::V2_12.chart_names();
        let file = ValueContent::File;
        vec![(names.issuer_certificate, file(certificate)), (names.issuer_key, file(key))]
    };
    assert_eq!(files(Phase::RemoveCross), expected("issuer-chain.pem", "issuer.key"));
    assert_eq!(files(Phase::Issuer), expected("old-issuer.pem", "OLD-ISSUER-KEY"));
    let wait = notes(&planned(&plan, step(Phase::Issuer, 3)), "renewal-time");
    assert!(matches!(wait[..], [StepFact::RenewalTime { issuer: IssuerRole::Old, .. }]), "{wait:?}");
}

#[test]
fn what_the_rotation_put_there_is_rolled_back_though_the_clock_of_start_was_ahead() {
    for taken in [1, 4] {
        let pki = Pki::mint();
        let mut cluster = Cluster::new(&pki, Era::V2_12);
        let record = pki.record(&cluster.mesh, Strategy::Staged);
        cluster.now -= jiff::SignedDuration::from_hours(2);
        record
            .steps()
            .into_iter()
            .take(taken)
            .for_each(|step| cluster.merge(&planned(&cluster.plan(&record), step)));
        assert!(cluster.now < record.started);
        let rollback = record.rolled_back().unwrap();
        let expected = if taken == 1 { step(Phase::Bundle, 1) } else { step(Phase::Issuer, 1) };
        assert_eq!(cluster.plan(&rollback).standing, Standing::At(expected), "{taken}");
    }
}
