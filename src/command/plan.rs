//! `plan`: all phases and steps of a rotation, or of one that is not begun.

use std::path::Path;

use super::render::{committed, directory, write};
use super::rotation::UnderWay;
use super::rotation_dir::Asked;
use super::{Environment, Failure, reading, start};
use crate::cli::{self, DataFormat, PlanFormat};
use crate::render::Form;
use crate::report::{
    self, Response, Screen, as_data, plan_imagined, plan_json, plan_markdown, plan_names, plan_text,
    plan_wide,
};
use crate::rotation::{self, Strategy};

/// Plans the rotation over the mesh that is read; with `--out` every step is rendered, ready or not.
pub(super) fn run(
    args: &cli::Plan,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    if is_imagined(args, environment)? {
        return imagined(args, input, screen);
    }
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
        PlanFormat::Wide => plan_wide(&shown, mesh, &arguments, screen),
        PlanFormat::Name => plan_names(plan),
        PlanFormat::Json => data(DataFormat::Json),
        PlanFormat::Yaml => data(DataFormat::Yaml),
        PlanFormat::Markdown => plan_markdown(&shown, mesh, &arguments, screen),
    };
    Ok(Response { out, notes, ..Response::default() })
}

/// Is no rotation meant that there is?
fn is_imagined(args: &cli::Plan, environment: &Environment) -> Result<bool, Failure> {
    if args.strategy.is_some() {
        return Ok(true);
    }
    if args.out.is_some() || args.rotation.rollback {
        return Ok(false);
    }
    let asked = Asked::of(args.rotation.dir.as_deref(), environment)?;
    Ok(matches!(asked, Asked::Found(found) if found.is_empty()))
}

/// What a rotation would be. Its certificates do not exist, so that no format is given which names them.
fn imagined(args: &cli::Plan, input: &cli::Input, screen: &Screen) -> Result<Response, Failure> {
    let is_named = match args.output {
        PlanFormat::Text | PlanFormat::Wide => false,
        PlanFormat::Name => true,
        PlanFormat::Json | PlanFormat::Yaml | PlanFormat::Markdown => {
            return Err(Failure::new(
                "no rotation is begun: there is a preview on the screen alone, and no data",
                "name a rotation's directory with --dir, or begin one: kubectl l5d-rotate start --dir rotation",
            ));
        }
    };
    let strategy = args.strategy.unwrap_or(Strategy::Staged);
    if strategy == Strategy::CrossSigned {
        return Err(Failure::new(
            "--strategy cross-signed needs the present anchor's key, which only `start` is given",
            "kubectl l5d-rotate start --dir rotation --old-anchor-key FILE changes nothing in the cluster: plan that rotation",
        ));
    }
    let mesh = reading::mesh(input, false)?;
    let record = start::imagined(&mesh, strategy, screen.at)?;
    let confirmed = args.rotation.confirm.iter().copied().collect();
    let plan = rotation::plan(&record, &mesh, args.rotation.restart_annotation, &confirmed, screen.at)?;
    if is_named {
        return Ok(Response::fine(plan_names(&plan)));
    }
    let shown = report::UnderWay { dir: Path::new("rotation"), record: &record, plan: &plan, checkout: None };
    let is_wide = args.output == PlanFormat::Wide;
    Ok(Response::fine(plan_imagined(&shown, &mesh, is_wide, &reading::arguments(input), screen)))
}
