//! The commands that an answer ends with can be copied as they stand.

#![cfg(unix)]

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::layouts::{self, Declared};
use crate::runner;

const NOW: &str = "2026-11-23T02:00:00Z";

/// Runs a line in a shell where `kubectl l5d-rotate` is the program.
fn shell(home: &Path, line: &str) -> Output {
    runner::shell(&format!("{line} --at {NOW}")).current_dir(home).env("HOME", home).output().unwrap()
}

fn works(home: &Path, line: &str) -> String {
    let output = shell(home, line);
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of an answer that are commands.
fn commands(answer: &str) -> Vec<&str> {
    let is_command = |line: &&str| line.starts_with("kubectl l5d-rotate ") && !line.contains(" CODE ");
    answer.lines().map(str::trim).filter(is_command).collect()
}

#[test]
fn the_commands_after_start_read_what_start_has_read() {
    let home = tempfile::tempdir().unwrap();
    let dumps = home.path().join("it's a dump/deeper");
    std::fs::create_dir_all(&dumps).unwrap();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/cluster.yaml"), dumps.join("mesh.yaml"))
        .unwrap();
    let answer = works(
        home.path(),
        r#"kubectl l5d-rotate start --dir "new rotation" -R -f "it's a dump" --linkerd-namespace linkerd"#,
    );
    let copied = commands(&answer);
    assert_eq!(copied.len(), 2, "{answer}");
    assert!(works(home.path(), copied[0]).contains("1 bundle/1-trust"));
    assert!(works(home.path(), copied[1]).contains("kind: ConfigMap"));

    let status = works(home.path(), r#"kubectl l5d-rotate status --dir "new rotation" -R -f "it's a dump""#);
    let copied = commands(&status);
    assert_eq!(copied.len(), 1, "{status}");
    assert!(works(home.path(), copied[0]).contains("kind: ConfigMap"));
}

/// A repository of one layout in `repo`, the dump of its cluster beside it, and a rotation; `None` where there is no git.
fn repository(layout: &layouts::Layout) -> Option<(layouts::Repository, tempfile::TempDir)> {
    let repository = layouts::Repository::new()?;
    let cluster = Cluster::new();
    repository.write(&(layout.1)(&Declared::of(&cluster)));
    repository.commit();
    let beside = tempfile::tempdir().unwrap();
    let dump = beside.path().join("dump.json");
    std::fs::write(&dump, cluster.dump()).unwrap();
    works(repository.home.path(), &format!("kubectl l5d-rotate start --dir rotation -f {}", dump.display()));
    repository.commit();
    Some((repository, beside))
}

/// The files that differ from the last commit.
fn edited(repository: &layouts::Repository) -> String {
    works_as(repository.home.path(), "git status --porcelain")
}

fn works_as(home: &Path, line: &str) -> String {
    let output = runner::shell(line).current_dir(home).output().unwrap();
    assert!(output.status.success(), "{line}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
#[ignore = "long"]
fn what_a_repository_declares_is_edited_there_by_the_next_command() {
    const NAME: &str = "what_a_repository_declares_is_edited_there_by_the_next_command";
    for layout in [&layouts::VALUES[0], &layouts::VALUES[2], &layouts::RENDERED[1]] {
        let Some((repository, beside)) = repository(layout) else {
            println!("skipped: {NAME}: no git");
            return;
        };
        let home = repository.home.path();
        for verb in ["status", "plan"] {
            let screen = works(home, &format!("kubectl l5d-rotate {verb} --dir rotation -f . -R"));
            let next = commands(&screen);
            assert_eq!(
                next,
                ["kubectl l5d-rotate next --in . --dir rotation -f . -R"],
                "{}: {screen}",
                layout.0
            );
            assert!(screen.contains("Edit bundle/1-trust into the files and merge it."), "{screen}");
            // These layouts have the issuer's key in plain text, and it stays.
            works(home, next[0]);
            assert!(!edited(&repository).is_empty(), "{}", layout.0);
            works_as(home, "git checkout -q .");
        }
        // A dump declares nothing that could be edited, and neither do two directories.
        let dumps = beside.path().display();
        for input in [format!("-f {dumps}"), format!("-f {dumps}/dump.json")] {
            let screen = works(home, &format!("kubectl l5d-rotate status --dir rotation -R {input}"));
            assert!(!screen.contains("--in"), "{screen}");
        }
    }
}

#[test]
fn a_rotation_that_is_begun_from_a_repository_goes_on_in_its_files() {
    let Some((repository, _beside)) = repository(&layouts::VALUES[2]) else {
        println!("skipped: a_rotation_that_is_begun_from_a_repository_goes_on_in_its_files: no git");
        return;
    };
    let home = repository.home.path();
    for line in ["start --dir again -f . -R", "start --dir more -f . -R --in ."] {
        let screen = works(home, &format!("kubectl l5d-rotate {line}"));
        let dir = line.split(' ').nth(2).unwrap();
        let next = format!("kubectl l5d-rotate next --in . --dir {dir} -f . -R");
        assert_eq!(commands(&screen).last(), Some(&next.as_str()), "{screen}");
        works(home, &next);
        works_as(home, "git checkout -q .");
        // Whoever reads the release alone is told where it is edited.
        let printed = shell(home, &format!("kubectl l5d-rotate render bundle --dir {dir} -f . -R"));
        let said = String::from_utf8(printed.stderr).unwrap();
        assert!(said.contains(&format!("kubectl l5d-rotate next --in . --dir {dir}\n")), "{said}");
    }
}

#[test]
fn a_step_that_is_not_ready_is_asked_for_again_in_the_same_checkout() {
    const NAME: &str = "a_step_that_is_not_ready_is_asked_for_again_in_the_same_checkout";
    let Some((repository, beside)) = repository(&layouts::VALUES[0]) else {
        println!("skipped: {NAME}: no git");
        return;
    };
    let dump = beside.path().join("dump.json");
    // No injector: nothing may restart.
    let mut cluster: Value = serde_json::from_slice(&std::fs::read(&dump).unwrap()).unwrap();
    cluster["items"].as_array_mut().unwrap().retain(|item| {
        item["kind"] != "Pod"
            || item["metadata"]["labels"]["linkerd.io/control-plane-component"] != "proxy-injector"
    });
    std::fs::write(&dump, cluster.to_string()).unwrap();
    let line =
        format!("kubectl l5d-rotate render bundle --step 3 --in . --dir rotation -f {}", dump.display());
    let output = shell(repository.home.path(), &line);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("kubectl l5d-rotate next --in . --dir rotation -f "), "{said}");
}

#[test]
fn the_body_of_a_pull_request_goes_with_the_edit() {
    let Some((repository, beside)) = repository(&layouts::VALUES[0]) else {
        println!("skipped: the_body_of_a_pull_request_goes_with_the_edit: no git");
        return;
    };
    let home = repository.home.path();
    let dump = beside.path().join("dump.json");
    let next = format!("kubectl l5d-rotate next --in . --dir rotation -f {}", dump.display());
    let body = beside.path().join("body.md");

    // The layout has the issuer's key in plain text, and it stays.
    let edit = format!("{next} --allow-plaintext-keys");
    let out = works(home, &format!("{edit} --pr-body {}", body.display()));
    assert!(out.contains("Edited 1 file for bundle/1-trust") && out.contains("git switch -c"), "{out}");
    let written = std::fs::read_to_string(&body).unwrap();
    let (mark, written) = written.split_once('\n').unwrap();
    assert!(mark.starts_with("<!--") && written.starts_with("### Step 1 of 9: "), "{written}");
    // What comes after the merge edits the same checkout, and reads the same input.
    let then = next.replace(" --in . --dir rotation", " --dir rotation --in .");
    assert!(written.contains(&then), "{written}");
    assert_eq!(edited(&repository), "M linkerd/values.yaml");

    // Printed, the body is alone on standard output, and what was edited is said beside it.
    works_as(home, "git checkout -q .");
    let output = shell(home, &format!("{edit} --pr-body -"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), written);
    assert!(String::from_utf8(output.stderr).unwrap().contains("Edited 1 file for bundle/1-trust"));
    assert_eq!(edited(&repository), "M linkerd/values.yaml");

    // A file of somebody else is not written over, and then nothing is edited.
    works_as(home, "git checkout -q .");
    std::fs::write(&body, "mine\n").unwrap();
    let output = shell(home, &format!("{edit} --pr-body {}", body.display()));
    assert_eq!((output.status.code(), edited(&repository)), (Some(2), String::new()));
    assert_eq!(std::fs::read_to_string(&body).unwrap(), "mine\n");
}
