//! Markdown as GitHub and GitLab draw it: what is other people's text stays text.

/// Text on one line: nothing in it is markup, HTML, or the edge of a table's cell.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => out.push(' '),
            _ => {
                if "\\`*_[]<>#|~!@&".contains(character) {
                    out.push('\\');
                }
                out.push(character);
            }
        }
    }
    out
}

/// A table; cells are Markdown already, and none of them has a bare `|` or a line end.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let mut out = line(&head);
    out.push_str(&format!("|{}\n", "---|".repeat(head.len())));
    for row in rows {
        out.push_str(&line(row));
    }
    out
}

/// A block of code whose text cannot end it.
pub(super) fn fenced(language: &str, text: &str) -> String {
    let mut longest = 0;
    for run in text.split(|character| character != '`') {
        longest = longest.max(run.len());
    }
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// A numbered list; the code under an item belongs to it.
pub(super) fn numbered(items: &[(String, Option<String>)]) -> String {
    let mut out = String::new();
    for (place, (text, code)) in items.iter().enumerate() {
        out.push_str(&format!("{}. {text}\n", place + 1));
        for line in code.iter().flat_map(|code| code.lines()) {
            out.push_str(&format!("    {line}\n"));
        }
    }
    out
}

/// What is shown only to who asks for it; the blank lines make what is inside Markdown again.
pub(super) fn folded(summary: &str, inside: &str) -> String {
    format!("<details>\n<summary>{summary}</summary>\n\n{}\n\n</details>\n", inside.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_its_block_of_code() {
        assert_eq!(fenced("sh", "kubectl get po\n"), "```sh\nkubectl get po\n```\n");
        assert_eq!(fenced("", "a ```\n``` b"), "````\na ```\n``` b\n````\n");
    }

    #[test]
    fn a_cell_cannot_begin_another_or_end_what_is_folded() {
        assert_eq!(escaped("a | b </details>"), r"a \| b \</details\>");
    }
}
