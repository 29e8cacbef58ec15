//! Is the step from one mesh to another safe, whoever wrote it?

mod changes;
mod managed;
mod pairs;
mod sealed;
mod step;
mod texts;
mod wiring;

use jiff::Timestamp;
use serde::Serialize;

use crate::checkout::{Open, Trap};
use crate::document::ObjectRef;
use crate::finding::{ChangeFact, Fact, Finding, InputFact, Opens, Place, Severity, StepFact};
use crate::linkerd;
use crate::mesh::{ControlPlane, FieldFault, Mesh, Plane, Replica};
use crate::pki::{Candidate, Refusal};
use crate::rotation::Record;
use crate::source::Unjudged;

pub use changes::{Changes, IssuerChange, Restart};
pub use managed::{Controllers, controllers};
use pairs::Pair;
pub use sealed::Annotated;
pub use step::step_of;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that works stops working, in whatever order objects are applied and pods load them.
    Safe,
    /// The same, from this instant on, if nothing else has changed.
    SafeAfter(Timestamp),
    /// Something breaks.
    Unsafe,
    /// Trust is not touched.
    NotAboutTrust,
    /// It cannot be told; what is missing is among the findings.
    Unknown,
}

/// The answer with everything it rests on.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The answer.
    pub verdict: Verdict,
    /// What the proposal changes, as far as trust is concerned.
    pub changes: Changes,
    /// What speaks against it, and what to know beside it; the gravest first.
    pub findings: Vec<Finding>,
}

/// What to do instead, or next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advice {
    /// Correct what cannot be read.
    Correct,
    /// Make one change of the bundle and another of the issuer.
    Split,
    /// Publish the new issuer's anchor first.
    PublishAnchorFirst,
    /// Put in another issuer: no anchor makes this one good.
    ReplaceIssuer,
    /// Keep the anchor until nothing depends on it.
    KeepAnchor,
    /// Mend bundle and issuer before anything restarts.
    MendFirst,
    /// Merge at that time.
    MergeLater,
    /// Give what is missing.
    GiveWhatIsMissing,
}

/// Judges the step from `current` to `proposed` at `at`; `record` is the rotation's, where there is one: it tells what was
/// published and issued before.
///
/// Only `current` knows pods: in `proposed` they have not restarted yet. `beside` is what is known against the proposal that
/// its mesh does not show.
#[must_use]
pub fn verify(
    current: &Mesh,
    proposed: &Mesh,
    record: Option<&Record>,
    at: Timestamp,
    beside: Vec<Finding>,
) -> Verification {
    let changes = Changes::between(current, proposed);
    let mut findings = texts::findings(current, proposed, &changes);
    // What only says how a change of trust works out counts where there is one.
    let about_trust = changes.are_about_trust();
    findings.extend(beside.into_iter().filter(|one| about_trust || one.severity != Severity::Warning));
    findings.extend(changes.findings(proposed));
    findings.extend(no_injector(current, &changes, at));
    findings.extend(texts::restart_into_crash(proposed, &changes));
    findings.extend(wiring::identity(current, proposed, at));
    findings.extend(texts::secret_type(current, proposed));
    let lasts = texts::lasts(current, proposed, &changes, at);
    // Beside what is said of it, where the lifetime is the measure.
    let mut assumed = lasts.is_some().then_some(Severity::Warning);
    findings.extend(lasts);
    findings.extend(texts::minded(current, proposed, &changes));
    let moves = pairs::Moves::of(current, proposed, &changes, record);
    let mut after = None;
    if moves.are_any() {
        let (pairs, missing) = moves.judged(at);
        let is_clean = pairs.is_empty() && missing.is_empty();
        if !is_clean {
            after = moves.clean_after(at);
        }
        if !current.tells_lifetime()
            && (is_clean || after.is_some())
            && moves.rests_on_expiry(after.unwrap_or(at))
        {
            assumed = Some(Severity::Unknown);
        }
        findings.extend(pairs.into_iter().map(|pair| rejected(pair, &changes, after)));
        findings.extend(missing.into_iter().map(|fact| not_known(fact, after)));
        findings.extend(already_broken(moves.already_broken(at)));
    }
    if !current.tells_lifetime() {
        let fact = StepFact::lifetime_assumed(current);
        findings.extend(assumed.map(|severity| Finding::new(severity, fact)));
    }
    findings.sort_by_key(|finding| finding.severity);
    Verification { verdict: verdict(&changes, &findings, after), changes, findings }
}

/// Two sides that work together before the change and do not after it: for good, or until time alone has mended it.
fn rejected(pair: Pair, changes: &Changes, after: Option<Timestamp>) -> Finding {
    let severity = match after {
        Some(_) => Severity::Wait,
        None if pair.rejection.certain => Severity::Error,
        None => Severity::Unknown,
    };
    let place = changes.place().cloned();
    let opens = after.into_iter().map(Opens::At).collect();
    Finding { severity, fact: pair.into(), place, opens }
}

