//! Certificates and private keys where they stand in a text, found by what they are, in whatever notation.

use std::collections::BTreeSet;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::encoded::encoded;
use super::folded::folded;
use crate::pki::{Certificate, Fingerprint};

/// How the lines of a PEM text are written in the text around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notation {
    /// As lines, each behind the same blanks.
    Lines { indent: String, newline: &'static str },
    /// In a quoted text of YAML or JSON, with `\n` between them, each behind the same blanks.
    Escaped { indent: String },
}

/// One PEM block.
pub(super) struct Block<'t> {
    /// From the blanks before it to the end of its last line.
    pub(super) range: Range<usize>,
    pub(super) notation: Notation,
    pub(super) label: &'t str,
    pub(super) der: Vec<u8>,
}

/// Certificates that follow each other.
pub(super) struct Run {
    pub(super) blocks: Vec<(Range<usize>, Certificate)>,
    pub(super) notation: Notation,
}

pub(super) const BEGIN: &str = "-----BEGIN ";
const CERTIFICATE: &str = "CERTIFICATE";
/// The certificates of a text, as they follow each other.
pub(super) fn certificates(text: &str) -> Vec<Vec<Certificate>> {
    let plain = runs(text).into_iter().map(|run| (run.blocks[0].0.start, run.certificates()));
    let mut found: Vec<_> = plain.collect();
    for encoded in encoded(text) {
        found.extend(certificates(&encoded.text).into_iter().map(|run| (encoded.range.start, run)));
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, run)| run).collect()
}

/// The lines, from 1, on which these certificates stand together.
pub(super) fn lines_of(text: &str, certificates: &[Certificate]) -> Vec<usize> {
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let plain = runs(text).into_iter().filter(|run| run.holds(certificates));
    let mut lines: Vec<usize> = plain.map(|run| line(run.blocks[0].0.start)).collect();
    for (range, inner) in inner_texts(text) {
        if !lines_of(&inner, certificates).is_empty() {
            lines.push(line(range.start));
        }
    }
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// The lines, from 0, that hold a private key, in whatever notation.
pub(super) fn key_lines(text: &str) -> Vec<Range<usize>> {
    let line = |at: usize| text[..at].matches('\n').count();
    let is_key = |block: &&Block<'_>| block.label.ends_with("PRIVATE KEY");
    let all = blocks(text);
    let mut found: Vec<Range<usize>> = all.iter().filter(is_key).map(|block| block.range.clone()).collect();
    let within = inner_texts(text).into_iter().filter(|(_, inner)| !key_lines(inner).is_empty());
    found.extend(within.map(|(range, _)| range));
    found.into_iter().map(|range| line(range.start)..line(range.end.saturating_sub(1)) + 1).collect()
}

/// The hash of each private key's DER, in whatever notation.
pub(super) fn keys(text: &str) -> BTreeSet<Fingerprint> {
    let is_key = |block: &&Block<'_>| block.label.ends_with("PRIVATE KEY");
    let plain = blocks(text).iter().filter(is_key).map(|block| Fingerprint::digest(&block.der)).collect();
    let within = inner_texts(text).into_iter().flat_map(|(_, inner)| keys(&inner)).collect();
    [plain, within].into_iter().flat_map(|found: Vec<_>| found).collect()
}

/// The texts that stand in a text in another notation, and where.
pub(super) fn inner_texts(text: &str) -> Vec<(Range<usize>, Zeroizing<String>)> {
    let folded = folded(text).into_iter().map(|inner| (inner.range, inner.text));
    folded.chain(encoded(text).into_iter().map(|inner| (inner.range, inner.text))).collect()
}

/// Are they the same certificates, in whatever order?
pub(super) fn is_same_set(one: &[Certificate], other: &[Certificate]) -> bool {
    one.iter().all(|it| other.contains(it)) && other.iter().all(|it| one.contains(it))
}

impl Run {
    pub(super) fn certificates(&self) -> Vec<Certificate> {
        self.blocks.iter().map(|(_, certificate)| certificate.clone()).collect()
    }

    /// Are these its certificates, in whatever order?
    pub(super) fn holds(&self, all: &[Certificate]) -> bool {
        is_same_set(&self.certificates(), all)
    }
}

impl Notation {
    pub(super) fn line_end(&self) -> &str {
        match self {
            Self::Lines { newline, .. } => newline,
            Self::Escaped { .. } => "\\n",
        }
    }

    pub(super) fn indent(&self) -> &str {
        match self {
            Self::Lines { indent, .. } | Self::Escaped { indent } => indent,
        }
    }
}

impl<'t> Block<'t> {
    /// The block that begins at `at`; `None` where it is written in a way that is not known, or has no end.
    fn at(text: &'t str, at: usize) -> Option<Self> {
        let (label, rest) = text[at + BEGIN.len()..].split_once("-----")?;
        if label.contains(['\n', '"', '\'']) {
            return None;
        }
        let body_at = text.len() - rest.len();
        let (notation, start) = if rest.starts_with("\\n") {
            let start = text[..at].trim_end_matches(' ').len();
            let indent = text[start..at].to_owned();
            (Notation::Escaped { indent }, start)
        } else {
            let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let newline = ["\r\n", "\n"].into_iter().find(|newline| rest.starts_with(newline))?;
            let indent = &text[start..at];
            let indent = indent.chars().all(|one| one == ' ' || one == '\t').then(|| indent.to_owned())?;
            (Notation::Lines { indent, newline }, start)
        };
        let line_end = notation.line_end();
        let last = format!("-----END {label}-----");
        let body_end = body_at + rest.find(&last)?;
        let mut body = String::new();
        for line in text[body_at + line_end.len()..body_end].split(line_end) {
            let line = line.strip_prefix(notation.indent()).unwrap_or(line).trim_end_matches([' ', '\t']);
            body.push_str(line);
        }
        let der = STANDARD.decode(&body).ok()?;
        let mut end = body_end + last.len();
        if text[end..].starts_with(line_end) {
            end += line_end.len();
        }
        Some(Self { range: start..end, notation, label, der })
    }
}

/// Those that stand line for line: what is folded has other line ends.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let folded = folded(text);
    let begins = text.match_indices(BEGIN).map(|(at, _)| at);
    let is_plain = |at: &usize| !folded.iter().any(|one| one.range.contains(at));
    begins.filter(is_plain).filter_map(|at| Block::at(text, at)).collect()
}

