//! Terraform: which blocks of its modules reach a control plane.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::kustomization::list;
use super::net;
use super::path::join;
use super::side::{Side, directory_of};
use crate::document::yaml;

/// The blocks of all modules of a side.
#[derive(Debug, Default)]
pub(super) struct Modules {
    blocks: Vec<Block>,
}

/// A block of the outermost level: `resource "TYPE" "NAME" {`, and what is within it; written as JSON, what is within is YAML.
#[derive(Debug)]
struct Block {
    file: String,
    text: String,
    /// Does it reach a control plane?
    reaches: bool,
}

/// Is it a file with blocks?
pub(super) fn is_module_file(name: &str) -> bool {
    [".tf", ".tf.json"].iter().any(|end| name.ends_with(end))
}

/// Is it a file with values of variables?
pub(super) fn is_variable_file(name: &str) -> bool {
    [".tfvars", ".tfvars.json", ".hcl"].iter().any(|end| name.ends_with(end))
}

impl Modules {
    pub(super) fn of(side: &Side) -> Self {
        let mut modules = Self::default();
        for name in side.names().filter(|name| is_module_file(name)) {
            let text = side.text(name).unwrap_or_default();
            for block in if name.ends_with(".json") { blocks_of_json(&text) } else { blocks(&text) } {
                let reaches = net::names_trust(&block) || net::names_chart(&block);
                modules.blocks.push(Block { file: name.to_owned(), text: block, reaches });
            }
        }
        if modules.blocks.iter().any(|block| block.reaches) {
            while modules.spread() {}
        }
        modules
    }

    /// What reaches a control plane, of a file.
    pub(super) fn content(&self, file: &str) -> Vec<&str> {
        let is_version =
            |block: &Block| matches!(&*head(&block.text), ["variable", name] if net::is_harmless(name));
        let own =
            self.blocks.iter().filter(|block| block.reaches && block.file == file && !is_version(block));
        own.flat_map(|block| net::significant(&block.text)).collect()
    }

    /// The variables whose values reach a control plane.
    pub(super) fn variables(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for block in self.blocks.iter().filter(|block| block.reaches) {
            for rest in block.text.split("var.").skip(1) {
                found.extend(Some(word(rest).to_owned()).filter(|name| !net::is_harmless(name)));
            }
        }
        found
    }

    /// Takes in what is referred to by blocks that reach a control plane, and who installs their module.
    fn spread(&mut self) -> bool {
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        let mut wholes: BTreeSet<String> = BTreeSet::new();
        for block in self.blocks.iter().filter(|block| block.reaches) {
            let directory = directory_of(&block.file).to_owned();
            if let (["module", name], Some(source)) = (&*head(&block.text), block.source())
                && texts.get(&directory).is_some_and(|text| text.contains(&format!("module.{name}.")))
            {
                wholes.insert(source);
            }
            *texts.entry(directory).or_default() += &block.text;
        }
        let mut more = Vec::new();
        for (at, block) in self.blocks.iter().enumerate().filter(|(_, block)| !block.reaches) {
            let directory = directory_of(&block.file);
            let is_named = texts.get(directory).is_some_and(|text| block.is_named(text));
            let installs = block.source().is_some_and(|source| texts.contains_key(&source));
            if is_named || installs || wholes.contains(directory) {
                more.push(at);
            }
        }
        let has_grown = !more.is_empty();
        for at in more {
            self.blocks[at].reaches = true;
        }
        has_grown
    }
}

impl Block {
    /// Does a text of the same module refer to it?
    fn is_named(&self, text: &str) -> bool {
        let has = |reference: String| {
            text.match_indices(&reference).any(|(at, _)| ends(text, at + reference.len()))
        };
        match &*head(&self.text) {
            ["resource", kind, name] => has(format!("{kind}.{name}")),
            ["data", kind, name] => has(format!("data.{kind}.{name}")),
            ["variable", name] => has(format!("var.{name}")),
            ["module", name] => has(format!("module.{name}")),
            ["locals"] => self.text.lines().skip(1).any(|line| match line.split_once(['=', ':']) {
                Some((key, _)) => has(format!("local.{}", key.trim())),
                None => false,
            }),
            _ => false,
        }
    }

