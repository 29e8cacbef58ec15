//! What a proposal changes.

use serde_json::{Map, Value};

use super::wiring;
use crate::document::{ObjectRef, Origin};
use crate::finding::{Place, Setting, TrustSource};
use crate::linkerd;
use crate::mesh::{Issuer, KeyState, Known, Mesh, Plane};
use crate::pki::{Bundle, BundleText, Certificate, IssuerChain, Rules};

/// What a proposal changes, as far as trust is concerned.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The object of the published bundle, where its text changes.
    pub bundle: Option<Place>,
    /// Anchors that it adds.
    pub added: Vec<Certificate>,
    /// Anchors that it removes.
    pub removed: Vec<Certificate>,
    /// The issuer, where it or its key changes.
    pub issuer: Option<IssuerChange>,
    /// Does the copy of the bundle in `linkerd-config` change?
    pub copy: bool,
    /// Workloads of the mesh whose pod template changes: their pods restart.
    pub restarts: Vec<Restart>,
    /// Workloads of the control plane that the proposal lacks.
    pub gone: Vec<Place>,
    /// Settings of identity that change.
    pub settings: Vec<Setting>,
    /// Where the control plane would take trust material from elsewhere: the workload, and the part of its template.
    pub sources: Vec<(Place, TrustSource)>,
    /// Is the identity controller given other anchors by its argument or environment?
    pub identity: bool,
}

/// A change of the issuer Secret.
#[derive(Debug, Clone)]
pub struct IssuerChange {
    /// The Secret.
    pub place: Place,
    /// The issuer before, where it can be read.
    pub from: Option<Certificate>,
    /// The issuer after, where it can be read.
    pub to: Option<Certificate>,
    /// What stands behind it and expires before it, and every workload certificate with that.
    pub ends_with: Option<Certificate>,
}

/// A workload whose pod template changes.
#[derive(Debug, Clone)]
pub struct Restart {
    /// The workload.
    pub place: Place,
    /// Control plane or data plane.
    pub place_in: Plane,
    /// Does it change an annotation that is there for a rotation's sake, or the bundle that its template holds?
    pub for_trust: bool,
    /// The bundle that the template itself gives its proxy, as `linkerd inject --manual` writes it.
    pub literal: Option<Bundle>,
}

impl Changes {
    pub(super) fn between(current: &Mesh, proposed: &Mesh) -> Self {
        let (before, after) = (text(current), text(proposed));
        let anchors =
            |text: Option<&BundleText>| text.and_then(reading).map(|bundle| bundle.anchors().to_vec());
        let (held, kept) = (anchors(before).unwrap_or_default(), anchors(after).unwrap_or_default());
        let without = |all: &[Certificate], known: &[Certificate]| {
            all.iter().filter(|one| !known.contains(one)).cloned().collect()
        };
        let changed = before.map(BundleText::text) != after.map(BundleText::text);
        Self {
            bundle: changed.then(|| place(proposed, current, &current.bundle_home())),
            added: without(&kept, &held),
            removed: without(&held, &kept),
            issuer: issuer(current, proposed),
            copy: current.trust.config != proposed.trust.config,
            restarts: restarts(current, proposed),
            gone: gone(current, proposed),
            settings: settings(current, proposed),
            sources: wiring::sources(current, proposed),
            identity: wiring::gives_identity_others(current, proposed),
        }
    }

    /// Does the proposal touch trust?
    #[must_use]
    pub fn are_about_trust(&self) -> bool {
        self.bundle.is_some()
            || self.issuer.is_some()
            || self.copy
            || !self.settings.is_empty()
            || !self.sources.is_empty()
            || self.identity
            || self.restarts.iter().any(|restart| restart.for_trust)
    }
}

/// The published text, where there is one.
pub(super) fn text(mesh: &Mesh) -> Option<&BundleText> {
    mesh.trust.published.as_option().map(|published| &published.text)
}

