//! Foreign text as a terminal may show it: names from certificates, objects and files, and what an API server answers.
//!
//! Nothing in it may move the cursor, clear the screen, begin a line of its own or turn the direction of text around
//! (CVE-2021-42574). Where a foreign text comes in it is [`escaped`]; where this program prints, what is left is [`screened`].

use std::borrow::Cow;

/// Is it no character that everybody sees: a control character, a separator of lines, or one that reorders or hides text?
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text on one line, with an escape (as JSON has it) for each hidden character.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| if is_hidden(c) { push_escape(&mut out, c) } else { out.push(c) });
    Cow::Owned(out)
}

/// A whole answer: its line ends, its tabs and the styles of this program stay, every other hidden character is escaped.
///
/// JSON and YAML mean the same afterwards: within their strings this is the escape of the character.
#[must_use]
pub fn screened(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unexpected) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(length) = style(rest) {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        if is_unexpected(c) {
            push_escape(&mut out, c);
        } else {
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    Cow::Owned(out)
}

fn is_unexpected(c: char) -> bool {
    is_hidden(c) && c != '\n' && c != '\t'
}

/// How long the style is that a text begins with: one of those that this program sets (bold, the eight colours, and none).
fn style(text: &str) -> Option<usize> {
    let code = text.strip_prefix("\u{1b}[")?;
    let end = code.bytes().take(3).position(|byte| byte == b'm')?;
    let ours = matches!(&code[..end], "0" | "1" | "30" | "31" | "32" | "33" | "34" | "35" | "36" | "37");
    ours.then_some("\u{1b}[".len() + end + 1)
}

fn push_escape(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_stays_on_its_line_and_shows_what_it_holds() {
        for (text, shown) in [
            ("root.linkerd.cluster.local", "root.linkerd.cluster.local"),
            ("Zürich 東京 ✓", "Zürich 東京 ✓"),
            ("a\u{1b}[2Jb", "a\\u001b[2Jb"),
            ("a\nkind: Secret\r\tb", "a\\nkind: Secret\\r\\tb"),
            ("\u{202e}txt.exe", "\\u202etxt.exe"),
            ("a\u{200b}b\u{feff}\u{9b}2J\u{7f}", "a\\u200bb\\ufeff\\u009b2J\\u007f"),
            ("\u{2028}\u{2066}\u{e0041}", "\\u2028\\u2066\\udb40\\udc41"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn an_answer_keeps_its_lines_and_its_own_styles_only() {
        for (text, shown) in [
            ("one\n\ttwo\n", "one\n\ttwo\n"),
            ("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m no", "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m no"),
            ("\u{1b}[2J\u{1b}[8mhidden\u{1b}[38;5;1m", "\\u001b[2J\\u001b[8mhidden\\u001b[38;5;1m"),
            ("\u{1b}]0;title\u{7}\u{1b}[1;31m\u{1b}[", "\\u001b]0;title\\u0007\\u001b[1;31m\\u001b["),
            ("line\rover", "line\\rover"),
        ] {
            assert_eq!(screened(text), shown);
        }
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let value = serde_json::json!({"a": "\u{202e}\u{e0041}\u{9b}\u{1b}\n"});
        let read: serde_json::Value = serde_json::from_str(&screened(&format!("{value:#}"))).unwrap();
        assert_eq!(read, value);
    }
}
