//! A change of an encrypted issuer by the certificate in the annotation beside it: what somebody says was sealed, and nothing proves.

use jiff::Timestamp;
use serde_json::json;

use super::changes::chain;
use super::{Verdict, Verification, verify};
use crate::finding::{ChangeFact, Finding, Place, SealedDoubt, Severity};
use crate::mesh::{Issuer, KeyState, Known, Manifest, Mesh, NoChain};
use crate::pki::{IssuerChain, IssuerChainError};
use crate::rotation::Record;
use crate::source::{Sealed, SealedChange, Unjudged};

/// What an annotation says of an encrypted issuer.
#[derive(Debug, Clone, Copy)]
pub struct Annotated<'a> {
    sealed: &'a Sealed,
    /// Does what it says count?
    accepted: bool,
}

impl<'a> Annotated<'a> {
    /// `None` where nothing is said, or the object changes in more than its ciphertext and its annotation.
    #[must_use]
    pub fn of(sealed: &'a Sealed, accepted: bool) -> Option<Self> {
        let is_told = sealed.after.is_some() && sealed.change != SealedChange::Other;
        is_told.then_some(Self { sealed, accepted })
    }

    /// Is it this object that is told of?
    #[must_use]
    pub fn is_of(&self, unjudged: &Unjudged) -> bool {
        self.sealed.is_of(unjudged)
    }

    /// Judges as [`verify`] does. Where that leaves open whether the change is safe, the certificates that the annotation names are
    /// taken for what is sealed: what breaks with them is an error, and what does not is safe on that condition.
    #[must_use]
    pub fn verify(
        &self,
        current: &Mesh,
        proposed: &Mesh,
        record: Option<&Record>,
        at: Timestamp,
        beside: &[Finding],
    ) -> Verification {
        let judged = |current: &Mesh, proposed: &Mesh, more: Option<Finding>| {
            verify(current, proposed, record, at, beside.iter().cloned().chain(more).collect())
        };
        let before = self.sealed.before.as_deref().and_then(|text| IssuerChain::from_pem(text).ok());
        let before = before.filter(|_| hides_issuer(current));
        let told = IssuerChain::from_pem(self.sealed.after.as_deref().unwrap_or_default());
        if let Some(because) = self.doubt(told.as_ref(), before.as_ref().or_else(|| chain(current))) {
            let object = self.sealed.object.clone();
            let fact = ChangeFact::AnnotationUnproven { object, because };
            return judged(current, proposed, Some(self.found(Severity::Unknown, fact)));
        }
        let changes = self.sealed.change != SealedChange::Nothing;
        let plain = (!changes).then(|| judged(current, proposed, None));
        let told = match (told, &plain) {
            (Ok(told), None) => told,
            (Ok(told), Some(_)) if hides_issuer(proposed) => told,
            _ => return plain.unwrap_or_else(|| judged(current, proposed, None)),
        };
        let current = before.map_or_else(|| current.clone(), |chain| self.with(current, chain));
        let proposed = self.with(proposed, told.clone());
        let without = judged(&current, &proposed, None);
        if let Some(plain) = plain.filter(|plain| !self.tells_more(plain.verdict, without.verdict)) {
            return plain;
        }
        let fact = ChangeFact::SealedAsAnnotated {
            object: self.sealed.object.clone(),
            issuer: (&told.issuer).into(),
            accepted: self.accepted,
            is_all: matches!(without.verdict, Verdict::Safe | Verdict::NotAboutTrust),
        };
        let severity = if self.accepted { Severity::Warning } else { Severity::Unknown };
        judged(&current, &proposed, Some(self.found(severity, fact)))
    }

    /// Why the annotation does not tell what the ciphertext holds after the change; `known` is the issuer before it.
    fn doubt(
        &self,
        told: Result<&IssuerChain, &IssuerChainError>,
        known: Option<&IssuerChain>,
    ) -> Option<SealedDoubt> {
        match (self.sealed.change, told) {
            (SealedChange::CiphertextAlone, _) => Some(SealedDoubt::SameAnnotation),
            (SealedChange::AnnotationAlone, _) => Some(SealedDoubt::SameCiphertext),
            (SealedChange::InPart, _) => Some(SealedDoubt::InPart),
            (SealedChange::Whole, Err(error)) => Some(SealedDoubt::Unreadable(error.to_string())),
            // In other words it names the same as before.
            (SealedChange::Whole, Ok(told)) if Some(told) == known => Some(SealedDoubt::SameAnnotation),
            _ => None,
        }
    }

    /// Is the verdict by the annotation of more use than the one that does without it?
    fn tells_more(&self, plain: Verdict, annotated: Verdict) -> bool {
        let may_count = self.accepted || plain == Verdict::Unknown;
        let is_better = may_count && annotated.rank() < plain.rank();
        plain != Verdict::Unsafe && (annotated == Verdict::Unsafe || is_better)
    }

    fn found(&self, severity: Severity, fact: ChangeFact) -> Finding {
        let (object, origin) = (self.sealed.object.clone(), self.sealed.origin.clone());
        Finding::new(severity, fact).at(Place { object, origin })
    }

    /// The mesh in which these certificates and their key are sealed.
    fn with(&self, mesh: &Mesh, chain: IssuerChain) -> Mesh {
        let mut mesh = mesh.clone();
        let object = mesh.issuer_secret();
        if let Known::Is(issuer) = &mut mesh.issuer {
            (issuer.chain, issuer.key) = (Ok(chain), KeyState::Matches);
        }
        // What is made of it is shown where it stands.
        if mesh.manifest(&object.kind, &object.namespace, &object.name).is_none() {
            let tree = json!({"apiVersion": "v1", "kind": object.kind, "metadata": {"name": object.name}});
            mesh.manifests.push(Manifest {
                object,
                origin: self.sealed.origin.clone(),
                owners: Vec::new(),
                tree,
            });
        }
        mesh
    }
}

/// Does the input keep the issuer's certificates to itself?
fn hides_issuer(mesh: &Mesh) -> bool {
    let is_hidden = |issuer: &Issuer| issuer.chain.as_ref().is_err_and(NoChain::is_hidden);
    mesh.issuer.as_option().is_some_and(is_hidden)
}
