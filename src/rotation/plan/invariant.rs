//! The standing invariants (S1 to S8 of Linkerd's identity) as far as a step could break them.

use jiff::Timestamp;

use super::blocker::{error, rotation_issuer, wait};
use super::state::{no_pods, reads_mounted_bundle};
use super::view::View;
use super::{Phase, PhaseSpec, Stage, Step, managed};
use crate::finding::{CertificateRef, Fact, Finding, InputFact, Opens, Pods, Severity, StepFact, WhyRefused};
use crate::mesh::{CertManagerCertificate, Change, GoDuration, Known, Mesh, Unread, handed_over};
use crate::pki::{Bundle, BundleText, Certificate, IssuerChain, Refusal, Rules, accepts};
use crate::rotation::record::cross_expires_too_soon;
use crate::rotation::{Confirmation, Direction};
use crate::states::{Holding, Invariant, Sides, States, Violation};

/// Why proxies with this bundle refuse certificates of a phase's issuer once it is in place (S2, S3).
pub(super) fn refusal_of_swap(view: &View<'_>, spec: &PhaseSpec, bundle: &Bundle) -> Option<Refusal> {
    let (after, violations) = view.swapped_states(spec)?;
    let of_bundle = |one: &&Violation| one.bundle().is_some_and(|at| after.bundles[at].what.same_set(bundle));
    let of_swap = |one: &&Violation| match one.sides {
        Sides::Peers { presented, .. } => Some(&after.presented[presented].what) == spec.swapped_in(),
        Sides::Start | Sides::Renewal { .. } | Sides::Signing { .. } | Sides::Request { .. } => false,
    };
    violations.iter().filter(of_bundle).find(of_swap).map(|one| one.refusal.clone())
}

/// S3: an identity controller that restarts signs with whatever issuer the Secret holds, be it one that it skipped until then.
/// Where none can sign any more, nothing is lost by it.
pub(super) fn restart_activates_no_issuer(view: &View<'_>, step: Step) -> Vec<Finding> {
    let restarted = view.spec(step).restarts(step.stage).filter(|_| step.stage == Stage::ControlPlane);
    let recovers = view.recovers() || view.takes_cross_away(step);
    let Some(restarted) = restarted.filter(|_| !recovers) else { return Vec::new() };
    let now = view.states();
    let before = now.violations(view.at);
    if before.iter().any(|one| one.certain && one.invariant() == Invariant::ControllerSigns) {
        return Vec::new();
    }
    let after = now.restarted(|id| restarted.has(view.mesh.workload(id)));
    let renewal = |states: &'_ States, one: &Violation| match one.sides {
        Sides::Renewal { bundle, controller } if one.certain => {
            Some((states.bundles[bundle].clone(), states.controllers[controller].what.1.clone()))
        }
        _ => None,
    };
    let known: Vec<_> = before.iter().filter_map(|one| renewal(now, one)).collect();
    let found = |one: &Violation| {
        let (held, chain) = renewal(&after, one)?;
        let is_new = !known.iter().any(|(old, signs)| old.what.same_set(&held.what) && *signs == chain);
        is_new.then(|| {
            error(StepFact::RestartActivatesIssuer {
                secret: view.mesh.issuer_secret(),
                issuer: CertificateRef::from(&chain.issuer),
                proxies: pods(view, &held),
                why: one.refusal.clone(),
            })
        })
    };
    after.violations(view.at).iter().filter_map(found).collect()
}

