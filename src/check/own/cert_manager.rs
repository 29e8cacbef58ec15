//! cert-manager renewing anchor or issuer behind a rotation's back.

use jiff::Timestamp;

use crate::check::case::Case;
use crate::check::expiry::in_words;
use crate::check::rule::{Judged, Rule, Stop, unless_any, warning};
use crate::mesh::CertManagerCertificate;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "cert-manager-anchor-renewal",
        description: "cert-manager does not renew the trust anchor soon",
        judge: |case| {
            let head = "the issuer follows a renewed anchor within its own renewal, and no proxy is \
                        restarted in between; set renewBefore short and plan the rotation before that day";
            judge(case, anchors(case), head, renews_soon)
        },
    },
    Rule {
        code: "cert-manager-rotation-policy",
        description: "cert-manager Certificates of the trust anchor set a rotationPolicy",
        judge: |case| {
            let head = "without spec.privateKey.rotationPolicy an upgrade of cert-manager to 1.18 turns \
                        Never into Always: the next renewal makes a new key that no proxy knows; set it";
            judge(case, anchors(case), head, |_, found| {
                found.rotation_policy.is_none().then(|| found.object.to_string())
            })
        },
    },
    Rule {
        code: "cert-manager-issuer-renewal",
        description: "cert-manager renews the issuer while it outlives a leaf",
        judge: |case| {
            let head = "leaves end with the issuer that signed them: before each renewal they are cut short, and all \
                        proxies ask for new ones ever more often; give spec.renewBefore more than a leaf's life (the \
                        guide: duration 48h, renewBefore 25h)";
            let namespace = &case.mesh.control_plane.namespace;
            let told = |found: &&CertManagerCertificate| {
                found.renewal_time.is_some() || found.renew_before.is_some()
            };
            let makers =
                case.mesh.certificates.iter().filter(|found| found.writes_issuer(namespace)).filter(told);
            judge(case, makers.collect(), head, renews_late)
        },
    },
    Rule {
        code: "cert-manager-renewal-overdue",
        description: "cert-manager renews on time",
        judge: |case| {
            let head = "the time of renewal has passed; look at `kubectl describe certificate` and \
                        cert-manager's log";
            judge(case, case.mesh.certificates.iter().collect(), head, |case, found| {
                let due = found.renewal_time.filter(|due| *due < case.at())?;
                Some(format!("{} was due on {due}", found.object))
            })
        },
    },
];

/// The Certificates that make the anchor: all but the one that writes the issuer's Secret.
fn anchors<'a>(case: &Case<'a>) -> Vec<&'a CertManagerCertificate> {
    let namespace = &case.mesh.control_plane.namespace;
    case.mesh.certificates.iter().filter(|found| found.is_ca && !found.writes_issuer(namespace)).collect()
}

fn judge(
    case: &Case<'_>,
    certificates: Vec<&CertManagerCertificate>,
    head: &str,
    mind: impl Fn(&Case<'_>, &CertManagerCertificate) -> Option<String>,
) -> Judged {
    if certificates.is_empty() {
        return Err(Stop::NotApplicable);
    }
    Ok(unless_any(certificates.into_iter().filter_map(|found| mind(case, found)).collect(), head, warning))
}

/// Renewal within the threshold, or (the guide's 8760h and 7320h) in the first half of the anchor's life.
fn renews_soon(case: &Case<'_>, found: &CertManagerCertificate) -> Option<String> {
    let horizon = case.at().checked_add(case.options.expiry_threshold).unwrap_or(Timestamp::MAX);
    if let Some(due) = found.renewal_time.filter(|due| (case.at()..=horizon).contains(due)) {
        return Some(format!(
            "{} is renewed on {due}, in {}",
            found.object,
            in_words(case.at().duration_until(due))
        ));
    }
    let (duration, before) = (found.duration?.0, found.renew_before?.0);
    let age = duration.checked_sub(before)?;
    (before > age).then(|| {
        format!(
            "{} is renewed {} after it was made, not {} before its end",
            found.object,
            in_words(age),
            in_words(age)
        )
    })
}

/// What is left of the issuer at its renewal, where that is less than a leaf's life (linkerd/website#868).
fn renews_late(case: &Case<'_>, found: &CertManagerCertificate) -> Option<String> {
    let end = case.chain().ok().map(|chain| chain.first_to_expire().facts().not_after);
    let by_status = found.renewal_time.zip(end).map(|(due, end)| due.duration_until(end));
    let left = by_status.or(found.renew_before.map(|before| before.0))?;
    let life = case.workload_certificate_lifetime();
    (left < life).then(|| {
        let object = &found.object;
        format!("{object} is renewed {} before its end, and a leaf lives {}", in_words(left), in_words(life))
    })
}
