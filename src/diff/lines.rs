//! The lines that differ between two texts, with three lines around them.

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::{Change, DiffOp, group_diff_ops};

/// Lines around a change.
const CONTEXT: usize = 3;

/// Changes that stand close to each other.
pub struct Hunk<'a> {
    /// `@@ -1,3 +1,4 @@`.
    pub header: String,
    /// Its lines, those that stay among them.
    pub lines: Vec<Change<&'a str>>,
}

/// The hunks between two texts, as `diff -u` has them; none where they are equal.
#[must_use]
pub fn hunks<'a>(old: &'a str, new: &'a str) -> Vec<Hunk<'a>> {
    let [old, new] = [old, new].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
    // This algorithm alone: what chooses among all of them has them compiled in.
    let mut found = Compact::new(Replace::new(Capture::new()), &*old, &*new);
    let Ok(()) = myers::diff(&mut found, &*old, 0..old.len(), &*new, 0..new.len());
    let operations = found.into_inner().into_inner().into_ops();
    let hunk = |operations: Vec<DiffOp>| Hunk {
        header: header(&operations),
        lines: operations.iter().flat_map(|operation| operation.iter_changes(&*old, &*new)).collect(),
    };
    group_diff_ops(operations, CONTEXT).into_iter().map(hunk).collect()
}

fn header(operations: &[DiffOp]) -> String {
    let (Some(first), Some(last)) = (operations.first(), operations.last()) else { return String::new() };
    let old = range(first.old_range().start, last.old_range().end);
    let new = range(first.new_range().start, last.new_range().end);
    format!("@@ -{old} +{new} @@")
}

/// A range of no lines is named by the line before it.
fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => (start + 1).to_string(),
        length => format!("{},{length}", start + 1),
    }
}
