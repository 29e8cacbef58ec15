//! Which era a control plane is of, told by what its objects have and not by its version's name.

use std::ops::RangeInclusive;

use super::config::{Config, EXTERNAL_CA, SCHEME, VERSION};
use super::identity::Identity;
use super::kept::Kept;
use crate::mesh::era::Era;
use crate::mesh::{MeshError, TrustHome};

/// The objects that tell.
pub(super) struct Witnesses<'a> {
    pub(super) config: Option<&'a Config<'a>>,
    pub(super) identity: Option<&'a Identity<'a>>,
    pub(super) trust_roots: Option<&'a Kept>,
    /// Do control-plane proxies have the bundle by reference?
    pub(super) by_reference: bool,
    /// Do control-plane pods carry `linkerd.io/trust-root-sha256`?
    pub(super) hashed_pods: bool,
}

/// What one object says, if it says it: between which eras the control plane must then be, and in which words.
type Rule = (RangeInclusive<Era>, &'static str, fn(&Witnesses<'_>) -> Option<String>);

/// Each is proof: an object that has the feature was written by a version of these eras.
const RULES: &[Rule] = &[
    (Era::V2_6..=Era::V2_6, "has `global` without a scheme", |w| {
        w.config.filter(|c| c.home() == TrustHome::ConfigGlobal && c.text(&SCHEME).is_none()).map(at_config)
    }),
    (Era::V2_7..=Era::V2_7, "has `global` with a scheme", |w| {
        w.config.filter(|c| c.home() == TrustHome::ConfigGlobal && c.text(&SCHEME).is_some()).map(at_config)
    }),
    (Era::V2_9..=Era::V2_9, "has `values` with the settings under `global`", |w| {
        w.config.filter(|c| c.home() == TrustHome::ConfigValuesGlobal).map(at_config)
    }),
    (Era::V2_10..=Era::V2_12, "has `values` with the settings at the top", |w| {
        w.config.filter(|c| c.home() == TrustHome::ConfigValues).map(at_config)
    }),
    (Era::V2_11..=Era::V2_12, "has the setting `identity.externalCA`", |w| {
        w.config.filter(|c| c.get(&EXTERNAL_CA).is_some()).map(at_config)
    }),
    (Era::V2_12..=Era::V2_12, "names the chart linkerd-crds", |w| {
        w.config.filter(|c| c.names_crds_chart).map(at_config)
    }),
    (Era::V2_11..=Era::V2_12, "exists", |w| w.trust_roots.map(Kept::place)),
    (Era::V2_9..=Era::V2_9, "has the argument -identity-trust-anchors-pem", |w| {
        w.identity.filter(|i| i.argument("identity-trust-anchors-pem").is_some()).map(at_identity)
    }),
    (Era::V2_10..=Era::V2_10, "has the variable LINKERD2_IDENTITY_TRUST_ANCHORS", |w| {
        w.identity.filter(|i| i.variable("LINKERD2_IDENTITY_TRUST_ANCHORS").is_some()).map(at_identity)
    }),
    (Era::V2_11..=Era::V2_12, "mounts ConfigMap linkerd-identity-trust-roots", |w| {
        w.identity.filter(|i| i.mounts_trust_roots()).map(at_identity)
    }),
    (Era::V2_12..=Era::V2_12, "has the annotation linkerd.io/trust-root-sha256", |w| {
        w.identity.filter(|i| i.trust_root_hash().is_some()).map(at_identity)
    }),
];

fn at_config(config: &Config<'_>) -> String {
    config.kept.place()
}

fn at_identity(identity: &Identity<'_>) -> String {
    identity.kept.place()
}

/// The one era that fits everything.
pub(super) fn era(witnesses: &Witnesses<'_>, namespace: &str) -> Result<Era, MeshError> {
    let said: Vec<_> = RULES
        .iter()
        .filter_map(|(eras, says, rule)| {
            rule(witnesses).map(|place| (eras, format!("{place} {says} ({})", span(eras))))
        })
        .collect();
    for (at, (eras, one)) in said.iter().enumerate() {
        if let Some((_, other)) = said[at + 1..].iter().find(|(others, _)| meet(eras, others).is_none()) {
            return Err(MeshError::MixedEras { one: one.clone(), other: other.clone() });
        }
    }
    let all = said.iter().try_fold(Era::V2_6..=Era::V2_12, |all, (eras, _)| meet(&all, eras));
    let unknown = |between| MeshError::UnknownEra { namespace: namespace.to_owned(), between };
    // Ranges on a line that meet two by two have a common point.
    settle(all.ok_or_else(|| unknown(String::new()))?, witnesses)
        .map_err(|left| unknown(if said.is_empty() { String::new() } else { span(&left) }))
}

/// Where more than one era is left, by what proves less: pods, which an upgrade replaces last, and what is missing.
fn settle(left: RangeInclusive<Era>, witnesses: &Witnesses<'_>) -> Result<Era, RangeInclusive<Era>> {
    let unhashed = witnesses.identity.is_some_and(|identity| identity.trust_root_hash().is_none());
    let version = witnesses.config.and_then(|config| config.text(&VERSION)).unwrap_or_default();
    match (*left.start(), *left.end()) {
        (start, end) if start == end => Ok(end),
        (Era::V2_11, Era::V2_12) if unhashed || version.starts_with("stable-2.11.") => Ok(Era::V2_11),
        (Era::V2_11, Era::V2_12) => Ok(Era::V2_12),
        (_, Era::V2_12) if witnesses.hashed_pods || witnesses.by_reference => Ok(Era::V2_12),
        // Since 2.11 the values always hold `identity.externalCA`.
        (Era::V2_10, Era::V2_12) => Ok(Era::V2_10),
        _ => Err(left),
    }
}

fn meet(one: &RangeInclusive<Era>, other: &RangeInclusive<Era>) -> Option<RangeInclusive<Era>> {
    let both = *one.start().max(other.start())..=*one.end().min(other.end());
    (!both.is_empty()).then_some(both)
}

fn span(eras: &RangeInclusive<Era>) -> String {
    if eras.start() == eras.end() {
        eras.start().to_string()
    } else {
        format!("{} to {}", eras.start(), eras.end())
    }
}
