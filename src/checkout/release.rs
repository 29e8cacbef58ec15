//! Releases of Linkerd's charts, with the values that reach them.

mod local;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::annotated::PostRenderers;
use super::chart::Chart;
use super::engine;
use super::kustomization::{list, strings};
use super::open::{Open, Why};
use super::path::join;
use super::side::Side;
use super::template::Templates;
use super::values::{assign, get, lay, parse, set};
use crate::document::{Document, Origin, decoded, mentions, text_at};
use crate::linkerd;
use crate::mesh::VALUES_FILE;

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

/// The values that carry trust material, by their path in Linkerd's chart.
const TRUST: [&str; 4] = [
    "identityTrustAnchorsPEM",
    "identity.issuer.tls.crtPEM",
    "identity.issuer.tls.keyPEM",
    "identity.issuer.scheme",
];

fn first<'a>(texts: &[&'a str]) -> &'a str {
    texts.iter().copied().find(|text| !text.is_empty()).unwrap_or("linkerd")
}

/// The releases that an object declares: one of Flux, Argo CD, k3s or Buoyant's operator.
pub(super) fn of(document: &Document, sources: &Sources<'_>) -> Vec<Release> {
    let tree = &document.tree;
    let group = text_at(tree, "/apiVersion").split('/').next().unwrap_or_default();
    let found = match (group, text_at(tree, "/kind")) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => vec![flux(document, sources)],
        ("argoproj.io", "Application") => argo(document, sources),
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
    let is_ours =
        text_at(tree, "/kind") == "Bundle" && text_at(tree, "/metadata/name") == linkerd::TRUST_ROOTS;
    if !is_ours || !text_at(tree, "/apiVersion").starts_with("trust.cert-manager.io/") {
        return None;
    }
    let sources: Vec<&str> =
        list(tree.pointer("/spec/sources")).map(|source| text_at(source, "/inLine").trim()).collect();
    let key = text_at(tree, "/spec/target/configMap/key");
    if sources.is_empty() || key.is_empty() || sources.iter().any(|text| text.is_empty()) {
        return None;
    }
    let metadata = json!({"name": linkerd::TRUST_ROOTS, "namespace": namespace,
        "labels": {"trust.cert-manager.io/bundle": linkerd::TRUST_ROOTS}});
    let tree = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: sources.join("\n")}});
    Some(Document { origin: document.origin.clone(), tree })
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

/// Flux: files of values in their order, values set by a path, then those of the HelmRelease itself
/// (`fluxcd/pkg/chartutil/values.go`).
fn flux(document: &Document, sources: &Sources<'_>) -> Option<Release> {
    let tree = &document.tree;
    let own = text_at(tree, "/metadata/namespace");
    let inline = tree.pointer("/spec/values").cloned().unwrap_or_default();
    let mut draft = Draft::new(document, sources);
    draft.marks = json!({"labels": {"helm.toolkit.fluxcd.io/name": text_at(tree, "/metadata/name"),
        "helm.toolkit.fluxcd.io/namespace": own}});
    let (name, version) = draft.flux_chart(tree);
    for reference in list(tree.pointer("/spec/valuesFrom")) {
        draft.flux_reference(reference, own, &inline);
    }
    if inline.is_object() {
        lay(&mut draft.values, inline);
    }
    let rendered = PostRenderers::of(tree);
    if reaches_control_plane(&rendered.others) {
        draft.open.push((Why::Patched, rendered.others.clone()));
    }
    let namespace = first(&[text_at(tree, "/spec/targetNamespace"), own]);
    let mut release = draft.finish(&name, &version, namespace)?;
    rendered.annotate(&mut release.objects, document);
    Some(release)
}

