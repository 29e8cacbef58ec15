//! What a terminal alone is shown: how far a long read is, and a screen that is drawn again in its place.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::runner;
use crate::support::user::User;

fn no_script(test: &str) -> bool {
    let found = runner::other("script").arg("--version").output();
    let missing = !found.is_ok_and(|output| output.status.success());
    if missing {
        println!("skipped: {test}: no script (util-linux)");
    }
    missing
}

/// A shell line whose standard streams are a terminal; what it shows comes out of standard output.
fn on_a_terminal(line: &str, directory: &Path) -> Command {
    let mut script = runner::other("script");
    script.args(["-qec", line, "/dev/null"]).env("PLUGIN", runner::PLUGIN).current_dir(directory);
    script
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A file of a rotation in progress, replaced whole: it may be read at any time.
fn replace(user: &User) {
    let home = user.home.path();
    fs::write(home.join("new.yaml"), user.cluster.dump_yaml()).unwrap();
    fs::rename(home.join("new.yaml"), home.join("cluster.yaml")).unwrap();
}

/// What a terminal shows at its end, without colours: lines that were written over are gone.
fn at_last(shown: &str) -> String {
    let line = |line: &str| {
        let mut cells: Vec<char> = Vec::new();
        for part in line.split('\r') {
            let part: Vec<char> = part.chars().collect();
            cells.splice(..part.len().min(cells.len()), part);
        }
        cells.into_iter().collect::<String>().trim_end().to_owned()
    };
    shown.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A dump with each pod many times over.
fn many_pods(cluster: &Cluster) -> String {
    let mut list: Value = serde_json::from_str(&cluster.dump()).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    let pods: Vec<Value> = items.iter().filter(|item| item["kind"] == "Pod").cloned().collect();
    for copy in 0..40 {
        for pod in &pods {
            let mut pod = pod.clone();
            pod["metadata"]["name"] = format!("{}-{copy}", pod["metadata"]["name"].as_str().unwrap()).into();
            items.push(pod);
        }
    }
    let dump = list.to_string();
    assert!(dump.len() > 3_500_000, "{}", dump.len());
    dump
}

#[test]
fn a_long_read_tells_a_terminal_how_far_it_is_and_leaves_nothing_behind() {
    if no_script("a_long_read_tells_a_terminal_how_far_it_is_and_leaves_nothing_behind") {
        return;
    }
    let cluster = Cluster::realistic();
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("dump.json"), many_pods(&cluster)).unwrap();
    let slowly = "(head -c 3000000 dump.json; sleep 2; tail -c +3000001 dump.json)";
    let line = format!("{slowly} | \"$PLUGIN\" -f - --at {}", cluster.now);
    let shown = text(&on_a_terminal(&line, home.path()).output().unwrap());
    assert!(shown.contains(" pods, 1 s"), "{shown}");
    let quiet = runner::shell(&line).current_dir(home.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&quiet.stderr), "", "nothing in a pipe");
    assert_eq!(at_last(&shown), text(&quiet));
}

#[test]
fn who_waits_on_a_terminal_sees_for_how_long() {
    if no_script("who_waits_on_a_terminal_sees_for_how_long") {
        return;
    }
    let user = User::rotating(Cluster::realistic());
    user.print();
    let line = format!(
        "\"$PLUGIN\" wait bundle/1 --timeout 3s --dir rotation -f cluster.yaml --at {}",
        user.cluster.now
    );
    let output = on_a_terminal(&line, user.home.path()).output().unwrap();
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(shown.contains("waiting for bundle/1: 1 s of 3 s, next look in "), "{shown}");
    assert!(at_last(&shown).starts_with("error: bundle/1-trust: the time is up"), "{shown}");
}

fn watching(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_watched_screen_is_drawn_in_its_place_until_control_c() {
    if no_script("a_watched_screen_is_drawn_in_its_place_until_control_c") {
        return;
    }
    let mut user = User::rotating(Cluster::realistic());
    user.print();
    let begun = user.cluster.now;
    let line = format!("\"$PLUGIN\" status -w --interval 5s --dir rotation -f cluster.yaml --at {begun}");
    let mut watching = watching(on_a_terminal(&line, user.home.path()));
    thread::sleep(Duration::from_secs(2));
    user.take("bundle", 1);
    user.cluster.now = begun;
    replace(&user);
    thread::sleep(Duration::from_secs(7));
    watching.stdin.take().unwrap().write_all(b"\x03").unwrap();
    let output = watching.wait_with_output().unwrap();
    let shown = text(&output).replace('\r', "");
    assert_eq!(output.status.code(), Some(128 + 2), "{shown}");
    let screens: Vec<&str> = shown.split("\u{1b}[").collect();
    let rows = screens[0].lines().count();
    assert!(screens[0].contains("1 bundle/1-trust") && screens[0].contains("ready"), "{shown}");
    assert!(screens[0].ends_with("and again every 5 s; Ctrl-C ends it\n"), "{shown}");
    assert_eq!(screens[1], format!("{rows}A"), "{shown}");
    assert!(screens[2].starts_with('J') && screens[2].contains("done"), "{shown}");
}

#[test]
fn a_pipe_gets_a_watched_screen_when_it_says_something_new() {
    let mut user = User::rotating(Cluster::realistic());
    user.print();
    let begun = user.cluster.now;
    let mut plugin = runner::plugin();
    plugin.current_dir(user.home.path());
    plugin.args(["status", "--watch", "--interval", "5s", "--dir", "rotation", "-f", "cluster.yaml", "--at"]);
    plugin.arg(begun.to_string());
    let mut watching = watching(plugin);
    thread::sleep(Duration::from_secs(7));
    user.take("bundle", 1);
    user.cluster.now = begun;
    replace(&user);
    thread::sleep(Duration::from_secs(5));
    watching.kill().unwrap();
    let mut shown = String::new();
    watching.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    watching.wait().unwrap();
    assert_eq!(shown.matches("Seen at ").count(), 2, "{shown}");
    assert!(!shown.contains('\u{1b}') && shown.matches("\nTrust bundle ").count() == 2, "{shown}");
}

#[test]
fn what_cannot_be_watched_is_said_at_once() {
    for (arguments, said) in [
        ("status -w -f -", "standard input cannot be read twice"),
        ("status -w -o json -f cluster.yaml", "--watch shows a screen, and no data"),
        ("status -w --interval 1s -f cluster.yaml", "is less than 5s"),
        ("status --interval 10s -f cluster.yaml", "--watch"),
        ("status -w -f missing.yaml", "missing.yaml"),
    ] {
        let output = runner::plugin().args(arguments.split_whitespace()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{arguments}");
    }
}