/// Something that is not known and matters: for good, or until workload certificates that may be of it have expired.
fn not_known(fact: InputFact, after: Option<Timestamp>) -> Finding {
    match after {
        None => Finding::new(Severity::Unknown, fact),
        Some(after) => Finding::new(Severity::Warning, fact).opened_by(Opens::At(after)),
    }
}

/// Pods that restart get their proxy from the injector; where none answers they start without one, or not at all
/// (`failurePolicy` of `linkerd-proxy-injector-webhook-config`).
fn no_injector(current: &Mesh, changes: &Changes, at: Timestamp) -> Option<Finding> {
    let needs = |restart: &&Restart| {
        restart.for_trust && restart.place_in == Plane::Data && restart.literal.is_none()
    };
    let restarts: Vec<_> = changes.restarts.iter().filter(needs).collect();
    let place = restarts.first()?.place.clone();
    let ControlPlane { namespace, replicas, .. } = &current.control_plane;
    let runs = |one: &Replica| {
        one.container == linkerd::INJECTOR_CONTAINER && one.started.is_some_and(|started| started <= at)
    };
    if current.pods.as_option().is_none() || replicas.iter().any(runs) {
        return None;
    }
    let severity = if replicas.is_empty() { Severity::Unknown } else { Severity::Error };
    let workloads = restarts.iter().map(|restart| restart.place.object.clone()).collect();
    let fact = ChangeFact::RestartWithoutInjector { namespace: namespace.clone(), workloads };
    Some(Finding::new(severity, fact).at(place))
}

fn already_broken(ways: usize) -> Option<Finding> {
    let fact = ChangeFact::AlreadyBroken { ways: ways as u64 };
    (ways > 0).then(|| Finding::new(Severity::Warning, fact))
}

fn verdict(changes: &Changes, findings: &[Finding], after: Option<Timestamp>) -> Verdict {
    let any = |severity| findings.iter().any(|finding| finding.severity == severity);
    match after {
        _ if any(Severity::Error) => Verdict::Unsafe,
        _ if any(Severity::Unknown) => Verdict::Unknown,
        Some(after) => Verdict::SafeAfter(after),
        None if changes.are_about_trust() => Verdict::Safe,
        None => Verdict::NotAboutTrust,
    }
}

/// What another program makes trust material of, and this one does not.
#[must_use]
pub fn not_rendered(unjudged: &Unjudged) -> Finding {
    let Unjudged { origin, renderer, gone, .. } = unjudged;
    let fact = ChangeFact::NotRendered { renderer: *renderer, removed: *gone };
    let object = ObjectRef::new("", "document", "", &origin.source);
    Finding::new(Severity::Unknown, fact).at(Place { object, origin: origin.clone() })
}

/// What could reach trust material, and is not understood.
#[must_use]
pub fn not_understood(open: &Open) -> Finding {
    let Open { origin, why, .. } = open;
    let fact = ChangeFact::NotUnderstood { place: origin.to_string(), why: why.clone() };
    let object = ObjectRef::new("", "document", "", &origin.source);
    Finding::new(Severity::Unknown, fact).at(Place { object, origin: origin.clone() })
}

/// What keeps a change from having an effect.
#[must_use]
pub fn without_effect(trap: &Trap) -> Finding {
    let Trap { origin, object, because } = trap;
    let fact = ChangeFact::ChangeWithoutEffect { object: object.clone(), because: because.clone() };
    Finding::new(Severity::Warning, fact).at(Place { object: object.clone(), origin: origin.clone() })
}

/// A control plane that only one side of the change declares.
#[must_use]
pub fn declared_once(unit: &str, gone: bool) -> Finding {
    Finding::new(Severity::Unknown, ChangeFact::ControlPlaneDeclaredOnce { unit: unit.to_owned(), gone })
}

/// A control plane that runs, and that the repository does not declare any more.
#[must_use]
pub fn control_plane_removed(current: &Mesh) -> Finding {
    Finding::new(Severity::Error, ChangeFact::BundleRemoved { object: current.bundle_home() })
}

/// The objects that the control plane reads trust material from.
const READ: [&str; 3] = [linkerd::TRUST_ROOTS, linkerd::ISSUER_SECRET, linkerd::CONFIG];

/// A proposed object without the field that Linkerd reads; `None` for an object of no such weight.
#[must_use]
pub fn field_unreadable(fault: &FieldFault) -> Option<Finding> {
    let FieldFault { origin, object, field, found } = fault;
    let place = Place { object: object.clone(), origin: origin.clone() };
    let (field, found) = (field.clone(), found.clone());
    let fact = ChangeFact::FieldUnreadable { object: object.clone(), field, found };
    READ.contains(&object.name.as_str()).then(|| Finding::new(Severity::Error, fact).at(place))
}

