//! A text set in a mapping of a YAML file, where every other byte stays: found by indentation, and proven by who calls it.

use crate::document::{self, ObjectRef};

/// A block mapping: lines of a file whose keys are indented by as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// Its first line, from 0, and the one behind its last.
    pub(super) lines: (usize, usize),
    pub(super) indent: usize,
}

/// The file with the text at a path below a mapping; `None` where the mapping is not written as a block, or something on the way
/// is not.
pub(super) fn set(text: &str, within: Block, path: &[&str], value: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let newline = if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let (mut block, mut path) = (within, path);
    while let [key, rest @ ..] = path {
        let Some(at) = find(&lines, block, key) else { break };
        let (head, said) = split_key(lines[at])?;
        if rest.is_empty() {
            let is_alone = inner(&lines, block, at).is_none();
            let line = format!("{head}{}", replaced(said, value)?);
            return is_alone.then(|| joined(&lines, at..at + 1, &line));
        }
        let below = inner(&lines, block, at);
        let is_bare = |said: &str| said.trim().is_empty() || said.trim().starts_with('#');
        match below {
            Some(below) if is_bare(said) => (block, path) = (below, rest),
            None if is_bare(said) || said.trim() == "{}" => {
                let head =
                    if said.trim() == "{}" { format!("{head}{newline}") } else { lines[at].to_owned() };
                let made = made(rest, value, block.indent + 2, newline);
                return Some(joined(&lines, at..at + 1, &format!("{head}{made}")));
            }
            _ => return None,
        }
    }
    let at = last_line(&lines, block)? + 1;
    let before = &lines[at - 1];
    let newline_before = if before.ends_with('\n') { "" } else { newline };
    let made = made(path, value, block.indent, newline);
    Some(joined(&lines, at..at, &format!("{newline_before}{made}")))
}

/// The line, from 0, of the key at the end of a path; `None` where it is not there.
pub(super) fn line_of(text: &str, within: Block, path: &[&str]) -> Option<usize> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut block = within;
    let (last, above) = path.split_last()?;
    for key in above {
        block = inner(&lines, block, find(&lines, block, key)?)?;
    }
    find(&lines, block, last)
}

/// The document that begins on a line, from 1: a mapping whose keys are not indented, mostly.
pub(super) fn document(text: &str, line: usize) -> Option<Block> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let begin = line.saturating_sub(1);
    let is_end = |line: &&&str| line.starts_with("---") || line.starts_with("...");
    let first = lines.iter().skip(begin).position(|line| is_content(line) && !is_end(&line))? + begin;
    if lines[first].starts_with(['{', '[']) {
        return None;
    }
    let end = lines.iter().skip(first).position(|line| is_end(&line)).map_or(lines.len(), |end| first + end);
    Some(Block { lines: (first, end), indent: indent(lines[first]) })
}

/// A file with a value of Linkerd's chart set, in every way in which it may count: beside the values that are there, as a parameter
/// of Argo CD, or as the values of a HelmRelease that takes the others from elsewhere.
pub(super) fn in_values(text: &str, path: &[&str], value: &str) -> Vec<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut found: Vec<String> =
        with_key(&lines, &BESIDE).into_iter().filter_map(|block| set(text, block, path, value)).collect();
    let is_parameter = |line: &&str| {
        let name = line.trim_start().strip_prefix("- name:").unwrap_or_default();
        name.trim().trim_matches(['"', '\'']) == BESIDE[0]
    };
    if let Some(at) = lines.iter().position(is_parameter) {
        let indent = " ".repeat(indent(lines[at]));
        let item =
            format!("{indent}- name: {}\n{indent}  value: {}\n", scalar(&path.join(".")), scalar(value));
        found.push(joined(&lines, at..at, &item));
    }
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.trim_end() == "kind: HelmRelease") {
        let first =
            lines[..at].iter().rposition(|line| line.starts_with("---")).map_or(1, |before| before + 2);
        let block = document(text, first).filter(|_| indent(line) == 0);
        let path = [&["spec", "values"], path].concat();
        found.extend(block.and_then(|block| set(text, block, &path, value)));
    }
    found
}

/// Values of Linkerd's chart beside which its pod annotations stand.
const BESIDE: [&str; 2] = ["identityTrustAnchorsPEM", "identity"];

