//! The same mesh gets the same answer from `check`, `plan`, `simulate` and `recover`.

use std::collections::BTreeSet;

use l5d_rotate::check::{self, Options};
use l5d_rotate::finding::{Finding, Severity};
use l5d_rotate::linkerd;
use l5d_rotate::mesh::{Change, Era, Mesh, Read};
use l5d_rotate::rotation::recover::{Diagnosis, Issuance};
use l5d_rotate::rotation::simulate::{Simulation, simulate};
use l5d_rotate::rotation::{Plan, Record, RestartAnnotation, Stage, StepState, plan};
use l5d_rotate::states::{Invariant, Sides, States, Violation};

use crate::model::state::{Pool, State};
use crate::sizes;
use crate::support::pki::random::Dice;
use crate::support::rotation::{self, Cluster};

/// What a check found.
fn checked(mesh: &Mesh, at: jiff::Timestamp, code: &str) -> Option<Finding> {
    let options = Options { at, expiry_threshold: linkerd::EXPIRY_THRESHOLD };
    let checks = check::run(mesh, options);
    checks.iter().find(|check| check.code == code).and_then(|check| check.finding().cloned())
}

fn is(found: Option<&Finding>, severity: Severity) -> bool {
    found.is_some_and(|finding| finding.severity == severity)
}

/// What a rotation is planned to do, and what comes of it.
fn simulated(record: &Record, mesh: &Mesh, at: jiff::Timestamp) -> (Plan, Simulation) {
    let none = BTreeSet::new();
    let plan = plan(record, mesh, RestartAnnotation::Content, &none, at).unwrap();
    let simulation = simulate(record, mesh, &plan, None, &none, at).unwrap();
    (plan, simulation)
}

/// Does an identity controller that starts now fail?
fn starts_alike(mesh: &Mesh, state: &State, rotation: Option<&(Plan, Simulation)>) -> bool {
    let at = state.at;
    let violations = States::of(mesh, None, at).violations(at);
    let fails = violations.iter().any(|one| one.sides == Sides::Start);
    let found = checked(mesh, at, "issuer-accepted-by-bundle");
    assert_eq!(is(found.as_ref(), Severity::Error), fails, "check: {found:#?} {state:#?}");
    let works = matches!(Diagnosis::of(mesh, at).issuance, Issuance::Works { .. });
    assert!(!(works && fails), "recover: {state:#?}");
    let Some((plan, simulation)) = rotation else { return fails };
    let restarts = plan.steps.iter().filter(|one| one.step.stage == Stage::ControlPlane);
    for planned in restarts.filter(|one| one.state != StepState::Done) {
        let stops = |finding: &Finding| {
            ["restart-stops-identity", "present-issuer-expired"].contains(&finding.code())
        };
        assert_eq!(planned.blocked.iter().any(stops), fails, "plan: {planned:#?} {state:#?}");
    }
    let start = simulation.start.violations.iter().any(|one| one.invariant == Invariant::ControllerStarts);
    assert_eq!(start, fails, "simulate: {state:#?}");
    fails
}

/// Has every identity controller read the last change of an object?
fn reads_alike(mesh: &Mesh, state: &State, change: Change, code: &str) -> bool {
    let replicas = &mesh.control_plane.replicas;
    let reads: Vec<_> =
        replicas.iter().map(|replica| change.by_mount(replica.started, replica.made)).collect();
    let found = checked(mesh, state.at, code);
    let all = reads.iter().all(|read| *read == Read::After);
    assert_eq!(found.is_none(), all && change.is_dated(), "{code}: {found:#?} {reads:?} {state:#?}");
    all
}

/// What fails for certain, by invariant.
fn certain(violations: &[Violation]) -> BTreeSet<Invariant> {
    violations.iter().filter(|one| one.certain).map(Violation::invariant).collect()
}

/// What is rejected now, for certain?
fn rejects_alike(mesh: &Mesh, state: &State, rotation: Option<(&Record, &Simulation)>) -> bool {
    let at = state.at;
    let now = certain(&States::of(mesh, None, at).violations(at));
    let diagnosis = Diagnosis::of(mesh, at);
    if matches!(diagnosis.issuance, Issuance::Works { .. }) {
        assert_eq!(
            diagnosis.rejected.is_empty(),
            now.is_empty(),
            "recover: {:#?} {state:#?}",
            diagnosis.rejected
        );
    }
    let Some((record, simulation)) = rotation else { return !now.is_empty() };
    let in_start: BTreeSet<Invariant> =
        simulation.start.violations.iter().filter(|one| one.certain).map(|one| one.invariant).collect();
    let known = certain(&States::of(mesh, Some(&record.history()), at).violations(at));
    assert_eq!(in_start, known, "simulate: {state:#?}");
    !now.is_empty()
}

#[test]
fn one_mesh_gets_one_answer_whoever_is_asked() {
    let pool = Pool::mint();
    let mut cluster = Cluster::new(&rotation::Pki::mint(), Era::V2_12);
    let (mut fails, mut rejects, mut reads) = (0, 0, 0);
    let seeds = sizes::of(120, 20_000);
    for seed in 0..seeds {
        let state = State::random(&pool, &mut Dice(seed));
        let (mesh, record) = (state.mesh(&pool, &mut cluster), state.record(&pool));
        let rotation = record.as_ref().map(|record| simulated(record, &mesh, state.at));
        fails += u64::from(starts_alike(&mesh, &state, rotation.as_ref()));
        let simulation = rotation.as_ref().map(|(_, simulation)| simulation);
        rejects += u64::from(rejects_alike(&mesh, &state, record.as_ref().zip(simulation)));
        reads += u64::from(reads_alike(&mesh, &state, mesh.bundle_change(), "control-plane-restarted"));
        reads_alike(&mesh, &state, mesh.issuer_change(), "identity-loaded-issuer");
    }
    assert!(
        [fails, rejects, reads].iter().all(|some| some * 20 > seeds && *some < seeds),
        "{fails} {rejects} {reads} of {seeds}"
    );
}
