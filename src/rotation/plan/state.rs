//! How far each step is, told from the observed mesh.

use jiff::Timestamp;

use super::confirmation::{Confirmation, pods_are_missing};
use super::freshness::{Fresh, Tally, mounted_before, started_after};
use super::view::View;
use super::{Leg, Stage, Step, StepState};
use crate::mesh::{ChangeTime, Era, Known, Plane, ProxyGroup, Replica, WorkloadId, handed_over};
use crate::pki::Rules;
use crate::rotation::worlds::{KUBELET_LAG_SECONDS, Mount};
use crate::rotation::{Restarted, objects};

pub(super) fn of(view: &View<'_>, step: Step) -> StepState {
    let leg = view.leg(step);
    match (step.stage, leg.swapped_in().is_some()) {
        _ if view.is_over(leg) => StepState::Done,
        (Stage::Trust, _) => published(view, leg),
        (Stage::Issuer, _) => swapped(view, leg),
        (Stage::DataPlane, true) if leg.restarts_for_bundle => {
            [data_plane_has_leafs(view, leg), control_plane_holds(view, leg), data_plane_holds(view, leg)]
                .into_iter()
                .fold(StepState::Done, furthest_back)
        }
        (Stage::ControlPlane, true) => identity_serves_issuer(view, leg),
        (Stage::DataPlane, true) => data_plane_has_leafs(view, leg),
        (Stage::ControlPlane, false) => control_plane_holds(view, leg),
        (Stage::DataPlane, false) => data_plane_holds(view, leg),
    }
}

/// Of two states of one step the one that is further from its end.
fn furthest_back(one: StepState, other: StepState) -> StepState {
    let rank = |state: &StepState| match state {
        StepState::Pending { done, .. } => (0, *done),
        StepState::Unknown(_) => (1, 0),
        StepState::Done => (2, 0),
    };
    std::cmp::min_by_key(one, other, rank)
}

fn published(view: &View<'_>, leg: &Leg) -> StepState {
    match view.is_published(leg) {
        true => StepState::Done,
        false => StepState::Pending { done: 0, of: 1 },
    }
}

fn swapped(view: &View<'_>, leg: &Leg) -> StepState {
    match (view.swapped(leg), &view.mesh.issuer) {
        (Some(true), _) => StepState::Done,
        (Some(false), _) => StepState::Pending { done: 0, of: 1 },
        (None, Known::Unknown(why)) => {
            StepState::Unknown(format!("{} is not known: {why}", objects::issuer_secret(view.mesh)))
        }
        (None, _) => StepState::Unknown(format!(
            "{} was not read; linkerd-config shows the last render only",
            objects::issuer_secret(view.mesh)
        )),
    }
}

/// Control-plane containers that read the bundle when they start; beside them the literal copies of eras up to 2.10.
pub(super) fn control_plane_holds(view: &View<'_>, leg: &Leg) -> StepState {
    if let Some(why) = no_pods(view) {
        return StepState::Unknown(why);
    }
    let mut tally = Tally::default();
    for group in view.groups(Plane::Control) {
        if let Some(suits) = view.group_suits(leg, group) {
            tally.add(suits.into(), group.count());
        }
    }
    if let Some(argument) = &view.mesh.trust.identity {
        let read = argument.as_read_by(Rules::Controller);
        tally.add(read.is_ok_and(|bundle| leg.suits(bundle)).into(), 1);
    }
    let is_published = view.is_published(leg);
    let (containers, literal_proves) = bundle_readers(view.mesh.control_plane.era);
    for replica in view.replicas(containers) {
        let fresh = match has_read(view, replica, Mount::of_bundle(view.mesh)) {
            _ if view.suits_since_before(leg, replica.started) => Fresh::Yes,
            _ if !is_published => Fresh::No,
            // The template's literal copy is of this step, which comes after the ConfigMap's.
            Fresh::Unknown if literal_proves => Fresh::Yes,
            fresh => fresh,
        };
        tally.add(fresh, 1);
    }
    match tally.is_empty() {
        true => StepState::Unknown("no running container of the control plane is in the input".to_owned()),
        false => tally.state(|| {
            let (mount, place) = (Mount::of_bundle(view.mesh), objects::bundle_home(view.mesh).to_string());
            too_early(view, containers, mount, &place).unwrap_or_else(|| no_time(mount.changed, &place))
        }),
    }
}

/// Has a container of the control plane read a change? The identity controller reads mounted files when it starts; the injector
/// reads its own for each pod (since 2.11), so that for it the kubelet's lag passes; a proxy's environment is made at its start.
fn has_read(view: &View<'_>, replica: &Replica, mount: Mount) -> Fresh {
    match replica.container.as_str() {
        "identity" => mounted_before(replica.started, mount),
        "proxy-injector" if started_after(Some(view.at), mount.shown) == Fresh::No => {
            mounted_before(replica.started, mount)
        }
        _ => started_after(replica.started, mount.changed),
    }
}

