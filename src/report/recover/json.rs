//! A diagnosis for programs.

use serde_json::{Value, json};

use super::super::{CertificateView, Screen, findings};
use super::{headline, remedy};
use crate::pki::Certificate;
use crate::rotation::recover::{Diagnosis, Issuance, Part, Remedy, Signer, Stopped, steps};

pub(super) fn json(diagnosis: &Diagnosis, arguments: &str) -> Value {
    let screen = Screen::utc(diagnosis.at);
    let found: Vec<_> = diagnosis.findings().iter().map(|finding| findings::json(finding, &screen)).collect();
    json!({
        "at": diagnosis.at,
        "text": headline(diagnosis, &screen).1,
        "expired": parts(&diagnosis.expired),
        "valid": parts(&diagnosis.valid),
        "workloadCertificateLifetime": diagnosis.workload_certificate_lifetime,
        "issuance": issuance(diagnosis),
        "findings": found,
        "remedy": cure(diagnosis, &screen),
        "next": remedy::next(diagnosis, arguments),
    })
}

fn parts(parts: &[Part]) -> Value {
    parts
        .iter()
        .map(|part| json!({"role": part.role, "certificate": CertificateView::from(&part.certificate)}))
        .collect()
}

fn fingerprints<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> Value {
    certificates.into_iter().map(|one| json!(one.fingerprint())).collect()
}

fn issuance(diagnosis: &Diagnosis) -> Value {
    match &diagnosis.issuance {
        Issuance::Works { until } => json!({"state": "works", "until": until}),
        Issuance::Refused(refusal) => json!({"state": "refused", "refusal": refusal}),
        Issuance::Unknown => json!({"state": "unknown"}),
        Issuance::Stopped(stopped) => stop(diagnosis, stopped),
    }
}

fn stop(diagnosis: &Diagnosis, stopped: &Stopped) -> Value {
    let without = &stopped.without_certificate;
    json!({
        "state": "stopped",
        "since": stopped.since,
        "exact": stopped.exact,
        "because": fingerprints(stopped.because.iter().map(|part| &part.certificate)),
        "identityStarts": stopped.no_start.is_none(),
        "workloadCertificates": {
            "remaining": stopped.presented.left(diagnosis.at),
            "firstExpires": stopped.presented.first,
            "lastExpires": stopped.presented.last,
        },
        "proxiesWithoutCertificate": {
            "count": without.count,
            "startUnknown": without.start_unknown,
            "workloads": without.workloads,
        },
    })
}

fn cure(diagnosis: &Diagnosis, screen: &Screen) -> Value {
    let signers = match &diagnosis.remedy {
        Remedy::None => return json!({"kind": "none"}),
        Remedy::Prune => return json!({"kind": "prune"}),
        Remedy::Repair => return json!({"kind": "repair"}),
        Remedy::Unknown => return json!({"kind": "unknown"}),
        Remedy::Replace(signers) => signers,
    };
    let alone = diagnosis.eligible().next().is_some();
    let managed: Vec<_> =
        diagnosis.managed.iter().map(|(object, owner)| json!({"object": object, "owner": owner})).collect();
    json!({
        "kind": if alone { "issuer-alone" } else { "anchor-and-issuer" },
        "anchors": signers.iter().map(signer).collect::<Vec<_>>(),
        "unneededIntermediates": fingerprints(&diagnosis.unneeded),
        "renewableAnchors": fingerprints(&diagnosis.renewable),
        "steps": steps(alone).iter().map(ToString::to_string).collect::<Vec<_>>(),
        "downtime": remedy::downtime(diagnosis, alone, screen),
        "managed": managed,
    })
}

fn signer(signer: &Signer) -> Value {
    json!({
        "fingerprint": signer.anchor.fingerprint(),
        "name": signer.anchor.name(),
        "notAfter": signer.anchor.facts().not_after,
        "signedPresentIssuer": signer.signed_present,
        "eligibility": signer.eligibility,
    })
}
