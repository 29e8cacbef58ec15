//! What is taken for a document, and what is refused.

use l5d_rotate::document::{embedded, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sizes;

fn trees(text: &str) -> Vec<Value> {
    parse(text, "t.yaml").unwrap().into_iter().map(|document| document.tree).collect()
}

fn fault(text: &str) -> String {
    parse(text, "t.yaml").unwrap_err().to_string()
}

#[test]
fn documents_of_a_stream_know_their_lines_and_empty_ones_are_passed_over() {
    let text = "\u{feff}# head\n---\n---\n# nothing\n---\n# c\na: 1\n...\nb: |\n  --- x\n--- # three\n\nc: é\n--- {d: 1}\n---\r\n\r\ne: 1\r\n";
    let documents = parse(text, "t.yaml").unwrap();
    let places: Vec<_> =
        documents.iter().map(|document| (document.origin.document, document.origin.line)).collect();
    assert_eq!(places, [(1, 7), (2, 9), (3, 13), (4, 14), (5, 17)]);
    assert_eq!(documents[1].tree, json!({"b": "--- x\n"}));
}

#[test]
fn plain_scalars_are_what_kubectl_takes_them_for() {
    let text = "on: yes\n\"y\": 'no'\n'q': \"on\"\nn: 0644\n8: 1_000\n1.5: é\nl: |\n  yes\nf: [on, \"on\", 'on', off]\nt: !!str yes\nd: 2001-01-01\nbig: 99999999999999999999\nx: a yes\n";
    let tree = json!({
        "true": true, "y": "no", "q": "on", "false": 420, "8": 1000, "1.5": "é", "l": "yes\n", "f": [true, "on", "on", false],
        "t": "yes", "d": "2001-01-01", "big": 1e20, "x": "a yes"
    });
    assert_eq!(trees(text), [tree]);
}

#[test]
fn anchors_and_merge_keys_are_resolved() {
    let text = "base: &b {x: 1, k: [1]}\none: {<<: *b, x: 2}\ntwo:\n  <<: [{z: 3}, *b]\nthree: *b\n";
    let base = json!({"x": 1, "k": [1]});
    let two = json!({"z": 3, "x": 1, "k": [1]});
    assert_eq!(trees(text), [json!({"base": base, "one": {"x": 2, "k": [1]}, "two": two, "three": base})]);
}

#[test]
fn lists_are_taken_apart_and_typed_ones_tell_their_items_kind() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
    let typed = "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a}\n";
    assert_eq!(trees(typed), vec![pod.clone()]);
    assert_eq!(
        trees(r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}"#),
        vec![pod.clone()]
    );
    let nested = "{kind: List, apiVersion: v1, items: [{kind: PodList, apiVersion: v1, items: [{metadata: {name: a}}]}]}";
    assert_eq!(trees(nested), [pod]);
    assert_eq!(trees("kind: List\nitems: []\n---\nkind: List\nitems:\n"), Vec::<Value>::new());
    let own = "kind: AllowList\nmetadata: {name: mine}\nitems:\n- a\n";
    assert_eq!(trees(own), [json!({"kind": "AllowList", "metadata": {"name": "mine"}, "items": ["a"]})]);
}

#[test]
fn a_list_as_kubectl_prints_it_is_cut_into_items_with_their_lines() {
    let text = "apiVersion: v1\nitems:\n- kind: A\n  text: |\n    - x\n\n    y\n- kind: B\n  of:\n  - kind: C\n\nkind: List\nmetadata:\n  resourceVersion: \"\"\n---\nkind: D\n";
    let documents = parse(text, "t.yaml").unwrap();
    let places: Vec<_> = documents
        .iter()
        .map(|d| (d.tree["kind"].as_str().unwrap(), d.origin.document, d.origin.item, d.origin.line))
        .collect();
    assert_eq!(places, [("A", 1, 1, 3), ("B", 1, 2, 8), ("D", 2, 0, 16)]);
    assert_eq!(documents[0].tree["text"], "- x\n\ny\n");
}

