//! An object as a diff shows it: base64 of certificates as certificates, private keys and other secrets masked.

use serde_json::Value;

use crate::mesh::REDACTED;
use crate::pki::BundleText;
use crate::pki::Rules;
use crate::render::mask::{MASK, decoded, is_public, masked};
use crate::render::{RenderError, Rendered, described};

/// Both sides of a change, ready to be printed.
///
/// # Errors
/// An edit of a list entry that was not observed.
pub(super) fn sides(item: &Rendered) -> Result<(Value, Value), RenderError> {
    let mut after = item.result()?;
    let mut before = item.observed();
    if after["kind"] == "Secret" {
        for map in ["data", "stringData"] {
            mask_map(&mut before[map], &mut after[map], item.key_in_place);
        }
        prune(&mut before);
        prune(&mut after);
    }
    Ok((readable(&masked(&before)), readable(&masked(&after))))
}

/// Masks what is no certificate in a Secret's map, telling equal from different as `kubectl diff` does.
fn mask_map(before: &mut Value, after: &mut Value, key_in_place: bool) {
    let names: Vec<String> = [&*before, &*after]
        .into_iter()
        .filter_map(Value::as_object)
        .flat_map(|map| map.keys().cloned())
        .collect();
    for name in names {
        let (old, new) = (before.get(&name).cloned(), after.get(&name).cloned());
        let hide = |value: &Option<Value>| value.as_ref().is_some_and(|value| !is_public(value));
        let redacted = old.as_ref().is_some_and(|old| old == REDACTED) && new != old;
        let differ = if redacted { !key_in_place } else { old != new };
        let [was, is] = if differ && old.is_some() && new.is_some() {
            ["*** (before)", "*** (after)"]
        } else {
            [MASK; 2]
        };
        if hide(&old) {
            before[&name] = was.into();
        }
        if hide(&new) {
            after[&name] = is.into();
        }
    }
}

/// Drops the `null`s that indexing made.
fn prune(tree: &mut Value) {
    if let Some(map) = tree.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
}

/// The tree with base64 of certificates as text a person reads.
fn readable(tree: &Value) -> Value {
    match tree {
        Value::String(text) => certificates(text).map_or_else(|| tree.clone(), Value::String),
        Value::Array(list) => list.iter().map(readable).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), readable(value))).collect(),
        _ => tree.clone(),
    }
}

/// What a text says if it is base64 of certificates, alone or behind a flag's `=`.
fn certificates(text: &str) -> Option<String> {
    let at = text.find("LS0tLS1CRUdJTi").filter(|at| *at == 0 || text[..*at].ends_with('='))?;
    let pem = decoded(&text[at..])?;
    let bundle = BundleText::read(pem);
    let anchors = bundle.as_read_by(Rules::Proxy).ok()?.anchors();
    let lines: Vec<String> = anchors.iter().flat_map(described).collect();
    let flag = Some(&text[..at]).filter(|flag| !flag.is_empty()).map(|flag| format!("{flag}\n"));
    Some(format!("{}{}\n", flag.unwrap_or_default(), lines.join("\n")))
}
