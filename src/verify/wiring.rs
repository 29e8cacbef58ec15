//! Where the control plane reads its trust material from, and with which settings.

use std::collections::BTreeMap;

use serde_json::Value;

use super::changes::{chain, place, reading, template, text};
use crate::check::difference;
use crate::document::ObjectRef;
use crate::finding::{
    CheckFact, Finding, Order, Place, Rejection, Setting, Severity, TrustFact, TrustSource,
};
use crate::linkerd;
use crate::mesh::{Mesh, Plane};
use crate::pki::{Rules, accepts};

/// The objects with trust material that pods of the control plane mount or take their environment from.
const SOURCES: [&str; 3] = [linkerd::TRUST_ROOTS, linkerd::ISSUER_SECRET, linkerd::CONFIG];

/// The variables by which a proxy is told who it is, and whom it asks for its certificate and for everything else.
const IDENTITIES: [&str; 6] = [
    "LINKERD2_PROXY_IDENTITY_LOCAL_NAME",
    "LINKERD2_PROXY_IDENTITY_SVC_NAME",
    "LINKERD2_PROXY_IDENTITY_SVC_ADDR",
    "LINKERD2_PROXY_DESTINATION_SVC_NAME",
    "LINKERD2_PROXY_POLICY_SVC_NAME",
    "LINKERD2_PROXY_IDENTITY_DISABLED",
];

/// Settings of `linkerd-config` that new pods are given, with their JSON pointers: up to 2.8 in `data.global`, else in `data.values`,
/// where 2.9 keeps some under `global`.
const SETTINGS: [(Setting, [&str; 3]); 8] = [
    (
        Setting::TrustDomain,
        ["/identityContext/trustDomain", "/identityTrustDomain", "/global/identityTrustDomain"],
    ),
    (Setting::ClusterDomain, ["/clusterDomain", "/clusterDomain", "/global/clusterDomain"]),
    (Setting::ExternalCa, ["", "/identity/externalCA", ""]),
    (Setting::IdentityEnvironment, ["", "/identity/additionalEnv", ""]),
    (Setting::IdentityEnvironment, ["", "/identity/experimentalEnv", ""]),
    (Setting::IdentityEnvironment, ["", "/disableIdentity", "/global/disableIdentity"]),
    (Setting::ProxyEnvironment, ["", "/proxy/additionalEnv", "/global/proxy/additionalEnv"]),
    (Setting::ProxyEnvironment, ["", "/proxy/experimentalEnv", ""]),
];

/// Workloads of the control plane whose templates take trust material from elsewhere after the change.
pub(super) fn sources(current: &Mesh, proposed: &Mesh) -> Vec<(Place, TrustSource)> {
    let mut found = Vec::new();
    for workload in current.workloads.iter().filter(|workload| workload.plane == Plane::Control) {
        let ObjectRef { kind, namespace, name, .. } = &workload.object;
        let of = |mesh: &Mesh| {
            let manifest = mesh.manifest(kind, namespace, name)?;
            Some(references(template(&manifest.tree)?))
        };
        if let (Some(before), Some(after)) = (of(current), of(proposed)) {
            let names = before.keys().chain(after.keys()).cloned();
            let mut apart: Vec<_> = names.filter(|name| before.get(name) != after.get(name)).collect();
            apart.sort();
            apart.dedup();
            let place = place(proposed, current, &workload.object);
            found.extend(apart.into_iter().map(|source| (place.clone(), source)));
        }
    }
    found
}

/// Volumes and variables of a pod template that hold trust material, by name, with where they take it from.
fn references(template: &Value) -> BTreeMap<TrustSource, Value> {
    let list = |pointer: &str| template.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let named = |one: &Value| one["name"].as_str().unwrap_or_default().to_owned();
    let volumes = list("/spec/volumes").filter(|volume| is_trust(volume));
    let mut found: BTreeMap<_, _> =
        volumes.map(|volume| (TrustSource::Volume(named(volume)), volume.clone())).collect();
    let account = ["serviceAccountName", "serviceAccount"].iter().find_map(|key| template["spec"].get(*key));
    found.extend(account.map(|account| (TrustSource::ServiceAccount, account.clone())));
    for container in list("/spec/containers").chain(list("/spec/initContainers")) {
        let name = named(container);
        let variables = container["env"].as_array().into_iter().flatten();
        // The last entry of a name counts; a literal text is judged as the bundle that it is.
        for entry in variables.filter(|entry| entry["name"] == linkerd::TRUST_ANCHORS_ENV) {
            let from = entry.get("valueFrom").cloned().unwrap_or_default();
            found.insert(TrustSource::Variable(name.clone()), from);
        }
        let is_identity =
            |entry: &&Value| entry["name"].as_str().is_some_and(|name| IDENTITIES.contains(&name));
        let identities: Vec<Value> =
            container["env"].as_array().into_iter().flatten().filter(is_identity).cloned().collect();
        if !identities.is_empty() {
            found.insert(TrustSource::Identities(name.clone()), identities.into());
        }
        let of_trust = |mount: &&Value| is_trust(mount);
        let mounts: Vec<Value> =
            container["volumeMounts"].as_array().into_iter().flatten().filter(of_trust).cloned().collect();
        if !mounts.is_empty() {
            found.insert(TrustSource::Mounts(name.clone()), mounts.into());
        }
        if name == linkerd::IDENTITY_CONTAINER {
            found.insert(TrustSource::Command(name.clone()), container["command"].clone());
        }
        let all = container["envFrom"].as_array().into_iter().flatten().filter(|from| is_trust(from));
        found.extend(all.map(|from| (TrustSource::EnvFrom(name.clone()), from.clone())));
    }
    found
}

