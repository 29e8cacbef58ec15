//! The jobs for GitLab in `docs/ci/gitlab.yml` and the hook for pre-commit, run as their runners run them.

#![cfg(unix)]

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::runner;
use crate::support::forge::actions::workflow;
use crate::support::forge::{Forge, said};
use crate::support::reviewer::{new_anchor, trust_roots};

/// Runs a job of the pipeline in `work`: what comes before its script, and the script, in one shell.
fn run(forge: &Forge, job: &str, variables: &[(&str, &str)]) -> Output {
    let pipeline = workflow("docs/ci/gitlab.yml");
    let hidden = &pipeline[".linkerd"];
    assert_eq!(pipeline[job]["extends"], ".linkerd");
    let lines = [&hidden["before_script"], &pipeline[job]["script"]];
    let script: Vec<&str> = lines
        .into_iter()
        .flat_map(|lines| lines.as_array().unwrap())
        .map(|line| line.as_str().unwrap())
        .collect();
    let mut environment: Vec<(String, String)> = Vec::new();
    for variables in [&hidden["variables"], &pipeline[job]["variables"]] {
        for (name, value) in variables.as_object().into_iter().flatten() {
            environment.push((name.clone(), value.as_str().unwrap().to_owned()));
        }
    }
    let kubeconfig = forge.server.kubeconfig();
    let checksum = forge.checksum();
    let given = [
        ("L5D_ROTATE_SHA256", checksum.as_str()),
        ("WAIT", "0s"),
        ("LINKERD_KUBECONFIG", kubeconfig.to_str().unwrap()),
        ("LINKERD_TOKEN", "glpat-x"),
        ("CI_API_V4_URL", "https://gitlab.example.test/api/v4"),
        ("CI_PROJECT_ID", "5"),
        ("CI_PROJECT_PATH", "shop/infra"),
        ("CI_SERVER_PROTOCOL", "https"),
        ("CI_SERVER_HOST", "gitlab.example.test"),
        ("CI_SERVER_PORT", "443"),
        ("CI_DEFAULT_BRANCH", "main"),
        ("CI_MERGE_REQUEST_IID", "3"),
    ];
    environment
        .extend(given.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    // The address that a job pushes to is the bare repository.
    let config = format!(
        "[url \"{}\"]\n\tinsteadOf = https://l5d-rotate@gitlab.example.test:443/shop/infra.git\n",
        forge.at("origin.git").display()
    );
    fs::write(forge.at(".gitconfig"), config).unwrap();
    forge.script(&script.join("\n"), &environment, "")
}

/// The branch `change` as a merge request, in a pipeline of the branch.
fn verify(forge: &Forge, variables: &[(&str, &str)]) -> (i32, String) {
    forge.check_out("origin/change");
    let base = forge.sh(&forge.at("work"), "git merge-base origin/main HEAD");
    let base = [("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.as_str())];
    let output = run(forge, "linkerd:verify", &[&base, variables].concat());
    (output.status.code().unwrap(), said(&output))
}

fn quality(forge: &Forge) -> Value {
    serde_json::from_slice(&fs::read(forge.at("work/gl-code-quality-report.json")).unwrap()).unwrap()
}

#[test]
#[ignore = "long"]
fn a_merge_request_is_judged_and_its_one_comment_kept_up_to_date() {
    let Some(forge) = Forge::new("a_merge_request_is_judged_and_its_one_comment_kept_up_to_date") else {
        return;
    };
    forge.propose("echo '# reviewed' >>README.md");
    let (exit, said) = verify(&forge, &[]);
    assert_eq!((exit, forge.comments(), quality(&forge)), (0, Vec::new(), json!([])), "{said}");

    let roots = |bundle: &str| fs::write(forge.at("roots"), trust_roots(bundle.trim()).to_string()).unwrap();
    let new = new_anchor().certificate.to_pem();
    roots(&format!("{}\n{new}", forge.cluster.bundle.trim()));
    forge.propose("cp ../roots linkerd/0.yaml");
    let (exit, said) = verify(&forge, &[]);
    assert_eq!((exit, forge.comments().len()), (0, 1), "{said}");
    assert!(forge.comments()[0].contains("✅ **SAFE**"));

    roots(&new);
    forge.propose("cp ../roots linkerd/0.yaml");
    let (exit, said) = verify(&forge, &[]);
    assert_eq!((exit, forge.comments().len()), (4, 1), "{said}");
    assert!(forge.comments()[0].contains("**UNSAFE**"));
    let found = quality(&forge);
    let worst =
        found.as_array().unwrap().iter().find(|one| one["check_name"] == "identity-fails-to-start").unwrap();
    assert_eq!(
        (&worst["severity"], &worst["location"]["path"]),
        (&json!("blocker"), &json!("linkerd/0.yaml"))
    );
    assert!(worst["location"]["lines"]["begin"].is_u64());

    // Without rights: judged by what the target branch declares, with no comment.
    forge.put("comments", &json!([]));
    let (exit, said) = verify(&forge, &[("LINKERD_KUBECONFIG", ""), ("LINKERD_TOKEN", "")]);
    assert_eq!((exit, forge.comments().len()), (4, 0), "{said}");

    // What cannot be read is said in the place of the last verdict.
    verify(&forge, &[]);
    fs::write(forge.at("nowhere"), forge.server.config().replace(&forge.server.address, "127.0.0.1:1"))
        .unwrap();
    let nowhere = forge.at("nowhere");
    let (exit, said) = verify(&forge, &[("LINKERD_KUBECONFIG", nowhere.to_str().unwrap())]);
    assert!(exit == 2 && forge.comments().len() == 1, "{exit} {said}");
    assert!(forge.comments()[0].contains("**Not judged**"), "{:?}", forge.comments());
    assert!(!forge.calls().contains("glpat-x"), "the token is in no argument");
}

#[test]
#[ignore = "long"]
fn each_step_is_proposed_as_a_merge_request_and_never_twice() {
    let Some(mut forge) = Forge::new("each_step_is_proposed_as_a_merge_request_and_never_twice") else {
        return;
    };
    let propose = |forge: &Forge| {
        forge.check_out("origin/main");
        let output = run(forge, "linkerd:propose", &[]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        said(&output)
    };
    propose(&forge);
    let branch = "l5d-rotate-bundle-1-trust-2026-11-23";
    let tip = forge.tip(branch);
    let pulls = forge.pulls();
    assert_eq!((&pulls[0]["head"], tip.is_empty()), (&json!(branch), false), "{pulls:#}");
    assert!(pulls[0]["body"].as_str().unwrap().contains("```mermaid"));
    propose(&forge);
    assert_eq!((forge.tip(branch), forge.pulls().as_array().unwrap().len()), (tip, 1));
    forge.merge(branch);
    propose(&forge);
    assert_eq!(forge.pulls()[1]["head"], "l5d-rotate-bundle-2-control-plane-2026-11-23");
    let mut pulls = forge.pulls();
    pulls[1]["state"] = json!("CLOSED");
    forge.put("pulls", &pulls);
    assert!(propose(&forge).contains("Merge request 2 was closed"));
    assert_eq!(forge.pulls().as_array().unwrap().len(), 2);
}

#[test]
fn a_commit_that_would_break_the_mesh_is_refused_by_the_hook() {
    const NAME: &str = "a_commit_that_would_break_the_mesh_is_refused_by_the_hook";
    let Some(forge) = Forge::new(NAME) else { return };
    let hooks = workflow(".pre-commit-hooks.yaml");
    let hook = &hooks[0];
    assert_eq!(
        (&hook["id"], &hook["language"], &hook["pass_filenames"]),
        (&json!("l5d-rotate-verify"), &json!("system"), &json!(false))
    );
    let work = forge.at("work");
    forge.check_out("origin/main");
    // The plugin, where kubectl finds it; and the hook as pre-commit installs it, which leaves what is staged alone in the work tree.
    let entry = format!("PATH='{}':$PATH {}", forge.at("stage").display(), hook["entry"].as_str().unwrap());
    runner::write_script(&work.join(".git/hooks/pre-commit"), &format!("exec env {entry}"));
    let commit = |bundle: &str| {
        fs::write(work.join("linkerd/0.yaml"), trust_roots(bundle.trim()).to_string()).unwrap();
        forge.sh(&work, "git add -A && git commit -qm x 2>&1 || echo refused")
    };
    let new = new_anchor().certificate.to_pem();
    let answer = commit(&new);
    assert!(answer.contains("UNSAFE") && answer.ends_with("refused"), "{answer}");
    let answer = commit(&format!("{}\n{new}", forge.cluster.bundle.trim()));
    assert!(answer.contains("SAFE") && !answer.contains("refused"), "{answer}");
    if !runner::has(&format!("{NAME}: the manifest is not validated"), &["pre-commit"]) {
        return;
    }
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/.pre-commit-hooks.yaml");
    assert!(runner::other("pre-commit").args(["validate-manifest", manifest]).status().unwrap().success());
}
