//! The workflows for GitHub Actions in `docs/ci/` and the action, run as a runner runs them.

#![cfg(unix)]

use std::fs;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::forge::Forge;
use crate::support::forge::actions::{Context, Ended, run, workflow};
use crate::support::reviewer::{new_anchor, trust_roots};

const EXAMPLES: [&str; 3] =
    ["docs/ci/github-verify.yml", "docs/ci/github-snapshot.yml", "docs/ci/github-propose.yml"];

fn context(forge: &Forge, event: &str) -> Context {
    let pairs = [
        ("checksum", forge.checksum()),
        ("github.event_name", event.to_owned()),
        ("github.token", "ghs-x".to_owned()),
        ("github.repository", "shop/infra".to_owned()),
        ("github.event.repository.default_branch", "main".to_owned()),
        ("github.event.pull_request.number", "3".to_owned()),
        ("github.event.pull_request.head.repo.full_name", "shop/infra".to_owned()),
        ("runner.temp", forge.at("temp").to_str().unwrap().to_owned()),
        ("secrets.LINKERD_READER_KUBECONFIG", forge.server.config()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// Judges the branch `change`, merged into main as GitHub does, against a snapshot that the snapshot workflow has taken.
fn verify(forge: &Forge, context: &Context) -> Ended {
    forge.check_out("origin/main");
    let mut hourly = context.clone();
    hourly.insert("github.event_name".to_owned(), "schedule".to_owned());
    let taken = run(forge, EXAMPLES[1], &hourly);
    assert_eq!(taken.exit, 0, "{}", taken.said);
    assert!(!forge.at("temp/kubeconfig").exists());
    forge.check_out("origin/main");
    forge.sh(&forge.at("work"), "git merge -q --no-ff --no-edit origin/change");
    run(forge, EXAMPLES[0], context)
}

fn anchor_file(forge: &Forge, bundle: &str) {
    fs::write(forge.at("bundle.txt"), bundle.trim()).unwrap();
}

/// The bundle of the manifest, replaced by that of `bundle.txt`.
const PUT: &str = r#"python3 -c '
import re
bundle = open("../bundle.txt").read()
text = open("linkerd/0.yaml").read()
head, rest = text.split("  ca-bundle.crt: |", 1)
rest = re.sub(r"^[^\n]*\n(    [^\n]*\n)+", "", rest, count=1)
open("linkerd/0.yaml", "w").write(head + "  ca-bundle.crt: |\n" + "".join("    " + l + "\n" for l in bundle.splitlines()) + rest)
'"#;

#[test]
#[ignore = "long"]
fn a_pull_request_is_judged_and_its_one_comment_kept_up_to_date() {
    let Some(forge) = Forge::new("a_pull_request_is_judged_and_its_one_comment_kept_up_to_date") else {
        return;
    };
    let context = context(&forge, "pull_request");
    forge.propose("echo '# reviewed' >>README.md");
    let ended = verify(&forge, &context);
    assert_eq!((ended.exit, forge.comments()), (0, Vec::new()), "not about trust: {}", ended.said);

    let new = new_anchor().certificate.to_pem();
    anchor_file(&forge, &format!("{}\n{new}", forge.cluster.bundle.trim()));
    forge.propose(PUT);
    let ended = verify(&forge, &context);
    assert_eq!(ended.exit, 0, "{}", ended.said);
    assert!(ended.said.contains("::notice file=linkerd/0.yaml,line="), "{}", ended.said);
    let [comment] = &forge.comments()[..] else { panic!("{:?}", forge.comments()) };
    assert!(
        comment.starts_with("<!-- l5d-rotate verify -->\n") && comment.contains("✅ **SAFE**"),
        "{comment}"
    );

    anchor_file(&forge, &new);
    forge.propose(PUT);
    let ended = verify(&forge, &context);
    assert_eq!(ended.exit, 4, "{}", ended.said);
    assert!(ended.said.contains("::error file=linkerd/0.yaml,line="), "{}", ended.said);
    let [comment] = &forge.comments()[..] else { panic!("{:?}", forge.comments()) };
    assert!(comment.contains("**UNSAFE**") && !comment.contains("**SAFE**"), "{comment}");

    // A verdict of yesterday does not stay where there is none today.
    for there_is in ["echo 'no: snapshot' >mesh.yaml", "rm mesh.yaml; touch old"] {
        forge.put("comments", &json!([{"id": 11, "user": {"type": "Bot"}, "body": comment}]));
        forge.sh(&forge.at("forge"), there_is);
        forge.sh(&forge.at("temp"), "rm -rf mesh");
        let ended = run(&forge, EXAMPLES[0], &context);
        assert_eq!(ended.exit, 2, "{there_is}: {}", ended.said);
        let [comment] = &forge.comments()[..] else { panic!("{:?}", forge.comments()) };
        assert!(comment.contains("**Not judged**") && !comment.contains("SAFE"), "{comment}");
    }
}

#[test]
#[ignore = "long"]
fn a_pull_request_of_a_fork_is_judged_without_a_comment_and_runs_nothing_of_its_own() {
    const NAME: &str = "a_pull_request_of_a_fork_is_judged_without_a_comment_and_runs_nothing_of_its_own";
    let Some(forge) = Forge::new(NAME) else { return };
    let mut context = context(&forge, "pull_request");
    context.insert("github.event.pull_request.head.repo.full_name".to_owned(), "mallory/infra".to_owned());
    let roots = trust_roots(new_anchor().certificate.to_pem().trim());
    let file = "$(touch pwned)`touch pwned`::error::x.yaml";
    fs::write(forge.at("evil"), roots.to_string()).unwrap();
    forge.propose(&format!("git rm -q linkerd/0.yaml && cp ../evil '{file}'"));
    let ended = verify(&forge, &context);
    assert!([3, 4].contains(&ended.exit), "{}", ended.said);
    assert_eq!(forge.comments(), Vec::<String>::new());
    let found = forge.sh(&forge.at("."), "find . -name pwned");
    assert_eq!(found, "");
    assert!(ended.said.lines().all(|line| !line.starts_with("::error::x")), "{}", ended.said);
}

#[test]
#[ignore = "long"]
fn an_archive_with_another_checksum_is_not_run_and_a_branch_is_not_taken_for_the_merge() {
    const NAME: &str = "an_archive_with_another_checksum_is_not_run_and_a_branch_is_not_taken_for_the_merge";
    let Some(forge) = Forge::new(NAME) else { return };
    let mut context = context(&forge, "pull_request");
    forge.propose("echo '# reviewed' >>README.md");
    verify(&forge, &context);
    forge.check_out("origin/change");
    let ended = run(&forge, EXAMPLES[0], &context);
    assert!(ended.exit == 2 && ended.said.contains("HEAD is not the merge"), "{}", ended.said);
    context.insert("checksum".to_owned(), "1".repeat(64));
    let ended = run(&forge, EXAMPLES[0], &context);
    assert!(ended.exit == 2 && ended.said.contains("not the one in the input sha256"), "{}", ended.said);
}

/// One run of the scheduled workflow, in a fresh checkout of main.
fn propose(forge: &Forge, context: &Context) -> Ended {
    forge.check_out("origin/main");
    run(forge, EXAMPLES[2], context)
}

fn pull(forge: &Forge, at: usize) -> Value {
    forge.pulls()[at].clone()
}

#[test]
#[ignore = "long"]
fn each_step_is_proposed_once_it_is_ready_and_never_twice() {
    let Some(mut forge) = Forge::new("each_step_is_proposed_once_it_is_ready_and_never_twice") else {
        return;
    };
    let context = context(&forge, "schedule");
    let ended = propose(&forge, &context);
    assert_eq!(ended.exit, 0, "{}", ended.said);
    let first = pull(&forge, 0);
    let branch = "l5d-rotate-bundle-1-trust-2026-11-23";
    assert_eq!(
        (&first["head"], &first["title"]),
        (&json!(branch), &json!("Linkerd: Step 1 of 9: new trust anchor beside the old one"))
    );
    assert!(first["body"].as_str().unwrap().contains("```mermaid"));
    let tip = forge.tip(branch);
    let changed = forge.sh(&forge.at("origin.git"), &format!("git diff --name-only main {branch}"));
    assert_eq!(changed, "linkerd/0.yaml\nlinkerd/2.yaml", "the bundle, and the copy in linkerd-config");

    // An hour later, with another commit on main: nothing is pushed, and nothing opened.
    forge.sh(&forge.at("desk"), "git pull -q && echo '# x' >>README.md && git add -A && git commit -qm x && git push -q origin HEAD:main");
    let ended = propose(&forge, &context);
    assert_eq!(
        (ended.exit, forge.tip(branch), forge.pulls().as_array().unwrap().len()),
        (0, tip, 1),
        "{}",
        ended.said
    );

    // Merged, and what reads the bundle has not restarted: the next step is the restart.
    forge.merge(branch);
    assert_eq!(propose(&forge, &context).exit, 0);
    assert_eq!(pull(&forge, 1)["head"], "l5d-rotate-bundle-2-control-plane-2026-11-23");
    forge.merge("l5d-rotate-bundle-2-control-plane-2026-11-23");
    assert_eq!(propose(&forge, &context).exit, 0);
    let third = "l5d-rotate-bundle-3-data-plane-2026-11-23";
    assert_eq!(pull(&forge, 2)["head"], third);

    // A colleague adds to it, and closes it: both are respected.
    forge.propose(&format!("git reset -q --hard origin/{third} && echo '# mine' >>README.md"));
    forge.sh(&forge.at("desk"), &format!("git push -q origin change:{third}"));
    let theirs = forge.tip(third);
    let ended = propose(&forge, &context);
    assert!(
        ended.exit == 0 && ended.said.contains("somebody has worked on pull request 3"),
        "{}",
        ended.said
    );
    assert_eq!(forge.tip(third), theirs);
    let mut pulls = forge.pulls();
    pulls[2]["state"] = json!("CLOSED");
    forge.put("pulls", &pulls);
    let ended = propose(&forge, &context);
    assert!(ended.exit == 0 && ended.said.contains("was closed"), "{}", ended.said);
    assert_eq!(forge.pulls().as_array().unwrap().len(), 3);

    // It is merged all the same, and some of it is left to people: nothing may be merged, and that is no failure.
    forge.merge(third);
    let ended = propose(&forge, &context);
    assert_eq!((ended.exit, forge.pulls().as_array().unwrap().len()), (0, 3), "{}", ended.said);
    forge.cluster.all_manually();
    forge.wait(SignedDuration::from_hours(1));
    let ended = propose(&forge, &context);
    assert!(
        ended.exit == 0
            && ended.said.contains("issuer/1-issuer may be merged, and it needs the issuer's private key"),
        "{}",
        ended.said
    );

    // With the key as well, where the repository has the issuer's Secret in plain text: it is not written, and stays nowhere.
    let mut context = context;
    let key = fs::read_to_string(forge.at("desk/rotation/issuer.key")).unwrap();
    context.insert("secrets.LINKERD_ISSUER_KEY".to_owned(), key);
    let ended = propose(&forge, &context);
    assert!(ended.exit == 2 && ended.said.contains("--allow-plaintext-keys"), "{}", ended.said);
    assert_eq!(forge.pulls().as_array().unwrap().len(), 3);
    assert!(!forge.at("temp/kubeconfig").exists() && !forge.at("temp/issuer.key").exists());
}

#[test]
fn a_cluster_that_cannot_be_read_is_a_failure_and_no_rotation_is_none() {
    let Some(forge) = Forge::new("a_cluster_that_cannot_be_read_is_a_failure_and_no_rotation_is_none") else {
        return;
    };
    let mut context = context(&forge, "schedule");
    let away = forge.server.config().replace(&forge.server.address, "127.0.0.1:1");
    context.insert("secrets.LINKERD_READER_KUBECONFIG".to_owned(), away);
    assert_ne!(propose(&forge, &context).exit, 0);
    context.insert("secrets.LINKERD_READER_KUBECONFIG".to_owned(), forge.server.config());
    forge.sh(
        &forge.at("desk"),
        "git rm -qr rotation && git commit -qm archived && git push -q origin HEAD:main",
    );
    let ended = propose(&forge, &context);
    assert_eq!(ended.exit, 0, "{}", ended.said);
    assert_eq!(forge.pulls(), json!([]));
}

/// Every action is pinned: others' by commit with the version beside it, this project's by its version.
#[test]
fn actions_are_pinned_and_jobs_get_no_more_than_they_name() {
    for path in EXAMPLES {
        let text = fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("- uses: ")) {
            let (action, comment) = line.split_once(" # v").unwrap_or((line, ""));
            let (_, revision) = action.split_once('@').unwrap();
            let is_commit = revision.len() == 40 && revision.chars().all(|digit| digit.is_ascii_hexdigit());
            let is_ours = action == format!("l5d-rotate/kubectl-l5d-rotate@v{}", env!("CARGO_PKG_VERSION"));
            assert!(is_ours || (is_commit && comment.split('.').count() == 3), "{path}: {line}");
        }
        let workflow = workflow(path);
        assert_eq!(workflow["permissions"], json!({}), "{path}");
        for job in workflow["jobs"].as_object().unwrap().values() {
            assert!(job["permissions"].is_object() && job["timeout-minutes"].is_u64(), "{path}");
        }
    }
    let action = workflow("action.yml");
    assert_eq!(action["inputs"]["version"]["default"], format!("v{}", env!("CARGO_PKG_VERSION")));
}
