//! The remedy in sentences, and the next command to type.

use super::super::{Next, Screen, shell_word};
use super::{has_stopped, is_soon};
use crate::document::ObjectRef;
use crate::finding::{CheckFact, Fact};
use crate::mesh::Owner;
use crate::pki::Certificate;
use crate::report::findings::pods;
use crate::rotation::recover::{Diagnosis, Eligibility, Issuance, Remaining, Remedy, Signer, steps};
use crate::rotation::{Phase, Stage, Step};

/// What mends the mesh.
pub(super) struct Told {
    pub(super) title: &'static str,
    pub(super) paragraphs: Vec<String>,
    /// The step, what it does, and when it may be merged.
    pub(super) steps: Vec<[String; 3]>,
    pub(super) after: Vec<String>,
}

pub(super) fn remedy(diagnosis: &Diagnosis, screen: &Screen) -> Option<Told> {
    let alone = |title, paragraphs| Told { title, paragraphs, steps: Vec::new(), after: Vec::new() };
    match &diagnosis.remedy {
        Remedy::None | Remedy::Unknown => None,
        Remedy::Repair => {
            Some(alone("put back an issuer that the bundle accepts, or publish its anchor", Vec::new()))
        }
        Remedy::Prune => Some(alone("an ordinary commit", prune(diagnosis))),
        Remedy::RemoveExpired => {
            Some(alone("the present issuer, without what has expired behind it", shorten(diagnosis)))
        }
        Remedy::Replace(signers) => Some(replace(diagnosis, signers, screen)),
    }
}

fn named(certificate: &Certificate) -> String {
    format!("{} ({})", certificate.name(), certificate.fingerprint().short())
}

fn prune(diagnosis: &Diagnosis) -> Vec<String> {
    let names: Vec<_> = diagnosis.expired.iter().map(|part| named(&part.certificate)).collect();
    vec![
        format!(
            "Remove {} from the published bundle: with phase prune of the rotation that brought its successor, or manually.",
            names.join(" and ")
        ),
        "There is no hurry. It may go when no workload certificate of an issuer of it is left.".to_owned(),
    ]
}

fn replace(diagnosis: &Diagnosis, signers: &[Signer], screen: &Screen) -> Told {
    let alone = diagnosis.eligible().next().is_some();
    let mut paragraphs: Vec<_> = signers.iter().map(|one| signer(one, diagnosis, screen)).collect();
    if signers.is_empty() {
        paragraphs.push("No published trust anchor is valid: a new issuer alone is not enough.".to_owned());
    }
    let mut after = vec![downtime(diagnosis, alone, screen)];
    after.extend(renewable(diagnosis));
    Told {
        title: if alone {
            "a new issuer, if you have its anchor's private key"
        } else {
            "a new trust anchor and a new issuer"
        },
        paragraphs,
        steps: steps(alone).into_iter().map(|step| told_step(step, alone)).collect(),
        after,
    }
}

fn told_step(step: Step, alone: bool) -> [String; 3] {
    let (does, when) = match (step.phase, step.stage, alone) {
        (_, Stage::Trust, _) => ("publish the new anchor, alone", ""),
        (Phase::Issuer, Stage::Issuer, true) => ("put the new issuer into the Secret", ""),
        (Phase::Issuer, Stage::Issuer, false) => ("put the new issuer into the Secret", "right after 1"),
        (_, Stage::ControlPlane, true) => ("restart the identity controller", "when 1 is in the cluster"),
        (_, Stage::ControlPlane, false) => {
            ("restart the identity controller", "when 1 and 2 are in the cluster")
        }
        (.., true) => ("restart everything else, linkerd-destination first", "when 2 is done"),
        (.., false) => ("restart everything else, linkerd-destination first", "when 3 is done"),
    };
    [step.to_string(), does.to_owned(), when.to_owned()]
}

fn shorten(diagnosis: &Diagnosis) -> Vec<String> {
    let names: Vec<_> = diagnosis.unneeded.iter().map(named).collect();
    vec![
        format!(
            "Remove {} from the issuer's file in the Secret, and leave the issuer and its key. The published trust anchors accept \
             the issuer without it; nothing is minted.",
            names.join(" and ")
        ),
        "Then restart the identity controller, linkerd-destination when that runs, and everything else when that runs: also \
         proxies that hold the published anchors, as no certificate that has expired is renewed."
            .to_owned(),
        "Downtime: now, until each workload has restarted. Nothing else breaks.".to_owned(),
    ]
}

