//! The text of the published bundle.

use crate::check::Outcome;
use crate::check::case::Case;
use crate::check::rule::{Judged, Rule, error, listed, warning};
use crate::mesh::Known;
use crate::pki::pem::{self, DefectKind, MAX_BYTES};
use crate::pki::{BundleText, Rules};

pub(super) const RULES: &[Rule] = &[
    Rule { code: "trust-bundle-published", description: "trust bundle is published", judge: published },
    Rule { code: "trust-bundle-strict-pem", description: "trust bundle is strict PEM", judge: strict_pem },
    Rule {
        code: "trust-bundle-size",
        description: "trust bundle fits into an environment variable",
        judge: size,
    },
];

fn published(case: &Case<'_>) -> Judged {
    if case.mesh.trust.published == Known::Absent {
        return Ok(error(format!(
            "{} or its key is missing: neither the identity controller nor a control-plane proxy would \
             start again, and the injector fails; put it back from Git before anything restarts",
            case.bundle_name()
        )));
    }
    case.published().map(|_| Outcome::Success)
}

fn strict_pem(case: &Case<'_>) -> Judged {
    let text = &case.published()?.text;
    let minded: Vec<_> =
        text.defects().iter().filter(|minded| !matches!(minded.kind, DefectKind::TooLarge { .. })).collect();
    if minded.is_empty() {
        return Ok(Outcome::Success);
    }
    let items = minded.iter().map(ToString::to_string);
    let name = case.bundle_name();
    Ok(if breaks(text) {
        error(listed(
            &format!("Linkerd does not read all of {name}; write it anew as plain CERTIFICATE blocks"),
            items,
        ))
    } else {
        warning(listed(
            &format!("Linkerd reads {name}, stricter readers would not; the next render tidies it up"),
            items,
        ))
    })
}

/// Does a reader refuse the text, or get other certificates than stand in it?
fn breaks(text: &BundleText) -> bool {
    let refused = [Rules::Proxy, Rules::Controller].iter().any(|rules| text.as_read_by(*rules).is_err());
    let drops = |outcome| outcome == pem::Outcome::DropsCertificates;
    let effects = text.defects().iter().map(|minded| minded.kind.effect());
    refused || effects.into_iter().any(|effect| drops(effect.proxy) || drops(effect.controller))
}

fn size(case: &Case<'_>) -> Judged {
    let bytes = case.published()?.text.text().len();
    Ok(if bytes > MAX_BYTES {
        error(format!(
            "the bundle measures {bytes} bytes; above 128 KiB no proxy starts with it, and {MAX_BYTES} are \
             the most that leaves room: remove anchors that nothing uses"
        ))
    } else {
        Outcome::Success
    })
}
