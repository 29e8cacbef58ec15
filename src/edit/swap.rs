//! Certificates and private keys replaced where they stand in a text, in the text's own notation.

use std::ops::Range;

use zeroize::Zeroizing;

use super::encoded::encoded;
use super::folded::folded;
use super::pem::{Block, Notation, Run, blocks, is_same_set, runs};
use crate::pki::{Certificate, PrivateKey, pem};

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

/// One place at which a swap was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Swapped {
    /// Which swap, by its place in the list.
    pub(super) swap: usize,
    /// The line, from 1.
    pub(super) line: usize,
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
        if text[block.clone()].ends_with(self.line_end()) {
            return written;
        }
        format!("{}{written}", self.line_end())
    }
}

impl Block<'_> {
    fn is_key_of(&self, certificate: &Certificate) -> bool {
        self.label.ends_with("PRIVATE KEY") && {
            let pem = Zeroizing::new(pem::block(self.label, &self.der));
            PrivateKey::from_pem(&pem).is_ok_and(|key| key.matches(certificate))
        }
    }
}
