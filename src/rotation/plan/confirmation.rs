//! The mesh as a human confirms it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::ToSpan;

use crate::document::ObjectRef;
use crate::finding::{Finding, Severity, StepFact};
use crate::mesh::{Change, ChangeTime, Doubt, Held, KUBELET_LAG_SECONDS, Known, Mesh, Read, Unread};
use crate::step::Confirmation;

/// The mesh with what was confirmed, and what was taken on trust. What is known stays as it is.
pub(in crate::rotation) fn as_confirmed<'a>(
    mesh: &'a Mesh,
    confirmed: &BTreeSet<Confirmation>,
) -> (Cow<'a, Mesh>, Vec<Finding>) {
    let mut mesh = Cow::Borrowed(mesh);
    let mut trusted = Vec::new();
    if confirmed.contains(&Confirmation::AllPodsSeen) && pods_are_missing(&mesh) {
        mesh.to_mut().pods = Known::Is(());
        trusted.push(Finding::new(Severity::Note, StepFact::PodsConfirmed));
    }
    if confirmed.contains(&Confirmation::ControlPlaneRestarted) {
        settle_reads(&mut mesh, &mut trusted);
        settle_times(&mut mesh, &mut trusted);
    }
    (mesh, trusted)
}

/// Were pods seen that cannot be all? Where they could not be read there is a gap, and no word fills it.
pub(super) fn pods_are_missing(mesh: &Mesh) -> bool {
    matches!(mesh.pods, Known::Unknown(Unread::NoDataPlane | Unread::FewPods(_)))
}

/// What the control plane may have read it has read; what it surely has not it still has not.
fn settle_reads(mesh: &mut Cow<'_, Mesh>, trusted: &mut Vec<Finding>) {
    let in_doubt = |change: Change| {
        let replicas = mesh.control_plane.replicas.iter().map(|replica| (replica.started, replica.made));
        let by_reference = mesh.proxies.iter().filter(|group| group.held == Held::ByReference);
        let proxies = by_reference.flat_map(|group| group.starts.at.keys().map(|at| (Some(*at), group.made)));
        let opens = |(started, made)| matches!(change.by_mount(started, made), Read::Perhaps(doubt) if doubt != Doubt::StartUnknown);
        change.is_dated() && replicas.chain(proxies).any(opens)
    };
    let changes = [(mesh.bundle_change(), mesh.bundle_home()), (mesh.issuer_change(), mesh.issuer_secret())];
    let objects: Vec<_> =
        changes.into_iter().filter(|(change, _)| in_doubt(*change)).map(|(_, object)| object).collect();
    if !objects.is_empty() {
        mesh.to_mut().control_plane.is_restart_confirmed = true;
    }
    let confirmed = |object| Finding::new(Severity::Note, StepFact::RestartConfirmed { object });
    trusted.extend(objects.into_iter().map(confirmed));
}

/// Puts changes of unknown time before the first start of the control plane.
fn settle_times(mesh: &mut Cow<'_, Mesh>, trusted: &mut Vec<Finding>) {
    let first = mesh.control_plane.replicas.iter().filter_map(|replica| replica.started).min();
    let Some(before) = first.and_then(|first| first.checked_sub((KUBELET_LAG_SECONDS + 1).seconds()).ok())
    else {
        return;
    };
    let (bundle, secret) = (mesh.bundle_home(), mesh.issuer_secret());
    let mut settle = |changed: &ChangeTime, object: ObjectRef| {
        let unknown = !matches!(changed, ChangeTime::At(_));
        if unknown {
            trusted.push(Finding::new(Severity::Note, StepFact::RestartConfirmed { object }));
        }
        unknown
    };
    if let Known::Is(published) = &mesh.trust.published
        && settle(&published.changed, bundle)
        && let Known::Is(published) = &mut mesh.to_mut().trust.published
    {
        published.changed = ChangeTime::At(before);
    }
    if let Known::Is(issuer) = &mesh.issuer
        && settle(&issuer.changed, secret)
        && let Known::Is(issuer) = &mut mesh.to_mut().issuer
    {
        issuer.changed = ChangeTime::At(before);
    }
}
