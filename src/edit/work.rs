//! An edit while it is made: files are tried together, then one by one, and kept where what the repository declares comes nearer to
//! the step and nothing else changes.

use std::collections::BTreeMap;

use serde_json::Value;
use zeroize::Zeroizing;

use super::pem;
use super::proof::{self, Meaning, Name, Setting};
use super::swap::{Swap, Swapped, swap};
use super::{Edited, EditedFile, EditedLine, Left, Target, What, Why};
use crate::document::mapping::{self, Block};
use crate::document::{self, Document, ObjectRef, text_at};
use crate::linkerd;
use crate::pki::Certificate;
use crate::render::{Edit, Rendered, WholeChange};

/// What some files shall hold, and what changes in each.
pub(super) type Contents = BTreeMap<String, (Zeroizing<String>, Vec<EditedLine>)>;

pub(super) struct Work<'a> {
    pub(super) target: &'a Target<'a>,
    pub(super) step: &'a [Rendered],
    /// What the cluster's objects mean before the edit.
    before: Meaning,
    /// What they shall mean.
    wanted: Meaning,
    swaps: Vec<Swap>,
    contents: Contents,
    /// What is declared with these.
    documents: Vec<Document>,
}

impl<'a> Work<'a> {
    pub(super) fn begin(target: &'a Target<'a>, step: &'a [Rendered]) -> Self {
        let before = proof::meaning(&target.documents);
        let mut wanted = before.clone();
        for rendered in step {
            if let Some(document) = declared(&target.documents, &rendered.object)
                && let Ok(tree) = rendered.on(document.tree.clone())
            {
                wanted.insert(proof::name(&tree), with_key(proof::of(&tree), rendered));
            }
            match (rendered.whole, rendered.result()) {
                (Some(WholeChange::Added), Ok(tree)) => {
                    _ = wanted.insert(proof::name(&tree), proof::of(&tree))
                }
                (Some(WholeChange::Removed), _) => wanted.retain(|name, _| !is_named(name, &rendered.object)),
                _ => {}
            }
        }
        let swaps = swaps(&target.documents, step);
        let (contents, documents) = (Contents::new(), target.documents.clone());
        Self { target, step, before, wanted, swaps, contents, documents }
    }

    /// Swaps certificates and keys in the files that the cluster's objects are made of.
    pub(super) fn swap(&mut self) {
        if self.swaps.is_empty() {
            return;
        }
        let mut tried = Contents::new();
        for name in self.target.repository.names().filter(|name| self.target.files.contains(*name)) {
            let Some(text) = self.target.repository.text(name) else { continue };
            let (after, places) = swap(&text, &self.swaps);
            if !places.is_empty() && proof::only_meant(&text, &after, &self.swaps, &[]) {
                let changes = places.iter().map(|place| line(place, &self.swaps)).collect();
                tried.insert(name.to_owned(), (after, changes));
            }
        }
        self.keep(tried);
    }

    /// The files that change, and what is not as it shall be with them.
    pub(super) fn finish(self) -> Edited {
        let after = proof::meaning(&self.documents);
        let is_removed = |object: &ObjectRef| {
            let mut removed = self.step.iter().filter(|one| one.whole == Some(WholeChange::Removed));
            removed.any(|one| one.object == *object)
        };
        let is_wanted = |object: &ObjectRef| {
            let is = find(&after, object);
            match find(&self.wanted, object) {
                None if is_removed(object) => is.is_none(),
                None => is.is_some() && self.is_restarted(object),
                wanted => is == wanted,
            }
        };
        let mut left = Vec::new();
        for rendered in self.step.iter().filter(|rendered| !is_wanted(&rendered.object)) {
            let object = rendered.object.clone();
            let is_trust = is_trust(&object);
            let why = match declared(&self.target.documents, &object) {
                _ if object.kind == "Secret" && self.target.encrypted(&object.name).is_some() => {
                    Why::Encrypted
                }
                Some(_) => Why::NotProven,
                None => Why::NotDeclared,
            };
            left.push(Left { object, is_trust, why });
        }
        let file = |(name, (after, mut changes)): (String, (Zeroizing<String>, Vec<EditedLine>))| {
            changes.sort_by_key(|change| change.line);
            let before = Zeroizing::new(self.target.repository.text(&name)?);
            let (place, path) = (self.target.repository.place(&name), self.target.repository.path(&name));
            (*before != *after).then_some(EditedFile { name, place, path, before, after, changes })
        };
        Edited { files: self.contents.into_iter().filter_map(file).collect(), left, external: None }
    }

