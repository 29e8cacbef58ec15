//! cert-manager renewing anchor or issuer behind a rotation's back.

use jiff::{SignedDuration, Timestamp};

use crate::check::case::Case;
use crate::check::own::proxies::who_refuses;
use crate::check::{Judged, Outcome, Rule, Stop, error, unless_empty, warning};
use crate::finding::{
    CertificateRef, CheckFact, Finding, HeldRequest, LateRenewal, Overdue, Renewal, RenewalTime,
};
use crate::mesh::{CertManagerCertificate, RequestOutcome};
use crate::pki::IssuerChain;

pub(super) const RULES: &[Rule] = &[
    Rule { code: "cert-manager-anchor-renewal", object: None, judge: anchor_renewal },
    Rule { code: "cert-manager-rotation-policy", object: None, judge: rotation_policy },
    Rule { code: "cert-manager-issuer-renewal", object: None, judge: issuer_renewal },
    Rule { code: "cert-manager-renewal-overdue", object: None, judge: overdue },
    Rule { code: "cert-manager-request-denied", object: None, judge: denied },
    Rule { code: "cert-manager-request-failed", object: None, judge: failed },
    Rule { code: "cert-manager-request-waits", object: None, judge: waits },
    Rule { code: "proxies-accept-next-issuer", object: None, judge: next_issuer },
];

fn anchor_renewal(case: &Case<'_>) -> Judged {
    let renewals = of_anchor(case)?.into_iter().filter_map(|found| {
        Some(Renewal { certificate: found.object.clone(), when: renewed_early(case, found)? })
    });
    Ok(unless_empty(renewals.collect(), |renewals| warning(CheckFact::CertManagerRenewsAnchor { renewals })))
}

fn rotation_policy(case: &Case<'_>) -> Judged {
    let without = of_anchor(case)?.into_iter().filter(|found| found.rotation_policy.is_none());
    let certificates = without.map(|found| found.object.clone()).collect();
    Ok(unless_empty(certificates, |certificates| {
        warning(CheckFact::CertManagerRotationPolicy { certificates })
    }))
}

fn issuer_renewal(case: &Case<'_>) -> Judged {
    let namespace = &case.mesh.control_plane.namespace;
    let tells = |found: &&CertManagerCertificate| {
        found.writes_issuer(namespace) && (found.renewal_time.is_some() || found.renew_before.is_some())
    };
    let certificates = some(case.mesh.certificates.iter().filter(tells).collect())?;
    let late = certificates.into_iter().filter_map(|found| renewed_late(case, found)).collect();
    let lifetime = case.workload_certificate_lifetime();
    Ok(unless_empty(late, |certificates| {
        warning(CheckFact::CertManagerRenewsLate { certificates, lifetime })
    }))
}

/// cert-manager issues within seconds: what waits longer than this waits for somebody.
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// Why cert-manager does not renew what it should, as far as its objects say so.
pub(in crate::check) fn held_up(case: &Case<'_>) -> Vec<Finding> {
    let judged = [overdue, denied, failed, waits].map(|judge| judge(case));
    let found = judged.into_iter().filter_map(|judged| match judged {
        Ok(Outcome::Found(finding)) => Some(*finding),
        Ok(Outcome::Success) | Err(_) => None,
    });
    found.collect()
}

/// The issuer's next renewal is signed by whatever its Issuer's Secret holds then, be it an anchor that was renewed behind everybody's
/// back: who has not loaded that one rejects workload certificates of the next issuer.
fn next_issuer(case: &Case<'_>) -> Judged {
    let certificate = case.mesh.issuer_certificate().ok_or(Stop::NotApplicable)?;
    let signer = certificate.signer.as_ref().ok_or(Stop::NotApplicable)?;
    let maker = case.mesh.signing_certificate(signer).ok_or(Stop::NotApplicable)?;
    let anchor = maker.issued().ok_or(Stop::NotApplicable)?;
    let next = IssuerChain::alone(anchor.clone());
    let is_published = case.anchors()?.contains(anchor);
    let refusals = match who_refuses(case, &next) {
        // What is not published is held by nobody who starts, whoever runs.
        Err(_) if !is_published => Vec::new(),
        refusals => refusals?,
    };
    if is_published && refusals.is_empty() {
        return Ok(Outcome::Success);
    }
    let due = certificate.renewal_time.filter(|due| *due > case.at());
    Ok(error(CheckFact::CertManagerNextIssuerRefused {
        certificate: certificate.object.clone(),
        anchor: CertificateRef::from(anchor),
        made_by: maker.object.clone(),
        due,
        is_published,
        refusals,
    }))
}

