//! `verify` as people and pull requests meet it: its forms of output, and the places it reads from.

use std::fs;
use std::path::Path;
use std::process::Command as Process;

use serde_json::{Value, json};

use crate::cluster;
use crate::runner;
use crate::support::reviewer;
use crate::support::reviewer::{Reviewer, bundle, issuer_of, new_anchor, secret_of, swapped, trust_roots};

fn git(directory: &Path, arguments: &[&str]) -> bool {
    let mut git = Process::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]);
    git.current_dir(directory).args(arguments).output().is_ok_and(|output| output.status.success())
}

#[test]
fn markdown_and_annotations_name_the_proposed_document() {
    let reviewer = Reviewer::new();
    reviewer.propose(&[trust_roots(&bundle(&[&new_anchor()]))]);
    let out = |format: &str| {
        let output =
            reviewer.run(&["verify", "-f", "dump.json", "--proposed", "proposed.yaml", "-o", format]);
        assert_eq!(output.status.code(), Some(4));
        String::from_utf8(output.stdout).unwrap()
    };
    let github = out("github");
    assert!(github.lines().all(|line| line.starts_with("::")), "{github}");
    assert!(github.contains("::error file=proposed.yaml,line="), "{github}");
    let markdown = out("markdown");
    assert!(
        markdown.starts_with("### A trust anchor added and another removed\n\n❌ **UNSAFE**: do not merge: "),
        "{markdown}"
    );
    assert!(markdown.contains("#### Breaks"), "{markdown}");
}

/// What a person reads; hashes, which differ from run to run, as `HASH`.
fn golden(name: &str, text: &str) {
    let filters =
        [(r"\([0-9a-f]{12}\)", "(HASH)"), (r"  [0-9a-f]{12}  ", "  HASH  "), (r"-[0-9a-f]{8,10}-", "-HASH-")];
    insta::with_settings!({filters => filters}, { insta::assert_snapshot!(name, text) });
}

#[test]
fn the_issuer_before_the_bundle_reads_so() {
    let reviewer = Reviewer::new();
    golden("the_issuer_before_the_bundle_reads_so", &reviewer.text(&[secret_of(&issuer_of(&new_anchor()))]));
}

#[test]
fn an_anchor_dropped_too_early_reads_so() {
    let reviewer = Reviewer::new();
    golden("an_anchor_dropped_too_early_reads_so", &reviewer.text(&[trust_roots(&bundle(&[&new_anchor()]))]));
}

#[test]
fn an_anchor_that_may_go_tomorrow_reads_so() {
    let (reviewer, new) = swapped();
    golden("an_anchor_that_may_go_tomorrow_reads_so", &reviewer.text(&[trust_roots(&bundle(&[&new]))]));
}

#[test]
fn the_time_to_wait_for_is_told_in_the_readers_zone_and_in_utc() {
    let (mut reviewer, new) = swapped();
    let change = [trust_roots(&bundle(&[&new]))];
    reviewer.zone = "NZST-12NZDT,M9.5.0,M4.1.0/3";
    assert!(
        reviewer.text(&change).starts_with("SAFE AFTER 2026-11-24 15:20:21 NZDT (02:20:21Z, in 23 hours)  ")
    );
    reviewer.zone = "EST5EDT,M3.2.0,M11.1.0";
    let expected = "2026-11-23 21:20:21 EST (2026-11-24 02:20:21Z, in 23 hours)";
    for form in ["text", "markdown", "github"] {
        let output = reviewer.run(&["verify", "-f", "dump.json", "--proposed", "proposed.yaml", "-o", form]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&format!("SAFE AFTER {expected}")), "{form}: {text}");
    }
    assert_eq!(reviewer.verdict(&change).0["after"], "2026-11-24T02:20:21Z");
}

