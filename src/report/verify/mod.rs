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

/// The verdict on what changes for one cluster.
#[derive(Debug)]
pub struct Judged {
    /// The cluster's directory in the repository; empty where there is one cluster.
    pub unit: String,
    /// The verdict.
    pub verification: Verification,
}

/// The verdicts in one of their forms: the worst first, and each cluster by itself.
#[must_use]
pub fn write(judged: &[Judged], format: Format, screen: &Screen) -> String {
    let mut judged: Vec<&Judged> = judged.iter().collect();
    judged.sort_by_key(|one| std::cmp::Reverse(one.verification.verdict.rank()));
    let each = |write: fn(&Judged, &Screen) -> String, between: &str| {
        judged.iter().map(|one| write(one, screen)).collect::<Vec<_>>().join(between)
    };
    match format {
        Format::Text => each(text::write, "\n"),
        Format::Json => data::write(&judged, screen),
        Format::Markdown => each(markdown::write, "\n"),
        Format::Github => each(github::write, ""),
    }
}
