//! Names that would clear a screen, turn text around or begin a line of their own: whatever the command and the format, a terminal
//! gets none of it.

use std::fs;
use std::path::Path;

use l5d_rotate::pki::{BundleText, Rules};
use l5d_rotate::printable::is_hidden;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, DnValue, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::cluster::{Cluster, NOW};
use crate::runner;

/// Clears the screen, sets its title, paints, hides, begins a line, and turns the rest around.
const HOSTILE: &str = "root\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}2J\u{1b}[8m\rover\nINJECTED: true\n---\nINJECTED: yes\u{2028}INJECTED\u{202e}txt\u{200b}";

fn params(name: &str, path_length: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(name.to_owned()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.not_before = rcgen::date_time_ymd(2025, 12, 28);
    params.not_after = rcgen::date_time_ymd(2026, 12, 28);
    params
}

/// A cluster whose anchor, issuer, owner and one of whose pods have hostile names.
fn cluster() -> Cluster {
    let key = KeyPair::generate().unwrap();
    let anchor = CertifiedIssuer::self_signed(params(HOSTILE, 1), key).unwrap();
    let issuer_key = KeyPair::generate().unwrap();
    let issuer = params(&format!("identity {HOSTILE}"), 0).signed_by(&issuer_key, &anchor).unwrap();
    let mut cluster = Cluster::new();
    anchor.pem().trim_end().clone_into(&mut cluster.bundle);
    issuer.pem().trim_end().clone_into(&mut cluster.issuer);
    cluster.issuer_key = issuer_key.serialize_pem();
    let bundle = cluster.bundle.clone();
    cluster.workloads.iter_mut().for_each(|load| load.held.clone_from(&bundle));
    cluster
}

/// `kubectl get -o json` of it, with hostile names in annotations and of a pod as well.
fn dump(cluster: &Cluster) -> String {
    let mut items = cluster.items();
    let mut pods = 0;
    for item in &mut items {
        let kind = item["kind"].as_str().unwrap().to_owned();
        let metadata = &mut item["metadata"];
        if kind == "Pod" && metadata["namespace"] == "emojivoto" && pods == 0 {
            let name = format!("{}{HOSTILE}", metadata["name"].as_str().unwrap());
            metadata["name"] = name.into();
            pods += 1;
        }
        if kind == "Secret" {
            metadata["annotations"]["cert-manager.io/certificate-name"] = HOSTILE.into();
        }
        if kind == "Deployment" && metadata["namespace"] == "linkerd" {
            metadata["annotations"]["linkerd.io/created-by"] = format!("linkerd/helm {HOSTILE}").into();
        }
    }
    assert_eq!(pods, 1);
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn run(home: &Path, arguments: &str) -> (String, i32) {
    let output = runner::plugin()
        .current_dir(home)
        .args(arguments.split_whitespace())
        .args(["--at", NOW])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (text, output.status.code().unwrap())
}

/// Nothing in a text but what this program writes itself.
fn is_harmless(what: &str, text: &str) {
    let mut plain = text.to_owned();
    for style in ["0", "1", "31", "32", "33", "36"] {
        plain = plain.replace(&format!("\u{1b}[{style}m"), "");
    }
    let hidden: Vec<_> = plain.chars().filter(|c| is_hidden(*c) && !['\n', '\t'].contains(c)).collect();
    assert!(hidden.is_empty(), "{what}: {hidden:?} in {text}");
    let of_its_own = |line: &str| line.trim_start_matches([' ', '#', '-', '>', '*']).starts_with("INJECTED");
    assert!(!plain.lines().any(of_its_own), "{what}: a line of its own in {text}");
}

#[test]
fn no_command_lets_a_name_do_anything_to_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let cluster = cluster();
    fs::write(home.join("cluster.json"), dump(&cluster)).unwrap();
    fs::write(home.join("hostile.pem"), format!("{}\n", cluster.bundle)).unwrap();
    let (said, exit) = run(home, "start --dir rotation --allow-managed -f cluster.json --color always");
    assert_eq!(exit, 0, "{said}");
    is_harmless("start", &said);
    let other = Cluster::new().bundle;
    let proposed = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"ca-bundle.crt": other},
        "metadata": {"name": "linkerd-identity-trust-roots", "namespace": "linkerd"},
    });
    fs::write(home.join("proposed.json"), proposed.to_string()).unwrap();
    let mesh = [
        "inspect hostile.pem",
        "inspect hostile.pem -o json",
        "inspect hostile.pem -o yaml",
        "inspect cluster.json",
        "inspect -f cluster.json",
        "status -f cluster.json",
        "status -o json -f cluster.json",
        "status -o yaml -f cluster.json",
        "check -f cluster.json",
        "check -o short -f cluster.json",
        "check -o json -f cluster.json",
        "check -o prometheus --expires-within 60d -f cluster.json",
        "recover -f cluster.json",
        "recover -o json -f cluster.json",
        "recover -o yaml -f cluster.json",
        "recover -f cluster.json --at 2026-12-29T00:00:00Z",
        "snapshot -f cluster.json",
        "verify --proposed proposed.json -f cluster.json",
        "verify -o json --proposed proposed.json -f cluster.json",
        "verify -o yaml --proposed proposed.json -f cluster.json",
        "verify -o github --proposed proposed.json -f cluster.json",
        "verify -o markdown --proposed proposed.json -f cluster.json",
        "simulate --dir rotation -f cluster.json",
        "simulate -o markdown --dir rotation -f cluster.json",
    ];
    let rotation = [
        "status --dir rotation -f cluster.json",
        "plan --dir rotation -f cluster.json",
        "plan -o markdown --dir rotation -f cluster.json",
        "plan -o json --dir rotation -f cluster.json",
        "render bundle --step 1 --dir rotation -f cluster.json",
        "render bundle --step 1 --dir rotation -o object -f cluster.json",
        "render bundle --step 1 --dir rotation -o json-patch -f cluster.json",
        "render bundle --force --dir rotation -f cluster.json",
        "next --pr-body - --dir rotation -f cluster.json",
        "verify -o markdown --dir rotation --proposed proposed.json -f cluster.json",
        "render prune --force --dir rotation -f cluster.json",
        "diff bundle --step 1 --dir rotation -f cluster.json",
        "diff prune --dir rotation -f cluster.json",
    ];
    let mut shown = 0;
    for arguments in mesh.iter().chain(&rotation) {
        let (said, exit) = run(home, &format!("{arguments} --color always"));
        assert_ne!(exit, 101, "{arguments}: {said}");
        is_harmless(arguments, &said);
        shown += usize::from(said.contains("INJECTED"));
    }
    assert!(shown > 20, "the names are shown in {shown} of the answers only");
}

