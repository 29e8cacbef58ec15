//! `linkerd-identity-data-plane`: does every proxy hold the published bundle? Certificates are compared, not texts.

use super::Outcome;
use super::case::{Case, same_anchors};
use super::rule::{Judged, Rule, listed, warning};
use crate::mesh::{Plane, ProxyGroup};

pub(super) const RULES: &[Rule] = &[Rule {
    code: "l5d-identity-data-plane-proxies-certs-match-ca",
    description: "data plane proxies certificate match CA",
    judge: match_ca,
}];

/// Control-plane proxies count where their bundle is literal; where it is not, their start tells (a check of ours).
fn match_ca(case: &Case<'_>) -> Judged {
    let proxies = case.proxies()?;
    let published = &case.published()?.text;
    let control_plane = !case.mesh.control_plane.era.control_plane_by_reference();
    let stale: Vec<_> = (proxies.iter())
        .filter(|group| group.plane == Plane::Data || control_plane)
        .filter(|group| {
            case.mesh.literal_bundle(&group.held).is_some_and(|held| !same_anchors(held, published))
        })
        .collect();
    if stale.is_empty() {
        return Ok(Outcome::Success);
    }
    let head = "Some pods do not have the current trust bundle and must be restarted";
    Ok(warning(listed(head, pods(case, &stale))))
}

/// The pods of some groups as `namespace/name`, sorted, and how many more there are than were sampled.
pub(super) fn pods(case: &Case<'_>, groups: &[&ProxyGroup]) -> Vec<String> {
    let namespace = |group: &ProxyGroup| case.mesh.workload(group.workload).object.namespace.clone();
    let mut names: Vec<_> = (groups.iter())
        .flat_map(|group| group.sample.iter().map(|pod| format!("{}/{pod}", namespace(group))))
        .collect();
    names.sort();
    let all: u64 = groups.iter().map(|group| group.count()).sum();
    let more = all.saturating_sub(names.len() as u64);
    if more > 0 {
        names.push(format!("… and {more} more"));
    }
    names
}
