//! A whole rotation as edits of the user's own files, in every layout of a repository: each step is one commit that `verify` calls
//! safe, and what the repository declares then is what the cluster takes.

use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use l5d_rotate::document;
use l5d_rotate::pki::{BundleText, Rules};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::layouts::deployed::{Made, declared, workloads};
use crate::layouts::desk::{Desk, said};
use crate::layouts::{Declared, Layout, NOT_UNDERSTOOD, RENDERED, Repository, VALUES, text};
use crate::runner;
use crate::sizes;

fn every(layouts: &[Layout], made: Made) {
    let mut wrong = Vec::new();
    for (place, layout) in layouts.iter().enumerate().step_by(sizes::of(6, 1)) {
        // In one layout the whole rotation, in the others one step of each kind.
        let most = if place == 0 { usize::MAX } else { sizes::of(4, usize::MAX) };
        let builds = (layout.1)(&Declared::of(&Cluster::new()))
            .iter()
            .any(|(name, _)| name.ends_with("kustomization.yaml"));
        if builds && !runner::has(&format!("edits: {}", layout.0), &["kubectl"]) {
            continue;
        }
        let Some(mut desk) = Desk::new(layout, made) else {
            println!("skipped: edits: no git");
            return;
        };
        let old = desk.cluster.bundle.clone();
        match desk.take(most) {
            Ok(taken) if taken.len() == most => {}
            Ok(taken) => {
                let anchors = BundleText::read(desk.cluster.bundle.as_str());
                let is_one =
                    anchors.as_read_by(Rules::Controller).is_ok_and(|bundle| bundle.anchors().len() == 1);
                if !is_one || old == desk.cluster.bundle {
                    wrong.push(format!("{}: {taken:?}", layout.0));
                }
            }
            Err(why) => wrong.push(format!("{}: {why}", layout.0)),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
#[ignore = "long"]
fn a_rotation_is_edited_into_manifests_in_every_layout() {
    every(RENDERED, Made::ByManifests);
}

#[test]
#[ignore = "long"]
fn a_rotation_is_edited_into_values_of_charts_in_every_layout() {
    every(VALUES, Made::ByChart);
}

/// The injector's pods take the annotations of the identity controller's value, and none of their own.
#[test]
fn a_value_that_two_deployments_share_restarts_both_and_says_so() {
    let Some(desk) = Desk::new(&VALUES[0], Made::ByChart) else { return };
    let dir = desk.at("rotation");
    let step = ["render", "issuer", "--step", "2", "--in", ".", "--dir", &dir, "--force"];
    let edited = desk.run(&[&step[..], &["--allow-plaintext-keys"]].concat());
    let screen = said(&edited);
    for name in ["identity", "proxy-injector"] {
        assert!(screen.contains(&format!("restarts Deployment linkerd/linkerd-{name}\n")), "{screen}");
    }
    assert!(!screen.contains("linkerd-destination"), "{screen}");
    let values = fs::read_to_string(desk.repository.home.path().join("linkerd/values.yaml")).unwrap();
    assert_eq!(values.matches("podAnnotations").count(), 1, "{values}");
}

/// How somebody's tools write objects into a file: its name, and its text.
type Writing = (&'static str, fn(&[Value]) -> String);

const WRITINGS: [Writing; 4] = [
    ("list.json", |all| format!("{:#}\n", json!({"apiVersion": "v1", "kind": "List", "items": all}))),
    ("one-after-another.json", |all| all.iter().map(|one| format!("{one}\n")).collect()),
    ("list.yaml", |all| text(&[json!({"apiVersion": "v1", "kind": "List", "items": all})])),
    ("folded.yaml", |all| folded(&text(all))),
];

/// Each text of several lines in single quotes, as PyYAML writes it where no line begins with a blank: an empty line is one line's end.
fn folded(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((key, chomp)) = line.rsplit_once(": |").filter(|(_, rest)| rest.len() < 2) else {
            out += &format!("{line}\n");
            continue;
        };
        let by = key.len() - key.trim_start().len() + 2;
        let indent = " ".repeat(by);
        let mut block = Vec::new();
        while let Some(line) = lines.next_if(|line| line.is_empty() || line.starts_with(&indent)) {
            block.push(line.get(by..).unwrap_or_default().replace('\'', "''"));
        }
        if block.iter().any(|line| line.starts_with(' ')) {
            let lines = block.iter().map(|line| format!("{indent}{line}\n"));
            out += &format!("{line}\n{}", lines.collect::<String>());
            continue;
        }
        let folded = block.join(&format!("\n\n{indent}"));
        let end = if chomp == "-" { String::new() } else { format!("\n\n{indent}") };
        out += &format!("{key}: '{folded}{end}'\n");
    }
    out
}

#[test]
#[ignore = "long"]
fn a_rotation_is_edited_into_manifests_however_they_are_written() {
    let steps = sizes::of(4, 9);
    for (name, writing) in WRITINGS.iter().step_by(sizes::of(3, 1)) {
        let cluster = Cluster::new();
        let objects = Declared::of(&cluster).objects()[..3].to_vec();
        let all = [objects, workloads(&cluster, Made::ByManifests)].concat();
        let before = writing(&all);
        let Some(mut desk) = Desk::over(cluster, &vec![((*name).to_owned(), before.clone())], None) else {
            println!("skipped: a_rotation_is_edited_into_manifests_however_they_are_written: no git");
            return;
        };
        let taken = desk.take(steps).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(taken.len(), steps, "{name}: {taken:?}");
        // Laid out by the same hand, the file holds what it held, and the step; what was quoted stays so.
        let after = fs::read_to_string(desk.repository.home.path().join(name)).unwrap();
        let expected = writing(&declared(desk.repository.home.path(), None));
        let differs = |(is, shall): &(&str, &str)| is.replace('"', "") != shall.replace('"', "");
        assert_eq!(after.lines().zip(expected.lines()).find(differs), None, "{name}");
        assert_eq!(after.lines().count(), expected.lines().count(), "{name}");
    }
}

/// A mesh with a workload of each kind that is hard to restart.
#[test]
#[ignore = "long"]
fn a_rollout_of_argo_is_restarted_by_its_template() {
    let mut cluster = Cluster::realistic();
    // Its proxy is written into its manifest, which is another's edit.
    cluster.workloads.retain(|load| load.name != "legacy-pricing");
    let all =
        [Declared::of(&cluster).objects()[..3].to_vec(), workloads(&cluster, Made::ByManifests)].concat();
    let Some(mut desk) = Desk::over(cluster, &vec![("all.yaml".to_owned(), text(&all))], None) else {
        println!("skipped: a_rollout_of_argo_is_restarted_by_its_template: no git");
        return;
    };
    let taken = desk.rotate().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(taken.len(), 9, "{taken:?}");
    let trees = declared(desk.repository.home.path(), None);
    let rollout = trees.iter().find(|tree| tree["kind"] == "Rollout").unwrap();
    let annotations = &rollout["spec"]["template"]["metadata"]["annotations"];
    assert!(
        annotations["l5d-rotate/trust-bundle"].is_string() && annotations["l5d-rotate/issuer"].is_string()
    );
}

/// Applications that charts make, which are not in the repository, beside Linkerd's.
#[test]
#[ignore = "long"]
fn what_other_charts_make_is_restarted_by_their_releases() {
    let mut cluster = Cluster::new();
    for load in cluster.workloads.iter_mut().filter(|load| load.namespace == "shop") {
        load.release = Some(if load.kind == "StatefulSet" { "db" } else { "shop" });
    }
    let release = |name: &str, spec: Value| {
        let mut all = json!({"interval": "5m", "chart": {"spec": {"chart": name, "sourceRef": {"kind": "HelmRepository", "name": "x"}}}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": name, "namespace": "shop"}, "spec": all})
    };
    let (mut of_others, of_shop): (Vec<Value>, Vec<Value>) = workloads(&cluster, Made::ByManifests)
        .into_iter()
        .partition(|tree| tree["metadata"]["namespace"] != "shop");
    assert_eq!(of_shop.len(), 2);
    of_others.extend(Declared::of(&cluster).objects()[..3].to_vec());
    let patch = json!({"patch": "- op: remove\n  path: /x\n", "target": {"kind": "Service"}});
    let files = [
        ("linkerd.yaml", text(&of_others)),
        ("shop/shop.yaml", text(&[release("shop", json!({"values": {"a": 1}}))])),
        (
            "shop/db.yaml",
            text(&[release("db", json!({"postRenderers": [{"kustomize": {"patches": [patch]}}]}))]),
        ),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text)).to_vec();
    let Some(mut desk) = Desk::over(cluster, &files, None) else {
        println!("skipped: what_other_charts_make_is_restarted_by_their_releases: no git");
        return;
    };
    let taken = desk.rotate().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(taken.len(), 9, "{taken:?}");
    for (name, object, renderers) in [("shop/shop.yaml", "checkout", 1), ("shop/db.yaml", "cart-db", 2)] {
        let now = fs::read_to_string(desk.repository.home.path().join(name)).unwrap();
        let tree = &document::parse(&now, name).unwrap()[0].tree;
        let all = tree["spec"]["postRenderers"].as_array().unwrap();
        let last = &all[all.len() - 1]["kustomize"]["patches"][0];
        assert_eq!((all.len(), &last["target"]["name"]), (renderers, &json!(object)), "{now}");
        for annotation in ["l5d-rotate/trust-bundle: sha256", "l5d-rotate/issuer: sha256"] {
            assert_eq!(now.matches(annotation).count(), 1, "{now}");
        }
    }
}

#[test]
#[ignore = "long"]
fn a_rollback_is_edited_as_well_and_the_old_trust_is_back() {
    let Some(mut desk) = Desk::new(&VALUES[0], Made::ByChart) else {
        println!("skipped: a_rollback_is_edited_as_well_and_the_old_trust_is_back: no git");
        return;
    };
    let (bundle, issuer) = (desk.cluster.bundle.clone(), desk.cluster.issuer.clone());
    let mut taken = Vec::new();
    while taken.len() < 4 {
        taken.extend(desk.step(&[]).unwrap_or_else(|why| panic!("{taken:?} {why}")));
    }
    assert_ne!(desk.cluster.issuer, issuer);
    let key = desk.at("old.key");
    let back = loop {
        match desk.step(&["--rollback", "--issuer-key", &key]) {
            Ok(step) => taken.extend(step),
            Err(said) => break said,
        }
        assert!(taken.len() < 20, "{taken:?}");
    };
    assert_eq!(back, "Nothing is left", "{taken:?}");
    assert_eq!(desk.cluster.issuer.trim(), issuer.trim());
    assert_eq!(desk.cluster.bundle.trim(), bundle.trim());
}

#[test]
fn a_file_with_changes_is_refused_and_the_same_step_again_changes_nothing() {
    let Some(desk) = Desk::new(&RENDERED[0], Made::ByManifests) else {
        println!("skipped: a_file_with_changes_is_refused_and_the_same_step_again_changes_nothing: no git");
        return;
    };
    let file = desk.repository.home.path().join("linkerd.yaml");
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("# mine\n{before}")).unwrap();
    let refused = desk.next(&[]);
    assert!(
        refused.status.code() == Some(2) && said(&refused).contains("linkerd.yaml"),
        "{}",
        said(&refused)
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("# mine\n{before}"));
    fs::write(&file, &before).unwrap();
    let shown = desk.run(&["diff", "bundle", "--step", "1", "--in", ".", "--dir", &desk.at("rotation")]);
    assert_eq!(shown.status.code(), Some(1), "{}", said(&shown));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    assert!(desk.next(&[]).status.success());
    let edited = fs::read_to_string(&file).unwrap();
    let again = desk.next(&[]);
    assert!(again.status.code() == Some(3) && said(&again).contains("already"), "{}", said(&again));
    assert_eq!(fs::read_to_string(&file).unwrap(), edited);
    // What `diff` shows is what `git apply` takes.
    fs::write(&file, &before).unwrap();
    fs::write(desk.at("step.patch"), &shown.stdout).unwrap();
    assert!(desk.repository.git(&["apply", &desk.at("step.patch")]));
    assert_eq!(fs::read_to_string(&file).unwrap(), edited);
}

#[test]
fn a_file_that_is_not_understood_is_edited_where_it_is_named() {
    let Some(desk) = Desk::new(&NOT_UNDERSTOOD[0], Made::ByChart) else {
        println!("skipped: a_file_that_is_not_understood_is_edited_where_it_is_named: no git");
        return;
    };
    assert_eq!(NOT_UNDERSTOOD[0].0, "Terraform");
    let not_found = desk.next(&[]);
    assert!(
        not_found.status.code() == Some(2) && said(&not_found).contains("--target"),
        "{}",
        said(&not_found)
    );
    let other = desk.next(&["--target", "workloads/all.yaml"]);
    assert!(other.status.code() == Some(2) && said(&other).contains("holds none"), "{}", said(&other));
    let file = desk.repository.home.path().join("linkerd.tf");
    let edited = desk.next(&["--target", "linkerd.tf"]);
    assert!(edited.status.success(), "{}", said(&edited));
    assert!(said(&edited).contains("next --in . --target linkerd.tf --dir "), "{}", said(&edited));
    let after = fs::read_to_string(&file).unwrap();
    let git =
        runner::other("git").current_dir(desk.repository.home.path()).args(["diff", "--shortstat"]).output();
    let numbers = String::from_utf8(git.unwrap().stdout).unwrap();
    assert!(numbers.contains("11 insertions") && !numbers.contains("deletion"), "{numbers}");
    let bundle = after.split("EOT\n").nth(1).unwrap();
    let anchors = BundleText::read(bundle.trim());
    assert_eq!(anchors.as_read_by(Rules::Controller).unwrap().anchors().len(), 2);
}

/// Linkerd's own rendered installs of four versions.
fn installs() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real/install");
    let mut all: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
#[ignore = "long"]
fn a_real_install_of_every_era_holds_each_step_after_its_edit() {
    let mut wrong = Vec::new();
    let installs = installs();
    if installs.is_empty() {
        println!("skipped: a_real_install_of_every_era_holds_each_step_after_its_edit: no ../shared/real");
    }
    for path in installs.into_iter().step_by(sizes::of(4, 1)) {
        let Some(repository) = Repository::new() else {
            println!("skipped: a_real_install_of_every_era_holds_each_step_after_its_edit: no git");
            return;
        };
        repository.write(&vec![("install.yaml".to_owned(), fs::read_to_string(&path).unwrap())]);
        repository.commit();
        let beside = tempfile::tempdir().unwrap();
        let dir = beside.path().join("rotation").to_str().unwrap().to_owned();
        let run = |arguments: &[&str]| {
            runner::plugin()
                .current_dir(repository.home.path())
                .args(arguments)
                .args(["--dir", &dir, "-f", ".", "-R", "--at", crate::cluster::NOW])
                .output()
                .unwrap()
        };
        let started = run(&["start", "--allow-managed"]);
        assert!(started.status.success(), "{}: {}", path.display(), said(&started));
        for (phase, number) in
            [("bundle", "1"), ("bundle", "2"), ("issuer", "1"), ("prune", "1"), ("prune", "2")]
        {
            let step = ["--step", number, "--force"];
            let edit = [&["render", phase], &step[..], &["--in", ".", "--allow-plaintext-keys"]].concat();
            let edited = run(&edit);
            let diff = run(&[&["diff", phase], &step[..]].concat());
            // The new key is in the Secret, and its new text is not what is shown.
            let differs =
                String::from_utf8_lossy(&diff.stdout).lines().any(|line| line.starts_with(['+', '-']));
            if !edited.status.success() || differs {
                wrong.push(format!("{} {phase}/{number}: {}{}", path.display(), said(&edited), said(&diff)));
            }
            repository.commit();
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_start_shows_first_where_the_repository_holds_what_is_replaced() {
    let Some(desk) = Desk::new(&VALUES[0], Made::ByChart) else {
        println!("skipped: a_start_shows_first_where_the_repository_holds_what_is_replaced: no git");
        return;
    };
    let started = desk.run(&["start", "--in", ".", "--dir", &desk.at("other")]);
    assert!(started.status.success(), "{}", said(&started));
    let found: Vec<String> = said(&started).lines().skip(2).take(2).map(str::to_owned).collect();
    assert_eq!(found, ["  linkerd/values.yaml:3  trust bundle", "  linkerd/values.yaml:18  issuer"]);
    // Another cluster's.
    let Some(other) = Desk::new(&VALUES[0], Made::ByChart) else { return };
    let home = other.repository.home.path().to_str().unwrap();
    let refused = desk.run(&["start", "--in", home, "--dir", &desk.at("third")]);
    assert!(refused.status.code() == Some(3) && said(&refused).contains("not found"), "{}", said(&refused));
    assert!(!desk.beside.path().join("third").exists());
}

#[test]
fn a_key_that_stood_in_the_file_before_keeps_no_step_from_it_and_is_found() {
    let Some(desk) = Desk::new(&RENDERED[0], Made::ByManifests) else {
        println!("skipped: a_key_that_stood_in_the_file_before_keeps_no_step_from_it_and_is_found: no git");
        return;
    };
    let file = desk.repository.home.path().join("linkerd.yaml");
    let before = fs::read_to_string(&file).unwrap();
    let key =
        document::parse(&before, "t").unwrap().remove(1).tree["data"]["key.pem"].as_str().unwrap().to_owned();
    let dir = desk.at("rotation");
    // The bundle stands above the key, and nothing of the key changes.
    let shown = desk.run(&["diff", "bundle", "--step", "1", "--in", ".", "--dir", &dir]);
    assert!(!said(&shown).contains(&key[..60]), "{}", said(&shown));
    let next = desk.run(&["next", "--in", ".", "--dir", &dir]);
    assert!(next.status.success(), "{}", said(&next));
    assert!(said(&next).contains("private-keys-in-files: "), "{}", said(&next));
    assert!(said(&next).contains("linkerd.yaml:") && !said(&next).contains(&key[..60]), "{}", said(&next));
    let after = fs::read_to_string(&file).unwrap();
    assert!(after != before && after.contains(&key));
}

#[test]
fn a_step_that_brings_a_key_into_the_file_is_refused_as_ever() {
    let Some(mut desk) = Desk::new(&RENDERED[0], Made::ByManifests) else {
        println!("skipped: a_step_that_brings_a_key_into_the_file_is_refused_as_ever: no git");
        return;
    };
    let dir = desk.at("rotation");
    let mut taken = Vec::new();
    while taken.len() < 3 {
        taken.extend(desk.step(&[]).unwrap_or_else(|why| panic!("{taken:?} {why}")));
    }
    let before = fs::read_to_string(desk.repository.home.path().join("linkerd.yaml")).unwrap();
    // What is left of the restarts is done manually.
    desk.cluster.all_manually();
    desk.cluster.wait(SignedDuration::from_hours(1));
    let refused = desk.run(&["next", "--in", ".", "--dir", &dir]);
    assert!(refused.status.code() == Some(2) && said(&refused).contains("plain text"), "{}", said(&refused));
    assert_eq!(fs::read_to_string(desk.repository.home.path().join("linkerd.yaml")).unwrap(), before);
}
