//! What stands before a step, in words.

mod explained;
mod instead;
mod managed;
mod note;

use super::refusal::refused;
use super::{Words, listed, named, pods};
use crate::finding::{
    AnchorRole, CertificateRef, Fact, Finding, IssuerRole, Need, Pods, RotationAnchors, RotationIssuer,
    SecretGap, Severity, StepFact, WhyRefused,
};
use crate::mesh::WATCH_LAG_SECONDS;
use crate::report::Screen;
use crate::report::words::count;
use crate::step::{Direction, Stage, Step};

pub(super) use explained::EXPLAINED;
pub(super) use managed::EXPLAINED as MANAGED_EXPLAINED;

pub(super) fn words(fact: &StepFact, screen: &Screen) -> Words {
    match fact {
        StepFact::StepOrder { before, done, of } => order(*before, *done, *of),
        StepFact::StepOrderUnknown { before, why } => {
            let Words { what, todo, .. } = of_fact(why, screen);
            say(format!("It is not known whether {before} is done."), what, todo)
        }
        StepFact::ProxiesNotReady { proxies, issuer, why } => {
            let proxies = pods(proxies, "running proxy", "running proxies");
            let (issuer, why) = (rotation_issuer(issuer), rejected(why, screen));
            fact_alone(format!("{proxies} would reject workload certificates of {issuer}: {why}."))
        }
        StepFact::BundleRefusesIssuer { bundle, issuer, lacks, why } => say(
            format!(
                "The identity controller would refuse {} with the bundle in {}: {}.",
                rotation_issuer(issuer),
                bundle.object,
                rejected(why, screen)
            ),
            "It would keep the old one, and fail at its next start.",
            format!("Publish {} first.", anchors(lacks)),
        ),
        StepFact::ControlPlaneLacksBundle { bundle, done, of } => say(
            format!(
                "{done} of {of} containers of the control plane have loaded {bundle} as it is published."
            ),
            "",
            "Restart the control plane first.",
        ),
        StepFact::AnchorsRefuseIssuer { anchors: stay, secret, issuer, why } => say(
            format!(
                "{} alone {} not accept the issuer {} in {secret}: {}.",
                capital(&anchors(stay)),
                does(stay),
                named(issuer),
                refused(why, screen)
            ),
            "The identity controller would fail at its next start.",
            "",
        ),
        StepFact::UnknownAnchors { bundle, anchors } => {
            let names: Vec<_> = anchors.iter().map(named).collect();
            say(
                format!(
                    "The bundle in {} holds {} that this rotation does not know and would drop: {}.",
                    bundle.object,
                    count(anchors.len() as u64, "anchor", "anchors"),
                    listed(&names)
                ),
                "",
                "If nothing relies on it, remove it in a commit of its own; else finish its rotation first.",
            )
        }
        StepFact::RestartStopsIdentity { secret, issuer, why } => fact_alone(format!(
            "An identity controller that restarts now would refuse the issuer {} in {secret} and fail to start: {}.",
            named(issuer),
            rejected(why, screen)
        )),
        StepFact::RestartActivatesIssuer { secret, issuer, proxies, why } => say(
            format!(
                "An identity controller that restarts now loads the issuer {} in {secret}, and {} would reject their next \
                 workload certificate: {}.",
                named(issuer),
                pods(proxies, "proxy", "proxies"),
                refused(why, screen)
            ),
            "",
            "Put back the issuer that signs now, until they hold the anchor of the other one.",
        ),
        StepFact::RestartRefusesRequests { issuer, proxies, certain, why } => say(
            format!(
                "{} a workload certificate of {}.",
                holders(proxies, *certain, ["proxy", "proxies"], ["presents", "present"]),
                named(issuer)
            ),
            format!(
                "The proxies of identity pods that restart now reject it: {}. Whoever has it then cannot renew any more, and \
                 stops working when it expires.",
                refused(why, screen)
            ),
            "Wait until they have renewed.",
        ),
        StepFact::PresentIssuerExpired { issuer, forced } => present_expired(issuer, forced),
        StepFact::CertificatesRefused { issuer, proxies, certain, anchors, why } => say(
            format!(
                "{} a workload certificate of {}.",
                holders(proxies, *certain, ["proxy", "proxies"], ["presents", "present"]),
                named(issuer)
            ),
            whoever_starts(anchors, &refused(why, screen)),
            "Restart them.",
        ),
        StepFact::IdentitySignsRefused { issuer, replicas, certain, anchors, why } => say(
            format!(
                "{} with {}.",
                holders(
                    replicas,
                    *certain,
                    ["identity controller", "identity controllers"],
                    ["signs", "sign"]
                ),
                named(issuer)
            ),
            whoever_starts(anchors, &refused(why, screen)),
            if replicas.workloads.is_empty() { "Restart the identity controller." } else { "" },
        ),
        StepFact::CertificateNotBegun { certificate, skew } => say(
            format!("{} is valid only from {}.", named(certificate), screen.exactly(certificate.not_before)),
            format!("The clocks of nodes may differ by {skew}."),
            "",
        ),
        StepFact::RotationExpired { certificate, direction } => {
            rotation_expired(certificate, *direction, screen)
        }
        StepFact::CrossExpired { certificate, instead } => say(
            format!(
                "The cross certificate {} expired {}, and every workload certificate with it.",
                named(certificate),
                screen.when(certificate.not_after)
            ),
            "The published anchors accept the issuer without it; no new anchor is needed.",
            format!(
                "After {instead}, restart the identity controller, linkerd-destination and everything else, in this order."
            ),
        ),
        StepFact::CrossExpiresSoon { certificate, lifetime, direction } => say(
            format!(
                "The cross certificate {} expires {}, less than two lifetimes of a workload certificate ({lifetime} each) from \
                 now.",
                named(certificate),
                screen.when(certificate.not_after)
            ),
            "No workload certificate outlives it.",
            match direction {
                Direction::Forward => "Start a new rotation with --strategy staged in another directory.",
                Direction::Rollback => GO_ON,
            },
        ),
        StepFact::ExpiredAnchorReturns { anchor } => say(
            format!(
                "The step would publish the anchor {} again, which expired on {} and is not published any more.",
                named(anchor),
                screen.when(anchor.not_after)
            ),
            "Another rotation has superseded this one.",
            "Archive this one.",
        ),
        StepFact::UpgradeRevertsBundle { config, issuer, value, why } => say(
            format!(
                "{config} still holds other anchors, which do not accept {}: {}.",
                rotation_issuer(issuer),
                rejected(why, screen)
            ),
            "The next Helm or CLI upgrade publishes them again.",
            format!("Put the published anchors into the value {value} first."),
        ),
        StepFact::UpgradeNotJudged { config, issuer, value, why } => say(
            match why {
                Some(why) => format!("The copy of the anchors in {config} is not known: {why}."),
                None => format!("{config}, which holds a copy of the anchors, is not in the input."),
            },
            format!(
                "The next Helm or CLI upgrade may publish anchors that do not accept {}.",
                rotation_issuer(issuer)
            ),
            format!("Let the input have it, or look whether the value {value} holds the published anchors."),
        ),
        StepFact::LifetimeAssumed { deployment, config, assumed } => say(
            format!(
                "How long workload certificates are valid is not known: neither {deployment} nor {config} is in the input."
            ),
            format!("Linkerd's default of {assumed} is assumed, and old certificates may outlive it."),
            "Let the input have either.",
        ),
        StepFact::RenewalDue { certificate, due, until } => say(
            format!(
                "cert-manager renews {certificate} at {}, before this step is surely loaded everywhere at {}.",
                screen.exactly(*due),
                screen.exactly(*until)
            ),
            "",
            "Let it renew first, or suspend it until the rotation is finished.",
        ),
        StepFact::MountOutdated { object } => say(
            format!("{object} has only just changed: a pod that is created now may still get it as it was."),
            "What restarts now may have to restart again.",
            "",
        ),
        StepFact::IdentityHandover => say(
            "The identity controller has only just restarted: one that was replaced may still sign.",
            "What restarts now may get a certificate of the old one.",
            "",
        ),
        StepFact::InjectorNotRunning { namespace } => say(
            format!("No proxy injector runs in namespace {namespace}."),
            "Pods that restart now start without a proxy, or fail to start.",
            "Start it first.",
        ),
        StepFact::ExternalWorkloadsFirst { names, need } => outside("ExternalWorkloads", names, need),
        StepFact::LinkedClustersFirst { names, need } => outside("linked clusters", names, need),
        StepFact::IssuerSecretUnknown { secret, why } => {
            let what = match why {
                SecretGap::Unread(why) => format!("{secret} is not known: {why}."),
                SecretGap::Absent => format!("{secret} does not exist."),
                SecretGap::CopyOnly => {
                    format!("{secret} was not read, and linkerd-config shows the last render only.")
                }
                SecretGap::Unreadable(why) => format!("The certificates in {secret} cannot be read: {why}."),
            };
            say(what, "", "Give the Secret in the input, or the right to read it.")
        }
        StepFact::ContainersNotSeen { containers } => say(
            format!("No running container {} of the control plane is in the input.", listed(containers)),
            "",
            READ_PODS,
        ),
        StepFact::StartTimeUnknown => say("When some containers started is not known.", "", READ_PODS),
        StepFact::StartedTooEarly { object, containers, seconds } => {
            let who = if containers.is_empty() { "Some containers".to_owned() } else { listed(containers) };
            say(
                match *seconds {
                    1 => format!("{who} started in the same second in which {object} changed."),
                    WATCH_LAG_SECONDS => {
                        format!(
                            "{who} started in pods that were created within {seconds} s of the change of {object}."
                        )
                    }
                    _ => format!("{who} started within {seconds} s after {object} changed."),
                },
                "They may have read it as it was before.",
                if containers.is_empty() { "Restart again what reads it at its start." } else { "" },
            )
        }
        other => note::words(other, screen),
    }
}

