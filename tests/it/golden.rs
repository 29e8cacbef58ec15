//! What users see: every command, its output and exit code, beside this file in `golden/`, one file a scene.
//!
//! `UPDATE_GOLDEN=1 cargo test --test it golden` writes them anew.

#![cfg(unix)]

mod scenes;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use crate::cluster;
use crate::cluster::Cluster;
use crate::runner;
use crate::support::user::User;
use scenes::{FRESH, SCENES, STAGES};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden")
}

/// Plays scenes one after the other and compares all of them before it complains.
#[derive(Default)]
struct Stage {
    differing: Vec<String>,
}

/// What is seen instead of what was expected.
pub(crate) fn differences(expected: &str, seen: &str) -> String {
    let lines = l5d_rotate::diff::hunks(expected, seen).into_iter().flat_map(|hunk| {
        let lines = hunk.lines.into_iter().map(|line| format!("{}{}", line.tag(), line.value()));
        std::iter::once(format!("{}\n", hunk.header)).chain(lines)
    });
    lines.collect()
}

impl Stage {
    fn compare(&mut self, name: &str, seen: &str) {
        let file = golden().join(name).with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            return fs::write(file, seen).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if expected != seen {
            self.differing.push(format!("{name}.txt\n{}", differences(&expected, seen)));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(
                self.differing.is_empty(),
                "{}\nUPDATE_GOLDEN=1 cargo test --test it golden takes this over",
                self.differing.join("\n")
            );
        }
    }
}

/// Runs the lines of a script in a directory, as a user without any settings would, and writes down what they see.
fn play(directory: &Path, script: &str) -> String {
    let mut seen = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line = filled(line);
        let output = runner::shell(&line)
            .current_dir(directory)
            .env("COLUMNS", "110")
            .env("HOME", directory)
            .output()
            .unwrap();
        seen.push_str(&format!("$ {line}\n{}", String::from_utf8(output.stdout).unwrap()));
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            seen.push_str(format!("2> {line}").trim_end());
            seen.push('\n');
        }
        seen.push_str(&format!("exit {}\n\n", output.status.code().unwrap()));
    }
    seen.truncate(seen.trim_end().len());
    seen + "\n"
}

/// `@cluster` is the dump, `@1` to `@7` the stages of its rotation.
fn filled(line: &str) -> String {
    let file = |path: &str, at: &str| format!("-f testdata/{path} --at {at}");
    let mut line = line.replace("@cluster", &file("cluster.yaml", cluster::NOW));
    for (number, (name, at)) in (1..).zip(STAGES) {
        line = line.replace(&format!("@{number}"), &file(&format!("stages/{name}.yaml"), at));
    }
    line
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    std::os::unix::fs::symlink(testdata, directory.path().join("testdata")).unwrap();
    directory
}

/// What differs from one minting to the next, replaced by what it is: how many lines a certificate has is up to its serial
/// number and signature, and the YAML writer quotes a fingerprint that looks like a number.
fn masked(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut in_certificate = false;
    for line in text.lines() {
        in_certificate &= !line.contains("-----END");
        // A line of base64 may begin with `+`, but never in the first column.
        let sign = line.len() - line.strip_prefix(['-', '+']).unwrap_or(line).len();
        let start = line.len() - line[sign..].trim_start_matches(' ').len();
        let masked = match line {
            _ if line.starts_with("@@ ") => "@@ … @@".to_owned(),
            _ if in_certificate => format!("{}<base64>", &line[..start]),
            _ => line.split_inclusive(|c| !is_base64(c)).map(word).collect::<String>(),
        };
        if !(in_certificate && lines.last() == Some(&masked)) {
            lines.push(masked.replace("\"<fingerprint>\"", "<fingerprint>"));
        }
        in_certificate |= line.contains("-----BEGIN");
    }
    lines.join("\n") + "\n"
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/=".contains(c)
}

fn word(text: &str) -> String {
    let (word, rest) = text.split_at(text.trim_end_matches(|c| !is_base64(c)).len());
    let hex = word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match word.len() {
        10 if hex => format!("<hash>{rest}"),
        12 | 64 if hex => format!("<fingerprint>{rest}"),
        100.. => format!("<base64>{rest}"),
        _ => text.to_owned(),
    }
}

#[test]
fn every_command_prints_what_its_golden_file_has() {
    let mut stage = Stage::default();
    for (name, script) in SCENES {
        stage.compare(name, &play(directory().path(), script));
    }
}

#[test]
fn what_is_minted_anew_prints_what_its_golden_file_has() {
    let mut stage = Stage::default();
    for (name, script) in FRESH {
        stage.compare(name, &masked(&play(directory().path(), script)));
    }
    let mut user = User::rotating(Cluster::realistic());
    user.take("bundle", 1);
    user.take("bundle", 2);
    user.take_everywhere("bundle");
    user.print();
    let at = user.cluster.now;
    let script = scenes::ISSUER.replace("@here", &format!("-f cluster.yaml --at {at}"));
    stage.compare("issuer-with-its-key", &masked(&play(user.home.path(), &script)));
}

#[test]
fn a_cross_signed_rotation_prints_what_its_golden_files_have() {
    let mut stage = Stage::default();
    let mut user = User::without_keys(Cluster::new());
    let home = user.home.path().to_owned();
    fs::write(home.join("old.key"), cluster::pem(&user.cluster.anchor.key)).unwrap();
    fs::write(home.join("other.key"), &user.cluster.issuer_key).unwrap();
    let played = |user: &User, script: &str| {
        user.print();
        let here = format!("-f cluster.yaml --at {}", user.cluster.now);
        masked(&play(&home, &script.replace("@here", &here)))
    };
    stage.compare("cross-signed", &played(&user, scenes::CROSS_SIGNED));
    user.take("issuer", 1);
    user.take("issuer", 2);
    user.cluster.wait(SignedDuration::from_hours(25));
    user.take("prune", 1);
    user.take("prune", 2);
    user.cluster.manual("checkout");
    stage.compare("cross-signed-following", &played(&user, scenes::FOLLOWING));
}

#[test]
fn every_golden_file_belongs_to_a_scene() {
    let scenes: BTreeSet<_> = SCENES
        .iter()
        .chain(FRESH)
        .map(|(name, _)| *name)
        .chain(["issuer-with-its-key", "cross-signed", "cross-signed-following"])
        .collect();
    for entry in fs::read_dir(golden()).unwrap() {
        let path = entry.unwrap().path();
        // Those of `checkouts.rs`.
        if path.is_dir() {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(
            path.extension().is_some_and(|extension| extension == "rs") || scenes.contains(name.as_str()),
            "{name}"
        );
    }
}
