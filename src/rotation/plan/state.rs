//! How far each step is, told from the observed mesh.

use jiff::Timestamp;

use super::confirmation::pods_are_missing;
use super::tally::Tally;
use super::view::View;
use super::{PhaseSpec, Stage, Step, StepState, managed};
use crate::document::ObjectRef;
use crate::finding::{Fact, Finding, InputFact, Opens, SecretGap, Severity, StepFact};
use crate::linkerd;
use crate::mesh::{
    Change, Doubt, Era, KUBELET_LAG_SECONDS, Known, Plane, ProxyGroup, Read, Replica, WATCH_LAG_SECONDS,
    WorkloadId, handed_over,
};
use crate::pki::Rules;
use crate::rotation::Restarted;
use crate::step::Confirmation;

pub(super) fn of(view: &View<'_>, step: Step) -> StepState {
    let spec = view.spec(step);
    match (step.stage, spec.swapped_in().is_some()) {
        (Stage::Objects, _) => managed::removed(view),
        // Whatever the issuer in the Secret is now, the next one is what this decides.
        (Stage::Signer, _) => managed::repointed(view),
        (Stage::Issuer, _) if let Some(left) = managed::named_otherwise(view) => left,
        _ if view.record.awaits_anchor() => managed::awaited(view),
        _ if view.is_past(spec) => StepState::Done,
        (Stage::Trust, _) => published(view, spec),
        (Stage::Issuer, _) => swapped(view, spec),
        (Stage::DataPlane, true) if spec.restarts_for_bundle => {
            [data_plane_is_renewed(view, spec), control_plane_holds(view, spec), data_plane_holds(view, spec)]
                .into_iter()
                .fold(StepState::Done, furthest_back)
        }
        (Stage::ControlPlane, true) => identity_serves_issuer(view, spec),
        (Stage::DataPlane, true) => data_plane_is_renewed(view, spec),
        (Stage::ControlPlane, false) => control_plane_holds(view, spec),
        (Stage::DataPlane, false) => data_plane_holds(view, spec),
    }
}

/// Of two states of one step the one with more left to do.
fn furthest_back(one: StepState, other: StepState) -> StepState {
    let rank = |state: &StepState| match state {
        StepState::Pending { done, .. } => (0, *done),
        StepState::Unknown(_) => (1, 0),
        StepState::Done => (2, 0),
    };
    std::cmp::min_by_key(one, other, rank)
}

fn published(view: &View<'_>, spec: &PhaseSpec) -> StepState {
    if view.is_published(spec) { StepState::Done } else { StepState::Pending { done: 0, of: 1 } }
}

fn swapped(view: &View<'_>, spec: &PhaseSpec) -> StepState {
    match view.swapped(spec) {
        Some(true) => StepState::Done,
        Some(false) => StepState::Pending { done: 0, of: 1 },
        None => unknown(issuer_unknown(view)),
    }
}

fn unknown(why: Finding) -> StepState {
    StepState::Unknown(Box::new(why))
}

/// That something cannot be told.
fn untold(fact: impl Into<Fact>) -> Finding {
    Finding::new(Severity::Unknown, fact)
}

/// Why the issuer in the Secret is not known.
pub(super) fn issuer_unknown(view: &View<'_>) -> Finding {
    let why = match &view.mesh.issuer {
        Known::Unknown(why) => SecretGap::Unread(why.clone()),
        Known::Absent => SecretGap::Absent,
        Known::Is(issuer) => match &issuer.chain {
            Err(why) if issuer.from_secret => SecretGap::Unreadable(why.to_string()),
            _ => SecretGap::CopyOnly,
        },
    };
    untold(StepFact::IssuerSecretUnknown { secret: view.mesh.issuer_secret(), why })
}

