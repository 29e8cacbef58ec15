//! `wait`: until a step is done, or may be merged.

use jiff::SignedDuration;

use super::looking::{Looking, pause};
use super::rotation::UnderWay;
use super::{Environment, Failure, reading};
use crate::cli::{self, Awaited};
use crate::report::{Exit, Next, Progress, Response, Screen, not_yet, waited, waiting};
use crate::rotation::{PlannedStep, StepState};

/// Between the first two looks; each later pause is twice as long, up to [`LONGEST`].
const FIRST: SignedDuration = SignedDuration::from_secs(10);

/// A look lists every pod: once a minute is enough.
const LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// Looks again and again until it is so, or the time is up.
pub(super) fn run(
    args: &cli::Wait,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    let looking = Looking::begin(input, screen, environment)?;
    let mut next = FIRST;
    let mut is_first = true;
    loop {
        match look(args, input, &looking.screen(), environment) {
            Ok(Look { said, is_so: true }) => return Ok(Response::fine(said)),
            Ok(Look { said, .. }) if looking.passed() >= args.timeout => {
                return Err(Failure::bare(said).exiting(Exit::NotMet));
            }
            // Later an API server may be away for a while.
            Err(failure) if is_first || looking.passed() >= args.timeout => return Err(failure),
            Ok(_) | Err(_) => is_first = false,
        }
        let (passed, timeout) = (looking.passed(), args.timeout);
        let length = next.min(timeout.saturating_sub(passed));
        let name = args.step.clone().unwrap_or_else(|| "the next step".to_owned());
        let _shown = Progress::show(move |now| waiting(&name, passed, timeout, length, now));
        pause(length);
        next = next.saturating_mul(2).min(LONGEST);
    }
}

/// What one look has shown.
struct Look {
    said: String,
    is_so: bool,
}

fn look(
    args: &cli::Wait,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Look, Failure> {
    let under_way = UnderWay::read(&args.rotation, input, screen.at, false, environment)?;
    let shown = under_way.shown();
    let planned = match &args.step {
        Some(name) => Some(named(name, &under_way)?),
        None => shown.standing(),
    };
    let awaited = if args.next { Awaited::Ready } else { args.until };
    let is_so = planned.is_none_or(|planned| is_so(planned, awaited, &under_way));
    let said = if is_so {
        waited(planned, &shown)
    } else {
        let next = Next::of(&shown, &under_way.mesh, screen).reading(&reading::arguments(&under_way.input));
        not_yet(planned, &next, screen)
    };
    Ok(Look { said, is_so })
}

/// Is it so? A step whose commit is merged already is not ready to be merged: it is waited for until it is done.
fn is_so(planned: &PlannedStep, awaited: Awaited, under_way: &UnderWay) -> bool {
    let is_done = planned.state == StepState::Done;
    match awaited {
        Awaited::Done => is_done,
        Awaited::Ready => is_done || (planned.blocked.is_empty() && !planned.is_merged(&under_way.mesh)),
    }
}

/// The step of a name such as `issuer/2-control-plane`, or `issuer/2`.
fn named<'a>(name: &str, under_way: &'a UnderWay) -> Result<&'a PlannedStep, Failure> {
    let steps = &under_way.plan.steps;
    let is_it = |planned: &&PlannedStep| {
        let step = planned.step;
        step.to_string() == name || format!("{}/{}", step.phase, step.number()) == name
    };
    steps.iter().find(is_it).ok_or_else(|| {
        let all: Vec<_> = steps.iter().map(|planned| planned.step.to_string()).collect();
        Failure::new(
            format!("this rotation has no step `{name}`"),
            format!("its steps are: {}", all.join(", ")),
        )
    })
}