/// The mappings that have one of these keys, wherever they stand in a file: in a text within it as well.
fn with_key(lines: &[&str], keys: &[&str]) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !keys.iter().any(|key| is_key(line.trim_start(), key)) {
            continue;
        }
        let indent = indent(line);
        let is_outside =
            |line: &&str| is_content(line) && self::indent(line) < indent || line.starts_with("---");
        let first = lines[..at].iter().rposition(&is_outside).map_or(0, |before| before + 1);
        let end = lines[at..].iter().position(is_outside).map_or(lines.len(), |end| at + end);
        let block = Block { lines: (first, end), indent };
        if !found.contains(&block) {
            found.push(block);
        }
    }
    found
}

/// The mappings that describe an object, wherever they stand in a file: in a patch within it as well.
pub(super) fn objects(text: &str, object: &ObjectRef) -> Vec<Block> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    with_key(&lines, &["kind"]).into_iter().filter(|block| describes(&lines, *block, object)).collect()
}

/// The file with the text set in an item of a list that describes the object.
pub(super) fn in_item(text: &str, object: &ObjectRef, path: &[&str], value: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut start = 0;
    for (at, line) in lines.iter().enumerate() {
        let (begins, dash) = (start, indent(line));
        start += line.len();
        let Some(said) = line[dash..].strip_prefix("- ").map(|rest| rest.trim_start_matches(' ')) else {
            continue;
        };
        let is_behind = |line: &&str| is_content(line) && indent(line) <= dash || line.starts_with("---");
        let end = lines[at + 1..].iter().position(is_behind).map_or(lines.len(), |end| at + 1 + end);
        // Without its dash, an item is a mapping that is indented by as much more.
        let first = format!("{}{said}", " ".repeat(line.len() - said.len()));
        let item: Vec<&str> = [&[first.as_str()], &lines[at + 1..end]].concat();
        let block = Block { lines: (0, item.len()), indent: indent(&first) };
        let is_there = namespace_of(&item, block).is_none_or(|namespace| namespace == object.namespace);
        if !is_there || !describes(&item, block, object) {
            continue;
        }
        let item = set(&item.concat(), block, path, value)?;
        let mut after = [lines[..at].concat(), item, lines[end..].concat()].concat();
        after.replace_range(begins + dash..begins + dash + 1, "-");
        return Some(after);
    }
    None
}

/// Does a mapping describe an object of this kind and name?
fn describes(lines: &[&str], block: Block, object: &ObjectRef) -> bool {
    said(lines, block, &["kind"]) == Some(&object.kind)
        && said(lines, block, &["metadata", "name"]) == Some(&object.name)
}

fn namespace_of<'l>(lines: &[&'l str], block: Block) -> Option<&'l str> {
    said(lines, block, &["metadata", "namespace"])
}

/// What stands behind a key, without its quotes.
fn said<'l>(lines: &[&'l str], block: Block, path: &[&str]) -> Option<&'l str> {
    let (key, rest) = path.split_first()?;
    let at = find(lines, block, key)?;
    if !rest.is_empty() {
        return said(lines, inner(lines, block, at)?, rest);
    }
    Some(split_key(lines[at])?.1.trim().trim_matches(['"', '\'']))
}

/// A patch of an object in which the text at a path is set, as an item of the lists that Kustomize, Flux and Argo CD have.
pub(super) fn patch(object: &ObjectRef, path: &[&str], value: &str) -> Vec<String> {
    let ObjectRef { api_version, kind, name, .. } = object;
    let mut lines = vec![
        "- patch: |-".to_owned(),
        format!("    apiVersion: {api_version}"),
        format!("    kind: {kind}"),
        "    metadata:".to_owned(),
        format!("      name: {name}"),
    ];
    lines.extend(made(path, value, 4, "\n").lines().map(str::to_owned));
    lines.extend(["  target:".to_owned(), format!("    kind: {kind}"), format!("    name: {name}")]);
    lines
}

