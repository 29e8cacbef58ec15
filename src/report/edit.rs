//! What `--in` has edited, what it has not, and the commands that make a commit of it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use super::Screen;
use super::findings::words;
use super::words::{count, restart_command, shell_word};
use crate::diff::{Hunk, hunks};
use crate::document::ObjectRef;
use crate::edit::{EditedFile, EditedLine, Encryption, Holds, Left, Place, What, Why};
use crate::finding::{Fact, Finding, StepFact};
use crate::pki::Certificate;
use crate::rotation::PlannedStep;

/// How many objects are named before the rest is counted.
const NAMED: usize = 12;

/// The files that were edited, each with what has changed in it.
#[must_use]
pub fn edited(planned: &PlannedStep, files: &[EditedFile], screen: &Screen) -> String {
    let all = count(files.len() as u64, "file", "files");
    let mut out = format!("Edited {all} for {}\n", planned.step);
    for file in files {
        out.push_str(&format!("\n  {}\n", file.place));
        for EditedLine { line, what } in &file.changes {
            for said in said(what, screen) {
                let first = format!("    {line:>4}  ");
                out.push_str(&screen.wrapped(&said, &first, &" ".repeat(10)));
            }
        }
    }
    out
}

fn said(what: &What, screen: &Screen) -> Vec<String> {
    let certificate = |sign: &str, one: &Certificate| {
        let expires = screen.date(one.facts().not_after);
        format!("{sign} {} {}, expires {expires}", one.name(), one.fingerprint().short())
    };
    match what {
        What::Certificates { added, removed } => {
            let gone = removed.iter().map(|one| certificate("-", one));
            gone.chain(added.iter().map(|one| certificate("+", one))).collect()
        }
        What::Key => vec!["the new issuer's private key".to_owned()],
        What::Sealed => vec!["the new issuer and its private key, sealed".to_owned()],
        What::Annotation { object, key, value } if key.starts_with("linkerd.io/") => {
            vec![format!("{key} of {object}: {}…", value.chars().take(12).collect::<String>())]
        }
        What::Annotation { object, .. } => vec![format!("restarts {object}")],
        What::Field { object, field, value: Some(value) } => vec![format!("{field} of {object}: {value}")],
        What::Field { object, field, value: None } => vec![format!("{field} of {object}")],
        What::Added { object } => vec![format!("+ {object}")],
        What::Removed { object } => vec![format!("- {object}")],
    }
}

/// Where a repository holds what a rotation replaces.
#[must_use]
pub fn found_places(places: &[Place], screen: &Screen) -> String {
    let mut out = "Found in this repository\n".to_owned();
    for Place { place, line, holds } in places.iter().take(NAMED) {
        let what = match holds {
            Holds::Bundle => "trust bundle",
            Holds::Issuer => "issuer",
            Holds::Sealed(Encryption::Sops) => "issuer, encrypted by sops",
            Holds::Sealed(Encryption::SealedSecret) => "issuer, in a SealedSecret",
        };
        out.push_str(&screen.wrapped(&format!("{place}:{line}  {what}"), "  ", "    "));
    }
    if places.len() > NAMED {
        out.push_str(&format!("  and {} more\n", places.len() - NAMED));
    }
    if !places.iter().any(|place| place.holds != Holds::Bundle) {
        out.push_str(&screen.wrapped("The issuer is not found: its step says where it belongs.", "  ", "  "));
    }
    out.push('\n');
    out
}

/// Where a repository declares the objects that a rotation changes.
#[must_use]
pub fn declared_places(places: &[(&ObjectRef, (String, usize))], screen: &Screen) -> String {
    let mut out = "Found in this repository\n".to_owned();
    for (object, (place, line)) in places {
        out.push_str(&screen.wrapped(&format!("{place}:{line}  {object}"), "  ", "    "));
    }
    out.push('\n');
    out
}

/// What is to be done elsewhere.
#[must_use]
pub fn not_in_repository(left: &[Left], screen: &Screen) -> String {
    if left.is_empty() {
        return String::new();
    }
    let mut out = "\nLeft to do elsewhere\n".to_owned();
    for left in left.iter().take(NAMED) {
        let Left { object, .. } = left;
        let todo = if left.is_trust { String::new() } else { format!(": {}", restart_command(object)) };
        out.push_str(&screen.wrapped(&format!("{object} {}{todo}", why(left)), "  ", "    "));
    }
    if left.len() > NAMED {
        out.push_str(&format!("  and {} more\n", left.len() - NAMED));
    }
    out
}

fn why(left: &Left) -> &'static str {
    match left.why {
        Why::NotDeclared => "is not in this repository",
        Why::Encrypted => "is encrypted in this repository",
        Why::NotProven => "cannot be edited so that it alone changes",
    }
}

