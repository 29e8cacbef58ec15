//! A partial document laid over a whole one, as a strategic merge patch without directives is.

use serde_json::{Map, Value, json};

/// Lays `patch` over `base`: maps key by key, `null` removes, lists whose entries have names entry by entry, other lists
/// of objects place by place if they are equally long; everything else is replaced. Lists of a custom resource are replaced,
/// as kubectl and the engines of GitOps do.
///
/// Of a Secret, `data` replaces what `stringData` said before. Directives (`$patch`, `$setElementOrder/…`) are passed over, but
/// for the deletion of an entry that has a name.
pub fn lay_over(base: &mut Value, mut patch: Value) {
    if let (Some(plain), Some(data)) = (
        base.get_mut("stringData").and_then(Value::as_object_mut),
        patch.get("data").and_then(Value::as_object),
    ) {
        plain.retain(|key, _| !data.contains_key(key));
    }
    let lists = if is_custom(base) { Lists::Replaced } else { Lists::Merged };
    merge(base, patch.take(), lists);
}

/// What a strategic merge patch says of an entry that goes.
const DIRECTIVE: &str = "$patch";

fn named(list: &[Value]) -> bool {
    list.iter().all(|entry| entry.get("name").is_some_and(Value::is_string))
}

/// What becomes of a list.
#[derive(Clone, Copy)]
enum Lists {
    Merged,
    Replaced,
}

/// Is it an object of a kind that Kubernetes does not bring with it?
fn is_custom(tree: &Value) -> bool {
    let group = tree["apiVersion"].as_str().and_then(|version| version.split_once('/'));
    group.is_some_and(|(group, _)| group.contains('.') && !group.ends_with(".k8s.io"))
}

fn merge(base: &mut Value, patch: Value, lists: Lists) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => merge_maps(base, patch, lists),
        (Value::Array(base), Value::Array(patch)) => match lists {
            Lists::Merged => merge_lists(base, patch),
            Lists::Replaced => replace_list(base, patch),
        },
        (base, patch) => *base = patch,
    }
}

fn merge_maps(base: &mut Map<String, Value>, patch: Map<String, Value>, lists: Lists) {
    for (key, value) in patch.into_iter().filter(|(key, _)| !key.starts_with('$')) {
        if value.is_null() {
            base.shift_remove(&key);
        } else {
            merge(base.entry(key).or_insert(Value::Null), value, lists);
        }
    }
}

fn merge_lists(base: &mut Vec<Value>, patch: Vec<Value>) {
    let objects = |list: &[Value]| list.iter().all(Value::is_object);
    if named(base) && named(&patch) {
        for entry in patch {
            match base.iter().position(|known| known["name"] == entry["name"]) {
                Some(at) if entry[DIRECTIVE] == "delete" => _ = base.remove(at),
                Some(at) => merge(&mut base[at], entry, Lists::Merged),
                None if entry[DIRECTIVE] == "delete" => {}
                None => base.push(entry),
            }
        }
    } else if base.len() == patch.len() && objects(base) && objects(&patch) {
        base.iter_mut().zip(patch).for_each(|(base, patch)| merge(base, patch, Lists::Merged));
    } else {
        *base = patch;
    }
}

/// Makes `patch` say of everything that `before` has and it has not that it goes: what an engine of GitOps removes from an object
/// that it has applied.
pub fn take_away(patch: &mut Value, before: &Value) {
    let lists = if is_custom(patch) { Lists::Replaced } else { Lists::Merged };
    let Some(patch) = patch.as_object_mut() else { return };
    for part in ["spec", "data", "stringData", "binaryData"] {
        if let Some(before) = before.get(part) {
            take_fields_away(patch.entry(part).or_insert_with(|| json!({})), before, lists);
        }
    }
}

fn take_fields_away(patch: &mut Value, before: &Value, lists: Lists) {
    match (patch, before, lists) {
        (Value::Object(patch), Value::Object(before), _) => {
            for (key, was) in before {
                match patch.get_mut(key) {
                    Some(is) => take_fields_away(is, was, lists),
                    None => _ = patch.insert(key.clone(), Value::Null),
                }
            }
        }
        (Value::Array(patch), Value::Array(before), Lists::Merged) if named(patch) && named(before) => {
            for was in before {
                match patch.iter_mut().find(|is| is["name"] == was["name"]) {
                    Some(is) => take_fields_away(is, was, lists),
                    None => patch.push(json!({"name": was["name"], DIRECTIVE: "delete"})),
                }
            }
        }
        _ => {}
    }
}

