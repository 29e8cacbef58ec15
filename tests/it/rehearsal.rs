//! Whole rotations rehearsed while traffic flows: with gates obeyed nothing fails, with a gate ignored something does.

mod fleet;
mod renewed;

use std::collections::{BTreeSet, VecDeque};
use std::sync::LazyLock;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use l5d_rotate::rotation::{Direction, NewSigner, Phase, Plan, Record, Stage, Standing, Step, Strategy};

use crate::sizes;
use crate::support::pki::random::Dice;
use crate::support::rotation::{STARTED, planned, time};
use fleet::{Failure, Fleet, Pki};

static PKI: LazyLock<Pki> = LazyLock::new(Pki::mint);
/// The old anchor, and so its issuer, expires two hours after a rehearsal begins.
static EXPIRING: LazyLock<Pki> =
    LazyLock::new(|| Pki::expiring(time(STARTED) + SignedDuration::from_hours(2)));

/// How many seeds each strategy is rehearsed with.
fn seeds() -> u64 {
    sizes::of(1, 40)
}

/// How many seeds each rollback is rehearsed with, from each step.
fn rollback_seeds() -> u64 {
    sizes::of(1, 4)
}

/// How many seeds a sabotage has to show its failure in.
const SABOTAGED_SEEDS: u64 = 8;

/// How many seeds each strategy is rehearsed with in which the direction changes again and again.
fn undecided_seeds() -> u64 {
    sizes::of(1, 5)
}

const TICKS: usize = 400;

const fn step(phase: Phase, stage: Stage) -> Step {
    Step { phase, stage }
}

/// A rotation under way.
struct Rehearsal<'a> {
    fleet: Fleet<'a>,
    record: Record,
    /// Until when something is on its way, so that time is to pass in small steps.
    busy: Timestamp,
    taken: BTreeSet<Step>,
}

impl Rehearsal<'_> {
    fn new(strategy: Strategy, seed: u64) -> Self {
        let fleet = if strategy == Strategy::Managed { Fleet::managed } else { Fleet::new };
        Self::over(fleet(&PKI, seed), strategy)
    }

    fn over(fleet: Fleet<'_>, strategy: Strategy) -> Rehearsal<'_> {
        let record = if strategy == Strategy::Managed {
            fleet.managed_record(NewSigner::Beside)
        } else {
            fleet.record(strategy)
        };
        Rehearsal::of(fleet, record)
    }

    /// Under cert-manager, with an Issuer whose name stays.
    fn keeping_the_signer(seed: u64) -> Rehearsal<'static> {
        let fleet = Fleet::managed(&PKI, seed);
        let record = fleet.managed_record(NewSigner::Present);
        Rehearsal::of(fleet, record)
    }

    fn of(fleet: Fleet<'_>, record: Record) -> Rehearsal<'_> {
        let busy = fleet.now();
        Rehearsal { fleet, record, busy, taken: BTreeSet::new() }
    }

    fn plan(&mut self) -> Plan {
        self.fleet.observe();
        // What cert-manager has made is kept in the record, as `next` does.
        self.record = self.record.clone().observed(&self.fleet.objects.mesh);
        self.fleet.objects.plan(&self.record)
    }

    fn tick(&mut self) {
        let busy = self.fleet.now() < self.busy;
        self.fleet.restart_who_missed_renewals();
        self.fleet.tick(if busy { SignedDuration::from_secs(30) } else { SignedDuration::from_mins(40) });
    }

    fn take(&mut self, plan: &Plan, step: Step) {
        self.fleet.apply(&planned(plan, step));
        self.taken.insert(step);
        self.busy = self.fleet.now() + SignedDuration::from_mins(8);
    }

    /// Takes the next step as soon as it is ready.
    fn obey(&mut self, plan: &Plan, next: Step) {
        if next == step(Phase::Prune, Stage::DataPlane) && self.record.cross.is_some() {
            self.fleet.deploy();
        }
        if !self.taken.contains(&next) && planned(plan, next).blocked.is_empty() {
            self.take(plan, next);
        }
    }
}

