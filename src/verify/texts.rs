//! Texts and keys of a proposal as Linkerd's processes will read them.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Changes;
use super::changes::{chain, issuer_is_gone, place, reading, text};
use crate::check::{chain_expires_soon, issuer_fault};
use crate::document::ObjectRef;
use crate::finding::{
    CertificateRef, ChainPart, ChangeFact, CheckFact, Fact, Finding, InputFact, KeyFault, Place, Role,
    Severity,
};
use crate::linkerd;
use crate::mesh::{CertManagerCertificate, Issuer, KeyState, Known, Mesh, Plane, TrustHome};
use crate::pki::pem::{Defect, DefectKind, Outcome};
use crate::pki::{Certificate, IssuerChain, Rules};

pub(super) fn findings(current: &Mesh, proposed: &Mesh, changes: &Changes) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(place) = &changes.bundle {
        found.extend(bundle(current, proposed, place));
    }
    if let Some(change) = &changes.issuer {
        found.extend(issuer(current, proposed, &change.place));
    }
    found.extend(config_removed(current, proposed));
    found.extend(changes.gone.iter().map(gone));
    found
}

/// The injector mounts `linkerd-config` (`/var/run/linkerd/config/values`), and the CLI reads it.
fn config_removed(current: &Mesh, proposed: &Mesh) -> Option<Finding> {
    let object = current.linkerd_config();
    let has = |mesh: &Mesh| mesh.manifest(&object.kind, &object.namespace, &object.name).is_some();
    if !has(current) || has(proposed) || current.control_plane.namespace != proposed.control_plane.namespace {
        return None;
    }
    let place = place(proposed, current, &object);
    Some(Finding::new(Severity::Error, ChangeFact::BundleRemoved { object }).at(place))
}

fn gone(place: &Place) -> Finding {
    let role = match place.object.name.as_str() {
        linkerd::IDENTITY => Role::Identity,
        linkerd::DESTINATION => Role::Destination,
        linkerd::PROXY_INJECTOR => Role::ProxyInjector,
        // Other workloads of the control plane go by a setting or an upgrade.
        _ => Role::Other,
    };
    let severity = if role == Role::Other { Severity::Warning } else { Severity::Error };
    let fact = ChangeFact::ControlPlaneWorkloadRemoved { object: place.object.clone(), role };
    Finding::new(severity, fact).at(place.clone())
}

fn bundle(current: &Mesh, proposed: &Mesh, place: &Place) -> Vec<Finding> {
    let Some(after) = text(proposed) else {
        let fact = ChangeFact::BundleRemoved { object: place.object.clone() };
        return vec![Finding::new(Severity::Error, fact).at(place.clone())];
    };
    let known = text(current).map(|before| before.defects()).unwrap_or_default();
    let is_new = |defect: &&Defect| !known.iter().any(|known| known.kind == defect.kind);
    let mut found = Vec::new();
    let mut told: Vec<&DefectKind> = Vec::new();
    for defect in after.defects().iter().filter(is_new) {
        // Where every line has it, the first one tells.
        if told.contains(&&defect.kind) {
            continue;
        }
        told.push(&defect.kind);
        let effect = defect.kind.effect();
        let (place, defect) = (proposed.bundle_place(), defect.clone());
        match effect.proxy.max(effect.controller) {
            Outcome::Reads => {}
            Outcome::DropsCertificates => {
                found.push((Severity::Warning, ChangeFact::BundlePartlyRead { place, defect }));
            }
            Outcome::Refuses => found.push((Severity::Error, ChangeFact::BundleUnreadable { place, defect })),
        }
    }
    let refused = after.as_read_by(Rules::Controller).err().or(after.as_read_by(Rules::Proxy).err());
    if let Some(defect) = refused
        && !found.iter().any(|(severity, _)| *severity == Severity::Error)
    {
        let (place, defect) = (proposed.bundle_place(), defect.clone());
        found.push((Severity::Error, ChangeFact::BundleUnreadable { place, defect }));
    }
    let mut found: Vec<_> =
        found.into_iter().map(|(severity, fact)| Finding::new(severity, fact).at(place.clone())).collect();
    let lines = after.private_keys();
    if !lines.is_empty() {
        let fact = CheckFact::PrivateKeyPublished { object: place.object.clone(), lines };
        found.push(Finding::new(Severity::Error, fact).at(place.clone()));
    }
    found
}

