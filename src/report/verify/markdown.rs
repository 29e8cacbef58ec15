//! The verdict as Markdown, for a pull request's comment or a job's summary.

use std::collections::BTreeSet;

use super::wording::{self, Line};
use super::{Around, Judged, OfRotation};
use crate::finding::{Finding, Severity};
use crate::report::Screen;
use crate::report::findings::{Words, words};
use crate::report::gantt::Look;
use crate::report::lifetimes::{self, Fate, Part};
use crate::report::markdown::{escaped, folded, table};
use crate::report::next::UnderWay;
use crate::report::pull::{self, GLOSSARY, PullRequest, section};
use crate::report::words::count;
use crate::verify::{Changes, Verdict, Verification, step_of};

pub(super) fn write(judged: &Judged, screen: &Screen) -> String {
    let Judged { unit, verification, around } = judged;
    let request = around.as_ref().and_then(|around| taken(around, &verification.changes));
    let place = if unit.is_empty() { String::new() } else { format!("{}: ", escaped(unit)) };
    let title = match &request {
        Some(request) => {
            pull::numbered(request.under_way.plan, request.planned.step, request.under_way.record)
        }
        None => title(&verification.changes),
    };
    let mut out = format!("### {place}{title}\n\n{}\n", verdict(verification, screen));
    if let Some(request) = &request {
        out.push_str(&format!("\n{}\n", pull::what_it_does(request.planned.step, request.under_way.record)));
    }
    for (name, severity) in
        [("Breaks", Severity::Error), ("Breaks until then", Severity::Wait), ("Not known", Severity::Unknown)]
    {
        section(&mut out, name, &found(verification, severity, screen));
    }
    if let Some(advice) = verification.advice() {
        out.push_str(&format!("\n**Next:** {}\n", escaped(wording::advice(advice))));
    }
    if let Some(around) = around.as_ref().filter(|_| verification.verdict != Verdict::NotAboutTrust) {
        out.push_str(&effects(around, &verification.changes, screen));
    }
    if matches!(verification.verdict, Verdict::Safe | Verdict::SafeAfter(_)) {
        out.push_str(&afterwards(request.as_ref(), &verification.changes, screen));
    }
    for (summary, inside) in [
        ("What changes, and where", changes(&verification.changes, screen)),
        ("Also", found(verification, Severity::Warning, screen)),
    ] {
        if !inside.is_empty() {
            out.push_str(&format!("\n{}", folded(summary, &inside)));
        }
    }
    if verification.verdict != Verdict::NotAboutTrust {
        out.push_str(&format!("\n{}", folded("What the words mean", GLOSSARY)));
    }
    out
}

/// The step of the rotation that a change takes.
fn taken<'a>(around: &'a Around, changes: &Changes) -> Option<PullRequest<'a>> {
    let OfRotation { dir, record, plan } = around.rotation.as_ref()?;
    let planned = step_of(changes, plan, &around.mesh)?;
    let under_way = UnderWay { dir, record, plan, checkout: None };
    Some(PullRequest { under_way, planned, mesh: &around.mesh, arguments: "" })
}

