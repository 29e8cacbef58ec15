//! One place in an object, and the three ways to write a value there.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::{Value, json};

use super::mask::holds_private_key;
use crate::mesh::REDACTED;

/// One step on the way to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// A key of a map.
    Key(String),
    /// The entry of a list that has this `name`; the last one where there are several (it counts in `env`).
    Named(String),
    /// The entry of a list at this place.
    Index(usize),
}

/// Why a place cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A list entry on the way was not observed.
    Unknown,
    /// Entries of this list share a name.
    Ambiguous(String),
}

use Segment::{Index, Key, Named};

impl Segment {
    /// A path of map keys.
    pub(super) fn keys(keys: &[&str]) -> Vec<Self> {
        keys.iter().map(|key| Key((*key).to_owned())).collect()
    }
}

/// The place of an entry in its list.
fn position(list: &Value, segment: &Segment) -> Option<usize> {
    let list = list.as_array()?;
    match segment {
        Named(name) => list.iter().rposition(|entry| entry["name"] == **name),
        Index(index) => (*index < list.len()).then_some(*index),
        Key(_) => None,
    }
}

/// What stands at a path.
pub(super) fn get<'t>(tree: &'t Value, path: &[Segment]) -> Option<&'t Value> {
    path.iter().try_fold(tree, |node, segment| match segment {
        Key(key) => node.get(key),
        entry => node.get(position(node, entry)?),
    })
}

/// Writes `value` at `path` of a whole object, `null` by removing the key; maps on the way are made, list entries must be there.
pub(super) fn set(tree: &mut Value, path: &[Segment], value: &Value) -> Result<(), Fault> {
    let mut node = tree;
    for (depth, segment) in path.iter().enumerate() {
        node = match segment {
            Key(key) if value.is_null() && depth + 1 == path.len() => {
                node.as_object_mut().and_then(|map| map.shift_remove(key));
                return Ok(());
            }
            Key(key) => child(node, key)?,
            entry => {
                let at = position(node, entry).ok_or(Fault::Unknown)?;
                &mut node[at]
            }
        };
    }
    *node = value.clone();
    Ok(())
}

/// The value under a key, made where it is missing.
fn child<'a>(node: &'a mut Value, key: &str) -> Result<&'a mut Value, Fault> {
    if node.is_null() {
        *node = json!({});
    }
    Ok(node.as_object_mut().ok_or(Fault::Unknown)?.entry(key).or_insert(Value::Null))
}

/// Writes `value` at `path` of a strategic merge patch for `current`.
///
/// Entries before the one meant are listed by name: both kubectl and Kustomize put a patch's entries first, which would
/// change the order of containers and of environment variables (`$(VAR)` sees earlier ones only). A list without merge
/// key (`args`) is repeated whole.
pub(super) fn merge(
    patch: &mut Value,
    current: Option<&Value>,
    path: &[Segment],
    value: &Value,
) -> Result<(), Fault> {
    let (mut node, mut known) = (patch, current);
    let mut pointer = String::new();
    for segment in path {
        (node, known) = match segment {
            Key(key) => {
                pointer = format!("{pointer}/{key}");
                (child(node, key)?, known.and_then(|known| known.get(key)))
            }
            entry => {
                let list = known.ok_or(Fault::Unknown)?;
                let at = position(list, entry).ok_or(Fault::Unknown)?;
                let whole = list.as_array().ok_or(Fault::Unknown)?;
                if let Named(_) = entry {
                    list_names(node, whole, at).ok_or_else(|| Fault::Ambiguous(pointer.clone()))?;
                } else if node.is_null() {
                    *node = list.clone();
                }
                (&mut node[at], whole.get(at))
            }
        };
    }
    *node = value.clone();
    Ok(())
}

/// Makes `node` list the names of `whole` up to `at`; `None` where a name stands twice, or an entry has none.
fn list_names(node: &mut Value, whole: &[Value], at: usize) -> Option<()> {
    let names: Vec<&str> = whole.iter().map(|entry| entry["name"].as_str()).collect::<Option<_>>()?;
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() < names.len() {
        return None;
    }
    if node.is_null() {
        *node = json!([]);
    }
    let listed = node.as_array_mut()?;
    listed.extend(names.iter().take(at + 1).skip(listed.len()).map(|name| json!({ "name": name })));
    Some(())
}

/// The operations of a JSON patch that write `value` at `path` of `current`: `test` first where the value there is known,
/// missing maps made after a `test` that they are missing (`null`, as kubectl and Kustomize read it), because `add` would
/// wipe a map that came to be meanwhile.
pub(super) fn operations(
    current: &Value,
    path: &[Segment],
    value: &Value,
) -> Result<Vec<PatchOperation>, Fault> {
    let mut operations = Vec::new();
    let (mut node, mut at) = (Some(current), PointerBuf::new());
    for (depth, segment) in path.iter().enumerate() {
        let next = match segment {
            Key(key) => {
                at.push_back(key.as_str());
                node.and_then(|node| node.get(key)).filter(|next| !next.is_null())
            }
            entry => {
                let index = node.and_then(|node| position(node, entry)).ok_or(Fault::Unknown)?;
                at.push_back(index);
                node.and_then(|node| node.get(index))
            }
        };
        let last = depth + 1 == path.len();
        match next {
            Some(old) if last && value.is_null() => {
                operations.extend([test(&at, old.clone()), remove(&at)]);
            }
            None if last && value.is_null() => {}
            Some(old) if last => {
                operations.extend(testable(old).then(|| test(&at, old.clone())));
                operations.push(replace(&at, value));
            }
            Some(_) => {}
            None if last => operations.push(add(&at, value.clone())),
            None => {
                operations.extend(node.map(|_| test(&at, Value::Null)));
                operations.push(add(&at, json!({})));
            }
        }
        node = next;
    }
    Ok(operations)
}

fn test(path: &PointerBuf, value: Value) -> PatchOperation {
    PatchOperation::Test(TestOperation { path: path.clone(), value })
}

fn add(path: &PointerBuf, value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation { path: path.clone(), value })
}

fn remove(path: &PointerBuf) -> PatchOperation {
    PatchOperation::Remove(RemoveOperation { path: path.clone() })
}

fn replace(path: &PointerBuf, value: &Value) -> PatchOperation {
    PatchOperation::Replace(ReplaceOperation { path: path.clone(), value: value.clone() })
}

/// May a value stand in a `test`? Not what was redacted, and never a private key.
fn testable(old: &Value) -> bool {
    old.as_str().is_none_or(|text| !text.contains(REDACTED) && !holds_private_key(text))
}
