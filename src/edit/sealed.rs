//! The issuer's Secret where the repository has it encrypted: what is to be sealed, and the file with what came of it.

use std::path::PathBuf;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::proof::{self, Setting};
use super::work::{block_of, declared};
use super::{Edited, EditedFile, EditedLine, Target, What};
use crate::document::{self, Document, ObjectRef, decoded, mapping, text_at, yaml};
use crate::linkerd::CERTIFICATE_ANNOTATION;
use crate::render::{Edit, KeyText, Rendered};
use crate::seal::Owner;

/// What is to be sealed.
pub enum Plain<'a> {
    /// A Secret, for a file that holds nothing else.
    Whole {
        /// The file.
        path: PathBuf,
        /// The Secret as YAML.
        secret: Zeroizing<String>,
        /// Its private key.
        key: Zeroizing<String>,
    },
    /// A value of a SealedSecret.
    Value {
        /// Whose.
        owner: &'a Owner,
        /// The value.
        text: Zeroizing<String>,
    },
}

/// How a Secret is encrypted in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// A file of SOPS.
    Sops,
    /// A SealedSecret.
    SealedSecret,
}

impl Target<'_> {
    /// How the repository has the Secret of a step encrypted; `None` where it does not.
    #[must_use]
    pub fn encryption(&self, rendered: &Rendered) -> Option<Encryption> {
        self.encrypted(&rendered.object.name).map(|(_, encryption)| encryption)
    }

    /// The Secret of this name where it is encrypted.
    pub(super) fn encrypted(&self, name: &str) -> Option<(&Document, Encryption)> {
        self.documents.iter().find_map(|document| {
            let tree = &document.tree;
            let encryption = match tree["kind"].as_str() {
                Some("Secret") if tree.get("sops").is_some() => Encryption::Sops,
                Some("SealedSecret") => Encryption::SealedSecret,
                _ => return None,
            };
            (tree["metadata"]["name"] == name).then_some((document, encryption))
        })
    }

    /// Puts the Secret of a step into an edit, sealed by `seal`; it stays left where it stands in a way that is not known.
    ///
    /// # Errors
    /// Those of `seal`.
    pub fn seal<E>(
        &self,
        edited: &mut Edited,
        rendered: &Rendered,
        seal: impl Fn(Plain<'_>) -> Result<String, E>,
    ) -> Result<(), E> {
        let (Some((document, encryption)), Some(key)) =
            (self.encrypted(&rendered.object.name), &rendered.key)
        else {
            return Ok(());
        };
        let Some(name) = self.repository.name(&document.origin) else { return Ok(()) };
        // Other objects of the same file may have been edited.
        let known = edited.files.iter().position(|file| file.name == name);
        let mut file = match (known, self.repository.text(name)) {
            (Some(at), _) => edited.files.swap_remove(at),
            (None, Some(text)) => EditedFile {
                name: name.to_owned(),
                place: self.repository.place(name),
                path: self.repository.path(name),
                before: Zeroizing::new(text.clone()),
                after: Zeroizing::new(text),
                changes: Vec::new(),
            },
            (None, None) => return Ok(()),
        };
        let after = match encryption {
            Encryption::Sops => match whole(&file.after, rendered, key) {
                Some(secret) => {
                    let path = std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone());
                    Some(seal(Plain::Whole { path, secret, key: key.pem() })?)
                }
                None => None,
            },
            Encryption::SealedSecret => values(&file.after, document, rendered, key, &seal)?,
        };
        if let Some(after) = after {
            file.after = Zeroizing::new(after);
            file.changes.push(EditedLine { line: document.origin.line.max(1), what: What::Sealed });
            edited.left.retain(|left| left.object != rendered.object);
        }
        if !file.changes.is_empty() {
            edited.files.push(file);
        }
        Ok(())
    }
}

/// The Secret of a file of SOPS as it shall be, in plain text: its MAC is over everything, so the file is made anew. `None` where it
/// holds more than what is replaced. What an overlay adds to it is no part of the file.
fn whole(text: &str, rendered: &Rendered, key: &KeyText) -> Option<Zeroizing<String>> {
    let documents = document::parse(text, "file").ok()?;
    let has_other_documents = documents.len() != 1;
    let mut tree = declared(&documents, &rendered.object)?.tree.clone();
    let is_plain = tree.get("stringData").is_some();
    let map = if is_plain { "stringData" } else { "data" };
    let key = if is_plain { KeyText::plain(key.pem().trim_end()) } else { key.clone() };
    let mut values = serde_json::Map::new();
    for edit in &rendered.edits {
        let (name, value) = value(edit)?;
        let text = if is_key(name, rendered) {
            key.placeholder()
        } else if is_plain {
            String::from_utf8(decoded(value)?).ok()?
        } else {
            value.to_owned()
        };
        values.insert(name.to_owned(), text.into());
    }
    let others = ["data", "stringData"].iter().filter_map(|map| tree[*map].as_object()).flatten();
    let has_other_values = others.into_iter().any(|(name, _)| !values.contains_key(name));
    if has_other_documents || has_other_values {
        return None;
    }
    let fields = tree.as_object_mut()?;
    ["sops", "data", "stringData"].iter().for_each(|field| drop(fields.shift_remove(*field)));
    fields.insert(map.to_owned(), values.into());
    tree["metadata"]["annotations"][CERTIFICATE_ANNOTATION] = json!(certificate(rendered)?);
    key.put_into(&yaml::write(&tree))
}

