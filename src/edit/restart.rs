//! Annotations that restart pods, set where a workload is described: in its manifest, in a patch of it, among a chart's values, or in
//! a patch that is added to what deploys it: a kustomization, an object of Flux or Argo CD.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::proof::{self, Setting};
use super::work::{Contents, Work, block_of, declared};
use super::{EditedLine, Maker, What, field, json};
use crate::checkout::is_kustomization;
use crate::document::mapping::{self, Block};
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

const PATCHES: [&str; 1] = ["patches"];
const OF_FLUX: [&str; 2] = ["spec", "patches"];
const OF_SOURCE: [&str; 2] = ["kustomize", "patches"];
const TEMPLATE: [&str; 4] = ["spec", "template", "metadata", "annotations"];

/// A list of patches in a file, which may not be there yet.
struct Patches {
    within: Within,
    path: Vec<&'static str>,
}

/// What such a list stands below.
enum Within {
    /// A mapping.
    Block(Block),
    /// The item of a list that begins on this line, from 0.
    Item(usize),
}

impl Patches {
    fn below(block: Block, path: &[&'static str]) -> Self {
        Self { within: Within::Block(block), path: path.to_vec() }
    }

    fn with(&self, text: &str, item: &[String]) -> Option<String> {
        let edit = |text: &str, block: Block| mapping::with_item(text, block, &self.path, item);
        match self.within {
            Within::Block(block) => edit(text, block),
            Within::Item(line) => mapping::in_item(text, line, edit),
        }
    }
}

impl Wanted<'_> {
    fn is_there(&self, documents: &[Document]) -> bool {
        declared(documents, self.object).is_some_and(|document| self.is_in(document))
    }

    fn is_in(&self, document: &Document) -> bool {
        let pointer = format!("/{}", self.path.join("/"));
        document.tree.pointer(&pointer).is_some_and(|all| all[self.key] == self.value)
    }

    fn whole_path(&self) -> Vec<&str> {
        self.path.iter().copied().chain([self.key]).collect()
    }

    /// The file with the annotation set in the object's manifest.
    fn in_manifest(&self, text: &str) -> Option<String> {
        let path = self.whole_path();
        let after = if document::is_json(text.as_bytes()) {
            json::set(text, self.object, &path, self.value)
        } else if let Some(block) = block_of(text, self.object) {
            mapping::set(text, block, &path, self.value)
        } else {
            field::in_item(text, self.object, &path, self.value)
        };
        after.filter(|after| self.is_only_change(text, after))
    }

    /// The file with the annotation set in a mapping that describes the object, wherever it stands.
    fn in_patch(&self, text: &str) -> Option<String> {
        let path = self.whole_path();
        let known = field::objects(text, self.object).into_iter();
        let mut made = known.filter_map(|block| mapping::set(text, block, &path, self.value));
        made.find(|after| self.is_only_change(text, after)).or_else(|| self.in_manifest(text))
    }

    fn is_only_change(&self, before: &str, after: &str) -> bool {
        let setting = Setting { key: self.key, value: self.value };
        proof::only_meant(before, after, &[], &[setting])
    }
}