/// Without any request that would tell why.
fn overdue(case: &Case<'_>) -> Judged {
    let certificates = some(case.mesh.certificates.iter().collect())?;
    let overdue = certificates.into_iter().filter_map(|found| {
        let due = found.renewal_time.filter(|due| *due < case.at())?;
        let is_older = match &found.request {
            None => true,
            Some(RequestOutcome::Issued(issued)) => issued.facts().not_before < due,
            Some(RequestOutcome::Denied(_) | RequestOutcome::Failed(_) | RequestOutcome::Pending(_)) => false,
        };
        let overdue =
            Overdue { certificate: found.object.clone(), due, last_request: found.latest_request() };
        is_older.then_some(overdue)
    });
    Ok(unless_empty(overdue.collect(), |certificates| {
        warning(CheckFact::CertManagerOverdue { certificates })
    }))
}

fn denied(case: &Case<'_>) -> Judged {
    let requests = held(case, |_, outcome| match outcome {
        RequestOutcome::Denied(said) => Some(said),
        _ => None,
    })?;
    Ok(unless_empty(requests, |requests| warning(CheckFact::CertManagerRequestDenied { requests })))
}

fn failed(case: &Case<'_>) -> Judged {
    let requests = held(case, |_, outcome| match outcome {
        RequestOutcome::Failed(said) => Some(said),
        _ => None,
    })?;
    Ok(unless_empty(requests, |requests| warning(CheckFact::CertManagerRequestFailed { requests })))
}

fn waits(case: &Case<'_>) -> Judged {
    let long_ago = |found: &CertManagerCertificate| {
        let since = found.requested.as_ref().and_then(|request| request.since).or(found.renewal_time);
        since.is_some_and(|since| since.duration_until(case.at()) > PATIENCE)
    };
    let requests = held(case, |found, outcome| match outcome {
        RequestOutcome::Pending(said) if long_ago(found) => Some(said),
        _ => None,
    })?;
    Ok(unless_empty(requests, |requests| warning(CheckFact::CertManagerRequestWaits { requests })))
}

/// The Certificates whose latest request is one of these, with what its condition says.
fn held<'a>(
    case: &Case<'a>,
    said: impl Fn(&'a CertManagerCertificate, &'a RequestOutcome) -> Option<&'a String>,
) -> Result<Vec<HeldRequest>, Stop> {
    let certificates = some(case.mesh.certificates.iter().collect())?;
    let held = certificates.into_iter().filter_map(|found| {
        Some(HeldRequest {
            said: said(found, found.request.as_ref()?)?.clone(),
            certificate: found.object.clone(),
            request: found.latest_request(),
            since: found.requested.as_ref().and_then(|request| request.since),
            retry: found.retried_at(),
        })
    });
    Ok(held.collect())
}

/// The Certificates that make the anchor: all but the one that writes the issuer's Secret.
pub(super) fn of_anchor<'a>(case: &Case<'a>) -> Result<Vec<&'a CertManagerCertificate>, Stop> {
    let namespace = &case.mesh.control_plane.namespace;
    let makes_anchor = |found: &&CertManagerCertificate| found.is_ca && !found.writes_issuer(namespace);
    some(case.mesh.certificates.iter().filter(makes_anchor).collect())
}

/// A check of Certificates does not apply where there are none.
fn some(certificates: Vec<&CertManagerCertificate>) -> Result<Vec<&CertManagerCertificate>, Stop> {
    if certificates.is_empty() { Err(Stop::NotApplicable) } else { Ok(certificates) }
}

/// Renewal within the threshold, or (the guide's 8760h and 7320h) in the first half of the anchor's life.
pub(super) fn renewed_early(case: &Case<'_>, found: &CertManagerCertificate) -> Option<RenewalTime> {
    let horizon = case.at().checked_add(case.options.expiry_threshold).unwrap_or(Timestamp::MAX);
    if let Some(due) = found.renewal_time
        && (case.at()..=horizon).contains(&due)
    {
        return Some(RenewalTime::At(due));
    }
    let (duration, before) = (found.duration?.0, found.renew_before?.0);
    let age = duration.checked_sub(before)?;
    (before > age).then_some(RenewalTime::Age(age))
}

/// What is left of the issuer at its renewal, where that is less than a workload certificate's life (linkerd/website#868).
fn renewed_late(case: &Case<'_>, found: &CertManagerCertificate) -> Option<LateRenewal> {
    let end = case.chain().ok().map(|chain| chain.first_to_expire().facts().not_after);
    let by_status = found.renewal_time.zip(end).map(|(due, end)| due.duration_until(end));
    let left = by_status.or(found.renew_before.map(|before| before.0))?;
    let late = left < case.workload_certificate_lifetime();
    late.then(|| LateRenewal { certificate: found.object.clone(), left })
}