/// Control-plane containers that read the bundle when they start; beside them the literal copies of eras up to 2.10.
pub(super) fn control_plane_holds(view: &View<'_>, spec: &PhaseSpec) -> StepState {
    if let Some(why) = no_pods(view) {
        return unknown(why);
    }
    let mut tally = Tally::default();
    for group in view.groups(Plane::Control) {
        if let Some(suits) = view.group_suits(spec, group) {
            tally.add_holders(suits, group.count());
        }
        add_lost(view, group, &mut tally);
    }
    if let Some(argument) = &view.mesh.trust.identity {
        let read = argument.as_read_by(Rules::Controller);
        tally.add_holders(read.is_ok_and(|bundle| spec.suits(bundle)), 1);
    }
    let is_published = view.is_published(spec);
    let (containers, literal_proves) = bundle_readers(view.mesh.control_plane.era);
    for replica in view.replicas(containers) {
        let read = match view.bundle.by_replica(replica, view.at) {
            _ if view.suits_since_before(spec, replica.started) => Read::After,
            _ if !is_published => Read::Before,
            // The template's literal copy is of this step, which comes after the ConfigMap's.
            Read::Perhaps(_) if literal_proves => Read::After,
            read => read,
        };
        tally.add(read, 1);
    }
    if tally.is_empty() {
        return unknown(untold(StepFact::ContainersNotSeen { containers: containers.to_vec() }));
    }
    tally.state(|doubt| why(view, doubt, containers, view.bundle, view.mesh.bundle_home()))
}

/// What cannot be told of these containers: those that started too soon, or when something happened.
fn why(
    view: &View<'_>,
    doubt: Doubt,
    containers: &'static [&'static str],
    change: Change,
    object: ObjectRef,
) -> Finding {
    let mut early = Vec::new();
    for replica in view.replicas(containers) {
        if let Read::Perhaps(doubt) = change.by_replica(replica, view.at)
            && let Some(seconds) = too_early_by(doubt)
        {
            early.push((seconds, replica));
        }
    }
    let Some(seconds) = early.iter().map(|(seconds, _)| *seconds).max() else {
        return no_time(doubt, object);
    };
    let mut workloads: Vec<_> = early.iter().map(|(_, replica)| view.mesh.workload_of(replica)).collect();
    workloads.sort();
    workloads.dedup();
    let named = |(_, replica): &(i64, &Replica)| format!("{} ({})", replica.pod, replica.container);
    let containers = early.iter().map(named).collect();
    untold(StepFact::StartedTooEarly { object, containers, seconds })
        .opened_by(Opens::Restart(workloads))
        .opened_by(Opens::Confirm(Confirmation::ControlPlaneRestarted))
}

/// How many seconds after a change a container or its pod must be to leave no such doubt.
const fn too_early_by(doubt: Doubt) -> Option<i64> {
    match doubt {
        Doubt::SameSecond => Some(1),
        Doubt::JustCreated => Some(WATCH_LAG_SECONDS),
        Doubt::KubeletLag => Some(KUBELET_LAG_SECONDS),
        Doubt::StartUnknown | Doubt::ChangeUnknown => None,
    }
}

/// Does any container of the control plane read the bundle from its ConfigMap when it starts?
pub(super) fn reads_mounted_bundle(view: &View<'_>) -> bool {
    !bundle_readers(view.mesh.control_plane.era).0.is_empty()
}

/// Which containers read the bundle from its ConfigMap when they start, and whether a literal copy beside them tells as much.
const fn bundle_readers(era: Era) -> (&'static [&'static str], bool) {
    match era {
        Era::V2_6 | Era::V2_7 => (&[linkerd::IDENTITY_CONTAINER], true),
        Era::V2_9 | Era::V2_10 => (&[], true),
        Era::V2_11 | Era::V2_12 => {
            (&[linkerd::IDENTITY_CONTAINER, linkerd::INJECTOR_CONTAINER, linkerd::PROXY_CONTAINER], false)
        }
    }
}

fn data_plane_holds(view: &View<'_>, spec: &PhaseSpec) -> StepState {
    if let Some(why) = no_pods(view) {
        return unknown(why);
    }
    let mut tally = Tally::default();
    for group in view.groups(Plane::Data) {
        add_bundle(view, spec, group, &mut tally);
    }
    everywhere(view, tally.state(|doubt| no_time(doubt, view.mesh.bundle_home())))
}

