//! The possible worlds of an observed mesh.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Worlds;
use super::broken::{is_strange, rejects};
use super::class::{Class, Classes, May};
use super::past::{Past, When};
use crate::mesh::{Era, Held, Known, Mesh, ProxyGroup, Replica, Starts, Workload, WorkloadId, handed_over};
use crate::pki::Rules;
use crate::rotation::record::secret_chain;
use crate::rotation::{Record, objects};

/// The mesh while its worlds are found.
struct Seen<'a> {
    mesh: &'a Mesh,
    record: Option<&'a Record>,
    classes: Classes,
    issuer: Past,
    /// Is what every identity replica may sign with among its possibilities?
    closed: bool,
    unseen: Vec<String>,
}

impl Worlds {
    /// What may be in use in `mesh` at `at`. A record adds what was published and issued before.
    #[must_use]
    pub fn of(mesh: &Mesh, record: Option<&Record>, at: Timestamp) -> Self {
        let control_plane = &mesh.control_plane;
        let mut classes = Classes::new(at, control_plane.leaf_life(), control_plane.era != Era::V2_6);
        let issuer = Past::of_issuer(&mut classes, mesh, record);
        let mut seen = Seen { mesh, record, classes, issuer, closed: true, unseen: Vec::new() };
        seen.pods();
        seen.held();
        seen.signing();
        seen.presented();
        seen.outside();
        seen.worlds()
    }
}

