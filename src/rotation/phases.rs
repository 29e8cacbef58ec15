//! The phases of a rotation: what is published and what issues workload certificates once each of its phases is done.

use super::{Direction, Managed, Phase, Record, Scope, Stage, Step, Strategy};
use crate::finding::IssuerRole;
use crate::mesh::{Mesh, Plane, Workload};
use crate::pki::{Bundle, IssuerChain};
use crate::states::History;

/// A phase with its steps, and what it leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseSpec {
    /// Which phase.
    pub phase: Phase,
    /// What its steps touch, in order.
    pub stages: &'static [Stage],
    /// The anchors that are published once it is through.
    pub bundle: Bundle,
    /// The anchors that a proxy holds at least once it is through; exactly these where it [`drops`](Self::drops) some.
    pub held: Bundle,
    /// Does it take away anchors that were published before it?
    pub drops: bool,
    /// The chain in the issuer Secret once it is through, where it is known.
    pub issuer: Option<IssuerChain>,
    /// Must restarted workloads load a bundle that no phase before it restarted them for?
    pub restarts_for_bundle: bool,
    direction: Direction,
}

/// Whom a step restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restarted {
    /// The whole control plane.
    ControlPlane,
    /// The whole data plane.
    DataPlane,
    /// The identity controller: first, since whoever restarts with it may still get a certificate from a replica that it replaces.
    Identity,
    /// Everything else.
    AllButIdentity,
}

impl Restarted {
    /// Is a workload among them?
    #[must_use]
    pub fn has(self, workload: &Workload) -> bool {
        match self {
            Self::ControlPlane => workload.plane == Plane::Control,
            Self::DataPlane => workload.plane == Plane::Data,
            Self::Identity => workload.is_identity_controller(),
            Self::AllButIdentity => !workload.is_identity_controller(),
        }
    }
}

/// What is published and issued between two phases.
struct Target {
    bundle: Bundle,
    issuer: Option<IssuerChain>,
}

const TRUST: &[Stage] = &[Stage::Trust, Stage::ControlPlane, Stage::DataPlane];
const SIGNER: &[Stage] = &[Stage::Signer, Stage::Issuer, Stage::ControlPlane, Stage::DataPlane];
const ISSUER: &[Stage] = &[Stage::Issuer, Stage::ControlPlane, Stage::DataPlane];
const OBJECTS: &[Stage] = &[Stage::Objects];