/// The state of the whole data plane, by that of the part that was looked at.
fn everywhere(view: &View<'_>, state: StepState) -> StepState {
    match (state, other_namespaces(view)) {
        (StepState::Done, Some(why)) => unknown(why),
        (state, _) => state,
    }
}

/// Why nothing can be said of proxies beyond those that were looked at.
pub(super) fn other_namespaces(view: &View<'_>) -> Option<Finding> {
    let namespace = view.mesh.only.clone()?;
    Some(untold(InputFact::OneNamespace { namespace }))
}

/// Proxies of a data-plane workload that do not hold what the phase wants, or are not known to.
pub(super) fn lacking_bundle(view: &View<'_>, spec: &PhaseSpec, workload: WorkloadId) -> u64 {
    let mut tally = Tally::default();
    for group in view.groups_of(workload) {
        add_bundle(view, spec, group, &mut tally);
    }
    tally.left()
}

/// Proxies of a workload whose certificate has expired with the cross certificate, or is not known not to have.
pub(super) fn lost(view: &View<'_>, workload: WorkloadId) -> u64 {
    let mut tally = Tally::default();
    view.groups_of(workload).for_each(|group| add_lost(view, group, &mut tally));
    tally.left()
}

/// Proxies whose workload certificate has expired with the cross certificate must restart, whatever they hold.
fn add_lost(view: &View<'_>, group: &ProxyGroup, tally: &mut Tally) {
    let Some(since) = view.certificates_since() else { return };
    each_start(group, |started, count| match started {
        Some(started) if started > since => {}
        Some(_) => tally.add(Read::Before, count),
        None => tally.add(Read::Perhaps(Doubt::StartUnknown), count),
    });
}

fn add_bundle(view: &View<'_>, spec: &PhaseSpec, group: &ProxyGroup, tally: &mut Tally) {
    if let Some(since) = view.certificates_since() {
        let suits = |started: Option<Timestamp>| started.is_some_and(|started| started > since);
        return each_start(group, |started, count| tally.add_holders(suits(started), count));
    }
    if let Some(suits) = view.group_suits(spec, group) {
        return tally.add_holders(suits, group.count());
    }
    let is_published = view.is_published(spec);
    each_start(group, |started, count| {
        let read = match view.bundle.by_environment(started, group.made) {
            _ if view.suits_since_before(spec, started) => Read::After,
            _ if !is_published => Read::Before,
            read => read,
        };
        tally.add(read, count);
    });
}

/// Every identity controller must have started since the swap, so that each is known to sign with the new issuer
/// (linkerd2#15109); and since the bundle changed, where no phase before has restarted it for that. One that started with a
/// bundle that refuses the issuer before signs with no such issuer, however often the Secret was written since.
fn identity_serves_issuer(view: &View<'_>, spec: &PhaseSpec) -> StepState {
    const IDENTITY: &[&str] = &[linkerd::IDENTITY_CONTAINER];
    let replicas = || view.replicas(IDENTITY);
    if let Some(state) = before_swap(view, spec, replicas().count() as u64) {
        return state;
    }
    let lacks_anchors = view.is_superseded(spec) && reads_mounted_bundle(view);
    let mut tally = Tally::default();
    for replica in replicas() {
        let bundle = view.bundle.by_mount(replica.started, replica.made);
        let mut read = view.issuer.by_mount(replica.started, replica.made);
        if lacks_anchors && bundle == Read::After {
            read = Read::After;
        }
        if spec.restarts_for_bundle && bundle != Read::After && read != Read::Before {
            read = bundle;
        }
        tally.add(read, 1);
    }
    if tally.is_empty() {
        return unknown(untold(StepFact::ContainersNotSeen { containers: IDENTITY.to_vec() }));
    }
    tally.state(|doubt| why(view, doubt, IDENTITY, view.issuer, view.mesh.issuer_secret()))
}

