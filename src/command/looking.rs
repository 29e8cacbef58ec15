//! Looking at a mesh again and again.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Environment, Failure};
use crate::cli;
use crate::report::Screen;

/// The time since the first look.
pub(super) struct Looking<'a> {
    screen: &'a Screen,
    environment: &'a Environment,
    begun: Timestamp,
}

impl<'a> Looking<'a> {
    /// Begins with the instant that `screen` is of.
    pub(super) fn begin(
        input: &cli::Input,
        screen: &'a Screen,
        environment: &'a Environment,
    ) -> Result<Self, Failure> {
        if input.filename.iter().any(|file| file == Path::new("-")) {
            return Err(Failure::new(
                "standard input cannot be read twice",
                "give a file, or read the cluster",
            ));
        }
        Ok(Self { screen, environment, begun: (environment.clock)() })
    }

    /// How long ago that was.
    pub(super) fn passed(&self) -> SignedDuration {
        (self.environment.clock)().duration_since(self.begun)
    }

    /// The screen as of now; with `--at`, as of that instant and the time since.
    pub(super) fn screen(&self) -> Screen {
        let at = self.screen.at.checked_add(self.passed()).unwrap_or(Timestamp::MAX);
        Screen { at, width: (self.environment.width)(), ..self.screen.clone() }
    }
}

/// Looks away for a while.
pub(super) fn pause(length: SignedDuration) {
    std::thread::sleep(Duration::try_from(length).unwrap_or_default());
}
