//! Where the state is read from, and how answers are shown: arguments that every verb has.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::value::instant;

/// Where the state is read from.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct Input {
    /// File, directory or `-` to read instead of the cluster: manifests, `kubectl get` dumps, a snapshot (repeatable)
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-", global = true)]
    pub filename: Vec<PathBuf>,

    /// Read directories given with -f with all below them, as repositories: by what Flux, Argo CD and Kustomize deploy of them
    #[arg(short = 'R', long, global = true)]
    pub recursive: bool,

    /// Leave files of directories out, by a pattern as in .gitignore (repeatable)
    #[arg(long, value_name = "GLOB", global = true)]
    pub exclude: Vec<String>,

    /// Name every file that is passed over
    #[arg(short = 'v', long, global = true)]
    pub verbose: bool,

    /// The one cluster of a repository that declares several, by its directory
    #[arg(long, value_name = "PATH", global = true)]
    pub unit: Option<String>,

    /// Only data-plane workloads of this namespace
    #[arg(short = 'n', long, value_name = "NAMESPACE", global = true)]
    pub namespace: Option<String>,

    /// All namespaces (the default; accepted for symmetry with kubectl)
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub all_namespaces: bool,

    /// Namespace of the control plane, where it cannot be told or there are several
    #[arg(long, value_name = "NAMESPACE", global = true)]
    pub linkerd_namespace: Option<String>,

    /// kubeconfig context
    #[arg(long, value_name = "NAME", global = true, help_heading = "Cluster")]
    pub context: Option<String>,

    /// kubeconfig file
    #[arg(long, value_name = "FILE", global = true, help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,

    /// kubeconfig cluster
    #[arg(long, value_name = "NAME", global = true, help_heading = "Cluster")]
    pub cluster: Option<String>,

    /// kubeconfig user
    #[arg(long, value_name = "NAME", global = true, help_heading = "Cluster")]
    pub user: Option<String>,

    /// User to impersonate
    #[arg(long = "as", value_name = "USER", global = true, help_heading = "Cluster")]
    pub impersonate: Option<String>,

    /// Group to impersonate (repeatable)
    #[arg(long = "as-group", value_name = "GROUP", global = true, help_heading = "Cluster")]
    pub impersonate_groups: Vec<String>,

    /// How long one request may take, as kubectl writes it: 30s, 2m; 0 is no limit
    #[arg(long, value_name = "DURATION", global = true, help_heading = "Cluster")]
    pub request_timeout: Option<String>,
}

/// How output looks and what it judges by.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct Display {
    /// Evaluate as of TIME instead of now: 2026-11-23T02:00:00Z, or a date (midnight UTC)
    #[arg(long, value_name = "TIME", value_parser = instant, global = true)]
    pub at: Option<Timestamp>,

    /// Colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
