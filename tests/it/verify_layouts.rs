//! One change, laid out in a repository in many ways, gets one verdict.

use crate::cluster::Cluster;
use crate::layouts::{Declared, Layout, NOT_UNDERSTOOD, RENDERED, Repository, VALUES};
use crate::runner;
use crate::sizes;
use crate::support::reviewer::{bundle, issuer_of, new_anchor};

/// A change, and the verdict on it.
type Change = (&'static str, Declared, &'static str);

fn changes(cluster: &Cluster) -> Vec<Change> {
    let now = Declared::of(cluster);
    let new = new_anchor();
    let both = bundle(&[&cluster.anchor, &new]);
    let with = |bundle: &str| Declared { bundle: bundle.to_owned(), ..now.clone() };
    vec![
        ("nothing", now.clone(), "not-about-trust"),
        ("another image", Declared { replicas: 3, ..now.clone() }, "not-about-trust"),
        ("an anchor added", with(&both), "safe"),
        ("the anchor replaced", with(&bundle(&[&new])), "unsafe"),
        (
            "a bundle that nobody reads",
            with("-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"),
            "unsafe",
        ),
        ("another issuer of the same anchor", now.with_issuer(&issuer_of(&cluster.anchor)), "unknown"),
        ("an issuer of an anchor that is not there", now.with_issuer(&issuer_of(&new)), "unsafe"),
        ("anchor and issuer at once", with(&both).with_issuer(&issuer_of(&new)), "unsafe"),
    ]
}

fn judged(
    repository: &Repository,
    cluster: &Cluster,
    layout: &Layout,
    changes: &[Change],
    wrong: &mut Vec<String>,
) {
    let (name, files) = layout;
    repository.write(&files(&Declared::of(cluster)));
    repository.commit();
    for (change, declared, expected) in changes {
        repository.write(&files(declared));
        let (verdict, tree, code) = repository.verify(&["-f", ".", "-R"]);
        if verdict != *expected {
            wrong.push(format!("{name}, {change}: {verdict} ({code}), not {expected}\n{tree:#}"));
        }
    }
}

fn every(layouts: &[Layout]) {
    let Some(repository) = Repository::new() else {
        println!("skipped: verify_layouts: no git");
        return;
    };
    let cluster = Cluster::new();
    let all = changes(&cluster);
    let apart = sizes::of(12, 1);
    let mut wrong = Vec::new();
    for (place, layout) in layouts.iter().enumerate() {
        let builds =
            (layout.1)(&Declared::of(&cluster)).iter().any(|(name, _)| name.ends_with("kustomization.yaml"));
        if builds && !runner::has(&format!("verify_layouts: {}", layout.0), &["kubectl"]) {
            continue;
        }
        // Of each layout some changes, and of the next one others.
        let some: Vec<_> = all.iter().skip(place % apart).step_by(apart).cloned().collect();
        judged(&repository, &cluster, layout, &some, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rendered_objects_get_one_verdict_in_every_layout() {
    every(RENDERED);
}

#[test]
fn values_of_a_chart_are_judged_like_what_the_chart_makes_of_them() {
    every(VALUES);
}

#[test]
#[ignore = "long"]
fn against_a_dump_of_the_cluster_each_layout_gets_the_verdict_that_the_dump_allows() {
    let Some(repository) = Repository::new() else {
        println!("skipped: verify_layouts: no git");
        return;
    };
    let cluster = Cluster::new();
    let dump = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(dump.path(), cluster.dump()).unwrap();
    let arguments = ["-f", dump.path().to_str().unwrap(), "-f", ".", "-R"];
    let mut wrong = Vec::new();
    for layout in RENDERED.iter().take(1).chain(VALUES.iter().take(3)) {
        let (name, files) = layout;
        repository.write(&files(&Declared::of(&cluster)));
        repository.commit();
        for (change, declared, expected) in changes(&cluster) {
            // A dump tells which issuer the controllers have loaded.
            let expected = if expected == "unknown" { "safe" } else { expected };
            repository.write(&files(&declared));
            let (verdict, tree, code) = repository.verify(&arguments);
            if verdict != expected {
                wrong.push(format!("{name}, {change}: {verdict} ({code}), not {expected}\n{tree:#}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_not_understood_is_unknown_by_name_where_it_changes_and_only_there() {
    let Some(repository) = Repository::new() else {
        println!("skipped: verify_layouts: no git");
        return;
    };
    let cluster = Cluster::new();
    let mut wrong = Vec::new();
    for (name, files) in NOT_UNDERSTOOD {
        repository.write(&files(&Declared::of(&cluster)));
        repository.commit();
        for (change, declared, verdict) in changes(&cluster) {
            repository.write(&files(&declared));
            let expected = if verdict == "not-about-trust" { verdict } else { "unknown" };
            let (verdict, tree, code) = repository.verify(&["-f", ".", "-R"]);
            if verdict != expected {
                wrong.push(format!("{name}, {change}: {verdict} ({code}), not {expected}\n{tree:#}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn two_clusters_are_judged_each_by_itself() {
    let Some(repository) = Repository::new() else {
        println!("skipped: verify_layouts: no git");
        return;
    };
    let cluster = Cluster::new();
    let of = |name: &str, declared: &Declared| {
        let files = (RENDERED[1].1)(declared);
        files.into_iter().map(|(file, text)| (format!("clusters/{name}/{file}"), text)).collect::<Vec<_>>()
    };
    let now = Declared::of(&cluster);
    let both = |prod: &Declared| [of("dev", &now), of("prod", prod)].concat();
    repository.write(&both(&now));
    repository.commit();
    for (change, declared, expected) in changes(&cluster) {
        repository.write(&both(&declared));
        let (verdict, tree, _) = repository.verify(&["-f", ".", "-R"]);
        assert_eq!(verdict, expected, "{change}: {tree:#}");
        assert_eq!(tree["units"].as_array().unwrap().len(), 2, "{change}");
        crate::schemas::fits("verify", &tree);
        let (verdict, tree, _) = repository.verify(&["-f", ".", "-R", "--unit", "clusters/dev"]);
        assert_eq!(
            (verdict.as_str(), &tree["unit"]),
            ("not-about-trust", &"clusters/dev".into()),
            "{change}"
        );
    }
    let (said, _, code) = repository.verify(&["-f", ".", "-R", "--unit", "clusters/test"]);
    assert!(code == 2 && said.contains("clusters/dev, clusters/prod"), "{said}");
}

#[test]
#[ignore = "writes every layout into LAYOUTS, to be looked at"]
fn layouts_to_look_at() {
    let Some(home) = std::env::var_os("LAYOUTS") else {
        return println!("skipped: layouts_to_look_at: no LAYOUTS");
    };
    let cluster = Cluster::new();
    for (name, files) in RENDERED.iter().chain(VALUES).chain(NOT_UNDERSTOOD) {
        for (file, text) in files(&Declared::of(&cluster)) {
            let path = std::path::Path::new(&home).join(name.replace(' ', "-")).join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }
}
