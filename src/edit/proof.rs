//! What declared objects and files mean, so that two of them can be compared: which certificates and keys, and what else.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::pem;
use super::swap::Swap;
use crate::document::{self, Document, DocumentError};
use crate::linkerd;
use crate::pki::{Certificate, Fingerprint};

/// Kind, namespace and name of an object.
pub(super) type Name = [String; 3];

/// What the objects of a cluster mean, by their names.
pub(super) type Meaning = BTreeMap<Name, Value>;

/// The text that a key shall hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

pub(super) fn name(tree: &Value) -> Name {
    ["/kind", "/metadata/namespace", "/metadata/name"].map(|at| document::text_at(tree, at).to_owned())
}

/// What objects mean.
pub(super) fn meaning(documents: &[Document]) -> Meaning {
    trees(documents).into_iter().map(|(name, tree)| (name, of(&tree))).collect()
}

/// Objects by their names. The hash that Kustomize puts behind a name is no part of it.
pub(super) fn trees(documents: &[Document]) -> Meaning {
    let hashed =
        |document: &&Document| ["ConfigMap", "Secret"].contains(&document::text_at(&document.tree, "/kind"));
    let names = documents.iter().filter(hashed).map(|one| document::text_at(&one.tree, "/metadata/name"));
    let stems: BTreeMap<&str, &str> = names.filter_map(|name| Some((name, stem(name)?))).collect();
    let one = |document: &Document| {
        let mut tree = document.tree.clone();
        rename(&mut tree, &stems);
        (name(&tree), tree)
    };
    documents.iter().map(one).collect()
}

/// A name without the hash that Kustomize puts behind it (`api/hasher/hasher.go`).
fn stem(name: &str) -> Option<&str> {
    let (stem, hash) = name.rsplit_once('-')?;
    (hash.len() == 10 && hash.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit()))
        .then_some(stem)
}

