//! Check results in the four forms of `linkerd check`.

mod linkerd;
mod prometheus;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};

use super::Screen;
use super::findings::{self, Words, mark};
use super::status::distinct;
use super::words::styled;
use crate::check::{Category, Checked};
use crate::document::yaml;
use crate::finding::{CertificateRole, Severity};
use crate::pki::Certificate;

pub use prometheus::prometheus;

/// How check results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Every check with a mark, as `linkerd check` prints it.
    Table,
    /// Only what does not pass.
    Short,
    /// The tree of `linkerd check -o json`, and the findings beside it.
    Json,
    /// The same tree as YAML.
    Yaml,
    /// The codes of what does not pass, each once.
    Name,
}

/// A check in words.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub category: Category,
    /// Linkerd's hint anchor.
    pub code: &'static str,
    /// The sentence that holds or does not.
    pub description: &'static str,
    pub outcome: Option<Failed>,
}

/// What is said of a check that does not pass.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed {
    pub severity: Severity,
    pub said: Said,
}

/// Who says it.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// `linkerd check`, in its words; items of a list stand on lines of their own after a tab.
    Linkerd(String),
    /// We.
    Ours { code: &'static str, words: Words },
}

/// Check results as text. Colours stand in it as ANSI codes, to be stripped where they are not wanted.
#[must_use]
pub fn write(checks: &[Checked], format: Format, screen: &Screen) -> String {
    match format {
        Format::Table => table(&rows(checks, screen), screen),
        Format::Short => {
            let success = success(checks);
            let mut rows = rows(checks, screen);
            rows.retain(|row| row.outcome.is_some());
            entries(&rows, screen) + &result(success)
        }
        Format::Json => format!("{:#}\n", tree(checks, screen)),
        Format::Yaml => yaml::write(&tree(checks, screen)),
        Format::Name => names(checks),
    }
}

