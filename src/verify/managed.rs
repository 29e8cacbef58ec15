//! What cert-manager and trust-manager make of changed objects of theirs, so that a change of these is judged by its certificates.
//!
//! What makes cert-manager issue again: `internal/controller/certificates/policies` (1.14 to 1.21); what a Bundle publishes:
//! `pkg/bundle` of trust-manager.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::changes::{chain, place, reading, text};
use crate::document::ObjectRef;
use crate::finding::{CertificateRef, ChangeFact, Finding, IssuedAgain, Severity};
use crate::mesh::{
    BundleSource, CertManagerCertificate, CertManagerIssuer, GoDuration, Known, Mesh, SignsWith, TrustBundle,
};
use crate::pki::pem::{Defect, DefectKind};
use crate::pki::{Bundle, BundleText, Certificate, IssuerChain, Rules, accepts};
use crate::source::{Renderer, Unjudged};

/// What they make of a change.
pub struct Controllers {
    /// The proposed mesh with the bundle and the issuer that come of it.
    pub proposed: Mesh,
    /// What speaks against it.
    pub findings: Vec<Finding>,
    /// The objects that were understood.
    understood: Vec<ObjectRef>,
}

impl Controllers {
    /// Is it known what comes of an object?
    #[must_use]
    pub fn understand(&self, unjudged: &Unjudged) -> bool {
        let is_theirs = matches!(
            unjudged.renderer,
            Renderer::CertManager | Renderer::CertManagerIssuer | Renderer::TrustManager
        );
        let object = unjudged.object();
        is_theirs && object.is_some_and(|object| self.understood.iter().any(|known| known.is_same(&object)))
    }
}

/// The certificate that a Secret of cert-manager holds after the change.
#[derive(Clone)]
enum Held {
    /// As before.
    Known(Certificate),
    /// One that nobody has seen yet.
    New,
    /// Made by somebody else, or by a request that was not seen.
    Unknown,
}

/// What comes of a change of these objects; `None` where the mesh has none, or nothing of them changes.
#[must_use]
pub fn controllers(current: &Mesh, proposed: &Mesh, at: Timestamp) -> Option<Controllers> {
    let both = [current, proposed];
    let is_there = |mesh: &&Mesh| mesh.issuer_certificate().is_some() || mesh.trust_bundle.is_some();
    let same = current.certificates_as_declared() == proposed.certificates_as_declared();
    if same || !both.iter().any(is_there) {
        return None;
    }
    let change = Change { current, proposed, at };
    let mut made = Controllers { proposed: proposed.clone(), findings: Vec::new(), understood: Vec::new() };
    change.publish(&mut made);
    change.sign(&mut made);
    made.understood.extend(change.understood());
    Some(made)
}

struct Change<'a> {
    current: &'a Mesh,
    proposed: &'a Mesh,
    at: Timestamp,
}

