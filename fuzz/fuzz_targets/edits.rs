//! A text of `linkerd-config` and a value, divided by a line of `=`: an edit of one value changes no other.
#![no_main]

use l5d_rotate::document::embedded::{get_scalar, set_scalar};
use l5d_rotate::document::parse;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const PATHS: [&[&str]; 3] = [
    &["identityTrustAnchorsPEM"],
    &["global", "identityTrustAnchorsPEM"],
    &["identity", "issuer", "tls", "crtPEM"],
];

/// The tree of a text without the value at a path.
fn without(text: &str, path: &[&str]) -> Vec<Value> {
    let mut trees: Vec<Value> =
        parse(text, "fuzz").expect("it was read before").into_iter().map(|document| document.tree).collect();
    for tree in &mut trees {
        if let Some(value) = tree.pointer_mut(&format!("/{}", path.join("/"))) {
            *value = Value::Null;
        }
    }
    trees
}

fuzz_target!(|text: &str| {
    let (text, value) = text.split_once("\n=\n").unwrap_or((text, "value"));
    for path in PATHS {
        let Ok(edited) = set_scalar(text, path, value) else { continue };
        assert_eq!(get_scalar(&edited, path).expect("an edit is read").as_deref(), Some(value));
        assert_eq!(without(&edited, path), without(text, path));
    }
});
