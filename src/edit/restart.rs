//! Annotations that restart pods, set where a workload is described: in its manifest, in a patch of it, among a chart's values, or in
//! a patch that is added to a kustomization.

use zeroize::Zeroizing;

use super::proof::{self, Setting};
use super::work::{Contents, Work, block_of, declared};
use super::{EditedLine, What, field, json};
use crate::checkout::is_kustomization;
use crate::document::{self, Document, ObjectRef, text_at};
use crate::linkerd;
use crate::render::Edit;

/// An annotation that an object shall have.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    object: &'a ObjectRef,
    path: &'static [&'static str],
    key: &'a str,
    value: &'a str,
}

const TEMPLATE: [&str; 4] = ["spec", "template", "metadata", "annotations"];

impl Wanted<'_> {
    fn is_there(&self, documents: &[Document]) -> bool {
        declared(documents, self.object).is_some_and(|document| {
            let pointer = format!("/{}", self.path.join("/"));
            document.tree.pointer(&pointer).is_some_and(|all| all[self.key] == self.value)
        })
    }

    /// The file with the annotation set in the object's manifest.
    fn in_manifest(&self, text: &str) -> Option<String> {
        let path: Vec<&str> = self.path.iter().copied().chain([self.key]).collect();
        let after = if document::is_json(text.as_bytes()) {
            json::set(text, self.object, &path, self.value)
        } else if let Some(block) = block_of(text, self.object) {
            field::set(text, block, &path, self.value)
        } else {
            field::in_item(text, self.object, &path, self.value)
        };
        after.filter(|after| self.is_only_change(text, after))
    }

    /// The file with the annotation set in a mapping that describes the object, wherever it stands.
    fn in_patch(&self, text: &str) -> Option<String> {
        let path: Vec<&str> = self.path.iter().copied().chain([self.key]).collect();
        let known = field::objects(text, self.object).into_iter();
        let mut made = known.filter_map(|block| field::set(text, block, &path, self.value));
        made.find(|after| self.is_only_change(text, after)).or_else(|| self.in_manifest(text))
    }

    fn is_only_change(&self, before: &str, after: &str) -> bool {
        let setting = Setting { key: self.key, value: self.value };
        proof::only_meant(before, after, &[], &[setting])
    }
}

impl<'a> Work<'a> {
    /// Sets the annotations that restart pods.
    pub(super) fn restart(&mut self, chart_value: impl Fn(&ObjectRef) -> Option<&'static str>) {
        let documents = &self.target.documents;
        let (of_charts, of_manifests): (Vec<Wanted<'a>>, Vec<Wanted<'a>>) =
            self.wanted().into_iter().partition(|wanted| is_made_by_chart(documents, wanted.object));
        for wanted in of_charts {
            if let Some(chart_value) = chart_value(wanted.object) {
                self.annotate_values(&wanted, chart_value);
            }
        }
        let mut left = self.each(of_manifests, &|work, all, wanted| work.in_manifest(all, wanted));
        // No file describes what is not declared.
        left.retain(|wanted| declared(documents, wanted.object).is_some());
        for name in &self.target.files {
            left = self.each(left, &|work, all, wanted| work.in_patch(all, name, wanted));
        }
        for name in self.target.files.iter().filter(|name| is_kustomization(name)) {
            left = self.each(left, &|work, all, wanted| work.as_patch(all, name, wanted));
        }
    }

