//! An object's JSON without the members that nobody reads: most of a dump is stepped over, eight bytes at a time, and what is the same as
//! in the item before not even that.
//!
//! What is left decodes to the same as the whole. Whatever is out of the ordinary is not shortened, but left to the decoder as it
//! stands: it alone says what is wrong, and where.

use std::ops::Range;

use memchr::memmem;

use super::object::{Kind, Wants};
use crate::document::is_list;
use crate::linkerd;
use crate::mesh::Interest;

/// How much of a value is kept.
enum Kept {
    All,
    /// These members of an object, which may be null.
    Members(&'static [(&'static str, Self)]),
    /// So much of each element of a list, which may be null.
    Each(&'static Self),
    /// Of a container's environment, the variable that is read, and what is not a plain variable.
    Environment,
}

/// What a [`Pod`](crate::mesh::Pod) is decoded from.
const POD: &[(&str, Kept)] = &[
    ("metadata", Kept::Members(METADATA)),
    ("spec", Kept::Members(SPEC)),
    ("status", Kept::Members(STATUS)),
];
const METADATA: &[(&str, Kept)] = &[
    ("name", Kept::All),
    ("namespace", Kept::All),
    ("labels", Kept::All),
    ("annotations", Kept::All),
    ("ownerReferences", Kept::All),
    ("creationTimestamp", Kept::All),
    ("deletionTimestamp", Kept::All),
];
const SPEC: &[(&str, Kept)] =
    &[("hostNetwork", Kept::All), ("containers", CONTAINERS), ("initContainers", CONTAINERS)];
const CONTAINERS: Kept = Kept::Each(&Kept::Members(&[("name", Kept::All), ("env", Kept::Environment)]));
const STATUS: &[(&str, Kept)] =
    &[("phase", Kept::All), ("containerStatuses", STATUSES), ("initContainerStatuses", STATUSES)];
const STATUSES: Kept =
    Kept::Each(&Kept::Members(&[("name", Kept::All), ("ready", Kept::All), ("state", Kept::All)]));

/// How much of a Pod is kept, mostly, in bytes.
const KEPT: usize = 8 << 10;

/// Deeper values are left to the decoder.
const DEPTH: u8 = 64;

/// An object as far as it is read.
pub(super) struct Short<'a> {
    pub(super) kind: Kind,
    /// Its other members, each with what was kept of it.
    pub(super) members: Vec<(&'a str, Range<usize>)>,
    pub(super) kept: Vec<u8>,
    /// How many bytes the object has as it stands.
    pub(super) whole: usize,
}

/// The objects and lists of the item before, in their order. Pods of one workload differ in little: a value that begins with the very
/// bytes of one that was read is that value.
#[derive(Default)]
pub(super) struct Before<'a> {
    passed: Vec<&'a [u8]>,
    /// Each with what was kept of it.
    environments: Vec<(&'a [u8], Vec<u8>)>,
}

/// Shortens the object that `text` begins with, whose kind may be known before. `None` where all of it is wanted, or where it is
/// out of the ordinary.
pub(super) fn shortened<'a>(
    text: &'a [u8],
    known: &Kind,
    wants: Wants<'_>,
    before: &mut Before<'a>,
) -> Option<Short<'a>> {
    let mut walk = Walk { text, at: 0, kept: Vec::with_capacity(KEPT), before, passed: 0, environments: 0 };
    let (mut kind, mut members) = (known.clone(), Vec::new());
    walk.expect(b'{')?;
    let mut first = true;
    while let Some(key) = walk.key(&mut first)? {
        match key {
            // What was kept by another kind is none of this one's.
            b"apiVersion" | b"kind" if !members.is_empty() => return None,
            b"apiVersion" => kind.api_version = Some(walk.name()?),
            b"kind" => kind.kind = Some(walk.name()?),
            _ => match interest(&kind, wants)? {
                Interest::Pod => {
                    if let Some(kept) = member(key, POD) {
                        let from = walk.kept.len();
                        walk.keep(kept)?;
                        members.push((std::str::from_utf8(key).ok()?, from..walk.kept.len()));
                    } else {
                        walk.pass()?;
                    }
                }
                Interest::None => walk.pass()?,
                Interest::Object => return None,
            },
        }
    }
    Some(Short { kind, members, kept: walk.kept, whole: walk.at })
}

fn interest(Kind { api_version, kind }: &Kind, wants: Wants<'_>) -> Option<Interest> {
    let kind = kind.as_deref().filter(|kind| !is_list(kind))?;
    Some(wants(api_version.as_deref()?, kind))
}

