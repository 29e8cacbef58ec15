//! The possible states of an observed mesh.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::States;
use super::class::{Class, Classes, May};
use super::history::{History, Past};
use super::violations::{is_strange, rejects};
use crate::finding::{InputFact, Pods};
use crate::linkerd;
use crate::mesh::{
    Doubt, Era, Held, Known, Mesh, ProxyGroup, Read, Replica, Starts, Workload, WorkloadId, handed_over,
};
use crate::pki::{Identity, Rules};

/// Of somebody who was not seen, nothing tells when they started.
const NOT_KNOWN: Read = Read::Perhaps(Doubt::StartUnknown);

/// The mesh while its states are found.
struct Seen<'a> {
    mesh: &'a Mesh,
    history: Option<&'a History>,
    /// Whom verifiers ask for.
    identity_name: Identity,
    classes: Classes,
    issuer: Past,
    /// Is what every identity replica may sign with among its possibilities?
    closed: bool,
    unseen: Vec<InputFact>,
}

impl States {
    /// What may be in use in `mesh` at `at`. A history adds what was published and issued before.
    #[must_use]
    pub fn of(mesh: &Mesh, history: Option<&History>, at: Timestamp) -> Self {
        let control_plane = &mesh.control_plane;
        let identity = mesh.workloads.iter().position(Workload::is_identity_controller).map(WorkloadId);
        let (lifetime, reloads) =
            (control_plane.workload_certificate_lifetime(), control_plane.era != Era::V2_6);
        let mut classes = Classes::new(at, lifetime, reloads, identity);
        let issuer = Past::of_issuer(&mut classes, mesh, history);
        let identity_name = mesh.identity_name();
        let mut seen =
            Seen { mesh, history, identity_name, classes, issuer, closed: true, unseen: Vec::new() };
        seen.pods();
        seen.held();
        seen.signing();
        seen.presented();
        seen.outside();
        seen.states()
    }
}

