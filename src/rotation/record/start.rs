//! Beginning a rotation: what must hold before a record is made.

use jiff::{Timestamp, ToSpan};

use super::{Record, Scope, Strategy};
use crate::document::ObjectRef;
use crate::mesh::{BundlePlace, CertManagerCertificate, Known, Mesh, Owner, ProxyGroup, Unread};
use crate::pki::pem::Defect;
use crate::pki::{Bundle, Certificate, IssuerChain, Refusal, Rules, accepts};
use crate::rotation::Direction;

/// Linkerd's guide for installs whose certificates cert-manager and trust-manager make.
const AUTOMATIC_GUIDE: &str =
    "https://linkerd.io/2/tasks/automatically-rotating-control-plane-tls-credentials/";

/// Why the published bundle is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleGap {
    #[error("it does not exist")]
    Absent,
    #[error(transparent)]
    Unread(#[from] Unread),
    /// Neither of Linkerd's readers gets an anchor from the text.
    #[error("{}", .0.as_ref().map_or_else(|| "no certificate is in the text".to_owned(), ToString::to_string))]
    Unreadable(Option<Defect>),
}

/// Why no rotation is started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The published bundle could not be read: the record could not say what is replaced.
    #[error("the trust bundle in {place} is not known: {why}")]
    BundleUnknown {
        /// Object and field.
        place: Box<BundlePlace>,
        why: BundleGap,
    },
    /// cert-manager or trust-manager would put the old material back.
    #[error("{object} is made by {owner}, which would revert a change of it")]
    Automated {
        /// The object that a rotation would patch.
        object: String,
        /// Who makes it.
        owner: Owner,
    },
    /// The new issuer is not signed by the new anchor.
    #[error("the new anchor `{anchor}` does not accept the new issuer `{issuer}`: {reason}")]
    IssuerOfAnother {
        /// The anchor's name.
        anchor: String,
        /// The issuer's name.
        issuer: String,
        /// Why.
        reason: Box<Refusal>,
    },
    /// Issuer only: no published anchor signed the issuer.
    #[error("the bundle in {place} does not accept the new issuer `{issuer}`: {reason}")]
    AnchorNotPublished {
        /// Object and field.
        place: Box<BundlePlace>,
        /// The issuer's name.
        issuer: String,
        /// Why.
        reason: Box<Refusal>,
    },
    /// Issuer only: some proxies do not hold the issuer's anchor yet.
    #[error(
        "{proxies} running proxies do not accept the new issuer `{issuer}`, among them {sample}: {reason}"
    )]
    ProxiesLackAnchor {
        /// How many.
        proxies: u64,
        /// Some of them, as `namespace/pod`.
        sample: String,
        /// The issuer's name.
        issuer: String,
        /// Why, of the first.
        reason: String,
    },
}

impl StartError {
    /// The next thing to do.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::BundleUnknown { .. } => {
                "give the ConfigMap in the input, or the right to read it; a text that cannot be \
                 read must first be replaced by the certificates it should hold"
                    .to_owned()
            }
            Self::Automated { owner: Owner::TrustManager { bundle }, .. } => format!(
                "follow \"Automatically rotating control plane TLS credentials\" ({AUTOMATIC_GUIDE}): the anchors change in \
                 the sources of Bundle {bundle} and in the Certificate of the trust anchor, not in the ConfigMap"
            ),
            Self::Automated { owner, .. } => format!(
                "follow \"Automatically rotating control plane TLS credentials\" ({AUTOMATIC_GUIDE}): {owner} and the \
                 Issuer it names must change, not the Secret"
            ),
            Self::IssuerOfAnother { .. } => {
                "give the issuer that was signed with the new anchor's key, or let `start` mint \
                 both"
                    .to_owned()
            }
            Self::AnchorNotPublished { .. } => {
                "sign the issuer with the key of an anchor that is published and valid, or \
                 start a full rotation"
                    .to_owned()
            }
            Self::ProxiesLackAnchor { .. } => {
                "restart these workloads so that they load the published bundle, then start again".to_owned()
            }
        }
    }
}

impl Record {
    /// Begins a rotation of `mesh` at `started`. With `allow_managed` an owner such as cert-manager does not refuse it:
    /// the plan then tells, per object, what must change instead.
    ///
    /// # Errors
    /// A published bundle that is not known, an owner that would revert the change, or an issuer that its anchor, the
    /// published bundle or (issuer only) some running proxy does not accept.
    pub fn new(
        mesh: &Mesh,
        started: Timestamp,
        strategy: Strategy,
        scope: Scope,
        issuer: IssuerChain,
        allow_managed: bool,
    ) -> Result<Self, StartError> {
        let old = published_bundle(mesh)?;
        if !allow_managed && let Some(error) = automation(mesh, &scope) {
            return Err(error);
        }
        let below_a_second = i64::from(started.subsec_nanosecond()).nanoseconds();
        let record = Self {
            started: started - below_a_second,
            namespace: mesh.control_plane.namespace.clone(),
            trust_domain: mesh.control_plane.trust_domain.clone(),
            strategy,
            old,
            scope,
            old_issuer: mesh.secret_chain().cloned(),
            issuer,
            cross: None,
            managed: None,
            direction: Direction::Forward,
        };
        match record.anchor() {
            Some(anchor) => record.issuer_is_of(anchor, mesh)?,
            None => record.issuer_is_accepted(mesh)?,
        }
        Ok(record)
    }

