//! The four forms of the results.

use l5d_rotate::check::{Category, Checked, run};
use l5d_rotate::finding::Severity;
use l5d_rotate::mesh::{KeyState, Known, Mesh};
use l5d_rotate::pki::{BundleText, Certificate};
use l5d_rotate::report::Screen;
use l5d_rotate::report::checks::{self, Failed, Format, Row, Said, linkerd_tree, success, table};
use l5d_rotate::report::findings::Words;
use serde_json::{Value, json};

use crate::support::checked::*;

fn screen() -> Screen {
    Screen::utc(now())
}

fn write(checks: &[Checked], format: Format) -> String {
    checks::write(checks, format, &screen())
}

fn row(category: Category, code: &'static str, description: &'static str, outcome: Option<Failed>) -> Row {
    Row { category, code, description, outcome }
}

fn linkerd(severity: Severity, text: &str) -> Option<Failed> {
    Some(Failed { severity, said: Said::Linkerd(text.into()) })
}

fn ours(severity: Severity, code: &'static str, words: Words) -> Option<Failed> {
    Some(Failed { severity, said: Said::Ours { code, words } })
}

fn sample() -> Vec<Row> {
    let (identity, data_plane, own) = (Category::Identity, Category::IdentityDataPlane, Category::Own);
    let invalid = linkerd(Severity::Error, "Invalid anchors:\n\t* 7 root not valid anymore");
    let what =
        "pods could not be read: forbidden, and this sentence is longer than a line of the screen".into();
    vec![
        row(identity, "l5d-one", "one holds", None),
        row(identity, "l5d-two", "two holds", invalid),
        row(data_plane, "l5d-three", "three holds", linkerd(Severity::Warning, "some <pods>")),
        row(
            own,
            "four",
            "four holds",
            ours(
                Severity::Warning,
                "four-fails",
                Words {
                    what: "It is so.".into(),
                    items: vec!["one".into(), "two".into()],
                    effect: "That follows.".into(),
                    todo: "Do this.".into(),
                },
            ),
        ),
        row(
            own,
            "five",
            "five holds",
            ours(Severity::Unknown, "pods-unknown", Words { what, ..Words::default() }),
        ),
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
    It is so. That follows.
    - one
    - two
    Do this.
    see: kubectl l5d-rotate explain four-fails
? five holds
    pods could not be read: forbidden, and this sentence is longer than a line
    of the screen
    see: kubectl l5d-rotate explain pods-unknown

Status check results are ×
";
    assert_eq!(plain(&table(&sample(), &screen())), expected);
}

#[test]
fn marks_are_coloured_and_nothing_else_is() {
    let text = table(&sample(), &screen());
    for mark in
        ["\u{1b}[1m\u{1b}[32m√\u{1b}[0m", "\u{1b}[1m\u{1b}[33m‼\u{1b}[0m", "\u{1b}[1m\u{1b}[31m×\u{1b}[0m"]
    {
        assert!(text.contains(mark), "{mark:?} is not in {text:?}");
    }
    assert_eq!(text.matches("\u{1b}[0m").count(), 6);
}

/// A mesh whose issuer has another key.
fn sick() -> Mesh {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    secret(&mut mesh).key = KeyState::Mismatch;
    mesh
}

#[test]
fn short_leaves_out_what_passes() {
    let root = root("root");
    let short = plain(&write(&run(&sick(), options()), Format::Short));
    assert!(!short.contains('√'), "{short}");
    assert!(
        short.starts_with("linkerd-identity\n----------------\n× certificate config is valid\n"),
        "{short}"
    );
    let fine = run(&mesh(&[&root], &good_issuer(&root)), options());
    assert_eq!(plain(&write(&fine, Format::Short)), "Status check results are √\n");
}

#[test]
fn warnings_and_what_is_unknown_leave_the_result_a_success() {
    let mut rows = sample();
    rows.remove(1);
    assert!(plain(&table(&rows, &screen())).ends_with("\n\nStatus check results are √\n"));
    let root = root("root");
    let mut mesh = mesh(&[&root], &issuer(&root, "2026-01-02", "2026-07-01"));
    mesh.pods = Known::Absent;
    let checks = run(&mesh, options());
    assert!(checks.iter().any(|check| check.finding().is_some()) && success(&checks));
    assert!(!success(&run(&sick(), options())));
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
                { "description": "four holds",
                  "error": "It is so. That follows. Do this.\n\t* one\n\t* two", "result": "warning" },
                { "description": "five holds",
                  "error": "could not be checked: pods could not be read: forbidden, and this sentence is longer \
                            than a line of the screen", "result": "warning" },
            ] },
        ],
    })
}

