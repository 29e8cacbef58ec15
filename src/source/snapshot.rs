//! A mesh as a file that every `-f` reads.
//!
//! The file has types of its own, so that whoever renames a field of the mesh does not change what is written, and a file of
//! today is read by every later program.

mod allowed;
mod filed;
mod v1;
mod values;

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::mesh::Mesh;
use filed::Filed as _;
use v1::MeshV1;

/// The `apiVersion` of a snapshot's document; its kind is [`SNAPSHOT_KIND`], and `mesh` holds the mesh.
pub(super) const SNAPSHOT_VERSION: &str = "l5d-rotate/v1";
/// The kind of a snapshot's document.
pub const SNAPSHOT_KIND: &str = "Snapshot";

/// A mesh as the document that every `-f` reads, with what is asked of a mesh and nothing else.
#[must_use]
pub fn snapshot(mesh: &Mesh) -> Value {
    let mesh = allowed::reduced(mesh.clone());
    json!({ "apiVersion": SNAPSHOT_VERSION, "kind": SNAPSHOT_KIND, "mesh": MeshV1::of(mesh) })
}

/// The mesh that the document of a snapshot holds under `mesh`.
pub(super) fn read(mesh: Value) -> Result<Mesh, serde_json::Error> {
    MeshV1::deserialize(mesh).map(MeshV1::into_mesh)
}
