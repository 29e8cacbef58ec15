//! What is wrong with a text, in plain words.

/// A text that is not the Kubernetes documents it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}:{line}: {reason}")]
pub struct DocumentError {
    /// The file, `stdin` or API path.
    pub source_name: String,
    /// Line of the fault, from 1.
    pub line: usize,
    /// What was found there.
    pub reason: String,
    /// What to do about it.
    help: &'static str,
}

/// Said by the tree's visitor when aliases use up its budget.
pub(super) const ALIASES: &str = "aliases make the document grow by more than 16 MiB";
/// Said before the parser is asked.
pub(super) const NESTING: &str = "more than 512 `[` and `{` are open at once: it is nested deeper than 128 levels, or has brackets that are text";
/// Said by the tree's visitor when a key is a mapping or a list.
pub(super) const NESTED_KEY: &str = "a key that is itself a mapping or a list";

const LOOK: &str = "look at this line and the ones above it";

/// The parser's words, what they mean, and what to do.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "cannot start any token",
        "a tab, `@`, `%` or a backquote stands where a value begins",
        "indent with spaces, and put quotes around a value that begins with such a character",
    ),
    (
        "mapping values are not allowed",
        "a `:` stands where no key can be",
        "put quotes around a value that contains `: `, or put the indentation right",
    ),
    (
        "did not find expected",
        "the line does not fit the structure of the lines above it",
        "put the indentation right",
    ),
    ("could not find expected ':'", "the line is neither `key: value` nor part of the value above it", LOOK),
    (
        "found unexpected end of stream",
        "the text ends inside a quoted value",
        "close the quote, or get the whole file",
    ),
    (
        "found unexpected document indicator",
        "a document begins inside a quoted value",
        "close the quote before this line",
    ),
    ("unknown anchor", "an alias (`*name`) stands before its anchor (`&name`), or without one", LOOK),
    (
        "recursion limit",
        "it is nested deeper than 128 levels",
        "no Kubernetes object is: look at where the text came from",
    ),
    (
        "repetition limit",
        "aliases make the document grow without measure",
        "write the values out instead of using aliases",
    ),
    (ALIASES, ALIASES, "write the values out instead of using aliases"),
    (
        NESTING,
        NESTING,
        "no Kubernetes object is: look at where the text came from, and write brackets that are text as a block (`key: |`)",
    ),
    (
        "control characters are not allowed",
        "a control character stands in the text",
        "remove it, or write it as an escape within double quotes",
    ),
];

impl DocumentError {
    /// A fault with its own words.
    pub(super) fn new(source_name: &str, line: usize, reason: impl Into<String>, help: &'static str) -> Self {
        Self { source_name: source_name.to_owned(), line, reason: reason.into(), help }
    }

    /// What `error` means; it was met in `chunk`, whose first line is line `first` of the source.
    pub(super) fn of_yaml(source_name: &str, chunk: &str, first: usize, error: &serde_yaml::Error) -> Self {
        let within = error.location().map_or(1, |location| location.line());
        let line = first + within - 1;
        if let Some(template) = chunk.lines().position(is_template) {
            return Self::template(source_name, first + template);
        }
        Self::worded(source_name, line, "YAML", &error.to_string())
    }

    /// What `error` means; it was met in JSON.
    pub(super) fn of_json(source_name: &str, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        if error.is_eof() {
            Self::cut(source_name, line, column, 0)
        } else {
            Self::in_json(source_name, line, column, 0, &error.to_string())
        }
    }

    /// JSON that ends too soon, in this item of a list where that is not 0.
    pub(crate) fn cut(source_name: &str, line: usize, column: usize, item: usize) -> Self {
        let reason = format!("the JSON is cut short at column {column}{}", in_item(item));
        Self::new(source_name, line, reason, "make it again, and see that the disk is not full")
    }

    /// A parser's message about JSON, in this item of a list where that is not 0.
    pub(crate) fn in_json(source_name: &str, line: usize, column: usize, item: usize, message: &str) -> Self {
        let mut fault = Self::worded(source_name, line, "JSON", message);
        fault.reason += &format!(" at column {column}{}", in_item(item));
        fault
    }

    /// A parser's message in plain words.
    fn worded(source_name: &str, line: usize, language: &str, message: &str) -> Self {
        let message = without_places(message);
        let known = WORDS.iter().find(|(words, ..)| message.contains(words));
        let (_, reason, help) = known.copied().unwrap_or(("", &message, LOOK));
        Self::new(source_name, line, format!("the {language} cannot be read: {reason}"), help)
    }

    /// A Helm template that nobody has rendered.
    pub(super) fn template(source_name: &str, line: usize) -> Self {
        let help = "render it first (`helm template …`), and read what that prints";
        Self::new(source_name, line, "a Helm template, not YAML: it has `{{ … }}` in it", help)
    }

    /// The next thing to do.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        self.help
    }
}

fn in_item(item: usize) -> String {
    if item > 0 { format!(" in item {item}") } else { String::new() }
}

/// A template action that stands where YAML would have a key or a value.
pub(super) fn is_template(line: &str) -> bool {
    line.trim_start().starts_with("{{") || line.contains(": {{") || line.contains("- {{")
}

/// A parser's message without ` at line 1 column 2`: the line is told apart, and counted over the whole source.
fn without_places(message: &str) -> String {
    let mut parts = message.split(" at line ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = rest.strip_prefix(" column ").unwrap_or(rest);
        text.push_str(rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    text
}
