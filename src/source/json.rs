//! JSON of any length, read as a stream: one object is held at a time.

use std::collections::VecDeque;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny};

use super::ahead::{self, Joint};
use super::intake::Intake;
use super::object::{Fields, Kind, Object};
use super::scan::{Fault, Scanner, Wrong};
use super::{Sink, SourceError};
use crate::document::{Document, DocumentError, Origin, item_kind};

/// What a text held beside the objects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// How many documents it has.
    pub(super) documents: usize,
    /// Was there a list of pods, be it empty?
    pub(super) pods: bool,
    /// `metadata.continue` of its last list: there is more to ask for.
    pub(super) more: Option<String>,
    /// A list whose kind came after its items, who have none of their own: nothing of it or after it was taken in.
    pub(super) late: Option<(Origin, Kind)>,
}

/// Where to begin: with this document, which is a list of this kind.
pub(super) type Resume = (usize, Kind);

/// Reads all JSON documents of `reader` into `intake`.
pub(super) fn read<S: Sink>(
    reader: impl Read,
    source: &str,
    resume: Option<Resume>,
    intake: &mut Intake<S>,
) -> Result<Outcome, SourceError> {
    read_from(reader, source, resume, intake, (0, &mut |_| ()))
}

/// Reads an answer of an API server. Where a list names its next page before its items, as they do, `names` is told before these
/// are read.
pub(super) fn read_page<S: Sink>(
    reader: impl Read,
    source: &str,
    intake: &mut Intake<S>,
    names: &mut dyn FnMut(&str),
) -> Result<Outcome, SourceError> {
    read_from(reader, source, None, intake, (0, names))
}

/// Reads all documents without a look ahead.
#[cfg(test)]
pub(super) fn read_one_by_one<S: Sink>(
    reader: impl Read,
    source: &str,
    resume: Option<Resume>,
    intake: &mut Intake<S>,
) -> Result<Outcome, SourceError> {
    read_from(reader, source, resume, intake, (usize::MAX, &mut |_| ()))
}

/// Reads it, so many items of each list one by one at first; who is told of a next page.
fn read_from<S: Sink>(
    reader: impl Read,
    source: &str,
    resume: Option<Resume>,
    intake: &mut Intake<S>,
    (alone, names): (usize, &mut dyn FnMut(&str)),
) -> Result<Outcome, SourceError> {
    let origin = Origin { source: source.to_owned(), ..Origin::default() };
    let mut stream = Stream {
        scan: Scanner::new(reader),
        origin,
        outcome: Outcome::default(),
        kindless: false,
        joint: None,
        alone,
        ahead: VecDeque::new(),
        intake,
        names,
    };
    let (from, mut implied) = resume.map_or((1, None), |(from, kind)| (from, Some(kind)));
    while let Some(first) = stream.scan.peek().map_err(|fault| stream.fault(fault))? {
        stream.outcome.documents += 1;
        let document = stream.outcome.documents;
        stream.origin = Origin { document, line: stream.scan.line(), item: 0, ..stream.origin };
        let taken = document >= from;
        let kind = if taken { implied.take().unwrap_or_default() } else { Kind::default() };
        match first {
            b'[' => stream.array(taken)?,
            _ => stream.object(kind, taken)?,
        }
        if stream.outcome.late.is_some() {
            break;
        }
    }
    Ok(stream.outcome)
}

struct Stream<'a, S, R> {
    scan: Scanner<R>,
    /// The object that is read.
    origin: Origin,
    outcome: Outcome,
    /// Has the first item of the list no kind, and the list none yet?
    kindless: bool,
    /// What stands between the items of the list that is read, once it is known.
    joint: Option<Joint>,
    /// How many items are decoded one by one after a guess that was wrong: a list that is not as it was guessed takes twice as long
    /// at most.
    alone: usize,
    /// The items that come next, each with its length.
    ahead: VecDeque<(Fields, usize)>,
    intake: &'a mut Intake<S>,
    names: &'a mut dyn FnMut(&str),
}

/// At least so many.
const ALONE: usize = 16;

const KINDLESS: Wrong = Wrong::Not("an item with a `kind`");

