//! One field of one object set to a value.

use serde_json::Value;

use super::path::{self, Segment};

/// How a change is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, clap::ValueEnum)]
pub enum Form {
    /// Strategic merge patch: only what changes
    #[default]
    Patch,
    /// RFC 6902 operations, guarded by tests
    JsonPatch,
    /// The whole resulting object
    Object,
}

/// One field of one object set to a value; where a private key comes, the value is a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// `data.KEY` of a ConfigMap, or (base64 already) of a Secret.
    Data {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// `stringData.KEY` of a Secret that is written that way: the API server takes it over `data`.
    StringData {
        /// The key.
        key: String,
        /// The value, plain.
        value: String,
    },
    /// An annotation of the object itself.
    Annotation {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// An annotation of the pod template.
    TemplateAnnotation {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// An annotation in a value of a HelmRelease's chart.
    ReleaseAnnotation {
        /// The value's name, with a dot between its keys.
        chart_value: &'static str,
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// A literal environment variable of a container of the pod template.
    Env {
        /// The container.
        container: String,
        /// Is it an init container?
        init: bool,
        /// The variable.
        name: String,
        /// The value.
        value: String,
    },
    /// A field of the spec of an object of cert-manager or trust-manager; `null` removes it.
    Spec {
        /// The keys on the way, below `spec`.
        path: &'static [&'static str],
        /// The value.
        value: Value,
    },
    /// An argument of a container, replaced in place.
    Argument {
        /// The container.
        container: String,
        /// Its place in `args`, from 0.
        index: usize,
        /// The whole argument.
        value: String,
    },
}

impl Edit {
    /// The new value, where it is a text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Spec { value, .. } => value.as_str().unwrap_or_default(),
            Self::Data { value, .. }
            | Self::StringData { value, .. }
            | Self::Annotation { value, .. }
            | Self::TemplateAnnotation { value, .. }
            | Self::ReleaseAnnotation { value, .. }
            | Self::Env { value, .. }
            | Self::Argument { value, .. } => value,
        }
    }

    /// The text that a tree has where this is set.
    #[must_use]
    pub fn before<'t>(&self, tree: &'t Value) -> Option<&'t str> {
        path::get(tree, &self.path())?.as_str()
    }

    /// The new value.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Spec { value, .. } => value.clone(),
            text => text.text().into(),
        }
    }

    /// Where it stands.
    pub(super) fn path(&self) -> Vec<Segment> {
        let container = |list: &str, name: &str| {
            let mut path = Segment::keys(&["spec", "template", "spec", list]);
            path.push(Segment::Named(name.to_owned()));
            path
        };
        match self {
            Self::Data { key, .. } => Segment::keys(&["data", key]),
            Self::StringData { key, .. } => Segment::keys(&["stringData", key]),
            Self::Annotation { key, .. } => Segment::keys(&["metadata", "annotations", key]),
            Self::TemplateAnnotation { key, .. } => {
                Segment::keys(&["spec", "template", "metadata", "annotations", key])
            }
            Self::ReleaseAnnotation { chart_value, key, .. } => {
                let keys = ["spec", "values"].into_iter().chain(chart_value.split('.')).chain([*key]);
                Segment::keys(&keys.collect::<Vec<_>>())
            }
            Self::Spec { path, .. } => Segment::keys(&[&["spec"], *path].concat()),
            Self::Env { container: of, init, name, .. } => {
                let mut path = container(if *init { "initContainers" } else { "containers" }, of);
                path.extend(Segment::keys(&["env"]));
                path.push(Segment::Named(name.clone()));
                path.extend(Segment::keys(&["value"]));
                path
            }
            Self::Argument { container: of, index, .. } => {
                let mut path = container("containers", of);
                path.extend(Segment::keys(&["args"]));
                path.push(Segment::Index(*index));
                path
            }
        }
    }
}
