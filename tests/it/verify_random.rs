//! Random changes in random layouts: whatever surrounds it and however it is written, one change gets one verdict.

use std::collections::BTreeMap;

use l5d_rotate::document;
use l5d_rotate::pki::Authority;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::layouts::{Declared, Files, Layout, RENDERED, Repository, VALUES, text};
use crate::sizes;
use crate::support::reviewer::{anchor, bundle, issuer_of};

/// What a case is made of, by number.
#[derive(Debug, Clone)]
struct Case {
    layout: usize,
    /// Anchors of the bundle before and after, as a set of three; and the issuer's.
    before: (u8, usize),
    after: (u8, usize),
    replicas: u64,
    /// The directory that all of it stands in.
    depth: usize,
    as_json: bool,
    one_file: bool,
    beside: u8,
    second_cluster: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let side = || (1..8_u8, 0..3_usize);
    let shape = (0..RENDERED.len() + VALUES.len(), 0..4_usize, any::<bool>(), any::<bool>());
    let rest = (1..3_u64, any::<u8>(), proptest::bool::weighted(0.3));
    (shape, side(), side(), rest).prop_map(|(shape, before, after, rest)| {
        let (layout, depth, as_json, one_file) = shape;
        let (replicas, beside, second_cluster) = rest;
        Case { layout, before, after, replicas, depth, as_json, one_file, beside, second_cluster }
    })
}

struct Material {
    cluster: Cluster,
    anchors: [Authority; 3],
    issuers: [Authority; 3],
}

impl Material {
    fn new() -> Self {
        let anchors = ["root.a", "root.b", "root.c"]
            .map(|name| anchor(name, "2026-11-01T00:00:00Z", "2036-11-01T00:00:00Z"));
        let issuers = [0, 1, 2].map(|at| issuer_of(&anchors[at]));
        Self { cluster: Cluster::new(), anchors, issuers }
    }

    fn declared(&self, (anchors, issuer): (u8, usize), replicas: u64) -> Declared {
        let kept: Vec<&Authority> = self
            .anchors
            .iter()
            .enumerate()
            .filter(|(at, _)| anchors >> at & 1 == 1)
            .map(|(_, one)| one)
            .collect();
        let declared = Declared { bundle: bundle(&kept), replicas, ..Declared::of(&self.cluster) };
        declared.with_issuer(&self.issuers[issuer])
    }
}

/// Manifests of a layout written otherwise: as JSON, or many in one file. What other files refer to keeps its name.
fn rewritten(case: &Case, files: Files) -> Files {
    let is_plain = files.iter().all(|(name, text)| !name.contains("kustomization") && !names_paths(text));
    let mut one = Vec::new();
    let mut kept = Vec::new();
    for (name, content) in files {
        let documents = document::parse(&content, &name).unwrap_or_default();
        let objects: Vec<Value> = documents.into_iter().map(|document| document.tree).collect();
        let are_objects = !objects.is_empty() && objects.iter().all(|tree| tree["kind"].is_string());
        match is_plain && are_objects {
            true if case.one_file => one.extend(objects),
            true if case.as_json => {
                let stem = name.rsplit_once('.').unwrap().0.to_owned();
                kept.push((
                    format!("{stem}.json"),
                    objects.iter().map(|tree| format!("{tree:#}\n")).collect(),
                ));
            }
            _ => kept.push((name, content)),
        }
    }
    if !one.is_empty() {
        kept.push(("all.yaml".to_owned(), text(&one)));
    }
    kept
}

/// Does an engine name files or directories of the repository in it?
fn names_paths(text: &str) -> bool {
    ["./infrastructure", "path: linkerd", "path: \"linkerd", "$values"].iter().any(|mark| text.contains(mark))
}

/// What stands beside it, and is nobody's business here.
fn beside(case: &Case) -> Files {
    let other = |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": "y"}, "data": {"a": "b"}});
    let all: [(&str, String); 8] = [
        ("README.md", "-----BEGIN CERTIFICATE-----\n".to_owned()),
        ("charts/x/templates/a.yaml", "{{ if }}\n".to_owned()),
        ("patch.json", "[{\"op\": \"remove\", \"path\": \"/a\"}]".to_owned()),
        ("stack.yml", "Bucket: !Ref x\n".to_owned()),
        ("other/config.yaml", text(&[other("ConfigMap"), other("Secret")])),
        ("broken.yaml", "a: [\n}".to_owned()),
        ("values.yaml", "replicas: 3\n".to_owned()),
        ("other/null.yaml", "apiVersion: v1\nkind: List\nitems:\n- null\n".to_owned()),
    ];
    let chosen = all.into_iter().enumerate().filter(|(at, _)| case.beside >> at & 1 == 1);
    chosen
        .map(|(at, (name, text))| (if at == 1 { name.to_owned() } else { format!("zz/{name}") }, text))
        .collect()
}

/// The layout in its place. Engines name paths from the root: where they do, it stays there.
fn laid(case: &Case, layout: &Layout, declared: &Declared, other: &Declared) -> Files {
    let files = rewritten(case, (layout.1)(declared));
    let is_rooted = files.iter().any(|(_, text)| names_paths(text));
    let directory = ["", "deploy", "a/b", "clusters/prod"][if is_rooted { 0 } else { case.depth }];
    let within = |directory: &str, name: String| {
        if directory.is_empty() { name } else { format!("{directory}/{name}") }
    };
    let mut all: Files = files.into_iter().map(|(name, text)| (within(directory, name), text)).collect();
    if case.second_cluster && directory == "clusters/prod" {
        all.extend((layout.1)(other).into_iter().map(|(name, text)| (within("clusters/other", name), text)));
    }
    all.extend(beside(case));
    all
}

#[test]
fn a_change_gets_one_verdict_whatever_surrounds_it() {
    if !crate::runner::has("verify_random", &["git", "kubectl"]) {
        return;
    }
    let repository = Repository::new().unwrap();
    let material = Material::new();
    let layouts: Vec<Layout> = RENDERED.iter().chain(VALUES).copied().collect();
    let plain = std::cell::RefCell::new(BTreeMap::new());
    let mut runner =
        TestRunner::new(Config { cases: sizes::of(6, 1000), failure_persistence: None, ..Config::default() });
    let verdict = |before: &Files, after: &Files| {
        repository.write(before);
        repository.commit();
        repository.write(after);
        repository.verify(&["-f", ".", "-R"])
    };
    let outcome = runner.run(&case(), |case| {
        let layout = &layouts[case.layout];
        let (before, after) =
            (material.declared(case.before, 1), material.declared(case.after, case.replicas));
        let key = (case.before, case.after);
        let known = plain.borrow().get(&key).cloned();
        let expected = known.unwrap_or_else(|| {
            let one = |it: &Declared| (RENDERED[0].1)(it);
            let expected = verdict(&one(&before), &one(&after)).0;
            plain.borrow_mut().insert(key, expected.clone());
            expected
        });
        let (found, tree, _) =
            verdict(&laid(&case, layout, &before, &before), &laid(&case, layout, &after, &before));
        prop_assert_eq!(found, expected, "{}: {:#}", layout.0, tree);
        Ok(())
    });
    outcome.unwrap();
}
