//! `explain`: what a finding means, why it matters and what to do.

use crate::cli;
use crate::report::findings::{Explained, Explanation, explained_text, explanations, listed_text};
use crate::report::{Response, Screen, as_data};

/// Explains one code, or lists all.
pub(super) fn run(args: &cli::Explain, screen: &Screen) -> Response {
    let Some(code) = &args.code else {
        let all = explanations();
        return Response::fine(as_data(args.output, &all).unwrap_or_else(|| listed_text(&all, screen)));
    };
    let asked = |one: &&Explanation| one.code == code;
    let text = explanations().into_iter().find(asked).map(|one| {
        as_data(args.output, &Explained::from(one)).unwrap_or_else(|| explained_text(one, screen))
    });
    // The command line takes no other codes than those that are explained.
    Response::fine(text.unwrap_or_default())
}
