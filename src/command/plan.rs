//! `plan`: all phases and steps of a rotation.

use super::Failure;
use super::render::{directory, documents, write};
use super::rotation::UnderWay;
use crate::cli;
use crate::render::Form;
use crate::report::{Clock, Response, as_data, plan_json, plan_text};

/// Plans the rotation over the mesh that is read; with `--out` every step is rendered, whether or not it is its turn.
pub(super) fn run(args: &cli::Plan, input: &cli::Input, clock: &Clock) -> Result<Response, Failure> {
    let under_way = UnderWay::read(&args.rotation, input, clock.at, false)?;
    let UnderWay { record, mesh, plan, dir, .. } = &under_way;
    let mut directories = Vec::new();
    for (root, planned) in
        args.out.iter().flat_map(|root| plan.steps.iter().map(move |planned| (root, planned)))
    {
        let documents = documents(planned, &under_way, "NOT YET")?;
        directories.push(directory(&under_way.below(root), planned, &documents, Form::Patch)?);
    }
    let notes = write(&directories, args.allow_plaintext_keys)?.collect();
    let data = plan_json(plan, record, mesh, dir);
    let out = as_data(args.output, &data).unwrap_or_else(|| plan_text(plan, record, mesh, dir, clock));
    Ok(Response { out, notes, ..Response::default() })
}
