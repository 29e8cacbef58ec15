//! A record and a mesh brought together: what every rule of the plan asks.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Annotation, Phase, PhaseSpec, Record, Restarts, Stage, Step};
use crate::finding::{AnchorRole, Need, RotationAnchors};
use crate::linkerd;
use crate::mesh::{
    Change, ChangeTime, Held, Known, Mesh, Plane, ProxyGroup, Read, Replica, Workload, WorkloadId,
};
use crate::pki::{Bundle, Rules, accepts};
use crate::rotation::phases::superseded;
use crate::rotation::{Direction, Restarted, Strategy};
use crate::states::{History, States, Violation};

/// The record, the mesh, the instant, and what follows from them.
pub(super) struct View<'a> {
    pub(super) record: &'a Record,
    pub(super) mesh: &'a Mesh,
    pub(super) at: Timestamp,
    pub(super) restarts: Restarts,
    /// The last change of the published bundle.
    pub(super) bundle: Change,
    /// The last change of the issuer Secret.
    pub(super) issuer: Change,
    /// The phases in the order in which they are taken.
    pub(super) phases: Vec<PhaseSpec>,
    /// By phase: the later one that is published and takes anchors of it away.
    superseded: Vec<Option<Phase>>,
    /// By literal bundle and phase: is it what the phase leads to?
    suited: Vec<Vec<bool>>,
    by_workload: BTreeMap<WorkloadId, Vec<&'a ProxyGroup>>,
    history: History,
    states: OnceCell<States>,
    swapped: Vec<OnceCell<(States, Vec<Violation>)>>,
}

impl<'a> View<'a> {
    pub(super) fn new(record: &'a Record, mesh: &'a Mesh, restarts: Restarts, at: Timestamp) -> Self {
        let phases = record.phases();
        let suited = mesh.bundles.iter().map(|text| match text.as_read_by(Rules::Proxy) {
            Ok(held) => phases.iter().map(|spec| spec.suits(held)).collect(),
            Err(_) => vec![false; phases.len()],
        });
        Self {
            record,
            mesh,
            at,
            restarts,
            bundle: mesh.bundle_change(),
            issuer: mesh.issuer_change(),
            superseded: (0..phases.len())
                .map(|place| superseded(&phases, place, mesh).map(|later| later.phase))
                .collect(),
            suited: suited.collect(),
            by_workload: mesh.proxies_by_workload(),
            history: record.history(),
            states: OnceCell::new(),
            swapped: phases.iter().map(|_| OnceCell::new()).collect(),
            phases,
        }
    }

    /// What may be in use now.
    pub(super) fn states(&self) -> &States {
        self.states.get_or_init(|| States::of(self.mesh, Some(&self.history), self.at))
    }

    /// What may be in use once controllers sign with a phase's issuer, and what does not hold then.
    pub(super) fn swapped_states(&self, spec: &PhaseSpec) -> Option<&(States, Vec<Violation>)> {
        let chain = spec.swapped_in()?;
        let cell = self.swapped.get(self.place(spec))?;
        Some(cell.get_or_init(|| {
            let after = self.states().swapping_for_all(chain);
            let violations = after.violations(self.at);
            (after, violations)
        }))
    }

    /// The phase of a step.
    pub(super) fn spec(&self, step: Step) -> &PhaseSpec {
        // Steps come from the phases themselves.
        self.phases.iter().find(|spec| spec.phase == step.phase).unwrap_or(&self.phases[0])
    }

    /// The phase of a step that takes published anchors away.
    pub(super) fn dropping(&self, step: Step) -> Option<&PhaseSpec> {
        Some(self.spec(step)).filter(|spec| step.stage == Stage::Trust && spec.drops)
    }

    /// Has what is in use expired, so that downtime is taken for granted?
    pub(super) fn recovers(&self) -> bool {
        self.record.strategy == Strategy::Recover
    }

    /// Has the cross certificate expired, and every workload certificate with it, while the published anchors accept the new issuer
    /// without it? Then `remove-cross` comes first, and everything restarts.
    pub(super) fn cross_gives_way(&self) -> bool {
        let expired = self.record.cross.as_ref().is_some_and(|cross| cross.is_expired_at(self.at));
        let published = self.mesh.trust.published.as_option();
        let anchors = published.and_then(|published| published.text.as_read_by(Rules::Controller).ok());
        expired
            && self.record.direction == Direction::Forward
            && self.has_only_new_certificates()
            && anchors.is_some_and(|anchors| {
                let (chain, name) = (&self.record.issuer, self.mesh.identity_name());
                accepts(anchors, chain, &name, self.at, Rules::Controller).is_ok()
            })
    }

    /// Is the new issuer in place, and nobody left with a valid certificate of another?
    fn has_only_new_certificates(&self) -> bool {
        let issuer = &self.record.issuer.issuer;
        let in_place = self.mesh.secret_chain().is_some_and(|chain| chain.issuer == *issuer);
        in_place
            && self
                .states()
                .presented
                .iter()
                .all(|held| held.what.issuer == *issuer || held.until.is_some_and(|end| end < self.at))
    }

