//! The mesh on one screen: who trusts what, where the rotation stands, and the next command.

mod advice;
mod cert_manager;
mod observed;

use anstyle::Style;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use cert_manager::CertManager;
pub(super) use observed::{Class, HeldAnchor, classes};
use observed::{Detail, Material, bundle, issuer, summary};

use super::Screen;
use super::findings::{self, mark};
use super::next::{Next, UnderWay};
use super::plan::{Row, plan_json, rows, table};
use super::words::{as_data, styled};
use crate::check::{Advice, Category, Checked};
use crate::cli::{DataFormat, StatusFormat};
use crate::finding::{Finding, Severity};
use crate::mesh::Mesh;

/// Everything that the screen shows, ready to be printed in any format.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    schema: &'static str,
    at: Timestamp,
    linkerd: Linkerd,
    bundle: Material,
    issuer: Material,
    proxies: Vec<Class>,
    #[serde(skip_serializing_if = "CertManager::is_empty")]
    cert_manager: CertManager,
    findings: Vec<Value>,
    #[serde(skip_serializing_if = "Value::is_null")]
    rotation: Value,
    /// What is next where no rotation is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<Advice>,
    next: Next,
    /// The next thing to do as its reader sees it.
    #[serde(skip)]
    shown_next: Next,
    #[serde(skip)]
    found: Vec<Finding>,
    #[serde(skip)]
    steps: Vec<Row>,
}

/// The screens of several clusters of one repository.
#[derive(Debug, Serialize)]
struct Several<'a> {
    schema: &'static str,
    units: Vec<Value>,
    #[serde(skip)]
    all: &'a [(String, Status)],
}

/// The screens of several clusters, each under its directory.
#[must_use]
pub fn statuses(all: &[(String, Status)], format: StatusFormat, screen: &Screen) -> String {
    let unit = |(unit, status): &(String, Status)| {
        // A status is a tree of strings, numbers and lists: it always has a JSON form.
        let mut tree = serde_json::to_value(status).unwrap_or_default();
        tree["unit"] = json!(unit);
        tree
    };
    let several = Several { schema: "l5d-rotate/status/v1", units: all.iter().map(unit).collect(), all };
    match format {
        StatusFormat::Json => as_data(DataFormat::Json, &several).unwrap_or_default(),
        StatusFormat::Yaml => as_data(DataFormat::Yaml, &several).unwrap_or_default(),
        StatusFormat::Text => several.text(Detail::Screen, screen),
        StatusFormat::Wide => several.text(Detail::All, screen),
    }
}

