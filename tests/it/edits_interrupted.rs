//! Edits that are killed, or cannot be written: every file holds what it held, or the step, and nothing else.

#![cfg(unix)]

use std::fs;
use std::path::PathBuf;

use crate::layouts::RENDERED;
use crate::layouts::deployed::Made;
use crate::layouts::desk::{Desk, said};
use crate::runner;
use crate::sizes;

/// The files of a repository, and what each shall hold after the next step.
fn before_and_after(desk: &Desk) -> Vec<(PathBuf, String, String)> {
    let files = ["linkerd/0.yaml", "linkerd/2.yaml"].map(|name| desk.repository.home.path().join(name));
    let read = || files.each_ref().map(|path| fs::read_to_string(path).unwrap());
    let before = read();
    assert!(desk.next(&[]).status.success());
    let after = read();
    let both = files.into_iter().zip(before).zip(after).map(|((path, before), after)| (path, before, after));
    let all: Vec<_> = both.collect();
    all.iter().for_each(|(path, before, after)| {
        assert_ne!(before, after);
        fs::write(path, before).unwrap();
    });
    all
}

/// As many files as there were: nothing that is temporary is left.
fn status(desk: &Desk) -> String {
    let status = runner::other("git")
        .current_dir(desk.repository.home.path())
        .args(["status", "--porcelain"])
        .output();
    String::from_utf8(status.unwrap().stdout).unwrap()
}

#[test]
fn what_is_killed_at_any_moment_leaves_every_file_whole() {
    let Some(desk) = Desk::new(&RENDERED[1], Made::ByManifests) else {
        println!("skipped: what_is_killed_at_any_moment_leaves_every_file_whole: no git");
        return;
    };
    let files = before_and_after(&desk);
    let began = std::time::Instant::now();
    assert!(desk.next(&[]).status.success());
    let whole = began.elapsed();
    for turn in 0..sizes::of(8, 200) {
        files.iter().for_each(|(path, before, _)| fs::write(path, before).unwrap());
        let dir = desk.at("rotation");
        let mut child = runner::plugin()
            .current_dir(desk.repository.home.path())
            .args([
                "next",
                "--in",
                ".",
                "--dir",
                &dir,
                "-f",
                &desk.at("dump.json"),
                "--at",
                &desk.cluster.now.to_string(),
            ])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // The files are written at the end.
        std::thread::sleep(whole.mul_f64(0.7 + 0.02 * f64::from(turn % 20)));
        let _ = child.kill();
        child.wait().unwrap();
        for (path, before, after) in &files {
            let now = fs::read_to_string(path).unwrap();
            assert!(now == *before || now == *after, "{}", path.display());
        }
    }
}

#[test]
fn what_cannot_be_written_puts_everything_back() {
    let Some(desk) = Desk::new(&RENDERED[1], Made::ByManifests) else {
        println!("skipped: what_cannot_be_written_puts_everything_back: no git");
        return;
    };
    let files = before_and_after(&desk);
    let [first, second] = [0, 1].map(|at| files[at].2.len());
    assert!(first + 1024 < second, "the second file is the larger one: {first}, {second}");
    // No file may have more blocks of 512 bytes than this: the first one fits, the second does not.
    let limit = (first / 512 + 1).to_string();
    let output = runner::other("sh")
        .current_dir(desk.repository.home.path())
        .args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "sh", &limit, runner::PLUGIN])
        .args(["next", "--in", ".", "--dir", &desk.at("rotation"), "-f", &desk.at("dump.json")])
        .args(["--at", &desk.cluster.now.to_string()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("linkerd/2.yaml"), "{}", said(&output));
    for (path, before, _) in &files {
        assert_eq!(fs::read_to_string(path).unwrap(), *before, "{}", path.display());
    }
    assert_eq!(status(&desk), "");
}
