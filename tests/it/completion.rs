//! Completion as shells and kubectl do it.
#![cfg(unix)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory as _;
use l5d_rotate::cli::Cli;

use crate::runner;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{command:?}:\n{stdout}{stderr}");
    stdout
}

fn script(shell: &str) -> String {
    run(runner::plugin().args(["completion", shell]))
}

/// PATH with the plugin and, in `dir`, the program that kubectl asks.
fn path_with_completion(dir: &Path) -> OsString {
    let asked = dir.join("kubectl_complete-l5d_rotate");
    fs::write(&asked, script("kubectl")).unwrap();
    fs::set_permissions(&asked, fs::Permissions::from_mode(0o755)).unwrap();
    let plugin = Path::new(runner::PLUGIN).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([dir.to_owned(), plugin].into_iter().chain(std::env::split_paths(&path))).unwrap()
}

#[test]
fn kubectl_offers_what_the_plugin_offers() {
    if !runner::has("kubectl_offers_what_the_plugin_offers", &["kubectl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = path_with_completion(dir.path());
    let asked = |words: &[&str]| {
        let mut kubectl = runner::other("kubectl");
        run(kubectl
            .args(["__complete", "l5d-rotate"])
            .args(words)
            .env("PATH", &path)
            .env("KUBECONFIG", "/dev/null"))
    };
    assert_eq!(asked(&["ren"]), "render\tPrint or write the YAML of one phase\n:4\n");
    let values = |words: &[&str]| {
        let lines = asked(words);
        lines.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values(&["render", ""]), ["bundle", "issuer", "prune", "remove-cross", "remove-old", ":4"]);
    assert_eq!(values(&["diff", "--dir", "rotation", "p"]), ["prune", ":4"]);
    assert_eq!(values(&["check", "-o", ""]), ["table", "json", "short", "yaml", "prometheus", "name", ":4"]);
    assert_eq!(values(&["check", "--output=s"]), ["short", ":4"]);
    assert_eq!(values(&["start", "--anchor-k"]), ["--anchor-key", ":4"]);
    assert_eq!(values(&["status", "-f", ""]), [":0"]);
    assert!(values(&[""]).contains(&"status".to_owned()));
}

fn accepts(test: &str, shell: &str, name: &str) {
    if runner::has(test, &[shell]) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        fs::write(&file, script(name)).unwrap();
        run(Command::new(shell).arg("-n").arg(&file));
    }
}

#[test]
fn bash_accepts_its_script() {
    accepts("bash_accepts_its_script", "bash", "bash");
}

#[test]
fn zsh_accepts_its_script() {
    accepts("zsh_accepts_its_script", "zsh", "zsh");
}

#[test]
fn sh_accepts_kubectls_script() {
    accepts("sh_accepts_kubectls_script", "sh", "kubectl");
}

#[test]
fn powershell_and_elvish_have_scripts_with_every_verb_that_help_shows() {
    for shell in ["powershell", "elvish"] {
        let script = script(shell);
        for verb in Cli::command().get_subcommands() {
            let case = format!("'kubectl-l5d_rotate;{}'", verb.get_name());
            assert_eq!(script.contains(&case), !verb.is_hide_set(), "{shell}: {case}");
        }
    }
}

#[test]
fn bash_offers_verbs_and_the_values_of_a_flag() {
    if !runner::has("bash_offers_verbs_and_the_values_of_a_flag", &["bash"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("completion.bash");
    fs::write(&file, script("bash")).unwrap();
    let offered = |words: &str| {
        let program = format!(
            r#"source "$1"; spec=$(complete -p kubectl-l5d_rotate); [[ $spec =~ -F\ ([^ ]+) ]]; \
               COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
               "${{BASH_REMATCH[1]}}" kubectl-l5d_rotate "${{COMP_WORDS[-1]}}" "${{COMP_WORDS[-2]}}"; \
               printf '%s\n' "${{COMPREPLY[@]}}""#
        );
        let mut bash = Command::new("bash");
        run(bash.args(["--norc", "-c", &program, "bash"]).arg(&file))
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(offered("kubectl-l5d_rotate ren"), ["render"]);
    assert_eq!(
        offered("kubectl-l5d_rotate check --output ''"),
        ["table", "json", "short", "yaml", "prometheus", "name"]
    );
    assert!(offered("kubectl-l5d_rotate render ''").contains(&"bundle".to_owned()));
    assert!(!offered("kubectl-l5d_rotate ''").contains(&"__complete".to_owned()));
}

#[test]
fn fish_offers_verbs_with_their_descriptions() {
    if !runner::has("fish_offers_verbs_with_their_descriptions", &["fish"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("completion.fish");
    fs::write(&file, script("fish")).unwrap();
    let program = format!("source {}; complete -C 'kubectl-l5d_rotate ren'", file.display());
    let mut fish = Command::new("fish");
    let offered = run(fish.args(["--no-config", "-c", &program]).env("HOME", dir.path()));
    assert_eq!(offered, "render\tPrint or write the YAML of one phase\n");
}
