//! What of an input another program has to render first.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::document::{Document, ObjectRef, Origin, decoded, lay_over, mentions, text_at};
use crate::linkerd;
use crate::mesh::{
    CERT_MANAGER_GROUP, CLUSTER_BUNDLE_GROUP, Interest, Mesh, Owner, REDACTED, TRUST_MANAGER_GROUP,
};
use crate::pki::Fingerprint;
use zeroize::Zeroizing;

/// Something that may change trust material once another program has rendered it: it cannot be judged as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Unjudged {
    /// Where it was read.
    pub origin: Origin,
    /// Who makes trust material of it.
    pub renderer: Renderer,
    /// Has only the side before the proposal got it?
    pub gone: bool,
    pub(super) tree: Value,
}

/// What another program makes trust material of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renderer {
    /// Helm, of values.
    Helm,
    /// Kustomize, of an inline patch or a generator.
    Kustomize,
    /// Whoever applies a patch with a `$patch` directive.
    PatchDirective,
    /// A controller in the cluster, of a SealedSecret or an ExternalSecret.
    SealedSecret,
    /// trust-manager, of a Bundle.
    TrustManager,
    /// cert-manager, of a Certificate.
    CertManager,
    /// cert-manager, with an Issuer or a ClusterIssuer.
    CertManagerIssuer,
    /// cert-manager or trust-manager, of a Secret that one of them reads.
    SourceSecret,
}

/// Everything in an input that another program has to render first.
#[derive(Debug, Clone, Default)]
pub struct Unrendered(pub(super) Vec<Unjudged>);

/// Where only another program can tell what becomes of it: the kinds, the program, and what they would have to name.
const RENDERED_ELSEWHERE: [(&[&str], Renderer, &[&str]); 3] = [
    (&["HelmRelease", "Application", "ApplicationSet", "HelmChart"], Renderer::Helm, &HELM),
    (&["Kustomization", "Component"], Renderer::Kustomize, &NAMES),
    (&[""], Renderer::Helm, &HELM),
];
const SEALED: [&str; 2] = ["SealedSecret", "ExternalSecret"];
const HELM: [&str; 3] = ["identityTrustAnchorsPEM", "IdentityTrustAnchorsPEM", "crtPEM"];
const NAMES: [&str; 3] = [linkerd::TRUST_ROOTS, linkerd::ISSUER_SECRET, linkerd::CONFIG];
/// The anchor's Secret in Linkerd's guide.
const ANCHOR: &str = "linkerd-trust-anchor";

impl Unjudged {
    /// Which object it is.
    #[must_use]
    pub fn object(&self) -> Option<ObjectRef> {
        ObjectRef::of(&self.tree)
    }
}

impl Unrendered {
    pub(super) fn interest(kind: &str) -> Interest {
        if RENDERED_ELSEWHERE.iter().any(|(kinds, ..)| kinds.contains(&kind)) {
            Interest::Object
        } else {
            Interest::None
        }
    }

    /// Does an object declare a release of a chart?
    pub(super) fn is_release(tree: &Value) -> bool {
        RENDERED_ELSEWHERE.iter().any(|(kinds, renderer, _)| {
            let kind = text_at(tree, "/kind");
            *renderer == Renderer::Helm && !kind.is_empty() && kinds.contains(&kind)
        })
    }

    pub(super) fn see(&mut self, document: &Document) {
        if let Some(renderer) = renderer(&document.tree) {
            let Document { origin, tree } = document;
            let tree = if text_at(tree, "/kind") == "Secret" { hashed(tree) } else { tree.clone() };
            self.0.push(Unjudged { origin: origin.clone(), renderer, gone: false, tree });
        }
    }

    /// Leaves these objects out: what becomes of them is known.
    pub(super) fn forget(&mut self, objects: &[ObjectRef]) {
        self.0.retain(|one| one.object().is_none_or(|object| !objects.contains(&object)));
    }

