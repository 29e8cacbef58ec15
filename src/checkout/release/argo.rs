//! Releases of Argo CD: an Application whose source is a chart.

use serde_json::{Value, json};

use super::{Draft, Release, Sources, first};
use crate::checkout::engine;
use crate::checkout::kustomization::{list, strings};
use crate::checkout::open::Why;
use crate::checkout::path::join;
use crate::checkout::values::{assign, lay};
use crate::document::{Document, text_at};

/// Argo CD: files, then `valuesObject` or else `values`, parameters, and parameters out of files (`util/helm/cmd.go`).
pub(super) fn releases(document: &Document, sources: &Sources<'_>) -> Vec<Option<Release>> {
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

impl Draft<'_> {
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