/// The file with one more item in the list at a path below a mapping.
pub(super) fn with_item(text: &str, within: Block, path: &[&str], item: &[String]) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let newline = if lines.first()?.ends_with("\r\n") { "\r\n" } else { "\n" };
    let written = |indent: usize| {
        let line = |line: &String| format!("{}{line}{newline}", " ".repeat(indent));
        item.iter().map(line).collect::<String>()
    };
    let behind = |last: usize, made: String| {
        let ended = if lines[last].ends_with('\n') { "" } else { newline };
        joined(&lines, last + 1..last + 1, &format!("{ended}{made}"))
    };
    let is_bare = |said: &str| said.trim().is_empty() || said.trim().starts_with('#');
    let mut block = within;
    for (depth, key) in path.iter().enumerate() {
        let Some(at) = find(&lines, block, key) else {
            let key = |(further, key): (usize, &&str)| {
                format!("{}{key}:{newline}", " ".repeat(block.indent + 2 * further))
            };
            let keys: String = path[depth..].iter().enumerate().map(key).collect();
            let items = written(block.indent + 2 * (path.len() - depth - 1));
            return Some(behind(last_line(&lines, block)?, keys + &items));
        };
        if !is_bare(split_key(lines[at])?.1) {
            return None;
        }
        if depth + 1 == path.len() {
            let list = list_below(&lines, block, at)?;
            return Some(behind(last_line(&lines, list)?, written(list.indent)));
        }
        block = inner(&lines, block, at)?;
    }
    None
}

/// The list that stands below a key.
fn list_below(lines: &[&str], block: Block, key: usize) -> Option<Block> {
    let first = (key + 1..block.lines.1).find(|at| is_content(lines[*at]))?;
    let indent = indent(lines[first]);
    let is_item = |line: &str| line.trim_start().starts_with("- ") || line.trim() == "-";
    if !is_item(lines[first]) || indent < block.indent {
        return None;
    }
    let is_behind = |at: &usize| {
        let line = lines[*at];
        is_content(line) && (self::indent(line) < indent || self::indent(line) == indent && !is_item(line))
    };
    let end = (first..block.lines.1).find(is_behind).unwrap_or(block.lines.1);
    Some(Block { lines: (first, end), indent })
}

/// The objects of a kind of this group that a file holds.
pub(super) fn of_kind(text: &str, group: &str, kind: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_it = |block: &Block| {
        let version = said(&lines, *block, &["apiVersion"]).unwrap_or_default();
        said(&lines, *block, &["kind"]) == Some(kind) && version.split('/').next() == Some(group)
    };
    with_key(&lines, &["kind"]).into_iter().filter(is_it).collect()
}

/// What stands at a path below a mapping.
pub(super) fn text_of(text: &str, block: Block, path: &[&str]) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    said(&lines, block, path).map(str::to_owned)
}

fn joined(lines: &[&str], replaced: std::ops::Range<usize>, by: &str) -> String {
    [&lines[..replaced.start].concat(), by, &lines[replaced.end..].concat()].concat()
}

