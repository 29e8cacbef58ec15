//! What could not be read.

use crate::check::rule::{Rule, Stop, listed};

pub(super) const RULES: &[Rule] = &[Rule {
    code: "input-complete",
    description: "everything that matters could be read",
    judge: |case| {
        let mut unread = case.mesh.unread().peekable();
        if unread.peek().is_none() {
            return Err(Stop::NotApplicable);
        }
        Err(Stop::Unknown(listed(
            "missing (kubectl l5d-rotate rbac shows the permissions that reading needs)",
            unread,
        )))
    },
}];
