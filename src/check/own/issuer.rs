//! The issuer: its Secret, its key, its lifetime.

use crate::check::Outcome;
use crate::check::case::Case;
use crate::check::expiry::{in_words, remaining};
use crate::check::rule::{Judged, Rule, Stop, error, warning};
use crate::mesh::{KeyState, Known};
use crate::pki::{IssuerChain, Refusal, Rules, accepts};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "issuer-secret-keys",
        description: "issuer Secret has the keys that the identity controller reads",
        judge: secret_keys,
    },
    Rule { code: "issuer-key-matches", description: "issuer key belongs to the issuer", judge: key_matches },
    Rule {
        code: "issuer-is-ca",
        description: "issuer may sign leaves",
        judge: |case| case.judge_chain(is_ca),
    },
    Rule {
        code: "issuer-accepted-by-bundle",
        description: "identity controller would start with the published trust bundle",
        judge: accepted_by_bundle,
    },
    Rule {
        code: "issuer-not-expiring-soon",
        description: "issuer does not end soon",
        judge: |case| case.judge_chain(|chain| ends_soon(case, chain)),
    },
    Rule {
        code: "issuer-outlives-leaves",
        description: "issuer lives longer than a leaf",
        judge: |case| case.judge_chain(|chain| outlives_workload_certificates(case, chain)),
    },
    Rule {
        code: "issuer-within-anchor",
        description: "issuer does not outlive its trust anchor",
        judge: within_anchor,
    },
    Rule {
        code: "issuer-is-not-anchor",
        description: "issuer is not itself a trust anchor",
        judge: is_not_anchor,
    },
];

fn secret_keys(case: &Case<'_>) -> Judged {
    if case.mesh.issuer == Known::Absent {
        return Ok(error(format!(
            "{} is missing; put it back before the identity controller restarts",
            case.secret_name()
        )));
    }
    let issuer = case.issuer_in_secret()?;
    let (certificate, key) = case.mesh.control_plane.scheme.keys();
    let has = |wanted: &str| issuer.keys.iter().any(|found| found == wanted);
    if has(certificate) && has(key) {
        return Ok(Outcome::Success);
    }
    Ok(error(format!(
        "the identity controller reads {certificate} and {key} (-identity-scheme), {} has {}; rename them, \
         or change the scheme and make the Secret anew (its type cannot be changed)",
        case.secret_name(),
        if issuer.keys.is_empty() { "none".to_owned() } else { issuer.keys.join(", ") }
    )))
}

fn key_matches(case: &Case<'_>) -> Judged {
    case.saw_key()?;
    Ok(match &case.issuer_in_secret()?.key {
        KeyState::Matches | KeyState::NotSeen => Outcome::Success,
        KeyState::Mismatch => error(
            "the private key belongs to another certificate: the identity controller keeps the issuer it \
             has, and would not start again; put certificate and key of one issuer into the Secret",
        ),
        KeyState::Missing => error(
            "there is no private key: the identity controller keeps the issuer it has, and would not start \
             again; put certificate and key of one issuer into the Secret",
        ),
        KeyState::Unreadable(why) => error(format!(
            "the private key cannot be read ({why}): the identity controller keeps the issuer it has, and \
             would not start again; put an unencrypted EC key there"
        )),
    })
}

fn is_ca(chain: &IssuerChain) -> Outcome {
    let facts = chain.issuer.facts();
    let lacks = match (facts.is_ca, facts.may_sign) {
        (false, _) => "CA:TRUE in its basic constraints",
        (true, Some(false)) => "keyCertSign in its key usage",
        (true, _) => return Outcome::Success,
    };
    error(format!(
        "`{}` lacks {lacks}: nobody accepts what it signs; have it made as an intermediate CA \
         (cert-manager: `isCA: true`, usage `cert sign`; some Vault roles ignore both)",
        chain.issuer.name()
    ))
}

/// What an identity controller that starts now would do with anchors and issuer.
fn accepted_by_bundle(case: &Case<'_>) -> Judged {
    let text = case.mesh.trust.identity.as_ref().map_or(&case.published()?.text, |copy| copy);
    let anchors = text.as_read_by(Rules::Controller).map_err(|_| Stop::NotApplicable)?;
    case.judge_chain(|chain| {
        match accepts(anchors, chain, &case.mesh.identity_name(), case.at(), Rules::Controller) {
            Ok(()) => Outcome::Success,
            Err(refusal) => error(format!(
                "the identity controller would not start again, nor take up this issuer: {refusal} (it logs \
                 `{}`); {}",
                refusal.go_text(),
                match refusal {
                    Refusal::Expired { .. } | Refusal::NotYetValid { .. } => "replace what is not valid",
                    _ => "publish the issuer's anchor, or put back an issuer that the published ones accept",
                }
            )),
        }
    })
}

fn ends_soon(case: &Case<'_>, chain: &IssuerChain) -> Outcome {
    let first = chain.first_to_expire();
    let (name, end) = (first.name(), first.facts().not_after);
    if first.is_expired_at(case.at()) {
        return error(format!(
            "`{name}` expired on {end}: nothing is issued since, and proxies whose leaves have ended must \
             be restarted; {}",
            case.next()
        ));
    }
    if !case.chain_ends_soon(chain) {
        return Outcome::Success;
    }
    let behind = match *first == chain.issuer {
        true => "",
        false => {
            " it stands behind the issuer in its file and no leaf outlives it: take it out once every proxy accepts the issuer \
             without it (a cross certificate goes with phase remove-cross), or"
        }
    };
    let left = in_words(remaining(first, case.at()));
    warning(format!("`{name}` ends on {end}, in {left};{behind} {}", case.next()))
}

/// A leaf ends with the first certificate of the issuer's file (since 2.7), however long its lifetime is set.
fn outlives_workload_certificates(case: &Case<'_>, chain: &IssuerChain) -> Outcome {
    let first = chain.first_to_expire();
    let (left, leaf) = (remaining(first, case.at()), case.workload_certificate_lifetime());
    if left >= leaf || left.is_negative() {
        return Outcome::Success;
    }
    warning(format!(
        "`{}` ends in {}, and a leaf would live {}: leaves are cut short, and all proxies ask for new ones \
         ever more often; renew the issuer earlier, or give it a longer life (at least twice a leaf's)",
        first.name(),
        in_words(left),
        in_words(leaf)
    ))
}

/// Less than a leaf's life is no matter: `step`, called twice with the same lifetime, gives a difference of seconds.
fn within_anchor(case: &Case<'_>) -> Judged {
    let end = case.carrier()?.facts().not_after;
    case.judge_chain(|chain| {
        let issuer_end = chain.first_to_expire().facts().not_after;
        if end.duration_until(issuer_end) <= case.workload_certificate_lifetime() {
            return Outcome::Success;
        }
        warning(format!(
            "`{}` is valid until {issuer_end}, its trust anchor until {end} only: the identity controller \
             stops issuing on that day; go by the anchor's end",
            chain.issuer.name()
        ))
    })
}

fn is_not_anchor(case: &Case<'_>) -> Judged {
    let anchors = case.anchors()?;
    case.judge_chain(|chain| {
        if !anchors.contains(&chain.issuer) {
            return Outcome::Success;
        }
        warning(format!(
            "`{}` is both, as `linkerd install` makes it without flags: the key in {} is the root key of \
             the mesh, and the issuer cannot be replaced without the anchor; rotate to an anchor of your \
             own (kubectl l5d-rotate start)",
            chain.issuer.name(),
            case.secret_name()
        ))
    })
}
