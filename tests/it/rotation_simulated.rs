//! Whole rotations over simulated clusters: step after step, until everything is in place.

use std::sync::LazyLock;

use l5d_rotate::mesh::{Era, Obstacle};
use l5d_rotate::rotation::{Phase, Standing, StepState};
use proptest::prelude::*;

use crate::sizes;
use crate::support::rotation::*;

static PKI: LazyLock<Pki> = LazyLock::new(Pki::mint);

const ERAS: [Era; 6] = [Era::V2_6, Era::V2_7, Era::V2_9, Era::V2_10, Era::V2_11, Era::V2_12];

/// A data-plane workload: kind, running proxies, what is in the way of a restart.
type Member = (&'static str, u64, Vec<Obstacle>);

fn member() -> impl proptest::strategy::Strategy<Value = Member> {
    let one = |kind, obstacles: &[Obstacle]| (Just(kind), 0..4_u64, Just(obstacles.to_vec()));
    prop_oneof![
        one("Deployment", &[]),
        one("Deployment", &[Obstacle::Paused]),
        one("Deployment", &[Obstacle::ManualInjection]),
        one("StatefulSet", &[]),
        one("StatefulSet", &[Obstacle::Partition(2)]),
        one("StatefulSet", &[Obstacle::OnDelete, Obstacle::ManualInjection]),
        one("DaemonSet", &[Obstacle::OnDelete]),
        one("Job", &[Obstacle::RunningJob]),
        one("CronJob", &[Obstacle::NextRun]),
        one("Rollout", &[Obstacle::ArgoRollout]),
        one("ReplicaSet", &[Obstacle::BareReplicas]),
        one("Pod", &[Obstacle::BarePod]),
        one("Strimzi", &[Obstacle::UnknownOwner]),
        (Just("Deployment"), Just(0), Just(vec![Obstacle::ZeroReplicas])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sizes::of(36, 128), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_step_taken_in_order_is_safe_when_it_is_next_and_done_when_it_is_taken(
        era in prop::sample::select(&ERAS[..]),
        choice in any::<prop::sample::Index>(),
        members in prop::collection::vec(member(), 0..8),
    ) {
        let mut cluster = Cluster::new(&PKI, era);
        for (place, (kind, proxies, obstacles)) in members.iter().enumerate() {
            cluster.add(kind, "apps", &format!("w{place}"), *proxies, obstacles);
        }
        let strategies = strategies(era);
        let strategy = strategies[choice.index(strategies.len())];
        let record = PKI.record(&cluster.mesh, strategy);
        let steps = record.steps();
        for (place, step) in steps.iter().enumerate() {
            let plan = cluster.plan(&record);
            prop_assert_eq!(&plan, &cluster.plan(&record));
            // With no proxy to wait for, a data-plane step is done before it is taken.
            if planned(&plan, *step).state == StepState::Done {
                continue;
            }
            prop_assert_eq!(plan.standing, Standing::At(*step));
            prop_assert_eq!(&planned(&plan, *step).blocked, &[]);
            for later in &steps[place + 1..] {
                let later = planned(&plan, *later);
                prop_assert!(later.state == StepState::Done || !later.blocked.is_empty(), "{} is ready at {step}", later.step);
            }
            cluster.merge(&planned(&plan, *step));
            if strategy.waits_for_renewal() {
                cluster.now += jiff::SignedDuration::from_hours(25);
            }
            if record.cross.is_some() && *step == self::step(Phase::Prune, 3) {
                cluster.deploy();
            }
            let after = cluster.plan(&record);
            prop_assert_eq!(planned(&after, *step).state, StepState::Done, "{} is not done", step);
            prop_assert_eq!(
                &planned(&after, *step).changes,
                &planned(&plan, *step).changes,
                "{} rendered again differs", step
            );
        }
        prop_assert_eq!(cluster.plan(&record).standing, Standing::Finished);
    }
}
