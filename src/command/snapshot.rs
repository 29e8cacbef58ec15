//! `snapshot`: what was observed, for every `-f`.

use zeroize::Zeroizing;

use super::{Failure, reading};
use crate::cli;
use crate::document::yaml;
use crate::output::{self, Access, NewFile};
use crate::report::Response;
use crate::source;

/// Prints or writes the mesh that is read.
pub(super) fn run(args: &cli::Snapshot, input: &cli::Input) -> Result<Response, Failure> {
    let text = yaml::write(&source::snapshot(&reading::mesh(input, false)?));
    let Some(path) = &args.out else { return Ok(Response::fine(text)) };
    let file = NewFile { path: path.clone(), content: Zeroizing::new(text), access: Access::Owner };
    output::create(&[file], false)?;
    let note = format!("wrote {}: read it with -f {}", path.display(), path.display());
    Ok(Response { notes: vec![note], ..Response::default() })
}
