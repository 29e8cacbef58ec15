//! Arguments of `verify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// File, directory or `-` with the proposed objects, whole or in part: each is laid over the present one (repeatable)
    ///
    /// Objects that it does not name are unchanged. A partial object is merged as a strategic merge patch is: maps key by
    /// key, `null` removes, lists by `name`. JSON patches, `$patch` directives, Helm values and inline patches of Kustomize
    /// are not rendered: give the output of `kustomize build` or `helm template` instead.
    #[arg(long, value_name = "FILE|DIR|-", required_unless_present = "git_base")]
    pub proposed: Vec<PathBuf>,

    /// Take both sides out of the Git checkout that -f names: its files as they are, against the same paths at REV
    #[arg(long, value_name = "REV", conflicts_with = "proposed", requires = "filename")]
    pub git_base: Option<String>,

    /// Rotation directory: it tells what was published and issued before
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: VerifyFormat,
}

/// Output of `verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerifyFormat {
    /// For people.
    Text,
    /// JSON.
    Json,
    /// For a pull request's comment or a job's summary.
    Markdown,
    /// Annotations of GitHub Actions, at the proposed documents.
    Github,
}
