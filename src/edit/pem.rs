//! Certificates and private keys where they stand in a text, found by what they are and replaced in the text's own notation.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::folded::folded;
use crate::pki::{Certificate, Fingerprint, PrivateKey};

/// What stands in the place of what.
pub(super) enum Swap {
    /// Certificates that follow each other in one text, whatever is between them.
    Certificates {
        /// What is there, in any order.
        old: Vec<Certificate>,
        /// What shall be there.
        new: Vec<Certificate>,
    },
    /// A private key.
    Key {
        /// The certificate that the key is of.
        of: Certificate,
        /// The PEM text of the key that shall be there.
        new: Zeroizing<String>,
    },
}

impl Swap {
    /// Does it put the same in the place of the same?
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Certificates { new, .. }, Self::Certificates { new: other_new, .. }) => {
                new == other_new && self.is_of_same(other)
            }
            (Self::Key { new, .. }, Self::Key { new: other_new, .. }) => {
                new == other_new && self.is_of_same(other)
            }
            _ => false,
        }
    }

    /// Does it put something in the place of the same?
    pub(super) fn is_of_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Certificates { old, .. }, Self::Certificates { old: other, .. }) => {
                is_same_set(old, other)
            }
            (Self::Key { of, .. }, Self::Key { of: other, .. }) => of == other,
            _ => false,
        }
    }
}

fn is_same_set(one: &[Certificate], other: &[Certificate]) -> bool {
    one.iter().all(|it| other.contains(it)) && other.iter().all(|it| one.contains(it))
}

/// One place at which a swap was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Swapped {
    /// Which swap, by its place in the list.
    pub(super) swap: usize,
    /// The line, from 1.
    pub(super) line: usize,
}

/// How the lines of a PEM text are written in the text around it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Notation {
    /// As lines, each behind the same blanks.
    Lines { indent: String, newline: &'static str },
    /// In a quoted text of YAML or JSON, with `\n` between them, each behind the same blanks.
    Escaped { indent: String },
}

/// One PEM block.
struct Block<'t> {
    /// From the blanks before it to the end of its last line.
    range: Range<usize>,
    notation: Notation,
    label: &'t str,
    der: Vec<u8>,
}

/// Certificates that follow each other.
struct Run {
    blocks: Vec<(Range<usize>, Certificate)>,
    notation: Notation,
}

pub(super) const BEGIN: &str = "-----BEGIN ";
const CERTIFICATE: &str = "CERTIFICATE";
/// The first line of base64 is no shorter, in characters: no certificate, and no wrapped line, is.
const SHORTEST: usize = 60;

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

/// What "PRIVATE KEY" is in base64, at each of the places that it may have there.
const ENCODED_LABELS: [&str; 3] = ["UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW"];

/// The private keys of a text that nothing encrypts, each with its line, from 1, and what it can be compared by.
pub(super) fn plain_keys(text: &str) -> Vec<(usize, Option<PrivateKey>)> {
    if !text.contains("PRIVATE KEY") && !ENCODED_LABELS.iter().any(|label| text.contains(label)) {
        return Vec::new();
    }
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let is_key = |block: &&Block<'_>| {
        block.label.ends_with("PRIVATE KEY") && !block.label.starts_with("ENCRYPTED") && block.der.len() > 16
    };
    let mut found = Vec::new();
    for block in blocks(text).iter().filter(is_key) {
        let pem = Zeroizing::new(crate::pki::pem::block(block.label, &block.der));
        let begin = text[block.range.clone()].find(BEGIN).unwrap_or_default();
        found.push((line(block.range.start + begin), PrivateKey::from_pem(&pem).ok()));
    }
    for (range, inner) in inner_texts(text) {
        found.extend(plain_keys(&inner).into_iter().map(|(_, key)| (line(range.start), key)));
    }
    found.sort_by_key(|(line, _)| *line);
    found
}

/// The texts that stand in a text in another notation, and where.
fn inner_texts(text: &str) -> Vec<(Range<usize>, Zeroizing<String>)> {
    let folded = folded(text).into_iter().map(|inner| (inner.range, inner.text));
    folded.chain(encoded(text).into_iter().map(|inner| (inner.range, inner.text))).collect()
}