/// A rotation with every gate obeyed, until it is finished or, with `rollback_at`, until that step is next; then it is rolled
/// back.
fn obeyed(strategy: Strategy, seed: u64, rollback_at: Option<Step>) -> Fleet<'static> {
    obey_all(Rehearsal::new(strategy, seed), rollback_at)
}

fn obey_all<'a>(mut rehearsal: Rehearsal<'a>, rollback_at: Option<Step>) -> Fleet<'a> {
    for _ in 0..TICKS {
        rehearsal.tick();
        let plan = rehearsal.plan();
        match plan.standing {
            Standing::At(next)
                if rehearsal.record.direction == Direction::Forward && Some(next) == rollback_at =>
            {
                rehearsal.record = rehearsal.record.clone().rolled_back().unwrap();
                rehearsal.taken.clear();
            }
            Standing::At(next) => rehearsal.obey(&plan, next),
            Standing::Finished => {
                assert_eq!(rehearsal.record.direction == Direction::Rollback, rollback_at.is_some());
                (0..5).for_each(|_| rehearsal.tick());
                return rehearsal.fleet;
            }
        }
    }
    panic!("it does not finish, {rollback_at:?}: {:?}", rehearsal.plan().standing);
}

/// A rotation with every gate obeyed, by somebody who changes its direction a few times, at any moment.
fn undecided(strategy: Strategy, seed: u64) -> Fleet<'static> {
    change_direction(Rehearsal::new(strategy, seed), seed)
}

fn change_direction<'a>(mut rehearsal: Rehearsal<'a>, seed: u64) -> Fleet<'a> {
    let (forth, mut dice) = (rehearsal.record.clone(), Dice(seed + 77));
    let mut changes = 2 + dice.roll(5);
    for _ in 0..4 * TICKS {
        rehearsal.tick();
        if changes > 0 && dice.roll(12) == 0 {
            changes -= 1;
            rehearsal.record = match rehearsal.record.direction {
                Direction::Forward => forth.clone().rolled_back().unwrap(),
                Direction::Rollback => forth.clone(),
            };
            rehearsal.taken.clear();
        }
        let plan = rehearsal.plan();
        match plan.standing {
            Standing::At(next) => {
                if dice.roll(6) == 0 {
                    rehearsal.fleet.deploy();
                }
                rehearsal.obey(&plan, next);
            }
            Standing::Finished if changes > 0 => {}
            Standing::Finished => {
                (0..40).for_each(|_| rehearsal.tick());
                return rehearsal.fleet;
            }
        }
    }
    panic!("seed {seed} does not finish: {:?}", rehearsal.plan().standing);
}

#[test]
#[ignore = "long"]
fn with_gates_obeyed_nothing_fails_when_the_direction_changes_again_and_again() {
    for strategy in [Strategy::Staged, Strategy::Patient, Strategy::CrossSigned] {
        for seed in 0..undecided_seeds() {
            let fleet = undecided(strategy, seed);
            assert_eq!(fleet.failures, [], "{strategy} with seed {seed}");
        }
    }
}

/// In a rollback from any step nothing fails either.
fn nothing_fails_in_a_rollback(strategy: Strategy) {
    let steps = Rehearsal::new(strategy, 0).record.steps();
    let (mut handshakes, mut rollbacks) = (0, 0);
    let all = (0..rollback_seeds()).flat_map(|seed| steps[1..].iter().map(move |step| (seed, *step)));
    for (seed, rollback_at) in all.step_by(sizes::of(3, 1)) {
        let fleet = obeyed(strategy, seed, Some(rollback_at));
        assert_eq!(fleet.failures, [], "{strategy} with seed {seed}, rolled back at {rollback_at}");
        handshakes += fleet.handshakes;
        rollbacks += 1;
    }
    println!("{strategy}, rolled back: {rollbacks} rotations, {handshakes} handshakes");
    assert!(handshakes > 20 * rollbacks);
}

