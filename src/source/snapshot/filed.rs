//! How a type of the mesh becomes its written form, and back: field by field, variant by variant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mesh::{BundleId, GoDuration, NoChain, WorkloadId};
use crate::pki::{BundleText, Certificate, Fingerprint};
use crate::printable::escaped;

/// The written form of `M`.
pub(in crate::source) trait Filed<M>: Sized {
    fn of(mesh: M) -> Self;
    fn into_mesh(self) -> M;
}

/// Types that are written as they are.
macro_rules! as_they_are {
    ($($type:ty),+ $(,)?) => {$(
        impl Filed<$type> for $type {
            fn of(mesh: $type) -> Self {
                mesh
            }

            fn into_mesh(self) -> $type {
                self
            }
        }
    )+};
}

as_they_are!(
    (),
    bool,
    u32,
    u64,
    usize,
    Value,
    Timestamp,
    GoDuration,
    BundleText,
    Certificate,
    Fingerprint,
    BTreeMap<String, String>,
    BTreeMap<Timestamp, u64>,
);

/// A struct of the file, its fields named as the mesh's.
macro_rules! filed_struct {
    ($(#[$meta:meta])* $file:ident of $mesh:ident { $($(#[$attr:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $file {
            $($(#[$attr])* $field: $type,)+
        }

        impl Filed<$mesh> for $file {
            fn of(mesh: $mesh) -> Self {
                let $mesh { $($field,)+ } = mesh;
                Self { $($field: Filed::of($field),)+ }
            }

            fn into_mesh(self) -> $mesh {
                let Self { $($field,)+ } = self;
                $mesh { $($field: Filed::into_mesh($field),)+ }
            }
        }
    };
}

/// An enum of the file, its variants named as the mesh's.
macro_rules! filed_enum {
    ($(#[$meta:meta])* $file:ident of $mesh:ident {
        $($(#[$attr:meta])* $variant:ident $(($inner:ident: $of:ty))? $({ $($field:ident: $type:ty),+ })?,)+
    }) => {
        #[derive(Serialize, Deserialize)]
        $(#[$meta])*
        enum $file {
            $($(#[$attr])* $variant $(($of))? $({ $($field: $type),+ })?,)+
        }

        impl Filed<$mesh> for $file {
            fn of(mesh: $mesh) -> Self {
                match mesh {
                    $($mesh::$variant $(($inner))? $({ $($field),+ })? => {
                        Self::$variant $((<$of>::of($inner)))? $({ $($field: Filed::of($field)),+ })?
                    })+
                }
            }

            fn into_mesh(self) -> $mesh {
                match self {
                    $(Self::$variant $(($inner))? $({ $($field),+ })? => {
                        $mesh::$variant $(($inner.into_mesh()))? $({ $($field: Filed::into_mesh($field)),+ })?
                    })+
                }
            }
        }
    };
}

impl<F: Filed<M>, M> Filed<Option<M>> for Option<F> {
    fn of(mesh: Option<M>) -> Self {
        mesh.map(F::of)
    }

    fn into_mesh(self) -> Option<M> {
        self.map(F::into_mesh)
    }
}

impl<F: Filed<M>, M> Filed<Vec<M>> for Vec<F> {
    fn of(mesh: Vec<M>) -> Self {
        mesh.into_iter().map(F::of).collect()
    }

    fn into_mesh(self) -> Vec<M> {
        self.into_iter().map(F::into_mesh).collect()
    }
}

impl<F: Filed<M>, M, G: Filed<E>, E> Filed<Result<M, E>> for Result<F, G> {
    fn of(mesh: Result<M, E>) -> Self {
        mesh.map(F::of).map_err(G::of)
    }

    fn into_mesh(self) -> Result<M, E> {
        self.map(F::into_mesh).map_err(G::into_mesh)
    }
}

/// The file keeps the words: whoever reads it has no other input to ask.
impl Filed<NoChain> for String {
    fn of(mesh: NoChain) -> Self {
        mesh.to_string()
    }

    fn into_mesh(self) -> NoChain {
        NoChain::Unreadable(escaped(&self).into_owned())
    }
}

impl Filed<Self> for String {
    fn of(mesh: Self) -> Self {
        mesh
    }

    /// Names and what others said: escaped as where they are read from a cluster.
    fn into_mesh(self) -> Self {
        escaped(&self).into_owned()
    }
}

/// PEM as it stands in an object: its lines are part of it.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Pem(String);

impl Filed<String> for Pem {
    fn of(mesh: String) -> Self {
        Self(mesh)
    }

    fn into_mesh(self) -> String {
        self.0
    }
}

impl Filed<BundleId> for usize {
    fn of(mesh: BundleId) -> Self {
        mesh.0
    }

    fn into_mesh(self) -> BundleId {
        BundleId(self)
    }
}

impl Filed<WorkloadId> for usize {
    fn of(mesh: WorkloadId) -> Self {
        mesh.0
    }

    fn into_mesh(self) -> WorkloadId {
        WorkloadId(self)
    }
}

pub(super) use {filed_enum, filed_struct};
