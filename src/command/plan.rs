//! `plan`: all phases and steps of a rotation, or of one that is not begun.

use super::reading::{self, Read};
use super::render::{committed, directory, write};
use super::rotation::UnderWay;
use super::rotation_dir::Asked;
use super::{Environment, Failure, start};
use crate::cli::{self, DataFormat, PlanFormat};
use crate::mesh::Mesh;
use crate::render::Form;
use crate::report::{
    Exit, NoPreview, Preview, Response, Screen, as_data, plan_json, plan_markdown, plan_names, plan_previews,
    plan_text, plan_wide,
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
    let arguments = reading::arguments(&under_way.input);
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

/// What a rotation would be; of a repository that declares several clusters, in each by itself.
fn imagined(args: &cli::Plan, input: &cli::Input, screen: &Screen) -> Result<Response, Failure> {
    let strategy = args.strategy.unwrap_or(Strategy::Staged);
    if strategy == Strategy::CrossSigned {
        return Err(Failure::new(
            "--strategy cross-signed needs the present anchor's key, which only `start` is given",
            "kubectl l5d-rotate start --dir rotation --old-anchor-key FILE changes nothing in the cluster: plan that rotation",
        ));
    }
    let mut all = Vec::new();
    let mut notes = Vec::new();
    for Read { unit, mesh, notes: found, .. } in reading::meshes(input, false)? {
        let arguments = reading::arguments(&reading::of_unit(input, &unit));
        notes.extend(found.into_iter().filter(|note| !notes.contains(note)).collect::<Vec<_>>());
        all.push((unit, preview(args, strategy, mesh, arguments, screen)));
    }
    if all.len() == 1
        && let Some((_, alone)) = all.pop()
    {
        let alone = alone?;
        let out = match args.output {
            PlanFormat::Name => plan_names(&alone.plan),
            format => plan_previews(&[(String::new(), Ok(alone))], format, screen),
        };
        return Ok(Response { out, notes, ..Response::default() });
    }
    // Names of steps are for `wait`, which waits for those of one rotation.
    if args.output == PlanFormat::Name {
        let names: Vec<&str> = all.iter().map(|(unit, _)| unit.as_str()).collect();
        return Err(reading::several(&names));
    }
    let exit = if all.iter().any(|(_, one)| one.is_err()) { Exit::Usage } else { Exit::Fine };
    let told =
        |failure: Failure| NoPreview { what: failure.to_string(), todo: failure.help().map(str::to_owned) };
    let previews: Vec<_> = all.into_iter().map(|(unit, one)| (unit, one.map_err(told))).collect();
    let out = plan_previews(&previews, args.output, screen);
    Ok(Response { out, notes, exit, ..Response::default() })
}

fn preview(
    args: &cli::Plan,
    strategy: Strategy,
    mesh: Mesh,
    arguments: String,
    screen: &Screen,
) -> Result<Preview, Failure> {
    let record = start::imagined(&mesh, strategy, screen.at)?;
    let confirmed = args.rotation.confirm.iter().copied().collect();
    let plan = rotation::plan(&record, &mesh, args.rotation.restart_annotation, &confirmed, screen.at)?;
    Ok(Preview { record, plan, mesh, arguments })
}
