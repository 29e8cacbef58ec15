//! A record and a mesh brought together: what every rule of the plan asks.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::freshness::{Fresh, mounted_before};
use super::{Annotation, Phase, Record, RestartAnnotation};
use crate::mesh::{ChangeTime, Held, Known, Mesh, Plane, ProxyGroup, Replica, Workload, WorkloadId};
use crate::pki::{Bundle, Rules};
use crate::rotation::record::secret_chain;
use crate::rotation::worlds::{Broken, Worlds};

/// What a literal bundle is for this rotation.
#[derive(Debug, Clone, Copy, Default)]
struct Holding {
    /// It has the old anchors and the new one.
    both: bool,
    /// It has the new anchor and no other.
    new_only: bool,
}

/// The record, the mesh, the instant, and what follows from them.
pub(super) struct View<'a> {
    pub(super) record: &'a Record,
    pub(super) mesh: &'a Mesh,
    pub(super) at: Timestamp,
    restart: RestartAnnotation,
    /// Has `prune` been published?
    pub(super) pruned: bool,
    holdings: Vec<Holding>,
    by_workload: BTreeMap<WorkloadId, Vec<&'a ProxyGroup>>,
    worlds: OnceCell<Worlds>,
    swapped: OnceCell<(Worlds, Vec<Broken>)>,
}

impl<'a> View<'a> {
    pub(super) fn new(record: &'a Record, mesh: &'a Mesh, restart: RestartAnnotation, at: Timestamp) -> Self {
        let (both, new) = (record.anchors_of(Phase::Bundle), record.anchors_of(Phase::Prune));
        let holdings = mesh.bundles.iter().map(|text| match text.as_read_by(Rules::Proxy) {
            Ok(held) => Holding { both: is_within(&both, held), new_only: held.same_set(&new) },
            Err(_) => Holding::default(),
        });
        let holdings = holdings.collect();
        let by_workload = mesh.proxies_by_workload();
        let (worlds, swapped) = (OnceCell::new(), OnceCell::new());
        let pruned = record.is_pruned(mesh);
        Self { record, mesh, at, restart, pruned, holdings, by_workload, worlds, swapped }
    }

    /// What may be in use now.
    pub(super) fn worlds(&self) -> &Worlds {
        self.worlds.get_or_init(|| Worlds::of(self.mesh, Some(self.record), self.at))
    }

    /// What may be in use while and after the record's issuer is swapped in, and what does not hold then.
    pub(super) fn swapped_worlds(&self) -> &(Worlds, Vec<Broken>) {
        self.swapped.get_or_init(|| {
            let after = self.worlds().swapping(&self.record.issuer);
            let broken = after.broken(self.at);
            (after, broken)
        })
    }

    /// The restart annotation of a phase.
    pub(super) fn annotation(&self, phase: Phase) -> Annotation {
        Annotation::of(self.record, phase, self.restart)
    }

    /// Is a published or held bundle what `phase` wants: at least old and new, or exactly the new one?
    pub(super) fn suits(&self, phase: Phase, bundle: &Bundle) -> bool {
        let wanted = self.record.anchors_of(phase);
        if phase == Phase::Prune { bundle.same_set(&wanted) } else { is_within(&wanted, bundle) }
    }

    /// The same of the bundle that a group of proxies holds; `None` where it holds none.
    pub(super) fn group_suits(&self, phase: Phase, group: &ProxyGroup) -> Option<bool> {
        match group.held {
            Held::Literal(id) => {
                let holding = self.holdings.get(id.0).copied().unwrap_or_default();
                Some(if phase == Phase::Prune { holding.new_only } else { holding.both })
            }
            Held::ByReference | Held::Nothing => None,
        }
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

    /// Workloads of a plane, ordered by namespace, kind and name.
    pub(super) fn workloads(&self, plane: Plane) -> Vec<(WorkloadId, &'a Workload)> {
        let mut found: Vec<_> =
            self.mesh.workloads.iter().enumerate().filter(|(_, w)| w.plane == plane).collect();
        found.sort_by_key(|(_, w)| (&w.object.namespace, &w.object.kind, &w.object.name));
        found.into_iter().map(|(id, workload)| (WorkloadId(id), workload)).collect()
    }

    /// When the published bundle last changed.
    pub(super) fn bundle_changed(&self) -> ChangeTime {
        self.mesh.trust.published.as_option().map_or(ChangeTime::Unknown, |published| published.changed)
    }

    /// When the issuer Secret last changed.
    pub(super) fn secret_changed(&self) -> ChangeTime {
        self.mesh.issuer.as_option().map_or(ChangeTime::Unknown, |issuer| issuer.changed)
    }

    /// Does the Secret hold the record's issuer? `None` where the Secret is not known.
    pub(super) fn swapped(&self) -> Option<bool> {
        match &self.mesh.issuer {
            Known::Is(issuer) if issuer.from_secret => {
                Some(secret_chain(self.mesh).is_some_and(|chain| *chain == self.record.issuer))
            }
            Known::Absent => Some(false),
            Known::Is(_) | Known::Unknown(_) => None,
        }
    }

    /// Running containers of the control plane by these names.
    pub(super) fn replicas(&self, containers: &'static [&'static str]) -> impl Iterator<Item = &'a Replica> {
        let replicas = self.mesh.control_plane.replicas.iter();
        replicas.filter(move |replica| containers.contains(&replica.container.as_str()))
    }

    /// Since when every leaf is signed by the new issuer: the latest start of an `identity` container, where all of them are
    /// known to have started after the swap and the kubelet's lag. The Secret's time alone would not do: replicas reload it late,
    /// and sometimes never (linkerd2#15109). A replica that is moved later takes the place of one that nobody can ask any more:
    /// then proxies that started before it need that leafs of the old issuer run out, or one more restart.
    pub(super) fn signs_since(&self) -> Option<Timestamp> {
        let changed = self.secret_changed();
        let fresh = |replica: &Replica| mounted_before(replica.started, changed) == Fresh::Yes;
        let identity = || self.replicas(&["identity"]);
        (self.swapped() == Some(true) && identity().all(fresh))
            .then(|| identity().filter_map(|replica| replica.started).max())
            .flatten()
    }

    /// The instant after which no leaf of the old issuer is valid: issuance lifetime and clock skew after
    /// [`View::signs_since`] (`Validity.Window` in Linkerd's `pkg/tls`).
    pub(super) fn old_leafs_end(&self) -> Option<Timestamp> {
        self.signs_since().and_then(|since| since.checked_add(self.leaf_life()).ok())
    }

    /// How long a leaf is valid after it is issued.
    pub(super) fn leaf_life(&self) -> SignedDuration {
        let control_plane = &self.mesh.control_plane;
        control_plane.issuance_lifetime.0.saturating_add(control_plane.clock_skew.0)
    }
}

fn is_within(wanted: &Bundle, held: &Bundle) -> bool {
    wanted.anchors().iter().all(|anchor| held.contains(anchor))
}
