//! What trust-manager makes of the sources of its Bundle, and what it leaves away.

use super::cert_manager::{PATIENCE, of_anchor, renewed_early};
use crate::check::case::Case;
use crate::check::{Judged, Rule, Stop, unless_empty, warning};
use crate::finding::{CertificateRef, CheckFact, LackedAnchor};
use crate::mesh::{BundleSource, CERTIFICATE_KEY, CertManagerCertificate, TrustBundle};
use crate::pki::Certificate;

pub(super) const RULES: &[Rule] = &[
    Rule { code: "trust-manager-keeps-sources", object: None, judge: filters },
    Rule { code: "trust-manager-publishes-sources", object: None, judge: lacks },
    Rule { code: "trust-manager-keeps-anchors", object: None, judge: forgets },
];

fn bundle<'a>(case: &Case<'a>) -> Result<&'a TrustBundle, Stop> {
    case.mesh.trust_bundle.as_ref().ok_or(Stop::NotApplicable)
}

fn filters(case: &Case<'_>) -> Judged {
    let bundle = bundle(case)?;
    let Some(filter) = bundle.filter.clone() else { return Err(Stop::NotApplicable) };
    let dropped = held(case, bundle).into_iter().filter(|one| filter.drops(&one.anchor, case.at()));
    let dropped = dropped.map(|one| CertificateRef::from(&one.anchor)).collect();
    Ok(warning(CheckFact::BundleFilters { bundle: bundle.object.clone(), filter, dropped }))
}

/// What is published is told by the ConfigMap alone: a source that is damaged, or a Bundle that is frozen, shows in no condition that
/// says which anchor is missing.
fn lacks(case: &Case<'_>) -> Judged {
    let bundle = bundle(case)?;
    let published = case.published()?;
    let mut lacked = Vec::new();
    for Held { anchor, secret } in held(case, bundle) {
        let is_there = published.readings().any(|held| held.contains(&anchor));
        let is_dropped = bundle.filter.as_ref().is_some_and(|filter| filter.drops(&anchor, case.at()));
        let is_new = anchor.facts().not_before.duration_until(case.at()) < PATIENCE;
        if !(is_there || is_dropped || secret.is_some() && is_new) {
            lacked.push(LackedAnchor { anchor: CertificateRef::from(&anchor), secret });
        }
    }
    let bundle = bundle.object.clone();
    Ok(unless_empty(lacked, |lacked| warning(CheckFact::BundleLacksSources { bundle, lacked })))
}

/// A certificate that a source holds.
struct Held {
    anchor: Certificate,
    /// The Secret, where it is one.
    secret: Option<String>,
}

/// What the sources hold, as far as the input tells: PEM in the Bundle, and what Certificates were issued last.
fn held(case: &Case<'_>, bundle: &TrustBundle) -> Vec<Held> {
    let mut all = Vec::new();
    for source in &bundle.sources {
        match source {
            BundleSource::InLine(_) => {
                let anchors = source.in_line().map(|held| held.anchors().to_vec()).unwrap_or_default();
                all.extend(anchors.into_iter().map(|anchor| Held { anchor, secret: None }));
            }
            BundleSource::Secret { name, key } if key == CERTIFICATE_KEY => {
                let issued = makers(case, name).filter_map(CertManagerCertificate::issued);
                all.extend(issued.map(|anchor| Held { anchor: anchor.clone(), secret: Some(name.clone()) }));
            }
            BundleSource::Secret { .. } | BundleSource::ConfigMap { .. } | BundleSource::Other => {}
        }
    }
    all
}

/// The CA Certificates that write this Secret; one of a ClusterIssuer is where trust-manager reads, too.
fn makers<'a>(case: &Case<'a>, secret: &str) -> impl Iterator<Item = &'a CertManagerCertificate> {
    let namespace = &case.mesh.control_plane.namespace;
    let makes = move |one: &&CertManagerCertificate| {
        one.is_ca && one.secret == secret && !one.writes_issuer(namespace)
    };
    case.mesh.certificates.iter().filter(makes)
}

/// trust-manager has no memory: what a Secret does not hold any more leaves the bundle, while workload certificates of it are in use.
fn forgets(case: &Case<'_>) -> Judged {
    let bundle = bundle(case)?;
    let forgotten = of_anchor(case)?.into_iter().filter(|one| {
        let is_source = bundle.secrets().any(|secret| secret == one.secret);
        // With the same key, who trusts one trusts the other.
        let changes_key = one.rotation_policy.as_deref() != Some("Never");
        is_source && changes_key && renewed_early(case, one).is_some() && !is_kept(case, bundle, one)
    });
    let certificates: Vec<_> = forgotten.map(|one| one.object.clone()).collect();
    let bundle = bundle.object.clone();
    Ok(unless_empty(certificates, |certificates| {
        warning(CheckFact::BundleForgetsAnchor { bundle, certificates })
    }))
}

/// Is there a source that holds the present anchor when its Secret does not any more, or may hold it?
fn is_kept(case: &Case<'_>, bundle: &TrustBundle, certificate: &CertManagerCertificate) -> bool {
    bundle.sources.iter().any(|source| match source {
        BundleSource::InLine(_) => certificate
            .issued()
            .is_none_or(|issued| source.in_line().is_some_and(|held| held.contains(issued))),
        // Somebody else fills it, such as with the previous anchor.
        BundleSource::Secret { name, .. } => makers(case, name).next().is_none(),
        BundleSource::ConfigMap { .. } | BundleSource::Other => true,
    })
}