/// Defaults that the server added to an entry are no change of it.
fn replace_list(base: &mut Vec<Value>, patch: Vec<Value>) {
    let says_the_same = |known: &Value, entry: &Value| {
        let mut laid = known.clone();
        merge(&mut laid, entry.clone(), Lists::Replaced);
        laid == *known
    };
    let known = std::mem::take(base);
    for entry in patch {
        let same = known.iter().find(|known| says_the_same(known, &entry)).cloned();
        base.push(same.unwrap_or(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(mut base: Value, patch: Value) -> Value {
        lay_over(&mut base, patch);
        base
    }

    #[test]
    fn what_the_patch_does_not_name_stays_and_null_removes() {
        let base = json!({"data": {"a": "1", "b": "2"}, "type": "Opaque"});
        let patch = json!({"data": {"a": "3", "b": null}, "$patch": "merge"});
        assert_eq!(laid(base, patch), json!({"data": {"a": "3"}, "type": "Opaque"}));
    }

    #[test]
    fn containers_are_merged_by_name_and_arguments_replaced() {
        let base = json!([{"name": "a", "image": "x", "args": ["1", "2"]}, {"name": "b", "image": "y"}]);
        let patch = json!([{"name": "b", "image": "z"}, {"name": "a", "args": ["1"]}]);
        let want = json!([{"name": "a", "image": "x", "args": ["1"]}, {"name": "b", "image": "z"}]);
        assert_eq!(laid(base, patch), want);
    }

    #[test]
    fn defaults_that_the_server_added_to_ports_are_no_change() {
        let base = json!([{"containerPort": 80, "protocol": "TCP"}]);
        assert_eq!(laid(base.clone(), json!([{"containerPort": 80}])), base);
    }

    #[test]
    fn lists_of_a_custom_resource_are_replaced() {
        let of = |sources: Value| json!({"apiVersion": "trust.cert-manager.io/v1alpha1", "sources": sources});
        let base = of(json!([{"secret": {"name": "a", "key": "k"}}, {"name": "b", "policy": "Default"}]));
        for sources in [
            json!([{"inLine": "c"}, {"name": "d"}]),
            json!([{"name": "d"}]),
            json!([{"secret": {"name": "c", "key": "k"}}, {"inLine": "c"}]),
            json!([]),
        ] {
            assert_eq!(laid(base.clone(), of(sources.clone())), of(sources));
        }
        let reversed = json!([{"name": "b", "policy": "Default"}, {"secret": {"name": "a", "key": "k"}}]);
        assert_eq!(laid(base, of(json!([{"name": "b"}, {"secret": {"name": "a"}}]))), of(reversed));
    }

    #[test]
    fn what_is_not_there_any_more_goes() {
        let before = json!({"kind": "Deployment", "spec": {"replicas": 2, "env": [{"name": "a"}, {"name": "b", "value": "1"}]}});
        let mut patch = json!({"kind": "Deployment", "spec": {"env": [{"name": "b"}]}});
        take_away(&mut patch, &before);
        let known = json!({"kind": "Deployment", "spec": {"replicas": 2, "x": 1, "env": [{"name": "a"}, {"name": "b", "value": "1"}, {"name": "c"}]}});
        let want = json!({"kind": "Deployment", "spec": {"x": 1, "env": [{"name": "b"}, {"name": "c"}]}});
        assert_eq!(laid(known, patch), want);
    }

    #[test]
    fn data_of_a_secret_replaces_what_string_data_said() {
        let base = json!({"stringData": {"crt.pem": "old", "key.pem": "k"}});
        let patch = json!({"data": {"crt.pem": "bmV3"}});
        assert_eq!(laid(base, patch), json!({"stringData": {"key.pem": "k"}, "data": {"crt.pem": "bmV3"}}));
    }
}
