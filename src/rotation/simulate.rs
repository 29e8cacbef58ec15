//! The mesh through a whole rotation: what may be in use before, during and after each step, and which of it breaks.

mod blind;
mod class;
mod moment;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::plan::as_confirmed;
use super::{Confirmation, Phase, PhaseSpec, Plan, Record, Restarted, Stage, Step, StepState};
use crate::finding::InputFact;
use crate::mesh::{GoDuration, Held, Known, Mesh, ProxyGroup, Workload, WorkloadId};
use crate::pki::{Bundle, IssuerChain};
use crate::states::{Invariant, States};

use blind::{is_blind, unread};
pub use class::Classes;
use moment::either;
pub use moment::{Break, Holder, Moment, Row};

/// A rotation gone through in thought.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// The phases in the order they are taken.
    pub order: Vec<Phase>,
    /// Every bundle and issuer that occurs, by name.
    pub classes: Classes,
    /// How long a workload certificate may be in use after it is issued: issuance lifetime and clock skew (T+s).
    pub workload_certificate_lifetime: GoDuration,
    /// The mesh as it was observed, before any step.
    pub start: Moment,
    /// The steps in the order they are taken.
    pub steps: Vec<SimulatedStep>,
    /// What is not known: of it nothing is said.
    pub unseen: Vec<InputFact>,
    /// Was too little seen to call anything safe?
    pub blind: bool,
}

/// A step and the mesh around it.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedStep {
    /// Which step.
    pub step: Step,
    /// What is done.
    pub act: Act,
    /// Before, during and after it, and where something breaks late the moment at which it does; empty for a step that is
    /// done already.
    pub moments: Vec<Moment>,
}

/// What a step does to the mesh.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// This bundle is published.
    Publish(Bundle),
    /// This issuer is put into the Secret.
    Swap(IssuerChain),
    /// What signs the issuer signs with another anchor: this one is put into the Secret whenever cert-manager renews it.
    Sign(IssuerChain),
    /// Objects go that nothing needs any more.
    Remove,
    /// These workloads start anew.
    Restart(Restarted),
    /// Workload certificates of issuers that nobody signs with any more expire.
    Wait,
}

/// Symbolic time around a step: no clock runs between steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the step.
    Before,
    /// While pods and controllers load it, in any order: any subset of them has.
    During,
    /// All have restarted that the step itself restarts.
    After,
    /// If it is left so: T+s later, when every workload certificate has been renewed or has expired.
    Later,
}

/// What is to be said of the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict<'a> {
    /// Nothing breaks in any possible state.
    Safe,
    /// The mesh is broken before the first step.
    Broken(&'a Break),
    /// This step breaks something that held before the first one.
    Breaks(&'a SimulatedStep, When, &'a Break),
    /// What was seen does not tell: this may be broken by the step, or without one before the first.
    MayBreak(Option<&'a SimulatedStep>, &'a Break),
    /// Nothing breaks in what could be seen, and too little could be.
    Unknown,
}

/// Why an order of phases is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A phase stands twice in it.
    #[error("the order names phase {0} twice")]
    Twice(Phase),
    /// The rotation does not have that phase.
    #[error("the order names phase {found}, and the phases of this rotation are: {}", named(.own))]
    NoSuchPhase {
        /// The phase.
        found: Phase,
        /// Those that it has.
        own: Vec<Phase>,
    },
}

fn named(phases: &[Phase]) -> String {
    phases.iter().map(Phase::to_string).collect::<Vec<_>>().join(", ")
}

impl OrderError {
    /// The next thing to do.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Twice(_) => "name each phase once, such as --order issuer,bundle,prune",
            Self::NoSuchPhase { .. } => "leave --order out, or name phases that it has",
        }
    }
}

