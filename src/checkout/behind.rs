//! What controllers in the cluster make trust material of: sources of Bundles, stores of secrets, issuers of other groups.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::kustomization::list;
use super::open::{Open, Why};
use super::root::core;
use crate::document::{Document, text_at};
use crate::linkerd;
use crate::mesh::CERT_MANAGER_GROUP;

/// Names and selectors of what stands behind trust material.
#[derive(Debug, Default)]
pub(super) struct Behind {
    secrets: BTreeSet<String>,
    config_maps: BTreeSet<String>,
    /// Kind and name: stores, generators and issuers.
    others: BTreeSet<(String, String)>,
    /// Kind, and what is selected by labels.
    selected: Vec<(&'static str, Value)>,
    /// How a Bundle selects the namespaces that it is copied to.
    namespaces: Vec<Value>,
    /// Namespaces of control planes.
    homes: BTreeSet<String>,
}

/// The Secrets of Linkerd's guide.
const SECRETS: [&str; 3] = [linkerd::ISSUER_SECRET, "linkerd-trust-anchor", "linkerd-previous-anchor"];

impl Behind {
    pub(super) fn of(all: &[&Document]) -> Self {
        let mut behind = Self { secrets: SECRETS.map(str::to_owned).into(), ..Self::default() };
        behind.homes.insert("linkerd".to_owned());
        let size = |behind: &Self| (behind.secrets.len(), behind.others.len());
        loop {
            let before = size(&behind);
            // Each time the selectors are found anew.
            behind.selected.clear();
            behind.namespaces.clear();
            all.iter().for_each(|document| behind.follow(&document.tree));
            if size(&behind) == before {
                return behind;
            }
        }
    }

    fn follow(&mut self, tree: &Value) {
        let name = text_at(tree, "/metadata/name");
        if core(tree).is_some() && !text_at(tree, "/metadata/namespace").is_empty() {
            self.homes.insert(text_at(tree, "/metadata/namespace").to_owned());
        }
        match text_at(tree, "/kind") {
            "Bundle" if name == linkerd::TRUST_ROOTS => self.bundle(tree),
            "ClusterBundle" if name == linkerd::TRUST_ROOTS => self.cluster_bundle(tree),
            "ExternalSecret" | "ClusterExternalSecret" if self.is_secret(tree) => self.external(tree),
            "Certificate" if self.secrets.contains(text_at(tree, "/spec/secretName")) => {
                self.other(&tree["spec"]["issuerRef"], "Issuer");
            }
            kind @ ("Issuer" | "ClusterIssuer")
                if self.others.contains(&(kind.to_owned(), name.to_owned())) =>
            {
                let secret = text_at(tree, "/spec/ca/secretName");
                if !secret.is_empty() {
                    self.secrets.insert(secret.to_owned());
                }
            }
            _ => {}
        }
    }

    fn bundle(&mut self, tree: &Value) {
        for source in list(tree.pointer("/spec/sources")) {
            for (field, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
                let Some(source) = source.get(field) else { continue };
                self.source(kind, source);
            }
        }
        self.namespaces.extend(tree.pointer("/spec/target/namespaceSelector").cloned());
    }

    fn cluster_bundle(&mut self, tree: &Value) {
        for source in list(tree.pointer("/spec/sourceRefs")) {
            let kind = if text_at(source, "/kind") == "Secret" { "Secret" } else { "ConfigMap" };
            self.source(kind, source);
        }
        self.namespaces.extend(tree.pointer("/spec/target/namespaceSelector").cloned());
    }

    /// What a Bundle takes by name, or by a selector.
    fn source(&mut self, kind: &'static str, source: &Value) {
        let name = text_at(source, "/name").to_owned();
        match source.get("selector") {
            Some(selector) => self.selected.push((kind, selector.clone())),
            None if kind == "Secret" => _ = self.secrets.insert(name),
            None => _ = self.config_maps.insert(name),
        }
    }

    /// An ExternalSecret takes what is in it from stores and generators.
    fn external(&mut self, tree: &Value) {
        let within = tree.pointer("/spec/externalSecretSpec").unwrap_or(&tree["spec"]);
        self.other(&within["secretStoreRef"], "SecretStore");
        for entry in list(within.get("data")).chain(list(within.get("dataFrom"))) {
            for field in ["storeRef", "generatorRef"] {
                self.other(&entry["sourceRef"][field], "SecretStore");
            }
        }
    }

