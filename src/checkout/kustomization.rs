//! What a kustomization refers to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::file::{KUSTOMIZATION, is_kustomization};
use super::path::join;
use super::side::{Side, directory_of};
use crate::document;

/// A directory with a kustomization.
#[derive(Debug)]
pub(super) struct Kustomization {
    pub(super) file: String,
    pub(super) tree: Value,
}

/// Everything that a kustomization is made of, itself and what it refers to.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// Directories with a kustomization; the first is the one that was asked for.
    pub(super) directories: Vec<String>,
    /// Files, those of the kustomizations among them.
    pub(super) files: BTreeSet<String>,
    /// What is not in the repository: another's base, or a file that is not there.
    pub(super) elsewhere: Vec<String>,
    /// Kustomizations in which Helm charts are to be rendered.
    pub(super) charts: Vec<String>,
    /// Kustomizations that cannot be read.
    pub(super) broken: Vec<String>,
}

/// The kustomization of a directory.
pub(super) fn of(side: &Side, directory: &str) -> Option<String> {
    let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
    KUSTOMIZATION.iter().map(|file| format!("{prefix}{file}")).find(|file| side.has(file))
}

impl Kustomization {
    fn read(side: &Side, directory: &str) -> Option<Option<Self>> {
        let file = of(side, directory)?;
        let parsed = side.text(&file).and_then(|text| document::parse(&text, &file).ok());
        let tree = parsed.and_then(|mut documents| documents.pop()).map(|document| document.tree);
        Some(tree.map(|tree| Self { file, tree }))
    }

    /// Resources, bases and components: files, directories, or what is elsewhere.
    fn bases(&self) -> impl Iterator<Item = &str> {
        let lists = [
            "resources",
            "bases",
            "components",
            "crds",
            "configurations",
            "generators",
            "transformers",
            "validators",
        ];
        lists.into_iter().flat_map(|field| strings(self.tree.get(field)))
    }

    /// Files that patches, generators and replacements are made of.
    fn files(&self) -> Vec<&str> {
        let mut found = Vec::new();
        for field in ["patches", "patchesJson6902", "replacements"] {
            found.extend(list(self.tree.get(field)).filter_map(|entry| entry["path"].as_str()));
        }
        found.extend(strings(self.tree.get("patchesStrategicMerge")).filter(|text| !text.contains('\n')));
        for field in ["configMapGenerator", "secretGenerator"] {
            for entry in list(self.tree.get(field)) {
                let files = ["files", "envs"].into_iter().flat_map(|key| strings(entry.get(key)));
                found.extend(files.chain(entry["env"].as_str()).map(|file| match file.split_once('=') {
                    Some((_, path)) => path,
                    None => file,
                }));
            }
        }
        found.extend(self.tree.pointer("/openapi/path").and_then(Value::as_str));
        found
    }

    pub(super) fn has_charts(&self) -> bool {
        ["helmCharts", "helmChartInflationGenerator"].iter().any(|field| self.tree.get(*field).is_some())
    }

    /// Files of values for its charts.
    fn value_files(&self) -> Vec<&str> {
        let mut found = Vec::new();
        for chart in list(self.tree.get("helmCharts")) {
            found.extend(chart["valuesFile"].as_str());
            found.extend(strings(chart.get("additionalValuesFiles")));
        }
        found
    }
}

impl Reach {
    /// What the kustomization in `directory` is made of.
    pub(super) fn of(side: &Side, directory: &str) -> Self {
        let mut reach = Self::default();
        reach.add(side, directory);
        reach
    }

    pub(super) fn add(&mut self, side: &Side, directory: &str) {
        if self.directories.iter().any(|known| known == directory) {
            return;
        }
        self.directories.push(directory.to_owned());
        let kustomization = match Kustomization::read(side, directory) {
            Some(Some(kustomization)) => kustomization,
            Some(None) => return self.broken.extend(of(side, directory)),
            None => return self.elsewhere.push(directory.to_owned()),
        };
        self.files.insert(kustomization.file.clone());
        if kustomization.has_charts() {
            self.charts.push(directory.to_owned());
        }
        for base in kustomization.bases() {
            // A generator or transformer may be written in place.
            if !base.contains('\n') {
                self.base(side, directory, base);
            }
        }
        for file in kustomization.files() {
            self.file(side, directory, file);
        }
        for file in kustomization.value_files() {
            self.file(side, directory, file);
        }
    }

    /// A name that somebody in `directory` gives.
    pub(super) fn base(&mut self, side: &Side, directory: &str, name: &str) {
        match join(directory, name) {
            Some(path) if side.has(&path) => _ = self.files.insert(path),
            Some(path) if of(side, &path).is_some() => self.add(side, &path),
            _ => self.elsewhere.push(name.to_owned()),
        }
    }

    pub(super) fn file(&mut self, side: &Side, directory: &str, name: &str) {
        match join(directory, name).filter(|path| side.has(path)) {
            Some(path) => _ = self.files.insert(path),
            None => self.elsewhere.push(name.to_owned()),
        }
    }
}

/// Directories with a kustomization that another one refers to.
pub(super) fn referred(side: &Side) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for directory in directories(side) {
        let Some(Some(kustomization)) = Kustomization::read(side, &directory) else { continue };
        let bases = kustomization.bases().filter_map(|base| join(&directory, base));
        found.extend(bases.filter(|path| *path != directory && of(side, path).is_some()));
    }
    found
}

/// Directories with a kustomization.
pub(super) fn directories(side: &Side) -> BTreeSet<String> {
    side.names().filter(|name| is_kustomization(name)).map(|name| directory_of(name).to_owned()).collect()
}

pub(super) fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}
