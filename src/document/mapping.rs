//! Keys of block mappings, found by indentation in the lines of a YAML text, and set there while every other byte stays. Whoever asks
//! proves it by reading both texts.

#[cfg(test)]
mod tests;

use std::ops::Range;

use serde_json::Value;

use super::{parse, yaml};

/// A block mapping: lines of a text whose keys are indented by as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// Its first line, from 0, and the one behind its last.
    pub(crate) lines: (usize, usize),
    pub(crate) indent: usize,
}

/// A key of a mapping: its line, and where the text behind its colon begins there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) line: usize,
    behind: usize,
}

impl Key {
    /// What stands behind the colon, to the end of the line.
    pub(crate) fn said<'l>(&self, lines: &[&'l str]) -> &'l str {
        &lines[self.line][self.behind..]
    }
}

/// The document that begins on a line, from 1: a mapping whose keys are not indented, mostly.
pub(crate) fn document(text: &str, line: usize) -> Option<Block> {
    let lines = lines(text);
    let begin = line.saturating_sub(1);
    let is_end = |line: &&&str| line.starts_with("---") || line.starts_with("...");
    let first = lines.iter().skip(begin).position(|line| is_content(line) && !is_end(&line))? + begin;
    if lines[first].starts_with(['{', '[']) {
        return None;
    }
    let end = lines.iter().skip(first).position(|line| is_end(&line)).map_or(lines.len(), |end| first + end);
    Some(Block { lines: (first, end), indent: indent(lines[first]) })
}

/// The text with the value at a path below a mapping; `None` where the mapping is not written as a block, something on the way is
/// not, or a comment would be lost.
pub(crate) fn set(text: &str, within: Block, path: &[&str], value: &str) -> Option<String> {
    let lines = lines(text);
    let newline = newline(&lines);
    let (mut block, mut path) = (within, path);
    while let [name, rest @ ..] = path {
        let Some(key) = find(&lines, block, name) else { break };
        if rest.is_empty() {
            return replaced(&lines, block, key, value);
        }
        let said = key.said(&lines);
        match inner(&lines, block, key) {
            Some(below) if is_bare(said) => (block, path) = (below, rest),
            None if is_empty(&lines, block, key) || said.trim() == "{}" => {
                let head = if said.trim() == "{}" {
                    format!("{}{newline}", &lines[key.line][..key.behind])
                } else {
                    lines[key.line].to_owned()
                };
                let made = made(rest, value, block.indent + 2, newline);
                return Some(joined(&lines, key.line..key.line + 1, &format!("{head}{made}")));
            }
            _ => return None,
        }
    }
    Some(behind(&lines, last_line(&lines, block)?, &made(path, value, block.indent, newline)))
}

/// The text with one more item in the list at a path below a mapping.
pub(crate) fn with_item(text: &str, within: Block, path: &[&str], item: &[String]) -> Option<String> {
    let lines = lines(text);
    let newline = newline(&lines);
    let written = |indent: usize| {
        let line = |line: &String| format!("{}{line}{newline}", " ".repeat(indent));
        item.iter().map(line).collect::<String>()
    };
    let mut block = within;
    for (depth, name) in path.iter().enumerate() {
        let Some(key) = find(&lines, block, name) else {
            let key = |(further, key): (usize, &&str)| {
                format!("{}{key}:{newline}", " ".repeat(block.indent + 2 * further))
            };
            let keys: String = path[depth..].iter().enumerate().map(key).collect();
            let items = written(block.indent + 2 * (path.len() - depth - 1));
            return Some(behind(&lines, last_line(&lines, block)?, &(keys + &items)));
        };
        if !is_bare(key.said(&lines)) {
            return None;
        }
        if depth + 1 == path.len() {
            let list = list_below(&lines, block, key)?;
            return Some(behind(&lines, last_line(&lines, list)?, &written(list.indent)));
        }
        block = inner(&lines, block, key)?;
    }
    None
}

/// The lines, from 0, on which the items of the list at a path below a mapping begin.
pub(crate) fn items(text: &str, within: Block, path: &[&str]) -> Vec<usize> {
    let lines = lines(text);
    let list = || {
        let (last, above) = path.split_last()?;
        let mut block = within;
        for key in above {
            block = inner(&lines, block, find(&lines, block, key)?)?;
        }
        list_below(&lines, block, find(&lines, block, last)?)
    };
    let Some(list) = list() else { return Vec::new() };
    let begins = |at: &usize| indent(lines[*at]) == list.indent && is_item(lines[*at]);
    (list.lines.0..list.lines.1).filter(begins).collect()
}

/// The text without the dash of the item that begins on a line, which is a mapping then that is indented by as much more.
pub(crate) fn without_dash(text: &str, line: usize) -> Option<(String, Block)> {
    let all = lines(text);
    let (said, dash) = (all.get(line)?, indent(all[line]));
    let at = all[..line].iter().map(|line| line.len()).sum::<usize>() + dash;
    if !said[dash..].starts_with("- ") {
        return None;
    }
    let mut without = text.to_owned();
    without.replace_range(at..at + 1, " ");
    let is_behind = |line: &&str| is_content(line) && indent(line) <= dash || line.starts_with("---");
    let end = all[line + 1..].iter().position(is_behind).map_or(all.len(), |end| line + 1 + end);
    let indent = indent(lines(&without)[line]);
    Some((without, Block { lines: (line, end), indent }))
}

