//! Check results in the four forms of `linkerd check`.

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};

use super::Clock;
use crate::check::{Category, Checked, Outcome, Severity};
use crate::document::yaml;

/// How check results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Every check with a mark, as `linkerd check` prints it.
    Table,
    /// Only what does not pass.
    Short,
    /// The tree of `linkerd check -o json`.
    Json,
    /// The same tree as YAML.
    Yaml,
}

/// Check results as text. Colours stand in it as ANSI codes, to be stripped where they are not wanted.
#[must_use]
pub fn write(checks: &[Checked], format: Format, clock: &Clock) -> String {
    match format {
        Format::Table => clock.localized(&table(checks.iter(), success(checks))),
        Format::Short => {
            let failed = checks.iter().filter(|check| check.outcome != Outcome::Success);
            clock.localized(&table(failed, success(checks)))
        }
        Format::Json => format!("{:#}\n", tree(checks)),
        Format::Yaml => yaml::write(&tree(checks)),
    }
}

/// Did nothing fail but warnings?
#[must_use]
pub fn success(checks: &[Checked]) -> bool {
    !checks.iter().any(|check| matches!(check.outcome, Outcome::Failed(Severity::Error, _)))
}

fn table<'a>(checks: impl Iterator<Item = &'a Checked>, success: bool) -> String {
    let mut out = String::new();
    let mut category = None;
    for check in checks {
        if category != Some(check.category) {
            out += &header(check.category, category.is_none());
            category = Some(check.category);
        }
        out += &entry(check);
    }
    if category.is_some() {
        out.push('\n');
    }
    let result = if success { mark(&Outcome::Success) } else { failed() };
    out + "Status check results are " + &result + "\n"
}

fn header(category: Category, first: bool) -> String {
    let name = category.to_string();
    format!("{}{name}\n{}\n", if first { "" } else { "\n" }, "-".repeat(name.len()))
}

fn entry(check: &Checked) -> String {
    let mut out = format!("{} {}\n", mark(&check.outcome), check.description);
    if let Some(text) = text(&check.outcome) {
        out += &format!("    {text}\n");
        if let Some(hint) = check.hint() {
            out += &format!("    see {hint} for hints\n");
        }
    }
    out
}

fn mark(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Success => coloured(AnsiColor::Green, '√'),
        Outcome::Failed(Severity::Warning, _) => coloured(AnsiColor::Yellow, '‼'),
        Outcome::Failed(Severity::Error, _) => failed(),
        Outcome::Unknown(_) => coloured(AnsiColor::Yellow, '?'),
    }
}

fn failed() -> String {
    coloured(AnsiColor::Red, '×')
}

fn coloured(colour: AnsiColor, mark: char) -> String {
    let style = Style::new().fg_color(Some(colour.into())).bold();
    format!("{style}{mark}{style:#}")
}

/// What is said of a check that does not pass.
fn text(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Success => None,
        Outcome::Failed(_, text) => Some(text.clone()),
        Outcome::Unknown(what) => Some(format!("could not be checked: {what}")),
    }
}

/// The tree of `linkerd check -o json` (`CheckOutput` in `pkg/healthcheck`).
fn tree(checks: &[Checked]) -> Value {
    let category = |of: &[Checked]| {
        let name = of.first().map(|check| check.category.to_string());
        json!({ "categoryName": name, "checks": of.iter().map(node).collect::<Vec<_>>() })
    };
    let categories: Vec<_> =
        checks.chunk_by(|one, next| one.category == next.category).map(category).collect();
    json!({ "success": success(checks), "categories": categories })
}

fn node(check: &Checked) -> Value {
    let result = match &check.outcome {
        Outcome::Success => "success",
        Outcome::Failed(Severity::Error, _) => "error",
        Outcome::Failed(Severity::Warning, _) | Outcome::Unknown(_) => "warning",
    };
    let error = text(&check.outcome);
    let hint = error.as_ref().and(check.hint());
    let fields = [
        ("description", Some(check.description.clone())),
        ("hint", hint),
        ("error", error),
        ("result", Some(result.to_owned())),
    ];
    let present = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
    Value::Object(present.collect::<Map<_, _>>())
}