/// Only blank lines and comments stand between the certificates of a run.
pub(super) fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut last_end = 0;
    for block in blocks(text) {
        let certificate = (block.label == CERTIFICATE).then(|| Certificate::from_der(&block.der).ok());
        let Some(certificate) = certificate.flatten() else { continue };
        let between = text.get(last_end..block.range.start);
        let is_near = between.is_some_and(|gap| is_gap(gap, &block.notation));
        let follows = |run: &&mut Run| is_near && run.notation == block.notation;
        last_end = block.range.end;
        let one = (block.range.clone(), certificate);
        match runs.last_mut().filter(follows) {
            Some(run) => run.blocks.push(one),
            None => runs.push(Run { blocks: vec![one], notation: block.notation }),
        }
    }
    runs
}

fn is_gap(gap: &str, notation: &Notation) -> bool {
    let is_said = |line: &str| {
        let line = line.strip_prefix(notation.indent()).unwrap_or(line.trim_start()).trim_end();
        line.is_empty() || line.starts_with('#')
    };
    let leaves_text = matches!(notation, Notation::Escaped { .. }) && gap.contains(['"', '\'', '\n']);
    !leaves_text && gap.split(notation.line_end()).all(is_said)
}

/// A text taken apart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parted {
    /// As they follow each other.
    pub(super) certificates: Vec<Vec<Certificate>>,
    /// The hash of each private key's DER.
    pub(super) keys: Vec<Fingerprint>,
    /// Everything else but comments, by its words.
    pub(super) rest: Vec<String>,
}

/// The certificates, the keys and the rest of a text.
pub(super) fn parted(text: &str) -> Parted {
    let mut cuts: Vec<Range<usize>> = Vec::new();
    let mut parted = Parted::default();
    for run in runs(text) {
        cuts.push(run.blocks[0].0.start..run.blocks[run.blocks.len() - 1].0.end);
        parted.certificates.push(run.certificates());
    }
    for block in blocks(text).iter().filter(|block| block.label.ends_with("PRIVATE KEY")) {
        cuts.push(block.range.clone());
        parted.keys.push(Fingerprint::digest(&block.der));
    }
    for inner in encoded(text) {
        let Parted { certificates, keys, rest } = self::parted(&inner.text);
        cuts.push(inner.range.clone());
        parted.certificates.extend(certificates);
        parted.keys.extend(keys);
        parted.rest.extend(rest);
    }
    cuts.sort_by_key(|range| range.start);
    let mut at = 0;
    for range in cuts {
        parted.rest.extend(words(&text[at..range.start.max(at)]));
        at = range.end.max(at);
    }
    parted.rest.extend(words(&text[at..]));
    parted
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let said = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    said.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
}
