//! What one file of a repository is.

use serde_json::Value;

use super::net;
use super::side::{Side, directory_of};
use crate::document::{self, Document, DocumentError};
use crate::source::SNAPSHOT_KIND;

/// A file of YAML or JSON, read.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Kubernetes objects.
    pub(super) objects: Vec<Document>,
    /// Mappings without a kind: chart values, and whatever else.
    pub(super) values: Vec<Document>,
    /// Is it what a cluster shows (`kubectl get pods`, a snapshot), rather than what is to be applied?
    pub(super) is_dump: bool,
    /// Does it hold something of Linkerd's, and tell Argo CD to pass over it?
    pub(super) is_passed_over: bool,
    /// Why nothing, or not all, of it is an object.
    pub(super) skipped: Option<Skip>,
    /// Why it, or what follows in it, cannot be read.
    pub(super) broken: Option<DocumentError>,
}

/// Why a file is not read as Kubernetes objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// A chart's template: only Helm makes objects of it.
    ChartTemplate,
    /// A list, as patches of RFC 6902 are.
    List,
    /// YAML or JSON of another kind.
    Other,
    /// It is not YAML or JSON as Kubernetes reads it.
    Unreadable,
}

/// What makes Argo CD pass over a file of a directory (`reposerver/repository/repository.go`).
const PASSED_OVER: &str = "+argocd:skip-file-rendering";

/// Nobody writes a manifest of more bytes.
const LARGEST: u64 = 4 << 20;

/// Is it YAML or JSON by its name?
pub(super) fn is_manifest(name: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end))
}

/// The names under which Kustomize looks for a kustomization.
pub(super) const KUSTOMIZATION: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Is it a kustomization by its name?
#[must_use]
pub fn is_kustomization(name: &str) -> bool {
    KUSTOMIZATION.contains(&name.rsplit('/').next().unwrap_or(name))
}

/// The directory of the chart that a template belongs to.
fn is_chart_template(side: &Side, name: &str) -> bool {
    let mut directory = directory_of(name);
    while !directory.is_empty() {
        let parent = directory_of(directory);
        let chart = if parent.is_empty() { "Chart.yaml".to_owned() } else { format!("{parent}/Chart.yaml") };
        if directory.rsplit('/').next() == Some("templates") && side.has(&chart) {
            return true;
        }
        directory = parent;
    }
    false
}

/// Is it a snapshot, or a pod as a cluster shows it?
fn is_shown(tree: &Value) -> bool {
    let is_pod = tree["kind"] == "Pod" && tree.pointer("/metadata/uid").is_some();
    is_pod || (tree["kind"] == SNAPSHOT_KIND && tree.get("mesh").is_some())
}

/// Does ytt make something else of it? To every other reader its marks are comments.
fn is_of_ytt(text: &str) -> bool {
    text.contains("#@")
        && text.lines().any(|line| line.trim_start().starts_with("#@") || line.contains(": #@ "))
}

/// Reads a file of the repository; `place` is what messages call it.
pub(super) fn parse(side: &Side, name: &str, place: &str) -> Parsed {
    let mut parsed = Parsed::default();
    if is_chart_template(side, name) {
        return Parsed { skipped: Some(Skip::ChartTemplate), ..parsed };
    }
    if side.size(name) > LARGEST {
        return Parsed { is_dump: true, ..parsed };
    }
    let Some(text) = side.text(name) else {
        return Parsed { skipped: Some(Skip::Unreadable), ..parsed };
    };
    if is_of_ytt(&text) {
        return Parsed { skipped: Some(Skip::Other), ..parsed };
    }
    parsed.is_passed_over = text.contains(PASSED_OVER) && net::names_linkerd(&text);
    let read = document::parse_any(&text, place, |document| {
        let has = |key: &str| document.tree.get(key).is_some_and(Value::is_string);
        match &document.tree {
            tree if is_shown(tree) => parsed.is_dump = true,
            Value::Object(_) if has("apiVersion") && has("kind") => parsed.objects.push(document),
            Value::Object(_) => {
                parsed.skipped = Some(Skip::Other);
                parsed.values.push(document);
            }
            Value::Array(_) => parsed.skipped = Some(Skip::List),
            _ => parsed.skipped = Some(Skip::Other),
        }
        Ok::<_, DocumentError>(())
    });
    if let Err(error) = read {
        parsed.skipped = Some(Skip::Unreadable);
        parsed.broken = Some(error);
    }
    if parsed.is_dump {
        return Parsed { is_dump: true, ..Parsed::default() };
    }
    parsed
}
