//! Where the trust material of a mesh stands, and who owns it.

use crate::document::ObjectRef;
use crate::mesh::{Mesh, Owner, ProxyGroup, TrustHome};

/// The issuer Secret.
pub(super) fn issuer_secret(mesh: &Mesh) -> ObjectRef {
    core(mesh, "Secret", "linkerd-identity-issuer")
}

/// The ConfigMap that the published bundle stands in.
pub(super) fn bundle_home(mesh: &Mesh) -> ObjectRef {
    core(mesh, "ConfigMap", home(mesh).config_map())
}

/// The ConfigMap with Linkerd's settings: the bundle's copy, or the bundle itself up to 2.10.
pub(super) fn config_map(mesh: &Mesh) -> ObjectRef {
    core(mesh, "ConfigMap", "linkerd-config")
}

/// Object and field of the published bundle, for messages.
pub(super) fn bundle_place(mesh: &Mesh) -> String {
    let field = match home(mesh) {
        TrustHome::TrustRoots => "data.\"ca-bundle.crt\"",
        TrustHome::ConfigGlobal => "data.global, identityContext.trustAnchorsPem",
        TrustHome::ConfigValuesGlobal => "data.values, global.identityTrustAnchorsPEM",
        TrustHome::ConfigValues => "data.values, identityTrustAnchorsPEM",
    };
    format!("{} ({field})", bundle_home(mesh))
}

/// Who would put an object of the control plane back; where the object was not observed, whoever installed Linkerd.
pub(super) fn owners(mesh: &Mesh, object: &ObjectRef) -> Vec<Owner> {
    match mesh.manifest(&object.kind, &object.namespace, &object.name) {
        Some(manifest) => manifest.owners.clone(),
        None => mesh.control_plane.installer.iter().cloned().collect(),
    }
}

/// A few pods of these groups, as `namespace/pod`.
pub(super) fn sample<'a>(mesh: &Mesh, groups: impl Iterator<Item = &'a ProxyGroup>) -> String {
    let pods = groups.flat_map(|group| {
        let namespace = &mesh.workload(group.workload).object.namespace;
        group.sample.iter().map(move |pod| format!("{namespace}/{pod}"))
    });
    let mut pods: Vec<_> = pods.take(100).collect();
    pods.sort();
    pods.truncate(3);
    pods.join(", ")
}

fn home(mesh: &Mesh) -> TrustHome {
    mesh.trust
        .published
        .as_option()
        .map_or_else(|| mesh.control_plane.era.trust_home(), |published| published.home)
}

fn core(mesh: &Mesh, kind: &str, name: &str) -> ObjectRef {
    ObjectRef::new("v1", kind, &mesh.control_plane.namespace, name)
}
