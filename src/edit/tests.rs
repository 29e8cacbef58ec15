//! Edits of generated files change what is meant and nothing else, or nothing at all.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;

use super::pem;
use super::proof;
use super::swap::{self, Swap};
use crate::document::{self, mapping};
use crate::pki::{AnchorRequest, Certificate, mint_anchor};

static CERTIFICATES: LazyLock<Vec<Certificate>> = LazyLock::new(|| {
    let request = |number: usize| AnchorRequest {
        common_name: format!("root {number}"),
        not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2027-01-01T00:00:00Z".parse().unwrap(),
    };
    (0..4).map(|number| mint_anchor(&request(number)).unwrap().certificate).collect()
});

fn pem_of(certificates: &[Certificate], comments: bool) -> String {
    let one = |certificate: &Certificate| {
        if comments {
            format!("# {}\n{}", certificate.name(), certificate.to_pem())
        } else {
            certificate.to_pem()
        }
    };
    certificates.iter().map(one).collect()
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

/// The notations in which a text of several lines stands in YAML.
const NOTATIONS: usize = 16;

/// A field `pem` that holds the text, or something that holds it.
fn written(pem: &str, notation: usize) -> String {
    let quoted = Value::from(pem).to_string();
    match notation {
        0 => format!("pem: |\n{}", indented(pem, 2)),
        1 => format!("pem: |-\n{}", indented(pem.trim_end(), 4)),
        2 => format!("pem: |+\n{}\n", indented(pem, 2)),
        3 => format!("pem: {quoted} # a\n"),
        4 => format!("pem: {}\n", STANDARD.encode(pem)),
        5 => {
            let encoded = STANDARD.encode(pem);
            let lines = (0..encoded.len())
                .step_by(70)
                .map(|at| format!("  {}\n", &encoded[at..encoded.len().min(at + 70)]));
            format!("pem: |\n{}", lines.collect::<String>())
        }
        6 => format!("pem: |\n  # in a text\n  identity:\n    anchors: |\n{}    n: 1\n", indented(pem, 6)),
        7 => format!("pem: &a |\n{}again: *a\n", indented(pem, 2)),
        // As PyYAML writes it.
        8 => format!("pem: '{}'\n", doubled(&pem.replace('\'', "''"), 2)),
        9 => format!("pem: \"{}\" # a\n", doubled(&quoted[1..quoted.len() - 1].replace("\\n", "\n"), 4)),
        10 => format!("list:\n- x: 1\npem: \"{}\"\n", wrapped(&quoted[1..quoted.len() - 1], 80)),
        11 => format!("pem: >-\n  {}\n", doubled(pem.trim_end(), 2)),
        12 => format!("pem: > # a\n   {}\n", doubled(pem, 3).trim_end()),
        13 => format!("pem: {}\n", doubled(pem.trim_end(), 2)),
        14 => format!("pem:\n    {} # a\n", doubled(pem.trim_end(), 4)),
        _ => format!("pem: \"{}\"\n", wrapped(&STANDARD.encode(pem), 70)),
    }
}

/// Every line's end as an empty line, and blanks before the next.
fn doubled(text: &str, by: usize) -> String {
    text.replace('\n', &format!("\n\n{}", " ".repeat(by)))
}

/// Cut at a width, wherever no escape is cut, by line ends that mean nothing.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let last = lines.last_mut().unwrap();
        last.push(letter);
        if letter == '\\' {
            last.extend(letters.next());
        }
        // A blank at the begin of a line would be lost.
        if last.len() >= width && !letters.as_str().starts_with(' ') {
            lines.push(String::new());
        }
    }
    lines.join("\\\n  ")
}

/// Lines around it, of every kind that tempts an editor.
fn around(tag: &'static str) -> impl Strategy<Value = String> {
    let lines = prop::sample::select(vec![
        "# a comment: with a colon",
        "plain: a b  # why",
        "flow: {a: 1, \"b\": [x, y], c: 'it''s'}",
        "tab: \"a\\tb\\u00e4\"",
        "yes: no",
        "block: |\n  pem: not this\n\n  -----BEGIN NOTHING-----",
        "folded: >-\n  a\n  b",
        "list:\n- name: x\n  value: y\n-   z",
        "empty:",
        "",
    ]);
    prop::collection::vec(lines, 0..5).prop_map(move |lines| {
        let named = move |(at, line): (usize, &&str)| match line.split_once(':') {
            Some((key, rest)) if !key.starts_with(['#', ' ']) => format!("{key}_{tag}{at}:{rest}\n"),
            _ => format!("{line}\n"),
        };
        lines.iter().enumerate().map(named).collect()
    })
}