impl Several<'_> {
    fn text(&self, detail: Detail, screen: &Screen) -> String {
        let one = |(unit, status): &(String, Status)| {
            format!("{}\n{}", styled(Style::new().bold(), unit), status.text(detail, screen))
        };
        self.all.iter().map(one).collect::<Vec<_>>().join("\n")
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Linkerd {
    namespace: String,
    version: Option<String>,
    era: crate::mesh::Era,
    trust_domain: String,
    installed_by: Option<String>,
}

impl Status {
    /// Puts the screen together as it is at `at`. `advice` is the next procedure where no rotation is under way.
    #[must_use]
    pub fn new(
        mesh: &Mesh,
        checks: &[Checked],
        rotation: Option<&UnderWay<'_>>,
        advice: Advice,
        screen: &Screen,
    ) -> Self {
        let (plane, at, utc) = (&mesh.control_plane, screen.at, Screen::utc(screen.at));
        let next = |screen: &Screen| match rotation {
            Some(under_way) => Next::of(under_way, mesh, screen),
            None => advice::next(&advice, screen),
        };
        let found = distinct(checks);
        Self {
            schema: "l5d-rotate/status/v1",
            at,
            linkerd: Linkerd {
                namespace: plane.namespace.clone(),
                version: plane.version.clone(),
                era: plane.era,
                trust_domain: plane.trust_domain.clone(),
                installed_by: plane.installer.as_ref().map(ToString::to_string),
            },
            bundle: bundle(mesh),
            issuer: issuer(mesh),
            proxies: classes(mesh, rotation.map(|under_way| under_way.record)),
            cert_manager: CertManager::of(mesh),
            findings: found.iter().map(|found| found.json(&utc)).collect(),
            rotation: rotation.map_or(Value::Null, |under_way| plan_json(under_way, mesh, "", screen)),
            next: next(&utc),
            shown_next: next(screen),
            advice: rotation.is_none().then_some(advice),
            found: found.into_iter().map(|found| found.finding).collect(),
            steps: rotation.map_or_else(Vec::new, |under_way| rows(under_way.plan, under_way.record, mesh)),
        }
    }

    /// The same screen, whose next command reads what this one read.
    #[must_use]
    pub fn reading(mut self, arguments: &str) -> Self {
        self.next = self.next.reading(arguments);
        self.shown_next = self.shown_next.reading(arguments);
        if let Some(next) = self.rotation.get_mut("next") {
            *next = json!(self.next);
        }
        self
    }

    /// The screen in one of the formats; people see instants in their zone as well.
    #[must_use]
    pub fn print(&self, format: StatusFormat, screen: &Screen) -> String {
        match format {
            StatusFormat::Json => as_data(DataFormat::Json, self).unwrap_or_default(),
            StatusFormat::Yaml => as_data(DataFormat::Yaml, self).unwrap_or_default(),
            StatusFormat::Text => self.text(Detail::Screen, screen),
            StatusFormat::Wide => self.text(Detail::All, screen),
        }
    }

    fn text(&self, detail: Detail, screen: &Screen) -> String {
        let mut out = self.linkerd.text(screen);
        out.push('\n');
        out += &Material::print(&[("Trust bundle", &self.bundle), ("Issuer", &self.issuer)], detail, screen);
        out += &summary(&self.proxies, detail, screen);
        out += &self.cert_manager.text(screen);
        if !self.steps.is_empty() {
            section("Rotation", &mut out);
            out.push_str(&table(&self.steps));
        }
        out += &self.findings_text(screen);
        out += &self.next_text(screen);
        out
    }

    fn findings_text(&self, screen: &Screen) -> String {
        let mut out = String::new();
        section("Findings", &mut out);
        if self.found.is_empty() {
            return out + "  none: every check passes\n";
        }
        let column = self.found.iter().map(|finding| finding.code().len()).max().unwrap_or_default();
        let rest = " ".repeat(column + 6);
        for finding in &self.found {
            let first = format!("  {} {:column$}  ", mark(finding.severity), finding.code());
            out += &screen.wrapped(&findings::words(finding, screen).what, &first, &rest);
        }
        out + "  kubectl l5d-rotate explain CODE tells more\n"
    }

    fn next_text(&self, screen: &Screen) -> String {
        self.shown_next.text(screen)
    }
}

impl Linkerd {
    fn text(&self, screen: &Screen) -> String {
        let version = self.version.as_deref().unwrap_or("of unknown version");
        let line =
            format!("Linkerd {version}, namespace {}, trust domain {}", self.namespace, self.trust_domain);
        let mut out = screen.wrapped(&line, "", "  ");
        if let Some(by) = &self.installed_by {
            out += &screen.wrapped(&format!("Installed by {by}"), "", "  ");
        }
        out
    }
}

fn section(title: &str, out: &mut String) {
    out.push_str(&format!("\n{}\n", styled(Style::new().bold(), title)));
}

/// A finding, and the checks that found it.
pub(super) struct Found {
    pub(super) finding: Finding,
    checks: Vec<&'static str>,
}

impl Found {
    fn json(&self, screen: &Screen) -> Value {
        let mut value = findings::json(&self.finding, screen);
        value["checks"] = json!(self.checks);
        value
    }
}

/// What was found, each fact once as the gravest that a check calls it, the gravest first and what is not known last. What our
/// own checks say goes before what Linkerd's say: it names the procedure.
pub(super) fn distinct(checks: &[Checked]) -> Vec<Found> {
    let (own, linkerds): (Vec<_>, Vec<_>) = checks.iter().partition(|check| check.category == Category::Own);
    let mut all: Vec<Found> = Vec::new();
    for check in own.into_iter().chain(linkerds) {
        let Some(finding) = check.finding() else { continue };
        match all.iter_mut().find(|found| found.finding.fact == finding.fact) {
            Some(found) => {
                found.finding.severity = found.finding.severity.min(finding.severity);
                found.checks.push(check.code);
            }
            None => all.push(Found { finding: finding.clone(), checks: vec![check.code] }),
        }
    }
    let is_unknown = |found: &Found| found.finding.severity == Severity::Unknown;
    all.sort_by_key(|found| (is_unknown(found), found.finding.severity));
    all
}