/// The text with an edit of the mapping that is the item of a list which begins on a line.
pub(crate) fn in_item(
    text: &str,
    line: usize,
    edit: impl Fn(&str, Block) -> Option<String>,
) -> Option<String> {
    let (without, block) = without_dash(text, line)?;
    let mut after = edit(&without, block)?;
    // An edit of the item keeps what is before its first key.
    let at = lines(text)[..line].iter().map(|line| line.len()).sum::<usize>() + indent(lines(text)[line]);
    after.get(at..=at).filter(|blank| *blank == " ")?;
    after.replace_range(at..=at, "-");
    Some(after)
}

/// The line, from 0, of the key at the end of a path; `None` where it is not there.
pub(crate) fn line_of(text: &str, within: Block, path: &[&str]) -> Option<usize> {
    let lines = lines(text);
    let mut block = within;
    let (last, above) = path.split_last()?;
    for key in above {
        block = inner(&lines, block, find(&lines, block, key)?)?;
    }
    Some(find(&lines, block, last)?.line)
}

/// What stands on the line of the key at the end of a path, without its quotes.
pub(crate) fn said<'l>(lines: &[&'l str], block: Block, path: &[&str]) -> Option<&'l str> {
    let (name, rest) = path.split_first()?;
    let key = find(lines, block, name)?;
    if !rest.is_empty() {
        return said(lines, inner(lines, block, key)?, rest);
    }
    Some(key.said(lines).trim().trim_matches(['"', '\'']))
}

/// A text as its lines, their ends included.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

pub(crate) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Does the line say anything?
pub(crate) fn is_content(line: &str) -> bool {
    let said = line.trim();
    !said.is_empty() && !said.starts_with('#')
}

/// A key of a mapping.
pub(crate) fn find(lines: &[&str], block: Block, key: &str) -> Option<Key> {
    let at = |line: usize| {
        let is_of_block = indent(lines[line]) == block.indent;
        let length = is_of_block.then(|| key_length(&lines[line][block.indent..], key))??;
        Some(Key { line, behind: block.indent + length })
    };
    (block.lines.0..block.lines.1).find_map(at)
}

/// How long the key is that a line begins with, its colon included, where it is this one.
pub(crate) fn key_length(line: &str, key: &str) -> Option<usize> {
    ["", "\"", "'"].iter().find_map(|quote| {
        let rest = line.strip_prefix(quote)?.strip_prefix(key)?.strip_prefix(quote)?.strip_prefix(':')?;
        let ends = rest.is_empty() || rest.starts_with([' ', '\n', '\r', '\t']);
        ends.then_some(line.len() - rest.len())
    })
}

/// What stands below a key: a mapping that is indented by more.
pub(crate) fn inner(lines: &[&str], block: Block, key: Key) -> Option<Block> {
    let after = key.line + 1..block.lines.1;
    let first = after.clone().find(|at| is_content(lines[*at]))?;
    let inner = indent(lines[first]);
    let is_mapping = inner > block.indent && !is_item(lines[first]);
    let end = after.clone().find(|at| is_content(lines[*at]) && indent(lines[*at]) <= block.indent);
    is_mapping.then(|| Block { lines: (first, end.unwrap_or(after.end)), indent: inner })
}

/// The list that stands below a key.
pub(crate) fn list_below(lines: &[&str], block: Block, key: Key) -> Option<Block> {
    let first = (key.line + 1..block.lines.1).find(|at| is_content(lines[*at]))?;
    let indent = indent(lines[first]);
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

/// Does an item of a list begin on the line?
pub(crate) fn is_item(line: &str) -> bool {
    line.trim_start().starts_with("- ") || line.trim() == "-"
}

/// Keys below each other, and a value behind the last.
pub(crate) fn made(path: &[&str], value: &str, indent: usize, newline: &str) -> String {
    let mut out = String::new();
    for (depth, key) in path.iter().enumerate() {
        let indent = indent + 2 * depth;
        out += &format!("{}{key}:", " ".repeat(indent));
        if depth + 1 == path.len() {
            out += &format!(" {}", written(value, indent + 2, newline));
        } else {
            out += newline;
        }
    }
    out
}

/// A text of one line as a plain scalar where YAML takes it for the same text, else in double quotes.
pub(crate) fn scalar(value: &str) -> String {
    let reads_back = |text: &str| {
        let read = parse(&format!("k: {text}\n"), "value");
        read.is_ok_and(|all| all.len() == 1 && all[0].tree["k"] == value)
    };
    if reads_back(value) { value.to_owned() } else { Value::from(value).to_string() }
}

/// The text with other lines in the place of some.
pub(crate) fn joined(lines: &[&str], replaced: Range<usize>, by: &str) -> String {
    [&lines[..replaced.start].concat(), by, &lines[replaced.end..].concat()].concat()
}

/// A text as a scalar, to the end of its last line: in a literal block that is indented by as much, where it has several lines.
fn written(value: &str, indent: usize, newline: &str) -> String {
    if value.contains('\n') {
        return yaml::scalar(value, indent).replace('\n', newline);
    }
    format!("{}{newline}", scalar(value))
}

fn newline(lines: &[&str]) -> &'static str {
    if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
}

