//! Releases of Flux: a HelmRelease, and where its values come from.

use serde_json::{Value, json};

use super::{Draft, Release, Sources, first};
use crate::checkout::annotated::PostRenderers;
use crate::checkout::engine;
use crate::checkout::kustomization::{list, strings};
use crate::checkout::net;
use crate::checkout::open::Why;
use crate::checkout::values::{assign, get, lay, set};
use crate::document::{Document, decoded, mentions, text_at};

/// The values that carry trust material, by their path in Linkerd's chart.
const TRUST: [&str; 4] = [
    "identityTrustAnchorsPEM",
    "identity.issuer.tls.crtPEM",
    "identity.issuer.tls.keyPEM",
    "identity.issuer.scheme",
];

/// Flux: files of values in their order, values set by a path, then those of the HelmRelease itself
/// (`fluxcd/pkg/chartutil/values.go`).
pub(super) fn release(document: &Document, sources: &Sources<'_>) -> Option<Release> {
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

impl<'a> Draft<'a> {
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
            // What it sets may be anything, unless it is set to one value that is none of trust; an umbrella chart has them below a name.
            let holds = |path: &&str| path.starts_with(target) || target.ends_with(*path);
            if target.is_empty() || TRUST.iter().any(holds) || net::names_trust(target) {
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
