//! Items of a long list, decoded on two processors before it is their turn.
//!
//! Where an item ends is guessed by what stood between two items before, and known once exactly that much has decoded to one whole
//! value. A guess that was wrong costs its time, and nothing else.

use std::thread;

use memchr::memmem::Finder;
use serde::de::{DeserializeSeed, IgnoredAny};

use super::object::{Field, Fields, Kind, Part, Seed, Wants};
use super::skim::{self, Before, Short};
use crate::mesh::{Pod, PodSpec};

/// How many blanks or letters are looked at, to either side of what stands between items.
const NEAR: usize = 200;

/// What stands between two items, from the end of the one to the first key of the other.
pub(super) struct Joint {
    between: Finder<'static>,
    /// How much of it belongs to the first.
    ends: usize,
    /// Where in it the second begins.
    begins: usize,
}

impl Joint {
    /// As it stands between an item that `before` ends with, and the one that `after` begins with after the comma.
    pub(super) fn between(before: &[u8], after: &[u8]) -> Option<Self> {
        let near = &after[..after.len().min(NEAR)];
        let begins = after_comma(near)?;
        let mut quotes = near.iter().enumerate().skip(begins).filter(|(_, byte)| **byte == b'"');
        let (_, (key, _)) = (quotes.next()?, quotes.next()?);
        let end = indented(before)?;
        let between = [end, near.get(..=key)?].concat();
        Some(Self {
            between: Finder::new(&between).into_owned(),
            ends: end.len(),
            begins: end.len() + begins,
        })
    }

    /// The items that `text` begins with, as far as it holds them whole.
    pub(super) fn items<'a>(&self, text: &'a [u8]) -> Vec<&'a [u8]> {
        let (mut items, mut from) = (Vec::new(), 0);
        for at in self.between.find_iter(text) {
            items.extend(text.get(from..at + self.ends));
            from = at + self.begins;
        }
        items
    }
}

/// Where an item begins behind a comma and blanks.
fn after_comma(text: &[u8]) -> Option<usize> {
    let mut signs = text.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace());
    let (comma, brace) = (signs.next()?, signs.next()?);
    (*comma.1 == b',' && *brace.1 == b'{').then_some(brace.0)
}

/// The brace that ends a text, with the line's blanks before it, so that no brace which is indented otherwise is taken for it.
fn indented(text: &[u8]) -> Option<&[u8]> {
    let (brace, before) = text.split_last()?;
    let blanks = before.iter().rev().take(NEAR).take_while(|byte| **byte == b' ').count();
    let line = match before.iter().rev().nth(blanks) {
        Some(b'\n') => blanks + 1,
        _ => 0,
    };
    (*brace == b'}').then(|| text.get(before.len() - line..)).flatten()
}

/// Decodes items, the second half of them on another processor: each with how many bytes it has, up to the first one that is not one
/// whole value.
pub(super) fn decoded(items: &[&[u8]], kind: &Kind, wants: Wants<'_>) -> Vec<(Fields, usize)> {
    let (here, there) = items.split_at(items.len() / 2);
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || each(there, kind, wants));
        let mut all = each(here, kind, wants);
        let rest = other.ok().and_then(|other| other.join().ok());
        if all.len() == here.len() {
            all.extend(rest.unwrap_or_default());
        }
        all
    })
}

fn each(items: &[&[u8]], kind: &Kind, wants: Wants<'_>) -> Vec<(Fields, usize)> {
    let mut all = Vec::with_capacity(items.len());
    let mut last = Last::default();
    for item in items {
        match after(&mut last, item, kind, wants) {
            (Ok(fields), used) if used == item.len() => all.push((fields, used)),
            _ => break,
        }
    }
    all
}

/// Decodes the item that `text` begins with, and tells how many bytes it has.
pub(super) fn one(text: &[u8], kind: &Kind, wants: Wants<'_>) -> (serde_json::Result<Fields>, usize) {
    after(&mut Last::default(), text, kind, wants)
}

/// The item that was decoded last: most pods of a list are like the one before.
#[derive(Default)]
struct Last<'a> {
    text: Before<'a>,
    /// What was read of its `spec`, and what that is.
    spec: (Vec<u8>, PodSpec),
}

fn after<'a>(
    last: &mut Last<'a>,
    text: &'a [u8],
    kind: &Kind,
    wants: Wants<'_>,
) -> (serde_json::Result<Fields>, usize) {
    if let Some(short) = skim::shortened(text, kind, wants, &mut last.text) {
        let whole = short.whole;
        if let Ok(fields) = members(short, wants, &mut last.spec) {
            return (Ok(fields), whole);
        }
    }
    whole(text, kind, wants)
}

fn members(
    short: Short<'_>,
    wants: Wants<'_>,
    (last, spec): &mut (Vec<u8>, PodSpec),
) -> serde_json::Result<Fields> {
    let mut fields = Fields::of(short.kind);
    for (key, range) in short.members {
        let (field, text) = (fields.field(key, wants), &short.kept[range]);
        if field == Field::PodSpec && text == last.as_slice() {
            fields.put(key, Part::PodSpec(Pod { spec: spec.clone(), ..Pod::default() }))?;
            continue;
        }
        let mut json = serde_json::Deserializer::from_slice(text);
        let part = field.deserialize(&mut json)?;
        json.end()?;
        if let Part::PodSpec(pod) = &part {
            (*last, *spec) = (text.to_vec(), pod.spec.clone());
        }
        fields.put(key, part)?;
    }
    Ok(fields)
}

/// Decodes all of the item that `text` begins with, and tells how many bytes it has.
pub(super) fn whole(text: &[u8], kind: &Kind, wants: Wants<'_>) -> (serde_json::Result<Fields>, usize) {
    let mut json = serde_json::Deserializer::from_slice(text);
    let decoded = Seed { kind, wants }.deserialize(&mut json);
    (decoded, json.into_iter::<IgnoredAny>().byte_offset())
}
