//! The command line: clap types and value parsers, nothing else.

mod examples;
mod input;
mod rotation;
mod value;
mod verbs;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use jiff::SignedDuration;

use crate::linkerd::EXPIRY_THRESHOLD_TYPED;
use crate::rotation::Strategy;
use crate::step::Confirmation;

pub use input::{Color, Display, Input};
pub use rotation::{Diff, Next, Plan, PlanFormat, Render, Rotation, Selection};
use value::{Code, duration, interval};
pub use value::{Lifetime, Signer};
pub use verbs::{
    ANCHOR_LIFETIME, Awaited, Editing, ISSUER_LIFETIME, Minting, Printing, Recover, Simulate,
    SimulationFormat, Verify, VerifyFormat, Wait,
};

const EXIT_CODES: &str = "Exit codes:
  0  fine, nothing to say against it
  1  findings (check), something has expired (recover), or differences (diff)
  2  usage or input error
  3  a precondition is not met: wait, or act first
  4  refused: it would break the mesh

Nothing here ever writes to a cluster: it is read with `kubectl get`, and what is printed is for a pull request.";

/// Rotate Linkerd's trust anchor and identity issuer through Git, one reviewed step at a time
///
/// Reads an installed Linkerd (a Git checkout, a dump, or the cluster through `kubectl get`), says who trusts what, mints
/// new certificates, and prints for each phase the exact YAML to commit.
#[derive(Debug, Parser)]
#[command(name = "kubectl-l5d_rotate", bin_name = "kubectl l5d-rotate", display_name = "kubectl l5d-rotate", version, after_help = EXIT_CODES)]
#[command(max_term_width = 110)]
pub struct Cli {
    /// What to do; `status` when left out.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// `status --dir`, for the bare command.
    #[arg(long, value_name = "DIR", hide = true, value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,

    /// Where to read from.
    #[command(flatten)]
    pub input: Input,

    /// How to print.
    #[command(flatten)]
    pub display: Display,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Who trusts what, where the rotation stands, and the next command (the default)
    #[command(after_help = examples::STATUS)]
    Status(Status),
    /// The identity checks of `linkerd check --proxy`, and stricter ones
    #[command(after_help = examples::CHECK)]
    Check(Check),
    /// Begin a rotation: mint certificates and keys into a rotation directory
    #[command(after_help = examples::START)]
    Start(Start),
    /// All phases and steps of the rotation: what each changes, restarts and waits for
    #[command(after_help = examples::PLAN)]
    Plan(Plan),
    /// Print or write the YAML of one phase
    #[command(after_help = examples::RENDER)]
    Render(Render),
    /// The YAML of the next step, wherever the rotation stands
    #[command(after_help = examples::NEXT)]
    Next(Next),
    /// Wait until a step is done, or until the next one may be merged
    #[command(after_help = examples::WAIT)]
    Wait(Wait),
    /// What a phase changes against the current state
    #[command(after_help = examples::DIFF)]
    Diff(Diff),
    /// Is the step from what is there to what is proposed safe, whoever wrote it?
    #[command(after_help = examples::VERIFY)]
    Verify(Verify),
    /// The mesh through the whole rotation: who accepts whom before, during and after each step
    #[command(after_help = examples::SIMULATE)]
    Simulate(Simulate),
    /// What has expired, what is broken, until when the rest works, and the shortest remedy
    #[command(after_help = examples::RECOVER)]
    Recover(Recover),
    /// Certificates, bundles and secrets as people read them
    #[command(after_help = examples::INSPECT)]
    Inspect(Inspect),
    /// What was observed, in one small file without secrets that every -f reads
    #[command(after_help = examples::SNAPSHOT)]
    Snapshot(Snapshot),
    /// What a finding means, why it matters and what to do
    #[command(after_help = examples::EXPLAIN)]
    Explain(Explain),
    /// The ClusterRole and Role that reading a cluster needs
    Rbac,
    /// A completion script for a shell, or for kubectl itself
    Completion(Completion),
    /// The man pages, one a command
    Man(Man),
    /// The version of this program
    Version,
    /// What kubectl asks `kubectl_complete-l5d_rotate` for
    #[command(hide = true, name = "__complete")]
    Complete(Complete),
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The code of a finding; without it, all codes are listed
    #[arg(value_name = "CODE", value_parser = Code, hide_possible_values = true)]
    pub code: Option<String>,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: DataFormat,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Rotation directory [default: L5D_ROTATE_DIR, or the one unfinished rotation in this Git work tree, if any]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,

    /// The rollback: where it stands, and its next step
    #[arg(long)]
    pub rollback: bool,

    /// Confirm what no input shows (repeatable)
    #[arg(long, value_name = "NAME")]
    pub confirm: Vec<Confirmation>,

