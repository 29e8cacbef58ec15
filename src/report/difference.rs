//! A diff as people read it: the text in colours, and beside it the certificates.

use anstyle::{AnsiColor, Style};

use super::words::styled;
use crate::diff::ObjectDiff;

/// The unified diff of one object, then a line for each certificate that comes, stays or goes; empty where nothing changes.
#[must_use]
pub fn differences(diff: &ObjectDiff) -> String {
    if diff.text.is_empty() {
        return String::new();
    }
    let text: String = diff.text.lines().enumerate().map(|(number, line)| painted(number, line)).collect();
    let certificates: String = diff.certificates.iter().map(|change| format!("# {change}\n")).collect();
    format!("{text}{certificates}\n")
}

/// A line of a unified diff: the first two name both sides.
fn painted(number: usize, line: &str) -> String {
    let style = match line.as_bytes().first() {
        _ if number < 2 => Style::new().bold(),
        Some(b'@') => AnsiColor::Cyan.on_default(),
        Some(b'-') => AnsiColor::Red.on_default(),
        Some(b'+') => AnsiColor::Green.on_default(),
        _ => return format!("{line}\n"),
    };
    styled(style, line) + "\n"
}
