//! A certificate as people and programs are shown it.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde::Serialize;

use super::Clock;
use super::words::styled;
use crate::pki::{Certificate, Fingerprint};

/// What is shown of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateView {
    /// Common name, or subject.
    pub name: String,
    /// SHA-256 of the DER.
    pub fingerprint: Fingerprint,
    /// Distinguished name of the subject.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// Serial number, decimal.
    pub serial: String,
    /// First valid instant.
    pub not_before: Timestamp,
    /// Last valid instant.
    pub not_after: Timestamp,
    /// The certified key's kind.
    pub key: String,
    /// Is it a certificate authority?
    pub is_ca: bool,
    /// How many CA certificates may follow below it.
    pub path_len: Option<u32>,
    /// DNS names it is good for.
    pub dns_names: Vec<String>,
}

impl From<&Certificate> for CertificateView {
    fn from(certificate: &Certificate) -> Self {
        let facts = certificate.facts().clone();
        Self {
            name: certificate.name().to_owned(),
            fingerprint: certificate.fingerprint(),
            subject: facts.subject,
            issuer: facts.issuer,
            serial: facts.serial,
            not_before: facts.not_before,
            not_after: facts.not_after,
            key: facts.key.to_string(),
            is_ca: facts.is_ca,
            path_len: facts.path_len,
            dns_names: facts.dns_names,
        }
    }
}

impl CertificateView {
    /// One line: name, short fingerprint, validity as the clock shows it.
    #[must_use]
    pub fn line(&self, clock: &Clock) -> String {
        format!("{}  {}  {}", self.name, self.fingerprint.short(), self.validity(clock))
    }

    fn validity(&self, clock: &Clock) -> String {
        const SOON: i64 = 60 * 86400;
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        let at = clock.at;
        if at < self.not_before {
            styled(color(AnsiColor::Red), format!("not valid before {}", clock.when(self.not_before)))
        } else if at > self.not_after {
            styled(color(AnsiColor::Red), format!("expired {}", clock.when(self.not_after)))
        } else if self.not_after.as_second() - at.as_second() < SOON {
            styled(color(AnsiColor::Yellow), format!("valid until {}", clock.when(self.not_after)))
        } else {
            format!("valid until {}", clock.when(self.not_after))
        }
    }

    /// Several lines: everything that is shown of it.
    #[must_use]
    pub fn block(&self, clock: &Clock) -> String {
        let ca = match (self.is_ca, self.path_len) {
            (false, _) => "no".to_owned(),
            (true, None) => "yes".to_owned(),
            (true, Some(length)) => format!("yes, path length {length}"),
        };
        let issuer = if self.issuer == self.subject { "itself".to_owned() } else { self.issuer.clone() };
        let names = if self.dns_names.is_empty() {
            String::new()
        } else {
            format!("  names        {}\n", self.dns_names.join(", "))
        };
        format!(
            "{}\n  issued by    {issuer}\n  validity     from {}, {}\n  key          {}\n  CA           {ca}\n{names}  serial       {}\n  fingerprint  {}\n",
            self.subject,
            clock.when(self.not_before),
            self.validity(clock),
            self.key,
            self.serial,
            self.fingerprint
        )
    }
}
