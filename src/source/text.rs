//! A text that is held as a whole.

use std::io::Read;

use super::SourceError;
use super::files::BUFFER;
use crate::limits;

/// Reads a YAML text; what cannot be one is refused as soon as it is met, and so before a device without an end fills the
/// memory.
pub(super) fn whole(reader: impl Read, name: &str) -> Result<String, SourceError> {
    let place = || name.to_owned();
    let failed = |error| SourceError::Unreadable { place: place(), error };
    let mut reader = reader.take(limits::YAML + 1);
    let mut bytes = Vec::new();
    loop {
        let held = bytes.len();
        if reader.by_ref().take(BUFFER as u64).read_to_end(&mut bytes).map_err(failed)? == 0 {
            break;
        }
        if let Some(zero) = bytes[held..].iter().position(|byte| *byte == 0) {
            return Err(SourceError::NoText { place: place(), line: line_of(&bytes[..held + zero]) });
        }
    }
    if bytes.len() as u64 > limits::YAML {
        return Err(SourceError::LongText { place: place() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = line_of(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        SourceError::Encoding { place: place(), line, utf16: false }
    })
}

/// The line on which comes what follows these bytes.
fn line_of(before: &[u8]) -> usize {
    before.split(|byte| *byte == b'\n').count()
}