/// S8: identity pods whose proxies start without the anchor of a workload certificate in use refuse whoever asks for the next
/// one with it.
pub(super) fn restart_keeps_requests(view: &View<'_>, step: Step) -> Vec<Finding> {
    let restarted = view.spec(step).restarts(step.stage).filter(|_| step.stage == Stage::ControlPlane);
    let Some(restarted) = restarted.filter(|_| !view.recovers()) else { return Vec::new() };
    let now = view.states();
    let after = now.restarted(|id| restarted.has(view.mesh.workload(id)));
    let request = |states: &'_ States, one: &Violation| match one.sides {
        Sides::Request { bundle, presented } => {
            Some((states.bundles[bundle].what.clone(), states.presented[presented].clone()))
        }
        _ => None,
    };
    let known: Vec<_> = now.violations(view.at).iter().filter_map(|one| request(now, one)).collect();
    let found = |one: &Violation| {
        let (bundle, held) = request(&after, one)?;
        let is_known = known.iter().any(|(old, with)| old.same_set(&bundle) && with.what == held.what);
        (!is_known).then(|| {
            let fact = StepFact::RestartRefusesRequests {
                issuer: CertificateRef::from(&held.what.issuer),
                proxies: pods(view, &held),
                certain: one.certain,
                why: one.refusal.clone(),
            };
            let finding = Finding::new(severity(view, one, &held), fact);
            held.until.map(Opens::At).into_iter().fold(finding, Finding::opened_by)
        })
    };
    after.violations(view.at).iter().filter_map(found).collect()
}

/// S2 and S3 where anchors go: no proxy may still present a certificate, and no identity controller sign with an issuer, that
/// whoever starts with those that stay refuses (linkerd2#4287).
pub(super) fn drop_breaks_no_pair(view: &View<'_>, step: Step) -> Vec<Finding> {
    let Some(spec) = view.dropping(step).filter(|_| !view.recovers()) else { return Vec::new() };
    let after = view.states().publishing(&spec.bundle);
    let of_pruned =
        |one: &&Violation| one.bundle().is_some_and(|at| after.bundles[at].what.same_set(&spec.bundle));
    let found = |one: &Violation| match one.sides {
        Sides::Peers { presented, .. } => Some(certificates_refused(view, one, &after.presented[presented])),
        Sides::Renewal { controller, .. } => Some(signs_refused(view, one, &after.controllers[controller])),
        Sides::Start | Sides::Signing { .. } | Sides::Request { .. } => None,
    };
    after.violations(view.at).iter().filter(of_pruned).filter_map(found).collect()
}

fn certificates_refused(view: &View<'_>, one: &Violation, held: &Holding<IssuerChain>) -> Finding {
    let fact = StepFact::CertificatesRefused {
        issuer: CertificateRef::from(&held.what.issuer),
        proxies: pods(view, held),
        certain: held.certain,
        anchors: view.brought(),
        why: one.refusal.clone(),
    };
    let finding = Finding::new(severity(view, one, held), fact);
    held.until.map(Opens::At).into_iter().fold(finding, Finding::opened_by)
}

fn signs_refused(view: &View<'_>, one: &Violation, held: &Holding<(Bundle, IssuerChain)>) -> Finding {
    let replicas = pods(view, held);
    let identity = Opens::Restart(replicas.workloads.clone());
    let fact = StepFact::IdentitySignsRefused {
        issuer: CertificateRef::from(&held.what.1.issuer),
        replicas,
        certain: held.certain,
        anchors: view.brought(),
        why: one.refusal.clone(),
    };
    Finding::new(severity(view, one, held), fact).opened_by(identity)
}

/// How much a violation of a class counts.
fn severity<T>(view: &View<'_>, one: &Violation, held: &Holding<T>) -> Severity {
    match (one.certain, held.count > 0 && view.issuer.is_dated()) {
        (true, _) => Severity::Error,
        (false, true) => Severity::Wait,
        (false, false) => Severity::Unknown,
    }
}

/// The pods of a class.
fn pods<T>(view: &View<'_>, held: &Holding<T>) -> Pods {
    let mut workloads: Vec<_> =
        held.workloads.iter().map(|id| view.mesh.workload(*id).object.clone()).collect();
    workloads.sort();
    workloads.dedup();
    Pods { count: held.count, sample: held.sample.clone(), workloads }
}

