//! What was asked for and not given.

use std::fmt;

use serde::Serialize;

use crate::document::ObjectRef;

/// Something that was asked for and not given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The API group; empty for the core one.
    pub group: String,
    /// The resource's plural name: `secrets`, `links`.
    pub resource: String,
    /// How much of it.
    pub scope: Scope,
    /// Why it was not given.
    pub why: Unread,
}

/// How much of a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// All that were asked for.
    All,
    /// One object.
    Object { namespace: String, name: String },
}

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Unread {
    /// The API server refused it, in its words.
    #[error("{0}")]
    Refused(String),
    /// The API server has it in these versions only.
    #[error("the API server has it as {0} only, which this program does not read")]
    OtherVersions(String),
    /// A file that holds one page of a longer list.
    #[error("{0} holds one page of a longer list")]
    OnePage(String),
    /// No Secret at all was given.
    #[error("no Secret is in the input")]
    NoSecret,
    /// A repository was given, and does not declare it.
    #[error("the repository does not declare it")]
    NotDeclared,
    /// Pods were given, and none of them is of the data plane.
    #[error("no proxy outside of the control plane is in the input; {ADD_PODS}")]
    NoDataPlane,
    /// Pods were given, and these workloads have more.
    #[error("{} are in the input; {ADD_PODS}", missing(.0))]
    FewPods(Vec<MissingPods>),
}

/// A workload whose pods are not all in the input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingPods {
    pub workload: ObjectRef,
    pub seen: u64,
    /// How many there are by the workload's own status, where that is what tells it.
    pub promised: Option<u32>,
}

/// Why an issuer's certificates are not known though its Secret is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoChain {
    /// The input holds it encrypted.
    #[error(
        "the Secret is encrypted (SOPS); decrypt it (`sops -d`) or give the Secret as the cluster has it"
    )]
    Encrypted,
    /// The input holds only what a controller makes it of.
    #[error("only the cluster can make the Secret of {0}; add the Secret itself to the input")]
    MadeOf(String),
    /// The identity controller would not read it either.
    #[error("{0}")]
    Unreadable(String),
}

impl NoChain {
    /// Does only the input hide it?
    #[must_use]
    pub const fn is_hidden(&self) -> bool {
        matches!(self, Self::Encrypted | Self::MadeOf(_))
    }
}

const ADD_PODS: &str = "add the output of `kubectl get pods -A -o json`";

/// How many workloads are named.
const NAMED: usize = 3;

fn missing(all: &[MissingPods]) -> String {
    let (mut none, mut few) = (Vec::new(), Vec::new());
    for MissingPods { workload, seen, promised } in all {
        match promised {
            None => none.push(workload.to_string()),
            Some(promised) if *seen == 0 => few.push(format!("none of the {promised} pods of {workload}")),
            Some(promised) => few.push(format!("only {seen} of the {promised} pods of {workload}")),
        }
    }
    let none = listed(&none).map(|none| format!("no pods of {none}"));
    none.into_iter().chain(listed(&few)).collect::<Vec<_>>().join(", and ")
}

/// The first few: `a, b, c and 2 more`.
fn listed(all: &[String]) -> Option<String> {
    let named = all[..all.len().min(NAMED)].join(", ");
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!all.is_empty()).then(|| named + &more)
}

impl Gap {
    /// All of a resource.
    #[must_use]
    pub fn all(group: &str, resource: &str, why: Unread) -> Self {
        Self { group: group.to_owned(), resource: resource.to_owned(), scope: Scope::All, why }
    }

    /// One object of the core group.
    #[must_use]
    pub fn object(resource: &str, namespace: &str, name: &str, why: Unread) -> Self {
        let scope = Scope::Object { namespace: namespace.to_owned(), name: name.to_owned() };
        Self { group: String::new(), resource: resource.to_owned(), scope, why }
    }

    /// Does it cover this object of the core group?
    #[must_use]
    pub fn covers(&self, resource: &str, namespace: &str, name: &str) -> bool {
        self.group.is_empty()
            && self.resource == resource
            && match &self.scope {
                Scope::All => true,
                Scope::Object { namespace: of, name: named } => of == namespace && named == name,
            }
    }

    /// What was asked for: `secrets linkerd/linkerd-identity-issuer`, `links.multicluster.linkerd.io`.
    #[must_use]
    pub fn asked(&self) -> String {
        let dot = if self.group.is_empty() { "" } else { "." };
        let resource = format!("{}{dot}{}", self.resource, self.group);
        match &self.scope {
            Scope::All => resource,
            Scope::Object { namespace, name } => format!("{resource} {namespace}/{name}"),
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.asked(), self.why)
    }
}
