//! Arguments of the verbs that go through a rotation step by step: `plan`, `render`, `next` and `diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{Editing, Printing};
use crate::rotation::{RestartAnnotation, Strategy};
use crate::step::{Confirmation, Phase};

/// Which rotation, and how its restarts are written.
#[derive(Debug, Args)]
pub struct Rotation {
    /// Rotation directory [default: L5D_ROTATE_DIR, or the one unfinished rotation in this Git work tree]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,

    /// The annotation that restarts workloads
    #[arg(long, value_name = "KEY", default_value = "l5d-rotate")]
    pub restart_annotation: RestartAnnotation,

    /// The new issuer's private key, with --rollback the old one's [default: issuer.key in the rotation directory]
    #[arg(long, value_name = "FILE")]
    pub issuer_key: Option<PathBuf>,

    /// Roll back: undo each phase, the last phase first
    #[arg(long)]
    pub rollback: bool,

    /// Restart the data plane where the strategy would wait for other restarts, or until workload certificates expire
    #[arg(long)]
    pub restart_data_plane: bool,

    /// Confirm what no input shows (repeatable); it is written into the head of each document
    #[arg(long, value_name = "NAME")]
    pub confirm: Vec<Confirmation>,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Which rotation.
    #[command(flatten)]
    pub rotation: Rotation,

    /// Before `start`: the order of steps that is looked at; nothing is minted or written [default: staged]
    #[arg(long, value_name = "STRATEGY", conflicts_with_all = ["dir", "out", "rollback"])]
    pub strategy: Option<Strategy>,

    /// Also write every step's documents below DIR: a preview, in which each head says what must hold before it is merged
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,

    /// Write private keys into a Git work tree even where Git does not ignore them
    #[arg(long, requires = "out")]
    pub allow_plaintext_keys: bool,

    /// Output format; markdown is the runbook for a ticket
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: PlanFormat,
}

/// Output of `plan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    Text,
    /// The same, and which workloads each step restarts.
    Wide,
    /// The names of the steps, as `wait` takes them.
    Name,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// A runbook.
    Markdown,
}

/// Which step, and in which form.
#[derive(Debug, Args)]
pub struct Selection {
    /// Which phase
    #[arg(value_name = "PHASE")]
    pub phase: Phase,

    /// Only this step of the phase
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=3))]
    pub step: Option<u8>,

    /// Which rotation.
    #[command(flatten)]
    pub rotation: Rotation,

    /// Render although a precondition is not met; each document names the finding in its head
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `next`.
#[derive(Debug, Args)]
pub struct Next {
    /// Which rotation.
    #[command(flatten)]
    pub rotation: Rotation,

    /// Also write the text of the pull request, as Markdown; `-` prints it, in the place of documents that are printed
    #[arg(long, value_name = "FILE|-")]
    pub pr_body: Option<PathBuf>,

    /// How it is printed or written.
    #[command(flatten)]
    pub printing: Printing,

    /// Whose files are edited instead.
    #[command(flatten)]
    pub editing: Editing,
}

/// Arguments of `render`.
#[derive(Debug, Args)]
pub struct Render {
    /// Which step.
    #[command(flatten)]
    pub selection: Selection,

    /// How it is printed or written.
    #[command(flatten)]
    pub printing: Printing,

    /// Whose files are edited instead.
    #[command(flatten)]
    pub editing: Editing,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// Which step.
    #[command(flatten)]
    pub selection: Selection,

    /// Show what `render --in DIR` would edit in this Git checkout, as `git apply` takes it
    #[arg(long = "in", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub checkout: Option<PathBuf>,
}
