//! What is done manually: each workload once, with a command where there is one.

use anstyle::Style;

use super::numbers;
use crate::document::ObjectRef;
use crate::report::Screen;
use crate::report::words::{count, styled};
use crate::rotation::{Act, Manual, PlannedStep};

/// What is done, and the command that does it.
struct Doing {
    what: String,
    command: Option<String>,
}

/// The section of a plan; the steps with their places.
pub(super) fn section<'a>(steps: impl Iterator<Item = (usize, &'a PlannedStep)>, screen: &Screen) -> String {
    let mut all: Vec<(Manual, Vec<usize>)> = Vec::new();
    for (place, planned) in steps {
        for manual in &planned.manual {
            match all.iter_mut().find(|(one, _)| one.object == manual.object && one.acts == manual.acts) {
                Some((one, steps)) => {
                    one.proxies = one.proxies.max(manual.proxies);
                    steps.push(place + 1);
                }
                None => all.push((manual.clone(), vec![place + 1])),
            }
        }
    }
    let Some(common) = all.iter().map(|(_, steps)| steps).max_by_key(|steps| steps.len()).cloned() else {
        return String::new();
    };
    let title = format!("Manual in {}", numbers(&common));
    let mut out = format!("\n{}\n", styled(Style::new().bold(), title));
    for (manual, steps) in &all {
        let only = if *steps == common { String::new() } else { format!(", {}", numbers(steps)) };
        out.push_str(&lines(manual, &only, screen));
    }
    out
}

/// A workload with what is done for it; a command stands on a line of its own, to be copied.
fn lines(manual: &Manual, only: &str, screen: &Screen) -> String {
    let proxies = count(manual.proxies, "proxy", "proxies");
    let mut out = String::new();
    for (place, act) in manual.acts.iter().enumerate() {
        let Doing { what, command } = doing(*act, &manual.object);
        let text = match place {
            0 => format!("{} ({proxies}{only}): {what}", manual.object),
            _ => what,
        };
        out.push_str(&screen.wrapped(&text, if place == 0 { "  " } else { "    " }, "    "));
        out.extend(command.map(|command| format!("      {}\n", command)));
    }
    out
}

/// What is done manually for a workload, each sentence with the command that it ends with.
pub(in crate::report) fn acts_and_commands(manual: &Manual) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    for act in &manual.acts {
        let Doing { what, command } = doing(*act, &manual.object);
        all.push((what, command));
    }
    all
}

/// What is done manually for a workload, in a sentence or more.
#[must_use]
pub fn acts(manual: &Manual) -> String {
    let sentence = |act: &Act| {
        let Doing { what, command } = doing(*act, &manual.object);
        command.map_or_else(|| what.clone(), |command| format!("{what} `{command}`"))
    };
    manual.acts.iter().map(sentence).collect::<Vec<_>>().join(" ")
}

/// Each workload of a step, for a person.
#[must_use]
pub(super) fn manual_notes(planned: &PlannedStep) -> Vec<String> {
    let note = |manual: &Manual| {
        let proxies = count(manual.proxies, "proxy", "proxies");
        format!("manual: {} ({proxies}): {}", manual.object, acts(manual))
    };
    planned.manual.iter().map(note).collect()
}

fn doing(act: Act, object: &ObjectRef) -> Doing {
    let ObjectRef { namespace, name, .. } = object;
    let kind = object.kind.to_lowercase();
    let (what, command) = match act {
        Act::DeletePods => (
            "a new template does not replace its pods. Delete them, a few at a time:".to_owned(),
            Some(format!("kubectl delete pod -n {namespace} -l linkerd.io/proxy-{kind}={name}")),
        ),
        Act::LowerPartition(ordinal) => (
            format!(
                "its rolling update stops above ordinal {ordinal}. Set spec.updateStrategy.rollingUpdate.partition to 0 in the \
                 same commit, or delete its pods below {ordinal} after the update is through partition 0."
            ),
            None,
        ),
        Act::Resume => (
            "its rollout is paused. Set spec.paused to false, or run:".to_owned(),
            Some(match object.kind.as_str() {
                "Rollout" => format!("kubectl argo rollouts promote {name} -n {namespace}"),
                _ => format!("kubectl rollout resume {kind}/{name} -n {namespace}"),
            }),
        ),
        Act::Promote => (
            "its strategy stops until it is promoted, and keeps its old pods until then. Each time that it stops:".to_owned(),
            Some(format!("kubectl argo rollouts promote {name} -n {namespace}")),
        ),
        Act::RecreatePod => (
            "nothing owns this Pod. Create it again from its manifest:".to_owned(),
            Some("kubectl replace --force -f FILE".to_owned()),
        ),
        Act::AwaitJob => (
            "a Job's template cannot be changed. Create it again, or wait until it has completed:".to_owned(),
            Some(format!("kubectl wait --for=condition=complete {kind}/{name} -n {namespace}")),
        ),
        Act::AwaitRun => (
            format!(
                "a run started before the change; the next one needs nothing. Wait until it has completed, or delete its Job in \
                 {namespace}."
            ),
            None,
        ),
        Act::InjectAgain => (
            "`linkerd inject --manual` wrote a bundle into its template. Once linkerd-config holds the bundle of this phase, run \
             it again on the manifest without a proxy, and commit that."
                .to_owned(),
            None,
        ),
        Act::RestartRollout => (
            "the template of this Argo Rollout stands elsewhere, or was not seen. Set spec.restartAt to an instant after the \
             previous step was merged, or run:"
                .to_owned(),
            Some(format!("kubectl argo rollouts restart {name} -n {namespace}")),
        ),
        Act::RestartByOwner => (
            format!(
                "how a {} ({}) restarts its pods is not known. Restart it as its own controller wants it.",
                object.kind, object.api_version
            ),
            None,
        ),
    };
    Doing { what, command }
}
