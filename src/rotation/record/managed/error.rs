//! Why cert-manager's objects are not rotated, and what to do then.

use super::super::StartError;

/// Why cert-manager's objects are not rotated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManagedError {
    /// It cannot be started at all.
    #[error(transparent)]
    Start(#[from] StartError),
    /// No Certificate writes the issuer's Secret.
    #[error("no Certificate in the input writes {secret}")]
    NoCertificate {
        /// The issuer Secret.
        secret: String,
    },
    /// The issuer of that Certificate was not seen.
    #[error("{certificate} is signed by {}, and the input does not show it", signer.as_deref().unwrap_or("an Issuer"))]
    SignerUnknown {
        /// The Certificate.
        certificate: String,
        /// Its `spec.issuerRef`, where that is known.
        signer: Option<String>,
    },
    /// The issuer of that Certificate has no CA in the cluster.
    #[error("{signer} signs with nothing that cert-manager makes in this cluster")]
    SignedElsewhere {
        /// The Issuer.
        signer: String,
    },
    /// The anchor's Certificate was not seen.
    #[error("{signer} signs with Secret {secret}, and no Certificate in the input makes it")]
    AnchorUnknown {
        /// The Issuer.
        signer: String,
        /// Its `spec.ca.secretName`.
        secret: String,
    },
    /// What signs the issuer is an intermediate.
    #[error("{certificate} is signed by {signer}: it is no trust anchor, but an intermediate")]
    NotSelfSigned {
        /// The Certificate.
        certificate: String,
        /// Its `spec.issuerRef`.
        signer: String,
    },
    /// The anchor that is given is that of today, or the Issuer is.
    #[error("{what} is the present one")]
    Present {
        /// The anchor, or the Issuer.
        what: String,
    },
    /// trust-manager writes the bundle, and its Bundle was not seen.
    #[error("{config_map} is written by trust-manager, and its Bundle is not in the input")]
    BundleUnknown {
        /// The ConfigMap.
        config_map: String,
    },
    /// The Bundle has a source that does not tell by itself what it adds.
    #[error("{bundle} publishes more than Secrets, ConfigMaps and PEM in it, by their names")]
    SourceUnknown {
        /// The Bundle.
        bundle: String,
    },
    /// The issuer's Secret was not read, or none of the published anchors signed what it holds.
    #[error("{secret}: which of the published anchors signed the issuer is not known")]
    IssuerUnknown {
        /// The issuer Secret.
        secret: String,
    },
}

impl ManagedError {
    /// The next thing to do.
    #[must_use]
    pub fn help(&self) -> String {
        let help = match self {
            Self::Start(error) => return error.help(),
            Self::NoCertificate { .. } => {
                "give it in the input, or start with --strategy staged where no Certificate makes the issuer"
            }
            Self::SignerUnknown { .. } | Self::BundleUnknown { .. } => {
                "give it in the input, or the right to read it (`kubectl l5d-rotate rbac`)"
            }
            Self::AnchorUnknown { .. } => {
                "give it in the input; where its key is kept elsewhere, start with --anchor FILE --signer KIND[.GROUP]/NAME"
            }
            Self::SignedElsewhere { .. } | Self::NotSelfSigned { .. } => {
                "have another Issuer sign below the new anchor, and start with --anchor FILE --signer KIND[.GROUP]/NAME"
            }
            Self::Present { .. } => "name a new anchor, and another Issuer that signs below it",
            Self::SourceUnknown { .. } => {
                "name each Secret and ConfigMap with its key in its sources first, without selectors and default CAs; of a Bundle and a \
                 ClusterBundle of one name keep one"
            }
            Self::IssuerUnknown { .. } => "give the issuer's Secret in the input, or the right to read it",
        };
        help.to_owned()
    }
}