impl Record {
    /// The phases in the order in which they are taken.
    #[must_use]
    pub fn phases(&self) -> Vec<PhaseSpec> {
        let (phases, targets): (Vec<_>, Vec<_>) = self.forward().into_iter().unzip();
        let targets: Vec<_> =
            std::iter::once(Target { bundle: self.old.clone(), issuer: self.old_issuer.clone() })
                .chain(targets)
                .collect();
        let specs = phases.into_iter().zip(targets.windows(2));
        let spec = |((phase, stages), pair): ((Phase, &'static [Stage]), &[Target])| {
            let (from, to) = match self.direction {
                Direction::Forward => (&pair[0], &pair[1]),
                Direction::Rollback => (&pair[1], &pair[0]),
            };
            let drops = !from.bundle.is_within(&to.bundle);
            // Who never loaded what is rolled back lacks nothing.
            let brings_back = self.direction == Direction::Rollback && !to.bundle.is_within(&from.bundle);
            let held = if brings_back { &self.old } else { &to.bundle };
            PhaseSpec {
                phase,
                stages,
                bundle: to.bundle.clone(),
                held: held.clone(),
                drops,
                issuer: to.issuer.clone(),
                restarts_for_bundle: stages[0] == Stage::Trust
                    || self.strategy == Strategy::Recover && self.anchor().is_some(),
                direction: self.direction,
            }
        };
        let mut phases: Vec<_> = specs.map(spec).collect();
        if self.direction == Direction::Rollback {
            phases.reverse();
        }
        phases
    }

    /// Each phase with its stages, and what it leads to.
    fn forward(&self) -> Vec<((Phase, &'static [Stage]), Target)> {
        let old = || self.old.clone();
        let new = || self.anchor().map_or_else(old, Bundle::of);
        let both = || self.anchor().map_or_else(old, |anchor| self.old.union(std::slice::from_ref(anchor)));
        let issuer = || Some(self.issuer.clone());
        let phase = |phase, stages, bundle, issuer| ((phase, stages), Target { bundle, issuer });
        match (&self.scope, self.strategy) {
            (Scope::IssuerOnly, _) => vec![phase(Phase::Issuer, ISSUER, old(), issuer())],
            (Scope::Awaited, _) => vec![phase(Phase::Bundle, &TRUST[..1], old(), self.old_issuer.clone())],
            (Scope::Full { .. }, Strategy::Staged | Strategy::Patient | Strategy::Managed) => {
                let mut phases = vec![
                    phase(Phase::Bundle, TRUST, both(), self.old_issuer.clone()),
                    phase(Phase::Issuer, if self.keeps_signer() { SIGNER } else { ISSUER }, both(), issuer()),
                    phase(Phase::Prune, TRUST, new(), issuer()),
                ];
                if self.removes_objects() {
                    phases.push(phase(Phase::RemoveOld, OBJECTS, new(), issuer()));
                }
                phases
            }
            (Scope::Full { .. }, Strategy::CrossSigned) => vec![
                phase(Phase::Issuer, ISSUER, old(), Some(self.chain_with_cross())),
                phase(Phase::Prune, TRUST, new(), Some(self.chain_with_cross())),
                phase(Phase::RemoveCross, &ISSUER[..2], new(), issuer()),
            ],
            (Scope::Full { .. }, Strategy::Recover) => vec![
                phase(Phase::Bundle, &TRUST[..1], new(), self.old_issuer.clone()),
                phase(Phase::Issuer, ISSUER, new(), issuer()),
            ],
        }
    }

    /// Does cert-manager's Certificate of the old anchor go in the end, and the Issuer that signs with it? Not on a rollback: it
    /// needs them.
    fn removes_objects(&self) -> bool {
        let are_others = |managed: &Managed| managed.old.made().is_some() && managed.old != managed.new;
        self.direction == Direction::Forward && self.managed.as_ref().is_some_and(are_others)
    }

    /// What this rotation publishes and issues, as the possible states need it.
    #[must_use]
    pub fn history(&self) -> History {
        History {
            entries: self.targets().collect(),
            added: self.anchor().cloned(),
            rolled_back_since: (self.direction == Direction::Rollback).then_some(self.started),
        }
    }

    /// What is published and what is in the Secret in its phases, from the old anchors and issuer on, in either direction.
    pub(super) fn targets(&self) -> impl Iterator<Item = (Bundle, Option<IssuerChain>)> {
        let forward = self.forward().into_iter().map(|(_, target)| (target.bundle, target.issuer));
        std::iter::once((self.old.clone(), self.old_issuer.clone())).chain(forward)
    }

    /// The new issuer followed by the cross certificate, which whoever holds only the old anchor needs.
    #[must_use]
    pub fn chain_with_cross(&self) -> IssuerChain {
        let IssuerChain { issuer, intermediates } = self.issuer.clone();
        let intermediates = intermediates.into_iter().chain(self.cross.clone()).collect();
        IssuerChain { issuer, intermediates }
    }

    /// The steps of this rotation in order.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.phases().iter().flat_map(PhaseSpec::steps).collect()
    }

    /// The anchors that are published once a phase is through, by the record alone; the old ones for a phase that this
    /// rotation does not have.
    #[must_use]
    pub fn anchors_of(&self, phase: Phase) -> Bundle {
        self.phases()
            .into_iter()
            .find(|spec| spec.phase == phase)
            .map_or_else(|| self.old.clone(), |spec| spec.bundle)
    }

    /// The bundle that a phase publishes. Until a phase takes anchors away nothing is dropped that the mesh publishes, even if
    /// the record does not know it; and once a later phase has taken anchors away, no earlier one publishes them again.
    #[must_use]
    pub fn bundle_for(&self, phase: Phase, mesh: &Mesh) -> Bundle {
        let phases = self.phases();
        let Some(place) = phases.iter().position(|spec| spec.phase == phase) else { return self.old.clone() };
        let spec = &phases[place];
        let keeps = phases[..=place].iter().all(|spec| !spec.drops);
        match mesh.trust.published.as_option() {
            _ if let Some(later) = superseded(&phases, place, mesh) => later.bundle.clone(),
            Some(published) if keeps => Bundle::new(published.readings().flat_map(Bundle::anchors).cloned())
                .map_or_else(|| spec.bundle.clone(), |published| published.union(spec.bundle.anchors())),
            _ => spec.bundle.clone(),
        }
    }
}

/// The later phase whose bundle the mesh publishes, if that lacks anchors of the phase at `place`, with the issuer Secret not
/// known to hold another issuer than the later phase's: then nothing is left of the phase at `place`.
pub(super) fn superseded<'a>(phases: &'a [PhaseSpec], place: usize, mesh: &Mesh) -> Option<&'a PhaseSpec> {
    let published = mesh.trust.published.as_option()?;
    let secret = mesh.secret_chain().map(|chain| &chain.issuer);
    let is_there = |spec: &&PhaseSpec| {
        let other_issuer =
            secret.zip(spec.issuer.as_ref()).is_some_and(|(secret, chain)| *secret != chain.issuer);
        published.both_readings(|bundle| bundle.same_set(&spec.bundle)) && !other_issuer
    };
    let drops = |spec: &&PhaseSpec| !phases[place].bundle.is_within(&spec.bundle);
    phases[place + 1..].iter().filter(drops).find(is_there)
}

