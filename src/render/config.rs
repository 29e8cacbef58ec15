//! Where trust material stands inside ConfigMap `linkerd-config`, and how a text of it is replaced.

use super::RenderError;
use crate::document::ObjectRef;
use crate::document::embedded::{self, EditError};
use crate::mesh::TrustHome;

/// A scalar inside a text of `linkerd-config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inner {
    /// The key of `data`.
    pub(super) key: &'static str,
    /// The path within that text.
    pub(super) path: &'static [&'static str],
}

/// The issuer certificate's copy (2.9 and later, `charts/linkerd-control-plane/templates/config.yaml`).
pub(super) const ISSUER: Inner = Inner { key: "values", path: &["identity", "issuer", "tls", "crtPEM"] };

/// The copy of the bundle that `linkerd-config` has beside its home (2.11 and later).
pub(super) const COPY: Inner = Inner { key: "values", path: &["identityTrustAnchorsPEM"] };

impl Inner {
    /// The trust bundle in its home; `None` where the home is another object.
    pub(super) const fn bundle(home: TrustHome) -> Option<Self> {
        match home {
            TrustHome::ConfigGlobal => {
                Some(Self { key: "global", path: &["identityContext", "trustAnchorsPem"] })
            }
            TrustHome::ConfigValuesGlobal => {
                Some(Self { key: "values", path: &["global", "identityTrustAnchorsPEM"] })
            }
            TrustHome::ConfigValues => Some(COPY),
            TrustHome::TrustRoots => None,
        }
    }

    /// The scalar in `text`, empty where it is missing or null.
    pub(super) fn read(self, object: &ObjectRef, text: &str) -> Result<String, RenderError> {
        let value = embedded::get_scalar(text, self.path).map_err(|reason| self.fault(object, reason))?;
        Ok(value.unwrap_or_default())
    }

    /// `text` with the scalar replaced.
    pub(super) fn write(self, object: &ObjectRef, text: &str, value: &str) -> Result<String, RenderError> {
        embedded::set_scalar(text, self.path, value).map_err(|reason| self.fault(object, reason))
    }

    fn fault(self, object: &ObjectRef, reason: EditError) -> RenderError {
        let field = format!("data.{}: {}", self.key, self.path.join("."));
        RenderError::Text { object: object.clone().into(), field, reason }
    }
}

/// A PEM text with the final newline that the text before it has: none, or exactly one.
pub(super) fn like(before: Option<&str>, pem: &str) -> String {
    match before {
        Some(before) if before.ends_with('\n') => format!("{}\n", pem.trim_end()),
        _ => pem.trim_end().to_owned(),
    }
}
