//! Why no mesh can be made of what was seen.

use crate::document::{ObjectRef, Origin};
use crate::mesh::Gap;

/// Why no mesh can be made of what was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// There is no control plane in it.
    #[error("no Linkerd control plane in the input")]
    NoControlPlane,
    /// There is no control plane in what could be read, and not everything could be.
    #[error("no Linkerd control plane in what could be read; not read: {}", listed(.gaps))]
    Unreadable {
        /// What could not be read, and why.
        gaps: Vec<Gap>,
    },
    /// There are several.
    #[error("{} Linkerd control planes in the input, in the namespaces {}", .namespaces.len(), .namespaces.join(", "))]
    SeveralControlPlanes {
        /// Their namespaces, sorted.
        namespaces: Vec<String>,
    },
    /// The control plane that was asked for is not in the input.
    #[error("no Linkerd control plane in namespace {asked}; the input holds one in {}", .found.join(", "))]
    NotThere {
        /// The namespace that was asked for.
        asked: String,
        /// The namespaces in which there is one, sorted.
        found: Vec<String>,
    },
    /// Two objects belong to versions that keep trust material in different places.
    #[error("objects of two Linkerd versions in one input: {one}, but {other}")]
    MixedEras {
        /// What the one object says, with its origin.
        one: String,
        /// What the other object says, with its origin.
        other: String,
    },
    /// Nothing tells where this version keeps its trust material.
    #[error("nothing tells which version of Linkerd runs in namespace {namespace}{}", narrowed(.between))]
    UnknownEra {
        /// The control plane's namespace.
        namespace: String,
        /// What is known all the same; empty where nothing is.
        between: String,
    },
    /// A field that matters is not what it must be.
    #[error(transparent)]
    Field(Box<FieldFault>),
}

/// A field that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {object}: {field} {found}")]
pub struct FieldFault {
    /// Where the object was read.
    pub origin: Origin,
    /// Which object.
    pub object: ObjectRef,
    /// The field's path.
    pub field: String,
    /// What was found there.
    pub found: String,
}

fn narrowed(between: &str) -> String {
    if between.is_empty() { String::new() } else { format!(" (it is {between})") }
}

impl MeshError {
    /// The next thing to do.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NoControlPlane => "give the control plane's objects as well: its ConfigMaps, Deployments, pods and the Secret \
                 linkerd-identity-issuer, for example `kubectl get -n linkerd configmap,secret,deployment,pod -o yaml`"
                .to_owned(),
            Self::Unreadable { .. } => {
                "ask for the rights that `kubectl l5d-rotate rbac` prints, or name the namespace with --linkerd-namespace".to_owned()
            }
            Self::SeveralControlPlanes { namespaces } | Self::NotThere { found: namespaces, .. } => {
                format!("say which one is meant: --linkerd-namespace {}", namespaces.join("|"))
            }
            Self::MixedEras { .. } => {
                "give the objects of one cluster at one time; leave out what an older version left behind".to_owned()
            }
            Self::UnknownEra { namespace, .. } => format!(
                "add ConfigMap {namespace}/linkerd-config and Deployment {namespace}/linkerd-identity to the input"
            ),
            Self::Field(fault) => format!("correct {}, or dump it again with `kubectl get -o yaml`", fault.object),
        }
    }
}

fn listed(gaps: &[Gap]) -> String {
    gaps.iter().map(|gap| format!("{} ({})", gap.asked(), gap.why)).collect::<Vec<_>>().join("; ")
}
