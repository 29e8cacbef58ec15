//! `simulate`: the mesh through a whole rotation.

use super::{Failure, reading, rotation};
use crate::cli::{self, SimulationFormat};
use crate::report::{Clock, Exit, Response, simulation_json, simulation_markdown, simulation_text};
use crate::rotation::simulate::{Verdict, simulate};
use crate::rotation::{RestartAnnotation, plan};

/// Goes through the rotation over the mesh that is read.
pub(super) fn run(args: &cli::Simulate, input: &cli::Input, clock: &Clock) -> Result<Response, Failure> {
    let record = rotation::directed(rotation::record(&args.dir)?, args.rollback)?;
    let mesh = reading::mesh(input, false)?;
    let confirmed = args.confirm.iter().copied().collect();
    let plan = plan(&record, &mesh, RestartAnnotation::Content, &confirmed, clock.at)?;
    let order = (!args.order.is_empty()).then_some(args.order.as_slice());
    let mut simulation = simulate(&record, &mesh, &plan, order, &confirmed, clock.at)?;
    if let (true, Some(namespace)) = (input.filename.is_empty(), &input.namespace) {
        simulation.blind = true;
        simulation.unseen.push(format!("proxies outside namespace {namespace} (-n)"));
    }
    let out = match args.output {
        SimulationFormat::Text => simulation_text(&simulation, clock),
        SimulationFormat::Json => format!("{:#}\n", simulation_json(&simulation, &mesh)),
        SimulationFormat::Markdown => simulation_markdown(&simulation, clock),
    };
    let exit = match simulation.verdict() {
        Verdict::Safe => Exit::Fine,
        Verdict::Breaks(..) | Verdict::Broken(_) => Exit::Refused,
        Verdict::MayBreak(..) | Verdict::Unknown => Exit::Closed,
    };
    Ok(Response { out, exit, ..Response::default() })
}
