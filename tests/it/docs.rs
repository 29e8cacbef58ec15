//! The pages for users: what is generated is current, commands print what is shown, flags exist, links lead somewhere.
//!
//! `UPDATE_DOCS=1 cargo test --test it docs` writes anew what is generated and what commands print.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use l5d_rotate::report::findings::explained_markdown;

use crate::runner;

/// Where the pages are.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// Every page, by its path from the root.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    let mut directories = vec![root().join("docs")];
    let mut add = |path: &Path| {
        if path.extension().is_some_and(|end| end == "md") {
            let name = path.strip_prefix(root()).unwrap().to_owned();
            pages.insert(name, fs::read_to_string(path).unwrap());
        }
    };
    for entry in fs::read_dir(root()).unwrap() {
        add(&entry.unwrap().path());
    }
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { directories.push(path) } else { add(&path) }
        }
    }
    pages
}

/// A generated file is what it should be.
pub(crate) fn is_current(name: &str, text: &str) {
    let path = root().join("docs").join(name);
    if is_updating() {
        fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "docs/{name} is not current: UPDATE_DOCS=1 cargo test --test it");
}

/// A page cut at its fences: each piece with the language of its block, `None` for what is between blocks.
fn pieces(page: &str) -> Vec<(Option<&str>, String)> {
    let mut pieces = vec![(None, String::new())];
    for line in page.split_inclusive('\n') {
        let is_inside = pieces.last().is_some_and(|(language, _)| language.is_some());
        match line.strip_prefix("```") {
            Some(language) if !is_inside => pieces.push((Some(language.trim()), String::new())),
            Some(_) => pieces.push((None, String::new())),
            None => pieces.last_mut().unwrap().1.push_str(line),
        }
    }
    assert!(pieces.last().is_some_and(|(language, _)| language.is_none()), "a block does not end");
    pieces
}

/// What a page says outside of its blocks.
fn prose(page: &str) -> String {
    pieces(page).into_iter().filter(|(language, _)| language.is_none()).map(|(_, text)| text).collect()
}

/// What a shell prints for a command line in which the plugin is called by its kubectl name.
fn printed(line: &str) -> String {
    let output = runner::shell(&format!("{{ {line}; }} 2>&1")).current_dir(root()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_findings_are_those_that_explain_shows() {
    is_current("findings.md", &explained_markdown());
}

/// Neither tells: while identity was unreachable, or refused by TLS, real proxies counted no failed refresh and stayed ready.
#[test]
fn no_text_relies_on_what_does_not_tell_of_a_failed_renewal() {
    for (name, text) in pages() {
        for word in ["cert_refreshes_total", "refreshes_total", "/ready", "4191"] {
            assert!(!text.contains(word), "{}: {word}", name.display());
        }
    }
}

#[test]
fn console_blocks_show_what_is_printed() {
    let mut blocks = 0;
    let mut stale = Vec::new();
    for (name, page) in pages() {
        let mut real = page.clone();
        for (_, block) in pieces(&page).iter().filter(|(language, _)| *language == Some("console")) {
            let (command, shown) = block.split_once('\n').unwrap();
            let line = command.strip_prefix("$ ").unwrap_or_else(|| panic!("{}: {command}", name.display()));
            let needed = if line.contains("checkouts/kustomize") { "kubectl" } else { "git" };
            let test = format!("console_blocks_show_what_is_printed: {}", name.display());
            if line.contains("checkouts/") && !runner::has(&test, &[needed]) {
                continue;
            }
            let now = printed(line);
            assert!(!now.trim().is_empty(), "{}: nothing is printed by {line}", name.display());
            blocks += 1;
            real = real.replace(
                &format!("```console\n{command}\n{shown}```"),
                &format!("```console\n{command}\n{now}```"),
            );
        }
        if real != page {
            if is_updating() {
                fs::write(root().join(&name), &real).unwrap();
            }
            stale.push(name);
        }
    }
    assert!(blocks > 20, "the pages show {blocks} commands");
    assert!(
        stale.is_empty() || is_updating(),
        "not current: {stale:?}: UPDATE_DOCS=1 cargo test --test it docs"
    );
}

/// The commands of a shell script that start this program, each up to where the shell ends it.
fn commands(script: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    for line in script.lines() {
        let code = line.split(" #").next().filter(|code| !code.starts_with('#')).unwrap_or_default();
        for (at, _) in code.match_indices("kubectl l5d-rotate") {
            let mut quote = None;
            let end = code[at..].find(|character| {
                match (quote, character) {
                    (None, '\'' | '"') => quote = Some(character),
                    (Some(open), _) if open == character => quote = None,
                    (None, '|' | ';' | '&' | '>' | '<' | ')') => return true,
                    _ => {}
                }
                false
            });
            commands.push(end.map_or(&code[at..], |end| &code[at..at + end]).trim());
        }
    }
    commands
}

/// With `--help` behind them: flags and values are read before it is acted on.
#[test]
fn commands_that_are_not_run_have_flags_that_exist() {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (name, page) in pages() {
        for (_, block) in pieces(&page).iter().filter(|(language, _)| *language == Some("sh")) {
            for command in commands(block) {
                if !seen.insert(command.to_owned()) {
                    continue;
                }
                let output = runner::shell(&format!("{command} --help")).output().unwrap();
                if !output.status.success() {
                    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
                    wrong.push(format!("{}: {command}\n{complaint}", name.display()));
                }
            }
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The name that GitHub gives a heading, for links to it.
fn anchor(heading: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_');
    heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

fn anchors(page: &str) -> BTreeSet<String> {
    let prose = prose(page);
    let headings = prose
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    headings.map(anchor).collect()
}

/// Where the links of a page lead, those to other sites excepted.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).filter(|target| !target.contains("://")).collect()
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let pages = pages();
    let mut seen = 0;
    for (name, page) in &pages {
        for link in links(page) {
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { name.clone() } else { name.parent().unwrap().join(file) };
            let target =
                root().join(target).canonicalize().unwrap_or_else(|_| panic!("{}: {link}", name.display()));
            let text = fs::read_to_string(&target).unwrap_or_default();
            assert!(heading.is_empty() || anchors(&text).contains(heading), "{}: {link}", name.display());
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} links");
}

#[test]
fn the_index_names_every_page() {
    let pages = pages();
    let index = links(&pages[Path::new("docs/README.md")]);
    for name in pages.keys().filter(|name| name.starts_with("docs") && !name.ends_with("docs/README.md")) {
        let from_docs = name.strip_prefix("docs").unwrap().to_str().unwrap();
        assert!(index.iter().any(|link| link == from_docs), "docs/README.md does not name {from_docs}");
    }
}

/// Two screens of a reader who has not decided yet.
#[test]
fn the_readme_is_short() {
    let lines = pages()[Path::new("README.md")].lines().count();
    assert!(lines <= 150, "{lines} lines");
}
