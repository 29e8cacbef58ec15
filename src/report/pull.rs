//! The body of a pull request for a step: what a reviewer needs who knows Kubernetes and no X.509.

mod after;
mod picture;
mod restarts;
mod titles;

use super::lifetimes::{self, InUse};
use super::markdown::{escaped, folded, table};
use super::next::{UnderWay, in_words};
use super::plan::{Row, rows};
use super::screen::Screen;
use super::status::{Class, HeldAnchor, classes};
use super::words::count;
use crate::finding::{Finding, Severity};
use crate::mesh::Mesh;
use crate::pki::Rules;
use crate::rotation::{PlannedStep, Record, Strategy};

pub(super) use after::{rolling_back, steps as after_merge};
pub(super) use picture::steps as picture_of_steps;
pub(super) use restarts::{of_step as restarts_of, of_workloads};
pub(super) use titles::{GLOSSARY, numbered, what_it_does};

/// A step that is proposed.
pub struct PullRequest<'a> {
    /// The rotation.
    pub under_way: UnderWay<'a>,
    /// The step, whose preconditions are met.
    pub planned: &'a PlannedStep,
    /// The mesh as it was read.
    pub mesh: &'a Mesh,
    /// What the next command is called with besides the rotation directory: where it reads and what it edits.
    pub arguments: &'a str,
}

impl PullRequest<'_> {
    /// The body as Markdown.
    #[must_use]
    pub fn body(&self, screen: &Screen) -> String {
        let Self { under_way, planned, mesh, .. } = self;
        let mut out = format!("### {}\n\n{}\n\n", self.title(), self.verdict(screen));
        out.push_str(&format!("{}\n\n", what_it_does(planned.step, under_way.record)));
        let before = in_use(mesh);
        let parts = lifetimes::of_rotation(under_way.record, before, before.after(planned));
        out.push_str(&lifetimes::picture(&parts, screen.at));
        out.push_str(&format!("\n{}", lifetimes::listed(&parts, screen)));
        section(&mut out, "What merging restarts", &restarts::of_step(self));
        section(&mut out, "Whom proxies trust now", &trusted(mesh, Some(under_way.record)));
        section(&mut out, "Know before you merge", &self.warnings(screen));
        section(&mut out, "After the merge", &after::steps(self, screen));
        section(&mut out, "Rolling back", &rolling_back(self, screen));
        section(&mut out, "The whole rotation", &self.all(screen));
        out.push_str(&format!("\n{}", folded("What the words mean", GLOSSARY)));
        let notes = self.notes(screen);
        if !notes.is_empty() {
            out.push_str(&format!("\n{}", folded("Notes", &notes)));
        }
        out
    }

    fn title(&self) -> String {
        let UnderWay { record, plan, .. } = &self.under_way;
        titles::numbered(plan, self.planned.step, record)
    }

    fn verdict(&self, screen: &Screen) -> String {
        let at = escaped(&screen.plain(screen.at));
        let confirmed: Vec<_> = self.planned.confirmed.iter().map(Finding::code).collect();
        if self.under_way.record.strategy == Strategy::Recover {
            return format!(
                "⏳ **This takes downtime**: what is in use has expired. Ready to merge, as of {at}."
            );
        }
        if confirmed.is_empty() {
            return format!("✅ **Safe to merge**: every precondition is met, as of {at}.");
        }
        let codes = confirmed.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        format!("✅ **Safe to merge** if what was confirmed is so ({codes}); all else is met, as of {at}.")
    }

    /// What may surprise whoever merges.
    fn warnings(&self, screen: &Screen) -> String {
        let confirmed = self.planned.confirmed.iter();
        let warnings = self.planned.notes.iter().filter(|note| note.severity == Severity::Warning);
        confirmed.chain(warnings).map(|one| self.line(one, screen)).collect()
    }

    fn notes(&self, screen: &Screen) -> String {
        let notes = self.planned.notes.iter().filter(|note| note.severity != Severity::Warning);
        notes.map(|one| self.line(one, screen)).collect()
    }

    fn line(&self, finding: &Finding, screen: &Screen) -> String {
        let said = in_words(finding, screen).replace("DIR/", &format!("{}/", self.under_way.dir.display()));
        format!("- {}\n", escaped(&said))
    }

    fn all(&self, screen: &Screen) -> String {
        let UnderWay { record, plan, .. } = self.under_way;
        let step = Some(self.planned.step);
        let picture = picture_of_steps(&self.under_way, step, self.mesh, screen);
        let table = steps_table(&rows(plan, record, self.mesh));
        format!("{picture}\n{}", folded("Every step", &table))
    }
}

/// Every step with its commit, its restarts and its state.
pub(super) fn steps_table(rows: &[Row]) -> String {
    let cells = |row: &Row| row.cells().map(escaped).to_vec();
    table(&["step", "commit", "restarts", "state"], &rows.iter().map(cells).collect::<Vec<_>>())
}

/// What is published and what is in the Secret.
pub(super) fn in_use(mesh: &Mesh) -> InUse<'_> {
    let published = mesh.trust.published.as_option();
    let bundle = published.and_then(|published| published.text.as_read_by(Rules::Proxy).ok());
    InUse { bundle, chain: mesh.secret_chain() }
}

/// How many proxies hold which trust anchors.
pub(super) fn trusted(mesh: &Mesh, record: Option<&Record>) -> String {
    let mut rows = Vec::new();
    for class in classes(mesh, record) {
        let workloads: Vec<_> = class.workloads.iter().collect();
        let named = super::findings::listed(&workloads);
        let proxies = count(class.proxies, "proxy", "proxies");
        rows.push(vec![proxies, escaped(&trust_of(&class)), escaped(&named)]);
    }
    if rows.is_empty() {
        return "No running proxy was seen.\n".to_owned();
    }
    table(&["proxies", "trust", "of"], &rows)
}

/// The trust anchors that proxies hold, where they are known.
fn trust_of(class: &Class) -> String {
    if class.anchors.is_empty() {
        return class.text();
    }
    let mut anchors = Vec::new();
    for HeldAnchor { certificate, new } in &class.anchors {
        let role = if *new { "the new trust anchor" } else { "trust anchor" };
        anchors.push(format!("{role} {} ({})", certificate.fingerprint.short(), certificate.name));
    }
    let handed_out = if class.is_published() { ": what is handed out now" } else { "" };
    format!("{}{handed_out}", anchors.join(" and "))
}

pub(super) fn section(out: &mut String, title: &str, text: &str) {
    if !text.is_empty() {
        out.push_str(&format!("\n#### {title}\n\n{text}"));
    }
}
