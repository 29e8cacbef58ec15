//! One file a verb: arguments turned into typed requests, and the rooms wired together.

mod check;
pub mod complete;
pub mod completion;
mod current;
mod diff;
mod edit;
mod explain;
mod failure;
mod gate;
mod inspect;
mod looking;
pub mod man;
mod next;
mod plan;
pub mod rbac;
mod reading;
mod recover;
mod render;
mod rotation;
mod rotation_dir;
mod simulate;
mod snapshot;
mod start;
mod status;
mod verify;
mod wait;
mod watch;

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::{Cli, Command, StatusFormat};
use crate::report::{ColorChoice, Response, Screen};

pub use failure::Failure;

/// What the rooms may not ask for themselves.
#[derive(Debug, Clone)]
pub struct Environment {
    /// What the clock showed at the start.
    pub now: Timestamp,
    /// The clock, for who waits.
    pub clock: fn() -> Timestamp,
    /// The time zone of who reads the answer (`TZ`, or the machine's).
    pub zone: TimeZone,
    /// How wide the screen is, in columns: who looks at it may change it.
    pub width: fn() -> usize,
    /// Is standard output a terminal?
    pub terminal: bool,
    /// Whether what is printed is coloured.
    pub color: ColorChoice,
    /// `KUBECTL_EXTERNAL_DIFF`.
    pub external_diff: Option<String>,
    /// `L5D_ROTATE_DIR`; empty where no rotation shall be looked for.
    pub rotation_dir: Option<PathBuf>,
}

/// Does what the command line says.
///
/// # Errors
/// Whatever keeps the command from answering; what it finds is no error.
pub fn run(cli: &Cli, environment: &Environment) -> Result<Response, Failure> {
    let screen = &Screen {
        at: cli.display.at.unwrap_or(environment.now),
        zone: environment.zone.clone(),
        width: (environment.width)(),
    };
    let input = &cli.input;
    match &cli.command {
        None => {
            let (dir, format) = (cli.dir.as_deref(), StatusFormat::Text);
            let request = status::Request { dir, rollback: false, confirm: &[], format };
            status::run(&request, input, screen, environment)
        }
        Some(Command::Status(status)) if status.watch => watch::run(status, input, screen, environment),
        Some(Command::Status(status)) => status::run(&status.into(), input, screen, environment),
        Some(Command::Check(check)) => check::run(check, input, screen),
        Some(Command::Start(start)) => start::run(start, input, screen),
        Some(Command::Plan(plan)) => plan::run(plan, input, screen, environment),
        Some(Command::Render(render)) => render::run(render, input, screen, environment),
        Some(Command::Next(next)) => next::run(next, input, screen, environment),
        Some(Command::Wait(wait)) => wait::run(wait, input, screen, environment),
        Some(Command::Diff(diff)) => diff::run(diff, input, screen, environment),
        Some(Command::Verify(verify)) => verify::run(verify, input, screen),
        Some(Command::Simulate(simulate)) => simulate::run(simulate, input, screen, environment),
        Some(Command::Recover(recover)) => recover::run(recover, input, screen),
        Some(Command::Inspect(inspect)) => inspect::run(inspect, input, screen),
        Some(Command::Snapshot(snapshot)) => snapshot::run(snapshot, input),
        Some(Command::Explain(explain)) => Ok(explain::run(explain, screen)),
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
