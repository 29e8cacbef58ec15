//! Running proxies: what they hold, whether it accepts the issuer, and which of them a change of the bundle does not reach.

use std::collections::BTreeMap;

use crate::check::case::Case;
use crate::check::identity::holds_other_anchors;
use crate::check::{Judged, Outcome, Rule, Stop, advice, error, unless_empty, warning};
use crate::finding::{CheckFact, InputFact, Pods, RefusingProxies, UnreadableBundle, WorkloadPods};
use crate::mesh::{BundleId, Held, Injection, Mesh, ProxyGroup};
use crate::pki::{Bundle, BundleText, IssuerChain, Rules};

pub(super) const RULES: &[Rule] = &[
    Rule { code: "proxies-accept-issuer", object: Some(Mesh::issuer_secret), judge: accept_issuer },
    Rule { code: "proxies-hold-readable-bundles", object: None, judge: readable },
    Rule { code: "proxies-hold-anchors", object: None, judge: given },
    Rule { code: "pods-are-meshed", object: None, judge: meshed },
    Rule { code: "manual-injection", object: None, judge: manual_injection },
    Rule { code: "external-workloads", object: None, judge: external_workloads },
    Rule { code: "linked-clusters", object: None, judge: linked_clusters },
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

/// Each bundle is judged once. Proxies that hold it by reference are taken to hold the published one; whether they started
/// early enough not to is a check of its own, and so is whether the issuer is still valid.
fn accept_issuer(case: &Case<'_>) -> Judged {
    let held = holders(case)?;
    case.judge_chain(|chain| {
        unless_empty(refusing(case, &held, chain), |refusals| {
            error(CheckFact::ProxiesRefuseIssuer { refusals })
        })
    })
}

/// Who would refuse workload certificates of an issuer.
pub(super) fn who_refuses(case: &Case<'_>, chain: &IssuerChain) -> Result<Vec<RefusingProxies>, Stop> {
    Ok(refusing(case, &holders(case)?, chain))
}

fn refusing(case: &Case<'_>, held: &[Holders<'_>], chain: &IssuerChain) -> Vec<RefusingProxies> {
    held.iter().filter_map(|(bundle, groups)| refusal(case, bundle, groups, chain)).collect()
}

/// Proxies that hold the same anchors.
type Holders<'a> = (&'a Bundle, Vec<&'a ProxyGroup>);

fn holders<'a>(case: &Case<'a>) -> Result<Vec<Holders<'a>>, Stop> {
    let proxies = case.proxies()?;
    let mut held: Vec<(&Bundle, Vec<&ProxyGroup>)> = Vec::new();
    for (text, groups) in classes(case, proxies) {
        if let Ok(bundle) = text.as_read_by(Rules::Proxy) {
            add(&mut held, bundle, groups);
        }
    }
    let by_reference: Vec<_> = proxies.iter().filter(|group| group.held == Held::ByReference).collect();
    if !by_reference.is_empty()
        && let Ok(published) = case.anchors()
    {
        add(&mut held, published, by_reference);
    }
    Ok(held)
}

/// Counts groups to those that hold the same anchors.
fn add<'a>(
    held: &mut Vec<(&'a Bundle, Vec<&'a ProxyGroup>)>,
    bundle: &'a Bundle,
    groups: Vec<&'a ProxyGroup>,
) {
    match held.iter_mut().find(|(other, _)| other.same_set(bundle)) {
        Some((_, others)) => others.extend(groups),
        None => held.push((bundle, groups)),
    }
}

fn refusal(
    case: &Case<'_>,
    bundle: &Bundle,
    groups: &[&ProxyGroup],
    chain: &IssuerChain,
) -> Option<RefusingProxies> {
    let refusal = case.trusts(bundle, chain).err()?;
    Some(RefusingProxies { bundle: bundle.fingerprint(), refusal, workloads: case.by_workload(groups) })
}

/// The proxy's entry point is written in Go, and reads the variable before the proxy does.
fn readable(case: &Case<'_>) -> Judged {
    let mut bundles = Vec::new();
    for (text, groups) in classes(case, case.seen_proxies()?) {
        if let Err(defect) = text.as_read_by(Rules::Proxy).and(text.as_read_by(Rules::Controller)) {
            let (defect, workloads) = (defect.clone(), case.by_workload(&groups));
            bundles.push(UnreadableBundle { defect, workloads });
        }
    }
    Ok(unless_empty(bundles, |bundles| error(CheckFact::ProxyBundleUnreadable { bundles })))
}

fn given(case: &Case<'_>) -> Judged {
    let without = case.seen_proxies()?.iter().filter(|group| group.held == Held::Nothing);
    let pods = Pods::of(case.mesh, without);
    if pods.count == 0 {
        return Ok(Outcome::Success);
    }
    Ok(warning(CheckFact::ProxiesWithoutAnchors { pods }))
}

/// With `failurePolicy: Ignore` a pod starts all the same where no injector answers (`linkerd-proxy-injector-webhook-config`).
fn meshed(case: &Case<'_>) -> Judged {
    if case.mesh.unmeshed.is_empty() {
        return Err(Stop::NotApplicable);
    }
    let workloads = case.mesh.unmeshed.iter().map(|pods| WorkloadPods {
        workload: case.mesh.workload(pods.workload).object.clone(),
        count: pods.count,
        sample: pods.sample.clone(),
    });
    Ok(warning(CheckFact::PodsNotMeshed { workloads: workloads.collect() }))
}

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
    let (published, changes) = (&case.published()?.text, anchor_changes(case));
    let concerned: Vec<_> =
        groups.into_iter().filter(|group| changes || holds_other_anchors(case, group, published)).collect();
    Ok(unless_empty(case.by_workload(&concerned), |workloads| {
        warning(CheckFact::ManualInjection { workloads })
    }))
}

fn external_workloads(case: &Case<'_>) -> Judged {
    let names = case.mesh.external_workloads.clone();
    if names.is_empty() || !anchor_changes(case) {
        return Err(Stop::NotApplicable);
    }
    Ok(warning(InputFact::ExternalWorkloadsUnseen { names }))
}

fn linked_clusters(case: &Case<'_>) -> Judged {
    let links = case.mesh.links.clone();
    if links.is_empty() || !anchor_changes(case) {
        return Err(Stop::NotApplicable);
    }
    Ok(warning(InputFact::LinkedClustersUnseen { links }))
}
