//! YAML that every YAML 1.1 and 1.2 reader takes for the same tree, kubectl first.

use std::fmt::Write;

use serde_json::{Map, Number, Value};

use crate::printable::is_hidden;

/// Writes one document: literal blocks for PEM, quotes for whatever some reader would take for something else.
///
/// The same tree gives the same bytes, always.
#[must_use]
pub fn write(tree: &Value) -> String {
    let mut out = String::new();
    match tree {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, map, 0, true),
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0, true),
        Value::String(text) => out = quoted(text) + "\n",
        _ => value(&mut out, tree, 0),
    }
    out
}

/// Writes documents as one stream: each after `---` and its head, a line of comment for each line of `head`.
#[must_use]
pub fn write_stream(documents: &[(Vec<String>, Value)]) -> String {
    let document = |(head, tree): &(Vec<String>, Value)| {
        let head: String = head.iter().flat_map(|text| text.split(is_break)).map(comment).collect();
        format!("---\n{head}{}", write(tree))
    };
    documents.iter().map(document).collect()
}

fn comment(line: &str) -> String {
    let line: String =
        line.chars().map(|c| if is_printable(c) { c } else { char::REPLACEMENT_CHARACTER }).collect();
    format!("# {line}").trim_end().to_owned() + "\n"
}

/// Entries of a mapping; where `started` the indentation of the first stands already (after `- `, or at the margin).
fn mapping(out: &mut String, map: &Map<String, Value>, indent: usize, mut started: bool) {
    for (key, child) in map {
        if !std::mem::take(&mut started) {
            margin(out, indent);
        }
        let key = if is_plain(key) { key.clone() } else { quoted(key) };
        // Readers look for the `:` of a key within 1024 characters (YAML 1.2 section 7.4.2).
        if key.len() > 1000 {
            let _ = write!(out, "? {key}\n{:indent$}:", "");
        } else {
            out.push_str(&key);
            out.push(':');
        }
        match child {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                mapping(out, map, indent + 2, false);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                sequence(out, items, indent, false);
            }
            _ => {
                out.push(' ');
                value(out, child, indent + 2);
            }
        }
    }
}

