//! What to do by hand where a changed pod template does not restart every pod.

use super::PhaseSpec;
use crate::mesh::{Obstacle, Workload};

/// What an obstacle leaves to do.
pub(super) enum Remedy {
    /// Nothing: what starts next is new, and nothing old runs on.
    Nothing,
    /// The template change is needed, and this act after it.
    PatchThen(String),
    /// A template change is of no use; this act alone does it.
    Only(String),
}

/// The remedy for one obstacle of a workload; `None` where it is no obstacle in this phase.
pub(super) fn remedy(obstacle: Obstacle, workload: &Workload, spec: &PhaseSpec) -> Option<Remedy> {
    let object = &workload.object;
    let (namespace, name) = (&object.namespace, &object.name);
    let kind = object.kind.to_lowercase();
    let target = format!("{kind}/{name} -n {namespace}");
    Some(match obstacle {
        Obstacle::OnDelete => Remedy::PatchThen(format!(
            "its update strategy is OnDelete: delete its pods, a few at a time: \
             `kubectl delete pod -n {namespace} -l linkerd.io/proxy-{kind}={name}`"
        )),
        Obstacle::Partition(ordinal) => Remedy::PatchThen(format!(
            "its rolling update stops above ordinal {ordinal}: set spec.updateStrategy.rollingUpdate.partition to 0 in the \
             same commit, or delete its pods below {ordinal} after the update is through partition 0"
        )),
        Obstacle::Paused => Remedy::PatchThen(format!(
            "its rollout is paused: set spec.paused to false, or run `kubectl rollout resume {target}`"
        )),
        Obstacle::BarePod => Remedy::Only(format!(
            "nothing owns this Pod: create it again from its manifest: `kubectl replace --force -f FILE` (pod {namespace}/{name})"
        )),
        Obstacle::RunningJob => Remedy::Only(format!(
            "a Job's template cannot be changed: wait for its end (`kubectl wait --for=condition=complete {target}`), or delete \
             it and create it again"
        )),
        Obstacle::NextRun => Remedy::Only(format!(
            "the next run starts anew by itself; a run is under way: wait for its end, or delete its Job in {namespace}"
        )),
        Obstacle::ManualInjection if !spec.restarts_for_bundle => return None,
        Obstacle::ManualInjection => Remedy::Only(format!(
            "`linkerd inject --manual` wrote its bundle into its template: once {} is done and linkerd-config holds the bundle, \
             run `linkerd inject --manual` again on its manifest without a proxy, and commit that",
            spec.steps()[0]
        )),
        Obstacle::ZeroReplicas => Remedy::Nothing,
        Obstacle::ArgoRollout => Remedy::Only(format!(
            "an Argo Rollout restarts by `spec.restartAt`: set it to an instant after the previous step was merged, or run \
             `kubectl argo rollouts restart {name} -n {namespace}`"
        )),
        Obstacle::BareReplicas => Remedy::Only(format!(
            "no Deployment rolls this {}: delete its pods, a few at a time: \
             `kubectl delete pod -n {namespace} -l linkerd.io/proxy-{kind}={name}`",
            object.kind
        )),
        Obstacle::UnknownOwner => Remedy::Only(format!(
            "how a {} ({}) restarts its pods is not known: restart it as its own controller wants it",
            object.kind, object.api_version
        )),
    })
}
