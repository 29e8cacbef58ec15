//! A diagnosis as data.

use serde_json::{Value, json};

use super::super::{CertificateView, Clock};
use super::{next, words};
use crate::rotation::recover::{Candidate, Diagnosis, Issuance, Left, Part, Standing, Way, steps};

pub(super) fn json(diagnosis: &Diagnosis, arguments: &str) -> Value {
    let parts = |parts: &[Part]| parts.iter().map(part).collect::<Vec<_>>();
    json!({
        "at": diagnosis.at,
        "says": words::headline(diagnosis, &Clock::utc(diagnosis.at)),
        "expired": parts(&diagnosis.expired),
        "valid": parts(&diagnosis.valid),
        "leafLife": diagnosis.workload_certificate_lifetime,
        "issuance": issuance(diagnosis),
        "wayBack": way(diagnosis),
        "alsoBroken": diagnosis.also,
        "unknown": diagnosis.unknown,
        "unseen": diagnosis.unseen,
        "next": next::commands(diagnosis, arguments),
    })
}

fn part(part: &Part) -> Value {
    json!({"role": words::role(part.role), "certificate": CertificateView::from(&part.certificate)})
}

fn issuance(diagnosis: &Diagnosis) -> Value {
    match &diagnosis.issuance {
        Issuance::Works { until } => json!({"is": "works", "until": until}),
        Issuance::Refused(refusal) => json!({"is": "refused", "reason": refusal.to_string()}),
        Issuance::Unknown => json!({"is": "unknown"}),
        Issuance::Stopped(stopped) => json!({
            "is": "stopped",
            "since": stopped.since,
            "exact": stopped.exact,
            "because": stopped.because.iter().map(|part| json!(part.certificate.fingerprint())).collect::<Vec<_>>(),
            "controllerStarts": stopped.no_start.is_none(),
            "leaves": {
                "left": match stopped.presented.left(diagnosis.at) {
                    Left::All => "all",
                    Left::Some => "some",
                    Left::None => "none",
                },
                "firstEnds": stopped.presented.first,
                "lastEnds": stopped.presented.last,
            },
            "proxiesStartedSince": stopped.without_certificate.count,
            "proxiesOfUnknownStart": stopped.without_certificate.unknown,
            "workloads": stopped.without_certificate.workloads,
        }),
    }
}

fn way(diagnosis: &Diagnosis) -> Value {
    match &diagnosis.way {
        Way::Nothing => json!({"is": "nothing"}),
        Way::Prune => json!({"is": "prune"}),
        Way::Repair => json!({"is": "repair"}),
        Way::Unknown => json!({"is": "unknown"}),
        Way::Replace(candidates) => {
            let alone = diagnosis.fit().next().is_some();
            json!({
                "is": if alone { "issuerAlone" } else { "anchorAndIssuer" },
                "anchors": candidates.iter().map(candidate).collect::<Vec<_>>(),
                "withoutFromIssuerFile": diagnosis.trim.iter().map(|one| json!(one.fingerprint())).collect::<Vec<_>>(),
                "renewableAnchors": diagnosis.renewable.iter().map(|one| json!(one.fingerprint())).collect::<Vec<_>>(),
                "steps": steps(alone).iter().map(ToString::to_string).collect::<Vec<_>>(),
                "says": words::downtime(diagnosis, alone, &Clock::utc(diagnosis.at)),
                "automated": diagnosis.automated.iter()
                    .map(|(object, owner)| json!({"object": object.to_string(), "owner": owner.to_string()}))
                    .collect::<Vec<_>>(),
            })
        }
    }
}

fn candidate(candidate: &Candidate) -> Value {
    let standing = match &candidate.standing {
        Standing::Fit => json!({"is": "fit"}),
        Standing::FitUnseen => json!({"is": "fitUnseen"}),
        Standing::NotBefore(begin) => json!({"is": "notBefore", "begins": begin}),
        Standing::NotACa => json!({"is": "notACa"}),
        Standing::Lacking { proxies, sample } => {
            json!({"is": "lacking", "proxies": proxies, "sample": sample})
        }
    };
    json!({
        "fingerprint": candidate.anchor.fingerprint(),
        "name": candidate.anchor.name(),
        "notAfter": candidate.anchor.facts().not_after,
        "signedPresentIssuer": candidate.signed_present,
        "standing": standing,
    })
}
