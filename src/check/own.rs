//! `l5d-rotate`: what Linkerd's own checks miss.

mod bundle;
mod cert_manager;
mod certificates;
mod proxies;
mod restarts;
mod trust_manager;

use super::{Rule, Stop};
use crate::finding::InputFact;
use crate::mesh::{Gap, Unread};
pub use bundle::difference;
pub(super) use cert_manager::held_up;

/// All of ours, by subject.
pub(super) const RULES: &[&[Rule]] = &[
    bundle::RULES,
    certificates::RULES,
    restarts::RULES,
    proxies::RULES,
    cert_manager::RULES,
    trust_manager::RULES,
    &[Rule {
        code: "input-complete",
        object: None,
        judge: |case| {
            // What a repository does not declare is named where it matters; no permission gives it.
            let is_refused = |gap: &&Gap| gap.why != Unread::NotDeclared;
            let gaps: Vec<Gap> = case.mesh.gaps.iter().filter(is_refused).cloned().collect();
            let only_namespace = case.mesh.only.clone();
            if gaps.is_empty() && only_namespace.is_none() {
                return Err(Stop::NotApplicable);
            }
            Err(Stop::unknown(InputFact::InputIncomplete { gaps, only_namespace }))
        },
    }],
];