/// For whoever has the key of the expired anchor: nobody has to load a new one.
pub(super) fn renewable(diagnosis: &Diagnosis) -> Option<String> {
    let Issuance::Stopped(stopped) = &diagnosis.issuance else { return None };
    let names: Vec<_> = diagnosis.renewable.iter().map(named).collect();
    if names.is_empty() {
        return None;
    }
    let (gain, then) = match stopped.presented.left(diagnosis.at) {
        Remaining::All => ("Without downtime", "the proxies that have no certificate"),
        Remaining::Some => ("With less downtime", "the proxies that have no certificate"),
        Remaining::None => ("With less to change", "everything else"),
    };
    Some(format!(
        "{gain}, if you have the private key of {}: sign that anchor again with its own key, the same subject byte for byte, and \
         a later expiry. Publish it instead of the expired one, restart the control plane, then {then}. The issuer stays: \
         proxies know an anchor by subject and key. No command renders this: check the change with `verify --proposed`.",
        names.join(" or ")
    ))
}

fn signer(signer: &Signer, diagnosis: &Diagnosis, screen: &Screen) -> String {
    let Signer { anchor, signed_present, eligibility } = signer;
    let named = named(anchor);
    let held = match eligibility {
        Eligibility::Eligible => "Every proxy that was seen holds it.",
        Eligibility::EligibleUnseen => "Without pods it cannot be told whether every proxy holds it.",
        Eligibility::NotYetValid { not_before } => {
            return format!(
                "Anchor {named} cannot sign the issuer: it is not valid before {}.",
                screen.when(*not_before)
            );
        }
        Eligibility::NotACa => {
            return format!("Anchor {named} cannot sign the issuer: it is not a CA certificate.");
        }
        Eligibility::NotHeld { by } => {
            return format!(
                "Anchor {named} cannot sign the issuer: {} may not hold it.",
                pods(by, "proxy", "proxies")
            );
        }
    };
    let present = if *signed_present { " and signed the present issuer" } else { "" };
    let soon = if is_soon(anchor, diagnosis) {
        " The new issuer expires with it, so rotate both right after."
    } else {
        ""
    };
    format!(
        "Anchor {named} is published{present}. {held} It expires {}.{soon}",
        screen.when(anchor.facts().not_after)
    )
}

/// What the recovery costs.
pub(super) fn downtime(diagnosis: &Diagnosis, alone: bool, screen: &Screen) -> String {
    let presented = match &diagnosis.issuance {
        Issuance::Stopped(stopped) => Some(stopped.presented),
        _ => None,
    };
    let all_expired = presented.is_some_and(|presented| presented.left(diagnosis.at) == Remaining::None);
    match (all_expired, alone) {
        (true, true) => {
            "Downtime: now, until each workload has restarted. Nothing else breaks.".to_owned()
        }
        (true, false) => {
            "Downtime: now. A pod that restarts works with those that restarted before it, and the last restart ends it."
                .to_owned()
        }
        (false, true) => {
            "Downtime: none for proxies whose certificate is valid, because everybody accepts old and new ones. The others work \
             again when they have restarted."
                .to_owned()
        }
        (false, false) => {
            let first =
                presented.and_then(|presented| presented.first).filter(|first| diagnosis.at <= *first);
            let choice = first.map_or_else(String::new, |first| {
                format!(" Until {} you choose when it begins.", screen.when(first))
            });
            format!(
                "Downtime: from the first pod that restarts until the last has restarted. Those that have restarted and those \
                 that have not reject each other.{choice}"
            )
        }
    }
}

fn plugin(why: &str, command: &str, arguments: &str) -> Next {
    Next { why: why.to_owned(), command: Some(format!("kubectl l5d-rotate {command}{arguments}")) }
}

const GIVE: &str =
    "Give what is not known in the input, or the right to read it. What can be told without it:";

