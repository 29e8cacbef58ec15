//! The verdict as JSON.

use serde_json::{Value, json};

use super::wording;
use crate::finding::CertificateRef;
use crate::pki::Certificate;
use crate::report::{Screen, findings};
use crate::verify::{Restart, Verdict, Verification};

pub(super) fn write(verification: &Verification, screen: &Screen) -> String {
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
        })
    });
    let bundle = changes.bundle.as_ref().map(|place| {
        json!({"place": place, "added": references(&changes.added), "removed": references(&changes.removed)})
    });
    let advice = verification.advice();
    let tree = json!({
        "schema": "l5d-rotate/verify/v1",
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
    });
    format!("{tree:#}\n")
}

fn references(certificates: &[Certificate]) -> Vec<CertificateRef> {
    certificates.iter().map(CertificateRef::from).collect()
}

fn restart(restart: &Restart) -> Value {
    let Restart { place, place_in, for_trust, .. } = restart;
    json!({"place": place, "plane": place_in, "forTrust": for_trust})
}
