//! A record and a mesh brought together: what every rule of the plan asks.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::freshness::{Fresh, mounted_before};
use super::{Annotation, Leg, Phase, Record, Restarts, Stage, Step};
use crate::mesh::{ChangeTime, Held, Known, Mesh, Plane, ProxyGroup, Replica, Workload, WorkloadId};
use crate::pki::Rules;
use crate::rotation::course::overtaken;
use crate::rotation::record::{both_readings, readings, secret_chain};
use crate::rotation::worlds::{Broken, Mount, Worlds};
use crate::rotation::{Direction, Restarted, Strategy};

/// The record, the mesh, the instant, and what follows from them.
pub(super) struct View<'a> {
    pub(super) record: &'a Record,
    pub(super) mesh: &'a Mesh,
    pub(super) at: Timestamp,
    pub(super) restarts: Restarts,
    /// The phases in the order in which they are taken.
    pub(super) course: Vec<Leg>,
    /// By phase of the course: the later one that is published and takes anchors of it away.
    overtaken: Vec<Option<Phase>>,
    /// By literal bundle and phase of the course: is it what the phase leads to?
    suited: Vec<Vec<bool>>,
    by_workload: BTreeMap<WorkloadId, Vec<&'a ProxyGroup>>,
    worlds: OnceCell<Worlds>,
    swapped: Vec<OnceCell<(Worlds, Vec<Broken>)>>,
}

impl<'a> View<'a> {
    pub(super) fn new(record: &'a Record, mesh: &'a Mesh, restarts: Restarts, at: Timestamp) -> Self {
        let course = record.course();
        let suited = mesh.bundles.iter().map(|text| match text.as_read_by(Rules::Proxy) {
            Ok(held) => course.iter().map(|leg| leg.suits(held)).collect(),
            Err(_) => vec![false; course.len()],
        });
        Self {
            record,
            mesh,
            at,
            restarts,
            overtaken: (0..course.len())
                .map(|place| overtaken(&course, place, mesh).map(|later| later.phase))
                .collect(),
            suited: suited.collect(),
            by_workload: mesh.proxies_by_workload(),
            worlds: OnceCell::new(),
            swapped: course.iter().map(|_| OnceCell::new()).collect(),
            course,
        }
    }

    /// What may be in use now.
    pub(super) fn worlds(&self) -> &Worlds {
        self.worlds.get_or_init(|| Worlds::of(self.mesh, Some(self.record), self.at))
    }

    /// What may be in use while and after a phase's issuer is swapped in, and what does not hold then.
    pub(super) fn swapped_worlds(&self, leg: &Leg) -> Option<&(Worlds, Vec<Broken>)> {
        let chain = leg.swapped_in()?;
        let cell = self.swapped.get(self.place(leg))?;
        Some(cell.get_or_init(|| {
            let after = self.worlds().swapping(chain);
            let broken = after.broken(self.at);
            (after, broken)
        }))
    }

    /// The phase of a step of the course.
    pub(super) fn leg(&self, step: Step) -> &Leg {
        // Steps come from the course itself.
        self.course.iter().find(|leg| leg.phase == step.phase).unwrap_or(&self.course[0])
    }

    /// The phase of a step that takes published anchors away.
    pub(super) fn dropping(&self, step: Step) -> Option<&Leg> {
        Some(self.leg(step)).filter(|leg| step.stage == Stage::Trust && leg.drops)
    }

    /// Is what is in use over, and downtime taken for granted?
    pub(super) fn recovers(&self) -> bool {
        self.record.strategy == Strategy::Recover
    }

    /// What proxies that no cluster shows must do or have before a step.
    pub(super) fn need_outside(&self, step: Step) -> Option<String> {
        let leg = self.leg(step);
        match step.stage {
            Stage::Issuer
                if self.record.cross.is_some() && leg.swapped_in() == Some(&self.record.crossed()) =>
            {
                Some("hold the anchor that signed the cross certificate, or the new one".to_owned())
            }
            Stage::Issuer => Some(format!("hold {}", leg.anchors_name())),
            Stage::Trust if leg.drops => Some(format!("have leafs of {}", self.issuer_leg().issuer_name())),
            Stage::Trust | Stage::ControlPlane | Stage::DataPlane => None,
        }
    }

    /// The phase that swaps the issuer's certificate and key.
    pub(super) fn issuer_leg(&self) -> &Leg {
        self.course.iter().find(|leg| leg.phase == Phase::Issuer).unwrap_or(&self.course[0])
    }

    fn place(&self, leg: &Leg) -> usize {
        self.course.iter().position(|one| one.phase == leg.phase).unwrap_or_default()
    }

    /// Has a later phase been published that takes anchors of this one away?
    pub(super) fn is_overtaken(&self, leg: &Leg) -> bool {
        self.overtaken_by(leg).is_some()
    }

    /// The later phase that is published and takes anchors of this one away.
    pub(super) fn overtaken_by(&self, leg: &Leg) -> Option<Phase> {
        self.overtaken[self.place(leg)]
    }

