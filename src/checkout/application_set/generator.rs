//! What generators give, as Argo CD derives it (`applicationset/generators`): lists, what is in Git, and combinations of both.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use super::notation::{Notation, Parameters, printed};
use crate::checkout::kustomization::{list, strings};
use crate::checkout::side::Side;
use crate::document::{self, mentions, text_at};

/// The generators of one ApplicationSet.
pub(super) struct Generators<'a> {
    pub(super) side: &'a Side,
    pub(super) notation: Notation,
    /// Do selectors count at any depth? Before 3.0 Argo CD has to be told so.
    pub(super) has_nested_selectors: bool,
    /// The files that were read.
    pub(super) read: RefCell<BTreeSet<String>>,
}

/// How deep combinations may stand in each other.
const DEPTH: usize = 2;

/// More Applications come of no combination that somebody has written.
const MOST: usize = 10_000;

impl Generators<'_> {
    /// What each Application is given; `None` where it takes a cluster or another service to tell, where Argo CD refuses it, and
    /// where its versions differ.
    pub(super) fn parameters(&self, generator: &Value) -> Option<Vec<Parameters>> {
        self.at(generator, 0)
    }

    /// The same of a generator within `depth` others.
    fn at(&self, generator: &Value, depth: usize) -> Option<Vec<Parameters>> {
        let mut fields = generator.as_object()?.iter().filter(|(_, value)| !value.is_null());
        let (kind, of) = fields.clone().find(|(key, _)| *key != "selector")?;
        let selector = generator.get("selector").filter(|selector| !selector.is_null());
        if fields.any(|(key, _)| key != "selector" && key != kind) {
            return None;
        }
        let mut found = match kind.as_str() {
            "list" => self.list(of)?,
            "git" => self.git(of)?,
            "matrix" if depth < DEPTH => self.matrix(of, depth)?,
            "merge" if depth < DEPTH => self.merge(of, depth)?,
            _ => return None,
        };
        if let Some(selector) = selector {
            if depth > 1 && !self.has_nested_selectors {
                return None;
            }
            let chosen = found.iter().map(|one| is_selected(selector, one)).collect::<Option<Vec<_>>>()?;
            let mut chosen = chosen.into_iter();
            found.retain(|_| chosen.next() == Some(true));
        }
        Some(found)
    }

    /// Without Go's templates an element holds texts, and below `values` some more.
    fn list(&self, of: &Value) -> Option<Vec<Parameters>> {
        let mut found = Vec::new();
        for element in list(of.get("elements")) {
            let element = element.as_object()?;
            if self.notation == Notation::Go {
                found.push(element.clone());
                continue;
            }
            let mut given = Parameters::new();
            for (key, value) in element {
                match value {
                    Value::String(_) => _ = given.insert(key.clone(), value.clone()),
                    Value::Object(values) if key == "values" && values.values().all(Value::is_string) => {
                        given.extend(
                            values.iter().map(|(key, value)| (format!("values.{key}"), value.clone())),
                        );
                    }
                    _ => return None,
                }
            }
            found.push(given);
        }
        if let Some(text) = of.get("elementsYaml").and_then(Value::as_str).filter(|text| !text.is_empty()) {
            for element in one(text)?.as_array()? {
                found.push(element.as_object()?.clone());
            }
        }
        Some(found)
    }

    /// Each of the first with each of the second, in which what the first gives may stand.
    fn matrix(&self, of: &Value, depth: usize) -> Option<Vec<Parameters>> {
        let generators: Vec<&Value> = list(of.get("generators")).collect();
        let [first, second] = *generators.as_slice() else { return None };
        let mut found = Vec::new();
        for one in self.at(first, depth + 1)? {
            let mut filled = self.notation.filled(second, &one);
            if let Some(selector) = second.get("selector") {
                filled["selector"] = selector.clone();
            }
            // What Go's templates make of a value that is not given depends on the version.
            let values = filled.pointer("/git/values");
            if self.notation == Notation::Go && values.is_some_and(|values| mentions(values, &["{{"])) {
                return None;
            }
            for other in self.at(&filled, depth + 1)? {
                found.push(self.combined(&one, other)?);
            }
            if found.len() > MOST {
                return None;
            }
        }
        Some(found)
    }

    /// Of texts both have to say the same; with Go's templates the first counts.
    fn combined(&self, first: &Parameters, second: Parameters) -> Option<Parameters> {
        let mut all = second;
        if self.notation == Notation::Go {
            override_with(&mut all, first);
            return Some(all);
        }
        for (key, value) in first {
            match all.get(key) {
                Some(other) if other != value => return None,
                _ => _ = all.insert(key.clone(), value.clone()),
            }
        }
        Some(all)
    }

    /// The first, with what the others give over those of the same keys.
    fn merge(&self, of: &Value, depth: usize) -> Option<Vec<Parameters>> {
        let keys: BTreeSet<&str> = strings(of.get("mergeKeys")).collect();
        let mut sets = list(of.get("generators")).map(|generator| self.at(generator, depth + 1));
        let mut merged = by_key(sets.next()??, &keys)?;
        let others = sets.map(|set| by_key(set?, &keys)).collect::<Option<Vec<_>>>()?;
        if keys.is_empty() || others.is_empty() {
            return None;
        }
        for (key, over) in others.iter().flatten() {
            let Some((_, known)) = merged.iter_mut().find(|(known, _)| known == key) else { continue };
            match self.notation {
                Notation::Go => override_with(known, over),
                Notation::Plain => known.extend(over.clone()),
            }
        }
        Some(merged.into_iter().map(|(_, given)| given).collect())
    }
}

