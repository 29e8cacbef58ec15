//! The trust bundle: a set of trust anchors, and the text it is published as.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::pem::{self, Defect, DefectKind};
use super::{Certificate, Fingerprint, Rules};

/// At least one trust anchor, none of them twice, in the order of publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Certificate>", into = "Vec<Certificate>")]
pub struct Bundle {
    anchors: Vec<Certificate>,
    /// One fingerprint for the whole set: thousands of bundles are compared with each other.
    set: Fingerprint,
}

impl Bundle {
    /// A bundle of these anchors; later copies of the same certificate are dropped. `None` when there is none.
    #[must_use]
    pub fn new(anchors: impl IntoIterator<Item = Certificate>) -> Option<Self> {
        let mut seen = BTreeSet::new();
        let anchors: Vec<_> =
            anchors.into_iter().filter(|anchor| seen.insert(anchor.fingerprint())).collect();
        (!anchors.is_empty()).then(|| Self::of_all(anchors))
    }

    /// A bundle of these anchors, none of which comes twice.
    fn of_all(anchors: Vec<Certificate>) -> Self {
        let set = Fingerprint::of_set(anchors.iter().map(Certificate::fingerprint));
        Self { anchors, set }
    }

    /// A bundle of one anchor.
    #[must_use]
    pub fn of(anchor: &Certificate) -> Self {
        Self::of_all(vec![anchor.clone()])
    }

    /// The anchors in the order of publication.
    #[must_use]
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }

    /// The set of fingerprints: what a bundle is compared by.
    #[must_use]
    pub fn fingerprints(&self) -> BTreeSet<Fingerprint> {
        self.anchors.iter().map(Certificate::fingerprint).collect()
    }

    /// One fingerprint for the whole set, whatever its order.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.set
    }

    /// Do both hold the same anchors, whatever their order?
    #[must_use]
    pub fn same_set(&self, other: &Self) -> bool {
        self.set == other.set
    }

    /// Is this anchor in the bundle?
    #[must_use]
    pub fn contains(&self, anchor: &Certificate) -> bool {
        self.anchors.contains(anchor)
    }

    /// Does `other` hold all of these anchors?
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.anchors.iter().all(|anchor| other.contains(anchor))
    }

    /// This bundle's anchors, then those of `more` that it lacks.
    #[must_use]
    pub fn union(&self, more: &[Certificate]) -> Self {
        let mut anchors = self.anchors.clone();
        for anchor in more {
            if !anchors.contains(anchor) {
                anchors.push(anchor.clone());
            }
        }
        Self::of_all(anchors)
    }

    /// The bundle as the strictest reader wants it: PEM blocks only, LF, one final newline (Linkerd's `pkg/tls/codec.go`).
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.anchors.iter().map(Certificate::to_pem).collect()
    }
}

impl TryFrom<Vec<Certificate>> for Bundle {
    type Error = &'static str;

    fn try_from(anchors: Vec<Certificate>) -> Result<Self, Self::Error> {
        Self::new(anchors).ok_or("a trust bundle holds at least one anchor")
    }
}

impl From<Bundle> for Vec<Certificate> {
    fn from(bundle: Bundle) -> Self {
        bundle.anchors
    }
}

/// A bundle's text as it is published, with what each of Linkerd's two readers makes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct BundleText {
    text: String,
    proxy: Result<Bundle, Defect>,
    controller: Result<Bundle, Defect>,
    defects: Vec<Defect>,
}

impl BundleText {
    /// The lines on which blocks of private keys begin, the first few of them.
    #[must_use]
    pub fn private_keys(&self) -> Vec<usize> {
        let keys = self.defects().iter().filter(|defect| defect.kind.is_private_key());
        keys.map(|defect| defect.line).collect()
    }

    /// Reads a text under both sets of rules.
    #[must_use]
    pub fn read(text: impl Into<String>) -> Self {
        let text = text.into();
        let bundle = |certificates: Vec<Certificate>| {
            Bundle::new(certificates).ok_or(Defect { line: 1, kind: DefectKind::Empty })
        };
        Self {
            proxy: pem::read_as_proxy(&text).and_then(bundle),
            controller: pem::read_as_controller(&text).and_then(bundle),
            defects: pem::defects(&text),
            text,
        }
    }

    /// The text, byte for byte.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The anchors that a reader under these rules gets, or why it refuses.
    ///
    /// # Errors
    /// The first defect for which that reader refuses the whole text.
    pub fn as_read_by(&self, rules: Rules) -> Result<&Bundle, &Defect> {
        match rules {
            Rules::Proxy => self.proxy.as_ref(),
            Rules::Controller => self.controller.as_ref(),
        }
    }

    /// Everything that the strictest reader minds.
    #[must_use]
    pub fn defects(&self) -> &[Defect] {
        &self.defects
    }
}

impl From<String> for BundleText {
    fn from(text: String) -> Self {
        Self::read(text)
    }
}

impl From<BundleText> for String {
    fn from(bundle: BundleText) -> Self {
        bundle.text
    }
}
