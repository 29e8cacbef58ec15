//! Texts and keys of a proposal as Linkerd's processes will read them.

use super::changes::{chain, issuer_is_gone, place, reading, text};
use super::{Changes, Finding, Place, Weight};
use crate::document::ObjectRef;
use crate::mesh::{CertManagerCertificate, Issuer, KeyState, Known, Mesh, Plane, TrustHome};
use crate::pki::Rules;
use crate::pki::pem::{Defect, Outcome};

pub(super) fn findings(current: &Mesh, proposed: &Mesh, changes: &Changes) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(place) = &changes.bundle {
        found.extend(bundle(current, proposed, place));
    }
    if let Some(change) = &changes.issuer {
        found.extend(issuer(current, proposed, &change.place));
    }
    found.extend(changes.gone.iter().map(gone));
    found
}

/// Without these no pod starts, or none gets a leaf. Other workloads of the control plane go by a setting or an upgrade.
const NEEDED: [&str; 3] = ["linkerd-identity", "linkerd-destination", "linkerd-proxy-injector"];

fn gone(place: &Place) -> Finding {
    let needed = NEEDED.contains(&place.object.name.as_str());
    let effect = match place.object.name.as_str() {
        "linkerd-identity" => "no proxy can renew its leaf without it, and none can start",
        "linkerd-proxy-injector" => "no pod is given a proxy without it",
        "linkerd-destination" => "no proxy finds its peers without it",
        _ => "no bundle and no issuer depends on it",
    };
    Finding {
        weight: if needed { Weight::Unsafe } else { Weight::Warning },
        code: "workload-missing",
        place: Some(place.clone()),
        text: format!("{} is gone from the proposal: {effect}", place.object),
        help: "put it back, unless it is to go".to_owned(),
    }
}

fn bundle(current: &Mesh, proposed: &Mesh, place: &Place) -> Vec<Finding> {
    let finding = |weight, code, text: String, help: &str| Finding {
        weight,
        code,
        place: Some(place.clone()),
        text,
        help: help.to_owned(),
    };
    let Some(after) = text(proposed) else {
        let text = format!(
            "{} is gone from the proposal: pods of the control plane cannot start without it",
            place.object
        );
        return vec![finding(Weight::Unsafe, "bundle-missing", text, "put the ConfigMap back")];
    };
    let known = text(current).map(|before| before.defects()).unwrap_or_default();
    let is_new = |defect: &&Defect| !known.iter().any(|known| known.kind == defect.kind);
    let refused = after.as_read_by(Rules::Controller).err().or(after.as_read_by(Rules::Proxy).err());
    let grave = |defect: &Defect| {
        let effect = defect.kind.effect();
        [effect.proxy, effect.controller].into_iter().max().unwrap_or(Outcome::Reads)
    };
    let told = after.defects().iter().filter(is_new).filter_map(|defect| match grave(defect) {
        Outcome::Reads => None,
        Outcome::Refuses => Some((Weight::Unsafe, defect)),
        Outcome::DropsCertificates => Some((Weight::Warning, defect)),
    });
    let mut told: Vec<_> = told.collect();
    if let Some(refused) = refused
        && !told.iter().any(|(weight, _)| *weight == Weight::Unsafe)
    {
        told.push((Weight::Unsafe, refused));
    }
    let say = |(weight, defect): (Weight, &Defect)| {
        let text = format!("the bundle in {}, {defect}", proposed.bundle_place());
        let help = "write the bundle as certificate blocks only, with at most one newline after the last \
                    (`kubectl l5d-rotate inspect FILE` checks it)";
        let code = if weight == Weight::Unsafe { "bundle-unreadable" } else { "bundle-partly-read" };
        finding(weight, code, text, help)
    };
    told.into_iter().map(say).collect()
}

/// What is in the way of reading the proposed issuer.
fn unread(current: &Mesh, proposed: &Mesh, object: &ObjectRef) -> Option<(Weight, &'static str, String)> {
    let made = |certificate: &CertManagerCertificate| {
        certificate.secret == object.name
            && ["", object.namespace.as_str()].contains(&certificate.object.namespace.as_str())
    };
    let gone = issuer_is_gone(current, proposed) || proposed.issuer == Known::Absent;
    match &proposed.issuer {
        _ if gone && proposed.certificates.iter().any(made) => {
            let text = format!("{object} is gone from the proposal: cert-manager would make it");
            Some((Weight::Unknown, "issuer-not-seen", text))
        }
        _ if gone => {
            let text = format!(
                "{object} is gone from the proposal: the identity controller cannot start without it"
            );
            Some((Weight::Unsafe, "issuer-missing", text))
        }
        Known::Unknown(why) => {
            Some((Weight::Unknown, "issuer-not-seen", format!("the proposed issuer cannot be read: {why}")))
        }
        Known::Is(Issuer { chain: Err(why), key: KeyState::NotSeen, .. }) => {
            Some((Weight::Unknown, "issuer-not-seen", format!("the proposed issuer cannot be read: {why}")))
        }
        Known::Is(_) | Known::Absent => None,
    }
}

