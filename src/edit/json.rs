//! A text set in an object of a JSON file, where every other byte stays: found by its place, and proven by who calls it.

use std::ops::Range;

use serde_json::Value;

use crate::document::ObjectRef;

/// The file with the text at a path below an object, which may be an item of a list; `None` where the object is not there, or
/// something on the way to the text is none.
pub(super) fn set(text: &str, object: &ObjectRef, path: &[&str], value: &str) -> Option<String> {
    let mut reader = Reader { text, at: 0 };
    let mut roots = Vec::new();
    while reader.skips_blanks() {
        roots.push(reader.node()?);
    }
    let mut found = roots.iter().find_map(|root| find(text, root, object))?;
    let mut layout = Layout { before: String::new(), colon: " ".to_owned(), unit: String::new() };
    for (depth, key) in path.iter().enumerate() {
        layout = Layout::of(text, found).unwrap_or_else(|| layout.below());
        let rest = &path[depth + 1..];
        let Some(Member { value: there, .. }) = found.member(text, key) else {
            let made = layout.member(&path[depth..], value);
            return Some(found.with_member(text, &layout, &made));
        };
        let is_object = there.is(text, '{');
        let is_nothing = &text[there.range.clone()] == "null";
        if rest.is_empty() && there.is(text, '"') {
            return Some(replaced(text, there.range.clone(), &Value::from(value).to_string()));
        }
        if !rest.is_empty() && is_nothing {
            return Some(replaced(text, there.range.clone(), &layout.value(rest, value)));
        }
        if rest.is_empty() || !is_object {
            return None;
        }
        found = there;
    }
    None
}

/// The object itself, or an item of a list that it is.
fn find<'n>(text: &str, node: &'n Node, object: &ObjectRef) -> Option<&'n Node> {
    if let Some(items) = node.member(text, "items").filter(|items| items.value.is(text, '[')) {
        return items.value.items.iter().find_map(|item| find(text, item, object));
    }
    let at = |node: &Node, key: &str| {
        let member = node.member(text, key)?;
        serde_json::from_str::<String>(&text[member.value.range.clone()]).ok()
    };
    let metadata = &node.member(text, "metadata")?.value;
    let namespace = at(metadata, "namespace").unwrap_or_default();
    let is_it = at(node, "kind")? == object.kind
        && at(metadata, "name")? == object.name
        && (namespace.is_empty() || namespace == object.namespace);
    is_it.then_some(node)
}

fn replaced(text: &str, range: Range<usize>, by: &str) -> String {
    [&text[..range.start], by, &text[range.end..]].concat()
}

/// A value, with where it and its parts stand.
struct Node {
    range: Range<usize>,
    members: Vec<Member>,
    items: Vec<Self>,
}

struct Member {
    key: Range<usize>,
    value: Node,
}

impl Node {
    fn is(&self, text: &str, first: char) -> bool {
        text[self.range.clone()].starts_with(first)
    }

    fn member(&self, text: &str, key: &str) -> Option<&Member> {
        let is_it = |member: &&Member| {
            serde_json::from_str::<String>(&text[member.key.clone()]).is_ok_and(|known| known == key)
        };
        self.members.iter().find(is_it)
    }

    /// The file with one more member, behind the others.
    fn with_member(&self, text: &str, layout: &Layout, made: &str) -> String {
        match self.members.last() {
            Some(last) => {
                let end = last.value.range.end;
                replaced(text, end..end, &format!(",{}{made}", layout.before))
            }
            None => replaced(text, self.range.clone(), &layout.object(made)),
        }
    }
}

/// How the members of an object are laid out.
struct Layout {
    /// What stands before each key: a line's end and blanks, or nothing.
    before: String,
    /// The blanks behind the colon.
    colon: String,
    /// By how much members stand further in than their object.
    unit: String,
}

impl Layout {
    /// As the members that are there have it; `None` where there is none.
    fn of(text: &str, node: &Node) -> Option<Self> {
        let Member { key, value } = node.members.last()?;
        let blanks = |end: usize| text[text[..end].trim_end().len()..end].to_owned();
        let (before, closing) = (blanks(key.start), blanks(node.range.end - 1));
        let unit = before.strip_prefix(&closing).filter(|_| before.contains('\n')).unwrap_or_default();
        let (colon, unit) = (blanks(value.range.start), unit.to_owned());
        Some(Self { before, colon, unit })
    }

    fn below(&self) -> Self {
        let before = format!("{}{}", self.before, self.unit);
        Self { before, colon: self.colon.clone(), unit: self.unit.clone() }
    }

    /// An object whose one member stands in it as `self` has it.
    fn object(&self, member: &str) -> String {
        let closing = self.before.strip_suffix(&self.unit).unwrap_or_default();
        format!("{{{}{member}{closing}}}", self.before)
    }

