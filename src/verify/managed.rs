//! What cert-manager and trust-manager make of changed objects of theirs, so that a change of these is judged by its certificates.

mod issued;
mod published;

use issued::{Held, asks_the_same};
use jiff::Timestamp;
use serde_json::Value;

use super::changes::{chain, place};
use crate::document::ObjectRef;
use crate::finding::{CertificateRef, ChangeFact, Finding, IssuedAgain, Severity};
use crate::mesh::{
    BundleSource, CERT_MANAGER_GROUP, CertManagerCertificate, CertManagerIssuer, Known, Mesh, SignsWith,
    TrustBundle,
};
use crate::pki::{Certificate, IssuerChain, is_signed_by};
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

/// What comes of a change of these objects; `None` where the mesh has none, or nothing of them changes.
#[must_use]
pub fn controllers(current: &Mesh, proposed: &Mesh, at: Timestamp) -> Option<Controllers> {
    let both = [current, proposed];
    let is_there = |mesh: &&Mesh| mesh.issuer_certificate().is_some() || mesh.trust_bundle.is_some();
    // What is read of a Bundle depends on its version and on trust-manager's flags, too.
    let same = current.certificates_as_declared() == proposed.certificates_as_declared()
        && current.trust_bundle == proposed.trust_bundle;
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
        let least = self.current.control_plane.workload_certificate_lifetime();
        asks_the_same(was, is) && after.duration.is_none_or(|duration| duration.0 >= least)
    }

    /// Does the Bundle write the same ConfigMap in the same namespaces?
    fn target_stays(&self, bundle: &ObjectRef) -> bool {
        let [was, is] = [self.current, self.proposed].map(|mesh| {
            let mut spec =
                manifest(mesh, bundle).and_then(|tree| tree.get("spec")).cloned().unwrap_or_default();
            if let Some(spec) = spec.as_object_mut() {
                for field in ["sources", "sourceRefs", "inLineCAs", "defaultCAs"] {
                    spec.shift_remove(field);
                }
            }
            spec
        });
        was == is
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
                // Those of other groups are not read.
                if signer.group() != CERT_MANAGER_GROUP {
                    let fact = ChangeFact::SignerNotKnown { signer: signer.clone(), secret: None };
                    return made.findings.push(Finding::new(Severity::Unknown, fact).at(at));
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
                if spec(self.current, &before.object) != spec(self.proposed, &before.object)
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
        let signs_with = |found: Option<&CertManagerIssuer>| found.map(|found| found.signs_with.clone());
        signs_with(self.current.certificate_issuer(signer)) != signs_with(self.signer(signer))
    }

    /// Does whatever makes a Secret change?
    fn makes_otherwise(&self, secret: &str) -> bool {
        let mut makers = self.current.certificates.iter().filter(|one| one.secret == secret);
        makers.any(|one| spec(self.current, &one.object) != spec(self.proposed, &one.object))
    }

    /// Puts an issuer of this anchor in the place of the present one, unless that is one already.
    fn signed_by(&self, anchor: &Certificate, certificate: &CertManagerCertificate, made: &mut Controllers) {
        let is_of = |chain: &IssuerChain| is_signed_by(chain, anchor, &self.current.identity_name());
        if chain(self.current).is_some_and(is_of) {
            return;
        }
        if let Known::Is(issuer) = &mut made.proposed.issuer {
            issuer.chain = Ok(IssuerChain::alone(anchor.clone()));
        }
        let (certificate, anchor) = (certificate.object.clone(), CertificateRef::from(anchor));
        let fact = ChangeFact::IssuedByAnchor { certificate, anchor };
        made.findings.push(Finding::new(Severity::Note, fact));
    }
}

/// Is it known how cert-manager signs with it, or what signs it?
fn is_inside(mesh: &Mesh, object: &ObjectRef) -> bool {
    let is_near = |signer: &ObjectRef| {
        mesh.certificate_issuer(signer).is_none_or(|found| found.signs_with != SignsWith::Elsewhere)
    };
    is_near(object) && mesh.certificate(object).and_then(|one| one.signer.as_ref()).is_none_or(is_near)
}

fn spec<'a>(mesh: &'a Mesh, object: &ObjectRef) -> Option<&'a Value> {
    manifest(mesh, object)?.get("spec")
}

fn manifest<'a>(mesh: &'a Mesh, object: &ObjectRef) -> Option<&'a Value> {
    mesh.manifest(&object.kind, &object.namespace, &object.name).map(|manifest| &manifest.tree)
}
