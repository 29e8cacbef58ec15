//! Objects of cert-manager and trust-manager in the repository's files: fields, sources of a Bundle, and whole objects that come beside
//! another or go.

use serde_json::Value;
use zeroize::Zeroizing;

use super::work::{Contents, Work, block_of, declared};
use super::{EditedLine, What};
use crate::document::mapping::{self, Block};
use crate::document::{self, ObjectRef, yaml};
use crate::render::{Edit, Rendered, WholeChange};

impl Work<'_> {
    /// Makes all changes of such objects at once. `beside` names for an object that comes the one behind which it is written.
    pub(super) fn objects(&mut self, beside: &[(ObjectRef, ObjectRef)]) {
        let mut all = self.so_far();
        for rendered in self.step {
            let is_theirs = rendered.edits.iter().any(|edit| matches!(edit, Edit::Spec { .. }));
            if !is_theirs && rendered.whole.is_none() {
                continue;
            }
            let near = beside.iter().find(|(new, _)| *new == rendered.object).map(|(_, old)| old);
            self.object(&mut all, rendered, near);
        }
        self.accept(all, |_| true);
    }

    /// Changes an object in the file that declares it.
    fn object(&self, all: &mut Contents, rendered: &Rendered, near: Option<&ObjectRef>) {
        let is_there = declared(&self.target.documents, &rendered.object).is_some();
        if is_there == (rendered.whole == Some(WholeChange::Added)) {
            return;
        }
        let place = near.unwrap_or(&rendered.object);
        for name in &self.target.files {
            let Some((text, mut changes)) = self.current(all, name) else { continue };
            let Some(block) = block_of(&text, place) else { continue };
            if let Some((after, more)) = edited(&text, block, rendered) {
                changes.extend(more);
                all.insert(name.clone(), (Zeroizing::new(after), changes));
                return;
            }
        }
    }
}

/// The file with the change of an object that is described on these lines.
fn edited(text: &str, block: Block, rendered: &Rendered) -> Option<(String, Vec<EditedLine>)> {
    let object = &rendered.object;
    let at = |line: usize, what: What| EditedLine { line: line + 1, what };
    match rendered.whole {
        Some(WholeChange::Added) => {
            let newline = if text.ends_with('\n') { "" } else { "\n" };
            let tree = rendered.result().ok()?;
            let line = text.lines().count();
            let after = format!("{text}{newline}---\n{}", yaml::write(&tree));
            Some((after, vec![at(line, What::Added { object: object.clone() })]))
        }
        Some(WholeChange::Removed) => {
            Some((without(text, block), vec![at(block.lines.0, What::Removed { object: object.clone() })]))
        }
        None => fields(text, object, rendered),
    }
}

fn fields(text: &str, object: &ObjectRef, rendered: &Rendered) -> Option<(String, Vec<EditedLine>)> {
    let (mut after, mut changes) = (text.to_owned(), Vec::new());
    for edit in &rendered.edits {
        let Edit::Spec { path, value } = edit else { continue };
        let path: Vec<&str> = ["spec"].into_iter().chain(path.iter().copied()).collect();
        let block = block_of(&after, object)?;
        let line = mapping::line_of(&after, block, &path).unwrap_or(block.lines.1);
        after = match value {
            Value::String(value) => mapping::set(&after, block, &path, value)?,
            Value::Array(items) => list(&after, block, &path, items)?,
            Value::Null => without_field(&after, block, &path)?,
            _ => return None,
        };
        let what = What::Field {
            object: object.clone(),
            field: path.join("."),
            value: value.as_str().map(str::to_owned),
        };
        changes.push(EditedLine { line: line + 1, what });
    }
    Some((after, changes))
}

/// A file without the document that holds these lines; the marks of its other documents stay.
fn without(text: &str, block: Block) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (first, end) = block.lines;
    let is_mark = |line: &&str| line.starts_with("---");
    let begin = lines[..first].iter().rposition(is_mark).unwrap_or(0);
    // The mark behind the first document is not needed before the one that is first then.
    let end = if begin == 0 && lines.get(end).is_some_and(is_mark) { end + 1 } else { end };
    [lines[..begin].concat(), lines[end..].concat()].concat()
}

/// A file without the key at the end of a path, and what stands below it.
fn without_field(text: &str, block: Block, path: &[&str]) -> Option<String> {
    let lines = mapping::lines(text);
    let (last, above) = path.split_last()?;
    let mut block = block;
    for key in above {
        block = mapping::inner(&lines, block, mapping::find(&lines, block, key)?)?;
    }
    let first = mapping::find(&lines, block, last)?.line;
    let is_behind =
        |at: &usize| mapping::is_content(lines[*at]) && mapping::indent(lines[*at]) <= block.indent;
    let end = (first + 1..block.lines.1).find(is_behind).unwrap_or(block.lines.1);
    Some([lines[..first].concat(), lines[end..].concat()].concat())
}

/// A file with other items in the list at a path: those that stay keep their lines.
fn list(text: &str, block: Block, path: &[&str], items: &[Value]) -> Option<String> {
    let lines = mapping::lines(text);
    let (last, above) = path.split_last()?;
    let mut block = block;
    for key in above {
        block = mapping::inner(&lines, block, mapping::find(&lines, block, key)?)?;
    }
    let key = mapping::find(&lines, block, last)?;
    if !key.said(&lines).trim().is_empty() {
        return None;
    }
    let Block { lines: (first, end), indent: dash } = mapping::list_below(&lines, block, key)?;
    let is_item = |at: usize| mapping::indent(lines[at]) == dash && mapping::is_item(lines[at]);
    let begins: Vec<usize> = (first..end).filter(|at| is_item(*at)).collect();
    let known: Vec<(Value, String)> = begins
        .iter()
        .enumerate()
        .map(|(place, begin)| {
            let until = begins.get(place + 1).copied().unwrap_or(end);
            let text = lines[*begin..until].concat();
            let read = document::parse(&format!("items:\n{text}"), "item").ok()?.pop()?.tree;
            Some((read.pointer("/items/0")?.clone(), text))
        })
        .collect::<Option<_>>()?;
    let written = |item: &Value| match known.iter().find(|(known, _)| known == item) {
        Some((_, text)) if text.ends_with('\n') => text.clone(),
        Some((_, text)) => format!("{text}\n"),
        None => {
            let text = yaml::write(&Value::from(vec![item.clone()]));
            text.lines().map(|line| format!("{}{line}\n", " ".repeat(dash))).collect()
        }
    };
    let made: String = items.iter().map(written).collect();
    Some([lines[..first].concat(), made, lines[end..].concat()].concat())
}
