//! `next --out`: beside the step's own directory, the Components whose path stays from step to step.

use std::path::Path;

use zeroize::Zeroizing;

use super::Failure;
use super::render::{committed, new_file};
use super::rotation::UnderWay;
use crate::cli;
use crate::output;
use crate::render::{Form, advance, can_advance};
use crate::report::Screen;
use crate::rotation::PlannedStep;

/// Brings the Components below `root` to a step; what was written.
pub(super) fn write(
    planned: &PlannedStep,
    under_way: &UnderWay,
    root: &Path,
    printing: &cli::Printing,
    screen: &Screen,
) -> Result<Vec<String>, Failure> {
    if printing.output != Form::Patch || printing.only.is_some() {
        return Ok(Vec::new());
    }
    let documents = committed(planned, under_way, Form::Patch, "", screen)?;
    if !can_advance(&documents) {
        return Ok(Vec::new());
    }
    let before = |directory: &Path| -> Vec<(String, Zeroizing<String>)> {
        output::files_of_ours(&root.join(directory))
    };
    let new = |(directory, files): (std::path::PathBuf, Vec<_>)| {
        (root.join(directory), files.into_iter().map(|file| new_file(root, file)).collect())
    };
    let directories: Vec<_> = advance(planned, &documents, before)?.into_iter().map(new).collect();
    Ok(super::render::write(&directories, printing.allow_plaintext_keys)?.collect())
}
