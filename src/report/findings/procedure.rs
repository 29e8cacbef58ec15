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
        Procedure::RotateManaged => "Rotate the trust anchor by changes of cert-manager's objects in Git",
        Procedure::RenewManaged => "See why cert-manager has not renewed the issuer",
    };
    format!("{what}: `{}`.", command(procedure))
}

/// The command to begin with.
#[must_use]
pub(in crate::report) const fn command(procedure: Procedure) -> &'static str {
    match procedure {
        Procedure::RotateAnchor | Procedure::RotateManaged => "kubectl l5d-rotate start --dir rotation",
        Procedure::RotateIssuer => {
            "kubectl l5d-rotate start --issuer-only --anchor ca.crt --anchor-key ca.key --dir rotation"
        }
        Procedure::ReplaceIssuer | Procedure::RemoveExpired | Procedure::ReplaceExpired => {
            "kubectl l5d-rotate recover"
        }
        Procedure::RenewManaged => "kubectl describe certificates.cert-manager.io -A",
    }
}
