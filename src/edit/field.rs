//! Where a text is set in a YAML file for an object or a chart: mappings that describe it, wherever they stand in the file.

use crate::document::ObjectRef;
use crate::document::mapping::{
    self, Block, document, indent, is_content, is_item, joined, key_length, lines, made, said, scalar, set,
};

/// A file with a value of Linkerd's chart set, in every way in which it may count: beside the values that are there, as a parameter
/// of Argo CD, or as the values of a HelmRelease that takes the others from elsewhere.
pub(super) fn in_values(text: &str, path: &[&str], value: &str) -> Vec<String> {
    let lines = lines(text);
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
        if !keys.iter().any(|key| key_length(line.trim_start(), key).is_some()) {
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
    let lines = lines(text);
    with_key(&lines, &["kind"]).into_iter().filter(|block| describes(&lines, *block, object)).collect()
}

/// The file with the text set in an item of a list that describes the object.
pub(super) fn in_item(text: &str, object: &ObjectRef, path: &[&str], value: &str) -> Option<String> {
    let lines = lines(text);
    let names = |at: usize| {
        let dash = indent(lines[at]);
        let is_behind = |line: &&str| is_content(line) && indent(line) <= dash;
        let end = lines[at + 1..].iter().position(is_behind).map_or(lines.len(), |end| at + 1 + end);
        lines[at..end].iter().any(|line| line.contains(&object.name))
    };
    let is_it = |at: &usize| {
        let without = names(*at).then(|| mapping::without_dash(text, *at)).flatten();
        let Some((without, block)) = without else { return false };
        let all = mapping::lines(&without);
        let is_there = namespace_of(&all, block).is_none_or(|namespace| namespace == object.namespace);
        is_there && describes(&all, block, object)
    };
    let at = (0..lines.len()).filter(|at| is_item(lines[*at])).find(is_it)?;
    mapping::in_item(text, at, |text, block| set(text, block, path, value))
}

/// Does a mapping describe an object of this kind and name?
fn describes(lines: &[&str], block: Block, object: &ObjectRef) -> bool {
    said(lines, block, &["kind"]) == Some(&object.kind)
        && said(lines, block, &["metadata", "name"]) == Some(&object.name)
}

fn namespace_of<'l>(lines: &[&'l str], block: Block) -> Option<&'l str> {
    said(lines, block, &["metadata", "namespace"])
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

/// The objects of a kind of this group that a file holds.
pub(super) fn of_kind(text: &str, group: &str, kind: &str) -> Vec<Block> {
    let lines = lines(text);
    let is_it = |block: &Block| {
        let version = said(&lines, *block, &["apiVersion"]).unwrap_or_default();
        said(&lines, *block, &["kind"]) == Some(kind) && version.split('/').next() == Some(group)
    };
    with_key(&lines, &["kind"]).into_iter().filter(is_it).collect()
}

/// What stands at a path below a mapping.
pub(super) fn text_of(text: &str, block: Block, path: &[&str]) -> Option<String> {
    let lines = lines(text);
    said(&lines, block, path).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

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
