//! `linkerd-identity`: the eight checks of `linkerd check`, in its order and words (`pkg/healthcheck/healthcheck.go`).
//!
//! Linkerd stops at the first fatal failure; these go on where what they look at can be read.

use jiff::Timestamp;

use super::Outcome;
use super::algorithm::{mind_anchor, mind_issuer};
use super::case::{Case, known, same_anchors};
use super::expiry::remaining;
use super::rule::{Judged, Rule, Stop, error, unless_any, warning};
use crate::linkerd::EXPIRY_THRESHOLD;
use crate::mesh::{Era, Issuer, KeyState, Known};
use crate::pki::{Bundle, BundleText, Certificate, Refusal, Rules, accepts};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "l5d-identity-cert-config-valid",
        description: "certificate config is valid",
        judge: config_is_valid,
    },
    Rule {
        code: "l5d-identity-trustAnchors-use-supported-crypto",
        description: "trust anchors are using supported crypto algorithm",
        judge: |case| {
            let era = case.mesh.control_plane.era;
            judge_anchors(case, "Invalid trustAnchors", error, |anchor| mind_anchor(anchor, era))
        },
    },
    Rule {
        code: "l5d-identity-trustAnchors-are-time-valid",
        description: "trust anchors are within their validity period",
        judge: |case| judge_anchors(case, "Invalid anchors", error, |anchor| invalid(anchor, case.at())),
    },
    Rule {
        code: "l5d-identity-trustAnchors-not-expiring-soon",
        description: "trust anchors are valid for at least 60 days",
        judge: |case| {
            judge_anchors(case, "Anchors expiring soon", warning, |anchor| expiring(anchor, case.at()))
        },
    },
    Rule {
        code: "l5d-identity-issuer-cert-uses-supported-crypto",
        description: "issuer cert is using supported crypto algorithm",
        judge: |case| {
            let era = case.mesh.control_plane.era;
            judge_issuer(case, "issuer certificate", error, |issuer| mind_issuer(issuer, era))
        },
    },
    Rule {
        code: "l5d-identity-issuer-cert-is-time-valid",
        description: "issuer cert is within its validity period",
        judge: |case| judge_issuer(case, "issuer certificate is", error, |issuer| invalid(issuer, case.at())),
    },
    Rule {
        code: "l5d-identity-issuer-cert-not-expiring-soon",
        description: "issuer cert is valid for at least 60 days",
        judge: |case| judge_issuer(case, "issuer certificate", warning, |issuer| expiring(issuer, case.at())),
    },
    Rule {
        code: "l5d-identity-issuer-cert-issued-by-trust-anchor",
        description: "issuer cert is issued by the trust anchor",
        judge: issued_by_anchor,
    },
];

/// The anchors that `linkerd check` looks at, which are not the published ones: `ca.crt` of an external issuer, else
/// `linkerd-config`'s copy.
fn text<'a>(case: &Case<'a>) -> Result<&'a BundleText, Stop> {
    if case.is_external() {
        return case.issuer_in_secret()?.ca.as_ref().ok_or(Stop::NotApplicable);
    }
    known(&case.mesh.trust.config, || {
        format!("ConfigMap {}/linkerd-config", case.mesh.control_plane.namespace)
    })
}

/// Those anchors; an empty text is no error to Linkerd, but no anchors.
fn anchors<'a>(case: &Case<'a>) -> Result<Option<&'a Bundle>, Stop> {
    match text(case)?.as_read_by(Rules::Controller) {
        Ok(bundle) => Ok(Some(bundle)),
        Err(_) if text(case)?.text().is_empty() => Ok(None),
        Err(_) => Err(Stop::NotApplicable),
    }
}

