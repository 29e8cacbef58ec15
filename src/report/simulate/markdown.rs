//! A simulated rotation for a pull request.

use std::iter::once;

use super::words::{break_text, does, legend, verdict_text};
use super::{Shown, Told, counted, shown};
use crate::report::Screen;
use crate::rotation::simulate::{Break, Moment, Row, Simulation};

/// The simulation as GitHub-flavoured Markdown: the verdict, one table, what breaks.
#[must_use]
pub fn simulation_markdown(simulation: &Simulation, screen: &Screen) -> String {
    let classes = &simulation.classes;
    let issuers: Vec<_> = classes.issuers().iter().map(|chain| classes.issuer_name(chain)).collect();
    let [order, anchors, issuer_names] = legend(simulation);
    let mut out = format!("**Simulated rotation**: {}\n\n", escaped(&verdict_text(simulation, screen)));
    out.push_str(&format!(
        "{order}\n{anchors}\n{issuer_names}\n\n| step | when | bundle | {} | breaks |\n",
        issuers.join(" | ")
    ));
    out.push_str(&format!("|{}\n", "---|".repeat(4 + issuers.len())));
    let (mut told, mut listed) = (Told::default(), String::new());
    let now = Shown::Moments(vec![("now".to_owned(), Some(&simulation.start))]);
    let steps = simulation.steps.iter().map(|step| format!("{}: {}", step.step, does(&step.act, simulation)));
    for (step, shown) in once(String::new()).chain(steps).zip(once(now).chain(shown(simulation))) {
        let blank = "| ".repeat(issuers.len() + 1);
        match shown {
            Shown::Done => out.push_str(&format!("| {step} | done | {blank}|\n")),
            Shown::AsBefore => out.push_str(&format!("| {step} | as before | {blank}|\n")),
            Shown::Moments(moments) => {
                for (place, (when, moment)) in moments.iter().enumerate() {
                    let step = if place == 0 { &step } else { "" };
                    match moment {
                        None => out.push_str(&format!("| {step} | {when}: as before | {blank}|\n")),
                        Some(moment) => {
                            let numbers = numbered(moment, simulation, (&mut told, &mut listed), screen);
                            out.push_str(&rows(&format!("{step} | {when}"), moment, &numbers, simulation));
                        }
                    }
                }
            }
        }
    }
    if listed.is_empty() { out } else { format!("{out}\nWhat breaks:\n\n{listed}") }
}

/// The numbers of what breaks at a moment; what is told for the first time is added to `listed`.
fn numbered<'a>(
    moment: &'a Moment,
    simulation: &Simulation,
    (told, listed): (&mut Told<'a>, &mut String),
    screen: &Screen,
) -> String {
    let number = |one: &'a Break| {
        let (number, is_first) = told.number(one);
        if is_first {
            listed.push_str(&format!(
                "{number}. {}\n",
                escaped(&break_text(one, told.same_reason(one), simulation, screen))
            ));
        }
        number
    };
    let mut numbers: Vec<_> = moment.violations.iter().map(number).collect();
    numbers.sort_unstable();
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn rows(first: &str, moment: &Moment, numbers: &str, simulation: &Simulation) -> String {
    let classes = &simulation.classes;
    let row = |(place, row): (usize, &Row)| {
        let mark = |issuer| match moment.columns.iter().position(|column| column.class == issuer) {
            None => "",
            Some(column) if row.accepts[column] => "✓",
            Some(_) => "×",
        };
        let marks: Vec<_> = (0..classes.issuers().len()).map(mark).collect();
        let (first, numbers) = if place == 0 { (first, numbers) } else { (" | ", "") };
        let name = classes.bundle_name(&classes.bundles()[row.holder.class]);
        let count = counted(moment, &row.holder);
        let bundle = format!("`{name}` {count}");
        format!("| {first} | {} | {} | {numbers} |\n", bundle.trim_end(), marks.join(" | "))
    };
    moment.rows.iter().enumerate().map(row).collect()
}

/// Text that Markdown would take for a table's edge, HTML or emphasis.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        if matches!(char, '|' | '<' | '*' | '_') {
            out.push('\\');
        }
        out.push(if char.is_control() { ' ' } else { char });
    }
    out
}