fn some() -> impl Strategy<Value = Vec<Certificate>> {
    prop::sample::subsequence(CERTIFICATES.clone(), 1..=3)
}

fn trees(text: &str) -> Vec<Value> {
    document::parse(text, "t").unwrap().into_iter().map(|one| one.tree).collect()
}

/// Values that hold certificates, as what they mean, and everything else as it is.
fn without_pem(tree: &Value) -> Value {
    let mut tree = tree.clone();
    for key in ["pem", "again"] {
        if tree.get(key).is_some() {
            tree[key] = "".into();
        }
    }
    tree
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn certificates_are_swapped_in_every_notation_and_nothing_else_changes(
        (before, after, other) in (around("b"), around("a"), around("o")),
        (old, new) in (some(), some()),
        notation in 0..NOTATIONS,
        (comments, crlf, ends) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        // In no quotes, a comment would end the text.
        let comments = comments && ![3, 13, 14].contains(&notation);
        let mut text = format!("{other}---\n{before}{}{after}", written(&pem_of(&old, comments), notation));
        // A second document of others, or of nothing.
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if !ends {
            text = text.trim_end().to_owned();
        }
        let swap = Swap::Certificates { old: old.clone(), new: new.clone() };
        let (swapped, places) = swap::swap(&text, &[swap]);
        if old.len() == new.len() && old.iter().all(|one| new.contains(one)) {
            prop_assert!(places.is_empty() || *swapped == text);
            return Ok(());
        }
        prop_assert_eq!(places.iter().map(|place| place.swap).collect::<Vec<_>>(), vec![0; places.len()]);
        prop_assert!(!places.is_empty(), "{}", text);
        let (is, was) = (trees(&swapped), trees(&text));
        prop_assert_eq!(is.len(), was.len());
        for (is, was) in is.iter().zip(&was) {
            prop_assert_eq!(without_pem(is), without_pem(was));
            if let Some(text) = is["pem"].as_str() {
                let found: Vec<Certificate> = pem::certificates(text).concat();
                prop_assert!(found.len() == new.len() && new.iter().all(|one| found.contains(one)), "{}", text);
            }
        }
        let lines = |text: &str| text.lines().filter(|line| line.contains('#')).count();
        prop_assert!(comments || lines(&swapped) == lines(&text), "a comment is gone:\n{}", *swapped);
    }

    #[test]
    fn a_key_is_set_and_nothing_else_changes(
        (before, after) in (around("b"), around("a")),
        there in 0..4usize,
        crlf in any::<bool>(),
    ) {
        let annotations = ["", "      annotations:\n        c: d # e\n", "      annotations:\n        a/b: \"v0\"\n", "      annotations: {}\n"];
        let mut text = format!("{before}spec:\n  template:\n    metadata:\n      labels: {{}}\n{}\n{after}", annotations[there]);
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        let path = ["spec", "template", "metadata", "annotations", "a/b"];
        let line = 1 + text.lines().position(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
        let set = mapping::document(&text, line).and_then(|block| mapping::set(&text, block, &path, "v1.2"));
        let set = set.expect("a block is edited");
        let setting = proof::Setting { key: "a/b", value: "v1.2" };
        prop_assert!(proof::only_meant(&text, &set, &[], &[setting]), "{}", set);
        let mut tree = trees(&set).remove(0);
        prop_assert_eq!(&tree["spec"]["template"]["metadata"]["annotations"]["a/b"], "v1.2");
        let mut was = trees(&text).remove(0);
        for tree in [&mut tree, &mut was] {
            tree["spec"]["template"]["metadata"]["annotations"] = Value::Null;
        }
        prop_assert_eq!(tree, was);
        prop_assert_eq!(set.matches('#').count(), text.matches('#').count());
        prop_assert_eq!(crlf, set.matches('\n').count() == set.matches("\r\n").count());
    }
}
