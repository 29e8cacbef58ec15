//! What a step changes, and what it leaves to do manually.

use std::collections::BTreeMap;

use super::obstacle::{Remedy, instead_of_deploys, remedy};
use super::state::{lacking_bundle, lost, no_pods, old_certificates};
use super::view::View;
use super::{Change, Manual, PhaseSpec, Stage, Step, StepState, managed};
use crate::document::ObjectRef;
use crate::finding::StepFact;
use crate::linkerd::TRUST_ROOT_ANNOTATION;
use crate::mesh::{Era, Known, Mesh, Obstacle, Owner, Plane, ProxyGroup, Published, Workload, WorkloadId};
use crate::pki::{Bundle, Certificate, Fingerprint};
use crate::rotation::{Restarted, Strategy};

/// One workload's part in a step.
struct Restart<'a> {
    workload: &'a Workload,
    spec: &'a PhaseSpec,
    /// Must its pods be replaced?
    needed: bool,
    /// Running proxies for which they must.
    stale: u64,
    /// Does its template carry the step's annotation already?
    carries: bool,
    change: Change,
}

/// A step's changes, what is left to do manually, and why there is less than expected.
#[derive(Default)]
pub(super) struct Planned {
    pub(super) changes: Vec<Change>,
    pub(super) manual: Vec<Manual>,
    pub(super) again: Vec<ObjectRef>,
    pub(super) notes: Vec<StepFact>,
}

pub(super) fn of(view: &View<'_>, step: Step, state: &StepState) -> Planned {
    let (spec, strategy) = (view.spec(step), view.record.strategy);
    match (step.stage, spec.swapped_in()) {
        (_, None) if let Some(by) = view.superseded_by(spec) => {
            Planned::noted(StepFact::PhaseSuperseded { by, dropped: view.dropped() })
        }
        (Stage::Trust | Stage::Signer | Stage::Issuer | Stage::Objects, _)
            if let Some(changes) = managed::changes(view, step) =>
        {
            let changes = changes.into_iter().map(Change::Managed).collect();
            Planned { changes, notes: managed::notes(view, step), ..Planned::default() }
        }
        (Stage::Trust, _) if spec.drops && !unknown_anchors(view).is_empty() => Planned::default(),
        (Stage::Trust, _) => Planned::one(Change::Publish(view.record.bundle_for(step.phase, view.mesh))),
        (Stage::Issuer, Some(chain)) => {
            let anchors = view.record.bundle_for(step.phase, view.mesh);
            Planned::one(Change::Swap { chain: chain.clone(), anchors })
        }
        (Stage::ControlPlane, None) => control_plane(view, spec, state),
        (Stage::ControlPlane, Some(_)) => restarts(view, spec, step.stage, *state != StepState::Done),
        (Stage::DataPlane, _) if view.restarts.on_request => restarts(view, spec, step.stage, false),
        (Stage::DataPlane, Some(_)) if strategy.waits_for_renewal() => {
            let (strategy, issuer) = (strategy.to_string(), spec.replaced_issuer());
            Planned::noted(StepFact::CertificatesRenewedByTime { strategy, issuer })
        }
        // Whoever has lost its certificate waits for no ordinary deploy.
        (Stage::DataPlane, None)
            if strategy == Strategy::CrossSigned && view.certificates_since().is_none() =>
        {
            let manual =
                restarts(view, spec, step.stage, false).manual.into_iter().filter_map(never_deployed);
            // When the cross certificate has expired, no restart helps before it is gone.
            let by_time = Some(loaded_by_time(view)).filter(|_| !view.cross_gives_way());
            Planned { manual: manual.collect(), notes: by_time.into_iter().collect(), ..Planned::default() }
        }
        (Stage::DataPlane, _) => restarts(view, spec, step.stage, false),
        (Stage::Issuer, None) | (Stage::Signer | Stage::Objects, _) => Planned::default(),
    }
}

/// What is left to do for a workload whose pods no ordinary deploy brings the bundle, with the obstacles in its way.
fn never_deployed(manual: Manual) -> Option<Manual> {
    let mut left = Manual { obstacles: Vec::new(), acts: Vec::new(), ..manual };
    for obstacle in manual.obstacles {
        let Some(act) = instead_of_deploys(obstacle) else { continue };
        left.obstacles.push(obstacle);
        if !left.acts.contains(&act) {
            left.acts.push(act);
        }
    }
    (!left.acts.is_empty()).then_some(left)
}

