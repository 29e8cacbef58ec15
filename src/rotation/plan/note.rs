//! What the reader of a step must know beside its changes.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::owner::{Subject, deciding, instead};
use super::view::View;
use super::{Change, Note, Phase, PhaseSpec, Stage, Step};
use crate::document::ObjectRef;
use crate::mesh::{GoDuration, Held, Known, Owner, Plane, Scheme};
use crate::pki::Rules;
use crate::rotation::Strategy;

pub(super) fn of(view: &View<'_>, step: Step, changes: &[Change], said: Vec<String>) -> Vec<Note> {
    let mut notes: Vec<_> = changes.iter().flat_map(|change| owned(view, change)).collect();
    notes.extend(waiting(view, step));
    let said = said
        .into_iter()
        .chain(applied_from_git(view, changes))
        .chain(outside(view, step))
        .chain(odd(view, step));
    notes.extend(said.map(Note::Said));
    notes
}

/// The objects that a change touches, with what is changed in them and who owns them.
fn touched<'a>(view: &View<'_>, change: &'a Change) -> Vec<(ObjectRef, Vec<Owner>, Subject<'a>)> {
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
        Change::ControlPlane { workload, annotation, .. } | Change::Restart { workload, annotation } => {
            let workload = mesh.workload(*workload);
            vec![(workload.object.clone(), workload.owners.clone(), Subject::Restart(annotation))]
        }
    }
}

fn owned(view: &View<'_>, change: &Change) -> Vec<Note> {
    let note = |(object, owners, subject): (ObjectRef, Vec<Owner>, Subject<'_>)| {
        let told = |owner: Owner| instead(view, &owner, subject).map(|instead| (owner, instead));
        let (owner, instead) = deciding(owners).into_iter().find_map(told)?;
        Some(Note::Owned { object, owner, instead })
    };
    touched(view, change).into_iter().filter_map(note).collect()
}

/// Objects that are applied from Git as they are: that is where the step is committed.
fn applied_from_git(view: &View<'_>, changes: &[Change]) -> Option<String> {
    let owners = changes.iter().flat_map(|change| touched(view, change)).flat_map(|(_, owners, _)| owners);
    let appliers: BTreeSet<_> = owners
        .filter(|owner| matches!(owner, Owner::ArgoCd { .. } | Owner::FluxKustomization { .. }))
        .map(|owner| owner.to_string())
        .collect();
    let appliers: Vec<_> = appliers.into_iter().collect();
    (!appliers.is_empty()).then(|| format!("commit it where these are applied from: {}", appliers.join(", ")))
}

/// How long leafs of the old issuer can live after the swap, told where it is waited out or could be.
fn waiting(view: &View<'_>, step: Step) -> Option<Note> {
    if view.recovers() {
        return None;
    }
    let told = (step.phase, step.stage) == (Phase::Issuer, Stage::DataPlane)
        || (step.phase == Phase::Issuer
            && step.stage == Stage::ControlPlane
            && view.record.strategy.waits_for_renewal());
    let life = view.workload_certificate_lifetime();
    let control_plane = &view.mesh.control_plane;
    told.then(|| Note::Wait {
        how_long: format!(
            "{} after the last identity controller was restarted with {} (issuance lifetime {} and clock skew {}); \
             a healthy proxy renews its leaf after {}{}",
            GoDuration(life),
            view.issuer_phase().issuer_name(),
            control_plane.issuance_lifetime,
            control_plane.clock_skew,
            GoDuration(refresh(life)),
            match view.record.strategy {
                Strategy::Staged => "; an alternative to the restart",
                Strategy::Patient | Strategy::CrossSigned | Strategy::Recover => "",
            },
        ),
        until: view.old_certificates_expire(),
    })
}

/// When a proxy renews its leaf: at 0.7 of its life, within 10 s and 24 h (`identity-client/src/certify.rs` in linkerd2-proxy).
pub(in crate::rotation) fn refresh(life: SignedDuration) -> SignedDuration {
    let at = SignedDuration::from_secs(life.as_secs().saturating_mul(7) / 10);
    at.clamp(SignedDuration::from_secs(10), SignedDuration::from_hours(24))
}

/// Proxies that no cluster shows, told before the steps that would break them.
fn outside(view: &View<'_>, step: Step) -> Vec<String> {
    let Some(need) = view.need_outside(step) else { return Vec::new() };
    let name = |what: &str, names: &[String]| {
        (!names.is_empty()).then(|| {
            format!("{what} must {need} before this step, and cannot be seen here: {}", names.join(", "))
        })
    };
    let external = name("ExternalWorkloads", &view.mesh.external_workloads);
    let links = name("the proxies of linked clusters", &view.mesh.links);
    external.into_iter().chain(links).collect()
}

/// What is out of the ordinary in a step's own objects.
fn odd(view: &View<'_>, step: Step) -> Vec<String> {
    let mesh = view.mesh;
    match (step.phase, step.stage) {
        (Phase::Bundle, Stage::DataPlane) => {
            let bare =
                mesh.proxies.iter().filter(|group| group.plane == Plane::Data && group.held == Held::Nothing);
            let count: u64 = bare.map(|group| group.count()).sum();
            (count > 0).then(|| {
                format!("{count} proxies hold no bundle at all (identity disabled): they are passed over")
            })
        }
        (_, Stage::Issuer)
            if let Some(chain) = view.spec(step).swapped_in()
                && !chain.intermediates.is_empty() =>
        {
            let file = view.record.issuer_file(chain);
            Some(format!("{file} holds intermediates: every proxy gets them with its leaf"))
        }
        (_, Stage::Trust) if view.spec(step).drops => stale_ca(view, view.spec(step)),
        (_, Stage::ControlPlane | Stage::DataPlane) if view.recovers() => {
            let downtime = match view.record.anchor() {
                Some(_) => "until the last workload has restarted, those that have and those that have not refuse each other",
                None => "a workload whose leafs have ended is back when it has restarted; nothing else breaks",
            };
            Some(format!("downtime: {downtime}"))
        }
        _ => None,
    }
    .into_iter()
    .collect()
}

/// `linkerd check` reads the anchors of scheme `kubernetes.io/tls` from the Secret's `ca.crt`, which this step does not touch.
fn stale_ca(view: &View<'_>, spec: &PhaseSpec) -> Option<String> {
    let Known::Is(issuer) = &view.mesh.issuer else { return None };
    let ca = issuer.ca.as_ref()?.as_read_by(Rules::Controller).ok()?;
    let place = view.phases.iter().position(|one| one.phase == spec.phase).unwrap_or_default();
    let swaps_later = view.phases[place..].iter().any(|later| later.swapped_in().is_some());
    (view.mesh.control_plane.scheme == Scheme::Kubernetes && !spec.suits(ca) && !swaps_later).then(|| {
        format!(
            "`ca.crt` of {} still holds {}, which `linkerd check` reads: render {} again once this step is merged",
            view.mesh.issuer_secret(),
            spec.dropped_name(),
            view.issuer_phase().steps()[0]
        )
    })
}
