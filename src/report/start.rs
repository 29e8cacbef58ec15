//! What `start` says when it is done: what was written, and what to do next.

use std::path::Path;

use super::{CertificateView, Clock, shell_word};
use crate::rotation::{ANCHOR_KEY_FILE, ISSUER_KEY_FILE, Phase, Record};

/// What was written into `dir`, and the next commands; they end with `arguments`, to read what this one has read.
#[must_use]
pub fn started(record: &Record, dir: &Path, minted_anchor: bool, arguments: &str, clock: &Clock) -> String {
    let dir = dir.display().to_string();
    let line = |certificate| CertificateView::from(certificate).line(clock);
    let mut out = format!("Started a rotation in {dir}\n\n");
    let certificates = [
        ("new anchor", record.anchor()),
        ("new issuer", Some(&record.issuer.issuer)),
        ("cross", record.cross.as_ref()),
    ];
    for (role, certificate) in certificates {
        out.extend(certificate.map(|certificate| format!("  {role:<10}  {}\n", line(certificate))));
    }
    let phases = record.phases();
    let last_swap =
        phases.iter().rev().find(|spec| spec.swapped_in().is_some()).map_or(Phase::Issuer, |spec| spec.phase);
    out.push('\n');
    out.push_str(&format!("Commit {dir}: it holds no private key that Git would take.\n"));
    out.push_str(&format!(
        "Keep {dir}/{ISSUER_KEY_FILE} until phase {last_swap} is merged; it goes into the Secret.\n"
    ));
    if record.clone().rolled_back().is_ok() {
        out.push_str(
            "Keep the present issuer's private key, too: going back needs it, and the Secret holds it until phase issuer is merged.\n",
        );
    }
    if minted_anchor {
        out.push_str(&format!(
            "Move {dir}/{ANCHOR_KEY_FILE} to a safe place: it is in no manifest, and only the next issuer needs it.\n"
        ));
    }
    let reading = format!("--dir {}{arguments}", shell_word(&dir));
    let first = phases[0].phase;
    out.push_str(&format!(
        "\nNext\n  kubectl l5d-rotate plan {reading}\n  kubectl l5d-rotate render {first} {reading}\n"
    ));
    out
}
