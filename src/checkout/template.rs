//! Templates of a chart that make trust material themselves, and the values that reach them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::chart::Chart;
use super::kustomization::list;
use super::net;
use super::path::join;
use super::side::{Side, directory_of};
use super::values::parse;
use crate::document::text_at;

/// What of a chart, and of those below it, makes trust material or installs a control plane.
#[derive(Debug, Default)]
pub(super) struct Templates {
    /// Paths of the values that they use; an empty one stands for all values.
    paths: BTreeSet<Vec<String>>,
    /// What they say.
    texts: Vec<String>,
    /// The files that they stand in.
    pub(super) files: BTreeSet<String>,
}

/// How deep charts stand in each other.
const DEPTH: usize = 4;

impl Templates {
    /// Those of the chart in `directory`; `None` where none of them has to do with trust.
    pub(super) fn of(side: &Side, directory: &str) -> Option<Self> {
        let mut found = Self::default();
        found.add(side, directory, &[], DEPTH, false);
        (!found.texts.is_empty()).then_some(found)
    }

    /// What Linkerd's own chart makes of values is known, so that of its templates only what they say counts.
    fn add(&mut self, side: &Side, directory: &str, below: &[String], depth: usize, within_linkerds: bool) {
        if depth == 0 {
            return;
        }
        let chart = chart_of(side, directory);
        let is_linkerds = within_linkerds || Chart::of(text_at(&chart, "/name"), "", &Value::Null).is_some();
        let all: Vec<(String, String)> = side
            .below(&format!("{directory}/templates"))
            .filter(|name| !name.ends_with("/NOTES.txt"))
            .filter_map(|name| Some((name.to_owned(), side.text(name)?)))
            .collect();
        let mut texts = Vec::new();
        for (name, text) in &all {
            if net::names_trust(text) || net::names_chart(text) {
                self.files.insert(name.clone());
                texts.push(text.clone());
            }
        }
        let blocks: Vec<(String, String)> = all.iter().flat_map(|(_, text)| defined(text)).collect();
        texts.extend(included(&texts, &blocks));
        for text in texts.iter().filter(|_| !is_linkerds) {
            self.paths.extend(used(text).into_iter().map(|path| placed(below, path)));
        }
        if texts.iter().any(|text| text.contains(".Files")) {
            texts.extend(
                side.below(directory)
                    .filter(|name| is_file(directory, name))
                    .filter_map(|name| side.text(name)),
            );
        }
        self.texts.extend(texts);
        for (name, directory) in charts_below(side, directory) {
            self.add(side, &directory, &placed(below, vec![name]), depth - 1, is_linkerds);
        }
    }

    /// What they say, and the values that reach them: as long as both stay, the same comes of them.
    pub(super) fn content(&self, values: &Value) -> Value {
        let texts: Vec<Vec<&str>> = self.texts.iter().map(|text| net::significant(text)).collect();
        json!([texts, self.values(values)])
    }

    /// The values that reach them, by path, without versions and counts.
    fn values(&self, values: &Value) -> Vec<Value> {
        let mut found = Vec::new();
        for path in &self.paths {
            let value = path.iter().try_fold(values, |place, key| place.get(key));
            let is_harmless = path.last().is_some_and(|key| net::is_harmless(key));
            if let Some(value) = value.filter(|_| !is_harmless) {
                found.push(json!([path, net::weighty(value)]));
            }
        }
        found
    }

    /// Those of all charts of a side.
    pub(super) fn everywhere(side: &Side) -> Vec<Self> {
        let charts = side.names().filter(|name| name.rsplit('/').next() == Some("Chart.yaml"));
        charts.filter_map(|name| Self::of(side, directory_of(name))).collect()
    }

    /// The values that they name, of a file that may be meant for them.
    pub(super) fn named(&self, values: &Value) -> Vec<Value> {
        self.values(values).into_iter().filter(|one| one[0] != json!([])).collect()
    }
}

