//! The four forms of the results.

use l5d_rotate::check::{Category, Checked, Outcome, run};
use l5d_rotate::report::Clock;
use l5d_rotate::report::checks::{self, Format, success};
use serde_json::{Value, json};

use crate::check::builder::*;

fn write(checks: &[Checked], format: Format) -> String {
    checks::write(checks, format, &Clock::utc(now()))
}

fn checked(category: Category, code: &'static str, description: &str, outcome: Outcome) -> Checked {
    Checked { category, code, description: description.into(), outcome }
}

fn sample() -> Vec<Checked> {
    vec![
        checked(Category::Identity, "l5d-one", "one holds", Outcome::Success),
        checked(
            Category::Identity,
            "l5d-two",
            "two holds",
            error("Invalid anchors:\n\t* 7 root not valid anymore"),
        ),
        checked(Category::IdentityDataPlane, "l5d-three", "three holds", warning("some <pods>")),
        checked(Category::Own, "four", "four holds", warning("do this")),
        checked(Category::Own, "five", "five holds", unknown("pods could not be read: forbidden")),
    ]
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn the_table_is_linkerds() {
    let expected = "\
linkerd-identity
----------------
√ one holds
× two holds
    Invalid anchors:
\t* 7 root not valid anymore
    see https://linkerd.io/2/checks/#l5d-two for hints

linkerd-identity-data-plane
---------------------------
‼ three holds
    some <pods>
    see https://linkerd.io/2/checks/#l5d-three for hints

l5d-rotate
----------
‼ four holds
    do this
? five holds
    could not be checked: pods could not be read: forbidden

Status check results are ×
";
    assert_eq!(plain(&write(&sample(), Format::Table)), expected);
}

#[test]
fn marks_are_coloured_and_nothing_else_is() {
    let text = write(&sample(), Format::Table);
    for mark in
        ["\u{1b}[1m\u{1b}[32m√\u{1b}[0m", "\u{1b}[1m\u{1b}[33m‼\u{1b}[0m", "\u{1b}[1m\u{1b}[31m×\u{1b}[0m"]
    {
        assert!(text.contains(mark), "{mark:?} is not in {text:?}");
    }
    assert_eq!(text.matches("\u{1b}[0m").count(), 6);
}

#[test]
fn short_leaves_out_what_passes() {
    let short = plain(&write(&sample(), Format::Short));
    assert!(!short.contains('√'), "{short}");
    assert!(short.starts_with("linkerd-identity\n----------------\n× two holds\n"), "{short}");
    let fine = [checked(Category::Identity, "l5d-one", "one holds", Outcome::Success)];
    assert_eq!(plain(&write(&fine, Format::Short)), "Status check results are √\n");
}

#[test]
fn warnings_and_what_is_unknown_leave_the_result_a_success() {
    let mut checks = sample();
    checks.remove(1);
    assert!(success(&checks));
    assert!(plain(&write(&checks, Format::Table)).ends_with("\n\nStatus check results are √\n"));
}

fn tree() -> Value {
    json!({
        "success": false,
        "categories": [
            { "categoryName": "linkerd-identity", "checks": [
                { "description": "one holds", "result": "success" },
                { "description": "two holds", "hint": "https://linkerd.io/2/checks/#l5d-two",
                  "error": "Invalid anchors:\n\t* 7 root not valid anymore", "result": "error" },
            ] },
            { "categoryName": "linkerd-identity-data-plane", "checks": [
                { "description": "three holds", "hint": "https://linkerd.io/2/checks/#l5d-three",
                  "error": "some <pods>", "result": "warning" },
            ] },
            { "categoryName": "l5d-rotate", "checks": [
                { "description": "four holds", "error": "do this", "result": "warning" },
                { "description": "five holds",
                  "error": "could not be checked: pods could not be read: forbidden", "result": "warning" },
            ] },
        ],
    })
}

#[test]
fn json_is_the_tree_of_linkerd_check() {
    let text = write(&sample(), Format::Json);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), tree());
    assert!(
        text.starts_with("{\n  \"success\": false,\n  \"categories\": [\n    {\n      \"categoryName\": "),
        "{text}"
    );
    assert!(text.ends_with("\n}\n"));
}

#[test]
fn yaml_is_the_same_tree() {
    let text = write(&sample(), Format::Yaml);
    let documents = l5d_rotate::document::parse(&text, "check.yaml").unwrap();
    assert_eq!(documents.into_iter().map(|document| document.tree).collect::<Vec<_>>(), [tree()]);
}

/// What `linkerd check`'s own test prints for one success and one failure, told with our categories.
#[test]
fn table_and_json_are_linkerds_golden_files() {
    let real = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/real");
    let Ok(table) = std::fs::read_to_string(format!("{real}/check_output.golden")) else {
        println!("skipped: table_and_json_are_linkerds_golden_files: no ../shared/real");
        return;
    };
    let json = std::fs::read_to_string(format!("{real}/check_output_json.golden")).unwrap();
    let checks = [
        checked(Category::Identity, "none", "check1", Outcome::Success),
        checked(
            Category::Identity,
            "hint-anchor",
            "check2",
            error("This should contain instructions for fail"),
        ),
    ];
    let named = |text: &str| {
        text.replace("linkerd-identity\n----------------", "category\n--------")
            .replace("linkerd-identity", "category")
    };
    assert_eq!(named(&plain(&write(&checks, Format::Table))), format!("{table}Status check results are ×\n"));
    assert_eq!(named(&write(&checks, Format::Json)), json);
}

#[test]
fn every_check_has_a_code_of_its_own() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    external(&mut mesh, Some(text(&[&root])));
    let mut codes: Vec<_> = run(&mesh, options()).iter().map(|check| check.code).collect();
    let all = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all);
    assert!(codes.iter().all(|code| code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')));
}
