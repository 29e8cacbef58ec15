//! What is done manually where a changed pod template does not restart every pod.

use serde::Serialize;

use super::PhaseSpec;
use crate::mesh::Obstacle;

/// What is done manually for a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Delete its pods, a few at a time: a new template does not replace them.
    DeletePods,
    /// Lower the partition of its rolling update from this ordinal to 0.
    LowerPartition(u32),
    /// Resume its rollout.
    Resume,
    /// Create the Pod again.
    RecreatePod,
    /// Wait until the Job has completed, or create it again.
    AwaitJob,
    /// Wait until the run of the CronJob has completed.
    AwaitRun,
    /// Run `linkerd inject --manual` again.
    InjectAgain,
    /// Restart the Argo Rollout.
    RestartRollout,
    /// Promote the Argo Rollout wherever it stops.
    Promote,
    /// Restart it as its own controller wants it.
    RestartByOwner,
}

/// What is done where ordinary deploys bring a bundle, for pods that no deploy replaces; `None` where one does, or where they end on
/// their own. No template changes then, so that a pod is made again of the one that it has, and is injected anew.
pub(super) const fn instead_of_deploys(obstacle: Obstacle) -> Option<Act> {
    match obstacle {
        Obstacle::OnDelete | Obstacle::Partition(_) | Obstacle::Paused | Obstacle::BareReplicas => {
            Some(Act::DeletePods)
        }
        Obstacle::BarePod => Some(Act::RecreatePod),
        Obstacle::ManualInjection => Some(Act::InjectAgain),
        Obstacle::RunningJob
        | Obstacle::NextRun
        | Obstacle::ZeroReplicas
        | Obstacle::ArgoRollout
        | Obstacle::Promotion
        | Obstacle::UnknownOwner => None,
    }
}

/// What an obstacle leaves to do.
pub(super) enum Remedy {
    /// Nothing: what starts next is new, and nothing old runs on.
    Nothing,
    /// The template change is needed, and this act after it.
    PatchThen(Act),
    /// A template change is of no use; this act alone does it.
    Only(Act),
}

/// The remedy for an obstacle; `None` where it is no obstacle in this phase.
pub(super) const fn remedy(obstacle: Obstacle, spec: &PhaseSpec) -> Option<Remedy> {
    Some(match obstacle {
        Obstacle::OnDelete => Remedy::PatchThen(Act::DeletePods),
        Obstacle::Partition(ordinal) => Remedy::PatchThen(Act::LowerPartition(ordinal)),
        Obstacle::Paused => Remedy::PatchThen(Act::Resume),
        Obstacle::BarePod => Remedy::Only(Act::RecreatePod),
        Obstacle::RunningJob => Remedy::Only(Act::AwaitJob),
        Obstacle::NextRun => Remedy::Only(Act::AwaitRun),
        Obstacle::ManualInjection if !spec.restarts_for_bundle => return None,
        Obstacle::ManualInjection => Remedy::Only(Act::InjectAgain),
        Obstacle::ZeroReplicas => Remedy::Nothing,
        Obstacle::ArgoRollout => Remedy::Only(Act::RestartRollout),
        Obstacle::Promotion => Remedy::PatchThen(Act::Promote),
        Obstacle::BareReplicas => Remedy::Only(Act::DeletePods),
        Obstacle::UnknownOwner => Remedy::Only(Act::RestartByOwner),
    })
}
