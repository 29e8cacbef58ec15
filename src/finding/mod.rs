//! What there is to say about a mesh, a step or a change, as data.
//!
//! The judging rooms make findings; [`crate::report`] alone puts them into words, and nothing decides on a word.

mod change;
mod check;
mod evidence;
mod input;
mod managed;
mod recovery;
mod rotation;
mod step;
mod trust;

use jiff::Timestamp;
use serde::Serialize;

use crate::document::{ObjectRef, Origin};
use crate::step::{Confirmation, Step};

pub use change::{ChangeFact, IssuedAgain, KeyFault, Role, SealedDoubt, Setting, TrustSource};
pub use check::{
    AlgorithmFault, AnchorRef, BundleDifference, ChainPart, CheckFact, Container, HeldRequest, KeyInFile,
    LackedAnchor, LateRenewal, Overdue, RefusingProxies, Renewal, RenewalTime, SigningRight,
    UnreadableBundle, UnsupportedAnchor, WorkloadPods,
};
pub use evidence::{CertificateRef, Pods};
pub use input::InputFact;
pub use managed::{ChartValue, Flag, Instead, PodAnnotation, PodAnnotationPlace, SecretFile, ValueContent};
pub use recovery::{CertificateRole, PlacedCertificate, RecoveryFact};
pub use rotation::{AnchorRole, IssuerRole, Need, RotationAnchors, RotationIssuer, SecretGap, WhyRefused};
pub use step::StepFact;
pub use trust::{Invariant, Order, Party, Rejection, TrustFact};

/// Something found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub severity: Severity,
    /// What was found: its code, and the evidence.
    #[serde(flatten)]
    pub fact: Fact,
    /// The object that it is best shown at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What opens it, where that is more than the code tells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opens: Vec<Opens>,
}

/// How much a finding counts, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something is broken, or would be.
    Error,
    /// Something must be done or waited for first.
    Wait,
    /// It cannot be told from the input.
    Unknown,
    /// Nothing is broken by it alone.
    Warning,
    /// Good to know.
    Note,
}

/// What was found, by the subject. In kebab case a variant's name is the code, its fields are the evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Fact {
    Input(InputFact),
    Trust(TrustFact),
    Check(CheckFact),
    Step(StepFact),
    Change(ChangeFact),
    Recovery(RecoveryFact),
}

/// What opens a finding: what to do or to wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Opens {
    /// Time alone.
    At(Timestamp),
    /// This step.
    Step(Step),
    /// A human who knows better.
    Confirm(Confirmation),
    /// A restart of these.
    Restart(Vec<ObjectRef>),
    /// One of Linkerd's procedures for new certificates.
    Procedure(Procedure),
}

/// How certificates are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Procedure {
    /// Anchor and issuer, side by side with the old ones.
    RotateAnchor,
    /// The issuer alone, while the old one is valid.
    RotateIssuer,
    /// The issuer alone, after the old one has expired.
    ReplaceIssuer,
    /// What has expired behind the issuer leaves its file, and everything restarts.
    RemoveExpired,
    /// Anchor and issuer at once, after the anchor has expired.
    ReplaceExpired,
    /// The anchor, by changes of cert-manager's objects.
    RotateManaged,
    /// The issuer, which cert-manager should have renewed.
    RenewManaged,
}

/// An object, and where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    pub object: ObjectRef,
    pub origin: Origin,
}

impl Finding {
    /// A finding with nothing beside the fact.
    #[must_use]
    pub fn new(severity: Severity, fact: impl Into<Fact>) -> Self {
        Self { severity, fact: fact.into(), place: None, opens: Vec::new() }
    }

    /// The same, at an object.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The same, opened by this as well.
    #[must_use]
    pub fn opened_by(mut self, opens: Opens) -> Self {
        self.opens.push(opens);
        self
    }

    /// Its name, which `explain` takes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.fact.code()
    }

    /// Is this among what opens it?
    #[must_use]
    pub fn is_confirmed_by(&self, confirmation: Confirmation) -> bool {
        self.opens.contains(&Opens::Confirm(confirmation))
    }
}

impl Fact {
    /// The variant's name in kebab case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Input(fact) => fact.into(),
            Self::Trust(fact) => fact.into(),
            Self::Check(fact) => fact.into(),
            Self::Step(fact) => fact.into(),
            Self::Change(fact) => fact.into(),
            Self::Recovery(fact) => fact.into(),
        }
    }

    /// Every code there is, sorted.
    #[must_use]
    pub fn codes() -> Vec<&'static str> {
        use strum::VariantNames as _;
        let all = [
            InputFact::VARIANTS,
            TrustFact::VARIANTS,
            CheckFact::VARIANTS,
            StepFact::VARIANTS,
            ChangeFact::VARIANTS,
            RecoveryFact::VARIANTS,
        ];
        let mut codes = all.concat();
        codes.sort_unstable();
        codes
    }
}

macro_rules! into_fact {
    ($($variant:ident: $fact:ty,)+) => {$(
        impl From<$fact> for Fact {
            fn from(fact: $fact) -> Self {
                Self::$variant(fact)
            }
        }
    )+};
}

into_fact! {
    Input: InputFact,
    Trust: TrustFact,
    Check: CheckFact,
    Step: StepFact,
    Change: ChangeFact,
    Recovery: RecoveryFact,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_facts_share_a_code() {
        let codes = Fact::codes();
        let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len());
    }

    #[test]
    fn a_finding_is_its_code_and_its_evidence_in_json() {
        let fact = InputFact::PodsNotGiven;
        let finding =
            Finding::new(Severity::Unknown, fact).opened_by(Opens::Confirm(Confirmation::AllPodsSeen));
        assert_eq!(finding.code(), "pods-not-given");
        assert_eq!(
            serde_json::to_value(&finding).unwrap(),
            serde_json::json!({"severity": "unknown", "code": "pods-not-given", "opens": [{"confirm": "all-pods-seen"}]})
        );
    }
}
