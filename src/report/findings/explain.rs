//! What each code means, why it matters and what to do.

use anstyle::Style;
use serde::Serialize;

use super::{change, check, input, recovery, step, trust};
use crate::report::Screen;
use crate::report::words::styled;

/// One code, explained.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Explanation {
    pub code: &'static str,
    /// What it means, in a sentence.
    pub means: &'static str,
    /// Why it matters.
    pub matters: &'static str,
    /// What to do.
    pub act: &'static str,
    /// A command to look at it, or to mend it.
    pub example: &'static str,
    /// The Linkerd file, issue or document, or the RFC section, that it rests on.
    pub source: &'static str,
}

/// One code alone, as data.
#[derive(Debug, Serialize)]
pub struct Explained<'a> {
    schema: &'static str,
    #[serde(flatten)]
    explanation: &'a Explanation,
}

impl<'a> From<&'a Explanation> for Explained<'a> {
    fn from(explanation: &'a Explanation) -> Self {
        Self { schema: "l5d-rotate/explain/v1", explanation }
    }
}

/// Every code, explained, sorted.
#[must_use]
pub fn explanations() -> Vec<&'static Explanation> {
    let all = [
        input::EXPLAINED,
        trust::EXPLAINED,
        check::bundle::EXPLAINED,
        check::explained::EXPLAINED,
        check::proxies::EXPLAINED,
        step::EXPLAINED,
        step::MANAGED_EXPLAINED,
        change::EXPLAINED,
        change::managed::EXPLAINED,
        change::repository::EXPLAINED,
        change::sealed::EXPLAINED,
        recovery::EXPLAINED,
    ];
    let mut all: Vec<_> = all.into_iter().flatten().collect();
    all.sort_by_key(|explained| explained.code);
    all
}

/// One code on a screen.
#[must_use]
pub fn explained_text(explained: &Explanation, screen: &Screen) -> String {
    let Explanation { code, means, matters, act, example, source } = explained;
    let bold = Style::new().bold();
    let mut out = format!("{}\n{}", styled(bold, code), screen.wrapped(means, "  ", "  "));
    for (title, text) in [("Why it matters", matters), ("What to do", act)] {
        out.push_str(&format!("\n{}\n{}", styled(bold, title), screen.wrapped(text, "  ", "  ")));
    }
    out.push_str(&format!("\n{}\n  {example}\n", styled(bold, "Example")));
    out.push_str(&format!("\n{}\n{}", styled(bold, "Source"), screen.wrapped(source, "  ", "  ")));
    out
}

/// Every code with its meaning.
#[must_use]
pub fn listed_text(all: &[&Explanation], screen: &Screen) -> String {
    let said = |one: &&Explanation| {
        format!("{}\n{}", styled(Style::new().bold(), one.code), screen.wrapped(one.means, "  ", "  "))
    };
    all.iter().map(said).collect()
}

/// `docs/findings.md`.
#[must_use]
pub fn explained_markdown() -> String {
    let mut out = "# Findings\n\nEvery finding has a code, in `-o json` and on the screen. \
                   `kubectl l5d-rotate explain CODE` shows what stands here.\n"
        .to_owned();
    for Explanation { code, means, matters, act, example, source } in explanations() {
        out.push_str(&format!(
            "\n## {code}\n\n{means}\n\n**Why it matters.** {matters}\n\n**What to do.** {act}\n\n```\n{example}\n```\n\n\
             *Source:* {source}\n"
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Fact;

    #[test]
    fn every_code_is_explained_and_nothing_else_is() {
        let explained: Vec<_> = explanations().iter().map(|one| one.code).collect();
        assert_eq!(explained, Fact::codes());
    }
}
