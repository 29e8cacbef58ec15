//! Which rotation is meant where `--dir` is left out.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::cluster::NOW;
use crate::runner;

const DUMP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/cluster.yaml");

/// `None` where there is no git.
fn work_tree() -> Option<tempfile::TempDir> {
    let home = tempfile::tempdir().unwrap();
    let made = runner::other("git").args(["init", "-q"]).current_dir(home.path()).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: rotation_dir: no git");
        return None;
    }
    Some(home)
}

fn run(place: &Path, variable: Option<&str>, line: &str) -> (Output, String) {
    let mut plugin = runner::plugin();
    plugin.env_remove("L5D_ROTATE_DIR").current_dir(place);
    if let Some(value) = variable {
        plugin.env("L5D_ROTATE_DIR", value);
    }
    let output = plugin.args(line.split_whitespace()).args(["-f", DUMP, "--at", NOW]).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output, said)
}

fn start(place: &Path, dir: &str) {
    let (output, said) = run(place, None, &format!("start --dir {dir}"));
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_one_rotation_of_the_work_tree_is_meant_by_every_command() {
    let Some(home) = work_tree() else { return };
    let (output, said) = run(home.path(), None, "next");
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("there is none in this Git work tree"), "{said}");
    assert!(run(home.path(), None, "status").0.status.success(), "the mesh is shown without a rotation");

    start(home.path(), "deploy/rotation");
    fs::create_dir(home.path().join("other")).unwrap();
    fs::write(home.path().join("other/rotation.yaml"), "speed: 3\n").unwrap();
    for line in ["plan", "next", "render bundle --step 1", "diff bundle --step 1", "simulate", "status"] {
        let (output, said) = run(home.path(), None, line);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {said}");
    }
    assert!(run(home.path(), None, "status").1.contains("render bundle --step 1 --dir deploy/rotation"));
    let (_, said) = run(&home.path().join("deploy"), None, "status");
    assert!(said.contains("render bundle --step 1 --dir rotation"), "{said}");
    let (_, said) = run(&home.path().join("other"), None, "status");
    assert!(said.contains("/deploy/rotation"), "{said}");
}

#[test]
fn a_plan_before_start_shows_what_a_rotation_would_be_and_writes_nothing() {
    let Some(home) = work_tree() else { return };
    let planned = |line: &str| {
        let (output, said) = run(home.path(), None, line);
        assert!(output.status.success(), "{line}: {said}");
        said
    };
    let before = planned("plan");
    assert!(before.contains("kubectl l5d-rotate start --dir rotation -f"), "{before}");
    let names = planned("plan --strategy patient -o name");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing but .git");
    let steps = |said: &str| {
        said.lines().filter(|line| line.contains("  after ") || line.contains("  ready")).count()
    };
    start(home.path(), "rotation");
    assert_eq!(steps(&planned("plan")), steps(&before), "{before}");
    assert!(planned("plan").contains("Rotation of cluster.local to anchor"), "the one that is begun");
    assert!(planned("plan --strategy staged").contains("nothing is minted or written"));
    assert!(planned("plan --strategy staged -o json").contains("\"newAnchor\": null"));
    let (output, said) = run(home.path(), None, "start --dir patient --strategy patient");
    assert!(output.status.success(), "{said}");
    assert_eq!(planned("plan --dir patient -o name"), names);
    for line in ["plan --strategy cross-signed", "plan --strategy staged --dir rotation"] {
        assert_eq!(run(home.path(), None, line).0.status.code(), Some(2), "{line}");
    }
}

#[test]
fn several_rotations_are_asked_for_by_name() {
    let Some(home) = work_tree() else { return };
    start(home.path(), "one");
    start(home.path(), "two");
    let (output, said) = run(home.path(), None, "plan");
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("--dir one, --dir two"), "{said}");
    let (output, said) = run(home.path(), None, "status");
    assert!(output.status.success() && said.contains("kubectl l5d-rotate start"), "{said}");
    assert!(run(home.path(), Some("two"), "plan").0.status.success());
    assert!(run(home.path(), Some("two"), "status").1.contains("--dir two"));
    assert!(run(home.path(), Some("two"), "status --dir one").1.contains("--dir one"));
}

#[test]
fn of_a_finished_rotation_and_one_that_is_not_the_other_is_meant() {
    let Some(home) = work_tree() else { return };
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rotation");
    let finished = home.path().join("2026");
    fs::create_dir(&finished).unwrap();
    for entry in fs::read_dir(testdata).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), finished.join(entry.file_name())).unwrap();
    }
    let run = |line: &str| {
        let dump = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/stages/7-finished.yaml");
        let mut plugin = runner::plugin();
        plugin.env_remove("L5D_ROTATE_DIR").current_dir(home.path()).args(line.split_whitespace());
        let output = plugin.args(["-f", dump, "--at", "2026-11-23T08:30:00Z"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
    };
    assert!(run("next").contains("the rotation is finished. Archive the directory 2026"));
    assert!(!run("status").contains("Rotation\n"), "a finished rotation is not shown unless it is named");
    run("start --dir 2027");
    assert!(run("status").contains("render bundle --step 1 --dir 2027"));
}

#[test]
fn the_environment_says_none_or_one_that_is_not_there() {
    let Some(home) = work_tree() else { return };
    start(home.path(), "rotation");
    let (output, said) = run(home.path(), Some(""), "next");
    assert_eq!(output.status.code(), Some(2), "{said}");
    let (output, said) = run(home.path(), Some("gone"), "plan");
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("gone: there is no such directory"), "{said}");
    assert_eq!(run(home.path(), Some(""), "status --rollback").0.status.code(), Some(2));
}