fn config_is_valid(case: &Case<'_>) -> Judged {
    let issuer = match &case.mesh.issuer {
        Known::Absent => return Ok(error("secrets \"linkerd-identity-issuer\" not found")),
        _ => case.issuer_in_secret()?,
    };
    if let Some(missing) = missing_key(case, issuer) {
        return Ok(error(missing));
    }
    if let Err(why) = &issuer.chain {
        return Ok(error(format!("could not parse issuer certificate: {why}")));
    }
    if case.is_external() && case.mesh.control_plane.era <= Era::V2_9 && differs_from_config(case) {
        return Ok(error("IdentityContext.TrustAnchorsPem does not match ca.crt in linkerd-identity-issuer"));
    }
    match &issuer.key {
        KeyState::Matches | KeyState::NotSeen => {}
        KeyState::Mismatch => return Ok(error("tls: Public and private key do not match")),
        KeyState::Missing => {
            return Ok(error(needs(case.mesh.control_plane.scheme.keys().1, "issuer key", true)));
        }
        KeyState::Unreadable(why) => return Ok(error(why)),
    }
    let text = match text(case) {
        Err(Stop::NotApplicable) => return Ok(error("configmaps \"linkerd-config\" not found")),
        text => text?,
    };
    if let Err(defect) = text.as_read_by(Rules::Controller)
        && !text.text().is_empty()
    {
        return Ok(error(format!("not a PEM certificate: {defect}")));
    }
    case.saw_key().map(|()| Outcome::Success)
}

/// Which key Linkerd misses first, in its words: with `linkerd.io/tls` it says `true` for the private key, too.
fn missing_key(case: &Case<'_>, issuer: &Issuer) -> Option<String> {
    let (certificate, key) = case.mesh.control_plane.scheme.keys();
    let external = case.is_external();
    let wanted = [
        external.then_some(("ca.crt", "trust anchors", true)),
        Some((certificate, "issuer certificate", external)),
        Some((key, "issuer key", true)),
    ];
    let (name, what, flag) =
        wanted.into_iter().flatten().find(|(name, ..)| !issuer.keys.iter().any(|key| key == name))?;
    Some(needs(name, what, flag))
}

fn needs(name: &str, what: &str, flag: bool) -> String {
    format!(
        "key {name} containing the {what} needs to exist in secret linkerd-identity-issuer if \
         --identity-external-issuer={flag}"
    )
}

/// 2.7 to 2.9 compared `ca.crt` with the configuration.
fn differs_from_config(case: &Case<'_>) -> bool {
    match (text(case), &case.mesh.trust.config) {
        (Ok(ca), Known::Is(config)) => !same_anchors(ca, config),
        _ => false,
    }
}

fn judge_anchors(
    case: &Case<'_>,
    head: &str,
    fail: fn(String) -> Outcome,
    mind: impl Fn(&Certificate) -> Option<String>,
) -> Judged {
    let anchors = anchors(case)?.map_or(&[][..], Bundle::anchors);
    let minded = anchors.iter().filter_map(|anchor| {
        let name = anchor.facts().common_name.as_deref().unwrap_or_default();
        mind(anchor).map(|why| format!("{} {name} {why}", anchor.facts().serial))
    });
    Ok(unless_any(minded.collect(), head, fail))
}

fn judge_issuer(
    case: &Case<'_>,
    head: &str,
    fail: fn(String) -> Outcome,
    mind: impl Fn(&Certificate) -> Option<String>,
) -> Judged {
    case.judge_chain(|chain| match mind(&chain.issuer) {
        Some(why) => fail(format!("{head} {why}")),
        None => Outcome::Success,
    })
}

fn invalid(certificate: &Certificate, at: Timestamp) -> Option<String> {
    let facts = certificate.facts();
    if at < facts.not_before {
        return Some(format!("not valid before: {}", facts.not_before));
    }
    certificate.is_expired_at(at).then(|| format!("not valid anymore. Expired on {}", facts.not_after))
}

fn expiring(certificate: &Certificate, at: Timestamp) -> Option<String> {
    let soon = remaining(certificate, at) < EXPIRY_THRESHOLD;
    soon.then(|| format!("will expire on {}", certificate.facts().not_after))
}

fn issued_by_anchor(case: &Case<'_>) -> Judged {
    let anchors = anchors(case)?;
    case.judge_chain(|chain| {
        let Some(anchors) = anchors else { return error("x509: certificate signed by unknown authority") };
        match accepts(anchors, chain, &case.mesh.identity_name(), case.at(), Rules::Controller) {
            // That the issuer is a CA, the identity controller asks and `linkerd check` does not.
            Ok(()) | Err(Refusal::IssuerNotACa { .. }) => Outcome::Success,
            Err(refusal) => error(refusal.go_text()),
        }
    })
}
