//! YAML and JSON text into documents.

use std::cell::Cell;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _};
use serde_json::Value;

use super::fault::DocumentError;
use super::nesting;
use super::split::{Chunk, chunks, items};
use super::tree::Tree;
use super::{Document, Origin};
use crate::limits;

/// Reads all documents of a YAML or JSON text; `List`s are taken apart into their items, empty documents passed over.
///
/// Plain scalars and keys are taken as kubectl takes them (YAML 1.1: `yes` is a boolean, `0644` an octal number), merge keys
/// and aliases are resolved.
///
/// # Errors
/// At the first fault of syntax, duplicate key, alias bomb, or document that is not a mapping.
pub fn parse(text: &str, source_name: &str) -> Result<Vec<Document>, DocumentError> {
    let mut documents = Vec::new();
    parse_each(text, source_name, |document| {
        documents.push(document);
        Ok::<_, DocumentError>(())
    })?;
    Ok(documents)
}

/// As [`parse`], one document after the other: only one is held at a time.
///
/// # Errors
/// As [`parse`], and what `each` returns.
pub fn parse_each<E: From<DocumentError>>(
    text: &str,
    source_name: &str,
    each: impl FnMut(Document) -> Result<(), E>,
) -> Result<(), E> {
    read_each(text, source_name, false, each)
}

/// As [`parse_each`], for a text that need not be Kubernetes': documents that are no mapping are handed on as well.
///
/// # Errors
/// As [`parse_each`], but for these.
pub fn parse_any<E: From<DocumentError>>(
    text: &str,
    source_name: &str,
    each: impl FnMut(Document) -> Result<(), E>,
) -> Result<(), E> {
    read_each(text, source_name, true, each)
}

fn read_each<E: From<DocumentError>>(
    text: &str,
    source_name: &str,
    any: bool,
    each: impl FnMut(Document) -> Result<(), E>,
) -> Result<(), E> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { source_name, document: 0, any, budget: budget(text), each };
    if is_json(text.as_bytes()) {
        reader.json(text)
    } else {
        chunks(text).try_for_each(|chunk| reader.chunk(&chunk))
    }
}

/// Does the text begin as a JSON object or list of objects does? (`{a: b}` and `{{` do not: they are YAML's or Helm's.)
#[must_use]
pub fn is_json(text: &[u8]) -> bool {
    let mut bytes = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (bytes.next(), bytes.next()) {
        (Some(b'{'), Some(b'"' | b'}') | None) => true,
        (Some(b'['), next) => matches!(next, Some(b'{' | b']') | None),
        _ => false,
    }
}

struct Reader<'a, F> {
    source_name: &'a str,
    document: usize,
    /// Are documents that are no mapping handed on?
    any: bool,
    /// What its trees may still take; every item and document of the text has its part of it.
    budget: Cell<usize>,
    each: F,
}

impl<E: From<DocumentError>, F: FnMut(Document) -> Result<(), E>> Reader<'_, F> {
    fn json(&mut self, text: &str) -> Result<(), E> {
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Json>();
        let (mut counted, mut line) = (0, 1);
        loop {
            let rest = &text[stream.byte_offset()..];
            let start = text.len() - rest.trim_start().len();
            line += text[counted..start].matches('\n').count();
            counted = start;
            match stream.next() {
                None => return Ok(()),
                Some(Err(error)) => return Err(DocumentError::of_json(self.source_name, &error).into()),
                Some(Ok(Json(tree))) => self.document(tree, line, 0)?,
            }
        }
    }

    fn chunk(&mut self, chunk: &Chunk<'_>) -> Result<(), E> {
        let before = self.budget.get();
        let Some((kinds, items)) = items(chunk)
            .and_then(|(frame, items)| Some((Kinds::of_list(&yaml(&frame, &self.budget).ok()?)?, items)))
        else {
            return self.whole(chunk, 0);
        };
        self.document += 1;
        for (index, item) in items.iter().enumerate() {
            let Ok(Value::Array(one)) = yaml(item.text, &self.budget) else {
                // The cut went through something that only the whole can tell: an anchor, or a fault.
                self.document -= 1;
                self.budget.set(before);
                return self.whole(chunk, index);
            };
            let origin = self.origin(index + 1, item.line);
            for tree in one {
                each_item(Document { origin: origin.clone(), tree }, Some(&kinds), &mut self.each)?;
            }
        }
        Ok(())
    }

    fn whole(&mut self, chunk: &Chunk<'_>, done: usize) -> Result<(), E> {
        let tree = yaml(chunk.text, &self.budget)
            .map_err(|error| DocumentError::of_yaml(self.source_name, chunk.text, chunk.line, &error))?;
        self.document(tree, chunk.content_line, done)
    }

    /// Hands on what `tree` is; of a list, the items after the first `done`.
    fn document(&mut self, mut tree: Value, line: usize, done: usize) -> Result<(), E> {
        if tree.is_null() {
            return Ok(());
        }
        self.document += 1;
        let mut origin = self.origin(0, line);
        if !tree.is_object() && self.any {
            return (self.each)(Document { origin, tree });
        }
        if !tree.is_object() {
            return Err(not_an_object(&tree, &origin).into());
        }
        let Some((kinds, items)) = take_items(&mut tree) else {
            return (self.each)(Document { origin, tree });
        };
        for (index, tree) in items.into_iter().enumerate().skip(done) {
            origin.item = index + 1;
            each_item(Document { origin: origin.clone(), tree }, Some(&kinds), &mut self.each)?;
        }
        Ok(())
    }

    fn origin(&self, item: usize, line: usize) -> Origin {
        Origin { source: self.source_name.to_owned(), document: self.document, item, line }
    }
}