    /// The annotations that are not there yet. What a chart makes of the bundle follows it.
    fn wanted(&self) -> Vec<Wanted<'a>> {
        let mut found = Vec::new();
        for rendered in self.step {
            for edit in &rendered.edits {
                let (path, key, value): (&[&str], _, _) = match edit {
                    Edit::TemplateAnnotation { key, value } => (&TEMPLATE, key, value),
                    Edit::Annotation { key, value } => (&TEMPLATE[2..], key, value),
                    _ => continue,
                };
                let object = &rendered.object;
                let follows =
                    key == linkerd::TRUST_ROOT_ANNOTATION && is_made_by_chart(&self.target.documents, object);
                let wanted = Wanted { object, path, key, value };
                if !follows && !wanted.is_there(&self.target.documents) {
                    found.push(wanted);
                }
            }
        }
        found
    }

    /// Makes an edit for each: all at once where nothing else changes by it, else one after the other. Those on which theirs has no
    /// effect are left.
    fn each<'w>(
        &mut self,
        all: Vec<Wanted<'w>>,
        edit: &dyn Fn(&Self, &mut Contents, &Wanted<'w>) -> Option<()>,
    ) -> Vec<Wanted<'w>> {
        let (made, mut left) = self.tried(all, edit);
        let Some(contents) = self.with(&made, edit).filter(|_| !made.is_empty()) else { return left };
        let parts = match self.effect(&contents) {
            Some(effect) => {
                let (made, without): (Vec<_>, Vec<_>) =
                    made.into_iter().partition(|one| one.is_there(&effect));
                left.extend(without);
                vec![made]
            }
            None => made.into_iter().map(|one| vec![one]).collect(),
        };
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let contents = self.with(&part, edit);
            let is_kept = contents.is_some_and(|contents| {
                self.accept(contents, |after| part.iter().all(|one| one.is_there(after)))
            });
            if !is_kept {
                left.extend(part);
            }
        }
        left
    }

    /// The edits so far, and one for each of these.
    fn with<'w>(
        &self,
        all: &[Wanted<'w>],
        edit: &dyn Fn(&Self, &mut Contents, &Wanted<'w>) -> Option<()>,
    ) -> Option<Contents> {
        let mut contents = self.so_far();
        for wanted in all {
            edit(self, &mut contents, wanted)?;
        }
        Some(contents)
    }

    /// Those of which an edit can be made, and the others.
    fn tried<'w>(
        &self,
        all: Vec<Wanted<'w>>,
        edit: &dyn Fn(&Self, &mut Contents, &Wanted<'w>) -> Option<()>,
    ) -> (Vec<Wanted<'w>>, Vec<Wanted<'w>>) {
        all.into_iter().partition(|wanted| edit(self, &mut self.so_far(), wanted).is_some())
    }

    /// Sets an annotation in the file of a manifest, or in the last patch of it.
    fn in_manifest(&self, all: &mut Contents, wanted: &Wanted<'_>) -> Option<()> {
        let document = declared(&self.target.documents, wanted.object)?;
        let name = self.target.repository.name(&document.origin)?.to_owned();
        let (text, _) = self.current(all, &name)?;
        let after = wanted.in_manifest(&text)?;
        self.put(all, name, wanted, &after)
    }

    /// Sets an annotation in a patch that a file holds.
    fn in_patch(&self, all: &mut Contents, name: &str, wanted: &Wanted<'_>) -> Option<()> {
        let (text, _) = self.current(all, name)?;
        let after = wanted.in_patch(&text)?;
        self.put(all, name.to_owned(), wanted, &after)
    }

    /// Adds a patch to a kustomization.
    fn as_patch(&self, all: &mut Contents, name: &str, wanted: &Wanted<'_>) -> Option<()> {
        // An annotation more of the same object goes into the patch that was just added.
        if self.in_patch(all, name, wanted).is_some() {
            return Some(());
        }
        let (text, _) = self.current(all, name)?;
        let ObjectRef { api_version, kind, name: of, .. } = wanted.object;
        let path: Vec<&str> = wanted.path.iter().copied().chain([wanted.key]).collect();
        let after = field::with_patch(&text, [api_version, kind, of], &path, wanted.value)?;
        self.put(all, name.to_owned(), wanted, &after)
    }

    fn put(&self, all: &mut Contents, name: String, wanted: &Wanted<'_>, after: &str) -> Option<()> {
        let (text, mut changes) = self.current(all, &name)?;
        changes.push(changed(wanted, &text, after));
        all.insert(name, (Zeroizing::new(after.to_owned()), changes));
        Some(())
    }

    /// Sets an annotation among the values of a chart, wherever they stand that count.
    fn annotate_values(&mut self, wanted: &Wanted<'_>, chart_value: &str) {
        let path: Vec<&str> =
            chart_value.trim_start_matches("global.").split('.').chain([wanted.key]).collect();
        let setting = Setting { key: wanted.key, value: wanted.value };
        for name in &self.target.files {
            let so_far = self.so_far();
            let Some((text, _)) = self.current(&so_far, name) else { continue };
            for after in field::in_values(&text, &path, wanted.value) {
                let mut all = so_far.clone();
                if proof::only_meant(&text, &after, &[], &[setting])
                    && self.put(&mut all, name.clone(), wanted, &after).is_some()
                    && self.accept(all, |after| wanted.is_there(after))
                {
                    return;
                }
            }
        }
    }
}

/// Does no manifest describe a Deployment, but a chart make it?
fn is_made_by_chart(documents: &[Document], object: &ObjectRef) -> bool {
    let whole = |document: &Document| document.tree.pointer("/spec/template/spec").is_some();
    object.kind == "Deployment"
        && declared(documents, object).is_none_or(|document| !whole(document))
        && documents.iter().any(|one| text_at(&one.tree, "/metadata/name") == linkerd::CONFIG)
}

fn changed(wanted: &Wanted<'_>, before: &str, after: &str) -> EditedLine {
    let same = before.lines().zip(after.lines()).take_while(|(before, after)| before == after).count();
    let (object, key, value) = (wanted.object.clone(), wanted.key.to_owned(), wanted.value.to_owned());
    EditedLine { line: same + 1, what: What::Annotation { object, key, value } }
}
