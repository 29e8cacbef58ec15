//! A rotation over the objects of cert-manager: which ones, and what of it shows only in the mesh.

mod error;
mod written;

use std::borrow::Cow;

pub use error::ManagedError;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
pub(super) use written::WrittenManaged;

use super::{Record, Scope, Strategy, published_bundle};
use crate::document::ObjectRef;
use crate::mesh::{
    BundleSource, CertManagerCertificate, ChangeTime, Known, Mesh, Owner, SignsWith, TrustBundle,
};
use crate::pki::{Bundle, Certificate, Fingerprint, IssuerChain, is_signed_by};
use crate::rotation::Direction;

/// The objects of cert-manager and trust-manager that a rotation changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Managed {
    /// The Certificate that writes the issuer's Secret.
    pub issuer: ObjectRef,
    /// The Bundle that publishes the anchors; none where they are published in another way.
    pub bundle: Option<ObjectRef>,
    /// What signs with the old anchor.
    pub old: Signing,
    /// The old anchor: the one of the published ones that signed the issuer when the rotation was started.
    pub old_anchor: Certificate,
    /// What signs with the new anchor.
    pub new: Signing,
    /// Which anchor signs the issuers in the Secret, and since when.
    pub signed: Option<Signed>,
}

/// cert-manager renews the issuer every day, and the Secret's own time tells the last renewal alone. While the Certificate's
/// spec does not change, each issuer is of the anchor of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signed {
    /// The anchor.
    pub by: Fingerprint,
    /// When the Secret changed, as first seen.
    pub since: Timestamp,
    /// `metadata.generation` of the issuer's Certificate then.
    pub generation: u64,
    /// The same of the Issuer that it names, which may sign with another anchor after each change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer_generation: Option<u64>,
}

/// What signs with an anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// An Issuer with what cert-manager makes.
    Made(ManagedAnchor),
    /// An Issuer whose key comes from elsewhere.
    Outside(ObjectRef),
}

impl Signing {
    /// The Issuer or ClusterIssuer.
    #[must_use]
    pub const fn signer(&self) -> &ObjectRef {
        match self {
            Self::Made(made) => &made.signer,
            Self::Outside(signer) => signer,
        }
    }

    /// What cert-manager makes of it.
    #[must_use]
    pub const fn made(&self) -> Option<&ManagedAnchor> {
        match self {
            Self::Made(made) => Some(made),
            Self::Outside(_) => None,
        }
    }
}

/// What is to sign below the new anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewSigner {
    /// An Issuer like the present one, by a name of its own.
    Beside,
    /// The present Issuer, whose name stays, with the Secret of the new anchor.
    Present,
    /// An Issuer that somebody brings.
    Outside(OutsideAnchor),
}

/// An anchor whose key is kept outside of the cluster, and the Issuer that signs below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideAnchor {
    /// The anchor.
    pub anchor: Certificate,
    /// The Issuer or ClusterIssuer.
    pub signer: ObjectRef,
}

/// An anchor as cert-manager makes it and signs with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedAnchor {
    /// Its Certificate.
    pub certificate: ObjectRef,
    /// The Secret that this writes, in the Certificate's namespace.
    pub secret: String,
    /// The Issuer or ClusterIssuer that signs with that Secret.
    pub signer: ObjectRef,
}

