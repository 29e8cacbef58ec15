//! Why a chain is not accepted, with instants as the reader's screen shows them.

use crate::pki::{Candidate, Refusal};
use crate::report::Screen;

/// The refusal as a part of a sentence: no full stop.
pub(in crate::report) fn refused(refusal: &Refusal, screen: &Screen) -> String {
    match refusal {
        Refusal::Expired { certificate, not_after, .. } => {
            format!("{certificate} expired {}", screen.when(*not_after))
        }
        Refusal::NotYetValid { certificate, not_before, .. } => {
            format!("{certificate} is not valid before {}", screen.when(*not_before))
        }
        Refusal::UnknownIssuer { certificate, issuer, candidate } => {
            let why = match candidate {
                None => format!("none has the name {issuer}"),
                Some(Candidate { name, because }) => match &**because {
                    Refusal::SignatureMismatch { .. } => {
                        format!("the bundle's {name} has the same name but a different key")
                    }
                    other => refused(other, screen),
                },
            };
            format!("no anchor in the bundle signed {certificate} ({why})")
        }
        other => other.to_string(),
    }
}
