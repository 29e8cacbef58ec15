//! The diagnosis of a mesh with expired certificates on one screen.

mod json;
mod remedy;

use anstyle::{AnsiColor, Style};

use super::findings::{self, Words};
use super::words::{as_data, styled};
use super::{CertificateView, Exit, Next, Screen};
use crate::cli::DataFormat;
use crate::finding::Finding;
use crate::linkerd::EXPIRY_THRESHOLD;
use crate::pki::Certificate;
use crate::rotation::recover::{Diagnosis, Issuance, Part, Remaining, Remedy};

/// A diagnosis to be shown.
pub struct Recovery<'a> {
    /// What was found.
    pub diagnosis: &'a Diagnosis,
    /// The input arguments as they were typed, for commands that read the same.
    pub arguments: &'a str,
    /// The reader's screen.
    pub screen: &'a Screen,
}

impl Recovery<'_> {
    /// The screen in one of the formats.
    #[must_use]
    pub fn print(&self, format: DataFormat) -> String {
        as_data(format, &json::json(self.diagnosis, self.arguments)).unwrap_or_else(|| self.text())
    }

    /// 1 where something has expired, 3 where it cannot be told, else 0.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match (self.diagnosis.expired.is_empty(), self.diagnosis.unknown.is_empty()) {
            (false, _) => Exit::Findings,
            (true, false) => Exit::NotMet,
            (true, true) => Exit::Fine,
        }
    }

    /// What the recovery costs: with a new issuer alone, or with a new anchor as well.
    #[must_use]
    pub fn downtime(&self, issuer_alone: bool) -> String {
        let downtime = remedy::downtime(self.diagnosis, issuer_alone, self.screen);
        self.screen.wrapped(&downtime, "", "").trim_end().to_owned()
    }

    fn text(&self) -> String {
        let (diagnosis, screen) = (self.diagnosis, self.screen);
        let (verdict, rest) = headline(diagnosis, screen);
        let color = match &diagnosis.remedy {
            Remedy::None if diagnosis.unknown.is_empty() && diagnosis.rejected.is_empty() => AnsiColor::Green,
            Remedy::None | Remedy::Prune | Remedy::Unknown => AnsiColor::Yellow,
            Remedy::Replace(_) | Remedy::RemoveExpired | Remedy::Repair => AnsiColor::Red,
        };
        let first = format!("{}  ", styled(Style::new().bold().fg_color(Some(color.into())), verdict));
        let indent = " ".repeat(verdict.len() + 2);
        let mut page = Page { text: screen.wrapped(&rest, &first, &indent), screen };
        if restarts_nothing(diagnosis) {
            page.text.push_str(&screen.wrapped(RESTART_NOTHING, &indent, &indent));
        }
        page.certificates("Expired", &diagnosis.expired);
        page.findings(&diagnosis.findings());
        page.section("Still works", &still_works(diagnosis, screen));
        page.certificates("Expires next", expires_next(diagnosis));
        if let Some(remedy) = remedy::remedy(diagnosis, screen) {
            page.heading(&format!("Remedy: {}", remedy.title));
            remedy.paragraphs.iter().for_each(|paragraph| page.paragraph(paragraph));
            page.steps(&remedy.steps);
            for paragraph in &remedy.after {
                page.text.push('\n');
                page.paragraph(paragraph);
            }
        }
        page.next(&remedy::next(diagnosis, self.arguments));
        page.text
    }
}

const RESTART_NOTHING: &str = "Do not restart pods and do not drain nodes until the new issuer is in the cluster: a proxy that starts gets \
                               no certificate.";

struct Page<'a> {
    text: String,
    screen: &'a Screen,
}