fn rename(tree: &mut Value, names: &BTreeMap<&str, &str>) {
    match tree {
        Value::String(text) => {
            if let Some(stem) = names.get(text.as_str()) {
                *text = (*stem).to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        Value::Object(map) => map.values_mut().for_each(|value| rename(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The hash of the bundle in a pod template follows from the bundle: it is not compared.
pub(super) fn of(tree: &Value) -> Value {
    match tree {
        Value::String(text) => of_text(text),
        Value::Array(items) => items.iter().map(of).collect(),
        Value::Object(map) => {
            let compared = map.iter().filter(|(key, _)| *key != linkerd::TRUST_ROOT_ANNOTATION);
            compared.map(|(key, value)| (key.clone(), of(value))).collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// PEM blocks count by what they hold, everything else by its words.
fn of_text(text: &str) -> Value {
    let pem::Parted { certificates, keys, rest } = pem::parted(text);
    if certificates.is_empty() && keys.is_empty() {
        return text.into();
    }
    let certificates: Vec<Vec<String>> = certificates.iter().map(|run| fingerprints(run)).collect();
    let keys: Vec<String> = keys.iter().map(Fingerprint::to_string).collect();
    json!({"certificates": certificates, "keys": keys, "rest": rest})
}

fn fingerprints(run: &[Certificate]) -> Vec<String> {
    let mut all: Vec<String> = run.iter().map(|one| one.fingerprint().to_string()).collect();
    all.sort();
    all
}

/// Does a file differ from what it was in what was meant to change alone?
pub(super) fn only_meant(old: &str, new: &str, swaps: &[Swap], settings: &[Setting<'_>]) -> bool {
    let (Some(old), Some(new)) = (read(old), read(new)) else {
        // No YAML: nothing but PEM blocks was touched.
        return settings.is_empty();
    };
    old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| is_meant(old, new, "", swaps, settings))
}

/// Does a file differ from what it was in one more item of a list alone, or in a list that is there for it?
pub(super) fn only_added(old: &str, new: &str, item: &[String]) -> bool {
    let (Some(old), Some(new), Some(item)) = (read_any(old), read_any(new), read_any(&item.join("\n")))
    else {
        return false;
    };
    let [Value::Array(item)] = item.as_slice() else { return false };
    old.len() == new.len()
        && old != new
        && old.iter().zip(&new).all(|(old, new)| old == new || is_added(old, new, item))
}

fn is_added(old: &Value, new: &Value, item: &[Value]) -> bool {
    let is_it = |old: &Value, new: &Value| old == new || is_added(old, new, item);
    match (old, new) {
        (Value::Object(was), Value::Object(is)) => {
            was.keys().all(|key| is.contains_key(key))
                && is.iter().all(|(key, value)| is_it(was.get(key).unwrap_or(&Value::Null), value))
        }
        (Value::Null, Value::Object(is)) => is.values().all(|value| is_added(&Value::Null, value, item)),
        (Value::Null, Value::Array(is)) => is == item,
        (Value::Array(was), Value::Array(is)) => {
            *is == [was.as_slice(), item].concat()
                || (was.len() == is.len() && was.iter().zip(is).all(|(old, new)| is_it(old, new)))
        }
        _ => false,
    }
}

fn read(text: &str) -> Option<Vec<Value>> {
    read_any(text).filter(|trees| trees.iter().any(|tree| tree.is_object() || tree.is_array()))
}

fn read_any(text: &str) -> Option<Vec<Value>> {
    let mut trees = Vec::new();
    document::parse_any(text, "file", |document| {
        trees.push(document.tree);
        Ok::<_, DocumentError>(())
    })
    .ok()?;
    Some(trees)
}

/// Does a tree differ from what it was in what was meant to change alone?
pub(super) fn is_meant(
    old: &Value,
    new: &Value,
    key: &str,
    swaps: &[Swap],
    settings: &[Setting<'_>],
) -> bool {
    if old == new {
        return true;
    }
    let below = |old: &Value, new: &Value, key: &str| is_meant(old, new, key, swaps, settings);
    match (old, new) {
        (Value::Object(was), Value::Object(is)) => {
            let none = Value::Null;
            was.keys().all(|key| is.contains_key(key))
                && is.iter().all(|(key, value)| below(was.get(key).unwrap_or(&none), value, key))
        }
        (Value::Null, Value::Object(is)) => is.iter().all(|(key, value)| below(&Value::Null, value, key)),
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            was.iter().zip(is).all(|(old, new)| below(old, new, ""))
        }
        // A parameter of a chart, as Argo CD has them.
        (Value::Array(was), Value::Array(is)) => {
            let added: Vec<_> = is.iter().filter(|one| !was.contains(one)).collect();
            let sets = |item: &Value, setting: &Setting<'_>| {
                let name = item["name"].as_str().unwrap_or_default();
                name.ends_with(&format!(".{}", setting.key)) && item["value"] == setting.value
            };
            let is_setting = |item: &&Value| settings.iter().any(|setting| sets(item, setting));
            is.len() == was.len() + added.len()
                && was.iter().all(|one| is.contains(one))
                && added.iter().all(is_setting)
        }
        (_, Value::String(text)) if settings.contains(&Setting { key, value: text.as_str() }) => true,
        (Value::String(was), Value::String(is)) => match (mapping(was), mapping(is)) {
            (Some(old), Some(new)) => below(&old, &new, ""),
            _ => is_swapped(was, is, swaps),
        },
        _ => false,
    }
}

/// A text that is YAML itself.
fn mapping(text: &str) -> Option<Value> {
    if !text.contains(':') {
        return None;
    }
    let mut all = read(text)?;
    all.pop().filter(|tree| all.is_empty() && tree.is_object())
}

fn is_swapped(old: &str, new: &str, swaps: &[Swap]) -> bool {
    let (was, is) = (pem::parted(old), pem::parted(new));
    let same = |one: &[Certificate], other: &[Certificate]| fingerprints(one) == fingerprints(other);
    let swapped = |(old, new): (&Vec<Certificate>, &Vec<Certificate>)| {
        let is_it = |swap: &Swap| match swap {
            Swap::Certificates { old: from, new: to } => same(old, from) && same(new, to),
            Swap::Key { .. } => false,
        };
        same(old, new) || swaps.iter().any(is_it)
    };
    was.rest == is.rest
        && was.certificates.len() == is.certificates.len()
        && was.keys.len() == is.keys.len()
        && was.certificates.iter().zip(&is.certificates).all(swapped)
}
