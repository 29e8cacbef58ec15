//! Releases of Linkerd's charts, with the values that reach them.

mod argo;
mod flux;
mod helm_charts;
mod local;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::chart::Chart;
use super::kustomization::list;
use super::open::{Open, Why};
use super::path::join;
use super::side::Side;
use super::template::Templates;
use super::values::{lay, parse, set};
use crate::document::{Document, Origin, text_at};
use crate::linkerd;
use crate::mesh::VALUES_FILE;

pub(super) use helm_charts::of_kustomization;

/// What a repository says about one release of Linkerd's control plane.
#[derive(Debug, Default)]
pub(super) struct Release {
    /// The objects that the chart makes of it.
    pub(super) objects: Vec<Document>,
    /// What of its values is not told.
    pub(super) open: Vec<Open>,
    /// How values reach Linkerd's chart.
    pub(super) deployment: Vec<Open>,
    /// Files of values.
    pub(super) files: BTreeSet<String>,
    /// ConfigMaps and Secrets of values, by kind and name.
    pub(super) used: BTreeSet<(String, String)>,
}

/// Where values may come from besides.
pub(super) struct Sources<'a> {
    pub(super) side: &'a Side,
    /// Objects of the same repository: ConfigMaps and Secrets with values.
    pub(super) objects: &'a [Document],
}

/// A release while its values are brought together.
struct Draft<'a> {
    sources: &'a Sources<'a>,
    origin: Origin,
    /// Labels and annotations by which the owner of its objects is told.
    marks: Value,
    values: Value,
    open: Vec<(Why, Value)>,
    files: BTreeSet<String>,
    used: BTreeSet<(String, String)>,
    /// The directory of the chart, where it stands in the repository.
    local: Option<String>,
    /// Where the chart comes from.
    from: Vec<Open>,
}

fn first<'a>(texts: &[&'a str]) -> &'a str {
    texts.iter().copied().find(|text| !text.is_empty()).unwrap_or("linkerd")
}

/// The releases that an object declares: one of Flux, Argo CD, k3s or Buoyant's operator.
pub(super) fn of(document: &Document, sources: &Sources<'_>) -> Vec<Release> {
    let tree = &document.tree;
    let group = text_at(tree, "/apiVersion").split('/').next().unwrap_or_default();
    let found = match (group, text_at(tree, "/kind")) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => vec![flux::release(document, sources)],
        ("argoproj.io", "Application") => argo::releases(document, sources),
        ("helm.cattle.io", "HelmChart") => vec![k3s(document, sources)],
        ("linkerd.buoyant.io", "ControlPlane") => vec![buoyant(document, sources)],
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// The ConfigMap that trust-manager makes of a Bundle whose certificates all stand in it; `None` where they come from
/// elsewhere (`pkg/bundle/source.go`).
pub(super) fn of_bundle(document: &Document, namespace: &str) -> Option<Document> {
    let tree = &document.tree;
    if text_at(tree, "/metadata/name") != linkerd::TRUST_ROOTS {
        return None;
    }
    let (group, kind) = (text_at(tree, "/apiVersion").split('/').next(), text_at(tree, "/kind"));
    let (sources, key, label): (Vec<&str>, _, _) = match (group, kind) {
        (Some("trust.cert-manager.io"), "Bundle") => {
            let sources = list(tree.pointer("/spec/sources"));
            let sources = sources.map(|source| text_at(source, "/inLine").trim()).collect();
            (sources, text_at(tree, "/spec/target/configMap/key"), "trust.cert-manager.io/bundle")
        }
        (Some("trust-manager.io"), "ClusterBundle") if has_in_line_alone(tree) => {
            let keys = list(tree.pointer("/spec/target/configMap/data"));
            let key = keys
                .filter(|one| matches!(text_at(one, "/format"), "" | "PEM"))
                .map(|one| text_at(one, "/key"));
            let pem = text_at(tree, "/spec/inLineCAs").trim();
            (vec![pem], key.into_iter().next().unwrap_or_default(), "trust-manager.io/bundle")
        }
        _ => return None,
    };
    if sources.is_empty() || key.is_empty() || sources.iter().any(|text| text.is_empty()) {
        return None;
    }
    let metadata = json!({"name": linkerd::TRUST_ROOTS, "namespace": namespace,
        "labels": {label: linkerd::TRUST_ROOTS}});
    let tree = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: sources.join("\n")}});
    Some(Document { origin: document.origin.clone(), tree })
}

/// Does all that a ClusterBundle publishes stand in it?
fn has_in_line_alone(tree: &Value) -> bool {
    let Some(spec) = tree["spec"].as_object() else { return false };
    spec.iter().all(|(key, value)| match key.as_str() {
        "inLineCAs" | "target" => true,
        "sourceRefs" => value.as_array().is_some_and(Vec::is_empty),
        "defaultCAs" => value["provider"] == "Disabled",
        _ => false,
    })
}

