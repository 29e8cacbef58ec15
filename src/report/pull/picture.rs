//! The steps that are left, with what each waits for, as a picture.

use jiff::{SignedDuration, Timestamp};

use super::titles::title;
use crate::finding::{Fact, Opens, StepFact};
use crate::mesh::Mesh;
use crate::report::Screen;
use crate::report::gantt::{Axis, Bar, Look, Section, gantt};
use crate::report::next::UnderWay;
use crate::report::plan::after;
use crate::rotation::{Phase, PlannedStep, Step, StepState, Strategy};

/// How long a commit and its rollouts are drawn.
const ROLLOUT: SignedDuration = SignedDuration::from_hours(1);

/// The steps from now on, each at the earliest; how long people and rollouts take is not known, so that each has an hour.
pub(in crate::report) fn steps(
    UnderWay { plan, record, .. }: &UnderWay<'_>,
    this: Option<Step>,
    mesh: &Mesh,
    screen: &Screen,
) -> String {
    let lifetime = mesh.control_plane.workload_certificate_lifetime();
    let (mut bars, mut certificates) = (Vec::new(), Vec::new());
    let mut now = screen.at;
    for (place, planned) in plan.steps.iter().enumerate() {
        if planned.state == StepState::Done {
            continue;
        }
        if let Some(ready) = opens_at(planned).filter(|ready| *ready > now) {
            let name = format!("Wait before step {}", place + 1);
            bars.push(Bar { name, look: Look::Plain, from: now, to: ready });
            now = ready;
        }
        let end = end_of(planned, now, lifetime);
        let look = if this == Some(planned.step) {
            Look::This
        } else if waits_for_renewal(planned) {
            Look::Plain
        } else {
            Look::New
        };
        let name = format!("Step {} {}", place + 1, title(planned.step, record));
        bars.push(Bar { name, look, from: now, to: end });
        now = end;
        let renews = planned.step.phase == Phase::Issuer && !planned.step.stage.is_about_issuer();
        if renews && certificates.is_empty() && record.strategy != Strategy::Recover {
            let name = "Of the replaced issuer (at the latest)".to_owned();
            let to = expiry(planned).unwrap_or_else(|| later(now, lifetime));
            certificates.push(Bar { name, look: Look::Old, from: screen.at, to });
        }
    }
    let steps = Section { name: "Steps", bars };
    let sections = [steps, Section { name: "Workload certificates", bars: certificates }];
    let picture = gantt("Steps at their earliest (UTC)", Axis::Minutes, &sections);
    if picture.is_empty() {
        return picture;
    }
    format!(
        "{picture}\nEach commit is drawn with one hour for its rollouts; waits are as long as they have to be.\n"
    )
}

/// When a step that begins now is done at the earliest.
fn end_of(planned: &PlannedStep, now: Timestamp, lifetime: SignedDuration) -> Timestamp {
    if !waits_for_renewal(planned) {
        return later(now, ROLLOUT);
    }
    expiry(planned).map_or_else(|| later(now, lifetime), |end| end.max(now))
}

fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.checked_add(by).unwrap_or(from)
}

/// Until when time alone keeps a step back; what keeps it back behind an earlier step may yet change.
fn opens_at(planned: &PlannedStep) -> Option<Timestamp> {
    if after(planned).is_some() {
        return None;
    }
    let opens = planned.blocked.iter().flat_map(|finding| &finding.opens);
    let instants = opens.filter_map(|opens| match opens {
        Opens::At(instant) => Some(*instant),
        _ => None,
    });
    instants.max()
}

/// When the last workload certificate of the replaced issuer expires, where that is known.
fn expiry(planned: &PlannedStep) -> Option<Timestamp> {
    planned.notes.iter().find_map(|note| match &note.fact {
        Fact::Step(StepFact::RenewalTime { until, .. }) => *until,
        _ => None,
    })
}

/// Is nothing merged, and the step done when workload certificates of the replaced issuer have expired?
pub(super) fn waits_for_renewal(planned: &PlannedStep) -> bool {
    let is_it = |fact: &Fact| matches!(fact, Fact::Step(StepFact::CertificatesRenewedByTime { .. }));
    planned.changes.is_empty() && planned.notes.iter().any(|note| is_it(&note.fact))
}

/// Is nothing merged, and the step done when every workload has restarted on its own?
pub(super) fn waits_for_restarts(planned: &PlannedStep) -> bool {
    let is_it = |fact: &Fact| matches!(fact, Fact::Step(StepFact::BundleLoadedByTime { .. }));
    planned.changes.is_empty() && planned.notes.iter().any(|note| is_it(&note.fact))
}
