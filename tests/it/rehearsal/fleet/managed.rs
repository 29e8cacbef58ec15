//! cert-manager and trust-manager in a simulated fleet: they renew the issuer every 23 hours, and issue and publish what a step
//! changes.

use jiff::{SignedDuration, ToSpan};
use l5d_rotate::document::ObjectRef;
use l5d_rotate::mesh::{
    BundleSource, CertManagerCertificate, CertManagerIssuer, ChangeTime, GoDuration, Known, RequestOutcome,
    SignsWith, TrustBundle,
};
use l5d_rotate::pki::{
    AnchorRequest, Authority, Bundle, BundleText, IssuerChain, IssuerRequest, Rules, mint_anchor, mint_issuer,
};
use l5d_rotate::rotation::{ManagedChange, NewSigner, Record};

use super::{Fleet, Pki};
use crate::support::mesh;
use crate::support::pki::tls::key_pair;

/// How long an issuer is there before the next one, in Linkerd's guide: 48 hours less 25.
const RENEWED_AFTER: SignedDuration = SignedDuration::from_hours(23);

pub(super) struct CertManager {
    /// Which of the two anchors signs.
    signer: usize,
    renews: jiff::Timestamp,
    /// The new anchor's Secret, once its Certificate is there.
    new_secret: Option<String>,
    /// What the old anchor's Secret holds since its Certificate was renewed.
    renewed: Option<Authority>,
}

const OLD: &str = "linkerd-trust-anchor";

fn certificate(namespace: &str, name: &str, signer: &ObjectRef) -> CertManagerCertificate {
    CertManagerCertificate {
        rotation_policy: Some("Always".into()),
        signer: Some(signer.clone()),
        generation: Some(1),
        ..mesh::certificate(namespace, name)
    }
}

impl<'a> Fleet<'a> {
    /// A fleet whose certificates cert-manager makes; the issuer is renewed at some moment within a day.
    pub fn managed(pki: &'a Pki, seed: u64) -> Self {
        let mut fleet = Self::new(pki, seed);
        let root = ObjectRef::new("cert-manager.io/v1", "Issuer", "cert-manager", "root");
        let signer = ObjectRef::new("cert-manager.io/v1", "ClusterIssuer", "", "linkerd-identity-issuer");
        let mut anchor = certificate("cert-manager", OLD, &root);
        anchor.request = Some(RequestOutcome::Issued(pki.anchors[0].certificate.clone()));
        let mesh = &mut fleet.objects.mesh;
        mesh.certificates = vec![anchor, certificate("linkerd", "linkerd-identity-issuer", &signer)];
        mesh.certificate_issuers = vec![
            CertManagerIssuer { object: root, signs_with: SignsWith::ItsOwnKey, generation: Some(1) },
            CertManagerIssuer {
                object: signer,
                signs_with: SignsWith::Secret(OLD.into()),
                generation: Some(1),
            },
        ];
        mesh.trust_bundle = Some(TrustBundle {
            object: ObjectRef::new(
                "trust.cert-manager.io/v1alpha1",
                "Bundle",
                "",
                "linkerd-identity-trust-roots",
            ),
            sources: vec![BundleSource::Secret { name: OLD.into(), key: "tls.crt".into() }],
            filter: None,
        });
        let due = i64::try_from(fleet.dice.roll(23 * 60)).unwrap();
        let renews = fleet.now() + SignedDuration::from_mins(due);
        fleet.cert_manager = Some(CertManager { signer: 0, renews, new_secret: None, renewed: None });
        fleet.issue();
        fleet.cert_manager.as_mut().unwrap().renews = renews;
        fleet
    }

    pub fn managed_record(&self, signer: NewSigner) -> Record {
        Record::managed(&self.objects.mesh, self.now(), signer).unwrap()
    }

