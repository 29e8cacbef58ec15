//! One object's change, ready to be written in any form.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::current::named;
use super::mask::any_text;
use super::path::{self, Fault};
use super::{Current, Edit, Form, KeyText, RenderError};
use crate::document::{ObjectRef, yaml};
use crate::mesh::REDACTED;
use crate::pki::Certificate;
use crate::rotation::Step;

/// The change of one object, ready to be written in any form.
#[derive(Clone)]
pub struct Rendered {
    /// Which object.
    pub object: ObjectRef,
    /// In which step.
    pub step: Step,
    /// The comment head: what it is, and for each certificate subject, issuer, validity and fingerprint.
    pub head: Vec<String>,
    /// The object as observed.
    pub current: Current,
    /// What changes.
    pub edits: Vec<Edit>,
    /// The certificates that the changed fields hold.
    pub certificates: Certificates,
    /// The private key that is put in when it is written, where it has one.
    pub key: Option<KeyText>,
    /// Is the object one that the step brings whole, or one that it removes, rather than one that it changes?
    pub whole: Option<WholeChange>,
    /// Was the same private key observed in place already? (Both sides are redacted: comparing them tells nothing.)
    pub key_in_place: bool,
}

/// An object that comes or goes as a whole, whatever form the others have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WholeChange {
    /// It comes.
    Added,
    /// It goes.
    Removed,
}

/// The certificates of the changed fields, in the order of the text, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// As observed.
    pub before: Vec<Certificate>,
    /// After the change.
    pub after: Vec<Certificate>,
}

impl Certificates {
    /// Adds certificates that are not there yet.
    pub(super) fn add<'a>(
        &mut self,
        before: impl IntoIterator<Item = &'a Certificate>,
        after: impl IntoIterator<Item = &'a Certificate>,
    ) {
        fn once<'a>(list: &mut Vec<Certificate>, more: impl IntoIterator<Item = &'a Certificate>) {
            for certificate in more {
                if !list.contains(certificate) {
                    list.push(certificate.clone());
                }
            }
        }
        once(&mut self.before, before);
        once(&mut self.after, after);
    }
}

impl Rendered {
    /// The document in one of the three forms, with a placeholder for its private key. Applied to the observed object, each gives the same.
    ///
    /// # Errors
    /// A form that needs more of the current object than was observed, or a text in which a private key was not kept.
    pub fn document(&self, form: Form) -> Result<Value, RenderError> {
        let document = match form {
            _ if self.whole == Some(WholeChange::Added) => self.result(),
            Form::JsonPatch | Form::Object if self.whole.is_some() => {
                Err(RenderError::Removed { object: self.object.clone().into() })
            }
            Form::Patch if self.whole.is_some() => {
                let mut patch = named(&self.as_written());
                patch["$patch"] = json!("delete");
                Ok(patch)
            }
            Form::Patch => self.patch(),
            Form::JsonPatch => self.json_patch(),
            Form::Object => self.object(),
        }?;
        if any_text(&document, &mut |text| text.contains(REDACTED)) {
            return Err(RenderError::Redacted { object: self.object.clone().into() });
        }
        Ok(document)
    }

    /// The document in one of the three forms as YAML below its head, with its private key.
    ///
    /// # Errors
    /// As [`Rendered::document`], and where the object holds the text that stands for the key.
    pub fn written(&self, form: Form) -> Result<Zeroizing<String>, RenderError> {
        let text = yaml::write_stream(&[(self.head.clone(), self.document(form)?)]);
        match &self.key {
            None => Ok(Zeroizing::new(text)),
            Some(key) => key
                .put_into(&text)
                .ok_or_else(|| RenderError::Placeholder { object: self.object.clone().into() }),
        }
    }

    fn patch(&self) -> Result<Value, RenderError> {
        let mut patch = named(&self.as_written());
        for edit in &self.edits {
            path::merge(&mut patch, self.current.tree(), &edit.path(), &edit.value())
                .map_err(|fault| self.error(fault))?;
        }
        Ok(patch)
    }

    fn json_patch(&self) -> Result<Value, RenderError> {
        let mut tree = self.current.tree().ok_or_else(|| RenderError::not_observed(&self.object))?.clone();
        let mut operations = Vec::new();
        for edit in &self.edits {
            let path = edit.path();
            operations
                .extend(path::operations(&tree, &path, &edit.value()).map_err(|fault| self.error(fault))?);
            path::set(&mut tree, &path, &edit.value()).map_err(|fault| self.error(fault))?;
        }
        Ok(operations.iter().map(|operation| json!(operation)).collect())
    }

    fn object(&self) -> Result<Value, RenderError> {
        let (Current::Whole(_) | Current::New(_)) = self.current else {
            return Err(RenderError::not_observed(&self.object));
        };
        self.result()
    }

    /// What is known of the object after the change: all of it, or the part that was observed.
    ///
    /// # Errors
    /// An edit of a list entry that was not observed.
    pub fn result(&self) -> Result<Value, RenderError> {
        self.on(self.observed())
    }

    /// The same of another tree of the object.
    ///
    /// # Errors
    /// An edit of a list entry that the tree does not have.
    pub fn on(&self, mut tree: Value) -> Result<Value, RenderError> {
        for edit in &self.edits {
            path::set(&mut tree, &edit.path(), &edit.value()).map_err(|fault| self.error(fault))?;
        }
        Ok(tree)
    }

    /// The object as its own manifest names it: a namespace that the manifest leaves open stays open.
    pub(super) fn as_written(&self) -> ObjectRef {
        let mut object = self.object.clone();
        if let Current::Whole(tree) = &self.current
            && tree["metadata"]["namespace"].is_null()
        {
            object.namespace.clear();
        }
        object
    }

    /// What was observed of the object, its name at least.
    #[must_use]
    pub fn observed(&self) -> Value {
        self.current.tree().map_or_else(|| named(&self.object), Value::clone)
    }

    /// Was the object not seen, so that it starts from nothing?
    #[must_use]
    pub const fn is_new(&self) -> bool {
        matches!(self.current, Current::New(_))
    }

    fn error(&self, fault: Fault) -> RenderError {
        match fault {
            Fault::Unknown => RenderError::not_observed(&self.object),
            Fault::Ambiguous(field) => RenderError::Ambiguous { object: self.object.clone().into(), field },
        }
    }
}
