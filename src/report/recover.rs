//! The diagnosis of a mesh with expired certificates on one screen.

mod data;
mod next;
mod words;

use anstyle::{AnsiColor, Style};

use super::simulate::wrapped;
use super::words::{as_data, styled};
use super::{CertificateView, Clock, Exit};
use crate::cli::DataFormat;
use crate::rotation::recover::{Diagnosis, Issuance, Part, Way};

/// A diagnosis to be shown.
pub struct Recovery<'a> {
    /// What was found.
    pub diagnosis: &'a Diagnosis,
    /// The input arguments as they were typed, for commands that read the same.
    pub arguments: &'a str,
    /// The reader's clock.
    pub clock: &'a Clock,
}

impl Recovery<'_> {
    /// The screen in one of the formats.
    #[must_use]
    pub fn print(&self, format: DataFormat) -> String {
        as_data(format, &data::json(self.diagnosis, self.arguments)).unwrap_or_else(|| self.text())
    }

    /// 1 where something has expired, 3 where it cannot be told, else 0.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match (self.diagnosis.expired.is_empty(), self.diagnosis.unknown.is_empty()) {
            (false, _) => Exit::Findings,
            (true, false) => Exit::Closed,
            (true, true) => Exit::Fine,
        }
    }

    /// What the way back costs: with a new issuer alone, or with a new anchor as well.
    #[must_use]
    pub fn downtime(&self, issuer_alone: bool) -> String {
        self.clock.localized(&words::downtime(self.diagnosis, issuer_alone, self.clock))
    }

    fn text(&self) -> String {
        let (diagnosis, clock) = (self.diagnosis, self.clock);
        let color = match &diagnosis.way {
            Way::Nothing if diagnosis.unknown.is_empty() && diagnosis.also.is_empty() => AnsiColor::Green,
            Way::Nothing | Way::Prune | Way::Unknown => AnsiColor::Yellow,
            Way::Replace(_) | Way::Repair => AnsiColor::Red,
        };
        let headline =
            styled(Style::new().bold().fg_color(Some(color.into())), words::headline(diagnosis, clock));
        let mut screen = Screen { text: wrapped(&headline, "", ""), clock };
        screen.certificates("Expired", &diagnosis.expired);
        screen.section("Broken", "× ", words::broken(diagnosis, clock));
        screen.section("Still holds", "", words::holds(diagnosis, clock));
        screen.certificates("Ends next", words::ending(diagnosis));
        let way = words::way(diagnosis, clock);
        screen.section(&format!("Way back: {}", way.title), "", way.lines);
        screen.section("Not known", "? ", words::not_known(diagnosis));
        screen.next(&next::commands(diagnosis, self.arguments));
        screen.text
    }
}

struct Screen<'a> {
    text: String,
    clock: &'a Clock,
}

impl Screen<'_> {
    fn certificates(&mut self, title: &str, parts: &[Part]) {
        if parts.is_empty() {
            return;
        }
        self.heading(title);
        for part in parts {
            let line = CertificateView::from(&part.certificate).line(self.clock);
            self.text.push_str(&format!("  {:<12}  {line}\n", words::role(part.role)));
        }
    }

    fn heading(&mut self, title: &str) {
        self.text.push_str(&format!("\n{}\n", styled(Style::new().bold(), title)));
    }

    /// A heading and what stands below it; nothing where that is nothing.
    fn section(&mut self, title: &str, mark: &str, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        self.heading(title);
        let rest = " ".repeat(2 + mark.chars().count());
        for line in lines {
            self.text.push_str(&wrapped(&self.clock.localized(&line), &format!("  {mark}"), &rest));
        }
    }

    fn next(&mut self, next: &[super::Next]) {
        self.heading("Next");
        for one in next {
            self.text.push_str(&wrapped(&self.clock.localized(&one.why), "  ", "  "));
            if let Some(command) = &one.command {
                self.text.push_str(&format!("  {}\n", styled(Style::new().bold(), command)));
            }
        }
    }
}

/// Has anything stopped?
const fn is_broken(diagnosis: &Diagnosis) -> bool {
    matches!(diagnosis.issuance, Issuance::Stopped(_) | Issuance::Refused(_))
}
