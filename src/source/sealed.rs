//! An encrypted issuer, and the certificate that an annotation beside the ciphertext says was sealed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::unrendered::{Renderer, Unjudged, Unrendered, same_object, says};
use crate::document::{ObjectRef, Origin, lay_over, text_at};
use crate::linkerd;

/// What a change does to an encrypted issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The SealedSecret, or the Secret that SOPS encrypted.
    pub object: ObjectRef,
    /// Where it stands after the change.
    pub origin: Origin,
    /// The certificates that its annotation names before the change, as PEM.
    pub before: Option<String>,
    /// The certificates that its annotation names after the change, as PEM.
    pub after: Option<String>,
    /// What changes of it.
    pub change: SealedChange,
}

/// What changes of an encrypted issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedChange {
    /// Nothing.
    Nothing,
    /// Certificate and key are sealed anew, and the annotation is another.
    Whole,
    /// The ciphertext, and not the annotation.
    CiphertextAlone,
    /// The annotation, and not the ciphertext.
    AnnotationAlone,
    /// The annotation, and of certificate and key one alone.
    InPart,
    /// Something else of the object, or it is put together in a way that is not known.
    Other,
}

impl Sealed {
    /// Is this what is told of an object that changes?
    #[must_use]
    pub fn is_of(&self, unjudged: &Unjudged) -> bool {
        !unjudged.gone && unjudged.renderer == Renderer::SealedSecret && unjudged.origin == self.origin
    }
}

impl Unrendered {
    /// The encrypted issuer, as it was before and as it is; `None` where there is none after the change, or more than one. `names` are
    /// those of the certificate and of the key.
    #[must_use]
    pub fn sealed(&self, before: &Self, names: [&str; 2]) -> Option<Sealed> {
        let (is, was) = (self.encrypted_issuer()?, before.encrypted_issuer());
        let annotation = |one: &Unjudged| annotation(&one.tree).map(str::to_owned);
        Some(Sealed {
            object: is.object()?,
            origin: is.origin.clone(),
            before: was.and_then(annotation),
            after: annotation(is),
            change: change(was.map(|was| &was.tree), &is.tree, names),
        })
    }

    /// What is known with these objects laid over it.
    #[must_use]
    pub fn laid_over(&self, known: &Self) -> Self {
        let mut all = known.clone();
        for one in &self.0 {
            match all.0.iter_mut().find(|known| same_object(known, one)) {
                Some(known) => {
                    lay_over(&mut known.tree, one.tree.clone());
                    known.origin = one.origin.clone();
                }
                None => all.0.push(one.clone()),
            }
        }
        all
    }

    fn encrypted_issuer(&self) -> Option<&Unjudged> {
        let is_it = |one: &&Unjudged| {
            one.renderer == Renderer::SealedSecret
                && text_at(&one.tree, "/kind") != "ExternalSecret"
                && text_at(&one.tree, "/metadata/name") == linkerd::ISSUER_SECRET
        };
        let mut all = self.0.iter().filter(is_it);
        all.next().filter(|_| all.next().is_none())
    }
}

fn change(was: Option<&Value>, is: &Value, names: [&str; 2]) -> SealedChange {
    let after = ciphertext(is);
    let before = was.map(ciphertext).unwrap_or_default();
    let same_kind = was.filter(|was| text_at(was, "/kind") == text_at(is, "/kind"));
    // A template may make the Secret's data of something else than what was sealed (`spec.template.data`).
    let is_open =
        is.pointer("/spec/template/data").is_some() || !names.iter().all(|name| after.contains_key(name));
    if is_open || same_kind.is_some_and(|was| rest(was) != rest(is)) {
        return SealedChange::Other;
    }
    let is_new = |name: &&str| before.get(*name) != after.get(*name);
    match (before != after, was.and_then(annotation) != annotation(is)) {
        (false, false) => SealedChange::Nothing,
        (false, true) => SealedChange::AnnotationAlone,
        (true, false) => SealedChange::CiphertextAlone,
        (true, true) if names.iter().all(is_new) => SealedChange::Whole,
        (true, true) => SealedChange::InPart,
    }
}

fn annotation(tree: &Value) -> Option<&str> {
    tree.get("metadata")?.get("annotations")?.get(linkerd::CERTIFICATE_ANNOTATION)?.as_str()
}

/// What is encrypted, by its names: of a Secret as hashes.
fn ciphertext(tree: &Value) -> BTreeMap<&str, &Value> {
    let all = tree.pointer("/spec/encryptedData").or_else(|| tree.get("values")).and_then(Value::as_object);
    all.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
}

/// Everything else of an object that makes a difference.
fn rest(tree: &Value) -> Value {
    let mut tree = says(tree);
    let mut without = |pointer: &str, key: &str| {
        if let Some(map) = tree.pointer_mut(pointer).and_then(Value::as_object_mut) {
            map.shift_remove(key);
        }
    };
    without("/spec", "encryptedData");
    without("", "values");
    without("/metadata/annotations", linkerd::CERTIFICATE_ANNOTATION);
    if tree.pointer("/metadata/annotations").and_then(Value::as_object).is_some_and(Map::is_empty) {
        without_annotations(&mut tree);
    }
    tree
}

fn without_annotations(tree: &mut Value) {
    if let Some(metadata) = tree.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("annotations");
    }
}