/// The text with every swap made, and where.
pub(super) fn swap(text: &str, swaps: &[Swap]) -> (Zeroizing<String>, Vec<Swapped>) {
    let mut changes: Vec<(Range<usize>, Zeroizing<String>)> = Vec::new();
    let mut places = Vec::new();
    let mut made = |swap: usize, range: Range<usize>, by: Zeroizing<String>| {
        let line = text[..range.start].matches('\n').count() + 1;
        if changes.iter().all(|(other, _)| other.end <= range.start || range.end <= other.start) {
            changes.push((range, by));
            places.push(Swapped { swap, line });
        }
    };
    let (runs, blocks) = (runs(text), blocks(text));
    for (number, swap) in swaps.iter().enumerate() {
        match swap {
            Swap::Certificates { old, new } => {
                for run in runs.iter().filter(|run| run.holds(old)) {
                    for (range, by) in run.edits(text, new) {
                        made(number, range, by.into());
                    }
                }
            }
            Swap::Key { of, new } => {
                for block in blocks.iter().filter(|block| block.is_key_of(of)) {
                    made(number, block.range.clone(), block.notation.written(new, text, &block.range).into());
                }
            }
        }
    }
    for inner in folded(text) {
        let (new, swapped) = self::swap(&inner.text, swaps);
        if let Some(first) = swapped.first() {
            let (range, by) = inner.edit(&new);
            made(first.swap, range, by);
        }
    }
    for inner in encoded(text) {
        let (new, swapped) = self::swap(&inner.text, swaps);
        if let Some(first) = swapped.first() {
            made(first.swap, inner.range.clone(), inner.written(&new).into());
        }
    }
    changes.sort_by_key(|(range, _)| range.start);
    places.sort_by_key(|place| place.line);
    places.dedup();
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 2));
    let mut at = 0;
    for (range, by) in changes {
        out.push_str(&text[at..range.start]);
        out.push_str(&by);
        at = range.end;
    }
    out.push_str(&text[at..]);
    (out, places)
}

impl Run {
    fn certificates(&self) -> Vec<Certificate> {
        self.blocks.iter().map(|(_, certificate)| certificate.clone()).collect()
    }

    /// Are these its certificates, in whatever order?
    fn holds(&self, all: &[Certificate]) -> bool {
        is_same_set(&self.certificates(), all)
    }

    /// What to write where: what stays is left as it is, with its comments.
    fn edits(&self, text: &str, new: &[Certificate]) -> Vec<(Range<usize>, String)> {
        let stays = |one: &&(Range<usize>, Certificate)| new.contains(&one.1);
        let kept: Vec<_> = self.blocks.iter().filter(stays).collect();
        let is_begin = kept.iter().zip(new).all(|((_, kept), new)| kept == new) && kept.len() <= new.len();
        let pem = |all: &[Certificate]| all.iter().map(Certificate::to_pem).collect::<String>();
        let (first, last) = (&self.blocks[0].0, &self.blocks[self.blocks.len() - 1].0);
        if kept.is_empty() || !is_begin {
            let whole = first.start..last.end;
            let by = self.notation.written(&pem(new), text, &whole);
            return vec![(whole, by)];
        }
        let mut edits = Vec::new();
        let mut before = first.start;
        for (range, certificate) in &self.blocks {
            // What is said above a certificate goes with it; what stands above the first may be of all.
            if !new.contains(certificate) {
                edits.push((before..range.end, String::new()));
            }
            before = range.end;
        }
        let more = &new[kept.len()..];
        if !more.is_empty() {
            edits.push((last.end..last.end, self.notation.appended(&pem(more), text, last)));
        }
        edits
    }
}

impl Notation {
    /// A PEM text in the place of a range that ends with a line's end, or at the end of all.
    fn written(&self, pem: &str, text: &str, range: &Range<usize>) -> String {
        let line_end = self.line_end();
        let lines: Vec<String> = pem.lines().map(|line| format!("{}{line}", self.indent())).collect();
        let ended = text[range.clone()].ends_with(line_end);
        format!("{}{}", lines.join(line_end), if ended { line_end } else { "" })
    }

