//! What must hold before a step is safe: the conditions of each step, and what every step needs.

use std::collections::BTreeMap;

use super::change::unknown_anchors;
use super::invariant;
use super::state::{control_plane_holds, no_pods, other_namespaces};
use super::view::View;
use super::{Blocker, Phase, PhaseSpec, Severity, Stage, Step, StepState};
use crate::mesh::{BundleId, Held, ProxyGroup};
use crate::pki::{Bundle, IssuerChain, Rules, accepts};

/// The rules, each giving what it has against a step that is not done.
const RULES: [fn(&View<'_>, Step) -> Vec<Blocker>; 19] = [
    issuer_needs_proxies,
    issuer_needs_bundle,
    issuer_needs_control_plane,
    drop_needs_issuer,
    drop_knows_anchors,
    restart_needs_issuer,
    invariant::restart_activates_no_issuer,
    invariant::restart_finds_what_changed,
    invariant::restart_asks_the_new_controllers,
    invariant::restart_needs_injector,
    invariant::change_outlives_upgrade,
    invariant::change_outlives_renewal,
    invariant::material_has_begun,
    invariant::material_has_not_expired,
    invariant::crossing_lasts,
    invariant::no_expired_anchor_comes_back,
    invariant::external_workloads_follow,
    invariant::linked_clusters_follow,
    invariant::drop_breaks_no_pair,
];

pub(super) fn of(
    view: &View<'_>,
    step: Step,
    state: &StepState,
    before: &[(Step, StepState)],
) -> Vec<Blocker> {
    if *state == StepState::Done {
        return Vec::new();
    }
    let rules = RULES.iter().flat_map(|rule| rule(view, step));
    let mut blocked: Vec<_> = previous(view, before).into_iter().chain(rules).collect();
    blocked.sort_by_key(|blocker| blocker.severity);
    blocked.dedup();
    blocked
}

/// Steps are taken in order: the first that is not done is named.
fn previous(view: &View<'_>, before: &[(Step, StepState)]) -> Option<Blocker> {
    let (step, state) = before.iter().find(|(_, state)| *state != StepState::Done)?;
    let (severity, found) = match state {
        StepState::Unknown(why) => (Severity::Unknown, format!("cannot be told: {why}")),
        StepState::Pending { .. } if matches!(step.stage, Stage::Trust | Stage::Issuer) => {
            (Severity::Wait, "it is not in the cluster yet".to_owned())
        }
        StepState::Pending { done, of } => (Severity::Wait, format!("{done} of {of} have followed")),
        StepState::Done => return None,
    };
    let end = match step {
        Step { phase: Phase::Issuer, stage: Stage::DataPlane } => view.old_certificates_expire(),
        _ => None,
    };
    let wait = end.map_or_else(String::new, |end| {
        format!("; leafs of {} run out at {end}", view.spec(*step).issuer_before())
    });
    let reason = format!("{step} comes first: {found}{wait}");
    Some(Blocker { after: Some(*step), ..Blocker::of(severity, reason) })
}

/// Every running proxy must accept leafs of the new issuer before there are any (facts of linkerd2#8018, #4287).
fn issuer_needs_proxies(view: &View<'_>, step: Step) -> Vec<Blocker> {
    if step.stage != Stage::Issuer || view.recovers() {
        return Vec::new();
    }
    let spec = view.spec(step);
    let untold = |why: String| {
        Blocker::unknown(format!("whether every proxy accepts {} cannot be told: {why}", spec.issuer_name()))
    };
    if let Some(why) = no_pods(view) {
        return vec![untold(why)];
    }
    let elsewhere = other_namespaces(view).map(untold);
    let mut holders: BTreeMap<BundleId, Vec<&ProxyGroup>> = BTreeMap::new();
    for group in &view.mesh.proxies {
        if let Held::Literal(id) = group.held {
            holders.entry(id).or_default().push(group);
        }
    }
    holders.into_iter().filter_map(|(id, groups)| refused(view, spec, id, &groups)).chain(elsewhere).collect()
}

/// The blocker of one class of proxies, if its bundle does not accept the new issuer.
fn refused(view: &View<'_>, spec: &PhaseSpec, id: BundleId, groups: &[&ProxyGroup]) -> Option<Blocker> {
    let reason = match view.mesh.bundles.get(id.0)?.as_read_by(Rules::Proxy) {
        Ok(bundle) => invariant::refusal_of_swap(view, spec, bundle)?.to_string(),
        Err(defect) => format!("its bundle cannot be read: {defect}"),
    };
    let proxies: u64 = groups.iter().map(|group| group.count()).sum();
    (proxies > 0).then(|| {
        let found = format!(
            "{proxies} running {} ({}, …) would refuse {}: {reason}",
            if proxies == 1 { "proxy" } else { "proxies" },
            view.mesh.sample(groups.iter().copied()).join(", "),
            spec.issuer_name()
        );
        or_way_out(view, &found, Some("restart them so that they take up the published bundle"))
    })
}

/// The identity controller must accept the issuer with the published bundle: it verifies it when it starts.
fn issuer_needs_bundle(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let spec = view.spec(step);
    let chain = spec.issuer.as_ref().filter(|_| step.stage == Stage::Issuer);
    chain
        .and_then(|chain| published_refuses(view, chain))
        .map(|reason| {
            Blocker::unsafe_because(format!(
                "the identity controller would refuse {} with the bundle in {}: {reason}; publish {} first",
                spec.issuer_name(),
                view.mesh.bundle_place(),
                spec.anchors_name()
            ))
        })
        .into_iter()
        .collect()
}

/// Without a phase before it that restarts the control plane for its bundle, that must have been restarted since the bundle last
/// changed all the same:
/// an identity controller with older anchors skips the new issuer.
fn issuer_needs_control_plane(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let spec = view.spec(step);
    if step.stage != Stage::Issuer || view.recovers() || view.phases[0] != *spec {
        return Vec::new();
    }
    let (severity, found) = match control_plane_holds(view, spec) {
        StepState::Done => return Vec::new(),
        StepState::Pending { done, of } => (
            Severity::Wait,
            format!("{done} of {of} have taken up the published bundle: restart the control plane first"),
        ),
        StepState::Unknown(why) => (Severity::Unknown, format!("it cannot be told: {why}")),
    };
    let reason =
        format!("the control plane's containers must have read the bundle that is published: {found}");
    vec![Blocker::of(severity, reason)]
}

/// The issuer in the Secret must stand on the anchors that stay before the others go.
fn drop_needs_issuer(view: &View<'_>, step: Step) -> Vec<Blocker> {
    let Some(spec) = view.dropping(step).filter(|_| !view.recovers()) else { return Vec::new() };
    let anchors = &spec.bundle;
    let Some(chain) = view.mesh.secret_chain() else { return vec![issuer_unknown(view)] };
    [Rules::Controller, Rules::Proxy]
        .into_iter()
        .find_map(|rules| refusal(view, anchors, chain, rules))
        .map(|reason| {
            Blocker::unsafe_because(format!(
                "{} the issuer `{}` in {}: {reason}; take phase issuer first",
                spec.anchors_refuse(),
                chain.issuer.name(),
                view.mesh.issuer_secret()
            ))
        })
        .into_iter()
        .collect()
}

/// No anchor is dropped that the rotation does not know.
fn drop_knows_anchors(view: &View<'_>, step: Step) -> Vec<Blocker> {
    if view.dropping(step).is_none() {
        return Vec::new();
    }
    unknown_anchors(view)
        .into_iter()
        .map(|fingerprint| {
            Blocker::unsafe_because(format!(
                "{} also holds the anchor {fingerprint}, which this rotation does not know and would drop: if nothing relies \
                 on it, remove it from the bundle in a commit of its own; else finish that rotation first",
                view.mesh.bundle_place()
            ))
        })
        .collect()
}

/// A restart while the published bundle does not accept the Secret's issuer ends in a crash loop of the identity
/// controller, and in proxies without a leaf.
fn restart_needs_issuer(view: &View<'_>, step: Step) -> Vec<Blocker> {
    if !matches!(step.stage, Stage::ControlPlane | Stage::DataPlane) {
        return Vec::new();
    }
    let Some(chain) = view.mesh.secret_chain() else { return vec![issuer_unknown(view)] };
    published_refuses(view, chain)
        .map(|reason| {
            let found = format!(
                "an identity controller that restarts now would refuse the issuer `{}` in {} and not start: {reason}",
                chain.issuer.name(),
                view.mesh.issuer_secret()
            );
            or_way_out(view, &found, None)
        })
        .into_iter()
        .collect()
}

/// A refusal with what to do: where the present issuer is over, no restart mends it, and only the new issuer leads on.
fn or_way_out(view: &View<'_>, found: &str, act: Option<&str>) -> Blocker {
    if !present_expired(view) {
        return Blocker::unsafe_because(
            [Some(found), act].into_iter().flatten().collect::<Vec<_>>().join("; "),
        );
    }
    let chain = view.issuer_phase().swapped_in();
    let refused = chain.is_some_and(|chain| published_refuses(view, chain).is_some());
    let steps = match (refused, view.phases.iter().any(|spec| spec.phase == Phase::Bundle)) {
        (false, _) => "take issuer/1-issuer",
        (true, true) => "take bundle/1-trust, then issuer/1-issuer",
        (true, false) => {
            return Blocker {
                over: true,
                ..Blocker::unsafe_because(format!(
                    "{found}; the present issuer or its anchor is over: `kubectl l5d-rotate recover` shows the way back"
                ))
            };
        }
    };
    let reason = format!(
        "{found}; the present issuer or its anchor is over, and nothing is issued until the new issuer is in place: {steps} \
         with --force, then restart the control plane and everything else; this takes downtime (Linkerd's \"Replacing expired \
         certificates\")"
    );
    Blocker { over: true, ..Blocker::unsafe_because(reason) }
}

/// Has the issuer in the Secret, or the anchor it needs, expired, while the record's own issuer, with the cross certificate if it has
/// one, is still good?
fn present_expired(view: &View<'_>) -> bool {
    let other = |chain: &&IssuerChain| chain.issuer != view.record.issuer.issuer;
    let Some(chain) = view.mesh.secret_chain().filter(other) else {
        return false;
    };
    let expired = |chain: &IssuerChain| chain.certificates().any(|one| one.is_expired_at(view.at));
    let accepted = |at| {
        let published = view.mesh.trust.published.as_option();
        let anchors = published.and_then(|published| published.text.as_read_by(Rules::Controller).ok());
        anchors.is_some_and(|anchors| {
            accepts(anchors, chain, &view.mesh.identity_name(), at, Rules::Controller).is_ok()
        })
    };
    let begun = chain.issuer.facts().not_before;
    !expired(&view.record.crossed()) && (expired(chain) || accepted(begun) && !accepted(view.at))
}

/// Why the published bundle does not accept a chain under the controller's rules.
fn published_refuses(view: &View<'_>, chain: &IssuerChain) -> Option<String> {
    let published = view.mesh.trust.published.as_option()?;
    match published.text.as_read_by(Rules::Controller) {
        Ok(bundle) => refusal(view, bundle, chain, Rules::Controller),
        Err(defect) => Some(format!("the bundle cannot be read: {defect}")),
    }
}

fn refusal(view: &View<'_>, anchors: &Bundle, chain: &IssuerChain, rules: Rules) -> Option<String> {
    accepts(anchors, chain, &view.mesh.identity_name(), view.at, rules).err().map(|reason| reason.to_string())
}

fn issuer_unknown(view: &View<'_>) -> Blocker {
    let secret = view.mesh.issuer_secret();
    Blocker::unknown(format!(
        "the issuer in {secret} is not known; give the Secret in the input, or the right to read it"
    ))
}