/// Which containers started so soon after a change of `place` that their mount may not have shown it.
fn too_early(
    view: &View<'_>,
    containers: &'static [&'static str],
    mount: Mount,
    place: &str,
) -> Option<String> {
    let early = |replica: &&Replica| {
        let is_after = started_after(replica.started, mount.changed) == Fresh::Yes;
        is_after && has_read(view, replica, mount) == Fresh::Unknown
    };
    let name = |replica: &Replica| format!("{} ({})", replica.pod, replica.container);
    let early: Vec<_> = view.replicas(containers).filter(early).map(name).collect();
    (!early.is_empty()).then(|| {
        format!(
            "{} started within {KUBELET_LAG_SECONDS} s after {place} changed, while a kubelet may still have it mounted as it was: \
             restart again what reads it at its start",
            early.join(", ")
        )
    })
}

/// Does any container of the control plane read the bundle from its ConfigMap when it starts?
pub(super) fn reads_mounted_bundle(view: &View<'_>) -> bool {
    !bundle_readers(view.mesh.control_plane.era).0.is_empty()
}

/// Which containers read the bundle from its ConfigMap when they start, and whether a literal copy beside them tells as much.
const fn bundle_readers(era: Era) -> (&'static [&'static str], bool) {
    match era {
        Era::V2_6 | Era::V2_7 => (&["identity"], true),
        Era::V2_9 | Era::V2_10 => (&[], true),
        Era::V2_11 | Era::V2_12 => (&["identity", "proxy-injector", "linkerd-proxy"], false),
    }
}

fn data_plane_holds(view: &View<'_>, leg: &Leg) -> StepState {
    if let Some(why) = no_pods(view) {
        return StepState::Unknown(why);
    }
    let mut tally = Tally::default();
    for group in view.groups(Plane::Data) {
        add_bundle(view, leg, group, &mut tally);
    }
    everywhere(
        view,
        tally.state(|| no_time(view.bundle_changed(), &objects::bundle_home(view.mesh).to_string())),
    )
}

/// The state of the whole data plane, by that of the part that was looked at.
fn everywhere(view: &View<'_>, state: StepState) -> StepState {
    match (state, other_namespaces(view)) {
        (StepState::Done, Some(why)) => StepState::Unknown(why),
        (state, _) => state,
    }
}

/// Why nothing can be said of proxies beyond those that were looked at.
pub(super) fn other_namespaces(view: &View<'_>) -> Option<String> {
    let only = view.mesh.only.as_ref()?;
    Some(format!("only namespace {only} was looked at; leave --namespace away to see every proxy"))
}

/// Proxies of a data-plane workload that do not hold what the phase wants, or are not known to.
pub(super) fn lacking_bundle(view: &View<'_>, leg: &Leg, workload: WorkloadId) -> u64 {
    let mut tally = Tally::default();
    for group in view.groups_of(workload) {
        add_bundle(view, leg, group, &mut tally);
    }
    tally.left()
}

fn add_bundle(view: &View<'_>, leg: &Leg, group: &ProxyGroup, tally: &mut Tally) {
    if let Some(suits) = view.group_suits(leg, group) {
        return tally.add(suits.into(), group.count());
    }
    let is_published = view.is_published(leg);
    each_start(group, |started, count| {
        let fresh = match started_after(started, view.bundle_changed()) {
            _ if view.suits_since_before(leg, started) => Fresh::Yes,
            _ if !is_published => Fresh::No,
            fresh => fresh,
        };
        tally.add(fresh, count);
    });
}

/// Every identity controller must have started since the swap, so that each is known to sign with the new issuer
/// (linkerd2#15109); and since the bundle changed, where no phase before has restarted it for that. One that came up with a bundle
/// that refuses the issuer before signs with no such issuer, however often the Secret was written since.
fn identity_serves_issuer(view: &View<'_>, leg: &Leg) -> StepState {
    let replicas = || view.replicas(&["identity"]);
    if let Some(state) = before_swap(view, leg, replicas().count() as u64) {
        return state;
    }
    let (secret, bundle) = (Mount::of_issuer(view.mesh), Mount::of_bundle(view.mesh));
    let lacks_anchors = view.is_overtaken(leg) && reads_mounted_bundle(view);
    let mut tally = Tally::default();
    for replica in replicas() {
        let fresh = match mounted_before(replica.started, bundle) {
            Fresh::Yes if lacks_anchors => Fresh::Yes,
            _ => mounted_before(replica.started, secret),
        };
        let also = leg.restarts_for_bundle.then(|| mounted_before(replica.started, bundle));
        tally.add(also.filter(|also| *also != Fresh::Yes && fresh != Fresh::No).unwrap_or(fresh), 1);
    }
    match tally.is_empty() {
        true => StepState::Unknown("no running identity controller is in the input".to_owned()),
        false => tally.state(|| {
            let place = objects::issuer_secret(view.mesh).to_string();
            too_early(view, &["identity"], secret, &place).unwrap_or_else(|| no_time(secret.changed, &place))
        }),
    }
}

