//! Annotations of pod templates that the post-renderers of a Flux HelmRelease set.

use serde_json::{Map, Value, json};

use super::kustomization::list;
use crate::document::{self, Document, text_at};

/// The post-renderers of a HelmRelease, taken apart.
#[derive(Debug, Default)]
pub(super) struct PostRenderers {
    /// Workloads of which nothing is said but annotations of their pods.
    annotated: Vec<Value>,
    /// What else they do.
    pub(super) others: Value,
}

impl PostRenderers {
    /// Each is a kustomization of patches (`HelmRelease.spec.postRenderers` of `helm.toolkit.fluxcd.io/v2`).
    pub(super) fn of(release: &Value) -> Self {
        let mut found = Self::default();
        let Some(mut all) = release.pointer("/spec/postRenderers").cloned() else { return found };
        for renderer in all.as_array_mut().into_iter().flatten() {
            let Some(patches) = renderer.pointer_mut("/kustomize/patches").and_then(Value::as_array_mut)
            else {
                continue;
            };
            patches.retain(|patch| match annotations(patch) {
                Some(workload) => {
                    found.annotated.push(workload);
                    false
                }
                None => true,
            });
        }
        let is_rest = |renderer: &&Value| **renderer != json!({"kustomize": {"patches": []}});
        let rest: Vec<Value> = list(Some(&all)).filter(is_rest).cloned().collect();
        found.others = if all.is_array() && rest.is_empty() { Value::Null } else { rest.into() };
        found
    }

    /// Sets the annotations in the objects that a chart makes; of a workload that is none of them, they are all that is known.
    pub(super) fn annotate(&self, objects: &mut Vec<Document>, release: &Document) {
        let tree = &release.tree;
        let namespace = match text_at(tree, "/spec/targetNamespace") {
            "" => text_at(tree, "/metadata/namespace"),
            target => target,
        };
        for workload in &self.annotated {
            let is_it = |document: &&mut Document| {
                ["/kind", "/metadata/name"].iter().all(|at| document.tree.pointer(at) == workload.pointer(at))
            };
            if let Some(known) = objects.iter_mut().find(is_it) {
                document::lay_over(&mut known.tree, workload.clone());
                continue;
            }
            let mut made = workload.clone();
            made["metadata"]["namespace"] = namespace.into();
            made["metadata"]["labels"] = json!({"helm.toolkit.fluxcd.io/name": text_at(tree, "/metadata/name"),
                "helm.toolkit.fluxcd.io/namespace": text_at(tree, "/metadata/namespace")});
            objects.push(Document { origin: release.origin.clone(), tree: made });
        }
    }
}

/// The workload of a patch that annotates its pods and does nothing else.
fn annotations(patch: &Value) -> Option<Value> {
    let mut parsed = document::parse(text_at(patch, "/patch"), "patch").ok()?;
    let tree = parsed.pop().filter(|_| parsed.is_empty())?.tree;
    let (kind, name) = (text_at(&tree, "/kind"), text_at(&tree, "/metadata/name"));
    let annotations = tree.pointer("/spec/template/metadata/annotations")?;
    let whole = json!({"apiVersion": tree["apiVersion"], "kind": kind, "metadata": {"name": name},
        "spec": {"template": {"metadata": {"annotations": annotations}}}});
    let is_text = |all: &Map<String, Value>| all.values().all(Value::is_string);
    // The target's name is a regular expression.
    let is_plain = !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '-');
    let is_target = patch.get("target").is_none_or(|target| *target == json!({"kind": kind, "name": name}));
    let has_more = patch.as_object()?.keys().any(|key| !["patch", "target"].contains(&key.as_str()));
    let is_workload = ["Deployment", "StatefulSet", "DaemonSet", "Rollout"].contains(&kind);
    let is_it = is_workload && is_plain && is_target && !has_more && tree == whole;
    (is_it && annotations.as_object().is_some_and(is_text)).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(target: Value, more: &str) -> Value {
        let patch = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    metadata:\n      annotations:\n        a: b\n{more}"
        );
        json!({"patch": patch, "target": target})
    }

    fn of(patches: &[Value]) -> PostRenderers {
        PostRenderers::of(&json!({"spec": {"postRenderers": [{"kustomize": {"patches": patches}}]}}))
    }

    #[test]
    fn a_patch_that_does_more_than_annotate_pods_is_not_one_of_annotations() {
        let own = json!({"kind": "Deployment", "name": "web"});
        assert_eq!(of(&[patch(own.clone(), "")]).annotated.len(), 1);
        assert_eq!(of(&[patch(own.clone(), "")]).others, Value::Null);
        for other in [
            patch(own.clone(), "    spec: {}\n"),
            patch(own.clone(), "  replicas: 1\n"),
            patch(own, "        c: null\n"),
            patch(json!({"kind": "Deployment"}), ""),
            patch(json!({"kind": "Deployment", "name": "web.*"}), ""),
            json!({"patch": "[{\"op\": \"remove\", \"path\": \"/spec/template\"}]", "target": {"kind": "Deployment"}}),
        ] {
            let parted = of(std::slice::from_ref(&other));
            assert!(parted.annotated.is_empty(), "{other}");
            assert_eq!(parted.others, json!([{"kustomize": {"patches": [other]}}]));
        }
    }
}