impl Seen<'_> {
    fn pods(&mut self) {
        match &self.mesh.pods {
            Known::Is(()) => {}
            Known::Absent => self.unseen.push(InputFact::PodsNotGiven),
            Known::Unknown(why) => self.unseen.push(InputFact::PodsUnknown { why: why.clone() }),
        }
    }

    /// What proxies hold: literal bundles are known, by-reference ones follow from the times.
    fn held(&mut self) {
        let past = Past::of_bundle(&mut self.classes, self.mesh, self.history, Rules::Proxy);
        if past.now.is_none() {
            self.unseen.push(InputFact::BundleNotKnown { place: self.mesh.bundle_place() });
        }
        let mut older = false;
        for group in self.mesh.proxies.iter().filter(|group| group.count() > 0) {
            match group.held {
                Held::Nothing => {}
                Held::Literal(_) => self.literal(group),
                Held::ByReference => {
                    for (when, count) in
                        split(&group.starts, |started| past.change.by_environment(started, group.made))
                    {
                        older |= past.open && when != Read::After;
                        let class = class(self.mesh, group, count, past.held(when));
                        self.classes.held.push(class);
                    }
                }
            }
        }
        if older {
            self.unseen.push(InputFact::EarlierBundleNotKnown { place: self.mesh.bundle_place() });
        }
        if !matches!(self.mesh.pods, Known::Is(())) {
            self.classes.held.push(Class::unseen(unsure(past.held(NOT_KNOWN))));
        }
    }

    fn literal(&mut self, group: &ProxyGroup) {
        match self.mesh.literal_bundle(&group.held).map(|text| text.as_read_by(Rules::Proxy)) {
            Some(Ok(bundle)) => {
                let at = self.classes.bundle_at(bundle);
                self.classes.held.push(class(self.mesh, group, group.count(), vec![(at, true)]));
            }
            Some(Err(defect)) => self.unseen.push(InputFact::HeldBundleUnreadable {
                pods: Pods::of(self.mesh, std::iter::once(group)),
                defect: defect.clone(),
            }),
            None => {}
        }
    }

    /// What identity replicas have loaded.
    fn signing(&mut self) {
        let past = Past::of_bundle(&mut self.classes, self.mesh, self.history, Rules::Controller);
        let literal = self.identity_literals();
        let read = |when| if literal.is_empty() { past.held(when) } else { literal.clone() };
        let workload = self.identity();
        let mesh = self.mesh;
        for replica in identity_replicas(mesh) {
            let read_at = past.change.by_mount(replica.started, replica.made);
            let bundles = read(read_at);
            let open = past.open && read_at != Read::After && literal.is_empty();
            let when = self.issuer.change.by_mount(replica.started, replica.made);
            let may = self.pairs(&bundles, open, when);
            self.closed &= !may.is_empty() && (!open || when == Read::After);
            let sample = vec![format!("{}/{}", mesh.control_plane.namespace, replica.pod)];
            self.classes.signing.push(Class { workload, count: 1, sample, may });
        }
        if self.classes.signing.is_empty() || !matches!(mesh.pods, Known::Is(())) {
            self.unseen.push(InputFact::IdentityControllersNotSeen);
            self.closed = false;
            let may = unsure(self.pairs(&unsure(read(NOT_KNOWN)), true, NOT_KNOWN));
            self.classes.signing.push(Class::unseen(may));
        }
    }

    /// The workload of the identity controller.
    const fn identity(&self) -> Option<WorkloadId> {
        self.classes.identity
    }

    /// 2.9 and 2.10 give the identity controller its bundle in the template, beside its proxy's literal one.
    fn identity_literals(&mut self) -> May<usize> {
        if self.mesh.trust.identity.is_none() {
            return Vec::new();
        }
        let identity = self.identity();
        let groups =
            self.mesh.proxies.iter().filter(|group| Some(group.workload) == identity && group.count() > 0);
        let texts: Vec<_> = groups.filter_map(|group| self.mesh.literal_bundle(&group.held)).collect();
        let texts = if texts.is_empty() { self.mesh.trust.identity.iter().collect() } else { texts };
        let read = texts.into_iter().filter_map(|text| text.as_read_by(Rules::Controller).ok());
        let mut found: Vec<_> = read.map(|bundle| self.classes.bundle_at(bundle)).collect();
        found.sort_unstable();
        found.dedup();
        let certain = found.len() == 1;
        found.into_iter().map(|one| (one, certain)).collect()
    }

    /// The bundles of a replica with the issuers that it may sign with. One that started since the Secret changed has loaded
    /// it, with a bundle that accepts it; one that runs since before may have reloaded it, or missed it (linkerd2#15109), or
    /// skipped it because its bundle refuses it. No replica has loaded what its bundle refuses.
    fn pairs(&self, bundles: &May<usize>, open: bool, when: Read) -> May<(usize, usize)> {
        let chains = match when {
            Read::Before if self.classes.reloads => self.issuer.held(NOT_KNOWN),
            when => self.issuer.held(when),
        };
        let pairs = bundles.iter().flat_map(|(bundle, sure)| {
            chains.iter().map(move |(chain, certain)| ((*bundle, *chain), *sure && *certain))
        });
        let all: May<_> = pairs.collect();
        let refused = |(bundle, chain): (usize, usize)| {
            !matches!(when, Read::Perhaps(_)) && rejects(&self.classes, &self.identity_name, bundle, chain)
        };
        let open = open || (self.issuer.open && when != Read::After);
        let kept: May<_> = all.iter().copied().filter(|(pair, _)| !refused(*pair)).collect();
        match kept[..] {
            [] => unsure(all),
            [(pair, sure)] => vec![(pair, sure || (kept.len() < all.len() && !open))],
            _ => kept,
        }
    }

    /// Which workload certificates proxies present: of the issuers that may have signed them.
    fn presented(&mut self) {
        let surely = self.surely_since().is_some();
        let since = self.last_start().filter(|_| self.closed);
        self.note_last_signed(since);
        let before = self.past_issuers();
        let now: Vec<_> = match (self.issuer.now, self.classes.signed()) {
            (Some(now), signed) if before.0.is_empty() || signed.iter().any(|(one, _)| *one == now) => {
                vec![now]
            }
            _ => Vec::new(),
        };
        let mixed =
            now.iter().copied().chain(before.0.iter().copied().filter(|one| Some(*one) != self.issuer.now));
        let mixed: Vec<_> = mixed.collect();
        let certain = mixed.len() == 1 && !before.1;
        let mixed: May<_> = mixed.into_iter().map(|one| (one, certain)).collect();
        let renewed = if surely {
            self.issuer.held(Read::After)
        } else {
            sure_if_one(
                mixed.iter().copied().filter(|(one, _)| !self.classes.signed_until.contains_key(one)),
                before.1,
            )
        };
        let published = Past::of_bundle(&mut self.classes, self.mesh, self.history, Rules::Proxy);
        let mut judged = BTreeMap::new();
        let mesh = self.mesh;
        for group in mesh.proxies.iter().filter(|group| group.held != Held::Nothing && group.count() > 0) {
            let literal =
                mesh.literal_bundle(&group.held).and_then(|text| text.as_read_by(Rules::Proxy).ok());
            let literal = literal.map(|bundle| self.classes.bundle_at(bundle));
            let fresh = |started: Option<Timestamp>| {
                let by_own = |started| surely && self.signed_by_own(group, started);
                since
                    .zip(started)
                    .is_some_and(|(since, started)| started > handed_over(since) || by_own(started))
            };
            let holds = |started: Option<Timestamp>| match (&group.held, literal) {
                (Held::ByReference, _) => {
                    published.listed(published.change.by_environment(started, group.made))
                }
                (Held::Literal(_), Some(bundle)) => (vec![bundle], false),
                (Held::Literal(_), None) | (Held::Nothing, _) => (Vec::new(), true),
            };
            for ((fresh, holds), count) in split(&group.starts, |started| (fresh(started), holds(started))) {
                let may = self.accepted(if fresh { &renewed } else { &mixed }, &holds, &mut judged);
                self.classes.presented.push(class(mesh, group, count, may));
            }
        }
        if !matches!(mesh.pods, Known::Is(())) {
            self.classes.presented.push(Class::unseen(unsure(mixed)));
        }
        if before.1 {
            self.unseen.push(InputFact::EarlierIssuerNotKnown { object: mesh.issuer_secret() });
        }
    }

    /// Of the issuers that may have signed a workload certificate, those that some bundle which its proxy may hold accepts.
    /// Where one of them does not, it is not sure that the proxy has one at all; where none does, it has none.
    fn accepted(
        &self,
        may: &May<usize>,
        holds: &(Vec<usize>, bool),
        judged: &mut BTreeMap<(usize, usize), bool>,
    ) -> May<usize> {
        let (holds, other) = holds;
        let mut strange = |chain: usize| {
            let mut asked = |held: &&usize| {
                let evaluate = || is_strange(&self.classes, &self.identity_name, **held, chain);
                *judged.entry((**held, chain)).or_insert_with(evaluate)
            };
            holds.iter().filter(|held| asked(held)).count()
        };
        let found = may.iter().map(|(chain, sure)| (*chain, *sure, strange(*chain)));
        let kept = found.filter(|(.., strange)| *other || *strange < holds.len());
        kept.map(|(chain, sure, strange)| (chain, sure && strange == 0)).collect()
    }

    /// Since when only those identity replicas sign that run.
    fn last_start(&self) -> Option<Timestamp> {
        let starts: Option<Vec<_>> = identity_replicas(self.mesh).map(|replica| replica.started).collect();
        starts?.into_iter().max()
    }

    /// Since when every identity replica surely signs with the Secret's issuer.
    fn surely_since(&self) -> Option<Timestamp> {
        let fresh =
            |replica: &Replica| self.issuer.change.by_mount(replica.started, replica.made) == Read::After;
        let all = identity_replicas(self.mesh).all(fresh);
        let seen = matches!(self.mesh.pods, Known::Is(()));
        let last = || identity_replicas(self.mesh).filter_map(|replica| replica.started).max();
        (all && seen && self.issuer.now.is_some()).then(last).flatten()
    }

    /// Was a proxy that started then signed by the identity container that runs beside it? Proxies of the identity controller
    /// ask the one in their own pod (`LINKERD2_PROXY_IDENTITY_SVC_ADDR` is `localhost.:8080` there), not other replicas.
    fn signed_by_own(&self, group: &ProxyGroup, started: Timestamp) -> bool {
        let replicas = &self.mesh.control_plane.replicas;
        let beside = |proxy: &Replica| identity_replicas(self.mesh).find(|replica| replica.pod == proxy.pod);
        let mut proxies = replicas
            .iter()
            .filter(|one| one.container == linkerd::PROXY_CONTAINER && one.started == Some(started))
            .filter_map(beside)
            .peekable();
        Some(group.workload) == self.identity()
            && proxies.peek().is_some()
            && proxies.all(|own| own.started.is_some_and(|own| own <= started))
    }

    /// Notes since when no replica signs with an issuer before: whoever may have was there before those that run.
    fn note_last_signed(&mut self, since: Option<Timestamp>) {
        let Some(since) = since else { return };
        let signed = self.classes.signed();
        for chain in &self.issuer.before {
            if Some(*chain) != self.issuer.now && signed.iter().all(|(one, _)| one != chain) {
                self.classes.signed_until.insert(*chain, since);
            }
        }
    }

    /// The issuers before whose workload certificates have not expired, and whether there may be one that is not known.
    fn past_issuers(&self) -> (Vec<usize>, bool) {
        let classes = &self.classes;
        let before = self.issuer.before.iter().copied().filter(|chain| classes.end(*chain) >= classes.at);
        let expiry = self
            .surely_since()
            .and_then(|since| since.checked_add(classes.workload_certificate_lifetime).ok());
        (before.collect(), self.issuer.open && expiry.is_none_or(|end| end >= classes.at))
    }

    /// Proxies that no cluster shows.
    fn outside(&mut self) {
        let Mesh { external_workloads, links, .. } = self.mesh;
        if !external_workloads.is_empty() {
            self.unseen.push(InputFact::ExternalWorkloadsUnseen { names: external_workloads.clone() });
        }
        if !links.is_empty() {
            self.unseen.push(InputFact::LinkedClustersUnseen { links: links.clone() });
        }
        if self.mesh.secret_chain().is_none() {
            self.unseen.push(InputFact::IssuerNotKnown { object: self.mesh.issuer_secret() });
        }
    }

    fn states(self) -> States {
        let Self { mesh, identity_name, classes, unseen, .. } = self;
        let text = mesh.trust.published.as_option().map(|published| &published.text);
        let [controller, proxy] =
            [Rules::Controller, Rules::Proxy].map(|rules| text.map(|text| text.as_read_by(rules)));
        let bundle = [controller, proxy].into_iter().flatten().find_map(Result::ok).cloned();
        States {
            identity: identity_name,
            bundles: Vec::new(),
            presented: Vec::new(),
            controllers: Vec::new(),
            published: bundle,
            issuer: mesh.secret_chain().cloned(),
            unreadable: controller.and_then(Result::err).cloned(),
            unseen,
            classes,
        }
        .summed_up()
    }
}