/// What is in the way of reading the proposed issuer.
fn unread(current: &Mesh, proposed: &Mesh, object: &ObjectRef) -> Option<(Severity, Fact)> {
    let object = object.clone();
    if issuer_is_gone(current, proposed) || proposed.issuer == Known::Absent {
        let makes = |certificate: &&CertManagerCertificate| {
            certificate.secret == object.name
                && ["", object.namespace.as_str()].contains(&certificate.object.namespace.as_str())
        };
        return Some(match proposed.certificates.iter().find(makes) {
            Some(made) => {
                let certificate = made.object.clone();
                (Severity::Unknown, ChangeFact::IssuerMadeByCertManager { object, certificate }.into())
            }
            None => (Severity::Error, ChangeFact::IssuerRemoved { object }.into()),
        });
    }
    match &proposed.issuer {
        Known::Unknown(why) => {
            Some((Severity::Unknown, InputFact::ObjectUnknown { object, why: why.clone() }.into()))
        }
        Known::Is(Issuer { chain: Err(why), .. }) if why.is_hidden() => {
            let reason = why.to_string();
            Some((Severity::Unknown, ChangeFact::IssuerNotShown { object, reason }.into()))
        }
        Known::Is(_) | Known::Absent => None,
    }
}

/// A Secret's type is for good: the API server refuses another one (`pkg/apis/core/validation`, ValidateSecretUpdate).
pub(super) fn secret_type(current: &Mesh, proposed: &Mesh) -> Option<Finding> {
    let object = current.issuer_secret();
    let kind = |mesh: &Mesh| {
        let manifest = mesh.manifest(&object.kind, &object.namespace, &object.name)?;
        let kind = manifest.tree.get("type").and_then(Value::as_str).filter(|kind| !kind.is_empty());
        Some(kind.unwrap_or("Opaque").to_owned())
    };
    let (from, to) = (kind(current)?, kind(proposed)?);
    if from == to {
        return None;
    }
    let place = place(proposed, current, &object);
    Some(Finding::new(Severity::Error, ChangeFact::SecretTypeChanged { object, from, to }).at(place))
}

fn issuer(current: &Mesh, proposed: &Mesh, place: &Place) -> Option<Finding> {
    let finding = |severity, fact: Fact| Some(Finding::new(severity, fact).at(place.clone()));
    if let Some((severity, fact)) = unread(current, proposed, &place.object) {
        return finding(severity, fact);
    }
    let after = proposed.issuer.as_option()?;
    let object = place.object.clone();
    if let Err(reason) = &after.chain {
        let fact = ChangeFact::NewIssuerUnreadable { object, reason: reason.to_string() };
        return finding(Severity::Error, fact.into());
    }
    let key = match key(current, after) {
        KeyState::Matches => return None,
        KeyState::NotSeen => {
            return finding(Severity::Unknown, InputFact::IssuerKeyNotSeen { secret: object }.into());
        }
        KeyState::Mismatch => KeyFault::Mismatch,
        KeyState::Missing => KeyFault::Missing,
        KeyState::Unreadable(why) => KeyFault::Unreadable(why),
    };
    finding(Severity::Error, ChangeFact::IssuerKeyUnusable { object, key }.into())
}

/// What the key is to the certificate. A proposal may leave the key that is there: then the certificate must be for it.
fn key(current: &Mesh, after: &Issuer) -> KeyState {
    let kept = current.issuer.as_option().filter(|before| before.key == KeyState::Matches);
    match (&after.key, kept.and_then(|before| before.chain.as_ref().ok()), &after.chain) {
        (KeyState::NotSeen, Some(before), Ok(chain)) => {
            if before.issuer.public_key() == chain.issuer.public_key() {
                KeyState::Matches
            } else {
                KeyState::Mismatch
            }
        }
        (state, ..) => state.clone(),
    }
}

/// A bundle that Go's reader refuses harms nobody who runs; what restarts in the control plane reads it anew, and fails to
/// start.
pub(super) fn restart_into_crash(proposed: &Mesh, changes: &Changes) -> Option<Finding> {
    let restart = changes.restarts.iter().find(|restart| restart.place_in == Plane::Control)?;
    if changes.bundle.is_some() || !proposed.control_plane.era.control_plane_by_reference() {
        return None;
    }
    let defect = text(proposed)?.as_read_by(Rules::Controller).err()?.clone();
    let (place, workload) = (proposed.bundle_place(), restart.place.object.clone());
    let fact = ChangeFact::RestartIntoUnreadableBundle { place, defect, workload };
    Some(Finding::new(Severity::Error, fact).at(restart.place.clone()))
}

