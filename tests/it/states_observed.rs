//! What may be in use: bundles, workload certificates and controllers of observed meshes, through whole rotations.

use jiff::ToSpan;
use l5d_rotate::finding::InputFact;
use l5d_rotate::mesh::{ChangeTime, Era, Known};
use l5d_rotate::pki::Rules;
use l5d_rotate::rotation::{Phase, Record, Stage};
use l5d_rotate::states::{Invariant, States};

use crate::support::rotation::*;

fn states(cluster: &Cluster, record: &Record) -> States {
    States::of(&cluster.mesh, Some(&record.history()), cluster.now)
}

/// Something that may be, and whether it is certain.
type May<T> = Vec<(T, bool)>;

/// Bundles by their number of anchors, and workload certificates by whether they are of the new issuer: each with whether it
/// is certain.
fn summary(states: &States, record: &Record) -> (May<usize>, May<bool>) {
    let bundles = states.bundles.iter().map(|held| (held.what.anchors().len(), held.certain)).collect();
    let presented = states.presented.iter().map(|one| (one.what == record.issuer, one.certain)).collect();
    (sorted(bundles), sorted(presented))
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

#[test]
fn a_fresh_install_has_one_certain_state() {
    for era in [Era::V2_6, Era::V2_7, Era::V2_9, Era::V2_10, Era::V2_11, Era::V2_12] {
        let (pki, cluster, record) = fixture(era);
        let states = states(&cluster, &record);
        assert_eq!(summary(&states, &record), (vec![(1, true)], vec![(false, true)]), "{era}");
        let [controller] = &states.controllers[..] else { panic!("{era}: {:?}", states.controllers) };
        assert_eq!((controller.what.1.clone(), controller.certain), (pki.old_issuer, true), "{era}");
        assert_eq!(states.bundles[0].count, 6);
        assert_eq!(states.unseen, [], "{era}");
        assert_eq!(states.violations(cluster.now), [], "{era}");
    }
}

#[test]
fn nothing_breaks_at_any_step_of_a_rotation_in_order() {
    for era in [Era::V2_6, Era::V2_7, Era::V2_9, Era::V2_10, Era::V2_11, Era::V2_12] {
        let (_, mut cluster, record) = fixture(era);
        for step in record.steps() {
            cluster.merge(&planned(&cluster.plan(&record), step));
            let mut violations = states(&cluster, &record).violations(cluster.now);
            if era.control_plane_by_reference() && step == self::step(Phase::Prune, 1) {
                // A control-plane proxy that started before `prune` may, by its time alone, hold the old anchor only.
                violations.retain(|one| one.certain || one.rules() == Rules::Controller);
            }
            if step == self::step(Phase::Prune, 2) {
                // The identity controller has started again: since when nobody signs with the old issuer cannot be told
                // before `prune` has restarted the data plane too.
                let old = [Invariant::EveryPair, Invariant::EveryRequest];
                violations.retain(|one| one.certain || !old.contains(&one.invariant()));
            }
            assert_eq!(violations, [], "{era} after {step}");
        }
        let states = states(&cluster, &record);
        assert_eq!(summary(&states, &record), (vec![(1, true)], vec![(true, true)]), "{era}");
    }
}

#[test]
fn the_simulated_steps_end_where_the_observed_ones_do() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let mut simulated = states(&cluster, &record);
    for step in record.steps() {
        let is_of = |plane| {
            let mesh = cluster.mesh.clone();
            move |id| mesh.workload(id).plane == plane
        };
        simulated = match step.stage {
            Stage::Objects => simulated.clone(),
            Stage::Trust => simulated.publishing(&record.bundle_for(step.phase, &cluster.mesh)),
            Stage::Signer | Stage::Issuer => simulated.swapping(&record.issuer),
            Stage::ControlPlane => simulated.restarted(is_of(l5d_rotate::mesh::Plane::Control)),
            Stage::DataPlane => simulated.restarted(is_of(l5d_rotate::mesh::Plane::Data)),
        };
        assert_eq!(simulated.violations(cluster.now), [], "{step}");
        cluster.merge(&planned(&cluster.plan(&record), step));
        if step.stage == Stage::DataPlane {
            let observed = states(&cluster, &record);
            assert_eq!(summary(&simulated, &record), summary(&observed, &record), "{step}");
        }
    }
}

#[test]
fn a_control_plane_proxy_that_started_before_the_bundle_changed_holds_the_one_before() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)));
    let states = states(&cluster, &record);
    assert_eq!(summary(&states, &record).0, [(1, true)]);
    cluster.bundle().changed = ChangeTime::Unknown;
    let states = States::of(&cluster.mesh, Some(&record.history()), cluster.now);
    assert_eq!(summary(&states, &record).0, [(1, true), (2, false)]);
}

#[test]
fn workload_certificates_of_both_issuers_are_possible_until_the_old_ones_expire() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 3));
    let now = states(&cluster, &record);
    assert_eq!(summary(&now, &record).1, [(false, false), (true, true)], "the control plane has new ones");
    let swapped = cluster.now - 5.minutes();
    let old = now.presented.iter().find(|presented| presented.what != record.issuer).unwrap();
    assert_eq!(old.until, Some(swapped + 86_420.seconds()));
    cluster.now += 25.hours();
    assert_eq!(summary(&states(&cluster, &record), &record).1, [(true, true)]);
}

#[test]
fn a_replica_that_may_have_missed_the_reload_may_sign_until_its_issuer_expires() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 2));
    cluster.now += 48.hours();
    let states = states(&cluster, &record);
    assert_eq!(summary(&states, &record).1, [(false, false), (true, false)]);
    let old = states.presented.iter().find(|presented| presented.what != record.issuer).unwrap();
    assert_eq!(old.until, Some(pki.old_issuer.issuer.facts().not_after));
    assert_eq!(states.controllers.len(), 2);
}

#[test]
fn without_pods_everything_of_the_rotation_is_possible_and_nothing_is_certain() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 2));
    cluster.mesh.pods = Known::Absent;
    cluster.mesh.proxies.clear();
    cluster.mesh.control_plane.replicas.clear();
    let states = states(&cluster, &record);
    assert!(states.bundles.iter().all(|held| !held.certain && held.count == 0));
    assert_eq!(
        summary(&states, &record),
        (vec![(1, false), (2, false)], vec![(false, false), (true, false)])
    );
    assert!(states.unseen.contains(&InputFact::PodsNotGiven), "{:?}", states.unseen);
    let violations = states.violations(cluster.now);
    assert!(violations.iter().any(|one| one.invariant() == Invariant::EveryPair && !one.certain));
    assert!(violations.iter().all(|one| !one.certain));
}