    /// cert-manager renews the old anchor, for whatever reason: its Secret holds one that nobody knows, and the next issuer is signed
    /// by that while the old Issuer signs.
    pub fn renew_old_anchor(&mut self) {
        let now = self.now();
        let request = AnchorRequest {
            common_name: "root.linkerd.cluster.local".into(),
            not_before: now - 1.minutes(),
            not_after: now + (24 * 365).hours(),
        };
        let renewed = mint_anchor(&request).unwrap();
        let found = self.objects.mesh.certificates.iter_mut().find(|one| one.secret == OLD);
        if let Some(found) = found {
            found.request = Some(RequestOutcome::Issued(renewed.certificate.clone()));
        }
        self.cert_manager.as_mut().unwrap().renewed = Some(renewed);
        let sources = self.objects.mesh.trust_bundle.as_ref().unwrap().sources.clone();
        self.publish(&sources);
    }

    /// cert-manager renews the issuer at this time.
    pub fn renew_issuer_at(&mut self, at: jiff::Timestamp) {
        self.cert_manager.as_mut().unwrap().renews = at;
    }

    /// An identity controller that has missed the renewals of two days (linkerd2#15109) signs with an issuer that is about to expire;
    /// no step of a rotation restarts it for that, and somebody does what `check` says of it.
    pub fn restart_who_missed_renewals(&mut self) {
        let soon = self.now() + 90.minutes();
        for at in 0..self.pods.len() {
            let issuer = self.pods[at].controller.as_ref().map(|controller| controller.issuer);
            let expires = issuer.map(|issuer| self.chain(issuer).issuer.facts().not_after);
            if self.cert_manager.is_some() && expires.is_some_and(|end| end < soon) {
                self.pods[at].restart.get_or_insert(self.objects.now);
            }
        }
    }

    /// What the old anchor's Secret holds.
    fn old_anchor(&self) -> &Authority {
        let renewed = self.cert_manager.as_ref().and_then(|manager| manager.renewed.as_ref());
        renewed.unwrap_or(&self.pki.anchors[0])
    }

    /// Renews the issuer where that is due.
    pub(super) fn renew(&mut self) {
        if self.cert_manager.as_ref().is_some_and(|manager| manager.renews <= self.now()) {
            self.issue();
        }
    }

    /// Issues the identity issuer by the anchor of the moment.
    fn issue(&mut self) {
        let now = self.now();
        let manager = self.cert_manager.as_mut().unwrap();
        manager.renews = now + RENEWED_AFTER;
        let request = IssuerRequest {
            common_name: "identity.linkerd.cluster.local".into(),
            dns_names: vec![],
            not_before: now - 1.minutes(),
            not_after: now + 48.hours(),
        };
        let signs_new = manager.signer == 1;
        let anchor = if signs_new { &self.pki.anchors[1] } else { self.old_anchor() };
        let made = mint_issuer(&request, anchor).unwrap();
        let signer = key_pair(&made);
        let chain = IssuerChain { issuer: made.certificate, intermediates: vec![] };
        let issuer = self.objects.issuer();
        (issuer.chain, issuer.changed) = (Ok(chain.clone()), ChangeTime::At(now));
        let place = self.pki.chains.len() + self.minted.len();
        self.minted.push((chain, signer));
        let put = self.lagged(place);
        self.issuers.push(put);
    }

