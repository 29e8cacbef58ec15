//! Files, directories and standard input.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::intake::Intake;
use super::{Input, Request, Sink, SourceError, json, text};
use crate::document::{is_json, parse_each};
use crate::mesh::{Gap, Unread};

/// How much of a file is held at a time, in bytes.
pub(super) const BUFFER: usize = 256 * 1024;

/// Reads all inputs of the request.
pub(super) fn read<S: Sink>(request: &Request, mut intake: Intake<S>) -> Result<Intake<S>, SourceError> {
    if request.inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(SourceError::StdinTwice);
    }
    let mut seen = Seen::default();
    for input in &request.inputs {
        match input {
            Input::Stdin => {
                read_text(BufReader::with_capacity(BUFFER, io::stdin().lock()), "stdin", None, &mut intake)?;
            }
            Input::Path(path) => {
                for file in seen.files(path, request.recursive)? {
                    read_file(&file, &mut intake)?;
                }
            }
        }
    }
    for document in request.documents.iter().flatten() {
        intake.document(document.clone())?;
    }
    request.gaps.iter().for_each(|gap| intake.gap(gap.clone()));
    if intake.is_empty() && request.documents.is_none() {
        let name = |input: &Input| match input {
            Input::Stdin => "stdin".to_owned(),
            Input::Path(path) => path.display().to_string(),
        };
        return Err(SourceError::NoObjects {
            place: request.inputs.iter().map(name).collect::<Vec<_>>().join(", "),
        });
    }
    Ok(intake)
}

fn read_file<S: Sink>(path: &Path, intake: &mut Intake<S>) -> Result<(), SourceError> {
    let open = || File::open(path).map_err(|error| unreadable(path, error));
    let file = open()?;
    // A pipe (`-f <(kubectl get …)`) gives its bytes once.
    let again = file.metadata().is_ok_and(|metadata| metadata.is_file());
    let again: Option<&dyn Fn() -> Result<File, SourceError>> = if again { Some(&open) } else { None };
    read_text(BufReader::with_capacity(BUFFER, file), &path.display().to_string(), again, intake)
}

/// Reads a text in whatever format it has: JSON as a stream, YAML as a whole.
pub(super) fn read_text<S: Sink, R: Read>(
    mut reader: BufReader<R>,
    name: &str,
    again: Option<&dyn Fn() -> Result<R, SourceError>>,
    intake: &mut Intake<S>,
) -> Result<(), SourceError> {
    let failed = |error| SourceError::Unreadable { place: name.to_owned(), error };
    if skip_mark(&mut reader).map_err(failed)?.is_json_after(name)? {
        return read_json(reader, name, again, intake);
    }
    let text = text::whole(reader, name)?;
    parse_each(&text, name, |document| intake.document(document))
}

fn read_json<S: Sink, R: Read>(
    reader: BufReader<R>,
    name: &str,
    again: Option<&dyn Fn() -> Result<R, SourceError>>,
    intake: &mut Intake<S>,
) -> Result<(), SourceError> {
    let mut outcome = json::read(reader, name, None, intake)?;
    while let Some((origin, kind)) = outcome.late {
        let Some(again) = again else {
            return Err(SourceError::LateKind { origin, kind: kind.kind.unwrap_or_default() });
        };
        let mut reader = BufReader::with_capacity(BUFFER, again()?);
        skip_mark(&mut reader).map_err(|error| SourceError::Unreadable { place: name.to_owned(), error })?;
        outcome = json::read(reader, name, Some((origin.document, kind)), intake)?;
    }
    if outcome.more.is_some() {
        let why = Unread::OnePage(name.to_owned());
        intake.gap(Gap::all("", "pods", why));
    } else if outcome.pods {
        intake.pods_were_read();
    }
    Ok(())
}

/// How a text begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Json,
    Utf16,
    Gzip,
    Other,
}

impl Beginning {
    fn is_json_after(self, name: &str) -> Result<bool, SourceError> {
        let place = name.to_owned();
        match self {
            Self::Json => Ok(true),
            Self::Other => Ok(false),
            Self::Utf16 => Err(SourceError::Encoding { place, line: 1, utf16: true }),
            Self::Gzip => Err(SourceError::Compressed { place }),
        }
    }
}

/// Steps over a byte order mark, and looks at what follows.
fn skip_mark<R: Read>(reader: &mut BufReader<R>) -> io::Result<Beginning> {
    let start = reader.fill_buf()?;
    let beginning = match start {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Beginning::Utf16,
        [0x1f, 0x8b, ..] => Beginning::Gzip,
        _ if is_json(start.strip_prefix(MARK).unwrap_or(start)) => Beginning::Json,
        _ => Beginning::Other,
    };
    if start.starts_with(MARK) {
        reader.consume(MARK.len());
    }
    Ok(beginning)
}

/// The byte order mark in UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Files and directories that were met, so that none is read twice: its pods would count twice.
#[derive(Default)]
struct Seen(HashSet<PathBuf>);

impl Seen {
    fn first_time(&mut self, path: &Path) -> bool {
        self.0.insert(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
    }

    /// The files that `path` stands for, in order.
    fn files(&mut self, path: &Path, recursive: bool) -> Result<Vec<PathBuf>, SourceError> {
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
        if !metadata.is_dir() {
            return Ok(if self.first_time(path) { vec![path.to_owned()] } else { Vec::new() });
        }
        let (mut files, mut subdirectories) = (Vec::new(), false);
        let known = !self.first_time(path);
        self.directory(path, recursive, &mut files, &mut subdirectories)?;
        if files.is_empty() && !known {
            let place = path.display().to_string();
            return Err(SourceError::EmptyDirectory { place, subdirectories: subdirectories && !recursive });
        }
        Ok(files)
    }

    /// Adds a directory's files, sorted by name; what is hidden (`.git`) is passed over.
    fn directory(
        &mut self,
        path: &Path,
        recursive: bool,
        files: &mut Vec<PathBuf>,
        subdirectories: &mut bool,
    ) -> Result<(), SourceError> {
        let entries = fs::read_dir(path).map_err(|error| unreadable(path, error))?;
        let entries = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
        let mut entries = entries.map_err(|error| unreadable(path, error))?;
        entries.sort();
        for entry in entries {
            let hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            let wanted = entry
                .extension()
                .is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|e| extension == *e));
            match fs::metadata(&entry) {
                _ if hidden => {}
                Ok(metadata) if metadata.is_dir() => {
                    *subdirectories = true;
                    if recursive && self.first_time(&entry) {
                        self.directory(&entry, recursive, files, subdirectories)?;
                    }
                }
                Ok(_) if wanted && self.first_time(&entry) => files.push(entry),
                Err(error) if wanted => return Err(unreadable(&entry, error)),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }
}

fn unreadable(path: &Path, error: io::Error) -> SourceError {
    SourceError::Unreadable { place: path.display().to_string(), error }
}
