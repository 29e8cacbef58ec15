//! What is confirmed by hand, by name.

use clap::ValueEnum;

/// What only a human can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Confirmation {
    /// Proxies of ExternalWorkloads are as the step needs them
    ExternalWorkloads,
    /// Linked clusters are as far as the step needs them
    LinkedClusters,
    /// Every container of the control plane has started since bundle and issuer last changed
    ControlPlaneRestarted,
    /// Every pod of the mesh is in the input
    AllPodsSeen,
    /// cert-manager renews neither anchor nor issuer before the rotation is finished
    RenewalSuspended,
}
