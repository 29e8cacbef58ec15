//! What the reader of a step must know beside its changes.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::owner::{self, Subject, deciding};
use super::view::View;
use super::{Change, Phase, PhaseSpec, Stage, Step};
use crate::document::ObjectRef;
use crate::finding::{CertificateRef, Finding, Instead, Opens, PodAnnotationPlace, Severity, StepFact};
use crate::mesh::{GoDuration, Held, Injection, Known, Owner, Plane, Scheme, Workload, WorkloadId};
use crate::pki::{Rules, accepts};
use crate::rotation::Strategy;

pub(super) fn of(
    view: &View<'_>,
    step: Step,
    changes: &[Change],
    again: &[ObjectRef],
    facts: Vec<StepFact>,
) -> Vec<Finding> {
    let managed = changes.iter().flat_map(|change| managed(view, changes, change));
    let managed = managed.map(|fact| Finding::new(Severity::Warning, fact));
    let others = facts
        .into_iter()
        .chain(applied_from_git(view, changes))
        .chain(outside(view, step))
        .chain(odd(view, step));
    let others = others.map(|fact| Finding::new(Severity::Note, fact));
    let split = split(view, step).map(|fact| Finding::new(Severity::Warning, fact));
    unchanged(again)
        .into_iter()
        .chain(split)
        .chain(managed)
        .chain(renewal_time(view, step))
        .chain(others)
        .collect()
}

/// Anchor and issuer were merged together: the restart that makes the control plane trust the issuer also brings certificates of
/// it, which whoever has not restarted yet refuses (S2).
fn split(view: &View<'_>, step: Step) -> Option<StepFact> {
    let spec = view.spec(step);
    let brings_anchors = step.stage == Stage::ControlPlane && !spec.drops && spec.swapped_in().is_none();
    if view.recovers() || !brings_anchors {
        return None;
    }
    let restarted = spec.restarts(step.stage)?;
    let states = view.states();
    let issuer = states.issuer.as_ref()?;
    let mut workloads = BTreeSet::new();
    let mut refusal = None;
    for held in states.bundles.iter().filter(|held| held.certain) {
        let Err(why) = accepts(&held.what, issuer, &states.identity, view.at, Rules::Proxy) else { continue };
        let holders = held.workloads.iter().map(|id| view.mesh.workload(*id));
        for workload in holders.filter(|workload| restarted.has(workload)) {
            workloads.insert(workload.object.clone());
            refusal.get_or_insert_with(|| why.clone());
        }
    }
    Some(StepFact::RestartSplitsControlPlane {
        issuer: CertificateRef::from(&issuer.issuer),
        workloads: workloads.into_iter().collect(),
        why: refusal?,
    })
}

/// Restarts that change nothing where they are merged again.
fn unchanged(again: &[ObjectRef]) -> Option<Finding> {
    let workloads = again.to_vec();
    let fact = StepFact::RestartUnchanged { workloads: workloads.clone() };
    (!again.is_empty()).then(|| Finding::new(Severity::Warning, fact).opened_by(Opens::Restart(workloads)))
}

/// The objects that a change touches, with what is changed in them and who owns them.
fn touched<'a>(
    view: &View<'_>,
    changes: &[Change],
    change: &'a Change,
) -> Vec<(ObjectRef, Vec<Owner>, Subject<'a>)> {
    let mesh = view.mesh;
    let core = |object: ObjectRef, subject| (object.clone(), mesh.owners_of(&object), subject);
    match change {
        Change::Publish(bundle) => {
            let home = mesh.bundle_home();
            let copy = Some(mesh.linkerd_config());
            let copy = copy.filter(|copy| *copy != home && !mesh.control_plane.external_ca);
            [Some(home), copy]
                .into_iter()
                .flatten()
                .map(|object| core(object, Subject::Bundle(bundle)))
                .collect()
        }
        Change::Swap { chain, .. } => vec![core(mesh.issuer_secret(), Subject::Issuer(chain))],
        Change::Managed(change) => vec![core(change.object().clone(), Subject::Declared)],
        Change::ControlPlane { workload, annotation, .. } | Change::Restart { workload, annotation } => {
            let workload = mesh.workload(*workload);
            let place = pod_annotation_place(view, changes, workload);
            vec![(workload.object.clone(), workload.owners.clone(), Subject::Restart(annotation, place))]
        }
    }
}