/// By when everyone must hold the new anchor: workload certificates are capped by the cross certificate (`findFirstExpiration` in
/// Linkerd's `pkg/tls`), so it must be gone from the issuer file as long before it expires as a workload certificate is valid.
fn loaded_by_time(view: &View<'_>) -> StepFact {
    let end = view.record.cross.as_ref().map(|cross| cross.facts().not_after);
    let latest = end.and_then(|end| end.checked_sub(view.workload_certificate_lifetime()).ok());
    StepFact::BundleLoadedByTime {
        strategy: view.record.strategy.to_string(),
        latest,
        is_late: latest.is_some_and(|latest| latest < view.at),
    }
}

/// Published anchors that `prune` would drop without the record knowing them, by fingerprint.
pub(super) fn unknown_anchors<'a>(view: &View<'a>) -> Vec<&'a Certificate> {
    let known = |anchor: &Certificate| {
        view.record.old.contains(anchor) || view.phases.iter().any(|spec| spec.bundle.contains(anchor))
    };
    let published = view.mesh.trust.published.as_option().into_iter().flat_map(Published::readings);
    let unknown: BTreeMap<_, _> = published
        .flat_map(Bundle::anchors)
        .filter(|anchor| !known(anchor))
        .map(|anchor| (anchor.fingerprint(), anchor))
        .collect();
    unknown.into_values().collect()
}

impl Planned {
    fn one(change: Change) -> Self {
        Self { changes: vec![change], ..Self::default() }
    }

    fn noted(fact: StepFact) -> Self {
        Self { notes: vec![fact], ..Self::default() }
    }

    /// Takes in one workload: its restart where it is needed or was rendered before, what is done manually where it is needed.
    fn take(&mut self, restart: Restart<'_>) {
        let Restart { workload, spec, needed, stale, carries, change } = restart;
        let concerns = |obstacle: &Obstacle| remedy(*obstacle, spec).map(|remedy| (*obstacle, remedy));
        // An Argo Rollout follows its template as a Deployment does.
        let is_known =
            |obstacle: &&Obstacle| **obstacle == Obstacle::ArgoRollout && workload.template.is_some();
        let obstacles = workload.obstacles.iter().filter(|obstacle| !is_known(obstacle));
        let remedies: Vec<_> = obstacles.filter_map(concerns).collect();
        let patched = remedies.iter().all(|(_, remedy)| matches!(remedy, Remedy::PatchThen(_)));
        if (needed && patched) || carries {
            self.changes.push(change);
        }
        if needed && carries && remedies.is_empty() {
            self.again.push(workload.object.clone());
        }
        let idle = |(obstacle, remedy): &(Obstacle, Remedy)| {
            matches!(remedy, Remedy::Nothing) || (*obstacle == Obstacle::NextRun && stale == 0)
        };
        if !needed || remedies.is_empty() || remedies.iter().any(idle) {
            return;
        }
        let acts = remedies.iter().filter_map(|(_, remedy)| match remedy {
            Remedy::PatchThen(act) | Remedy::Only(act) => Some(*act),
            Remedy::Nothing => None,
        });
        self.manual.push(Manual {
            object: workload.object.clone(),
            acts: acts.collect(),
            obstacles: remedies.iter().map(|(obstacle, _)| *obstacle).collect(),
            proxies: stale,
        });
    }
}

/// Restarts whoever needs it, or `all` of those that the stage is about.
fn restarts(view: &View<'_>, spec: &PhaseSpec, stage: Stage, all: bool) -> Planned {
    let mut planned = Planned::default();
    let annotation = view.annotation(spec, stage);
    let bundle = view.record.bundle_for(spec.phase, view.mesh);
    let blind = no_pods(view);
    let mut unseen = 0;
    for (id, workload) in spec.restarts(stage).map(|who| view.workloads(who)).unwrap_or_default() {
        let stale = if all { view.groups_of(id).map(ProxyGroup::count).sum() } else { stale(view, spec, id) };
        let needed = all || blind.is_some() || stale > 0;
        let (bundle, annotation) = (bundle.clone(), annotation.clone());
        let carries = annotation.is_on(workload);
        let change = match workload.plane {
            Plane::Control => Change::ControlPlane { workload: id, bundle, annotation },
            Plane::Data => Change::Restart { workload: id, annotation },
        };
        planned.take(Restart { workload, spec, needed, stale, carries, change });
        unseen += u64::from(needed && workload.template.is_none() && workload.obstacles.is_empty());
    }
    if unseen > 0 {
        planned.notes.push(StepFact::WorkloadsNotSeen { count: unseen });
    }
    if let Some(why) = blind.filter(|_| !all) {
        planned.notes.push(StepFact::RestartsAssumed { why: Box::new(why.fact) });
    }
    planned
}

