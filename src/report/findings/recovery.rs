//! What has expired, in words.

use jiff::Timestamp;

use super::refusal::refused;
use super::{Explanation, Words, listed, named};
use crate::document::ObjectRef;
use crate::finding::{CertificateRole, PlacedCertificate, RecoveryFact};
use crate::pki::Refusal;
use crate::report::Screen;
use crate::report::words::count;
use crate::states::Invariant;

pub(super) fn words(fact: &RecoveryFact, screen: &Screen) -> Words {
    match fact {
        RecoveryFact::ExpiredUnused { certificate } => Words {
            what: format!(
                "Trust anchor {} expired {} and is still published.",
                named(certificate),
                screen.when(certificate.not_after)
            ),
            effect: "Nothing depends on it, but `linkerd check` fails until it is removed.".to_owned(),
            ..Words::default()
        },
        RecoveryFact::IssuanceStopped { since, exact, because } => {
            issuance_stopped(*since, *exact, because, screen)
        }
        RecoveryFact::IssuerRefused { refusal, .. } => Words {
            what: format!(
                "The published bundle does not accept the issuer: {}.",
                refused(refusal, screen)
            ),
            effect: "An identity controller that starts now fails. Those that run may still sign with the issuer before it."
                .to_owned(),
            ..Words::default()
        },
        RecoveryFact::NoWorkloadCertificate { count, workloads, start_unknown } => {
            no_workload_certificate(*count, workloads, *start_unknown)
        }
        RecoveryFact::WorkloadCertificatesExpiring { first, last } => Words {
            what: format!(
                "Workload certificates expire since {}, the last {}.",
                screen.when(*first),
                screen.when(*last)
            ),
            effect: "All proxies reject a proxy whose certificate has expired.".to_owned(),
            ..Words::default()
        },
        RecoveryFact::WorkloadCertificatesExpired { last } => Words {
            what: format!("Every workload certificate has expired, the last {}.", screen.when(*last)),
            effect: "Every new connection between proxies fails. Open connections work until they close."
                .to_owned(),
            ..Words::default()
        },
        RecoveryFact::ChainRejected { fails, refusal } => chain_rejected(fails, refusal, screen),
        RecoveryFact::MadeByController { object, owner } => Words {
            what: format!("{owner} makes {object}."),
            effect: "It would revert a change of that object.".to_owned(),
            todo: "Change what it makes the object from instead.".to_owned(),
            ..Words::default()
        },
    }
}

/// The role of a certificate, as in `trust anchor root.linkerd.cluster.local`.
#[must_use]
pub const fn role(role: CertificateRole) -> &'static str {
    match role {
        CertificateRole::TrustAnchor => "trust anchor",
        CertificateRole::Issuer => "issuer",
        CertificateRole::Intermediate => "intermediate",
    }
}

fn issuance_stopped(since: Timestamp, exact: bool, because: &[PlacedCertificate], screen: &Screen) -> Words {
    let expired: Vec<_> =
        because.iter().map(|one| format!("{} {}", role(one.role), named(&one.certificate))).collect();
    let at_the_latest = if exact { "" } else { " at the latest" };
    Words {
        what: format!(
            "No workload certificate is issued since {}{at_the_latest}: then {} expired.",
            screen.when(since),
            expired.join(" and ")
        ),
        ..Words::default()
    }
}

fn no_workload_certificate(started: u64, workloads: &[ObjectRef], start_unknown: u64) -> Words {
    let proxies = |number| count(number, "proxy", "proxies");
    let unknown = match start_unknown {
        0 => String::new(),
        1 => "Of 1 proxy it is not known when it started.".to_owned(),
        number => format!("Of {} it is not known when they started.", proxies(number)),
    };
    let what = match started {
        0 => "Proxies that started since have no workload certificate.".to_owned(),
        1 => "1 proxy started since and has no workload certificate.".to_owned(),
        number => format!("{} started since and have no workload certificate.", proxies(number)),
    };
    let items = if workloads.is_empty() { Vec::new() } else { vec![listed(workloads)] };
    Words { what, items, effect: unknown, ..Words::default() }
}

