//! Users who merge what `next` renders as soon as it renders it, and change direction: they always finish.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use l5d_rotate::pki::{KeyEncoding, PrivateKey};

use crate::cluster;
use crate::support::user::User;

struct Hasty {
    user: User,
    /// How long it takes from one command to the next.
    pause: SignedDuration,
}

impl Hasty {
    fn begin(arguments: &str, pause: SignedDuration) -> Self {
        let user = User::new();
        user.put("old.key", &cluster::pem(&user.cluster.anchor.key));
        user.put("old-issuer.key", &user.cluster.issuer_key);
        user.out(&format!("start --dir rotation {arguments}"));
        Self { user, pause }
    }

    fn run(&self, arguments: &str) -> (i32, String, String) {
        let ran = self.user.run(arguments);
        (ran.code, ran.out, ran.err)
    }

    /// Merges what `next` renders; what it said, and whether everything is in place.
    fn next(&mut self, rollback: bool) -> (bool, String) {
        let rendered = |key: &str| {
            let way = if rollback { "--rollback" } else { "" };
            self.run(&format!("next --dir rotation -o object {way} {key}"))
        };
        let (mut code, mut out, mut said) = rendered("");
        if said.contains("is not the key of the rotation's old issuer") {
            (code, out, said) = rendered("--issuer-key old-issuer.key");
        }
        if code == 0 && out.is_empty() {
            return (true, said);
        }
        let waits = said.contains(" step-order\n");
        assert!(code == 0 || code == 3 || code == 4 && waits, "{code}: {said}");
        self.user.apply(&out);
        if code == 3 && !waits && !said.contains(" certificates-refused\n") {
            // What the help says is done to the letter.
            for load in &mut self.user.cluster.workloads {
                let told = format!(
                    "kubectl rollout restart {}/{} -n {}",
                    load.kind.to_lowercase(),
                    load.name,
                    load.namespace
                );
                if said.contains(&told) {
                    (load.held, load.started) = (self.user.cluster.bundle.clone(), self.user.cluster.now);
                }
            }
        }
        self.user.cluster.wait(self.pause);
        (false, said)
    }

    fn goes_on(&mut self, rollback: bool) {
        let mut said = String::new();
        for round in 0..60 {
            let (done, told) = self.next(rollback);
            if done {
                return;
            }
            said.push_str(&told);
            said.push('\n');
            if round > 12 {
                self.user.cluster.wait(SignedDuration::from_hours(6));
                self.user.cluster.deploy();
            }
        }
        let tail: String = said.lines().rev().take(6).collect::<Vec<_>>().join("\n");
        panic!("stuck:\n{tail}");
    }
}

#[test]
#[ignore = "long"]
fn who_merges_each_step_half_a_minute_after_the_other_finishes() {
    for arguments in ["", "--strategy patient", "--old-anchor-key old.key"] {
        let mut hasty = Hasty::begin(arguments, SignedDuration::from_secs(30));
        hasty.goes_on(false);
    }
}

#[test]
#[ignore = "long"]
fn who_changes_direction_after_a_step_and_changes_again_finishes() {
    for (arguments, taken, undone) in [
        ("", 2, 1),
        ("", 5, 1),
        ("--strategy patient", 5, 2),
        ("--old-anchor-key old.key", 2, 1),
        ("--old-anchor-key old.key", 4, 1),
    ] {
        let mut hasty = Hasty::begin(arguments, SignedDuration::from_mins(10));
        (0..taken).for_each(|_| drop(hasty.next(false)));
        (0..undone).for_each(|_| drop(hasty.next(true)));
        hasty.goes_on(false);
    }
}

#[test]
fn the_whole_rollback_is_written_with_the_key_of_each_issuer() {
    let hasty = Hasty::begin("--old-anchor-key old.key", SignedDuration::from_mins(10));
    let (code, _, said) = hasty.run(
        "plan --dir rotation --rollback --issuer-key old-issuer.key --out preview --allow-plaintext-keys",
    );
    assert_eq!(code, 0, "{said}");
    let written = |path: &str| hasty.user.read(path);
    let secret = |phase: &str| {
        written(&format!("preview/rollback/{phase}/1-issuer/linkerd/secret-linkerd-identity-issuer.yaml"))
    };
    let text = |key: &str| STANDARD.encode(key.trim_end());
    assert!(secret("remove-cross").contains(&text(&written("rotation/issuer.key"))), "the new issuer's");
    let old =
        PrivateKey::from_pem(&hasty.user.cluster.issuer_key).unwrap().to_pem(KeyEncoding::Pkcs8).unwrap();
    assert!(secret("issuer").contains(&text(&old)), "the old issuer's");
}

#[test]
fn status_of_a_rollback_names_commands_of_a_rollback() {
    let mut hasty = Hasty::begin("", SignedDuration::from_mins(10));
    let why = |hasty: &Hasty| {
        let screen = hasty.run("status --dir rotation --rollback").1;
        screen.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(
        why(&hasty).contains("the rotation is rolled back. Delete the directory rotation,"),
        "{}",
        why(&hasty)
    );
    hasty.next(false);
    let command = "kubectl l5d-rotate render bundle --step 1 --dir rotation --rollback -f dump.json";
    assert!(why(&hasty).contains(command), "{}", why(&hasty));
    hasty.next(false);
    let (code, _, said) = hasty.run("render bundle --step 2 --dir rotation --rollback");
    assert_eq!(code, 3, "{said}");
    let command = "kubectl l5d-rotate render bundle --step 1 --dir rotation --rollback";
    assert!(said.contains(command), "{said}");
}

#[test]
fn the_old_anchors_key_is_written_nowhere() {
    let hasty = Hasty::begin("--old-anchor-key old.key", SignedDuration::from_mins(10));
    let body = |key: &str| key.lines().nth(1).unwrap().to_owned();
    let old = body(&hasty.user.read("old.key"));
    for arguments in [
        "plan --dir rotation --out preview --allow-plaintext-keys",
        "diff issuer --dir rotation",
        "render issuer --step 1 --dir rotation",
        "start --dir again --old-anchor-key old.key --strategy staged",
        "start --dir again --old-anchor-key old-issuer.key",
        "start --dir rotation/anchor.pem --old-anchor-key old.key",
    ] {
        let (_, out, said) = hasty.run(arguments);
        assert!(!out.contains(&old) && !said.contains(&old), "{arguments}");
    }
    let mut left = vec![hasty.user.home.path().to_owned()];
    while let Some(path) = left.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => left.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) if path.ends_with("old.key") => {}
            Err(_) => {
                let text = fs::read_to_string(&path).unwrap();
                let decoded = text.split_whitespace().filter_map(|word| STANDARD.decode(word).ok());
                let hidden: String =
                    decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
                assert!(!text.contains(&old) && !hidden.contains(&old), "{}", path.display());
            }
        }
    }
}
