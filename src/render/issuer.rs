//! Swapping the identity issuer: its Secret, and the copy of its certificate in `linkerd-config`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use zeroize::Zeroizing;

use super::config::{ISSUER, like};
use super::draft::{Draft, as_tree, control_plane_metadata};
use super::{Current, Edit, KeyText, RenderError, mask};
use crate::document::ObjectRef;
use crate::linkerd;
use crate::mesh::{Issuer, KeyState, Known, Mesh, Scheme};
use crate::pki::{Bundle, Certificate, IssuerChain, KeyEncoding, PrivateKey};

/// The issuer's Secret, in every era.
const ISSUER_SECRET: &str = "linkerd-identity-issuer";
/// The issuer's expiry as RFC 3339, written by Linkerd 2.6 to 2.11.
const EXPIRY: &str = "linkerd.io/identity-issuer-expiry";

/// Puts the issuer into its Secret and keeps `linkerd-config`'s copy of the certificate true.
pub(super) fn swap(
    draft: &mut Draft<'_>,
    chain: &IssuerChain,
    anchors: &Bundle,
    key: Option<&PrivateKey>,
) -> Result<(), RenderError> {
    let mesh = draft.mesh;
    let object = draft.ours("v1", "Secret", ISSUER_SECRET);
    let key = issuer_key(mesh, &object, chain, key)?;
    // What SOPS encrypted cannot be changed in part: its MAC is over all values.
    let current = match draft.manifest(&object).filter(|manifest| manifest.tree.get("sops").is_none()) {
        Some(manifest) => Current::whole(manifest),
        None => Current::New(new_secret(mesh)),
    };
    let (edits, key) = secret_edits(mesh, &current, chain, anchors, &key);
    let item = draft.item(object, current, "the identity issuer with its private key");
    item.edits.extend(edits);
    item.key = Some(key);
    item.key_in_place = seen(mesh).is_some_and(|issuer| {
        issuer.key == KeyState::Matches && issuer.chain.as_ref().is_ok_and(|old| old.issuer == chain.issuer)
    });
    item.certificates.add(&before(mesh), chain.certificates());
    if mesh.control_plane.scheme == Scheme::Kubernetes {
        let old = seen(mesh).and_then(|issuer| issuer.ca.as_ref()).map(|ca| ca.text());
        item.certificates.add(&super::trust::anchors(old), anchors.anchors());
    }
    in_config(draft, chain)
}

/// The key's PEM as this era reads it.
fn issuer_key(
    mesh: &Mesh,
    object: &ObjectRef,
    chain: &IssuerChain,
    key: Option<&PrivateKey>,
) -> Result<Zeroizing<String>, RenderError> {
    let (object, issuer) = (Box::new(object.clone()), chain.issuer.name().to_owned());
    let Some(key) = key else { return Err(RenderError::NoKey { object, issuer }) };
    if !key.matches(&chain.issuer) {
        return Err(RenderError::WrongKey { object, issuer });
    }
    let sec1 = mesh.control_plane.era.needs_sec1_key();
    key.to_pem(if sec1 { KeyEncoding::Sec1 } else { KeyEncoding::Pkcs8 })
        .map_err(|reason| RenderError::Key { object, reason })
}

/// The keys that the scheme needs, a placeholder for the private one. Linkerd's own is written as its chart does, without final newlines
/// (`charts/linkerd-control-plane/templates/identity.yaml`); the other as the Secret has it, or as cert-manager would.
fn secret_edits(
    mesh: &Mesh,
    current: &Current,
    chain: &IssuerChain,
    anchors: &Bundle,
    key: &Zeroizing<String>,
) -> (Vec<Edit>, KeyText) {
    let scheme = mesh.control_plane.scheme;
    let (certificate_key, private_key) = scheme.keys();
    let tree = current.tree().unwrap_or(&Value::Null);
    let is_plain = |name: &str| tree["stringData"][name].is_string();
    let edit = |name: &str, pem: &str| {
        let (plain, encoded) = (tree["stringData"][name].as_str(), tree["data"][name].as_str());
        let before = plain.map(str::to_owned).or_else(|| mask::decoded(encoded?));
        let text = match scheme {
            Scheme::Linkerd => pem.trim_end().to_owned(),
            Scheme::Kubernetes => like(Some(before.as_deref().unwrap_or("\n")), pem),
        };
        let key = name.to_owned();
        if is_plain(name) {
            Edit::StringData { key, value: text }
        } else {
            Edit::Data { key, value: STANDARD.encode(text) }
        }
    };
    let pem = if scheme == Scheme::Linkerd { key.trim_end() } else { key.as_str() };
    let key = if is_plain(private_key) { KeyText::plain(pem) } else { KeyText::base64(pem) };
    let (name, value) = (private_key.to_owned(), key.placeholder());
    let key_edit = if is_plain(private_key) {
        Edit::StringData { key: name, value }
    } else {
        Edit::Data { key: name, value }
    };
    let mut edits = vec![edit(certificate_key, &chain.to_pem()), key_edit];
    if scheme == Scheme::Kubernetes {
        edits.push(edit("ca.crt", &anchors.to_pem()));
    }
    if tree["metadata"]["annotations"][EXPIRY].is_string() {
        let value = chain.issuer.facts().not_after.to_string();
        edits.push(Edit::Annotation { key: EXPIRY.to_owned(), value });
    }
    (edits, key)
}

/// `linkerd-config`'s copy of the issuer certificate: kept true where there is one, never made.
fn in_config(draft: &mut Draft<'_>, chain: &IssuerChain) -> Result<(), RenderError> {
    let object = draft.ours("v1", "ConfigMap", linkerd::CONFIG);
    let has_values = |tree: &Value| tree["data"][ISSUER.key].is_string();
    if !draft.manifest(&object).is_some_and(|manifest| has_values(&manifest.tree)) {
        return Ok(());
    }
    let (current, text) = draft.config(&object, ISSUER.key)?;
    let old = ISSUER.read(&object, &text)?;
    if old.trim().is_empty() {
        return Ok(());
    }
    let value = ISSUER.write(&object, &text, &like(Some(&old), &chain.to_pem()))?;
    let item =
        draft.item(object, current, "the copy of the issuer's certificate that linkerd upgrade starts from");
    item.certificates.add(&super::trust::anchors(Some(&old)), chain.certificates());
    item.set_data(ISSUER.key, value);
    Ok(())
}

/// The issuer, where its Secret was read.
fn seen(mesh: &Mesh) -> Option<&Issuer> {
    match &mesh.issuer {
        Known::Is(issuer) if issuer.from_secret => Some(issuer),
        _ => None,
    }
}

fn before(mesh: &Mesh) -> Vec<Certificate> {
    let chain = seen(mesh).and_then(|issuer| issuer.chain.as_ref().ok());
    chain.map(|chain| chain.certificates().cloned().collect()).unwrap_or_default()
}

fn new_secret(mesh: &Mesh) -> Value {
    let metadata = control_plane_metadata(mesh, ISSUER_SECRET);
    let type_ = (mesh.control_plane.scheme == Scheme::Kubernetes).then(|| "kubernetes.io/tls".to_owned());
    as_tree(&Secret { metadata, type_, data: Some([].into()), ..Secret::default() })
}
