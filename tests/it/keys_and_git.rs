//! Private keys and Git, interrupted runs, and the modes of files: through the program itself.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, NOW};
use crate::runner;
use crate::sizes;
use crate::support::user::User;

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// A rotation, with room for Git checkouts beside it.
struct Desk(User);

impl Desk {
    fn new() -> Self {
        let desk = Self(User::rotating(Cluster::new()));
        desk.0.print();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.home.path().join(name)
    }

    /// Runs the line in a shell in which `l5d` is the program.
    fn sh(&self, line: &str) -> Output {
        let line = line.replace("l5d ", "\"$PLUGIN\" ");
        runner::shell(&line).current_dir(self.path("")).output().unwrap()
    }

    fn program(&self, name: &str, script: &str) {
        runner::write_script(&self.path(name), script);
    }

    /// Renders the issuer's Secret into a directory; what is said where that is refused.
    fn rendered_into(&self, before: &str, out: &str) -> Result<(), String> {
        let issuer = "issuer --step 1 --force -o object --dir rotation -f cluster.yaml";
        let issuer = issuer.replace("rotation", self.path("rotation").to_str().unwrap());
        let issuer = issuer.replace("cluster.yaml", self.path("cluster.yaml").to_str().unwrap());
        let output = self.sh(&format!("{before} \"$PLUGIN\" render {issuer} --at {NOW} --out {out}"));
        let said = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(0) => Ok(()),
            Some(2) => Err(said),
            code => panic!("{code:?}: {said}"),
        }
    }

    fn refused(&self, before: &str, out: &str) {
        let said = self.rendered_into(before, out).expect_err(out);
        assert!(said.contains("into a Git work tree"), "{said}");
        let found = self.sh("grep -rl 'key.pem:' --include='*.yaml' . | grep -v '^./cluster.yaml$'");
        assert_eq!(String::from_utf8(found.stdout).unwrap(), "", "{before} {out}");
    }
}

#[test]
fn a_directory_that_a_link_leads_into_a_work_tree_is_one_of_it() {
    if !runner::has("a_directory_that_a_link_leads_into_a_work_tree_is_one_of_it", &["git"]) {
        return;
    }
    let desk = Desk::new();
    desk.sh("git init -q repo; mkdir repo/sub; ln -s repo/sub link; ln -s repo/sub/new dangling");
    desk.refused("", "link/out");
    desk.refused("", "nowhere/../link/out");
    // A link back into the rotation's own directory is followed as well.
    desk.sh("mkdir away; ln -s ../link away/back");
    desk.refused("", "away/back/out");
    fs::write(desk.path("repo/.gitignore"), "*.yaml\n").unwrap();
    desk.rendered_into("", "link/out").unwrap();
    // A rotation is started there only where its own .gitignore leaves keys out.
    fs::remove_file(desk.path("repo/.gitignore")).unwrap();
    fs::create_dir(desk.path("repo/sub/new")).unwrap();
    fs::write(desk.path("repo/sub/new/.gitignore"), "# nothing\n").unwrap();
    let output = desk.sh(&format!("l5d start --dir dangling -f cluster.yaml --at {NOW}"));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("into a Git work tree"), "{output:?}");
}

#[test]
fn a_work_tree_that_lies_elsewhere_is_one_all_the_same() {
    if !runner::has("a_work_tree_that_lies_elsewhere_is_one_all_the_same", &["git"]) {
        return;
    }
    let desk = Desk::new();
    desk.sh("git init -q repo; mkdir tree; git -C repo config core.worktree ../../tree");
    desk.refused("cd repo &&", "../tree/out");
    desk.sh("git init -q --bare dotfiles");
    desk.refused("GIT_DIR=dotfiles GIT_WORK_TREE=.", "tree/out");
    desk.rendered_into("", "tree/out").unwrap();
}

#[test]
fn a_foreign_repository_does_not_speak_for_a_work_tree() {
    if !runner::has("a_foreign_repository_does_not_speak_for_a_work_tree", &["git"]) {
        return;
    }
    let desk = Desk::new();
    desk.sh("git init -q repo; git init -q other; echo '*' >other/.git/info/exclude");
    desk.refused("", "repo/out");
    desk.refused("GIT_DIR=$PWD/other/.git", "repo/out");
    desk.refused("GIT_DIR=$PWD/other/.git GIT_WORK_TREE=$PWD", "repo/out");
    desk.refused("GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.excludesFile GIT_CONFIG_VALUE_0=$PWD/other/.git/info/exclude", "repo/out");
}

