//! Arguments of `simulate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::step::{Confirmation, Phase};

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Rotation directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,

    /// Take the phases in this order, safe or not, and only these: issuer,bundle,prune [default: the rotation's own]
    #[arg(long, value_name = "PHASE,…", value_delimiter = ',')]
    pub order: Vec<Phase>,

    /// The way back: each phase to what was before it, the last phase first
    #[arg(long)]
    pub rollback: bool,

    /// Confirm what no input shows (repeatable)
    #[arg(long, value_name = "NAME")]
    pub confirm: Vec<Confirmation>,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: SimulationFormat,
}

/// Output of `simulate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SimulationFormat {
    /// Small tables.
    Text,
    /// JSON, with everything in it.
    Json,
    /// For a pull request.
    Markdown,
}
