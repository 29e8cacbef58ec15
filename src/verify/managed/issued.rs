//! What cert-manager issues again after a change, and what its Secrets then hold (`internal/controller/certificates/policies`,
//! 1.14 to 1.21).

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Change, manifest};
use crate::finding::IssuedAgain;
use crate::mesh::{CertManagerCertificate, GoDuration, Mesh};
use crate::pki::Certificate;

/// The certificate that a Secret of cert-manager holds after the change.
#[derive(Clone)]
pub(super) enum Held {
    /// As before.
    Known(Certificate),
    /// One that nobody has seen yet.
    New,
    /// Made by somebody else, or by a request that was not seen.
    Unknown,
}

impl Change<'_> {
    /// What the Secret of this name holds after the change, in the namespace of the Certificates that make the anchors.
    pub(super) fn held(&self, secret: &str, near: Option<&str>) -> Option<Held> {
        let of = |mesh: &'_ Mesh| {
            let is_it = |one: &&CertManagerCertificate| {
                one.secret == secret && near.is_none_or(|near| one.object.namespace == near)
            };
            // Of two for one Secret, the one that has made it goes on to.
            let is_known = |one: &&CertManagerCertificate| self.current.certificate(&one.object).is_some();
            let mut all = mesh.certificates.iter().filter(is_it);
            let first = all.clone().next();
            all.find(is_known).or(first).cloned()
        };
        match (of(self.current), of(self.proposed)) {
            (None, None) => None,
            (_, Some(certificate)) => Some(match self.issued_again(&certificate) {
                Some(_) => Held::New,
                None => self.issued(&certificate).map_or(Held::Unknown, Held::Known),
            }),
            // Whether its Secret stays depends on a flag of cert-manager (`--enable-certificate-owner-ref`).
            (Some(_), None) => Some(Held::Unknown),
        }
    }

    fn issued(&self, certificate: &CertManagerCertificate) -> Option<Certificate> {
        self.current.certificate(&certificate.object)?.issued().cloned()
    }

    /// Why cert-manager issues a Certificate again as soon as it sees the change; of a new one, that it is new.
    pub(super) fn issued_again(&self, after: &CertManagerCertificate) -> Option<IssuedAgain> {
        let Some(before) = self.current.certificate(&after.object) else {
            let writes_it = |one: &&CertManagerCertificate| {
                one.secret == after.secret && one.object.namespace == after.object.namespace
            };
            let renamed = self.current.certificates.iter().find(writes_it);
            return Some(
                renamed
                    .map_or(IssuedAgain::New, |before| IssuedAgain::Renamed { from: before.object.clone() }),
            );
        };
        let is_same = match (&before.signer, &after.signer) {
            (Some(one), Some(other)) => one.is_same(other),
            (one, other) => one == other,
        };
        if !is_same {
            return Some(IssuedAgain::Field { field: "spec.issuerRef" });
        }
        let [was, is] = [self.current, self.proposed].map(|mesh| manifest(mesh, &after.object));
        let (was, is) = (was?, is?);
        let apart = FIELDS.iter().find(|(pointer, _)| differs(was, is, pointer));
        if let Some((_, field)) = apart {
            return Some(IssuedAgain::Field { field });
        }
        let issued = before.issued()?;
        let due = |tree: &Value| renewal(tree, issued).is_some_and(|due| due <= self.at);
        (due(is) && !due(was)).then_some(IssuedAgain::Due)
    }
}

/// Does a Certificate ask for the same, but for how long?
pub(super) fn asks_the_same(was: &Value, is: &Value) -> bool {
    FIELDS.iter().all(|(pointer, _)| *pointer == DURATION || !differs(was, is, pointer))
}

const DURATION: &str = "/spec/duration";

/// What cert-manager compares of a Certificate with its Secret and with its latest request (`RequestMatchesSpec`).
const FIELDS: [(&str, &str); 14] = [
    ("/spec/secretName", "spec.secretName"),
    ("/spec/privateKey/algorithm", "spec.privateKey.algorithm"),
    ("/spec/privateKey/size", "spec.privateKey.size"),
    ("/spec/commonName", "spec.commonName"),
    ("/spec/dnsNames", "spec.dnsNames"),
    ("/spec/ipAddresses", "spec.ipAddresses"),
    ("/spec/uris", "spec.uris"),
    ("/spec/emailAddresses", "spec.emailAddresses"),
    ("/spec/otherNames", "spec.otherNames"),
    ("/spec/subject", "spec.subject"),
    ("/spec/literalSubject", "spec.literalSubject"),
    ("/spec/isCA", "spec.isCA"),
    ("/spec/usages", "spec.usages"),
    (DURATION, "spec.duration"),
];

fn differs(was: &Value, is: &Value, pointer: &str) -> bool {
    let of = |tree: &'_ Value| tree.pointer(pointer).filter(|value| !value.is_null()).cloned();
    let duration = |value: &Option<Value>| value.as_ref()?.as_str()?.parse::<GoDuration>().ok();
    let (was, is) = (of(was), of(is));
    was != is && (duration(&was).is_none() || duration(&was) != duration(&is))
}

/// When time alone renews a certificate (`pkg/util/pki/renewaltime.go`).
fn renewal(tree: &Value, issued: &Certificate) -> Option<Timestamp> {
    let text = |pointer: &str| tree.pointer(pointer).and_then(Value::as_str);
    if text("/spec/renewal/policy") == Some("Disabled") {
        return None;
    }
    let told = text("/spec/renewBefore").and_then(|text| text.parse::<GoDuration>().ok()).map(|told| told.0);
    let share = tree.pointer("/spec/renewBeforePercentage").and_then(Value::as_i64);
    let facts = issued.facts();
    renewed_at([facts.not_before, facts.not_after], told, share)
}

/// The same of what a Certificate says: `renewBefore`, and `renewBeforePercentage`.
fn renewed_at(
    [begin, end]: [Timestamp; 2],
    before: Option<SignedDuration>,
    share: Option<i64>,
) -> Option<Timestamp> {
    let life = begin.duration_until(end);
    let share = share.map(|share| SignedDuration::from_secs(life.as_secs() * share / 100));
    let is_within = |before: &SignedDuration| before.is_positive() && *before < life;
    let before = before.filter(is_within).or(share.filter(is_within)).unwrap_or(life / 3);
    end.checked_sub(before).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What packages of cert-manager 1.21.2 (Apache-2.0) made of these inputs.
    fn verdicts() -> Value {
        serde_json::from_str(include_str!("../../../testdata/cert-manager/verdicts.json")).unwrap()
    }

    #[test]
    fn a_certificate_is_renewed_when_cert_manager_renews_it() {
        for one in verdicts()["renewals"].as_array().unwrap() {
            let at = |key: &str| one[key].as_str().unwrap().parse::<Timestamp>().unwrap();
            let before = one["renewBefore"].as_str().map(|text| text.parse::<GoDuration>().unwrap().0);
            let share = one["renewBeforePercentage"].as_i64();
            let ours = renewed_at([at("notBefore"), at("notAfter")], before, share).unwrap();
            let apart = ours.duration_until(at("renewal")).abs();
            assert!(apart <= SignedDuration::from_secs(1), "{one}: {ours}");
        }
    }
}
