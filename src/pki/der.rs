//! The little of DER that this room reads and writes itself (X.690, with the strictness of Go's `cryptobyte`).

use std::borrow::Cow;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The tag of a primitive element in context class.
pub(crate) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The tag of a constructed element in context class.
pub(crate) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// One element: its tag, its length in the shortest form, and its parts one after the other.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let bytes = length.to_be_bytes();
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(significant.last().copied().unwrap_or(0)),
        _ => {
            out.push(0x80 | significant.len().to_le_bytes()[0]);
            out.extend_from_slice(significant);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A sequence of these elements.
pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, parts)
}

/// A bit string of whole bytes.
pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], bytes])
}

/// One element as it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
    /// Tag, length and contents.
    pub(crate) whole: &'a [u8],
}

/// Reads elements one after the other; `None` is malformed input, or not what was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Does the next element have this tag?
    pub(crate) fn peek(self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The next element, whatever its tag.
    pub(crate) fn any(&mut self) -> Option<Element<'a>> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, header) = match first {
            0..0x80 => (usize::from(first), 2),
            _ => {
                let count = usize::from(first & 0x7f);
                let bytes = rest.get(..count).filter(|bytes| (1..=4).contains(&bytes.len()))?;
                let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                if length < 0x80 || bytes[0] == 0 {
                    return None;
                }
                (length, 2 + count)
            }
        };
        let (whole, rest) = self.0.split_at_checked(header + length)?;
        self.0 = rest;
        Some(Element { tag, contents: &whole[header..], whole })
    }

    /// The next element, which must have this tag.
    pub(crate) fn element(&mut self, tag: u8) -> Option<Element<'a>> {
        self.any().filter(|element| element.tag == tag)
    }

    /// The contents of the next element, which must have this tag.
    pub(crate) fn read(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.element(tag).map(|element| element.contents)
    }

    /// The next element's contents if it has this tag, `Some(None)` if another or no element follows.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        if self.peek(tag) { self.read(tag).map(Some) } else { Some(None) }
    }

    /// A reader of the contents of the next element, which must have this tag.
    pub(crate) fn nested(&mut self, tag: u8) -> Option<Self> {
        self.read(tag).map(Self)
    }

    /// A boolean, `false` or `true` and nothing else.
    pub(crate) fn boolean(&mut self) -> Option<bool> {
        match self.read(BOOLEAN)? {
            [0] => Some(false),
            [0xff] => Some(true),
            _ => None,
        }
    }

    /// The shortest two's complement form of an integer.
    pub(crate) fn integer(&mut self) -> Option<&'a [u8]> {
        self.read(INTEGER).filter(|bytes| match bytes {
            [] => false,
            [0, next, ..] => next & 0x80 != 0,
            [0xff, next, ..] => next & 0x80 == 0,
            _ => true,
        })
    }

    /// An integer that is not negative and fits.
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let bytes = self.integer().filter(|bytes| bytes[0] & 0x80 == 0)?;
        let bytes = if bytes[0] == 0 { &bytes[1..] } else { bytes };
        (bytes.len() <= 8).then(|| bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A bit string: its bytes, and how many bits of the last one are not used.
    pub(crate) fn bits(&mut self) -> Option<(&'a [u8], u8)> {
        let (&unused, bytes) = self.read(BIT_STRING)?.split_first()?;
        let spare = bytes.last().map_or(unused, |last| last & ((1u8 << unused.min(7)) - 1));
        (unused <= 7 && spare == 0).then_some((bytes, unused))
    }

    /// A bit string as Go's `BitString.RightAlign` gives it: unused bits are shifted out, and every byte changes.
    pub(crate) fn right_aligned(&mut self) -> Option<Cow<'a, [u8]>> {
        let (bytes, unused) = self.bits()?;
        if unused == 0 {
            return Some(bytes.into());
        }
        let mut carry = 0;
        let shifted = bytes.iter().map(|byte| {
            let aligned = carry | byte >> unused;
            carry = byte << (8 - unused);
            aligned
        });
        Some(shifted.collect())
    }

    /// An object identifier's contents, well formed.
    pub(crate) fn oid(&mut self) -> Option<&'a [u8]> {
        let bytes = self.read(OID)?;
        let ends = bytes.last().is_some_and(|byte| byte & 0x80 == 0);
        let parts = bytes.split_inclusive(|byte| byte & 0x80 == 0);
        (ends && parts.into_iter().all(|part| part[0] != 0x80 && part.len() <= 5)).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_the_shortest_form_and_read_back() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let contents = vec![7; length];
            let der = element(OCTET_STRING, &[&contents]);
            assert_eq!(Reader(&der).read(OCTET_STRING), Some(&contents[..]), "{length}");
            assert_eq!(der.len() - length, 2 + [128, 256, 65_536].iter().filter(|at| length >= **at).count());
        }
    }

    #[test]
    fn what_der_forbids_is_not_read() {
        for bad in
            [&[0x04, 0x81, 0x01, 0x00][..], &[0x04, 0x80], &[0x04, 0x02, 0x00], &[0x1f, 0x01, 0x00], &[4]]
        {
            assert!(Reader(bad).any().is_none(), "{bad:02x?}");
        }
        for bad in [&[0x02, 0x00][..], &[0x02, 0x02, 0x00, 0x01], &[0x02, 0x02, 0xff, 0x80]] {
            assert!(Reader(bad).integer().is_none(), "{bad:02x?}");
        }
        assert!(Reader(&[0x01, 0x01, 0x01]).boolean().is_none());
        assert!(Reader(&[0x03, 0x02, 0x01, 0x01]).bits().is_none());
        let aligned = |bits: &'static [u8]| Reader(bits).right_aligned().map(Cow::into_owned);
        assert_eq!(aligned(&[0x03, 0x03, 0x00, 0x04, 0x58]), Some(vec![0x04, 0x58]));
        assert_eq!(aligned(&[0x03, 0x03, 0x03, 0x04, 0x58]), Some(vec![0x00, 0x8b]));
        assert_eq!(aligned(&[0x03, 0x03, 0x03, 0x04, 0x59]), None);
        assert!(Reader(&[0x06, 0x02, 0x80, 0x01]).oid().is_none());
    }
}