/// Proxies beside other containers than the identity controller, whose own proxy asks the one beside it: those that started
/// before the last identity controller did may have a leaf of one that is gone.
fn data_plane_has_leafs(view: &View<'_>, leg: &Leg) -> StepState {
    let groups = || view.restarted(Restarted::AllButIdentity);
    if let Some(state) = before_swap(view, leg, groups().map(ProxyGroup::count).sum()) {
        return state;
    }
    let mut tally = Tally::default();
    groups().for_each(|group| add_leafs(view, group, &mut tally));
    match identity_serves_issuer(view, leg) {
        StepState::Unknown(why) if !tally.is_empty() => StepState::Unknown(why),
        _ => {
            let state = tally
                .state(|| "when some proxies started is not known; read pods with their status".to_owned());
            if view.is_overtaken(leg) || old_leafs_ended(view) { state } else { everywhere(view, state) }
        }
    }
}

/// Proxies of a workload that may still have a leaf of the old issuer.
pub(super) fn old_leafs(view: &View<'_>, workload: WorkloadId) -> u64 {
    let mut tally = Tally::default();
    for group in view.groups_of(workload) {
        add_leafs(view, group, &mut tally);
    }
    tally.left()
}

/// Counts proxies by whether their leaf is of the new issuer. Once `prune` is published in its place the question is over: its own restarts
/// give new leafs to whoever lacks one. Until then only a start after [`View::signs_since`], when those that were replaced have gone, proves it, whatever the workload's
/// template carries: its pods may have been moved before the identity controller restarted.
fn add_leafs(view: &View<'_>, group: &ProxyGroup, tally: &mut Tally) {
    if view.is_overtaken(view.issuer_leg()) || old_leafs_ended(view) {
        return tally.add(Fresh::Yes, group.count());
    }
    let Some(since) = view.signs_since() else { return tally.add(Fresh::No, group.count()) };
    let since = ChangeTime::At(handed_over(since));
    each_start(group, |started, count| tally.add(started_after(started, since), count));
}

/// Has every leaf that the old issuer signed run out?
fn old_leafs_ended(view: &View<'_>) -> bool {
    view.old_leafs_end().is_some_and(|end| view.at > end)
}

/// The state of the restarts after the swap while there is none, or pods are not known; `of` is how many are to restart.
fn before_swap(view: &View<'_>, leg: &Leg, of: u64) -> Option<StepState> {
    match swapped(view, leg) {
        StepState::Done => no_pods(view).map(StepState::Unknown),
        StepState::Unknown(why) => Some(StepState::Unknown(why)),
        StepState::Pending { .. } => Some(StepState::Pending { done: 0, of: of.max(1) }),
    }
}

/// Why nothing can be said of running containers.
pub(super) fn no_pods(view: &View<'_>) -> Option<String> {
    match &view.mesh.pods {
        Known::Is(()) => None,
        Known::Absent => Some(
            "pods are not in the input; read the cluster, or add the output of `kubectl get pods -A -o json`"
                .to_owned(),
        ),
        Known::Unknown(why) if pods_are_missing(view.mesh) => Some(format!(
            "pods are not known: {why}; where no such pod runs, say --confirm {}",
            Confirmation::AllPodsSeen
        )),
        Known::Unknown(why) => Some(format!("pods are not known: {why}")),
    }
}

fn no_time(changed: ChangeTime, object: &str) -> String {
    match changed {
        ChangeTime::At(_) => {
            "when some containers started is not known; read pods with their status".to_owned()
        }
        ChangeTime::Since(_) | ChangeTime::Unknown => format!(
            "when {object} last changed is not known; read the cluster, or get it with `--show-managed-fields`; where the whole \
             control plane has started since, and not within {KUBELET_LAG_SECONDS} s, say --confirm control-plane-restarted"
        ),
    }
}

fn each_start(group: &ProxyGroup, mut visit: impl FnMut(Option<Timestamp>, u64)) {
    for (started, count) in &group.starts.at {
        visit(Some(*started), *count);
    }
    visit(None, group.starts.unknown);
}