    /// Is a step one of those that take an expired cross certificate away?
    pub(super) fn takes_cross_away(&self, step: Step) -> bool {
        step.phase == Phase::RemoveCross && self.cross_gives_way()
    }

    /// When the cross certificate was taken away, where that was after it had expired: whoever started before has no workload
    /// certificate.
    pub(super) fn certificates_since(&self) -> Option<Timestamp> {
        let cross = self.record.cross.as_ref().filter(|_| self.cross_gives_way())?;
        let ChangeTime::At(changed) = self.issuer.at else { return None };
        let is_gone = self.mesh.secret_chain() == Some(&self.record.issuer);
        (is_gone && changed > cross.facts().not_after).then_some(changed)
    }

    /// What proxies that no cluster shows must have before a step.
    pub(super) fn need_outside(&self, step: Step) -> Option<Need> {
        let spec = self.spec(step);
        match step.stage {
            Stage::Signer | Stage::Issuer
                if self.record.cross.is_some()
                    && spec.swapped_in() == Some(&self.record.chain_with_cross()) =>
            {
                Some(Need::AnchorOfCross)
            }
            Stage::Signer | Stage::Issuer => Some(Need::Anchors(self.brought())),
            Stage::Trust if spec.drops => Some(Need::Certificates(self.issuer_phase().issuer_role())),
            Stage::Trust | Stage::ControlPlane | Stage::DataPlane | Stage::Objects => None,
        }
    }

    /// The anchors that the rotation brings.
    pub(super) fn brought(&self) -> RotationAnchors {
        match (self.record.direction, self.record.anchor()) {
            (Direction::Forward, Some(anchor)) => RotationAnchors::new(AnchorRole::New, &Bundle::of(anchor)),
            (Direction::Forward, None) => RotationAnchors::new(AnchorRole::Present, &self.record.old),
            (Direction::Rollback, _) => RotationAnchors::new(AnchorRole::Old, &self.record.old),
        }
    }

    /// The anchors that the rotation takes away in the end.
    pub(super) fn dropped(&self) -> RotationAnchors {
        match (self.record.direction, self.record.anchor()) {
            (Direction::Rollback, Some(anchor)) => RotationAnchors::new(AnchorRole::New, &Bundle::of(anchor)),
            _ => RotationAnchors::new(AnchorRole::Old, &self.record.old),
        }
    }

    /// The phase that swaps the issuer's certificate and key.
    pub(super) fn issuer_phase(&self) -> &PhaseSpec {
        self.phases.iter().find(|spec| spec.phase == Phase::Issuer).unwrap_or(&self.phases[0])
    }

    fn place(&self, spec: &PhaseSpec) -> usize {
        self.phases.iter().position(|one| one.phase == spec.phase).unwrap_or_default()
    }

    /// Has a later phase been published that takes anchors of this one away?
    pub(super) fn is_superseded(&self, spec: &PhaseSpec) -> bool {
        self.superseded_by(spec).is_some()
    }

    /// The later phase that is published and takes anchors of this one away.
    pub(super) fn superseded_by(&self, spec: &PhaseSpec) -> Option<Phase> {
        self.superseded[self.place(spec)]
    }

    /// Is nothing left of a phase, whatever can still be seen of it? A later one has taken its anchors away, or put another chain
    /// of its issuer into the Secret; or in a rollback, nothing has changed there since the rotation was started.
    pub(super) fn is_past(&self, spec: &PhaseSpec) -> bool {
        let swaps = spec.swapped_in();
        let rechained = |later: &PhaseSpec| {
            let chain = later.swapped_in().filter(|chain| Some(*chain) != swaps);
            chain.is_some() && chain == self.mesh.secret_chain() && self.is_published(later)
        };
        let later = &self.phases[self.place(spec) + 1..];
        match swaps {
            Some(_) => later.iter().any(rechained) || self.secret_is_untouched(),
            None => self.is_superseded(spec) || self.bundle_is_untouched(),
        }
    }

    /// In a rollback: did the rotation never change the published bundle? The time alone would not do: who started it may have a
    /// clock that is ahead of the API server's.
    fn bundle_is_untouched(&self) -> bool {
        let published = self.mesh.trust.published.as_option();
        let is_old =
            published.is_none_or(|text| text.readings().all(|held| held.is_within(&self.record.old)));
        is_old && self.is_untouched(self.bundle.at)
    }

    /// The same of the issuer Secret.
    fn secret_is_untouched(&self) -> bool {
        let is_new = self.mesh.secret_chain().is_some_and(|chain| chain.issuer == self.record.issuer.issuer);
        !is_new && self.is_untouched(self.issuer.at)
    }

    fn is_untouched(&self, changed: ChangeTime) -> bool {
        self.record.direction == Direction::Rollback && !self.history.was_rolled_back(changed)
    }

    /// Is what a phase publishes published?
    pub(super) fn is_published(&self, spec: &PhaseSpec) -> bool {
        let published = self.mesh.trust.published.as_option();
        published.is_some_and(|published| published.both_readings(|bundle| spec.is_published_as(bundle)))
    }

