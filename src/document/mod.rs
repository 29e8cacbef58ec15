//! Kubernetes documents as trees with the place they came from.

pub mod embedded;
mod fault;
pub(crate) mod mapping;
mod nesting;
mod object;
mod overlay;
mod parse;
mod pem;
mod resolve;
mod split;
mod text;
mod tree;
pub mod yaml;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::printable::escaped;

pub use fault::DocumentError;
pub use object::ObjectRef;
pub use overlay::{lay_over, take_away};
pub use parse::{is_json, is_list, item_kind, parse, parse_any, parse_each};
pub use pem::pem_texts;
pub(crate) use text::{decoded, mentions, text_at};
pub(crate) use tree::Tree;

/// Where a document stands: what an error message names first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Origin {
    /// A file's path, `stdin`, or the API path that was read.
    pub source: String,
    /// Which document of a multi-document source, from 1.
    pub document: usize,
    /// Which item of a `List`, from 1; 0 where the document is no list.
    pub item: usize,
    /// Line on which the document starts, from 1; 0 where lines mean nothing (a cluster's answer).
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.source))?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        match (self.document, self.item) {
            (_, item) if item > 0 => write!(f, " (item {item})"),
            (document, _) if document > 1 => write!(f, " (document {document})"),
            _ => Ok(()),
        }
    }
}

/// One Kubernetes object as a tree, keys in the order they were written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// Where it was read.
    pub origin: Origin,
    /// The object.
    pub tree: Value,
}