/// The one document of a text.
pub(super) fn one(text: &str) -> Option<Value> {
    let documents = document::parse(text, "").ok()?;
    Some(documents.into_iter().next().map(|document| document.tree).unwrap_or_default())
}

/// All values by their path: `values.region`, `zones.0`. One that Go prints otherwise than it is written is left out.
pub(super) fn flat(tree: &Value) -> Parameters {
    let mut found = Parameters::new();
    let mut below = |key: String, value: &Value| match value {
        Value::Array(_) | Value::Object(_) => {
            found.extend(flat(value).into_iter().map(|(inner, value)| (format!("{key}.{inner}"), value)));
        }
        other => found.extend(printed(other).map(|text| (key, text.into()))),
    };
    match tree {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(key.clone(), value)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| below(at.to_string(), value));
        }
        _ => {}
    }
    found
}

/// Lays over what is given, key by key; what is empty replaces nothing (`mergo`).
fn override_with(base: &mut Parameters, over: &Parameters) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Object(known)), Value::Object(value)) => override_with(known, value),
            (Some(known), value) if is_empty(value) && !is_empty(known) => {}
            _ => _ = base.insert(key.clone(), value.clone()),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// What is given, by the values of some keys; Argo CD refuses the same ones twice.
fn by_key(all: Vec<Parameters>, keys: &BTreeSet<&str>) -> Option<Vec<(Value, Parameters)>> {
    let mut found: Vec<(Value, Parameters)> = Vec::new();
    for given in all {
        let key: Value = keys.iter().map(|key| given.get(*key).cloned().unwrap_or_default()).collect();
        if found.iter().any(|(known, _)| *known == key) {
            return None;
        }
        found.push((key, given));
    }
    Some(found)
}