    /// Does a container that reads the published bundle when it starts hold what a phase leads to, as it started before the
    /// rotation changed anything?
    pub(super) fn suits_since_before(&self, spec: &PhaseSpec, started: Option<Timestamp>) -> bool {
        self.record.direction == Direction::Rollback
            && started.is_some_and(|started| started < self.record.started)
            && spec.suits(&self.record.old)
    }

    /// The restart annotation of a step.
    pub(super) fn annotation(&self, spec: &PhaseSpec, stage: Stage) -> Annotation {
        Annotation::of(spec, stage, self.record, self.restarts.annotation)
    }

    /// Is the bundle that a group of proxies holds what a phase leads to? `None` where it holds none.
    pub(super) fn group_suits(&self, spec: &PhaseSpec, group: &ProxyGroup) -> Option<bool> {
        match group.held {
            Held::Literal(id) => Some(self.suited.get(id.0).is_some_and(|suited| suited[self.place(spec)])),
            Held::ByReference | Held::Nothing => None,
        }
    }

    /// Groups that a step restarts.
    pub(super) fn restarted(&self, restarted: Restarted) -> impl Iterator<Item = &'a ProxyGroup> {
        let mesh = self.mesh;
        mesh.proxies
            .iter()
            .filter(move |group| group.held != Held::Nothing && restarted.has(mesh.workload(group.workload)))
    }

    /// Groups of a plane that hold a bundle at all.
    pub(super) fn groups(&self, plane: Plane) -> impl Iterator<Item = &'a ProxyGroup> {
        self.mesh.proxies.iter().filter(move |group| group.plane == plane && group.held != Held::Nothing)
    }

    /// The same of one workload.
    pub(super) fn groups_of(&self, workload: WorkloadId) -> impl Iterator<Item = &'a ProxyGroup> {
        let groups = self.by_workload.get(&workload).into_iter().flatten().copied();
        groups.filter(|group| group.held != Held::Nothing)
    }

    /// Workloads that a step restarts, ordered by namespace, kind and name.
    pub(super) fn workloads(&self, restarted: Restarted) -> Vec<(WorkloadId, &'a Workload)> {
        let mut found: Vec<_> =
            self.mesh.workloads.iter().enumerate().filter(|(_, w)| restarted.has(w)).collect();
        found.sort_by_key(|(_, w)| (&w.object.namespace, &w.object.kind, &w.object.name));
        found.into_iter().map(|(id, workload)| (WorkloadId(id), workload)).collect()
    }

    /// Does the Secret hold the chain that a phase swaps in? `None` where the Secret is not known.
    pub(super) fn swapped(&self, spec: &PhaseSpec) -> Option<bool> {
        match &self.mesh.issuer {
            Known::Is(issuer) if issuer.from_secret => Some(self.mesh.secret_chain() == spec.swapped_in()),
            Known::Absent => Some(false),
            Known::Is(_) | Known::Unknown(_) => None,
        }
    }

    /// Does the Secret hold the issuer that the rotation leads to, whatever stands behind it?
    fn holds_issuer(&self) -> bool {
        let wanted = self.issuer_phase().swapped_in().map(|chain| &chain.issuer);
        self.mesh.secret_chain().map(|chain| &chain.issuer) == wanted
    }

    /// Running containers of the control plane by these names.
    pub(super) fn replicas(&self, containers: &'static [&'static str]) -> impl Iterator<Item = &'a Replica> {
        let replicas = self.mesh.control_plane.replicas.iter();
        replicas.filter(move |replica| containers.contains(&replica.container.as_str()))
    }

    /// Since when every workload certificate is signed by the new issuer: the latest start of an `identity` container, where all of them are
    /// known to have started after the swap and the kubelet's lag. The Secret's time alone would not do: replicas reload it late,
    /// and sometimes never (linkerd2#15109). A replica that is moved later takes the place of one that nobody can ask any more:
    /// then proxies that started before it need that certificates of the old issuer expire, or one more restart.
    pub(super) fn signs_since(&self) -> Option<Timestamp> {
        let fresh = |replica: &Replica| self.issuer.by_mount(replica.started, replica.made) == Read::After;
        let identity = || self.replicas(&[linkerd::IDENTITY_CONTAINER]);
        (self.holds_issuer() && identity().all(fresh))
            .then(|| identity().filter_map(|replica| replica.started).max())
            .flatten()
    }

    /// The instant after which no workload certificate of the old issuer is valid: issuance lifetime and clock skew after
    /// [`View::signs_since`] (`Validity.Window` in Linkerd's `pkg/tls`).
    pub(super) fn old_certificates_expire(&self) -> Option<Timestamp> {
        self.signs_since().and_then(|since| since.checked_add(self.workload_certificate_lifetime()).ok())
    }

    /// How long a workload certificate is valid after it is issued.
    pub(super) const fn workload_certificate_lifetime(&self) -> SignedDuration {
        self.mesh.control_plane.workload_certificate_lifetime()
    }
}