#[test]
fn programs_read_the_name_in_an_answer_and_no_more_than_that() {
    let home = tempfile::tempdir().unwrap();
    let cluster = cluster();
    fs::write(home.path().join("hostile.pem"), format!("{}\n", cluster.bundle)).unwrap();
    let (said, _) = run(home.path(), "inspect hostile.pem -o json");
    let found: Value = serde_json::from_str(&said).unwrap();
    let name = found[0]["certificates"][0]["name"].as_str().unwrap();
    assert!(name.starts_with("root\\u001b[2J") && name.contains("\\nINJECTED: true\\n"), "{name}");
    let bundle = BundleText::read(cluster.bundle.as_str());
    let anchor = &bundle.as_read_by(Rules::Proxy).unwrap().anchors()[0];
    assert_eq!(found[0]["certificates"][0]["fingerprint"], anchor.fingerprint().to_string());
}

#[test]
fn rendered_files_hold_a_hostile_name_in_comments_only_and_mean_what_they_should() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let cluster = cluster();
    fs::write(home.join("cluster.json"), dump(&cluster)).unwrap();
    assert_eq!(run(home, "start --dir rotation --allow-managed -f cluster.json").1, 0);
    let (said, exit) = run(home, "render bundle --step 1 --dir rotation --out out -f cluster.json");
    assert_eq!(exit, 0, "{said}");
    let mut files = 0;
    for entry in walk(&home.join("out")) {
        let text = fs::read_to_string(&entry).unwrap();
        is_harmless(&entry.display().to_string(), &text);
        for document in l5d_rotate::document::parse(&text, "out").unwrap() {
            assert!(document.tree.get("INJECTED").is_none(), "{text}");
            files += 1;
        }
    }
    assert!(files > 2);
}

fn walk(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