    /// What objects laid over `current` bring; `known` is what was seen there.
    #[must_use]
    pub fn over(&self, known: &Self, current: &Mesh) -> Vec<Unjudged> {
        let current = Some(current);
        let chain = Chain::of(self.0.iter().chain(&known.0), current);
        let changes = |one: &&Unjudged| {
            !known.0.iter().any(|before| {
                let mut laid = before.tree.clone();
                lay_over(&mut laid, one.tree.clone());
                one.renderer != Renderer::PatchDirective
                    && same_object(before, one)
                    && says(&laid) == says(&before.tree)
            })
        };
        let concerns = |one: &&Unjudged| chain.concerns(one, current);
        self.0.iter().filter(concerns).filter(changes).cloned().collect()
    }

    /// What differs from `before`, of whose objects `current` is made where they make a mesh: what is new or changed, then what is gone.
    #[must_use]
    pub fn since(&self, before: &Self, current: Option<&Mesh>) -> Vec<Unjudged> {
        let chain = Chain::of(self.0.iter().chain(&before.0), current);
        let apart = |one: &[Unjudged], other: &[Unjudged]| -> Vec<Unjudged> {
            let concerns = |one: &&Unjudged| chain.concerns(one, current);
            let is_new = |one: &&Unjudged| !other.iter().any(|known| says(&known.tree) == says(&one.tree));
            one.iter().filter(concerns).filter(is_new).cloned().collect()
        };
        let mut found = apart(&self.0, &before.0);
        let gone = apart(&before.0, &self.0).into_iter();
        let gone: Vec<_> = gone.filter(|gone| !found.iter().any(|one| same_object(gone, one))).collect();
        found.extend(gone.into_iter().map(|one| Unjudged { gone: true, ..one }));
        found
    }
}

/// How cert-manager comes to Linkerd's certificates, as far as it was read.
struct Chain {
    /// Secrets that it makes or signs with.
    secrets: BTreeSet<String>,
    /// Kind and name of the issuers that sign them.
    signers: BTreeSet<(String, String)>,
    /// Certificates by name.
    certificates: BTreeSet<String>,
    /// May there be signers that were not read?
    is_open: bool,
}

