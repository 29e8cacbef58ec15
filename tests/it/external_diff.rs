//! `KUBECTL_EXTERNAL_DIFF`: which program is run, with which arguments, over which files.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use crate::cluster::Cluster;
use crate::support::user::User;

/// Writes down its arguments and what is in the two directories, and ends as `$CODE` says.
const SCRIPT: &str = r#"#!/bin/sh
{ echo "$#"; for word; do echo "$word"; done; } >"$LOG"
while [ $# -gt 2 ]; do shift; done
for side in "$1" "$2"; do (cd "$side" && for file in *; do echo "${side##*/} $file"; done); done >>"$LOG"
cat "$1"/* "$2"/* >"$LOG.content"
echo differing
exit "${CODE:-1}"
"#;

struct Desk {
    user: User,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { user: User::rotating(Cluster::new()) };
        desk.user.print();
        fs::write(desk.path().join("differ"), SCRIPT).unwrap();
        fs::set_permissions(desk.path().join("differ"), fs::Permissions::from_mode(0o755)).unwrap();
        desk
    }

    fn path(&self) -> &Path {
        self.user.home.path()
    }

    fn diff(&self, program: &str, code: &str, step: &str) -> Output {
        let mut command = self.user.command(&format!("diff --dir rotation {step}"));
        command
            .env("KUBECTL_EXTERNAL_DIFF", program)
            .env("CODE", code)
            .env("LOG", self.path().join("log"))
            .output()
            .unwrap()
    }

    fn log(&self) -> Vec<String> {
        fs::read_to_string(self.path().join("log")).unwrap().lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_users_own_diff_is_run_as_kubectl_runs_it() {
    let desk = Desk::new();
    let output = desk.diff("./differ -u --side", "1", "bundle --step 1");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"differing\n");
    let log = desk.log();
    assert_eq!(log[..3], ["4", "-u", "--side"]);
    assert!(log[3].ends_with("/LIVE") && log[4].ends_with("/MERGED"), "{log:?}");
    // GROUP.VERSION.KIND.NAMESPACE.NAME, as `kubectl diff` names its files.
    let names = ["v1.ConfigMap.linkerd.linkerd-config", "v1.ConfigMap.linkerd.linkerd-identity-trust-roots"];
    assert_eq!(
        log[5..],
        [names.map(|name| format!("LIVE {name}")), names.map(|name| format!("MERGED {name}"))].concat()
    );
    assert!(!Path::new(&log[3]).exists(), "nothing is left behind");
    let deployments = desk.diff("./differ", "1", "bundle --step 2 --force");
    assert_eq!(deployments.status.code(), Some(1));
    assert!(
        desk.log().contains(&"MERGED apps.v1.Deployment.linkerd.linkerd-identity".to_owned()),
        "{:?}",
        desk.log()
    );
}

#[test]
fn its_exit_code_is_ours_and_a_failure_of_it_is_an_error() {
    let desk = Desk::new();
    assert_eq!(desk.diff("./differ", "0", "bundle --step 1").status.code(), Some(0));
    let failed = desk.diff("./differ", "7", "bundle --step 1");
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(2), "{said}");
    assert!(said.contains("KUBECTL_EXTERNAL_DIFF=./differ: exit status: 7"), "{said}");
    let missing = desk.diff("./nowhere -u", "", "bundle --step 1");
    let said = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(missing.status.code(), Some(2), "{said}");
    assert!(said.contains("KUBECTL_EXTERNAL_DIFF=./nowhere -u") && said.contains("help:"), "{said}");
}

#[test]
fn no_private_key_is_handed_to_it() {
    let desk = Desk::new();
    let output = desk.diff("./differ", "1", "issuer --step 1 --force");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        desk.log().contains(&"MERGED v1.Secret.linkerd.linkerd-identity-issuer".to_owned()),
        "{:?}",
        desk.log()
    );
    let content = fs::read_to_string(desk.path().join("log.content")).unwrap();
    let key = fs::read_to_string(desk.path().join("rotation/issuer.key")).unwrap();
    let body = key.lines().nth(1).unwrap();
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(&key);
    assert!(!content.contains(body) && !content.contains(&encoded[..60]), "{content}");
    assert!(content.contains("*** (before)") && content.contains("*** (after)"), "{content}");
}
