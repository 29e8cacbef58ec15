//! The verdict on a change: for people, for programs, for a pull request, and as annotations of GitHub Actions.

mod data;
mod github;
mod markdown;
mod text;
mod wording;

use std::path::PathBuf;

use super::Screen;
use crate::mesh::Mesh;
use crate::rotation::{Plan, Record};
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

/// What a verdict is of, for who has to be told more than the verdict.
#[derive(Debug)]
pub struct Around {
    /// The mesh as it was read.
    pub mesh: Mesh,
    /// The rotation, where one was named.
    pub rotation: Option<OfRotation>,
}

/// The rotation that a change belongs to.
#[derive(Debug)]
pub struct OfRotation {
    /// Its directory.
    pub dir: PathBuf,
    /// Its record.
    pub record: Record,
    /// Its plan over the mesh.
    pub plan: Plan,
}

/// The verdict on what changes for one cluster.
#[derive(Debug)]
pub struct Judged {
    /// The cluster's directory in the repository; empty where there is one cluster.
    pub unit: String,
    /// The verdict.
    pub verification: Verification,
    /// What it is of, where there is a mesh.
    pub around: Option<Around>,
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
