//! The issuer's Secret where External Secrets makes it of entries of a store: which entries, and which kind of store.

use serde_json::Value;
use zeroize::Zeroizing;

use super::proof::{self, Setting};
use super::work::{block_of, find_object};
use super::{Edited, EditedFile, EditedLine, Target, What};
use crate::document::{self, Document, ObjectRef, mapping, text_at};
use crate::linkerd;

/// An ExternalSecret of the repository, which makes the issuer's Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Its name.
    pub name: String,
    /// What messages call its file, and the line.
    pub place: String,
    /// The store that it reads.
    pub store: Store,
    /// The entries of the certificate and of the key; `None` where it is not told which they are.
    pub entries: Option<[Entry; 2]>,
    /// Versions that it pins, each with its file and line.
    pub pinned: Vec<(String, String)>,
    /// Is what changes in the store not taken over by itself?
    pub is_once: bool,
}

/// Where a value stands in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The entry.
    pub key: String,
    /// Its part, where it has several.
    pub property: Option<String>,
}

/// A store of secrets, by the provider of its SecretStore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// HashiCorp Vault or OpenBao, by the path at which the engine is mounted.
    Vault {
        /// Of the engine; empty where the key begins with it.
        mount: String,
        /// Has the engine versions, so that a part of an entry can be changed?
        is_versioned: bool,
    },
    /// AWS Secrets Manager.
    Aws,
    /// Google Secret Manager.
    Gcp {
        /// Empty where it is not told.
        project: String,
    },
    /// Azure Key Vault, by its name.
    Azure {
        /// The vault.
        vault: String,
    },
    /// Another, or one that the repository does not declare.
    Other,
}

impl Target<'_> {
    /// The ExternalSecret that makes the issuer's Secret. `names` are those of the certificate and of the key there.
    #[must_use]
    pub fn external(&self, names: [&str; 2]) -> Option<External> {
        let document = self.external_document()?;
        let spec = &document.tree["spec"];
        let [certificate, key] = names.map(|name| entry(spec, name));
        let entries = certificate.zip(key).map(|(certificate, key)| [certificate, key]);
        let is_once = text_at(spec, "/refreshPolicy") == "CreatedOnce"
            || matches!(text_at(spec, "/refreshInterval"), "0" | "0s" | "0h");
        Some(External {
            name: text_at(&document.tree, "/metadata/name").to_owned(),
            place: document.origin.to_string(),
            store: self.store(&document.tree),
            entries,
            pinned: self.pinned(document),
            is_once,
        })
    }

    /// Puts another version into an edit that leaves the issuer to a store, wherever its ExternalSecret pins one: what the store holds is
    /// the step then. An edit that changes something else is not made.
    pub fn pin_version(&self, edited: &mut Edited, version: &str) {
        let Some(document) = self.external_document().filter(|_| edited.external.is_some()) else { return };
        let Some(name) = self.repository.name(&document.origin) else { return };
        let Some(before) = self.repository.text(name) else { return };
        let Some(object) = ObjectRef::of(&document.tree) else { return };
        let Some((after, lines)) = pinned_to(&before, &object, version) else { return };
        let setting = Setting { key: "version", value: version };
        // Certificate and key of two versions are no pair.
        let is_all = is_one_version(&self.pinned(document)) && lines.len() == versions(document).count();
        if !is_all || !proof::only_meant(&before, &after, &[], &[setting]) {
            return;
        }
        let change = |line: usize| EditedLine {
            line: line + 1,
            what: What::Field {
                object: object.clone(),
                field: "remoteRef.version".to_owned(),
                value: Some(version.to_owned()),
            },
        };
        edited.files.push(EditedFile {
            name: name.to_owned(),
            place: self.repository.place(name),
            path: self.repository.path(name),
            before: Zeroizing::new(before),
            after: Zeroizing::new(after),
            changes: lines.into_iter().map(change).collect(),
        });
        edited.left.retain(|left| left.object.kind != "Secret" || left.object.name != linkerd::ISSUER_SECRET);
        edited.external = None;
    }

    fn external_document(&self) -> Option<&Document> {
        let makes_issuer = |document: &&Document| {
            let tree = &document.tree;
            let target = text_at(tree, "/spec/target/name");
            let name = if target.is_empty() { text_at(tree, "/metadata/name") } else { target };
            text_at(tree, "/kind") == "ExternalSecret" && name == linkerd::ISSUER_SECRET
        };
        self.documents.iter().find(makes_issuer)
    }

    fn store(&self, external: &Value) -> Store {
        let (kind, name) =
            (text_at(external, "/spec/secretStoreRef/kind"), text_at(external, "/spec/secretStoreRef/name"));
        let kind = if kind.is_empty() { "SecretStore" } else { kind };
        let namespace = if kind == "SecretStore" { text_at(external, "/metadata/namespace") } else { "" };
        if let Some(tree) = find_object(&self.documents, kind, namespace, name) {
            return Store::of(&tree["spec"]["provider"]);
        }
        let in_file = |file: &str| {
            let text = self.repository.text(file).filter(|text| text.contains("SecretStore"))?;
            let tree = find_object(&document::parse(&text, file).ok()?, kind, namespace, name)?;
            Some(Store::of(&tree["spec"]["provider"]))
        };
        let mut found = self.repository.names().filter_map(in_file);
        let Some(store) = found.next() else { return Store::Other };
        // Another cluster may have one of the same name.
        if found.all(|other| other == store) { store } else { Store::Other }
    }

    /// The versions of entries that an ExternalSecret pins, with the place of each.
    fn pinned(&self, document: &Document) -> Vec<(String, String)> {
        if versions(document).next().is_none() {
            return Vec::new();
        }
        let text = self.repository.name(&document.origin).and_then(|name| self.repository.text(name));
        let found = text.zip(ObjectRef::of(&document.tree));
        let found = found.and_then(|(text, object)| pinned_to(&text, &object, "0"));
        // Where one is written in another way, it is not told which lines are whose.
        let lines = found.map(|(_, lines)| lines).filter(|lines| lines.len() == versions(document).count());
        let lines = lines.unwrap_or_default();
        let place = |at: usize| {
            let line = lines.get(at).map_or(document.origin.line, |line| line + 1);
            format!("{}:{line}", document.origin.source)
        };
        versions(document).enumerate().map(|(at, version)| (plain(version), place(at))).collect()
    }
}