    /// Is a phase over, whatever can still be seen of it? A later one has taken its anchors away, or put another chain of its
    /// issuer into the Secret; or on the way back, nothing has changed there since the rotation was started.
    pub(super) fn is_over(&self, leg: &Leg) -> bool {
        let swaps = leg.swapped_in();
        let rechained = |later: &Leg| {
            let chain = later.swapped_in().filter(|chain| Some(*chain) != swaps);
            chain.is_some() && chain == secret_chain(self.mesh) && self.is_published(later)
        };
        let later = &self.course[self.place(leg) + 1..];
        match swaps {
            Some(_) => later.iter().any(rechained) || self.secret_is_untouched(),
            None => self.is_overtaken(leg) || self.bundle_is_untouched(),
        }
    }

    /// On the way back: did the rotation never change the published bundle? The time alone would not do: who started it may have a
    /// clock that is ahead of the API server's.
    fn bundle_is_untouched(&self) -> bool {
        let published = self.mesh.trust.published.as_option();
        let is_old = published.is_none_or(|text| readings(text).all(|held| held.is_within(&self.record.old)));
        is_old && self.is_untouched(self.bundle_changed())
    }

    /// The same of the issuer Secret.
    fn secret_is_untouched(&self) -> bool {
        let is_new = secret_chain(self.mesh).is_some_and(|chain| chain.issuer == self.record.issuer.issuer);
        !is_new && self.is_untouched(self.secret_changed())
    }

    fn is_untouched(&self, changed: ChangeTime) -> bool {
        self.record.direction == Direction::Back && !self.record.went_back(changed)
    }

    /// Is what a phase publishes published?
    pub(super) fn is_published(&self, leg: &Leg) -> bool {
        let published = self.mesh.trust.published.as_option();
        published.is_some_and(|published| both_readings(published, |bundle| leg.is_published_as(bundle)))
    }

    /// Does a container that reads the published bundle when it starts hold what a phase leads to, as it started before the
    /// rotation changed anything?
    pub(super) fn suits_since_before(&self, leg: &Leg, started: Option<Timestamp>) -> bool {
        self.record.direction == Direction::Back
            && started.is_some_and(|started| started < self.record.started)
            && leg.suits(&self.record.old)
    }

    /// The restart annotation of a phase.
    pub(super) fn annotation(&self, leg: &Leg) -> Annotation {
        Annotation::of(leg, self.record, self.restarts.annotation)
    }

    /// Is the bundle that a group of proxies holds what a phase leads to? `None` where it holds none.
    pub(super) fn group_suits(&self, leg: &Leg, group: &ProxyGroup) -> Option<bool> {
        match group.held {
            Held::Literal(id) => Some(self.suited.get(id.0).is_some_and(|suited| suited[self.place(leg)])),
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

    /// When the published bundle last changed.
    pub(super) fn bundle_changed(&self) -> ChangeTime {
        self.mesh.trust.published.as_option().map_or(ChangeTime::Unknown, |published| published.changed)
    }

    /// When the issuer Secret last changed.
    pub(super) fn secret_changed(&self) -> ChangeTime {
        self.mesh.issuer.as_option().map_or(ChangeTime::Unknown, |issuer| issuer.changed)
    }

    /// Does the Secret hold the chain that a phase swaps in? `None` where the Secret is not known.
    pub(super) fn swapped(&self, leg: &Leg) -> Option<bool> {
        match &self.mesh.issuer {
            Known::Is(issuer) if issuer.from_secret => Some(secret_chain(self.mesh) == leg.swapped_in()),
            Known::Absent => Some(false),
            Known::Is(_) | Known::Unknown(_) => None,
        }
    }

    /// Does the Secret hold the issuer that the rotation leads to, whatever stands behind it?
    fn holds_issuer(&self) -> bool {
        let wanted = self.issuer_leg().swapped_in().map(|chain| &chain.issuer);
        secret_chain(self.mesh).map(|chain| &chain.issuer) == wanted
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
        let mount = Mount::of_issuer(self.mesh);
        let fresh = |replica: &Replica| mounted_before(replica.started, mount) == Fresh::Yes;
        let identity = || self.replicas(&["identity"]);
        (self.holds_issuer() && identity().all(fresh))
            .then(|| identity().filter_map(|replica| replica.started).max())
            .flatten()
    }

    /// The instant after which no leaf of the old issuer is valid: issuance lifetime and clock skew after
    /// [`View::signs_since`] (`Validity.Window` in Linkerd's `pkg/tls`).
    pub(super) fn old_leafs_end(&self) -> Option<Timestamp> {
        self.signs_since().and_then(|since| since.checked_add(self.leaf_life()).ok())
    }

    /// How long a leaf is valid after it is issued.
    pub(super) const fn leaf_life(&self) -> SignedDuration {
        self.mesh.control_plane.leaf_life()
    }
}
