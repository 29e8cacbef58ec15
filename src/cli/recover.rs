//! Arguments of `recover`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{DataFormat, Minting};

/// Arguments of `recover`.
#[derive(Debug, Args)]
pub struct Recover {
    /// Directory to create for the recovery, as `start` does; without it, only the diagnosis is shown
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,

    /// What is minted: with --anchor and --anchor-key, a new issuer of that published anchor alone.
    #[command(flatten)]
    pub minting: Minting,

    /// Output format of the diagnosis
    #[arg(short, long, value_name = "FORMAT", default_value = "text", conflicts_with = "dir")]
    pub output: DataFormat,
}
