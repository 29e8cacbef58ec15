//! `check` over a repository names private keys that stand in its files in plain text, and shows none of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::pki::{KeyEncoding, PrivateKey};
use serde_json::{Value, json};

use crate::cluster::{Cluster, NOW, pem};
use crate::layouts::{Declared, RENDERED, Repository};
use crate::runner;

/// The findings, the exit code and everything that was printed.
fn check(repository: &Repository) -> (Value, i32, String) {
    let run = |format: &str| {
        let mut plugin = runner::plugin();
        plugin
            .current_dir(repository.home.path())
            .args(["check", "-f", ".", "-R", "--at", NOW, "-o", format]);
        plugin.output().unwrap()
    };
    let (json, text) = (run("json"), run("table"));
    let tree: Value = serde_json::from_slice(&json.stdout).unwrap();
    let found = tree["findings"].as_array().unwrap().iter();
    let found = found.filter(|one| one["code"] == "private-keys-in-files").cloned().collect::<Vec<_>>();
    let all = [json.stdout, json.stderr, text.stdout, text.stderr].concat();
    (json!(found), text.status.code().unwrap(), String::from_utf8(all).unwrap())
}

#[test]
fn a_private_key_in_plain_text_is_named_by_its_place_and_the_anchors_is_an_error() {
    let cluster = Cluster::new();
    let Some(repository) = Repository::new() else {
        println!("skipped: a_private_key_in_plain_text_is_named_by_its_place: no git");
        return;
    };
    let other = PrivateKey::generate().unwrap().to_pem(KeyEncoding::Pkcs8).unwrap().to_string();
    let body: String = other.lines().filter(|line| !line.starts_with('-')).collect();
    let mut files = (RENDERED[0].1)(&Declared::of(&cluster));
    let more = [
        ("notes.md", "# Keys\n-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n".to_owned()),
        ("sealed.pem", other.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
        ("certs/values.json", json!({"a": 1, "key": other}).to_string()),
        ("certs/values.yaml", format!("a: b\nfile: {}\n", STANDARD.encode(format!("k: |\n  x\n{other}")))),
    ];
    files.extend(more.map(|(name, text)| (name.to_owned(), text)));
    repository.write(&files);
    repository.commit();
    std::fs::write(repository.home.path().join("mine.pem"), &other).unwrap();
    let (found, exit, said) = check(&repository);
    let keys = &found[0]["evidence"]["keys"];
    let places: Vec<&str> =
        keys.as_array().unwrap().iter().map(|key| key["place"].as_str().unwrap()).collect();
    assert_eq!(places.len(), 3, "{places:?}");
    assert_eq!(places[..2], ["certs/values.json:1", "certs/values.yaml:2"]);
    assert!(places[2].starts_with("linkerd.yaml:"), "{places:?}");
    assert_eq!((&keys[0]["isOfIssuer"], &keys[2]["isOfIssuer"]), (&json!(false), &json!(true)));
    assert_eq!((&found[0]["severity"], exit), (&json!("warning"), 0), "{said}");
    assert!(!said.contains(&body[20..60]));

    let anchor = pem(&cluster.anchor.key);
    repository.add(&vec![("ca/ca.key".to_owned(), anchor.clone())]);
    let (found, exit, said) = check(&repository);
    let key = &found[0]["evidence"]["keys"][0];
    assert_eq!(
        (&key["place"], &key["anchor"]["name"]),
        (&json!("ca/ca.key:1"), &json!("root.linkerd.cluster.local"))
    );
    assert_eq!((&found[0]["severity"], exit), (&json!("error"), 1), "{said}");
    assert!(anchor.lines().all(|line| line.starts_with('-') || !said.contains(line)));
    assert!(said.contains("ca/ca.key:1 (of trust anchor root.linkerd.cluster.local"), "{said}");

    let without: Vec<&str> = files[0].1.lines().filter(|line| !line.contains("key.pem: ")).collect();
    repository.write(&vec![("linkerd.yaml".to_owned(), without.join("\n"))]);
    let (found, _, said) = check(&repository);
    assert_eq!(found, json!([]), "{said}");
}