/// Proxies beside other containers than the identity controller, whose own proxy asks the one beside it: those that started
/// before the last identity controller did may have a certificate of one that is gone.
fn data_plane_is_renewed(view: &View<'_>, spec: &PhaseSpec) -> StepState {
    let groups = || view.restarted(Restarted::AllButIdentity);
    if let Some(state) = before_swap(view, spec, groups().map(ProxyGroup::count).sum()) {
        return state;
    }
    let mut tally = Tally::default();
    groups().for_each(|group| add_certificates(view, group, &mut tally));
    match identity_serves_issuer(view, spec) {
        StepState::Unknown(why) if !tally.is_empty() => StepState::Unknown(why),
        _ => {
            let state = tally.state(|_| untold(StepFact::StartTimeUnknown));
            if view.is_superseded(spec) || old_certificates_expired(view) {
                state
            } else {
                everywhere(view, state)
            }
        }
    }
}

/// Proxies of a workload that may still have a certificate of the old issuer.
pub(super) fn old_certificates(view: &View<'_>, workload: WorkloadId) -> u64 {
    let mut tally = Tally::default();
    for group in view.groups_of(workload) {
        add_certificates(view, group, &mut tally);
    }
    tally.left()
}

/// Counts proxies by whether their certificate is of the new issuer. Once `prune` is published the question is settled: its own
/// restarts give new certificates to whoever lacks one. Until then only a start after [`View::signs_since`], when those that were replaced have gone, proves it, whatever the workload's
/// template carries: its pods may have been moved before the identity controller restarted.
fn add_certificates(view: &View<'_>, group: &ProxyGroup, tally: &mut Tally) {
    if view.is_superseded(view.issuer_phase()) || old_certificates_expired(view) {
        return tally.add(Read::After, group.count());
    }
    let Some(since) = view.signs_since() else { return tally.add(Read::Before, group.count()) };
    let gone = handed_over(since);
    each_start(group, |started, count| {
        let read = match started {
            Some(started) if started > gone => Read::After,
            Some(_) => Read::Before,
            None => Read::Perhaps(Doubt::StartUnknown),
        };
        tally.add(read, count);
    });
}

/// Has every workload certificate that the old issuer signed expired?
fn old_certificates_expired(view: &View<'_>) -> bool {
    view.old_certificates_expire().is_some_and(|end| view.at > end)
}

/// The state of the restarts after the swap while there is none, or pods are not known; `of` is how many are to restart.
fn before_swap(view: &View<'_>, spec: &PhaseSpec, of: u64) -> Option<StepState> {
    match swapped(view, spec) {
        StepState::Done => no_pods(view).map(unknown),
        StepState::Unknown(why) => Some(StepState::Unknown(why)),
        StepState::Pending { .. } => Some(StepState::Pending { done: 0, of: of.max(1) }),
    }
}

/// Why nothing can be said of running containers.
pub(super) fn no_pods(view: &View<'_>) -> Option<Finding> {
    match &view.mesh.pods {
        Known::Is(()) => None,
        Known::Absent => Some(untold(InputFact::PodsNotGiven)),
        Known::Unknown(why) => {
            let found = untold(InputFact::PodsUnknown { why: why.clone() });
            Some(if pods_are_missing(view.mesh) {
                found.opened_by(Opens::Confirm(Confirmation::AllPodsSeen))
            } else {
                found
            })
        }
    }
}

/// Why it cannot be told whether a container has read the last change of an object.
fn no_time(doubt: Doubt, object: ObjectRef) -> Finding {
    let confirmed = Opens::Confirm(Confirmation::ControlPlaneRestarted);
    match (doubt, too_early_by(doubt)) {
        (_, Some(seconds)) => {
            untold(StepFact::StartedTooEarly { object, containers: Vec::new(), seconds }).opened_by(confirmed)
        }
        (Doubt::ChangeUnknown, None) => untold(InputFact::ChangeTimeUnknown { object }).opened_by(confirmed),
        (_, None) => untold(StepFact::StartTimeUnknown),
    }
}

fn each_start(group: &ProxyGroup, mut visit: impl FnMut(Option<Timestamp>, u64)) {
    for (started, count) in &group.starts.at {
        visit(Some(*started), *count);
    }
    visit(None, group.starts.unknown);
}
