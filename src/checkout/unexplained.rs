//! What a change touches, could reach trust material, and is not understood.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::at;
use super::net;
use super::open::{Open, Why};
use super::place::Places;
use super::side::{Side, Sides, directory_of};
use super::unit::Unit;
use crate::document::{Document, ObjectRef};
use crate::linkerd;

/// What a unit holds after the change, or before it, that is open and not the same on the other side.
pub(super) fn open(old: &Option<Unit>, new: &Option<Unit>, changed: &BTreeSet<String>) -> Vec<Open> {
    let [before, after] =
        [old, new].map(|unit| unit.as_ref().map(|unit| unit.open.as_slice()).unwrap_or_default());
    let differs = |one: &&Open, others: &[Open]| !others.iter().any(|other| one.says_the_same(other));
    let mut found: Vec<Open> = Vec::new();
    for one in after.iter().filter(|one| differs(one, before)) {
        // One reason for a place is enough.
        if !found.iter().any(|known| known.origin == one.origin) {
            found.push(one.clone());
        }
    }
    for gone in before.iter().filter(|one| differs(one, after)) {
        if !found.iter().any(|one| one.origin.source == gone.origin.source) {
            found.push(gone.clone());
        }
    }
    // What cannot be built may come out otherwise with every file that it is made of.
    for (origin, why, files) in [new, old].into_iter().flatten().flat_map(|unit| &unit.failed) {
        let known = found.iter().any(|one| one.origin == *origin);
        if !known && files.iter().any(|file| changed.contains(file)) {
            found.push(Open::new(origin, why.clone(), &Value::Null));
        }
    }
    found
}

/// API groups whose objects are read, or cannot become trust material.
const UNDERSTOOD: [&str; 22] = [
    "apps",
    "batch",
    "rbac.authorization.k8s.io",
    "admissionregistration.k8s.io",
    "apiregistration.k8s.io",
    "apiextensions.k8s.io",
    "policy",
    "networking.k8s.io",
    "autoscaling",
    "storage.k8s.io",
    "scheduling.k8s.io",
    "monitoring.coreos.com",
    "gateway.networking.k8s.io",
    "policy.linkerd.io",
    "multicluster.linkerd.io",
    "workload.linkerd.io",
    "cert-manager.io",
    "trust.cert-manager.io",
    "source.toolkit.fluxcd.io",
    "notification.toolkit.fluxcd.io",
    "image.toolkit.fluxcd.io",
    "kustomize.config.k8s.io",
];

/// An object that names trust material, and of which it is not known what becomes; `read` are ConfigMaps and Secrets whose
/// values are, by kind and name.
pub(super) fn object(document: &Document, read: &BTreeSet<(String, String)>) -> Option<Open> {
    const OWN: [&str; 4] =
        [linkerd::TRUST_ROOTS, linkerd::ISSUER_SECRET, linkerd::CONFIG, linkerd::CONFIG_OVERRIDES];
    let object = ObjectRef::of(&document.tree)?;
    let holds = matches!(object.kind.as_str(), "ConfigMap" | "Secret" | "SealedSecret" | "ExternalSecret");
    let is_own = holds && OWN.contains(&object.name.as_str());
    let is_understood = UNDERSTOOD.contains(&object.group()) || (object.group().is_empty() && !holds);
    if is_own || is_understood || read.contains(&(object.kind.clone(), object.name.clone())) {
        return None;
    }
    let mut found = Vec::new();
    about_trust(&document.tree, object.kind == "Secret", &mut found);
    (!found.is_empty()).then(|| Open::new(&document.origin, Why::Unexplained, &json!(found)))
}

/// The lines of all texts of a tree that are about trust, be they in base64.
fn about_trust(tree: &Value, is_secret: bool, found: &mut Vec<String>) {
    match tree {
        Value::String(text) => {
            let encoded = is_secret
                .then(|| STANDARD.decode(text.split_whitespace().collect::<String>()).ok())
                .flatten();
            let decoded = encoded.and_then(|bytes| String::from_utf8(bytes).ok());
            let text = decoded.as_deref().unwrap_or(text);
            if net::names_trust(text) {
                found.extend(net::lines(text).into_iter().map(str::to_owned));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| about_trust(item, is_secret, found)),
        Value::Object(map) => {
            for (key, value) in map {
                if net::names_trust(key) {
                    found.push(format!("{key}: {value}"));
                }
                about_trust(value, is_secret, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Changed files of which no unit tells what comes out of them, where a line of theirs is about trust: path, and finding.
pub(super) fn files(sides: &Sides, places: &Places, explained: &BTreeSet<String>) -> Vec<(String, Open)> {
    let mut found = Vec::new();
    for name in sides.changed.iter().filter(|name| places.has(name) || places.has_sibling(name)) {
        if explained.contains(name)
            || is_prose(name)
            || is_of_a_rotation(&sides.after, name)
            || is_of_a_rotation(&sides.before, name)
        {
            continue;
        }
        let text = |side: &Side| side.read(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let [before, after] = [&sides.before, &sides.after].map(text);
        let lines = |text: &Option<String>| text.as_deref().map(net::lines).unwrap_or_default().join("\n");
        let (old, new) = (lines(&before), lines(&after));
        // What has a name of other bytes than UTF-8 cannot be opened by it.
        let is_closed = name.contains(char::REPLACEMENT_CHARACTER);
        if old != new || is_closed {
            let line = after.as_deref().and_then(first_line).unwrap_or_default();
            let open = Open::new(&at(&places.name(name), line), Why::Unexplained, &json!(new));
            found.push((name.clone(), open));
        }
    }
    found
}

/// Files that name trust material, in a repository that is not seen to declare any.
pub(super) fn everywhere(side: &Side, places: &Places, units: &[Unit]) -> Vec<Open> {
    let explained = |name: &&str| units.iter().any(|unit| unit.files.contains(*name));
    let names = side.names().filter(|name| places.has_sibling(name) && !explained(name) && !is_prose(name));
    let open = |name: &str| {
        let text = side.text(name).filter(|text| net::names_trust(text))?;
        let line = text.lines().position(net::names_trust).map_or(0, |at| at + 1);
        Some(Open::new(&at(&places.name(name), line), Why::Unexplained, &Value::Null))
    };
    names.filter(|name| !is_of_a_rotation(side, name)).filter_map(open).collect()
}

fn first_line(text: &str) -> Option<usize> {
    text.lines().position(net::is_about_trust).map(|at| at + 1)
}

/// Documentation deploys nothing.
fn is_prose(name: &str) -> bool {
    [".md", ".adoc", ".rst"].iter().any(|end| name.to_lowercase().ends_with(end))
}

/// Is it one of the files beside a rotation's record? They are not deployed.
fn is_of_a_rotation(side: &Side, name: &str) -> bool {
    let directory = directory_of(name);
    let record =
        if directory.is_empty() { "rotation.yaml".to_owned() } else { format!("{directory}/rotation.yaml") };
    let is_its = name == record || name.ends_with(".pem") || name.ends_with("/.gitignore");
    is_its
        && side
            .text(&record)
            .is_some_and(|text| text.contains("l5d-rotate/") && text.contains("kind: Rotation"))
}
