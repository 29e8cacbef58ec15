//! Any YAML or JSON value as a JSON tree, as kubectl would take it.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, map::Entry};

use super::resolve::resolve;
use crate::limits::NODE;

/// Decodes one value: refuses duplicate keys, and what aliases would blow up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tree<'a>(Option<Yaml<'a>>);

/// What reading YAML needs to know beside the value.
#[derive(Debug, Clone, Copy)]
struct Yaml<'a> {
    /// The text that is read, to tell plain scalars from quoted ones.
    text: &'a str,
    /// How many more bytes the trees of its source may take.
    budget: &'a Cell<usize>,
}

impl<'a> Tree<'a> {
    /// Reads JSON.
    pub(crate) const fn json() -> Self {
        Self(None)
    }

    /// Reads the YAML `text`, into a tree of at most `budget` bytes.
    pub(super) const fn yaml(text: &'a str, budget: &'a Cell<usize>) -> Self {
        Self(Some(Yaml { text, budget }))
    }

    /// Counts what becomes part of the tree; aliases repeat it.
    fn spend<E: Error>(self, bytes: usize) -> Result<(), E> {
        let Some(Yaml { budget, .. }) = self.0 else { return Ok(()) };
        budget.set(budget.get().checked_sub(bytes).ok_or_else(|| E::custom(super::fault::ALIASES))?);
        Ok(())
    }

    /// A scalar that stands plain in the text is resolved as kubectl does; a quoted one is the string it is.
    fn scalar(self, text: &str) -> Value {
        match self.0 {
            Some(yaml) if yaml.is_plain(text) => resolve(text).unwrap_or_else(|| text.into()),
            _ => text.into(),
        }
    }
}

impl Yaml<'_> {
    /// The parser lends scalars out of the text where they stand there as they are: the byte before tells of a quote.
    fn is_plain(self, scalar: &str) -> bool {
        let before = scalar.as_ptr().addr().checked_sub(self.text.as_ptr().addr());
        before.and_then(|offset| self.text.get(..offset)).is_some_and(|before| {
            !before.ends_with(['"', '\'']) && !before.trim_end_matches(' ').ends_with("!!str")
        })
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.spend(NODE)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number =
            Number::from_f64(value).ok_or_else(|| E::custom(format!("{value} is no number in JSON")))?;
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.spend(value.len())?;
        Ok(value.into())
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Value, E> {
        self.spend(value.len())?;
        Ok(self.scalar(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.spend(value.len())?;
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key_seed(Key(self))? {
            match map.entry(key) {
                Entry::Occupied(entry) => {
                    return Err(A::Error::custom(format!("the key `{}` stands here twice", entry.key())));
                }
                Entry::Vacant(entry) => entry.insert(entries.next_value_seed(self)?),
            };
        }
        if self.0.is_some() {
            merge(&mut map).map_err(A::Error::custom)?;
        }
        Ok(map.into())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (tag, _) = data.variant::<String>()?;
        Err(A::Error::custom(format!("the tag `!{tag}` means nothing to Kubernetes")))
    }
}

/// The merge key of YAML 1.1: keys that stand in the mapping itself win, then the first that is merged.
fn merge(map: &mut Map<String, Value>) -> Result<(), &'static str> {
    const WRONG: &str = "`<<` merges a mapping or a list of mappings, nothing else";
    let sources = match map.shift_remove("<<") {
        None => return Ok(()),
        Some(Value::Array(sources)) => sources,
        Some(source) => vec![source],
    };
    for source in sources {
        let Value::Object(source) = source else { return Err(WRONG) };
        for (key, value) in source {
            map.entry(key).or_insert(value);
        }
    }
    Ok(())
}

/// A mapping's key: a scalar, taken as the string that kubectl makes of it.
struct Key<'a>(Tree<'a>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        match self.0.deserialize(deserializer)? {
            Value::String(key) => Ok(key),
            key @ (Value::Bool(_) | Value::Number(_)) => Ok(key.to_string()),
            Value::Null => Err(D::Error::custom("a key is missing before `:`")),
            Value::Array(_) | Value::Object(_) => Err(D::Error::custom(super::fault::NESTED_KEY)),
        }
    }
}