impl Change<'_> {
    /// The Certificates whose way of being issued is known, the Issuers that sign them, and the Bundle: as far as they made the
    /// certificates before the change, and on both sides of it.
    fn understood(&self) -> Vec<ObjectRef> {
        let mut known = Vec::new();
        let sides = [self.current, self.proposed];
        if let Some(issuer) = self.current.issuer_certificate() {
            let certificates = sides.iter().flat_map(|mesh| &mesh.certificates).map(|one| &one.object);
            let signers = sides.iter().flat_map(|mesh| &mesh.certificate_issuers).map(|one| &one.object);
            let is_plain = |object: &&ObjectRef| {
                sides.iter().all(|mesh| is_inside(mesh, object))
                    && (!object.is_same(&issuer.object) || self.issuer_stays_one())
                    && !self.is_second(object)
            };
            known.extend(certificates.chain(signers).filter(is_plain).cloned());
        }
        if let (Some(before), Some(after)) = (&self.current.trust_bundle, &self.proposed.trust_bundle) {
            let reads = |bundle: &TrustBundle| !bundle.sources.contains(&BundleSource::Other);
            if reads(before) && reads(after) && self.target_stays(&before.object) {
                known.push(before.object.clone());
            }
        } else if let Some(before) = &self.current.trust_bundle {
            known.push(before.object.clone());
        }
        known
    }

    /// Does another Certificate than before write the issuer's Secret?
    fn is_second(&self, object: &ObjectRef) -> bool {
        let namespace = &self.current.control_plane.namespace;
        let writes = |mesh: &Mesh| mesh.certificate(object).is_some_and(|one| one.writes_issuer(namespace));
        writes(self.proposed) && !writes(self.current)
    }

    /// Does the Certificate of the issuer still make a CA of the same kind, that lives as long as a workload certificate at least?
    fn issuer_stays_one(&self) -> bool {
        let Some(before) = self.current.issuer_certificate() else { return false };
        let Some(after) = self.proposed.certificate(&before.object) else { return true };
        let [was, is] = [self.current, self.proposed].map(|mesh| manifest(mesh, &before.object));
        let (Some(was), Some(is)) = (was, is) else { return false };
        let same = FIELDS.iter().all(|(pointer, _)| *pointer == DURATION || !differs(was, is, pointer));
        let least = self.current.control_plane.workload_certificate_lifetime();
        same && after.duration.is_none_or(|duration| duration.0 >= least)
    }

    /// Does the Bundle write the same ConfigMap in the same namespaces?
    fn target_stays(&self, bundle: &ObjectRef) -> bool {
        let [was, is] = [self.current, self.proposed].map(|mesh| {
            let mut spec =
                manifest(mesh, bundle).and_then(|tree| tree.get("spec")).cloned().unwrap_or_default();
            spec.as_object_mut().and_then(|spec| spec.shift_remove("sources"));
            spec
        });
        was == is
    }

    /// What the Secret of this name holds after the change, in the namespace of the Certificates that make the anchors.
    fn held(&self, secret: &str, near: Option<&str>) -> Option<Held> {
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
    fn issued_again(&self, after: &CertManagerCertificate) -> Option<IssuedAgain> {
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

    /// The bundle that trust-manager publishes.
    fn publish(&self, made: &mut Controllers) {
        let (Some(before), after) = (&self.current.trust_bundle, &self.proposed.trust_bundle) else { return };
        let Some(after) = after else {
            let place = place(self.proposed, self.current, &before.object);
            let fact = ChangeFact::TrustBundleRemoved { bundle: before.object.clone() };
            made.findings.push(Finding::new(Severity::Error, fact).at(place));
            return;
        };
        let at = place(self.proposed, self.current, &after.object);
        let published = text(self.current).and_then(reading);
        let mut certain: Vec<Certificate> = Vec::new();
        let mut open = false;
        for source in &after.sources {
            match self.source(source) {
                Ok(Some(anchors)) => certain.extend(anchors),
                Ok(None) => open = true,
                Err(defect) => {
                    let fact = ChangeFact::SourceUnreadable { defect };
                    made.findings.push(Finding::new(Severity::Error, fact).at(at.clone()));
                }
            }
        }
        let keeps_all = before.sources.iter().all(|source| after.sources.contains(source));
        let nothing_is_lost = keeps_all && !self.loses_an_anchor(before);
        if let Some(published) = published.filter(|_| nothing_is_lost) {
            certain.extend(published.anchors().iter().cloned());
        } else if open {
            let fact = ChangeFact::SourceNotKnown { bundle: after.object.clone() };
            made.findings.push(Finding::new(Severity::Unknown, fact).at(at.clone()));
        }
        let Some(bundle) = Bundle::new(certain) else {
            if open {
                return;
            }
            let fact = ChangeFact::TrustBundleRemoved { bundle: after.object.clone() };
            made.findings.push(Finding::new(Severity::Error, fact).at(at));
            return;
        };
        let is_new = published.is_none_or(|published| !published.same_set(&bundle));
        if let Known::Is(text) = &mut made.proposed.trust.published
            && is_new
        {
            text.text = BundleText::read(bundle.to_pem());
        }
    }

    /// Is a Certificate issued again whose Secret is one of the sources?
    fn loses_an_anchor(&self, bundle: &TrustBundle) -> bool {
        bundle.secrets().any(|secret| matches!(self.held(secret, None), Some(Held::New)))
    }

    /// The certificates of a source; `None` where they are not known.
    fn source(&self, source: &BundleSource) -> Result<Option<Vec<Certificate>>, Defect> {
        match source {
            BundleSource::Secret { name, key } => Ok(match self.held(name, None) {
                Some(Held::Known(certificate)) => (key == CERTIFICATE).then(|| vec![certificate]),
                // It is added when it exists; nobody holds it, and nothing is signed by it yet.
                Some(Held::New) => Some(Vec::new()),
                Some(Held::Unknown) | None => None,
            }),
            BundleSource::InLine(pem) => in_line(pem).map(Some),
            BundleSource::ConfigMap { .. } | BundleSource::Other => Ok(None),
        }
    }

    /// The issuer that cert-manager signs, now or at its next renewal: nobody tells which comes first.
    fn sign(&self, made: &mut Controllers) {
        let Some(before) = self.current.issuer_certificate() else { return };
        let at = place(self.proposed, self.current, &before.object);
        let Some(after) = self.proposed.certificate(&before.object) else {
            let fact = ChangeFact::IssuerNotRenewed { certificate: before.object.clone() };
            made.findings.push(Finding::new(Severity::Error, fact).at(at));
            return;
        };
        if !after.writes_issuer(&self.current.control_plane.namespace) {
            let fact = ChangeFact::IssuerNotRenewed { certificate: before.object.clone() };
            return made.findings.push(Finding::new(Severity::Error, fact).at(at));
        }
        let error = |fact| Finding::new(Severity::Error, fact).at(at.clone());
        let Some(signer) = &after.signer else { return };
        let secret = match self.signer(signer).map(|found| &found.signs_with) {
            Some(SignsWith::Secret(secret)) => secret,
            Some(SignsWith::ItsOwnKey) => {
                let fact = ChangeFact::IssuerSignsItself { certificate: after.object.clone() };
                return made.findings.push(error(fact));
            }
            Some(SignsWith::Elsewhere)
                if before.signer.as_ref() == Some(signer) && !self.signs_otherwise(signer) =>
            {
                return;
            }
            Some(SignsWith::Elsewhere) => {
                let fact = ChangeFact::SignerNotKnown { signer: signer.clone(), secret: None };
                return made.findings.push(Finding::new(Severity::Unknown, fact).at(at));
            }
            None => {
                let was_there = self.current.certificate_issuer(signer).is_some();
                if before.signer.as_ref() == Some(signer) && !was_there {
                    return;
                }
                let (certificate, signer) = (after.object.clone(), signer.clone());
                let fact = ChangeFact::SignerGone { certificate, signer };
                // Where no Issuer was seen at all, this one may be there all the same.
                let is_sure = was_there || !self.current.certificate_issuers.is_empty();
                let severity = if is_sure { Severity::Error } else { Severity::Unknown };
                return made.findings.push(Finding::new(severity, fact).at(at));
            }
        };
        let near = (signer.kind != "ClusterIssuer").then_some(signer.namespace.as_str());
        match self.held(secret, near) {
            Some(Held::Known(anchor)) => self.signed_by(&anchor, after, made),
            Some(Held::New) => {
                let makes = self.proposed.signing_certificate(signer);
                let because = makes.and_then(|certificate| self.issued_again(certificate));
                let certificate = makes.map_or_else(|| after.object.clone(), |makes| makes.object.clone());
                let because = because.unwrap_or(IssuedAgain::New);
                made.findings.push(error(ChangeFact::SignedByNewAnchor { certificate, because }));
            }
            Some(Held::Unknown) | None => {
                if self.current.issuer_certificate() != self.proposed.issuer_certificate()
                    || self.signs_otherwise(signer)
                    || self.makes_otherwise(secret)
                {
                    let fact =
                        ChangeFact::SignerNotKnown { signer: signer.clone(), secret: Some(secret.clone()) };
                    made.findings.push(Finding::new(Severity::Unknown, fact).at(at.clone()));
                }
            }
        }
    }

    /// The Issuer of this name after the change; one that was only known by its name stays.
    fn signer(&self, signer: &ObjectRef) -> Option<&CertManagerIssuer> {
        let known =
            || self.current.certificate_issuer(signer).filter(|_| manifest(self.current, signer).is_none());
        self.proposed.certificate_issuer(signer).or_else(known)
    }

    /// Does an Issuer sign with something else than before?
    fn signs_otherwise(&self, signer: &ObjectRef) -> bool {
        self.current.certificate_issuer(signer) != self.signer(signer)
    }

    /// Does whatever makes a Secret change?
    fn makes_otherwise(&self, secret: &str) -> bool {
        let makers = self.current.certificates.iter().filter(|one| one.secret == secret);
        let spec = |mesh: &'_ Mesh, object| manifest(mesh, object).and_then(|tree| tree.get("spec")).cloned();
        makers.into_iter().any(|one| spec(self.current, &one.object) != spec(self.proposed, &one.object))
    }

    /// Puts an issuer of this anchor in the place of the present one, unless that is one already.
    fn signed_by(&self, anchor: &Certificate, certificate: &CertManagerCertificate, made: &mut Controllers) {
        let is_of = |chain: &IssuerChain| {
            let begun = chain.issuer.facts().not_before.max(anchor.facts().not_before);
            let name = self.current.identity_name();
            accepts(&Bundle::of(anchor), chain, name, begun, Rules::Controller).is_ok()
        };
        if chain(self.current).is_some_and(is_of) {
            return;
        }
        if let Known::Is(issuer) = &mut made.proposed.issuer {
            issuer.chain = Ok(IssuerChain { issuer: anchor.clone(), intermediates: Vec::new() });
        }
        let (certificate, anchor) = (certificate.object.clone(), CertificateRef::from(anchor));
        let fact = ChangeFact::IssuedByAnchor { certificate, anchor };
        made.findings.push(Finding::new(Severity::Note, fact));
    }
}

/// The key of a Secret of cert-manager that holds the certificate.
const CERTIFICATE: &str = "tls.crt";

const DURATION: &str = "/spec/duration";

/// Is it known how cert-manager signs with it, or what signs it?
fn is_inside(mesh: &Mesh, object: &ObjectRef) -> bool {
    let is_near = |signer: &ObjectRef| {
        mesh.certificate_issuer(signer).is_none_or(|found| found.signs_with != SignsWith::Elsewhere)
    };
    is_near(object) && mesh.certificate(object).and_then(|one| one.signer.as_ref()).is_none_or(is_near)
}

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

fn manifest<'a>(mesh: &'a Mesh, object: &ObjectRef) -> Option<&'a Value> {
    mesh.manifest(&object.kind, &object.namespace, &object.name).map(|manifest| &manifest.tree)
}

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

