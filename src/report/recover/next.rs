//! The next command to type.

use super::super::Next;
use super::words;
use crate::document::ObjectRef;
use crate::mesh::Owner;
use crate::rotation::recover::{Candidate, Diagnosis, Way};

/// What to type, the best first; `arguments` let a command read what this one read.
pub(super) fn commands(diagnosis: &Diagnosis, arguments: &str) -> Vec<Next> {
    let next = |why: &str, command: &str| Next {
        why: why.to_owned(),
        command: Some(format!("kubectl l5d-rotate {command}{arguments}")),
    };
    match &diagnosis.way {
        _ if words::needs_reading(diagnosis) => {
            vec![next(
                "give what is not known in the input, or the right to read it; what can be judged without it:",
                "check",
            )]
        }
        Way::Nothing if diagnosis.also.is_empty() && !diagnosis.automated.is_empty() => automated(diagnosis),
        Way::Nothing if diagnosis.also.is_empty() => {
            vec![next(
                "nothing to recover; to replace trust anchor and issuer before they end:",
                "start --dir rotation",
            )]
        }
        Way::Nothing | Way::Repair => vec![next("what is broken, and what mends it:", "check -o short")],
        Way::Prune => vec![next(
            "see that a bundle without it breaks nothing, with the changed ConfigMap in FILE:",
            "verify --proposed FILE",
        )],
        Way::Unknown => vec![next(
            "give what is not known in the input, or the right to read it; what can be judged without it:",
            "check",
        )],
        Way::Replace(_) => replace(diagnosis, next),
    }
}

fn replace(diagnosis: &Diagnosis, next: impl Fn(&str, &str) -> Next) -> Vec<Next> {
    let mut all = automated(diagnosis);
    let despite = if all.is_empty() { "" } else { " --allow-managed" };
    if let Some(Candidate { anchor, signed_present, .. }) = diagnosis.fit().next() {
        if !signed_present {
            all.push(next(
                "if a rotation under way published that anchor, its issuer is ready, in its directory:",
                "render issuer --step 1 --force --dir DIR",
            ));
        }
        let command = format!("recover --dir recovery --anchor ca.crt --anchor-key ca.key{despite}");
        all.push(next(
            &format!("with the key of {} {}:", anchor.name(), anchor.fingerprint().short()),
            &command,
        ));
        all.push(next(
            "without that key, a new trust anchor as well:",
            &format!("recover --dir recovery{despite}"),
        ));
    } else {
        let why = if despite.is_empty() {
            "mint both, and get the steps:"
        } else {
            "only if that cannot be mended:"
        };
        all.push(next(why, &format!("recover --dir recovery{despite}")));
    }
    all
}

/// How to see what the controllers do that make the material.
fn automated(diagnosis: &Diagnosis) -> Vec<Next> {
    let command = |object: &ObjectRef, owner: &Owner| match owner {
        Owner::CertManager { certificate } => {
            Some(format!("kubectl describe certificate -n {} {certificate}", object.namespace))
        }
        Owner::TrustManager { bundle } => Some(format!("kubectl describe bundle {bundle}")),
        _ => None,
    };
    let next = |(object, owner): &(ObjectRef, Owner)| {
        let why = format!("see how {owner} makes {object}:");
        Some(Next { why, command: Some(command(object, owner)?) })
    };
    diagnosis.automated.iter().filter_map(next).collect()
}
