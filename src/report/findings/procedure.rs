//! Linkerd's procedures for new certificates, in words.

use crate::finding::Procedure;

/// What to do, in a sentence.
pub(super) fn sentence(procedure: Procedure) -> String {
    let what = match procedure {
        Procedure::RotateAnchor => "Rotate trust anchor and issuer",
        Procedure::RotateIssuer => "Rotate the issuer",
        Procedure::ReplaceIssuer => "Replace the issuer",
        Procedure::RemoveExpired => {
            "Remove what has expired from the issuer's file, and restart the identity controller, linkerd-destination and \
             everything else, in this order"
        }
        Procedure::ReplaceExpired => "Replace trust anchor and issuer, which takes downtime",
        Procedure::CertManager => "Change cert-manager's resources in Git, not the Secret",
    };
    match command(procedure) {
        Some(command) => format!("{what}: `{command}`."),
        None => format!("{what}: \"{}\" in Linkerd's documentation.", guide(procedure)),
    }
}

/// The page of Linkerd's documentation that the procedure follows, by its title.
#[must_use]
pub(in crate::report) const fn guide(procedure: Procedure) -> &'static str {
    match procedure {
        Procedure::RotateAnchor | Procedure::RotateIssuer | Procedure::ReplaceIssuer => {
            "Rotating control plane TLS credentials"
        }
        Procedure::RemoveExpired | Procedure::ReplaceExpired => "Replacing expired certificates",
        Procedure::CertManager => "Automatically rotating control plane TLS credentials",
    }
}

/// The command to begin with.
#[must_use]
pub(in crate::report) const fn command(procedure: Procedure) -> Option<&'static str> {
    match procedure {
        Procedure::RotateAnchor => Some("kubectl l5d-rotate start --dir rotation"),
        Procedure::RotateIssuer => {
            Some("kubectl l5d-rotate start --issuer-only --anchor ca.crt --anchor-key ca.key --dir rotation")
        }
        Procedure::ReplaceIssuer | Procedure::RemoveExpired | Procedure::ReplaceExpired => {
            Some("kubectl l5d-rotate recover")
        }
        Procedure::CertManager => None,
    }
}