/// The certificates that PEM within a Bundle gives (`AddCertsFromPEM` in trust-manager's `pkg/util`). What that passes over in
/// silence is refused here: an anchor may be in it.
fn in_line(pem: &str) -> Result<Vec<Certificate>, Defect> {
    let held = BundleText::read(pem.to_owned());
    let loses = |defect: &&Defect| {
        use DefectKind::{
            Base64, ForeignBlock, Glued, Headers, Indented, LooseBase64, MissingEnd, NotACertificate,
            StrayEnd,
        };
        matches!(
            defect.kind,
            Indented
                | ForeignBlock { .. }
                | Glued
                | MissingEnd { .. }
                | StrayEnd
                | Headers
                | Base64
                | LooseBase64
                | NotACertificate { .. }
        )
    };
    if let Some(defect) = held.defects().iter().find(loses) {
        return Err(defect.clone());
    }
    let both = held.as_read_by(Rules::Controller).or_else(|_| held.as_read_by(Rules::Proxy));
    both.map(|bundle| bundle.anchors().to_vec()).map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What packages of cert-manager 1.21.2 and trust-manager 0.25.0 (Apache-2.0) made of these inputs.
    fn verdicts() -> Value {
        serde_json::from_str(include_str!("../../testdata/cert-manager/verdicts.json")).unwrap()
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

    #[test]
    fn what_trust_manager_refuses_or_loses_is_never_taken_for_read() {
        let (mut same, mut refused) = (0, 0);
        for one in verdicts()["bundles"].as_array().unwrap() {
            let sources = one["sources"].as_array().unwrap().iter().map(|pem| in_line(pem.as_str().unwrap()));
            let Ok(all) = sources.collect::<Result<Vec<_>, _>>() else {
                refused += 1;
                continue;
            };
            let name = &one["name"];
            let real = one["pem"].as_str().unwrap_or_else(|| panic!("{name}: trust-manager refuses it"));
            let [ours, real] =
                [Bundle::new(all.concat()).unwrap(), Bundle::new(in_line(real).unwrap()).unwrap()];
            assert!(ours.same_set(&real), "{name}");
            same += 1;
        }
        assert_eq!((same, refused), (10, 9));
    }
}
