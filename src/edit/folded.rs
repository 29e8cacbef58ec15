//! Texts of YAML that a file holds on several lines, though not line for line: in quotes or in none, or folded by `>`.

use std::ops::Range;

use zeroize::Zeroizing;

use super::pem::BEGIN;

/// Such a text, with the place in the file of each of its bytes.
pub(super) struct Folded {
    /// Where it stands, without its quotes.
    pub(super) range: Range<usize>,
    pub(super) text: Zeroizing<String>,
    /// Where each byte stands, and what follows the last.
    at: Vec<usize>,
    style: Style,
    /// A line's end, and what stands before each line but the first.
    newline: &'static str,
    indent: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// A line's end is an empty line.
    Single,
    Double,
    Plain,
    Block,
    /// In double quotes, where a line's end is `\n`, and may be followed by one that means nothing.
    Escaped {
        is_wrapped: bool,
    },
}

/// The base64 of what a PEM text begins with.
const BEGIN_ENCODED: &str = "LS0tLS1CRUdJTi";
/// How far in front of a PEM block its quote is looked for.
const FAR: usize = 1 << 16;

/// Every such text in which a PEM block begins, or its base64.
pub(super) fn folded(text: &str) -> Vec<Folded> {
    let mut found: Vec<Folded> = Vec::new();
    let plain = text.match_indices(BEGIN).map(|(at, _)| at);
    let mut begins: Vec<usize> = plain.chain(text.match_indices(BEGIN_ENCODED).map(|(at, _)| at)).collect();
    begins.sort_unstable();
    for begin in begins {
        if found.last().is_none_or(|known| known.range.end <= begin) {
            found
                .extend(quoted(text, begin).or_else(|| block(text, begin)).or_else(|| unquoted(text, begin)));
        }
    }
    found
}

impl Folded {
    /// What to write where, so that the text is another one: the lines before and behind what changes keep their bytes.
    pub(super) fn edit(&self, new: &str) -> (Range<usize>, Zeroizing<String>) {
        let [was, is] = [self.text.as_str(), new].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
        let least = was.len().min(is.len());
        let before = (0..least).take_while(|at| was[*at] == is[*at]).count();
        let ends = (1..=least - before).take_while(|back| was[was.len() - back] == is[is.len() - back]);
        let behind = ends.count();
        let length = |lines: &[&str]| lines.iter().map(|line| line.len()).sum::<usize>();
        let (start, end) = (length(&was[..before]), length(&was[..was.len() - behind]));
        let by = self.written(&new[start..length(&is[..is.len() - behind])]);
        (self.at[start]..self.at[end], Zeroizing::new(by))
    }

    fn written(&self, text: &str) -> String {
        let between = match self.style {
            Style::Escaped { is_wrapped: false } => "\\n".to_owned(),
            Style::Escaped { is_wrapped: true } => format!("\\n\\{}{}", self.newline, self.indent),
            Style::Single | Style::Double | Style::Plain | Style::Block => {
                format!("{0}{0}{1}", self.newline, self.indent)
            }
        };
        let line = |line: &str| match self.style {
            Style::Single => line.replace('\'', "''"),
            Style::Double | Style::Escaped { .. } => line.replace('\\', "\\\\").replace('"', "\\\""),
            Style::Plain | Style::Block => line.to_owned(),
        };
        text.split('\n').map(line).collect::<Vec<_>>().join(&between)
    }
}

/// The text in quotes that `begin` is in, where it stands on several lines.
fn quoted(text: &str, begin: usize) -> Option<Folded> {
    let near = text.floor_char_boundary(begin.saturating_sub(FAR));
    let open = near + text[near..begin].rfind(['"', '\''])?;
    let before = text[..open].trim_end_matches(' ');
    if !before.is_empty() && !before.ends_with([':', '-', ',', '[', '{', '\n']) {
        return None;
    }
    let is_double = text[open..].starts_with('"');
    let mut reader = Reader { text, at: open + 1, out: String::new(), places: Vec::new() };
    let (mut has_newlines, mut is_wrapped, mut is_several) = (false, false, false);
    let end = loop {
        let (at, rest) = (reader.at, &text[reader.at..]);
        let one = rest.chars().next()?;
        match one {
            '\'' if !is_double && rest.starts_with("''") => reader.takes("'", 2),
            '"' | '\'' if is_double == (one == '"') => break at,
            '\\' if is_double => match rest[1..].chars().next()? {
                'n' => {
                    has_newlines = true;
                    reader.takes("\n", 2);
                }
                sign @ ('"' | '\\' | '/' | ' ') => reader.takes(&sign.to_string(), 2),
                't' => reader.takes("\t", 2),
                '\r' | '\n' => {
                    (is_wrapped, is_several) = (true, true);
                    reader.at += 1;
                    reader.at = reader.line_ends(false)?.0;
                }
                _ => return None,
            },
            ' ' | '\t' | '\r' | '\n' => match reader.line_ends(true) {
                Some((behind, breaks)) => {
                    is_several = true;
                    reader.breaks(behind, breaks);
                }
                None => reader.takes(&one.to_string(), one.len_utf8()),
            },
            _ => reader.takes(&one.to_string(), one.len_utf8()),
        }
    };
    if !is_several || end < begin {
        return None;
    }
    let style = match is_double {
        false => Style::Single,
        true if has_newlines => Style::Escaped { is_wrapped },
        true => Style::Double,
    };
    Some(reader.done(open + 1..end, style))
}

