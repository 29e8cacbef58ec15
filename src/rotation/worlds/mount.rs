//! A change of a ConfigMap or Secret, and since when a mounted volume surely shows it.

use crate::document::ObjectRef;
use crate::mesh::{ChangeTime, Mesh};
use crate::rotation::objects;

/// The last change of an object that containers read from a volume.
#[derive(Debug, Clone, Copy)]
pub(in crate::rotation) struct Mount {
    /// When the object changed.
    pub(in crate::rotation) changed: ChangeTime,
    /// Since when a mounted volume surely shows it: a container that starts in place before that may find what was there. With
    /// the kubelet's lag, unless the object is as it was installed, and no volume has ever shown anything else.
    pub(in crate::rotation) shown: ChangeTime,
}

impl Mount {
    /// The published bundle's last change.
    pub(in crate::rotation) fn of_bundle(mesh: &Mesh) -> Self {
        let changed =
            mesh.trust.published.as_option().map_or(ChangeTime::Unknown, |published| published.changed);
        Self::of(mesh, &objects::bundle_home(mesh), changed)
    }

    /// The issuer Secret's last change.
    pub(in crate::rotation) fn of_issuer(mesh: &Mesh) -> Self {
        let changed = mesh.issuer.as_option().map_or(ChangeTime::Unknown, |issuer| issuer.changed);
        Self::of(mesh, &objects::issuer_secret(mesh), changed)
    }

    fn of(mesh: &Mesh, object: &ObjectRef, changed: ChangeTime) -> Self {
        let shown = match changed {
            ChangeTime::At(at) => ChangeTime::At(mesh.mounted_since(&object.kind, &object.name, at)),
            unknown => unknown,
        };
        Self { changed, shown }
    }
}
