//! Simulations over meshes of every era, and over what could not be read.

use std::collections::BTreeSet;

use l5d_rotate::finding::InputFact;
use l5d_rotate::mesh::{Era, Gap, Obstacle, Unread};
use l5d_rotate::rotation::simulate::{OrderError, Simulation, Verdict, When, simulate};
use l5d_rotate::rotation::{Confirmation, Phase, Record, Scope, Stage, Strategy};
use l5d_rotate::states::Invariant;

use crate::support::pki;
use crate::support::rotation::*;

const ERAS: [Era; 6] = [Era::V2_6, Era::V2_7, Era::V2_9, Era::V2_10, Era::V2_11, Era::V2_12];

fn simulated(
    cluster: &Cluster,
    record: &Record,
    order: Option<&[Phase]>,
    confirmed: &[Confirmation],
) -> Simulation {
    let confirmed = BTreeSet::from_iter(confirmed.iter().copied());
    simulate(record, &cluster.mesh, &cluster.plan(record), order, &confirmed, cluster.now).unwrap()
}

#[test]
fn each_strategy_is_safe_in_its_own_order_in_every_era() {
    let pki = Pki::mint();
    for (era, strategy) in
        ERAS.into_iter().flat_map(|era| strategies(era).into_iter().map(move |one| (era, one)))
    {
        let mut cluster = Cluster::new(&pki, era);
        cluster.add("DaemonSet", "logging", "shipper", 2, &[Obstacle::OnDelete]);
        let record = pki.record(&cluster.mesh, strategy);
        let simulation = simulated(&cluster, &record, None, &[]);
        assert_eq!(simulation.verdict(), Verdict::Safe, "{era:?} {strategy}");
        assert_eq!(simulation.steps.len(), record.steps().len());
    }
}

#[test]
fn an_issuer_swapped_too_early_breaks_at_its_first_step_in_every_era() {
    for era in ERAS {
        let (_, cluster, record) = fixture(era);
        let order = [Phase::Issuer, Phase::Bundle, Phase::Prune];
        let simulation = simulated(&cluster, &record, Some(&order), &[]);
        let Verdict::Breaks(found, When::During, _) = simulation.verdict() else {
            panic!("{era:?}: {:?}", simulation.verdict())
        };
        assert_eq!((found.step.phase, found.step.stage), (Phase::Issuer, Stage::Issuer));
        let late = found.moments.last().unwrap();
        assert_eq!(late.when, When::Later);
        // A controller that runs goes on with the issuer that it has, and nobody is refused: until it is restarted.
        for moment in [&found.moments[1], late] {
            let broken: Vec<_> = moment.violations.iter().map(|one| one.invariant).collect();
            assert_eq!(broken, [Invariant::ControllerStarts], "{era:?}");
            assert!(moment.columns.iter().all(|column| column.count > 0), "{era:?}: {moment:?}");
        }
        let restarted = &simulation.steps[1];
        assert_eq!(restarted.step, step(Phase::Issuer, 2));
        let dead = restarted.moments.last().unwrap();
        assert_eq!((dead.when, &*dead.columns), (When::Later, &[][..]), "{era:?}: nobody has a certificate");
        assert!(dead.violations.iter().any(|one| one.invariant == Invariant::ControllerSigns), "{era:?}");
    }
}

#[test]
fn nothing_is_called_safe_where_who_is_outside_the_cluster_could_not_be_read() {
    for (resource, group, confirmation) in [
        ("externalworkloads", "workload.linkerd.io", Confirmation::ExternalWorkloads),
        ("links", "multicluster.linkerd.io", Confirmation::LinkedClusters),
    ] {
        let (_, mut cluster, record) = fixture(Era::V2_12);
        let gap = Gap::all(group, resource, Unread::Refused("forbidden".into()));
        cluster.mesh.gaps.push(gap.clone());
        let simulation = simulated(&cluster, &record, None, &[]);
        assert_eq!(simulation.verdict(), Verdict::Unknown);
        assert!(simulation.unseen.contains(&InputFact::NotRead(gap.clone())), "{:?}", simulation.unseen);
        assert_eq!(simulated(&cluster, &record, None, &[confirmation]).verdict(), Verdict::Safe);
    }
}

#[test]
fn counts_are_exact_where_nobody_may_hold_one_of_several() {
    let (_, cluster, record) = fixture(Era::V2_12);
    let simulation = simulated(&cluster, &record, None, &[]);
    let exact = |step: usize, moment: usize| -> Vec<(u64, bool)> {
        let rows = &simulation.steps[step].moments[moment].rows;
        rows.iter().map(|row| (row.holder.count, row.holder.exact)).collect()
    };
    assert_eq!(exact(0, 0), [(6, true)]);
    assert_eq!(exact(0, 1), [(6, false), (6, false)]);
    assert_eq!(exact(1, 2), [(3, false), (6, false)]);
    assert_eq!(exact(2, 2), [(6, true)]);
}

#[test]
fn an_expired_workload_certificate_is_accepted_by_nobody() {
    let pki = Pki::mint();
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    cluster.now = time("2027-01-02T00:00:00Z");
    let issuer = pki::issuer_within(&pki.new, time("2027-01-01"), time("2028-01-01"));
    let chain = pki::chain(&issuer.certificate, &[]);
    let scope = Scope::Full { anchor: pki.new.certificate.clone() };
    let record = Record::new(&cluster.mesh, cluster.now, Strategy::Recover, scope, chain, false).unwrap();
    let simulation = simulated(&cluster, &record, None, &[]);
    let swap = simulation.steps.iter().find(|step| step.step == self::step(Phase::Issuer, 1)).unwrap();
    let after = swap.moments.iter().find(|moment| moment.when == When::After).unwrap();
    let old = after.columns.iter().position(|column| {
        simulation.classes.issuer_name(&simulation.classes.issuers()[column.class]) == "old issuer"
    });
    let old = old.expect("proxies still have it");
    assert!(after.rows.iter().all(|row| !row.accepts[old]), "{:?}", after.rows);
}

#[test]
fn an_order_has_each_phase_once_and_only_those_of_the_rotation() {
    let (_, cluster, record) = fixture(Era::V2_12);
    let refused = |order: &[Phase]| {
        simulate(&record, &cluster.mesh, &cluster.plan(&record), Some(order), &BTreeSet::new(), cluster.now)
            .unwrap_err()
    };
    assert_eq!(refused(&[Phase::Prune, Phase::Issuer, Phase::Prune]), OrderError::Twice(Phase::Prune));
}
