//! `l5d-rotate`: what Linkerd's own checks miss.

mod anchors;
mod cert_manager;
mod copies;
mod input;
mod issuer;
mod outside;
mod proxies;
mod restarts;
mod text;

use super::rule::Rule;

/// All of ours, by subject.
pub(super) const RULES: &[&[Rule]] = &[
    text::RULES,
    copies::RULES,
    anchors::RULES,
    issuer::RULES,
    restarts::RULES,
    proxies::RULES,
    outside::RULES,
    cert_manager::RULES,
    input::RULES,
];