/// Goes through the steps of `record` over `mesh` as it stood at `at`: in the order of `order`, or in the record's own. What
/// is `confirmed` is taken as seen.
///
/// # Errors
/// An order with a phase twice, or with one that the rotation does not have.
pub fn simulate(
    record: &Record,
    mesh: &Mesh,
    plan: &Plan,
    order: Option<&[Phase]>,
    confirmed: &BTreeSet<Confirmation>,
    at: Timestamp,
) -> Result<Simulation, OrderError> {
    let order = order_of(record, order)?;
    let (mesh, _) = as_confirmed(mesh, confirmed);
    let mesh = mesh.as_ref();
    let phases = record.phases();
    let specs = order.iter().filter_map(|phase| phases.iter().find(|spec| spec.phase == *phase));
    let acts =
        specs.flat_map(|spec| spec.steps().into_iter().map(move |step| (spec, step))).map(|(spec, step)| {
            let is_done = |step| plan.steps.iter().any(|p| p.step == step && p.state == StepState::Done);
            (step, act(record, mesh, spec, step), is_done(step))
        });
    let mut walk = Walk {
        classes: Classes::new(record),
        states: States::of(mesh, Some(&record.history()), at),
        at,
        workload_certificate_lifetime: mesh.control_plane.workload_certificate_lifetime(),
        workload: |id| mesh.workload(id),
        pods_seen: mesh.pods == Known::Is(()),
        proxies: mesh.proxies.iter().filter(|group| group.held != Held::Nothing).map(ProxyGroup::count).sum(),
    };
    let unseen = walk.states.unseen.iter().cloned().chain(unread(mesh)).collect();
    let blind = is_blind(mesh, &walk.states, confirmed);
    let start = walk.moment(When::Before, &walk.states.clone(), at, None);
    let steps = acts.map(|(step, act, is_done)| walk.step(step, act, is_done)).collect();
    let workload_certificate_lifetime = GoDuration(walk.workload_certificate_lifetime);
    Ok(Simulation {
        order,
        classes: walk.classes,
        workload_certificate_lifetime,
        start,
        steps,
        unseen,
        blind,
    })
}

fn order_of(record: &Record, order: Option<&[Phase]>) -> Result<Vec<Phase>, OrderError> {
    let own: Vec<_> = record.phases().into_iter().map(|spec| spec.phase).collect();
    let Some(order) = order else { return Ok(own) };
    for (place, phase) in order.iter().enumerate() {
        if order[..place].contains(phase) {
            return Err(OrderError::Twice(*phase));
        }
        if !own.contains(phase) {
            return Err(OrderError::NoSuchPhase { found: *phase, own });
        }
    }
    Ok(order.to_vec())
}

fn act(record: &Record, mesh: &Mesh, spec: &PhaseSpec, step: Step) -> Act {
    match (step.stage, spec.swapped_in()) {
        (Stage::Signer, Some(chain)) => Act::Sign(chain.clone()),
        (Stage::Issuer, Some(chain)) => Act::Swap(chain.clone()),
        (Stage::Trust | Stage::Signer | Stage::Issuer, _) => {
            Act::Publish(record.bundle_for(step.phase, mesh))
        }
        (Stage::Objects, _) => Act::Remove,
        (Stage::DataPlane, Some(_)) if record.strategy.waits_for_renewal() => Act::Wait,
        (stage, _) => spec.restarts(stage).map_or(Act::Wait, Act::Restart),
    }
}

/// The mesh on its way through the steps.
struct Walk<P> {
    classes: Classes,
    states: States,
    at: Timestamp,
    workload_certificate_lifetime: SignedDuration,
    workload: P,
    pods_seen: bool,
    proxies: u64,
}

