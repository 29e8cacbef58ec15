//! Short ways into a Kubernetes object's tree; what is not there, or not of the kind asked for, is `None` or empty.

use serde_json::{Map, Value};

/// The text at a JSON pointer.
pub(in crate::mesh) fn text<'a>(tree: &'a Value, pointer: &str) -> Option<&'a str> {
    tree.pointer(pointer).and_then(Value::as_str)
}

/// The items of the list at a JSON pointer.
pub(in crate::mesh) fn items<'a>(tree: &'a Value, pointer: &str) -> &'a [Value] {
    tree.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The map at a JSON pointer.
pub(in crate::mesh) fn map<'a>(tree: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    tree.pointer(pointer).and_then(Value::as_object)
}

/// A text in the map at a JSON pointer, by a key that may hold dots and slashes.
pub(in crate::mesh) fn entry<'a>(tree: &'a Value, pointer: &str, key: &str) -> Option<&'a str> {
    map(tree, pointer)?.get(key)?.as_str()
}

/// `metadata.labels` by key.
pub(in crate::mesh) fn label<'a>(tree: &'a Value, key: &str) -> Option<&'a str> {
    entry(tree, "/metadata/labels", key)
}

/// `metadata.annotations` by key.
pub(in crate::mesh) fn annotation<'a>(tree: &'a Value, key: &str) -> Option<&'a str> {
    entry(tree, "/metadata/annotations", key)
}

/// The number at a JSON pointer.
pub(in crate::mesh) fn number(tree: &Value, pointer: &str) -> Option<u32> {
    tree.pointer(pointer).and_then(Value::as_u64).and_then(|number| number.try_into().ok())
}

/// Is there `true` at a JSON pointer?
pub(in crate::mesh) fn is_true(tree: &Value, pointer: &str) -> bool {
    tree.pointer(pointer) == Some(&Value::Bool(true))
}
