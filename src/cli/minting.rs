//! What a rotation mints, and how its files are written.

use std::path::PathBuf;

use clap::Args;

use super::Lifetime;

/// What a rotation mints, and how its files are written.
#[derive(Debug, Args)]
pub struct Minting {
    /// Use this anchor certificate (PEM) instead of a new one
    #[arg(long, value_name = "FILE", requires = "anchor_key")]
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

    /// How long the new anchor lives: 10y, 3650d, 87600h
    #[arg(long, value_name = "DURATION", default_value = "10y")]
    pub anchor_lifetime: Lifetime,

    /// How long the new issuer lives
    #[arg(long, value_name = "DURATION", default_value = "1y")]
    pub issuer_lifetime: Lifetime,

    /// Go on where cert-manager or trust-manager owns the material: they will revert what is committed beside them
    #[arg(long)]
    pub allow_managed: bool,

    /// Write private keys into a Git work tree even where Git does not ignore them
    #[arg(long)]
    pub allow_plaintext_keys: bool,
}