const READ_PODS: &str = "Read the cluster, or pods with their status.";
const GO_ON: &str = "Continue the rotation instead.";

/// A fact, what follows from it, and what to do.
fn say(what: impl Into<String>, effect: impl Into<String>, todo: impl Into<String>) -> Words {
    Words { what: what.into(), items: Vec::new(), effect: effect.into(), todo: todo.into() }
}

fn fact_alone(what: impl Into<String>) -> Words {
    say(what, "", "")
}

/// A fact within another one.
fn of_fact(fact: &Fact, screen: &Screen) -> Words {
    super::words(&Finding::new(Severity::Unknown, fact.clone()), screen)
}

/// Half a sentence that follows a colon.
fn rejected(why: &WhyRefused, screen: &Screen) -> String {
    match why {
        WhyRefused::Refusal(why) => refused(why, screen),
        WhyRefused::Unreadable(defect) => format!("the bundle cannot be read, {defect}"),
    }
}

fn order(before: Step, done: u64, of: u64) -> Words {
    let what = match before.stage {
        Stage::Trust | Stage::Signer | Stage::Issuer | Stage::Objects => {
            format!("{before} is not in the cluster yet.")
        }
        Stage::ControlPlane | Stage::DataPlane => format!("{before} is not done yet: {done} of {of}."),
    };
    say(what, "", "Take it first.")
}

