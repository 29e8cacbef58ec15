//! `linkerd-identity` and `linkerd-identity-data-plane`: the nine checks of `linkerd check --proxy`, in its order
//! (`pkg/healthcheck/healthcheck.go`).
//!
//! Linkerd stops at the first fatal failure; these go on where what they look at can be read.

use super::case::{Case, known, same_anchors};
use super::certificates::{anchor_fault, issuer_fault, remaining};
use super::{Judged, Outcome, Rule, Stop, error, unless_empty, warning};
use crate::document::ObjectRef;
use crate::finding::{
    AnchorRef, ChainPart, CheckFact, Fact, InputFact, Pods, Rejection, TrustFact, UnsupportedAnchor,
};
use crate::linkerd::EXPIRY_THRESHOLD;
use crate::mesh::{Era, Issuer, KeyState, Known, Mesh, NoChain, Plane, ProxyGroup};
use crate::pki::{Bundle, BundleText, Certificate, Refusal, Rules, accepts};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "l5d-identity-cert-config-valid",
        object: Some(Mesh::issuer_secret),
        judge: config_is_valid,
    },
    Rule {
        code: "l5d-identity-trustAnchors-use-supported-crypto",
        object: None,
        judge: anchors_use_supported_crypto,
    },
    Rule { code: "l5d-identity-trustAnchors-are-time-valid", object: None, judge: anchors_are_valid },
    Rule { code: "l5d-identity-trustAnchors-not-expiring-soon", object: None, judge: anchors_not_expiring },
    Rule {
        code: "l5d-identity-issuer-cert-uses-supported-crypto",
        object: Some(Mesh::issuer_secret),
        judge: issuer_uses_supported_crypto,
    },
    Rule {
        code: "l5d-identity-issuer-cert-is-time-valid",
        object: Some(Mesh::issuer_secret),
        judge: issuer_is_valid,
    },
    Rule {
        code: "l5d-identity-issuer-cert-not-expiring-soon",
        object: Some(Mesh::issuer_secret),
        judge: issuer_not_expiring,
    },
    Rule {
        code: "l5d-identity-issuer-cert-issued-by-trust-anchor",
        object: Some(Mesh::issuer_secret),
        judge: issued_by_anchor,
    },
];

pub(super) const DATA_PLANE_RULES: &[Rule] = &[Rule {
    code: "l5d-identity-data-plane-proxies-certs-match-ca",
    object: Some(Mesh::bundle_home),
    judge: proxies_match_bundle,
}];

/// The object whose anchors `linkerd check` looks at, which are not the published ones: `ca.crt` of an external issuer, else
/// `linkerd-config`'s copy.
fn checked_object(case: &Case<'_>) -> ObjectRef {
    if case.is_external() { case.mesh.issuer_secret() } else { case.mesh.linkerd_config() }
}

/// Those anchors' text.
fn checked_text<'a>(case: &Case<'a>) -> Result<&'a BundleText, Stop> {
    if case.is_external() {
        return case.issuer_in_secret()?.ca.as_ref().ok_or(Stop::NotApplicable);
    }
    known(&case.mesh.trust.config, || case.mesh.linkerd_config())
}

/// Those anchors; an empty text is no error to Linkerd, but no anchors.
fn checked_anchors<'a>(case: &Case<'a>) -> Result<Option<&'a Bundle>, Stop> {
    let text = checked_text(case)?;
    match text.as_read_by(Rules::Controller) {
        Ok(bundle) => Ok(Some(bundle)),
        Err(_) if text.text().is_empty() => Ok(None),
        Err(_) => Err(Stop::NotApplicable),
    }
}

