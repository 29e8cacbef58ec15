//! The commands that an answer ends with can be copied as they stand.

#![cfg(unix)]

use crate::runner;

use std::path::Path;
use std::process::Output;

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
