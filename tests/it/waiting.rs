//! `wait`, over a dump that changes while it is waited.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use crate::cluster::Cluster;
use crate::cluster::rotation::Rotation;
use crate::runner;

fn wait(rotation: &Rotation, flags: &str) -> Command {
    let mut plugin = runner::plugin();
    plugin.current_dir(rotation.home.path()).arg("wait").args(flags.split_whitespace());
    plugin.args(["--dir", "rotation", "-f", "cluster.yaml", "--at", &rotation.cluster.now.to_string()]);
    plugin
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn at_once(rotation: &Rotation, flags: &str) -> (i32, String) {
    rotation.print(rotation.home.path());
    let output = wait(rotation, &format!("{flags} --timeout 0s")).output().unwrap();
    (output.status.code().unwrap(), said(&output))
}

#[test]
fn a_step_that_is_done_or_ready_is_not_waited_for() {
    let mut rotation = Rotation::start(Cluster::realistic());
    assert_eq!(at_once(&rotation, "--next"), (0, "bundle/1-trust may be merged\n".to_owned()));
    let (exit, text) = at_once(&rotation, "bundle/1-trust");
    assert_eq!(exit, 3);
    assert!(
        text.contains("bundle/1-trust: the time is up") && text.contains("kubectl l5d-rotate render"),
        "{text}"
    );
    rotation.merge("bundle", 1);
    assert_eq!(at_once(&rotation, "bundle/1-trust"), (0, "bundle/1-trust is done\n".to_owned()));
    assert_eq!(at_once(&rotation, "bundle/1").0, 0);
    assert_eq!(
        at_once(&rotation, "bundle/2 --for ready"),
        (0, "bundle/2-control-plane may be merged\n".to_owned())
    );
    assert_eq!(at_once(&rotation, "issuer/1 --for ready").0, 3);
    let (exit, text) = at_once(&rotation, "issuer/9");
    assert_eq!(exit, 2);
    assert!(text.contains("its steps are: bundle/1-trust, "), "{text}");
    assert_eq!(at_once(&rotation, "").0, 2, "a step, or --next");
}

#[test]
fn a_merge_while_it_is_waited_is_seen() {
    let mut rotation = Rotation::start(Cluster::realistic());
    rotation.print(rotation.home.path());
    let waiting = wait(&rotation, "bundle/1-trust --timeout 4s")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let begun = rotation.cluster.now;
    rotation.merge("bundle", 1);
    rotation.cluster.now = begun;
    // Whole or not at all: it may be read at any time.
    fs::write(rotation.home.path().join("new.yaml"), rotation.cluster.dump_yaml()).unwrap();
    fs::rename(rotation.home.path().join("new.yaml"), rotation.home.path().join("cluster.yaml")).unwrap();
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn standard_input_is_not_waited_on() {
    let output = runner::plugin().args(["wait", "--next", "-f", "-"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