/// A SealedSecret with the values of a step sealed one by one: its other values, its template and its comments stay.
fn values<E>(
    text: &str,
    document: &Document,
    rendered: &Rendered,
    key: &KeyText,
    seal: &impl Fn(Plain<'_>) -> Result<String, E>,
) -> Result<Option<String>, E> {
    let tree = &document.tree;
    let object = ObjectRef { kind: "SealedSecret".to_owned(), ..rendered.object.clone() };
    let owner = Owner {
        name: text_at(tree, "/metadata/name").to_owned(),
        namespace: object.namespace.clone(),
        scope: scope(tree),
    };
    let mut sealed: Vec<(String, String)> = Vec::new();
    for edit in &rendered.edits {
        let Some((name, value)) = value(edit) else { return Ok(None) };
        let text = if is_key(name, rendered) {
            key.pem()
        } else {
            match decoded(value).and_then(|bytes| String::from_utf8(bytes).ok()) {
                Some(text) => Zeroizing::new(text),
                None => return Ok(None),
            }
        };
        sealed.push((name.to_owned(), seal(Plain::Value { owner: &owner, text })?));
    }
    Ok(with_values(text, &object, &sealed, rendered))
}

fn with_values(
    text: &str,
    object: &ObjectRef,
    sealed: &[(String, String)],
    rendered: &Rendered,
) -> Option<String> {
    let certificate = certificate(rendered)?;
    let mut after = text.to_owned();
    for (name, value) in sealed {
        after = mapping::set(&after, block_of(&after, object)?, &["spec", "encryptedData", name], value)?;
    }
    let annotation = ["metadata", "annotations", CERTIFICATE_ANNOTATION];
    after = mapping::set(&after, block_of(&after, object)?, &annotation, &certificate)?;
    let mut settings: Vec<Setting<'_>> = sealed.iter().map(|(key, value)| Setting { key, value }).collect();
    settings.push(Setting { key: CERTIFICATE_ANNOTATION, value: &certificate });
    proof::only_meant(text, &after, &[], &settings).then_some(after)
}

/// `SecretScope` of sealed-secrets, by the annotations of the SealedSecret.
fn scope(tree: &Value) -> &'static str {
    let is =
        |scope: &str| tree["metadata"]["annotations"][format!("sealedsecrets.bitnami.com/{scope}")] == "true";
    match () {
        () if is("cluster-wide") => "cluster-wide",
        () if is("namespace-wide") => "namespace-wide",
        () => "strict",
    }
}

/// A value of a Secret that a step changes, in base64 (or as what stands for the key).
fn value(edit: &Edit) -> Option<(&str, &str)> {
    match edit {
        Edit::Data { key, value } => Some((key, value)),
        _ => None,
    }
}

fn is_key(name: &str, rendered: &Rendered) -> bool {
    let placeholder = rendered.key.as_ref().map(KeyText::placeholder);
    rendered
        .edits
        .iter()
        .filter_map(value)
        .any(|(of, value)| of == name && Some(value) == placeholder.as_deref())
}

/// What the issuer's certificate and its key are called in the Secret that a step changes.
pub(super) fn names(rendered: &Rendered) -> Option<[&str; 2]> {
    let all = || rendered.edits.iter().filter_map(value).map(|(name, _)| name);
    let certificate = all().find(|name| CERTIFICATE_NAMES.contains(name))?;
    let key = all().find(|name| is_key(name, rendered))?;
    Some([certificate, key])
}

const CERTIFICATE_NAMES: [&str; 2] = ["crt.pem", "tls.crt"];

/// The issuer's certificates, as PEM.
fn certificate(rendered: &Rendered) -> Option<String> {
    let of_issuer = |(name, _): &(&str, &str)| CERTIFICATE_NAMES.contains(name);
    let (_, encoded) = rendered.edits.iter().filter_map(value).find(of_issuer)?;
    String::from_utf8(decoded(encoded)?).ok()
}