/// S5: nothing is published or issued that some node's clock may take to begin in the future.
pub(super) fn material_has_begun(view: &View<'_>, step: Step) -> Vec<Finding> {
    let certificates: Vec<&Certificate> = match step.stage {
        Stage::Trust => view.record.anchor().into_iter().collect(),
        Stage::Signer | Stage::Issuer => {
            view.spec(step).swapped_in().into_iter().flat_map(IssuerChain::certificates).collect()
        }
        Stage::ControlPlane | Stage::DataPlane | Stage::Objects => return Vec::new(),
    };
    let skew = view.mesh.control_plane.clock_skew.0;
    let begin = |certificate: &&Certificate| {
        certificate.facts().not_before.checked_add(skew).unwrap_or(Timestamp::MAX)
    };
    let latest = certificates.into_iter().max_by_key(begin).filter(|latest| begin(latest) > view.at);
    let found = |latest: &Certificate| {
        let (certificate, skew) = (CertificateRef::from(latest), GoDuration(skew));
        wait(StepFact::CertificateNotBegun { certificate, skew }).opened_by(Opens::At(begin(&latest)))
    };
    latest.map(found).into_iter().collect()
}

/// No step of a rotation whose own certificates have expired brings a mesh any further.
pub(super) fn material_has_not_expired(view: &View<'_>, step: Step) -> Vec<Finding> {
    let (record, direction) = (view.record, view.record.direction);
    if let Some(cross) = record.cross.as_ref().filter(|_| view.cross_gives_way()) {
        return without_cross(view, step, cross);
    }
    let (anchors, chain): (Vec<_>, _) = match direction {
        Direction::Forward => {
            let crossing = record.cross.iter().filter(|_| step.phase != Phase::RemoveCross);
            (record.anchor().into_iter().chain(crossing).collect(), Some(&record.issuer))
        }
        Direction::Rollback => (record.old.anchors().iter().collect(), view.spec(step).swapped_in()),
    };
    let found = |expired: &Certificate| {
        error(StepFact::RotationExpired { certificate: CertificateRef::from(expired), direction })
    };
    let certificates = anchors.into_iter().chain(chain.into_iter().flat_map(IssuerChain::certificates));
    certificates.filter(|certificate| certificate.is_expired_at(view.at)).map(found).collect()
}

/// Once the cross certificate has expired, no step but `remove-cross` leads on; after that the others do.
fn without_cross(view: &View<'_>, step: Step, cross: &Certificate) -> Vec<Finding> {
    let is_gone = view.mesh.secret_chain() == Some(&view.record.issuer);
    if step.phase == Phase::RemoveCross || is_gone {
        return Vec::new();
    }
    let first = Step { phase: Phase::RemoveCross, stage: Stage::Issuer };
    let fact = StepFact::CrossExpired { certificate: CertificateRef::from(cross), instead: first };
    vec![error(fact).opened_by(Opens::Step(first))]
}

/// A cross certificate that is put in place must last until it is done with, as `start` asks of it: it caps every workload
/// certificate.
pub(super) fn cross_lasts(view: &View<'_>, step: Step) -> Vec<Finding> {
    let record = view.record;
    let is_put_in_place = |cross: &&Certificate| {
        step.stage == Stage::Issuer
            && view.spec(step).swapped_in() == Some(&record.chain_with_cross())
            && !cross.is_expired_at(view.at)
    };
    let expires_soon = |cross: &&Certificate| cross_expires_too_soon(view.mesh, view.at, cross);
    let found = |cross: &Certificate| {
        error(StepFact::CrossExpiresSoon {
            certificate: CertificateRef::from(cross),
            lifetime: GoDuration(view.workload_certificate_lifetime()),
            direction: record.direction,
        })
    };
    record.cross.iter().filter(is_put_in_place).filter(expires_soon).map(found).collect()
}

/// An anchor that has expired and left the bundle is not published again: `linkerd check` fails on it, and nothing needs it. So
/// it is with a rotation that another, such as a recovery, has superseded.
pub(super) fn no_expired_anchor_returns(view: &View<'_>, step: Step) -> Vec<Finding> {
    let published = view.mesh.trust.published.as_option().filter(|_| step.stage == Stage::Trust);
    let Some(published) = published.filter(|_| view.record.direction == Direction::Forward) else {
        return Vec::new();
    };
    let is_there = |anchor: &Certificate| published.readings().any(|bundle| bundle.contains(anchor));
    let bundle = view.record.bundle_for(step.phase, view.mesh);
    let back = bundle.anchors().iter().filter(|one| one.is_expired_at(view.at) && !is_there(one));
    back.map(|one| error(StepFact::ExpiredAnchorReturns { anchor: CertificateRef::from(one) })).collect()
}

