//! What `start` says when it is done: what was written, and what to do next.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{CertificateView, Screen, shell_word};
use crate::rotation::{ANCHOR_KEY_FILE, ISSUER_KEY_FILE, Phase, Record, Signing};

/// What reads again what this command has read, and edits the same files.
#[derive(Debug, Clone)]
pub struct Again<'a> {
    /// The arguments that name the input.
    pub arguments: String,
    /// The checkout whose files the steps edit, where one is known.
    pub checkout: Option<&'a Path>,
    /// The work tree that the rotation directory is committed to, where it is in one.
    pub work_tree: Option<PathBuf>,
}

impl Again<'_> {
    /// The next commands: for the first step `otherwise`, or the edit of the files where it is known which.
    fn next(&self, otherwise: &str, dir: &str) -> String {
        let reading = format!("--dir {}{}", shell_word(dir), self.arguments);
        let edit = |root: &Path| {
            format!("  kubectl l5d-rotate next --in {} {reading}\n", shell_word(&root.display().to_string()))
        };
        let mut out = format!("\nNext\n  kubectl l5d-rotate plan {reading}\n");
        if let Some(checkout) = self.checkout {
            return out + &edit(checkout);
        }
        out.push_str(&format!("  kubectl l5d-rotate {otherwise} {reading}\n"));
        if let Some(root) = &self.work_tree {
            out.push_str("  # or, where this repository declares Linkerd, in its own files\n");
            out.push_str(&edit(root));
        }
        out
    }
}

/// What was written into `dir`, and the next commands.
#[must_use]
pub fn started(
    record: &Record,
    dir: &Path,
    minted_anchor: bool,
    again: &Again<'_>,
    screen: &Screen,
) -> String {
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
    out.push_str(&again.next(&format!("render {}", phases[0].phase), &dir));
    out
}

/// What was begun where cert-manager mints the certificates: which of its objects change, and the next commands.
#[must_use]
pub fn started_managed(record: &Record, dir: &Path, again: &Again<'_>, screen: &Screen) -> String {
    let dir = dir.display().to_string();
    let mut out = format!("Started a rotation over cert-manager's objects in {dir}\n\n");
    let Some(managed) = &record.managed else { return out };
    let bundle = managed.bundle.as_ref().map(ToString::to_string);
    let made = |signing: &Signing| {
        signing.made().map_or_else(|| "from outside".to_owned(), |made| made.certificate.to_string())
    };
    let rows = [
        ("old anchor", made(&managed.old)),
        ("  signs by", managed.old.signer().to_string()),
        ("new anchor", made(&managed.new)),
        ("  signs by", managed.new.signer().to_string()),
        ("issuer", managed.issuer.to_string()),
        (
            "published by",
            bundle.unwrap_or_else(|| "the values of Linkerd's chart, or its ConfigMap".to_owned()),
        ),
    ];
    for (name, value) in rows {
        out.push_str(&screen.wrapped(&value, &format!("  {name:<12}  "), &" ".repeat(16)));
    }
    out.push('\n');
    let anchor = match record.anchor() {
        Some(anchor) if managed.new.made().is_none() => format!(
            "The first step publishes the new anchor {}. Its key is not needed: {} is to sign below it.",
            anchor.fingerprint().short(),
            managed.new.signer()
        ),
        Some(anchor) => format!(
            "The new anchor {} is published beside the old one already: the rotation goes on from there.",
            anchor.fingerprint().short()
        ),
        None => {
            "cert-manager mints the new anchor when the first step is merged; the steps after it show then."
                .to_owned()
        }
    };
    let stays = record.keeps_signer().then(|| {
        format!(
            "{} keeps its name: one commit changes the Secret that it signs with, the next one has the issuer issued anew.",
            managed.old.signer()
        )
    });
    let keys = "No private key leaves the cluster, and nothing is done but by merging.";
    for sentence in [format!("Commit {dir}."), anchor].into_iter().chain(stays).chain([keys.to_owned()]) {
        out.push_str(&screen.wrapped(&sentence, "", ""));
    }
    out.push_str(&again.next("next", &dir));
    out
}

/// What a signing request asks for, and what to do with what comes back.
#[must_use]
pub fn requested(
    dir: &Path,
    common_name: &str,
    dns_names: &[String],
    until: Timestamp,
    arguments: &str,
    screen: &Screen,
) -> String {
    let dir = dir.display().to_string();
    let mut out =
        format!("Wrote {dir}/issuer.csr and its private key {dir}/{ISSUER_KEY_FILE}\n\nTo be signed\n");
    let names = if dns_names.is_empty() { "none".to_owned() } else { dns_names.join(", ") };
    let rows = [
        ("subject", format!("CN={common_name}")),
        ("DNS names", names),
        ("basic constraints", "critical, CA:TRUE, pathlen:0".to_owned()),
        ("key usage", "critical, keyCertSign, cRLSign".to_owned()),
        ("extended key usage", "none".to_owned()),
        ("signature", "ECDSA with SHA-256, by the trust anchor or a CA below it".to_owned()),
        ("valid until", format!("{}, within its anchor's validity", screen.date(until))),
    ];
    for (name, value) in rows {
        out.push_str(&screen.wrapped(&value, &format!("  {name:<18}  "), &" ".repeat(22)));
    }
    out.push_str(&screen.wrapped(
        &format!("The key stays in {dir}; it is no part of the request."),
        "\n",
        "",
    ));
    let word = shell_word(&dir);
    out.push_str(&format!(
        "\nNext\n  kubectl l5d-rotate start --dir {word} --issuer-cert SIGNED.pem --anchor CA.pem{arguments}\n"
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
