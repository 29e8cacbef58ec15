//! A rotation over the objects of cert-manager: which ones, and what of it shows only in the mesh.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::{Record, Scope, StartError, Strategy, published_bundle};
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
    /// What makes the old anchor, and signs with it.
    pub old: ManagedAnchor,
    /// The old anchor: the one of the published ones that signed the issuer when the rotation was started.
    pub old_anchor: Certificate,
    /// What makes the new anchor, and signs with it.
    pub new: ManagedAnchor,
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

/// Why cert-manager's objects are not rotated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManagedError {
    /// It cannot be started at all.
    #[error(transparent)]
    Start(#[from] StartError),
    /// No Certificate writes the issuer's Secret.
    #[error("no Certificate in the input writes {secret}")]
    NoCertificate {
        /// The issuer Secret.
        secret: String,
    },
    /// The issuer of that Certificate was not seen.
    #[error("{certificate} is signed by {}, and the input does not show it", signer.as_deref().unwrap_or("an Issuer"))]
    SignerUnknown {
        /// The Certificate.
        certificate: String,
        /// Its `spec.issuerRef`, where that is known.
        signer: Option<String>,
    },
    /// The issuer of that Certificate has no CA in the cluster.
    #[error("{signer} signs with nothing that cert-manager makes in this cluster")]
    SignedElsewhere {
        /// The Issuer.
        signer: String,
    },
    /// The anchor's Certificate was not seen.
    #[error("{signer} signs with Secret {secret}, and no Certificate in the input makes it")]
    AnchorUnknown {
        /// The Issuer.
        signer: String,
        /// Its `spec.ca.secretName`.
        secret: String,
    },
    /// What signs the issuer is an intermediate.
    #[error("{certificate} is signed by {signer}: it is no trust anchor, but an intermediate")]
    NotSelfSigned {
        /// The Certificate.
        certificate: String,
        /// Its `spec.issuerRef`.
        signer: String,
    },
    /// trust-manager writes the bundle, and its Bundle was not seen.
    #[error("{config_map} is written by trust-manager, and its Bundle is not in the input")]
    BundleUnknown {
        /// The ConfigMap.
        config_map: String,
    },
    /// The Bundle has a source that does not tell by itself what it adds.
    #[error("{bundle} has a source that is neither a Secret, a ConfigMap nor inLine")]
    SourceUnknown {
        /// The Bundle.
        bundle: String,
    },
    /// The issuer's Secret was not read, or none of the published anchors signed what it holds.
    #[error("{secret}: which of the published anchors signed the issuer is not known")]
    IssuerUnknown {
        /// The issuer Secret.
        secret: String,
    },
}

impl ManagedError {
    /// The next thing to do.
    #[must_use]
    pub fn help(&self) -> String {
        let help = match self {
            Self::Start(error) => return error.help(),
            Self::NoCertificate { .. } => {
                "give it in the input, or start with --strategy staged where no Certificate makes the issuer"
            }
            Self::SignerUnknown { .. } | Self::AnchorUnknown { .. } | Self::BundleUnknown { .. } => {
                "give it in the input, or the right to read it (`kubectl l5d-rotate rbac`)"
            }
            Self::SignedElsewhere { .. } => {
                "rotate its CA where that is kept, with both anchors in the trust bundle first; `verify` judges each change"
            }
            Self::NotSelfSigned { .. } => {
                "rotate the CA above it as its own issuer asks; `verify` judges each change"
            }
            Self::SourceUnknown { .. } => {
                "name each Secret and ConfigMap with its key in the Bundle's sources first"
            }
            Self::IssuerUnknown { .. } => "give the issuer's Secret in the input, or the right to read it",
        };
        help.to_owned()
    }
}

