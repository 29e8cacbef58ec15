//! A certificate as people and programs are shown it.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde::Serialize;

use super::Screen;
use super::words::styled;
use crate::linkerd::EXPIRY_THRESHOLD;
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
    /// Did its own key sign it?
    pub self_signed: bool,
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
            self_signed: certificate.is_self_signed(),
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
    pub fn line(&self, screen: &Screen) -> String {
        format!("{}  {}  {}", self.name, self.fingerprint.short(), self.validity(screen))
    }

    /// The validity beside `name`, or below it where the screen is too narrow for both.
    #[must_use]
    pub fn beside(&self, name: &str, indent: &str, screen: &Screen) -> String {
        let (_, validity) = self.validity_text(screen);
        let fits = name.chars().count() + 2 + validity.chars().count() <= screen.width;
        let gap = if fits { "  ".to_owned() } else { format!("\n{indent}") };
        format!("{name}{gap}{}\n", self.validity(screen))
    }

    fn validity(&self, screen: &Screen) -> String {
        match self.validity_text(screen) {
            (Some(color), text) => styled(Style::new().fg_color(Some(color.into())), text),
            (None, text) => text,
        }
    }

    fn validity_text(&self, screen: &Screen) -> (Option<AnsiColor>, String) {
        let at = screen.at;
        let expires = format!("expires {}", screen.when(self.not_after));
        if at < self.not_before {
            (Some(AnsiColor::Red), format!("not valid before {}", screen.when(self.not_before)))
        } else if at > self.not_after {
            (Some(AnsiColor::Red), format!("expired {}", screen.when(self.not_after)))
        } else if at.duration_until(self.not_after) < EXPIRY_THRESHOLD {
            (Some(AnsiColor::Yellow), expires)
        } else {
            (None, expires)
        }
    }

    /// Several lines: everything that is shown of it.
    #[must_use]
    pub fn block(&self, screen: &Screen) -> String {
        let ca = match (self.is_ca, self.path_len) {
            (false, _) => "no".to_owned(),
            (true, None) => "yes".to_owned(),
            (true, Some(length)) => format!("yes, path length {length}"),
        };
        let issuer = if self.self_signed {
            "itself".to_owned()
        } else if self.issuer == self.subject {
            format!("{} (the same name, another key)", self.issuer)
        } else {
            self.issuer.clone()
        };
        let names = if self.dns_names.is_empty() {
            String::new()
        } else {
            format!("  names        {}\n", self.dns_names.join(", "))
        };
        format!(
            "{}\n  issued by    {issuer}\n  validity     from {}, {}\n  key          {}\n  CA           {ca}\n{names}  serial       {}\n  fingerprint  {}\n",
            self.subject,
            screen.when(self.not_before),
            self.validity(screen),
            self.key,
            self.serial,
            self.fingerprint
        )
    }
}
