//! What there is to say of a mesh whose certificates have expired, as findings.

use jiff::Timestamp;

use super::{Diagnosis, Issuance, Part, Remaining, Remedy, Stopped};
use crate::document::ObjectRef;
use crate::finding::{
    CertificateRole, Finding, InputFact, Party, PlacedCertificate, Pods, RecoveryFact, Rejection, Severity,
    TrustFact,
};
use crate::linkerd;
use crate::mesh::{Change, Known, Mesh, Owner, Read, Replica};
use crate::pki::Refusal;
use crate::states::States;

impl Diagnosis {
    /// Everything that was found, the gravest first.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut all = match &self.issuance {
            Issuance::Works { .. } | Issuance::Unknown => Vec::new(),
            Issuance::Refused(refusal) => vec![self.refused(refusal)],
            Issuance::Stopped(stopped) => self.stopped(stopped),
        };
        all.extend_from_slice(&self.rejected);
        if self.is_idle() {
            let unused = self.expired.iter().map(|part| &part.certificate);
            all.extend(unused.map(|certificate| {
                let fact = RecoveryFact::ExpiredUnused { certificate: certificate.into() };
                Finding::new(Severity::Warning, fact)
            }));
        }
        if matches!(self.remedy, Remedy::Prune | Remedy::RemoveExpired | Remedy::Replace(_)) {
            all.extend(self.managed.iter().map(|(object, owner)| {
                let fact = RecoveryFact::MadeByController { object: object.clone(), owner: owner.clone() };
                Finding::new(Severity::Warning, fact)
            }));
        }
        all.extend_from_slice(&self.held_up);
        all.extend(self.unknown.iter().chain(&self.unseen).cloned());
        all.sort_by_key(|finding| finding.severity);
        all
    }

    fn refused(&self, refusal: &Refusal) -> Finding {
        let fact = RecoveryFact::IssuerRefused {
            issuer: self.issuer_secret.clone(),
            bundle: self.bundle_home.clone(),
            refusal: refusal.clone(),
            valid_from: valid_from(refusal),
        };
        Finding::new(Severity::Error, fact)
    }

    /// That the published anchors refuse the chain in the Secret.
    fn rejection(&self, refusal: Refusal) -> Rejection {
        let party = |is: fn(CertificateRole) -> bool| {
            let parts = self.expired.iter().chain(&self.valid).filter(|part| is(part.role));
            let certificates = parts.map(|part| (&part.certificate).into()).collect();
            Party { certificates, pods: Pods::default() }
        };
        let (verifier, presenter) = (
            party(|role| role == CertificateRole::TrustAnchor),
            party(|role| role != CertificateRole::TrustAnchor),
        );
        Rejection { verifier, presenter, refusal, certain: true, until: None, order: None }
    }

    fn stopped(&self, stopped: &Stopped) -> Vec<Finding> {
        let error = |fact: RecoveryFact| Finding::new(Severity::Error, fact);
        let mut all = vec![error(RecoveryFact::IssuanceStopped {
            since: stopped.since,
            exact: stopped.exact,
            because: stopped.because.iter().map(placed).collect(),
        })];
        if let Some(refusal) = &stopped.no_start {
            let rejection = self.rejection(refusal.clone());
            all.push(Finding::new(Severity::Error, TrustFact::IdentityFailsToStart(rejection)));
        }
        let last = stopped.presented.last;
        if stopped.presented.left(self.at) == Remaining::None {
            all.push(error(RecoveryFact::WorkloadCertificatesExpired { last }));
            return all;
        }
        let without = &stopped.without_certificate;
        if without.count + without.start_unknown > 0 {
            all.push(error(RecoveryFact::NoWorkloadCertificate {
                count: without.count,
                workloads: without.workloads.clone(),
                start_unknown: without.start_unknown,
            }));
        }
        if let Some(first) = stopped.presented.first
            && first < self.at
            && first < last
        {
            all.push(error(RecoveryFact::WorkloadCertificatesExpiring { first, last }));
        }
        all
    }
}

fn placed(part: &Part) -> PlacedCertificate {
    PlacedCertificate { role: part.role, certificate: (&part.certificate).into() }
}

/// When what is refused because it is not valid yet becomes valid.
fn valid_from(refusal: &Refusal) -> Option<Timestamp> {
    match refusal {
        Refusal::NotYetValid { not_before, .. } => Some(*not_before),
        Refusal::UnknownIssuer { candidate: Some(candidate), .. } => valid_from(&candidate.because),
        _ => None,
    }
}

/// Handshakes, renewals and starts that fail for certain as of now, each reason once.
pub(super) fn rejected(states: &States, at: Timestamp) -> Vec<Finding> {
    let mut by_refusal: Vec<(Refusal, Vec<_>)> = Vec::new();
    for violation in states.violations(at).into_iter().filter(|violation| violation.certain) {
        match by_refusal.iter_mut().find(|(refusal, _)| *refusal == violation.refusal) {
            Some((_, fails)) => fails.push(violation.invariant()),
            None => by_refusal.push((violation.refusal.clone(), vec![violation.invariant()])),
        }
    }
    let finding = |(refusal, mut fails): (Refusal, Vec<_>)| {
        fails.sort_unstable();
        fails.dedup();
        Finding::new(Severity::Error, RecoveryFact::ChainRejected { fails, refusal })
    };
    by_refusal.into_iter().map(finding).collect()
}