#[test]
#[ignore = "long"]
fn of_two_starts_at_once_one_begins_a_rotation_and_the_other_harms_nothing() {
    let desk = Desk::new();
    let start = |dir: &str| {
        let mut start = runner::plugin();
        start.current_dir(desk.path("")).args(["start", "--dir", dir, "-f", "cluster.yaml", "--at", NOW]);
        start.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for round in 0..sizes::of(20, 200) {
        let dir = format!("new-{round}");
        let both = [start(&dir), start(&dir)].map(|child| child.wait_with_output().unwrap());
        let begun = both.iter().filter(|output| output.status.success()).count();
        assert_eq!(begun, 1, "{both:?}");
        let mut names: Vec<_> =
            fs::read_dir(desk.path(&dir)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names[0], ".gitignore", "{names:?}");
        assert!(names.iter().skip(1).all(|name| !name.to_string_lossy().starts_with('.')), "{names:?}");
        assert!(fs::read_to_string(desk.path(&dir).join(".gitignore")).unwrap().contains("*.key"));
    }
}

#[test]
fn a_start_that_was_killed_leaves_no_key_for_git() {
    if !runner::has("a_start_that_was_killed_leaves_no_key_for_git", &["git"]) {
        return;
    }
    let desk = Desk::new();
    desk.sh("git init -q repo");
    // Files may not grow beyond half a KiB or one: a key does not fit under the first, and a certificate under neither.
    for blocks in ["0", "1"] {
        let limit = format!("ulimit -f {blocks}; exec");
        desk.sh(&format!("{limit} l5d start --dir repo/new-{blocks} -f cluster.yaml --at {NOW}"));
    }
    let added = desk.sh("git -C repo add -A && git -C repo ls-files && git -C repo grep --cached -l PRIVATE");
    assert_eq!(String::from_utf8_lossy(&added.stdout).matches("key").count(), 0, "{added:?}");
}

/// Starts the program, waits until `ready` is there, sends the signal, and waits for its end.
fn interrupted(mut command: std::process::Command, ready: &Path, signal: i32) -> Option<i32> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let since = Instant::now();
    while !fs::read_to_string(ready).is_ok_and(|text| text.ends_with('\n')) {
        assert!(since.elapsed() < Duration::from_secs(30), "it did not start what it should");
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = runner::other("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    child.wait().unwrap().signal()
}

fn runs(pid: &str) -> bool {
    let mut kill = runner::other("kill");
    kill.args(["-0", pid.trim()]).stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn a_signal_ends_kubectl_too() {
    let desk = Desk::new();
    fs::create_dir(desk.path("bin")).unwrap();
    desk.program("bin/kubectl", "echo $$ >>\"$HOME/pids\"; exec sleep 600");
    for signal in [SIGINT, SIGTERM] {
        let mut plugin = runner::plugin();
        let path = format!("{}:{}", desk.path("bin").display(), std::env::var("PATH").unwrap());
        plugin.arg("status").env("PATH", path).env("HOME", desk.path(""));
        assert_eq!(interrupted(plugin, &desk.path("pids"), signal), Some(signal));
        let pids = fs::read_to_string(desk.path("pids")).unwrap();
        assert!(!pids.is_empty() && pids.lines().all(|pid| !runs(pid)), "{pids}");
        fs::remove_file(desk.path("pids")).unwrap();
    }
}

#[test]
fn a_signal_ends_the_users_diff_and_removes_what_it_was_shown() {
    let desk = Desk::new();
    desk.program("differ", "trap '' INT TERM; stat -c %a \"$1/..\" >\"$HOME/mode\"; echo \"$1\" >\"$HOME/shown\"; while :; do sleep 0.1; done");
    let mut plugin = runner::plugin();
    plugin.current_dir(desk.path("")).env("KUBECTL_EXTERNAL_DIFF", "./differ").env("HOME", desk.path(""));
    plugin.args(["diff", "bundle", "--step", "1", "--dir", "rotation", "-f", "cluster.yaml", "--at", NOW]);
    assert_eq!(interrupted(plugin, &desk.path("shown"), SIGTERM), Some(SIGTERM));
    let shown = fs::read_to_string(desk.path("shown")).unwrap();
    assert!(!Path::new(shown.trim()).exists() && !Path::new(shown.trim()).parent().unwrap().exists());
    assert_eq!(fs::read_to_string(desk.path("mode")).unwrap(), "700\n");
}

#[test]
fn public_files_have_the_mode_that_the_umask_leaves() {
    let desk = Desk::new();
    let mode = |path: &str| fs::metadata(desk.path(path)).unwrap().permissions().mode() & 0o777;
    for (umask, public) in [("022", 0o644), ("077", 0o600), ("002", 0o664)] {
        let arguments = format!("-f cluster.yaml --at {NOW}");
        let dir = format!("with-{umask}");
        let output = desk.sh(&format!(
            "umask {umask}; l5d start --dir {dir} {arguments} && l5d snapshot --out {dir}/mesh.yaml {arguments}"
        ));
        assert!(output.status.success(), "{output:?}");
        for file in ["anchor.pem", "rotation.yaml", ".gitignore"] {
            assert_eq!(mode(&format!("{dir}/{file}")), public, "{umask}: {file}");
        }
        for file in ["anchor.key", "issuer.key", "mesh.yaml"] {
            assert_eq!(mode(&format!("{dir}/{file}")), 0o600, "{umask}: {file}");
        }
    }
}
