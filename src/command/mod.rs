//! One file a verb: arguments turned into typed requests, and the rooms wired together.

mod check;
pub mod complete;
pub mod completion;
mod diff;
mod failure;
mod gate;
mod inspect;
pub mod man;
mod next;
mod plan;
pub mod rbac;
mod reading;
mod recover;
mod render;
mod rotation;
mod simulate;
mod snapshot;
mod start;
mod status;
mod verify;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::{Cli, Command, DataFormat};
use crate::report::{Clock, Response};

pub use failure::Failure;

/// What the rooms may not ask for themselves.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The clock.
    pub now: Timestamp,
    /// The time zone of who reads the answer (`TZ`, or the machine's).
    pub zone: TimeZone,
    /// Is standard output a terminal?
    pub terminal: bool,
    /// `KUBECTL_EXTERNAL_DIFF`.
    pub external_diff: Option<String>,
}

/// Does what the command line says.
///
/// # Errors
/// Whatever keeps the command from answering; what it finds is no error.
pub fn run(cli: &Cli, world: &Environment) -> Result<Response, Failure> {
    let clock = &Clock { at: cli.display.at.unwrap_or(world.now), zone: world.zone.clone() };
    let input = &cli.input;
    match &cli.command {
        None => {
            let (dir, format) = (cli.dir.as_deref(), DataFormat::Text);
            status::run(&status::Asked { dir, back: false, confirm: &[], format }, input, clock)
        }
        Some(Command::Status(status)) => status::run(&status.into(), input, clock),
        Some(Command::Check(check)) => check::run(check, input, clock),
        Some(Command::Start(start)) => start::run(start, input, clock),
        Some(Command::Plan(plan)) => plan::run(plan, input, clock),
        Some(Command::Render(render)) => render::run(render, input, clock, world),
        Some(Command::Next(next)) => next::run(next, input, clock, world),
        Some(Command::Diff(diff)) => diff::run(diff, input, clock, world),
        Some(Command::Verify(verify)) => verify::run(verify, input, clock),
        Some(Command::Simulate(simulate)) => simulate::run(simulate, input, clock),
        Some(Command::Recover(recover)) => recover::run(recover, input, clock),
        Some(Command::Inspect(inspect)) => inspect::run(inspect, input, clock),
        Some(Command::Snapshot(snapshot)) => snapshot::run(snapshot, input),
        Some(Command::Rbac) => {
            Ok(Response::fine(rbac::manifest(input.linkerd_namespace.as_deref().unwrap_or("linkerd"))))
        }
        Some(Command::Completion(completion)) => Ok(Response::fine(completion::script(completion.shell))),
        Some(Command::Complete(words)) => Ok(Response::fine(complete::complete(&words.words))),
        Some(Command::Man(man)) => man::run(man),
        Some(Command::Version) => {
            Ok(Response::fine(concat!("kubectl l5d-rotate ", env!("CARGO_PKG_VERSION"), "\n")))
        }
    }
}
