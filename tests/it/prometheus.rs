//! Metrics as Prometheus' parser takes them, and the exit code that a job goes by.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::cluster::{Cluster, NOW};
use crate::runner;
use crate::support::reviewer::{anchor, bundle};

fn run(cluster: &str, flags: &str) -> (String, i32) {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("dump.json"), cluster).unwrap();
    let output = runner::plugin()
        .current_dir(home.path())
        .arg("check")
        .args(flags.split_whitespace())
        .args(["-f", "dump.json", "--at", NOW])
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

type Sample = (String, Vec<(String, String)>, i64);

/// A sample: its metric, its labels, its value. The grammar is that of the text exposition format, version 0.0.4.
fn sample(line: &str) -> Sample {
    let (name, rest) = line.split_once('{').unwrap();
    assert!(
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
        "{line}"
    );
    let (mut labels, mut rest) = (Vec::new(), rest);
    while let Some((key, text)) = rest.split_once("=\"") {
        let (mut value, mut escaped, mut end) = (String::new(), false, 0);
        for (place, character) in text.char_indices() {
            match character {
                'n' if escaped => value.push('\n'),
                '\\' | '"' if escaped => value.push(character),
                '\\' => {
                    escaped = true;
                    continue;
                }
                '"' => {
                    end = place + 1;
                    break;
                }
                _ => {
                    assert!(!escaped, "{line}");
                    value.push(character);
                }
            }
            escaped = false;
        }
        labels.push((key.trim_start_matches(',').to_owned(), value));
        rest = &text[end..];
    }
    let value = rest.strip_prefix("} ").unwrap_or_else(|| panic!("{line}")).parse().unwrap();
    (name.to_owned(), labels, value)
}

fn samples(text: &str) -> Vec<Sample> {
    let mut seen = BTreeSet::new();
    let mut typed = BTreeSet::new();
    let mut all = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.split(' ');
            assert!(["HELP", "TYPE"].contains(&words.next().unwrap()), "{line}");
            typed.insert(words.next().unwrap().to_owned());
            continue;
        }
        let one = sample(line);
        assert!(typed.contains(&one.0), "{line}");
        assert!(seen.insert((one.0.clone(), one.1.clone())), "twice: {line}");
        all.push(one);
    }
    assert!(text.ends_with('\n'));
    all
}

#[test]
fn certificates_findings_and_proxies_are_samples() {
    let (text, exit) = run(&Cluster::realistic().dump(), "-o prometheus");
    assert_eq!(exit, 0);
    let all = samples(&text);
    let of = |name: &str| all.iter().filter(|one| one.0 == format!("l5d_rotate_{name}")).collect::<Vec<_>>();
    let label = |labels: &[(String, String)], key: &str| {
        labels.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone()).unwrap()
    };
    let expiry = of("certificate_expiry_timestamp_seconds");
    let roles: Vec<_> = expiry.iter().map(|(_, labels, _)| label(labels, "role")).collect();
    assert_eq!(roles, ["trust-anchor", "issuer"]);
    let expires: jiff::Timestamp = "2026-12-28T09:00:00Z".parse().unwrap();
    assert!(expiry.iter().all(|(_, labels, value)| {
        label(labels, "fingerprint").len() == 64 && *value == expires.as_second()
    }));
    let now: jiff::Timestamp = NOW.parse().unwrap();
    assert_eq!(of("check_timestamp_seconds")[0].2, now.as_second());
    assert_eq!(of("check_success")[0].2, 1);
    assert_eq!(of("proxies").iter().map(|one| one.2).sum::<i64>(), 33);
    let severities: BTreeSet<_> =
        of("findings").iter().map(|(_, labels, _)| label(labels, "severity")).collect();
    assert_eq!(severities.len(), 5, "{text}");
}

#[test]
fn a_name_stays_in_its_label() {
    let mut cluster = Cluster::new();
    let name = "a\"} 9 \\x";
    let hostile = anchor(name, "2026-11-22T02:00:00Z", "2036-11-20T02:00:00Z");
    cluster.bundle = bundle(&[&cluster.anchor, &hostile]);
    let (text, _) = run(&cluster.dump(), "-o prometheus");
    let named =
        |labels: &[(String, String)]| labels.iter().any(|(key, value)| key == "name" && value == name);
    assert_eq!(samples(&text).iter().filter(|(_, labels, _)| named(labels)).count(), 1, "{text}");
}

#[test]
fn the_exit_code_tells_of_expiry_and_of_nothing_else() {
    let cluster = Cluster::new();
    let dump = cluster.dump();
    assert_eq!(run(&dump, "--expires-within 36d").1, 1);
    assert_eq!(run(&dump, "--expires-within 35d").1, 0);
    assert_eq!(run(&dump, "--expires-within 36d -o prometheus").1, 1);
    assert_eq!(run(&dump, "--expires-within 1d --fail-on warning").1, 2);
    // Without the Secret nobody can tell.
    let items: Vec<_> = cluster.items().into_iter().filter(|item| item["kind"] != "Secret").collect();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    assert_eq!(run(&list, "--expires-within 1d").1, 3);
}

#[test]
fn the_alerts_ask_for_metrics_that_there_are() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring.md")).unwrap();
    let (metrics, _) = run(&Cluster::new().dump(), "-o prometheus");
    let (_, rule) = text.split_once("```yaml\n").unwrap();
    let (rule, _) = rule.split_once("```").unwrap();
    l5d_rotate::document::parse(rule, "rule").unwrap();
    let names = |text: &str| {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|word| word.starts_with("l5d_rotate_")).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert!(names(rule).is_subset(&names(&metrics)));
    assert_eq!(names(&metrics).len(), 5);
}