fn identity_replicas(mesh: &Mesh) -> impl Iterator<Item = &Replica> {
    mesh.control_plane.replicas.iter().filter(|replica| replica.container == linkerd::IDENTITY_CONTAINER)
}

/// The containers of a group by what is asked of their start.
fn split<K: Ord>(starts: &Starts, key: impl Fn(Option<Timestamp>) -> K) -> BTreeMap<K, u64> {
    let mut found = BTreeMap::new();
    let known = starts.at.iter().map(|(at, count)| (Some(*at), *count));
    for (started, count) in known.chain([(None, starts.unknown)]).filter(|(_, count)| *count > 0) {
        *found.entry(key(started)).or_default() += count;
    }
    found
}

fn class(mesh: &Mesh, group: &ProxyGroup, count: u64, may: May<usize>) -> Class<usize> {
    let namespace = &mesh.workload(group.workload).object.namespace;
    let sample = group.sample.iter().map(|pod| format!("{namespace}/{pod}")).collect();
    Class { workload: Some(group.workload), count, sample, may }
}

/// Possibilities of which one is sure if it is the only one and there is no other that nothing tells of.
fn sure_if_one(may: impl IntoIterator<Item = (usize, bool)>, open: bool) -> May<usize> {
    let may: May<_> = may.into_iter().collect();
    let certain = may.len() == 1 && !open;
    may.into_iter().map(|(one, _)| (one, certain)).collect()
}

/// The same possibilities, none of them sure.
fn unsure<K>(may: May<K>) -> May<K> {
    may.into_iter().map(|(what, _)| (what, false)).collect()
}
