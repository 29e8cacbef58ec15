//! The verdict as JSON.

use serde_json::{Value, json};

use super::{Judged, wording};
use crate::finding::CertificateRef;
use crate::pki::Certificate;
use crate::report::{Screen, findings};
use crate::verify::{Restart, Verdict, Verification};

/// The worst verdict; where there are several clusters, each under `units`.
pub(super) fn write(judged: &[&Judged], screen: &Screen) -> String {
    let trees: Vec<Value> = judged.iter().map(|one| tree(one, screen)).collect();
    let mut worst = trees.first().cloned().unwrap_or_else(|| json!({}));
    if trees.len() > 1 {
        worst["units"] = trees.into();
    }
    worst["schema"] = "l5d-rotate/verify/v1".into();
    format!("{worst:#}\n")
}

fn tree(judged: &Judged, screen: &Screen) -> Value {
    let Judged { unit, verification, .. } = judged;
    let Verification { verdict, changes, findings } = verification;
    let after = match verdict {
        Verdict::SafeAfter(after) => Some(after),
        _ => None,
    };
    let issuer = changes.issuer.as_ref().map(|change| {
        json!({
            "place": change.place,
            "from": change.from.as_ref().map(CertificateRef::from),
            "to": change.to.as_ref().map(CertificateRef::from),
            "endsWith": change.ends_with.as_ref().map(CertificateRef::from),
        })
    });
    let bundle = changes.bundle.as_ref().map(|place| {
        json!({"place": place, "added": references(&changes.added), "removed": references(&changes.removed)})
    });
    let advice = verification.advice();
    json!({
        "unit": unit,
        "verdict": wording::word(*verdict),
        "text": wording::headline(verification, &Screen::utc(screen.at)).1,
        "after": after,
        "advice": advice.map(|advice| json!({"code": advice, "text": wording::advice(advice)})),
        "changes": {
            "bundle": bundle,
            "issuer": issuer,
            "configCopy": changes.copy,
            "restarts": changes.restarts.iter().map(restart).collect::<Vec<_>>(),
            "settings": changes.settings,
            "identityAnchors": changes.identity,
            "sources": changes.sources.iter().map(|(place, source)| json!({"place": place, "source": source})).collect::<Vec<_>>(),
        },
        "findings": findings.iter().map(|one| findings::json(one, screen)).collect::<Vec<_>>(),
    })
}

fn references(certificates: &[Certificate]) -> Vec<CertificateRef> {
    certificates.iter().map(CertificateRef::from).collect()
}

fn restart(restart: &Restart) -> Value {
    let Restart { place, place_in, for_trust, .. } = restart;
    json!({"place": place, "plane": place_in, "forTrust": for_trust})
}