    /// Does what both controllers do when a change is merged.
    pub(super) fn controlled(&mut self, change: &ManagedChange) {
        match change {
            ManagedChange::NewAnchor(anchors) => {
                let new = &anchors.new;
                if self.objects.mesh.certificate(&new.certificate).is_some() {
                    return;
                }
                let root = self.objects.mesh.certificate_issuers[0].object.clone();
                let mut anchor = certificate("cert-manager", &new.certificate.name, &root);
                anchor.secret.clone_from(&new.secret);
                anchor.request = Some(RequestOutcome::Issued(self.pki.anchors[1].certificate.clone()));
                self.objects.mesh.certificates.push(anchor);
                let signs_with = SignsWith::Secret(new.secret.clone());
                if !new.signer.is_same(&anchors.old.signer) {
                    let issuer =
                        CertManagerIssuer { object: new.signer.clone(), signs_with, generation: Some(1) };
                    self.objects.mesh.certificate_issuers.push(issuer);
                }
                self.cert_manager.as_mut().unwrap().new_secret = Some(new.secret.clone());
            }
            ManagedChange::StopRenewal { certificate } => {
                let mut all = self.objects.mesh.certificates.iter_mut();
                let found = all.find(|one| one.object == *certificate).unwrap();
                found.renew_before = Some(GoDuration::from_secs(3600));
            }
            ManagedChange::Sources { sources, .. } => self.publish(sources),
            ManagedChange::SignedBy { certificate, signer } => {
                let issuers = &self.objects.mesh.certificate_issuers;
                let signs_with = &issuers.iter().find(|one| one.object == *signer).unwrap().signs_with;
                let is_new = *signs_with != SignsWith::Secret(OLD.into());
                let mut all = self.objects.mesh.certificates.iter_mut();
                let found = all.find(|one| one.object == *certificate).unwrap();
                if found.signer.replace(signer.clone()).as_ref() != Some(signer) {
                    found.generation = found.generation.map(|generation| generation + 1);
                    self.cert_manager.as_mut().unwrap().signer = usize::from(is_new);
                    self.issue();
                }
            }
            // That alone issues nothing: the next issuer is of the other anchor, whenever that is.
            ManagedChange::SignsWith { issuer, secret } => {
                let mut all = self.objects.mesh.certificate_issuers.iter_mut();
                let found = all.find(|one| one.object == *issuer).unwrap();
                let to = SignsWith::Secret(secret.clone());
                if found.signs_with != to {
                    found.signs_with = to;
                    found.generation = found.generation.map(|generation| generation + 1);
                    self.cert_manager.as_mut().unwrap().signer = usize::from(secret != OLD);
                }
            }
            ManagedChange::IssuedAnew { certificate, duration } => {
                let mut all = self.objects.mesh.certificates.iter_mut();
                let found = all.find(|one| one.object == *certificate).unwrap();
                if found.duration.replace(*duration) != Some(*duration) {
                    found.generation = found.generation.map(|generation| generation + 1);
                    self.issue();
                }
            }
            ManagedChange::Remove { object } => {
                self.objects.mesh.certificates.retain(|one| one.object != *object);
                self.objects.mesh.certificate_issuers.retain(|one| one.object != *object);
            }
        }
    }

    fn publish(&mut self, sources: &[BundleSource]) {
        let new_secret = self.cert_manager.as_ref().unwrap().new_secret.clone();
        let mut held = Vec::new();
        for source in sources {
            match source {
                BundleSource::Secret { name, .. } if name == OLD => {
                    held.push(self.old_anchor().certificate.clone());
                }
                BundleSource::Secret { name, .. } if Some(name) == new_secret.as_ref() => {
                    held.push(self.pki.anchors[1].certificate.clone());
                }
                BundleSource::InLine(pem) => {
                    let text = BundleText::read(pem.clone());
                    held.extend(text.as_read_by(Rules::Controller).unwrap().anchors().iter().cloned());
                }
                // A source that is missing: everything stays as it was.
                _ => return,
            }
        }
        self.objects.mesh.trust_bundle.as_mut().unwrap().sources = sources.to_vec();
        let bundle = Bundle::new(held).unwrap();
        let text = BundleText::read(bundle.to_pem());
        if self.objects.bundle().text == text {
            return;
        }
        let (id, now) = (self.objects.intern(text.clone()), ChangeTime::At(self.now()));
        (self.objects.bundle().text, self.objects.bundle().changed) = (text.clone(), now);
        self.objects.mesh.trust.config = Known::Is(text);
        let put = self.lagged((bundle, id));
        self.bundles.push(put);
    }
}
