//! `verify --git-base` on scripts and pipelines: a command that reaches trust material is never taken for green, and another
//! one beside it stays green.

use std::fs;

use serde_json::json;

use crate::layouts::{Files, text};
use crate::verify_reach::{application, judge, row, with};
use crate::verify_repositories::{Scene, edit, files, layout, scene};

const DEPLOY: &str = "#!/bin/sh\nset -eu\nPKI=./pki/prod\nCOLOR=red\nlinkerd upgrade \\\n  --identity-trust-anchors-file \"$PKI/ca.crt\" \\\n  --values mesh.yaml \\\n  | kubectl apply -f -\nlinkerd viz install | kubectl apply -f -\nhelm upgrade shop ./shop --set color=$COLOR\n";
const WORKFLOW: &str = "on: push\nenv:\n  ROOTS: pki/ca.crt\n  COLOR: red\njobs:\n  mesh:\n    runs-on: ubuntu-latest\n    steps:\n    - uses: actions/checkout@v4\n    - name: Linkerd\n      run: |\n        helm upgrade linkerd linkerd/linkerd-control-plane --set-file identityTrustAnchorsPEM=$ROOTS\n    - run: echo one\n  lint:\n    runs-on: ubuntu-latest\n    steps:\n    - run: npm test\n";
const PIPELINE: &str = "deploy:\n  image: alpine/helm:3\n  script:\n  - helm upgrade mesh linkerd/linkerd-control-plane -n linkerd -f values/$CI_ENVIRONMENT.yaml\nlint:\n  image: node:20\n  script: [npm test]\n";

fn tool(scene: &Scene, more: &[(&str, String)]) -> Files {
    with(files(&[("shop/shop.yaml", text(&scene.now().objects()[3..]))]), more)
}

#[test]
#[ignore = "long"]
fn what_scripts_do_with_linkerd() {
    let Some(scene) = scene() else { return };
    let script = || {
        let mesh = "controllerReplicas: 1\nclusterDomain: cluster.local\n".to_owned();
        tool(&scene, &[("scripts/deploy.sh", DEPLOY.to_owned()), ("scripts/mesh.yaml", mesh)])
    };
    let workflow = || tool(&scene, &[(".github/workflows/deploy.yml", WORKFLOW.to_owned())]);
    let pipeline = || tool(&scene, &[(".gitlab-ci.yml", PIPELINE.to_owned())]);
    let umbrella = || {
        let make = "mesh:\n\thelm upgrade platform ./platform -f platform/values-prod.yaml\n\nshop:\n\thelm upgrade shop ./shop --set color=red\n";
        with(
            layout("values of an umbrella chart", &scene.now()),
            &[
                ("platform/values-prod.yaml", "mesh:\n  identityTrustDomain: cluster.local\n".to_owned()),
                ("Makefile", make.to_owned()),
            ],
        )
    };
    const SCRIPT: &str = "scripts/deploy.sh";
    const ACTION: &str = ".github/workflows/deploy.yml";
    const GITLAB: &str = ".gitlab-ci.yml";
    judge(
        &scene,
        vec![
            row(
                "a file of anchors in a script",
                script(),
                |it| edit(it, SCRIPT, "$PKI/ca.crt", "./pki/new.crt"),
                |it| edit(it, SCRIPT, "color=$COLOR", "color=blue"),
            ),
            row(
                "a variable of a script",
                script(),
                |it| edit(it, SCRIPT, "pki/prod", "pki/test"),
                |it| edit(it, SCRIPT, "COLOR=red", "COLOR=blue"),
            ),
            row(
                "a flag of linkerd upgrade",
                script(),
                |it| edit(it, SCRIPT, "--values", "--identity-external-issuer --values"),
                |it| edit(it, SCRIPT, "linkerd viz install", "linkerd viz install --ha"),
            ),
            row(
                "values that a script names",
                script(),
                |it| edit(it, "scripts/mesh.yaml", "cluster.local", "example.org"),
                |it| edit(it, "scripts/mesh.yaml", "Replicas: 1", "Replicas: 2"),
            ),
            row(
                "values that a script names no more",
                script(),
                |it| edit(it, SCRIPT, "  --values mesh.yaml \\\n", ""),
                |it| edit(it, SCRIPT, "set -eu", "set -euo pipefail"),
            ),
            row(
                "linkerd uninstall",
                script(),
                |it| edit(it, SCRIPT, "set -eu", "linkerd uninstall | kubectl delete -f -"),
                |it| edit(it, SCRIPT, "set -eu", "linkerd check"),
            ),
            row(
                "a namespace that a script deletes",
                script(),
                |it| edit(it, SCRIPT, "set -eu", "kubectl delete namespace linkerd"),
                |it| edit(it, SCRIPT, "set -eu", "kubectl get pods -n linkerd"),
            ),
            row(
                "a step of a workflow",
                workflow(),
                |it| edit(it, ACTION, "--set-file", "--set disableIdentity=true --set-file"),
                |it| edit(it, ACTION, "checkout@v4", "checkout@v5"),
            ),
            row(
                "a variable of a workflow",
                workflow(),
                |it| edit(it, ACTION, "ROOTS: pki/ca.crt", "ROOTS: pki/new.crt"),
                |it| edit(it, ACTION, "COLOR: red", "COLOR: blue"),
            ),
            row(
                "a workflow that installs no more",
                workflow(),
                |it| {
                    edit(
                        it,
                        ACTION,
                        "helm upgrade linkerd linkerd/linkerd-control-plane --set-file identityTrustAnchorsPEM=$ROOTS",
                        "true",
                    )
                },
                |it| edit(it, ACTION, "npm test", "npm run test"),
            ),
            row(
                "a namespace in a pipeline",
                pipeline(),
                |it| edit(it, GITLAB, "-n linkerd", "-n mesh"),
                |it| edit(it, GITLAB, "node:20", "node:22"),
            ),
            row(
                "values in a pipeline",
                pipeline(),
                |it| edit(it, GITLAB, " -f values/$CI_ENVIRONMENT.yaml", ""),
                |it| edit(it, GITLAB, "[npm test]", "[npm run test]"),
            ),
            row(
                "values of an umbrella chart in a Makefile",
                umbrella(),
                |it| edit(it, "Makefile", " -f platform/values-prod.yaml", ""),
                |it| edit(it, "Makefile", "color=red", "color=blue"),
            ),
            row(
                "a flag for an umbrella chart in a Makefile",
                umbrella(),
                |it| edit(it, "Makefile", "./platform -f", "./platform -n mesh -f"),
                |it| edit(it, "Makefile", "shop:\n", "store:\n"),
            ),
        ],
    );
}