/// S6: what the next Helm or CLI upgrade publishes again accepts the new issuer.
pub(super) fn change_outlives_upgrade(view: &View<'_>, step: Step) -> Vec<Finding> {
    let (mesh, era) = (view.mesh, view.mesh.control_plane.era);
    if !step.stage.is_about_issuer()
        || mesh.control_plane.external_ca
        || era.trust_home() == era.config_home()
    {
        return Vec::new();
    }
    let spec = view.spec(step);
    let (Some(chain), Some(issuer)) = (spec.swapped_in(), rotation_issuer(spec)) else { return Vec::new() };
    let (config, value) = (mesh.linkerd_config(), era.chart_names().anchors);
    let unread = match &mesh.trust.config {
        Known::Is(copy) => {
            let why = copy_refuses(view, copy, chain);
            let found = why.map(|why| wait(StepFact::UpgradeRevertsBundle { config, issuer, value, why }));
            return found.into_iter().collect();
        }
        Known::Unknown(why) => Some(why.clone()),
        // Who has given the chart no anchors has no copy that an upgrade could publish.
        Known::Absent if has_config(mesh) => return Vec::new(),
        Known::Absent => None,
    };
    let fact = StepFact::UpgradeNotJudged { config, issuer, value, why: unread };
    vec![to_confirm(fact, Confirmation::UpgradeKeepsBundle)]
}

/// Why the copy of the anchors in `linkerd-config` does not accept a chain; an empty one is none.
fn copy_refuses(view: &View<'_>, copy: &BundleText, chain: &IssuerChain) -> Option<WhyRefused> {
    if copy.text().trim().is_empty() {
        return None;
    }
    match copy.as_read_by(Rules::Controller) {
        Ok(copy) => {
            let refused = accepts(copy, chain, &view.mesh.identity_name(), view.at, Rules::Controller).err();
            refused.map(WhyRefused::Refusal)
        }
        Err(defect) => Some(WhyRefused::Unreadable(defect.clone())),
    }
}

fn has_config(mesh: &Mesh) -> bool {
    let config = mesh.linkerd_config();
    mesh.manifest(&config.kind, &config.namespace, &config.name).is_some()
}

/// Where time takes the place of restarts, it must be known how much of it.
pub(super) fn lifetime_is_known(view: &View<'_>, step: Step) -> Vec<Finding> {
    let waits =
        step.stage == Stage::Trust && view.spec(step).drops && view.record.strategy.waits_for_renewal();
    if !waits || view.mesh.tells_lifetime() {
        return Vec::new();
    }
    vec![Finding::new(Severity::Unknown, StepFact::lifetime_assumed(view.mesh))]
}

/// S6: cert-manager does not renew anchor or issuer while the step is loaded, which takes as long as a workload certificate is valid.
/// While anchors are only added, an issuer that the old one renews is accepted as before: the anchor's renewal alone matters. An
/// issuer that is renewed every day never leaves that much time, so a human says that it is suspended.
pub(super) fn change_outlives_renewal(view: &View<'_>, step: Step) -> Vec<Finding> {
    if step.stage != Stage::Trust && !step.stage.is_about_issuer() {
        return Vec::new();
    }
    let until = view.at.checked_add(view.workload_certificate_lifetime()).unwrap_or(Timestamp::MAX);
    let stopped = managed::stopped_by(view, step);
    let matters = |found: &&CertManagerCertificate| {
        if view.record.managed.is_some() {
            return !found.writes_issuer(&view.mesh.control_plane.namespace)
                && stopped.as_ref() != Some(&found.object);
        }
        step.stage.is_about_issuer()
            || view.spec(step).drops
            || !found.writes_issuer(&view.mesh.control_plane.namespace)
    };
    let found = |found: &CertManagerCertificate| {
        let due = found.renewal_time.filter(|due| *due <= until)?;
        let fact = StepFact::RenewalDue { certificate: found.object.clone(), due, until };
        Some(to_confirm(fact, Confirmation::RenewalSuspended))
    };
    view.mesh.certificates.iter().filter(matters).filter_map(found).collect()
}

