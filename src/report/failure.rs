//! A failure as a person reads it at two in the morning.

use anstyle::{AnsiColor, Style};

use super::words::styled;
use super::{Exit, Response};

/// Place and finding, then the next thing to do.
#[must_use]
pub fn failure(message: &str, help: Option<&str>, exit: Exit) -> Response {
    let label = |color: AnsiColor, text: &str| styled(Style::new().bold().fg_color(Some(color.into())), text);
    let mut notes = vec![format!("{} {message}", label(AnsiColor::Red, "error:"))];
    notes.extend(help.map(|help| format!("{}  {help}", label(AnsiColor::Cyan, "help:"))));
    Response { notes, exit, ..Response::default() }
}
