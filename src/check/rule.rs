//! One check as a row of a table.

use super::{Case, Category, Checked, Outcome, Severity};

/// A check: what it is called, what it says, and how it judges.
pub(super) struct Rule {
    /// The hint anchor.
    pub code: &'static str,
    /// The sentence that holds or does not.
    pub description: &'static str,
    /// Judges a case.
    pub judge: fn(&Case<'_>) -> Judged,
}

/// The outcome, or why there is none.
pub(super) type Judged = Result<Outcome, Stop>;

/// Why a check has no outcome of its own.
pub(super) enum Stop {
    /// It does not concern this mesh, or another check already says what is wrong.
    NotApplicable,
    /// It could not be looked at: what is missing.
    Unknown(String),
}

impl Rule {
    /// Runs the check; `None` where it does not apply.
    pub(super) fn check(&self, category: Category, case: &Case<'_>) -> Option<Checked> {
        let outcome = match (self.judge)(case) {
            Ok(outcome) => outcome,
            Err(Stop::Unknown(what)) => Outcome::Unknown(what),
            Err(Stop::NotApplicable) => return None,
        };
        Some(Checked { category, code: self.code, description: self.description.to_owned(), outcome })
    }
}

/// A failure that exits with 1.
pub(super) fn error(text: impl Into<String>) -> Outcome {
    Outcome::Failed(Severity::Error, text.into())
}

/// A failure that only warns.
pub(super) fn warning(text: impl Into<String>) -> Outcome {
    Outcome::Failed(Severity::Warning, text.into())
}

/// Success where there is nothing to list, else `fail` with the list under `head`.
pub(super) fn unless_any(items: Vec<String>, head: &str, fail: fn(String) -> Outcome) -> Outcome {
    if items.is_empty() { Outcome::Success } else { fail(listed(head, items)) }
}

/// `head`, then each item on a line of its own behind a tab and a star, as `linkerd check` lists.
pub(super) fn listed(head: &str, items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().fold(format!("{head}:"), |text, item| text + "\n\t* " + &item)
}
