//! ConfigMap `linkerd-config`, whichever way its version writes it.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::kept::Kept;
use super::tree::{entry, text};
use crate::document::{self, DocumentError};
use crate::mesh::{Mesh, MeshError, TrustHome};

/// What `linkerd-config` says.
pub(super) struct Config<'a> {
    /// The ConfigMap.
    pub(super) kept: &'a Kept,
    /// Its settings as a tree.
    pub(super) settings: Settings,
    /// Does it name the version of the chart `linkerd-crds` (since 2.12)?
    pub(super) names_crds_chart: bool,
}

/// The settings, in one of two notations.
pub(super) enum Settings {
    /// `data.global`, JSON (up to 2.8).
    Global(Value),
    /// `data.values`, the chart's values as YAML (since 2.9).
    Values(Value),
}

/// A setting: its JSON pointer in `data.global` (empty: not there) and in `data.values`.
pub(super) struct Setting(&'static str, &'static str);

pub(super) const TRUST_ANCHORS: Setting =
    Setting("/identityContext/trustAnchorsPem", "/identityTrustAnchorsPEM");
pub(super) const TRUST_DOMAIN: Setting = Setting("/identityContext/trustDomain", "/identityTrustDomain");
pub(super) const CLUSTER_DOMAIN: Setting = Setting("/clusterDomain", "/clusterDomain");
pub(super) const ISSUANCE_LIFETIME: Setting =
    Setting("/identityContext/issuanceLifetime", "/identity/issuer/issuanceLifetime");
/// As the 2.6 chart spells it.
pub(super) const ISSUANCE_LIFE_TIME: Setting = Setting("/identityContext/issuanceLifeTime", "");
pub(super) const CLOCK_SKEW: Setting =
    Setting("/identityContext/clockSkewAllowance", "/identity/issuer/clockSkewAllowance");
pub(super) const SCHEME: Setting = Setting("/identityContext/scheme", "/identity/issuer/scheme");
pub(super) const ISSUER_CERTIFICATE: Setting = Setting("", "/identity/issuer/tls/crtPEM");
pub(super) const EXTERNAL_CA: Setting = Setting("", "/identity/externalCA");
pub(super) const VERSION: Setting = Setting("/version", "/linkerdVersion");

impl<'a> Config<'a> {
    /// Reads the ConfigMap.
    pub(super) fn read(kept: &'a Kept) -> Result<Self, MeshError> {
        let data = |key| entry(&kept.tree, "/data", key);
        let settings = match (data("global"), data("values")) {
            (Some(global), _) => {
                Settings::Global(json(global).map_err(|why| kept.fault("data.global", why))?)
            }
            (None, Some(values)) => {
                Settings::Values(tree(values).map_err(|why| kept.fault("data.values", why))?)
            }
            (None, None) => {
                return Err(kept
                    .fault("data", "has neither `values` (Linkerd 2.9 and later) nor `global` (up to 2.8)"));
            }
        };
        Ok(Self { kept, settings, names_crds_chart: data("linkerd-crds-chart-version").is_some() })
    }

    /// The value of a setting; 2.9 keeps some of them under `global`.
    pub(super) fn get(&self, Setting(global, values): &Setting) -> Option<&Value> {
        match &self.settings {
            Settings::Global(_) if global.is_empty() => None,
            Settings::Global(tree) => tree.pointer(global),
            Settings::Values(_) if values.is_empty() => None,
            Settings::Values(tree) => {
                tree.pointer(values).or_else(|| tree.pointer("/global")?.pointer(values))
            }
        }
    }

    /// The text of a setting, where it is one and not empty.
    pub(super) fn text(&self, setting: &Setting) -> Option<&str> {
        self.get(setting)?.as_str().filter(|text| !text.is_empty())
    }

    /// Which field holds the anchors. A `global` without Linkerd's own settings is what an umbrella chart of Helm hands down.
    pub(super) fn home(&self) -> TrustHome {
        let own = |prefix: &str, tree: &Value| {
            ["identityTrustAnchorsPEM", "linkerdVersion"]
                .iter()
                .any(|key| text(tree, &format!("{prefix}/{key}")).is_some())
        };
        match &self.settings {
            Settings::Global(_) => TrustHome::ConfigGlobal,
            Settings::Values(tree) if own("/global", tree) && !own("", tree) => TrustHome::ConfigValuesGlobal,
            Settings::Values(_) => TrustHome::ConfigValues,
        }
    }

    /// The field of the anchors as an error names it.
    pub(super) fn anchors_field(&self) -> &'static str {
        match self.home() {
            TrustHome::ConfigGlobal => "data.global, identityContext.trustAnchorsPem,",
            TrustHome::ConfigValuesGlobal => "data.values, global.identityTrustAnchorsPEM,",
            TrustHome::ConfigValues | TrustHome::TrustRoots => "data.values, identityTrustAnchorsPEM,",
        }
    }
}

/// The tree of a text that Linkerd reads as JSON: what other notations allow besides, such as a carriage return in a text, stops it.
fn json(text: &str) -> Result<Value, String> {
    let tree = tree(text)?;
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(tree),
        Err(error) => Err(format!("cannot be read as JSON, and Linkerd stops there: {error}")),
    }
}

/// The one tree of a text, YAML or JSON.
fn tree(text: &str) -> Result<Value, String> {
    let mut documents = document::parse(text, "").map_err(|DocumentError { line, reason, .. }| {
        format!("cannot be read: line {line} of the text: {reason}")
    })?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(document.tree),
        (None, _) => Err("is empty".to_owned()),
        (Some(_), others) => Err(format!("holds {} documents instead of one", others + 1)),
    }
}

impl Mesh {
    /// The settings in `linkerd-config`, where it was observed and can be read: `data.global` up to 2.8, else `data.values`.
    #[must_use]
    pub fn configuration(&self) -> Option<Value> {
        let object = self.linkerd_config();
        let manifest = self.manifest(&object.kind, &object.namespace, &object.name)?;
        let text =
            entry(&manifest.tree, "/data", "global").or_else(|| entry(&manifest.tree, "/data", "values"))?;
        tree(text).ok()
    }
}
