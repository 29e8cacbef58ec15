//! What a change touches, could reach trust material, and is not understood.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::at;
use super::file::is_manifest;
use super::net;
use super::open::{Open, Why};
use super::place::Places;
use super::related::{self, Taker};
use super::script;
use super::side::{Side, Sides, directory_of};
use super::template::Templates;
use super::terraform::{self, Modules};
use super::unit::Unit;
use super::values;
use crate::document::{self, Document, decoded, mentions, text_at, yaml};
use crate::linkerd;
use crate::mesh::{CERT_MANAGER_GROUP, CLUSTER_BUNDLE_GROUP, TRUST_MANAGER_GROUP};

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
const UNDERSTOOD: [&str; 24] = [
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
    CERT_MANAGER_GROUP,
    TRUST_MANAGER_GROUP,
    CLUSTER_BUNDLE_GROUP,
    "source.toolkit.fluxcd.io",
    "notification.toolkit.fluxcd.io",
    "image.toolkit.fluxcd.io",
    "kustomize.config.k8s.io",
    // A rotation's record: it is not deployed.
    "l5d-rotate",
];

/// An object that names trust material, and of which it is not known what becomes; `read` are ConfigMaps and Secrets whose
/// values are, by kind and name.
pub(super) fn object(document: &Document, read: &BTreeSet<(String, String)>) -> Option<Open> {
    const OWN: [&str; 4] =
        [linkerd::TRUST_ROOTS, linkerd::ISSUER_SECRET, linkerd::CONFIG, linkerd::CONFIG_OVERRIDES];
    let text = |pointer: &str| text_at(&document.tree, pointer);
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    let group = text("/apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
    let holds = matches!(kind, "ConfigMap" | "Secret" | "SealedSecret" | "ExternalSecret");
    let is_own = holds && OWN.contains(&name);
    // What runs in a Job, or runs kubectl, may do what it likes to an object that it names.
    let runs = ["Job", "CronJob"].contains(&kind)
        || (["apps", ""].contains(&group) && !holds && mentions(&document.tree, &["kubectl "]));
    let is_understood = !runs && (UNDERSTOOD.contains(&group) || (group.is_empty() && !holds));
    if is_own && let Some(copied) = copied(&document.tree) {
        return Some(Open::new(&document.origin, Why::Behind, &copied));
    }
    if is_own || is_understood || read.contains(&(kind.to_owned(), name.to_owned())) {
        return None;
    }
    let mut texts = Vec::new();
    all_texts(&net::narrowed(&document.tree), kind == "Secret", &mut texts);
    let mut names = texts.iter().any(|text| net::names_trust(text) || (!holds && net::names_chart(text)));
    names |= !holds && !runs && acts_on_home(&document.tree);
    let said = || json!(texts.iter().flat_map(|text| net::significant(text)).collect::<Vec<_>>());
    names.then(|| Open::new(&document.origin, Why::Unexplained, &said()))
}

/// The annotation by which a controller (Reflector, Replicator) fills an object out of another one.
fn copied(tree: &Value) -> Option<Value> {
    let annotations = tree.pointer("/metadata/annotations")?.as_object()?;
    let is_source = |key: &str| ["/reflects", "/replicate-from"].iter().any(|end| key.ends_with(end));
    annotations.iter().find(|(key, _)| is_source(key)).map(|(key, value)| json!([key, value]))
}

/// Is it about ConfigMaps or Secrets of the control plane's namespace, as policies are that change or make them?
fn acts_on_home(tree: &Value) -> bool {
    let is_kind = |text: &str| {
        ["ConfigMap", "Secret"].iter().any(|kind| text == *kind || text.ends_with(&format!("/{kind}")))
    };
    holds_text(tree, &|text| text == "linkerd") && holds_text(tree, &is_kind)
}

fn holds_text(tree: &Value, is: &impl Fn(&str) -> bool) -> bool {
    match tree {
        Value::String(text) => is(text),
        Value::Array(items) => items.iter().any(|item| holds_text(item, is)),
        Value::Object(map) => map.values().any(|value| holds_text(value, is)),
        _ => false,
    }
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

/// Changed files of which no unit tells what comes out of them, and which are about trust, or give something to a file that
/// is: path, and finding.
pub(super) fn files(sides: &Sides, places: &Places, explained: &BTreeSet<String>) -> Vec<(String, Open)> {
    // Of what is explained, only setters of kpt give something to other files.
    let has_setters = sides.after.names().any(|name| name.rsplit('/').next() == Some("Kptfile"));
    let is_open =
        |name: &&String| (has_setters || !explained.contains(*name)) && is_asked(sides, places, name);
    let changed: Vec<&String> = sides.changed.iter().filter(is_open).collect();
    if changed.is_empty() {
        return Vec::new();
    }
    let others = Others::of(sides, places, explained);
    let mut found = Vec::new();
    for name in changed {
        let text = |side: &Side| side.read(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let line = text(&sides.after).as_deref().and_then(first_line).unwrap_or_default();
        let [before, after] = [&sides.before, &sides.after].map(|side| text(side).map(line_by_line));
        let [old, new] = if explained.contains(name) {
            [&before, &after].map(|text| others.given(name, text.as_deref().unwrap_or_default(), true))
        } else {
            others.counted(name, before.as_deref(), after.as_deref())
        };
        // What has a name of other bytes than UTF-8 cannot be opened by it, and neither can a submodule or a link to a directory.
        let is_closed = name.contains(char::REPLACEMENT_CHARACTER) || (before.is_none() && after.is_none());
        let is_odd = !explained.contains(name) && (is_closed || name.ends_with(".sourceignore"));
        let origin = at(&places.name(name), line);
        if old != new || is_odd {
            found.push((name.clone(), Open::new(&origin, Why::Unexplained, &json!(new))));
        } else if !explained.contains(name) && others.reach_templates(&before, &after) {
            found.push((name.clone(), Open::new(&origin, Why::Templated, &json!(after))));
        }
    }
    found
}

/// JSON as the lines that it has in YAML; another text as it is.
fn line_by_line(text: String) -> String {
    if !text.trim_start().starts_with(['{', '[']) {
        return text;
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(tree) => yaml::write(&tree),
        Err(_) => text,
    }
}

/// What other files say of a changed one.
struct Others {
    takers: Vec<Taker>,
    /// Files that name trust material.
    holders: Vec<String>,
    templates: Vec<Templates>,
    /// Of both sides.
    modules: [Modules; 2],
}

impl Others {
    fn of(sides: &Sides, places: &Places, explained: &BTreeSet<String>) -> Self {
        let all = || sides.after.names().filter(|name| is_asked(sides, places, name));
        let takers =
            all().filter_map(|name| Taker::of(&sides.after, name, explained.contains(name))).collect();
        let is_script = |name: &String| {
            let texts = [&sides.before, &sides.after].map(|side| side.text(name).unwrap_or_default());
            texts.iter().any(|text| script::is_script(name, text))
        };
        let holds = |name: &&str| {
            is_manifest(name) && sides.after.text(name).is_some_and(|text| net::names_trust(&text))
        };
        let mut holders: Vec<String> = Vec::new();
        if sides.changed.iter().any(is_script) {
            holders.extend(all().filter(holds).map(str::to_owned));
        }
        let is_of_terraform =
            |name: &String| terraform::is_module_file(name) || terraform::is_variable_file(name);
        let modules = if sides.changed.iter().any(is_of_terraform) {
            [&sides.before, &sides.after].map(Modules::of)
        } else {
            <[Modules; 2]>::default()
        };
        Self { takers, holders, templates: Templates::everywhere(&sides.after), modules }
    }

    /// What of a file counts, on both sides.
    fn counted(&self, name: &str, before: Option<&str>, after: Option<&str>) -> [Vec<String>; 2] {
        let texts = [before, after].map(Option::unwrap_or_default);
        if terraform::is_module_file(name) {
            return [0, 1]
                .map(|side| owned(&[self.modules[side].content(name), net::lines(texts[side])].concat()));
        }
        if texts.iter().any(|text| script::is_script(name, text)) {
            return texts
                .map(|text| [owned(&net::lines(text)), script::lines(name, text, &self.holders)].concat());
        }
        let is_whole =
            texts.iter().any(|text| net::names_trust(text)) || self.takers.iter().any(|by| by.names(name));
        let is_of_chart = texts.iter().any(|text| net::names_chart(text));
        texts.map(|text| match text {
            _ if terraform::is_variable_file(name) => {
                [owned(&net::lines(text)), self.given(name, text, false)].concat()
            }
            text if is_whole => narrowed(name, text).unwrap_or_else(|| owned(&net::significant(text))),
            text if is_of_chart => narrowed(name, text).unwrap_or_else(|| owned(&net::paragraphs(text))),
            text => [owned(&net::lines(text)), self.given(name, text, false)].concat(),
        })
    }

    /// What a file gives by names that others take.
    fn given(&self, name: &str, text: &str, is_explained: bool) -> Vec<String> {
        let mut words: BTreeSet<String> =
            self.takers.iter().flat_map(|taker| taker.words_for(name, is_explained)).collect();
        if terraform::is_variable_file(name) {
            words.extend(self.modules.iter().flat_map(Modules::variables));
        }
        owned(&related::given(text, &words))
    }

    /// Does a file give other values to the templates of a chart?
    fn reach_templates(&self, before: &Option<String>, after: &Option<String>) -> bool {
        self.templates.iter().any(|one| reach(one, before) != reach(one, after))
    }
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// What a file of YAML or JSON says, without what stands beside Linkerd in it; `None` for another file.
fn narrowed(name: &str, text: &str) -> Option<Vec<String>> {
    if !is_manifest(name) {
        return None;
    }
    let documents = document::parse(text, name).ok()?;
    let mut texts = Vec::new();
    documents.iter().for_each(|document| all_texts(&net::narrowed(&document.tree), false, &mut texts));
    Some(texts.iter().flat_map(|text| owned(&net::significant(text))).collect())
}

/// What of a file would reach the templates of a chart as values.
fn reach(templates: &Templates, text: &Option<String>) -> Vec<Value> {
    let values = text.as_deref().and_then(values::parse).unwrap_or_default();
    templates.named(&values)
}

/// Could a file be deployed by somebody who is not seen?
fn is_asked(sides: &Sides, places: &Places, name: &str) -> bool {
    let is_rotation = || is_of_a_rotation(&sides.after, name) || is_of_a_rotation(&sides.before, name);
    (places.has(name) || places.has_sibling(name)) && !is_prose(name) && !is_rotation()
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

/// Documentation deploys nothing, and neither does what tells other programs who owns a file, or which versions to look for.
fn is_prose(name: &str) -> bool {
    const ENDS: [&str; 10] = [
        ".md",
        ".adoc",
        ".rst",
        "codeowners",
        "/notes.txt",
        "chart.lock",
        "renovate.json",
        "renovate.json5",
        "dependabot.yml",
        "dependabot.yaml",
    ];
    ENDS.iter().any(|end| name.to_lowercase().ends_with(end))
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
