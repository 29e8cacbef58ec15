//! `wait`, over a dump that changes while it is waited.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use crate::cluster::Cluster;
use crate::runner;
use crate::support::user::User;

fn wait(user: &User, flags: &str) -> Command {
    user.command(&format!("wait {flags} --dir rotation"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn at_once(user: &User, flags: &str) -> (i32, String) {
    user.print();
    let ran = runner::run(&mut wait(user, &format!("{flags} --timeout 0s")));
    (ran.code, ran.out + &ran.err)
}

#[test]
fn a_step_that_is_done_or_ready_is_not_waited_for() {
    let mut user = User::rotating(Cluster::realistic());
    assert_eq!(at_once(&user, "--next"), (0, "bundle/1-trust may be merged\n".to_owned()));
    let (exit, text) = at_once(&user, "bundle/1-trust");
    assert_eq!(exit, 3);
    assert!(
        text.contains("bundle/1-trust: the time is up") && text.contains("kubectl l5d-rotate render"),
        "{text}"
    );
    user.take("bundle", 1);
    assert_eq!(at_once(&user, "bundle/1-trust"), (0, "bundle/1-trust is done\n".to_owned()));
    assert_eq!(at_once(&user, "bundle/1").0, 0);
    assert_eq!(
        at_once(&user, "bundle/2 --for ready"),
        (0, "bundle/2-control-plane may be merged\n".to_owned())
    );
    assert_eq!(at_once(&user, "issuer/1 --for ready").0, 3);
    let (exit, text) = at_once(&user, "issuer/9");
    assert_eq!(exit, 2);
    assert!(text.contains("its steps are: bundle/1-trust, "), "{text}");
    assert_eq!(at_once(&user, "").0, 2, "a step, or --next");
}

#[test]
fn a_merge_while_it_is_waited_is_seen() {
    let mut user = User::rotating(Cluster::realistic());
    user.print();
    let waiting = wait(&user, "bundle/1-trust --timeout 4s")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let begun = user.cluster.now;
    user.take("bundle", 1);
    user.cluster.now = begun;
    // Whole or not at all: it may be read at any time.
    fs::write(user.home.path().join("new.yaml"), user.cluster.dump_yaml()).unwrap();
    fs::rename(user.home.path().join("new.yaml"), user.home.path().join("cluster.yaml")).unwrap();
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn standard_input_is_not_waited_on() {
    let output = runner::plugin().args(["wait", "--next", "-f", "-"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