    /// The directory of the module that it installs.
    fn source(&self) -> Option<String> {
        if head(&self.text).first() != Some(&"module") {
            return None;
        }
        let line = self.text.lines().find(|line| line.trim_start().starts_with("source"))?;
        let (_, path) = line.split_once(['=', ':'])?;
        let path = path.trim().trim_matches(['"', '\'']);
        if !path.starts_with('.') {
            return None;
        }
        join(directory_of(&self.file), path)
    }
}

/// The words before a block's brace.
fn head(text: &str) -> Vec<&str> {
    let line = text.lines().next().unwrap_or_default();
    let line = line.split('{').next().unwrap_or_default();
    line.split(|c: char| c.is_whitespace() || c == '"').filter(|word| !word.is_empty()).collect()
}

/// Does a name end here?
fn ends(text: &str, at: usize) -> bool {
    !text[at..].starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-')
}

/// The name that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(text.len());
    &text[..end]
}

/// The blocks of a file: each begins at the start of a line, and what follows farther right, or closes it, is of it.
fn blocks(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        let begins = line.starts_with(|c: char| c.is_ascii_alphabetic()) && line.contains('{');
        match found.last_mut() {
            Some(block) if !begins => *block = format!("{block}\n{line}"),
            _ => found.push(line.to_owned()),
        }
    }
    found
}

/// The blocks of a file in JSON: below each kind stand labels, as many as it has, and then what is within; each may be a list.
fn blocks_of_json(text: &str) -> Vec<String> {
    let Ok(tree) = serde_json::from_str::<Value>(text) else { return vec![text.to_owned()] };
    let mut found = Vec::new();
    for (kind, within) in members(&tree) {
        let labels = match kind.as_str() {
            "resource" | "data" => 2,
            "locals" | "terraform" => 0,
            _ => 1,
        };
        labelled(kind, within, labels, &mut found);
    }
    found
}

fn labelled(head: &str, tree: &Value, labels: usize, found: &mut Vec<String>) {
    if labels == 0 {
        let within = yaml::write(tree);
        found.push(format!("{head} {{\n{within}"));
        return;
    }
    for (label, within) in members(tree) {
        labelled(&format!("{head} \"{label}\""), within, labels - 1, found);
    }
}

/// The members of an object, or of all objects of a list.
fn members(tree: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let alone = tree.as_object().into_iter();
    alone.chain(list(Some(tree)).filter_map(Value::as_object)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_blocks_and_a_block_is_told_by_its_head() {
        let found = blocks("# head\nresource \"a\" \"b\" {\n  x = 1\n}\n\nlocals {\n  root = var.root\n}\n");
        assert_eq!(found.len(), 3);
        assert_eq!(head(&found[1]), ["resource", "a", "b"]);
        let block = |text: &str| Block { file: String::new(), text: text.to_owned(), reaches: false };
        assert!(block(&found[1]).is_named("x = a.b.id") && !block(&found[1]).is_named("x = a.bc.id"));
        assert!(block(&found[2]).is_named("x = local.root") && !block(&found[2]).is_named("x = local.other"));
    }

    #[test]
    fn a_file_in_json_has_the_same_blocks() {
        let found = blocks_of_json(
            r#"{"resource": [{"a": {"b": {"x": "${local.root}", "y": "one\ntwo"}}}], "locals": {"root": "${var.root}"}, "module": {"m": {"source": "../m"}}}"#,
        );
        assert_eq!(found.len(), 3);
        assert_eq!(head(&found[0]), ["resource", "a", "b"]);
        assert!(found[0].lines().any(|line| line.trim() == "two"), "{}", found[0]);
        let block =
            |text: &str| Block { file: "live/a.tf.json".to_owned(), text: text.to_owned(), reaches: false };
        assert!(block(&found[1]).is_named("x = local.root") && !block(&found[1]).is_named("x = local.other"));
        assert_eq!(block(&found[2]).source().as_deref(), Some("m"));
    }
}