/// What merging does, in a few words.
fn title(changes: &Changes) -> String {
    let mut parts = Vec::new();
    if changes.bundle.is_some() {
        parts.push(match (changes.added.is_empty(), changes.removed.is_empty()) {
            (false, false) => "a trust anchor added and another removed".to_owned(),
            (false, true) => "a trust anchor added".to_owned(),
            (true, false) => "a trust anchor removed".to_owned(),
            (true, true) => "the text of the trust bundle".to_owned(),
        });
    }
    if let Some(issuer) = &changes.issuer {
        let is_other = issuer.from != issuer.to;
        let part = if is_other { "another issuer" } else { "the issuer's key or intermediates" };
        parts.push(part.to_owned());
    }
    if !changes.restarts.is_empty() {
        let workloads = count(changes.restarts.len() as u64, "workload", "workloads");
        parts.push(format!("restart of {workloads}"));
    }
    if parts.is_empty() {
        parts.push("Linkerd's trust".to_owned());
    }
    let all = parts.join(", ");
    let mut letters = all.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn verdict(verification: &Verification, screen: &Screen) -> String {
    let mark = match verification.verdict {
        Verdict::Safe | Verdict::NotAboutTrust => "✅",
        Verdict::SafeAfter(_) => "⏳",
        Verdict::Unknown => "❓",
        Verdict::Unsafe => "❌",
    };
    let (word, sentence) = wording::headline(verification, screen);
    format!("{mark} **{}**: {}.", escaped(&word), escaped(&sentence))
}

/// What becomes of certificates, workloads and proxies.
fn effects(around: &Around, changes: &Changes, screen: &Screen) -> String {
    let parts = certificates(around, changes);
    let mut out = String::new();
    if !parts.is_empty() {
        let (picture, table) = (lifetimes::picture(&parts, screen.at), lifetimes::listed(&parts, screen));
        section(&mut out, "Certificates", &format!("{picture}\n{table}"));
    }
    let restarted: BTreeSet<_> = changes.restarts.iter().map(|restart| &restart.place.object).collect();
    let restarts = if restarted.is_empty() {
        "Nothing restarts.\n".to_owned()
    } else {
        pull::of_workloads(&restarted, &around.mesh)
    };
    section(&mut out, "What merging restarts", &restarts);
    let record = around.rotation.as_ref().map(|rotation| &rotation.record);
    section(&mut out, "Whom proxies trust now", &pull::trusted(&around.mesh, record));
    out
}

fn certificates<'a>(around: &'a Around, changes: &'a Changes) -> Vec<Part<'a>> {
    let part = |is_anchor, fate, certificate| {
        let role = if is_anchor { "Trust anchor" } else { "Issuer" };
        Part { role, is_anchor, look: fate_look(fate), fate, certificate }
    };
    let in_use = pull::in_use(&around.mesh);
    let mut parts = Vec::new();
    for anchor in in_use.bundle.iter().flat_map(|bundle| bundle.anchors()) {
        let fate = Fate::of(true, !changes.removed.contains(anchor));
        parts.push(part(true, fate, anchor));
    }
    parts.extend(changes.added.iter().map(|anchor| part(true, Fate::Added, anchor)));
    match &changes.issuer {
        Some(change) if change.from != change.to => {
            parts.extend(change.from.iter().map(|issuer| part(false, Fate::Removed, issuer)));
            parts.extend(change.to.iter().map(|issuer| part(false, Fate::Added, issuer)));
        }
        _ => parts.extend(in_use.chain.map(|chain| part(false, Fate::Stays, &chain.issuer))),
    }
    parts
}

const fn fate_look(fate: Fate) -> Look {
    match fate {
        Fate::Added => Look::New,
        Fate::Removed => Look::Old,
        Fate::Stays | Fate::NotInUse => Look::Plain,
    }
}

/// What comes after the merge, and how it is undone.
fn afterwards(request: Option<&PullRequest<'_>>, changes: &Changes, screen: &Screen) -> String {
    let mut out = String::new();
    if let Some(request) = request {
        section(&mut out, "After the merge", &pull::after_merge(request, screen));
        section(&mut out, "Rolling back", &pull::rolling_back(request, screen));
        return out;
    }
    let mut after = Vec::new();
    if changes.bundle.is_some() {
        after.push("Running proxies keep the trust anchors that they started with until they restart.");
    }
    if changes.issuer.is_some() {
        after.push("Proxies get certificates of this issuer when the identity controller has it and they renew theirs.");
    }
    if !changes.restarts.is_empty() {
        after.push("Wait until every rollout is finished (`kubectl rollout status`) before the next change of trust.");
    }
    let lines: String = after.iter().map(|line| format!("- {line}\n")).collect();
    section(&mut out, "After the merge", &lines);
    let back = "A revert is a change like any other: let `kubectl l5d-rotate verify` judge it before it is merged.\n";
    section(&mut out, "Rolling back", if after.is_empty() { "" } else { back });
    out
}

fn changes(changes: &Changes, screen: &Screen) -> String {
    let mut rows = Vec::new();
    for Line { sign, text, details } in wording::changes(changes, screen) {
        let verb = match sign {
            '+' => "**added**",
            '-' => "**removed**",
            _ => "changed",
        };
        rows.push(vec![verb.to_owned(), escaped(&text), escaped(&details.join(", "))]);
    }
    if rows.is_empty() { String::new() } else { table(&["", "what", "where"], &rows) }
}

fn found(verification: &Verification, severity: Severity, screen: &Screen) -> String {
    let found = verification.findings.iter().filter(|one| one.severity == severity);
    found.map(|one| finding(one, screen)).collect()
}

fn finding(finding: &Finding, screen: &Screen) -> String {
    let Words { what, items, effect, todo } = words(finding, screen);
    let mut out = format!("- `{}` {}\n", finding.code(), escaped(&what));
    for line in items.iter().chain([&effect, &todo]).filter(|line| !line.is_empty()) {
        out.push_str(&format!("  - {}\n", escaped(line)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_certificate_is_no_markup() {
        assert_eq!(escaped("root <img src=x>\n# x"), r"root \<img src=x\> \# x");
        assert_eq!(escaped("`a_b` @all"), r"\`a\_b\` \@all");
    }
}
