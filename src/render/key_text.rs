//! The issuer's private key on its way into a rendered document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What begins each line that stands for a line of the key; three digits follow.
pub(super) const PLACEHOLDER: &str = "l5d-rotate-private-key-";

/// A private key as its field of the Secret has it. It has no `Debug`, and is wiped from memory when dropped.
///
/// Documents hold a placeholder of as many lines until they are written.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(Zeroizing<String>);

impl KeyText {
    /// As `stringData` has it.
    pub(crate) fn plain(pem: &str) -> Self {
        Self(Zeroizing::new(pem.to_owned()))
    }

    /// As `data` has it.
    pub(super) fn base64(pem: &str) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(4 * pem.len().div_ceil(3)));
        STANDARD.encode_string(pem, &mut text);
        Self(text)
    }

    /// The key as PEM.
    #[must_use]
    pub fn pem(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.0.len()));
        let decoded = STANDARD.decode_vec(self.0.as_bytes(), &mut bytes);
        let text = decoded.ok().and_then(|()| std::str::from_utf8(&bytes).ok());
        Zeroizing::new(text.unwrap_or(&self.0).to_owned())
    }

    /// What stands for it: a YAML writer treats it as it would treat the key.
    #[must_use]
    pub fn placeholder(&self) -> String {
        let line = |(number, line): (usize, &str)| match line {
            "" => String::new(),
            _ => token(number),
        };
        self.0.split('\n').enumerate().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The text with the key in place of its placeholder; `None` where the placeholder is not in it once.
    pub(crate) fn put_into(&self, text: &str) -> Option<Zeroizing<String>> {
        let mut out = Zeroizing::new(String::with_capacity(text.len() + self.0.len()));
        let mut rest = text;
        for (number, line) in self.0.split('\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let token = token(number);
            let (before, after) = rest.split_once(&token)?;
            out.push_str(before);
            out.push_str(line);
            rest = after;
        }
        out.push_str(rest);
        (text.matches(PLACEHOLDER).count() == self.0.split('\n').filter(|line| !line.is_empty()).count())
            .then_some(out)
    }
}

fn token(number: usize) -> String {
    format!("{PLACEHOLDER}{number:03}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::{self, yaml};

    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIGH+/=\nAgEA\n-----END PRIVATE KEY-----\n";

    #[test]
    fn a_document_with_the_key_put_in_is_what_it_would_be_with_the_key_from_the_start() {
        for key in [KeyText::plain(PEM), KeyText::plain(PEM.trim_end()), KeyText::base64(PEM)] {
            let tree = |value: &str| json!({"data": {"crt.pem": "a: b\n", "key.pem": value, "z": 1}});
            let public = yaml::write(&tree(&key.placeholder()));
            assert!(!public.contains("MIGH") && !public.contains("LS0t"), "{public}");
            let written = key.put_into(&public).unwrap();
            assert!(*written == yaml::write(&tree(&key.0)));
            assert!(document::parse(&written, "t").unwrap()[0].tree == tree(&key.0));
        }
    }

    #[test]
    fn a_text_that_holds_the_placeholder_elsewhere_gets_no_key() {
        let key = KeyText::base64(PEM);
        let token = key.placeholder();
        assert!(key.put_into(&format!("note: {token}\nkey: {token}\n")).is_none());
        assert!(key.put_into("key: nothing\n").is_none());
        assert!(key.put_into(&format!("key: {token}\n{PLACEHOLDER}\n")).is_none());
    }
}