fn sequence(out: &mut String, items: &[Value], indent: usize, mut started: bool) {
    for item in items {
        if !std::mem::take(&mut started) {
            margin(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => mapping(out, map, indent + 2, true),
            Value::Array(items) if !items.is_empty() => sequence(out, items, indent + 2, true),
            _ => value(out, item, indent + 2),
        }
    }
}

/// A text as a scalar, to the end of its last line; `indent` is that of a literal block's lines.
pub(super) fn scalar(text: &str, indent: usize) -> String {
    let mut out = String::new();
    value(&mut out, &Value::from(text), indent);
    out
}

fn margin(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A scalar or an empty collection, to the end of its last line; `indent` is that of a literal block's lines.
fn value(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => out.push_str(&number(value)),
        Value::String(text) if is_block(text) => return block(out, text, indent),
        Value::String(text) if is_plain(text) => out.push_str(text),
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
    out.push('\n');
}

/// YAML 1.1 wants a decimal point and a signed exponent in a float.
fn number(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let dot = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{mantissa}{dot}e{sign}{exponent}")
}

/// Can the text stand as a literal block, no reader taking its blanks for anything else?
fn is_block(text: &str) -> bool {
    let unclear = |line: &str| line.ends_with([' ', '\t']) || line.starts_with('\t');
    text.contains('\n')
        && !text.starts_with(['\n', ' '])
        && text.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
        && !text.split('\n').any(unclear)
}

fn block(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    let trailing = text.len() - body.len();
    out.push_str(match trailing {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    });
    for line in body.split('\n') {
        if !line.is_empty() {
            margin(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
    out.extend(std::iter::repeat_n('\n', trailing.saturating_sub(1)));
}

/// Do all readers take the text, written plain, for this string?
fn is_plain(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./:@=+%$(), ".contains(c);
    let stray = text.ends_with([' ', ':']) || text.contains(": ");
    text.chars().all(allowed) && !stray && !is_word(text) && begins_as_text(text)
}

/// A letter, or a path, begins text; digits do where something follows that no number or date of any reader has.
fn begins_as_text(text: &str) -> bool {
    let telling =
        |c: char| "%/".contains(c) || (c.is_ascii_alphabetic() && !"abcdefxobtzinABCDEFXOBTZIN".contains(c));
    match text.trim_start_matches('-').chars().next() {
        Some('a'..='z' | 'A'..='Z') => !is_word(text.trim_start_matches('-')),
        Some('/' | '_' | '$') => !text.starts_with('-'),
        Some('0'..='9') => !text.starts_with('-') && text.contains(telling),
        _ => false,
    }
}

/// What some reader takes for a boolean, nothing, or a number.
fn is_word(text: &str) -> bool {
    const WORDS: [&str; 12] =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nil", "nan", "inf"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Double quotes on one line, with escapes for all that a reader could change.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\t' => write!(out, "\\t"),
            '\r' => write!(out, "\\r"),
            c if is_printable(c) => write!(out, "{c}"),
            c if u32::from(c) > 0xffff => write!(out, "\\U{:08x}", u32::from(c)),
            c => write!(out, "\\u{:04x}", u32::from(c)),
        };
    }
    out.push('"');
    out
}

/// Printable in YAML 1.1 and 1.2, and neither a break, a blank nor a byte order mark to either (sections 5.1, 5.2, 5.4); nor
/// anything that a person who reads the file does not see.
fn is_printable(c: char) -> bool {
    if is_hidden(c) {
        return false;
    }
    matches!(c, ' '..='~' | '\u{a1}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
        || (c > '\u{ffff}' && u32::from(c) & 0xfffe != 0xfffe)
}

const fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn documents_look_as_kubectl_prints_them() {
        let tree = json!({
            "kind": "ConfigMap", "data": {"ca-bundle.crt": "-----BEGIN\nabc\n-----END\n", "on": "no", "n": "1_000", "time": "24h0m0s"},
            "spec": {"args": ["-log-level=info", "--x", "0x1f", "1e3", "", "a: b", "10.0.0.0/8", "25%"], "ports": [{"port": 1, "name": "a"}]},
            "empty": {}, "none": [], "nested": [[1, 2], []], "float": 1e100
        });
        assert_eq!(
            write(&tree),
            r#"kind: ConfigMap
data:
  ca-bundle.crt: |
    -----BEGIN
    abc
    -----END
  "on": "no"
  "n": "1_000"
  time: 24h0m0s
spec:
  args:
  - -log-level=info
  - --x
  - "0x1f"
  - "1e3"
  - ""
  - "a: b"
  - 10.0.0.0/8
  - 25%
  ports:
  - port: 1
    name: a
empty: {}
none: []
nested:
- - 1
  - 2
- []
float: 1.0e+100
"#
        );
    }

    #[test]
    fn a_comment_cannot_break_out_of_its_head() {
        let head = vec!["one\nkind: Secret\r\u{2028}two\u{0}".to_owned(), String::new()];
        let text = write_stream(&[(head, json!({"a": 1})), (vec![], json!({"b": 2}))]);
        assert_eq!(text, "---\n# one\n# kind: Secret\n#\n# two\u{fffd}\n#\na: 1\n---\nb: 2\n");
    }

    fn read(text: &str) -> Value {
        let value: serde_yaml::Value =
            serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        serde_json::to_value(value).unwrap()
    }

    fn tree() -> impl Strategy<Value = Value> {
        let text = || {
            prop_oneof![
                any::<String>(),
                "[ -~\\n\\t]{0,40}",
                "[a-z]{1,3}(\\n[ a-z]{0,4}){0,4}\\n{0,3}",
                "[-+.0-9a-fox_:eEtT]{1,8}"
            ]
        };
        let number = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter_map("finite", |f| Number::from_f64(f).map(Value::Number))
        ];
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            number,
            text().prop_map(Value::from)
        ];
        scalar.prop_recursive(4, 40, 5, move |inner| {
            let key = text().prop_filter("merge key", |key| key != "<<");
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_tree_comes_back(tree in tree()) {
            prop_assert_eq!(read(&write(&tree)), tree.clone());
            let tree = json!({"kind": tree});
            prop_assert_eq!(&crate::document::parse(&write(&tree), "t").unwrap()[0].tree, &tree);
        }
    }
}
