//! Releases of Kustomize: charts that a kustomization renders with Helm.

use serde_json::{Value, json};

use super::{Draft, Release, Sources, first};
use crate::checkout::kustomization::{self, strings};
use crate::checkout::open::{Open, Why};
use crate::checkout::side::Side;
use crate::checkout::values::lay;
use crate::document::{Document, Origin, text_at};

/// A chart that a kustomization renders (`helmCharts`): its file of values, which is the chart's own where none is named, its
/// values, then further files (`api/types/helmchartargs.go`).
pub(in crate::checkout) fn of_kustomization(
    entry: &Value,
    directory: &str,
    origin: &Origin,
    side: &Side,
) -> Option<Release> {
    let sources = Sources { side, objects: &[] };
    let document = Document { origin: origin.clone(), tree: Value::Null };
    let mut draft = Draft::new(&document, &sources);
    if let Some(chart) = kustomization::chart_directory(side, directory, entry) {
        draft.local_chart(&chart);
    }
    let own = std::mem::replace(&mut draft.values, json!({}));
    let inline = entry.get("valuesInline").cloned().unwrap_or_else(|| json!({}));
    let of_file = match text_at(entry, "/valuesFile") {
        "" => own.clone(),
        file => {
            draft.file(directory, file);
            std::mem::replace(&mut draft.values, json!({}))
        }
    };
    let (below, above) = match text_at(entry, "/valuesMerge") {
        "merge" => (inline, of_file),
        "replace" => (json!({}), inline),
        _ => (of_file, inline),
    };
    for values in [own, below, above] {
        lay(&mut draft.values, values);
    }
    for more in strings(entry.get("additionalValuesFiles")) {
        draft.file(directory, more);
    }
    let from = ["name", "repo", "releaseName", "namespace"].map(|key| entry.get(key));
    draft.from.push(Open::new(origin, Why::Redeployed, &json!(from)));
    draft.finish(text_at(entry, "/name"), text_at(entry, "/version"), first(&[text_at(entry, "/namespace")]))
}