    /// Is it a rotation of this mesh, by its namespace, its trust domain and the anchors that it publishes? `None` where these
    /// are not known.
    #[must_use]
    pub fn is_of(&self, mesh: &Mesh) -> Option<bool> {
        let found = &mesh.control_plane;
        if self.namespace != found.namespace || self.trust_domain != found.trust_domain {
            return Some(false);
        }
        let published = published_bundle(mesh).ok()?;
        let mut own = self.old.anchors().iter().chain(self.anchor());
        Some(own.any(|anchor| published.contains(anchor)))
    }

    fn issuer_is_of(&self, anchor: &Certificate, mesh: &Mesh) -> Result<(), StartError> {
        let anchors = Bundle::of(anchor);
        for rules in [Rules::Controller, Rules::Proxy] {
            accepts(&anchors, &self.issuer, &mesh.identity_name(), self.started, rules).map_err(
                |reason| StartError::IssuerOfAnother {
                    anchor: anchor.name().to_owned(),
                    issuer: self.issuer.issuer.name().to_owned(),
                    reason: Box::new(reason),
                },
            )?;
        }
        Ok(())
    }

    fn issuer_is_accepted(&self, mesh: &Mesh) -> Result<(), StartError> {
        let issuer = || self.issuer.issuer.name().to_owned();
        let judge = |anchors: &Bundle, rules| {
            accepts(anchors, &self.issuer, &mesh.identity_name(), self.started, rules)
        };
        for rules in [Rules::Controller, Rules::Proxy] {
            judge(&self.old, rules).map_err(|reason| StartError::AnchorNotPublished {
                place: Box::new(mesh.bundle_place()),
                issuer: issuer(),
                reason: Box::new(reason),
            })?;
        }
        let refusing: Vec<(&ProxyGroup, String)> = mesh
            .proxies
            .iter()
            .filter_map(|group| {
                let bundle = mesh.literal_bundle(&group.held)?.as_read_by(Rules::Proxy);
                let reason = match bundle {
                    Ok(bundle) => judge(bundle, Rules::Proxy).err()?.to_string(),
                    Err(defect) => defect.to_string(),
                };
                Some((group, reason))
            })
            .collect();
        let Some((_, reason)) = refusing.first() else { return Ok(()) };
        Err(StartError::ProxiesLackAnchor {
            proxies: refusing.iter().map(|(group, _)| group.count()).sum(),
            sample: mesh.sample(refusing.iter().map(|(group, _)| *group)).join(", "),
            issuer: issuer(),
            reason: reason.clone(),
        })
    }
}

/// The published anchors, as far as either of Linkerd's readers gets them.
pub(in crate::rotation) fn published_bundle(mesh: &Mesh) -> Result<Bundle, StartError> {
    let unknown = |why| StartError::BundleUnknown { place: Box::new(mesh.bundle_place()), why };
    let published = match &mesh.trust.published {
        Known::Is(published) => published,
        Known::Absent => return Err(unknown(BundleGap::Absent)),
        Known::Unknown(why) => return Err(unknown(why.clone().into())),
    };
    // A text that one of the two readers refuses is replaced by a strict one in the first step: only what neither reads stops.
    let read = Bundle::new(published.readings().flat_map(Bundle::anchors).cloned());
    read.ok_or_else(|| unknown(BundleGap::Unreadable(published.text.defects().first().cloned())))
}

/// The first object of the rotation that cert-manager or trust-manager makes.
fn automation(mesh: &Mesh, scope: &Scope) -> Option<StartError> {
    let secret = mesh.issuer_secret();
    let bundle = mesh.bundle_home();
    let objects: &[&ObjectRef] = match scope {
        Scope::Full { .. } | Scope::Awaited => &[&bundle, &secret],
        Scope::IssuerOnly => &[&secret],
    };
    objects.iter().find_map(|object| {
        let is_automated =
            |owner: &Owner| matches!(owner, Owner::CertManager { .. } | Owner::TrustManager { .. });
        let owner = mesh.owners_of(object).into_iter().find(is_automated).or_else(|| maker(mesh, object))?;
        Some(StartError::Automated { object: object.to_string(), owner })
    })
}

/// The Certificate that cert-manager makes a Secret of, where the input shows the Certificate alone.
fn maker(mesh: &Mesh, object: &ObjectRef) -> Option<Owner> {
    let makes = |certificate: &&CertManagerCertificate| {
        object.kind == "Secret"
            && certificate.secret == object.name
            && ["", object.namespace.as_str()].contains(&certificate.object.namespace.as_str())
    };
    let certificate = mesh.certificates.iter().find(makes)?.object.name.clone();
    Some(Owner::CertManager { certificate })
}
