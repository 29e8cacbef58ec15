//! In which form rendered documents come, and where they go.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::render::Form;

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
