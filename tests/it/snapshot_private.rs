//! A snapshot holds what is asked of a mesh, and no secret that somebody put where none belongs.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::document::yaml;
use serde_json::{Value, json};

use crate::cluster::{Cluster, NOW};
use crate::runner;

/// What is hidden everywhere, each time with another number.
const SECRET: &str = "hunter2hunter2hunter2";

fn run(dir: &tempfile::TempDir, arguments: &str) -> String {
    let output = runner::plugin()
        .current_dir(dir.path())
        .args(arguments.split_whitespace())
        .args(["--at", NOW])
        .output()
        .unwrap();
    assert!(output.status.code().is_some_and(|code| code < 2), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The cluster's objects, changed.
fn objects(change: impl Fn(&mut Value)) -> String {
    let mut list: Value = serde_json::from_str(&Cluster::new().dump()).unwrap();
    list["items"].as_array_mut().unwrap().iter_mut().for_each(change);
    list.to_string()
}

fn is_of(object: &Value, kind: &str) -> bool {
    object["kind"] == kind
}

/// Where the containers of an object's pods stand.
fn containers(object: &mut Value) -> Option<&mut Vec<Value>> {
    let place = if is_of(object, "Pod") { "/spec/containers" } else { "/spec/template/spec/containers" };
    object.pointer_mut(place)?.as_array_mut()
}

/// Puts secrets wherever there is room for one.
fn with_secrets(object: &mut Value) {
    let key = format!("-----BEGIN PRIVATE KEY-----\nMIG{SECRET}1\n-----END PRIVATE KEY-----\n");
    let encoded = STANDARD.encode(format!("-----BEGIN PRIVATE KEY-----\nMIG{SECRET}2\n"));
    if let Some(annotations) = object.pointer_mut("/spec/template/metadata/annotations") {
        annotations["example.com/token"] = json!(format!("{SECRET}3"));
    }
    if is_of(object, "ConfigMap") {
        object["data"]["more"] = json!(format!("{SECRET}4"));
        object["binaryData"] = json!({"more": STANDARD.encode(format!("{SECRET}5"))});
        if let Some(values) = object["data"].get_mut("values") {
            let old = values.as_str().unwrap();
            assert!(old.contains("\nproxy:\n"), "{old}");
            let variables = format!("\nproxy:\n  additionalEnv:\n  - name: TOKEN\n    value: {SECRET}6\n");
            *values = json!(old.replace("\nproxy:\n", &variables));
        }
    }
    let Some(containers) = containers(object) else { return };
    for container in containers.iter_mut() {
        let Some(variables) = container["env"].as_array_mut() else { continue };
        for variable in variables.iter_mut() {
            if variable["name"] == "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS" && variable["value"].is_string() {
                let text = variable["value"].as_str().unwrap();
                variable["value"] = json!(format!("{text}{key}{SECRET}7\n{encoded}\n"));
            }
        }
        variables.push(json!({"name": "TOKEN", "value": format!("{SECRET}8")}));
    }
    containers.push(json!({"name": "vault-agent", "image": "x", "command": ["agent", format!("{SECRET}9")],
        "args": [format!("-token={SECRET}10")], "env": [{"name": "LINKERD2_TOKEN", "value": format!("{SECRET}11")}]}));
}

#[test]
fn no_secret_reaches_a_snapshot_wherever_it_was_put() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("dump.json"), objects(with_secrets)).unwrap();
    let text = run(&dir, "snapshot -f dump.json");
    let place =
        text.find(SECRET).map(|at| text[at.saturating_sub(200)..].chars().take(300).collect::<String>());
    assert_eq!(place, None);
    let encoded = STANDARD.encode(format!("-----BEGIN PRIVATE KEY-----\nMIG{SECRET}2\n"));
    assert!(!text.contains(&encoded) && !text.contains(&STANDARD.encode(format!("{SECRET}5"))));
    // Proxies that hold such a text are told of all the same.
    fs::write(dir.path().join("mesh.yaml"), &text).unwrap();
    let [dump, snapshot] =
        ["dump.json", "mesh.yaml"].map(|file| run(&dir, &format!("check -o json -f {file}")));
    let codes = |said: &str| {
        let said: Value = serde_json::from_str(said).unwrap();
        let findings = said["findings"].as_array().unwrap().iter();
        findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes(&dump), codes(&snapshot));
    // What is written of an object that is not whole any more is refused, and a patch is not.
    fs::write(dir.path().join("plain.json"), Cluster::new().dump()).unwrap();
    run(&dir, "start --dir rotation -f plain.json");
    run(&dir, "render bundle --step 2 --force --dir rotation -f mesh.yaml");
    let whole = "render bundle --step 2 --force --dir rotation -o object -f mesh.yaml";
    let refused =
        runner::plugin().current_dir(dir.path()).args(whole.split(' ')).args(["--at", NOW]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("use -o patch"), "{refused:?}");
}

#[test]
fn of_a_mesh_without_secrets_a_snapshot_tells_everything() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("dump.json"), Cluster::new().dump()).unwrap();
    fs::write(dir.path().join("mesh.yaml"), run(&dir, "snapshot -f dump.json")).unwrap();
    run(&dir, "start --dir rotation -f dump.json");
    for verb in [
        "status",
        "check",
        "plan --dir rotation",
        "render bundle --step 1 -o object --dir rotation",
        "render bundle --step 2 --force -o object --dir rotation",
        "diff bundle --step 1 --dir rotation",
        "diff bundle --step 2 --dir rotation",
    ] {
        let [dump, snapshot] = ["dump.json", "mesh.yaml"]
            .map(|file| run(&dir, &format!("{verb} -f {file}")).replace(file, "FILE"));
        assert_eq!(dump, snapshot, "{verb}");
    }
    // And a snapshot of it is the same.
    let again = run(&dir, "snapshot -f mesh.yaml");
    assert_eq!(again, fs::read_to_string(dir.path().join("mesh.yaml")).unwrap());
    assert!(again.len() > yaml::write(&json!({})).len());
}
