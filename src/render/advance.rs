//! One Component a namespace whose path stays while a rotation goes on: it holds what earlier steps changed, and the last one over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::directory::{File, KUSTOMIZATION, file_name, kustomization, namespace, plain, target};
use super::{Form, RenderError, Rendered};
use crate::document::{self, ObjectRef, yaml};
use crate::mesh::Scheme;
use crate::rotation::PlannedStep;

/// The directory of these Components, below the one that is written to.
pub const CURRENT: &str = "current";

/// Is a step one of patches alone, as these Components hold them?
#[must_use]
pub fn can_advance(rendered: &[Rendered]) -> bool {
    !rendered.is_empty() && rendered.iter().all(|item| item.whole.is_none())
}

/// The files of the Components with a step in them. `before` tells of a directory which files it holds, by their names.
///
/// # Errors
/// A name that Kubernetes does not allow, or a file that holds no object any more.
pub fn advance(
    step: &PlannedStep,
    rendered: &[Rendered],
    before: impl Fn(&Path) -> Vec<(String, Zeroizing<String>)>,
) -> Result<Vec<(PathBuf, Vec<File>)>, RenderError> {
    let mut namespaces: BTreeMap<&str, Vec<&Rendered>> = BTreeMap::new();
    for item in rendered {
        namespaces.entry(namespace(&item.object)?).or_default().push(item);
    }
    let mut directories = Vec::new();
    for (namespace, items) in namespaces {
        let root = PathBuf::from(CURRENT).join(namespace);
        let mut held: BTreeMap<String, (ObjectRef, Zeroizing<String>)> = BTreeMap::new();
        for (name, text) in before(&root).into_iter().filter(|(name, _)| name != KUSTOMIZATION) {
            let object = object(&text).ok_or_else(|| RenderError::NoObject { path: root.join(&name) })?;
            held.insert(name, (object, text));
        }
        for item in items {
            let name = file_name(&item.object)?;
            let content = match held.get(&name) {
                Some((_, text)) if item.key.is_none() => over(text, item)?,
                _ => item.written(Form::Patch)?,
            };
            held.insert(name, (item.as_written(), content));
        }
        let patches: Vec<Value> =
            held.iter().map(|(name, (object, _))| json!({"path": name, "target": target(object)})).collect();
        let head = [
            format!("namespace {namespace}, up to step {}", step.step),
            "an overlay takes it with `components: [this directory]`, and that line stays for the whole rotation".to_owned(),
        ];
        let mut files =
            vec![plain(root.join(KUSTOMIZATION), &head, &kustomization(Form::Patch, "patches", patches))];
        files.extend(held.into_iter().map(|(name, (object, content))| File {
            path: root.join(name),
            secret: object.kind == "Secret" && Scheme::PRIVATE_KEYS.iter().any(|key| content.contains(key)),
            content,
        }));
        directories.push((root, files));
    }
    Ok(directories)
}

/// A patch with another one of the same object over it.
fn over(text: &str, item: &Rendered) -> Result<Zeroizing<String>, RenderError> {
    let mut tree = document::parse(text, "patch").ok().and_then(|mut all| all.pop()).map(|one| one.tree);
    let patch = item.document(Form::Patch)?;
    match &mut tree {
        Some(tree) => merge(tree, &patch),
        None => tree = Some(patch),
    }
    Ok(Zeroizing::new(yaml::write_stream(&[(item.head.clone(), tree.unwrap_or_default())])))
}

/// Maps key by key; what the later patch says of a key counts, that it goes too.
fn merge(earlier: &mut Value, later: &Value) {
    match (earlier, later) {
        (Value::Object(earlier), Value::Object(later)) => {
            for (key, value) in later {
                merge(earlier.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (earlier, later) => *earlier = later.clone(),
    }
}

fn object(text: &str) -> Option<ObjectRef> {
    ObjectRef::of(&document::parse(text, "patch").ok()?.pop()?.tree)
}
