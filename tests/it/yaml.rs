//! The real kubectl reads what we write as we meant it, and what others write as we read it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use l5d_rotate::document::{parse, yaml};
use serde_json::{Map, Value, json};

/// Strings that some reader takes for something else, or that tempt a writer.
const HARD: &[&str] = &[
    "",
    " ",
    "~",
    "null",
    "Null",
    "y",
    "N",
    "yes",
    "on",
    "Off",
    "true",
    "False",
    "1",
    "-1",
    "+1",
    "0",
    "010",
    "0o17",
    "0x1F",
    "0b1",
    "1_000",
    "1e3",
    "1.5",
    ".5",
    "5.",
    ".inf",
    "-.INF",
    ".nan",
    "nan",
    "1:30",
    "190:20:30",
    "2001-01-01",
    "2001-12-14t21:59:43.10-05:00",
    "=",
    "<<",
    "-",
    "--",
    "---",
    "...",
    "- a",
    "-a",
    "? a",
    "?",
    ":",
    "a:",
    ":a",
    "a: b",
    "a #b",
    "#a",
    "&a",
    "*a",
    "!a",
    "!!str a",
    "|",
    ">",
    "'a'",
    "\"a\"",
    "%a",
    "@a",
    "`a",
    "{a}",
    "[a]",
    "{{ a }}",
    ",",
    "a,b",
    "a b",
    " a",
    "a ",
    "\ta",
    "a\t",
    "a\nb",
    "a\nb\n",
    "a\nb\n\n",
    "\na",
    "\n",
    "\n\n",
    " a\nb",
    "a\n b",
    "a\n\n\nb",
    "a \nb",
    "a\n\tb",
    "a\tb\nc",
    "#a\nb",
    "a\n# b",
    "a\n---\nb",
    "a\n...\n",
    "a\r\nb",
    "\r",
    "\u{85}",
    "\u{a0}",
    "\u{2028}a\nb",
    "\u{feff}",
    "\u{0}",
    "\u{7}",
    "\u{7f}",
    "\u{fffe}",
    "\u{1f600}",
    "é\nü\n",
    "日本語",
    "\\",
    "\\n",
    "\"",
    "1e",
    "1ex",
    "0x",
    "e3",
    "12e03",
    "1d",
    "1L",
    "0777",
    "08",
    "-0",
    "- ",
    "-y",
    "-no",
    "-inf",
    "/a/b",
    "$(x)",
    "a=b",
    "a@b",
    "k8s.io/x",
    "25%",
    "10.0.0.0/8",
    "24h0m0s",
    "100m",
    "1Gi",
];