#[test]
#[ignore = "long"]
fn with_gates_obeyed_every_rollback_finishes_and_nothing_fails() {
    for strategy in [Strategy::Staged, Strategy::Patient, Strategy::CrossSigned] {
        nothing_fails_in_a_rollback(strategy);
    }
}

#[test]
#[ignore = "long"]
fn a_mesh_that_has_expired_recovers_and_then_nothing_fails() {
    let (mut handshakes, mut recovered) = (0, 0);
    for seed in (0..40).step_by(sizes::of(10, 1)) {
        let mut fleet = Fleet::new(&EXPIRING, seed);
        // From an hour after it expired on, with workload certificates left or without.
        (0..3 + seed).for_each(|_| fleet.tick(SignedDuration::from_hours(1)));
        assert_ne!(fleet.failures, [], "seed {seed}: nothing has expired");
        let mut rehearsal = Rehearsal::over(fleet, Strategy::Recover);
        loop {
            rehearsal.tick();
            let plan = rehearsal.plan();
            match plan.standing {
                Standing::At(next) => rehearsal.obey(&plan, next),
                Standing::Finished => break,
            }
            assert!(rehearsal.fleet.handshakes < 10_000, "seed {seed} does not finish: {:?}", plan.standing);
        }
        let fleet = &mut rehearsal.fleet;
        fleet.failures.clear();
        let before = fleet.handshakes;
        (0..60).for_each(|_| fleet.tick(SignedDuration::from_mins(30)));
        assert_eq!(fleet.failures, [], "seed {seed}");
        handshakes += fleet.handshakes - before;
        recovered += 1;
    }
    println!("recover: {recovered} seeds, {handshakes} handshakes after the last step");
    assert!(handshakes > 100 * recovered);
}

#[test]
fn with_gates_obeyed_every_cross_signed_rotation_finishes_and_nothing_fails() {
    nothing_fails(Strategy::CrossSigned);
}

/// Nothing fails in any seed, and traffic did flow.
fn nothing_fails(strategy: Strategy) {
    let began = Instant::now();
    let (seeds, mut handshakes, mut restarts) = (seeds(), 0, 0);
    for seed in 0..seeds {
        let fleet = obeyed(strategy, seed, None);
        assert_eq!(fleet.failures, [], "{strategy} with seed {seed}");
        handshakes += fleet.handshakes;
        restarts += fleet.restarts;
    }
    println!(
        "{strategy}: {seeds} seeds, {handshakes} handshakes, {restarts} restarts, {:?}",
        began.elapsed()
    );
    assert!(handshakes > 100 * seeds && restarts > 40 * seeds);
}

#[test]
fn with_gates_obeyed_every_staged_rotation_finishes_and_nothing_fails() {
    nothing_fails(Strategy::Staged);
}

#[test]
fn with_gates_obeyed_every_rotation_under_cert_manager_finishes_and_nothing_fails() {
    nothing_fails(Strategy::Managed);
}

/// cert-manager may renew the issuer between the step that changes what its Issuer signs with and the one that has it issued anew,
/// in either direction.
#[test]
#[ignore = "long"]
fn with_gates_obeyed_nothing_fails_where_the_issuers_name_stays() {
    for seed in 0..seeds() {
        let fleet = obey_all(Rehearsal::keeping_the_signer(seed), None);
        assert_eq!(fleet.failures, [], "seed {seed}");
        assert!(fleet.handshakes > 100);
    }
    let back_from = [
        step(Phase::Bundle, Stage::DataPlane),
        step(Phase::Issuer, Stage::Signer),
        step(Phase::Issuer, Stage::Issuer),
        step(Phase::Issuer, Stage::ControlPlane),
        step(Phase::Issuer, Stage::DataPlane),
        step(Phase::Prune, Stage::Trust),
        step(Phase::Prune, Stage::DataPlane),
    ];
    for (seed, rollback_at) in (0..rollback_seeds()).flat_map(|seed| back_from.map(|step| (seed, step))) {
        let fleet = obey_all(Rehearsal::keeping_the_signer(seed), Some(rollback_at));
        assert_eq!(fleet.failures, [], "seed {seed}, rolled back at {rollback_at}");
    }
    for seed in 0..undecided_seeds() {
        let fleet = change_direction(Rehearsal::keeping_the_signer(seed), seed);
        assert_eq!(fleet.failures, [], "seed {seed}, its direction changes");
    }
}

