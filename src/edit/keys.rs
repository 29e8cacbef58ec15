//! Private keys in the files of a repository.

use zeroize::Zeroizing;

use super::pem::{BEGIN, Block, blocks, inner_texts};
use crate::checkout::Repository;
use crate::pki::{Certificate, PrivateKey, pem};

/// A private key in plain text.
pub struct PlainKey {
    /// The file, and the line.
    pub place: String,
    key: Option<PrivateKey>,
}

impl PlainKey {
    /// Is it the key of this certificate?
    #[must_use]
    pub fn is_of(&self, certificate: &Certificate) -> bool {
        self.key.as_ref().is_some_and(|key| key.matches(certificate))
    }
}

/// Every private key that stands in plain text in a repository's files, by file and line.
#[must_use]
pub fn plain_keys(repository: &Repository) -> Vec<PlainKey> {
    let mut found = Vec::new();
    for name in repository.names() {
        let Some(text) = repository.text(name) else { continue };
        found.extend(in_text(&repository.place(name), &text));
    }
    found
}

/// Those of a file's text, of which messages call the file so.
pub(super) fn in_text(place: &str, text: &str) -> Vec<PlainKey> {
    let at = |(line, key)| PlainKey { place: format!("{place}:{line}"), key };
    plain_keys_of(text).into_iter().map(at).collect()
}

/// What "PRIVATE KEY" is in base64, at each of the places that it may have there.
const ENCODED_LABELS: [&str; 3] = ["UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW"];

/// The private keys of a text that nothing encrypts, each with its line, from 1, and what it can be compared by.
fn plain_keys_of(text: &str) -> Vec<(usize, Option<PrivateKey>)> {
    if !text.contains("PRIVATE KEY") && !ENCODED_LABELS.iter().any(|label| text.contains(label)) {
        return Vec::new();
    }
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let is_key = |block: &&Block<'_>| {
        block.label.ends_with("PRIVATE KEY") && !block.label.starts_with("ENCRYPTED") && block.der.len() > 16
    };
    let mut found = Vec::new();
    for block in blocks(text).iter().filter(is_key) {
        let pem = Zeroizing::new(pem::block(block.label, &block.der));
        let begin = text[block.range.clone()].find(BEGIN).unwrap_or_default();
        found.push((line(block.range.start + begin), PrivateKey::from_pem(&pem).ok()));
    }
    for (range, inner) in inner_texts(text) {
        found.extend(plain_keys_of(&inner).into_iter().map(|(_, key)| (line(range.start), key)));
    }
    found.sort_by_key(|(line, _)| *line);
    found
}
