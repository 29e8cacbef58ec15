//! The text of the published bundle, and its copies.

use crate::check::case::{Case, known, same_anchors};
use crate::check::{Judged, Outcome, Rule, Stop, error, warning};
use crate::finding::{BundleDifference, CertificateRef, CheckFact, InputFact};
use crate::mesh::{Era, Known, Mesh};
use crate::pki::pem::{self, DefectKind, MAX_BYTES};
use crate::pki::{Bundle, BundleText, Rules};

pub(super) const RULES: &[Rule] = &[
    Rule { code: "trust-bundle-published", object: Some(Mesh::bundle_home), judge: published },
    Rule { code: "trust-bundle-strict-pem", object: Some(Mesh::bundle_home), judge: strict_pem },
    Rule { code: "trust-bundle-holds-no-key", object: Some(Mesh::bundle_home), judge: no_key },
    Rule { code: "trust-bundle-size", object: Some(Mesh::bundle_home), judge: size },
    Rule { code: "trust-bundle-config-copy", object: Some(Mesh::linkerd_config), judge: config_copy },
    Rule { code: "trust-bundle-identity-copy", object: None, judge: identity_copy },
    Rule { code: "issuer-secret-ca", object: Some(Mesh::issuer_secret), judge: secret_ca },
];

fn published(case: &Case<'_>) -> Judged {
    if case.mesh.trust.published == Known::Absent {
        return Ok(error(CheckFact::TrustBundleMissing { object: case.mesh.bundle_home() }));
    }
    case.published().map(|_| Outcome::Success)
}

fn strict_pem(case: &Case<'_>) -> Judged {
    let (object, text) = (case.mesh.bundle_home(), &case.published()?.text);
    let size = |kind: &DefectKind| matches!(kind, DefectKind::TooLarge { .. });
    let defects: Vec<_> = text.defects().iter().filter(|defect| !size(&defect.kind)).cloned().collect();
    if defects.is_empty() {
        return Ok(Outcome::Success);
    }
    if is_misread(text) {
        return Ok(error(CheckFact::TrustBundleMisread { object, defects }));
    }
    Ok(warning(CheckFact::TrustBundleUntidy { object, defects }))
}

/// Whoever reads the ConfigMap could sign with it.
fn no_key(case: &Case<'_>) -> Judged {
    let lines = case.published()?.text.private_keys();
    if lines.is_empty() {
        return Ok(Outcome::Success);
    }
    Ok(error(CheckFact::PrivateKeyPublished { object: case.mesh.bundle_home(), lines }))
}

/// Does a reader refuse the text, or get other certificates than stand in it?
fn is_misread(text: &BundleText) -> bool {
    let refused = [Rules::Proxy, Rules::Controller].iter().any(|rules| text.as_read_by(*rules).is_err());
    let drops = |outcome| outcome == pem::Outcome::DropsCertificates;
    let effects = text.defects().iter().map(|defect| defect.kind.effect());
    refused || effects.into_iter().any(|effect| drops(effect.proxy) || drops(effect.controller))
}

fn size(case: &Case<'_>) -> Judged {
    let bytes = case.published()?.text.text().len();
    if bytes <= MAX_BYTES {
        return Ok(Outcome::Success);
    }
    let (bytes, most) = (bytes as u64, MAX_BYTES as u64);
    Ok(error(CheckFact::TrustBundleTooLarge { object: case.mesh.bundle_home(), bytes, most }))
}