    /// What is declared with the edits so far.
    pub(super) fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The edits so far.
    pub(super) fn so_far(&self) -> Contents {
        self.contents.clone()
    }

    /// A file as it is with the edits so far.
    pub(super) fn current(&self, all: &Contents, name: &str) -> Option<(Zeroizing<String>, Vec<EditedLine>)> {
        match all.get(name) {
            Some(known) => Some(known.clone()),
            None => Some((Zeroizing::new(self.target.repository.text(name)?), Vec::new())),
        }
    }

    /// Keeps what is proven: all of it, or file by file.
    fn keep(&mut self, tried: Contents) {
        let mut all = self.so_far();
        all.extend(tried.clone());
        if tried.is_empty() || self.accept(all, |_| true) {
            return;
        }
        for (name, content) in tried {
            let mut more = self.so_far();
            more.insert(name, content);
            self.accept(more, |_| true);
        }
    }

    /// Keeps other contents where nothing is declared by them but what comes nearer to the step, and has an effect.
    pub(super) fn accept(&mut self, contents: Contents, has_effect: impl Fn(&[Document]) -> bool) -> bool {
        let Some(documents) = self.effect(&contents).filter(|documents| has_effect(documents)) else {
            return false;
        };
        self.keep_as(contents, documents);
        true
    }

    /// Keeps other contents, and what is declared with them.
    pub(super) fn keep_as(&mut self, contents: Contents, documents: Vec<Document>) {
        (self.contents, self.documents) = (contents, documents);
    }

    /// What is declared with other contents; `None` where something else changes by them.
    pub(super) fn effect(&self, contents: &Contents) -> Option<Vec<Document>> {
        self.read(contents).filter(|after| self.comes_nearer(after))
    }

    /// The cluster's objects with other contents of files; `None` where they cannot be read, or what is declared for another cluster
    /// changes.
    fn read(&self, contents: &Contents) -> Option<Vec<Document>> {
        let bytes =
            contents.iter().map(|(name, (text, _))| (name.clone(), text.as_bytes().to_vec())).collect();
        let mut units = self.target.repository.with(bytes).read().ok()?.units;
        let at = units.iter().position(|unit| unit.name == self.target.unit)?;
        let here = units.swap_remove(at);
        let is_same = |(name, meaning): &(String, Meaning)| {
            units.iter().any(|unit| unit.name == *name && proof::meaning(&unit.documents) == *meaning)
        };
        let all_same = units.len() == self.target.others.len() && self.target.others.iter().all(is_same);
        all_same.then_some(here.documents)
    }

