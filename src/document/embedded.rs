//! One scalar replaced in a YAML or JSON text that stands inside a ConfigMap, every other byte kept.

use std::str::FromStr;

use serde_json::Value;
use yaml_edit::{Mapping, YamlFile};

use super::parse::{is_json, parse_value};

/// Why a scalar could not be read or replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The text is neither YAML nor JSON.
    #[error("the text cannot be read: {0}")]
    Unreadable(String),
    /// There is nothing at the path.
    #[error("no value at `{0}`")]
    NoSuchPath(String),
    /// At the path there is a mapping or a list.
    #[error("`{0}` is not one value")]
    NotAScalar(String),
    /// The text was left alone, as nothing showed that only this value would change.
    #[error("`{0}` cannot be replaced without touching other parts of the text: replace it manually")]
    Unproven(String),
}

/// The text of the scalar at `path` (keys from the root); `None` where there is none, or null.
///
/// # Errors
/// When the text cannot be read.
pub fn get_scalar(text: &str, path: &[&str]) -> Result<Option<String>, EditError> {
    let tree = read(text)?;
    Ok(match at(&tree, path) {
        None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(value) => Some(value.to_string()),
    })
}

/// The text with the scalar at `path` (keys from the root) replaced by `value`, proven by reading both again: the trees
/// differ in that value only, and no comment is lost.
///
/// # Errors
/// When the text cannot be read, the path does not lead to a scalar, or the proof fails.
pub fn set_scalar(text: &str, path: &[&str], value: &str) -> Result<String, EditError> {
    let tree = read(text)?;
    let old = at(&tree, path).ok_or_else(|| EditError::NoSuchPath(path.join(".")))?;
    if old.is_object() || old.is_array() {
        return Err(EditError::NotAScalar(path.join(".")));
    }
    let mut wanted = tree.clone();
    if let Some(slot) = path.iter().try_fold(&mut wanted, |tree, key| tree.get_mut(key)) {
        *slot = value.into();
    }
    let proven = |new: &String| read(new).is_ok_and(|tree| tree == wanted);
    let new = match is_json(text.as_bytes()) {
        true => in_json(text, old, value).chain([wanted.to_string()]).find(proven),
        false => {
            let new = in_yaml(text, path, value);
            let candidates = [new.as_ref().map(|new| with_blank_lines_of(text, new)), new];
            candidates.into_iter().flatten().find(|new| proven(new) && comments(new) == comments(text))
        }
    };
    new.ok_or_else(|| EditError::Unproven(path.join(".")))
}

fn read(text: &str) -> Result<Value, EditError> {
    parse_value(text, "text")
        .map_err(|error| EditError::Unreadable(format!("line {}: {}", error.line, error.reason)))
}

fn at<'a>(tree: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |tree, key| tree.get(key))
}

/// Each place where the old value's JSON stands, replaced by the new one's.
fn in_json(text: &str, old: &Value, value: &str) -> impl Iterator<Item = String> {
    let (old, new) = (old.to_string(), Value::from(value).to_string());
    let starts: Vec<usize> = text.match_indices(&old).map(|(start, _)| start).collect();
    starts.into_iter().map(move |start| [&text[..start], new.as_str(), &text[start + old.len()..]].concat())
}

fn in_yaml(text: &str, path: &[&str], value: &str) -> Option<String> {
    let file = YamlFile::from_str(text).ok()?;
    let root: Mapping = file.document()?.as_mapping()?;
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(root, |mapping, key| mapping.get_mapping(*key))?;
    parent.set(*last, value);
    Some(file.to_string())
}

