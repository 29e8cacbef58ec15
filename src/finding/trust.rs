//! Who does not accept whom.

use jiff::Timestamp;
use serde::Serialize;
use strum::{IntoStaticStr, VariantNames};

use super::{CertificateRef, Pods};
use crate::pki::{Bundle, Certificate, IssuerChain, Refusal};

/// A side of the mesh that does not accept another.
#[derive(Debug, Clone, PartialEq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "evidence", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[strum(serialize_all = "kebab-case")]
pub enum TrustFact {
    /// An identity controller that starts refuses the issuer in the Secret, and stops.
    IdentityFailsToStart(Rejection),
    /// Proxies reject the workload certificate of a peer.
    PeerRejected(Rejection),
    /// Proxies reject the next workload certificate that they are issued.
    RenewalRejected(Rejection),
    /// A running identity controller refuses the issuer that it has loaded, and signs nothing.
    SigningRefused(Rejection),
    /// The proxies of identity pods reject a proxy that asks for its next workload certificate, so that it never gets one.
    RequestRejected(Rejection),
}

/// The standing invariants of trust (S1 to S4, S8); in JSON each by the code of what its violation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Invariant {
    /// S1: the published bundle accepts the Secret's issuer, so that an identity controller that restarts starts.
    #[serde(rename = "identity-fails-to-start")]
    ControllerStarts,
    /// S2: every proxy accepts every workload certificate that may be presented to it.
    #[serde(rename = "peer-rejected")]
    EveryPair,
    /// S3: every proxy accepts the workload certificate that any identity controller would sign for it now.
    #[serde(rename = "renewal-rejected")]
    EveryRenewal,
    /// S4: every identity controller still accepts its own issuer.
    #[serde(rename = "signing-refused")]
    ControllerSigns,
    /// S8: the proxies of identity pods accept every workload certificate with which a proxy may ask for its next one. That
    /// whoever asks accepts theirs is S2: they renew without TLS, and so it passes, unless S3 does not hold.
    #[serde(rename = "request-rejected")]
    EveryRequest,
}

/// Who refuses what.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The anchors that refuse, and who holds them.
    pub verifier: Party,
    /// The issuer and its intermediates, which are refused, and whose workload certificates it signed.
    pub presenter: Party,
    pub refusal: Refusal,
    /// Does it surely come to this, or only in some of the possible states?
    pub certain: bool,
    /// The last instant at which it can be so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// In which order of events it first happens, where a change brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Party {
    /// What it holds, or presents.
    pub certificates: Vec<CertificateRef>,
    /// Those who do so today; none for those that only come to it by the change.
    pub pods: Pods,
}

/// When a change begins to break something, however its objects are applied and whoever loads them first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The bundle is published.
    Bundle,
    /// The issuer is in the Secret.
    Issuer,
    /// The issuer is in the Secret, and the bundle of the same change is not published yet.
    IssuerBeforeBundle,
    /// Bundle and issuer are both in place.
    Both,
    /// Pods start with the bundle in their own template.
    Template,
    /// The pods restart that the change restarts.
    Restart,
    /// Everything has restarted.
    Everything,
}

impl Rejection {
    /// That these anchors refuse this chain, surely, and nobody in particular holds either.
    #[must_use]
    pub fn of(anchors: &Bundle, chain: &IssuerChain, refusal: Refusal) -> Self {
        let certificates =
            |all: &mut dyn Iterator<Item = &Certificate>| all.map(CertificateRef::from).collect();
        let party = |certificates| Party { certificates, pods: Pods::default() };
        Self {
            verifier: party(certificates(&mut anchors.anchors().iter())),
            presenter: party(certificates(&mut chain.certificates())),
            refusal,
            certain: true,
            until: None,
            order: None,
        }
    }
}

impl TrustFact {
    /// That an invariant does not hold.
    #[must_use]
    pub const fn of(invariant: Invariant, rejection: Rejection) -> Self {
        match invariant {
            Invariant::ControllerStarts => Self::IdentityFailsToStart(rejection),
            Invariant::EveryPair => Self::PeerRejected(rejection),
            Invariant::EveryRenewal => Self::RenewalRejected(rejection),
            Invariant::ControllerSigns => Self::SigningRefused(rejection),
            Invariant::EveryRequest => Self::RequestRejected(rejection),
        }
    }

    /// Who refuses what.
    #[must_use]
    pub const fn rejection(&self) -> &Rejection {
        match self {
            Self::IdentityFailsToStart(rejection)
            | Self::PeerRejected(rejection)
            | Self::RenewalRejected(rejection)
            | Self::SigningRefused(rejection)
            | Self::RequestRejected(rejection) => rejection,
        }
    }
}