#[test]
fn a_line_that_says_more_than_a_count_is_not_passed_over() {
    let Some(scene) = scene() else { return };
    let program =
        "new Helm(this, 'mesh', { chart: 'linkerd-control-plane', values: {\n  replicas: 3,\n}});\n";
    let base = || tool(&scene, &[("main.ts", program.to_owned())]);
    judge(
        &scene,
        vec![row(
            "a setting behind a count",
            base(),
            |it| edit(it, "main.ts", "replicas: 3,", "replicas: 3, identityTrustDomain: 'example.org',"),
            |it| edit(it, "main.ts", "replicas: 3,", "replicas: 4,"),
        )],
    );
}

#[test]
fn the_revision_of_a_directory_decides_what_stands_there() {
    let Some(scene) = scene() else { return };
    let by = |name: &str, path: &str| {
        let mut tree = application(
            name,
            json!({"path": path, "repoURL": "https://git.example.test/x", "targetRevision": "main"}),
        );
        tree["spec"]["syncPolicy"] = json!({"automated": {}});
        tree
    };
    let base = || {
        let mut all = layout("a file an object", &scene.now());
        all.retain(|(name, _)| !name.ends_with("/3.yaml"));
        let shop =
            [text(&scene.now().objects()[3..]), text(&[by("shop", "shop")]), text(&[by("mesh", "linkerd")])];
        let [object, shop, mesh] = shop;
        with(all, &[("shop/shop.yaml", object), ("apps/shop.yaml", shop), ("apps/mesh.yaml", mesh)])
    };
    judge(
        &scene,
        vec![row(
            "another branch",
            base(),
            |it| edit(it, "apps/mesh.yaml", "targetRevision: main", "targetRevision: rotate"),
            |it| edit(it, "apps/shop.yaml", "targetRevision: main", "targetRevision: new"),
        )],
    );
}