impl Verdict {
    /// Verdicts from the best to the worst.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::NotAboutTrust => 0,
            Self::Safe => 1,
            Self::SafeAfter(_) => 2,
            Self::Unknown => 3,
            Self::Unsafe => 4,
        }
    }
}

impl Verification {
    /// The verdict on a change of which no mesh can be made: on what is known of it besides.
    #[must_use]
    pub fn without_mesh(findings: Vec<Finding>) -> Self {
        let changes = Changes::default();
        let verdict = verdict(&changes, &findings, None);
        Self { verdict, changes, findings }
    }

    /// The verdict on a proposal that no control plane could read: it makes no mesh to judge.
    #[must_use]
    pub fn unreadable(finding: Finding) -> Self {
        Self { verdict: Verdict::Unsafe, changes: Changes::default(), findings: vec![finding] }
    }

    /// What to do instead, or next; nothing where it may be merged.
    #[must_use]
    pub fn advice(&self) -> Option<Advice> {
        let errors = || self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let refusals = errors().filter_map(|finding| match &finding.fact {
            Fact::Trust(fact) => Some(&fact.rejection().refusal),
            _ => None,
        });
        let faulty = errors().any(|finding| !matches!(finding.fact, Fact::Trust(_)));
        let unfit = self.changes.issuer.is_some() && refusals.clone().any(|refusal| !lacks_anchor(refusal));
        Some(match (self.verdict, self.changes.bundle.is_some(), self.changes.issuer.is_some()) {
            (Verdict::Unsafe, ..) if faulty => Advice::Correct,
            (Verdict::Unsafe, ..) if unfit => Advice::ReplaceIssuer,
            (Verdict::Unsafe, true, true) => Advice::Split,
            (Verdict::Unsafe, false, true) => Advice::PublishAnchorFirst,
            (Verdict::Unsafe, true, false) => Advice::KeepAnchor,
            (Verdict::Unsafe, false, false) => Advice::MendFirst,
            (Verdict::SafeAfter(_), ..) => Advice::MergeLater,
            (Verdict::Unknown, ..) => Advice::GiveWhatIsMissing,
            (Verdict::Safe | Verdict::NotAboutTrust, ..) => return None,
        })
    }
}

/// Is it for want of an anchor that a chain is refused? Else something is wrong with one of its certificates.
fn lacks_anchor(refusal: &Refusal) -> bool {
    let Refusal::UnknownIssuer { candidate, .. } = refusal else { return false };
    let other_key = |candidate: &Candidate| matches!(*candidate.because, Refusal::SignatureMismatch { .. });
    candidate.as_ref().is_none_or(other_key)
}

impl Changes {
    /// Where the change is best shown: at the issuer, or at the bundle, or at what restarts.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        let issuer = self.issuer.as_ref().map(|change| &change.place);
        issuer.or(self.bundle.as_ref()).or_else(|| self.restarts.first().map(|restart| &restart.place))
    }

    /// What to know about restarts in the same change as what they are to load: an injector's mount lags behind the ConfigMap
    /// and an identity replica's behind the Secret, so that a pod may start with what was there before.
    fn findings(&self, proposed: &Mesh) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut warn = |plane, fact: fn(Vec<ObjectRef>) -> ChangeFact| {
            let restarts: Vec<_> = self
                .restarts
                .iter()
                .filter(|restart| restart.place_in == plane)
                .map(|one| &one.place)
                .collect();
            if let Some(first) = restarts.first() {
                let workloads = restarts.iter().map(|place| place.object.clone()).collect();
                found.push(Finding::new(Severity::Warning, fact(workloads)).at((*first).clone()));
            }
        };
        if self.bundle.is_some() && (!self.added.is_empty() || !self.removed.is_empty()) {
            warn(Plane::Data, |workloads| ChangeFact::RestartWithBundle { workloads });
            warn(Plane::Control, |workloads| ChangeFact::ControlPlaneRestartWithBundle { workloads });
        }
        if self.issuer.is_some() {
            warn(Plane::Data, |workloads| ChangeFact::RestartWithIssuer { workloads });
        }
        let changed =
            |setting: &_| Finding::new(Severity::Unknown, ChangeFact::SettingChanged { setting: *setting });
        found.extend(self.settings.iter().map(changed));
        found.extend(self.sources.iter().map(|(place, source)| {
            let fact =
                ChangeFact::TrustSourceChanged { object: place.object.clone(), source: source.clone() };
            Finding::new(Severity::Unknown, fact).at(place.clone())
        }));
        found.extend(texts::copy(self, proposed));
        found
    }
}