fn chain_rejected(fails: &[Invariant], refusal: &Refusal, screen: &Screen) -> Words {
    let effects: Vec<_> = fails
        .iter()
        .map(|invariant| match invariant {
            Invariant::ControllerStarts => "An identity controller that starts now fails.",
            Invariant::EveryPair => "Proxies reject each other.",
            Invariant::EveryRenewal => "Proxies reject the workload certificates that they get.",
            Invariant::ControllerSigns => "The identity controller refuses its own issuer.",
            Invariant::EveryRequest => {
                "The identity pods' proxies reject proxies that ask for their next workload certificate: restart those before \
                 the one that they have expires."
            }
        })
        .collect();
    let refusal = refused(refusal, screen);
    let mut letters = refusal.chars();
    let what = letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
    Words { what: format!("{what}."), effect: effects.join(" "), ..Words::default() }
}

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "expired-unused",
        means: "A published trust anchor has expired, and no certificate in use depends on it.",
        matters: "The mesh works: proxies do not look at the validity of an anchor, and the identity controller has another \
                  one. But `linkerd check` fails.",
        act: "Remove it from the published bundle in an ordinary commit, with phase prune of the rotation that brought its \
              successor, or manually. There is no hurry.",
        example: "kubectl l5d-rotate verify --proposed FILE",
        source: "Go checks the validity of roots, rustls-webpki does not; Linkerd's check \
                 l5d-identity-trustAnchors-are-time-valid.",
    },
    Explanation {
        code: "issuance-stopped",
        means: "The identity controller issues no workload certificate that proxies accept, because something that it needs \
                has expired.",
        matters: "Proxies renew their certificate once a day. Without a new one each goes down when the one it has expires: \
                  within 24 hours by default. A proxy that starts gets none at all.",
        act: "Restart nothing. Run `recover`: it tells until when the mesh works, and whether the private key of an anchor \
              saves you the downtime.",
        example: "kubectl l5d-rotate recover --dir recovery",
        source: "https://linkerd.io/2/tasks/replacing_expired_certificates/",
    },
    Explanation {
        code: "issuer-refused",
        means: "The published bundle does not accept the issuer in the Secret, and did not before anything expired.",
        matters: "An identity controller that restarts fails. One that runs keeps the issuer that it loaded before, so \
                  that all looks well until it restarts.",
        act: "Put back an issuer that the bundle accepts, or publish the issuer's trust anchor too.",
        example: "kubectl l5d-rotate check -o short",
        source: "controller/identity in linkerd2: the issuer is verified against the anchors at the start, and again when the \
                 Secret changes (event IssuerUpdateSkipped).",
    },
    Explanation {
        code: "no-workload-certificate",
        means: "Proxies started after issuance stopped, and wait for a workload certificate.",
        matters: "Their pods do not become ready, and no other proxy talks to them.",
        act: "Restart them once the new issuer is loaded.",
        example: "kubectl l5d-rotate recover",
        source: "A proxy asks for its first certificate when it starts (linkerd2-proxy, \
                 `linkerd/proxy/identity-client/src/certify.rs`).",
    },
    Explanation {
        code: "workload-certificates-expiring",
        means: "Issuance has stopped, and the workload certificates in use expire one after the other.",
        matters: "All proxies reject a proxy whose certificate has expired. Connections that are open work until they close.",
        act: "Run `recover`, and merge its steps before the last certificate expires.",
        example: "kubectl l5d-rotate recover --dir recovery",
        source: "A proxy renews after 70% of the lifetime and keeps the old certificate when that fails (linkerd2-proxy, \
                 `linkerd/proxy/identity-client/src/certify.rs`).",
    },
    Explanation {
        code: "workload-certificates-expired",
        means: "Issuance has stopped, and every workload certificate has expired.",
        matters: "Every new connection between proxies fails. Connections that are open work until they close.",
        act: "Run `recover`, and merge its steps one right after the other.",
        example: "kubectl l5d-rotate recover --dir recovery",
        source: "https://linkerd.io/2/tasks/replacing_expired_certificates/",
    },
    Explanation {
        code: "chain-rejected",
        means: "Nothing has expired, and yet one side of the mesh does not accept a certificate that the other presents.",
        matters: "What fails depends on the side: a start of the identity controller, a renewal, or connections between \
                  proxies.",
        act: "`check` tells what mends it.",
        example: "kubectl l5d-rotate check -o short",
        source: "Go's crypto/x509 for the identity controller, rustls-webpki for proxies.",
    },
    Explanation {
        code: "made-by-controller",
        means: "cert-manager or trust-manager makes an object with trust material.",
        matters: "It reverts what is merged for that object, also an anchor or issuer that was to mend the mesh.",
        act: "Find out why the controller did not renew in time, and change what it makes the object from.",
        example: "kubectl describe certificate -n linkerd linkerd-identity-issuer",
        source: "https://linkerd.io/2/tasks/automatically-rotating-control-plane-tls-credentials/",
    },
];