impl Chain {
    fn of<'a>(all: impl Iterator<Item = &'a Unjudged>, current: Option<&Mesh>) -> Self {
        let all: Vec<&Value> = all.map(|one| &one.tree).collect();
        let mut chain = Self {
            secrets: [linkerd::ISSUER_SECRET, ANCHOR].map(str::to_owned).into(),
            signers: BTreeSet::new(),
            certificates: current
                .into_iter()
                .flat_map(|mesh| &mesh.certificates)
                .map(|known| known.object.name.clone())
                .collect(),
            is_open: false,
        };
        let size = |chain: &Self| (chain.secrets.len(), chain.signers.len(), chain.certificates.len());
        loop {
            let before = size(&chain);
            all.iter().for_each(|tree| chain.follow(tree));
            if size(&chain) == before {
                break;
            }
        }
        let is_read = |name: &str| {
            all.iter().any(|tree| {
                text_at(tree, "/kind") == "Certificate" && text_at(tree, "/metadata/name") == name
            })
        };
        let by_cert_manager = current.into_iter().flat_map(|mesh| &mesh.manifests).any(|manifest| {
            manifest.object.name == linkerd::ISSUER_SECRET
                && manifest.owners.iter().any(|owner| matches!(owner, Owner::CertManager { .. }))
        });
        chain.is_open = (by_cert_manager && chain.signers.is_empty())
            || !current
                .into_iter()
                .flat_map(|mesh| &mesh.certificates)
                .all(|known| is_read(&known.object.name));
        chain
    }

    fn follow(&mut self, tree: &Value) {
        match text_at(tree, "/kind") {
            "Certificate" if self.has_certificate(tree) => {
                self.certificates.insert(text_at(tree, "/metadata/name").to_owned());
                let (kind, name) =
                    (text_at(tree, "/spec/issuerRef/kind"), text_at(tree, "/spec/issuerRef/name"));
                if !name.is_empty() {
                    let kind = if kind.is_empty() { "Issuer" } else { kind };
                    self.signers.insert((kind.to_owned(), name.to_owned()));
                }
            }
            "Bundle" if names(tree, linkerd::TRUST_ROOTS) => {
                let sources = tree.pointer("/spec/sources").and_then(Value::as_array);
                let secrets = sources.into_iter().flatten().map(|source| text_at(source, "/secret/name"));
                self.secrets.extend(secrets.filter(|name| !name.is_empty()).map(str::to_owned));
            }
            "ClusterBundle" if names(tree, linkerd::TRUST_ROOTS) => {
                let sources = tree.pointer("/spec/sourceRefs").and_then(Value::as_array);
                let secrets = sources.into_iter().flatten().filter(|source| source["kind"] == "Secret");
                let secrets = secrets.map(|source| text_at(source, "/name"));
                self.secrets.extend(secrets.filter(|name| !name.is_empty()).map(str::to_owned));
            }
            "Issuer" | "ClusterIssuer" if self.has_signer(tree) => {
                let secret = text_at(tree, "/spec/ca/secretName");
                if !secret.is_empty() {
                    self.secrets.insert(secret.to_owned());
                }
            }
            _ => {}
        }
    }

    fn has_certificate(&self, tree: &Value) -> bool {
        self.secrets.contains(text_at(tree, "/spec/secretName"))
            || self.certificates.contains(text_at(tree, "/metadata/name"))
    }

    fn has_signer(&self, tree: &Value) -> bool {
        self.signers
            .contains(&(text_at(tree, "/kind").to_owned(), text_at(tree, "/metadata/name").to_owned()))
    }

    /// Can it become something that this mesh reads? ACME signs no CA, and so none of Linkerd's certificates.
    fn concerns(&self, one: &Unjudged, current: Option<&Mesh>) -> bool {
        let tree = &one.tree;
        let name = text_at(tree, "/metadata/name");
        match text_at(tree, "/kind") {
            "Certificate" => self.has_certificate(tree),
            "Secret" | "SealedSecret" | "ExternalSecret" => {
                self.secrets.contains(name) || self.secrets.contains(text_at(tree, "/spec/target/name"))
            }
            "Issuer" | "ClusterIssuer" => {
                let may_be = self.is_open || mentions(tree, &["linkerd"]);
                self.has_signer(tree) || (may_be && tree.pointer("/spec/acme").is_none())
            }
            kind if one.renderer == Renderer::PatchDirective
                && !NAMES.iter().any(|name| names(tree, name)) =>
            {
                current.into_iter().flat_map(|mesh| &mesh.workloads).any(|known| {
                    let namespace = text_at(tree, "/metadata/namespace");
                    (known.object.kind.as_str(), known.object.name.as_str()) == (kind, name)
                        && ["", known.object.namespace.as_str()].contains(&namespace)
                })
            }
            _ => true,
        }
    }
}

/// Who makes something of it that may change trust material.
fn renderer(tree: &Value) -> Option<Renderer> {
    let (group, _) = text_at(tree, "/apiVersion").rsplit_once('/').unwrap_or_default();
    match (group, text_at(tree, "/kind")) {
        _ if RENDERED_ELSEWHERE.iter().any(|(kinds, ..)| kinds.contains(&text_at(tree, "/kind"))) => {
            rendered_elsewhere(text_at(tree, "/kind"), tree)
        }
        _ if has_directive(tree) => Some(Renderer::PatchDirective),
        (_, kind) if SEALED.contains(&kind) => Some(Renderer::SealedSecret),
        ("", "Secret") if !names(tree, linkerd::ISSUER_SECRET) => Some(Renderer::SourceSecret),
        ("", "Secret") if hides_key(tree) => Some(Renderer::SealedSecret),
        (TRUST_MANAGER_GROUP, "Bundle") | (CLUSTER_BUNDLE_GROUP, "ClusterBundle")
            if names(tree, linkerd::TRUST_ROOTS) =>
        {
            Some(Renderer::TrustManager)
        }
        (CERT_MANAGER_GROUP, "Certificate") => Some(Renderer::CertManager),
        (CERT_MANAGER_GROUP, "Issuer" | "ClusterIssuer") => Some(Renderer::CertManagerIssuer),
        _ => None,
    }
}

