//! In which form rendered documents come, and where they go.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// How documents are printed or written.
#[derive(Debug, Args)]
pub struct Printing {
    /// Form of the documents
    #[arg(short, long, value_name = "FORM", default_value = "patch")]
    pub output: Form,

    /// Write one directory a step (Kustomize Components) below DIR instead of printing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,

    /// Print private keys although standard output is a terminal
    #[arg(long)]
    pub show_keys: bool,

    /// Write private keys into a Git work tree even where Git does not ignore them
    #[arg(long)]
    pub allow_plaintext_keys: bool,
}

/// How a change is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Strategic merge patch: only what changes
    Patch,
    /// RFC 6902 operations, guarded by tests
    JsonPatch,
    /// The whole resulting object
    Object,
}