#[test]
fn a_snapshot_and_standard_input_are_two_sides_as_good_as_any() {
    let reviewer = Reviewer::new();
    let snapshot = reviewer.run(&["snapshot", "-f", "dump.json"]);
    fs::write(reviewer.home.path().join("mesh.yaml"), snapshot.stdout).unwrap();
    let verify = |object: &Value| {
        let proposal = reviewer.home.path().join("proposal.json");
        fs::write(&proposal, object.to_string()).unwrap();
        runner::plugin()
            .current_dir(reviewer.home.path())
            .args(["verify", "-f", "mesh.yaml", "--proposed", "-", "--at", cluster::NOW])
            .stdin(fs::File::open(proposal).unwrap())
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(verify(&secret_of(&issuer_of(&reviewer.cluster.anchor))), Some(0));
    assert_eq!(verify(&secret_of(&issuer_of(&new_anchor()))), Some(4));
    assert_eq!(reviewer.run(&["verify", "-f", "-", "--proposed", "-"]).status.code(), Some(2));
    assert_eq!(reviewer.run(&["verify", "-f", "mesh.yaml"]).status.code(), Some(2));
    assert_eq!(
        reviewer.run(&["verify", "-f", "dump.json", "--proposed", "mesh.yaml"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_pull_request_is_judged_out_of_its_checkout() {
    let reviewer = Reviewer::new();
    let repository = reviewer.home.path();
    if !git(repository, &["init", "-q"]) {
        println!("skipped: a_pull_request_is_judged_out_of_its_checkout: no git");
        return;
    }
    let deploy = repository.join("deploy/linkerd");
    fs::create_dir_all(&deploy).unwrap();
    for (number, object) in
        reviewer.cluster.items().iter().filter(|object| object["kind"] != "Pod").enumerate()
    {
        let name = format!("{number:02}-{}.yaml", object["metadata"]["name"].as_str().unwrap());
        fs::write(deploy.join(name), format!("{object:#}\n")).unwrap();
    }
    assert!(git(repository, &["add", "deploy"]) && git(repository, &["commit", "-q", "-m", "base"]));
    let verify = |format: &str| {
        let output = reviewer.run(&["verify", "-f", "deploy", "-R", "--git-base", "HEAD", "-o", format]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (String::from_utf8(output.stdout).unwrap() + &said, output.status.code().unwrap())
    };
    let (said, exit) = verify("text");
    assert_eq!(exit, 0, "{said}");
    assert!(said.starts_with("NOT ABOUT TRUST"), "{said}");

    let find = |name: &str| {
        let names = fs::read_dir(&deploy).unwrap().map(|entry| entry.unwrap().path());
        names.into_iter().find(|path| path.to_string_lossy().ends_with(name)).unwrap()
    };
    let roots = find("linkerd-identity-trust-roots.yaml");
    let mut object: Value = serde_json::from_str(&fs::read_to_string(&roots).unwrap()).unwrap();
    let new = new_anchor();
    object["data"]["ca-bundle.crt"] = bundle(&[&reviewer.cluster.anchor, &new]).into();
    fs::write(&roots, format!("{object:#}\n")).unwrap();
    let (said, exit) = verify("text");
    assert_eq!(exit, 0, "{said}");
    assert!(said.starts_with("SAFE "), "{said}");

    object["data"]["ca-bundle.crt"] = bundle(&[&new]).into();
    fs::write(&roots, format!("{object:#}\n")).unwrap();
    let (said, exit) = verify("github");
    assert_eq!(exit, 4, "{said}");
    let name = roots.file_name().unwrap().to_string_lossy().into_owned();
    assert!(said.contains(&format!("::error file=deploy/linkerd/{name},line=4,")), "{said}");

    fs::remove_file(&roots).unwrap();
    let (said, exit) = verify("text");
    assert_eq!(exit, 4, "{said}");
    assert!(said.contains("bundle-removed"), "{said}");

    let output = reviewer.run(&["verify", "-f", "deploy", "-R", "--git-base", "--output=/x"]);
    assert_eq!(output.status.code(), Some(2));
    let output = reviewer.run(&["verify", "-f", "deploy", "-R", "--git-base", "no-such-branch"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("git knows no commit `no-such-branch`"));
}

/// A checkout of the mesh's manifests with these beside them.
fn checkout(beside: &[(&str, Value)], without: &str) -> Option<Reviewer> {
    let reviewer = Reviewer::new();
    let home = reviewer.home.path();
    if !git(home, &["init", "-q"]) {
        println!("skipped: verify_output: no git");
        return None;
    }
    let items = reviewer.cluster.items();
    let manifests = items.iter().filter(|object| object["kind"] != "Pod");
    let named = manifests.map(|object| (object["metadata"]["name"].as_str().unwrap(), object));
    let kept = named.filter(|(name, _)| *name != without).enumerate();
    fs::create_dir(home.join("deploy")).unwrap();
    for (number, (name, object)) in kept {
        let kind = object["kind"].as_str().unwrap();
        let file = if name.starts_with("linkerd-identity") {
            format!("{kind}-{name}.yaml")
        } else {
            format!("{number}.yaml")
        };
        fs::write(home.join("deploy").join(file), format!("{object:#}\n")).unwrap();
    }
    for (file, object) in beside {
        fs::write(home.join("deploy").join(file), format!("{object:#}\n")).unwrap();
    }
    assert!(git(home, &["add", "deploy"]) && git(home, &["commit", "-q", "-m", "base"]));
    Some(reviewer)
}

/// The verdict on the checkout, the codes of its findings and the exit code.
fn judged(reviewer: &Reviewer) -> (String, Vec<String>, i32) {
    let output = reviewer.run(&["verify", "-f", "deploy", "--git-base", "HEAD", "-o", "json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let verdict: Value = serde_json::from_slice(&output.stdout).expect(&said);
    let codes = reviewer::codes(&verdict).into_iter().map(str::to_owned).collect();
    (verdict["verdict"].as_str().unwrap().to_owned(), codes, output.status.code().unwrap())
}

#[test]
fn a_checkout_that_loses_its_issuer_or_its_identity_controller_is_unsafe() {
    for (file, code) in [
        ("Secret-linkerd-identity-issuer.yaml", "issuer-removed"),
        ("Deployment-linkerd-identity.yaml", "control-plane-workload-removed"),
    ] {
        let Some(reviewer) = checkout(&[], "") else { return };
        fs::remove_file(reviewer.home.path().join("deploy").join(file)).unwrap();
        assert_eq!(judged(&reviewer), ("unsafe".to_owned(), vec![code.to_owned()], 4), "{file}");
    }
}

#[test]
fn a_sealed_secret_counts_where_it_changes_and_nowhere_else() {
    let sealed = json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"name": "linkerd-identity-issuer", "namespace": "linkerd"},
        "spec": {"encryptedData": {"crt.pem": "AgA", "key.pem": "AgB"}}});
    let Some(reviewer) = checkout(&[("sealed.yaml", sealed.clone())], "linkerd-identity-issuer") else {
        return;
    };
    let place = reviewer.home.path().join("deploy/sealed.yaml");
    fs::write(
        reviewer.home.path().join("deploy/other.yaml"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
    )
    .unwrap();
    assert_eq!(judged(&reviewer), ("not-about-trust".to_owned(), Vec::new(), 0));
    let mut changed = sealed;
    changed["spec"]["encryptedData"]["crt.pem"] = "AgC".into();
    fs::write(&place, format!("{changed:#}\n")).unwrap();
    assert_eq!(judged(&reviewer), ("unknown".to_owned(), vec!["not-rendered".to_owned()], 3));
    fs::remove_file(&place).unwrap();
    let (verdict, codes, exit) = judged(&reviewer);
    assert_eq!((verdict.as_str(), exit), ("unsafe", 4), "{codes:?}");
    assert!(codes.contains(&"issuer-removed".to_owned()), "{codes:?}");
}

#[test]
fn helm_values_beside_other_objects_of_the_same_names_are_a_contradiction() {
    let release = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": "linkerd-control-plane", "namespace": "linkerd"},
        "spec": {"values": {"identityTrustAnchorsPEM": "x"}}});
    let Some(reviewer) = checkout(&[("release.yaml", release)], "") else { return };
    let output = reviewer.run(&["verify", "-f", "deploy", "--git-base", "HEAD"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("linkerd-identity-trust-roots stands twice, with different content"), "{said}");
    assert!(said.contains("deploy/release.yaml:1"), "{said}");
}
