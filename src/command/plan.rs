//! `plan`: all phases and steps of a rotation.

use super::render::{committed, directory, write};
use super::rotation::UnderWay;
use super::{Environment, Failure, reading};
use crate::cli::{self, DataFormat, PlanFormat};
use crate::render::Form;
use crate::report::{Response, Screen, as_data, plan_json, plan_markdown, plan_text};

/// Plans the rotation over the mesh that is read; with `--out` every step is rendered, ready or not.
pub(super) fn run(
    args: &cli::Plan,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    let under_way = UnderWay::read(&args.rotation, input, screen.at, false, environment)?;
    let (plan, mesh, shown) = (&under_way.plan, &under_way.mesh, under_way.shown());
    let mut directories = Vec::new();
    for (root, planned) in
        args.out.iter().flat_map(|root| plan.steps.iter().map(move |planned| (root, planned)))
    {
        let documents = committed(planned, &under_way, Form::Patch, "NOT YET", screen)?;
        directories.push(directory(&under_way.below(root), planned, &documents, Form::Patch, screen)?);
    }
    let notes = write(&directories, args.allow_plaintext_keys)?.collect();
    let arguments = reading::arguments(input);
    let data = |format| as_data(format, &plan_json(&shown, mesh, &arguments, screen)).unwrap_or_default();
    let out = match args.output {
        PlanFormat::Text => plan_text(&shown, mesh, &arguments, screen),
        PlanFormat::Json => data(DataFormat::Json),
        PlanFormat::Yaml => data(DataFormat::Yaml),
        PlanFormat::Markdown => plan_markdown(&shown, mesh, &arguments, screen),
    };
    Ok(Response { out, notes, ..Response::default() })
}