/// The editor drops blank lines after a block: they are put back in front of the lines that both texts end with.
fn with_blank_lines_of(old: &str, new: &str) -> String {
    let [old_lines, mut lines] = [old, new].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
    let same = old_lines.iter().rev().zip(lines.iter().rev()).take_while(|(old, new)| old == new).count();
    let blank_at_end = |lines: &[&str]| lines.iter().rev().take_while(|line| line.trim().is_empty()).count();
    let (before, at) = (&old_lines[..old_lines.len() - same], lines.len() - same);
    let lost = blank_at_end(before).saturating_sub(blank_at_end(&lines[..at]));
    lines.splice(at..at, before[before.len() - lost..].iter().copied());
    lines.concat()
}

fn comments(text: &str) -> Option<Vec<String>> {
    Some(YamlFile::from_str(text).ok()?.comments().map(|comment| comment.text().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n";

    fn set(text: &str) -> String {
        set_scalar(text, &["pem"], PEM).unwrap()
    }

    #[test]
    fn only_the_value_changes_in_every_style_of_yaml() {
        const BLOCK: &str = "  -----BEGIN CERTIFICATE-----\n  YWJj\n  -----END CERTIFICATE-----\n";
        let block = |before: &str, after: &str| format!("{before}{BLOCK}{after}");
        assert_eq!(
            set("pem: |  # why\n  old\n  older\n\n\n# next\nc: x # y\n"),
            block("pem: |  # why\n", "\n\n# next\nc: x # y\n")
        );
        assert_eq!(set("a: 1\npem: old # why\n\nc: x\n"), block("a: 1\npem: | # why\n", "\nc: x\n"));
        assert_eq!(set("pem: \"old\"\nc: x\n"), block("pem: |\n", "c: x\n"));
        assert_eq!(set("pem: >-\n  old\n  older\nc: x\n"), block("pem: |\n", "c: x\n"));
        assert_eq!(set("pem:\nc: x\n"), block("pem: |\n", "c: x\n"));
        assert_eq!(set("c: &a |\n  old\npem: *a\n"), block("c: &a |\n  old\npem: |\n", ""));
        assert_eq!(set("{pem: old, c: x}\n"), format!("{{pem: {}, c: x}}\n", Value::from(PEM)));
    }

    #[test]
    fn nested_values_are_read_and_replaced() {
        let text = "identity:\n  issuer:\n    # the issuer\n    tls:\n      crtPEM: old\n    n: 1\n";
        let path = ["identity", "issuer", "tls", "crtPEM"];
        assert_eq!(get_scalar(text, &path), Ok(Some("old".to_owned())));
        let new = set_scalar(text, &path, PEM).unwrap();
        assert_eq!(get_scalar(&new, &path), Ok(Some(PEM.to_owned())));
        assert!(
            new.starts_with(
                "identity:\n  issuer:\n    # the issuer\n    tls:\n      crtPEM: |\n        -----BEGIN"
            ),
            "{new}"
        );
        assert!(new.ends_with("\n        -----END CERTIFICATE-----\n    n: 1\n"), "{new}");
    }

    #[test]
    fn json_keeps_every_other_byte() {
        let text = r#"{"v":"old", "identityContext" : {"trustAnchorsPem":"old","n":1.0},"u":"\u003c"}"#;
        let new = set_scalar(text, &["identityContext", "trustAnchorsPem"], "a\nb").unwrap();
        assert_eq!(
            new,
            r#"{"v":"old", "identityContext" : {"trustAnchorsPem":"a\nb","n":1.0},"u":"\u003c"}"#
        );
    }

    #[test]
    fn what_cannot_be_proven_is_refused() {
        let error = |text, path: &[&str]| set_scalar(text, path, PEM).unwrap_err();
        assert_eq!(error("pem: &a old\nc: *a\n", &["pem"]), EditError::Unproven("pem".to_owned()));
        assert_eq!(error("a: {b: 1}\n", &["a"]), EditError::NotAScalar("a".to_owned()));
        assert_eq!(error("a: {b: 1}\n", &["a", "c"]), EditError::NoSuchPath("a.c".to_owned()));
        assert!(matches!(error("a: [\n", &["a"]), EditError::Unreadable(_)));
    }
}
