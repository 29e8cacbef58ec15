//! One object's change as a unified diff.

use super::certificates::{CertificateChange, changes};
use super::lines::hunks;
use super::view;
use crate::document::{ObjectRef, yaml};
use crate::render::{RenderError, Rendered, WholeChange, one_line};

/// What a step changes in one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDiff {
    /// The object.
    pub object: ObjectRef,
    /// The unified diff, empty where nothing changes. It holds no private key.
    pub text: String,
    /// The certificates of the changed fields, before and after.
    pub certificates: Vec<CertificateChange>,
}

/// The diff of every object of a step, in the order given; those that do not change have an empty text. All forms give the
/// same object, so there is one diff for all.
///
/// # Errors
/// An edit of something that was not observed.
pub fn diff(rendered: &[Rendered]) -> Result<Vec<ObjectDiff>, RenderError> {
    rendered.iter().map(object_diff).collect()
}

fn object_diff(item: &Rendered) -> Result<ObjectDiff, RenderError> {
    let (before, after) = view::sides(item)?;
    let old = if item.is_new() { String::new() } else { yaml::write(&before) };
    let object = one_line(&item.object.to_string());
    let names = (format!("current/{object}"), format!("{}/{object}", item.step));
    let new = if item.whole == Some(WholeChange::Removed) { String::new() } else { yaml::write(&after) };
    let text = unified((&names.0, &old), (&names.1, &new));
    Ok(ObjectDiff { object: item.object.clone(), text, certificates: changes(&item.certificates) })
}

/// A unified diff of two named texts with three lines of context, as `diff -u` prints it; empty where they are equal.
fn unified((old_name, old): (&str, &str), (new_name, new): (&str, &str)) -> String {
    if old == new {
        return String::new();
    }
    let mut out = format!("--- {old_name}\n+++ {new_name}\n");
    for hunk in hunks(old, new) {
        out += &format!("{}\n", hunk.header);
        for line in hunk.lines {
            out += &format!("{}{}\n", line.tag(), line.value().trim_end_matches('\n'));
        }
    }
    out
}
