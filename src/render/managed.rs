//! Changes of the objects of which cert-manager and trust-manager make trust material.

use serde_json::{Value, json};

use super::current::named;
use super::draft::Draft;
use super::{Current, Edit, RenderError, Rendered, WholeChange};
use crate::document::ObjectRef;
use crate::mesh::{BundleSource, CERT_MANAGER_GROUP, GoDuration, is_cluster_bundle};
use crate::pki::pem::certificates_alone;
use crate::pki::{BundleText, Rules};
use crate::rotation::{ManagedAnchor, ManagedChange, RENEWED_BEFORE};

/// Renders one change.
pub(super) fn change(draft: &mut Draft<'_>, change: &ManagedChange) -> Result<(), RenderError> {
    match change {
        ManagedChange::NewAnchor(anchors) => new_anchor(draft, &anchors.old, &anchors.new),
        ManagedChange::StopRenewal { certificate } => {
            stop_renewal(draft, certificate);
            Ok(())
        }
        ManagedChange::Sources { bundle, sources } => {
            self::sources(draft, bundle, sources);
            Ok(())
        }
        ManagedChange::SignedBy { certificate, signer } => {
            signed_by(draft, certificate, signer);
            Ok(())
        }
        ManagedChange::SignsWith { issuer, secret } => {
            let item = observed(draft, issuer, "signs with the other trust anchor from now on");
            item.edits.push(Edit::Spec { path: &["ca", "secretName"], value: json!(secret) });
            Ok(())
        }
        ManagedChange::IssuedAnew { certificate, duration } => issue_anew(draft, certificate, *duration),
        ManagedChange::Remove { object } => {
            let item = observed(draft, object, "nothing needs it any more");
            item.head.push("its Secret stays, with the private key".to_owned());
            item.whole = Some(WholeChange::Removed);
            Ok(())
        }
    }
}

fn signed_by(draft: &mut Draft<'_>, certificate: &ObjectRef, signer: &ObjectRef) {
    let manifest = draft.manifest(certificate);
    let is = |key: &str, default: &str, wanted: &str| {
        let told = manifest.and_then(|one| one.tree.pointer(&format!("/spec/issuerRef/{key}"))?.as_str());
        told.filter(|text| !text.is_empty()).unwrap_or(default) == wanted
    };
    let same_kind = is("kind", "Issuer", &signer.kind);
    let same_group = is("group", CERT_MANAGER_GROUP, signer.group());
    let item = observed(draft, certificate, "the identity issuer is signed by the other trust anchor");
    item.edits.push(Edit::Spec { path: &["issuerRef", "name"], value: json!(signer.name) });
    if !same_kind {
        item.edits.push(Edit::Spec { path: &["issuerRef", "kind"], value: json!(signer.kind) });
    }
    if !same_group {
        item.edits.push(Edit::Spec { path: &["issuerRef", "group"], value: json!(signer.group()) });
    }
}

/// A Certificate like that of the old anchor and an Issuer like its own, by the new names.
fn new_anchor(draft: &mut Draft<'_>, old: &ManagedAnchor, new: &ManagedAnchor) -> Result<(), RenderError> {
    let mut certificate = like(draft, &old.certificate, &new.certificate)?;
    certificate["spec"]["secretName"] = json!(new.secret);
    if let Some(spec) = certificate["spec"].as_object_mut() {
        spec.shift_remove("renewBeforePercentage");
    }
    certificate["spec"]["renewBefore"] = json!(RENEWED_BEFORE);
    certificate["spec"]["privateKey"]["rotationPolicy"] = json!("Always");
    add(draft, &new.certificate, certificate, "the new trust anchor");
    if new.signer.is_same(&old.signer) {
        return Ok(());
    }
    let mut signer = like(draft, &old.signer, &new.signer)?;
    signer["spec"]["ca"]["secretName"] = json!(new.secret);
    add(draft, &new.signer, signer, "signs with the new trust anchor");
    Ok(())
}

/// Brings an object; where it is there already, as it is.
fn add(draft: &mut Draft<'_>, object: &ObjectRef, tree: Value, purpose: &str) {
    let current = draft.manifest(object).map_or(Current::New(tree), Current::whole);
    draft.item(object.clone(), current, purpose).whole = Some(WholeChange::Added);
}

/// An object with the spec of another one, and of its metadata nothing but a name.
fn like(draft: &Draft<'_>, old: &ObjectRef, new: &ObjectRef) -> Result<Value, RenderError> {
    let manifest = draft.manifest(old).ok_or_else(|| RenderError::Missing { object: old.clone().into() })?;
    let mut tree = named(new);
    tree["spec"] = manifest.tree["spec"].clone();
    Ok(tree)
}

fn stop_renewal(draft: &mut Draft<'_>, certificate: &ObjectRef) {
    let manifest = draft.manifest(certificate);
    let has_share =
        manifest.is_some_and(|manifest| manifest.tree.pointer("/spec/renewBeforePercentage").is_some());
    let item = observed(draft, certificate, "the old trust anchor is not renewed by itself");
    item.edits.push(Edit::Spec { path: &["renewBefore"], value: json!(RENEWED_BEFORE) });
    if has_share {
        item.edits.push(Edit::Spec { path: &["renewBeforePercentage"], value: Value::Null });
    }
}

