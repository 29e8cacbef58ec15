//! What a change does to trust material.

use jiff::SignedDuration;
use serde::Serialize;
use strum::{IntoStaticStr, VariantNames};

use super::CertificateRef;
use crate::checkout::{NoEffect, Why};
use crate::document::ObjectRef;
use crate::mesh::BundlePlace;
use crate::pki::pem::Defect;
use crate::source::Renderer;

/// Something that a change does, whoever wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "evidence", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[strum(serialize_all = "kebab-case")]
pub enum ChangeFact {
    /// The published bundle's object, or its key, is gone.
    BundleRemoved { object: ObjectRef },
    /// Linkerd cannot read the new text of the bundle.
    BundleUnreadable { place: BundlePlace, defect: Defect },
    /// Linkerd reads fewer certificates than the new text of the bundle holds.
    BundlePartlyRead { place: BundlePlace, defect: Defect },
    /// The control plane restarts while the published bundle is one that it cannot read.
    RestartIntoUnreadableBundle { place: BundlePlace, defect: Defect, workload: ObjectRef },
    /// The copy of the bundle in `linkerd-config` does not follow it.
    ConfigCopyLeftBehind { object: ObjectRef },
    /// The issuer Secret is gone.
    IssuerRemoved { object: ObjectRef },
    /// The issuer Secret is gone, and cert-manager would make it.
    IssuerMadeByCertManager { object: ObjectRef, certificate: ObjectRef },
    /// The issuer Secret is given another type, which the API server refuses.
    SecretTypeChanged { object: ObjectRef, from: String, to: String },
    /// What the issuer Secret will hold is not shown.
    IssuerNotShown { object: ObjectRef, reason: String },
    /// The new issuer's certificate cannot be read.
    NewIssuerUnreadable { object: ObjectRef, reason: String },
    /// The issuer's private key is not the one of its certificate, or cannot be read.
    IssuerKeyUnusable { object: ObjectRef, key: KeyFault },
    /// A certificate behind the new issuer expires so soon that workload certificates end with it before it can be gone.
    ChainExpiresSoon { certificate: CertificateRef, left: SignedDuration, needed: SignedDuration },
    /// A field that the control plane reads is not what it must be.
    FieldUnreadable { object: ObjectRef, field: String, found: String },
    /// A Deployment of the control plane is gone.
    ControlPlaneWorkloadRemoved { object: ObjectRef, role: Role },
    /// Data-plane workloads restart in the same change as the bundle.
    RestartWithBundle { workloads: Vec<ObjectRef> },
    /// The control plane restarts in the same change as the bundle.
    ControlPlaneRestartWithBundle { workloads: Vec<ObjectRef> },
    /// Data-plane workloads restart in the same change as the issuer.
    RestartWithIssuer { workloads: Vec<ObjectRef> },
    /// Data-plane workloads restart while no proxy injector runs.
    RestartWithoutInjector { namespace: String, workloads: Vec<ObjectRef> },
    /// The control plane takes trust material from elsewhere.
    TrustSourceChanged { object: ObjectRef, source: TrustSource },
    /// A setting of identity changes beside the certificates.
    SettingChanged { setting: Setting },
    /// Another program makes trust material of it.
    NotRendered { renderer: Renderer, removed: bool },
    /// What an encrypted issuer holds is told by the annotation beside it alone. `is_all` where that alone stands between the change
    /// and a safe one.
    SealedAsAnnotated { object: ObjectRef, issuer: CertificateRef, accepted: bool, is_all: bool },
    /// The annotation beside an encrypted issuer does not tell what the ciphertext holds.
    AnnotationUnproven { object: ObjectRef, because: SealedDoubt },
    /// trust-manager publishes nothing any more, or nothing that is known.
    TrustBundleRemoved { bundle: ObjectRef },
    /// A source of the Bundle holds PEM that cannot be read.
    SourceUnreadable { defect: Defect },
    /// What a source of the Bundle holds is not known.
    SourceNotKnown { bundle: ObjectRef },
    /// cert-manager does not renew the issuer any more.
    IssuerNotRenewed { certificate: ObjectRef },
    /// The issuer is to sign itself: no anchor stands above it.
    IssuerSignsItself { certificate: ObjectRef },
    /// The Issuer that is to sign the issuer does not exist.
    SignerGone { certificate: ObjectRef, signer: ObjectRef },
    /// cert-manager signs the issuer with an anchor that it makes anew, which nobody holds.
    SignedByNewAnchor { certificate: ObjectRef, because: IssuedAgain },
    /// What an Issuer signs with is not known.
    SignerNotKnown { signer: ObjectRef, secret: Option<String> },
    /// cert-manager issues the identity issuer anew, by this anchor.
    IssuedByAnchor { certificate: ObjectRef, anchor: CertificateRef },
    /// Something in the repository keeps the change from having an effect.
    ChangeWithoutEffect { object: ObjectRef, because: NoEffect },
    /// What becomes of it is not known, and it could reach trust material.
    NotUnderstood { place: String, why: Why },
    /// The control plane is declared on one side of the change only.
    ControlPlaneDeclaredOnce { unit: String, gone: bool },
    /// The mesh is broken without the change.
    AlreadyBroken { ways: u64 },
}

/// Why an annotation does not tell what is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealedDoubt {
    /// The ciphertext is another, and the annotation names the same certificates.
    SameAnnotation,
    /// The annotation is another, and the ciphertext is the same.
    SameCiphertext,
    /// Of certificate and key, one alone is sealed anew.
    InPart,
    /// It holds no certificates that the identity controller reads, and why.
    Unreadable(String),
}

/// Why cert-manager issues a Certificate again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuedAgain {
    /// It is new.
    New,
    /// Another Certificate made its Secret.
    Renamed { from: ObjectRef },
    /// This field of it changes.
    Field { field: &'static str },
    /// Its renewal is due.
    Due,
}

/// The part of a pod template that brings trust material.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustSource {
    /// A volume, by its name.
    Volume(String),
    /// The variable with the trust anchors, of this container.
    Variable(String),
    /// Where it is mounted, of this container.
    Mounts(String),
    /// The command, of this container.
    Command(String),
    /// Variables that come from an object as a whole, of this container.
    EnvFrom(String),
    /// The variables that tell a proxy its own identity and the control plane's, of this container.
    Identities(String),
    /// The service account that the identity of its pods is of.
    ServiceAccount,
}

/// What is wrong with a private key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyFault {
    /// It belongs to another certificate.
    Mismatch,
    Missing,
    /// Why it cannot be read.
    Unreadable(String),
}

/// What a Deployment of the control plane is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It issues workload certificates.
    Identity,
    /// It tells proxies where their peers are.
    Destination,
    /// It gives pods their proxy.
    ProxyInjector,
    /// Neither bundle nor issuer depends on it.
    Other,
}

/// A setting of identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    TrustDomain,
    /// The control plane's namespace, which is part of every name that identity gives.
    Namespace,
    /// The domain of the cluster's services.
    ClusterDomain,
    /// Does somebody else than the chart publish the anchors?
    ExternalCa,
    /// Variables of the identity controller.
    IdentityEnvironment,
    /// Which keys of the issuer Secret are read.
    IssuerScheme,
    /// In which object and field the bundle is published.
    TrustHome,
    /// Variables that every proxy is given besides.
    ProxyEnvironment,
}