/// The chart's value that annotates the pods of a workload, and whom else it restarts.
fn pod_annotation_place(view: &View<'_>, changes: &[Change], workload: &Workload) -> PodAnnotationPlace {
    if workload.injection != Injection::ControlPlane {
        return PodAnnotationPlace::NamedByChart;
    }
    let Some(found) = view.mesh.control_plane.pod_annotations(&workload.object.name) else {
        return PodAnnotationPlace::NoValue;
    };
    let mut also = Vec::new();
    for (at, other) in view.mesh.workloads.iter().enumerate() {
        let is_restarted = changes.iter().any(|change| change.restarts() == Some(WorkloadId(at)));
        if other.plane == Plane::Control && found.annotates(&other.object.name) && !is_restarted {
            also.push(other.object.clone());
        }
    }
    PodAnnotationPlace::Value { value: found.value, also }
}

fn managed(view: &View<'_>, changes: &[Change], change: &Change) -> Vec<StepFact> {
    let found = |(object, owners, subject): (ObjectRef, Vec<Owner>, Subject<'_>)| {
        let instead = |owner: Owner| owner::instead(view, &owner, &subject).map(|instead| (owner, instead));
        let (owner, instead) = deciding(owners).into_iter().find_map(instead)?;
        let lacks_published = owner::file_lacks_anchors(view, &subject);
        Some(StepFact::ManagedObject { object, owner, instead, lacks_published })
    };
    let mut all: Vec<StepFact> = Vec::new();
    for fact in touched(view, changes, change).into_iter().filter_map(found) {
        // The bundle and its copy come of one value.
        let same = |known: &StepFact| match (known, &fact) {
            (
                StepFact::ManagedObject { instead: one, .. },
                StepFact::ManagedObject { instead: other, .. },
            ) => matches!(one, Instead::ChartValues { .. }) && one == other,
            _ => false,
        };
        if !all.iter().any(same) {
            all.push(fact);
        }
    }
    all
}

/// Objects that are applied from Git as they are: that is where the step is committed.
fn applied_from_git(view: &View<'_>, changes: &[Change]) -> Option<StepFact> {
    let owners =
        changes.iter().flat_map(|change| touched(view, changes, change)).flat_map(|(_, owners, _)| owners);
    let appliers: BTreeSet<_> = owners
        .filter(|owner| matches!(owner, Owner::ArgoCd { .. } | Owner::FluxKustomization { .. }))
        .collect();
    if appliers.is_empty() {
        return None;
    }
    Some(StepFact::AppliedFromGit { owners: appliers.into_iter().collect() })
}

/// How long certificates of the replaced issuer can be valid, where that is waited for or could be.
fn renewal_time(view: &View<'_>, step: Step) -> Option<Finding> {
    let strategy = view.record.strategy;
    let is_told = step.phase == Phase::Issuer
        && match step.stage {
            Stage::DataPlane => true,
            Stage::ControlPlane => strategy.waits_for_renewal(),
            Stage::Trust | Stage::Signer | Stage::Issuer | Stage::Objects => false,
        };
    if view.recovers() || !is_told {
        return None;
    }
    let lifetime = view.workload_certificate_lifetime();
    let control_plane = &view.mesh.control_plane;
    let until = view.old_certificates_expire();
    let fact = StepFact::RenewalTime {
        issuer: view.issuer_phase().issuer_role(),
        lifetime: GoDuration(lifetime),
        issuance_lifetime: control_plane.issuance_lifetime,
        clock_skew: control_plane.clock_skew,
        renewed_after: GoDuration(refresh(lifetime)),
        instead_of_restart: strategy == Strategy::Staged,
        until,
    };
    let finding = Finding::new(Severity::Note, fact);
    Some(until.map(Opens::At).into_iter().fold(finding, Finding::opened_by))
}

