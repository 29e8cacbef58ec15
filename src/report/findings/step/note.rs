//! What to know beside a step, and what was confirmed, in words.

use super::super::refusal::refused;
use super::super::{Words, listed, named};
use super::instead::instead;
use super::{anchors, capital, fact_alone, issuer_role, of_fact, say};
use crate::document::ObjectRef;
use crate::finding::{Instead, IssuerRole, StepFact};
use crate::mesh::GoDuration;
use crate::report::Screen;
use crate::report::words::count;
use jiff::Timestamp;

pub(super) fn words(fact: &StepFact, screen: &Screen) -> Words {
    match fact {
        StepFact::PodsConfirmed => fact_alone("Every pod of the mesh is in the input."),
        StepFact::RestartConfirmed { object } => {
            fact_alone(format!("The control plane has started since {object} last changed."))
        }
        StepFact::ManagedObject { object, owner, instead: place, lacks_published } => say(
            format!("{} would put {object} back.", capital(&owner.to_string())),
            if *lacks_published {
                "Anchors are published that the file named here lacks, and they must not be dropped: take the rendered text \
                 instead of the file."
            } else if place.leaves_no_patch() {
                "A patch of it would be of no effect beside the release, and is not rendered."
            } else {
                ""
            },
            format!("{}{}", instead(place), manually(object, place)),
        ),
        StepFact::AppliedFromGit { owners } => {
            fact_alone(format!("Commit it where it is applied from: {}.", listed(owners)))
        }
        StepFact::RenewalTime {
            issuer,
            lifetime,
            issuance_lifetime,
            clock_skew,
            renewed_after,
            instead_of_restart,
            until,
        } => renewal(
            *issuer,
            [lifetime, issuance_lifetime, clock_skew, renewed_after],
            *instead_of_restart,
            *until,
        ),
        StepFact::PhaseSuperseded { by, dropped } => say(
            format!("Phase {by} is published already."),
            format!("To render this step again would bring back {}.", anchors(dropped)),
            "",
        ),
        StepFact::CertificatesRenewedByTime { strategy, issuer } => say(
            format!("Strategy {strategy} restarts no workload here."),
            format!("Workload certificates of {} expire instead.", issuer_role(*issuer)),
            "--restart-data-plane renders a restart.",
        ),
        StepFact::BundleLoadedByTime { strategy, latest, is_late } => {
            loaded_by_time(strategy, *latest, *is_late, screen)
        }
        StepFact::WorkloadsNotSeen { count: unseen } => say(
            format!("{} known from pods only.", count(*unseen, "workload is", "workloads are")),
            "What keeps a restart from reaching all pods (OnDelete, partition, paused) cannot be seen.",
            "Add the workloads themselves to the input.",
        ),
        StepFact::RestartsAssumed { why } => {
            say("Every meshed workload is taken to need the restart.", of_fact(why, screen).what, "")
        }
        StepFact::RestartedByInstall { workloads } => say(
            format!(
                "{} restart when the bundle's value changes where Linkerd is installed from.",
                listed(workloads)
            ),
            "There is nothing to commit for them then. Where the bundle is changed as it is rendered here, no value changes.",
            "After that render this step, which holds their restart.",
        ),
        StepFact::RestartUnchanged { workloads } => say(
            format!(
                "The template of {} carries this step's restart already, and pods are not as they shall be.",
                listed(workloads)
            ),
            "What is left when the rollouts are done started too early, and to merge the restart again changes nothing.",
            "",
        ),
        StepFact::RestartSplitsControlPlane { issuer, workloads, why } => say(
            format!(
                "Until this restart is done, {} reject workload certificates of the issuer {}, which the identity controller \
                 loads by it: {}.",
                listed(workloads),
                named(issuer),
                refused(why, screen)
            ),
            "The issuer was changed before the control plane had loaded its anchor. Pods that start or renew meanwhile may fail.",
            "Merge it at a quiet time, and wait for the rollouts.",
        ),
        StepFact::ProxiesWithoutIdentity { count: bare } => fact_alone(format!(
            "{} no bundle, as identity is disabled, and no restart.",
            count(*bare, "proxy needs", "proxies need")
        )),
        StepFact::IntermediatesInFile { file } => fact_alone(format!(
            "{file} holds intermediates: every proxy gets them with its workload certificate."
        )),
        StepFact::Downtime { replaces_anchor: true } => say(
            "This step takes downtime.",
            "Until the last workload has restarted, those that have and those that have not reject each other.",
            "",
        ),
        StepFact::Downtime { replaces_anchor: false } => say(
            "This step takes downtime.",
            "A workload whose certificate has expired works again when it has restarted; nothing else breaks.",
            "",
        ),
        StepFact::CaCrtOutdated { secret, dropped, render } => say(
            format!("`ca.crt` of {secret} still holds {}, and `linkerd check` reads it.", anchors(dropped)),
            "",
            format!("Render {render} again once this step is merged."),
        ),
        other => super::managed::words(other, screen),
    }
}

/// What restarts a workload of a HelmRelease without any commit.
fn manually(object: &ObjectRef, place: &Instead) -> String {
    let ObjectRef { kind, namespace, name, .. } = object;
    match place {
        Instead::FluxPodAnnotation { .. } => {
            format!(" Or run `kubectl rollout restart {}/{name} -n {namespace}`.", kind.to_lowercase())
        }
        _ => String::new(),
    }
}

fn renewal(
    issuer: IssuerRole,
    [lifetime, issuance_lifetime, clock_skew, renewed_after]: [&GoDuration; 4],
    instead_of_restart: bool,
    until: Option<Timestamp>,
) -> Words {
    let restart = if instead_of_restart { " You can wait that long instead of restarting." } else { "" };
    say(
        format!(
            "Every workload certificate is from {} {lifetime} after the last identity controller restarted with it (issuance \
             lifetime {issuance_lifetime}, clock skew {clock_skew}).",
            issuer_role(issuer)
        ),
        format!("A healthy proxy renews its certificate after {renewed_after}.{restart}"),
        if until.is_some() && instead_of_restart { "Restart them." } else { "" },
    )
}

fn loaded_by_time(strategy: &str, latest: Option<Timestamp>, is_late: bool, screen: &Screen) -> Words {
    let what = format!(
        "Strategy {strategy} restarts no workload here: each loads the bundle when it restarts on its own."
    );
    match latest {
        None => say(what, "", "--restart-data-plane renders a restart."),
        Some(latest) if is_late => say(
            what,
            format!(
                "Since {} the cross certificate is about to expire, and no workload certificate outlives it.",
                screen.exactly(latest)
            ),
            "Restart them now with --restart-data-plane.",
        ),
        Some(latest) => say(
            what,
            format!(
                "All must have restarted by {}, as the cross certificate expires a workload certificate's lifetime later.",
                screen.exactly(latest)
            ),
            "--restart-data-plane renders a restart.",
        ),
    }
}
