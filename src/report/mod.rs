//! What people and programs are shown; the only room that prints.

mod certificate;
pub mod checks;
mod edit;
mod external;
pub mod findings;
mod gantt;
mod inspect;
mod lifetimes;
mod markdown;
mod next;
mod plan;
mod progress;
mod pull;
mod recover;
mod screen;
mod simulate;
mod start;
mod status;
pub mod verify;
mod wait;
mod watched;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::process::ExitCode;

use anstream::AutoStream;
pub use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use zeroize::Zeroizing;

use crate::printable::screened;

pub use certificate::CertificateView;
pub use edit::{
    Patch, declared_places, edited, edited_already, found_places, git_commands, not_edited,
    not_in_repository, patch,
};
pub use external::in_store;
pub use findings::not_understood;
pub use inspect::{Inspected, inspected};
pub use next::{Next, UnderWay, in_words, others_restart, restart_again};
pub use plan::{
    NoPreview, Preview, acts, directory_notes, head_notes, into_repository, made_elsewhere, not_ready,
    not_rendered, plan_json, plan_markdown, plan_names, plan_previews, plan_text, plan_wide, refused,
    step_notes,
};
pub use progress::Progress;
pub use pull::PullRequest;
pub use recover::Recovery;
pub use screen::{Screen, WIDTH};
pub use simulate::{simulation_json, simulation_markdown, simulation_text};
pub use start::{Again, requested, started, started_managed};
pub use status::{Status, statuses};
pub use wait::{not_yet, waited, waiting};
pub use watched::Watched;
pub use words::{as_data, count, differences, shell_word, styled};

/// What a command answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// For standard output: what was asked for, and nothing else.
    pub out: String,
    /// Printed after it: documents of which at least one holds a private key.
    pub keyed: Vec<Keyed>,
    /// For standard error: what a person should know beside it.
    pub notes: Vec<String>,
    /// How it ended.
    pub exit: Exit,
}

/// A document that may hold a private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyed(pub Zeroizing<String>);

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyed(…)")
    }
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
    /// A precondition is not met.
    NotMet = 3,
    /// Refused: it would break the mesh.
    Refused = 4,
}

impl Response {
    /// An answer that is fine.
    pub fn fine(out: impl Into<String>) -> Self {
        Self { out: out.into(), ..Self::default() }
    }
}

/// A failure as a person reads it at two in the morning: place and finding, then the next thing to do.
#[must_use]
pub fn failure(message: &str, help: Option<&str>, exit: Exit) -> Response {
    let label = |color: AnsiColor, text: &str| styled(Style::new().bold().fg_color(Some(color.into())), text);
    let mut notes = vec![format!("{} {message}", label(AnsiColor::Red, "error:"))];
    notes.extend(help.map(|help| format!("{}  {help}", label(AnsiColor::Cyan, "help:"))));
    Response { notes, exit, ..Response::default() }
}

/// Prints an answer, without what a terminal would obey and this program did not write; a reader that has gone away is no
/// failure.
pub fn print(response: &Response, color: ColorChoice) -> ExitCode {
    let notes: String = response.notes.iter().map(|note| format!("{}\n", note.trim_end())).collect();
    let keyed = response.keyed.iter().map(|document| Cow::Borrowed(document.0.as_str()));
    let printed = std::iter::once(screened(&response.out))
        .chain(keyed)
        .try_for_each(|text| write(AutoStream::new(io::stdout(), color), &text));
    let lost = printed.err().filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
    let notes = lost.as_ref().map_or(notes, |error| {
        let help = Some("what was printed is not the whole: free the space, and run it again");
        format!("{}\n", failure(&format!("standard output: {error}"), help, Exit::Usage).notes.join("\n"))
    });
    // Where standard error is lost as well, the exit code is all that can be said.
    let _ = write(AutoStream::new(io::stderr(), color), &screened(&notes));
    ExitCode::from(if lost.is_some() { Exit::Usage } else { response.exit } as u8)
}

fn write(mut stream: impl io::Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}