/// Is it a file that templates read by its name, rather than one that makes the chart?
fn is_file(directory: &str, name: &str) -> bool {
    let rest = name.strip_prefix(directory).unwrap_or(name).trim_start_matches('/');
    let is_part = ["templates/", "charts/", "crds/", "Chart.", "values", "README"]
        .iter()
        .any(|part| rest.starts_with(part));
    !is_part && !rest.starts_with('.')
}

/// Where a value stands for the chart above: `global` is the same for all.
fn placed(below: &[String], path: Vec<String>) -> Vec<String> {
    if path.first().is_some_and(|key| key == "global") {
        return path;
    }
    below.iter().cloned().chain(path).collect()
}

/// What the chart in a directory says of itself.
fn chart_of(side: &Side, directory: &str) -> Value {
    side.text(&format!("{directory}/Chart.yaml")).and_then(|text| parse(&text)).unwrap_or_default()
}

/// Charts of the repository within a chart, by the names under which it hands values to them.
fn charts_below(side: &Side, directory: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let chart = chart_of(side, directory);
    for one in list(chart.get("dependencies")) {
        let Some(name) = one["name"].as_str() else { continue };
        let local = one["repository"].as_str().and_then(|url| url.strip_prefix("file://"));
        let within = match local {
            Some(path) => join(directory, path),
            None => Some(format!("{directory}/charts/{name}")),
        };
        let alias = one["alias"].as_str().unwrap_or(name);
        found.extend(within.map(|within| (alias.to_owned(), within)));
    }
    let charts = format!("{directory}/charts");
    for name in side.below(&charts).filter(|name| name.ends_with("/Chart.yaml")) {
        let within = directory_of(name);
        let is_known = found.iter().any(|(_, known)| known == within);
        if directory_of(within) == charts && !is_known {
            found.push((within.rsplit('/').next().unwrap_or(within).to_owned(), within.to_owned()));
        }
    }
    found
}

/// The named parts of a file of templates.
fn defined(text: &str) -> Vec<(String, String)> {
    let parts = text.split("define \"").skip(1);
    parts
        .filter_map(|part| part.split_once('"'))
        .map(|(name, body)| (name.to_owned(), body.to_owned()))
        .collect()
}

/// The named parts that texts include, and those that these include.
fn included(texts: &[String], blocks: &[(String, String)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open: Vec<&str> = texts.iter().map(String::as_str).collect();
    while let Some(text) = open.pop() {
        for (name, body) in blocks {
            let names =
                ["include", "template"].iter().any(|word| text.contains(&format!("{word} \"{name}\"")));
            if names && !found.contains(body) {
                found.push(body.clone());
                open.push(body);
            }
        }
    }
    found
}

/// The paths of values that a text uses. What takes them as a whole, or evaluates a text of theirs, may use any.
fn used(text: &str) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for rest in text.split(".Values").skip(1) {
        let end = rest.find(|c: char| !c.is_alphanumeric() && !['.', '_'].contains(&c)).unwrap_or(rest.len());
        let keys = rest[..end].split('.').filter(|key| !key.is_empty());
        found.insert(keys.map(str::to_owned).collect());
    }
    if text.contains("tpl ") {
        found.insert(Vec::new());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_that_a_template_uses_are_told_by_path() {
        let of = |text: &str| used(text).into_iter().map(|path| path.join(".")).collect::<Vec<_>>();
        assert_eq!(of("{{ .Values.pki.root | quote }}{{ $.Values.a }}"), ["a", "pki.root"]);
        assert_eq!(of("{{ toYaml .Values }}"), [""]);
        assert_eq!(of("{{ tpl (.Values.text) $ }}"), ["", "text"]);
        assert_eq!(of("kind: ConfigMap"), [""; 0]);
    }

    #[test]
    fn a_part_that_is_included_counts_and_one_that_is_not_does_not() {
        let blocks = defined(
            "{{ define \"a\" }}{{ include \"b\" . }}{{ end }}{{ define \"b\" }}B{{ end }}{{ define \"c\" }}C{{ end }}",
        );
        let found = included(&["{{ template \"a\" }}".to_owned()], &blocks);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|body| !body.contains('C')));
    }
}
