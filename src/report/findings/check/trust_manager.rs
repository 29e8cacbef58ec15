//! What trust-manager publishes and does not, in words.

use super::super::{Words, listed, named};
use crate::document::ObjectRef;
use crate::finding::{CertificateRef, LackedAnchor};
use crate::mesh::BundleFilter;

pub(super) fn filters(bundle: &ObjectRef, filter: &BundleFilter, dropped: &[CertificateRef]) -> Words {
    let flags = [("--filter-expired-certificates", filter.expired), ("--filter-non-ca-certs", filter.non_ca)];
    let flags: Vec<_> = flags.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag).collect();
    let effect = match filter.expired {
        true => {
            "An anchor leaves the bundle when it expires, while running proxies accept it on and on: who starts then rejects them."
        }
        false => "What is no CA certificate is left away in silence.",
    };
    let left: Vec<_> = dropped.iter().map(named).collect();
    let left = if left.is_empty() { String::new() } else { format!(" Left away now: {}.", listed(&left)) };
    Words {
        what: format!(
            "{} runs with {}: {bundle} publishes less than its sources hold.{left}",
            filter.deployment,
            listed(&flags)
        ),
        effect: effect.to_owned(),
        todo: "Rotate before an anchor expires, or run trust-manager without it.".to_owned(),
        ..Words::default()
    }
}

pub(super) fn lacks(bundle: &ObjectRef, lacked: &[LackedAnchor]) -> Words {
    let one = |lacked: &LackedAnchor| {
        let place =
            lacked.secret.as_ref().map_or_else(|| "inLine PEM".to_owned(), |name| format!("Secret {name}"));
        format!("{} ({place})", named(&lacked.anchor))
    };
    Words {
        what: format!(
            "The trust bundle lacks what sources of {bundle} hold: {}.",
            listed(&lacked.iter().map(one).collect::<Vec<_>>())
        ),
        effect: "trust-manager does not run, waits for a source that is missing or damaged, or leaves it away by its flags. No proxy is \
                 given that anchor."
            .to_owned(),
        todo: format!("See its condition: kubectl describe {} {}.", bundle.kind.to_lowercase(), bundle.name),
        ..Words::default()
    }
}

pub(super) fn forgets(bundle: &ObjectRef, certificates: &[ObjectRef]) -> Words {
    Words {
        what: format!(
            "{bundle} holds the present anchor only as long as {} is not renewed.",
            listed(certificates)
        ),
        effect: "At its renewal trust-manager drops it, while every workload certificate in use is of it: who starts then rejects them \
                 all, and the identity controller does not start."
            .to_owned(),
        todo: "Put the present anchor into its sources as inLine PEM, too, or rotate before: `kubectl l5d-rotate start`.".to_owned(),
        ..Words::default()
    }
}
