//! The Applications of an ApplicationSet, as far as its generators stand in the repository.

mod generator;
mod git;
mod notation;

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::kustomization::list;
use super::net;
use super::open::{Open, Why};
use super::place::is_path_like;
use super::side::Side;
use crate::document::{Document, mentions, text_at};
use generator::Generators;
use notation::Notation;

/// What comes of an ApplicationSet.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) applications: Vec<Document>,
    /// Files that generators have read, where all that comes of them is told.
    pub(super) files: BTreeSet<String>,
    /// What it says, where not all that it makes is told.
    pub(super) open: Option<Open>,
}

/// What an ApplicationSet makes.
pub(super) fn applications(set: &Document, side: &Side) -> Made {
    let spec = &set.tree["spec"];
    let notation = Notation::of(spec);
    let has_nested_selectors = spec["applyNestedSelectors"] == true;
    let generators = Generators { side, notation, has_nested_selectors, read: RefCell::default() };
    let mut found = Vec::new();
    let mut is_open = spec.get("templatePatch").is_some();
    for generator in list(spec.get("generators")) {
        // A generator may have a template of its own, which is laid over the other.
        is_open |= generator.as_object().into_iter().flatten().any(|(_, one)| one.get("template").is_some());
        let Some(all) = generators.parameters(generator) else {
            is_open = true;
            continue;
        };
        for parameters in all {
            let mut tree = notation.filled(&spec["template"], &parameters);
            tree["apiVersion"] = "argoproj.io/v1alpha1".into();
            tree["kind"] = "Application".into();
            found.push(Document { origin: set.origin.clone(), tree });
        }
    }
    is_open |= found.iter().any(|one| mentions(&one.tree, &["{{"]));
    if !is_open {
        return Made { applications: found, files: generators.read.into_inner(), open: None };
    }
    let said = json!([generating(spec), inputs(spec, side)]);
    let about = net::names_trust(&said.to_string()) || mentions(&said, &["linkerd"]);
    let open = about.then(|| Open::new(&set.origin, Why::Generated, &said));
    Made { applications: found, files: BTreeSet::new(), open }
}

/// What of an ApplicationSet decides which Applications come of it, and what they say.
fn generating(spec: &Value) -> Value {
    const HARMLESS: [&str; 6] = [
        "syncPolicy",
        "strategy",
        "ignoreApplicationDifferences",
        "preservedFields",
        "goTemplateOptions",
        "requeueAfterSeconds",
    ];
    let mut said = net::narrowed(&net::weighty(spec));
    if let Some(said) = said.as_object_mut() {
        said.retain(|key, _| !HARMLESS.contains(&key.as_str()));
    }
    said
}

/// The files that generators read, with what they say, and the directories that they find with Linkerd in them; where some
/// files are Linkerd's, those alone.
fn inputs(spec: &Value, side: &Side) -> Vec<Value> {
    let is_linkerds = |one: &Value| mentions(one, &["linkerd"]);
    let patterns = patterns_of(spec, "files");
    let mut found = Vec::new();
    for name in side.names().filter(|name| patterns.iter().any(|pattern| is_path_like(pattern, name))) {
        let text = side.text(name).unwrap_or_default();
        found.push(json!([name, net::significant(&text)]));
    }
    if found.iter().any(is_linkerds) {
        found.retain(is_linkerds);
    }
    let patterns = patterns_of(spec, "directories");
    for directory in git::directories(side) {
        if patterns.iter().any(|pattern| is_path_like(pattern, directory)) && has_linkerd(side, directory) {
            found.push(json!([directory, "linkerd"]));
        }
    }
    found
}

/// Does a directory hold something of a control plane, or is it called after one?
fn has_linkerd(side: &Side, directory: &str) -> bool {
    let names_linkerd = |name: &str| side.text(name).is_some_and(|text| net::names_linkerd(&text));
    directory.contains("linkerd") || side.below(directory).any(names_linkerd)
}

/// The patterns of generators of files or directories, at whatever depth; what another generator is to give stands for anything.
fn patterns_of(tree: &Value, what: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rule in list(tree.pointer(&format!("/git/{what}"))) {
        let mut pattern = text_at(rule, "/path").to_owned();
        while let Some((before, rest)) = pattern.split_once("{{") {
            let after = rest.split_once("}}").map_or("", |(_, after)| after);
            pattern = format!("{before}*{after}");
        }
        found.push(pattern);
    }
    match tree {
        Value::Array(items) => items.iter().for_each(|item| found.extend(patterns_of(item, what))),
        Value::Object(map) => map.values().for_each(|value| found.extend(patterns_of(value, what))),
        _ => {}
    }
    found.retain(|pattern| !pattern.is_empty());
    found
}
