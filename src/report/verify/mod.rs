//! The verdict on a change: for people, for programs, for a pull request, and as annotations of GitHub Actions.

mod data;
mod github;
mod markdown;
mod text;
mod wording;

use super::Screen;
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

/// The verdict in one of its forms.
#[must_use]
pub fn write(verification: &Verification, format: Format, screen: &Screen) -> String {
    match format {
        Format::Text => text::write(verification, screen),
        Format::Json => data::write(verification, screen),
        Format::Markdown => markdown::write(verification, screen),
        Format::Github => github::write(verification, screen),
    }
}
