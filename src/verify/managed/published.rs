//! What trust-manager publishes after a change (`pkg/bundle` of trust-manager).

use super::super::changes::{place, reading, text};
use super::issued::Held;
use super::{Change, Controllers};
use crate::finding::{ChangeFact, Finding, Severity};
use crate::mesh::{BundleSource, CERTIFICATE_KEY, Known, TrustBundle};
use crate::pki::pem::{Defect, DefectKind};
use crate::pki::{Bundle, BundleText, Certificate, Rules};

impl Change<'_> {
    /// The bundle that trust-manager publishes.
    pub(super) fn publish(&self, made: &mut Controllers) {
        let (Some(before), after) = (&self.current.trust_bundle, &self.proposed.trust_bundle) else { return };
        let Some(after) = after else {
            let place = place(self.proposed, self.current, &before.object);
            let fact = ChangeFact::TrustBundleRemoved { bundle: before.object.clone() };
            made.findings.push(Finding::new(Severity::Error, fact).at(place));
            return;
        };
        let at = place(self.proposed, self.current, &after.object);
        let published = text(self.current).and_then(reading);
        let mut certain: Vec<Certificate> = Vec::new();
        let mut open = false;
        for source in &after.sources {
            match self.source(source) {
                Ok(Some(anchors)) => certain.extend(anchors),
                Ok(None) => open = true,
                Err(defect) => {
                    let fact = ChangeFact::SourceUnreadable { defect };
                    made.findings.push(Finding::new(Severity::Error, fact).at(at.clone()));
                }
            }
        }
        // What was not understood before is judged as it was; what is added to it is not known at all.
        let adds_unknown =
            after.sources.contains(&BundleSource::Other) && !before.sources.contains(&BundleSource::Other);
        if adds_unknown {
            let fact = ChangeFact::SourceNotKnown { bundle: after.object.clone() };
            made.findings.push(Finding::new(Severity::Unknown, fact).at(at.clone()));
        }
        let keeps_all = before.sources.iter().all(|source| after.sources.contains(source));
        let nothing_is_lost = keeps_all && !self.loses_an_anchor(before);
        if let Some(published) = published.filter(|_| nothing_is_lost) {
            certain.extend(published.anchors().iter().cloned());
        } else if open && !adds_unknown {
            let fact = ChangeFact::SourceNotKnown { bundle: after.object.clone() };
            made.findings.push(Finding::new(Severity::Unknown, fact).at(at.clone()));
        }
        if let Some(filter) = &after.filter {
            certain.retain(|one| !filter.drops(one, self.at));
        }
        let Some(bundle) = Bundle::new(certain) else {
            if open {
                return;
            }
            let fact = ChangeFact::TrustBundleRemoved { bundle: after.object.clone() };
            made.findings.push(Finding::new(Severity::Error, fact).at(at));
            return;
        };
        let is_new = published.is_none_or(|published| !published.same_set(&bundle));
        if let Known::Is(text) = &mut made.proposed.trust.published
            && is_new
        {
            text.text = BundleText::read(bundle.to_pem());
        }
    }

    /// Is a Certificate issued again whose Secret is one of the sources?
    fn loses_an_anchor(&self, bundle: &TrustBundle) -> bool {
        bundle.secrets().any(|secret| matches!(self.held(secret, None), Some(Held::New)))
    }

    /// The certificates of a source; `None` where they are not known.
    fn source(&self, source: &BundleSource) -> Result<Option<Vec<Certificate>>, Defect> {
        match source {
            BundleSource::Secret { name, key } => Ok(match self.held(name, None) {
                Some(Held::Known(certificate)) => (key == CERTIFICATE_KEY).then(|| vec![certificate]),
                // It is added when it exists; nobody holds it, and nothing is signed by it yet.
                Some(Held::New) => Some(Vec::new()),
                Some(Held::Unknown) | None => None,
            }),
            BundleSource::InLine(pem) => in_line(pem).map(Some),
            BundleSource::ConfigMap { .. } | BundleSource::Other => Ok(None),
        }
    }
}

/// The certificates that PEM within a Bundle gives (`AddCertsFromPEM` in trust-manager's `pkg/util`). What that passes over in
/// silence is refused here: an anchor may be in it.
fn in_line(pem: &str) -> Result<Vec<Certificate>, Defect> {
    let held = BundleText::read(pem.to_owned());
    let loses = |defect: &&Defect| {
        use DefectKind::{
            Base64, ForeignBlock, Glued, Headers, Indented, LooseBase64, MissingEnd, NotACertificate,
            StrayEnd,
        };
        matches!(
            defect.kind,
            Indented
                | ForeignBlock { .. }
                | Glued
                | MissingEnd { .. }
                | StrayEnd
                | Headers
                | Base64
                | LooseBase64
                | NotACertificate { .. }
        )
    };
    if let Some(defect) = held.defects().iter().find(loses) {
        return Err(defect.clone());
    }
    let both = held.as_read_by(Rules::Controller).or_else(|_| held.as_read_by(Rules::Proxy));
    both.map(|bundle| bundle.anchors().to_vec()).map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What packages of trust-manager 0.25.0 (Apache-2.0) made of these inputs.
    fn verdicts() -> Value {
        serde_json::from_str(include_str!("../../../testdata/cert-manager/verdicts.json")).unwrap()
    }

    #[test]
    fn what_trust_manager_refuses_or_loses_is_never_taken_for_read() {
        let (mut same, mut refused) = (0, 0);
        for one in verdicts()["bundles"].as_array().unwrap() {
            let sources = one["sources"].as_array().unwrap().iter().map(|pem| in_line(pem.as_str().unwrap()));
            let Ok(all) = sources.collect::<Result<Vec<_>, _>>() else {
                refused += 1;
                continue;
            };
            let name = &one["name"];
            let real = one["pem"].as_str().unwrap_or_else(|| panic!("{name}: trust-manager refuses it"));
            let [ours, real] =
                [Bundle::new(all.concat()).unwrap(), Bundle::new(in_line(real).unwrap()).unwrap()];
            assert!(ours.same_set(&real), "{name}");
            same += 1;
        }
        assert_eq!((same, refused), (10, 9));
    }
}
