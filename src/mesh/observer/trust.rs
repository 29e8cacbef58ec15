//! The trust bundle and its copies, each from the place its era keeps it in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::config::{Config, EXTERNAL_CA, TRUST_ANCHORS};
use super::gaps::Gaps;
use super::identity::Identity;
use super::kept::Kept;
use super::tree::entry;
use crate::linkerd;
use crate::mesh::era::{Era, TrustHome};
use crate::mesh::{Known, MeshError, Owner, Published, Trust};
use crate::pki::BundleText;

/// The hashes of an empty Helm value: the chart was given no anchors.
const HASHES_OF_NOTHING: [&str; 2] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
];

/// Where the bundle is looked for.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) namespace: &'a str,
    pub(super) config: Option<&'a Config<'a>>,
    pub(super) identity: Option<&'a Identity<'a>>,
    pub(super) trust_roots: Option<&'a Kept>,
    pub(super) gaps: &'a Gaps,
}

impl Places<'_> {
    /// The bundle and its copies.
    pub(super) fn trust(&self, era: Era) -> Result<Trust, MeshError> {
        let config = self.copy(era)?;
        let published = match era.trust_home() {
            TrustHome::TrustRoots => self.published()?,
            home => match (config.clone(), self.config) {
                (Known::Is(text), Some(found)) => {
                    Known::Is(Published { home, text, changed: found.kept.changed })
                }
                (Known::Unknown(why), _) => Known::Unknown(why),
                _ => Known::Absent,
            },
        };
        Ok(Trust { published, config, identity: self.identity_copy(era)? })
    }

    fn published(&self) -> Result<Known<Published>, MeshError> {
        let Some(kept) = self.trust_roots else {
            return Ok(self.gaps.absence("configmaps", self.namespace, linkerd::TRUST_ROOTS));
        };
        let text = entry(&kept.tree, "/data", "ca-bundle.crt")
            .ok_or_else(|| kept.fault("data", "has no `ca-bundle.crt`, the trust bundle"))?;
        let text = BundleText::read(text);
        Ok(Known::Is(Published { home: TrustHome::TrustRoots, text, changed: kept.changed }))
    }

    /// `linkerd-config`'s copy. Since 2.11 it may be missing, where others publish the anchors.
    fn copy(&self, era: Era) -> Result<Known<BundleText>, MeshError> {
        let Some(config) = self.config else {
            return Ok(self.gaps.absence("configmaps", self.namespace, linkerd::CONFIG));
        };
        match config.text(&TRUST_ANCHORS) {
            Some(text) => Ok(Known::Is(BundleText::read(text))),
            None if era.trust_home() == TrustHome::TrustRoots => Ok(Known::Absent),
            None => Err(config
                .kept
                .fault(config.anchors_field(), "is missing or empty: it is this version's trust bundle")),
        }
    }

    fn identity_copy(&self, era: Era) -> Result<Option<BundleText>, MeshError> {
        let Some(identity) = self.identity else { return Ok(None) };
        let (field, encoded) = match era {
            Era::V2_9 => {
                ("argument -identity-trust-anchors-pem", identity.argument("identity-trust-anchors-pem"))
            }
            Era::V2_10 => (
                "variable LINKERD2_IDENTITY_TRUST_ANCHORS",
                identity.variable("LINKERD2_IDENTITY_TRUST_ANCHORS"),
            ),
            _ => return Ok(None),
        };
        let decode = |encoded: &str| {
            let bytes = STANDARD.decode(encoded).map_err(|error| format!("is not base64: {error}"))?;
            String::from_utf8(bytes).map_err(|_| "is not text once decoded from base64".to_owned())
        };
        let text = encoded.map(decode).transpose();
        text.map(|text| text.map(BundleText::read)).map_err(|why| identity.kept.fault(field, why))
    }

    /// Does somebody else publish the anchors: by the chart's setting, by trust-manager, or because the chart has none?
    pub(super) fn external_ca(&self, bundle_in_git: bool) -> bool {
        let set =
            self.config.and_then(|config| config.get(&EXTERNAL_CA)).and_then(serde_json::Value::as_bool);
        let by_trust_manager =
            |kept: &Kept| kept.owners.iter().any(|owner| matches!(owner, Owner::TrustManager { .. }));
        let hash = self.identity.and_then(Identity::trust_root_hash);
        set == Some(true)
            || bundle_in_git
            || self.trust_roots.is_some_and(by_trust_manager)
            || hash.is_some_and(|hash| HASHES_OF_NOTHING.contains(&hash))
    }
}
