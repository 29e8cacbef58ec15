//! Templates of an ApplicationSet, with what generators give in the place of placeholders.

use serde_json::{Map, Value};

/// What a generator gives to one Application.
pub(super) type Parameters = Map<String, Value>;

/// How placeholders are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// `{{values.region}}`: the whole name of a text (`fasttemplate`).
    Plain,
    /// `{{ .values.region }}`: a path, as Go's templates have it.
    Go,
}

impl Notation {
    pub(super) fn of(spec: &Value) -> Self {
        if spec["goTemplate"] == true { Self::Go } else { Self::Plain }
    }

    /// The template with what is given in its place. What is not given, or more than looking up a value, is left as it stands.
    pub(super) fn filled(self, template: &Value, given: &Parameters) -> Value {
        match template {
            Value::String(text) => self.text(text, given).into(),
            Value::Array(items) => items.iter().map(|item| self.filled(item, given)).collect(),
            Value::Object(map) => {
                let filled = map.iter().map(|(key, value)| (key.clone(), self.filled(value, given)));
                filled.collect::<Parameters>().into()
            }
            other => other.clone(),
        }
    }

    /// A text, read once from its begin to its end: what is put in is not looked at again.
    pub(super) fn text(self, text: &str, given: &Parameters) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("{{") {
            let Some((tag, after)) = from.split_once("}}") else { break };
            out.push_str(before);
            match self.value(tag, given) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("{{{{{tag}}}}}")),
            }
            rest = after;
        }
        out + rest
    }

    fn value(self, tag: &str, given: &Parameters) -> Option<String> {
        let words: Vec<&str> = tag.split_whitespace().collect();
        match (self, words.as_slice()) {
            (Self::Plain, _) => given.get(tag.trim())?.as_str().map(str::to_owned),
            (Self::Go, [path]) => printed(at(given, path)?),
            (Self::Go, ["index", path, place]) => {
                let place: usize = place.parse().ok()?;
                printed(at(given, path)?.get(place)?)
            }
            (Self::Go, _) => None,
        }
    }
}

/// The value at a path such as `.path.basename`.
fn at<'a>(given: &'a Parameters, path: &str) -> Option<&'a Value> {
    let mut keys = path.strip_prefix('.')?.split('.');
    let first = given.get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.get(key))
}

/// A value as Go prints it (`%v`); of numbers only those that it writes as JSON does, and nothing that has parts.
pub(super) fn printed(value: &Value) -> Option<String> {
    const FIRST_WITH_EXPONENT: u64 = 1_000_000;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Number(number) => {
            let whole = number.as_i64().filter(|whole| whole.unsigned_abs() < FIRST_WITH_EXPONENT)?;
            Some(whole.to_string())
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(notation: Notation, given: Value, template: Value) -> Value {
        notation.filled(&template, given.as_object().unwrap())
    }

    #[test]
    fn a_plain_placeholder_is_the_name_of_a_text() {
        let given = json!({"cluster": "prod", "values.pem": "A{{cluster}}", "count": 3});
        let template = json!({"path": "clusters/{{cluster}}", "list": ["{{ values.pem }}", "{{other}} {{.cluster}}", "{{count}}", "{{cluster"]});
        let expected = json!({"path": "clusters/prod", "list": ["A{{cluster}}", "{{other}} {{.cluster}}", "{{count}}", "{{cluster"]});
        assert_eq!(filled(Notation::Plain, given, template), expected);
    }

    #[test]
    fn a_placeholder_of_go_is_a_path_and_everything_more_is_left() {
        let given = json!({"path": {"basename": "prod", "segments": ["clusters", "prod"]}, "count": 3, "big": 1_000_000, "on": true});
        let template = json!([
            "{{ .path.basename }}-{{.count}}",
            "{{ index .path.segments 1 }} {{.on}}",
            "{{ .path.basename | upper }}",
            "{{- .count }}",
            "{{.big}} {{.path}} {{cluster}}"
        ]);
        let expected = json!([
            "prod-3",
            "prod true",
            "{{ .path.basename | upper }}",
            "{{- .count }}",
            "{{.big}} {{.path}} {{cluster}}"
        ]);
        assert_eq!(filled(Notation::Go, given, template), expected);
    }
}
