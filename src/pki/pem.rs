//! PEM as Linkerd's two readers take it: the proxy's and the identity controller's.

mod alone;
mod defect;
pub(in crate::pki) mod go;
mod scan;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::Certificate;
use super::trust::{parses_for_controller, parses_for_proxy};
pub use alone::certificates_alone;
pub use defect::{Defect, DefectKind, Effect, Outcome};
pub use scan::defects;

/// The most that a bundle may measure, in bytes: Linux takes no environment string above 128 KiB, and a proxy's pod
/// carries more than the bundle.
pub const MAX_BYTES: usize = 100 * 1024;

/// One strict PEM block: LF line ends, 64 columns, a final newline (RFC 7468).
#[must_use]
pub fn block(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for at in (0..text.len()).step_by(64) {
        out.push_str(&text[at..text.len().min(at + 64)]);
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// The certificates of a text as the proxy reads them (`rustls-pki-types`' PEM parser; a malformed block refuses all).
///
/// Certificates that rustls-webpki does not take as an anchor are passed over, as the proxy's
/// `add_parsable_certificates` does (linkerd2-proxy, `linkerd/meshtls/src/creds.rs`).
///
/// # Errors
/// The reason for which the proxy would refuse the whole text, or find no certificate in it.
pub fn read_as_proxy(text: &str) -> Result<Vec<Certificate>, Defect> {
    let refused = |reason: String| blame(text, 1, |effect| effect.proxy, reason);
    let blocks: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| refused(error.to_string()))?;
    let certificates = blocks
        .iter()
        .filter(|der| parses_for_proxy(der).is_ok())
        .map(|der| Certificate::from_der(der).map_err(|error| refused(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() {
        return Err(refused("no certificate found".to_owned()));
    }
    Ok(certificates)
}

/// The certificates of a text as the identity controller reads them (`DecodePEMCertificates` in Linkerd's
/// `pkg/tls/codec.go`).
///
/// The first block that is no certificate ends the reading without an error; anything but one newline after the last
/// block is one.
///
/// # Errors
/// The reason for which the controller would refuse to start with the text.
pub fn read_as_controller(text: &str) -> Result<Vec<Certificate>, Defect> {
    let data = text.as_bytes();
    let refused = |at: usize, reason: &str| {
        let line = 1 + data[..at].iter().filter(|byte| **byte == b'\n').count();
        blame(text, line, |effect| effect.controller, reason.to_owned())
    };
    let mut certificates = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let (block, next) = go::decode(data, at).ok_or_else(|| refused(at, "not a PEM certificate"))?;
        if block.label != b"CERTIFICATE" {
            break;
        }
        parses_for_controller(&block.contents).map_err(|reason| refused(at, reason))?;
        let certificate = Certificate::from_der(&block.contents);
        certificates.push(certificate.map_err(|error| refused(at, &error.to_string()))?);
        at = next;
    }
    if certificates.is_empty() {
        return Err(refused(0, "no certificates found"));
    }
    Ok(certificates)
}

/// Why a reader refuses: the first thing at or after `line` that it refuses, or loses certificates by; else its own words.
fn blame(text: &str, line: usize, on: fn(Effect) -> Outcome, reason: String) -> Defect {
    let defects = defects(text);
    let first = |outcome: Outcome| {
        defects.iter().find(|found| found.line >= line && on(found.kind.effect()) == outcome).cloned()
    };
    first(Outcome::Refuses)
        .or_else(|| first(Outcome::DropsCertificates))
        .unwrap_or(Defect { line, kind: DefectKind::Unreadable { reason } })
}