    fn other(&mut self, reference: &Value, default: &str) {
        let (kind, name) = (text_at(reference, "/kind"), text_at(reference, "/name"));
        let kind = if kind.is_empty() { default } else { kind };
        if !name.is_empty() {
            self.others.insert((kind.to_owned(), name.to_owned()));
        }
    }

    fn is_secret(&self, tree: &Value) -> bool {
        let names = ["/metadata/name", "/spec/target/name", "/spec/externalSecretName"];
        names.iter().any(|pointer| self.secrets.contains(text_at(tree, pointer)))
            || self.is_selected("Secret", tree)
    }

    /// Has an object, or what an operator makes of it, labels by which a Bundle selects its sources?
    fn is_selected(&self, kind: &str, tree: &Value) -> bool {
        const LABELS: [&str; 3] =
            ["/metadata/labels", "/spec/template/metadata/labels", "/spec/target/template/metadata/labels"];
        let mut labels = Map::new();
        for found in LABELS.iter().filter_map(|pointer| tree.pointer(pointer).and_then(Value::as_object)) {
            labels.extend(found.clone());
        }
        self.selected.iter().any(|(of, selector)| *of == kind && selects(selector, &labels))
    }

    /// What comes of an object depends on this of it; `None` where nothing does, or where it is judged elsewhere.
    pub(super) fn open(&self, document: &Document) -> Option<Open> {
        let tree = &document.tree;
        let (kind, name) = (text_at(tree, "/kind"), text_at(tree, "/metadata/name"));
        let group = text_at(tree, "/apiVersion").split('/').next().unwrap_or_default();
        let said = match kind {
            _ if core(tree).is_some() => return None,
            "ConfigMap" if self.config_maps.contains(name) || self.is_selected(kind, tree) => {
                json!([tree["data"], tree["binaryData"]])
            }
            "Secret" | "SealedSecret" | "ExternalSecret" if self.is_selected("Secret", tree) => {
                json!([tree["spec"], tree["data"], tree["stringData"]])
            }
            "Namespace" if self.homes.contains(name) => self.labels(tree)?,
            // Those of cert-manager itself are judged with what they sign.
            "Issuer" | "ClusterIssuer" if group == CERT_MANAGER_GROUP => return None,
            _ if self.others.contains(&(kind.to_owned(), name.to_owned())) => tree["spec"].clone(),
            _ => return None,
        };
        Some(Open::new(&document.origin, Why::Behind, &json!([kind, name, said])))
    }

    /// The labels of a namespace by which a Bundle is copied to it, or not.
    fn labels(&self, tree: &Value) -> Option<Value> {
        let mut found = Vec::new();
        for selector in &self.namespaces {
            let by_label =
                selector["matchLabels"].as_object().into_iter().flatten().map(|(key, _)| key.as_str());
            let by_rule = list(selector.get("matchExpressions")).filter_map(|rule| rule["key"].as_str());
            found.extend(by_label.chain(by_rule).map(|key| json!([key, tree["metadata"]["labels"][key]])));
        }
        (!found.is_empty()).then(|| found.into())
    }
}

/// Does a selector take these labels?
fn selects(selector: &Value, labels: &Map<String, Value>) -> bool {
    let mut wanted = selector["matchLabels"].as_object().into_iter().flatten();
    let is_kept = |rule: &Value| {
        let found = labels.get(text_at(rule, "/key"));
        let is_one = found.is_some_and(|found| list(rule.get("values")).any(|value| value == found));
        match text_at(rule, "/operator") {
            "In" => is_one,
            "NotIn" => !is_one,
            "DoesNotExist" => found.is_none(),
            _ => found.is_some(),
        }
    };
    wanted.all(|(key, value)| labels.get(key) == Some(value))
        && list(selector.get("matchExpressions")).all(is_kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_takes_labels_as_kubernetes_does() {
        let labels = json!({"root": "yes", "team": "a"});
        let labels = labels.as_object().unwrap();
        let rule = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (selector, selected) in [
            (json!({"matchLabels": {"root": "yes"}}), true),
            (json!({"matchLabels": {"root": "no"}}), false),
            (rule("team", "In", &["a", "b"]), true),
            (rule("team", "NotIn", &["a"]), false),
            (rule("other", "DoesNotExist", &[]), true),
            (rule("other", "Exists", &[]), false),
            (json!({}), true),
        ] {
            assert_eq!(selects(&selector, labels), selected, "{selector}");
        }
    }
}
