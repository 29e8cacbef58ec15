//! Charts that stand in the repository itself.

use serde_json::{Value, json};

use super::Draft;
use crate::checkout::chart::Chart;
use crate::checkout::kustomization::list;
use crate::checkout::values::{get, parse};
use crate::pki::Fingerprint;

impl Draft<'_> {
    /// A chart of this repository brings its own values.
    pub(super) fn local_chart(&mut self, directory: &str) {
        self.local = Some(directory.to_owned());
        if self.sources.side.has(&format!("{directory}/values.yaml")) {
            self.file(directory, "values.yaml");
        }
    }

    /// Linkerd's chart, where the chart of this repository depends on it.
    pub(super) fn dependency(&self) -> Option<Chart> {
        let file = format!("{}/Chart.yaml", self.local.as_ref()?);
        let chart = self.sources.side.text(&file).and_then(|text| parse(&text))?;
        list(chart.get("dependencies")).find_map(Chart::of_dependency)
    }

    /// What decides whether, and below which name, a chart of the repository hands values to Linkerd's.
    pub(super) fn shape(&self, directory: &str) -> Value {
        let chart = self.sources.side.text(&format!("{directory}/Chart.yaml")).and_then(|text| parse(&text));
        let all = || list(chart.as_ref().and_then(|chart| chart.get("dependencies")));
        let is_linkerds = |one: &Value| Chart::of_dependency(one).is_some();
        let is_one = all().any(is_linkerds);
        // Beside Linkerd's own chart, one from elsewhere has no part in its values unless it hands some up.
        let counts = |one: &&Value| {
            let is_local = one["repository"]
                .as_str()
                .is_none_or(|from| !from.contains("://") || from.starts_with("file:"));
            !is_one || is_linkerds(one) || is_local || one.get("import-values").is_some()
        };
        let dependencies: Vec<Value> = all()
            .filter(counts)
            .map(|one| {
                let condition = one["condition"].as_str().and_then(|path| get(&self.values, path));
                json!([
                    one["name"],
                    one["alias"],
                    one["repository"],
                    one["tags"],
                    one["import-values"],
                    condition
                ])
            })
            .collect();
        let charts = format!("{directory}/charts");
        let vendored: Vec<Value> = self
            .sources
            .side
            .below(&charts)
            .map(|name| {
                json!([
                    name,
                    Fingerprint::digest(&self.sources.side.read(name).unwrap_or_default()).to_string()
                ])
            })
            .collect();
        json!([dependencies, self.values.get("tags"), vendored])
    }
}
