//! Arguments of the verbs that have many: `verify`, `simulate` and `recover`; what is minted, and how documents are printed.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use jiff::SignedDuration;

use super::value::duration;
use super::{DataFormat, Lifetime, Rotation};
use crate::render::Form;
use crate::step::{Confirmation, Phase};

/// How long a new anchor is valid where nothing else is said.
pub const ANCHOR_LIFETIME: &str = "10y";

/// How long a new issuer is valid where nothing else is said.
pub const ISSUER_LIFETIME: &str = "1y";

/// What a rotation mints, and how its files are written.
#[derive(Debug, Args)]
pub struct Minting {
    /// Use this anchor certificate (PEM) instead of a new one
    #[arg(long, value_name = "FILE")]
    pub anchor: Option<PathBuf>,

    /// The private key of --anchor (PEM: EC or RSA, not encrypted)
    #[arg(long, value_name = "FILE", requires = "anchor")]
    pub anchor_key: Option<PathBuf>,

    /// Common name of the new anchor [default: root.NAMESPACE.TRUST-DOMAIN]
    #[arg(long, value_name = "NAME", conflicts_with = "anchor")]
    pub anchor_name: Option<String>,

    /// Common name of the new issuer [default: identity.NAMESPACE.TRUST-DOMAIN]
    #[arg(long, value_name = "NAME")]
    pub issuer_name: Option<String>,

    /// How long the new anchor is valid: 10y, 3650d, 87600h
    #[arg(long, value_name = "DURATION", default_value = ANCHOR_LIFETIME)]
    pub anchor_lifetime: Lifetime,

    /// How long the new issuer is valid
    #[arg(long, value_name = "DURATION", default_value = ISSUER_LIFETIME)]
    pub issuer_lifetime: Lifetime,

    /// Continue where cert-manager or trust-manager owns the material: they will revert what is committed beside them
    #[arg(long)]
    pub allow_managed: bool,

    /// Write private keys into a Git work tree even where Git does not ignore them
    #[arg(long)]
    pub allow_plaintext_keys: bool,
}

/// How documents are printed or written.
#[derive(Debug, Args)]
pub struct Printing {
    /// Form of the documents
    #[arg(short, long, value_name = "FORM", default_value = "patch")]
    pub output: Form,

    /// Write one directory a step (Kustomize Components) below DIR instead of printing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,

    /// Only the objects of this kind: secret, configmap, deployment
    #[arg(long, value_name = "KIND", conflicts_with = "out")]
    pub only: Option<String>,

    /// Seal the issuer's Secret with this program, in a pipe: kubeseal, sops, or 'COMMAND {}', {} being the file
    ///
    /// With --in, an encrypted Secret is found and replaced where it stands, by `sops` or `kubeseal` from PATH where this does not
    /// name another, or their arguments: --seal 'kubeseal --cert FILE'.
    #[arg(long, value_name = "COMMAND", conflicts_with = "out")]
    pub seal: Option<String>,

    /// Print private keys although standard output is a terminal
    #[arg(long)]
    pub show_keys: bool,

    /// Write private keys into a Git work tree even where Git does not ignore them
    #[arg(long)]
    pub allow_plaintext_keys: bool,
}

/// Whose files are edited.
#[derive(Debug, Args)]
pub struct Editing {
    /// Edit the files of this Git checkout instead of printing: what the step needs, where it stands
    ///
    /// Certificates are found wherever the repository holds them: manifests, values of Helm, HelmReleases, Applications, files of
    /// generators. Restarts are set in the manifests, among a chart's values, in patches of kustomizations, Flux Kustomizations and
    /// Applications, and in `postRenderers` of HelmReleases. Every edit is proven before it is written: the repository, read again with
    /// it, declares the step and nothing else. Where there are several clusters, --unit names one.
    #[arg(long = "in", value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["out", "output", "only", "show_keys"])]
    pub checkout: Option<PathBuf>,

    /// Edit this file, whatever is deployed of it (repeatable): for Terraform and what else is not understood
    #[arg(long, value_name = "FILE", requires = "checkout")]
    pub target: Vec<PathBuf>,

    /// Pin this version of the store's entry, which now holds the issuer, where an ExternalSecret pins one
    #[arg(long, value_name = "VERSION", requires = "checkout", conflicts_with = "target")]
    pub store_version: Option<String>,

    /// Edit files although they have changes that are not committed
    #[arg(long, requires = "checkout")]
    pub allow_dirty: bool,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// File, directory or `-` with the proposed objects, whole or in part: each is laid over the present one (repeatable)
    ///
    /// Objects that it does not name are unchanged. A partial object is merged as a strategic merge patch is: maps key by
    /// key, `null` removes, lists by `name`. Of a HelmRelease, an Application and the like it is judged what Linkerd's chart makes of
    /// them. JSON patches, `$patch` directives, files of Helm values and inline patches of Kustomize are not rendered: give the
    /// output of `kustomize build` or `helm template` instead.
    #[arg(long, value_name = "FILE|DIR|-", required_unless_present = "git_base")]
    pub proposed: Vec<PathBuf>,

    /// Take the change out of a Git checkout: its files as they are, against those at REV
    ///
    /// -f names its directories or files; without any it is the current directory, with all below. What runs comes from a
    /// dump or a snapshot that -f names besides, or from the cluster where there is no -f; with the checkout's -f alone, it is
    /// what REV declares. Kustomizations are built with `kubectl kustomize`.
    #[arg(long, value_name = "REV", conflicts_with = "proposed")]
    pub git_base: Option<String>,

    /// Rotation directory: it tells what was published and issued before
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,

    /// The rotation is being rolled back
    #[arg(long, requires = "dir")]
    pub rollback: bool,

    /// Take an encrypted issuer for what its annotation l5d-rotate/issuer-certificate names
    ///
    /// Nothing proves that the ciphertext holds this certificate and its key: without this, a change that is safe with it is
    /// unknown. One that is unsafe with it is unsafe either way.
    #[arg(long)]
    pub accept_annotated: bool,

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

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Rotation directory [default: L5D_ROTATE_DIR, or the one unfinished rotation in this Git work tree]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,

    /// Take the phases in this order, safe or not, and only these: issuer,bundle,prune [default: the rotation's own]
    #[arg(long, value_name = "PHASE,…", value_delimiter = ',')]
    pub order: Vec<Phase>,

    /// Roll back: undo each phase, the last phase first
    #[arg(long)]
    pub rollback: bool,

    /// Confirm what no input shows (repeatable)
    #[arg(long, value_name = "NAME")]
    pub confirm: Vec<Confirmation>,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: SimulationFormat,
}

/// Arguments of `wait`.
#[derive(Debug, Args)]
pub struct Wait {
    /// Which step, as `plan` names it: issuer/2-control-plane, or issuer/2
    #[arg(value_name = "STEP", required_unless_present = "next", conflicts_with = "next")]
    pub step: Option<String>,

    /// The first step that is not done: wait until it may be merged, or nothing is left
    #[arg(long)]
    pub next: bool,

    /// What is waited for
    #[arg(long = "for", value_name = "STATE", default_value = "done", conflicts_with = "next")]
    pub until: Awaited,

    /// For how long: 90s, 30m, 26h
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
    pub timeout: SignedDuration,

    /// Which rotation.
    #[command(flatten)]
    pub rotation: Rotation,
}

/// What `wait` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Awaited {
    /// It has taken effect everywhere
    Done,
    /// It may be merged
    Ready,
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
