//! A diagnosis for programs.

use serde_json::{Value, json};

use super::super::{CertificateView, Screen, findings};
use super::remedy::Told;
use super::{RESTART_NOTHING, headline, remedy, restarts_nothing, still_works};
use crate::pki::Certificate;
use crate::rotation::recover::{Diagnosis, Issuance, Part, Remedy, Signer, Stopped};

pub(super) fn json(diagnosis: &Diagnosis, arguments: &str) -> Value {
    let screen = Screen::utc(diagnosis.at);
    let found: Vec<_> = diagnosis.findings().iter().map(|finding| findings::json(finding, &screen)).collect();
    let (verdict, text) = headline(diagnosis, &screen);
    json!({
        "schema": "l5d-rotate/recover/v1",
        "at": diagnosis.at,
        "verdict": verdict.to_lowercase().replace(' ', "-"),
        "text": text,
        "warning": restarts_nothing(diagnosis).then_some(RESTART_NOTHING),
        "expired": parts(&diagnosis.expired),
        "valid": parts(&diagnosis.valid),
        "workloadCertificateLifetime": diagnosis.workload_certificate_lifetime,
        "issuance": issuance(diagnosis),
        "stillWorks": still_works(diagnosis, &screen),
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
    let alone = diagnosis.eligible().next().is_some();
    let kind = match &diagnosis.remedy {
        Remedy::None => "none",
        Remedy::Prune => "prune",
        Remedy::RemoveExpired => "remove-expired",
        Remedy::Repair => "repair",
        Remedy::Unknown => "unknown",
        Remedy::Replace(_) if alone => "issuer-alone",
        Remedy::Replace(_) => "anchor-and-issuer",
    };
    let Some(Told { title, paragraphs, steps, .. }) = remedy::remedy(diagnosis, screen) else {
        return json!({"kind": kind});
    };
    let mut cure = json!({"kind": kind, "title": title, "paragraphs": paragraphs});
    if diagnosis.remedy == Remedy::RemoveExpired {
        cure["unneededIntermediates"] = fingerprints(&diagnosis.unneeded);
    }
    if let Remedy::Replace(signers) = &diagnosis.remedy {
        let steps = steps.iter().map(|[step, does, when]| json!({"step": step, "does": does, "when": when}));
        let managed =
            diagnosis.managed.iter().map(|(object, owner)| json!({"object": object, "owner": owner}));
        cure["anchors"] = signers.iter().map(signer).collect();
        cure["renewableAnchors"] = fingerprints(&diagnosis.renewable);
        cure["steps"] = steps.collect();
        cure["downtime"] = json!(remedy::downtime(diagnosis, alone, screen));
        cure["renewal"] = json!(remedy::renewable(diagnosis));
        cure["managed"] = managed.collect();
    }
    cure
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
