//! Private keys taken out of what people see.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::key_text::PLACEHOLDER;
use crate::mesh::REDACTED;

/// What stands for a value that is not shown (kubectl's own mark in `kubectl diff`).
pub(crate) const MASK: &str = "***";

/// A document in any form as a terminal may show it: without private keys, and of a Secret only certificates.
#[must_use]
pub fn masked(tree: &Value) -> Value {
    let mut tree = tree.clone();
    if tree["kind"] == "Secret" {
        mask_secret(&mut tree);
    }
    mask(&mut tree);
    tree
}

fn mask_secret(tree: &mut Value) {
    for map in ["data", "stringData"] {
        let values =
            tree.get_mut(map).and_then(Value::as_object_mut).into_iter().flat_map(|map| map.values_mut());
        values.filter(|value| !is_public(value) && !is_masked(value)).for_each(|value| *value = MASK.into());
    }
}

fn mask(tree: &mut Value) {
    match tree {
        Value::String(text) => *text = mask_text(text),
        Value::Array(list) => list.iter_mut().for_each(mask),
        Value::Object(map) => map.values_mut().for_each(mask),
        _ => {}
    }
}

fn is_masked(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(MASK))
}

/// Is a Secret's value certificates and nothing else that must be hidden?
pub(crate) fn is_public(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        !holds_private_key(text)
            && (text.contains("-----BEGIN CERTIFICATE")
                || decoded(text).is_some_and(|text| text.contains("-----BEGIN CERTIFICATE")))
    })
}

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The text that a base64 text stands for.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    String::from_utf8(BASE64.decode(compact).ok()?).ok()
}

/// Is a private key in the text, as PEM or as base64 of it?
pub(crate) fn holds_private_key(text: &str) -> bool {
    mask_text(text) != text
}

/// Does some text of the tree satisfy `test`?
pub(super) fn any_text(tree: &Value, test: &mut impl FnMut(&str) -> bool) -> bool {
    match tree {
        Value::String(text) => test(text),
        Value::Array(list) => list.iter().any(|value| any_text(value, test)),
        Value::Object(map) => map.values().any(|value| any_text(value, test)),
        _ => false,
    }
}

/// The text with every private key in it, and what stands for one, replaced by [`MASK`].
fn mask_text(text: &str) -> String {
    if text.contains(PLACEHOLDER) || decoded(text).is_some_and(|text| text.contains(LABEL)) {
        return MASK.to_owned();
    }
    mask_words(&mask_blocks(&text.replace(REDACTED, MASK)))
}

/// How every private key's PEM label ends.
const LABEL: &str = "PRIVATE KEY-----";

/// PEM blocks of private keys; one without an end reaches to the end of the text.
fn mask_blocks(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(label) = rest.find(LABEL) {
        let begin = rest[..label].rfind("-----BEGIN").unwrap_or(0);
        out.push_str(&rest[..begin]);
        out.push_str(MASK);
        let body = &rest[label + LABEL.len()..];
        rest = body.find(LABEL).map_or("", |end| &body[end + LABEL.len()..]);
    }
    out + rest
}

/// Words that are base64 of a private key's PEM.
fn mask_words(text: &str) -> String {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '/'))
        .filter(|word| word.len() > LABEL.len() && decoded(word).is_some_and(|text| text.contains(LABEL)))
        .flat_map(|word| ["==", "=", ""].map(|padding| format!("{word}{padding}")))
        .fold(text.to_owned(), |text, word| text.replace(&word, MASK))
}
