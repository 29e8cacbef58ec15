//! `status --watch`: the screen again and again, until a signal ends it or nobody reads it any more.

use std::io;

use super::looking::{Looking, pause};
use super::{Environment, Failure, status};
use crate::cli::{self, StatusFormat};
use crate::report::{self, Exit, Response, Screen, Watched};

/// Shows the screen every `interval`; a look that fails later is told of, and the next one is waited for.
pub(super) fn run(
    status: &cli::Status,
    input: &cli::Input,
    screen: &Screen,
    environment: &Environment,
) -> Result<Response, Failure> {
    if matches!(status.output, StatusFormat::Json | StatusFormat::Yaml) {
        return Err(Failure::new(
            "--watch shows a screen, and no data",
            "programs wait with `kubectl l5d-rotate wait`, or run `status -o json` as often as they need it",
        ));
    }
    let looking = Looking::begin(input, screen, environment)?;
    let mut watched = Watched::new(environment.terminal, environment.color, status.interval);
    let mut is_first = true;
    loop {
        let screen = looking.screen();
        let text = match status::run(&status.into(), input, &screen, environment) {
            Ok(Response { out, notes, .. }) => notes.iter().fold(out, |text, note| format!("{text}{note}\n")),
            Err(failure) if is_first => return Err(failure),
            // An API server may be away for a while.
            Err(failure) => {
                let Response { notes, .. } =
                    report::failure(&failure.to_string(), failure.help(), Exit::Usage);
                notes.join("\n") + "\n"
            }
        };
        is_first = false;
        match watched.show(&text, &screen) {
            Ok(()) => pause(status.interval),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Response::default()),
            Err(error) => {
                return Err(Failure::new(
                    format!("standard output: {error}"),
                    "free the space, and run it again",
                ));
            }
        }
    }
}