/// Is there nothing but a comment?
fn is_bare(said: &str) -> bool {
    !is_content(said)
}

/// Does a key have no value, neither behind it nor below?
fn is_empty(lines: &[&str], block: Block, key: Key) -> bool {
    let below = below(lines, block, key);
    is_bare(key.said(lines))
        && !below.iter().any(|line| is_content(line))
        && list_below(lines, block, key).is_none()
}

/// The last line of a block. A line that begins with `#` and is indented by more may be part of a text.
fn last_line(lines: &[&str], block: Block) -> Option<usize> {
    let is_of_block = |at: &usize| {
        let line = lines[*at];
        is_content(line) || (!line.trim().is_empty() && indent(line) > block.indent)
    };
    (block.lines.0..block.lines.1).rev().find(is_of_block)
}

/// The text with more lines behind one.
fn behind(lines: &[&str], last: usize, more: &str) -> String {
    let ended = if lines[last].ends_with('\n') { "" } else { newline(lines) };
    joined(lines, last + 1..last + 1, &format!("{ended}{more}"))
}

/// The text with another value behind a key: on its line in the quotes that are there, else written anew with the comment that is
/// behind it.
fn replaced(lines: &[&str], block: Block, key: Key, value: &str) -> Option<String> {
    let (head, said) = lines[key.line].split_at(key.behind);
    let below = below(lines, block, key);
    // What stands below a bare key is a mapping or a list, or may be.
    if is_bare(said) && !is_empty(lines, block, key) {
        return None;
    }
    let is_on_line = !below.iter().any(|line| is_content(line)) && !value.contains('\n');
    if is_on_line && let Some(said) = on_line(said, value) {
        return Some(joined(lines, key.line..key.line + 1, &format!("{head}{said}")));
    }
    let (old, comment) = said.split_at(comment(said)?);
    let old = old.trim();
    if old.starts_with(['{', '[']) {
        return None;
    }
    let is_block = old.starts_with(['|', '>']);
    let inner = below.iter().find(|line| !line.trim().is_empty()).map_or(0, |line| indent(line));
    // What may be a comment would be lost.
    if below.iter().any(|line| line.contains('#') && !(is_block && indent(line) >= inner)) {
        return None;
    }
    let newline = newline(lines);
    let new = written(value, block.indent + 2, newline);
    let (first, more) = new.split_at(new.find(newline)?);
    let new = format!("{head} {first}{}{more}", comment.trim_end());
    Some(joined(lines, key.line..key.line + 1 + below.len(), &new))
}

/// The lines of a value below its key's; blank lines that follow are no part of it.
fn below<'a, 'l>(lines: &'a [&'l str], block: Block, key: Key) -> &'a [&'l str] {
    let all = &lines[key.line + 1..block.lines.1];
    let is_behind = |line: &&str| !line.trim().is_empty() && indent(line) <= block.indent;
    let end = all.iter().position(is_behind).unwrap_or(all.len());
    let last = all[..end].iter().rposition(|line| !line.trim().is_empty());
    &all[..last.map_or(0, |last| last + 1)]
}

/// What stands behind a key, with another value in the same quotes: the comment behind it stays. `None` where it is no text on a line.
fn on_line(said: &str, value: &str) -> Option<String> {
    let begin = said.len() - said.trim_start_matches(' ').len();
    let rest = &said[begin..];
    let (old, new) = match rest.chars().next()? {
        quote @ ('"' | '\'') => {
            let end = rest[1..].find(quote)? + 2;
            let is_plain = !rest[..end].contains('\\') && !value.contains([quote, '\\', '\n']);
            (&rest[..end], is_plain.then(|| format!("{quote}{value}{quote}"))?)
        }
        '|' | '>' | '&' | '*' | '!' | '{' | '[' | '#' => return None,
        _ => {
            let end = rest.find(" #").unwrap_or(rest.trim_end().len());
            (rest[..end].trim_end(), scalar(value))
        }
    };
    let blank = if begin == 0 { " " } else { &said[..begin] };
    Some(format!("{blank}{new}{}", &rest[old.len()..]))
}

/// Where the comment of a line begins, the blanks before it included; its end where it has none. `None` where quotes make that
/// unclear.
fn comment(line: &str) -> Option<usize> {
    let start = line.len() - line.trim_start().len();
    let value = match line[start..].chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inner = &line[start + 1..];
            if inner.contains('\\') || inner.contains("''") {
                return (!line.contains('#')).then_some(line.len());
            }
            match inner.find(quote) {
                Some(end) => start + 1 + end + 1,
                None => return (!line.contains('#')).then_some(line.len()),
            }
        }
        _ => 0,
    };
    let hash = line[value..].find(" #").or_else(|| line[value..].find("\t#"));
    Some(hash.map_or(line.len(), |at| value + line[value..value + at].trim_end().len()))
}