fn issuer(current: &Mesh, proposed: &Mesh, place: &Place) -> Option<Finding> {
    let finding = |weight, code, text: String, help: &str| {
        Some(Finding { weight, code, place: Some(place.clone()), text, help: help.to_owned() })
    };
    const FOLLOWS: &str = "a running identity controller would skip it (IssuerUpdateSkipped) and go on with the old issuer; the \
                           next one that starts would crash";
    if let Some((weight, code, text)) = unread(current, proposed, &place.object) {
        let help = match weight {
            Weight::Unsafe => "put the Secret back",
            _ => "add the Secret as the cluster would have it",
        };
        return finding(weight, code, text, help);
    }
    let after = proposed.issuer.as_option()?;
    if let Err(why) = &after.chain {
        let text = format!("{}: {why}; {FOLLOWS}", place.object);
        let help = "write the issuer's certificate, then its intermediates, as PEM";
        return finding(Weight::Unsafe, "issuer-unreadable", text, help);
    }
    let (wrong, help) = match key(current, after) {
        KeyState::Matches => return None,
        KeyState::Mismatch => (
            "does not belong to the issuer's certificate".to_owned(),
            "put the key of this certificate into the Secret",
        ),
        KeyState::Missing => ("is missing".to_owned(), "put the issuer's key into the Secret"),
        KeyState::Unreadable(why) => {
            (format!("cannot be read: {why}"), "write it as `EC PRIVATE KEY` (SEC1) in PEM")
        }
        KeyState::NotSeen => {
            let text = format!(
                "{}: the proposed private key was not seen, so that nothing proves that it fits",
                place.object
            );
            return finding(
                Weight::Unknown,
                "issuer-key-not-seen",
                text,
                "let the Secret be read with its key; it is never printed or kept",
            );
        }
    };
    let text = format!("{}: the private key {wrong}; {FOLLOWS}", place.object);
    finding(Weight::Unsafe, "issuer-key", text, help)
}

/// What the key is to the certificate. A proposal may leave the key that is there: then the certificate must be for it.
fn key(current: &Mesh, after: &Issuer) -> KeyState {
    let kept = current.issuer.as_option().filter(|before| before.key == KeyState::Matches);
    match (&after.key, kept.and_then(|before| before.chain.as_ref().ok()), &after.chain) {
        (KeyState::NotSeen, Some(before), Ok(chain)) => {
            match before.issuer.public_key() == chain.issuer.public_key() {
                true => KeyState::Matches,
                false => KeyState::Mismatch,
            }
        }
        (state, ..) => state.clone(),
    }
}

/// A bundle that Go's reader refuses harms nobody who runs; what restarts in the control plane reads it anew, and does not
/// start.
pub(super) fn restart_into_crash(proposed: &Mesh, changes: &Changes) -> Option<Finding> {
    let restart = changes.restarts.iter().find(|restart| restart.place_in == Plane::Control)?;
    let reads = changes.bundle.is_none() && proposed.control_plane.era.control_plane_by_reference();
    let defect = text(proposed)?.as_read_by(Rules::Controller).err().filter(|_| reads)?;
    Some(Finding {
        weight: Weight::Unsafe,
        code: "bundle-unreadable",
        place: Some(restart.place.clone()),
        text: format!(
            "the bundle in {}, {defect}; that is so already, and {} would restart into it",
            proposed.bundle_place(),
            restart.place.object
        ),
        help: "repair the published bundle in a commit of its own first".to_owned(),
    })
}

/// `linkerd-config` has a copy of the bundle that must follow it.
pub(super) fn copy(changes: &Changes, proposed: &Mesh) -> Option<Finding> {
    let bundle = text(proposed).and_then(reading)?;
    let copy = proposed.trust.config.as_option().filter(|copy| !copy.text().trim().is_empty())?;
    let apart = reading(copy).is_none_or(|copy| !copy.same_set(bundle));
    let is_copy = proposed.control_plane.era.trust_home() == TrustHome::TrustRoots;
    (is_copy && apart && changes.bundle.is_some()).then(|| {
        let config = proposed.linkerd_config();
        Finding {
            weight: Weight::Warning,
            code: "config-copy",
            text: format!(
                "the copy of the bundle in {config} (identityTrustAnchorsPEM) has other anchors: `linkerd check` and \
                 `linkerd inject --manual` read it, and the next `linkerd upgrade` or `helm upgrade` may publish it again"
            ),
            help: "change it, and the values it is rendered from, in the same commit".to_owned(),
            place: Some(place(proposed, proposed, &config)),
        }
    })
}

/// The issuer of the proposal, where it is one that a controller can load.
pub(super) fn loadable<'a>(current: &Mesh, proposed: &'a Mesh) -> Option<&'a crate::pki::IssuerChain> {
    let after = proposed.issuer.as_option().filter(|_| !issuer_is_gone(current, proposed))?;
    matches!(key(current, after), KeyState::Matches | KeyState::NotSeen).then(|| chain(proposed)).flatten()
}
