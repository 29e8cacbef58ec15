//! Is the step from one mesh to another safe, whoever wrote it?

mod changes;
mod pairs;
mod texts;

use jiff::Timestamp;

use crate::document::{ObjectRef, Origin};
use crate::mesh::{ControlPlane, Mesh, Plane, Replica};
use crate::pki::Certificate;
use crate::rotation::Record;
use crate::states::Invariant;

pub use changes::{Changes, IssuerChange, Restart};

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that works stops working, in whatever order objects are applied and pods follow.
    Safe,
    /// The same, once this instant has come and nothing else has changed.
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
    /// Who would refuse whom, and does not today.
    pub pairs: Vec<Pair>,
}

/// Something found in the proposal, or missing from what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it counts.
    pub weight: Weight,
    /// What it is, in kebab case.
    pub code: &'static str,
    /// The object it is found in.
    pub place: Option<Place>,
    /// What was found, and what follows from it.
    pub text: String,
    /// The next thing to do.
    pub help: String,
}

/// How much a finding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It breaks something.
    Unsafe,
    /// It keeps the verdict open.
    Unknown,
    /// It breaks nothing by itself.
    Warning,
}

/// An object, and where it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The object.
    pub object: ObjectRef,
    /// Where the proposal has it.
    pub origin: Origin,
}

/// Two sides that work together today and may not after the change.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Which invariant fails.
    pub invariant: Invariant,
    /// The anchors that refuse, and who holds them.
    pub verifier: Party,
    /// The issuer with its intermediates that is refused, and whose leaves it signed.
    pub presenter: Party,
    /// The reason, as the verifier gives it.
    pub reason: String,
    /// Does it surely come to this, or only in some of the possible states?
    pub certain: bool,
    /// The last instant at which it can be so.
    pub until: Option<Timestamp>,
    /// In which order of events it first happens.
    pub when: &'static str,
}

/// One side of a pair.
#[derive(Debug, Clone)]
pub struct Party {
    /// The certificates it holds or presents.
    pub certificates: Vec<Certificate>,
    /// How many proxies or replicas do so today; 0 for those that only come to it by the change.
    pub count: u64,
    /// A few of them, as `namespace/pod`.
    pub pods: Vec<String>,
    /// Their workloads.
    pub workloads: Vec<ObjectRef>,
}

/// Judges the step from `current` to `proposed` at `at`; `record` is the rotation's, where there is one: it tells what was
/// published and issued before.
///
/// Only `current` knows pods: in `proposed` they have not followed yet. `beside` is what is known against the proposal that
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
    findings.extend(beside);
    findings.extend(changes.findings(proposed));
    findings.extend(no_injector(current, &changes, at));
    findings.extend(texts::restart_into_crash(proposed, &changes));
    let moves = pairs::Moves::of(current, proposed, &changes, record);
    let (mut pairs, mut missing, mut after) = (Vec::new(), Vec::new(), None);
    if moves.are_any() {
        (pairs, missing) = moves.judged(at);
        if !pairs.is_empty() || !missing.is_empty() {
            after = moves.clean_after(at);
        }
        findings.extend(already_violated(moves.already_violated(at)));
    }
    findings.extend(missing.iter().map(|what| not_seen(what, after)));
    findings.sort_by_key(|finding| finding.weight);
    let verdict = verdict(&changes, &findings, &pairs, after);
    Verification { verdict, changes, findings, pairs }
}

/// Something that is not seen and matters: for good, or until leaves that may be of it have run out.
fn not_seen(what: &str, after: Option<Timestamp>) -> Finding {
    let (weight, code, text, help) = match after {
        None => (
            Weight::Unknown,
            "not-seen",
            format!("not known: {what}"),
            "read the cluster, or a dump with pods and `--show-managed-fields`; --dir names the rotation",
        ),
        Some(_) => (
            Weight::Warning,
            "leaves-running-out",
            format!(
                "leaves may still be in use of something that is not known: {what}; by the time named above they have run out"
            ),
            "wait; or name the rotation with --dir, which knows what was there before",
        ),
    };
    Finding { weight, code, place: None, text, help: help.to_owned() }
}

/// Pods that restart get their proxy from the injector; where none answers they come up without one, or not at all
/// (`failurePolicy` of `linkerd-proxy-injector-webhook-config`).
fn no_injector(current: &Mesh, changes: &Changes, at: Timestamp) -> Option<Finding> {
    let needs = |restart: &&Restart| {
        restart.for_trust && restart.place_in == Plane::Data && restart.literal.is_none()
    };
    let mut restarts = changes.restarts.iter().filter(needs);
    let (first, more) = (restarts.next()?, restarts.count());
    let ControlPlane { namespace, replicas, .. } = &current.control_plane;
    let runs =
        |one: &Replica| one.container == "proxy-injector" && one.started.is_some_and(|started| started <= at);
    if current.pods.as_option().is_none() || replicas.iter().any(runs) {
        return None;
    }
    let weight = if replicas.is_empty() { Weight::Unknown } else { Weight::Unsafe };
    let others = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!(
        "no proxy injector is seen running in namespace {namespace}: pods of {}{others}, which would restart, come up without a \
         proxy, or not at all",
        first.place.object
    );
    let help = "bring the injector up first, and see that its pods are in the input".to_owned();
    Some(Finding { weight, code: "no-injector", place: Some(first.place.clone()), text, help })
}

