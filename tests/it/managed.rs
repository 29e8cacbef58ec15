//! Rotations where cert-manager and trust-manager make the certificates, through the program itself.

use std::fs;

use jiff::SignedDuration;
use l5d_rotate::document;
use serde_json::Value;

use crate::runner;
use crate::support::managed::{BUNDLE, COMMITS, Git, steps_by_edits};
use crate::support::user::User;

#[test]
fn the_guides_setup_is_rotated_in_nine_commits_and_no_secret_is_copied() {
    let mut user = User::by_cert_manager();
    let old = user.anchors();
    let started = user.out("start --dir rotation");
    assert!(started.contains("over cert-manager's objects"), "{started}");
    assert!(!fs::exists(user.home.path().join("rotation/issuer.key")).unwrap());
    assert_eq!(user.rotate(""), COMMITS);
    let new = user.anchors();
    assert_eq!(new.len(), 1);
    assert_ne!(new, old);
    // What follows it is an ordinary mesh: nothing is wrong, and the next rotation has names of its own.
    let status = user.json("status");
    assert!(
        status["checks"].as_array().into_iter().flatten().all(|one| one["severity"] != "error"),
        "{status:#}"
    );
    user.cluster.wait(SignedDuration::from_hours(24 * 30));
    let again = user.out("start --dir again");
    assert!(again.contains("linkerd-trust-anchor-20261224"), "{again}");
}