impl PhaseSpec {
    /// Its steps in order.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.stages.iter().map(|stage| Step { phase: self.phase, stage: *stage }).collect()
    }

    /// Whom the step over a stage restarts.
    #[must_use]
    pub fn restarts(&self, stage: Stage) -> Option<Restarted> {
        match (stage, self.swapped_in().is_some()) {
            (Stage::Trust | Stage::Signer | Stage::Issuer | Stage::Objects, _) => None,
            (Stage::ControlPlane, false) => Some(Restarted::ControlPlane),
            (Stage::DataPlane, false) => Some(Restarted::DataPlane),
            (Stage::ControlPlane, true) => Some(Restarted::Identity),
            (Stage::DataPlane, true) => Some(Restarted::AllButIdentity),
        }
    }

    /// Is a bundle what a proxy shall hold once this phase is through?
    #[must_use]
    pub fn suits(&self, bundle: &Bundle) -> bool {
        if self.drops { bundle.same_set(&self.held) } else { self.held.is_within(bundle) }
    }

    /// Is a bundle what shall be published once this phase is through?
    #[must_use]
    pub fn is_published_as(&self, bundle: &Bundle) -> bool {
        if self.drops { bundle.same_set(&self.bundle) } else { self.bundle.is_within(bundle) }
    }

    /// The chain that its step over the issuer Secret puts there.
    #[must_use]
    pub fn swapped_in(&self) -> Option<&IssuerChain> {
        self.issuer.as_ref().filter(|_| self.stages.contains(&Stage::Issuer))
    }

    /// Forward, or rolled back.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// Which of the rotation's issuers it puts into the Secret.
    #[must_use]
    pub const fn issuer_role(&self) -> IssuerRole {
        match (self.phase, self.direction) {
            (Phase::RemoveCross, Direction::Forward) => IssuerRole::NewWithoutCross,
            (Phase::RemoveCross, Direction::Rollback) => IssuerRole::NewWithCross,
            (_, Direction::Forward) => IssuerRole::New,
            (_, Direction::Rollback) => IssuerRole::Old,
        }
    }

    /// Which of them it replaces.
    #[must_use]
    pub const fn replaced_issuer(&self) -> IssuerRole {
        match self.direction {
            Direction::Forward => IssuerRole::Old,
            Direction::Rollback => IssuerRole::New,
        }
    }

    /// Its place among the phases of both directions: no two have the same.
    #[must_use]
    pub const fn rank(&self) -> i64 {
        let phase = self.phase as i64;
        match self.direction {
            Direction::Forward => phase,
            Direction::Rollback => 2 * Phase::ALL.len() as i64 - 1 - phase,
        }
    }
}