/// Not known, and a human can know it.
fn to_confirm(fact: impl Into<Fact>, confirmation: Confirmation) -> Finding {
    Finding::new(Severity::Unknown, fact).opened_by(Opens::Confirm(confirmation))
}

/// What reads mounted files when it starts must not be created before every kubelet gives them to a new pod: it would have to start
/// once more, and the annotation that its template then carries restarts nothing again.
pub(super) fn restart_finds_what_changed(view: &View<'_>, step: Step) -> Vec<Finding> {
    if step.stage != Stage::ControlPlane {
        return Vec::new();
    }
    let spec = view.spec(step);
    let secret = spec.swapped_in().map(|_| (view.issuer, view.mesh.issuer_secret()));
    let reads = spec.swapped_in().is_none() && reads_mounted_bundle(view) || spec.restarts_for_bundle;
    let bundle = reads.then(|| (view.bundle, view.mesh.bundle_home()));
    let found = |(change, object): (Change, _)| {
        let given = change.given_since().filter(|given| view.at <= *given)?;
        Some(wait(StepFact::MountOutdated { object }).opened_by(Opens::At(given)))
    };
    secret.into_iter().chain(bundle).filter_map(found).collect()
}

/// Who restarts for a new certificate must not ask an identity controller that is being replaced: it would have to restart once
/// more.
pub(super) fn restart_asks_the_new_controllers(view: &View<'_>, step: Step) -> Vec<Finding> {
    if step.stage != Stage::DataPlane || view.spec(step).swapped_in().is_none() {
        return Vec::new();
    }
    let gone = view.signs_since().map(handed_over).filter(|gone| view.at <= *gone);
    gone.map(|gone| wait(StepFact::IdentityHandover).opened_by(Opens::At(gone))).into_iter().collect()
}

/// S7: without a proxy injector pods that restart start without a proxy, or fail to start.
pub(super) fn restart_needs_injector(view: &View<'_>, step: Step) -> Vec<Finding> {
    if step.stage != Stage::DataPlane {
        return Vec::new();
    }
    if let Some(why) = no_pods(view) {
        return vec![why];
    }
    let is_running = view
        .replicas(&[crate::linkerd::INJECTOR_CONTAINER])
        .any(|replica| replica.started.is_some_and(|at| at <= view.at));
    if is_running {
        return Vec::new();
    }
    vec![wait(StepFact::InjectorNotRunning { namespace: view.mesh.control_plane.namespace.clone() })]
}

/// Proxies outside the cluster are ready for the step; nothing here shows them.
pub(super) fn external_workloads_first(view: &View<'_>, step: Step) -> Vec<Finding> {
    let names = view.mesh.external_workloads.clone();
    let Some(need) = view.need_outside(step).filter(|_| !view.recovers()) else { return Vec::new() };
    if names.is_empty() {
        return not_listed(view, "externalworkloads", Confirmation::ExternalWorkloads);
    }
    vec![to_confirm(StepFact::ExternalWorkloadsFirst { names, need }, Confirmation::ExternalWorkloads)]
}

/// Linked clusters share the trust: theirs must be as far; nothing here shows them.
pub(super) fn linked_clusters_first(view: &View<'_>, step: Step) -> Vec<Finding> {
    let names = view.mesh.links.clone();
    let Some(need) = view.need_outside(step).filter(|_| !view.recovers()) else { return Vec::new() };
    if names.is_empty() {
        return not_listed(view, "links", Confirmation::LinkedClusters);
    }
    vec![to_confirm(StepFact::LinkedClustersFirst { names, need }, Confirmation::LinkedClusters)]
}

/// Who may not list them does not know that there are none.
fn not_listed(view: &View<'_>, resource: &str, confirmation: Confirmation) -> Vec<Finding> {
    let gaps = view.mesh.gaps.iter();
    let refused = gaps.filter(|gap| {
        gap.resource == resource && matches!(gap.why, Unread::Refused(_) | Unread::OtherVersions(_))
    });
    refused.map(|gap| to_confirm(InputFact::NotRead(gap.clone()), confirmation)).collect()
}
