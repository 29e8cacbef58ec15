//! What is done when a step is merged, and how it is undone.

use jiff::{SignedDuration, Timestamp};

use super::PullRequest;
use super::picture::{waits_for_renewal, waits_for_restarts};
use super::titles;
use crate::mesh::{Owner, WATCH_LAG_SECONDS};
use crate::pki::Certificate;
use crate::report::Screen;
use crate::report::findings::listed;
use crate::report::markdown::{escaped, fenced, numbered};
use crate::report::plan::{acts_and_commands, committed_to};
use crate::report::words::{duration, shell_word};
use crate::rotation::{Change, Direction, Record, Stage};

/// What to do after the merge, in order.
pub(in crate::report) fn steps(request: &PullRequest<'_>, screen: &Screen) -> String {
    let PullRequest { planned, under_way, .. } = request;
    let mut items = Vec::new();
    let owners: Vec<&Owner> = planned.notes.iter().flat_map(committed_to).collect();
    let applied = match &*owners {
        [] => "Wait until the change is in the cluster.".to_owned(),
        owners => format!("Wait until it is applied by {}.", escaped(&listed(owners))),
    };
    items.push((applied, None));
    if planned
        .changes
        .iter()
        .any(|change| matches!(change, Change::ControlPlane { .. } | Change::Restart { .. }))
    {
        items.push(("Wait until every rollout is finished (`kubectl rollout status`).".to_owned(), None));
    }
    for manual in &planned.manual {
        let object = escaped(&manual.object.to_string());
        for (what, command) in acts_and_commands(manual) {
            let command = command.map(|command| fenced("sh", &command));
            items.push((format!("Manually, {object}: {}", escaped(&what)), command));
        }
    }
    items.push((when_next(request, screen), None));
    let out = numbered(&items);
    let rollback = if under_way.record.direction == Direction::Rollback { " --rollback" } else { "" };
    let dir = shell_word(&under_way.dir.display().to_string()).into_owned();
    let command = format!("kubectl l5d-rotate next --dir {dir}{rollback}{}", request.arguments);
    format!(
        "{out}\nThe next step, which is refused as long as it is too early:\n\n{}",
        fenced("sh", &command)
    )
}

/// When the next step is ready, as far as time tells.
fn when_next(request: &PullRequest<'_>, screen: &Screen) -> String {
    let PullRequest { planned, under_way, mesh, .. } = request;
    let (plan, record) = (under_way.plan, under_way.record);
    let place = plan.steps.iter().position(|other| other.step == planned.step).unwrap_or_default();
    let Some(next) = plan.steps.get(place + 1) else {
        return "This is the last step: the rotation is finished when it has taken effect.".to_owned();
    };
    let name = format!("Step {} of {} ({})", place + 2, plan.steps.len(), titles::title(next.step, record));
    let lifetime = mesh.control_plane.workload_certificate_lifetime();
    if waits_for_restarts(next) {
        return format!("{name} merges nothing: it is done when every workload has restarted on its own.");
    }
    if waits_for_renewal(next) {
        let soonest = later(screen.at, lifetime);
        return format!(
            "{name} merges nothing: it is done {} after this one has taken effect, {} at the earliest.",
            duration(lifetime),
            screen.plain(soonest)
        );
    }
    match planned.step.stage {
        Stage::Trust | Stage::Issuer => {
            let soonest = later(screen.at, SignedDuration::from_secs(WATCH_LAG_SECONDS));
            format!(
                "{name} is ready {WATCH_LAG_SECONDS} seconds after the change is in the cluster: pods that start later read it. \
                 Merged now, that is {} at the earliest.",
                screen.plain(soonest)
            )
        }
        Stage::Signer | Stage::ControlPlane | Stage::DataPlane | Stage::Objects => {
            format!("{name} is ready when everything above is done.")
        }
    }
}

fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.checked_add(by).unwrap_or(from)
}

/// How a rotation is rolled back, and until when that is safe.
pub(in crate::report) fn rolling_back(request: &PullRequest<'_>, screen: &Screen) -> String {
    let record = request.under_way.record;
    let dir = shell_word(&request.under_way.dir.display().to_string()).into_owned();
    let arguments = request.arguments;
    if record.direction == Direction::Rollback {
        let command = fenced("sh", &format!("kubectl l5d-rotate next --dir {dir}{arguments}"));
        return format!("This is a rollback. The rotation goes on with:\n\n{command}");
    }
    if let Err(why) = record.clone().rolled_back() {
        return format!(
            "It cannot be rolled back: {}. {}.\n",
            escaped(&why.to_string()),
            escaped(why.help())
        );
    }
    let command = fenced("sh", &format!("kubectl l5d-rotate next --rollback --dir {dir}{arguments}"));
    let until = match first_of_old(record) {
        Some(first) if first.facts().not_after <= screen.at => format!(
            "That is not safe any more: {} `{}` expired {}.",
            escaped(first.name()),
            first.fingerprint().short(),
            escaped(&screen.plain(first.facts().not_after))
        ),
        Some(first) => format!(
            "That is safe until {}, when {} `{}` expires.",
            escaped(&screen.plain(first.facts().not_after)),
            escaped(first.name()),
            first.fingerprint().short()
        ),
        None => String::new(),
    };
    format!(
        "Do not revert this commit alone once it has taken effect: what is safe then depends on what proxies hold. One safe step \
         at a time leads back:\n\n{command}\n{until} Keep the old issuer's private key until then.\n"
    )
}

/// What a rollback puts back and expires first.
fn first_of_old(record: &Record) -> Option<&Certificate> {
    let issuers = record.old_issuer.iter().flat_map(|chain| chain.certificates());
    record.old.anchors().iter().chain(issuers).min_by_key(|one| one.facts().not_after)
}
