//! What of a repository could reach trust material and is not understood.

use serde::Serialize;
use serde_json::Value;

use crate::document::Origin;
use crate::pki::Fingerprint;

/// Something that could reach trust material, and what becomes of it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Where it stands.
    pub origin: Origin,
    /// Why it is not known.
    pub why: Why,
    /// The hash of what it says: as long as that stays the same, nothing new comes of it.
    content: Fingerprint,
}

/// Why it is not known what becomes of something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It takes this, which is not in the repository, or is encrypted there.
    Elsewhere(String),
    /// This text in it cannot be read.
    Unread(String),
    /// The value of this path is set twice, and which counts depends on the engine's version.
    Twice(String),
    /// An engine patches what comes out of it.
    Patched,
    /// An engine replaces variables in what comes out of it.
    Substituted,
    /// Not all its generators stand in the repository.
    Generated,
    /// `kubectl kustomize` does not build it, and says this.
    NotBuilt(String),
    /// kubectl is not there to build it.
    NoKubectl,
    /// A controller in the cluster makes trust material of it.
    Behind,
    /// A chart's own templates make trust material of it.
    Templated,
    /// It makes an engine deploy something else, or elsewhere.
    Redeployed,
    /// It holds certificates or names trust material, and nothing here says what becomes of it.
    Unexplained,
}

impl Open {
    pub(super) fn new(origin: &Origin, why: Why, content: &Value) -> Self {
        Self { origin: origin.clone(), why, content: Fingerprint::digest(content.to_string().as_bytes()) }
    }

    /// Is it the same thing, saying the same? In which file it stands makes no difference.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.why == other.why && self.content == other.content
    }
}
