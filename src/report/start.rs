//! What `start` says when it is done: what was written, and what to do next.

use std::path::Path;

use super::{CertificateView, Screen, shell_word};
use crate::rotation::{ANCHOR_KEY_FILE, ISSUER_KEY_FILE, Phase, Record};

/// What was written into `dir`, and the next commands; they end with `arguments`, to read what this one has read.
#[must_use]
pub fn started(record: &Record, dir: &Path, minted_anchor: bool, arguments: &str, screen: &Screen) -> String {
    let dir = dir.display().to_string();
    let mut out = format!("Started a rotation in {dir}\n\n");
    let certificates = [
        ("new anchor", record.anchor()),
        ("new issuer", Some(&record.issuer.issuer)),
        ("cross", record.cross.as_ref()),
    ];
    for (role, certificate) in certificates {
        let Some(certificate) = certificate else { continue };
        let view = CertificateView::from(certificate);
        let name = format!("  {role:<10}  {}  {}", view.name, view.fingerprint.short());
        out.push_str(&view.beside(&name, "              ", screen));
    }
    out.push('\n');
    for sentence in what_to_keep(record, &dir, minted_anchor) {
        out.push_str(&screen.wrapped(&sentence, "", ""));
    }
    let phases = record.phases();
    let reading = format!("--dir {}{arguments}", shell_word(&dir));
    let first = phases[0].phase;
    out.push_str(&format!(
        "\nNext\n  kubectl l5d-rotate plan {reading}\n  kubectl l5d-rotate render {first} {reading}\n"
    ));
    out
}

fn what_to_keep(record: &Record, dir: &str, minted_anchor: bool) -> Vec<String> {
    let phases = record.phases();
    let last_swap =
        phases.iter().rev().find(|spec| spec.swapped_in().is_some()).map_or(Phase::Issuer, |spec| spec.phase);
    let mut sentences = vec![
        format!("Commit {dir}: it holds no private key that Git would take."),
        format!("Keep {dir}/{ISSUER_KEY_FILE} until phase {last_swap} is merged; it goes into the Secret."),
    ];
    if record.clone().rolled_back().is_ok() {
        sentences.push(
            "Keep the present issuer's private key, too: a rollback needs it, and the Secret holds it only until phase issuer is \
             merged."
                .to_owned(),
        );
    }
    if minted_anchor {
        sentences.push(format!(
            "Move {dir}/{ANCHOR_KEY_FILE} to a safe place: it is in no manifest, and only the next issuer needs it."
        ));
    }
    sentences
}