/// Is it an object whose releases are read here?
pub(super) fn is_one(tree: &Value) -> bool {
    let group = text_at(tree, "/apiVersion").split('/').next().unwrap_or_default();
    [
        ("helm.toolkit.fluxcd.io", "HelmRelease"),
        ("argoproj.io", "Application"),
        ("argoproj.io", "ApplicationSet"),
        ("helm.cattle.io", "HelmChart"),
        ("linkerd.buoyant.io", "ControlPlane"),
    ]
    .contains(&(group, text_at(tree, "/kind")))
}

/// The release that a file of values alone declares, over those that stand below it.
pub(super) fn of_values(
    document: &Document,
    below: Option<&Value>,
    chart: Option<String>,
    sources: &Sources<'_>,
) -> Option<Release> {
    let mut draft = Draft::new(document, sources);
    draft.values = below.cloned().unwrap_or_else(|| json!({}));
    lay(&mut draft.values, document.tree.clone());
    draft.local = chart;
    draft.finish("", "", "linkerd")
}

fn k3s(document: &Document, sources: &Sources<'_>) -> Option<Release> {
    let tree = &document.tree;
    let mut draft = Draft::new(document, sources);
    draft.text("valuesContent", text_at(tree, "/spec/valuesContent"));
    for (path, value) in tree.pointer("/spec/set").and_then(Value::as_object).into_iter().flatten() {
        set(&mut draft.values, path, value.as_str().unwrap_or_default());
    }
    let namespace = first(&[text_at(tree, "/spec/targetNamespace"), text_at(tree, "/metadata/namespace")]);
    draft.finish(text_at(tree, "/spec/chart"), text_at(tree, "/spec/version"), namespace)
}

fn buoyant(document: &Document, sources: &Sources<'_>) -> Option<Release> {
    let mut draft = Draft::new(document, sources);
    let config = document.tree.pointer("/spec/components/linkerd/controlPlaneConfig");
    draft.values = config.cloned().unwrap_or_else(|| json!({}));
    draft.finish(
        "linkerd-enterprise-control-plane",
        text_at(&document.tree, "/spec/components/linkerd/version"),
        "linkerd",
    )
}

impl<'a> Draft<'a> {
    fn new(document: &Document, sources: &'a Sources<'a>) -> Self {
        Self {
            sources,
            origin: document.origin.clone(),
            marks: json!({"labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {VALUES_FILE: document.origin.source}}),
            values: json!({}),
            open: Vec::new(),
            files: BTreeSet::new(),
            used: BTreeSet::new(),
            local: None,
            from: Vec::new(),
        }
    }

    fn finish(mut self, chart: &str, version: &str, namespace: &str) -> Option<Release> {
        let templates = self.local.as_ref().and_then(|directory| Templates::of(self.sources.side, directory));
        if let Some(templates) = &templates {
            self.open.push((Why::Templated, templates.content(&self.values)));
            self.files.extend(templates.files.iter().cloned());
        }
        let chart = Chart::of(chart, version, &self.values).or_else(|| self.dependency());
        if chart.is_none() && templates.is_none() {
            return None;
        }
        let shape = self.local.as_ref().map(|directory| self.shape(directory));
        let Self { origin, marks, values, open, files, used, from: mut deployment, .. } = self;
        deployment.extend(shape.map(|shape| Open::new(&origin, Why::Redeployed, &shape)));
        let objects =
            chart.map(|chart| chart.objects(&values, namespace, &marks, &origin)).unwrap_or_default();
        let open = open.into_iter().map(|(why, content)| Open::new(&origin, why, &content)).collect();
        Some(Release { objects, open, deployment, files, used })
    }

    fn text(&mut self, what: &str, text: &str) {
        match parse(text) {
            Some(values) if values.is_object() => lay(&mut self.values, values),
            _ => self.open.push((Why::Unread(what.to_owned()), text.into())),
        }
    }

    /// A file of values, named by somebody in `directory`.
    fn file(&mut self, directory: &str, name: &str) {
        let path = join(directory, name);
        let text = path.as_ref().and_then(|path| self.sources.side.text(path));
        match (path, text) {
            (Some(path), Some(text)) => {
                self.text(name, &text);
                self.files.insert(path);
            }
            _ => self.open.push((Why::Elsewhere(name.to_owned()), name.into())),
        }
    }

    /// A file of values, named from the repository's root.
    fn file_of_root(&mut self, name: &str) {
        let path = self.sources.side.of_root(name).unwrap_or_else(|| name.to_owned());
        self.file("", &path);
    }
}