fn harmless(scene: &Scene, name: &str, base: &Files, changes: &[(&str, &str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, before, after) in changes {
        scene.base(base);
        let mut changed = base.clone();
        edit(&mut changed, file, before, after);
        let (verdict, codes) = scene.after(&changed);
        if verdict != "not-about-trust" {
            wrong.push(format!("{name}, {file}: {after}: {verdict} {codes:?}"));
        }
    }
    wrong
}

#[test]
fn what_stands_beside_linkerd_is_of_no_concern() {
    let Some(scene) = scene() else { return };
    let umbrella = with(
        layout("values of an umbrella chart", &scene.now()),
        &[
            (
                "platform/Chart.lock",
                "dependencies:\n- name: linkerd-control-plane\n  version: 1.16.11\ndigest: sha256:one\n"
                    .to_owned(),
            ),
            (
                "platform/templates/NOTES.txt",
                "Anchors: {{ .Values.mesh.identityTrustAnchorsPEM }}\n".to_owned(),
            ),
        ],
    );
    let flux = layout("a Flux Kustomization with patches", &scene.now());
    let argo = with(
        layout("a kustomization", &scene.now()),
        &[(
            "apps/mesh.yaml",
            text(&[application("mesh", json!({"path": "linkerd", "repoURL": "https://git.example.test/x"}))]),
        )],
    );
    let mut wrong = harmless(
        &scene,
        "an umbrella chart",
        &umbrella,
        &[
            (
                "platform/Chart.yaml",
                "dependencies:\n",
                "dependencies:\n- name: redis\n  repository: https://charts.example.test\n  version: 1.0.0\n",
            ),
            ("platform/Chart.lock", "sha256:one", "sha256:two"),
            ("platform/templates/NOTES.txt", "Anchors", "Trust anchors"),
        ],
    );
    wrong.extend(harmless(
        &scene,
        "Flux",
        &flux,
        &[(
            "clusters/prod/linkerd.yaml",
            "  interval: 10m\n",
            "  interval: 10m\n  commonMetadata:\n    labels:\n      team: mesh\n",
        )],
    ));
    wrong.extend(harmless(
        &scene,
        "Argo CD",
        &argo,
        &[(
            "apps/mesh.yaml",
            "    path: linkerd\n",
            "    path: linkerd\n    kustomize:\n      images:\n      - proxy:2\n",
        )],
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_object_that_is_filled_out_of_another_one_is_unknown() {
    let Some(scene) = scene() else { return };
    let base = layout("a file an object", &scene.now());
    scene.base(&base);
    let mut changed = base;
    let annotation = "metadata:\n  annotations:\n    reflector.v1.k8s.emberstack.com/reflects: pki/roots\n";
    edit(&mut changed, "linkerd/0.yaml", "metadata:\n", annotation);
    assert_eq!(scene.after(&changed), ("unknown".to_owned(), vec!["not-understood".to_owned()]));
}

#[test]
fn a_control_plane_that_leaves_the_repository_is_unsafe_beside_what_runs() {
    let Some(scene) = scene() else { return };
    let base = layout("a file an object", &scene.now());
    scene.base(&base);
    let rest: Files = base.into_iter().filter(|(name, _)| name.ends_with("/3.yaml")).collect();
    scene.repository.write(&rest);
    let dump = tempfile::NamedTempFile::new().unwrap();
    fs::write(dump.path(), scene.cluster.dump()).unwrap();
    let (verdict, tree, code) =
        scene.repository.verify(&["-f", dump.path().to_str().unwrap(), "-f", ".", "-R"]);
    assert_eq!((verdict.as_str(), code), ("unsafe", 4), "{tree:#}");
    assert_eq!(tree["findings"][0]["code"], "bundle-removed", "{tree:#}");
}

#[test]
fn a_kustomization_that_cannot_be_built_says_why_and_takes_nothing_for_gone() {
    let Some(scene) = scene() else { return };
    let base = layout("a kustomization", &scene.now());
    scene.base(&base);
    let mut changed = base;
    edit(&mut changed, "linkerd/kustomization.yaml", "- all.yaml", "- all.yaml\n- all.yaml");
    scene.repository.write(&changed);
    let (verdict, tree, _) = scene.repository.verify(&["-f", ".", "-R"]);
    assert_eq!(verdict, "unknown");
    let findings = tree["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{tree:#}");
    let why = findings[0]["evidence"]["why"]["not-built"].as_str().unwrap();
    assert!(why.starts_with("accumulating resources") && why.contains("all.yaml"), "{why}");
}
