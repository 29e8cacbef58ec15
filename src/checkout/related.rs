//! Files that name trust material or Linkerd's chart, and what other files give to them.

use std::collections::BTreeSet;

use super::net;
use super::path::is_within;
use super::script;
use super::side::{Side, directory_of};

/// A file that names trust material or Linkerd's chart, and is not deployed as it is.
#[derive(Debug)]
pub(super) struct Taker {
    name: String,
    text: String,
    /// What it takes from elsewhere, by name.
    words: BTreeSet<String>,
    /// May objects that are deployed themselves give to it? kpt's setters are some; what Flux replaces is seen elsewhere.
    is_of_kpt: bool,
}

/// No file of a tool that installs charts is larger.
const LARGEST: u64 = 256 << 10;

impl Taker {
    /// `None` for a file that is about something else, or is deployed as it is.
    pub(super) fn of(side: &Side, name: &str, is_explained: bool) -> Option<Self> {
        if side.size(name) > LARGEST {
            return None;
        }
        let whole = side.text(name)?;
        let is_script = script::is_script(name, &whole);
        let text = if is_script { script::lines(name, &whole, &[]).join("\n") } else { whole };
        if !is_script && !net::names_trust(&text) && !net::names_chart(&text) || text.is_empty() {
            return None;
        }
        let words = if is_script { script::variables(&text) } else { words(name, &text) };
        if is_explained && words.is_empty() {
            return None;
        }
        let is_of_kpt = text.contains("kpt-set:");
        let text = if is_explained { String::new() } else { text };
        Some(Self { name: name.to_owned(), text, words, is_of_kpt })
    }

    /// Does it name another file?
    pub(super) fn names(&self, name: &str) -> bool {
        let file = name.rsplit('/').next().unwrap_or(name);
        name != self.name && (self.text.contains(file) || self.imports(name))
    }

    /// Does a program import another one?
    fn imports(&self, name: &str) -> bool {
        let Some((stem, end)) = name.rsplit_once('.') else { return false };
        if !is_program(name) || !self.name.ends_with(&format!(".{end}")) {
            return false;
        }
        let stem = stem.rsplit('/').next().unwrap_or(stem);
        ["'", "\""].iter().any(|quote| self.text.contains(&format!("/{stem}{quote}")))
    }

    /// The names that it takes values by, as far as a file is near enough to give them.
    pub(super) fn words_for(&self, name: &str, is_explained: bool) -> BTreeSet<String> {
        let [own, other] = [directory_of(&self.name), directory_of(name)];
        let is_near = is_within(own, other) || is_within(other, own);
        if name != self.name && (self.is_of_kpt || !is_explained) && is_near {
            self.words.clone()
        } else {
            BTreeSet::new()
        }
    }
}

fn is_program(name: &str) -> bool {
    [".ts", ".js", ".py", ".go", ".cs", ".java", ".kt", ".libsonnet", ".jsonnet"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// What a text takes from elsewhere: by placeholders, and a program by what stands in quotes.
fn words(name: &str, text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if is_program(name) {
        for part in text.split(['"', '\'', '`']).skip(1).step_by(2) {
            found.insert(part.to_owned());
        }
        return found;
    }
    for document in text.split("\n---").filter(|document| net::names_trust(document)) {
        for (begin, end) in [("${", "}"), ("{{", "}}"), ("((", "))"), ("#@", "\n")] {
            for rest in document.split(begin).skip(1) {
                let inner = rest.split(end).next().unwrap_or(rest);
                found.extend(
                    inner.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').map(str::to_owned),
                );
            }
        }
    }
    // What placeholders are written with is no name.
    found.retain(|word| {
        word.len() > 1 && !["data", "values", "Values", "load", "ytt", "end"].contains(&word.as_str())
    });
    found
}

/// The lines of a text that give something by one of these names, with what stands below them.
pub(super) fn given<'a>(text: &'a str, words: &BTreeSet<String>) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut around: Option<usize> = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        if around.is_some_and(|outer| indent <= outer) {
            around = None;
        }
        if around.is_none() && key(line).is_some_and(|key| words.contains(key)) {
            around = Some(indent);
        }
        if around.is_some() {
            found.push(line.trim());
        }
    }
    found
}

/// The name that a line gives something by; of `project:name`, the name.
pub(super) fn key(line: &str) -> Option<&str> {
    let line = line.trim_start_matches([' ', '\t', '-', '{', '"', '\'']).trim_start_matches("export ");
    let end =
        line.find(": ").or_else(|| line.find('=')).or_else(|| line.ends_with(':').then(|| line.len() - 1))?;
    let name = line[..end].trim_end_matches([' ', '"', '\'', ':']);
    Some(name.rsplit(':').next().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_takes_is_told_by_its_placeholders() {
        let of = |name: &str, text: &str| words(name, text).into_iter().collect::<Vec<_>>();
        assert_eq!(of("a.yaml", "linkerd-config: #@ data.values.root\n"), ["root"]);
        assert_eq!(of("a.yaml", "linkerd-config: x # kpt-set: ${root}\n---\na: ${other}\n"), ["root"]);
        assert_eq!(of("a.ts", "config.require('meshRoot')"), ["meshRoot"]);
    }

    #[test]
    fn what_a_file_gives_by_a_name_is_the_line_and_what_is_below_it() {
        let words: BTreeSet<String> = ["root".to_owned()].into();
        assert_eq!(given("a: 1\nroot:\n  x: 2\nb: 3\n", &words), ["root:", "x: 2"]);
        assert_eq!(given("config:\n  infra:root: one\n  infra:region: eu\n", &words), ["infra:root: one"]);
        assert_eq!(given("root = \"one\"\nROOT=x\n", &words), ["root = \"one\""]);
        assert_eq!(given("{\n  \"root\": \"one\"\n}", &words), ["\"root\": \"one\""]);
    }
}
