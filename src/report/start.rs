//! What `start` says when it is done: what was written, and what to do next.

use std::path::Path;

use jiff::Timestamp;

use super::CertificateView;
use crate::rotation::{ANCHOR_KEY_FILE, ISSUER_KEY_FILE, Phase, Record, Scope};

/// What was written into `dir`, and the next command.
#[must_use]
pub fn started(record: &Record, dir: &Path, minted_anchor: bool, at: Timestamp) -> String {
    let dir = dir.display();
    let line = |certificate| CertificateView::from(certificate).line(at);
    let mut out = format!("Started a rotation in {dir}\n\n");
    let first = match &record.scope {
        Scope::Full { anchor } => {
            out.push_str(&format!("  new anchor  {}\n", line(anchor)));
            Phase::Bundle
        }
        Scope::IssuerOnly => Phase::Issuer,
    };
    out.push_str(&format!("  new issuer  {}\n\n", line(&record.issuer.issuer)));
    out.push_str(&format!("Commit {dir}: it holds no private key that Git would take.\n"));
    out.push_str(&format!(
        "Keep {dir}/{ISSUER_KEY_FILE} until the issuer phase is merged; it goes into the Secret.\n"
    ));
    if minted_anchor {
        out.push_str(&format!(
            "Move {dir}/{ANCHOR_KEY_FILE} to a safe place: it is in no manifest, and only the next issuer needs it.\n"
        ));
    }
    out.push_str(&format!(
        "\nNext\n  kubectl l5d-rotate plan --dir {dir}\n  kubectl l5d-rotate render {first} --dir {dir}\n"
    ));
    out
}