impl Record {
    /// Begins a rotation of `mesh` at `started` over cert-manager's objects. Where a new anchor is published beside an older one
    /// already, as half-way through Linkerd's guide, it goes on from there; else cert-manager mints the new anchor in the first
    /// step.
    ///
    /// # Errors
    /// Objects that were not read, or that make the certificates in another way than Linkerd's guide has it.
    pub fn managed(mesh: &Mesh, started: Timestamp) -> Result<Self, ManagedError> {
        let old = published_bundle(mesh)?;
        let (issuer, now) = chain_of(mesh)?;
        let bundle = bundle_of(mesh)?;
        let below_a_second = i64::from(started.subsec_nanosecond()).nanoseconds();
        let started = started - below_a_second;
        let unknown = || ManagedError::IssuerUnknown { secret: mesh.issuer_secret().to_string() };
        let secret = mesh.secret_chain().ok_or_else(unknown)?;
        let signed_by = signing_anchor(&old, secret, mesh).ok_or_else(unknown)?.clone();
        // The latest one of the anchor's Certificate is published beside others: the guide stands half-way.
        let latest = mesh.certificate(&now.certificate).and_then(CertManagerCertificate::issued);
        let half_way = latest.filter(|latest| old.contains(latest) && old.anchors().len() > 1);
        // An anchor that another Certificate makes is no older one: it came after.
        let is_made = |one: &Certificate| mesh.certificates.iter().any(|made| made.issued() == Some(one));
        let older = |one: &&Certificate| half_way != Some(*one) && !is_made(one);
        let other = half_way.and_then(|_| old.anchors().iter().find(older)).cloned();
        let (scope, old_anchor, new) = match (half_way, other) {
            (Some(new), Some(other)) => (Scope::Full { anchor: new.clone() }, other, now.clone()),
            _ => (Scope::Awaited, signed_by, renamed(&now, mesh, started)),
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
            && let Some(anchor) = mesh.certificate(&managed.new.certificate).and_then(|one| one.issued())
        {
            self.scope = Scope::Full { anchor: anchor.clone() };
        }
        let of = |anchor: &Certificate| {
            let secret = mesh.secret_chain();
            secret
                .filter(|chain| is_signed_by(chain, anchor, mesh.identity_name()))
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
            self.anchors().find(|anchor| is_signed_by(chain, anchor, mesh.identity_name()))?.fingerprint();
        let generation = mesh.certificate(&managed.issuer)?.generation?;
        let ChangeTime::At(since) = mesh.issuer.as_option()?.changed else { return None };
        let is_it = |known: &Signed| (known.by, known.generation) == (by, generation) && known.since <= since;
        Some(managed.signed.filter(is_it).unwrap_or(Signed { by, since, generation }))
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
            self.anchors().find(|anchor| is_signed_by(chain, anchor, mesh.identity_name()))
        });
        let signed_by = signed_by.cloned();
        if self.managed.is_some()
            && let (Known::Is(issuer), Some(anchor)) = (&mut mesh.issuer, signed_by)
        {
            issuer.chain = Ok(IssuerChain::alone(anchor));
        }
        mesh
    }

    /// Is the new anchor one that cert-manager has not minted, as far as is known?
    #[must_use]
    pub fn awaits_anchor(&self) -> bool {
        self.scope == Scope::Awaited
    }
}

/// The issuer's Certificate, and the anchor that it comes from.
fn chain_of(mesh: &Mesh) -> Result<(ObjectRef, ManagedAnchor), ManagedError> {
    let none = || ManagedError::NoCertificate { secret: mesh.issuer_secret().to_string() };
    let issuer = mesh.issuer_certificate().ok_or_else(none)?;
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
    Ok((issuer.object.clone(), ManagedAnchor { certificate, secret, signer }))
}

fn bundle_of(mesh: &Mesh) -> Result<Option<ObjectRef>, ManagedError> {
    let home = mesh.bundle_home();
    let by_trust_manager = |owner: &Owner| matches!(owner, Owner::TrustManager { .. });
    match &mesh.trust_bundle {
        Some(TrustBundle { object, sources }) if sources.contains(&BundleSource::Other) => {
            Err(ManagedError::SourceUnknown { bundle: object.to_string() })
        }
        Some(bundle) => Ok(Some(bundle.object.clone())),
        None if mesh.owners_of(&home).iter().any(by_trust_manager) => {
            Err(ManagedError::BundleUnknown { config_map: home.to_string() })
        }
        None => Ok(None),
    }
}

