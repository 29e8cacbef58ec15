//! What a change does to the set of certificates in an object.

use std::fmt;

use crate::pki::Certificate;
use crate::render::Certificates;

/// One certificate of the changed fields, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateChange {
    /// What becomes of it.
    pub fate: Fate,
    /// The certificate.
    pub certificate: Certificate,
}

/// What becomes of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It was there and is not any more.
    Removed,
    /// It stays.
    Kept,
    /// It is new.
    Added,
}

/// Every certificate of both sides: first what was there, in its order, then what is new.
pub(super) fn changes(Certificates { before, after }: &Certificates) -> Vec<CertificateChange> {
    let change =
        |fate, certificate: &Certificate| CertificateChange { fate, certificate: certificate.clone() };
    let old = before.iter().map(|certificate| {
        change(if after.contains(certificate) { Fate::Kept } else { Fate::Removed }, certificate)
    });
    let new = after.iter().filter(|certificate| !before.contains(certificate));
    old.chain(new.map(|certificate| change(Fate::Added, certificate))).collect()
}

impl fmt::Display for CertificateChange {
    /// `+ CN=…, valid … to …, sha256 …`, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.fate {
            Fate::Removed => '-',
            Fate::Kept => ' ',
            Fate::Added => '+',
        };
        let facts = self.certificate.facts();
        write!(
            f,
            "{sign} {}, valid {} to {}, sha256 {}",
            crate::render::one_line(&facts.subject),
            facts.not_before,
            facts.not_after,
            self.certificate.fingerprint()
        )
    }
}