fn config_is_valid(case: &Case<'_>) -> Judged {
    let (secret, scheme) = (case.mesh.issuer_secret(), case.mesh.control_plane.scheme);
    if case.mesh.issuer == Known::Absent {
        return Ok(error(CheckFact::IssuerSecretMissing { secret }));
    }
    let issuer = case.issuer_in_secret()?;
    if issuer.chain.as_ref().is_err_and(NoChain::is_hidden) {
        case.chain()?;
    }
    if case.is_external() && !has_key(issuer, "ca.crt") {
        return Ok(error(CheckFact::IssuerCaMissing { secret }));
    }
    if let Some(fact) = missing_keys(case, issuer) {
        return Ok(error(fact));
    }
    if let Err(said) = &issuer.chain {
        return Ok(error(InputFact::IssuerUnreadable { object: secret, said: said.to_string() }));
    }
    if case.is_external() && case.mesh.control_plane.era <= Era::V2_9 && differs_from_config(case) {
        return Ok(error(CheckFact::IssuerCaNotInConfig { secret, config: case.mesh.linkerd_config() }));
    }
    match &issuer.key {
        KeyState::Matches | KeyState::NotSeen => {}
        KeyState::Mismatch => return Ok(error(CheckFact::IssuerKeyMismatch { secret })),
        KeyState::Missing => return Ok(error(CheckFact::IssuerKeyMissing { secret, scheme })),
        KeyState::Unreadable(said) => {
            return Ok(error(CheckFact::IssuerKeyUnreadable { secret, said: said.clone() }));
        }
    }
    let text = match checked_text(case) {
        Err(Stop::NotApplicable) => {
            return Ok(error(CheckFact::LinkerdConfigMissing { config: case.mesh.linkerd_config() }));
        }
        text => text?,
    };
    if let Err(defect) = text.as_read_by(Rules::Controller)
        && !text.text().is_empty()
    {
        let (object, defect) = (checked_object(case), defect.clone());
        return Ok(error(CheckFact::CheckedAnchorsUnreadable { object, defect }));
    }
    case.saw_key().map(|()| Outcome::Success)
}

fn has_key(issuer: &Issuer, wanted: &str) -> bool {
    issuer.keys.iter().any(|key| key == wanted)
}

/// The keys of the scheme that the Secret lacks.
pub(super) fn missing_keys(case: &Case<'_>, issuer: &Issuer) -> Option<CheckFact> {
    let scheme = case.mesh.control_plane.scheme;
    let (certificate, key) = scheme.keys();
    let missing: Vec<_> =
        [certificate, key].into_iter().filter(|name| !has_key(issuer, name)).map(str::to_owned).collect();
    if missing.is_empty() {
        return None;
    }
    let (secret, found) = (case.mesh.issuer_secret(), issuer.keys.clone());
    Some(CheckFact::IssuerSecretKeys { secret, scheme, missing, found })
}

/// 2.7 to 2.9 compared `ca.crt` with the configuration.
fn differs_from_config(case: &Case<'_>) -> bool {
    match (checked_text(case), &case.mesh.trust.config) {
        (Ok(ca), Known::Is(config)) => !same_anchors(ca, config),
        _ => false,
    }
}

/// The anchors of which this holds.
fn anchors_where(case: &Case<'_>, holds: impl Fn(&Certificate) -> bool) -> Result<Vec<AnchorRef>, Stop> {
    let anchors = checked_anchors(case)?.map_or(&[][..], Bundle::anchors);
    Ok(anchors.iter().filter(|anchor| holds(anchor)).map(AnchorRef::from).collect())
}

fn anchors_use_supported_crypto(case: &Case<'_>) -> Judged {
    let era = case.mesh.control_plane.era;
    let anchors = checked_anchors(case)?.map_or(&[][..], Bundle::anchors);
    let unsupported = anchors.iter().filter_map(|anchor| {
        Some(UnsupportedAnchor { anchor: anchor.into(), fault: anchor_fault(anchor, era)? })
    });
    Ok(unless_empty(unsupported.collect(), |anchors| error(CheckFact::TrustAnchorAlgorithm { anchors })))
}

fn anchors_are_valid(case: &Case<'_>) -> Judged {
    let invalid = anchors_where(case, |anchor| !anchor.is_valid_at(case.at()))?;
    Ok(unless_empty(invalid, |anchors| {
        if anchors.iter().any(|anchor| case.at() < anchor.certificate.not_before) {
            return error(CheckFact::TrustAnchorNotYetValid { anchors });
        }
        error(expired_anchors(case, anchors))
    }))
}

fn anchors_not_expiring(case: &Case<'_>) -> Judged {
    let soon = anchors_where(case, |anchor| remaining(anchor, case.at()) < EXPIRY_THRESHOLD)?;
    Ok(unless_empty(soon, |anchors| {
        if anchors.iter().all(|anchor| anchor.certificate.not_after < case.at()) {
            return warning(expired_anchors(case, anchors));
        }
        warning(CheckFact::TrustAnchorExpiring { anchors })
    }))
}

/// Expired anchors, by whether the issuer depends on one of them.
fn expired_anchors(case: &Case<'_>, anchors: Vec<AnchorRef>) -> Fact {
    let carrier = case.carrier().ok().map(Certificate::fingerprint);
    let unused =
        carrier.is_some_and(|carrier| anchors.iter().all(|one| one.certificate.fingerprint != carrier));
    if unused {
        return CheckFact::ExpiredAnchorLeft { anchors }.into();
    }
    CheckFact::TrustAnchorExpired { anchors }.into()
}