    /// Is every object as it was, as it shall be, or between the two? What the values of a chart come from may change as well, in its
    /// certificates and keys; and a chart's value may restart more of its Deployments than the step does.
    fn comes_nearer(&self, documents: &[Document]) -> bool {
        let (was, is) = (proof::trees(&self.target.documents), proof::trees(documents));
        let after: Meaning = is.iter().map(|(name, tree)| (name.clone(), proof::of(tree))).collect();
        let is_of_step = |name: &Name| {
            self.step.iter().any(|one| one.object.kind == name[0] && one.object.name == name[2])
        };
        let is_source = |name: &Name| {
            let both = was.get(name).zip(is.get(name));
            both.is_some_and(|(was, is)| proof::is_meant(was, is, "", &self.swaps, &[]))
        };
        // What trust-manager makes of a Bundle that has all certificates in itself follows from the Bundle.
        let is_made_of_step = |name: &Name| {
            let is_bundle = |one: &Rendered| ["Bundle", "ClusterBundle"].contains(&one.object.kind.as_str());
            name[0] == "ConfigMap" && name[2] == linkerd::TRUST_ROOTS && self.step.iter().any(is_bundle)
        };
        let is_between = |(name, tree): (&Name, &Value)| match (self.before.get(name), self.wanted.get(name))
        {
            (Some(was), Some(wanted)) if between(was, tree, wanted) => true,
            _ if is_made_of_step(name) => true,
            // A chart says nothing of pods without annotations.
            (None, _) | (_, None) if is_of_step(name) => true,
            _ if is_of_step(name) => false,
            (Some(_), Some(_)) if is_source(name) => true,
            (was, _) => self.is_restarted_along(was, tree),
        };
        let stays = |name: &&Name| self.wanted.contains_key(*name) && !is_made_of_step(name);
        self.before.keys().filter(stays).all(|name| after.contains_key(name)) && after.iter().all(is_between)
    }

    /// Does a chart restart a Deployment with those of the step, by a value that they share?
    fn is_restarted_along(&self, was: Option<&Value>, is: &Value) -> bool {
        let mut unannotated = is.clone();
        let Some(annotations) = unannotated.pointer_mut("/spec/template/metadata/annotations") else {
            return false;
        };
        *annotations = Value::Null;
        let edits = self.step.iter().flat_map(|rendered| &rendered.edits);
        let settings: Vec<_> = edits
            .filter_map(|edit| match edit {
                Edit::TemplateAnnotation { key, value } => Some(Setting { key, value }),
                _ => None,
            })
            .collect();
        let is_made_by_chart =
            text_at(is, "/kind") == "Deployment" && is.pointer("/spec/template/spec").is_none();
        is_made_by_chart && proof::is_meant(was.unwrap_or(&unannotated), is, "", &[], &settings)
    }
}

fn is_named(name: &Name, object: &ObjectRef) -> bool {
    name[0] == object.kind && name[1] == object.namespace && name[2] == object.name
}

fn between(was: &Value, is: &Value, wanted: &Value) -> bool {
    if is == was || is == wanted {
        return true;
    }
    match (was, is, wanted) {
        (_, Value::Object(is), Value::Object(wanted)) => {
            let was_has = |key: &String| was.get(key).is_some();
            was.as_object().into_iter().flatten().all(|(key, _)| is.contains_key(key))
                && is.iter().all(|(key, value)| {
                    (wanted.contains_key(key) || was_has(key))
                        && between(
                            was.get(key).unwrap_or(&Value::Null),
                            value,
                            wanted.get(key).unwrap_or(&Value::Null),
                        )
                })
        }
        (Value::Array(was), Value::Array(is), Value::Array(wanted)) => {
            was.len() == is.len()
                && is.len() == wanted.len()
                && was.iter().zip(is).zip(wanted).all(|((was, is), wanted)| between(was, is, wanted))
        }
        _ => false,
    }
}

