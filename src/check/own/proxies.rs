//! Running proxies: what they hold, and whether it accepts the issuer.

use std::collections::BTreeMap;

use crate::check::Outcome;
use crate::check::case::Case;
use crate::check::data_plane::pods;
use crate::check::rule::{Judged, Rule, Stop, error, listed, unless_any, warning};
use crate::mesh::{BundleId, Held, ProxyGroup, Unmeshed};
use crate::pki::{Bundle, BundleText, IssuerChain, Rules};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "proxies-accept-issuer",
        description: "running proxies accept the issuer",
        judge: accept_issuer,
    },
    Rule {
        code: "proxies-hold-readable-bundles",
        description: "running proxies hold bundles that can be read",
        judge: readable,
    },
    Rule {
        code: "proxies-hold-anchors",
        description: "running proxies are given trust anchors",
        judge: given,
    },
    Rule { code: "pods-are-meshed", description: "pods that should have a proxy have one", judge: meshed },
];

/// Proxies by the literal bundle they hold.
fn classes<'a>(case: &Case<'a>, proxies: &'a [ProxyGroup]) -> Vec<(&'a BundleText, Vec<&'a ProxyGroup>)> {
    let mut classes: BTreeMap<BundleId, Vec<&ProxyGroup>> = BTreeMap::new();
    for group in proxies {
        if let Held::Literal(id) = group.held {
            classes.entry(id).or_default().push(group);
        }
    }
    let text = |(id, groups): (BundleId, _)| Some((case.mesh.bundles.get(id.0)?, groups));
    classes.into_iter().filter_map(text).collect()
}

/// Each class of proxies is judged once. Those that hold the bundle by reference are taken to hold the published one;
/// whether they started early enough not to is a check of its own, and so is whether the issuer is still valid.
fn accept_issuer(case: &Case<'_>) -> Judged {
    let proxies = case.proxies()?;
    let readable = classes(case, proxies)
        .into_iter()
        .filter_map(|(text, groups)| Some((text.as_read_by(Rules::Proxy).ok()?, groups)));
    let mut held: Vec<_> = readable.collect();
    let by_reference: Vec<_> = proxies.iter().filter(|group| group.held == Held::ByReference).collect();
    if !by_reference.is_empty()
        && let Ok(published) = case.anchors()
    {
        held.push((published, by_reference));
    }
    case.judge_chain(|chain| {
        let refusing: Vec<_> =
            held.iter().filter_map(|(bundle, groups)| refusal(case, bundle, groups, chain)).collect();
        let head = "leaves of the issuer are refused by these proxies, and they by everybody else; put back \
                    the issuer that they trust, or publish its anchor beside the others and restart them";
        unless_any(refusing, head, error)
    })
}

fn refusal(case: &Case<'_>, bundle: &Bundle, groups: &[&ProxyGroup], chain: &IssuerChain) -> Option<String> {
    let refusal = case.trusts(bundle, chain).err()?;
    let workloads = by_workload(case, groups);
    Some(format!("bundle {}: {refusal}\n\t    {}", bundle.fingerprint().short(), workloads.join("\n\t    ")))
}

/// Workloads with the number of their proxies, sorted.
pub(super) fn by_workload(case: &Case<'_>, groups: &[&ProxyGroup]) -> Vec<String> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for group in groups {
        *counts.entry(case.mesh.workload(group.workload).object.to_string()).or_default() += group.count();
    }
    let plural = |count| if count == 1 { "proxy" } else { "proxies" };
    counts.into_iter().map(|(name, count)| format!("{name}: {count} {}", plural(count))).collect()
}

/// The proxy's entry point is written in Go, and reads the variable before the proxy does.
fn readable(case: &Case<'_>) -> Judged {
    let items = classes(case, case.seen_proxies()?).into_iter().filter_map(|(text, groups)| {
        let read = text.as_read_by(Rules::Proxy).and(text.as_read_by(Rules::Controller));
        Some(format!("{}\n\t    {}", read.err()?, by_workload(case, &groups).join("\n\t    ")))
    });
    let head = "a proxy does not start again with what stands in LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS; \
                repair the published bundle, or the template that holds it, and restart";
    Ok(unless_any(items.collect(), head, error))
}

fn given(case: &Case<'_>) -> Judged {
    let without: Vec<_> = case.seen_proxies()?.iter().filter(|group| group.held == Held::Nothing).collect();
    if without.is_empty() {
        return Ok(Outcome::Success);
    }
    let head = "these proxies have no LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS, so no identity and no mTLS; \
                remove the annotation that disables identity and restart them";
    Ok(warning(listed(head, pods(case, &without))))
}

/// With `failurePolicy: Ignore` a pod starts all the same where no injector answers (`linkerd-proxy-injector-webhook-config`).
fn meshed(case: &Case<'_>) -> Judged {
    if case.mesh.unmeshed.is_empty() {
        return Err(Stop::NotApplicable);
    }
    let head = "no injector answered when these started, or injection was asked for later: they take no part in mTLS, and \
                policies that ask for it refuse them; restart them while the injector runs";
    let item = |pods: &Unmeshed| {
        let (object, more) =
            (&case.mesh.workload(pods.workload).object, pods.count > pods.sample.len() as u64);
        let named = format!("{}{}", pods.sample.join(", "), if more { ", …" } else { "" });
        format!("{object}: {} {} ({named})", pods.count, if pods.count == 1 { "pod" } else { "pods" })
    };
    Ok(warning(listed(head, case.mesh.unmeshed.iter().map(item))))
}
