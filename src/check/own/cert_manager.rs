//! cert-manager renewing anchor or issuer behind a rotation's back.

use jiff::Timestamp;

use crate::check::case::Case;
use crate::check::{Judged, Rule, Stop, unless_empty, warning};
use crate::finding::{CheckFact, LateRenewal, Overdue, Renewal, RenewalTime};
use crate::mesh::CertManagerCertificate;

pub(super) const RULES: &[Rule] = &[
    Rule { code: "cert-manager-anchor-renewal", object: None, judge: anchor_renewal },
    Rule { code: "cert-manager-rotation-policy", object: None, judge: rotation_policy },
    Rule { code: "cert-manager-issuer-renewal", object: None, judge: issuer_renewal },
    Rule { code: "cert-manager-renewal-overdue", object: None, judge: overdue },
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

fn overdue(case: &Case<'_>) -> Judged {
    let certificates = some(case.mesh.certificates.iter().collect())?;
    let overdue = certificates.into_iter().filter_map(|found| {
        let due = found.renewal_time.filter(|due| *due < case.at())?;
        Some(Overdue { certificate: found.object.clone(), due })
    });
    Ok(unless_empty(overdue.collect(), |certificates| {
        warning(CheckFact::CertManagerOverdue { certificates })
    }))
}

/// The Certificates that make the anchor: all but the one that writes the issuer's Secret.
fn of_anchor<'a>(case: &Case<'a>) -> Result<Vec<&'a CertManagerCertificate>, Stop> {
    let namespace = &case.mesh.control_plane.namespace;
    let makes_anchor = |found: &&CertManagerCertificate| found.is_ca && !found.writes_issuer(namespace);
    some(case.mesh.certificates.iter().filter(makes_anchor).collect())
}

/// A check of Certificates does not apply where there are none.
fn some(certificates: Vec<&CertManagerCertificate>) -> Result<Vec<&CertManagerCertificate>, Stop> {
    if certificates.is_empty() { Err(Stop::NotApplicable) } else { Ok(certificates) }
}

/// Renewal within the threshold, or (the guide's 8760h and 7320h) in the first half of the anchor's life.
fn renewed_early(case: &Case<'_>, found: &CertManagerCertificate) -> Option<RenewalTime> {
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