/// The anchor by names of its own: those of the present one with the day of the rotation behind them.
fn renamed(now: &ManagedAnchor, mesh: &Mesh, started: Timestamp) -> ManagedAnchor {
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
            signer: of(&now.signer),
        }
    };
    let is_taken = |anchor: &ManagedAnchor| {
        mesh.certificate(&anchor.certificate).is_some()
            || mesh.certificate_issuer(&anchor.signer).is_some()
            || mesh.certificates.iter().any(|one| one.secret == anchor.secret)
    };
    let suffixes = std::iter::once(String::new()).chain((2..100).map(|number| format!("-{number}")));
    let mut candidates = suffixes.map(|suffix| named(&suffix));
    candidates.find(|one| !is_taken(one)).unwrap_or_else(|| named(""))
}

/// The anchor that signed a chain, as the identity controller judged it when the issuer began.
fn signing_anchor<'a>(anchors: &'a Bundle, chain: &IssuerChain, mesh: &Mesh) -> Option<&'a Certificate> {
    anchors.anchors().iter().find(|anchor| is_signed_by(chain, anchor, mesh.identity_name()))
}

/// `certManager` of `rotation.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenManaged {
    issuer: WrittenObject,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bundle: Option<WrittenObject>,
    old: WrittenAnchor,
    /// The old anchor, one of those in `old-anchors.pem`.
    old_anchor: Fingerprint,
    new: WrittenAnchor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<Signed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenAnchor {
    certificate: WrittenObject,
    secret: String,
    signer: WrittenObject,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenObject {
    api_version: String,
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    namespace: String,
    name: String,
}

impl From<&ObjectRef> for WrittenObject {
    fn from(object: &ObjectRef) -> Self {
        let ObjectRef { api_version, kind, namespace, name } = object.clone();
        Self { api_version, kind, namespace, name }
    }
}

impl From<&WrittenObject> for ObjectRef {
    fn from(written: &WrittenObject) -> Self {
        Self::new(&written.api_version, &written.kind, &written.namespace, &written.name)
    }
}

impl From<&ManagedAnchor> for WrittenAnchor {
    fn from(anchor: &ManagedAnchor) -> Self {
        let (certificate, signer) = ((&anchor.certificate).into(), (&anchor.signer).into());
        Self { certificate, secret: anchor.secret.clone(), signer }
    }
}

impl From<&WrittenAnchor> for ManagedAnchor {
    fn from(written: &WrittenAnchor) -> Self {
        let (certificate, signer) = ((&written.certificate).into(), (&written.signer).into());
        Self { certificate, secret: written.secret.clone(), signer }
    }
}

impl From<&Managed> for WrittenManaged {
    fn from(managed: &Managed) -> Self {
        Self {
            issuer: (&managed.issuer).into(),
            bundle: managed.bundle.as_ref().map(Into::into),
            old: (&managed.old).into(),
            old_anchor: managed.old_anchor.fingerprint(),
            new: (&managed.new).into(),
            signed: managed.signed,
        }
    }
}

impl WrittenManaged {
    /// What was written; `None` where the old anchor is none of these.
    pub(super) fn read(&self, old: &Bundle) -> Option<Managed> {
        let is_it = |anchor: &&Certificate| anchor.fingerprint() == self.old_anchor;
        Some(Managed {
            issuer: (&self.issuer).into(),
            bundle: self.bundle.as_ref().map(Into::into),
            old: (&self.old).into(),
            old_anchor: old.anchors().iter().find(is_it)?.clone(),
            new: (&self.new).into(),
            signed: self.signed,
        })
    }
}
