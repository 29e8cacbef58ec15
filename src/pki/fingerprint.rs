//! The identity of a certificate: the SHA-256 of its DER.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The SHA-256 of a certificate's DER encoding, or of a set of them (see [`Fingerprint::of_set`]).
///
/// Two certificates are the same if and only if their fingerprints are equal: not their PEM text, subject or serial.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Its 32 bytes.
    pub(super) const fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// The fingerprint of one certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self::digest(der)
    }

    /// One fingerprint for a set of certificates, whatever their order.
    pub fn of_set(fingerprints: impl IntoIterator<Item = Self>) -> Self {
        let sorted: std::collections::BTreeSet<Self> = fingerprints.into_iter().collect();
        let bytes: Vec<u8> = sorted.into_iter().flat_map(|fingerprint| fingerprint.0).collect();
        Self::digest(&bytes)
    }

    /// The SHA-256 of any bytes, for the places where Linkerd hashes text (`linkerd.io/trust-root-sha256`).
    #[must_use]
    pub fn digest(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(out)
    }

    /// The first 12 hex digits: enough for a person to tell certificates apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a SHA-256 fingerprint (64 hexadecimal digits)")]
pub struct NotAFingerprint(String);

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAFingerprint(text.to_owned());
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut out = [0; 32];
        for (byte, at) in out.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(out))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
