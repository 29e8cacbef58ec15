//! Terraform: which blocks of its modules reach a control plane.

use std::collections::{BTreeMap, BTreeSet};

use super::net;
use super::path::join;
use super::side::{Side, directory_of};

/// The blocks of all modules of a side.
#[derive(Debug, Default)]
pub(super) struct Modules {
    blocks: Vec<Block>,
}

/// A block of the outermost level: `resource "TYPE" "NAME" {`.
#[derive(Debug)]
struct Block {
    file: String,
    text: String,
    /// Does it reach a control plane?
    reaches: bool,
}

/// Is it a file with blocks?
pub(super) fn is_module_file(name: &str) -> bool {
    name.ends_with(".tf")
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
            for block in blocks(&text) {
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
        let own = self.blocks.iter().filter(|block| block.reaches && block.file == file);
        own.flat_map(|block| net::significant(&block.text)).collect()
    }

    /// The variables whose values reach a control plane.
    pub(super) fn variables(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for block in self.blocks.iter().filter(|block| block.reaches) {
            for rest in block.text.split("var.").skip(1) {
                found.insert(word(rest).to_owned());
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
            ["locals"] => self.text.lines().skip(1).any(|line| match line.split_once('=') {
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
        let path = line.split('"').nth(1).filter(|path| path.starts_with('.'))?;
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
}