/// What is read of a text: by proxies, or else by the controller.
pub(super) fn reading(text: &BundleText) -> Option<&Bundle> {
    text.as_read_by(Rules::Proxy).or_else(|_| text.as_read_by(Rules::Controller)).ok()
}

pub(super) fn chain(mesh: &Mesh) -> Option<&IssuerChain> {
    mesh.issuer.as_option().and_then(|issuer| issuer.chain.as_ref().ok())
}

/// Where the proposal has an object; where it lacks it, where it was.
pub(super) fn place(proposed: &Mesh, current: &Mesh, object: &ObjectRef) -> Place {
    let of = |mesh: &Mesh| mesh.manifest(&object.kind, &object.namespace, &object.name).cloned();
    let origin = of(proposed).or_else(|| of(current)).map(|manifest| manifest.origin).unwrap_or_default();
    Place { object: object.clone(), origin }
}

fn issuer(current: &Mesh, proposed: &Mesh) -> Option<IssuerChange> {
    let gone = issuer_is_gone(current, proposed);
    let same = match (&current.issuer, &proposed.issuer) {
        _ if gone => false,
        (Known::Is(before), Known::Is(after)) => same_issuer(before, after) && same_data(current, proposed),
        // Why it is not known tells places, which differ between two checkouts of the same text.
        (Known::Unknown(_), Known::Unknown(_)) => true,
        (before, after) => before == after,
    };
    let certificate = |mesh: &Mesh| chain(mesh).map(|chain| chain.issuer.clone());
    (!same).then(|| IssuerChange {
        place: place(proposed, current, &current.issuer_secret()),
        from: certificate(current),
        to: certificate(proposed).filter(|_| !gone),
        ends_with: chain(proposed)
            .filter(|_| !gone)
            .map(|chain| (&chain.issuer, chain.first_to_expire()))
            .filter(|(issuer, first)| issuer != first)
            .map(|(_, first)| first.clone()),
    })
}

/// Has the Secret gone, so that the proposal shows at most the copy of its certificate in `linkerd-config`?
pub(super) fn issuer_is_gone(current: &Mesh, proposed: &Mesh) -> bool {
    let from_secret = |mesh: &Mesh| mesh.issuer.as_option().is_some_and(|issuer| issuer.from_secret);
    from_secret(current) && !from_secret(proposed)
}

/// Of two chains that cannot be read, only [`same_data`] tells whether they differ: the reasons name places.
fn same_issuer(before: &Issuer, after: &Issuer) -> bool {
    let same_chain = match (&before.chain, &after.chain) {
        (Err(_), Err(_)) => true,
        (before, after) => before == after,
    };
    same_chain && (before.key == after.key || after.key == KeyState::NotSeen)
}

/// Of a Secret that cannot be read (encrypted in Git) only its text tells whether it changes.
fn same_data(current: &Mesh, proposed: &Mesh) -> bool {
    let is_seen = |mesh: &Mesh| mesh.issuer.as_option().is_some_and(|issuer| issuer.key == KeyState::Matches);
    let are_read = chain(current).is_some() && chain(proposed).is_some();
    if are_read && (is_seen(current) || is_seen(proposed)) {
        return true;
    }
    let object = current.issuer_secret();
    let data = |mesh: &Mesh| {
        let manifest = mesh.manifest(&object.kind, &object.namespace, &object.name)?;
        Some(["data", "stringData"].map(|field| manifest.tree.get(field).cloned()))
    };
    data(current) == data(proposed)
}

fn restarts(current: &Mesh, proposed: &Mesh) -> Vec<Restart> {
    let changed = current.workloads.iter().filter_map(|workload| {
        let object = &workload.object;
        let of = |mesh: &'_ Mesh| -> Option<(Value, Origin)> {
            let manifest = mesh.manifest(&object.kind, &object.namespace, &object.name)?;
            Some((template(&manifest.tree)?.clone(), manifest.origin.clone()))
        };
        let ((before, _), (after, origin)) = (of(current)?, of(proposed)?);
        (kept(&before) != kept(&after)).then(|| Restart {
            place: Place { object: object.clone(), origin },
            place_in: workload.plane,
            for_trust: workload.plane == Plane::Control
                || for_trust(&before) != for_trust(&after)
                || literal(&before) != literal(&after),
            literal: literal(&after).and_then(|text| reading(&BundleText::read(text)).cloned()),
        })
    });
    changed.collect()
}

