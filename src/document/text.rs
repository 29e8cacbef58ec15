//! The texts in an object's tree.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The text at a JSON pointer; empty where there is none.
pub(crate) fn text_at<'a>(tree: &'a Value, pointer: &str) -> &'a str {
    tree.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What stands under `data` of a Secret: kustomize breaks its lines, and the API server takes that.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.split_whitespace().collect::<String>()).ok()
}

/// Does any text of a tree contain one of these?
pub(crate) fn mentions(tree: &Value, needles: &[&str]) -> bool {
    let has = |text: &str| needles.iter().any(|needle| text.contains(needle));
    match tree {
        Value::String(text) => has(text),
        Value::Array(items) => items.iter().any(|item| mentions(item, needles)),
        Value::Object(map) => map.iter().any(|(key, value)| has(key) || mentions(value, needles)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
