//! What must hold before a step is safe: the conditions of each step, and what every step needs.

use std::collections::BTreeMap;

use super::change::unknown_anchors;
use super::state::{control_plane_holds, issuer_unknown, no_pods, other_namespaces};
use super::view::View;
use super::{Phase, PhaseSpec, Stage, Step, StepState};
use super::{invariant, managed};
use crate::finding::{
    CertificateRef, Fact, Finding, Opens, Pods, RotationIssuer, Severity, StepFact, WhyRefused,
};
use crate::mesh::{BundleId, Held, ProxyGroup};
use crate::pki::{Bundle, IssuerChain, Refusal, Rules, accepts};

/// The rules, each giving what it has against a step that is not done.
const RULES: [fn(&View<'_>, Step) -> Vec<Finding>; 24] = [
    issuer_needs_proxies,
    issuer_needs_bundle,
    issuer_needs_control_plane,
    drop_needs_issuer,
    drop_knows_anchors,
    restart_needs_issuer,
    invariant::restart_activates_no_issuer,
    invariant::restart_keeps_requests,
    invariant::restart_finds_what_changed,
    invariant::restart_asks_the_new_controllers,
    invariant::restart_needs_injector,
    invariant::change_outlives_upgrade,
    invariant::change_outlives_renewal,
    invariant::lifetime_is_known,
    invariant::material_has_begun,
    invariant::material_has_not_expired,
    invariant::cross_lasts,
    invariant::no_expired_anchor_returns,
    invariant::external_workloads_first,
    invariant::linked_clusters_first,
    invariant::drop_breaks_no_pair,
    managed::signer_is_ready,
    managed::anchor_is_the_same,
    managed::bundle_is_known,
];

pub(super) fn of(
    view: &View<'_>,
    step: Step,
    state: &StepState,
    before: &[(Step, StepState)],
) -> Vec<Finding> {
    if *state == StepState::Done {
        return Vec::new();
    }
    let mut blocked: Vec<Finding> = Vec::new();
    let found = order(view, step, before).into_iter().chain(RULES.iter().flat_map(|rule| rule(view, step)));
    for finding in found {
        if !blocked.contains(&finding) {
            blocked.push(finding);
        }
    }
    if blocked.iter().any(is_refusal_in_use) {
        blocked.extend(present_issuer_expired(view));
    }
    blocked.sort_by_key(|finding| finding.severity);
    blocked
}

pub(super) fn error(fact: StepFact) -> Finding {
    Finding::new(Severity::Error, fact)
}

pub(super) fn wait(fact: StepFact) -> Finding {
    Finding::new(Severity::Wait, fact)
}

/// Steps are taken in order: the first that is not done is named.
fn order(view: &View<'_>, step: Step, before: &[(Step, StepState)]) -> Option<Finding> {
    let stands_before = |one: Step| !view.takes_cross_away(step) || one.phase == step.phase;
    let (before, state) =
        before.iter().find(|(one, state)| stands_before(*one) && *state != StepState::Done)?;
    let before = *before;
    let finding = match state {
        StepState::Unknown(why) => {
            let fact = StepFact::StepOrderUnknown { before, why: Box::new(why.fact.clone()) };
            why.opens.iter().cloned().fold(Finding::new(Severity::Unknown, fact), Finding::opened_by)
        }
        StepState::Pending { done, of } => wait(StepFact::StepOrder { before, done: *done, of: *of }),
        StepState::Done => return None,
    };
    let is_renewal = (before.phase, before.stage) == (Phase::Issuer, Stage::DataPlane);
    let expire = if is_renewal { view.old_certificates_expire() } else { None };
    Some(expire.map(Opens::At).into_iter().fold(finding, Finding::opened_by))
}

/// Every running proxy must accept certificates of the new issuer before there are any (facts of linkerd2#8018, #4287).
fn issuer_needs_proxies(view: &View<'_>, step: Step) -> Vec<Finding> {
    if !step.stage.is_about_issuer() || view.recovers() || view.takes_cross_away(step) {
        return Vec::new();
    }
    let spec = view.spec(step);
    if let Some(why) = no_pods(view) {
        return vec![why];
    }
    let mut holders: BTreeMap<BundleId, Vec<&ProxyGroup>> = BTreeMap::new();
    for group in &view.mesh.proxies {
        if let Held::Literal(id) = group.held {
            holders.entry(id).or_default().push(group);
        }
    }
    let refusing = holders.into_iter().filter_map(|(id, groups)| refusing(view, spec, id, &groups));
    refusing.chain(other_namespaces(view)).collect()
}

/// One class of proxies, if its bundle does not accept the new issuer.
fn refusing(view: &View<'_>, spec: &PhaseSpec, id: BundleId, groups: &[&ProxyGroup]) -> Option<Finding> {
    let why = match view.mesh.bundles.get(id.0)?.as_read_by(Rules::Proxy) {
        Ok(bundle) => WhyRefused::Refusal(invariant::refusal_of_swap(view, spec, bundle)?),
        Err(defect) => WhyRefused::Unreadable(defect.clone()),
    };
    let issuer = rotation_issuer(spec)?;
    let proxies = Pods::of(view.mesh, groups.iter().copied());
    if proxies.count == 0 {
        return None;
    }
    let restart = Opens::Restart(proxies.workloads.clone());
    let finding = error(StepFact::ProxiesNotReady { proxies, issuer, why });
    let is_accepted = spec.swapped_in().is_some_and(|chain| published_refuses(view, chain).is_none());
    Some(if is_accepted && expired_chain(view).is_none() { finding.opened_by(restart) } else { finding })
}

/// The identity controller must accept the issuer with the published bundle: it verifies it when it starts.
fn issuer_needs_bundle(view: &View<'_>, step: Step) -> Vec<Finding> {
    let spec = view.spec(step);
    let chain = spec.issuer.as_ref().filter(|_| step.stage.is_about_issuer());
    let found = chain.and_then(|chain| {
        let why = published_refuses(view, chain)?;
        let issuer = RotationIssuer::new(spec.issuer_role(), chain);
        let (bundle, lacks) = (view.mesh.bundle_place(), view.brought());
        Some(error(StepFact::BundleRefusesIssuer { bundle, issuer, lacks, why }))
    });
    found.into_iter().collect()
}

/// Without a phase before it that restarts the control plane for its bundle, that must have been restarted since the bundle last
/// changed all the same: an identity controller with older anchors skips the new issuer.
fn issuer_needs_control_plane(view: &View<'_>, step: Step) -> Vec<Finding> {
    let spec = view.spec(step);
    if !step.stage.is_about_issuer() || view.recovers() || view.phases[0] != *spec {
        return Vec::new();
    }
    match control_plane_holds(view, spec) {
        StepState::Done => Vec::new(),
        StepState::Pending { done, of } => {
            vec![wait(StepFact::ControlPlaneLacksBundle { bundle: view.mesh.bundle_home(), done, of })]
        }
        StepState::Unknown(why) => vec![*why],
    }
}

/// The anchors that stay must accept the issuer in the Secret before the others go.
fn drop_needs_issuer(view: &View<'_>, step: Step) -> Vec<Finding> {
    let Some(spec) = view.dropping(step).filter(|_| !view.recovers()) else { return Vec::new() };
    let Some(chain) = view.mesh.secret_chain() else { return vec![issuer_unknown(view)] };
    let refused = [Rules::Controller, Rules::Proxy]
        .into_iter()
        .find_map(|rules| refusal(view, &spec.bundle, chain, rules));
    let Some(why) = refused else { return Vec::new() };
    let fact = StepFact::AnchorsRefuseIssuer {
        anchors: view.brought(),
        secret: view.mesh.issuer_secret(),
        issuer: CertificateRef::from(&chain.issuer),
        why,
    };
    vec![error(fact).opened_by(Opens::Step(SWAP))]
}

const SWAP: Step = Step { phase: Phase::Issuer, stage: Stage::Issuer };

/// No anchor is dropped that the rotation does not know.
fn drop_knows_anchors(view: &View<'_>, step: Step) -> Vec<Finding> {
    if view.dropping(step).is_none() {
        return Vec::new();
    }
    let anchors: Vec<_> = unknown_anchors(view).into_iter().map(CertificateRef::from).collect();
    if anchors.is_empty() {
        return Vec::new();
    }
    vec![error(StepFact::UnknownAnchors { bundle: view.mesh.bundle_place(), anchors })]
}

/// A restart while the published bundle does not accept the Secret's issuer leads to a crash loop of the identity
/// controller, and in proxies without a certificate.
fn restart_needs_issuer(view: &View<'_>, step: Step) -> Vec<Finding> {
    if !matches!(step.stage, Stage::ControlPlane | Stage::DataPlane) {
        return Vec::new();
    }
    let Some(chain) = view.mesh.secret_chain() else { return vec![issuer_unknown(view)] };
    let Some(why) = published_refuses(view, chain) else { return Vec::new() };
    let (secret, issuer) = (view.mesh.issuer_secret(), CertificateRef::from(&chain.issuer));
    vec![error(StepFact::RestartStopsIdentity { secret, issuer, why })]
}

/// Does somebody refuse what is in use now, or what the step puts in its place?
fn is_refusal_in_use(finding: &Finding) -> bool {
    matches!(
        finding.fact,
        Fact::Step(StepFact::ProxiesNotReady { .. } | StepFact::RestartStopsIdentity { .. })
    )
}

/// Where the issuer in the Secret or its anchor has expired, no restart mends it, and only the new issuer leads on.
fn present_issuer_expired(view: &View<'_>) -> Option<Finding> {
    let present = expired_chain(view)?;
    let chain = view.issuer_phase().swapped_in();
    let is_refused = chain.is_some_and(|chain| published_refuses(view, chain).is_some());
    let publish = Step { phase: Phase::Bundle, stage: Stage::Trust };
    let forced = match (is_refused, view.phases.iter().any(|spec| spec.phase == Phase::Bundle)) {
        (false, _) => vec![SWAP],
        (true, true) => vec![publish, SWAP],
        (true, false) => Vec::new(),
    };
    let issuer = CertificateRef::from(&present.issuer);
    Some(error(StepFact::PresentIssuerExpired { issuer, forced }))
}

/// The chain in the Secret, where it or the anchor that it needs has expired, while the record's own issuer, with the cross
/// certificate if it has one, is still good.
fn expired_chain<'a>(view: &View<'a>) -> Option<&'a IssuerChain> {
    let chain = view.mesh.secret_chain().filter(|chain| chain.issuer != view.record.issuer.issuer)?;
    let expired = |chain: &IssuerChain| chain.certificates().any(|one| one.is_expired_at(view.at));
    let accepted = |at| {
        let published = view.mesh.trust.published.as_option();
        let anchors = published.and_then(|published| published.text.as_read_by(Rules::Controller).ok());
        anchors.is_some_and(|anchors| {
            accepts(anchors, chain, &view.mesh.identity_name(), at, Rules::Controller).is_ok()
        })
    };
    let begun = chain.issuer.facts().not_before;
    let is_expired = expired(chain) || accepted(begun) && !accepted(view.at);
    (is_expired && !expired(&view.record.chain_with_cross())).then_some(chain)
}

/// The issuer that a phase puts in place.
pub(super) fn rotation_issuer(spec: &PhaseSpec) -> Option<RotationIssuer> {
    spec.swapped_in().map(|chain| RotationIssuer::new(spec.issuer_role(), chain))
}

/// Why the published bundle does not accept a chain under the controller's rules.
fn published_refuses(view: &View<'_>, chain: &IssuerChain) -> Option<WhyRefused> {
    let published = view.mesh.trust.published.as_option()?;
    match published.text.as_read_by(Rules::Controller) {
        Ok(bundle) => refusal(view, bundle, chain, Rules::Controller).map(WhyRefused::Refusal),
        Err(defect) => Some(WhyRefused::Unreadable(defect.clone())),
    }
}

fn refusal(view: &View<'_>, anchors: &Bundle, chain: &IssuerChain, rules: Rules) -> Option<Refusal> {
    accepts(anchors, chain, &view.mesh.identity_name(), view.at, rules).err()
}