/// A template as the API server keeps it: without what is nothing, which it drops (`omitempty`, and no pointer, in
/// `k8s.io/api/core/v1`).
fn kept(template: &Value) -> Value {
    let mut template = template.clone();
    drop_nothing(&mut template);
    template
}

fn drop_nothing(value: &mut Value) {
    match value {
        Value::Array(entries) => entries.iter_mut().for_each(drop_nothing),
        Value::Object(members) => {
            members.retain(|key, member| !is_nothing(key, member));
            members.values_mut().for_each(drop_nothing);
        }
        _ => {}
    }
}

fn is_nothing(key: &str, member: &Value) -> bool {
    match key {
        "initialDelaySeconds" => *member == 0,
        "stdin" | "stdinOnce" | "tty" | "hostNetwork" | "hostPID" | "hostIPC" => *member == false,
        "annotations" | "labels" | "nodeSelector" => member.as_object().is_some_and(Map::is_empty),
        _ => member.is_null(),
    }
}

fn gone(current: &Mesh, proposed: &Mesh) -> Vec<Place> {
    let has = |mesh: &Mesh, ObjectRef { kind, namespace, name, .. }: &ObjectRef| {
        mesh.manifest(kind, namespace, name).is_some()
    };
    let workloads = current.workloads.iter().filter(|workload| workload.plane == Plane::Control);
    let lost =
        workloads.filter(|workload| has(current, &workload.object) && !has(proposed, &workload.object));
    lost.map(|workload| place(proposed, current, &workload.object)).collect()
}

pub(super) fn template(tree: &Value) -> Option<&Value> {
    tree.pointer("/spec/template").or_else(|| tree.pointer("/spec/jobTemplate/spec/template"))
}

/// The text of the bundle that a template gives its proxy; the last entry of the environment counts.
fn literal(template: &Value) -> Option<&str> {
    let list = |pointer: &str| template.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let containers = list("/spec/containers").chain(list("/spec/initContainers"));
    let mut proxies = containers.filter(|container| container["name"] == linkerd::PROXY_CONTAINER);
    let anchors = |entry: &&Value| entry["name"] == linkerd::TRUST_ANCHORS_ENV;
    proxies.find_map(|proxy| proxy["env"].as_array()?.iter().rfind(anchors)?["value"].as_str())
}

/// The annotations that restart pods for the sake of trust.
fn for_trust(template: &Value) -> Vec<(&String, &Value)> {
    const KEYS: [&str; 4] = [
        linkerd::BUNDLE_ANNOTATION,
        linkerd::ISSUER_ANNOTATION,
        linkerd::TRUST_ROOT_ANNOTATION,
        linkerd::RESTARTED_AT,
    ];
    let annotations = template.pointer("/metadata/annotations").and_then(Value::as_object);
    annotations.into_iter().flatten().filter(|(key, _)| KEYS.contains(&key.as_str())).collect()
}

fn settings(current: &Mesh, proposed: &Mesh) -> Vec<Setting> {
    let (before, after) = (&current.control_plane, &proposed.control_plane);
    let rules = [
        (Setting::Namespace, before.namespace != after.namespace),
        (Setting::TrustDomain, before.trust_domain != after.trust_domain),
        (Setting::IssuerScheme, before.scheme != after.scheme),
        (Setting::TrustHome, before.era.trust_home() != after.era.trust_home()),
    ];
    let found: Vec<_> =
        rules.into_iter().filter_map(|(setting, changed)| changed.then_some(setting)).collect();
    let configured = wiring::settings(current, proposed).into_iter().filter(|one| !found.contains(one));
    found.iter().copied().chain(configured).collect()
}
