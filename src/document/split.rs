//! Where the documents of a YAML stream, and the items of a big list, begin and end.

/// One document of a stream, still as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// From its marker (or the head before it) to the next document.
    pub(super) text: &'a str,
    /// The line of the stream on which `text` begins, from 1.
    pub(super) line: usize,
    /// The line on which its content begins, after marker and comments.
    pub(super) content_line: usize,
}

/// Cuts a stream at its document markers; documents without content are left out.
///
/// A line that begins with `---` or `...` is a marker wherever it stands (YAML 1.2 section 9.1.2, `c-forbidden`).
pub(super) fn chunks(text: &str) -> impl Iterator<Item = Chunk<'_>> {
    let mut lines = Lines::of(text).peekable();
    std::iter::from_fn(move || {
        while let Some(first) = lines.next() {
            let (mut last, mut content) = (first, first.has_content().then_some(first.number));
            // Comments and directives before the marker belong to the document that it opens.
            let mut open = content.is_some() || first.is_marker("---");
            while !last.is_marker("...")
                && let Some(line) = lines.next_if(|line| !(open && line.is_marker("---")))
            {
                content = content.or(line.has_content().then_some(line.number));
                open = content.is_some() || open || line.is_marker("---");
                last = line;
            }
            if let Some(content_line) = content {
                return Some(Chunk { text: &text[first.start..last.end], line: first.number, content_line });
            }
        }
        None
    })
}

/// A line and where it stands.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    start: usize,
    end: usize,
    number: usize,
}

impl Line<'_> {
    fn is_marker(self, marker: &str) -> bool {
        self.text
            .strip_prefix(marker)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
    }

    /// Is there anything but a marker, a directive or a comment?
    fn has_content(self) -> bool {
        if self.text.starts_with('%') || self.is_marker("...") {
            return false;
        }
        let text = if self.is_marker("---") { &self.text[3..] } else { self.text };
        !matches!(text.trim_start().bytes().next(), None | Some(b'#'))
    }
}

struct Lines<'a>(&'a str, usize, usize);

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self(text, 0, 0)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let Self(text, start, number) = *self;
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let end = rest.find('\n').map_or(text.len(), |length| start + length + 1);
        *self = Self(text, end, number + 1);
        Some(Line { text: &text[start..end], start, end, number: number + 1 })
    }
}

/// One item of a list: the text of a list of just this item, and its line in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) text: &'a str,
    pub(super) line: usize,
}

/// Cuts a list, in the form in which kubectl prints one, into the text around its items and each item, so that they need
/// not all be trees at once; `None` where the document has another form.
///
/// In that form an item begins with `- ` in the first column, all the rest of it is indented, and `items:` stands alone.
pub(super) fn items<'a>(chunk: &Chunk<'a>) -> Option<(String, Vec<Item<'a>>)> {
    let mut lines = Lines::of(chunk.text).skip_while(|line| line.text.trim_end() != "items:");
    let head = lines.next()?.end;
    let mut starts = Vec::new();
    let mut end = chunk.text.len();
    for line in lines {
        if line.text.starts_with("- ") {
            starts.push((line.start, chunk.line + line.number - 1));
        } else if !line.text.starts_with(' ') && !line.text.trim().is_empty() {
            end = line.start;
            break;
        }
    }
    let first = starts.first().filter(|&&(start, _)| start == head)?.0;
    let ends = starts.iter().skip(1).map(|&(start, _)| start).chain([end]);
    let items =
        starts.iter().zip(ends).map(|(&(start, line), end)| Item { text: &chunk.text[start..end], line });
    Some((chunk.text[..first].to_owned() + &chunk.text[end..], items.collect()))
}
