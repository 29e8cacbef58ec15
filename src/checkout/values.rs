//! Values of a Helm release, laid over each other as Helm does.

use serde_json::{Map, Value};

use crate::document;

/// Lays values over others: mappings key by key, `null` takes a key out, everything else is replaced
/// (Helm, `pkg/chart/common/util/coalesce.go`).
pub(super) fn lay(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    _ if value.is_null() => _ = base.shift_remove(&key),
                    Some(known) => lay(known, value),
                    None => _ = base.insert(key, value),
                }
            }
        }
        (base, over) => *base = over,
    }
}

/// Sets one value as `--set` does: at a comma the text ends, and what follows sets another one (Helm, `pkg/strvals`).
pub(super) fn set(values: &mut Value, path: &str, text: &str) {
    let mut parts = parts(text).into_iter();
    assign(values, path, parts.next().unwrap_or_default().into());
    for (path, text) in
        parts.filter_map(|part| part.split_once('=').map(|(path, text)| (path.to_owned(), text.to_owned())))
    {
        assign(values, &path, text.into());
    }
}

/// Sets one value to a text as it is, as `--set-file` and `--set-literal` do.
pub(super) fn assign(values: &mut Value, path: &str, value: Value) {
    let mut place = values;
    for key in keys(path) {
        place = match key {
            Key::Name(name) => {
                if !place.is_object() {
                    *place = Map::new().into();
                }
                &mut place[name]
            }
            Key::Item(at) => {
                if !place.is_array() {
                    *place = Value::Array(Vec::new());
                }
                if let Some(items) = place.as_array_mut().filter(|items| items.len() <= at) {
                    items.resize(at + 1, Value::Null);
                }
                &mut place[at]
            }
        };
    }
    *place = value;
}

/// The value at a path of `--set`.
pub(super) fn get<'a>(values: &'a Value, path: &str) -> Option<&'a Value> {
    keys(path).into_iter().try_fold(values, |place, key| match key {
        Key::Name(name) => place.get(name),
        Key::Item(at) => place.get(at),
    })
}

/// A part of a path of `--set`.
enum Key {
    Name(String),
    Item(usize),
}

/// Helm takes no greater index (`pkg/strvals`).
const LAST_ITEM: usize = 65536;

/// The keys of a path; `\.` is a dot within one, and `[0]` an item of a list.
fn keys(path: &str) -> Vec<Key> {
    let mut names = vec![String::new()];
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match (character, names.last_mut()) {
            ('.', _) => names.push(String::new()),
            ('\\', Some(name)) => name.extend(characters.next()),
            (other, Some(name)) => name.push(other),
            (_, None) => {}
        }
    }
    let mut keys = Vec::new();
    for name in names {
        let (name, items) = with_items(&name);
        keys.push(Key::Name(name.to_owned()));
        keys.extend(items.into_iter().map(Key::Item));
    }
    keys
}

/// `env[0][1]` is a name and the items below it.
fn with_items(name: &str) -> (&str, Vec<usize>) {
    let (mut rest, mut items) = (name, Vec::new());
    while let Some((before, at)) = rest.strip_suffix(']').and_then(|inner| inner.rsplit_once('[')) {
        match at.parse() {
            Ok(at) if at <= LAST_ITEM => items.insert(0, at),
            _ => return (name, Vec::new()),
        }
        rest = before;
    }
    (rest, items)
}

/// What stands between commas; `\\,` is a comma within.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, parts.last_mut()) {
            (',', _) => parts.push(String::new()),
            ('\\', Some(part)) => part.extend(characters.next()),
            (other, Some(part)) => part.push(other),
            (_, None) => {}
        }
    }
    parts
}

/// The one mapping that a text of values is; an empty text is an empty mapping.
pub(super) fn parse(text: &str) -> Option<Value> {
    let mut documents = document::parse(text, "values").ok()?;
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => Some(document.tree),
        (None, _) => Some(Map::new().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_laid_over_each_other_key_by_key() {
        let mut values =
            json!({"identity": {"issuer": {"scheme": "x", "tls": {"crtPEM": "a"}}}, "list": [1, 2]});
        lay(
            &mut values,
            json!({"identity": {"issuer": {"scheme": null, "tls": {"keyPEM": "b"}}}, "list": [3]}),
        );
        assert_eq!(
            values,
            json!({"identity": {"issuer": {"tls": {"crtPEM": "a", "keyPEM": "b"}}}, "list": [3]})
        );
    }

    #[test]
    fn a_value_set_by_a_path_ends_at_its_first_comma() {
        let mut values = json!({});
        set(&mut values, "identity.issuer.tls.crtPEM", "# CN=root, O=x\n-----BEGIN");
        assign(&mut values, "a\\.b", "x, y".into());
        assign(&mut values, "env[1].name", "E".into());
        assert_eq!(
            values,
            json!({"identity": {"issuer": {"tls": {"crtPEM": "# CN=root"}}}, " O": "x\n-----BEGIN", "a.b": "x, y", "env": [null, {"name": "E"}]})
        );
        assert_eq!(get(&values, "identity.issuer.tls.crtPEM"), Some(&json!("# CN=root")));
    }
}
