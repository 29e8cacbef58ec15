//! Publishing a trust bundle: its home, and the copy in `linkerd-config`.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

use super::config::{COPY, Inner, like};
use super::draft::{Draft, as_tree, control_plane_metadata};
use super::{Current, Edit, RenderError};
use crate::linkerd;
use crate::mesh::Mesh;
use crate::pki::{Bundle, BundleText, Certificate, Rules};

/// Its one key.
const CA_BUNDLE: &str = "ca-bundle.crt";

/// Publishes `bundle` where this era's injector takes it from, and keeps `linkerd-config`'s copy true.
pub(super) fn publish(draft: &mut Draft<'_>, bundle: &Bundle) -> Result<(), RenderError> {
    let era = draft.mesh.control_plane.era;
    match Inner::bundle(era.trust_home()) {
        Some(home) => in_config(draft, home, bundle, "the trust bundle that proxies are given", true),
        None => {
            in_trust_roots(draft, bundle)?;
            in_config(draft, COPY, bundle, "the copy of the trust bundle that linkerd check reads", false)
        }
    }
}

fn in_trust_roots(draft: &mut Draft<'_>, bundle: &Bundle) -> Result<(), RenderError> {
    let mesh = draft.mesh;
    let object = draft.ours("v1", "ConfigMap", linkerd::TRUST_ROOTS);
    let current = match draft.manifest(&object) {
        Some(manifest) => Current::whole(manifest),
        None => Current::New(new_trust_roots(mesh)),
    };
    let before = draft.text(&object, current.tree(), CA_BUNDLE);
    let value = like(before.as_deref(), &bundle.to_pem());
    let item = draft.item(object, current, "the trust bundle that proxies are given");
    item.certificates.add(&anchors(before.as_deref()), bundle.anchors());
    item.edits.push(Edit::Data { key: CA_BUNDLE.to_owned(), value });
    Ok(())
}

/// Writes the bundle into `linkerd-config`. Since 2.11 it is a copy, left alone where it is empty: then the anchors come
/// from an external CA, and no value may claim them.
fn in_config(
    draft: &mut Draft<'_>,
    inner: Inner,
    bundle: &Bundle,
    what: &str,
    home: bool,
) -> Result<(), RenderError> {
    let object = draft.ours("v1", "ConfigMap", linkerd::CONFIG);
    if draft.manifest(&object).is_none() && !home && draft.mesh.control_plane.external_ca {
        return Ok(());
    }
    let (current, text) = draft.config(&object, inner.key)?;
    let before = inner.read(&object, &text)?;
    if before.trim().is_empty() && !home {
        return Ok(());
    }
    let value = inner.write(&object, &text, &like(Some(&before), &bundle.to_pem()))?;
    let item = draft.item(object, current, what);
    item.certificates.add(&anchors(Some(&before)), bundle.anchors());
    item.set_data(inner.key, value);
    Ok(())
}

/// The certificates of a published text, as a proxy reads it; none where it would refuse it.
pub(super) fn anchors(text: Option<&str>) -> Vec<Certificate> {
    let read = |text: &str| Some(BundleText::read(text).as_read_by(Rules::Proxy).ok()?.anchors().to_vec());
    text.and_then(read).unwrap_or_default()
}

/// The text that `linkerd-config` holds for `bundle` once it is published: the present one where that is this bundle already.
/// `None` where it holds none.
pub(super) fn config_text(draft: &Draft<'_>, bundle: &Bundle) -> Option<String> {
    let object = draft.ours("v1", "ConfigMap", linkerd::CONFIG);
    let values = draft.manifest(&object).and_then(|manifest| manifest.tree["data"][COPY.key].as_str());
    let of_manifest = values.and_then(|values| COPY.read(&object, values).ok());
    let before = of_manifest.or_else(|| Some(draft.mesh.trust.config.as_option()?.text().to_owned()))?;
    if before.trim().is_empty() {
        return None;
    }
    let is_it = Bundle::new(anchors(Some(&before))).is_some_and(|before| before.same_set(bundle));
    Some(if is_it { before } else { like(Some(&before), &bundle.to_pem()) })
}

fn new_trust_roots(mesh: &Mesh) -> Value {
    let metadata = control_plane_metadata(mesh, linkerd::TRUST_ROOTS);
    as_tree(&ConfigMap { metadata, data: Some([].into()), ..ConfigMap::default() })
}