/// Does a volume or a source of variables name an object with trust material, or is it one of those that Linkerd mounts such by?
fn is_trust(part: &Value) -> bool {
    let mounts = ["trust-roots", "identity-issuer"].iter().any(|name| part["name"] == *name);
    mounts || mentions(part)
}

fn mentions(part: &Value) -> bool {
    match part {
        Value::String(text) => SOURCES.contains(&text.as_str()),
        Value::Array(all) => all.iter().any(mentions),
        Value::Object(all) => all.values().any(mentions),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Settings of `linkerd-config`, and of the identity controller itself, that change.
pub(super) fn settings(current: &Mesh, proposed: &Mesh) -> Vec<Setting> {
    let mut found = configured(current, proposed);
    let [before, after] = [current, proposed].map(home);
    if before.is_some() && after.is_some() && before != after {
        found.push(Setting::Namespace);
    }
    let is_off = |mesh: &Mesh| {
        let namespace = &mesh.control_plane.namespace;
        mesh.manifest("Deployment", namespace, linkerd::IDENTITY)
            .is_some_and(|manifest| manifest.tree.pointer("/spec/replicas") == Some(&0.into()))
    };
    if !is_off(current) && is_off(proposed) {
        found.push(Setting::IdentityEnvironment);
    }
    // Without a literal text of them it is not known which anchors the controller is given.
    if current.trust.identity.is_some()
        && proposed.trust.identity.is_none()
        && current.control_plane.era == proposed.control_plane.era
    {
        found.push(Setting::IdentityEnvironment);
    }
    found
}

/// The namespace that the identity controller takes for its own.
fn home(mesh: &Mesh) -> Option<String> {
    const FLAG: &str = "controller-namespace";
    let manifest = mesh.manifest("Deployment", &mesh.control_plane.namespace, linkerd::IDENTITY)?;
    let containers = template(&manifest.tree)?.pointer("/spec/containers")?.as_array()?;
    let container = containers.iter().find(|one| one["name"] == linkerd::IDENTITY_CONTAINER)?;
    let arguments = container["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut named = false;
    let mut found = mesh.control_plane.namespace.clone();
    for argument in arguments {
        if named {
            found = argument.to_owned();
        }
        let flag = argument.trim_start_matches('-');
        named = flag == FLAG;
        if let Some(value) = flag.strip_prefix(FLAG).and_then(|rest| rest.strip_prefix('=')) {
            found = value.to_owned();
        }
    }
    Some(found)
}

fn configured(current: &Mesh, proposed: &Mesh) -> Vec<Setting> {
    let [before, after] = [current, proposed].map(Mesh::configuration);
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    let of = |tree: &Value, pointers: &[&str]| {
        let values = pointers.iter().filter(|pointer| !pointer.is_empty());
        let mut values = values
            .filter_map(|pointer| tree.pointer(pointer))
            .filter(|value| !value.is_null() && **value != Value::Bool(false));
        values.next().cloned()
    };
    let changed = SETTINGS.iter().filter(|(_, pointers)| of(&before, pointers) != of(&after, pointers));
    let mut found: Vec<Setting> = changed.map(|(setting, _)| *setting).collect();
    found.dedup();
    found
}

/// Does the change give the identity controller other anchors by its argument or environment (2.9 and 2.10)?
pub(super) fn gives_identity_others(current: &Mesh, proposed: &Mesh) -> bool {
    let text = |mesh: &Mesh| mesh.trust.identity.as_ref().map(|text| text.text().to_owned());
    text(current) != text(proposed)
}

/// What the identity controller does with the anchors that it is given by argument or environment.
pub(super) fn identity(current: &Mesh, proposed: &Mesh, at: jiff::Timestamp) -> Option<Finding> {
    let given = proposed.trust.identity.as_ref().filter(|_| gives_identity_others(current, proposed))?;
    let object =
        ObjectRef::new("apps/v1", "Deployment", &proposed.control_plane.namespace, linkerd::IDENTITY);
    let place = place(proposed, current, &object);
    let anchors = match given.as_read_by(Rules::Controller) {
        Ok(anchors) => anchors,
        Err(defect) => {
            let fact = CheckFact::IdentityCopyUnreadable { deployment: object, defect: defect.clone() };
            return Some(Finding::new(Severity::Error, fact).at(place));
        }
    };
    if let Some(chain) = chain(proposed)
        && let Err(refusal) = accepts(anchors, chain, &proposed.identity_name(), at, Rules::Controller)
    {
        let rejection = Rejection { order: Some(Order::Restart), ..Rejection::of(anchors, chain, refusal) };
        let fact = TrustFact::IdentityFailsToStart(rejection);
        return Some(Finding::new(Severity::Error, fact).at(place));
    }
    let published = text(proposed)?;
    if reading(published).is_some_and(|published| published.same_set(anchors)) {
        return None;
    }
    let difference = difference(published, given);
    let fact = CheckFact::IdentityCopyDiffers { deployment: object, difference };
    Some(Finding::new(Severity::Warning, fact).at(place))
}