/// Does the issuer's Secret hold something else than a private key where that belongs: what SOPS or git-crypt make of one?
fn hides_key(tree: &Value) -> bool {
    let is_key = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.contains("PRIVATE KEY") || text.trim().is_empty() || text == REDACTED
    };
    let text = |field: &str, key: &str| tree.get(field)?.get(key)?.as_str();
    ["key.pem", "tls.key"].iter().any(|key| {
        let plain = text("stringData", key).map(|text| text.as_bytes().to_vec());
        let encoded = text("data", key).map(|text| decoded(text).unwrap_or_else(|| text.as_bytes().to_vec()));
        plain.or(encoded).is_some_and(|bytes| !is_key(&Zeroizing::new(bytes)))
    })
}

/// A Secret as its names and hashes: what is in it stays where it was read. The certificate beside an encrypted issuer is public.
fn hashed(tree: &Value) -> Value {
    let mut values = Map::new();
    for field in ["data", "stringData"] {
        for (name, value) in tree.get(field).and_then(Value::as_object).into_iter().flatten() {
            let hash = Fingerprint::digest(format!("{field} {value}").as_bytes()).to_string();
            values.insert(name.clone(), hash.into());
        }
    }
    let mut metadata =
        json!({"name": text_at(tree, "/metadata/name"), "namespace": text_at(tree, "/metadata/namespace")});
    if let Some(certificate) = tree["metadata"]["annotations"].get(linkerd::CERTIFICATE_ANNOTATION) {
        metadata["annotations"] = json!({linkerd::CERTIFICATE_ANNOTATION: certificate});
    }
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "values": values})
}

pub(super) fn same_object(one: &Unjudged, other: &Unjudged) -> bool {
    let key = |tree: &Value| {
        ObjectRef::of(tree)
            .map(|object| (object.group().to_owned(), object.kind, object.namespace, object.name))
    };
    key(&one.tree) == key(&other.tree)
}

/// The object without what changes nothing of what comes out of it.
pub(super) fn says(tree: &Value) -> Value {
    let mut tree = tree.clone();
    if let Some(tree) = tree.as_object_mut() {
        tree.shift_remove("status");
        tree.shift_remove("apiVersion");
    }
    if let Some(metadata) = tree.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("labels");
    }
    tree
}

/// Is it the object of this name, or what another controller makes it of?
pub(super) fn names(tree: &Value, name: &str) -> bool {
    text_at(tree, "/metadata/name") == name || text_at(tree, "/spec/target/name") == name
}

/// The program that has to render it first; `None` where it does not touch trust material.
fn rendered_elsewhere(kind: &str, tree: &Value) -> Option<Renderer> {
    let (_, renderer, needles) = RENDERED_ELSEWHERE.iter().find(|(kinds, ..)| kinds.contains(&kind))?;
    let fields = [
        "patch",
        "patches",
        "patchesStrategicMerge",
        "patchesJson6902",
        "configMapGenerator",
        "secretGenerator",
    ];
    let searched = match kind {
        "Kustomization" | "Component" => fields.iter().filter_map(|field| tree.get(field)).any(inline),
        _ => mentions(tree, needles),
    };
    searched.then_some(*renderer)
}

/// Does a part of a kustomization hold the patch itself, or generate one of Linkerd's objects?
fn inline(part: &Value) -> bool {
    match part {
        Value::Array(entries) => entries.iter().any(|entry| match entry {
            Value::String(text) => text.contains('\n') && NAMES.iter().any(|name| text.contains(name)),
            entry if entry.get("path").is_some() => false,
            entry => mentions(entry, &NAMES),
        }),
        other => mentions(other, &NAMES),
    }
}

fn has_directive(tree: &Value) -> bool {
    match tree {
        Value::Array(items) => items.iter().any(has_directive),
        Value::Object(map) => map.contains_key("$patch") || map.values().any(has_directive),
        _ => false,
    }
}