fn issuer_uses_supported_crypto(case: &Case<'_>) -> Judged {
    let era = case.mesh.control_plane.era;
    case.judge_chain(|chain| match issuer_fault(&chain.issuer, era) {
        Some(fault) => error(CheckFact::IssuerAlgorithm { issuer: (&chain.issuer).into(), fault }),
        None => Outcome::Success,
    })
}

fn issuer_is_valid(case: &Case<'_>) -> Judged {
    case.judge_chain(|chain| {
        let certificate = (&chain.issuer).into();
        if case.at() < chain.issuer.facts().not_before {
            return error(CheckFact::IssuerNotYetValid { certificate });
        }
        if chain.issuer.is_expired_at(case.at()) {
            return error(CheckFact::IssuerExpired { certificate, part: ChainPart::Issuer });
        }
        Outcome::Success
    })
}

fn issuer_not_expiring(case: &Case<'_>) -> Judged {
    case.judge_chain(|chain| {
        let (certificate, part) = ((&chain.issuer).into(), ChainPart::Issuer);
        if chain.issuer.is_expired_at(case.at()) {
            return warning(CheckFact::IssuerExpired { certificate, part });
        }
        if remaining(&chain.issuer, case.at()) < EXPIRY_THRESHOLD {
            return warning(CheckFact::IssuerExpiring { certificate, part });
        }
        Outcome::Success
    })
}

fn issued_by_anchor(case: &Case<'_>) -> Judged {
    let anchors = checked_anchors(case)?;
    let object = checked_object(case);
    case.judge_chain(|chain| {
        let Some(anchors) = anchors else { return error(CheckFact::CheckedAnchorsEmpty { object }) };
        match accepts(anchors, chain, &case.mesh.identity_name(), case.at(), Rules::Controller) {
            // That the issuer is a CA, the identity controller asks and `linkerd check` does not.
            Ok(()) | Err(Refusal::IssuerNotACa { .. }) => Outcome::Success,
            Err(refusal) if checks_what_identity_reads(case) => {
                error(TrustFact::IdentityFailsToStart(Rejection::of(anchors, chain, refusal)))
            }
            Err(refusal) => error(CheckFact::CheckedAnchorsRefuseIssuer { object, refusal }),
        }
    })
}

/// Does `linkerd check` look at the same anchors as an identity controller that starts?
fn checks_what_identity_reads(case: &Case<'_>) -> bool {
    match (checked_text(case), case.identity_text()) {
        (Ok(checked), Ok(read)) => same_anchors(checked, read),
        _ => false,
    }
}

/// Does every proxy hold the published bundle? Certificates are compared, not texts. Control-plane proxies count where their
/// bundle is literal; where it is not, their start tells (a check of ours).
fn proxies_match_bundle(case: &Case<'_>) -> Judged {
    let proxies = case.proxies()?;
    let published = &case.published()?.text;
    let control_plane = !case.mesh.control_plane.era.control_plane_by_reference();
    let outdated: Vec<_> = (proxies.iter())
        .filter(|group| group.plane == Plane::Data || control_plane)
        .filter(|group| holds_other_anchors(case, group, published))
        .collect();
    Ok(unless_empty(outdated, |outdated| {
        let workloads = Pods::of(case.mesh, outdated.iter().copied()).workloads;
        let count = outdated.iter().map(|group| group.count()).sum();
        warning(CheckFact::ProxiesOutdated {
            pods: Pods { count, sample: names(case, &outdated), workloads },
        })
    }))
}

/// Does the group hold a literal bundle with other anchors than these?
pub(super) fn holds_other_anchors(case: &Case<'_>, group: &ProxyGroup, published: &BundleText) -> bool {
    case.mesh.literal_bundle(&group.held).is_some_and(|held| !same_anchors(held, published))
}

/// Every pod of these groups whose name is known, as `namespace/pod`, sorted: `linkerd check` lists them all.
fn names(case: &Case<'_>, groups: &[&ProxyGroup]) -> Vec<String> {
    let mut names: Vec<_> = (groups.iter())
        .flat_map(|group| {
            let namespace = &case.mesh.workload(group.workload).object.namespace;
            group.sample.iter().map(move |pod| format!("{namespace}/{pod}"))
        })
        .collect();
    names.sort();
    names
}