/// What to type, the best first; `arguments` let a command read what this one read.
pub(super) fn next(diagnosis: &Diagnosis, arguments: &str) -> Vec<Next> {
    if !diagnosis.unknown.is_empty() && !has_stopped(diagnosis) {
        return vec![plugin(GIVE, "check", arguments)];
    }
    match &diagnosis.remedy {
        Remedy::None if diagnosis.rejected.is_empty() && !diagnosis.managed.is_empty() => managed(diagnosis),
        Remedy::None if diagnosis.rejected.is_empty() => {
            let why = "Nothing to recover. To replace trust anchor and issuer before they expire:";
            vec![plugin(why, "start --dir rotation", arguments)]
        }
        Remedy::None | Remedy::Repair => {
            vec![plugin("See what is broken, and what mends it:", "check -o short", arguments)]
        }
        Remedy::Prune => {
            let why = "See that a bundle without it breaks nothing, with the changed ConfigMap in FILE:";
            vec![plugin(why, "verify --proposed FILE", arguments)]
        }
        Remedy::RemoveExpired => {
            let rotation = "If it is the cross certificate of a rotation, the directory DIR of that rotation holds the Secret \
                            without it:";
            let other = "Else see that the change breaks nothing, with the changed Secret in FILE:";
            vec![
                plugin(rotation, "render remove-cross --step 1 --dir DIR", arguments),
                plugin(other, "verify --proposed FILE", arguments),
            ]
        }
        Remedy::Unknown => vec![plugin(GIVE, "check", arguments)],
        Remedy::Replace(_) => next_of_replace(diagnosis, arguments),
    }
}

fn next_of_replace(diagnosis: &Diagnosis, arguments: &str) -> Vec<Next> {
    let mut all = renewal(diagnosis);
    all.extend(managed(diagnosis));
    let allow = if all.is_empty() { "" } else { " --allow-managed" };
    let both = format!("recover --dir recovery{allow}");
    let Some(Signer { anchor, signed_present, .. }) = diagnosis.eligible().next() else {
        let why =
            if all.is_empty() { "Mint both, and get the steps:" } else { "Only if that does not help:" };
        all.push(plugin(why, &both, arguments));
        return all;
    };
    if !signed_present {
        let why = "If a rotation in progress published that anchor, the directory DIR of that rotation holds its issuer:";
        all.push(plugin(why, "render issuer --step 1 --force --dir DIR", arguments));
    }
    let with_key = format!("recover --dir recovery --anchor ca.crt --anchor-key ca.key{allow}");
    all.push(plugin(&format!("With the private key of {}:", named(anchor)), &with_key, arguments));
    all.push(plugin("Without that key, a new trust anchor as well:", &both, arguments));
    all
}

/// Where cert-manager makes the issuer, it makes the next one as soon as nothing is in its way any more: that comes before anything else.
fn renewal(diagnosis: &Diagnosis) -> Vec<Next> {
    let mut all = Vec::new();
    for finding in &diagnosis.held_up {
        let Fact::Check(fact) = &finding.fact else { continue };
        let (what, command) = match fact {
            CheckFact::CertManagerOverdue { .. } => {
                let command = "kubectl get deployments -A -l app.kubernetes.io/name=cert-manager";
                ("cert-manager issues what is overdue once its controller runs", Some(command.to_owned()))
            }
            CheckFact::CertManagerRequestDenied { requests }
            | CheckFact::CertManagerRequestFailed { requests }
            | CheckFact::CertManagerRequestWaits { requests } => {
                let request = requests.iter().find_map(|held| held.request.as_ref());
                let describe = |request: &ObjectRef| {
                    let [namespace, name] = [&request.namespace, &request.name].map(|word| shell_word(word));
                    format!("kubectl describe certificaterequest -n {namespace} {name}")
                };
                ("cert-manager issues once its latest request is granted", request.map(describe))
            }
            _ => continue,
        };
        let why = format!(
            "{what}. Then restart the identity controller and everything else, as above, with nothing minted. See what is in its way:"
        );
        all.push(Next { why, command });
    }
    all
}

/// How to see what the controllers do that make the material.
fn managed(diagnosis: &Diagnosis) -> Vec<Next> {
    let command = |object: &ObjectRef, owner: &Owner| match owner {
        Owner::CertManager { certificate } => {
            let [namespace, name] = [&object.namespace, certificate].map(|word| shell_word(word));
            Some(format!("kubectl describe certificate -n {namespace} {name}"))
        }
        Owner::TrustManager { bundle } => Some(format!("kubectl describe bundle {}", shell_word(bundle))),
        _ => None,
    };
    let next = |(object, owner): &(ObjectRef, Owner)| {
        let why = format!("See how {owner} makes {object}:");
        Some(Next { why, command: Some(command(object, owner)?) })
    };
    diagnosis.managed.iter().filter_map(next).collect()
}