    /// A PEM text behind the range of a block.
    fn appended(&self, pem: &str, text: &str, block: &Range<usize>) -> String {
        let written = self.written(pem, text, block);
        match text[block.clone()].ends_with(self.line_end()) {
            true => written,
            false => format!("{}{written}", self.line_end()),
        }
    }

    fn line_end(&self) -> &str {
        match self {
            Self::Lines { newline, .. } => newline,
            Self::Escaped { .. } => "\\n",
        }
    }

    fn indent(&self) -> &str {
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

    fn is_key_of(&self, certificate: &Certificate) -> bool {
        self.label.ends_with("PRIVATE KEY") && {
            let pem = Zeroizing::new(crate::pki::pem::block(self.label, &self.der));
            PrivateKey::from_pem(&pem).is_ok_and(|key| key.matches(certificate))
        }
    }
}

/// Those that stand line for line: what is folded has other line ends.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let folded = folded(text);
    let begins = text.match_indices(BEGIN).map(|(at, _)| at);
    let is_plain = |at: &usize| !folded.iter().any(|one| one.range.contains(at));
    begins.filter(is_plain).filter_map(|at| Block::at(text, at)).collect()
}

/// Only blank lines and comments stand between the certificates of a run.
fn runs(text: &str) -> Vec<Run> {
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

/// Base64 of a PEM text.
struct Encoded {
    /// Without the blanks before its first line, and without the end of its last.
    range: Range<usize>,
    text: Zeroizing<String>,
    /// What begins each line but the first, and how long lines are; `None` where it is one.
    wrapped: Option<(String, usize)>,
}

impl Encoded {
    fn written(&self, text: &str) -> String {
        let mut encoded = String::new();
        STANDARD.encode_string(text, &mut encoded);
        let Some((between, width)) = &self.wrapped else { return encoded };
        let line = |at: usize| &encoded[at..encoded.len().min(at + width)];
        (0..encoded.len()).step_by(*width).map(line).collect::<Vec<_>>().join(between)
    }
}

/// Every base64 of a text in which a PEM block is: of a Secret's value, or of a file of values that is one.
fn encoded(text: &str) -> Vec<Encoded> {
    let mut found: Vec<Encoded> = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(is_base64).map(|start| at + start) {
        let length = text[start..].find(|one| !is_base64(one)).unwrap_or(text.len() - start);
        at = start + length;
        if length >= SHORTEST
            && let Some(one) = encoded_at(text, start, length)
        {
            at = one.range.end;
            found.push(one);
        }
    }
    found
}

fn is_base64(character: char) -> bool {
    character.is_ascii_alphanumeric() || ['+', '/', '='].contains(&character)
}

/// One line of base64, or several of the same width behind the same blanks.
fn encoded_at(text: &str, start: usize, width: usize) -> Option<Encoded> {
    let length = |text: &str| text.find(|one| !is_base64(one)).unwrap_or(text.len());
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let mut end = start + width;
    let decoded = |range: Range<usize>| {
        let all: String = text[range].chars().filter(|one| is_base64(*one)).collect();
        String::from_utf8(STANDARD.decode(all).ok()?).ok().map(Zeroizing::new)
    };
    let indent = &text[line_start..start];
    let newline = if text[end..].starts_with("\r\n") { "\r\n" } else { "\n" };
    let between = format!("{newline}{indent}");
    let mut wrapped = None;
    if indent.chars().all(|one| one == ' ') {
        // Every line but the last is as wide as the first.
        let mut last = width;
        while last == width && text[end..].starts_with(&between) {
            last = length(&text[end + between.len()..]);
            let next = end + between.len() + last;
            let ends = text[next..].is_empty() || text[next..].starts_with(newline);
            if last == 0 || last > width || !ends {
                break;
            }
            end = next;
            wrapped = Some((between.clone(), width));
        }
    }
    let text = decoded(start..end)?;
    text.contains(BEGIN).then_some(Encoded { range: start..end, text, wrapped })
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