/// How much is kept of the value of `key`, if any.
fn member<'m>(key: &[u8], members: &'m [(&str, Kept)]) -> Option<&'m Kept> {
    members.iter().find(|(name, _)| name.as_bytes() == key).map(|(_, kept)| kept)
}

/// Puts a value in its place, which may be the next one.
fn put<T>(values: &mut Vec<T>, place: usize, value: T) {
    match values.get_mut(place) {
        Some(other) => *other = value,
        None => values.push(value),
    }
}

/// A way through a text, with what was kept of it so far. Each step is `None` where something else stands than should.
struct Walk<'a, 'b> {
    text: &'a [u8],
    at: usize,
    kept: Vec<u8>,
    before: &'b mut Before<'a>,
    /// How many of each this text has had.
    passed: usize,
    environments: usize,
}

impl<'a> Walk<'a, '_> {
    /// Steps over `bracket`, and keeps it.
    fn open(&mut self, bracket: u8) -> Option<()> {
        self.expect(bracket)?;
        self.kept.push(bracket);
        Some(())
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Is there another element before `close`? Steps over what divides elements, and over `close`.
    fn another(&mut self, first: &mut bool, close: u8) -> Option<bool> {
        let next = self.peek()?;
        if next == close {
            self.at += 1;
            return Some(false);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
            return (self.peek()? != close).then_some(true);
        }
        Some(true)
    }

    /// The next key of an object, with what divides it from its value stepped over; nothing at the object's end.
    fn key(&mut self, first: &mut bool) -> Option<Option<&'a [u8]>> {
        if !self.another(first, b'}')? {
            return Some(None);
        }
        let key = self.plain()?;
        self.expect(b':')?;
        Some(Some(key))
    }

    /// A string that stands as it is meant: no escapes, and nothing but ASCII.
    fn plain(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let from = self.at;
        self.string()?;
        let plain = self.text.get(from..self.at - 1)?;
        (plain.is_ascii() && !plain.contains(&b'\\')).then_some(plain)
    }

    /// The value of a member that is a name.
    fn name(&mut self) -> Option<String> {
        Some(std::str::from_utf8(self.plain()?).ok()?.to_owned())
    }

    fn keep_key(&mut self, key: &[u8]) {
        // No value ends with this bracket: it is the object's own.
        if self.kept.last() != Some(&b'{') {
            self.kept.push(b',');
        }
        self.kept.push(b'"');
        self.kept.extend_from_slice(key);
        self.kept.extend_from_slice(b"\":");
    }

    /// Steps over a value of which nothing is kept.
    fn pass(&mut self) -> Option<()> {
        if !matches!(self.peek()?, b'{' | b'[') {
            return self.skip(0);
        }
        let place = self.passed;
        self.passed += 1;
        let rest = self.text.get(self.at..)?;
        if let Some(same) = self.before.passed.get(place).filter(|value| rest.starts_with(value)) {
            self.at += same.len();
            return Some(());
        }
        let from = self.at;
        self.skip(0)?;
        put(&mut self.before.passed, place, self.text.get(from..self.at)?);
        Some(())
    }

    fn keep(&mut self, kept: &Kept) -> Option<()> {
        let mut first = true;
        match (kept, self.peek()?) {
            (Kept::Members(members), b'{') => {
                self.open(b'{')?;
                while let Some(key) = self.key(&mut first)? {
                    if let Some(kept) = member(key, members) {
                        self.keep_key(key);
                        self.keep(kept)?;
                    } else {
                        self.pass()?;
                    }
                }
                self.kept.push(b'}');
                Some(())
            }
            (Kept::Each(kept), b'[') => {
                self.open(b'[')?;
                while self.another(&mut first, b']')? {
                    self.element(kept)?;
                }
                self.kept.push(b']');
                Some(())
            }
            (Kept::Environment, b'[') => self.environment(),
            (Kept::All, _) | (_, b'n') => {
                let from = self.at;
                self.skip(0)?;
                self.kept.extend_from_slice(self.text.get(from..self.at)?);
                Some(())
            }
            _ => None,
        }
    }

    /// Keeps of a list of variables what is read.
    fn environment(&mut self) -> Option<()> {
        let place = self.environments;
        self.environments += 1;
        let (from, held, rest) = (self.at, self.kept.len(), self.text.get(self.at..)?);
        if let Some((same, kept)) =
            self.before.environments.get(place).filter(|(list, _)| rest.starts_with(list))
        {
            self.at += same.len();
            self.kept.extend_from_slice(kept);
            return Some(());
        }
        self.open(b'[')?;
        let mut first = true;
        while self.another(&mut first, b']')? {
            let from = self.at;
            if self.other_variable().is_none() {
                self.at = from;
                self.element(&Kept::All)?;
            }
        }
        self.kept.push(b']');
        let (list, kept) = (self.text.get(from..self.at)?, self.kept.get(held..)?.to_vec());
        put(&mut self.before.environments, place, (list, kept));
        Some(())
    }

    fn element(&mut self, kept: &Kept) -> Option<()> {
        if self.kept.last() != Some(&b'[') {
            self.kept.push(b',');
        }
        self.keep(kept)
    }

    /// Steps over a variable that is not read, if it is one that decodes: a value, or a field of the pod.
    fn other_variable(&mut self) -> Option<()> {
        let mut first = true;
        self.expect(b'{')?;
        if self.key(&mut first)?? != b"name" || self.plain()? == linkerd::TRUST_ANCHORS_ENV.as_bytes() {
            return None;
        }
        match self.key(&mut first)? {
            None => return Some(()),
            Some(b"value") => self.decodable()?,
            Some(b"valueFrom") => {
                let mut first = true;
                self.expect(b'{')?;
                if self.key(&mut first)?? != b"fieldRef" {
                    return None;
                }
                self.skip(0)?;
                self.expect(b'}')?;
            }
            Some(_) => return None,
        }
        self.expect(b'}')
    }

    /// Steps over a string that surely is text: a surrogate, or what is no UTF-8, is none.
    fn decodable(&mut self) -> Option<()> {
        self.expect(b'"')?;
        let from = self.at;
        self.string()?;
        let text = self.text.get(from..self.at)?;
        (text.is_ascii() && memmem::find(text, b"\\u").is_none()).then_some(())
    }

    /// Steps over a value of any kind.
    fn skip(&mut self, depth: u8) -> Option<()> {
        let mut first = true;
        match self.peek()? {
            _ if depth > DEPTH => None,
            b'"' => {
                self.at += 1;
                self.string()
            }
            b'{' => {
                self.at += 1;
                while self.another(&mut first, b'}')? {
                    self.expect(b'"')?;
                    self.string()?;
                    self.expect(b':')?;
                    self.skip(depth + 1)?;
                }
                Some(())
            }
            b'[' => {
                self.at += 1;
                while self.another(&mut first, b']')? {
                    self.skip(depth + 1)?;
                }
                Some(())
            }
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.integer(),
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    /// A number without fraction and exponent; others are rare.
    fn integer(&mut self) -> Option<()> {
        if self.text.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let from = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        let digits = self.text.get(from..self.at)?;
        let is_whole = matches!(digits, [b'0'] | [b'1'..=b'9', ..]);
        let goes_on = matches!(self.text.get(self.at), Some(b'.' | b'e' | b'E') | None);
        (is_whole && !goes_on).then_some(())
    }

    /// The next byte that is no blank.
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        let next = *self.text.get(self.at)?;
        if next > b' ' { Some(next) } else { self.blanks() }
    }

    fn blanks(&mut self) -> Option<u8> {
        loop {
            match *self.text.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                next => return Some(next),
            }
            while let Some(eight) = self.eight() {
                let others = eight ^ every(b' ');
                self.at += (others.trailing_zeros() / 8) as usize;
                if others != 0 {
                    break;
                }
            }
        }
    }

    /// Steps over the rest of a string, and over the quotation mark that ends it.
    fn string(&mut self) -> Option<()> {
        loop {
            while let Some(eight) = self.eight() {
                let ends = zeros(eight ^ every(b'"')) | zeros(eight ^ every(b'\\')) | below_blank(eight);
                self.at += (ends.trailing_zeros() / 8) as usize;
                if ends != 0 {
                    break;
                }
            }
            match *self.text.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.escape()?,
                0..b' ' => return None,
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match *self.text.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' if self.text.get(self.at + 2..self.at + 6)?.iter().all(u8::is_ascii_hexdigit) => {
                self.at += 6
            }
            _ => return None,
        }
        Some(())
    }

    /// The next eight bytes, the first one lowest.
    #[inline(always)]
    fn eight(&self) -> Option<u64> {
        Some(u64::from_le_bytes(*self.text.get(self.at..)?.first_chunk()?))
    }
}

const ONES: u64 = every(1);
const HIGHEST: u64 = every(0x80);

/// Eight times the same byte.
const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of each byte that is 0; right up to the first one, which is all that is asked for.
const fn zeros(eight: u64) -> u64 {
    eight.wrapping_sub(ONES) & !eight & HIGHEST
}

/// The same for bytes below a blank, which no string may hold.
const fn below_blank(eight: u64) -> u64 {
    eight.wrapping_sub(every(b' ')) & !eight & HIGHEST
}