/// Does a label selector choose what is given?
fn is_selected(selector: &Value, given: &Parameters) -> Option<bool> {
    let labels = flat(&given.clone().into());
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let mut is = true;
    for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
        is &= label(key) == Some(value.as_str()?);
    }
    for rule in list(selector.get("matchExpressions")) {
        let found = label(text_at(rule, "/key"));
        let is_one = found.is_some_and(|found| strings(rule.get("values")).any(|value| value == found));
        is &= match text_at(rule, "/operator") {
            "In" => is_one,
            "NotIn" => !is_one,
            "Exists" => found.is_some(),
            "DoesNotExist" => found.is_none(),
            _ => return None,
        };
    }
    Some(is)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given(notation: Notation, generator: Value) -> Option<Value> {
        let side = Side::default();
        let generators =
            Generators { side: &side, notation, has_nested_selectors: false, read: RefCell::default() };
        generators.parameters(&generator).map(|all| json!(all))
    }

    fn list_of(elements: Value) -> Value {
        json!({"list": {"elements": elements}})
    }

    #[test]
    fn a_matrix_is_each_of_the_first_with_each_of_the_second() {
        let of = |second: Value| json!({"matrix": {"generators": [list_of(json!([{"a": "1"}, {"a": "2"}])), list_of(second)]}});
        assert_eq!(
            given(Notation::Plain, of(json!([{"b": "x{{a}}"}, {"b": "y"}]))),
            Some(
                json!([{"b": "x1", "a": "1"}, {"b": "y", "a": "1"}, {"b": "x2", "a": "2"}, {"b": "y", "a": "2"}])
            )
        );
        assert_eq!(given(Notation::Plain, of(json!([{"a": "1"}]))), None, "Argo CD refuses two values");
        assert_eq!(given(Notation::Go, of(json!([{"a": "3"}]))), Some(json!([{"a": "1"}, {"a": "2"}])));
        let asked = json!({"matrix": {"generators": [list_of(json!([{"a": "1"}])), {"clusters": {}}]}});
        assert_eq!(given(Notation::Plain, asked), None);
    }

    #[test]
    fn a_merge_lays_over_those_of_the_same_keys() {
        let of = |base: Value, over: Value| json!({"merge": {"mergeKeys": ["a"], "generators": [list_of(base), list_of(over)]}});
        let base = || json!([{"a": "1", "values": {"x": "0", "y": "0"}}, {"a": "2"}]);
        let over = json!([{"a": "1", "values": {"x": "9"}}, {"a": "3"}]);
        assert_eq!(
            given(Notation::Plain, of(base(), over.clone())),
            Some(json!([{"a": "1", "values.x": "9", "values.y": "0"}, {"a": "2"}]))
        );
        assert_eq!(
            given(Notation::Go, of(base(), over)),
            Some(json!([{"a": "1", "values": {"x": "9", "y": "0"}}, {"a": "2"}]))
        );
        assert_eq!(
            given(Notation::Go, of(json!([{"a": "1", "b": "x"}]), json!([{"a": "1", "b": ""}]))),
            Some(json!([{"a": "1", "b": "x"}])),
            "what is empty replaces nothing"
        );
        assert_eq!(given(Notation::Plain, of(json!([{"a": "1"}, {"a": "1"}]), json!([]))), None);
    }

    #[test]
    fn a_selector_chooses_and_one_deep_within_is_of_some_versions_only() {
        let chosen = |selector: Value| json!({"list": {"elements": [{"a": "1", "values": {"env": "live"}}, {"a": "2"}]}, "selector": selector});
        let rule = |operator: &str| json!({"matchExpressions": [{"key": "values.env", "operator": operator, "values": ["live"]}]});
        for (selector, a) in [
            (json!({"matchLabels": {"a": "2"}}), "2"),
            (rule("In"), "1"),
            (rule("NotIn"), "2"),
            (rule("Exists"), "1"),
        ] {
            let found = given(Notation::Plain, chosen(selector.clone())).unwrap();
            assert_eq!((found.as_array().unwrap().len(), &found[0]["a"]), (1, &json!(a)), "{selector}");
        }
        let other = || list_of(json!([{"b": "x"}]));
        let matrix = |first: Value| json!({"matrix": {"generators": [first, other()]}});
        assert!(given(Notation::Plain, matrix(chosen(rule("In")))).is_some());
        assert!(given(Notation::Plain, matrix(matrix(chosen(rule("In"))))).is_none());
    }
}
