//! What is left of an object when private keys, and what only the API server keeps, are taken out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use crate::mesh::{REDACTED, Scheme};

/// The annotation in which `kubectl apply` keeps the whole object again, private keys included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The keys of a Secret that hold certificates; all its other values are taken for private.
const PUBLIC: [&str; 3] = ["crt.pem", "tls.crt", "ca.crt"];

/// Takes `status`, `metadata.managedFields`, the last applied configuration and every private key out of an object.
pub(in crate::mesh) fn prune(tree: &mut Value) {
    let secret = tree["kind"] == "Secret";
    if let Some(object) = tree.as_object_mut() {
        object.shift_remove("status");
    }
    if let Some(metadata) = tree.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
        let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
        if let Some(mut applied) = annotations.and_then(|all| all.shift_remove(LAST_APPLIED)) {
            wipe(&mut applied);
        }
    }
    if secret {
        for section in ["data", "stringData"] {
            let values = tree.get_mut(section).and_then(Value::as_object_mut).into_iter().flatten();
            values.for_each(|(key, value)| {
                if !PUBLIC.contains(&key.as_str()) || hides_key(value) {
                    wipe(value);
                    *value = REDACTED.into();
                }
            });
        }
    }
    redact(tree);
}

/// Overwrites every text of a tree before its memory is given back.
pub(super) fn wipe(tree: &mut Value) {
    match tree {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        _ => {}
    }
}

/// Is a private key in this value of a Secret, written plainly or in base64?
fn hides_key(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let holds = |bytes: &[u8]| bytes.windows(12).any(|window| window == b"PRIVATE KEY-");
    holds(text.as_bytes()) || STANDARD.decode(text).is_ok_and(|bytes| holds(&Zeroizing::new(bytes)))
}

/// Replaces private keys wherever they stand: a whole value by its name, a PEM block by its label.
fn redact(tree: &mut Value) {
    match tree {
        Value::String(text) => {
            if let Some(clean) = without_keys(text) {
                text.zeroize();
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| {
            let named = Scheme::PRIVATE_KEYS.contains(&key.as_str()) || key.ends_with("keyPEM");
            if named && value.as_str().is_some_and(|text| !text.is_empty()) {
                wipe(value);
                *value = REDACTED.into();
            } else {
                redact(value);
            }
        }),
        _ => {}
    }
}

/// The text with each PEM block of a private key replaced by one without contents, so that a reader of the text still meets one;
/// what breaks off, by a word. `None` where there is none.
fn without_keys(text: &str) -> Option<String> {
    const END: &str = "PRIVATE KEY-----";
    if !text.contains(END) {
        return None;
    }
    let (mut clean, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("-----BEGIN ") {
        let label_ends = rest[at + 11..].find("-----").map_or(rest.len(), |end| at + 11 + end + 5);
        let is_key = rest[at..label_ends].ends_with(END);
        clean.push_str(&rest[..label_ends]);
        rest = &rest[label_ends..];
        if is_key {
            // A key that breaks off has no end of its own: what stands between it and the next end is dropped with it.
            let end = rest.find("-----END ").filter(|end| rest[*end..].contains(END));
            let Some(end) = end else { return Some(clean + REDACTED) };
            // What ends the line, with the indent of the next: in a JSON text `\n`.
            let line = match rest.strip_prefix("\\n") {
                Some(_) => "\\n",
                None => &rest[..rest.len() - rest.trim_start().len()],
            };
            clean.push_str(line);
            rest = &rest[end..];
        }
    }
    clean.push_str(rest);
    Some(clean)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n";
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_secret_keeps_its_certificates_and_no_other_value() {
        let certificate = STANDARD.encode(CERTIFICATE);
        let mut tree = json!({"kind": "Secret", "data": {
            "crt.pem": certificate, "key.pem": STANDARD.encode(KEY), "linkerd-config-overrides": "eDogMQ==",
        }, "stringData": {"tls.key": KEY, "tls.crt": CERTIFICATE}});
        prune(&mut tree);
        assert_eq!(
            tree,
            json!({"kind": "Secret",
                "data": {"crt.pem": certificate, "key.pem": REDACTED, "linkerd-config-overrides": REDACTED},
                "stringData": {"tls.key": REDACTED, "tls.crt": CERTIFICATE}})
        );
    }

    #[test]
    fn a_key_that_was_put_where_a_certificate_belongs_is_not_kept() {
        let both = format!("{CERTIFICATE}{KEY}");
        let mut tree = json!({"kind": "Secret", "data": {"tls.crt": STANDARD.encode(&both)}, "stringData": {"crt.pem": both}});
        prune(&mut tree);
        assert_eq!(tree["data"]["tls.crt"], REDACTED);
        assert_eq!(tree["stringData"]["crt.pem"], REDACTED);
    }

    #[test]
    fn what_kubectl_apply_and_the_api_server_keep_is_dropped() {
        let mut tree = json!({"kind": "ConfigMap", "metadata": {
            "name": "a", "managedFields": [{}], "annotations": {LAST_APPLIED: KEY, "b": "c"},
        }, "status": {}});
        prune(&mut tree);
        assert_eq!(tree, json!({"kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"b": "c"}}}));
    }

    /// Every order of the parts of a text, up to six.
    #[test]
    fn what_follows_the_begin_of_a_key_is_never_kept() {
        const PARTS: [&str; 5] = [
            "-----BEGIN EC PRIVATE KEY-----",
            "-----END EC PRIVATE KEY-----",
            "-----BEGIN CERTIFICATE-----",
            "-----END CERTIFICATE-----",
            "+secret",
        ];
        for order in 0..5_usize.pow(6) {
            let (mut text, mut in_key) = (String::new(), false);
            for at in 0..6 {
                let part = PARTS[order / 5_usize.pow(at) % 5];
                in_key = part == PARTS[0] || in_key && !part.starts_with("-----END");
                let part = if part == PARTS[4] && !in_key { "public" } else { part };
                text.push_str(part);
                text.push('\n');
            }
            let clean = without_keys(&text).unwrap_or(text.clone());
            assert!(!clean.contains("secret"), "{text}\n{clean}");
        }
    }

    #[test]
    fn only_the_key_is_cut_out_of_a_text_around_it() {
        let text = format!("a:\n{CERTIFICATE}b: {KEY}c: 1\n{CERTIFICATE}");
        let clean = without_keys(&text).unwrap();
        let block = KEY.replace("MHcC\n", "");
        assert_eq!(clean, format!("a:\n{CERTIFICATE}b: {block}c: 1\n{CERTIFICATE}"));
        assert_eq!(without_keys(&clean).as_ref(), Some(&clean));
        let json = without_keys(&format!("{{\"key\": {}}}", json!(KEY))).unwrap();
        assert_eq!(json, format!("{{\"key\": {}}}", json!(block)));
        assert_eq!(without_keys(CERTIFICATE), None);
        let (cut, _) = KEY.split_once("-----END").unwrap();
        let after = without_keys(&format!("{cut}{KEY}{CERTIFICATE}")).unwrap();
        assert_eq!(after, format!("{block}{CERTIFICATE}"));
    }

    #[test]
    fn a_key_that_breaks_off_is_cut_to_the_end() {
        let clean = without_keys("x -----BEGIN PRIVATE KEY-----\nMIG").unwrap();
        assert_eq!(clean, format!("x -----BEGIN PRIVATE KEY-----{REDACTED}"));
    }
}
