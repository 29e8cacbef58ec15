//! What people and programs are shown; the only room that prints.

mod certificate;
pub mod checks;
mod clock;
mod difference;
mod failure;
mod inspect;
mod plan;
mod recover;
mod simulate;
mod start;
mod status;
pub mod verify;
mod words;

use std::io;
use std::process::ExitCode;

use anstream::AutoStream;
pub use anstream::ColorChoice;
use jiff::tz::TimeZone;

pub use certificate::CertificateView;
pub use clock::Clock;
pub use difference::differences;
pub use failure::failure;
pub use inspect::{Inspected, inspected};
pub use plan::{blocker_word, closed_notes, notes_text, plan_json, plan_text, step_line, step_notes};
pub use recover::Recovery;
pub use simulate::{simulation_json, simulation_markdown, simulation_text};
pub use start::started;
pub use status::{Next, Status, UnderWay, restart_again};
pub use words::{as_data, count, shell_word, styled};

/// What a command answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// For standard output: what was asked for, and nothing else.
    pub out: String,
    /// For standard error: what a person should know beside it.
    pub notes: Vec<String>,
    /// How it ended.
    pub exit: Exit,
}

/// The exit codes, as `--help` lists them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Nothing to say against it.
    #[default]
    Fine = 0,
    /// Findings, or differences.
    Findings = 1,
    /// Usage or input error.
    Usage = 2,
    /// A gate is closed.
    Closed = 3,
    /// Refused: it would break the mesh.
    Refused = 4,
}

impl Response {
    /// An answer that is fine.
    pub fn fine(out: impl Into<String>) -> Self {
        Self { out: out.into(), ..Self::default() }
    }
}

/// Prints an answer, instants in its notes in `zone` as well; a reader that has gone away is no failure.
pub fn print(response: &Response, zone: &TimeZone, color: ColorChoice) -> ExitCode {
    let notes: String =
        response.notes.iter().map(|note| format!("{}\n", clock::localized(note.trim_end(), zone))).collect();
    let printed = write(AutoStream::new(io::stdout(), color), &response.out);
    let lost = printed.err().filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
    let notes = lost.as_ref().map_or(notes, |error| {
        let help = Some("what was printed is not the whole: free the space, and run it again");
        format!("{}\n", failure(&format!("standard output: {error}"), help, Exit::Usage).notes.join("\n"))
    });
    // Where standard error is lost as well, the exit code is all that can be said.
    let _ = write(AutoStream::new(io::stderr(), color), &notes);
    ExitCode::from(if lost.is_some() { Exit::Usage } else { response.exit } as u8)
}

fn write(mut stream: impl io::Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}
