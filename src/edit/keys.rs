//! Private keys in the files of a repository.

use super::pem;
use crate::checkout::Repository;
use crate::pki::{Certificate, PrivateKey};

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
        let place = repository.place(name);
        for (line, key) in pem::plain_keys(&text) {
            found.push(PlainKey { place: format!("{place}:{line}"), key });
        }
    }
    found
}
