//! The verdict on a proposal: for people, for programs, for a pull request, and as annotations of GitHub Actions.

mod data;
mod github;
mod markdown;
mod text;
mod wording;

use super::Clock;
use crate::verify::Verification;

/// How the verdict is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Text,
    /// JSON.
    Json,
    /// For a pull request's comment.
    Markdown,
    /// Workflow commands of GitHub Actions.
    Github,
}

/// The verdict as the clock shows it.
#[must_use]
pub fn write(verification: &Verification, format: Format, clock: &Clock) -> String {
    let text = match format {
        Format::Text => text::write(verification, clock),
        Format::Json => return data::write(verification),
        Format::Markdown => markdown::write(verification, clock),
        Format::Github => github::write(verification, clock),
    };
    clock.localized(&text)
}