impl Document {
    /// Hands on the document, or, where it is a list, its items.
    pub(crate) fn each_item<E: From<DocumentError>>(
        self,
        mut each: impl FnMut(Self) -> Result<(), E>,
    ) -> Result<(), E> {
        each_item(self, None, &mut each)
    }
}

/// Hands on an item of a list, with the kind that the list implies; of a list within a list, its items.
fn each_item<E: From<DocumentError>>(
    Document { origin, mut tree }: Document,
    list: Option<&Kinds>,
    each: &mut impl FnMut(Document) -> Result<(), E>,
) -> Result<(), E> {
    if let Some((kinds, items)) = take_items(&mut tree) {
        let mut items = items.into_iter().map(|tree| Document { origin: origin.clone(), tree });
        return items.try_for_each(|item| each_item(item, Some(&kinds), each));
    }
    // A template that renders nothing for an item leaves this, and kubectl passes over it.
    if tree.is_null() {
        return Ok(());
    }
    let Value::Object(object) = &mut tree else { return Err(not_an_object(&tree, &origin).into()) };
    if !object.contains_key("kind")
        && let Some(list) = list
        && let Some(kind) = item_kind(&list.list)
    {
        object.shift_insert(0, "apiVersion".to_owned(), list.api_version.as_str().into());
        object.shift_insert(1, "kind".to_owned(), kind.into());
    }
    each(Document { origin, tree })
}

fn not_an_object(tree: &Value, origin: &Origin) -> DocumentError {
    let found = match tree {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(text) if super::fault::is_template(text) => {
            return DocumentError::template(&origin.source, origin.line);
        }
        Value::String(_) => "a text",
        Value::Array(_) => "a list without a kind",
        Value::Object(_) => "an object",
    };
    let what = if origin.item > 0 { "item" } else { "document" };
    let help = "a Kubernetes document has `apiVersion`, `kind` and `metadata`";
    DocumentError::new(&origin.source, origin.line, format!("the {what} is {found}, not an object"), help)
}

/// The one value that a YAML or JSON text is, of whatever type.
pub(super) fn parse_value(text: &str, source_name: &str) -> Result<Value, DocumentError> {
    if is_json(text.as_bytes()) {
        let value: Result<Json, _> = serde_json::from_str(text);
        return value.map(|Json(tree)| tree).map_err(|error| DocumentError::of_json(source_name, &error));
    }
    yaml(text, &budget(text)).map_err(|error| DocumentError::of_yaml(source_name, text, 1, &error))
}

/// What the trees of all documents of a YAML text may take, in bytes.
fn budget(text: &str) -> Cell<usize> {
    Cell::new(text.len().saturating_mul(limits::TREE).saturating_add(limits::ALIASES))
}

/// One YAML document, or an item of it.
fn yaml(text: &str, budget: &Cell<usize>) -> Result<Value, serde_yaml::Error> {
    if nesting::is_deeper(text, limits::NESTING) {
        return Err(serde_yaml::Error::custom(super::fault::NESTING));
    }
    Tree::yaml(text, budget).deserialize(serde_yaml::Deserializer::from_str(text))
}

/// What a list says of its items.
struct Kinds {
    api_version: String,
    list: String,
}

impl Kinds {
    /// `None` where the object is no list.
    fn of_list(tree: &Value) -> Option<Self> {
        let text = |key: &str| tree.get(key).and_then(Value::as_str);
        let list = text("kind").filter(|kind| is_list(kind))?.to_owned();
        let items = tree.get("items").is_some_and(|items| items.is_array() || items.is_null());
        (items && tree.pointer("/metadata/name").is_none())
            .then(|| Self { api_version: text("apiVersion").unwrap_or_default().to_owned(), list })
    }
}

/// The items of a `List` or typed `*List`, taken out of it; `None` where it is an object of its own.
fn take_items(tree: &mut Value) -> Option<(Kinds, Vec<Value>)> {
    let kinds = Kinds::of_list(tree)?;
    match tree["items"].take() {
        Value::Array(items) => Some((kinds, items)),
        _ => Some((kinds, Vec::new())),
    }
}

/// A JSON value without duplicate keys.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tree::json().deserialize(deserializer).map(Self)
    }
}

/// Is this the kind of a list?
#[must_use]
pub fn is_list(kind: &str) -> bool {
    kind.ends_with("List")
}

/// The kind that the items of a typed list have; `None` for `List`, whose items tell it themselves.
#[must_use]
pub fn item_kind(list_kind: &str) -> Option<&str> {
    list_kind.strip_suffix("List").filter(|kind| !kind.is_empty())
}
