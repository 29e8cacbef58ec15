//! Which of the guide's procedures is next.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::case::Case;
use super::rule::Stop;
use super::{Options, expiry};
use crate::mesh::{Mesh, Owner};
use crate::pki::{Bundle, Certificate, IssuerChain, Refusal, Rules, accepts};

/// The next procedure. `Display` says why in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// Nothing ends soon; this ends first.
    Fine(Ending),
    /// The trust anchor ends soon: rotate anchor and issuer.
    RotateAnchor(Ending),
    /// The issuer ends soon, or is over, and the anchor can still sign a new one, without any restart.
    RotateIssuer {
        /// The issuer, or an intermediate in its file that ends before it.
        issuer: Ending,
        /// The anchor that signs the next one.
        anchor: Ending,
    },
    /// The anchor that the issuer needs is over: new certificates all at once, with downtime.
    ReplaceExpired {
        /// The anchor.
        anchor: Ending,
        /// The instant at which the last leaf ends.
        last_workload_certificate: Timestamp,
    },
    /// cert-manager makes what ends soon, or is over: change its resources, not the Secret.
    CertManager {
        /// What ends.
        ending: Ending,
        /// Is it the anchor (else the issuer)?
        anchor: bool,
        /// The Certificates, as `namespace/name`.
        certificates: Vec<String>,
    },
    /// The published bundle does not accept the issuer.
    Untrusted(Refusal),
    /// The bundle or the issuer is missing, or Linkerd cannot read it: that comes before any rotation.
    Repair(&'static str),
    /// It cannot be told, and why.
    Unknown(String),
}

/// A certificate and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Its name.
    pub name: String,
    /// Its last valid instant.
    pub not_after: Timestamp,
    /// How much longer that is; negative when it is over.
    pub left: SignedDuration,
}

/// Tells the next procedure from trust material alone.
#[must_use]
pub fn advice(mesh: &Mesh, options: Options) -> Advice {
    let case = Case { mesh, options };
    if let Some(published) = mesh.trust.published.as_option()
        && published.text.as_read_by(Rules::Proxy).is_ok()
        && published.text.as_read_by(Rules::Controller).is_err()
    {
        return Advice::Repair(
            "the control plane would not start with the text of the published trust bundle",
        );
    }
    let instead = |repair: &'static str| {
        move |stop| match stop {
            Stop::Unknown(what) => Advice::Unknown(what),
            Stop::NotApplicable => Advice::Repair(repair),
        }
    };
    let anchors =
        case.anchors().map_err(instead("the published trust bundle is missing, or no proxy can read it"));
    let chain = case.chain().map_err(instead("the issuer is missing, or its certificate cannot be read"));
    match (anchors, chain) {
        (Ok(anchors), Ok(chain)) => of_parts(&case, anchors, chain),
        (Err(advice), _) | (_, Err(advice)) => advice,
    }
}

fn of_parts(case: &Case<'_>, anchors: &Bundle, chain: &IssuerChain) -> Advice {
    if let Err(refusal) = case.trusts(anchors, chain) {
        return Advice::Untrusted(refusal);
    }
    let Ok(anchor) = case.carrier() else {
        return Advice::Repair("no single anchor of the published trust bundle accepts the issuer");
    };
    let issuer = chain.first_to_expire();
    let ending = |certificate| Ending::of(certificate, case.at());
    if anchor.is_expired_at(case.at()) {
        return Advice::ReplaceExpired {
            anchor: ending(anchor),
            last_workload_certificate: last_workload_certificate(case, anchor, issuer),
        };
    }
    let over = issuer.is_expired_at(case.at());
    if !over
        && let Err(refusal) =
            accepts(anchors, chain, &case.mesh.identity_name(), case.at(), Rules::Controller)
    {
        return Advice::Untrusted(refusal);
    }
    let (anchor_ends, issuer_ends) = (case.ends_soon(anchor), over || case.chain_ends_soon(chain));
    let certificates = cert_manager(case.mesh);
    // An issuer that is over is replaced first: nothing is issued meanwhile, and with a new one the anchor's rotation can wait.
    let anchor_first = anchor_ends && !over;
    match (anchor_ends, issuer_ends) {
        (false, false) => {
            let first = if issuer.facts().not_after < anchor.facts().not_after { issuer } else { anchor };
            Advice::Fine(ending(first))
        }
        _ if !certificates.is_empty() => {
            let ends = if anchor_first { anchor } else { issuer };
            Advice::CertManager { ending: ending(ends), anchor: anchor_first, certificates }
        }
        _ if anchor_first => Advice::RotateAnchor(ending(anchor)),
        _ => Advice::RotateIssuer { issuer: ending(issuer), anchor: ending(anchor) },
    }
}

/// A leaf made just before the anchor ended lives on for its lifetime and skew, or until the issuer's end.
fn last_workload_certificate(case: &Case<'_>, anchor: &Certificate, issuer: &Certificate) -> Timestamp {
    let anchor = anchor.facts().not_after;
    anchor
        .checked_add(case.workload_certificate_lifetime())
        .unwrap_or(Timestamp::MAX)
        .min(issuer.facts().not_after)
}