fn config_copy(case: &Case<'_>) -> Judged {
    let (era, published) = (case.mesh.control_plane.era, &case.published()?.text);
    if era.trust_home() == era.config_home() {
        return Err(Stop::NotApplicable);
    }
    let object = case.mesh.linkerd_config();
    if case.mesh.trust.config == Known::Absent {
        let is_there = case.mesh.manifest(&object.kind, &object.namespace, &object.name).is_some();
        return match is_there {
            false => Ok(warning(CheckFact::LinkerdConfigMissing { config: object })),
            // Who publishes the anchors otherwise gives the chart none.
            true if case.mesh.control_plane.external_ca => Err(Stop::NotApplicable),
            true => {
                let difference = BundleDifference::Unreadable;
                Ok(warning(CheckFact::ConfigCopyDiffers { config: object, difference }))
            }
        };
    }
    let copy = known(&case.mesh.trust.config, || object.clone())?;
    if same_anchors(copy, published) {
        return Ok(Outcome::Success);
    }
    if case.mesh.control_plane.external_ca {
        // Helm leaves the copy empty; the CLI's is of the day of installation. No upgrade publishes either.
        if copy.text().trim().is_empty() {
            return Err(Stop::NotApplicable);
        }
        return Ok(warning(CheckFact::ConfigCopyOutdated { config: object }));
    }
    let difference = difference(published, copy);
    if refuses_issuer(case, copy) {
        return Ok(error(CheckFact::ConfigCopyRefusesIssuer { config: object, difference }));
    }
    Ok(warning(CheckFact::ConfigCopyDiffers { config: object, difference }))
}

/// Would the mesh break with this bundle?
fn refuses_issuer(case: &Case<'_>, text: &BundleText) -> bool {
    match (text.as_read_by(Rules::Proxy), case.chain()) {
        (Ok(bundle), Ok(chain)) => case.trusts(bundle, chain).is_err(),
        (Err(_), _) => true,
        (Ok(_), Err(_)) => false,
    }
}

fn identity_copy(case: &Case<'_>) -> Judged {
    if !matches!(case.mesh.control_plane.era, Era::V2_9 | Era::V2_10) {
        return Err(Stop::NotApplicable);
    }
    let (deployment, published) = (case.identity_deployment(), &case.published()?.text);
    let Some(copy) = &case.mesh.trust.identity else {
        return Err(Stop::unknown(InputFact::ObjectAbsent { object: deployment }));
    };
    if let Err(defect) = copy.as_read_by(Rules::Controller) {
        let defect = defect.clone();
        return Ok(error(CheckFact::IdentityCopyUnreadable { deployment, defect }));
    }
    if same_anchors(copy, published) {
        return Ok(Outcome::Success);
    }
    let difference = difference(published, copy);
    Ok(error(CheckFact::IdentityCopyDiffers { deployment, difference }))
}

/// Which anchors only one of the texts holds.
#[must_use]
pub fn difference(published: &BundleText, copy: &BundleText) -> BundleDifference {
    let (Ok(published), Ok(copy)) = (published.as_read_by(Rules::Proxy), copy.as_read_by(Rules::Proxy))
    else {
        return BundleDifference::Unreadable;
    };
    let only = |here: &Bundle, there: &Bundle| -> Vec<CertificateRef> {
        here.anchors().iter().filter(|anchor| !there.contains(anchor)).map(CertificateRef::from).collect()
    };
    BundleDifference::Anchors { only_published: only(published, copy), only_copy: only(copy, published) }
}

fn secret_ca(case: &Case<'_>) -> Judged {
    if !case.is_external() || !case.issuer()?.from_secret {
        return Err(Stop::NotApplicable);
    }
    let (secret, chain) = (case.mesh.issuer_secret(), case.chain()?);
    let Some(ca) = &case.issuer()?.ca else {
        return Ok(warning(CheckFact::IssuerCaMissing { secret }));
    };
    let bundle = match ca.as_read_by(Rules::Controller) {
        Ok(bundle) => bundle,
        Err(defect) => {
            return Ok(warning(CheckFact::IssuerCaUnreadable { secret, defect: defect.clone() }));
        }
    };
    Ok(match case.trusts(bundle, chain) {
        Ok(()) => Outcome::Success,
        Err(refusal) => warning(CheckFact::IssuerCaDiffers { secret, refusal }),
    })
}