fn already_violated(ways: usize) -> Option<Finding> {
    (ways > 0).then(|| Finding {
        weight: Weight::Warning,
        code: "broken-already",
        place: None,
        text: format!(
            "the mesh is broken without this change, in {ways} {}: only what the change adds to it is judged here",
            if ways == 1 { "way" } else { "ways" }
        ),
        help: "see `kubectl l5d-rotate check`".to_owned(),
    })
}

fn verdict(changes: &Changes, findings: &[Finding], pairs: &[Pair], after: Option<Timestamp>) -> Verdict {
    let worst = findings.first().map(|finding| finding.weight);
    match (worst, after) {
        (Some(Weight::Unsafe), _) => Verdict::Unsafe,
        (_, None) if pairs.iter().any(|pair| pair.certain) => Verdict::Unsafe,
        (Some(Weight::Unknown), _) => Verdict::Unknown,
        (_, None) if !pairs.is_empty() => Verdict::Unknown,
        (_, Some(after)) => Verdict::SafeAfter(after),
        _ if changes.are_about_trust() => Verdict::Safe,
        _ => Verdict::NotAboutTrust,
    }
}

impl Verification {
    /// The verdict on a proposal that no control plane could read: it makes no mesh to judge.
    #[must_use]
    pub fn unreadable(finding: Finding) -> Self {
        Self {
            verdict: Verdict::Unsafe,
            changes: Changes::default(),
            findings: vec![finding],
            pairs: Vec::new(),
        }
    }

    /// The next thing to do.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        let grave = self.findings.iter().any(|finding| finding.weight == Weight::Unsafe);
        match (self.verdict, self.changes.bundle.is_some(), self.changes.issuer.is_some()) {
            (Verdict::Unsafe, ..) if self.pairs.is_empty() && grave => {
                Some("correct what is named above, and verify again")
            }
            (Verdict::Unsafe, true, true) => Some(
                "split it: first the bundle with the old and the new anchors, then the restarts of the control plane and of \
                 every proxy, then the issuer; the old anchor leaves last",
            ),
            (Verdict::Unsafe, false, true) => Some(
                "first publish the anchor that signed the new issuer beside the present ones and restart the control plane \
                 and every proxy; the issuer comes after that",
            ),
            (Verdict::Unsafe, true, false) => Some(
                "keep the anchor in the bundle until the issuer in the Secret is of another one and no leaf that it signed \
                 can be left",
            ),
            (Verdict::Unsafe, false, false) => {
                Some("make the bundle and the issuer fit each other before anything restarts")
            }
            (Verdict::SafeAfter(_), ..) => Some(
                "merge it when that time has come, and verify it again then: nothing else may change meanwhile",
            ),
            (Verdict::Unknown, ..) => {
                Some("do not merge it on this answer; give what is missing, and verify again")
            }
            (Verdict::Safe | Verdict::NotAboutTrust, ..) => None,
        }
    }
}

impl Changes {
    /// What to know about restarts that come with a change they are to follow: an injector's mount lags behind the ConfigMap
    /// and an identity replica's behind the Secret, so that a pod may start with what was there before.
    fn findings(&self, proposed: &Mesh) -> Vec<Finding> {
        let mut found = Vec::new();
        let of = |plane| self.restarts.iter().filter(move |restart| restart.place_in == plane);
        let listed = |plane| {
            let names: Vec<_> = of(plane).map(|restart| restart.place.object.to_string()).collect();
            let more = names.len().saturating_sub(3);
            let named = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            if more > 0 { format!("{named} and {more} more") } else { named }
        };
        let mut warn = |code, plane, text: &str, help: &str| {
            if let Some(restart) = of(plane).next() {
                let (place, text) = (Some(restart.place.clone()), format!("{} {text}", listed(plane)));
                found.push(Finding { weight: Weight::Warning, code, place, text, help: help.to_owned() });
            }
        };
        if self.bundle.is_some() && (!self.added.is_empty() || !self.removed.is_empty()) {
            warn(
                "restart-with-bundle",
                Plane::Data,
                "would restart in the same change as the bundle. The injector's copy of the bundle follows the ConfigMap by \
                 up to two minutes, so that some of these pods may be given the old bundle once more. That breaks nothing \
                 by itself; it does as soon as a step counts on the new bundle (the issuer's swap)",
                "leave the restart to a change of its own, two minutes after the bundle; or restart these workloads once more",
            );
            warn(
                "control-plane-restart-with-bundle",
                Plane::Control,
                "would restart in the same change as the bundle, and may start before it is there. The identity controller \
                 reads it once, when it starts: an issuer of the new anchor would then be refused",
                "check after the rollout that they started after the ConfigMap changed (`kubectl l5d-rotate check`)",
            );
        }
        if self.issuer.is_some() {
            warn(
                "restart-with-issuer",
                Plane::Data,
                "would restart in the same change as the issuer, and some may get one more leaf of the old one, as identity \
                 replicas load the Secret a minute or two later. That breaks nothing while the old anchor is in the bundle",
                "leave the restart to a change of its own, once every identity replica has loaded the issuer",
            );
        }
        let settings = self.settings.iter().map(|setting| Finding {
            weight: Weight::Unknown,
            code: "setting-changed",
            place: None,
            text: format!("the proposal changes {setting}, which is more than a change of certificates and is not judged here"),
            help: "make it in a change of its own, and follow Linkerd's guide for it".to_owned(),
        });
        found.extend(settings);
        found.extend(texts::copy(self, proposed));
        found
    }
}
