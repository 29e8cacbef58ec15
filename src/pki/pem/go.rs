//! PEM blocks as Go's `encoding/pem` finds them: what the identity controller, the injector and `linkerd` read with.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// Go's decoder minds the padding, not the unused bits before it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// One block. Its contents may be a key, so they are wiped.
pub(in crate::pki) struct Block<'a> {
    pub(in crate::pki) label: &'a [u8],
    pub(in crate::pki) headers: Vec<&'a [u8]>,
    pub(in crate::pki) contents: Zeroizing<Vec<u8>>,
}

/// The first block at or after `from`, with the offset at which its END line is over. `None` when there is none.
///
/// A block that cannot be read is passed over; a BEGIN line counts only at the start of a line.
pub(in crate::pki) fn decode(data: &[u8], mut from: usize) -> Option<(Block<'_>, usize)> {
    loop {
        let end = from + find(&data[from..], END)?;
        let label_at = end + END.len();
        let (block, reached) = block_before(data, from, end);
        if let Some(block) = block {
            return Some((block, line(data, label_at - 1).1));
        }
        // Headers that run past the END line, or to the end of the text, stop the search for good.
        if reached > label_at || reached == data.len() {
            return None;
        }
        from = label_at;
    }
}

/// The block whose END line starts at `end`, and how far the search for it went.
fn block_before(data: &[u8], from: usize, end: usize) -> (Option<Block<'_>>, usize) {
    let Some(begin) = rfind(&data[from..end], BEGIN)
        .map(|at| from + at)
        .filter(|&begin| begin == from || data[begin - 1] == b'\n')
    else {
        return (None, from);
    };
    let (label, mut at) = line(data, begin + BEGIN.len());
    let Some(label) = label.strip_suffix(DASHES) else { return (None, at.min(end)) };
    let mut headers = Vec::new();
    loop {
        if at == data.len() {
            return (None, at);
        }
        match line(data, at) {
            (header, next) if header.contains(&b':') => {
                headers.push(header);
                at = next;
            }
            _ => break,
        }
    }
    if !headers.is_empty() && at > end {
        return (None, at);
    }
    let contents = data[end + END.len()..]
        .strip_prefix(label)
        .and_then(|rest| rest.strip_prefix(DASHES))
        .filter(|rest| line(rest, 0).0.is_empty())
        .and_then(|_| base64(data.get(at..end).unwrap_or_default()));
    (contents.map(|contents| Block { label, headers, contents }), at.min(end))
}

fn base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let skipped = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    // All the room from the start: growing would leave copies of a key behind.
    let mut bare = Zeroizing::new(Vec::with_capacity(text.len()));
    bare.extend(text.iter().filter(|byte| !skipped(byte)));
    BASE64.decode(&*bare).ok().map(Zeroizing::new)
}

/// The line at `from` without its end and the blanks before it, and where the next one starts.
fn line(data: &[u8], from: usize) -> (&[u8], usize) {
    let rest = &data[from..];
    let (line, next) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = &rest[..end];
            (line.strip_suffix(b"\r").unwrap_or(line), from + end + 1)
        }
        None => (rest, data.len()),
    };
    let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    (&line[..line.len() - blanks], next)
}

fn find(data: &[u8], wanted: &[u8]) -> Option<usize> {
    data.windows(wanted.len()).position(|window| window == wanted)
}

fn rfind(data: &[u8], wanted: &[u8]) -> Option<usize> {
    data.windows(wanted.len()).rposition(|window| window == wanted)
}
