//! The rules of the house, read from the sources: which room uses which, who holds sentences, how long a file is.

use std::fs;
use std::path::{Path, PathBuf};

/// In the order of `src/lib.rs`: each may use those before it.
const ROOMS: [&str; 23] = [
    "printable",
    "limits",
    "process",
    "linkerd",
    "step",
    "document",
    "pki",
    "mesh",
    "source",
    "checkout",
    "finding",
    "states",
    "check",
    "rotation",
    "verify",
    "render",
    "seal",
    "edit",
    "diff",
    "cli",
    "report",
    "output",
    "command",
];

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Every file of the library, with its room and its text without comments and unit tests.
pub fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    let read = |path: PathBuf| {
        let relative = path.strip_prefix(&root).unwrap().to_path_buf();
        let room = relative.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        (relative, room, code.lines().filter(is_code).collect::<Vec<_>>().join("\n"))
    };
    found.into_iter().map(read).filter(|(_, room, _)| !["lib", "main"].contains(&room.as_str())).collect()
}

fn place(room: &str) -> usize {
    ROOMS.iter().position(|known| *known == room).unwrap_or_else(|| panic!("room {room} has no place"))
}

#[test]
fn no_room_uses_one_that_comes_after_it() {
    let sources = sources();
    assert!(sources.len() > 100, "{}", sources.len());
    for (path, room, code) in sources {
        for used in code.split("crate::").skip(1) {
            let end = used.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(used.len());
            let used = &used[..end];
            assert!(place(used) <= place(&room), "{} ({room}) uses {used}", path.display());
        }
    }
}

/// Rooms that judge: what they find is data.
const JUDGES: [&str; 5] = ["finding", "states", "check", "rotation", "verify"];

/// The rotation's file: its format, the comment at its top, and what is wrong with one.
const RECORD: &str = "rotation/record";

/// String literals of three words and more, with the line they stand on, outside of error types: their texts stand in attributes
/// (`#[error("…")]`) and in what `help` gives.
fn sentences(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut attribute = 0_i32;
    let mut help = false;
    for line in code.lines() {
        let trimmed = line.trim_start();
        help = (help || trimmed.contains("fn help(")) && line != "    }";
        if trimmed.starts_with("#[") {
            attribute = 0;
        }
        let inside = help || trimmed.starts_with("#[") || attribute > 0;
        if inside && !help {
            attribute += line.matches('[').count() as i32 - line.matches(']').count() as i32;
        }
        let literals = line.split('"').skip(1).step_by(2);
        let is_sentence = |literal: &&str| literal.split_whitespace().count() > 2;
        found.extend(literals.filter(is_sentence).filter(|_| !inside).map(|_| line.trim().to_owned()));
    }
    found
}

/// About 450 lines: what is longer has two ideas in it.
const MOST_LINES: usize = 470;

#[test]
fn every_file_says_first_what_is_in_it_and_has_one_idea() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("src"), &mut found);
    files(&root.join("tests/it"), &mut found);
    let mut wrong = Vec::new();
    for path in found.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs")) {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        if !text.starts_with("//! ") {
            wrong.push(format!("{name} does not begin with `//!` and what is in it"));
        }
        let lines = text.lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{name} has {lines} lines"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn judging_rooms_hold_no_sentence() {
    let mut found = Vec::new();
    for (path, room, code) in sources() {
        if JUDGES.contains(&room.as_str())
            && !path.starts_with(RECORD)
            && path != Path::new("rotation/record.rs")
        {
            found.extend(sentences(&code).into_iter().map(|line| format!("{}: {line}", path.display())));
        }
    }
    assert!(found.is_empty(), "{} sentences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_sentence_is_told_from_a_name_and_from_an_attribute() {
    assert_eq!(sentences("let x = \"one two three\";"), ["let x = \"one two three\";"]);
    assert!(sentences("let x = \"linkerd-identity\"; let y = \"a b\";").is_empty());
    assert!(
        sentences("#[error(\"the thing is broken\")]\n#[error(\n  \"one two three four\"\n)]").is_empty()
    );
}