fn present_expired(issuer: &CertificateRef, forced: &[Step]) -> Words {
    let what = format!("The present issuer {}, or its anchor, has expired.", named(issuer));
    let todo = if forced.is_empty() {
        "`kubectl l5d-rotate recover` shows what to do.".to_owned()
    } else {
        let steps: Vec<_> = forced.iter().map(ToString::to_string).collect();
        format!(
            "Take {} with --force, then restart the control plane and everything else. This takes downtime.",
            steps.join(", then ")
        )
    };
    say(what, "Nothing is issued until the new issuer is in place.", todo)
}

fn rotation_expired(certificate: &CertificateRef, direction: Direction, screen: &Screen) -> Words {
    let (certificate, expired) = (named(certificate), screen.when(certificate.not_after));
    match direction {
        Direction::Forward => say(
            format!("{certificate} of this rotation expired on {expired}."),
            "",
            "Start a new rotation in another directory.",
        ),
        Direction::Rollback => {
            say(format!("{certificate} expired on {expired}."), "A rollback is not safe any more.", GO_ON)
        }
    }
}

fn outside(who: &str, names: &[String], need: &Need) -> Words {
    let need = match need {
        Need::Anchors(needed) => format!("hold {}", anchors(needed)),
        Need::AnchorOfCross => {
            "hold the anchor that signed the cross certificate, or the new anchor".to_owned()
        }
        Need::Certificates(role) => format!("have workload certificates of {}", issuer_role(*role)),
    };
    say(
        format!("The proxies of {who} must {need} before this step: {}.", listed(names)),
        "Nothing in the input shows it.",
        "",
    )
}

fn whoever_starts(stay: &RotationAnchors, why: &str) -> String {
    format!("Whoever starts with {} alone rejects it: {why}.", anchors(stay))
}

/// `3 proxies (ns/pod, …) present`, or `may still present`.
fn holders(of: &Pods, certain: bool, [one, many]: [&str; 2], [does, they_do]: [&str; 2]) -> String {
    let who = match of.count {
        0 => format!("{} that were not seen", capital(many)),
        _ => pods(of, one, many),
    };
    match (certain, of.count) {
        (false, _) => format!("{who} may still {they_do}"),
        (true, 1) => format!("{who} {does}"),
        (true, _) => format!("{who} {they_do}"),
    }
}

/// `the new issuer d0a84757dcf9`.
fn rotation_issuer(issuer: &RotationIssuer) -> String {
    let fingerprint = issuer.certificate.fingerprint.short();
    match issuer.role {
        IssuerRole::New => format!("the new issuer {fingerprint}"),
        IssuerRole::Old => format!("the old issuer {fingerprint}"),
        IssuerRole::NewWithCross | IssuerRole::NewWithoutCross => issuer_role(issuer.role).to_owned(),
    }
}

const fn issuer_role(role: IssuerRole) -> &'static str {
    match role {
        IssuerRole::New => "the new issuer",
        IssuerRole::NewWithCross => "the new issuer with the cross certificate",
        IssuerRole::NewWithoutCross => "the new issuer without the cross certificate",
        IssuerRole::Old => "the old issuer",
    }
}

/// `the new anchor 2b8f983ee8d1`.
fn anchors(anchors: &RotationAnchors) -> String {
    let which = match anchors.role {
        AnchorRole::New => "new",
        AnchorRole::Old => "old",
        AnchorRole::Present => "present",
    };
    let noun = if anchors.fingerprints.len() == 1 { "anchor" } else { "anchors" };
    let fingerprints: Vec<_> = anchors.fingerprints.iter().map(|one| one.short()).collect();
    format!("the {which} {noun} {}", listed(&fingerprints))
}

const fn does(anchors: &RotationAnchors) -> &'static str {
    if anchors.fingerprints.len() == 1 { "does" } else { "do" }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
