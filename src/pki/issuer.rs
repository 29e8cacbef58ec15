//! The identity issuer's certificate with the intermediates that are sent along with every workload certificate.

use jiff::Timestamp;
use serde::Serialize;

use super::Certificate;
use super::pem::{self, Defect};

/// An issuer file's certificates: the issuer first, then what the identity controller hands to proxies as intermediates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuerChain {
    /// The certificate whose key signs workload certificates.
    pub issuer: Certificate,
    /// Everything after it in the file, in order; empty in most installs.
    pub intermediates: Vec<Certificate>,
}

/// An issuer file that the identity controller would not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the issuer's certificate cannot be read by the identity controller: {0}")]
pub struct IssuerChainError(#[from] pub Defect);

impl IssuerChain {
    /// One certificate with nothing behind it.
    #[must_use]
    pub const fn alone(issuer: Certificate) -> Self {
        Self { issuer, intermediates: Vec::new() }
    }

    /// Reads `crt.pem` or `tls.crt` as the identity controller does (`DecodePEMCrt` in Linkerd's `pkg/tls`).
    ///
    /// # Errors
    /// The reason for which the controller would not take the file.
    pub fn from_pem(text: &str) -> Result<Self, IssuerChainError> {
        let mut certificates = pem::read_as_controller(text)?.into_iter();
        // The reader has no empty answer.
        let empty = || Defect { line: 1, kind: pem::DefectKind::NoCertificate };
        let issuer = certificates.next().ok_or_else(empty)?;
        Ok(Self { issuer, intermediates: certificates.collect() })
    }

    /// The issuer with those of the certificates behind it that have not expired.
    #[must_use]
    pub fn without_expired(&self, at: Timestamp) -> Self {
        let kept = self.intermediates.iter().filter(|one| !one.is_expired_at(at));
        Self { issuer: self.issuer.clone(), intermediates: kept.cloned().collect() }
    }

    /// The certificate that expires first: workload certificates are capped by it (`findFirstExpiration` in Linkerd's
    /// `pkg/tls`).
    #[must_use]
    pub fn first_to_expire(&self) -> &Certificate {
        let expiry = |certificate: &Certificate| certificate.facts().not_after;
        let sooner = |first, next| if expiry(next) < expiry(first) { next } else { first };
        self.intermediates.iter().fold(&self.issuer, sooner)
    }

    /// All certificates of the file, the issuer first.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.issuer).chain(&self.intermediates)
    }

    /// The chain as strict PEM, issuer first.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.certificates().map(Certificate::to_pem).collect()
    }
}