impl Record {
    /// Begins a rotation of `mesh` at `started` over cert-manager's objects, to an anchor from outside where one is given. Else, where
    /// a new anchor is published beside an older one already, as half-way through Linkerd's guide, it goes on from there, and where
    /// none is, cert-manager mints it in the first step.
    ///
    /// # Errors
    /// Objects that were not read, or that make the certificates in another way than Linkerd's guide has it.
    pub fn managed(mesh: &Mesh, started: Timestamp, signer: NewSigner) -> Result<Self, ManagedError> {
        let old = published_bundle(mesh)?;
        let issuer = issuer_of(mesh)?;
        let now = match anchor_of(issuer, mesh) {
            Ok(made) => Signing::Made(made),
            Err(why) if matches!(signer, NewSigner::Outside(_)) => {
                Signing::Outside(issuer.signer.clone().ok_or(why)?)
            }
            Err(why) => return Err(why),
        };
        let issuer = issuer.object.clone();
        let bundle = bundle_of(mesh)?;
        let below_a_second = i64::from(started.subsec_nanosecond()).nanoseconds();
        let started = started - below_a_second;
        let unknown = || ManagedError::IssuerUnknown { secret: mesh.issuer_secret().to_string() };
        let secret = mesh.secret_chain().ok_or_else(unknown)?;
        let signed_by = signing_anchor(&old, secret, mesh).ok_or_else(unknown)?.clone();
        let (scope, old_anchor, new) = match (&now, signer) {
            (_, NewSigner::Outside(outside)) => {
                let OutsideAnchor { anchor, signer } = outside;
                if anchor == signed_by {
                    return Err(ManagedError::Present {
                        what: format!("anchor {}", anchor.fingerprint().short()),
                    });
                }
                if signer.is_same(now.signer()) {
                    return Err(ManagedError::Present { what: signer.to_string() });
                }
                (Scope::Full { anchor }, signed_by, Signing::Outside(signer))
            }
            (Signing::Made(made), signer) => match half_way(&old, made, mesh) {
                Some([new, other]) => (Scope::Full { anchor: new }, other, now.clone()),
                None => {
                    let new = renamed(made, mesh, started, signer == NewSigner::Present);
                    (Scope::Awaited, signed_by, Signing::Made(new))
                }
            },
            // Without an anchor from outside there is none that cert-manager does not make.
            (Signing::Outside(signer), _) => {
                return Err(ManagedError::SignedElsewhere { signer: signer.to_string() });
            }
        };
        let managed = Managed { issuer, bundle, old: now, old_anchor, new, signed: None };
        let record = Self {
            started,
            namespace: mesh.control_plane.namespace.clone(),
            trust_domain: mesh.control_plane.trust_domain.clone(),
            strategy: Strategy::Managed,
            old,
            scope,
            old_issuer: None,
            issuer: IssuerChain::alone(managed.old_anchor.clone()),
            cross: None,
            managed: Some(managed),
            direction: Direction::Forward,
        };
        Ok(record.observed(mesh))
    }

    /// The same rotation with what cert-manager has made of it meanwhile: the new anchor once it is minted, and the issuers that it
    /// renews as it likes. Until one is signed, the anchor stands for all that it will sign: who accepts one accepts the other.
    #[must_use]
    pub fn observed(mut self, mesh: &Mesh) -> Self {
        let Some(managed) = &self.managed else { return self };
        if self.scope == Scope::Awaited
            && let Some(new) = managed.new.made()
            && let Some(anchor) = mesh.certificate(&new.certificate).and_then(|one| one.issued())
        {
            self.scope = Scope::Full { anchor: anchor.clone() };
        }
        let of = |anchor: &Certificate| {
            let secret = mesh.secret_chain();
            secret
                .filter(|chain| is_signed_by(chain, anchor, &mesh.identity_name()))
                .cloned()
                .unwrap_or_else(|| IssuerChain::alone(anchor.clone()))
        };
        let old_issuer = of(&managed.old_anchor);
        let signed = self.signed_now(mesh);
        self.issuer = self.anchor().map_or_else(|| old_issuer.clone(), of);
        self.old_issuer = Some(old_issuer);
        if let Some(managed) = &mut self.managed {
            managed.signed = signed;
        }
        self
    }