    /// Look again and again: a terminal shows the screen in its place, a pipe gets it when it says something new
    #[arg(short, long)]
    pub watch: bool,

    /// How long to wait between two looks, each of which lists every pod: at least 5s
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = interval, requires = "watch")]
    pub interval: SignedDuration,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: StatusFormat,
}

/// Output of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// For people.
    Text,
    /// The same with whole fingerprints, validities to the second, and all workloads.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Output of commands that print for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DataFormat {
    /// For people.
    Text,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Output format; json is the schema of `linkerd check -o json`
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: CheckFormat,

    /// Warn about certificates that expire sooner than this: 60d, 720h
    #[arg(long, value_name = "DURATION", default_value = EXPIRY_THRESHOLD_TYPED, value_parser = duration)]
    pub expiry_threshold: SignedDuration,

    /// What makes the exit code 1
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    pub fail_on: FailOn,

    /// Let expiry alone decide the exit code: 1 where a certificate in force expires sooner than this, 3 where it cannot be told
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "fail_on")]
    pub expires_within: Option<SignedDuration>,
}

/// Output of `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// As `linkerd check`.
    Table,
    /// As `linkerd check -o json`.
    Json,
    /// Failures only.
    Short,
    /// The JSON as YAML.
    Yaml,
    /// Metrics in Prometheus' text format.
    Prometheus,
    /// The codes of what does not pass, as `explain` takes them.
    Name,
}

/// From which severity on `check` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors only.
    Error,
    /// Warnings and what could not be checked, too.
    Warning,
}

/// Arguments of `start`.
#[derive(Debug, Args)]
pub struct Start {
    /// Directory to create for the rotation: commit it, private keys excepted
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,

    /// Replace the issuer only, signed by the present anchor: needs --anchor and --anchor-key, or --issuer-cert
    #[arg(long)]
    pub issuer_only: bool,

    /// Write a key and a signing request for the issuer into DIR, and end: whoever holds the anchor's key signs it
    #[arg(long, conflicts_with_all = ["issuer_cert", "anchor", "anchor_key", "old_anchor_key", "issuer_only", "strategy"])]
    pub csr: bool,

    /// Use this issuer (PEM, with its intermediates) that was signed elsewhere: the anchor's key is not needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["anchor_key", "issuer_name"])]
    pub issuer_cert: Option<PathBuf>,

    /// The private key of --issuer-cert [default: issuer.key in DIR, as --csr wrote it]
    #[arg(long, value_name = "FILE|-", requires = "issuer_cert")]
    pub issuer_key: Option<PathBuf>,

    /// What is minted.
    #[command(flatten)]
    pub minting: Minting,

    /// The private key of the present anchor: the new one is signed with it, and no data-plane restart is needed
    #[arg(long, value_name = "FILE", conflicts_with = "issuer_only")]
    pub old_anchor_key: Option<PathBuf>,

    /// Under cert-manager: what signs below --anchor, whose key stays outside of the cluster: an Issuer, a ClusterIssuer, or an
    /// issuer of another API group such as StepClusterIssuer.certmanager.step.sm/NAME
    #[arg(long, value_name = "KIND[.GROUP]/NAME", requires = "anchor", conflicts_with_all = ["csr", "issuer_cert", "issuer_only", "old_anchor_key", "anchor_key"])]
    pub signer: Option<Signer>,

    /// Under cert-manager: let the present Issuer sign with the new anchor, in one more step, where no other one can be named
    #[arg(long, conflicts_with_all = ["signer", "csr", "issuer_cert", "issuer_only", "old_anchor_key", "anchor_key", "anchor"])]
    pub keep_issuer_name: bool,

    /// First show where this Git checkout holds what is replaced, and end where `--in` would not find the trust bundle there
    #[arg(long = "in", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub checkout: Option<PathBuf>,

    /// Order of steps [default: cross-signed with --old-anchor-key, patient with --issuer-only, managed where cert-manager makes the
    /// issuer, else staged]
    #[arg(long, value_name = "STRATEGY")]
    pub strategy: Option<Strategy>,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// PEM files, or manifests with certificates in them; without any, the mesh that is read
    #[arg(value_name = "FILE|-")]
    pub files: Vec<PathBuf>,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: DataFormat,
}

/// Arguments of `snapshot`.
#[derive(Debug, Args)]
pub struct Snapshot {
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub struct Completion {
    /// Which shell; `kubectl` prints the script to be put on PATH as kubectl_complete-l5d_rotate
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Who completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "each is a shell's name")]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
    Kubectl,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Directory for one page a command; without it the main page is printed
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// Arguments of `__complete`.
#[derive(Debug, Args)]
pub struct Complete {
    /// The words typed so far, the last one unfinished.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
