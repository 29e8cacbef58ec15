//! Base64 in which a PEM text is: of a Secret's value, or of a file of values that is one.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::pem::BEGIN;

/// The first line of base64 is no shorter, in characters: no certificate, and no wrapped line, is.
const SHORTEST: usize = 60;

/// Base64 of a PEM text.
pub(super) struct Encoded {
    /// Without the blanks before its first line, and without the end of its last.
    pub(super) range: Range<usize>,
    pub(super) text: Zeroizing<String>,
    /// What begins each line but the first, and how long lines are; `None` where it is one.
    wrapped: Option<(String, usize)>,
}

impl Encoded {
    pub(super) fn written(&self, text: &str) -> String {
        let mut encoded = String::new();
        STANDARD.encode_string(text, &mut encoded);
        let Some((between, width)) = &self.wrapped else { return encoded };
        let line = |at: usize| &encoded[at..encoded.len().min(at + width)];
        (0..encoded.len()).step_by(*width).map(line).collect::<Vec<_>>().join(between)
    }
}

/// Every base64 of a text in which a PEM block is: of a Secret's value, or of a file of values that is one.
pub(super) fn encoded(text: &str) -> Vec<Encoded> {
    let mut found: Vec<Encoded> = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(is_base64).map(|start| at + start) {
        let length = text[start..].find(|one| !is_base64(one)).unwrap_or(text.len() - start);
        at = start + length;
        if length >= SHORTEST
            && let Some(one) = encoded_at(text, start, length)
        {
            at = one.range.end;
            found.push(one);
        }
    }
    found
}

fn is_base64(character: char) -> bool {
    character.is_ascii_alphanumeric() || ['+', '/', '='].contains(&character)
}

/// One line of base64, or several of the same width behind the same blanks.
fn encoded_at(text: &str, start: usize, width: usize) -> Option<Encoded> {
    let length = |text: &str| text.find(|one| !is_base64(one)).unwrap_or(text.len());
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let mut end = start + width;
    let decoded = |range: Range<usize>| {
        let all: String = text[range].chars().filter(|one| is_base64(*one)).collect();
        String::from_utf8(STANDARD.decode(all).ok()?).ok().map(Zeroizing::new)
    };
    let indent = &text[line_start..start];
    let newline = if text[end..].starts_with("\r\n") { "\r\n" } else { "\n" };
    let between = format!("{newline}{indent}");
    let mut wrapped = None;
    if indent.chars().all(|one| one == ' ') {
        // Every line but the last is as wide as the first.
        let mut last = width;
        while last == width && text[end..].starts_with(&between) {
            last = length(&text[end + between.len()..]);
            let next = end + between.len() + last;
            let ends = text[next..].is_empty() || text[next..].starts_with(newline);
            if last == 0 || last > width || !ends {
                break;
            }
            end = next;
            wrapped = Some((between.clone(), width));
        }
    }
    let text = decoded(start..end)?;
    text.contains(BEGIN).then_some(Encoded { range: start..end, text, wrapped })
}