impl Page<'_> {
    fn heading(&mut self, title: &str) {
        self.text.push_str(&format!("\n{}\n", styled(Style::new().bold(), title)));
    }

    fn paragraph(&mut self, text: &str) {
        self.text.push_str(&self.screen.wrapped(text, "  ", "  "));
    }

    /// A heading and the lines below it; nothing where there are none.
    fn section(&mut self, title: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.heading(title);
        for line in lines {
            self.text.push_str(&self.screen.wrapped(line, "  - ", "    "));
        }
    }

    fn certificates(&mut self, title: &str, parts: &[Part]) {
        if parts.is_empty() {
            return;
        }
        self.heading(title);
        for part in parts {
            let view = CertificateView::from(&part.certificate);
            let name =
                format!("  {:<12}  {}  {}", findings::role(part.role), view.name, view.fingerprint.short());
            self.text.push_str(&view.beside(&name, "                ", self.screen));
        }
    }

    fn findings(&mut self, all: &[Finding]) {
        if all.is_empty() {
            return;
        }
        self.heading("Findings");
        for finding in all {
            let Words { what, items, effect, todo } = findings::words(finding, self.screen);
            self.text.push_str(&format!("  {} {}\n", findings::mark(finding.severity), finding.code()));
            let paragraphs = [what].into_iter().chain(items).chain([effect, todo]);
            for paragraph in paragraphs.filter(|paragraph| !paragraph.is_empty()) {
                self.text.push_str(&self.screen.wrapped(&paragraph, "    ", "    "));
            }
        }
    }

    fn steps(&mut self, steps: &[[String; 3]]) {
        if !steps.is_empty() {
            self.text.push('\n');
        }
        for (number, [step, does, when]) in (1..).zip(steps) {
            let first = format!("  {number} {step:<24}");
            let text = if when.is_empty() { does.clone() } else { format!("{does}; {when}") };
            self.text.push_str(&self.screen.wrapped(&text, &first, &" ".repeat(28)));
        }
    }

    fn next(&mut self, next: &[Next]) {
        self.heading("Next");
        for one in next {
            self.paragraph(&one.why);
            if let Some(command) = &one.command {
                self.text.push_str(&format!("  {}\n", styled(Style::new().bold(), command)));
            }
        }
    }
}

/// The verdict in a word, and the whole in a sentence.
fn headline(diagnosis: &Diagnosis, screen: &Screen) -> (&'static str, String) {
    let verdict = if diagnosis.expired.is_empty() { "NOT EXPIRED" } else { "EXPIRED" };
    let text = match &diagnosis.issuance {
        Issuance::Works { .. } if diagnosis.is_idle() => {
            "A trust anchor expired that nothing depends on. The mesh works.".to_owned()
        }
        Issuance::Works { .. } if !diagnosis.rejected.is_empty() => {
            "Something is broken for another reason.".to_owned()
        }
        Issuance::Works { until } if diagnosis.unknown.is_empty() => {
            format!("Proxies get workload certificates until {}.", screen.when(*until))
        }
        Issuance::Works { .. } | Issuance::Unknown => {
            return (
                if diagnosis.expired.is_empty() { "UNKNOWN" } else { verdict },
                "Whether proxies get workload certificates cannot be told.".to_owned(),
            );
        }
        Issuance::Refused(_) => "The published bundle does not accept the issuer.".to_owned(),
        Issuance::Stopped(stopped) => match stopped.presented.left(diagnosis.at) {
            Remaining::None => "New connections between proxies fail.".to_owned(),
            Remaining::Some => format!(
                "New connections fail for more and more proxies, and for all from {}.",
                screen.when(stopped.presented.last)
            ),
            Remaining::All => {
                let first = stopped.presented.first.unwrap_or(stopped.presented.last);
                format!(
                    "No workload certificate is issued any more. New connections fail from {}, for more and more proxies.",
                    screen.when(first)
                )
            }
        },
    };
    (verdict, text)
}

/// What works still, and until when.
fn still_works(diagnosis: &Diagnosis, screen: &Screen) -> Vec<String> {
    let Issuance::Stopped(stopped) = &diagnosis.issuance else { return Vec::new() };
    let (certificates, remaining) = (stopped.presented, stopped.presented.left(diagnosis.at));
    let mut lines = Vec::new();
    match (remaining, certificates.first) {
        (Remaining::None, _) => return Vec::new(),
        (Remaining::All, Some(first)) => lines.push(format!(
            "Until {}: all proxies that renewed on time (after 70% of the lifetime).",
            screen.when(first)
        )),
        _ => {}
    }
    lines.extend([
        format!("Until {}: the last workload certificate.", screen.when(certificates.last)),
        "Open connections, until they close.".to_owned(),
    ]);
    lines
}

/// Is there a certificate that a restart would lose?
fn restarts_nothing(diagnosis: &Diagnosis) -> bool {
    matches!(&diagnosis.issuance, Issuance::Stopped(stopped) if stopped.presented.left(diagnosis.at) != Remaining::None)
}

/// What expires within 60 days, or else the first to expire.
fn expires_next(diagnosis: &Diagnosis) -> &[Part] {
    let soon = diagnosis.valid.iter().take_while(|part| is_soon(&part.certificate, diagnosis)).count();
    &diagnosis.valid[..soon.max(1).min(diagnosis.valid.len())]
}

fn is_soon(certificate: &Certificate, diagnosis: &Diagnosis) -> bool {
    diagnosis.at.duration_until(certificate.facts().not_after) < EXPIRY_THRESHOLD
}

/// Has anything stopped?
const fn has_stopped(diagnosis: &Diagnosis) -> bool {
    matches!(diagnosis.issuance, Issuance::Stopped(_) | Issuance::Refused(_))
}
