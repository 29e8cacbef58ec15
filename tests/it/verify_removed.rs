//! `verify --git-base` on what a commit takes out of an object: whoever applies it from Git takes it out of the cluster.

use std::fs;

use l5d_rotate::document::yaml;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::support::layouts::{Files, Repository};

const CONFIG_MAP: &str = "ConfigMap-linkerd-identity-trust-roots.yaml";
const IDENTITY: &str = "Deployment-linkerd-identity.yaml";

/// The objects of a mesh that are kept in Git, a file each.
fn objects(cluster: &Cluster) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for mut object in cluster.items() {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        if ["Pod", "ReplicaSet", "Job", "Secret"].contains(&kind) {
            continue;
        }
        let file = format!("{kind}-{name}.yaml");
        object.as_object_mut().unwrap().shift_remove("status");
        all.push((file, object));
    }
    all
}

fn pod(object: &mut Value) -> &mut Value {
    &mut object["spec"]["template"]["spec"]
}

/// Takes the entry of this name out of a list.
fn without(list: &mut Value, name: &str) {
    let list = list.as_array_mut().unwrap();
    let before = list.len();
    list.retain(|entry| entry["name"] != name);
    assert_eq!(list.len() + 1, before, "{name}");
}

type Edit = fn(&mut Value);

#[test]
fn what_a_commit_takes_away_is_gone() {
    let Some(repository) = Repository::new() else {
        println!("skipped: what_a_commit_takes_away_is_gone: no git");
        return;
    };
    let cluster = Cluster::new();
    let all = objects(&cluster);
    let files: Files = all.iter().map(|(file, object)| (file.clone(), yaml::write(object))).collect();
    repository.write(&files);
    repository.commit();
    let dump = tempfile::tempdir().unwrap();
    let dump = dump.path().join("dump.json");
    fs::write(&dump, cluster.dump()).unwrap();
    let edits: [(&str, &str, Edit, i32); 7] = [
        ("another key", CONFIG_MAP, |one| one["data"] = json!({"other": "x"}), 4),
        ("no data", CONFIG_MAP, |one| _ = one.as_object_mut().unwrap().shift_remove("data"), 4),
        ("a volume", IDENTITY, |one| without(&mut pod(one)["volumes"], "trust-roots"), 3),
        ("a container", IDENTITY, |one| without(&mut pod(one)["containers"], "identity"), 3),
        ("a variable", IDENTITY, anchors_variable, 3),
        ("no replicas", IDENTITY, |one| _ = one["spec"].as_object_mut().unwrap().shift_remove("replicas"), 0),
        ("nothing", IDENTITY, |_| {}, 0),
    ];
    for (name, file, edit, expected) in edits {
        let mut object = all.iter().find(|(known, _)| known == file).unwrap().1.clone();
        edit(&mut object);
        repository.add(&vec![(file.to_owned(), yaml::write(&object))]);
        let (verdict, told, code) = repository.verify(&["-f", ".", "-R", "-f", dump.to_str().unwrap()]);
        assert_eq!(code, expected, "{name}: {verdict} {told:#}");
        repository.write(&files);
    }
}

fn anchors_variable(object: &mut Value) {
    let containers = pod(object)["containers"].as_array_mut().unwrap();
    let proxy = containers.iter_mut().find(|one| one["name"] == "linkerd-proxy").unwrap();
    without(&mut proxy["env"], "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS");
}