    /// Which anchor signs the issuers in the Secret, and since when: as it was seen before, where nothing has changed since.
    fn signed_now(&self, mesh: &Mesh) -> Option<Signed> {
        let managed = self.managed.as_ref()?;
        let chain = mesh.secret_chain()?;
        let by =
            self.anchors().find(|anchor| is_signed_by(chain, anchor, &mesh.identity_name()))?.fingerprint();
        let generation = mesh.certificate(&managed.issuer)?.generation?;
        let ChangeTime::At(since) = mesh.issuer.as_option()?.changed else { return None };
        let signer = mesh.certificate(&managed.issuer)?.signer.as_ref();
        let signer_generation = signer.and_then(|signer| mesh.certificate_issuer(signer)?.generation);
        let found = Signed { by, since, generation, signer_generation };
        let is_it = |known: &Signed| known.since <= since && Signed { since, ..*known } == found;
        Some(managed.signed.filter(is_it).unwrap_or(found))
    }

    /// The anchors that sign in this rotation.
    fn anchors(&self) -> impl Iterator<Item = &Certificate> {
        self.anchor().into_iter().chain(self.managed.as_ref().map(|managed| &managed.old_anchor))
    }

    /// The same mesh with the issuer's Secret unchanged since an issuer of its anchor came into it: whoever has read any of them
    /// signs for that anchor.
    #[must_use]
    pub fn without_reissues<'a>(&self, mesh: &'a Mesh) -> Cow<'a, Mesh> {
        let signed = self.managed.as_ref().and_then(|managed| managed.signed);
        let Some(since) = signed.map(|signed| ChangeTime::At(signed.since)) else {
            return Cow::Borrowed(mesh);
        };
        let mut mesh = Cow::Borrowed(mesh);
        if mesh.issuer.as_option().is_some_and(|issuer| issuer.changed != since)
            && let Known::Is(issuer) = &mut mesh.to_mut().issuer
        {
            issuer.changed = since;
        }
        mesh
    }

    /// The same mesh in which cert-manager has renewed no issuer: the anchor that signed it stands in its place, as in the record.
    #[must_use]
    pub fn without_renewals(&self, mesh: &Mesh) -> Mesh {
        let mut mesh = self.without_reissues(mesh).into_owned();
        let secret = mesh.secret_chain();
        let signed_by = secret.and_then(|chain| {
            self.anchors().find(|anchor| is_signed_by(chain, anchor, &mesh.identity_name()))
        });
        let signed_by = signed_by.cloned();
        if self.managed.is_some()
            && let (Known::Is(issuer), Some(anchor)) = (&mut mesh.issuer, signed_by)
        {
            issuer.chain = Ok(IssuerChain::alone(anchor));
        }
        mesh
    }

    /// Does the Issuer that signs with the old anchor come to sign with the new one, by the same name?
    #[must_use]
    pub fn keeps_signer(&self) -> bool {
        let stays = |managed: &Managed| {
            managed.old.signer().is_same(managed.new.signer()) && managed.old != managed.new
        };
        self.managed.as_ref().is_some_and(stays)
    }

    /// Is the new anchor one that cert-manager has not minted, as far as is known?
    #[must_use]
    pub fn awaits_anchor(&self) -> bool {
        self.scope == Scope::Awaited
    }
}

/// Where Linkerd's guide stands half-way, the latest anchor of its Certificate, published beside others, and the one before it.
fn half_way(published: &Bundle, made: &ManagedAnchor, mesh: &Mesh) -> Option<[Certificate; 2]> {
    let latest = mesh.certificate(&made.certificate).and_then(CertManagerCertificate::issued)?;
    if !published.contains(latest) {
        return None;
    }
    // An anchor that another Certificate makes is no older one: it came after.
    let is_made = |one: &Certificate| mesh.certificates.iter().any(|made| made.issued() == Some(one));
    let older = published.anchors().iter().find(|one| *one != latest && !is_made(one))?;
    Some([latest.clone(), older.clone()])
}

/// The issuer's Certificate.
fn issuer_of(mesh: &Mesh) -> Result<&CertManagerCertificate, ManagedError> {
    let none = || ManagedError::NoCertificate { secret: mesh.issuer_secret().to_string() };
    mesh.issuer_certificate().ok_or_else(none)
}