/// The objects with trust material that a controller would make again.
pub(super) fn managed(mesh: &Mesh) -> Vec<(ObjectRef, Owner)> {
    let makes = |owner: &Owner| matches!(owner, Owner::CertManager { .. } | Owner::TrustManager { .. });
    let owner = |object: ObjectRef| {
        let owner = mesh.owners_of(&object).into_iter().find(makes)?;
        Some((object, owner))
    };
    [mesh.bundle_home(), mesh.issuer_secret()].into_iter().filter_map(owner).collect()
}

fn unclear(fact: InputFact) -> Finding {
    Finding::new(Severity::Unknown, fact)
}

/// What of the trust material is not known.
pub(super) fn unknown(mesh: &Mesh) -> Vec<Finding> {
    unknown_bundle(mesh).into_iter().chain(unknown_issuer(mesh)).map(unclear).collect()
}

fn unknown_bundle(mesh: &Mesh) -> Option<InputFact> {
    match &mesh.trust.published {
        Known::Absent => Some(InputFact::ObjectAbsent { object: mesh.bundle_home() }),
        Known::Unknown(why) => {
            Some(InputFact::ObjectUnknown { object: mesh.bundle_home(), why: why.clone() })
        }
        // What one of Linkerd's two readers gets can be judged; that the other refuses the text is no gap.
        Known::Is(published) if published.readings().next().is_some() => None,
        Known::Is(published) => Some(InputFact::TrustBundleUnreadable {
            place: mesh.bundle_place(),
            defect: published.text.defects().first().cloned(),
        }),
    }
}

fn unknown_issuer(mesh: &Mesh) -> Option<InputFact> {
    let object = mesh.issuer_secret();
    let issuer = match &mesh.issuer {
        Known::Absent => return Some(InputFact::ObjectAbsent { object }),
        Known::Unknown(why) => return Some(InputFact::ObjectUnknown { object, why: why.clone() }),
        Known::Is(issuer) => issuer,
    };
    match &issuer.chain {
        Err(said) => Some(InputFact::IssuerUnreadable { object, said: said.to_string() }),
        Ok(chain) if !issuer.from_secret => Some(InputFact::IssuerCopyOnly {
            object,
            copy: mesh.linkerd_config(),
            issuer: (&chain.issuer).into(),
            expires: chain.first_to_expire().facts().not_after,
        }),
        Ok(_) => None,
    }
}

/// What was not looked at, or does not tell.
pub(super) fn unseen(mesh: &Mesh, issuance: &Issuance) -> Vec<Finding> {
    let mut facts = Vec::new();
    match &mesh.pods {
        Known::Is(()) => {}
        Known::Absent => facts.push(InputFact::PodsNotGiven),
        Known::Unknown(why) => facts.push(InputFact::PodsUnknown { why: why.clone() }),
    }
    facts.extend(mesh.gaps.iter().cloned().map(InputFact::NotRead));
    facts.extend(mesh.only.clone().map(|namespace| InputFact::OneNamespace { namespace }));
    if !mesh.external_workloads.is_empty() {
        facts.push(InputFact::ExternalWorkloadsUnseen { names: mesh.external_workloads.clone() });
    }
    if !mesh.links.is_empty() {
        facts.push(InputFact::LinkedClustersUnseen { links: mesh.links.clone() });
    }
    if matches!(issuance, Issuance::Works { .. }) {
        facts.extend(perhaps_not_loaded(mesh));
    }
    facts.into_iter().map(unclear).collect()
}

/// Identity controllers that may go on without the last change of the bundle, which they read when they start, or of the issuer,
/// which they sometimes miss (linkerd2#15109): what they have loaded may have expired.
fn perhaps_not_loaded(mesh: &Mesh) -> Vec<InputFact> {
    let by_reference = mesh.control_plane.era.control_plane_by_reference();
    let mut sources = Vec::new();
    if by_reference && mesh.trust.published.as_option().is_some() {
        sources.push((mesh.bundle_home(), mesh.bundle_change()));
    }
    if mesh.issuer.as_option().is_some_and(|issuer| issuer.from_secret) {
        sources.push((mesh.issuer_secret(), mesh.issuer_change()));
    }
    sources.into_iter().filter_map(|(object, change)| doubt(mesh, object, change)).collect()
}

fn doubt(mesh: &Mesh, object: ObjectRef, change: Change) -> Option<InputFact> {
    if !change.is_dated() {
        return Some(InputFact::ChangeTimeUnknown { object });
    }
    let may_be_older = |replica: &&Replica| {
        replica.container == linkerd::IDENTITY_CONTAINER
            && change.by_mount(replica.started, replica.made) != Read::After
    };
    let older = mesh.control_plane.replicas.iter().filter(may_be_older);
    let pods: Vec<_> = older.map(|replica| replica.pod.clone()).collect();
    (!pods.is_empty()).then_some(InputFact::ChangePerhapsNotLoaded { object, pods })
}