#[test]
fn with_gates_obeyed_every_patient_rotation_finishes_and_nothing_fails() {
    nothing_fails(Strategy::Patient);
}

/// A gate that is not looked at.
struct Sabotage {
    name: &'static str,
    strategy: Strategy,
    /// The step that should be next.
    instead_of: Step,
    /// What is taken instead, each so many minutes after the one before.
    forced: &'static [(Step, i64)],
    expected: Failure,
}

const SABOTAGES: [Sabotage; 11] = [
    Sabotage {
        name: "the issuer is swapped before the bundle is published",
        strategy: Strategy::Staged,
        instead_of: step(Phase::Bundle, Stage::Trust),
        forced: &[(step(Phase::Issuer, Stage::Issuer), 0), (step(Phase::Issuer, Stage::ControlPlane), 5)],
        expected: Failure::Start,
    },
    Sabotage {
        name: "the new anchor is published alone",
        strategy: Strategy::Staged,
        instead_of: step(Phase::Bundle, Stage::Trust),
        forced: &[(step(Phase::Prune, Stage::Trust), 0), (step(Phase::Prune, Stage::ControlPlane), 5)],
        expected: Failure::Start,
    },
    Sabotage {
        name: "the issuer is swapped when the bundle is published and nothing has restarted",
        strategy: Strategy::Staged,
        instead_of: step(Phase::Bundle, Stage::ControlPlane),
        forced: &[(step(Phase::Issuer, Stage::Issuer), 1), (step(Phase::Issuer, Stage::ControlPlane), 5)],
        expected: Failure::Handshake,
    },
    Sabotage {
        name: "the issuer is swapped before the data plane has restarted",
        strategy: Strategy::Staged,
        instead_of: step(Phase::Bundle, Stage::DataPlane),
        forced: &[(step(Phase::Issuer, Stage::Issuer), 0)],
        expected: Failure::Renewal,
    },
    Sabotage {
        name: "the data plane restarts while injectors lag, and the issuer is swapped without looking",
        strategy: Strategy::Staged,
        instead_of: step(Phase::Bundle, Stage::ControlPlane),
        forced: &[
            (step(Phase::Bundle, Stage::DataPlane), 0),
            (step(Phase::Bundle, Stage::ControlPlane), 5),
            (step(Phase::Issuer, Stage::Issuer), 5),
        ],
        expected: Failure::Handshake,
    },
    Sabotage {
        name: "the old anchor goes when the issuer is swapped and nothing has restarted",
        strategy: Strategy::Staged,
        instead_of: step(Phase::Issuer, Stage::ControlPlane),
        forced: &[(step(Phase::Prune, Stage::Trust), 3), (step(Phase::Prune, Stage::ControlPlane), 3)],
        expected: Failure::Handshake,
    },
    Sabotage {
        name: "the old anchor goes before the data plane has new workload certificates",
        strategy: Strategy::Staged,
        instead_of: step(Phase::Issuer, Stage::DataPlane),
        forced: &[(step(Phase::Prune, Stage::Trust), 0), (step(Phase::Prune, Stage::ControlPlane), 3)],
        expected: Failure::Handshake,
    },
    Sabotage {
        name: "the old anchor goes before the old workload certificates have expired",
        strategy: Strategy::Patient,
        instead_of: step(Phase::Issuer, Stage::DataPlane),
        forced: &[(step(Phase::Prune, Stage::Trust), 120), (step(Phase::Prune, Stage::ControlPlane), 3)],
        expected: Failure::Handshake,
    },
    Sabotage {
        name: "the control plane does not restart after the swap, and a replica missed the reload",
        strategy: Strategy::Patient,
        instead_of: step(Phase::Issuer, Stage::ControlPlane),
        forced: &[(step(Phase::Prune, Stage::Trust), 25 * 60), (step(Phase::Prune, Stage::DataPlane), 5)],
        expected: Failure::Renewal,
    },
    Sabotage {
        name: "the old anchor goes before the old workload certificates have expired, though the issuer is cross-signed",
        strategy: Strategy::CrossSigned,
        instead_of: step(Phase::Issuer, Stage::DataPlane),
        forced: &[(step(Phase::Prune, Stage::Trust), 120), (step(Phase::Prune, Stage::ControlPlane), 3)],
        expected: Failure::Handshake,
    },
    Sabotage {
        name: "the cross certificate goes while proxies hold the old anchor alone",
        strategy: Strategy::CrossSigned,
        instead_of: step(Phase::Prune, Stage::DataPlane),
        forced: &[
            (step(Phase::RemoveCross, Stage::Issuer), 0),
            (step(Phase::RemoveCross, Stage::ControlPlane), 5),
        ],
        expected: Failure::Handshake,
    },
];

