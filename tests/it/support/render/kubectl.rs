//! The real kubectl as an oracle.

use std::process::Command;

use l5d_rotate::document::yaml;
use l5d_rotate::render::File;
use serde_json::{Value, json};

fn run(arguments: &[&str]) -> Result<String, String> {
    let out = Command::new("kubectl").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
}

/// `kubectl patch --local`: the object that a patch makes of `current`.
pub fn patch(kind: &str, current: &Value, patch: &str) -> Result<Value, String> {
    let dir = tempfile::tempdir().unwrap();
    let [object, file] = ["object.json", "patch.yaml"].map(|name| dir.path().join(name));
    std::fs::write(&object, current.to_string()).unwrap();
    std::fs::write(&file, patch).unwrap();
    let text = run(&[
        "patch",
        "--local",
        &format!("--type={kind}"),
        "-f",
        object.to_str().unwrap(),
        "--patch-file",
        file.to_str().unwrap(),
        "-o",
        "json",
    ])?;
    Ok(serde_json::from_str(&text).unwrap())
}

/// `kubectl kustomize`: what `root` among these files builds.
pub fn built(files: &[File], root: &str) -> Result<Vec<Value>, String> {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.content).unwrap();
    }
    let text = run(&["kustomize", dir.path().join(root).to_str().unwrap()])?;
    Ok(l5d_rotate::document::parse(&text, "kustomize")
        .unwrap()
        .into_iter()
        .map(|document| document.tree)
        .collect())
}

/// An overlay over these objects, taking in `taken` (directories among `files`) under `field`.
pub fn overlay(objects: &[Value], files: &[File], field: &str, taken: &[&str]) -> Result<Vec<Value>, String> {
    let mut files = files.to_vec();
    let mut add = |path: &str, content| {
        files.push(File { path: path.into(), content: String::into(content), secret: false })
    };
    let stream: Vec<_> = objects.iter().map(|tree| (vec![], tree.clone())).collect();
    let mut kustomization = json!({ "resources": [] });
    if !objects.is_empty() {
        add("overlay/objects.yaml", yaml::write_stream(&stream));
        kustomization["resources"] = json!(["objects.yaml"]);
    }
    let taken: Vec<_> = taken.iter().map(|path| format!("../{path}").into()).collect();
    match kustomization.get_mut(field).and_then(Value::as_array_mut) {
        Some(resources) => resources.extend(taken),
        None => kustomization[field] = Value::Array(taken),
    }
    add("overlay/kustomization.yaml", yaml::write(&kustomization));
    built(&files, "overlay")
}
