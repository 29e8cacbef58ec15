//! The anchor in use and the issuer: how long they are valid, and what the issuer's Secret holds.

use crate::check::case::Case;
use crate::check::certificates::remaining;
use crate::check::identity::missing_keys;
use crate::check::{Judged, Outcome, Rule, Stop, error, unless_empty, warning};
use crate::finding::{AnchorRef, ChainPart, CheckFact, Rejection, SigningRight, TrustFact};
use crate::mesh::{Issuer, KeyState, Known, Mesh, NoChain};
use crate::pki::{IssuerChain, Rules, accepts};

pub(super) const RULES: &[Rule] = &[
    Rule { code: "anchor-in-use-valid", object: Some(Mesh::bundle_home), judge: anchor_in_use_valid },
    Rule {
        code: "anchor-in-use-not-expiring-soon",
        object: Some(Mesh::bundle_home),
        judge: anchor_in_use_not_expiring,
    },
    Rule { code: "expired-anchor-left", object: Some(Mesh::bundle_home), judge: expired_anchor_left },
    Rule { code: "issuer-secret-keys", object: Some(Mesh::issuer_secret), judge: secret_keys },
    Rule { code: "issuer-key-matches", object: Some(Mesh::issuer_secret), judge: key_matches },
    Rule {
        code: "issuer-is-ca",
        object: Some(Mesh::issuer_secret),
        judge: |case| case.judge_chain(may_sign),
    },
    Rule { code: "issuer-accepted-by-bundle", object: Some(Mesh::issuer_secret), judge: accepted_by_bundle },
    Rule {
        code: "issuer-not-expiring-soon",
        object: Some(Mesh::issuer_secret),
        judge: |case| case.judge_chain(|chain| not_expiring(case, chain)),
    },
    Rule {
        code: "issuer-outlives-workload-certificates",
        object: Some(Mesh::issuer_secret),
        judge: |case| case.judge_chain(|chain| outlives_workload_certificates(case, chain)),
    },
    Rule { code: "issuer-within-anchor", object: Some(Mesh::issuer_secret), judge: within_anchor },
    Rule { code: "issuer-is-not-anchor", object: Some(Mesh::issuer_secret), judge: is_not_anchor },
];

fn anchor_in_use_valid(case: &Case<'_>) -> Judged {
    let anchor = case.carrier()?;
    if !anchor.is_expired_at(case.at()) {
        return Ok(Outcome::Success);
    }
    let anchors = vec![AnchorRef::from(anchor)];
    Ok(case.opened_by_procedure(error(CheckFact::TrustAnchorExpired { anchors })))
}

fn anchor_in_use_not_expiring(case: &Case<'_>) -> Judged {
    let anchor = case.carrier()?;
    if anchor.is_expired_at(case.at()) {
        return Err(Stop::NotApplicable);
    }
    if !case.expires_soon(anchor) {
        return Ok(Outcome::Success);
    }
    let anchors = vec![AnchorRef::from(anchor)];
    Ok(case.opened_by_procedure(warning(CheckFact::TrustAnchorExpiring { anchors })))
}

fn expired_anchor_left(case: &Case<'_>) -> Judged {
    let anchors = case.anchors()?;
    let in_use = case.anchors_in_use(anchors, case.chain()?);
    let carried = in_use.iter().any(|anchor| !anchor.is_expired_at(case.at()));
    let left = (anchors.anchors().iter())
        .filter(|anchor| anchor.is_expired_at(case.at()))
        .filter(|anchor| carried || !in_use.contains(anchor));
    let left = left.map(AnchorRef::from).collect();
    Ok(unless_empty(left, |anchors| warning(CheckFact::ExpiredAnchorLeft { anchors })))
}

fn secret_keys(case: &Case<'_>) -> Judged {
    if case.mesh.issuer == Known::Absent {
        return Ok(error(CheckFact::IssuerSecretMissing { secret: case.mesh.issuer_secret() }));
    }
    let issuer = case.issuer_in_secret()?;
    // What only the cluster can make or decrypt shows no keys.
    if issuer.chain.as_ref().is_err_and(NoChain::is_hidden) {
        return case.chain().map(|_| Outcome::Success);
    }
    let missing = missing_keys(case, issuer);
    Ok(missing.map_or(Outcome::Success, error))
}