impl External {
    /// Are versions pinned that are one and the same?
    #[must_use]
    pub fn pins_one_version(&self) -> bool {
        is_one_version(&self.pinned)
    }
}

fn is_one_version(pinned: &[(String, String)]) -> bool {
    pinned.first().is_some_and(|(first, _)| pinned.iter().all(|(version, _)| version == first))
}

/// The versions of entries that an ExternalSecret pins.
fn versions(document: &Document) -> impl Iterator<Item = &Value> {
    let spec = &document.tree["spec"];
    let version = |one| {
        let at = |pointer| Value::pointer(one, pointer);
        at("/remoteRef/version").or_else(|| at("/extract/version"))
    };
    list(spec, "data").chain(list(spec, "dataFrom")).filter_map(version)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Store {
    /// By the provider of a SecretStore or a ClusterSecretStore.
    fn of(provider: &Value) -> Self {
        let vault = provider.get("vault").or_else(|| provider.get("openBao"));
        if let Some(vault) = vault {
            let mount = text_at(vault, "/path").to_owned();
            return Self::Vault { mount, is_versioned: text_at(vault, "/version") != "v1" };
        }
        if let Some(aws) = provider.get("aws").filter(|aws| text_at(aws, "/service") != "ParameterStore") {
            return if aws.is_object() { Self::Aws } else { Self::Other };
        }
        if let Some(gcp) = provider.get("gcpsm") {
            return Self::Gcp { project: text_at(gcp, "/projectID").to_owned() };
        }
        let url = provider.get("azurekv").map(|azure| text_at(azure, "/vaultUrl")).unwrap_or_default();
        let host = url.strip_prefix("https://").unwrap_or_default();
        match host.split_once('.') {
            Some((vault, rest)) if rest.starts_with("vault.") => Self::Azure { vault: vault.to_owned() },
            _ => Self::Other,
        }
    }
}

/// A file with another version wherever an ExternalSecret pins one, and the lines, from 0, of these.
fn pinned_to(text: &str, object: &ObjectRef, version: &str) -> Option<(String, Vec<usize>)> {
    let (mut after, mut lines) = (text.to_owned(), Vec::new());
    for (field, reference) in [("data", "remoteRef"), ("dataFrom", "extract")] {
        let path = [reference, "version"];
        for line in mapping::items(&after, block_of(&after, object)?, &["spec", field]) {
            let (item, block) = mapping::without_dash(&after, line)?;
            let Some(at) = mapping::line_of(&item, block, &path) else { continue };
            lines.push(at);
            after = mapping::in_item(&after, line, |text, block| mapping::set(text, block, &path, version))?;
        }
    }
    Some((after, lines))
}

fn list<'v>(spec: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    spec.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// Where a value of the Secret comes from: one entry for it, or one of which all values come. What a template makes otherwise than by
/// naming one value is not followed, and neither is what rewrites names, finds entries, decodes them or takes them from another store.
fn entry(spec: &Value, name: &str) -> Option<Entry> {
    if spec.pointer("/target/template/templateFrom").is_some() {
        return None;
    }
    let template = spec.pointer("/target/template/data").and_then(|data| data.get(name));
    let secret_key = match template {
        None => name,
        Some(template) => {
            template.as_str()?.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim().strip_prefix('.')?
        }
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if template.is_some() && !secret_key.chars().all(is_name) {
        return None;
    }
    let text = |reference: &Value, field: &str| {
        reference.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    // PEM is no base64, and stays as it is where decoding is only tried.
    let is_as_stored = |one: &Value, reference: &Value| {
        one.get("sourceRef").is_none()
            && ["", "None", "Auto"].contains(&text_at(reference, "/decodingStrategy"))
    };
    let of_it = |one: &&Value| text_at(one, "/secretKey") == secret_key;
    if let Some(one) = list(spec, "data").find(of_it) {
        let reference = &one["remoteRef"];
        if !is_as_stored(one, reference) {
            return None;
        }
        return Some(Entry { key: text(reference, "key")?, property: text(reference, "property") });
    }
    let mut all = list(spec, "dataFrom");
    let one = all.next().filter(|_| all.next().is_none())?;
    let extract = one.get("extract")?;
    if one.get("rewrite").is_some() || extract.get("property").is_some() || !is_as_stored(one, extract) {
        return None;
    }
    let key = text(extract, "key")?;
    Some(Entry { key, property: Some(secret_key.to_owned()) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_told_by_its_reference_its_template_or_the_whole_that_is_taken() {
        let of = |key: &str, property: Option<&str>| {
            Some(Entry { key: key.to_owned(), property: property.map(str::to_owned) })
        };
        let one = json!({"secretKey": "tls.crt", "remoteRef": {"key": "linkerd/issuer", "property": "crt"}});
        assert_eq!(entry(&json!({"data": [one]}), "tls.crt"), of("linkerd/issuer", Some("crt")));
        assert_eq!(entry(&json!({"data": [one]}), "tls.key"), None);
        let whole = json!({"dataFrom": [{"extract": {"key": "linkerd/issuer"}}]});
        assert_eq!(entry(&whole, "tls.key"), of("linkerd/issuer", Some("tls.key")));
        let mut templated = json!({"data": [{"secretKey": "c", "remoteRef": {"key": "a"}}],
            "target": {"template": {"data": {"tls.crt": "{{ .c }}", "tls.key": "{{ .c | b64dec }}"}}}});
        assert_eq!(entry(&templated, "tls.crt"), of("a", None));
        assert_eq!(entry(&templated, "tls.key"), None);
        templated["dataFrom"] = json!([{"extract": {"key": "linkerd/issuer"}}]);
        assert_eq!(entry(&templated, "tls.key"), None);
        templated["dataFrom"] = json!([{"find": {"name": {"regexp": ".*"}}}]);
        assert_eq!(entry(&templated, "ca.crt"), None);
    }

    #[test]
    fn what_is_not_stored_as_it_is_used_has_no_entry() {
        let one = |more: Value| {
            let mut one = json!({"secretKey": "tls.crt", "remoteRef": {"key": "a"}});
            one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            entry(&json!({"data": [one]}), "tls.crt")
        };
        assert!(one(json!({})).is_some());
        assert!(one(json!({"remoteRef": {"key": "a", "decodingStrategy": "None"}})).is_some());
        assert_eq!(one(json!({"remoteRef": {"key": "a", "decodingStrategy": "Base64"}})), None);
        assert_eq!(one(json!({"sourceRef": {"storeRef": {"name": "another"}}})), None);
        let whole = |extract: Value| entry(&json!({"dataFrom": [{"extract": extract}]}), "tls.crt");
        assert!(whole(json!({"key": "a"})).is_some());
        assert_eq!(whole(json!({"key": "a", "decodingStrategy": "Base64"})), None);
        let template = json!({"templateFrom": [{"configMap": {"name": "of-linkerd"}}]});
        let data = json!([{"secretKey": "tls.crt", "remoteRef": {"key": "a"}}]);
        assert_eq!(entry(&json!({"data": data, "target": {"template": template}}), "tls.crt"), None);
    }

    #[test]
    fn a_store_is_told_by_its_provider() {
        let vault = |mount: &str, is_versioned| Store::Vault { mount: mount.to_owned(), is_versioned };
        for (provider, store) in [
            (json!({"vault": {"path": "secret", "version": "v2"}}), vault("secret", true)),
            (json!({"openBao": {"path": "kv"}}), vault("kv", true)),
            (json!({"vault": {"version": "v1"}}), vault("", false)),
            (json!({"aws": {"service": "SecretsManager"}}), Store::Aws),
            (json!({"aws": {"service": "ParameterStore"}}), Store::Other),
            (json!({"gcpsm": {"projectID": "p"}}), Store::Gcp { project: "p".to_owned() }),
            (
                json!({"azurekv": {"vaultUrl": "https://mesh.vault.azure.net"}}),
                Store::Azure { vault: "mesh".to_owned() },
            ),
            (json!({"azurekv": {"vaultUrl": "mesh"}}), Store::Other),
            (json!({"doppler": {}}), Store::Other),
        ] {
            assert_eq!(Store::of(&provider), store, "{provider}");
        }
    }
}