/// Argo CD: files, then `valuesObject` or else `values`, parameters, and parameters out of files (`util/helm/cmd.go`).
fn argo(document: &Document, sources: &Sources<'_>) -> Vec<Option<Release>> {
    let spec = &document.tree["spec"];
    let (all, over) = engine::sources(document, sources.side);
    let namespace = first(&[text_at(spec, "/destination/namespace")]);
    let release = |source: &Value| {
        let (chart, path) = (text_at(source, "/chart"), text_at(source, "/path"));
        let local = sources
            .side
            .of_root(path)
            .filter(|path| chart.is_empty() && sources.side.has(&format!("{path}/Chart.yaml")));
        if chart.is_empty() && local.is_none() {
            return None;
        }
        let mut draft = Draft::new(document, sources);
        draft.marks["labels"] =
            json!({"argocd.argoproj.io/instance": text_at(&document.tree, "/metadata/name")});
        draft.files.extend(over.iter().cloned());
        let directory = local.unwrap_or_default();
        if chart.is_empty() {
            draft.local_chart(&directory);
        }
        draft.argo_source(&source["helm"], &directory);
        draft.finish(first(&[chart, path]), text_at(source, "/targetRevision"), namespace)
    };
    all.iter().map(release).collect()
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

/// A chart that a kustomization renders (`helmCharts`): its file of values, its own values, then further files
/// (`api/types/helmchartargs.go`).
pub(super) fn of_kustomization(
    entry: &Value,
    directory: &str,
    origin: &Origin,
    side: &Side,
) -> Option<Release> {
    let sources = Sources { side, objects: &[] };
    let document = Document { origin: origin.clone(), tree: Value::Null };
    let mut draft = Draft::new(&document, &sources);
    let file = text_at(entry, "/valuesFile");
    let inline = entry.get("valuesInline").cloned().unwrap_or_else(|| json!({}));
    let mut of_file = json!({});
    if !file.is_empty() {
        draft.file(directory, file);
        of_file = std::mem::replace(&mut draft.values, json!({}));
    }
    let (below, above) = match text_at(entry, "/valuesMerge") {
        "merge" => (inline, of_file),
        "replace" => (json!({}), inline),
        _ => (of_file, inline),
    };
    lay(&mut draft.values, below);
    lay(&mut draft.values, above);
    for more in strings(entry.get("additionalValuesFiles")) {
        draft.file(directory, more);
    }
    let from = ["name", "repo", "releaseName", "namespace"].map(|key| entry.get(key));
    draft.from.push(Open::new(origin, Why::Redeployed, &json!(from)));
    draft.finish(text_at(entry, "/name"), text_at(entry, "/version"), first(&[text_at(entry, "/namespace")]))
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

    /// The name and version of the chart that a HelmRelease names; a chart of this repository brings its own values.
    fn flux_chart(&mut self, tree: &Value) -> (String, String) {
        let named = text_at(tree, "/spec/chart/spec/chart");
        let version = text_at(tree, "/spec/chart/spec/version").to_owned();
        if let Some(directory) = self
            .sources
            .side
            .of_root(named)
            .filter(|path| self.sources.side.has(&format!("{path}/Chart.yaml")))
        {
            self.local_chart(&directory);
            let files: Vec<&str> = strings(tree.pointer("/spec/chart/spec/valuesFiles")).collect();
            files.iter().for_each(|file| self.file_of_root(file));
        }
        let own = text_at(tree, "/metadata/namespace");
        let reference = tree.pointer("/spec/chart/spec/sourceRef").or_else(|| tree.pointer("/spec/chartRef"));
        let text = |key: &str| reference.and_then(|reference| reference[key].as_str()).unwrap_or_default();
        let object = self.object(text("kind"), text("namespace"), own, text("name"));
        self.from.extend(object.map(|object| engine::source(&self.origin, object)));
        if !named.is_empty() {
            return (named.to_owned(), version);
        }
        let name = text("name");
        let url = object.map_or(name, |object| {
            first(&[text_at(object, "/spec/url"), text_at(object, "/spec/chart"), name])
        });
        (url.to_owned(), version)
    }

    /// An object of the repository; one that names no namespace is meant for wherever it is put.
    fn object(&self, kind: &str, namespace: &str, default: &str, name: &str) -> Option<&'a Value> {
        let wanted = if namespace.is_empty() { default } else { namespace };
        let mut trees = self.sources.objects.iter().map(|document| &document.tree);
        trees.find(|tree| {
            text_at(tree, "/kind") == kind
                && text_at(tree, "/metadata/name") == name
                && ["", wanted].contains(&text_at(tree, "/metadata/namespace"))
        })
    }

    /// Objects of this name, also as a generator or another controller has it: what cannot be read is watched for changes.
    fn named(&self, name: &str) -> Vec<&'a Value> {
        // Operators name the Secret that they make in one of these.
        let made = ["/spec/target/name", "/spec/template/metadata/name", "/spec/destination/name"];
        let is = |tree: &&Value| {
            let found = text_at(tree, "/metadata/name");
            found == name
                || found.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
                || made.iter().any(|pointer| text_at(tree, pointer) == name)
        };
        self.sources.objects.iter().map(|document| &document.tree).filter(is).collect()
    }

    fn flux_reference(&mut self, reference: &Value, namespace: &str, inline: &Value) {
        let (kind, name) = (text_at(reference, "/kind"), text_at(reference, "/name"));
        let key = match text_at(reference, "/valuesKey") {
            "" => "values.yaml",
            key => key,
        };
        let target = text_at(reference, "/targetPath");
        self.used.insert((kind.to_owned(), name.to_owned()));
        let text = self.object(kind, "", namespace, name).and_then(|object| entry(object, key));
        let Some(text) = text else {
            // What it sets may be anything, unless it is set to one value that is none of trust.
            if target.is_empty() || TRUST.iter().any(|path| path.starts_with(target)) {
                let what = format!("{kind} {name}, {key}");
                let content = json!([reference, self.named(name)]);
                self.open.push((Why::Elsewhere(what), content));
            }
            return;
        };
        if target.is_empty() {
            return self.text(&format!("{kind} {name}, {key}"), &text);
        }
        // Which of the two wins depends on what was merged before, and on Flux's version.
        let nested = target.contains('.');
        if nested && get(inline, target).is_some_and(|known| known.as_str() != Some(&text)) {
            self.open.push((Why::Twice(target.to_owned()), json!([reference, get(inline, target)])));
        }
        match reference["literal"].as_bool() {
            Some(true) => assign(&mut self.values, target, text.into()),
            _ => set(&mut self.values, target, &text),
        }
    }

    fn argo_source(&mut self, helm: &Value, directory: &str) {
        for file in strings(helm.get("valueFiles")) {
            self.argo_file(directory, file, |draft, directory, name| draft.file(directory, name));
        }
        match (helm.get("valuesObject"), helm.get("values").and_then(Value::as_str)) {
            (Some(values), _) if values.is_object() => lay(&mut self.values, values.clone()),
            (_, Some(text)) => self.text("values", text),
            _ => {}
        }
        // Those that force a text come after the others. Argo CD escapes commas.
        for forced in [false, true] {
            let all = list(helm.get("parameters")).filter(|one| (one["forceString"] == true) == forced);
            all.for_each(|one| {
                assign(&mut self.values, text_at(one, "/name"), text_at(one, "/value").into())
            });
        }
        for parameter in list(helm.get("fileParameters")) {
            let path = text_at(parameter, "/name");
            self.argo_file(directory, text_at(parameter, "/path"), |draft, directory, name| {
                let file = join(directory, name);
                match file.as_ref().and_then(|file| draft.sources.side.text(file)) {
                    Some(text) => {
                        assign(&mut draft.values, path, text.into());
                        draft.files.extend(file);
                    }
                    None => draft.open.push((Why::Elsewhere(name.to_owned()), name.into())),
                }
            });
        }
    }

    /// A file as Argo CD names it: from the source's path, or with `/` or `$REF/` from the repository's root.
    fn argo_file(&mut self, directory: &str, name: &str, read: impl FnOnce(&mut Self, &str, &str)) {
        let of_root = name
            .strip_prefix('/')
            .or_else(|| name.strip_prefix('$').and_then(|rest| Some(rest.split_once('/')?.1)));
        match of_root {
            _ if name.contains('*') => self.open.push((Why::Elsewhere(name.to_owned()), name.into())),
            Some(rest) => {
                let path = self.sources.side.of_root(rest).unwrap_or_else(|| rest.to_owned());
                read(self, "", &path);
            }
            None => read(self, directory, name),
        }
    }
}

/// A text of a ConfigMap or a Secret; `None` where it is encrypted.
fn entry(object: &Value, key: &str) -> Option<String> {
    let of = |field: &str| object.get(field)?.get(key)?.as_str();
    if object.get("sops").is_some() {
        return None;
    }
    if let Some(text) = of("stringData") {
        return Some(text.to_owned());
    }
    let text = of("data")?;
    if text_at(object, "/kind") != "Secret" {
        return Some(text.to_owned());
    }
    String::from_utf8(decoded(text)?).ok()
}

/// Do patches reach a workload or an object of the control plane?
fn reaches_control_plane(patches: &Value) -> bool {
    mentions(patches, &["linkerd-", "ConfigMap", "Secret"])
}
