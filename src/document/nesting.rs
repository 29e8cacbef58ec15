//! How deep a YAML text may nest `[` and `{`, told without the parser: that one needs time for each level at each word.
//!
//! What is told is never less than what the parser meets. Where two readings are possible (does this quote begin a text, or is
//! it part of one?) both are followed, and the deeper one counts; so a text full of lone brackets may look deeper than it is.

use memchr::memchr2_iter;

/// Where a reading stands, with the depth there.
#[derive(Debug, Clone, Copy, Default)]
struct Readings {
    /// Outside of quotes.
    plain: Option<usize>,
    /// In a tag, where a closing bracket closes nothing.
    tag: Option<usize>,
    /// In a comment.
    comment: Option<usize>,
    /// Within `"`.
    double: Option<usize>,
    /// Within `'`.
    single: Option<usize>,
}

/// Is any bracket nested deeper than `limit`?
pub(super) fn is_deeper(text: &str, limit: usize) -> bool {
    // Of most texts that is told without a reading: they have fewer brackets.
    if memchr2_iter(b'[', b'{', text.as_bytes()).nth(limit).is_none() {
        return false;
    }
    let mut readings = Readings { plain: Some(0), ..Readings::default() };
    let mut before = b'\n';
    let mut escaped = false;
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let outside = readings.are_outside();
        for byte in line.bytes() {
            readings = readings.after(byte, before, escaped);
            escaped = byte == b'\\' && !escaped;
            before = byte;
            if readings.plain.max(readings.tag) > Some(limit) {
                return true;
            }
        }
        // A block scalar's lines are text. It is told from others only where nothing is open before and after its head.
        if outside && readings.are_outside() && begins_block(line) {
            let parent = parent(line);
            while lines.next_if(|line| line.trim().is_empty() || blanks(line) > parent).is_some() {}
        }
    }
    false
}

impl Readings {
    /// Is nothing open, however the text is read?
    fn are_outside(self) -> bool {
        self.plain == Some(0) && self.double.is_none() && self.single.is_none()
    }

    /// The readings after a byte, whose predecessor is `before`; `escaped` is whether a backslash counts for it within `"`.
    fn after(self, byte: u8, before: u8, escaped: bool) -> Self {
        let mut next = Self { double: self.double, single: self.single, ..Self::default() };
        match byte {
            b'\n' => next.plain = self.plain.max(self.tag).max(self.comment),
            b' ' | b'\t' | b'\r' => {
                (next.plain, next.comment) = (self.plain.max(self.tag), self.comment);
            }
            _ => {
                (next.tag, next.comment) = (self.tag, self.comment);
                next.plain = self.plain;
            }
        }
        let deeper = |depth: Option<usize>| depth.map(|depth| depth + 1);
        match byte {
            b'[' | b'{' => (next.plain, next.tag) = (deeper(next.plain), deeper(next.tag)),
            b']' | b'}' => next.plain = next.plain.map(|depth| depth.saturating_sub(1)),
            b'!' => next.tag = next.tag.max(next.plain),
            b'#' if matches!(before, b' ' | b'\t' | b'\n' | b'\r') => {
                next.comment = next.comment.max(next.plain);
                next.plain = None;
            }
            b'#' if !before.is_ascii_alphanumeric() => next.comment = next.comment.max(next.plain),
            b'"' => {
                let closes = self.double.filter(|_| !escaped);
                let opens = self.plain.max(self.tag).filter(|_| !before.is_ascii_alphanumeric());
                next.plain = next.plain.max(closes);
                next.double = opens.max(self.double.filter(|_| escaped));
            }
            b'\'' => {
                let opens = self.plain.max(self.tag).filter(|_| !before.is_ascii_alphanumeric());
                next.plain = next.plain.max(self.single);
                next.single = opens;
            }
            _ => {}
        }
        next
    }
}

fn blanks(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The column of the list or mapping in which a block scalar stands whose head is on this line: its own lines are indented
/// further.
fn parent(line: &str) -> usize {
    let mut at = blanks(line);
    while let Some(rest) = line[at..].strip_prefix("- ")
        && !rest.trim_start().starts_with(['|', '>'])
    {
        at += 2 + blanks(rest);
    }
    at
}

/// Does a line end as the head of a block scalar does (`key: |`, `- >-`), and not within a comment?
fn begins_block(line: &str) -> bool {
    let line = line.trim_end();
    if line.contains('#') {
        return false;
    }
    let head = line.trim_end_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
    [": |", ": >", "- |", "- >"].iter().any(|end| head.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(text: &str) -> usize {
        (0..).find(|limit| !is_deeper(text, *limit)).unwrap()
    }

    #[test]
    fn brackets_are_counted_where_they_nest() {
        assert_eq!(depth("a: [{b: [1]}]\nc: []\n"), 3);
        assert_eq!(depth("a: [\n[\n[\n]]]\n"), 3);
        assert_eq!(depth("a: |\n  [[[[[[\nb: >-\n  {{{{\n- |2\n  [[[[\nc: 1\n"), 0);
        assert_eq!(depth("- k: |\n  [[[[\n- - |\n  {{{{\n"), 8);
        assert_eq!(depth("- k: |\n   [[[[\n- - |\n   {{{{\n"), 0);
        assert_eq!(depth("# [[[[\na: b # [[[[\n"), 0);
        assert_eq!(depth("a: \"]]]\"\nb: [[]]\n"), 2);
    }

    #[test]
    fn nothing_hides_brackets_from_being_counted() {
        for hidden in [
            "[ # ]\n",
            "[ !<]> a, ",
            "[\"]\", ",
            "[']', ",
            "[\"\\\"]\", ",
            "[#]\n",
            "[ '''']', ",
            "a: foo\n  \"bar\nb: [",
            "# a: |\n   [",
            "a: it's [",
            "[ \"# ]\", ",
        ] {
            assert!(depth(&hidden.repeat(40)) >= 40 || hidden.starts_with('a'), "{hidden}");
            assert!(depth(&format!("{hidden}{}", "[".repeat(40))) >= 40, "{hidden}");
        }
    }

    #[test]
    fn what_people_write_is_not_deep() {
        let script = "a: it's said: \"no [\"\nargs: [\"[\", 'it''s', \"]\"] # don't\nb: \"[[[\"\n";
        assert!(depth(&script.repeat(50)) < 400, "{}", depth(&script.repeat(50)));
    }
}
