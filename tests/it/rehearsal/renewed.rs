//! Rotations under cert-manager in which the old anchor is renewed on the way, for whatever reason.

use jiff::SignedDuration;
use l5d_rotate::finding::{Fact, Finding, StepFact};
use l5d_rotate::rotation::{NewSigner, Phase, Stage, Standing, Step, Strategy};

use super::fleet::Fleet;
use super::{Rehearsal, SABOTAGED_SEEDS, TICKS, rollback_seeds, step};
use crate::sizes;
use crate::support::rotation::planned;

/// A rotation under cert-manager in which the old anchor is renewed on the way.
struct Renewed {
    fleet: Fleet<'static>,
    /// What was next then.
    next: Option<Step>,
    /// How many times a new rotation was begun, as the published bundle held an anchor that nobody knew.
    begun_anew: u32,
}

/// The old anchor is renewed when this step is next, and the issuer so much later; until the rotation is finished, or something fails.
fn renewed_on_the_way(seed: u64, when: Step, issuer: SignedDuration) -> Renewed {
    let mut rehearsal = Rehearsal::new(Strategy::Managed, seed);
    let (mut is_renewed, mut then, mut begun_anew) = (false, None, 0);
    for _ in 0..TICKS {
        rehearsal.tick();
        let plan = rehearsal.plan();
        let Standing::At(next) = plan.standing else {
            (0..40).for_each(|_| rehearsal.tick());
            return Renewed { fleet: rehearsal.fleet, next: then, begun_anew };
        };
        if !rehearsal.fleet.failures.is_empty() {
            return Renewed { fleet: rehearsal.fleet, next: then, begun_anew };
        }
        if !is_renewed && next == when {
            rehearsal.fleet.renew_old_anchor();
            let renewal = rehearsal.fleet.now() + issuer;
            rehearsal.fleet.renew_issuer_at(renewal);
            // What was restarted for the bundle before may have to restart once more.
            rehearsal.taken.retain(|step| step.stage == Stage::Trust);
            is_renewed = true;
            continue;
        }
        if is_renewed {
            then = then.or(Some(next));
        }
        let is_unknown = |one: &Finding| matches!(one.fact, Fact::Step(StepFact::UnknownAnchors { .. }));
        if planned(&plan, next).blocked.iter().any(is_unknown) {
            rehearsal.record = rehearsal.fleet.managed_record(NewSigner::Beside);
            rehearsal.taken.clear();
            begun_anew += 1;
            continue;
        }
        rehearsal.obey(&plan, next);
    }
    panic!("seed {seed}, renewed at {when}, does not finish: {:?}", rehearsal.plan().standing);
}

/// Nothing fails once the new anchor signs; the last gate closes over an anchor that nobody knows, until a new rotation goes on.
#[test]
#[ignore = "long"]
fn an_old_anchor_that_is_renewed_after_the_issuers_step_breaks_nothing() {
    let all = [
        (step(Phase::Issuer, Stage::ControlPlane), 1),
        (step(Phase::Issuer, Stage::DataPlane), 1),
        (step(Phase::Prune, Stage::Trust), 1),
        (step(Phase::Prune, Stage::DataPlane), 0),
        (step(Phase::RemoveOld, Stage::Objects), 0),
    ];
    for (when, begun_anew) in all.into_iter().step_by(sizes::of(3, 1)) {
        for seed in 0..rollback_seeds() {
            let renewed = renewed_on_the_way(seed, when, SignedDuration::from_hours(5));
            assert_eq!(renewed.fleet.failures, [], "renewed at {when} with seed {seed}");
            assert_eq!(renewed.begun_anew, begun_anew, "renewed at {when} with seed {seed}");
        }
    }
}

/// Before it, the gate of the issuer's step closes until the control plane has restarted with the anchor that nobody planned. Nothing
/// fails where the issuer is not renewed before that step.
#[test]
#[ignore = "long"]
fn an_old_anchor_that_is_renewed_before_the_issuers_step_closes_its_gate_in_time() {
    for when in [step(Phase::Bundle, Stage::DataPlane), step(Phase::Issuer, Stage::Issuer)] {
        for seed in 0..rollback_seeds() {
            let renewed = renewed_on_the_way(seed, when, SignedDuration::from_hours(100));
            assert_eq!(renewed.fleet.failures, [], "renewed at {when} with seed {seed}");
            assert_eq!(renewed.next, Some(step(Phase::Bundle, Stage::ControlPlane)), "renewed at {when}");
            assert_eq!(renewed.begun_anew, 1, "renewed at {when} with seed {seed}");
        }
    }
}

/// No gate holds up an issuer that is signed at once by an anchor that proxies do not hold: so the first step stops its renewal.
#[test]
fn an_issuer_that_such_an_anchor_signs_at_once_shows_why_the_first_step_stops_its_renewal() {
    let when = step(Phase::Bundle, Stage::DataPlane);
    let fails =
        |seed| !renewed_on_the_way(seed, when, SignedDuration::from_mins(1)).fleet.failures.is_empty();
    assert!((0..SABOTAGED_SEEDS).any(fails), "it does no harm with seeds 0 to {SABOTAGED_SEEDS}");
}