/// A rotation until the sabotage, and what comes of it within a day. Were the forced steps blocked?
fn sabotaged(sabotage: &Sabotage, seed: u64) -> (bool, Fleet<'static>) {
    let mut rehearsal = Rehearsal::new(sabotage.strategy, seed);
    let mut forced: VecDeque<(Step, SignedDuration)> =
        sabotage.forced.iter().map(|(step, minutes)| (*step, SignedDuration::from_mins(*minutes))).collect();
    let (mut since, mut blocked) = (None, false);
    for _ in 0..TICKS {
        rehearsal.tick();
        let plan = rehearsal.plan();
        let now = rehearsal.fleet.now();
        if since.is_none() && plan.standing == Standing::At(sabotage.instead_of) {
            assert_eq!(rehearsal.fleet.failures, [], "`{}` with seed {seed}", sabotage.name);
            since = Some(now);
        }
        match (since, forced.front(), plan.standing) {
            (None, _, Standing::At(next)) => rehearsal.obey(&plan, next),
            (Some(last), Some((step, wait)), _) if last + *wait <= now => {
                blocked |= !planned(&plan, *step).blocked.is_empty();
                rehearsal.take(&plan, *step);
                (since, _) = (Some(now), forced.pop_front());
            }
            (Some(last), None, _) if last + SignedDuration::from_hours(24) <= now => break,
            _ => {}
        }
        if rehearsal.fleet.failures.iter().any(|(_, failure, _)| *failure == sabotage.expected) {
            break;
        }
    }
    (blocked, rehearsal.fleet)
}

#[test]
fn with_a_gate_ignored_its_failure_appears() {
    for sabotage in &SABOTAGES {
        let mut seen = Vec::new();
        for seed in 0..SABOTAGED_SEEDS {
            let (blocked, fleet) = sabotaged(sabotage, seed);
            assert!(blocked, "`{}` with seed {seed}: nothing stood in the way", sabotage.name);
            seen.extend(
                fleet
                    .failures
                    .iter()
                    .find(|(_, failure, _)| *failure == sabotage.expected)
                    .map(|one| (seed, one.clone())),
            );
            // One seed in which it does harm is what is asked for; the others are for the count.
            if sizes::of(!seen.is_empty(), false) {
                break;
            }
        }
        println!(
            "{}: in {} of up to {SABOTAGED_SEEDS} seeds, first {:?}",
            sabotage.name,
            seen.len(),
            seen.first()
        );
        assert!(!seen.is_empty(), "`{}` does no harm with seeds 0 to {SABOTAGED_SEEDS}", sabotage.name);
    }
}