    /// Keys below each other, and a text behind the last.
    fn member(&self, path: &[&str], value: &str) -> String {
        let (key, rest) = (Value::from(path[0]), &path[1..]);
        format!("{key}:{}{}", self.colon, self.value(rest, value))
    }

    /// What stands behind a key of an object that is laid out so.
    fn value(&self, path: &[&str], value: &str) -> String {
        if path.is_empty() {
            return Value::from(value).to_string();
        }
        let below = self.below();
        below.object(&below.member(path, value))
    }
}

/// Reads JSON that has been read as JSON already.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    /// Is there more behind the blanks?
    fn skips_blanks(&mut self) -> bool {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).len();
        self.at < self.text.len()
    }

    fn takes(&mut self, one: char) -> bool {
        self.skips_blanks();
        let is_it = self.text[self.at..].starts_with(one);
        self.at += if is_it { one.len_utf8() } else { 0 };
        is_it
    }

    fn node(&mut self) -> Option<Node> {
        self.skips_blanks();
        let start = self.at;
        let (mut members, mut items) = (Vec::new(), Vec::new());
        if self.takes('{') {
            while !self.takes('}') {
                self.skips_blanks();
                let key = self.scalar()?;
                if !self.takes(':') {
                    return None;
                }
                members.push(Member { key, value: self.node()? });
                self.takes(',');
            }
        } else if self.takes('[') {
            while !self.takes(']') {
                items.push(self.node()?);
                self.takes(',');
            }
        } else {
            self.scalar()?;
        }
        Some(Node { range: start..self.at, members, items })
    }

    /// A text, a number or a word.
    fn scalar(&mut self) -> Option<Range<usize>> {
        let (start, rest) = (self.at, &self.text[self.at..]);
        let length = if let Some(said) = rest.strip_prefix('"') {
            let mut is_escaped = false;
            let end = said.find(|one| {
                let ends = one == '"' && !is_escaped;
                is_escaped = one == '\\' && !is_escaped;
                ends
            });
            end? + 2
        } else {
            rest.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(rest.len())
        };
        self.at += length;
        (length > 0).then_some(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: [&str; 4] = ["spec", "template", "metadata", "annotations"];

    fn annotated(text: &str) -> Option<String> {
        let object = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        };
        set(text, &object, &[&PATH[..], &["a/b"]].concat(), "v \"1\"")
    }

    fn one(template: &str) -> String {
        format!(
            "{{\"kind\": \"Deployment\",\n  \"metadata\": {{\"name\": \"web\"}}, \"spec\": {{\n    \"template\": {template}\n  }}}}\n"
        )
    }

    #[test]
    fn a_member_is_added_as_those_that_are_there_are_laid_out() {
        for (there, then) in [
            (
                r#"{"metadata":{"annotations":{"c":"}"}}}"#,
                r#"{"metadata":{"annotations":{"c":"}","a/b":"v \"1\""}}}"#,
            ),
            (
                r#"{"metadata": {"annotations": {"a/b" : "v0", "c": 1}}}"#,
                r#"{"metadata": {"annotations": {"a/b" : "v \"1\"", "c": 1}}}"#,
            ),
            (
                "{\n      \"metadata\": {\n        \"labels\": {}\n      }\n    }",
                "{\n      \"metadata\": {\n        \"labels\": {},\n        \"annotations\": {\n          \"a/b\": \"v \\\"1\\\"\"\n        }\n      }\n    }",
            ),
            (
                "{}",
                "{\n      \"metadata\": {\n        \"annotations\": {\n          \"a/b\": \"v \\\"1\\\"\"\n        }\n      }\n    }",
            ),
            (
                "{\"metadata\": {\n  \"annotations\": null\n}}",
                "{\"metadata\": {\n  \"annotations\": {\n    \"a/b\": \"v \\\"1\\\"\"\n  }\n}}",
            ),
        ] {
            let expected = one(then);
            assert_eq!(annotated(&one(there)).unwrap(), expected);
            serde_json::from_str::<Value>(&expected).unwrap();
        }
    }

    #[test]
    fn the_item_of_that_name_and_namespace_is_found_and_what_is_no_object_is_left_alone() {
        let other = one("{}").replace("\"web\"", "\"web\", \"namespace\": \"other\"");
        let list = format!("{{\"kind\": \"List\", \"items\": [null, {other}, {}]}}", one("{}"));
        let after = annotated(&list).unwrap();
        let tree: Value = serde_json::from_str(&after).unwrap();
        let value = |at: usize| tree["items"][at].pointer("/spec/template/metadata/annotations").cloned();
        assert_eq!((value(1), value(2).unwrap()["a/b"].clone()), (None, "v \"1\"".into()));
        for left in [
            one("[]"),
            one("{\"metadata\": \"x\"}"),
            one("{\"metadata\": {\"annotations\": {\"a/b\": 1}}}"),
            other,
        ] {
            assert_eq!(annotated(&left), None, "{left}");
        }
    }
}
