//! Whether too little was seen to call a rotation safe.

use std::collections::BTreeSet;

use crate::finding::InputFact;
use crate::mesh::{Gap, Known, Mesh, ProxyGroup};
use crate::pki::Rules;
use crate::rotation::Confirmation;
use crate::states::States;

const EXTERNAL_WORKLOADS: &str = "externalworkloads";
const LINKS: &str = "links";

/// Proxies outside the cluster that might have been seen, and could not be read.
pub(super) fn unread(mesh: &Mesh) -> impl Iterator<Item = InputFact> {
    [EXTERNAL_WORKLOADS, LINKS]
        .into_iter()
        .flat_map(|resource| gaps(mesh, resource).cloned().map(InputFact::NotRead))
}

fn gaps<'a>(mesh: &'a Mesh, resource: &'a str) -> impl Iterator<Item = &'a Gap> {
    mesh.gaps.iter().filter(move |gap| gap.resource == resource)
}

/// Is there somebody of whom nothing is known: pods, the identity controllers, what they read, or who is not in this cluster?
pub(super) fn is_blind(mesh: &Mesh, states: &States, confirmed: &BTreeSet<Confirmation>) -> bool {
    let outside = |names: &[String], resource, confirmation| {
        (!names.is_empty() || gaps(mesh, resource).next().is_some()) && !confirmed.contains(&confirmation)
    };
    let unreadable = |group: &ProxyGroup| {
        let text = mesh.literal_bundle(&group.held);
        group.count() > 0 && text.is_some_and(|text| text.as_read_by(Rules::Proxy).is_err())
    };
    mesh.pods != Known::Is(())
        || states.published.is_none()
        || states.issuer.is_none()
        || states.controllers.iter().all(|controller| controller.count == 0)
        || mesh.proxies.iter().any(unreadable)
        || outside(&mesh.external_workloads, EXTERNAL_WORKLOADS, Confirmation::ExternalWorkloads)
        || outside(&mesh.links, LINKS, Confirmation::LinkedClusters)
}
