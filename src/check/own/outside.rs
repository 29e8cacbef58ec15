//! Proxies that a change of the published bundle does not reach by itself.

use crate::check::advice;
use crate::check::case::{Case, same_anchors};
use crate::check::own::proxies::by_workload;
use crate::check::rule::{Judged, Rule, Stop, listed, unless_any, warning};
use crate::mesh::{Injection, ProxyGroup};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "manual-injection",
        description: "manually injected workloads keep up with the trust bundle",
        judge: manual_injection,
    },
    Rule {
        code: "external-workloads",
        description: "external workloads keep up with the trust bundle",
        judge: |case| {
            let head = "their proxies run outside the cluster and their anchors cannot be seen; give each \
                        both anchors and restart it before the issuer changes, and move SPIRE to the new \
                        anchor before the old one goes";
            unseen(case, &case.mesh.external_workloads, head)
        },
    },
    Rule {
        code: "linked-clusters",
        description: "linked clusters keep up with the trust bundle",
        judge: |case| {
            let head = "every linked cluster must hold both anchors in all its proxies before any of them \
                        changes its issuer, and have changed it before any removes the old anchor; check \
                        each";
            unseen(case, &case.mesh.links, head)
        },
    },
];

/// Does a rotation bring a new anchor, or is one under way?
fn anchor_changes(case: &Case<'_>) -> bool {
    let several = case.anchors().is_ok_and(|anchors| anchors.anchors().len() > 1);
    several || advice(case.mesh, case.options).brings_anchor()
}

fn manual_injection(case: &Case<'_>) -> Judged {
    let manual = |group: &&ProxyGroup| group.injection == Injection::Manual;
    let groups: Vec<_> = case.seen_proxies()?.iter().filter(manual).collect();
    if groups.is_empty() {
        return Err(Stop::NotApplicable);
    }
    let published = &case.published()?.text;
    let stale = |group: &&ProxyGroup| {
        case.mesh.literal_bundle(&group.held).is_some_and(|held| !same_anchors(held, published))
    };
    let groups = if anchor_changes(case) { groups } else { groups.into_iter().filter(stale).collect() };
    let head = "their bundle is written into their own templates and survives every restart; inject them \
                again after each change of the bundle (`linkerd inject --manual` reads linkerd-config), or \
                let the injector do it";
    Ok(unless_any(by_workload(case, &groups), head, warning))
}

fn unseen(case: &Case<'_>, names: &[String], head: &str) -> Judged {
    if names.is_empty() || !anchor_changes(case) {
        return Err(Stop::NotApplicable);
    }
    Ok(warning(listed(head, names.iter().cloned())))
}