fn names(checks: &[Checked]) -> String {
    let mut codes: Vec<&str> = Vec::new();
    let all = distinct(checks);
    for found in &all {
        let code = found.finding.code();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes.into_iter().map(|code| format!("{code}\n")).collect()
}

/// Did nothing fail but warnings?
#[must_use]
pub fn success(checks: &[Checked]) -> bool {
    !checks.iter().filter_map(Checked::finding).any(|finding| finding.severity == Severity::Error)
}

/// Checks in words.
#[must_use]
pub fn rows(checks: &[Checked], screen: &Screen) -> Vec<Row> {
    checks.iter().map(|check| row(check, screen)).collect()
}

fn row(check: &Checked, screen: &Screen) -> Row {
    let outcome = check.finding().map(|finding| {
        let said = match linkerd::text(check.code, finding, screen.at) {
            Some(text) => Said::Linkerd(text),
            None => Said::Ours { code: finding.code(), words: findings::words(finding, screen) },
        };
        Failed { severity: finding.severity, said }
    });
    Row { category: check.category, code: check.code, description: linkerd::description(check.code), outcome }
}

/// Certificates that expire within a time that was asked for.
#[must_use]
pub fn expires_soon(found: &[(CertificateRole, &Certificate)], screen: &Screen) -> Vec<String> {
    let one = |(role, certificate): &(CertificateRole, &Certificate)| {
        let end = certificate.facts().not_after;
        let expires = if end < screen.at { "expired" } else { "expires" };
        let (name, short) = (certificate.name(), certificate.fingerprint().short());
        format!("{} {name} ({short}) {expires} {}", findings::role(*role), screen.when(end))
    };
    found.iter().map(one).collect()
}

/// All rows as `linkerd check` prints them.
#[must_use]
pub fn table(rows: &[Row], screen: &Screen) -> String {
    let failed = |row: &Row| row.outcome.as_ref().is_some_and(|failed| failed.severity == Severity::Error);
    entries(rows, screen) + &result(!rows.iter().any(failed))
}

fn result(success: bool) -> String {
    format!("Status check results are {}\n", if success { passed() } else { mark(Severity::Error) })
}

fn entries(rows: &[Row], screen: &Screen) -> String {
    let mut out = String::new();
    for category in rows.chunk_by(|one, next| one.category == next.category) {
        let name = category.first().map(|row| row.category.to_string()).unwrap_or_default();
        out += &format!("{name}\n{}\n", "-".repeat(name.len()));
        category.iter().for_each(|row| out += &entry(row, screen));
        out.push('\n');
    }
    out
}

fn entry(row: &Row, screen: &Screen) -> String {
    let Some(Failed { severity, said }) = &row.outcome else {
        return format!("{} {}\n", passed(), row.description);
    };
    let mut out = format!("{} {}\n", mark(*severity), row.description);
    match said {
        Said::Linkerd(text) => out += &format!("    {text}\n"),
        Said::Ours { words, .. } => out += &paragraphs(words, screen),
    }
    match (hint(row), said) {
        (Some(hint), _) => out += &format!("    see {hint} for hints\n"),
        (None, Said::Ours { code, .. }) => out += &format!("    see: kubectl l5d-rotate explain {code}\n"),
        (None, Said::Linkerd(_)) => {}
    }
    out
}

/// What was found and what follows, the list, and what to do.
fn paragraphs(words: &Words, screen: &Screen) -> String {
    let mut out = screen.wrapped(&joined(&[&words.what, &words.effect]), "    ", "    ");
    words.items.iter().for_each(|item| out += &screen.wrapped(item, "    - ", "      "));
    if !words.todo.is_empty() {
        out += &screen.wrapped(&words.todo, "    ", "    ");
    }
    out
}

fn joined(sentences: &[&str]) -> String {
    sentences.iter().filter(|sentence| !sentence.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

fn passed() -> String {
    styled(Style::new().bold().fg_color(Some(AnsiColor::Green.into())), '√')
}

/// Where Linkerd explains its own checks.
fn hint(row: &Row) -> Option<String> {
    (row.category != Category::Own).then(|| format!("https://linkerd.io/2/checks/#{}", row.code))
}

/// Linkerd's tree and, beside it, what was found: typed, each with the name of its check.
fn tree(checks: &[Checked], screen: &Screen) -> Value {
    let mut tree = linkerd_tree(&rows(checks, &Screen::utc(screen.at)));
    let found = checks.iter().filter_map(|check| {
        let mut finding = findings::json(check.finding()?, screen);
        finding["check"] = json!(check.code);
        Some(finding)
    });
    tree["findings"] = found.collect();
    tree
}

/// The tree of `linkerd check -o json` (`CheckOutput` in `pkg/healthcheck`).
#[must_use]
pub fn linkerd_tree(rows: &[Row]) -> Value {
    let failed = |row: &Row| row.outcome.as_ref().is_some_and(|failed| failed.severity == Severity::Error);
    let category = |of: &[Row]| {
        let name = of.first().map(|row| row.category.to_string());
        json!({ "categoryName": name, "checks": of.iter().map(node).collect::<Vec<_>>() })
    };
    let categories: Vec<_> = rows.chunk_by(|one, next| one.category == next.category).map(category).collect();
    json!({ "success": !rows.iter().any(failed), "categories": categories })
}

fn node(row: &Row) -> Value {
    let result = match row.outcome.as_ref().map(|failed| failed.severity) {
        None => "success",
        Some(Severity::Error) => "error",
        Some(_) => "warning",
    };
    let error = row.outcome.as_ref().map(one_text);
    let hint = error.as_ref().and(hint(row));
    let fields = [
        ("description", Some(row.description.to_owned())),
        ("hint", hint),
        ("error", error),
        ("result", Some(result.to_owned())),
    ];
    let present = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
    Value::Object(present.collect::<Map<_, _>>())
}

/// All of it in one text, lists as `linkerd check` has them.
fn one_text(failed: &Failed) -> String {
    match &failed.said {
        Said::Linkerd(text) => text.clone(),
        Said::Ours { words, .. } => {
            let unknown = if failed.severity == Severity::Unknown { "could not be checked: " } else { "" };
            let text = joined(&[&words.what, &words.effect, &words.todo]);
            let items: String = words.items.iter().map(|item| format!("\n\t* {item}")).collect();
            format!("{unknown}{text}{items}")
        }
    }
}
