//! A simulated rotation as tables.

mod json;
mod markdown;
mod words;

use anstyle::{AnsiColor, Style};

use super::Screen;
use super::words::styled;
use crate::rotation::simulate::{Act, Break, Holder, Moment, Row, SimulatedStep, Simulation, When};
use words::{break_text, does, held, label, legend, verdict_text};

/// So wide is what stands left of the marks, at least.
const LEFT: usize = 34;

pub use json::simulation_json;
pub use markdown::simulation_markdown;

/// What is shown of a step: nothing that was shown before.
enum Shown<'a> {
    Done,
    AsBefore,
    /// `None`: at that moment all is still as it was.
    Moments(Vec<(String, Option<&'a Moment>)>),
}

/// The simulation as text: the verdict, then one small table wherever something changes.
#[must_use]
pub fn simulation_text(simulation: &Simulation, screen: &Screen) -> String {
    let mut told = Told::default();
    let mut out = screen.wrapped(&verdict_text(simulation, screen), "", "") + "\n";
    legend(simulation).iter().for_each(|line| out.push_str(&screen.wrapped(line, "", "")));
    out.push_str(&format!("\n{}", moment_text("now", &simulation.start, simulation, screen, &mut told)));
    for (step, shown) in simulation.steps.iter().zip(shown(simulation)) {
        let name = styled(Style::new().bold(), step.step);
        out.push_str(&format!("\n{name}: {}", does(&step.act, simulation)));
        match shown {
            Shown::Done => out.push_str(": done\n"),
            Shown::AsBefore => out.push_str(": as before\n"),
            Shown::Moments(moments) => {
                out.push('\n');
                for (label, moment) in moments {
                    out.push_str(&match moment {
                        None => format!("  {label}: as before\n"),
                        Some(moment) => moment_text(&label, moment, simulation, screen, &mut told),
                    });
                }
            }
        }
    }
    out
}

/// Breaks that were told already, and are called by their number from then on.
#[derive(Default)]
struct Told<'a>(Vec<&'a Break>);

impl<'a> Told<'a> {
    /// The number of the first break with the same reason, unless it is this one.
    fn same_reason(&self, violation: &Break) -> Option<usize> {
        let first = self.0.iter().position(|known| known.refusal == violation.refusal)?;
        (!self.0[first].is_of(violation)).then_some(first + 1)
    }

    /// The number of a break, and whether it is told for the first time.
    fn number(&mut self, violation: &'a Break) -> (usize, bool) {
        let same = |known: &&Break| known.is_of(violation) && known.at_once == violation.at_once;
        match self.0.iter().position(same) {
            Some(place) => (place + 1, false),
            None => {
                self.0.push(violation);
                (self.0.len(), true)
            }
        }
    }
}

/// The table of one moment, its columns headed by the issuers of workload certificates; under it, what breaks.
fn moment_text<'a>(
    label: &str,
    moment: &'a Moment,
    simulation: &Simulation,
    screen: &Screen,
    told: &mut Told<'a>,
) -> String {
    let mut out = table(label, moment, simulation);
    let mut still = Vec::new();
    for violation in &moment.violations {
        match told.number(violation) {
            (number, true) => {
                let first = format!("    {} {number}. ", mark(false));
                out.push_str(&screen.wrapped(
                    &break_text(violation, told.same_reason(violation), simulation, screen),
                    &first,
                    &" ".repeat(9),
                ));
            }
            (number, false) => still.push(number),
        }
    }
    still.sort_unstable();
    if !still.is_empty() {
        let still: Vec<_> = still.iter().map(ToString::to_string).collect();
        out.push_str(&format!("    {} still {}\n", mark(false), still.join(", ")));
    }
    out
}

