//! The verdict as JSON.

use serde_json::{Value, json};

use super::wording;
use crate::document::ObjectRef;
use crate::pki::Certificate;
use crate::report::CertificateView;
use crate::states::Invariant;
use crate::verify::{Finding, Pair, Party, Place, Restart, Verdict, Verification};

pub(super) fn write(verification: &Verification) -> String {
    let Verification { verdict, changes, findings, pairs } = verification;
    let after = match verdict {
        Verdict::SafeAfter(after) => Some(after),
        _ => None,
    };
    let issuer = changes.issuer.as_ref().map(|change| {
        json!({
            "place": place(&change.place),
            "from": change.from.as_ref().map(CertificateView::from),
            "to": change.to.as_ref().map(CertificateView::from),
        })
    });
    let tree = json!({
        "verdict": wording::word(*verdict),
        "after": after,
        "advice": verification.advice(),
        "changes": {
            "bundle": changes.bundle.as_ref().map(|at| json!({
                "place": place(at), "added": views(&changes.added), "removed": views(&changes.removed),
            })),
            "issuer": issuer,
            "configCopy": changes.copy,
            "restarts": changes.restarts.iter().map(restart).collect::<Vec<_>>(),
            "settings": changes.settings,
        },
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
        "pairs": pairs.iter().map(pair).collect::<Vec<_>>(),
    });
    format!("{tree:#}\n")
}

fn views(certificates: &[Certificate]) -> Vec<CertificateView> {
    certificates.iter().map(CertificateView::from).collect()
}

fn place(place: &Place) -> Value {
    json!({ "object": object(&place.object), "origin": place.origin })
}

fn restart(restart: &Restart) -> Value {
    let Restart { place, place_in, for_trust, .. } = restart;
    json!({ "object": object(&place.object), "origin": place.origin, "plane": place_in, "forTrust": for_trust })
}

fn object(object: &ObjectRef) -> Value {
    let ObjectRef { api_version, kind, namespace, name } = object;
    json!({ "apiVersion": api_version, "kind": kind, "namespace": namespace, "name": name })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "weight": wording::weight(finding.weight),
        "code": finding.code,
        "place": finding.place.as_ref().map(place),
        "text": finding.text,
        "help": finding.help,
    })
}

fn pair(pair: &Pair) -> Value {
    let invariant = match pair.invariant {
        Invariant::ControllerStarts => "controller-starts",
        Invariant::EveryPair => "every-pair",
        Invariant::EveryRenewal => "every-renewal",
        Invariant::ControllerSigns => "controller-signs",
    };
    json!({
        "invariant": invariant,
        "when": pair.when,
        "certain": pair.certain,
        "until": pair.until,
        "reason": pair.reason,
        "verifier": party(&pair.verifier),
        "presenter": party(&pair.presenter),
    })
}

fn party(party: &Party) -> Value {
    json!({
        "certificates": views(&party.certificates),
        "count": party.count,
        "pods": party.pods,
        "workloads": party.workloads.iter().map(object).collect::<Vec<_>>(),
    })
}
