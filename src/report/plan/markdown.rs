//! A plan as the runbook of a ticket: every step with what must hold before it, what is done, and what is waited for.

use super::manual::acts_and_commands;
use super::notes::{committed_to, sentences};
use super::table::{Readiness, rows};
use super::{head, untold};
use crate::finding::Finding;
use crate::mesh::{Mesh, Owner};
use crate::report::Screen;
use crate::report::findings;
use crate::report::lifetimes;
use crate::report::markdown::{escaped, fenced, folded};
use crate::report::next::UnderWay;
use crate::report::pull::{self, GLOSSARY, PullRequest, section};
use crate::rotation::PlannedStep;

/// The plan as Markdown; commands read what this one has read, by `arguments`.
#[must_use]
pub fn plan_markdown(under_way: &UnderWay<'_>, mesh: &Mesh, arguments: &str, screen: &Screen) -> String {
    let UnderWay { record, plan, .. } = under_way;
    let wide = Screen { width: usize::MAX, ..screen.clone() };
    let facts = head(record, plan.steps.len(), &wide);
    let (title, facts) = facts.split_once('\n').unwrap_or((&facts, ""));
    let facts: Vec<_> = facts.lines().map(escaped).collect();
    let mut out = format!("## {}\n\n{}\n\n", escaped(title), facts.join(". "));
    out.push_str(&format!("As of {}.\n\n", escaped(&screen.plain(screen.at))));
    out.push_str(&pull::steps_table(&rows(plan, record, mesh)));
    out.push_str(&format!("\n{}", pull::picture_of_steps(under_way, None, mesh, screen)));
    let in_use = pull::in_use(mesh);
    let parts = lifetimes::of_rotation(record, in_use, in_use);
    let certificates =
        format!("{}\n{}", lifetimes::picture(&parts, screen.at), lifetimes::listed_now(&parts, screen));
    section(&mut out, "Certificates", &certificates);
    section(&mut out, "Whom proxies trust now", &pull::trusted(mesh, Some(record)));
    for planned in &plan.steps {
        let request = PullRequest { under_way: *under_way, planned, mesh, arguments };
        out.push_str(&step(&request, screen));
    }
    if let Some(planned) = plan.steps.first() {
        let request = PullRequest { under_way: *under_way, planned, mesh, arguments };
        section(&mut out, "Rolling back", &pull::rolling_back(&request, screen));
    }
    out.push_str(&format!("\n{}", folded("What the words mean", GLOSSARY)));
    out
}

/// A step as a list of what is done, to be ticked off.
fn step(request: &PullRequest<'_>, screen: &Screen) -> String {
    let PullRequest { under_way, planned, arguments, .. } = request;
    let UnderWay { dir, record, plan, .. } = under_way;
    let title = pull::numbered(plan, planned.step, record);
    let mut out = format!("\n### {title}\n\n");
    if Readiness::of(planned) == Readiness::Done {
        out.push_str(&format!("- [x] `{}` is done.\n", planned.step));
        return out;
    }
    out.push_str(&format!("{}\n\n", pull::what_it_does(planned.step, record)));
    let line =
        |finding: &Finding| format!("`{}`: {}", finding.code(), escaped(&sentences(finding, dir, screen)));
    for finding in untold(planned) {
        out.push_str(&format!("- [ ] Before it: {}\n", line(&finding)));
    }
    for finding in &planned.confirmed {
        out.push_str(&format!("- [x] Confirmed: {}\n", line(finding)));
    }
    if !planned.changes.is_empty() {
        let command = format!("{}{arguments}", under_way.render(planned.step, ""));
        out.push_str(&item(&format!("Render{}, and merge it.", whereto(planned)), Some(&command)));
    }
    for manual in &planned.manual {
        for (what, command) in acts_and_commands(manual) {
            let text = format!("Manually, {}: {}", escaped(&manual.object.to_string()), escaped(&what));
            out.push_str(&item(&text, command.as_deref()));
        }
    }
    let command = format!("{}{arguments}", under_way.command("plan", ""));
    out.push_str(&item(&format!("Wait until `{}` is done.", planned.step), Some(&command)));
    out.push_str(&format!("\n{}", pull::restarts_of(request)));
    let notes: String =
        super::notes::besides_commit(planned).iter().map(|note| format!("- {}\n", line(note))).collect();
    if !notes.is_empty() {
        out.push_str(&format!("\n{}", folded("Notes", &notes)));
    }
    out
}

fn whereto(planned: &PlannedStep) -> String {
    let owners: Vec<&Owner> = planned.notes.iter().flat_map(committed_to).collect();
    if owners.is_empty() {
        return String::new();
    }
    format!(", commit it where it is applied from ({})", escaped(&findings::listed(&owners)))
}

/// A box to tick, with the command under it.
fn item(text: &str, command: Option<&str>) -> String {
    listed(&format!("[ ] {text}"), command)
}

/// An item of a list, with the command under it.
pub(super) fn listed(text: &str, command: Option<&str>) -> String {
    let mut out = format!("- {text}\n");
    for line in command.map(|command| fenced("sh", command)).iter().flat_map(|code| code.lines()) {
        out.push_str(&format!("  {line}\n"));
    }
    out
}
