//! Rotations under cert-manager where the Issuer's name cannot change: its Secret does, and the issuer is issued anew.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::managed::{COMMITS, Git, steps_by_edits};
use crate::support::user::User;

const START: &str = "start --dir rotation --keep-issuer-name";

fn commits() -> Vec<&'static str> {
    let mut commits = COMMITS.to_vec();
    commits.insert(3, "issuer/0-signer");
    commits
}

/// Follows `next` until this step is next, and whatever stands before it is done.
fn until(user: &mut User, step: &str) {
    for _ in 0..80 {
        let standing = user.standing("");
        if standing == step && user.run("next --dir rotation").code == 0 {
            return;
        }
        if standing == step || !user.step(&standing, "") {
            user.cluster.all_manually();
            user.cluster.wait(SignedDuration::from_mins(55));
        }
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    panic!("{step} is not reached: {}", user.out("plan --dir rotation"));
}

fn signs_with(user: &User) -> Value {
    user.object("ClusterIssuer", "linkerd-identity-issuer")["spec"]["ca"]["secretName"].clone()
}

#[test]
#[ignore = "long"]
fn an_issuer_whose_name_stays_signs_with_the_new_anchor_in_a_step_of_its_own() {
    let mut user = User::by_cert_manager();
    let old = user.anchors();
    let started = user.out(START);
    assert!(started.contains("linkerd-trust-anchor-20261123"), "{started}");
    until(&mut user, "issuer/0-signer");
    let simulated = user.run("simulate --dir rotation");
    assert!(simulated.code == 0 && simulated.out.contains("let the Issuer sign"), "{simulated:?}");
    assert!(user.out("plan --dir rotation").contains("signer-shared"));
    let issued = user.cluster.issuer.clone();
    let taken = user.rotate("");
    assert_eq!(taken, commits()[3..]);
    assert_ne!(user.cluster.issuer, issued);
    assert_ne!(user.anchors(), old);
    assert_eq!(user.anchors().len(), 1);
    assert_eq!(signs_with(&user), "linkerd-trust-anchor-20261123");
    let certificate = user.object("Certificate", "linkerd-identity-issuer");
    assert_eq!(certificate["spec"]["issuerRef"]["name"], "linkerd-identity-issuer");
    assert_eq!(certificate["spec"]["duration"], "48h0m1s");
}

/// The Secret of an Issuer alone reissues nothing; the next renewal is of the new anchor all the same, and so is what is refused.
#[test]
fn what_an_issuer_signs_with_is_judged_as_the_issuer_that_comes_of_it() {
    let mut user = User::by_cert_manager();
    user.out(START);
    until(&mut user, "bundle/2-control-plane");
    let signer = user.out("render issuer --step 0 --force --dir rotation");
    assert!(signer.contains("secretName: linkerd-trust-anchor-20261123"), "{signer}");
    assert_eq!(user.verified(&signer).0, 4);
    user.run("render issuer --step 0 --dir rotation").refuses(4, &[]);
    until(&mut user, "issuer/0-signer");
    let signer = user.out("next --dir rotation");
    assert_eq!(user.verified(&signer).0, 0);
    // In one commit with the next one it may still be signed by the Issuer that cert-manager has in its cache.
    let early = user.run("render issuer --step 1 --dir rotation");
    assert_ne!(early.code, 0);
    for form in ["patch", "json-patch", "object"] {
        user.out(&format!("next --dir rotation -o {form}"));
    }
    let step = user.out("next --dir rotation -o object");
    user.apply(&step);
    let issued = user.cluster.issuer.clone();
    user.cluster.wait(SignedDuration::from_mins(5));
    assert_eq!(user.cluster.issuer, issued);
    let anew = user.out("next --dir rotation");
    assert!(anew.contains("duration: 48h0m1s"), "{anew}");
    // While it is not issued yet, the same is rendered again.
    let mut later = user.object("Certificate", "linkerd-identity-issuer");
    later["spec"]["duration"] = json!("48h0m1s");
    let controllers = user.cluster.controllers.as_mut().unwrap();
    controllers.apply(&later);
    assert!(user.out("render issuer --step 1 --force --dir rotation").contains("duration: 48h0m1s"));
    user.cluster.wait(SignedDuration::from_mins(5));
    assert_eq!(user.standing(""), "issuer/2-control-plane");
}

#[test]
#[ignore = "long"]
fn an_issuer_whose_name_stays_is_rolled_back_from_each_step() {
    for from in [
        "issuer/0-signer",
        "issuer/1-issuer",
        "issuer/2-control-plane",
        "prune/1-trust",
        "prune/3-data-plane",
    ] {
        let mut user = User::by_cert_manager();
        let old = user.anchors();
        user.out(START);
        until(&mut user, from);
        user.rotate(" --rollback");
        assert_eq!(user.anchors(), old, "from {from}");
        assert_eq!(signs_with(&user), "linkerd-trust-anchor", "from {from}");
        // The next renewals are of the anchor that is back.
        user.cluster.wait(SignedDuration::from_hours(30));
        assert_eq!(user.standing(" --rollback"), "finished", "from {from}");
    }
}

/// Merged, and not issued yet: the Secret is as it was, and the next issuer is of the new anchor all the same.
#[test]
#[ignore = "long"]
fn a_rollback_puts_back_what_the_next_issuer_is_signed_with() {
    let mut user = User::by_cert_manager();
    user.out(START);
    until(&mut user, "issuer/0-signer");
    let step = user.out("next --dir rotation -o object");
    user.apply(&step);
    assert_eq!(user.standing(" --rollback"), "issuer/0-signer");
    let mut user = User::by_cert_manager();
    user.out("start --dir rotation");
    until(&mut user, "issuer/1-issuer");
    // An approver has not approved the request of the other Issuer.
    let step = user.out("next --dir rotation -o object");
    user.cluster.controllers.as_mut().unwrap().holds_back = true;
    user.apply(&step);
    user.cluster.wait(SignedDuration::from_mins(5));
    assert_eq!(user.standing(" --rollback"), "issuer/1-issuer");
    let step = user.out("next --dir rotation --rollback -o object");
    user.apply(&step);
    user.cluster.controllers.as_mut().unwrap().holds_back = false;
    user.rotate(" --rollback");
    assert_eq!(user.anchors().len(), 1);
}

#[test]
#[ignore = "long"]
fn each_step_with_a_name_that_stays_is_an_edit_of_the_users_own_files() {
    let mut git = Git::new();
    assert_eq!(steps_by_edits(&mut git, &format!("{START} --in ."), "", &[]), commits());
    assert_eq!(git.user.anchors().len(), 1);
    let issuer = git.text("mesh/issuer.yaml");
    assert!(issuer.contains("    secretName: linkerd-trust-anchor-20261123\n"), "{issuer}");
    assert!(issuer.contains("    name: linkerd-identity-issuer   # signs with the anchor\n"), "{issuer}");
    assert!(issuer.contains("  duration: 48h0m1s\n"), "{issuer}");
}

#[test]
fn a_name_that_stays_goes_with_no_anchor_from_outside() {
    let user = User::by_cert_manager();
    let refused = user.run(&format!("{START} --anchor new.pem --signer ClusterIssuer/company"));
    assert_eq!(refused.code, 2);
}