fn table(label: &str, moment: &Moment, simulation: &Simulation) -> String {
    let classes = &simulation.classes;
    let widest = |words: &[String]| words.iter().map(|word| word.chars().count()).max().unwrap_or_default();
    let bundle = |row: &Row| classes.bundle_name(&classes.bundles()[row.holder.class]);
    let names: Vec<_> = moment.rows.iter().map(bundle).collect();
    let counts: Vec<_> = moment.rows.iter().map(|row| counted(moment, &row.holder)).collect();
    let issuer = |column: &Holder| classes.issuer_name(&classes.issuers()[column.class]);
    let issuers: Vec<_> = moment.columns.iter().map(issuer).collect();
    let (name_width, count_width) = (widest(&names), widest(&counts));
    let left = (name_width + count_width + 4).max(label.chars().count()).max(LEFT);
    let heads: String = issuers.iter().map(|name| format!("  {name}")).collect();
    let mut out = format!("  {}\n", format!("{label:<left$}{heads}").trim_end());
    for ((row, name), count) in moment.rows.iter().zip(names).zip(counts) {
        let marks: String =
            row.accepts.iter().zip(&issuers).map(|(accepted, head)| cell(*accepted, head)).collect();
        let first = format!("  {name:<name_width$}  {count:>count_width$}");
        out.push_str(&format!("  {}\n", format!("{first:<left$}{marks}").trim_end()));
    }
    out
}

/// A mark in the middle below the head of its column.
fn cell(accepted: bool, head: &str) -> String {
    let before = head.chars().count() / 2 + 2;
    let after = head.chars().count() - before + 1;
    format!("{:before$}{}{:after$}", "", mark(accepted), "")
}

/// While pods load the change, how many of them have is not known.
fn counted(moment: &Moment, holder: &Holder) -> String {
    if moment.when == When::During { String::new() } else { held(holder) }
}

fn mark(accepted: bool) -> String {
    let (color, mark) = if accepted { (AnsiColor::Green, "✓") } else { (AnsiColor::Red, "×") };
    styled(Style::new().fg_color(Some(color.into())), mark)
}

fn shown(simulation: &Simulation) -> Vec<Shown<'_>> {
    let mut last = &simulation.start;
    simulation.steps.iter().map(|step| shown_of(step, simulation, &mut last)).collect()
}

fn shown_of<'a>(step: &'a SimulatedStep, simulation: &Simulation, last: &mut &'a Moment) -> Shown<'a> {
    if step.moments.is_empty() {
        return Shown::Done;
    }
    let mut moments = Vec::new();
    // What is published or swapped is loaded from then on: the mesh after it is the one during it.
    let at_once = matches!(step.act, Act::Publish(_) | Act::Swap(_) | Act::Sign(_));
    let is_told = |when| when == When::Before || (when == When::After && at_once);
    for moment in step.moments.iter().filter(|moment| !is_told(moment.when)) {
        let any = if moment.when == When::During && step.act != Act::Wait { ", any subset" } else { "" };
        let label = format!("{}{any}", label(moment.when, &step.act, simulation));
        if is_same(last, moment) {
            moments.push((label, None));
            continue;
        }
        moments.push((label, Some(moment)));
        // What comes of waiting is no step of the way.
        if moment.when != When::Later {
            *last = moment;
        }
    }
    while moments.last().is_some_and(|(_, moment)| moment.is_none()) {
        moments.pop();
    }
    if moments.is_empty() { Shown::AsBefore } else { Shown::Moments(moments) }
}

/// Does a moment show what the last one did? While pods load the change, how many have is not known, and is no difference.
fn is_same(last: &Moment, moment: &Moment) -> bool {
    let counted = moment.when != When::During;
    last.rows.len() == moment.rows.len()
        && last.columns.iter().map(|column| column.class).eq(moment.columns.iter().map(|column| column.class))
        && last.rows.iter().zip(&moment.rows).all(|(a, b)| {
            a.holder.class == b.holder.class
                && a.accepts == b.accepts
                && (!counted || held(&a.holder) == held(&b.holder))
        })
        && last.violations.len() == moment.violations.len()
        && last.violations.iter().zip(&moment.violations).all(|(a, b)| a.is_of(b))
}
