//! The steps that are left, with what each waits for, as a picture.

use jiff::{SignedDuration, Timestamp};

use super::titles::title;
use crate::finding::{Fact, Finding, Opens, StepFact};
use crate::mesh::Mesh;
use crate::report::Screen;
use crate::report::gantt::{Axis, Bar, Look, Section, gantt};
use crate::report::next::UnderWay;
use crate::report::plan::after;
use crate::rotation::{Phase, PlannedStep, Stage, Step, StepState};

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
    let later = |from: Timestamp, by: SignedDuration| from.checked_add(by).unwrap_or(from);
    let (mut bars, mut certificates) = (Vec::new(), Vec::new());
    let mut now = screen.at;
    for (place, planned) in plan.steps.iter().enumerate() {
        if planned.state == StepState::Done {
            continue;
        }
        if let Some(ready) = opens_at(planned).filter(|ready| *ready > now) {
            bars.push(Bar {
                name: format!("Wait before step {}", place + 1),
                look: Look::Plain,
                from: now,
                to: ready,
            });
            now = ready;
        }
        let waits = planned.changes.is_empty() && waits_for_renewal(planned);
        let end = match expiry(planned) {
            Some(end) if waits => end.max(now),
            _ if waits => later(now, lifetime),
            _ => later(now, ROLLOUT),
        };
        let look = if this == Some(planned.step) { Look::This } else { Look::New };
        let name = format!("Step {} {}", place + 1, title(planned.step, record));
        bars.push(Bar { name, look: if waits { Look::Plain } else { look }, from: now, to: end });
        now = end;
        if planned.step.stage == Stage::ControlPlane && is_issuers(planned) {
            let until = expiry(planned).unwrap_or_else(|| later(now, lifetime));
            certificates.push(Bar {
                name: "Of the replaced issuer (at the latest)".to_owned(),
                look: Look::Old,
                from: screen.at,
                to: until,
            });
        }
    }
    let sections =
        [Section { name: "Steps", bars }, Section { name: "Workload certificates", bars: certificates }];
    let picture = gantt("Steps at their earliest (UTC)", Axis::Minutes, &sections);
    if picture.is_empty() {
        return picture;
    }
    format!(
        "{picture}\nEach commit is drawn with one hour for its rollouts; waits are as long as they have to be.\n"
    )
}

fn is_issuers(planned: &PlannedStep) -> bool {
    planned.step.phase == Phase::Issuer
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

pub(super) fn waits_for_renewal(planned: &PlannedStep) -> bool {
    let is_it = |note: &Finding| {
        matches!(
            note.fact,
            Fact::Step(StepFact::CertificatesRenewedByTime { .. } | StepFact::BundleLoadedByTime { .. })
        )
    };
    planned.notes.iter().any(is_it)
}