/// What stands in the place of what, told from the objects as they are and as they shall be; nothing where that is not told.
pub(super) fn swaps(documents: &[Document], step: &[Rendered]) -> Vec<Swap> {
    let mut all: Vec<Swap> = Vec::new();
    for rendered in step {
        let Some(document) = declared(documents, &rendered.object) else { continue };
        let mut issuer = None;
        for edit in &rendered.edits {
            let old = pem::certificates(edit.before(&document.tree).unwrap_or_default());
            let new = pem::certificates(edit.text());
            issuer = issuer.or_else(|| old.first()?.first().cloned());
            if old.len() == new.len() {
                let pairs = old.into_iter().zip(new).filter(|(old, new)| !same(old, new));
                all.extend(pairs.map(|(old, new)| Swap::Certificates { old, new }));
            }
        }
        if let (Some(key), Some(of)) = (&rendered.key, issuer) {
            all.push(Swap::Key { of, new: key.pem() });
        }
    }
    let mut swaps: Vec<Swap> = Vec::new();
    for swap in all {
        if swaps.iter().any(|known| known.is_of_same(&swap) && !known.is_same(&swap)) {
            return Vec::new();
        }
        if !swaps.iter().any(|known| known.is_same(&swap)) {
            swaps.push(swap);
        }
    }
    swaps
}

/// An object as it is declared; a manifest may leave its namespace open.
pub(super) fn declared<'d>(documents: &'d [Document], object: &ObjectRef) -> Option<&'d Document> {
    documents.iter().find(|document| {
        let at = |pointer: &str| text_at(&document.tree, pointer);
        let namespace = at("/metadata/namespace");
        at("/kind") == object.kind
            && at("/metadata/name") == object.name
            && (namespace.is_empty() || namespace == object.namespace)
    })
}

/// The object of this kind and name among documents, in the namespace where one is named.
pub(super) fn find_object(documents: &[Document], kind: &str, namespace: &str, name: &str) -> Option<Value> {
    let is_it = |document: &&Document| {
        let at = |pointer: &str| text_at(&document.tree, pointer);
        let is_there =
            [at("/metadata/namespace"), namespace].contains(&"") || at("/metadata/namespace") == namespace;
        at("/kind") == kind && at("/metadata/name") == name && is_there
    };
    documents.iter().find(is_it).map(|document| document.tree.clone())
}

fn find<'m>(meaning: &'m Meaning, object: &ObjectRef) -> Option<&'m Value> {
    let is_it = |(name, _): &(&Name, &Value)| {
        name[0] == object.kind
            && name[2] == object.name
            && (name[1].is_empty() || name[1] == object.namespace)
    };
    meaning.iter().find(is_it).map(|(_, value)| value)
}

/// What an object means with its private key where a rendered one has what stands for it.
fn with_key(mut meaning: Value, rendered: &Rendered) -> Value {
    if let Some(key) = &rendered.key {
        let placeholder = key.placeholder();
        for map in ["data", "stringData"] {
            for value in meaning[map].as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
                if *value == placeholder.as_str() {
                    *value = proof::of(&key.pem().as_str().into());
                }
            }
        }
        if let Some(map) = meaning.as_object_mut() {
            map.retain(|_, value| !value.is_null());
        }
    }
    meaning
}

/// Does a step change trust material in an object of this kind?
pub(super) fn is_trust(object: &ObjectRef) -> bool {
    ["ConfigMap", "Secret"].contains(&object.kind.as_str())
}

fn same(one: &[Certificate], other: &[Certificate]) -> bool {
    one.len() == other.len() && one.iter().all(|certificate| other.contains(certificate))
}

pub(super) fn line(place: &Swapped, swaps: &[Swap]) -> EditedLine {
    let what = match &swaps[place.swap] {
        Swap::Key { .. } => What::Key,
        Swap::Certificates { old, new } => {
            let without = |all: &[Certificate], others: &[Certificate]| {
                all.iter().filter(|one| !others.contains(one)).cloned().collect()
            };
            What::Certificates { added: without(new, old), removed: without(old, new) }
        }
    };
    EditedLine { line: place.line, what }
}

/// The mapping that an object is, in its file.
pub(super) fn block_of(text: &str, object: &ObjectRef) -> Option<Block> {
    if document::is_json(text.as_bytes()) {
        return None;
    }
    let documents = document::parse(text, "file").ok()?;
    let found = declared(&documents, object).filter(|document| document.origin.item == 0)?;
    mapping::document(text, found.origin.line)
}
