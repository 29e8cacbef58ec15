//! One object's change as a unified diff.

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use super::certificates::{CertificateChange, changes};
use super::view;
use crate::document::{ObjectRef, yaml};
use crate::render::{RenderError, Rendered, one_line};

/// What a step changes in one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDiff {
    /// The object.
    pub object: ObjectRef,
    /// The unified diff with ANSI colours, empty where nothing changes. It holds no private key.
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
    let text = unified((&names.0, &old), (&names.1, &yaml::write(&after)));
    Ok(ObjectDiff { object: item.object.clone(), text, certificates: changes(&item.certificates) })
}

const REMOVED: Style = AnsiColor::Red.on_default();
const ADDED: Style = AnsiColor::Green.on_default();
const HUNK: Style = AnsiColor::Cyan.on_default();
const HEADER: Style = Style::new().bold();

/// A unified diff of two named texts with three lines of context, as `diff -u` prints it; empty where they are equal.
fn unified((old_name, old): (&str, &str), (new_name, new): (&str, &str)) -> String {
    let diff = TextDiff::from_lines(old, new);
    if old == new {
        return String::new();
    }
    let mut out = painted(HEADER, &format!("--- {old_name}")) + &painted(HEADER, &format!("+++ {new_name}"));
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        out += &painted(HUNK, &hunk.header().to_string());
        for change in hunk.iter_changes() {
            let line = format!("{}{}", change.tag(), change.value().trim_end_matches('\n'));
            out += &match change.tag() {
                ChangeTag::Delete => painted(REMOVED, &line),
                ChangeTag::Insert => painted(ADDED, &line),
                ChangeTag::Equal => format!("{line}\n"),
            };
        }
    }
    out
}

fn painted(style: Style, line: &str) -> String {
    format!("{style}{line}{style:#}\n")
}