/// The anchor that the issuer's Certificate comes from.
fn anchor_of(issuer: &CertManagerCertificate, mesh: &Mesh) -> Result<ManagedAnchor, ManagedError> {
    let unknown = |certificate: &CertManagerCertificate| ManagedError::SignerUnknown {
        certificate: certificate.object.to_string(),
        signer: certificate.signer.as_ref().map(ToString::to_string),
    };
    let signer = issuer.signer.as_ref().and_then(|signer| mesh.certificate_issuer(signer));
    let signer = signer.ok_or_else(|| unknown(issuer))?;
    let SignsWith::Secret(secret) = &signer.signs_with else {
        return Err(ManagedError::SignedElsewhere { signer: signer.object.to_string() });
    };
    let anchor = mesh.signing_certificate(&signer.object).ok_or_else(|| ManagedError::AnchorUnknown {
        signer: signer.object.to_string(),
        secret: secret.clone(),
    })?;
    let above = anchor.signer.as_ref().and_then(|signer| mesh.certificate_issuer(signer));
    let above = above.ok_or_else(|| unknown(anchor))?;
    if above.signs_with != SignsWith::ItsOwnKey {
        let (certificate, signer) = (anchor.object.to_string(), above.object.to_string());
        return Err(ManagedError::NotSelfSigned { certificate, signer });
    }
    let (certificate, secret, signer) = (anchor.object.clone(), anchor.secret.clone(), signer.object.clone());
    Ok(ManagedAnchor { certificate, secret, signer })
}

fn bundle_of(mesh: &Mesh) -> Result<Option<ObjectRef>, ManagedError> {
    let home = mesh.bundle_home();
    let by_trust_manager = |owner: &Owner| matches!(owner, Owner::TrustManager { .. });
    match &mesh.trust_bundle {
        Some(TrustBundle { object, sources, .. }) if sources.contains(&BundleSource::Other) => {
            Err(ManagedError::SourceUnknown { bundle: object.to_string() })
        }
        Some(bundle) => Ok(Some(bundle.object.clone())),
        None if mesh.owners_of(&home).iter().any(by_trust_manager) => {
            Err(ManagedError::BundleUnknown { config_map: home.to_string() })
        }
        None => Ok(None),
    }
}

/// The anchor by names of its own: those of the present one with the day of the rotation behind them, but for an Issuer that is kept.
fn renamed(now: &ManagedAnchor, mesh: &Mesh, started: Timestamp, keeps_signer: bool) -> ManagedAnchor {
    let day = started.to_zoned(TimeZone::UTC).strftime("%Y%m%d").to_string();
    let is_day = |text: &str| text.len() == day.len() && text.bytes().all(|byte| byte.is_ascii_digit());
    let rename = |name: &str, suffix: &str| {
        let base = name.rsplit_once('-').filter(|(_, end)| is_day(end)).map_or(name, |(base, _)| base);
        format!("{base}-{day}{suffix}")
    };
    let named = |suffix: &str| {
        let of = |object: &ObjectRef| ObjectRef { name: rename(&object.name, suffix), ..object.clone() };
        ManagedAnchor {
            certificate: of(&now.certificate),
            secret: rename(&now.secret, suffix),
            signer: if keeps_signer { now.signer.clone() } else { of(&now.signer) },
        }
    };
    let is_taken = |anchor: &ManagedAnchor| {
        mesh.certificate(&anchor.certificate).is_some()
            || !keeps_signer && mesh.certificate_issuer(&anchor.signer).is_some()
            || mesh.certificates.iter().any(|one| one.secret == anchor.secret)
    };
    let suffixes = std::iter::once(String::new()).chain((2..100).map(|number| format!("-{number}")));
    let mut candidates = suffixes.map(|suffix| named(&suffix));
    candidates.find(|one| !is_taken(one)).unwrap_or_else(|| named(""))
}

/// The anchor that signed a chain, as the identity controller judged it when the issuer began.
fn signing_anchor<'a>(anchors: &'a Bundle, chain: &IssuerChain, mesh: &Mesh) -> Option<&'a Certificate> {
    anchors.anchors().iter().find(|anchor| is_signed_by(chain, anchor, &mesh.identity_name()))
}