impl<'a, P: Fn(WorkloadId) -> &'a Workload> Walk<P> {
    fn step(&mut self, step: Step, act: Act, is_done: bool) -> SimulatedStep {
        if is_done {
            return SimulatedStep { step, act, moments: Vec::new() };
        }
        let before = self.states.clone();
        let (during, after) = match &act {
            Act::Publish(bundle) => {
                let publishing = before.publishing(bundle);
                (publishing.clone(), publishing)
            }
            Act::Swap(chain) | Act::Sign(chain) => {
                let swapping = before.swapping(chain);
                (swapping.clone(), swapping)
            }
            Act::Restart(who) => {
                let after = before.restarted(|id| who.has((self.workload)(id)));
                (either(&before, &after), after)
            }
            Act::Remove => (before.clone(), before.clone()),
            Act::Wait => (before.clone(), before.waited(self.later())),
        };
        let end = if act == Act::Wait { self.later() } else { self.at };
        let fresh = match &act {
            Act::Swap(chain) | Act::Sign(chain)
                if before.presented.iter().all(|presented| presented.what != *chain) =>
            {
                Some(chain)
            }
            _ => None,
        };
        let mut moments = vec![
            self.moment(When::Before, &before, self.at, None),
            self.moment(When::During, &during, self.at, fresh),
            self.moment(When::After, &after, end, fresh),
        ];
        (self.states, self.at) = (after, end);
        if renewals_break(&moments) {
            let later = self.later();
            moments.push(self.moment(When::Later, &self.states.waited(later), later, None));
        }
        SimulatedStep { step, act, moments }
    }

    /// The instant at which every workload certificate that is in use now has expired.
    fn later(&self) -> Timestamp {
        self.at.checked_add(self.workload_certificate_lifetime).unwrap_or(Timestamp::MAX)
    }

    fn moment(&mut self, when: When, states: &States, at: Timestamp, fresh: Option<&IssuerChain>) -> Moment {
        let mut moment = Moment::of(when, (states, at), self.proxies, fresh, &mut self.classes);
        // Of pods that were not seen nothing is certain; the published bundle and the Secret judge each other without them.
        for violation in moment
            .violations
            .iter_mut()
            .filter(|violation| violation.invariant != Invariant::ControllerStarts)
        {
            violation.certain &= self.pods_seen;
        }
        moment.violations.sort_by_key(|violation| !violation.certain);
        moment
    }
}

/// Has a step caused what is felt only when workload certificates expire?
fn renewals_break(moments: &[Moment]) -> bool {
    let [before, .., after] = moments else { return false };
    let is_new = |violation: &&Break| !before.violations.iter().any(|old| old.is_of(violation));
    after.violations.iter().filter(is_new).any(|violation| violation.invariant != Invariant::EveryPair)
}

impl Simulation {
    /// What is to be said of the whole: what is certain counts before what is not, and what is broken before the first step
    /// before what a step breaks.
    #[must_use]
    pub fn verdict(&self) -> Verdict<'_> {
        let at_start = |certain| self.start.violations.iter().find(|violation| violation.certain == certain);
        if let Some(violation) = at_start(true) {
            Verdict::Broken(violation)
        } else if let Some((step, when, violation)) =
            self.new_breaks().find(|(.., violation)| violation.certain)
        {
            Verdict::Breaks(step, when, violation)
        } else if let Some(violation) = at_start(false) {
            Verdict::MayBreak(None, violation)
        } else if let Some((step, _, violation)) = self.new_breaks().next() {
            Verdict::MayBreak(Some(step), violation)
        } else if self.blind {
            Verdict::Unknown
        } else {
            Verdict::Safe
        }
    }

    /// What breaks in the phases of the steps and did not before the first, or not for certain.
    fn new_breaks(&self) -> impl Iterator<Item = (&SimulatedStep, When, &Break)> {
        let is_known =
            |old: &Break, violation: &Break| old.is_of(violation) && (old.certain || !violation.certain);
        let is_new =
            move |violation: &Break| !self.start.violations.iter().any(|old| is_known(old, violation));
        let moments =
            self.steps.iter().flat_map(|step| step.moments.iter().map(move |moment| (step, moment)));
        moments
            .flat_map(|(step, moment)| {
                moment.violations.iter().map(move |violation| (step, moment.when, violation))
            })
            .filter(move |found| is_new(found.2))
    }
}
