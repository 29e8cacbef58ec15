//! What reviewers read: the body of a pull request for a step, and the comment of `verify`.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::json;

use crate::cluster::{self, Cluster};
use crate::runner;
use crate::support::reviewer::{Reviewer, bundle, new_anchor, swapped, trust_roots};
use crate::support::user::User;

fn run(home: &Path, zone: &str, line: &str) -> Output {
    runner::plugin()
        .env("TZ", zone)
        .current_dir(home)
        .args(line.split_whitespace())
        .args(["-f", "cluster.yaml"])
        .output()
        .unwrap()
}

fn body(user: &User, flags: &str) -> String {
    user.print();
    let line = format!("next --dir rotation --pr-body - --at {} {flags}", user.cluster.now);
    let output = run(user.home.path(), "UTC", &line);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Is every picture one that Mermaid draws? Its own grammar for `gantt`: a word for each line, and tasks as `name :data`.
fn pictures(markdown: &str) -> usize {
    let mut seen = 0;
    for picture in markdown.split("```mermaid\n").skip(1) {
        seen += 1;
        let (picture, _) = picture.split_once("\n```").expect("a picture ends");
        let mut lines = picture.lines();
        assert_eq!(lines.next(), Some("gantt"));
        for line in lines {
            let line = line.trim_start();
            if ["title ", "dateFormat ", "axisFormat ", "section "].iter().any(|word| line.starts_with(word))
            {
                continue;
            }
            let (name, data) = line.split_once(" :").unwrap_or_else(|| panic!("no task: {line}"));
            assert!(!name.contains([':', ';', '#', '%', '<', '`', ',']), "{name}");
            let data: Vec<&str> = data.split(", ").collect();
            let times = match data.as_slice() {
                ["done" | "active" | "crit", from, to] | [from, to] => [*from, *to],
                other => panic!("{other:?}"),
            };
            let is_time = |text: &str| text.len() == 16 && text.as_bytes()[10] == b' ';
            assert!(times.iter().all(|time| is_time(time)) && times[0] < times[1], "{line}");
        }
    }
    seen
}

/// Every table has as many cells in each row, and what is folded is unfolded.
fn is_well_formed(markdown: &str) {
    let mut columns = None;
    for line in markdown.lines() {
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        let cells = line.replace(r"\|", "").matches('|').count();
        assert_eq!(*columns.get_or_insert(cells), cells, "{line}");
    }
    assert_eq!(markdown.matches("<details>").count(), markdown.matches("</details>").count());
    assert!(!markdown.contains("PRIVATE KEY"));
}

#[test]
#[ignore = "long"]
fn every_step_has_a_body_that_says_what_it_does_and_what_comes_after_it() {
    let mut user = User::rotating(Cluster::realistic());
    let mut titles = Vec::new();
    for (phase, number) in
        [("bundle", 1), ("bundle", 2), ("bundle", 3), ("issuer", 1), ("issuer", 2), ("issuer", 3)]
            .into_iter()
            .chain([("prune", 1), ("prune", 2), ("prune", 3)])
    {
        let text = body(&user, "");
        titles.push(text.lines().next().unwrap().to_owned());
        assert_eq!(pictures(&text), 2, "{text}");
        is_well_formed(&text);
        assert!(text.contains("**Safe to merge**"), "{text}");
        for section in ["What merging restarts", "Whom proxies trust now", "After the merge", "Rolling back"]
        {
            assert!(text.contains(&format!("#### {section}\n")), "{section}: {text}");
        }
        if number == 3 {
            user.take_everywhere(phase);
        } else {
            user.take(phase, number);
        }
    }
    assert_eq!(
        titles,
        [
            "### Step 1 of 9: new trust anchor beside the old one",
            "### Step 2 of 9: restart of the control plane",
            "### Step 3 of 9: restart of the meshed workloads",
            "### Step 4 of 9: new issuer",
            "### Step 5 of 9: restart of the identity controller",
            "### Step 6 of 9: new workload certificates everywhere",
            "### Step 7 of 9: old trust anchor removed",
            "### Step 8 of 9: restart of the control plane",
            "### Step 9 of 9: restart of the meshed workloads",
        ]
    );
}

#[test]
fn a_rollback_says_so_and_how_the_rotation_goes_on() {
    let mut user = User::rotating(Cluster::realistic());
    user.take("bundle", 1);
    let text = body(&user, "--rollback");
    assert!(text.starts_with("### Rollback step "), "{text}");
    assert!(text.contains("kubectl l5d-rotate next --dir rotation -f cluster.yaml\n"), "{text}");
    assert!(text.contains("| New trust anchor | **removed** |"), "{text}");
}

#[test]
fn instants_are_in_the_readers_zone_and_in_utc() {
    let user = User::rotating(Cluster::realistic());
    user.print();
    let line = format!("next --dir rotation --pr-body - --at {}", cluster::NOW);
    let output = run(user.home.path(), "CET-1CEST,M3.5.0,M10.5.0/3", &line);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("Merged now, that is 2026-11-23 03:00:10 CET (02:00:10Z) at the earliest."),
        "{text}"
    );
}