impl Seen<'_> {
    fn pods(&mut self) {
        match &self.mesh.pods {
            Known::Is(()) => {}
            Known::Absent => self.unseen.push("pods: they are not in the input".to_owned()),
            Known::Unknown(why) => self.unseen.push(format!("pods: {why}")),
        }
    }

    /// What proxies hold: literal bundles are known, by-reference ones follow from the times.
    fn held(&mut self) {
        let past = Past::of_bundle(&mut self.classes, self.mesh, self.record, Rules::Proxy);
        if past.now.is_none() {
            self.unseen.push(format!("the published bundle in {}", objects::bundle_place(self.mesh)));
        }
        let mut older = false;
        for group in self.mesh.proxies.iter().filter(|group| group.count() > 0) {
            match group.held {
                Held::Nothing => {}
                Held::Literal(_) => self.literal(group),
                Held::ByReference => {
                    for (when, count) in split(&group.starts, |started| When::of(started, past.mount.changed))
                    {
                        older |= past.open && when != When::After;
                        let class = class(self.mesh, group, count, past.read(when));
                        self.classes.held.push(class);
                    }
                }
            }
        }
        if older {
            let place = objects::bundle_place(self.mesh);
            self.unseen
                .push(format!("what {place} held before its last change, which some proxies may have"));
        }
        if !matches!(self.mesh.pods, Known::Is(())) {
            self.classes.held.push(Class::unseen(unsure(past.read(When::Unknown))));
        }
    }

    fn literal(&mut self, group: &ProxyGroup) {
        match self.mesh.literal_bundle(&group.held).map(|text| text.as_read_by(Rules::Proxy)) {
            Some(Ok(bundle)) => {
                let at = self.classes.bundle_at(bundle);
                self.classes.held.push(class(self.mesh, group, group.count(), vec![(at, true)]));
            }
            Some(Err(violation)) => self.unseen.push(format!(
                "the bundle of {} proxies ({}) cannot be read: {violation}",
                group.count(),
                objects::sample(self.mesh, std::iter::once(group))
            )),
            None => {}
        }
    }

    /// What identity replicas have loaded.
    fn signing(&mut self) {
        let past = Past::of_bundle(&mut self.classes, self.mesh, self.record, Rules::Controller);
        let literal = self.identity_literals();
        let read = |when| if literal.is_empty() { past.read(when) } else { literal.clone() };
        let workload = self.identity();
        let mesh = self.mesh;
        for replica in identity_replicas(mesh) {
            let read_at = When::of_mount(replica.started, past.mount);
            let bundles = read(read_at);
            let open = past.open && read_at != When::After && literal.is_empty();
            let when = When::of_mount(replica.started, self.issuer.mount);
            let may = self.pairs(&bundles, open, when);
            self.closed &= !may.is_empty() && (!open || when == When::After);
            let sample = vec![format!("{}/{}", mesh.control_plane.namespace, replica.pod)];
            self.classes.signing.push(Class { workload, count: 1, sample, may });
        }
        if self.classes.signing.is_empty() || !matches!(mesh.pods, Known::Is(())) {
            self.unseen.push("identity controllers: which bundle and issuer they have loaded".to_owned());
            self.closed = false;
            let may = unsure(self.pairs(&unsure(read(When::Unknown)), true, When::Unknown));
            self.classes.signing.push(Class::unseen(may));
        }
    }

    /// The workload of the identity controller.
    fn identity(&self) -> Option<WorkloadId> {
        self.mesh.workloads.iter().position(Workload::is_identity_controller).map(WorkloadId)
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
    fn pairs(&self, bundles: &May<usize>, open: bool, when: When) -> May<(usize, usize)> {
        let chains = match when {
            When::Before if self.classes.reloads => self.issuer.read(When::Unknown),
            when => self.issuer.read(when),
        };
        let pairs = bundles.iter().flat_map(|(bundle, sure)| {
            chains.iter().map(move |(chain, certain)| ((*bundle, *chain), *sure && *certain))
        });
        let all: May<_> = pairs.collect();
        let refused = |(bundle, chain): (usize, usize)| {
            when != When::Unknown && rejects(&self.classes, self.mesh.identity_name().as_str(), bundle, chain)
        };
        let open = open || (self.issuer.open && when != When::After);
        let kept: May<_> = all.iter().copied().filter(|(pair, _)| !refused(*pair)).collect();
        match kept[..] {
            [] => unsure(all),
            [(pair, sure)] => vec![(pair, sure || (kept.len() < all.len() && !open))],
            _ => kept,
        }
    }

    /// What leaves proxies present: of the issuers that may have signed them.
    fn presented(&mut self) {
        let surely = self.surely_since().is_some();
        let since = self.last_start().filter(|_| self.closed);
        self.run_out(since);
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
        let renewed = match surely {
            true => self.issuer.read(When::After),
            false => sure_if_one(
                mixed.iter().copied().filter(|(one, _)| !self.classes.signed_until.contains_key(one)),
                before.1,
            ),
        };
        let published = Past::of_bundle(&mut self.classes, self.mesh, self.record, Rules::Proxy);
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
                (Held::ByReference, _) => published.listed(When::of(started, published.mount.changed)),
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
            self.unseen
                .push(format!("the issuer that signed before the one in {}", objects::issuer_secret(mesh)));
        }
    }

    /// Of the issuers that may have signed a leaf those that some bundle which its proxy may hold accepts. Where one of them
    /// does not, it is not sure that the proxy has a leaf at all; where none does, it has none.
    fn accepted(
        &self,
        may: &May<usize>,
        holds: &(Vec<usize>, bool),
        judged: &mut BTreeMap<(usize, usize), bool>,
    ) -> May<usize> {
        let (holds, other) = holds;
        let mut strange = |chain: usize| {
            let identity = self.mesh.identity_name();
            let is_strange = |held| is_strange(&self.classes, identity.as_str(), held, chain);
            let mut asked =
                |held: &&usize| *judged.entry((**held, chain)).or_insert_with(|| is_strange(**held));
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
        let starts = || identity_replicas(self.mesh).map(|replica| replica.started);
        let all = starts().all(|started| When::of_mount(started, self.issuer.mount) == When::After);
        let seen = matches!(self.mesh.pods, Known::Is(()));
        (all && seen && self.issuer.now.is_some()).then(|| starts().flatten().max()).flatten()
    }

    /// Was a proxy that started then signed by the identity container that runs beside it? Proxies of the identity controller
    /// ask the one in their own pod (`LINKERD2_PROXY_IDENTITY_SVC_ADDR` is `localhost.:8080` there), not other replicas.
    fn signed_by_own(&self, group: &ProxyGroup, started: Timestamp) -> bool {
        let replicas = &self.mesh.control_plane.replicas;
        let beside = |proxy: &Replica| identity_replicas(self.mesh).find(|replica| replica.pod == proxy.pod);
        let mut proxies = replicas
            .iter()
            .filter(|one| one.container == "linkerd-proxy" && one.started == Some(started))
            .filter_map(beside)
            .peekable();
        Some(group.workload) == self.identity()
            && proxies.peek().is_some()
            && proxies.all(|own| own.started.is_some_and(|own| own <= started))
    }

    /// Notes since when no replica signs with an issuer before: whoever may have was there before those that run.
    fn run_out(&mut self, since: Option<Timestamp>) {
        let Some(since) = since else { return };
        let signed = self.classes.signed();
        for chain in &self.issuer.before {
            if Some(*chain) != self.issuer.now && signed.iter().all(|(one, _)| one != chain) {
                self.classes.signed_until.insert(*chain, since);
            }
        }
    }

    /// The issuers before whose leaves have not run out, and whether there may be one that is not known.
    fn past_issuers(&self) -> (Vec<usize>, bool) {
        let classes = &self.classes;
        let before = self.issuer.before.iter().copied().filter(|chain| classes.end(*chain) >= classes.at);
        let ended = self.surely_since().and_then(|since| since.checked_add(classes.leaf_life).ok());
        (before.collect(), self.issuer.open && ended.is_none_or(|end| end >= classes.at))
    }

    /// Proxies that no cluster shows.
    fn outside(&mut self) {
        let name = |what: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
        };
        self.unseen.extend(name("ExternalWorkloads", &self.mesh.external_workloads));
        self.unseen.extend(name("the proxies of linked clusters", &self.mesh.links));
        if secret_chain(self.mesh).is_none() {
            self.unseen.push(format!("the issuer in {}", objects::issuer_secret(self.mesh)));
        }
    }

    fn worlds(self) -> Worlds {
        let Self { mesh, classes, unseen, .. } = self;
        let text = mesh.trust.published.as_option().map(|published| &published.text);
        let [controller, proxy] =
            [Rules::Controller, Rules::Proxy].map(|rules| text.map(|text| text.as_read_by(rules)));
        let bundle = [controller, proxy].into_iter().flatten().find_map(Result::ok).cloned();
        Worlds {
            identity: mesh.identity_name(),
            bundles: Vec::new(),
            leaves: Vec::new(),
            controllers: Vec::new(),
            published: bundle,
            issuer: secret_chain(mesh).cloned(),
            unreadable: controller.and_then(Result::err).map(ToString::to_string),
            unseen,
            classes,
        }
        .summed_up()
    }
}

fn identity_replicas(mesh: &Mesh) -> impl Iterator<Item = &Replica> {
    mesh.control_plane.replicas.iter().filter(|replica| replica.container == "identity")
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