fn key_matches(case: &Case<'_>) -> Judged {
    case.saw_key()?;
    Ok(key_fault(case, case.issuer_in_secret()?).map_or(Outcome::Success, error))
}

/// What the identity controller has against the issuer's key.
fn key_fault(case: &Case<'_>, issuer: &Issuer) -> Option<CheckFact> {
    let (secret, scheme) = (case.mesh.issuer_secret(), case.mesh.control_plane.scheme);
    match &issuer.key {
        KeyState::Matches | KeyState::NotSeen => None,
        KeyState::Mismatch => Some(CheckFact::IssuerKeyMismatch { secret }),
        KeyState::Missing => Some(CheckFact::IssuerKeyMissing { secret, scheme }),
        KeyState::Unreadable(said) => Some(CheckFact::IssuerKeyUnreadable { secret, said: said.clone() }),
    }
}

fn may_sign(chain: &IssuerChain) -> Outcome {
    let facts = chain.issuer.facts();
    let lacks = match (facts.is_ca, facts.may_sign) {
        (false, _) => SigningRight::BasicConstraints,
        (true, Some(false)) => SigningRight::KeyUsage,
        (true, _) => return Outcome::Success,
    };
    error(CheckFact::IssuerMayNotSign { issuer: (&chain.issuer).into(), lacks })
}

/// What an identity controller that starts now would do with anchors and issuer.
fn accepted_by_bundle(case: &Case<'_>) -> Judged {
    let anchors = case.identity_text()?.as_read_by(Rules::Controller).map_err(|_| Stop::NotApplicable)?;
    // The controller reads the key before it verifies the certificate.
    if let Ok(issuer) = case.issuer_in_secret()
        && let Some(fault) = key_fault(case, issuer)
    {
        return Ok(error(fault));
    }
    case.judge_chain(|chain| {
        match accepts(anchors, chain, &case.mesh.identity_name(), case.at(), Rules::Controller) {
            Ok(()) => Outcome::Success,
            Err(refusal) => error(TrustFact::IdentityFailsToStart(Rejection::of(anchors, chain, refusal))),
        }
    })
}

fn not_expiring(case: &Case<'_>, chain: &IssuerChain) -> Outcome {
    let first = chain.first_to_expire();
    let part = if *first == chain.issuer { ChainPart::Issuer } else { ChainPart::Intermediate };
    let certificate = first.into();
    if first.is_expired_at(case.at()) {
        return case.opened_by_procedure(error(CheckFact::IssuerExpired { certificate, part }));
    }
    if !case.chain_expires_soon(chain) {
        return Outcome::Success;
    }
    case.opened_by_procedure(warning(CheckFact::IssuerExpiring { certificate, part }))
}

/// A workload certificate expires with the first certificate of the issuer's file (since 2.7), however long its lifetime is set.
fn outlives_workload_certificates(case: &Case<'_>, chain: &IssuerChain) -> Outcome {
    let first = chain.first_to_expire();
    let (left, lifetime) = (remaining(first, case.at()), case.workload_certificate_lifetime());
    if left >= lifetime || left.is_negative() {
        return Outcome::Success;
    }
    warning(CheckFact::IssuerTooShort { certificate: first.into(), left, lifetime })
}

/// Less than a workload certificate's life is no matter: `step`, called twice with the same lifetime, gives a difference of
/// seconds.
fn within_anchor(case: &Case<'_>) -> Judged {
    let anchor = case.carrier()?;
    case.judge_chain(|chain| {
        let first = chain.first_to_expire();
        let longer = anchor.facts().not_after.duration_until(first.facts().not_after);
        if longer <= case.workload_certificate_lifetime() {
            return Outcome::Success;
        }
        warning(CheckFact::IssuerOutlivesAnchor { issuer: first.into(), anchor: anchor.into() })
    })
}

fn is_not_anchor(case: &Case<'_>) -> Judged {
    let anchors = case.anchors()?;
    case.judge_chain(|chain| {
        if !anchors.contains(&chain.issuer) {
            return Outcome::Success;
        }
        let secret = case.mesh.issuer_secret();
        warning(CheckFact::IssuerIsAnchor { issuer: (&chain.issuer).into(), secret })
    })
}
