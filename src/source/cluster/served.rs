//! Which groups of APIs a cluster has: what it does not have needs not be asked for, kind by kind.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Answer, Resource, Running};
use crate::document::{Document, Origin};
use crate::mesh::{Gap, Interest, MeshError, Pod};
use crate::source::intake::Intake;
use crate::source::{Sink, SourceError};

/// Where an API server lists its groups, the core group excepted; every user who is somebody may ask it by Kubernetes' default.
pub(super) const PATH: &str = "/apis";

/// Every API server has this group: an answer without it is not the whole.
const ALWAYS: &str = "apps";

/// The versions of each group; nothing where it could not be told.
#[derive(Debug, Clone, Default)]
pub(super) struct Served(BTreeMap<String, BTreeSet<String>>);

impl Served {
    /// Reads the answer. Where the server does not tell, everything is asked for.
    ///
    /// # Errors
    /// Whatever keeps the cluster from answering anything.
    pub(super) fn read(running: Running) -> Result<Self, SourceError> {
        let mut intake = Intake::new(Self::default(), std::sync::Arc::default());
        match running.read(&mut intake) {
            Ok(Answer::Read(_)) => {}
            Ok(_) | Err(SourceError::Server { .. } | SourceError::Garbage { .. }) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error),
        }
        let served = intake.into_sink();
        Ok(if served.0.contains_key(ALWAYS) { served } else { Self::default() })
    }

    /// The versions of a resource to ask for, newest first.
    pub(super) fn versions(&self, resource: &Resource) -> Vec<&'static str> {
        let mut versions = resource.versions.to_vec();
        if !self.0.is_empty() && !resource.group.is_empty() {
            let served = self.0.get(resource.group);
            versions.retain(|version| served.is_some_and(|served| served.contains(*version)));
        }
        versions
    }

    /// The versions in which the server has a resource's group, where none of them is known.
    pub(super) fn others(&self, resource: &Resource) -> Option<String> {
        let served = self.0.get(resource.group)?;
        let is_known = resource.versions.iter().any(|version| served.contains(*version));
        (!is_known && !served.is_empty()).then(|| served.iter().cloned().collect::<Vec<_>>().join(", "))
    }
}

impl Sink for Served {
    fn interest(&self, _: &str, kind: &str) -> Interest {
        if kind == "APIGroupList" { Interest::Object } else { Interest::None }
    }

    fn object(&mut self, document: Document) -> Result<(), MeshError> {
        let texts = |list: &Value, field: &str| -> Vec<String> {
            let items = list.as_array().into_iter().flatten();
            items.filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
        };
        for group in document.tree["groups"].as_array().into_iter().flatten() {
            let Some(name) = group["name"].as_str() else { continue };
            self.0.entry(name.to_owned()).or_default().extend(texts(&group["versions"], "version"));
        }
        Ok(())
    }

    fn pod(&mut self, _: &Origin, _: Pod) {}

    fn pods_were_read(&mut self) {}

    fn gap(&mut self, _: Gap) {}
}
