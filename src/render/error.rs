//! Why a step cannot be rendered.

use std::path::PathBuf;

use super::key_text::PLACEHOLDER;
use crate::document::ObjectRef;
use crate::document::embedded::EditError;
use crate::pki::KeyError;

/// Why a step cannot be rendered, with the object, what was found there and the next thing to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The form needs an object that was not observed whole.
    #[error("{object} was not observed whole: {help}")]
    NotObserved {
        /// The object.
        object: Box<ObjectRef>,
        /// What to do.
        help: String,
    },
    /// A private key was taken out of a text that the document would repeat.
    #[error(
        "{object} holds a private key where none is expected, which is never kept, so it cannot be written again: \
         remove that key from it, or use -o patch where that leaves it alone"
    )]
    Redacted {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// An object holds the text that stands for the private key until it is written.
    #[error(
        "{object} holds the text `{PLACEHOLDER}`, which stands for the private key: remove it from the object"
    )]
    Placeholder {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// A file that an earlier step wrote holds no object any more.
    #[error("{}: holds no patch any more: remove the file, or restore it from Git", path.display())]
    NoObject {
        /// The file.
        path: PathBuf,
    },
    /// An object that every Linkerd of this era has is not in the input.
    #[error("{object} is not in the input: add it (`{}`)", get(object))]
    Missing {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// An object that is removed has no form but a patch that says so.
    #[error("{object} is removed, which only -o patch can say: delete its manifest where it is kept")]
    Removed {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// A field that must be there is not, or is no text.
    #[error("{object}: `{field}` holds {found}, where {expected} is expected")]
    Field {
        /// The object.
        object: Box<ObjectRef>,
        /// The field's path.
        field: String,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// The text in a field cannot be edited.
    #[error("{object}: `{field}`: {reason}")]
    Text {
        /// The object.
        object: Box<ObjectRef>,
        /// The field's path.
        field: String,
        /// Why.
        reason: EditError,
    },
    /// Two entries of one list have one name: a strategic merge patch reaches only the first, the last one counts.
    #[error(
        "{object}: two entries of `{field}` have one name, which a strategic merge patch cannot tell apart: \
         use -o json-patch or -o object, or remove one"
    )]
    Ambiguous {
        /// The object.
        object: Box<ObjectRef>,
        /// The list's path.
        field: String,
    },
    /// The step needs the issuer's private key.
    #[error(
        "{object} needs the private key of the issuer `{issuer}`, and none was given: pass the key that was minted with it"
    )]
    NoKey {
        /// The Secret.
        object: Box<ObjectRef>,
        /// The issuer's name.
        issuer: String,
    },
    /// The key given is not the issuer's.
    #[error(
        "{object}: the private key does not belong to the issuer `{issuer}`: pass the key that was minted with it"
    )]
    WrongKey {
        /// The Secret.
        object: Box<ObjectRef>,
        /// The issuer's name.
        issuer: String,
    },
    /// The key cannot be written as this era reads it.
    #[error("{object}: {reason}")]
    Key {
        /// The Secret.
        object: Box<ObjectRef>,
        /// Why.
        reason: KeyError,
    },
    /// A name that Kubernetes does not allow, and that would lead out of the directory.
    #[error(
        "{kind} `{name}`: not a name that Kubernetes allows (RFC 1123), so no file is written for it; correct the input"
    )]
    Name {
        /// `Namespace`, or the object's kind.
        kind: String,
        /// The name.
        name: String,
    },
}

/// The command that shows an object.
fn get(object: &ObjectRef) -> String {
    let ObjectRef { kind, namespace, name, .. } = object;
    format!("kubectl get {} {name} -n {namespace} -o yaml", kind.to_lowercase())
}

impl RenderError {
    /// An object whose form needs more than was kept.
    pub(super) fn not_observed(object: &ObjectRef) -> Self {
        let help = format!("use -o patch, or give the whole object as input (`{}`)", get(object));
        Self::NotObserved { object: object.clone().into(), help }
    }
}
