//! A diff as people read it: the text, and beside it the certificates.

use crate::diff::ObjectDiff;

/// The unified diff of one object, then a line for each certificate that comes, stays or goes; empty where nothing changes.
#[must_use]
pub fn differences(diff: &ObjectDiff) -> String {
    if diff.text.is_empty() {
        return String::new();
    }
    let certificates: String = diff.certificates.iter().map(|change| format!("# {change}\n")).collect();
    format!("{}{certificates}\n", diff.text)
}