/// Running proxies of a workload that must restart: for a bundle, for a certificate, or for both.
fn stale(view: &View<'_>, spec: &PhaseSpec, workload: WorkloadId) -> u64 {
    let certificates = if spec.swapped_in().is_some() { old_certificates(view, workload) } else { 0 };
    let bundle = if spec.restarts_for_bundle { lacking_bundle(view, spec, workload) } else { 0 };
    certificates.max(bundle)
}

fn control_plane(view: &View<'_>, spec: &PhaseSpec, state: &StepState) -> Planned {
    let mut planned = Planned::default();
    let annotation = view.annotation(spec, Stage::ControlPlane);
    let bundle = view.record.bundle_for(spec.phase, view.mesh);
    let mut rolling = Vec::new();
    for (id, workload) in view.workloads(Restarted::ControlPlane) {
        let carries = annotation.is_on(workload);
        let by_itself = !carries && *state != StepState::Done && rolls_by_itself(view, spec, workload, state);
        if by_itself {
            rolling.push(workload.object.clone());
        }
        let lost = view.certificates_since().is_none() || lost(view, id) > 0;
        let needed = *state != StepState::Done && !by_itself && lost;
        let stale = if needed { view.groups_of(id).map(|group| group.count()).sum() } else { 0 };
        let annotation = annotation.clone();
        let change = Change::ControlPlane { workload: id, bundle: bundle.clone(), annotation };
        planned.take(Restart { workload, spec, needed, stale, carries, change });
    }
    if !rolling.is_empty() {
        planned.notes.push(StepFact::RestartedByInstall { workloads: rolling });
    }
    planned
}

/// Does the next render of the install restart the workload, because its template follows the bundle's value? Not where the
/// rendered manifests themselves are the source, and not where the bundle is already published, unless that rollout still runs:
/// either the template did not follow, as the ConfigMap was changed without the value, or it has restarted and that was too early.
fn rolls_by_itself(view: &View<'_>, spec: &PhaseSpec, workload: &Workload, state: &StepState) -> bool {
    let control_plane = &view.mesh.control_plane;
    let owners = || control_plane.installer.iter().chain(&workload.owners);
    let renders = |owner: &Owner| match owner {
        // Without a release the mark is the chart's own: manifests that `helm template` wrote carry it too.
        Owner::Helm { release, .. } => !release.is_empty(),
        Owner::LinkerdCli | Owner::FluxHelmRelease { .. } => true,
        _ => false,
    };
    let from_manifests = view.mesh.pods == Known::Absent
        || owners().any(|owner| matches!(owner, Owner::ArgoCd { .. } | Owner::FluxKustomization { .. }));
    if control_plane.external_ca || from_manifests || !owners().any(renders) {
        return false;
    }
    let published = view.mesh.trust.published.as_option().filter(|_| view.is_published(spec));
    match control_plane.era {
        Era::V2_6 | Era::V2_7 | Era::V2_9 | Era::V2_10 => {
            published.is_none() || !matches!(state, StepState::Pending { .. })
        }
        Era::V2_11 => false,
        Era::V2_12 => match (trust_root(workload), published) {
            (Some(mark), None) => mark != Fingerprint::digest(b"") && mark != Fingerprint::digest(b"\n"),
            (Some(mark), Some(_)) => {
                view.mesh.is_published_mark(mark) && has_other_pods(view.mesh, workload, mark)
            }
            (None, _) => false,
        },
    }
}

fn trust_root(workload: &Workload) -> Option<Fingerprint> {
    let annotations = workload.template.as_ref()?.annotations.as_ref()?;
    annotations.get(TRUST_ROOT_ANNOTATION)?.parse().ok()
}

/// Does a pod of a control-plane workload run that was made of another template than one with this mark?
fn has_other_pods(mesh: &Mesh, workload: &Workload, mark: Fingerprint) -> bool {
    let replicas = &mesh.control_plane.replicas;
    let made = replicas.iter().filter(|one| mesh.workload_of(one) == workload.object).map(|one| one.made);
    made.into_iter().any(|made| made.created.is_some() && made.trust_root != Some(mark))
}