/// Keys below each other, and a text behind the last.
fn made(path: &[&str], value: &str, indent: usize, newline: &str) -> String {
    let mut out = String::new();
    for (depth, key) in path.iter().enumerate() {
        out += &format!("{}{key}:", " ".repeat(indent + 2 * depth));
        if depth + 1 == path.len() {
            out += &format!(" {}", scalar(value));
        }
        out += newline;
    }
    out
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Does the line say anything?
fn is_content(line: &str) -> bool {
    let said = line.trim();
    !said.is_empty() && !said.starts_with('#')
}

/// The line of a key of a mapping.
fn find(lines: &[&str], block: Block, key: &str) -> Option<usize> {
    let is_it = |at: &usize| indent(lines[*at]) == block.indent && is_key(lines[*at].trim_start(), key);
    (block.lines.0..block.lines.1).find(is_it)
}

fn is_key(line: &str, key: &str) -> bool {
    ["", "\"", "'"].iter().any(|quote| {
        let rest = line.strip_prefix(quote).and_then(|line| line.strip_prefix(key)?.strip_prefix(quote));
        rest.and_then(|rest| rest.strip_prefix(':'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\r', '\t']))
    })
}

/// A line up to the colon behind its key, and what follows.
fn split_key(line: &str) -> Option<(&str, &str)> {
    let at = line.find(": ").or_else(|| line.trim_end().strip_suffix(':').map(str::len))? + 1;
    Some(line.split_at(at))
}

/// What stands below a key: a mapping that is indented by more.
fn inner(lines: &[&str], block: Block, key: usize) -> Option<Block> {
    let after = key + 1..block.lines.1;
    let first = after.clone().find(|at| is_content(lines[*at]))?;
    let inner = indent(lines[first]);
    let is_mapping = inner > block.indent && !lines[first].trim_start().starts_with("- ");
    let end = after.clone().find(|at| is_content(lines[*at]) && indent(lines[*at]) <= block.indent);
    is_mapping.then(|| Block { lines: (first, end.unwrap_or(after.end)), indent: inner })
}

fn last_line(lines: &[&str], block: Block) -> Option<usize> {
    (block.lines.0..block.lines.1).rev().find(|at| is_content(lines[*at]))
}

/// What stands behind a key, with another value in the same quotes: the comment behind it stays.
fn replaced(said: &str, value: &str) -> Option<String> {
    let begin = said.len() - said.trim_start_matches(' ').len();
    let rest = &said[begin..];
    let (old, new) = match rest.chars().next()? {
        quote @ ('"' | '\'') => {
            let end = rest[1..].find(quote)? + 2;
            let is_plain = !rest[..end].contains('\\') && !value.contains([quote, '\\', '\n']);
            (&rest[..end], is_plain.then(|| format!("{quote}{value}{quote}"))?)
        }
        '|' | '>' | '&' | '*' | '!' | '{' | '[' => return None,
        _ => {
            let end = rest.find(" #").unwrap_or(rest.trim_end().len());
            (rest[..end].trim_end(), scalar(value))
        }
    };
    let blank = if begin == 0 { " " } else { &said[..begin] };
    Some(format!("{blank}{new}{}", &rest[old.len()..]))
}

/// A text as a plain scalar where YAML takes it for the same text, else in double quotes.
fn scalar(value: &str) -> String {
    let reads_back = |text: &str| {
        let read = document::parse(&format!("k: {text}\n"), "value");
        read.is_ok_and(|all| all.len() == 1 && all[0].tree["k"] == value)
    };
    if reads_back(value) { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotated(text: &str) -> Option<String> {
        set(text, document(text, 1)?, &["spec", "template", "metadata", "annotations", "a/b"], "v1")
    }

    #[test]
    fn a_key_is_added_or_changed_and_every_other_byte_stays() {
        let head = "# why\nkind: Deployment\nspec:\n  replicas: 1\n  template:\n";
        let tail = "    spec: # pods\n      containers: []\nx: |\n  spec:\n    template: no\n";
        for (there, then) in [
            ("", "    metadata:\n      annotations:\n        a/b: v1\n"),
            (
                "    metadata:\n      labels:\n        app: x\n",
                "    metadata:\n      labels:\n        app: x\n      annotations:\n        a/b: v1\n",
            ),
            (
                "    metadata:\n      annotations: {}\n",
                "    metadata:\n      annotations:\n        a/b: v1\n",
            ),
            (
                "    metadata:\n      annotations:\n        c: d # e\n\n",
                "    metadata:\n      annotations:\n        c: d # e\n        a/b: v1\n\n",
            ),
            (
                "    metadata:\n      annotations:\n          \"a/b\": 'v0'  # e\n          c: d\n",
                "    metadata:\n      annotations:\n          \"a/b\": 'v1'  # e\n          c: d\n",
            ),
        ] {
            let new = annotated(&format!("{head}{there}{tail}")).unwrap();
            // What is not there at all comes behind what is.
            let expected = match there {
                "" => format!(
                    "{head}{}{then}{}",
                    &tail[..tail.find("x: |").unwrap()],
                    "x: |\n  spec:\n    template: no\n"
                ),
                _ => format!("{head}{then}{tail}"),
            };
            assert_eq!(new, expected);
            let read = document::parse(&new, "t").unwrap();
            assert_eq!(read[0].tree["spec"]["template"]["metadata"]["annotations"]["a/b"], "v1");
        }
    }

    #[test]
    fn what_is_no_block_is_left_alone() {
        for text in [
            "spec: {template: {}}\n",
            "spec:\n  template: &t\n    metadata: {}\n",
            "spec:\n  template:\n    metadata: {labels: {a: b}}\n",
            "spec:\n  template:\n    metadata:\n      annotations:\n        a/b: |\n          v0\n",
            "{\"spec\": {}}\n",
        ] {
            assert_eq!(annotated(text), None, "{text}");
        }
    }

    #[test]
    fn values_are_found_in_a_text_within_a_file() {
        let text = "spec:\n  values: |\n    # of prod\n    identity:\n      issuer: {}\n    x: 1\n  y: 2\n";
        let found = in_values(text, &["podAnnotations", "a"], "1.5");
        assert_eq!(
            found[0],
            "spec:\n  values: |\n    # of prod\n    identity:\n      issuer: {}\n    x: 1\n    podAnnotations:\n      a: \"1.5\"\n  y: 2\n"
        );
    }
}
