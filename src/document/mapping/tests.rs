//! Keys that are set, and every other byte that stays.

use super::*;

fn annotated(text: &str) -> Option<String> {
    set(text, document(text, 1)?, &["spec", "template", "metadata", "annotations", "a/b"], "v1")
}

#[test]
fn a_key_is_added_or_changed_and_every_other_byte_stays() {
    let head = "# why\nkind: Deployment\nspec:\n  replicas: 1\n  template:\n";
    let tail = "    spec: # pods\n      containers: []\nx: |\n  spec:\n    template: no\n";
    for (there, then) in [
        ("", "    metadata:\n      annotations:\n        a/b: v1\n"),
        (
            "    metadata:\n      labels:\n        app: x\n",
            "    metadata:\n      labels:\n        app: x\n      annotations:\n        a/b: v1\n",
        ),
        ("    metadata:\n      annotations: {}\n", "    metadata:\n      annotations:\n        a/b: v1\n"),
        (
            "    metadata:\n      annotations:\n        c: d # e\n\n",
            "    metadata:\n      annotations:\n        c: d # e\n        a/b: v1\n\n",
        ),
        (
            "    metadata:\n      annotations:\n          \"a/b\": 'v0'  # e\n          c: d\n",
            "    metadata:\n      annotations:\n          \"a/b\": 'v1'  # e\n          c: d\n",
        ),
    ] {
        let new = annotated(&format!("{head}{there}{tail}")).unwrap();
        // What is not there at all comes behind what is.
        let expected = match there {
            "" => format!(
                "{head}{}{then}{}",
                &tail[..tail.find("x: |").unwrap()],
                "x: |\n  spec:\n    template: no\n"
            ),
            _ => format!("{head}{then}{tail}"),
        };
        assert_eq!(new, expected);
        let read = parse(&new, "t").unwrap();
        assert_eq!(read[0].tree["spec"]["template"]["metadata"]["annotations"]["a/b"], "v1");
    }
}

#[test]
fn a_value_of_several_lines_is_written_as_a_block_and_read_as_one() {
    let head = "metadata:\r\n  annotations:\r\n";
    let set = |there: &str| {
        let text = format!("{head}{there}  name: x\r\n");
        set(&text, document(&text, 1)?, &["metadata", "annotations", "a/b"], "one\ntwo\n")
    };
    let block = "    a/b: |\r\n      one\r\n      two\r\n";
    for there in
        ["    a/b: v0\r\n", "    a/b: |\r\n      one\r\n", "    a/b: >-\r\n      a\r\n\r\n      b\r\n"]
    {
        assert_eq!(set(there), Some(format!("{head}{block}  name: x\r\n")), "{there}");
    }
    assert_eq!(set("    c: d\r\n"), Some(format!("{head}    c: d\r\n{block}  name: x\r\n")));
    // What may be a comment would go with the old value.
    assert_eq!(set("    a/b: |\r\n        one\r\n      # why\r\n"), None);
}

#[test]
fn what_is_no_block_is_left_alone() {
    for text in [
        "spec: {template: {}}\n",
        "spec:\n  template: &t\n    metadata: {}\n",
        "spec:\n  template:\n    metadata: {labels: {a: b}}\n",
        "spec:\n  template:\n    metadata:\n      annotations:\n        a/b: [v0]\n",
        "spec:\n  template:\n    metadata:\n      annotations:\n        a/b:\n          c: d\n",
        "spec:\n  template:\n    metadata:\n      annotations:\n        a/b:\n        - c\n",
        "spec:\n  template:\n    metadata:\n      annotations:\n      - c\n",
        "{\"spec\": {}}\n",
    ] {
        assert_eq!(annotated(text), None, "{text}");
    }
}

#[test]
fn a_comment_behind_a_key_without_a_value_stays() {
    let text = "k: # why\nl: x\n";
    let set = |value: &str| set(text, document(text, 1).unwrap(), &["k"], value).unwrap();
    assert_eq!(set("v"), "k: v # why\nl: x\n");
    assert_eq!(set("v\nw\n"), "k: | # why\n  v\n  w\nl: x\n");
}

#[test]
fn what_is_added_comes_behind_a_text_whose_last_line_looks_like_a_comment() {
    let text = "data:\n  script: |\n    echo\n    # done\nlist:\n- |\n  echo\n  # done\n# end\n";
    let block = document(text, 1).unwrap();
    let more = set(text, block, &["data", "k"], "v").unwrap();
    assert_eq!(more, text.replace("# done\nlist", "# done\n  k: v\nlist"));
    let more = with_item(text, block, &["list"], &["- x".to_owned()]).unwrap();
    assert_eq!(more, text.replace("  # done\n# end", "  # done\n- x\n# end"));
}
