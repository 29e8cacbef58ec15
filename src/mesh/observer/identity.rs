//! Deployment `linkerd-identity`: what the identity controller is really started with.

use crate::linkerd;
use serde_json::Value;

use super::kept::Kept;
use super::tree::{annotation, items, text};

/// The identity controller's template.
pub(super) struct Identity<'a> {
    /// The Deployment.
    pub(super) kept: &'a Kept,
    container: &'a Value,
}

impl<'a> Identity<'a> {
    /// The identity controller in a Deployment, where it has that container.
    pub(super) fn read(kept: &'a Kept) -> Option<Self> {
        let containers = items(&kept.tree, "/spec/template/spec/containers");
        let container = containers.iter().find(|container| text(container, "/name") == Some("identity"))?;
        Some(Self { kept, container })
    }

    /// The value of a flag, written as Go's `flag` reads it: `-name=value`, `--name=value` or `-name value`; the last counts.
    pub(super) fn argument(&self, name: &str) -> Option<&'a str> {
        let arguments: Vec<&str> = ["/command", "/args"]
            .iter()
            .flat_map(|list| items(self.container, list))
            .filter_map(Value::as_str)
            .collect();
        let value_at = |at: usize| {
            let argument = arguments[at];
            let flag = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'))?;
            match flag.split_once('=') {
                Some((flag, value)) => (flag == name).then_some(value),
                None => (flag == name).then(|| arguments.get(at + 1).copied())?,
            }
        };
        (0..arguments.len()).rev().find_map(value_at)
    }

    /// The literal value of an environment variable; the last counts.
    pub(super) fn variable(&self, name: &str) -> Option<&'a str> {
        let is_it = |variable: &&Value| text(variable, "/name") == Some(name);
        text(items(self.container, "/env").iter().rev().find(is_it)?, "/value")
    }

    /// Does it mount the ConfigMap of the anchors?
    pub(super) fn mounts_trust_roots(&self) -> bool {
        let volumes = items(&self.kept.tree, "/spec/template/spec/volumes");
        volumes.iter().any(|volume| text(volume, "/configMap/name") == Some(linkerd::TRUST_ROOTS))
    }

    /// `linkerd.io/trust-root-sha256` of its template.
    pub(super) fn trust_root_hash(&self) -> Option<&'a str> {
        annotation(self.kept.tree.pointer("/spec/template")?, linkerd::TRUST_ROOT_ANNOTATION)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::{Document, ObjectRef, Origin};

    #[test]
    fn flags_are_read_as_go_reads_them() {
        let tree = json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"name": "identity", "args": [
            "identity", "-a=1", "--b=2", "-c", "3", "-a=4", "-d=x=y",
        ]}]}}}});
        let object = ObjectRef::new("apps/v1", "Deployment", "linkerd", "linkerd-identity");
        let kept = Kept::new(object, Document { origin: Origin::default(), tree });
        let identity = Identity::read(&kept).unwrap();
        let read = ["a", "b", "c", "d", "e"].map(|name| identity.argument(name));
        assert_eq!(read, [Some("4"), Some("2"), Some("3"), Some("x=y"), None]);
    }
}
