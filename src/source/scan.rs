//! JSON text of any length, of which a window is held: values are decoded out of it, one whole value at a time.

use std::io::{self, Read};

use serde::de::IgnoredAny;
use serde_json::de::SliceRead;

use crate::limits::JSON_VALUE;

/// How much of the text is held at least, in bytes; more only while one value is longer.
const WINDOW: usize = 1 << 20;

/// A window on a text.
pub(super) struct Scanner<R> {
    reader: R,
    window: Vec<u8>,
    start: usize,
    end: usize,
    /// Has the reader given all?
    ended: bool,
    /// The line on which the window starts, from 1.
    line: usize,
    /// Bytes of that line before the window.
    column: usize,
}

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) wrong: Wrong,
}

#[derive(Debug)]
pub(super) enum Wrong {
    Read(io::Error),
    Value(serde_json::Error),
    /// The text ends here.
    Cut,
    /// It is longer than what is held.
    Long,
    /// Something else stands where this should.
    Not(&'static str),
}

impl<R: Read> Scanner<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, window: Vec::new(), start: 0, end: 0, ended: false, line: 1, column: 0 }
    }

    /// The line of what comes next.
    pub(super) const fn line(&self) -> usize {
        self.line
    }

    /// The next byte that is no blank; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let rest = &self.window[self.start..self.end];
            match rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
                Some(blanks) => {
                    self.advance(blanks);
                    return Ok(Some(self.window[self.start]));
                }
                None => self.advance(rest.len()),
            }
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    /// Steps over `byte`, which stands next.
    pub(super) fn expect(&mut self, byte: u8, name: &'static str) -> Result<(), Fault> {
        match self.peek()? {
            Some(found) if found == byte => {
                self.advance(1);
                Ok(())
            }
            Some(_) => Err(self.fault(Wrong::Not(name))),
            None => Err(self.fault(Wrong::Cut)),
        }
    }

    /// Is there another element before `close`? Steps over what divides elements, and over `close`.
    pub(super) fn another(&mut self, first: &mut bool, close: u8) -> Result<bool, Fault> {
        let found = self.peek()?.ok_or_else(|| self.fault(Wrong::Cut))?;
        if found == close {
            self.advance(1);
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',', "a `,`")?;
            match self.peek()? {
                Some(next) if next == close => return Err(self.fault(Wrong::Not("a value after the `,`"))),
                Some(_) => {}
                None => return Err(self.fault(Wrong::Cut)),
            }
        }
        Ok(true)
    }

    /// Decodes the next value. `decode` is called again from the value's start when the window did not hold all of it.
    pub(super) fn value<T>(
        &mut self,
        decode: impl Fn(&mut serde_json::Deserializer<SliceRead<'_>>) -> serde_json::Result<T>,
    ) -> Result<T, Fault> {
        self.value_by(|text| {
            let mut deserializer = serde_json::Deserializer::from_slice(text);
            let decoded = decode(&mut deserializer);
            (decoded, deserializer.into_iter::<IgnoredAny>().byte_offset())
        })
    }

    /// The same, where `decode` is given the text from the value's start, and tells how many bytes the value has.
    pub(super) fn value_by<T>(
        &mut self,
        decode: impl Fn(&[u8]) -> (serde_json::Result<T>, usize),
    ) -> Result<T, Fault> {
        loop {
            self.peek()?;
            let rest = &self.window[self.start..self.end];
            let (decoded, used) = decode(rest);
            match decoded {
                // A number at the window's end may go on.
                Ok(value) if self.ended || used < rest.len() => {
                    self.advance(used);
                    return Ok(value);
                }
                Err(error) if self.ended || !error.is_eof() => {
                    let (line, column) = (self.line + error.line() - 1, error.column());
                    let column = if error.line() == 1 { self.column + column } else { column };
                    let wrong = if error.is_eof() { Wrong::Cut } else { Wrong::Value(error) };
                    return Err(Fault { line, column, wrong });
                }
                Ok(_) | Err(_) => self.fill()?,
            }
        }
    }

    /// What the window holds of the text that was passed, and of what comes next.
    pub(super) fn around(&self) -> (&[u8], &[u8]) {
        (&self.window[..self.start], &self.window[self.start..self.end])
    }

    /// What comes next, most of a window where there is as much.
    pub(super) fn ahead(&mut self) -> Result<&[u8], Fault> {
        if self.end - self.start < WINDOW / 2 && !self.ended {
            self.fill()?;
        }
        Ok(&self.window[self.start..self.end])
    }

    /// Steps over what was decoded of [`Self::ahead`].
    pub(super) fn pass(&mut self, length: usize) {
        self.advance(length);
    }

    fn fault(&self, wrong: Wrong) -> Fault {
        Fault { line: self.line, column: self.column + 1, wrong }
    }

    fn advance(&mut self, length: usize) {
        let passed = &self.window[self.start..self.start + length];
        self.line += memchr::memchr_iter(b'\n', passed).count();
        self.column = match memchr::memrchr(b'\n', passed) {
            None => self.column + length,
            Some(last) => length - last - 1,
        };
        self.start += length;
    }

    /// Makes the window twice as long as what it holds: so all that is decoded again is no more than what is read.
    fn fill(&mut self) -> Result<(), Fault> {
        let held = self.start..self.end;
        if held.len() >= JSON_VALUE {
            return Err(self.fault(Wrong::Long));
        }
        let goal = WINDOW.max(2 * held.len());
        if goal > self.window.len() {
            let mut wider = vec![0; goal];
            wider[..held.len()].copy_from_slice(&self.window[held.clone()]);
            self.window = wider;
        } else {
            self.window.copy_within(held.clone(), 0);
        }
        (self.start, self.end) = (0, held.len());
        while self.end < goal && !self.ended {
            match self.reader.read(&mut self.window[self.end..]) {
                Ok(length) => {
                    self.end += length;
                    self.ended = length == 0;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(Wrong::Read(error))),
            }
        }
        Ok(())
    }
}
