//! What is next where no rotation is under way, in words.

use super::Next;
use crate::check::Advice;
use crate::finding::{Finding, Severity};
use crate::pki::Refusal;
use crate::report::Screen;
use crate::report::findings::{self, procedure};

/// Why, and the command to begin with.
pub(super) fn next(advice: &Advice, screen: &Screen) -> Next {
    Next { why: why(advice, screen), command: command(advice).map(str::to_owned) }
}

fn command(advice: &Advice) -> Option<&'static str> {
    match advice {
        Advice::Untrusted { .. } | Advice::Repair { .. } => Some("kubectl l5d-rotate check -o short"),
        _ => advice.procedure().map(procedure::command),
    }
}

fn why(advice: &Advice, screen: &Screen) -> String {
    match advice {
        Advice::Fine { first } => {
            format!("Nothing has to be rotated yet. {} expires first, {}.", first.name, screen.when(first.not_after))
        }
        Advice::RotateAnchor { anchor } => format!(
            "Rotate trust anchor and issuer before {}. This mints certificates, and changes nothing in the cluster.",
            screen.when(anchor.not_after)
        ),
        Advice::RotateIssuer { issuer, .. } => format!(
            "Rotate the issuer before {}: alone, and without any restart, if you have the anchor's key. Else rotate \
             both: leave --issuer-only and --anchor away.",
            screen.when(issuer.not_after)
        ),
        Advice::ReplaceIssuer { .. } => "Replace the expired issuer: alone, if you have the anchor's key, then restart \
                                         what has lost its workload certificate. Else replace both."
            .to_owned(),
        Advice::RemoveExpired { expired } => format!(
            "Remove {} from the issuer's file: it expired {}, every workload certificate with it, and the issuer is good without \
             it. Then restart the identity controller, linkerd-destination and everything else, in this order. Nothing is minted.",
            expired.name,
            screen.when(expired.not_after)
        ),
        Advice::ReplaceExpired { last_workload_certificate, .. } => format!(
            "Replace the expired trust anchor and the issuer at once, and restart everything. This takes downtime: old \
             and new proxies do not trust each other. {}",
            last(*last_workload_certificate, screen)
        ),
        Advice::CertManager { expires, anchor: true, certificates } => format!(
            "Rotate the trust anchor before {}. Its steps change cert-manager's objects in Git ({}), and no Secret.",
            screen.when(expires.not_after),
            findings::listed(certificates)
        ),
        Advice::CertManager { certificates, .. } => {
            format!("cert-manager has not renewed the issuer ({}). See why.", findings::listed(certificates))
        }
        Advice::Untrusted { refusal: Refusal::NotYetValid { not_before, .. } } => format!(
            "The issuer is not valid before {}. Restore the one before it until then.",
            screen.when(*not_before)
        ),
        Advice::Untrusted { .. } => "The published trust bundle does not accept the issuer. Publish the issuer's anchor \
                                     beside the others, or restore an issuer of a published one, before the identity \
                                     controller restarts."
            .to_owned(),
        Advice::Repair { fact } => format!("Repair {} before anything else.", fact.code()),
        Advice::Unknown { fact } => {
            let words = findings::words(&Finding::new(Severity::Unknown, fact.clone()), screen);
            format!("It cannot be told what is next. {}", words.what)
        }
    }
}

fn last(workload_certificate: jiff::Timestamp, screen: &Screen) -> String {
    let when = screen.when(workload_certificate);
    if workload_certificate < screen.at {
        return format!("The last workload certificate expired {when}.");
    }
    format!("The last workload certificate expires {when}.")
}
