//! Every room's error under one roof, with its exit code and the next thing to do.

use crate::document::DocumentError;
use crate::output::OutputError;
use crate::pki::{KeyError, MintError};
use crate::render::RenderError;
use crate::report::Exit;
use crate::rotation::simulate::OrderError;
use crate::rotation::{CrossError, ManagedError, PlanError, StartError};
use crate::seal::SealError;
use crate::source::SourceError;

/// Why a command gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Place and finding.
    message: String,
    /// The next thing to do.
    help: Option<String>,
    /// How the program ends.
    exit: Exit,
}

impl Failure {
    /// A usage or input error.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()), exit: Exit::Usage }
    }

    /// A message that tells what to do next by itself.
    pub fn bare(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, exit: Exit::Usage }
    }

    /// The same failure with another exit code.
    #[must_use]
    pub const fn exiting(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same, of one of several inputs.
    pub(super) fn of(self, input: &str) -> Self {
        Self { message: format!("{input}: {}", self.message), ..self }
    }

    /// The next thing to do.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// How the program ends.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        self.exit
    }
}

/// What a room's `help()` gives: some errors have no next step, some build it, some keep it as a constant.
trait IntoHelp {
    fn into_help(self) -> Option<String>;
}

impl IntoHelp for String {
    fn into_help(self) -> Option<String> {
        Some(self)
    }
}

impl IntoHelp for &str {
    fn into_help(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl<T: IntoHelp> IntoHelp for Option<T> {
    fn into_help(self) -> Option<String> {
        self.and_then(IntoHelp::into_help)
    }
}

/// Room errors that say what to do next are taken over as they are.
macro_rules! from_room {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self { message: error.to_string(), help: error.help().into_help(), exit: Exit::Usage }
            }
        }
    )+};
}

from_room!(
    CrossError,
    ManagedError,
    DocumentError,
    KeyError,
    MintError,
    OrderError,
    OutputError,
    PlanError,
    SealError,
    SourceError,
    StartError
);

impl From<RenderError> for Failure {
    /// Its messages end with the next step.
    fn from(error: RenderError) -> Self {
        Self { message: error.to_string(), help: None, exit: Exit::Usage }
    }
}
