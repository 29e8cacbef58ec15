//! Man pages, one a command.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use zeroize::Zeroizing;

use super::Failure;
use crate::cli::{self, Cli};
use crate::output::{self, Access, NewFile};
use crate::report::Response;

/// Prints the main page, or writes all of them into a directory.
pub(super) fn run(args: &cli::Man) -> Result<Response, Failure> {
    let mut pages = pages();
    let Some(directory) = &args.out else { return Ok(Response::fine(pages.swap_remove(0).1)) };
    let file = |(name, page)| NewFile {
        path: directory.join(name),
        content: Zeroizing::new(page),
        access: Access::Public,
    };
    let files: Vec<_> = pages.into_iter().map(file).collect();
    output::create(&files, false)?;
    Ok(Response {
        notes: vec![format!("wrote {} pages into {}", files.len(), directory.display())],
        ..Response::default()
    })
}

/// The pages by file name: `kubectl-l5d-rotate.1` first, then one for each verb that help shows.
///
/// The same program gives the same bytes: no page bears a date.
#[must_use]
pub fn pages() -> Vec<(String, String)> {
    let mut root = Cli::command().name("kubectl-l5d-rotate").display_name("kubectl-l5d-rotate");
    root.build();
    // A page about asking for help would say nothing.
    let verbs = root.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help");
    std::iter::once(&root).chain(verbs).map(page).collect()
}

#[expect(clippy::expect_used, reason = "memory takes every byte")]
fn page(command: &Command) -> (String, String) {
    let man = Man::new(command.clone())
        .source(concat!("kubectl-l5d-rotate ", env!("CARGO_PKG_VERSION")))
        .manual("kubectl l5d-rotate");
    let mut roff = Vec::new();
    man.render(&mut roff).expect("rendered to memory");
    (man.get_filename(), String::from_utf8_lossy(&roff).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_that_help_shows_has_a_page_with_its_flags() {
        let pages = pages();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "kubectl-l5d-rotate.1");
        assert!(names.contains(&"kubectl-l5d-rotate-render.1"));
        assert!(!names.contains(&"kubectl-l5d-rotate-__complete.1"));
        let render = &pages.iter().find(|(name, _)| name.contains("render")).unwrap().1;
        assert!(render.contains(r"\fBkubectl l5d\-rotate render\fR"), "{render}");
        assert!(render.contains(r"\fB\-\-restart\-annotation\fR"), "{render}");
    }
}
