//! One scalar replaced in a YAML or JSON text that stands inside a ConfigMap, every other byte kept.

use serde_json::Value;

use super::mapping;
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
    let new = if is_json(text.as_bytes()) {
        replaced(text, &old.to_string(), value).chain([wanted.to_string()]).find(proven)
    } else {
        let plain = old.as_str().unwrap_or_default();
        in_yaml(text, path, value).into_iter().chain(replaced(text, plain, value)).find(proven)
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

/// Each place where the old value stands, replaced by the new one's JSON.
fn replaced(text: &str, old: &str, value: &str) -> impl Iterator<Item = String> {
    let new = Value::from(value).to_string();
    let starts =
        if old.is_empty() { Vec::new() } else { text.match_indices(old).map(|(start, _)| start).collect() };
    starts.into_iter().map(move |start| [&text[..start], new.as_str(), &text[start + old.len()..]].concat())
}

/// The value written anew after its key, in mappings of the block style.
fn in_yaml(text: &str, path: &[&str], value: &str) -> Option<String> {
    mapping::set(text, mapping::document(text, 1)?, path, value)
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
    fn no_comment_is_lost_with_the_value() {
        let kept = |text: &str| {
            let new = set_scalar(text, &["pem"], PEM);
            new.map(|new| new.matches('#').count())
        };
        assert_eq!(kept("pem: \"old # x\" # why\nc: x\n"), Ok(1));
        assert_eq!(kept("pem: 'old' # why\n# next\nc: x\n"), Ok(2));
        assert_eq!(kept("pem: old\n  # why\nc: x\n"), Ok(1));
        assert_eq!(kept("pem: |\n  # old\nc: x # y\n"), Ok(1));
        for text in
            ["pem: \"old\n  older\" # why\n", "pem: |\n    old\n  # why\nc: x\n", "pem: 'it''s' # why\n"]
        {
            assert_eq!(kept(text), Err(EditError::Unproven("pem".to_owned())), "{text}");
        }
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
