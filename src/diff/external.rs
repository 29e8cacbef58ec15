//! The two directories that `KUBECTL_EXTERNAL_DIFF` is given.

use super::view;
use crate::document::{ObjectRef, yaml};
use crate::render::{RenderError, Rendered};

/// One object in both directories, under the file name that `kubectl diff` uses
/// (`pkg/cmd/diff/diff.go`: `group.version.kind.namespace.name`). Keys are masked in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    /// The file's name in either directory.
    pub name: String,
    /// In `LIVE`; `None` where the object was not seen.
    pub live: Option<String>,
    /// In `MERGED`.
    pub merged: String,
}

/// The files of both directories, in the order given.
///
/// # Errors
/// An edit of something that was not observed.
pub fn external(rendered: &[Rendered]) -> Result<Vec<Sides>, RenderError> {
    rendered
        .iter()
        .map(|item| {
            let (before, after) = view::sides(item)?;
            let live = (!item.is_new()).then(|| yaml::write(&before));
            Ok(Sides { name: name(&item.object), live, merged: yaml::write(&after) })
        })
        .collect()
}

fn name(object: &ObjectRef) -> String {
    let ObjectRef { kind, namespace, name, .. } = object;
    let parts = [object.group(), object.version(), kind, namespace, name];
    let safe = |part: &str| part.replace(['/', '\\'], "_");
    let skip = usize::from(object.group().is_empty());
    parts[skip..].iter().map(|part| safe(part)).collect::<Vec<_>>().join(".")
}
