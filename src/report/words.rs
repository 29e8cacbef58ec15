//! Counts, colours and diffs as people read them.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use jiff::SignedDuration;
use serde::Serialize;

use crate::cli::DataFormat;
use crate::diff::ObjectDiff;
use crate::document::{ObjectRef, yaml};

/// A number of things: `1 proxy`, `1,204 proxies`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if number == 1 { one } else { many })
}

/// A duration in the largest unit that has two: `12 days`, `16 hours`, `5 minutes`.
#[must_use]
pub(super) fn duration(duration: SignedDuration) -> String {
    let minutes = duration.as_mins().max(0).unsigned_abs();
    match minutes {
        m if m >= 48 * 60 => count(m / (24 * 60), "day", "days"),
        m if m >= 120 => count(m / 60, "hour", "hours"),
        m => count(m, "minute", "minutes"),
    }
}

/// A short duration to the second: `45 s`, `12 min`, `1 h 5 min`.
#[must_use]
pub(super) fn seconds(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// The command that restarts a workload.
#[must_use]
pub(super) fn restart_command(object: &ObjectRef) -> String {
    let (name, namespace) = (shell_word(&object.name), shell_word(&object.namespace));
    match object.kind.as_str() {
        "Rollout" => format!("kubectl argo rollouts restart {name} -n {namespace}"),
        kind => format!("kubectl rollout restart {}/{name} -n {namespace}", kind.to_lowercase()),
    }
}

/// A word of a command line as a POSIX shell reads it: quoted where it has to be.
#[must_use]
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

/// Text in a style; the escape codes are taken out again where nobody sees colour.
#[must_use]
pub fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

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

/// A value as JSON or YAML, where one of them was asked for.
#[must_use]
pub fn as_data<T: Serialize + ?Sized>(format: DataFormat, value: &T) -> Option<String> {
    // Reports are trees of strings, numbers and lists: such a value always has a JSON form.
    let tree = serde_json::to_value(value).unwrap_or_default();
    match format {
        DataFormat::Text => None,
        DataFormat::Json => Some(format!("{tree:#}\n")),
        DataFormat::Yaml => Some(yaml::write(&tree)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_it_otherwise() {
        for (word, quoted) in [
            ("rotation/a-1.yaml", "rotation/a-1.yaml"),
            ("new rotation", "'new rotation'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }

    #[test]
    fn durations_are_said_in_the_largest_unit_that_has_two() {
        let said = [90, 119 * 60, 120 * 60, 47 * 3600, 48 * 3600, 60 * 86400, -5]
            .map(|seconds| duration(SignedDuration::from_secs(seconds)));
        assert_eq!(
            said,
            ["1 minute", "119 minutes", "2 hours", "47 hours", "2 days", "60 days", "0 minutes"]
        );
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(count(1, "proxy", "proxies"), "1 proxy");
        assert_eq!(count(1_204_000, "proxy", "proxies"), "1,204,000 proxies");
    }
}
