//! One Kubernetes object, decoded as far as it is of interest.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Value};

use super::intake::without_nulls;
use crate::document::{Tree, is_list, item_kind};
use crate::mesh::{Interest, Pod};

/// `apiVersion` and `kind`, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) api_version: Option<String>,
    pub(super) kind: Option<String>,
}

impl Kind {
    /// Is it the kind of a list? Not known where there is no kind yet.
    pub(super) fn is_list(&self) -> Option<bool> {
        self.kind.as_deref().map(is_list)
    }

    /// What a list of this kind says of its items.
    pub(super) fn of_items(&self) -> Self {
        match self.kind.as_deref().and_then(item_kind) {
            Some(kind) => Self { kind: Some(kind.to_owned()), api_version: self.api_version.clone() },
            None => Self::default(),
        }
    }
}

/// Which kinds are of interest.
pub(super) type Wants<'a> = &'a (dyn Fn(&str, &str) -> Interest + Sync);

/// What was decoded of an object so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) kind: Kind,
    pub(super) tree: Map<String, Value>,
    pod: Pod,
}

/// What an object is to the one who wants it.
#[derive(Debug)]
pub(super) enum Object {
    Pod(Box<Pod>),
    /// Of whatever other kind; of a kind without interest, some of it.
    Tree(Value),
}

/// How a field is decoded, or what it was decoded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    ApiVersion,
    Kind,
    PodMetadata,
    PodSpec,
    PodStatus,
    Kept,
    Skipped,
}

impl Fields {
    pub(super) fn of(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    fn interest(&self, wants: Wants<'_>) -> Option<Interest> {
        let kind = self.kind.kind.as_deref().filter(|kind| !is_list(kind))?;
        Some(wants(self.kind.api_version.as_deref()?, kind))
    }

    /// How the field `key` is to be decoded.
    pub(super) fn field(&self, key: &str, wants: Wants<'_>) -> Field {
        match (key, self.interest(wants)) {
            ("apiVersion", _) => Field::ApiVersion,
            ("kind", _) => Field::Kind,
            ("metadata", Some(Interest::Pod)) => Field::PodMetadata,
            ("spec", Some(Interest::Pod)) => Field::PodSpec,
            ("status", Some(Interest::Pod)) => Field::PodStatus,
            (_, Some(Interest::Pod | Interest::None)) => Field::Skipped,
            (_, Some(Interest::Object) | None) => Field::Kept,
        }
    }

    /// Takes in the field `key`, decoded as [`Fields::field`] says.
    pub(super) fn put<E: de::Error>(&mut self, key: &str, part: Part) -> Result<(), E> {
        match part {
            Part::ApiVersion(version) => self.kind.api_version = Some(version),
            Part::Kind(kind) => self.kind.kind = Some(kind),
            Part::PodMetadata(Pod { metadata, .. }) => self.pod.metadata = metadata,
            Part::PodSpec(Pod { spec, .. }) => self.pod.spec = spec,
            Part::PodStatus(Pod { status, .. }) => self.pod.status = status,
            Part::Kept(value) => {
                if self.tree.insert(key.to_owned(), value).is_some() {
                    return Err(E::custom(format!("the key `{key}` stands here twice")));
                }
            }
            Part::Skipped => {}
        }
        Ok(())
    }

    /// The object, now that all its fields are there.
    ///
    /// # Errors
    /// The field of a Pod that is not what it must be, where the kind came after it.
    pub(super) fn finish(mut self, wants: Wants<'_>) -> Result<Object, (String, serde_json::Error)> {
        if self.interest(wants) != Some(Interest::Pod) {
            let Kind { api_version, kind } = self.kind;
            let named = [("apiVersion", api_version), ("kind", kind)];
            let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
            return Ok(Object::Tree(named.chain(self.tree).collect()));
        }
        for (key, value) in std::mem::take(&mut self.tree) {
            let part = self.field(&key, wants).deserialize(without_nulls(value));
            part.and_then(|part| self.put(&key, part)).map_err(|error| (key, error))?;
        }
        Ok(Object::Pod(Box::new(self.pod)))
    }
}

/// A decoded field; of a Pod, a Pod with just this one.
pub(super) enum Part {
    ApiVersion(String),
    Kind(String),
    PodMetadata(Pod),
    PodSpec(Pod),
    PodStatus(Pod),
    Kept(Value),
    Skipped,
}

impl<'de> DeserializeSeed<'de> for Field {
    type Value = Part;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        Ok(match self {
            Self::ApiVersion => Part::ApiVersion(Deserialize::deserialize(deserializer)?),
            Self::Kind => Part::Kind(Deserialize::deserialize(deserializer)?),
            Self::PodMetadata => {
                Part::PodMetadata(Pod { metadata: Deserialize::deserialize(deserializer)?, ..Pod::default() })
            }
            Self::PodSpec => {
                Part::PodSpec(Pod { spec: Deserialize::deserialize(deserializer)?, ..Pod::default() })
            }
            Self::PodStatus => {
                Part::PodStatus(Pod { status: Deserialize::deserialize(deserializer)?, ..Pod::default() })
            }
            Self::Kept => Part::Kept(Tree::json().deserialize(deserializer)?),
            Self::Skipped => {
                IgnoredAny::deserialize(deserializer)?;
                Part::Skipped
            }
        })
    }
}

/// Decodes an object whose kind may be known before.
pub(super) struct Seed<'a> {
    pub(super) kind: &'a Kind,
    pub(super) wants: Wants<'a>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Fields;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Fields, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Fields;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a Kubernetes object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::of(self.kind.clone());
        while let Some(key) = entries.next_key::<Cow<'de, str>>()? {
            let part = entries.next_value_seed(fields.field(&key, self.wants))?;
            fields.put::<A::Error>(&key, part)?;
        }
        Ok(fields)
    }
}