/// The text without quotes that begins at `begin`, behind its key or on the line below it.
fn unquoted(text: &str, begin: usize) -> Option<Folded> {
    let line_start = |at: usize| text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let before = &text[line_start(begin)..begin];
    let key = if before.trim().is_empty() {
        text[..line_start(begin)].trim_end().lines().next_back()?
    } else {
        before.trim_end_matches(' ')
    };
    if !key.ends_with([':', '-']) || key.trim_start().starts_with('#') {
        return None;
    }
    let mut reader = Reader { text, at: begin, out: String::new(), places: Vec::new() };
    let end = loop {
        let rest = &text[reader.at..];
        let Some(one) = rest.chars().next() else { break reader.at };
        let is_blank = [' ', '\t', '\r', '\n'].contains(&one);
        match reader.line_ends(true).filter(|_| is_blank) {
            // A key: it is no text.
            None if one == ':' && rest[1..].starts_with([' ', '\t', '\r', '\n']) => return None,
            None if is_blank && rest.trim_start().starts_with('#') => break reader.at,
            None => reader.takes(&one.to_string(), one.len_utf8()),
            Some((behind, breaks)) => {
                let is_within = behind - line_start(behind) > blanks(key) && !text[behind..].starts_with('#');
                if behind == text.len() || !is_within {
                    break reader.at;
                }
                reader.breaks(behind, breaks);
            }
        }
    };
    // Lines that follow each other without an empty one are one line, and no PEM.
    let is_pem = reader.out.contains("-----\n");
    is_pem.then(|| reader.done(begin..end, Style::Plain))
}

/// The text behind a `>` that `begin` is in.
fn block(text: &str, begin: usize) -> Option<Folded> {
    let line_start = text[..begin].rfind('\n')? + 1;
    let indent = &text[line_start..begin];
    if indent.is_empty() || !indent.bytes().all(|one| one == b' ') {
        return None;
    }
    // Its first line, and the one with the sign.
    let mut first = line_start;
    let header = loop {
        let above = text[..first - 1].rfind('\n').map_or(0, |newline| newline + 1);
        let line = &text[above..first];
        let is_within = line.trim().is_empty() || line.starts_with(indent);
        if !is_within {
            break line;
        }
        first = above;
        if first == 0 {
            return None;
        }
    };
    let sign = header.split(" #").next()?.trim_end();
    let sign = sign.trim_end_matches(['-', '+']);
    if !sign.ends_with(": >") && !sign.ends_with("- >") {
        return None;
    }
    let mut reader = Reader { text, at: first + indent.len(), out: String::new(), places: Vec::new() };
    if !text[first..].starts_with(indent) {
        return None;
    }
    let end = loop {
        let rest = &text[reader.at..];
        let Some(one) = rest.chars().next() else { break reader.at };
        if !['\r', '\n'].contains(&one) {
            reader.takes(&one.to_string(), one.len_utf8());
            continue;
        }
        let (behind, breaks) = reader.line_ends(true)?;
        let line = text[..behind].rfind('\n').map_or(0, |newline| newline + 1);
        match behind - line {
            by if by == indent.len() => reader.breaks(behind, breaks),
            by if by < indent.len() || behind == text.len() => break reader.at,
            // Lines that are indented further are not folded.
            _ => return None,
        }
    };
    Some(reader.done(first + indent.len()..end, Style::Block))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    out: String,
    places: Vec<usize>,
}

impl Reader<'_> {
    /// What `length` bytes of the file mean.
    fn takes(&mut self, meaning: &str, length: usize) {
        self.places.extend(std::iter::repeat_n(self.at, meaning.len()));
        self.out.push_str(meaning);
        self.at += length;
    }

    /// What follows the blanks here, and how many lines end in them; `None` where none does.
    fn line_ends(&self, blanks_before: bool) -> Option<(usize, usize)> {
        let rest = &self.text[self.at..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        let breaks = rest[..blanks].matches('\n').count();
        let is_wrapped_once = blanks_before || breaks == 1;
        (breaks > 0 && is_wrapped_once).then_some((self.at + blanks, breaks))
    }

    /// One line's end is a blank; of several, all but one count.
    fn breaks(&mut self, behind: usize, breaks: usize) {
        let meaning = if breaks == 1 { " ".to_owned() } else { "\n".repeat(breaks - 1) };
        self.takes(&meaning, behind - self.at);
    }

    fn done(mut self, range: Range<usize>, style: Style) -> Folded {
        self.places.push(range.end);
        let source = &self.text[range.clone()];
        let newline = if source.contains("\r\n") { "\r\n" } else { "\n" };
        let line_start = |at: usize| self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let blanks = |line: &str| " ".repeat(line.len() - line.trim_start_matches(' ').len());
        let indent = match style {
            Style::Block => " ".repeat(range.start - line_start(range.start)),
            _ => source.lines().skip(1).find(|line| !line.trim().is_empty()).map(blanks).unwrap_or_default(),
        };
        Folded { range, text: Zeroizing::new(self.out), at: self.places, style, newline, indent }
    }
}