#[test]
#[ignore = "long"]
fn an_issuer_that_is_renewed_every_day_restarts_nothing_again() {
    let mut user = User::by_cert_manager();
    user.out("start --dir rotation");
    for commit in &COMMITS[..5] {
        while user.standing("") != *commit {
            user.cluster.all_manually();
            user.cluster.wait(SignedDuration::from_mins(10));
        }
        assert!(user.step(commit, ""), "{commit}");
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    // The record tells since when the new anchor signs; without it each renewal would ask for one more restart.
    user.run("next --dir rotation");
    for _ in 0..3 {
        user.cluster.wait(SignedDuration::from_hours(30));
        assert_eq!(user.standing(""), "prune/1-trust");
    }
}

#[test]
#[ignore = "long"]
fn it_is_rolled_back_from_each_step_that_keeps_the_old_anchor() {
    for merged in [1, 3, 4, 5, 6, 8] {
        let mut user = User::by_cert_manager();
        let old = user.anchors();
        user.out("start --dir rotation");
        for commit in &COMMITS[..merged] {
            for _ in 0..60 {
                if user.standing("") == *commit && user.step(commit, "") {
                    break;
                }
                user.cluster.all_manually();
                user.cluster.wait(SignedDuration::from_mins(55));
            }
            user.cluster.wait(SignedDuration::from_mins(5));
        }
        user.rotate(" --rollback");
        assert_eq!(user.anchors(), old, "after {merged} commits");
        let issuer = user.object("Certificate", "linkerd-identity-issuer");
        assert_eq!(issuer["spec"]["issuerRef"]["name"], "linkerd-identity-issuer", "after {merged} commits");
    }
}

#[test]
#[ignore = "long"]
fn the_guides_own_way_is_continued_where_it_stands() {
    // `cmctl renew` of the anchor, then of the issuer too.
    for renewed in [&["linkerd-trust-anchor"][..], &["linkerd-trust-anchor", "linkerd-identity-issuer"]] {
        let mut user = User::by_cert_manager();
        let old = user.anchors();
        let now = user.cluster.now;
        for name in renewed {
            user.cluster.controllers.as_mut().unwrap().renew(name, now);
        }
        user.cluster.wait(SignedDuration::from_mins(10));
        assert_eq!(user.anchors().len(), 2);
        let started = user.out("start --dir rotation");
        assert!(started.contains("beside the old one already"), "{started}");
        if renewed.len() == 1 {
            let taken = user.rotate("");
            assert!(!taken.contains(&"remove-old/1-objects".to_owned()), "{taken:?}");
            assert_eq!(user.anchors().len(), 1);
            assert_ne!(user.anchors(), old);
        } else {
            // Issued by an anchor that proxies do not hold: that is seen, and no step is taken over it.
            let plan = user.json("plan --dir rotation");
            assert_eq!(plan["steps"][3]["state"]["code"], "done", "{plan:#}");
        }
    }
}

#[test]
#[ignore = "long"]
fn an_anchor_that_is_issued_once_more_on_the_way_holds_up_the_issuer() {
    let mut user = User::by_cert_manager();
    user.out("start --dir rotation");
    for commit in &COMMITS[..3] {
        while user.standing("") != *commit || !user.step(commit, "") {
            user.cluster.all_manually();
            user.cluster.wait(SignedDuration::from_mins(10));
        }
        user.cluster.all_manually();
        user.cluster.wait(SignedDuration::from_mins(10));
    }
    assert_eq!(user.standing(""), "issuer/1-issuer");
    let now = user.cluster.now;
    user.cluster.controllers.as_mut().unwrap().renew("linkerd-trust-anchor-20261123", now);
    user.cluster.wait(SignedDuration::from_mins(5));
    let refused = user.run("next --dir rotation");
    refused.refuses(4, &["anchor-reissued"]);
    // As it says: another rotation begins with what is published, and does not take the old anchor for the new one.
    fs::rename(user.home.path().join("rotation"), user.home.path().join("left")).unwrap();
    let again = user.out("start --dir rotation");
    assert!(again.contains("linkerd-trust-anchor-20261123-2"), "{again}");
    let taken = user.rotate("");
    assert_eq!(taken.last().map(String::as_str), Some("remove-old/1-objects"));
    assert_eq!(user.anchors().len(), 1);
}

#[test]
fn each_step_is_a_component_that_kustomize_builds() {
    let user = User::by_cert_manager();
    let testdata = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cert-manager");
    let objects = ["Certificate", "ClusterIssuer", "Bundle"].iter().flat_map(|kind| {
        user.cluster.controllers.as_ref().unwrap().objects.iter().filter(move |one| one["kind"] == *kind)
    });
    let base: String = objects.map(|one| format!("---\n{one}\n")).collect();
    fs::write(user.home.path().join("base.yaml"), base).unwrap();
    for (step, has) in [
        (
            "bundle --step 1",
            &["name: linkerd-trust-anchor-20261123\n", "inLine: |", "renewBefore: 1h0m0s"][..],
        ),
        ("issuer --step 1", &["    name: linkerd-identity-issuer-20261123\n"]),
        (
            "prune --step 1",
            &["  sources:\n  - secret:\n      key: tls.crt\n      name: linkerd-trust-anchor-20261123\n"],
        ),
        ("remove-old --step 1", &[]),
    ] {
        let out = user.home.path().join("out");
        let rendered = runner::plugin()
            .args(["render", "--force", "--at", "2026-11-23T02:05:00Z", "--out"])
            .arg(&out)
            .args(step.split(' '))
            .arg("-f")
            .arg(testdata.join("cluster.yaml"))
            .arg("--dir")
            .arg(testdata.join("rotation"))
            .output()
            .unwrap();
        assert!(rendered.status.success(), "{step}: {}", String::from_utf8_lossy(&rendered.stderr));
        let phase = step.split(' ').next().unwrap();
        let directory = fs::read_dir(out.join(phase)).unwrap().next().unwrap().unwrap().file_name();
        let kustomization =
            format!("resources: [base.yaml]\ncomponents: [out/{phase}/{}]\n", directory.to_str().unwrap());
        fs::write(user.home.path().join("kustomization.yaml"), kustomization).unwrap();
        let built =
            runner::other("kubectl").current_dir(user.home.path()).args(["kustomize", "."]).output().unwrap();
        let text = String::from_utf8(built.stdout).unwrap();
        assert!(built.status.success(), "{step}: {}", String::from_utf8_lossy(&built.stderr));
        assert!(has.iter().all(|part| text.contains(part)), "{step}: {text}");
        let is_there = text.contains("  name: linkerd-trust-anchor\n  namespace");
        assert_eq!(is_there, phase != "remove-old", "{step}: {text}");
    }
}

#[test]
#[ignore = "writes testdata"]
fn testdata_of_cert_manager_is_written() {
    if runner::writes_nothing("testdata_of_cert_manager_is_written") {
        return;
    }
    let mut user = User::by_cert_manager();
    user.out("start --dir rotation");
    user.step("bundle/1-trust", "");
    user.cluster.wait(SignedDuration::from_mins(5));
    user.out("next --dir rotation");
    let testdata = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cert-manager");
    fs::create_dir_all(testdata.join("rotation")).unwrap();
    fs::write(testdata.join("cluster.yaml"), user.cluster.dump_yaml()).unwrap();
    for entry in fs::read_dir(user.home.path().join("rotation")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, testdata.join("rotation").join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
#[ignore = "long"]
fn each_step_is_an_edit_of_the_users_own_files() {
    let mut git = Git::new();
    assert_eq!(steps_by_edits(&mut git, "start --dir rotation --in .", "", &[]), COMMITS);
    assert_eq!(git.user.anchors().len(), 1);
    // Every byte that a step does not mean has stayed.
    assert!(git.text("mesh/anchor.yaml").starts_with("# The root of trust."));
    let issuer = git.text("mesh/issuer.yaml");
    assert!(
        issuer.contains("    name: linkerd-identity-issuer-20261123   # signs with the anchor\n"),
        "{issuer}"
    );
    let bundle = git.text("mesh/bundle.yaml");
    let expected = BUNDLE.replace("linkerd-trust-anchor", "linkerd-trust-anchor-20261123");
    let previous = "  - secret: {name: linkerd-previous-anchor, key: tls.crt}\n";
    assert_eq!(serde_yaml_tree(&bundle), serde_yaml_tree(&expected.replace(previous, "")));
}

fn serde_yaml_tree(text: &str) -> Value {
    document::parse(text, "file").unwrap().pop().unwrap().tree
}
