//! `simulate`: the mesh through a whole rotation.

use super::rotation_dir::Asked;
use super::{Environment, Failure, reading, rotation};
use crate::cli::{self, SimulationFormat};
use crate::finding::InputFact;
use crate::report::{Exit, Response, Screen, simulation_json, simulation_markdown, simulation_text};
use crate::rotation::simulate::{Verdict, simulate};
use crate::rotation::{RestartAnnotation, plan};

/// Goes through the rotation over the mesh that is read.
pub(super) fn run(
    args: &cli::Simulate,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    let asked = Asked::of(args.dir.as_deref(), environment)?;
    let early = asked.alone().map(rotation::record).transpose()?;
    let mesh = reading::of_record(input, false, early.as_ref())?.mesh;
    let record = early.map_or_else(|| rotation::record(&asked.over(&mesh, screen.at)?), Ok)?;
    let record = rotation::directed(record, args.rollback)?.observed(&mesh);
    // cert-manager renews the issuer all the time: what it signs with counts, and not when that one expires.
    let mesh = record.without_renewals(&mesh);
    let record = record.observed(&mesh);
    let confirmed = args.confirm.iter().copied().collect();
    let plan = plan(&record, &mesh, RestartAnnotation::Content, &confirmed, screen.at)?;
    let order = (!args.order.is_empty()).then_some(args.order.as_slice());
    let mut simulation = simulate(&record, &mesh, &plan, order, &confirmed, screen.at)?;
    if let (true, Some(namespace)) = (input.filename.is_empty(), &input.namespace) {
        simulation.blind = true;
        simulation.unseen.push(InputFact::OneNamespace { namespace: namespace.clone() });
    }
    let out = match args.output {
        SimulationFormat::Text => simulation_text(&simulation, screen),
        SimulationFormat::Json => format!("{:#}\n", simulation_json(&simulation, &mesh, screen)),
        SimulationFormat::Markdown => simulation_markdown(&simulation, screen),
    };
    let exit = match simulation.verdict() {
        Verdict::Safe => Exit::Fine,
        Verdict::Breaks(..) | Verdict::Broken(_) => Exit::Refused,
        Verdict::MayBreak(..) | Verdict::Unknown => Exit::NotMet,
    };
    Ok(Response { out, exit, ..Response::default() })
}
