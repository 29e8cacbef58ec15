//! Where PEM texts stand in a document, however deep they are wrapped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// How often a text may hold a document that holds a text.
const DEPTH: u8 = 3;

/// Every text with PEM blocks in a tree, with its path. Base64 (a Secret's `data`) is decoded, and a document that stands in
/// a string (Helm values in `linkerd-config`) is entered.
#[must_use]
pub fn pem_texts(tree: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(tree, "", DEPTH, &mut found);
    found
}

fn walk(tree: &Value, path: &str, depth: u8, found: &mut Vec<(String, String)>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match tree {
        // What kubectl keeps for itself repeats the whole object.
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "kubectl.kubernetes.io/last-applied-configuration")
            .for_each(|(key, value)| walk(value, &below(key), depth, found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| walk(item, &below(&at.to_string()), depth, found))
        }
        Value::String(text) => scalar(text, path, depth, found),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn scalar(text: &str, path: &str, depth: u8, found: &mut Vec<(String, String)>) {
    let is_pem = |text: &str| text.contains("-----BEGIN ");
    if !is_pem(text) {
        let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(text) = decoded.filter(|text| is_pem(text)) {
            scalar(&text, path, depth, found);
        }
        return;
    }
    let inner = (depth > 0 && !text.trim_start().starts_with("-----BEGIN "))
        .then(|| super::parse(text, path).ok())
        .flatten()
        .unwrap_or_default();
    if inner.is_empty() {
        found.push((path.to_owned(), text.to_owned()));
    }
    for document in inner {
        walk(&document.tree, path, depth - 1, found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pem_is_found_in_base64_and_in_documents_within_strings() {
        let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        let values = "a: 1\nidentity:\n  crtPEM: |\n    -----BEGIN CERTIFICATE-----\n    AA==\n    -----END CERTIFICATE-----\n";
        let tree = json!({"data": {"tls.crt": STANDARD.encode(pem), "values": values, "plain": pem, "other": "text"}});
        let found = pem_texts(&tree);
        let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["data.tls.crt", "data.values.identity.crtPEM", "data.plain"]);
        assert!(found.iter().all(|(_, text)| text == pem));
    }
}