impl<'a> Work<'a> {
    /// Sets the annotations that restart pods.
    pub(super) fn restart(&mut self, maker: impl Fn(&ObjectRef) -> Maker) {
        let documents = &self.target.documents;
        let (of_charts, of_manifests): (Vec<Wanted<'a>>, Vec<Wanted<'a>>) =
            self.wanted().into_iter().partition(|wanted| is_made_by_chart(documents, wanted.object));
        // Those that one value annotates alike are set by one edit.
        let mut of_values: BTreeMap<_, Vec<Wanted<'a>>> = BTreeMap::new();
        for wanted in of_charts {
            let value = maker(wanted.object).chart_value;
            of_values.entry((value, wanted.key, wanted.value)).or_default().push(wanted);
        }
        let mut of_releases = Vec::new();
        for ((value, ..), alike) in of_values {
            if !value.is_some_and(|value| self.annotate_values(&alike, value)) {
                of_releases.extend(alike);
            }
        }
        let mut left = self.each(of_manifests, &|work, all, wanted| work.in_manifest(all, wanted));
        // No file describes what is not declared.
        left = take(left, &mut of_releases, |wanted| declared(documents, wanted.object).is_some());
        let names: BTreeSet<&String> = self.target.files.union(&self.target.engines).collect();
        for name in &names {
            left = self.each(left, &|work, all, wanted| work.in_patch(all, name, wanted));
        }
        let (kustomizations, others): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| is_kustomization(name));
        for name in kustomizations.into_iter().chain(others) {
            let text = self.target.repository.text(name).unwrap_or_default();
            for at in 0..self.patched(name, &text).len() {
                left = self.each(left, &|work, all, wanted| work.as_patch(all, name, at, wanted));
            }
        }
        let releases: Vec<_> = of_releases.iter().map(|wanted| maker(wanted.object).release).collect();
        for (wanted, release) in of_releases.into_iter().zip(releases) {
            let Some(release) = release else { continue };
            self.each(vec![wanted], &|work, all, wanted| work.in_release(all, wanted, &release));
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

    /// Is an object, of which nothing was declared, now declared with the annotations that restart its pods?
    pub(super) fn is_restarted(&self, object: &ObjectRef) -> bool {
        let wanted = self.wanted();
        let mut of_object = wanted.iter().filter(|one| one.object == object).peekable();
        of_object.peek().is_some() && of_object.all(|one| one.is_there(self.documents()))
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
                if without.is_empty() {
                    self.keep_as(contents, effect);
                    return left;
                }
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

    /// Adds a patch to a kustomization, or to the patches that an object of Flux or Argo CD adds to one: the `at`th of a file.
    fn as_patch(&self, all: &mut Contents, name: &str, at: usize, wanted: &Wanted<'_>) -> Option<()> {
        // An annotation more of the same object goes into the patch that was just added.
        if self.in_patch(all, name, wanted).is_some() {
            return Some(());
        }
        let (text, _) = self.current(all, name)?;
        let patches = self.patched(name, &text);
        let item = field::patch(wanted.object, &wanted.whole_path(), wanted.value);
        let after = patches.get(at)?.with(&text, &item);
        let after = after.filter(|after| proof::only_added(&text, after, &item))?;
        self.put(all, name.to_owned(), wanted, &after)
    }

    /// Where a file has patches, or may have some.
    fn patched(&self, name: &str, text: &str) -> Vec<Patches> {
        if is_kustomization(name) {
            let block = mapping::document(text, 1);
            return block.into_iter().map(|block| Patches::below(block, &PATCHES)).collect();
        }
        let of_flux = field::of_kind(text, "kustomize.toolkit.fluxcd.io", "Kustomization").into_iter();
        let mut found: Vec<_> = of_flux.map(|block| Patches::below(block, &OF_FLUX)).collect();
        for (kind, spec) in
            [("Application", &["spec"][..]), ("ApplicationSet", &["spec", "template", "spec"])]
        {
            for block in field::of_kind(text, "argoproj.io", kind) {
                found.extend(self.sources(text, block, spec));
            }
        }
        found
    }

    /// The patches of the sources of an Application that are kustomizations. They would make a source of plain manifests one, which such
    /// a directory is not.
    fn sources(&self, text: &str, block: Block, spec: &[&'static str]) -> Vec<Patches> {
        let source = [spec, &["source"]].concat();
        let mut found = Vec::new();
        if self.is_built(field::text_of(text, block, &[&source[..], &["path"]].concat())) {
            found.push(Patches::below(block, &[&source[..], &OF_SOURCE].concat()));
        }
        for line in mapping::items(text, block, &[spec, &["sources"]].concat()) {
            let Some((item, block)) = mapping::without_dash(text, line) else { continue };
            if self.is_built(field::text_of(&item, block, &["path"])) {
                found.push(Patches { within: Within::Item(line), path: OF_SOURCE.to_vec() });
            }
        }
        found
    }

    /// Does a directory hold a kustomization?
    fn is_built(&self, path: Option<String>) -> bool {
        let Some(path) = path else { return false };
        let directory = path.trim_start_matches("./").trim_matches('/');
        let is_in = |name: &str| {
            let rest = match directory {
                "" | "." => Some(name),
                _ => name.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')),
            };
            rest.is_some_and(|rest| !rest.contains('/'))
        };
        self.target.repository.names().any(|name| is_kustomization(name) && is_in(name))
    }

    /// Adds a patch to what a HelmRelease does with the objects of its chart.
    fn in_release(
        &self,
        all: &mut Contents,
        wanted: &Wanted<'_>,
        [namespace, name]: &[String; 2],
    ) -> Option<()> {
        for file in &self.target.files {
            let Some((text, _)) = self.current(all, file) else { continue };
            let is_it = |block: &Block| {
                let at = |key| field::text_of(&text, *block, &["metadata", key]).unwrap_or_default();
                at("name") == *name && (at("namespace").is_empty() || at("namespace") == *namespace)
            };
            let releases = field::of_kind(&text, "helm.toolkit.fluxcd.io", "HelmRelease");
            let Some(block) = releases.into_iter().find(is_it) else { continue };
            if self.in_patch(all, file, wanted).is_some() {
                return Some(());
            }
            let patch = field::patch(wanted.object, &wanted.whole_path(), wanted.value);
            let head = ["- kustomize:", "    patches:"].map(str::to_owned);
            let item: Vec<String> =
                head.into_iter().chain(patch.iter().map(|line| format!("    {line}"))).collect();
            let after = mapping::with_item(&text, block, &["spec", "postRenderers"], &item)
                .filter(|after| proof::only_added(&text, after, &item))?;
            return self.put(all, file.clone(), wanted, &after);
        }
        None
    }

    fn put(&self, all: &mut Contents, name: String, wanted: &Wanted<'_>, after: &str) -> Option<()> {
        let (text, mut changes) = self.current(all, &name)?;
        changes.push(changed(wanted, &text, after));
        all.insert(name, (Zeroizing::new(after.to_owned()), changes));
        Some(())
    }

    /// Sets the annotation of these among the values of a chart, wherever they stand that count.
    fn annotate_values(&mut self, alike: &[Wanted<'_>], chart_value: &str) -> bool {
        let [wanted, ..] = alike else { return true };
        let path: Vec<&str> =
            chart_value.trim_start_matches("global.").split('.').chain([wanted.key]).collect();
        let setting = Setting { key: wanted.key, value: wanted.value };
        for name in &self.target.files {
            let Some((text, changes)) = self.current(&self.so_far(), name) else { continue };
            for after in field::in_values(&text, &path, wanted.value) {
                if !proof::only_meant(&text, &after, &[], &[setting]) {
                    continue;
                }
                let mut all = self.so_far();
                all.insert(name.clone(), (Zeroizing::new(after.clone()), Vec::new()));
                let Some(effect) = self.effect(&all) else { continue };
                if !alike.iter().all(|wanted| wanted.is_there(&effect)) {
                    continue;
                }
                let along = self.restarted_along(wanted, &effect);
                let objects = alike.iter().map(|wanted| wanted.object).chain(&along);
                let lines = objects.map(|object| changed(&Wanted { object, ..*wanted }, &text, &after));
                let changes = changes.into_iter().chain(lines).collect();
                all.insert(name.clone(), (Zeroizing::new(after), changes));
                self.keep_as(all, effect);
                return true;
            }
        }
        false
    }

    /// Deployments that a value restarts, and the step does not.
    fn restarted_along(&self, wanted: &Wanted<'_>, effect: &[Document]) -> Vec<ObjectRef> {
        let mut found = Vec::new();
        for document in effect {
            let Some(object) = ObjectRef::of(&document.tree).filter(|_| wanted.is_in(document)) else {
                continue;
            };
            let is_of_step = self.step.iter().any(|rendered| rendered.object == object);
            if !is_of_step && !(Wanted { object: &object, ..*wanted }).is_there(self.documents()) {
                found.push(object);
            }
        }
        found
    }
}

/// Those that are kept; the others go to `rest`.
fn take<'w>(
    all: Vec<Wanted<'w>>,
    rest: &mut Vec<Wanted<'w>>,
    is_kept: impl Fn(&Wanted<'w>) -> bool,
) -> Vec<Wanted<'w>> {
    let (kept, others) = all.into_iter().partition(is_kept);
    rest.extend(others);
    kept
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