/// Why nothing was edited, and how the step is made manually; `elsewhere` says so of what no file holds.
#[must_use]
pub fn not_edited(
    planned: &PlannedStep,
    left: &[Left],
    elsewhere: &str,
    dir: &Path,
    screen: &Screen,
) -> String {
    let mut out = format!("{} was not edited", planned.step);
    for left in left.iter().take(NAMED) {
        out.push_str(&format!("\n  {} {}", left.object, why(left)));
    }
    if left.len() > NAMED {
        out.push_str(&format!("\n  and {} more", left.len() - NAMED));
    }
    let is_managed = |note: &&Finding| matches!(note.fact, Fact::Step(StepFact::ManagedObject { .. }));
    let places: BTreeSet<String> =
        planned.notes.iter().filter(is_managed).map(|note| words(note, screen).todo).collect();
    for place in places.iter().filter(|place| !place.is_empty()) {
        out.push_str(&format!("\n{}", screen.wrapped(place, "  ", "  ").trim_end()));
    }
    if !elsewhere.is_empty() {
        return format!("{out}\n{}", elsewhere.trim_end());
    }
    let step = planned.step;
    out.push_str(&format!(
        "\nThe text to paste: kubectl l5d-rotate render {} --step {} --dir {}",
        step.phase,
        step.number(),
        shell_word(&dir.display().to_string())
    ));
    out
}

/// The repository declares the step, and the cluster does not show it yet.
#[must_use]
pub fn edited_already(planned: &PlannedStep, left: &[Left], screen: &Screen) -> String {
    format!(
        "{} is in this repository already: commit what `git status` shows, merge it, and wait until it has taken effect{}",
        planned.step,
        not_in_repository(left, screen).trim_end()
    )
}

/// The commands for a branch and a commit.
#[must_use]
pub fn git_commands(planned: &PlannedStep, directory: &Path, files: &[EditedFile], is_alone: bool) -> String {
    let directory = directory.display().to_string();
    let git = match directory.as_str() {
        "." => "git".to_owned(),
        _ => format!("git -C {}", shell_word(&directory)),
    };
    let name = |file: &EditedFile| {
        let below = file.place.strip_prefix(&format!("{}/", directory.trim_end_matches('/')));
        format!(" {}", shell_word(below.unwrap_or(&file.place)))
    };
    let named: String = files.iter().map(name).collect();
    let named = if is_alone && files.len() > 3 { " --all".to_owned() } else { named };
    let branch = format!("l5d-rotate-{}", planned.step.to_string().replace('/', "-"));
    let message = format!("linkerd: {}", planned.step);
    format!("\nNext\n  {git} switch -c {branch}\n  {git} commit -m '{message}'{named}\n")
}

/// A unified diff.
#[derive(Debug, Default)]
pub struct Patch {
    /// As `git apply` takes it.
    pub text: String,
    /// Does it show something else in the place of a private key?
    pub hides_key: bool,
}

/// The files as a patch. A file of which a private key would be shown, be it between the lines that change, is named alone.
#[must_use]
pub fn patch(files: &[EditedFile]) -> Patch {
    let mut all = Patch::default();
    for file in files {
        let hunks = hunks(file.before.as_str(), file.after.as_str());
        let [old_keys, new_keys] = file.key_lines();
        let is_in = |keys: &[Range<usize>], line: Option<usize>| {
            line.is_some_and(|line| keys.iter().any(|range| range.contains(&line)))
        };
        let mut lines = hunks.iter().flat_map(|hunk| &hunk.lines);
        let shows_key =
            lines.any(|line| is_in(&old_keys, line.old_index()) || is_in(&new_keys, line.new_index()));
        if shows_key {
            all.hides_key = true;
            all.text.push_str(&format!("# {}: with a private key, not shown\n", file.place));
            continue;
        }
        if !hunks.is_empty() {
            all.text.push_str(&format!("--- a/{0}\n+++ b/{0}\n", file.name));
        }
        all.text.extend(hunks.iter().map(as_git_takes_it));
    }
    all
}

fn as_git_takes_it(hunk: &Hunk<'_>) -> String {
    let mut out = format!("{}\n", hunk.header);
    for line in &hunk.lines {
        out += &format!("{}{}", line.tag(), line.value());
        if !line.value().ends_with('\n') {
            out += "\n\\ No newline at end of file\n";
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{KeyEncoding, PrivateKey, pem};

    #[test]
    fn a_patch_shows_no_private_key_not_even_between_the_lines_that_change() {
        let key = PrivateKey::generate().unwrap().to_pem(KeyEncoding::Pkcs8).unwrap();
        let certificate = pem::block("CERTIFICATE", b"a");
        let far = "x\n".repeat(10);
        for (between, hidden) in [("", true), ("y\n", true), (far.as_str(), false)] {
            let text = |value: &str| format!("{value}\n{between}{}{certificate}", *key);
            let file = EditedFile {
                name: "a".to_owned(),
                place: "a".to_owned(),
                path: "a".into(),
                before: text("old").into(),
                after: text("new").into(),
                changes: Vec::new(),
            };
            let patch = patch(&[file]);
            assert_eq!(patch.hides_key, hidden, "{between}");
            assert_eq!(patch.text.contains("+new"), !hidden);
            let shown = key.lines().any(|line| patch.text.contains(line));
            assert!(!shown);
        }
    }
}
