//! What a change touches, could reach trust material, and is not understood.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::at;
use super::net;
use super::open::{Open, Why};
use super::place::Places;
use super::side::{Side, Sides, directory_of};
use super::template::Templates;
use super::unit::Unit;
use super::values;
use crate::document::{Document, ObjectRef, decoded};
use crate::linkerd;

/// What a unit holds after the change, or before it, that is open and not the same on the other side.
pub(super) fn open(old: &Option<Unit>, new: &Option<Unit>, changed: &BTreeSet<String>) -> Vec<Open> {
    let all = |unit: &Option<Unit>| -> Vec<Open> {
        unit.iter().flat_map(|unit| unit.open.iter().chain(&unit.deployment)).cloned().collect()
    };
    let (before, after) = (all(old), all(new));
    let differs = |one: &&Open, others: &[Open]| !others.iter().any(|other| one.says_the_same(other));
    let mut found: Vec<Open> = Vec::new();
    for one in after.iter().filter(|one| differs(one, &before)) {
        // One reason for a place is enough.
        if !found.iter().any(|known| known.origin == one.origin) {
            found.push(one.clone());
        }
    }
    for gone in before.iter().filter(|one| differs(one, &after)) {
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
    let mut texts = Vec::new();
    all_texts(&document.tree, object.kind == "Secret", &mut texts);
    let names = texts.iter().any(|text| net::names_trust(text));
    let said = || json!(texts.iter().flat_map(|text| net::significant(text)).collect::<Vec<_>>());
    names.then(|| Open::new(&document.origin, Why::Unexplained, &said()))
}

/// All texts of a tree, each with its key, and decoded where they are in base64.
fn all_texts(tree: &Value, is_secret: bool, found: &mut Vec<String>) {
    match tree {
        Value::Array(items) => items.iter().for_each(|item| all_texts(item, is_secret, found)),
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::Array(_) | Value::Object(_) => {
                        found.push(key.clone());
                        all_texts(value, is_secret, found);
                    }
                    Value::String(text) => {
                        let bytes = is_secret.then(|| decoded(text)).flatten();
                        let plain = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                        found.push(format!("{key}: {}", plain.as_deref().unwrap_or(text)));
                    }
                    other => found.push(format!("{key}: {other}")),
                }
            }
        }
        Value::String(text) => found.push(text.clone()),
        other => found.push(other.to_string()),
    }
}

/// Changed files of which no unit tells what comes out of them, and which are about trust, or named by a file that is: path,
/// and finding.
pub(super) fn files(sides: &Sides, places: &Places, explained: &BTreeSet<String>) -> Vec<(String, Open)> {
    let changed: Vec<&String> =
        sides.changed.iter().filter(|name| is_open(sides, places, explained, name)).collect();
    if changed.is_empty() {
        return Vec::new();
    }
    let about_trust = about_trust(sides, places, explained);
    let templates = Templates::everywhere(&sides.after);
    let mut found = Vec::new();
    for name in changed {
        let text = |side: &Side| side.read(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let [before, after] = [&sides.before, &sides.after].map(text);
        let texts = || [&before, &after].into_iter().flatten();
        let whole =
            texts().any(|text| net::names_trust(text)) || about_trust.iter().any(|by| is_named(name, by));
        let lines = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or_default();
            if whole { net::significant(text) } else { net::lines(text) }.join("\n")
        };
        let (old, new) = (lines(&before), lines(&after));
        // What has a name of other bytes than UTF-8 cannot be opened by it, and neither can a submodule or a link to a directory.
        let is_closed = name.contains(char::REPLACEMENT_CHARACTER) || (before.is_none() && after.is_none());
        let is_ignore = name.ends_with(".sourceignore");
        if old != new || is_closed || is_ignore {
            let line = after.as_deref().and_then(first_line).unwrap_or_default();
            found.push((
                name.clone(),
                Open::new(&at(&places.name(name), line), Why::Unexplained, &json!(new)),
            ));
        } else if templates.iter().any(|one| reach(one, &before) != reach(one, &after)) {
            found.push((name.clone(), Open::new(&at(&places.name(name), 1), Why::Templated, &json!(after))));
        }
    }
    found
}

/// What of a file would reach the templates of a chart as values.
fn reach(templates: &Templates, text: &Option<String>) -> Vec<Value> {
    let values = text.as_deref().and_then(values::parse).unwrap_or_default();
    templates.named(&values)
}

fn is_open(sides: &Sides, places: &Places, explained: &BTreeSet<String>, name: &str) -> bool {
    let is_rotation = || is_of_a_rotation(&sides.after, name) || is_of_a_rotation(&sides.before, name);
    (places.has(name) || places.has_sibling(name))
        && !explained.contains(name)
        && !is_prose(name)
        && !is_rotation()
}

/// Files of which it is not known what comes out of them, and which name trust material: what they name counts as well.
fn about_trust(sides: &Sides, places: &Places, explained: &BTreeSet<String>) -> Vec<(String, String)> {
    /// No file of a tool that installs charts is larger.
    const LARGEST: u64 = 256 << 10;
    let all = sides.after.names().filter(|name| is_open(sides, places, explained, name));
    let texts = all.filter(|name| sides.after.size(name) <= LARGEST);
    let texts = texts.filter_map(|name| Some((name.to_owned(), sides.after.text(name)?)));
    texts.filter(|(_, text)| net::names_trust(text) || net::names_chart(text)).collect()
}

/// Does one file name another, or does Terraform read the two as one?
fn is_named(name: &str, (by, text): &(String, String)) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let of_terraform =
        |name: &str| [".tf", ".tfvars", ".tf.json", ".tfvars.json"].iter().any(|end| name.ends_with(end));
    let together = directory_of(name) == directory_of(by) && of_terraform(name) && of_terraform(by);
    name != by && (together || text.contains(file))
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
