//! The published anchors' validity, seen by what needs them.

use crate::check::case::Case;
use crate::check::rule::{Judged, Rule, Stop, error, unless_any, warning};
use crate::check::{Outcome, expiry};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "anchor-in-use-valid",
        description: "the trust anchor of the issuer is valid",
        judge: in_use_valid,
    },
    Rule {
        code: "anchor-in-use-not-expiring-soon",
        description: "the trust anchor of the issuer does not end soon",
        judge: in_use_ends,
    },
    Rule {
        code: "expired-anchor-left",
        description: "trust bundle holds no expired anchor that nothing needs",
        judge: expired_left,
    },
];

fn in_use_valid(case: &Case<'_>) -> Judged {
    let anchor = case.carrier()?;
    if !anchor.is_expired_at(case.at()) {
        return Ok(Outcome::Success);
    }
    Ok(error(format!(
        "`{}` expired on {}: the identity controller issues nothing since, and proxies lose their \
         connections as their leaves end, within {}; {}, which takes downtime",
        anchor.name(),
        anchor.facts().not_after,
        expiry::in_words(case.workload_certificate_lifetime()),
        case.next()
    )))
}

fn in_use_ends(case: &Case<'_>) -> Judged {
    let anchor = case.carrier()?;
    if anchor.is_expired_at(case.at()) {
        return Err(Stop::NotApplicable);
    }
    if !case.ends_soon(anchor) {
        return Ok(Outcome::Success);
    }
    Ok(warning(format!(
        "`{}` ends on {}, in {}; while it is valid, old and new can be trusted side by side: {}",
        anchor.name(),
        anchor.facts().not_after,
        expiry::in_words(expiry::remaining(anchor, case.at())),
        case.next()
    )))
}

fn expired_left(case: &Case<'_>) -> Judged {
    let anchors = case.anchors()?;
    let in_use = case.anchors_in_use(anchors, case.chain()?);
    let carried = in_use.iter().any(|anchor| !anchor.is_expired_at(case.at()));
    let left = anchors.anchors().iter().filter(|anchor| anchor.is_expired_at(case.at()));
    let left = left.filter(|anchor| carried || !in_use.contains(anchor));
    let items = left.map(|anchor| {
        format!("{} {} expired on {}", anchor.facts().serial, anchor.name(), anchor.facts().not_after)
    });
    let head = "proxies do not mind, but `linkerd check` fails on it and shows nothing after it; remove it \
                (phase prune)";
    Ok(unless_any(items.collect(), head, warning))
}