#[test]
fn the_body_is_written_beside_the_documents_and_never_over_something_foreign() {
    let user = User::rotating(Cluster::realistic());
    let home = user.home.path();
    user.print();
    let next = |flags: &str| run(home, "UTC", &format!("next --dir rotation --at {} {flags}", cluster::NOW));
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let printed = next("--pr-body body.md");
    assert!(String::from_utf8_lossy(&printed.stdout).contains("kind: ConfigMap"));
    assert!(said(&printed).contains("wrote body.md"), "{}", said(&printed));
    let written = fs::read_to_string(home.join("body.md")).unwrap();
    assert!(written.starts_with("<!-- Rendered by kubectl l5d-rotate."), "{written}");
    assert!(written.lines().nth(1).unwrap().starts_with("### Step 1 of 9"), "{written}");

    let again = next("--pr-body body.md --out deploy");
    assert!(again.status.success() && home.join("deploy/bundle/1-trust").is_dir(), "{}", said(&again));
    let beside = next("--pr-body - --out deploy");
    assert!(String::from_utf8_lossy(&beside.stdout).starts_with("### Step 1 of 9"));

    fs::write(home.join("mine.md"), "# Mine\n").unwrap();
    let refused = next("--pr-body mine.md --out other");
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("mine.md: was not rendered by this program"), "{}", said(&refused));
    assert_eq!(fs::read_to_string(home.join("mine.md")).unwrap(), "# Mine\n");
    assert!(!home.join("other").exists(), "nothing was written before the refusal");
}

#[test]
fn a_step_that_is_too_early_gets_no_body() {
    let mut user = User::rotating(Cluster::realistic());
    user.take("bundle", 1);
    user.take("bundle", 2);
    user.take("bundle", 3);
    user.print();
    let line = format!("next --dir rotation --pr-body body.md --at {}", user.cluster.now);
    let output = run(user.home.path(), "UTC", &line);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!user.home.path().join("body.md").exists());
}

fn comment(reviewer: &Reviewer, flags: &[&str]) -> String {
    let verify = ["verify", "-f", "dump.json", "--proposed", "proposed.yaml", "-o", "markdown"];
    String::from_utf8(reviewer.run(&[&verify[..], flags].concat()).stdout).unwrap()
}

#[test]
fn a_comment_tells_old_from_new_and_what_comes_next() {
    let (reviewer, new) = swapped();
    reviewer.propose(&[trust_roots(&bundle(&[&new]))]);
    let text = comment(&reviewer, &[]);
    is_well_formed(&text);
    assert_eq!(pictures(&text), 1, "{text}");
    assert!(text.starts_with("### A trust anchor removed\n\n⏳ **SAFE AFTER "), "{text}");
    assert!(text.contains("| Trust anchor | **removed** | "), "{text}");
    assert!(text.contains("| Trust anchor | stays | root.new | "), "{text}");
}

#[test]
fn a_comment_names_the_step_that_the_change_takes() {
    let reviewer = Reviewer::new();
    let start = reviewer.run(&["start", "--dir", "rotation", "-f", "dump.json"]);
    assert!(start.status.success());
    let both = fs::read_to_string(reviewer.home.path().join("rotation/trust-bundle.pem")).unwrap();
    reviewer.propose(&[trust_roots(both.trim_end())]);
    let text = comment(&reviewer, &["--dir", "rotation"]);
    is_well_formed(&text);
    assert!(
        text.starts_with("### Step 1 of 9: new trust anchor beside the old one\n\n✅ **SAFE**: "),
        "{text}"
    );
    assert!(text.contains("#### Rolling back\n"), "{text}");
    // Another bundle is no step of it.
    reviewer.propose(&[trust_roots(&bundle(&[&reviewer.cluster.anchor, &new_anchor()]))]);
    assert!(comment(&reviewer, &["--dir", "rotation"]).starts_with("### A trust anchor added\n"));
}

#[test]
fn names_are_no_markup_in_a_body() {
    let mut cluster = Cluster::realistic();
    let hostile = "a</details>|b`c<img src=x>*d*";
    let load = cluster.workloads.iter_mut().find(|load| load.namespace == "emojivoto").unwrap();
    load.name = hostile;
    let mut user = User::rotating(cluster);
    user.take("bundle", 1);
    user.take("bundle", 2);
    let text = body(&user, "");
    is_well_formed(&text);
    assert_eq!(pictures(&text), 2);
    assert!(text.contains(r"a\</details\>\|b\`c\<img src=x\>\*d\*"), "{text}");
    assert!(!json!(text).to_string().contains("|b`c<img"));
}

#[test]
fn a_runbook_has_every_step_in_order_and_its_commands() {
    let mut user = User::rotating(Cluster::realistic());
    user.take("bundle", 1);
    let text = user.out("plan -o markdown --dir rotation");
    is_well_formed(&text);
    assert_eq!(pictures(&text), 2, "{text}");
    let steps: Vec<_> = text.lines().filter(|line| line.starts_with("### ")).collect();
    assert_eq!(steps.len(), 9, "{steps:?}");
    assert!(steps[3].starts_with("### Step 4 of 9: new issuer"), "{steps:?}");
    assert_eq!(text.matches("- [x] `bundle/1-trust` is done.").count(), 1, "{text}");
    for (phase, number) in [("bundle", 2), ("issuer", 1), ("prune", 3)] {
        let command =
            format!("  kubectl l5d-rotate render {phase} --step {number} --dir rotation -f cluster.yaml\n");
        assert!(text.contains(&command), "{command}: {text}");
    }
}

#[test]
fn the_runbook_of_a_patient_rotation_draws_the_wait() {
    let user = User::without_keys(Cluster::realistic());
    user.out("start --dir rotation --strategy patient");
    let text = user.out("plan -o markdown --dir rotation");
    is_well_formed(&text);
    assert_eq!(pictures(&text), 2);
    // 24 hours and 20 seconds of a workload certificate, from the restart of the identity controller on.
    assert!(
        text.contains(
            "    Step 6 new workload certificates everywhere :2026-11-23 07:00, 2026-11-24 07:00\n"
        ),
        "{text}"
    );
}