/// When a proxy renews its certificate: at 0.7 of its lifetime, within 10 s and 24 h (`identity-client/src/certify.rs` in
/// linkerd2-proxy).
pub(in crate::rotation) fn refresh(lifetime: SignedDuration) -> SignedDuration {
    let at = SignedDuration::from_secs(lifetime.as_secs().saturating_mul(7) / 10);
    at.clamp(SignedDuration::from_secs(10), SignedDuration::from_hours(24))
}

/// Proxies that no cluster shows, told before the steps that would break them.
fn outside(view: &View<'_>, step: Step) -> Vec<StepFact> {
    let Some(need) = view.need_outside(step) else { return Vec::new() };
    let (external, links) = (view.mesh.external_workloads.clone(), view.mesh.links.clone());
    let mut found = Vec::new();
    if !external.is_empty() {
        found.push(StepFact::ExternalWorkloadsFirst { names: external, need: need.clone() });
    }
    if !links.is_empty() {
        found.push(StepFact::LinkedClustersFirst { names: links, need });
    }
    found
}

/// What is out of the ordinary in a step's own objects.
fn odd(view: &View<'_>, step: Step) -> Option<StepFact> {
    let spec = view.spec(step);
    match (step.phase, step.stage) {
        (Phase::Bundle, Stage::DataPlane) => {
            let is_bare =
                |group: &&crate::mesh::ProxyGroup| group.plane == Plane::Data && group.held == Held::Nothing;
            let count = view.mesh.proxies.iter().filter(is_bare).map(|group| group.count()).sum();
            (count > 0).then_some(StepFact::ProxiesWithoutIdentity { count })
        }
        (_, Stage::Issuer)
            if let Some(chain) = spec.swapped_in()
                && !chain.intermediates.is_empty() =>
        {
            Some(StepFact::IntermediatesInFile { file: view.record.issuer_file(chain) })
        }
        (_, Stage::Trust) if spec.drops => outdated_ca(view, spec),
        (_, Stage::ControlPlane | Stage::DataPlane) if view.recovers() => {
            Some(StepFact::Downtime { replaces_anchor: view.record.anchor().is_some() })
        }
        _ => None,
    }
}

/// `linkerd check` reads the anchors of scheme `kubernetes.io/tls` from the Secret's `ca.crt`, which this step does not touch.
fn outdated_ca(view: &View<'_>, spec: &PhaseSpec) -> Option<StepFact> {
    let Known::Is(issuer) = &view.mesh.issuer else { return None };
    let ca = issuer.ca.as_ref()?.as_read_by(Rules::Controller).ok()?;
    let place = view.phases.iter().position(|one| one.phase == spec.phase).unwrap_or_default();
    let swaps_later = view.phases[place..].iter().any(|later| later.swapped_in().is_some());
    if view.record.managed.is_some()
        || view.mesh.control_plane.scheme != Scheme::Kubernetes
        || spec.suits(ca)
        || swaps_later
    {
        return None;
    }
    let (secret, render) = (view.mesh.issuer_secret(), view.issuer_phase().steps()[0]);
    Some(StepFact::CaCrtOutdated { secret, dropped: view.dropped(), render })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds that a certificate was valid for when it was issued, and that a real proxy slept then.
    #[test]
    fn a_proxy_renews_when_real_ones_did() {
        for (valid, slept) in [(86_420, 60_493), (74, 51), (45, 31), (23, 16), (7, 10)] {
            let ours = refresh(SignedDuration::from_secs(valid)).as_secs();
            assert!(ours.abs_diff(slept) <= 1, "{valid}: {ours}");
        }
    }
}
