//! The copies of the bundle against the published one.

use crate::check::Outcome;
use crate::check::case::{Case, known, same_anchors};
use crate::check::rule::{Judged, Rule, Stop, error, listed, warning};
use crate::mesh::{Era, Known};
use crate::pki::{Bundle, BundleText, Rules};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "trust-bundle-config-copy",
        description: "linkerd-config holds the published trust anchors",
        judge: config_copy,
    },
    Rule {
        code: "trust-bundle-identity-copy",
        description: "identity controller is given the published trust anchors",
        judge: identity_copy,
    },
    Rule {
        code: "issuer-secret-ca",
        description: "ca.crt beside the issuer holds the anchor that signed it",
        judge: secret_ca,
    },
];

fn config_copy(case: &Case<'_>) -> Judged {
    let (era, published) = (case.mesh.control_plane.era, &case.published()?.text);
    if era.trust_home() == era.config_home() {
        return Err(Stop::NotApplicable);
    }
    let name = format!("ConfigMap {}/linkerd-config", case.mesh.control_plane.namespace);
    if case.mesh.trust.config == Known::Absent {
        return Ok(warning(format!(
            "{name} is missing, and `linkerd check` and `linkerd upgrade` need it; restore it"
        )));
    }
    let config = known(&case.mesh.trust.config, || name)?;
    if same_anchors(config, published) {
        return Ok(Outcome::Success);
    }
    if case.mesh.control_plane.external_ca {
        // Helm leaves the copy empty; the CLI's is of the day of installation. No upgrade publishes either.
        let text = "with an external CA it stays as installed, and only `linkerd inject --manual` and \
                    multicluster checks read it; do not rely on those";
        return if config.text().trim().is_empty() { Err(Stop::NotApplicable) } else { Ok(warning(text)) };
    }
    let breaks = match (config.as_read_by(Rules::Proxy), case.chain()) {
        (Ok(bundle), Ok(chain)) => case.trusts(bundle, chain).is_err(),
        (Err(_), _) => true,
        (Ok(_), Err(_)) => false,
    };
    let head = if breaks {
        "the next Helm or CLI upgrade publishes anchors again that do not accept the issuer; put the \
         published ones into the value identityTrustAnchorsPEM first"
    } else {
        "`linkerd check`, `linkerd inject --manual` and multicluster checks read other anchors than are \
         published, and the next Helm or CLI upgrade publishes them again; put the published ones into the \
         value identityTrustAnchorsPEM"
    };
    let text = listed(head, differences(published, config, "linkerd-config"));
    Ok(if breaks { error(text) } else { warning(text) })
}

fn identity_copy(case: &Case<'_>) -> Judged {
    if !matches!(case.mesh.control_plane.era, Era::V2_9 | Era::V2_10) {
        return Err(Stop::NotApplicable);
    }
    let published = &case.published()?.text;
    let Some(copy) = &case.mesh.trust.identity else {
        return Err(Stop::Unknown(format!(
            "Deployment {}/linkerd-identity, whose argument or environment holds the anchors, was not seen",
            case.mesh.control_plane.namespace
        )));
    };
    if same_anchors(copy, published) {
        return Ok(Outcome::Success);
    }
    let head = "the identity controller refuses issuers of anchors that it is not given; render its \
                Deployment again (phase bundle, step 2)";
    Ok(error(listed(head, differences(published, copy, "the identity controller's copy"))))
}

/// Which anchors stand in one text only.
fn differences(published: &BundleText, copy: &BundleText, name: &str) -> Vec<String> {
    let (Ok(one), Ok(other)) = (published.as_read_by(Rules::Proxy), copy.as_read_by(Rules::Proxy)) else {
        return vec![format!("{name} cannot be read as certificates, or the published bundle cannot")];
    };
    let only = |here: &Bundle, there: &Bundle, place: &str| {
        let missing = here.anchors().iter().filter(|anchor| !there.contains(anchor));
        let line = |name: &str, id: String| format!("only in {place}: {name} ({id})");
        missing.map(|anchor| line(anchor.name(), anchor.fingerprint().short())).collect::<Vec<_>>()
    };
    [only(one, other, "the published bundle"), only(other, one, name)].concat()
}

fn secret_ca(case: &Case<'_>) -> Judged {
    if !case.is_external() || !case.issuer()?.from_secret {
        return Err(Stop::NotApplicable);
    }
    let chain = case.chain()?;
    let Some(ca) = &case.issuer()?.ca else {
        return Ok(warning(format!(
            "{} has no ca.crt: the mesh works, and `linkerd check` and `linkerd upgrade` fail; add the \
             published anchors under that key",
            case.secret_name()
        )));
    };
    let refused = match ca.as_read_by(Rules::Controller) {
        Ok(bundle) => case.trusts(bundle, chain).err().map(|refusal| refusal.to_string()),
        Err(defect) => Some(defect.to_string()),
    };
    Ok(match refused {
        Some(why) => warning(format!(
            "`linkerd check` and `linkerd upgrade` judge the issuer by ca.crt, which does not hold its \
             anchor; put the published anchors there: {why}"
        )),
        None => Outcome::Success,
    })
}
