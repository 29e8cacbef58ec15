//! Beginning a cross-signed rotation: what must hold beside what every rotation needs.

use jiff::Timestamp;

use super::{Record, Scope, StartError, Strategy, published_bundle};
use crate::mesh::{BundlePlace, Era, GoDuration, Mesh, Owner};
use crate::pki::{Bundle, Certificate, IssuerChain, PrivateKey, Refusal, Rules, accepts};
use crate::rotation::plan::deciding;

/// How many lifetimes of a workload certificate a cross-signed rotation takes at least: one until those of the old issuer have
/// expired, one for workloads to restart in, and one before the cross certificate expires.
const LIFETIMES: i32 = 3;

/// Why a rotation cannot be cross-signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrossError {
    /// It cannot be started at all.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The key signs for none of the published anchors.
    #[error("the key is of none of the anchors in {place}")]
    KeyOfNone {
        /// Object and field.
        place: Box<BundlePlace>,
    },
    /// `linkerd upgrade` keeps only the first certificate of the issuer file (its `loadCrtPEM`).
    #[error(
        "{secret} is written by the Linkerd CLI, which keeps only the issuer of an issuer file and drops the cross certificate"
    )]
    CliDropsChain {
        /// The issuer Secret.
        secret: String,
    },
    /// Proxies of that era are not known to pass on what stands behind their issuer.
    #[error("Linkerd {0} is not known to keep a cross certificate behind its issuer")]
    Era(String),
    /// cert-manager writes the issuer Secret, and knows no cross certificate.
    #[error("{secret} is made by {owner}, which puts no cross certificate into it")]
    Automated {
        /// The issuer Secret.
        secret: String,
        /// Who makes it.
        owner: Owner,
    },
    /// The cross certificate caps workload certificates, and the old anchor caps it: the whole rotation must fit into what is
    /// left.
    #[error(
        "the old anchor expires on {expires}, and a cross-signed rotation takes {needed} at least: workload certificates of the old \
         issuer expire, every workload restarts, and no workload certificate outlives the cross certificate"
    )]
    TooLate {
        /// When the cross certificate expires.
        expires: Timestamp,
        /// Three times a workload certificate's lifetime.
        needed: GoDuration,
    },
    /// Whoever holds only the old anchors does not accept the new issuer even with the cross certificate.
    #[error("the anchors in {place} do not accept the cross-signed issuer, {rules}: {reason}")]
    Refused {
        /// Object and field.
        place: Box<BundlePlace>,
        /// Who does not.
        rules: &'static str,
        /// Why.
        reason: Box<Refusal>,
    },
}

impl CrossError {
    /// The next thing to do.
    #[must_use]
    pub fn help(&self) -> String {
        let staged = "or start it with --strategy staged, without --old-anchor-key";
        match self {
            Self::Start(error) => error.help(),
            Self::KeyOfNone { .. } => {
                format!("give the private key of the anchor that signed the present issuer, {staged}")
            }
            Self::CliDropsChain { .. } | Self::Era(_) | Self::TooLate { .. } => {
                "start it with --strategy staged, without --old-anchor-key".to_owned()
            }
            Self::Automated { .. } => {
                "follow \"Automatically rotating control plane TLS credentials\"".to_owned()
            }
            Self::Refused { .. } => format!(
                "the old anchor must be valid, allow one CA below the new anchor's (path length 1 or more, or none), and \
                 constrain no names of the trust domain; {staged}"
            ),
        }
    }
}

/// The published anchor whose private key this is; the one that is valid longest, where an anchor was renewed with its key.
///
/// # Errors
/// A published bundle that is not known, or that holds no such anchor.
pub fn anchor_of_key(mesh: &Mesh, key: &PrivateKey) -> Result<Certificate, CrossError> {
    let old = published_bundle(mesh)?;
    let of_key = old.anchors().iter().filter(|anchor| key.matches(anchor));
    let found = of_key.max_by_key(|anchor| anchor.facts().not_after).cloned();
    found.ok_or_else(|| CrossError::KeyOfNone { place: Box::new(mesh.bundle_place()) })
}

impl Record {
    /// Begins a cross-signed rotation of `mesh` at `started`: `cross` is `anchor` signed by the key of a published anchor.
    ///
    /// # Errors
    /// What [`Record::new`] refuses; an owner of the issuer Secret that drops the cross certificate; published anchors
    /// that do not accept the issuer with it. Running proxies are asked when it is put in place.
    pub fn cross_signed(
        mesh: &Mesh,
        started: Timestamp,
        anchor: Certificate,
        issuer: IssuerChain,
        cross: Certificate,
    ) -> Result<Self, CrossError> {
        keeps_chain(mesh)?;
        let needed = mesh.control_plane.workload_certificate_lifetime().saturating_mul(LIFETIMES);
        let expires = cross.facts().not_after;
        if started.duration_until(expires) < needed {
            return Err(CrossError::TooLate { expires, needed: GoDuration(needed) });
        }
        let record = Self::new(mesh, started, Strategy::CrossSigned, Scope::Full { anchor }, issuer, false)?;
        let record = Self { cross: Some(cross), ..record };
        let chain = record.chain_with_cross();
        let name = mesh.identity_name();
        let refused = |place, anchors: &Bundle, rules, who| {
            accepts(anchors, &chain, &name, record.started, rules).map_err(|reason| CrossError::Refused {
                place,
                rules: who,
                reason: Box::new(reason),
            })
        };
        let place = Box::new(mesh.bundle_place());
        refused(place.clone(), &record.old, Rules::Controller, "as the identity controller judges")?;
        refused(place, &record.old, Rules::Proxy, "as a proxy judges")?;
        Ok(record)
    }
}

/// Does a cross certificate that is put in place at `at` expire within two lifetimes of a workload certificate: one until those
/// of the old issuer have expired, one for which the certificate must be gone before it expires?
pub(in crate::rotation) fn cross_expires_too_soon(mesh: &Mesh, at: Timestamp, cross: &Certificate) -> bool {
    let life = mesh.control_plane.workload_certificate_lifetime();
    let needed = at.checked_add(life.saturating_add(life)).unwrap_or(Timestamp::MAX);
    cross.facts().not_after <= needed
}

/// Does whoever writes the issuer Secret leave certificates after the first in it?
fn keeps_chain(mesh: &Mesh) -> Result<(), CrossError> {
    let era = mesh.control_plane.era;
    if era < Era::V2_9 {
        return Err(CrossError::Era(era.to_string()));
    }
    let secret = mesh.issuer_secret();
    let owners = mesh.owners_of(&secret);
    if let Some(owner) = owners.iter().find(|owner| matches!(owner, Owner::CertManager { .. })) {
        return Err(CrossError::Automated { secret: secret.to_string(), owner: owner.clone() });
    }
    match deciding(owners).first() {
        Some(Owner::LinkerdCli) => Err(CrossError::CliDropsChain { secret: secret.to_string() }),
        _ => Ok(()),
    }
}