/// `linkerd-config` has a copy of the bundle that must follow it.
pub(super) fn copy(changes: &Changes, proposed: &Mesh) -> Option<Finding> {
    let bundle = text(proposed).and_then(reading)?;
    let copy = proposed.trust.config.as_option().filter(|copy| !copy.text().trim().is_empty())?;
    let apart = reading(copy).is_none_or(|copy| !copy.same_set(bundle));
    let is_copy = proposed.control_plane.era.trust_home() == TrustHome::TrustRoots;
    if !is_copy || !apart || changes.bundle.is_none() && !changes.copy {
        return None;
    }
    let object = proposed.linkerd_config();
    let place = place(proposed, proposed, &object);
    Some(Finding::new(Severity::Warning, ChangeFact::ConfigCopyLeftBehind { object }).at(place))
}

/// No workload certificate outlives the first certificate of the issuer's file to expire, and nobody renews beyond it: a new issuer
/// must outlast workload certificates, what stands behind it two lifetimes of them, as a step asks of a cross certificate, and both
/// should last longer than a warning. One that is there already and ends first is told beside any other change.
pub(super) fn lasts(current: &Mesh, proposed: &Mesh, changes: &Changes, at: Timestamp) -> Option<Finding> {
    let Some(change) = &changes.issuer else {
        let chain = current.secret_chain().filter(|_| changes.are_about_trust())?;
        return too_short(current, chain, Severity::Warning, at);
    };
    let chain = loadable(current, proposed)?;
    let found = too_short(proposed, chain, Severity::Error, at).or_else(|| soon(proposed, chain, at));
    found.map(|found| found.at(change.place.clone()))
}

/// A chain that cuts workload certificates short. One that has expired is refused, which the possible states tell.
fn too_short(mesh: &Mesh, chain: &IssuerChain, severity: Severity, at: Timestamp) -> Option<Finding> {
    let first = chain.first_to_expire();
    let (left, lifetime) = (left(first, at), mesh.control_plane.workload_certificate_lifetime());
    let fact = CheckFact::IssuerTooShort { certificate: first.into(), left, lifetime };
    (!left.is_negative() && left < lifetime).then(|| Finding::new(severity, fact))
}

/// A chain that is still long enough for a workload certificate, and not for much more.
fn soon(mesh: &Mesh, chain: &IssuerChain, at: Timestamp) -> Option<Finding> {
    let first = chain.first_to_expire();
    let (certificate, left) = (CertificateRef::from(first), left(first, at));
    let needed = mesh.control_plane.workload_certificate_lifetime().saturating_mul(2);
    if left.is_negative() {
        return None;
    }
    let is_behind = *first != chain.issuer;
    if is_behind && left <= needed {
        return Some(Finding::new(
            Severity::Error,
            ChangeFact::ChainExpiresSoon { certificate, left, needed },
        ));
    }
    let part = if is_behind { ChainPart::Intermediate } else { ChainPart::Issuer };
    chain_expires_soon(chain, at, linkerd::EXPIRY_THRESHOLD)
        .then(|| Finding::new(Severity::Warning, CheckFact::IssuerExpiring { certificate, part }))
}

fn left(certificate: &Certificate, at: Timestamp) -> SignedDuration {
    certificate.facts().not_after.duration_since(at)
}

/// What `linkerd check` minds in a new issuer though the mesh works with it: its algorithms, and that it is an anchor itself.
pub(super) fn minded(current: &Mesh, proposed: &Mesh, changes: &Changes) -> Vec<Finding> {
    let Some(change) = &changes.issuer else { return Vec::new() };
    let Some(chain) = loadable(current, proposed) else { return Vec::new() };
    let warning = |fact| Finding::new(Severity::Warning, fact).at(change.place.clone());
    let issuer = || CertificateRef::from(&chain.issuer);
    let mut found = Vec::new();
    if let Some(fault) = issuer_fault(&chain.issuer, proposed.control_plane.era) {
        found.push(warning(CheckFact::IssuerAlgorithm { issuer: issuer(), fault }));
    }
    if text(proposed).and_then(reading).is_some_and(|anchors| anchors.contains(&chain.issuer)) {
        let secret = change.place.object.clone();
        found.push(warning(CheckFact::IssuerIsAnchor { issuer: issuer(), secret }));
    }
    found
}

/// The issuer of the proposal, where it is one that a controller can load.
pub(super) fn loadable<'a>(current: &Mesh, proposed: &'a Mesh) -> Option<&'a IssuerChain> {
    let after = proposed.issuer.as_option().filter(|_| !issuer_is_gone(current, proposed))?;
    matches!(key(current, after), KeyState::Matches | KeyState::NotSeen).then(|| chain(proposed)).flatten()
}