fn sources(draft: &mut Draft<'_>, bundle: &ObjectRef, sources: &[BundleSource]) {
    let edits = match is_cluster_bundle(bundle) {
        true => of_cluster_bundle(draft, bundle, sources),
        false => of_bundle(draft, bundle, sources),
    };
    let item = observed(draft, bundle, "the trust bundle that proxies are given");
    item.head.push("made by trust-manager of these sources".to_owned());
    item.edits.extend(edits);
    for source in sources {
        if let BundleSource::InLine(pem) = source {
            let text = BundleText::read(pem.clone());
            let held = text.as_read_by(Rules::Proxy).map(|held| held.anchors().to_vec()).unwrap_or_default();
            item.certificates.add([], &held);
        }
    }
}

fn of_bundle(draft: &Draft<'_>, bundle: &ObjectRef, sources: &[BundleSource]) -> Vec<Edit> {
    // What stands there stays as it is written.
    let manifest =
        draft.manifest(bundle).and_then(|manifest| manifest.tree.pointer("/spec/sources")?.as_array());
    let as_it_is =
        |source: &BundleSource| manifest?.iter().find(|one| BundleSource::of(one) == *source).cloned();
    let written: Vec<Value> =
        sources.iter().map(|source| as_it_is(source).unwrap_or_else(|| written(source))).collect();
    vec![Edit::Spec { path: &["sources"], value: json!(written) }]
}

/// References in one list, and all PEM in one text (`pkg/apis/trustmanager/v1alpha2` of trust-manager).
fn of_cluster_bundle(draft: &Draft<'_>, bundle: &ObjectRef, sources: &[BundleSource]) -> Vec<Edit> {
    let spec = draft.manifest(bundle).and_then(|manifest| manifest.tree.get("spec"));
    let before = spec.and_then(|spec| spec.get("sourceRefs")?.as_array());
    let as_it_is = |source: &BundleSource| {
        before?.iter().find(|one| BundleSource::of_reference(one) == *source).cloned()
    };
    let reference = |source: &BundleSource| {
        as_it_is(source).or_else(|| match source {
            BundleSource::Secret { name, key } => Some(json!({ "kind": "Secret", "name": name, "key": key })),
            BundleSource::ConfigMap { name, key } => {
                Some(json!({ "kind": "ConfigMap", "name": name, "key": key }))
            }
            BundleSource::InLine(_) | BundleSource::Other => None,
        })
    };
    let references: Vec<Value> = sources.iter().filter_map(reference).collect();
    let pem = sources.iter().find_map(|source| match source {
        BundleSource::InLine(pem) => Some(pem.as_str()),
        _ => None,
    });
    // The same certificates stay as they are written.
    let told = spec.and_then(|spec| spec.get("inLineCAs")?.as_str());
    let pem = pem.map(|pem| told.filter(|told| certificates_alone(told) == *pem).unwrap_or(pem));
    let references = (!references.is_empty()).then(|| json!(references));
    let fields: [(&'static [&'static str], Option<Value>); 2] =
        [(&["sourceRefs"], references), (&["inLineCAs"], pem.map(|pem| json!(pem)))];
    let mut edits = Vec::new();
    for (path, value) in fields {
        // What is not there and shall not be is no change.
        if value.is_some() || spec.is_some_and(|spec| spec.get(path[0]).is_some()) {
            edits.push(Edit::Spec { path, value: value.unwrap_or(Value::Null) });
        }
    }
    edits
}

fn written(source: &BundleSource) -> Value {
    match source {
        BundleSource::Secret { name, key } => json!({ "secret": { "name": name, "key": key } }),
        BundleSource::ConfigMap { name, key } => json!({ "configMap": { "name": name, "key": key } }),
        BundleSource::InLine(pem) => json!({ "inLine": pem }),
        BundleSource::Other => json!({}),
    }
}

fn issue_anew(
    draft: &mut Draft<'_>,
    certificate: &ObjectRef,
    duration: GoDuration,
) -> Result<(), RenderError> {
    let tree = draft.manifest(certificate).map(|manifest| &manifest.tree);
    let told = tree.and_then(|tree| tree.pointer("/spec/duration")?.as_str());
    if let Some(found) = told.filter(|text| text.parse::<GoDuration>().is_err()) {
        return Err(RenderError::Field {
            object: certificate.clone().into(),
            field: "spec.duration".to_owned(),
            found: format!("`{found}`"),
            expected: "a duration",
        });
    }
    let edit = Edit::Spec { path: &["duration"], value: json!(duration) };
    observed(draft, certificate, "the identity issuer is issued anew by its Issuer").edits.push(edit);
    Ok(())
}

/// An object as it was observed.
fn observed<'a>(draft: &'a mut Draft<'_>, object: &ObjectRef, purpose: &str) -> &'a mut Rendered {
    let current = draft.manifest(object).map_or(Current::Unseen, Current::whole);
    draft.item(object.clone(), current, purpose)
}
