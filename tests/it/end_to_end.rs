//! Whole rotations through the program itself, over a cluster that takes what is rendered and then prints what it is.

use std::fs;

use jiff::SignedDuration;
use l5d_rotate::document;
use serde_json::Value;

use crate::cluster;
use crate::cluster::Cluster;
use crate::runner;
use crate::support::user::User;

/// What `status` names as next: the phase and number of a step, or nothing when the rotation is finished or waits.
fn next(user: &User) -> (Option<String>, String) {
    let status: Value = serde_json::from_str(&user.out("status --dir rotation -o json")).unwrap();
    let command = status["next"]["command"].as_str().unwrap_or_default();
    let step = command
        .strip_prefix("kubectl l5d-rotate render ")
        .and_then(|rest| rest.strip_suffix(" --dir rotation -f dump.json"));
    (step.map(str::to_owned), status["next"]["why"].as_str().unwrap().to_owned())
}

/// Follows `status` to the end: merges what it names, does manually what it says, waits where it says so.
fn rotate(user: &mut User) -> Vec<String> {
    let mut taken = Vec::new();
    for _ in 0..40 {
        let (step, why) = next(user);
        match step {
            Some(step) => {
                user.merge(&step);
                taken.push(step);
            }
            None if why.contains("the rotation is finished") => return taken,
            None => {
                user.cluster.all_manually();
                user.cluster.wait(SignedDuration::from_hours(1));
            }
        }
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    panic!("the rotation does not finish: {taken:?}, {:?}", next(user));
}

#[test]
fn a_staged_rotation_finishes_with_the_new_anchor_alone() {
    let mut user = User::new();
    let old = user.anchors();
    user.out("start --dir rotation");
    let taken = rotate(&mut user);
    assert_eq!(taken.first().map(String::as_str), Some("bundle --step 1"));
    let mut once = taken.clone();
    once.dedup();
    let all: Vec<_> = ["bundle", "issuer", "prune"]
        .iter()
        .flat_map(|phase| (1..=3).map(move |step| format!("{phase} --step {step}")))
        .collect();
    assert_eq!(once, all);
    assert_eq!(user.anchors().len(), 1);
    assert!(!user.anchors().contains(&old[0]));
    assert_eq!(user.run("check").code, 0, "{}", user.run("check -o short").out);
}

#[test]
#[ignore = "long"]
fn a_rotation_of_workloads_that_no_annotation_restarts_finishes_as_well() {
    let mut user = User::over(Cluster::realistic());
    user.out("start --dir rotation");
    rotate(&mut user);
    assert_eq!(user.anchors().len(), 1);
    let check = user.run("check");
    assert_eq!(check.code, 0, "{}", check.out);
}

#[test]
#[ignore = "long"]
fn a_patient_rotation_waits_instead_of_restarting_for_the_issuer() {
    let mut user = User::new();
    user.out("start --dir rotation --strategy patient");
    let began = user.cluster.now;
    let taken = rotate(&mut user);
    assert!(!taken.iter().any(|step| step == "issuer --step 3"), "{taken:?}");
    assert!(user.cluster.now.duration_since(began) > SignedDuration::from_hours(24));
}

#[test]
fn an_issuer_alone_is_replaced_without_touching_the_bundle() {
    let mut user = User::new();
    let (old, issuer) = (user.anchors(), user.cluster.issuer.clone());
    user.hold_anchor();
    user.out("start --dir rotation --issuer-only --anchor anchor.pem --anchor-key anchor.key");
    rotate(&mut user);
    assert_eq!(user.anchors(), old);
    assert_ne!(user.cluster.issuer, issuer);
}

#[test]
#[ignore = "long"]
fn a_cross_signed_rotation_restarts_no_workload_and_finishes_with_the_new_anchor_alone() {
    let mut user = User::new();
    let old = user.anchors();
    user.put("old.key", &cluster::pem(&user.cluster.anchor.key));
    user.out("start --dir rotation --old-anchor-key old.key");
    let mut taken = Vec::new();
    for _ in 0..60 {
        let (step, why) = next(&user);
        match step {
            Some(step) => {
                let proposed = user.out(&format!("render {step} --dir rotation -o object"));
                user.put("step.yaml", &proposed);
                let judged = user.run("verify --proposed step.yaml --dir rotation");
                let said = judged.out;
                assert_eq!(judged.code, 0, "{step}: {said}");
                user.merge(&step);
                taken.push(step);
            }
            None if why.contains("the rotation is finished") => break,
            None if taken.iter().any(|step| step == "prune --step 2") => user.cluster.deploy(),
            None => user.cluster.wait(SignedDuration::from_hours(1)),
        }
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    taken.dedup();
    assert_eq!(
        taken,
        [
            "issuer --step 1",
            "issuer --step 2",
            "prune --step 1",
            "prune --step 2",
            "remove-cross --step 1",
            "remove-cross --step 2"
        ]
    );
    assert_eq!(user.anchors().len(), 1);
    assert!(!user.anchors().contains(&old[0]));
    assert_eq!(user.cluster.issuer.matches("BEGIN CERTIFICATE").count(), 1, "the cross certificate is gone");
    let check = user.run("check");
    assert_eq!(check.code, 0, "{}", check.out);
}

/// Real meshes came back so: the issuer without its cross certificate, then restarts; no new anchor.
#[test]
fn an_expired_cross_certificate_leaves_the_secret_and_everything_restarts() {
    let mut user = User::new();
    user.put("old.key", &cluster::pem(&user.cluster.anchor.key));
    user.out("start --dir rotation --old-anchor-key old.key");
    for step in ["issuer --step 1", "issuer --step 2", "prune --step 1", "prune --step 2"] {
        user.merge(step);
        user.cluster.all_manually();
        user.cluster.wait(SignedDuration::from_hours(26));
    }
    // Workloads keep the old anchor until the cross certificate has expired.
    user.cluster.wait(SignedDuration::from_hours(24 * 40));
    let recover: Value = serde_json::from_str(&user.run("recover -o json").out).unwrap();
    assert_eq!(recover["remedy"]["kind"], "remove-expired", "{recover:#}");
    let status: Value = serde_json::from_str(&user.out("status -o json")).unwrap();
    assert_eq!(status["advice"]["code"], "remove-expired", "{status:#}");
    let refused = user.run("recover --dir recovery");
    assert_eq!(refused.code, 4);
    let (mut taken, mut whys) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let (step, why) = next(&user);
        whys.push(why.clone());
        let Some(step) = step else {
            if why.contains("the rotation is finished") {
                break;
            }
            // A restart that the templates carry already is done as it is said.
            let now = user.cluster.now;
            for load in &mut user.cluster.workloads {
                let named = format!("/{} -n {}`", load.name, load.namespace);
                if why.contains(&named) {
                    load.started = now;
                }
            }
            user.cluster.all_manually();
            user.cluster.wait(SignedDuration::from_mins(5));
            continue;
        };
        let proposed = user.out(&format!("render {step} --dir rotation -o object"));
        user.put("step.yaml", &proposed);
        let judged = user.run("verify --proposed step.yaml --dir rotation");
        assert_eq!(judged.code, 0, "{step}: {}", judged.out);
        user.merge(&step);
        taken.push(step);
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    taken.dedup();
    let [first, second, rest @ ..] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!([first, second], ["remove-cross --step 1", "remove-cross --step 2"], "{whys:#?}");
    assert!(rest.iter().all(|step| ["prune --step 2", "prune --step 3"].contains(&&**step)), "{taken:?}");
    assert!(whys.last().unwrap().contains("the rotation is finished"), "{whys:#?}");
    // Everybody has started since the Secret changed.
    let swapped = user.cluster.issuer_changed;
    assert!(user.cluster.workloads.iter().all(|load| load.started > swapped), "{whys:#?}");
    assert_eq!(user.run("recover").code, 0);
}

#[test]
fn a_rotation_is_rolled_back_with_the_old_issuers_key() {
    let mut user = User::new();
    let (old, issuer) = (user.anchors(), user.cluster.issuer.clone());
    user.put("old-issuer.key", &user.cluster.issuer_key);
    user.out("start --dir rotation");
    for step in
        ["bundle --step 1", "bundle --step 2", "bundle --step 3", "issuer --step 1", "issuer --step 2"]
    {
        user.merge(step);
        user.cluster.all_manually();
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    assert_ne!(user.cluster.issuer, issuer);
    let refused = user.run("render bundle --step 1 --dir rotation --rollback");
    assert_eq!(refused.code, 4, "the old anchors alone do not accept the new issuer");
    let without_key = user.run("next --dir rotation --rollback");
    assert_eq!(without_key.code, 2);
    let said = without_key.err;
    assert!(said.contains("is not the key of the rotation's old issuer"), "{said}");
    for _ in 0..12 {
        let run = user.run("next --dir rotation --rollback --issuer-key old-issuer.key -o object");
        let text = run.out;
        if run.code == 0 && text.is_empty() {
            break;
        }
        user.put("step.yaml", &text);
        let judged = user.run("verify --proposed step.yaml --dir rotation");
        let said = judged.out;
        // Nothing tells what was there before a rollback: then it is safe once workload certificates have expired.
        assert!(matches!(judged.code, 0 | 3), "{said}");
        user.apply(&text);
        user.cluster.all_manually();
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    let done = user.run("next --dir rotation --rollback");
    assert!(done.err.contains("the rotation is rolled back"));
    assert_eq!((user.anchors(), user.cluster.issuer.as_str()), (old, issuer.as_str()));
    assert_eq!(user.run("check").code, 0);
}

#[test]
fn an_install_that_was_never_changed_needs_no_restart_before_its_issuer_is_replaced() {
    let mut cluster = Cluster::new();
    let installed = cluster.bundle_changed;
    for load in cluster.workloads.iter_mut().filter(|load| load.namespace == "linkerd") {
        load.started = installed + SignedDuration::from_secs(30);
    }
    cluster.installed = cluster.issuer_changed;
    let user = User::over(cluster);
    user.hold_anchor();
    user.out("start --dir rotation --issuer-only --anchor anchor.pem --anchor-key anchor.key");
    assert!(!user.out("check -o short").contains("started within 120 s"));
    user.out("render issuer --step 1 --dir rotation");
}

#[test]
fn an_anchor_that_linkerd_check_refuses_starts_no_rotation() {
    let user = User::new();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut root = rcgen::CertificateParams::default();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = root.self_signed(&key).unwrap();
    user.put("p384.pem", &root.pem());
    user.put("p384.key", &key.serialize_pem());
    let refused = user.run("start --dir rotation --anchor p384.pem --anchor-key p384.key");
    assert_eq!(refused.code, 2);
    let said = refused.err;
    assert!(said.contains("p384.pem: ") && said.contains("must use P-256 curve"), "{said}");
    assert!(!user.home.path().join("rotation").exists());
}

#[test]
fn an_issuer_that_has_expired_is_replaced_by_force_and_the_rotation_then_finishes() {
    let mut user = User::new();
    let old = user.anchors();
    let expires = old[0].facts().not_after;
    user.cluster.now = expires + SignedDuration::from_hours(3);
    user.out("start --dir rotation");
    user.merge("bundle --step 1");
    user.cluster.wait(SignedDuration::from_mins(5));
    for stuck in ["next --dir rotation", "render issuer --step 1 --dir rotation"] {
        let refused = user.run(stuck);
        assert_eq!(refused.code, 4);
        let said = refused.err;
        assert!(said.contains(" present-issuer-expired\n"), "{said}");
        assert!(said.contains("kubectl l5d-rotate render issuer --step 1 --force --dir rotation"), "{said}");
    }
    user.merge("issuer --step 1 --force");
    user.cluster.wait(SignedDuration::from_mins(5));
    assert_eq!(rotate(&mut user).first().map(String::as_str), Some("bundle --step 2"));
    assert_eq!(user.anchors().len(), 1);
    assert!(!user.anchors().contains(&old[0]));
}

#[test]
fn a_second_start_over_an_unfinished_rotation_is_refused() {
    let user = User::new();
    user.out("start --dir rotation");
    let before = user.read("rotation/issuer.pem");
    let again = user.run("start --dir rotation");
    assert_eq!(again.code, 2);
    assert!(again.err.contains("kubectl l5d-rotate status --dir rotation"));
    assert_eq!(user.read("rotation/issuer.pem"), before);
}

#[test]
fn the_issuer_before_the_bundle_is_refused_as_unsafe() {
    let user = User::new();
    user.out("start --dir rotation");
    let refused = user.run("render issuer --step 1 --dir rotation");
    assert_eq!(refused.code, 4);
    assert!(refused.out.is_empty());
    let forced = user.run("render issuer --step 1 --dir rotation --force");
    assert_eq!(forced.code, 0);
    assert!(forced.out.contains("# FORCED: "));
}

#[test]
fn one_namespace_alone_never_makes_a_step_ready_that_needs_all_of_them() {
    let mut user = User::new();
    user.out("start --dir rotation");
    for step in 1..=2 {
        user.merge(&format!("bundle --step {step}"));
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    let text = user.out("render bundle --step 3 --dir rotation -n shop -o object");
    let documents = document::parse(&text, "render").unwrap();
    assert!(documents.iter().all(|document| document.tree["metadata"]["namespace"] == "shop"), "{text}");
    user.apply(&text);
    user.cluster.wait(SignedDuration::from_mins(5));
    let refused = user.run("render issuer --step 1 --dir rotation -n shop");
    assert_eq!(refused.code, 3);
    let said = refused.err;
    assert!(said.contains(" one-namespace\n"), "{said}");
}

#[test]
fn a_namespace_that_an_overlay_names_stays_a_component_when_nothing_is_left_to_change_in_it() {
    let mut user = User::new();
    user.out("start --dir rotation");
    for step in 1..=2 {
        user.merge(&format!("bundle --step {step}"));
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    user.out("render bundle --step 3 --dir rotation --out deploy");
    let shop = user.home.path().join("deploy/bundle/3-data-plane/shop");
    assert!(shop.join("deployment-checkout.yaml").exists());
    // An ordinary release gives every workload of the namespace a new start, with the bundle that is published.
    for name in ["checkout", "cart-db"] {
        user.cluster.manual(name);
    }
    user.out("render bundle --step 3 --dir rotation --out deploy");
    assert!(!shop.join("deployment-checkout.yaml").exists());
    let kept = fs::read_to_string(shop.join("kustomization.yaml")).unwrap();
    assert!(kept.contains("kind: Component") && kept.contains("resources: []"), "{kept}");
}

#[test]
fn a_preview_that_git_would_take_a_key_of_writes_nothing() {
    let user = User::new();
    if !runner::has("a_preview_that_git_would_take_a_key_of_writes_nothing", &["git"]) {
        return;
    }
    runner::run(runner::other("git").args(["init", "-q"]).current_dir(user.home.path()));
    user.out("start --dir rotation");
    let refused = user.run("plan --dir rotation --out preview");
    assert_eq!(refused.code, 2);
    assert!(!user.home.path().join("preview").exists());
    user.out("plan --dir rotation --out preview --allow-plaintext-keys");
    assert!(user.home.path().join("preview/prune/3-data-plane/kustomization.yaml").exists());
}

#[test]
fn a_rotation_that_git_keeps_is_offered_as_edits_of_its_repository() {
    const NAME: &str = "a_rotation_that_git_keeps_is_offered_as_edits_of_its_repository";
    let user = User::new();
    if !runner::has(NAME, &["git"]) {
        return;
    }
    let home = user.home.path();
    assert!(!user.out("start --dir alone").contains("--in"));
    runner::run(runner::other("git").args(["init", "-q", "repository"]).current_dir(home));
    let started = user.out("start --dir repository/rotation");
    let root = home.canonicalize().unwrap().join("repository");
    assert!(
        started.contains(&format!("next --in {} --dir repository/rotation", root.display())),
        "{started}"
    );
    runner::run(runner::other("git").args(["init", "-q"]).current_dir(home));
    assert!(user.out("start --dir rotation").contains("next --in . --dir rotation"));
    fs::write(home.join(".gitignore"), "target\n").unwrap();
    assert!(!user.out("start --dir target/demo").contains("--in"));
}

#[test]
fn rendering_twice_gives_the_same_bytes_and_a_merged_step_no_difference() {
    let mut user = User::new();
    user.out("start --dir rotation");
    assert_eq!(user.out("render bundle --dir rotation"), user.out("render bundle --dir rotation"));
    user.merge("bundle --step 1");
    assert_eq!(user.run("diff bundle --step 1 --dir rotation").out, "");
    assert_eq!(user.run("diff bundle --step 2 --dir rotation").code, 1);
    user.cluster.wait(SignedDuration::from_mins(5));
    user.merge("bundle --step 2");
    user.cluster.wait(SignedDuration::from_mins(5));
    let before = user.out("render bundle --step 3 --dir rotation");
    user.merge("bundle --step 3");
    user.cluster.wait(SignedDuration::from_mins(5));
    assert_eq!(user.out("render bundle --step 3 --dir rotation"), before);
    assert_eq!(user.run("diff bundle --step 3 --dir rotation").out, "");
}

#[test]
fn no_private_key_is_ever_shown_unasked() {
    let mut user = User::new();
    user.out("start --dir rotation");
    for step in 1..=3 {
        user.merge(&format!("bundle --step {step}"));
        user.cluster.manual("shipper");
        user.cluster.wait(SignedDuration::from_mins(5));
    }
    let key = user.read("rotation/issuer.key");
    let body = key.lines().nth(1).unwrap();
    for arguments in [
        "status",
        "status --dir rotation -o json",
        "check -o json",
        "plan --dir rotation -o json",
        "diff issuer --dir rotation",
        "snapshot",
        "inspect",
        "inspect rotation/issuer.key",
    ] {
        let output = user.run(arguments);
        let said = output.out + &output.err;
        assert!(!said.contains(body), "{arguments}");
        assert!(!said.contains(&user.cluster.issuer_key.lines().nth(1).unwrap().to_owned()), "{arguments}");
        assert!(output.code < 2, "{arguments}: {said}");
    }
}