#[test]
fn json_has_the_tree_of_linkerd_check() {
    assert_eq!(linkerd_tree(&sample()), tree());
    let text = format!("{:#}", linkerd_tree(&sample()));
    assert!(
        text.starts_with("{\n  \"success\": false,\n  \"categories\": [\n    {\n      \"categoryName\": "),
        "{text}"
    );
}

#[test]
fn json_has_what_was_found_beside_linkerds_tree() {
    let checks = run(&sick(), options());
    let whole: Value = serde_json::from_str(&write(&checks, Format::Json)).unwrap();
    let (mut linkerds, findings) = (whole.clone(), whole["findings"].clone());
    linkerds.as_object_mut().unwrap().remove("findings");
    assert_eq!(linkerds, linkerd_tree(&checks::rows(&checks, &screen())));
    let one =
        |check: &str| findings.as_array().unwrap().iter().find(|one| one["check"] == check).unwrap().clone();
    for check in ["l5d-identity-cert-config-valid", "issuer-key-matches", "issuer-accepted-by-bundle"] {
        let found = one(check);
        assert_eq!((&found["code"], &found["severity"]), (&json!("issuer-key-mismatch"), &json!("error")));
        assert_eq!(found["evidence"], json!({ "secret": secret_ref() }));
        assert!(found["text"].is_string() && found["todo"].is_string(), "{found}");
    }
    assert_eq!(findings.as_array().unwrap().len(), 3);
}

#[test]
fn yaml_is_the_same_tree() {
    let checks = run(&sick(), options());
    let text = write(&checks, Format::Yaml);
    let documents = l5d_rotate::document::parse(&text, "check.yaml").unwrap();
    let tree: Value = serde_json::from_str(&write(&checks, Format::Json)).unwrap();
    assert_eq!(documents.into_iter().map(|document| document.tree).collect::<Vec<_>>(), [tree]);
}

/// What `linkerd check`'s own test prints for one success and one failure, told with our categories.
#[test]
fn table_and_json_are_linkerds_golden_files() {
    let real = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/real");
    let Ok(golden) = std::fs::read_to_string(format!("{real}/check_output.golden")) else {
        println!("skipped: table_and_json_are_linkerds_golden_files: no ../shared/real");
        return;
    };
    let json = std::fs::read_to_string(format!("{real}/check_output_json.golden")).unwrap();
    let rows = [
        row(Category::Identity, "none", "check1", None),
        row(
            Category::Identity,
            "hint-anchor",
            "check2",
            linkerd(Severity::Error, "This should contain instructions for fail"),
        ),
    ];
    let named = |text: &str| {
        text.replace("linkerd-identity\n----------------", "category\n--------")
            .replace("linkerd-identity", "category")
    };
    let printed = plain(&table(&rows, &screen()));
    assert_eq!(named(&printed), format!("{golden}Status check results are ×\n"));
    assert_eq!(named(&format!("{:#}\n", linkerd_tree(&rows))), json);
}

#[test]
fn names_cannot_move_the_cursor() {
    let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "root\u{1b}[2K\n");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(2026, 5, 1);
    let expired = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let expired = Certificate::from_der(expired.der()).unwrap();
    let mut mesh = sick();
    mesh.trust.config = Known::Is(BundleText::read(expired.to_pem()));
    published(&mut mesh).text = BundleText::read(expired.to_pem());
    secret(&mut mesh).chain = Ok(chain(&expired));
    let text = write(&run(&mesh, options()), Format::Table);
    assert!(!plain(&text).contains('\u{1b}') && !text.contains("[2K\n"), "{text}");
    assert!(text.contains("root\\u001b[2K\\n"), "{text}");
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
    let rows = checks::rows(&run(&mesh, options()), &screen());
    assert!(rows.iter().all(|row| !row.description.is_empty()), "{rows:?}");
}