#[test]
fn a_list_that_cannot_be_cut_is_read_whole() {
    let text = "kind: List\nitems:\n- kind: A\n  x: &x 1\n- kind: B\n  x: *x\n- kind: C\n";
    let all = [json!({"kind": "A", "x": 1}), json!({"kind": "B", "x": 1}), json!({"kind": "C"})];
    assert_eq!(trees(text), all);
    let fault = fault("kind: List\nitems:\n- kind: A\n- kind: B\n  kind: C\n");
    assert_eq!(fault, "t.yaml:4: the YAML cannot be read: items[1]: the key `kind` stands here twice");
}

#[test]
fn json_documents_one_after_the_other_know_their_lines() {
    let documents = parse("\n{\"a\": 1}\n\n{\"b\": [\n1]} {\"c\": \"yes\"}\n", "t.json").unwrap();
    let lines: Vec<_> = documents.iter().map(|document| document.origin.line).collect();
    assert_eq!(lines, [2, 4, 5]);
    assert_eq!(documents[2].tree, json!({"c": "yes"}));
}

#[test]
fn faults_name_the_line_and_say_what_was_found() {
    for (text, said) in [
        (
            "a: 1\n---\nb:\n  c: 1\n  d: 2\n  c: 3\n",
            "t.yaml:4: the YAML cannot be read: b: the key `c` stands here twice",
        ),
        ("a: 1\n---\nb: c: d\n", "t.yaml:3: the YAML cannot be read: a `:` stands where no key can be"),
        ("a:\n\tb: 1\n", "t.yaml:2: the YAML cannot be read: a tab"),
        ("a: 1\n---\n- b\n", "t.yaml:3: the document is a list without a kind, not an object"),
        ("just text\n", "t.yaml:1: the document is a text, not an object"),
        ("a: \"b\n", "t.yaml:2: the YAML cannot be read: the text ends inside a quoted value"),
        ("a: *b\n", "t.yaml:1: the YAML cannot be read: an alias"),
        ("a: !x b\n", "t.yaml:1: the YAML cannot be read: a: the tag `!x` means nothing to Kubernetes"),
        ("a: .nan\n", "t.yaml:1: the YAML cannot be read: a: NaN is no number in JSON"),
        ("a: 1\n{{- if .x }}\nb: 2\n{{- end }}\n", "t.yaml:2: a Helm template"),
        ("a: {{ .Values.x }}\n", "t.yaml:1: a Helm template"),
        ("{{ .Values.x }}\n", "t.yaml:1: a Helm template"),
        ("{\"a\": 1,\n\"b\": [", "t.yaml:2: the JSON is cut short at column 6"),
        ("{\"a\": 1,\n\"a\": 2}", "t.yaml:2: the JSON cannot be read: the key `a` stands here twice"),
    ] {
        assert!(fault(text).starts_with(said), "{text:?}: {}", fault(text));
    }
}

#[test]
fn aliases_and_nesting_without_measure_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let below = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [below.as_str(); 9].join(", "));
    }
    assert!(fault(&bomb).contains("aliases make the document grow"), "{}", fault(&bomb));
    let quadratic = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(5000), "*a, ".repeat(5000));
    assert!(fault(&quadratic).contains("aliases make the document grow"));
    assert!(fault(&"[".repeat(5000)).contains("deeper than 128"));
    assert!(fault(&"{\"a\":".repeat(5000)).contains("deeper than 128"), "{}", fault(&"{\"a\":".repeat(5000)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sizes::of(400, 3000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(text in "[-a-c:?&*!|>'\"%@`{}\\[\\], #~<\n\r\té\u{feff}\u{85}0-1]{0,60}") {
        let _ = parse(&text, "t");
    }

    #[test]
    fn every_value_is_replaced_alone_or_not_at_all(text in "(k|pem|a): ?[|>'\"&*a-c -]{0,3}[a-c\n #:-]{0,12}\n((k|pem|b):[|>-]{0,2}\n?[a-c\n #]{0,12}\n){0,3}", value in "[a-b\n \"#:]{0,8}") {
        if let Ok(new) = embedded::set_scalar(&text, &["pem"], &value) {
            let [mut old, mut new] = [text, new].map(|text| parse(&text, "t").unwrap().remove(0).tree);
            prop_assert_eq!(&new["pem"], &Value::from(value));
            (old["pem"], new["pem"]) = (Value::Null, Value::Null);
            prop_assert_eq!(old, new);
        }
    }
}