/// What kubectl takes the documents for; `None` where there is no kubectl.
fn kubectl(text: &str) -> Option<Vec<Value>> {
    let mut command = Command::new("kubectl");
    command.args(["annotate", "--local", "-f", "-", "-o", "json", "read-by=kubectl"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    let trees = serde_json::Deserializer::from_slice(&output.stdout).into_iter().map(Result::unwrap);
    let unmark = |mut tree: Value| {
        let metadata = tree["metadata"].as_object_mut().unwrap();
        let annotations = metadata["annotations"].as_object_mut().unwrap();
        annotations.remove("read-by");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
        tree
    };
    Some(trees.map(unmark).collect())
}

#[test]
fn hard_strings_come_back_as_values_and_as_keys() {
    for text in HARD.iter().filter(|text| **text != "<<") {
        for tree in
            [json!({"k": text, "z": 1}), json!({"k": [text, [text, 1]]}), json!({(*text): {"a": [text]}})]
        {
            assert_eq!(parse(&yaml::write(&tree), "t").unwrap()[0].tree, tree, "{text:?}");
        }
    }
}

#[test]
fn kubectl_reads_what_we_write() {
    let indexed = |prefix: &str| -> Map<String, Value> {
        HARD.iter().enumerate().map(|(index, text)| (format!("{prefix}{index}"), (*text).into())).collect()
    };
    let keys: Map<String, Value> = HARD.iter().map(|text| ((*text).to_owned(), (*text).into())).collect();
    let long = "k".repeat(2000);
    let trees = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values"}, "data": indexed("v")}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "keys", "labels": {"on": "no"}}, "data": keys}),
        json!({
            "apiVersion": "example.org/v1", "kind": "Other", "metadata": {"name": "tree"},
            "spec": {"list": HARD, "deep": [[[1, {"a": []}], {}], [{"b": [{"c": HARD}]}]], "numbers": [0, -1, 1.5, 1e100, -2.5e-7, u64::MAX, i64::MIN], (long.as_str()): {"on": [true, null]}}
        }),
    ];
    let head = vec!["a head\nkind: Secret".to_owned()];
    let stream = yaml::write_stream(&trees.clone().map(|tree| (head.clone(), tree)));
    let Some(read) = kubectl(&stream) else {
        println!("skipped: kubectl_reads_what_we_write: no kubectl");
        return;
    };
    for (read, tree) in read.iter().zip(&trees) {
        assert_eq!(numbers_as_text(read), numbers_as_text(tree));
    }
    assert_eq!(read.len(), trees.len());
}

/// kubectl prints large floats as integers, and integers beyond 64 bits as floats.
fn numbers_as_text(tree: &Value) -> Value {
    match tree {
        Value::Number(number) => format!("{:e}", number.as_f64().unwrap()).into(),
        Value::Array(items) => items.iter().map(numbers_as_text).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), numbers_as_text(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn we_read_yaml_1_1_as_kubectl_does() {
    let text = "apiVersion: v1\nkind: Other\nmetadata: {name: x}\nspec:\n  a: [yes, y, n, On, oN, \"yes\", 'no', 0644, 08, 1_000, 0b11, 0x_ff, +1, .5, 5., 1e3, 1:30, 2001-01-01, ~, !!str on, -010, 0o17, 1__0, 99999999999999999999, -.5e-3, 1_0.5]\n  on: x\n  1: y\n  010: z\n  \"off\": w\n  b: &b {c: 1, d: 2}\n  e: {<<: *b, d: 3}\n  f: |\n    yes\n  g: >-\n    on\n  h: on # c\n  i: 'it''s'\n  j: plain\n    folded\n";
    let Some(read) = kubectl(text) else {
        println!("skipped: we_read_yaml_1_1_as_kubectl_does: no kubectl");
        return;
    };
    assert_eq!(numbers_as_text(&parse(text, "t").unwrap()[0].tree), numbers_as_text(&read[0]));
}

#[test]
fn we_read_real_installs_as_kubectl_does_and_write_them_back() {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/real/install"));
    if !dir.is_dir() {
        println!("skipped: we_read_real_installs_as_kubectl_does_and_write_them_back: no ../shared/real");
        return;
    }
    for file in ["2.8.1", "2.10.2", "2.12.6", "2.20"] {
        let text = std::fs::read_to_string(dir.join(format!("{file}.yaml"))).unwrap();
        let trees: Vec<Value> =
            parse(&text, file).unwrap().into_iter().map(|document| document.tree).collect();
        let Some(read) = kubectl(&text) else {
            println!("skipped: we_read_real_installs_as_kubectl_does_and_write_them_back: no kubectl");
            return;
        };
        assert_eq!(trees.len(), read.len(), "{file}");
        for (ours, theirs) in trees.iter().zip(&read) {
            assert_eq!(without_nulls(ours), without_nulls(theirs), "{file}");
            assert_eq!(parse(&yaml::write(ours), file).unwrap()[0].tree, *ours, "{file}");
        }
    }
}

/// kubectl drops empty annotations and labels, and prints the times that a template leaves null.
fn without_nulls(tree: &Value) -> Value {
    let empty = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
    match tree {
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.clone(), without_nulls(value)));
            entries.filter(|(_, value)| !empty(value)).collect()
        }
        other => other.clone(),
    }
}