impl<S: Sink, R: Read> Stream<'_, S, R> {
    /// A list without a kind, as `jq` makes it: its items tell theirs.
    fn array(&mut self, taken: bool) -> Result<(), SourceError> {
        self.items(&Kind::default(), taken)?;
        if std::mem::take(&mut self.kindless) { Err(self.here(KINDLESS)) } else { Ok(()) }
    }

    /// A document: an object, or a list of objects that are handed on one by one.
    fn object(&mut self, kind: Kind, taken: bool) -> Result<(), SourceError> {
        let mut fields = Fields::of(kind);
        let (mut list, mut first) = (false, true);
        self.scan.expect(b'{', "an object").map_err(|fault| self.fault(fault))?;
        while self.scan.another(&mut first, b'}').map_err(|fault| self.fault(fault))? {
            let key = self.scan.value(|json| String::deserialize(json)).map_err(|fault| self.fault(fault))?;
            self.scan.expect(b':', "a `:`").map_err(|fault| self.fault(fault))?;
            let next = self.scan.peek().map_err(|fault| self.fault(fault))?;
            if key == "items" && next == Some(b'[') && fields.kind.is_list() != Some(false) {
                list = true;
                if let Some(token) = continues(&fields) {
                    (self.names)(token);
                }
                self.items(&fields.kind, taken)?;
                continue;
            }
            let field = fields.field(&key, &|api_version, kind| self.intake.interest(api_version, kind));
            let part = self.scan.value(|json| field.deserialize(json)).map_err(|fault| self.fault(fault))?;
            let put: Result<(), serde_json::Error> = fields.put(&key, part);
            put.map_err(|error| self.here(Wrong::Value(error)))?;
        }
        match (taken, list && fields.kind.is_list() != Some(false)) {
            (false, _) => Ok(()),
            (true, true) => self.end_list(&fields),
            (true, false) => self.take(fields),
        }
    }

    fn items(&mut self, list: &Kind, taken: bool) -> Result<(), SourceError> {
        let (kind, line) = (list.of_items(), self.origin.line);
        let mut first = true;
        self.scan.expect(b'[', "a list").map_err(|fault| self.fault(fault))?;
        while self.scan.another(&mut first, b']').map_err(|fault| self.fault(fault))? {
            self.origin.item += 1;
            self.origin.line = self.scan.line();
            // A template that renders nothing for an item leaves `null`, and kubectl passes over it.
            let is_null = self.scan.peek().map_err(|fault| self.fault(fault))? == Some(b'n');
            if is_null || !taken || self.kindless {
                // It waits for the list's kind, as all after it do.
                self.scan.value(|json| IgnoredAny::deserialize(json)).map_err(|fault| self.fault(fault))?;
                continue;
            }
            let fields = self.item(&kind).map_err(|fault| self.fault(fault))?;
            if fields.kind.kind.is_some() {
                self.take(fields)?;
            } else if self.origin.item > 1 || list.kind.is_some() {
                return Err(self.here(KINDLESS));
            } else {
                self.kindless = true;
            }
        }
        (self.origin.item, self.origin.line) = (0, line);
        self.joint = None;
        Ok(())
    }

    /// The next item of a list.
    fn item(&mut self, kind: &Kind) -> Result<Fields, Fault> {
        let wants = |api_version: &str, kind: &str| self.intake.interest(api_version, kind);
        if self.ahead.is_empty()
            && let Some(joint) = self.joint.take()
        {
            let items = joint.items(self.scan.ahead()?);
            self.ahead = ahead::decoded(&items, kind, &wants).into();
            if self.ahead.is_empty() {
                self.alone = items.len().max(ALONE);
            } else {
                self.joint = Some(joint);
            }
        }
        if let Some((fields, length)) = self.ahead.pop_front() {
            self.scan.pass(length);
            return Ok(fields);
        }
        let fields = self.scan.value_by(|text| ahead::one(text, kind, &wants))?;
        self.alone = self.alone.saturating_sub(1);
        if self.alone == 0 {
            let (before, after) = self.scan.around();
            self.joint = Joint::between(before, after);
        }
        Ok(fields)
    }

    fn end_list(&mut self, list: &Fields) -> Result<(), SourceError> {
        self.outcome.more = continues(list).map(str::to_owned);
        let kind = list.kind.kind.as_deref();
        if std::mem::take(&mut self.kindless) {
            if kind.and_then(item_kind).is_none() {
                return Err(self.here(KINDLESS));
            }
            self.outcome.late = Some((self.origin.clone(), list.kind.clone()));
            return Ok(());
        }
        self.intake.met(&self.origin);
        self.outcome.pods |= kind == Some("PodList");
        Ok(())
    }

    /// Hands an object on.
    fn take(&mut self, fields: Fields) -> Result<(), SourceError> {
        let origin = self.origin.clone();
        let object = fields.finish(&|api_version, kind| self.intake.interest(api_version, kind));
        match object.map_err(|(field, error)| SourceError::field(&origin, &field, &error))? {
            Object::Pod(pod) => {
                self.intake.pod(&origin, *pod);
                Ok(())
            }
            Object::Tree(tree) => {
                Document { origin, tree }.each_item(|document| self.intake.document(document))
            }
        }
    }

    fn here(&mut self, wrong: Wrong) -> SourceError {
        let fault = Fault { line: self.scan.line(), column: 1, wrong };
        self.fault(fault)
    }

    fn fault(&self, Fault { line, column, wrong }: Fault) -> SourceError {
        let (source, item) = (&self.origin.source, self.origin.item);
        let said = match wrong {
            Wrong::Read(error) => return SourceError::Unreadable { place: source.clone(), error },
            Wrong::Long => return SourceError::LongValue { place: source.clone(), line },
            Wrong::Cut => return DocumentError::cut(source, line, column, item).into(),
            Wrong::Value(error) => error.to_string(),
            Wrong::Not(expected) => format!("{expected} should stand here"),
        };
        DocumentError::in_json(source, line, column, item, &said).into()
    }
}

/// The token that the rest of a list is asked for with.
fn continues(list: &Fields) -> Option<&str> {
    let token = list.tree.get("metadata")?.get("continue")?.as_str()?;
    (!token.is_empty()).then_some(token)
}