/// The cert-manager Certificates that make anchor or issuer, told by themselves or by what they left on the Secret.
fn cert_manager(mesh: &Mesh) -> Vec<String> {
    let namespace = &mesh.control_plane.namespace;
    let secret = mesh.manifest("Secret", namespace, "linkerd-identity-issuer");
    let owner = secret.into_iter().flat_map(|secret| &secret.owners).find_map(|owner| match owner {
        Owner::CertManager { certificate } => Some(format!("{namespace}/{certificate}")),
        _ => None,
    });
    let observed =
        mesh.certificates.iter().map(|found| format!("{}/{}", found.object.namespace, found.object.name));
    let mut names: Vec<_> = observed.chain(owner).collect();
    names.sort();
    names.dedup();
    names
}

impl Ending {
    fn of(certificate: &Certificate, at: Timestamp) -> Self {
        Self {
            name: certificate.name().to_owned(),
            not_after: certificate.facts().not_after,
            left: expiry::remaining(certificate, at),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, not_after, left } = self;
        if left.is_negative() {
            return write!(f, "`{name}` expired on {not_after}");
        }
        write!(f, "`{name}` ends on {not_after}, in {}", expiry::in_words(*left))
    }
}

impl Advice {
    /// The page of Linkerd's documentation that the procedure follows, by its title.
    #[must_use]
    pub const fn guide(&self) -> Option<&'static str> {
        match self {
            Self::RotateAnchor(_) | Self::RotateIssuer { .. } => {
                Some("Rotating control plane TLS credentials")
            }
            Self::ReplaceExpired { .. } => Some("Replacing expired certificates"),
            Self::CertManager { .. } => Some("Automatically rotating control plane TLS credentials"),
            Self::Fine(_) | Self::Untrusted(_) | Self::Repair(_) | Self::Unknown(_) => None,
        }
    }

    /// The command to begin with.
    #[must_use]
    pub const fn command(&self) -> Option<&'static str> {
        match self {
            Self::RotateAnchor(_) => Some("kubectl l5d-rotate start --dir DIR"),
            Self::ReplaceExpired { .. } => Some("kubectl l5d-rotate recover"),
            Self::RotateIssuer { issuer, .. } if issuer.left.is_negative() => {
                Some("kubectl l5d-rotate recover")
            }
            Self::RotateIssuer { .. } => {
                Some("kubectl l5d-rotate start --issuer-only --anchor ca.crt --anchor-key ca.key --dir DIR")
            }
            Self::Untrusted(_) | Self::Repair(_) => Some("kubectl l5d-rotate check"),
            Self::Fine(_) | Self::CertManager { .. } | Self::Unknown(_) => None,
        }
    }

    /// The procedure in a clause, for the message of a check.
    pub(super) fn clause(&self) -> String {
        match (self.guide(), self.command()) {
            (Some(guide), Some(command)) => format!("follow \"{guide}\" ({command})"),
            (Some(guide), None) => format!("follow \"{guide}\""),
            (None, _) => "see what `kubectl l5d-rotate status` advises".to_owned(),
        }
    }

    /// Does the procedure bring a new trust anchor, so that every proxy has to learn it?
    pub(super) const fn brings_anchor(&self) -> bool {
        match self {
            Self::RotateAnchor(_) | Self::ReplaceExpired { .. } | Self::Untrusted(_) => true,
            Self::CertManager { anchor, .. } => *anchor,
            Self::Fine(_) | Self::RotateIssuer { .. } | Self::Repair(_) | Self::Unknown(_) => false,
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fine(first) => {
                write!(f, "nothing has to be rotated; of issuer and anchor, {first}, before the other")
            }
            Self::RotateAnchor(anchor) => {
                write!(f, "the trust anchor {anchor}: rotate trust anchor and issuer")
            }
            Self::RotateIssuer { issuer, anchor } => write!(
                f,
                "the issuer {issuer}, and the trust anchor {anchor}: with the anchor's key replace the issuer \
                 alone, {}",
                if issuer.left.is_negative() {
                    "then restart what has lost its leaf; without that key replace both"
                } else {
                    "without any restart; without that key rotate both (start without --issuer-only)"
                }
            ),
            Self::ReplaceExpired { anchor, last_workload_certificate } => write!(
                f,
                "the trust anchor {anchor}: the identity controller issues nothing since, and the last \
                 proxy's leaf ends by {last_workload_certificate}; replace trust anchor and issuer at once and restart \
                 everything: this takes downtime, because old and new proxies do not trust each other"
            ),
            Self::CertManager { ending, anchor, certificates } => write!(
                f,
                "the {} {ending}, and cert-manager makes it: change its resources in Git, not the Secret \
                 ({})",
                if *anchor { "trust anchor" } else { "issuer" },
                certificates.join(", ")
            ),
            Self::Untrusted(refusal @ Refusal::NotYetValid { .. }) => {
                write!(f, "the issuer does not work yet: {refusal}; put back the one before it until then")
            }
            Self::Untrusted(refusal) => write!(
                f,
                "the published trust bundle does not accept the issuer: {refusal}; publish the issuer's \
                 anchor beside the others, or put back an issuer of a published one, before the identity \
                 controller restarts"
            ),
            Self::Repair(what) => write!(f, "{what}: repair that before anything else"),
            Self::Unknown(what) => write!(f, "it cannot be told what is next: {what}"),
        }
    }
}
