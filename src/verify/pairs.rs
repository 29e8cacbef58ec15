//! Who would refuse whom after a change and does not before it, in every order of events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::changes::{Changes, text};
use super::texts;
use crate::document::ObjectRef;
use crate::finding::{CertificateRef, Fact, InputFact, Order, Party, Pods, Rejection, TrustFact};
use crate::mesh::{GoDuration, Mesh, Plane, WorkloadId};
use crate::pki::{Bundle, Certificate, Fingerprint, IssuerChain, Refusal, Rules};
use crate::rotation::{Record, Strategy};
use crate::states::{History, Holding, Invariant, Sides, States, Violation};

/// Two sides that work together today and may not after the change.
pub(super) struct Pair {
    /// Which invariant fails.
    invariant: Invariant,
    pub(super) rejection: Rejection,
}

impl From<Pair> for Fact {
    fn from(Pair { invariant, rejection }: Pair) -> Self {
        Self::Trust(TrustFact::of(invariant, rejection))
    }
}

/// What moves, from where.
#[derive(Clone)]
pub(super) struct Moves<'a> {
    current: &'a Mesh,
    record: Option<&'a Record>,
    history: Option<History>,
    /// The new bundle as each of Linkerd's readers has it.
    bundles: Vec<&'a Bundle>,
    issuer: Option<&'a IssuerChain>,
    restarted: BTreeSet<WorkloadId>,
    /// Bundles that templates of restarting workloads hold themselves.
    literals: Vec<&'a Bundle>,
    /// Is one of them a template of the control plane?
    restarts_control_plane: bool,
    /// Is an anchor taken away?
    removes: bool,
}

/// A violation by what it is about, whatever its place in a list.
type Key = (Invariant, Vec<Fingerprint>, Vec<Fingerprint>);

impl<'a> Moves<'a> {
    pub(super) fn of(
        current: &'a Mesh,
        proposed: &'a Mesh,
        changes: &'a Changes,
        record: Option<&'a Record>,
    ) -> Self {
        let mut bundles: Vec<&Bundle> = Vec::new();
        if changes.bundle.is_some()
            && let Some(text) = text(proposed)
        {
            let read = [Rules::Controller, Rules::Proxy].map(|rules| text.as_read_by(rules));
            for bundle in read.into_iter().filter_map(Result::ok) {
                if !bundles.iter().any(|known| known.same_set(bundle)) {
                    bundles.push(bundle);
                }
            }
        }
        let restarts =
            |object: &ObjectRef| changes.restarts.iter().any(|restart| restart.place.object == *object);
        let places = current.workloads.iter().enumerate();
        Self {
            current,
            record,
            history: record.map(Record::history),
            bundles,
            issuer: changes.issuer.as_ref().and_then(|_| texts::loadable(current, proposed)),
            restarted: places
                .filter(|(_, one)| restarts(&one.object))
                .map(|(at, _)| WorkloadId(at))
                .collect(),
            literals: changes.restarts.iter().filter_map(|restart| restart.literal.as_ref()).collect(),
            restarts_control_plane: changes
                .restarts
                .iter()
                .any(|restart| restart.literal.is_some() && restart.place_in == Plane::Control),
            removes: !changes.removed.is_empty(),
        }
    }

    pub(super) fn are_any(&self) -> bool {
        !self.bundles.is_empty() || self.issuer.is_some() || !self.restarted.is_empty()
    }

    /// What breaks at `at` that works before, or may work before and surely does not afterwards, and what is not known and
    /// would matter.
    pub(super) fn judged(&self, at: Timestamp) -> (Vec<Pair>, Vec<InputFact>) {
        let now = States::of(self.current, self.history.as_ref(), at);
        let before: BTreeMap<Key, bool> = self
            .violations(&now, at)
            .iter()
            .map(|violation| (key(&now, violation), violation.certain))
            .collect();
        let (mut pairs, mut told) = (Vec::new(), BTreeSet::new());
        for (order, states) in self.orders(&now) {
            // A bundle in a template is its proxy's alone: no controller reads it, and no identity pod's proxy but its own.
            let counts = |violation: &Violation| match violation.sides {
                _ if order != Order::Template => true,
                Sides::Request { .. } => self.restarts_control_plane,
                _ => violation.rules() == Rules::Proxy,
            };
            let violations = self.violations(&states, at);
            // Who is refused when it asks for its next certificate has the one that others reject until it expires, and then none.
            let stuck = |chain: usize| {
                let request = |one: &Violation| matches!(one.sides, Sides::Request { presented, .. } if presented == chain);
                violations.iter().any(request)
            };
            for violation in violations.iter().filter(|one| counts(one)) {
                let key = key(&states, violation);
                // Workload certificates that are surely refused have an issuer that surely signs: the refused renewal tells it.
                let surely = violation.certain && violation.invariant() != Invariant::EveryPair;
                let is_worse = before.get(&key).is_none_or(|certain| !certain && surely);
                if is_worse && told.insert(key) {
                    pairs.push(self.pair(&now, &states, (violation, order), stuck));
                }
            }
        }
        pairs.sort_by_key(|pair| (!pair.rejection.certain, pair.invariant));
        if (self.recovers() || self.shortens(at)) && is_dead(&now, at) {
            pairs.clear();
        }
        pairs.retain(|pair| !self.is_of_the_dead(pair, &now, at));
        // A controller that fails to start with a bundle and an issuer signs nothing with them either.
        let dead: Vec<_> = pairs
            .iter()
            .filter(|pair| pair.invariant == Invariant::ControllerStarts)
            .map(materials)
            .collect();
        pairs.retain(|pair| pair.invariant != Invariant::ControllerSigns || !dead.contains(&materials(pair)));
        (pairs, self.missing(&now))
    }

    /// What does not hold at `at`, and what has not begun yet by a clock that lags as far as a workload certificate allows for (20 s by default).
    fn violations(&self, states: &States, at: Timestamp) -> Vec<Violation> {
        let behind = at.saturating_sub(self.current.control_plane.clock_skew.0).unwrap_or(at);
        let lagging =
            states.violations(behind).into_iter().filter(|violation| has_not_begun(&violation.refusal));
        states.violations(at).into_iter().chain(lagging).collect()
    }

    /// Is it nothing but a part of a recovery: its bundle, its issuer, or restarts once an identity controller starts?
    fn recovers(&self) -> bool {
        let Some(record) = self.record.filter(|record| record.strategy == Strategy::Recover) else {
            return false;
        };
        let phases = record.phases();
        let publishes = |bundle: &&Bundle| phases.iter().any(|spec| spec.bundle.same_set(bundle));
        let is_own =
            self.bundles.iter().all(publishes) && self.issuer.is_none_or(|chain| *chain == record.issuer);
        let is_published = text(self.current)
            .is_some_and(|text| text.as_read_by(Rules::Controller).is_ok_and(|now| publishes(&now)));
        let is_in_place = is_published && self.current.secret_chain() == Some(&record.issuer);
        is_own && (self.restarted.is_empty() || is_in_place)
    }

    /// Does it take nothing but expired certificates out of the issuer's file?
    fn shortens(&self, at: Timestamp) -> bool {
        let before = self.current.secret_chain().map(|chain| chain.without_expired(at));
        let is_alone = self.bundles.is_empty() && self.restarted.is_empty();
        is_alone && self.issuer.is_some() && before.as_ref() == self.issuer
    }

    /// Does it concern only proxies that refuse the rotation's issuer without its cross certificate, when that has expired? With it
    /// expired every workload certificate that they would accept, where no other issuer's is in use: they have none, and nothing left
    /// to lose.
    fn is_of_the_dead(&self, pair: &Pair, now: &States, at: Timestamp) -> bool {
        let Some(record) = self.record else { return false };
        let crossed = record.cross.as_ref().is_some_and(|cross| cross.is_expired_at(at));
        let own = |held: &Holding<IssuerChain>| held.what.issuer == record.issuer.issuer;
        let expired = |held: &Holding<IssuerChain>| held.until.is_some_and(|end| end < at);
        let alone = now.unseen.is_empty() && now.presented.iter().all(|held| own(held) || expired(held));
        let bare = record.issuer.certificates().map(Certificate::fingerprint);
        crossed
            && alone
            && matches!(pair.invariant, Invariant::EveryPair | Invariant::EveryRenewal)
            && bare.eq(pair.rejection.presenter.certificates.iter().map(|one| one.fingerprint))
    }

    /// Would something break, or be missing, at `at` if workload certificates did not expire before their issuer?
    pub(super) fn rests_on_expiry(&self, at: Timestamp) -> bool {
        let mut lasting = self.current.clone();
        lasting.control_plane.issuance_lifetime = GoDuration(SignedDuration::MAX);
        let (pairs, missing) = Moves { current: &lasting, ..self.clone() }.judged(at);
        !pairs.is_empty() || !missing.is_empty()
    }

    /// In how many ways the mesh is broken already.
    pub(super) fn already_broken(&self, at: Timestamp) -> usize {
        States::of(self.current, self.history.as_ref(), at)
            .violations(at)
            .iter()
            .filter(|violation| violation.certain)
            .count()
    }

    /// The first instant after `at` from which on nothing breaks, if waiting is all that it takes: nothing else changes in
    /// the mesh until then, and what works still does.
    pub(super) fn clean_after(&self, at: Timestamp) -> Option<Timestamp> {
        let now = States::of(self.current, self.history.as_ref(), at);
        let known: BTreeSet<Key> =
            self.violations(&now, at).iter().map(|violation| key(&now, violation)).collect();
        let still_well = |then: Timestamp| {
            let states = States::of(self.current, self.history.as_ref(), then);
            self.violations(&states, then).iter().all(|one| known.contains(&key(&states, one)))
        };
        let clean = |then: &Timestamp| {
            let (pairs, missing) = self.judged(*then);
            pairs.is_empty() && missing.is_empty() && still_well(*then)
        };
        self.instants(&now).into_iter().filter(|then| *then > at).find(clean)
    }

    /// When something changes by time alone: workload certificates expire, a certificate begins.
    fn instants(&self, now: &States) -> BTreeSet<Timestamp> {
        let life = self.current.control_plane.workload_certificate_lifetime();
        let started = self.current.control_plane.replicas.iter().filter_map(|replica| replica.started);
        let expiries = started.filter_map(|started| started.checked_add(life).ok());
        let expiries = expiries.chain(now.presented.iter().filter_map(|presented| presented.until));
        let begins = self.issuer.into_iter().flat_map(IssuerChain::certificates);
        let begins = begins.chain(self.bundles.iter().flat_map(|bundle| bundle.anchors()));
        let skew = self.current.control_plane.clock_skew.0;
        let by_all = |certificate: &Certificate| certificate.facts().not_before.checked_add(skew).ok();
        let second = SignedDuration::from_secs(1);
        let past = expiries.filter_map(|end| end.checked_add(second).ok());
        past.chain(begins.filter_map(by_all)).collect()
    }

    /// The states on the way, however objects are applied and whoever loads them first.
    fn orders(&self, now: &States) -> Vec<(Order, States)> {
        let mut orders = Vec::new();
        let issuer = |states: &States| self.issuer.map(|chain| states.swapping(chain));
        for bundle in &self.bundles {
            let published = now.publishing(bundle);
            let both = issuer(&published);
            orders.push((Order::Bundle, published));
            orders.extend(both.map(|both| (Order::Both, both)));
        }
        if let Some(swapped) = issuer(now) {
            let both: Vec<_> = self.bundles.iter().map(|bundle| swapped.publishing(bundle)).collect();
            let alone = if both.is_empty() { Order::Issuer } else { Order::IssuerBeforeBundle };
            orders.push((alone, swapped));
            orders.extend(both.into_iter().map(|both| (Order::Both, both)));
        }
        let last = orders.last().map_or_else(|| now.clone(), |(_, states)| states.clone());
        orders.extend(self.literals.iter().map(|bundle| (Order::Template, last.publishing(bundle))));
        if !self.restarted.is_empty() {
            orders.push((Order::Restart, last.restarted(|one| self.restarted.contains(&one))));
        }
        if !self.bundles.is_empty() || self.issuer.is_some() {
            orders.push((Order::Everything, last.restarted(|_| true)));
        }
        orders
    }

    /// What is not known and could break. A bundle that only grows breaks nobody, whatever they hold; without an anchor
    /// less, it does not matter who signed before.
    fn missing(&self, now: &States) -> Vec<InputFact> {
        if self.issuer.is_none() && !self.removes {
            return Vec::new();
        }
        let is_issuer = |fact: &InputFact| {
            matches!(fact, InputFact::IssuerNotKnown { .. } | InputFact::EarlierIssuerNotKnown { .. })
        };
        now.unseen.iter().filter(|fact| self.removes || !is_issuer(fact)).cloned().collect()
    }

    fn pair(
        &self,
        now: &States,
        states: &States,
        (violation, order): (&Violation, Order),
        stuck: impl Fn(usize) -> bool,
    ) -> Pair {
        let (bundle, chain) = states.sides(violation);
        let held = bundle.and_then(|bundle| now.bundles.iter().find(|one| one.what.same_set(bundle)));
        let presented = chain.and_then(|chain| now.presented.iter().find(|one| one.what == *chain));
        let proxies = violation.rules() == Rules::Proxy;
        let presented_at = match violation.sides {
            Sides::Peers { presented, .. } | Sides::Request { presented, .. } => Some(presented),
            Sides::Start | Sides::Renewal { .. } | Sides::Signing { .. } => None,
        };
        let anchors = bundle.map(Bundle::anchors).unwrap_or_default();
        let rejection = Rejection {
            verifier: self.party(anchors.iter(), held.filter(|_| proxies)),
            presenter: self.party(
                chain.into_iter().flat_map(IssuerChain::certificates),
                presented.filter(|_| presented_at.is_some()),
            ),
            refusal: violation.refusal.clone(),
            certain: violation.certain,
            until: presented_at.filter(|at| !stuck(*at)).and_then(|at| states.presented[at].until),
            order: Some(order),
        };
        Pair { invariant: violation.invariant(), rejection }
    }

    fn party<'c, T>(
        &self,
        certificates: impl Iterator<Item = &'c Certificate>,
        holding: Option<&Holding<T>>,
    ) -> Party {
        let pods = holding.map(|holding| Pods {
            count: holding.count,
            sample: holding.sample.clone(),
            workloads: holding.workloads.iter().map(|id| self.current.workload(*id).object.clone()).collect(),
        });
        Party {
            certificates: certificates.map(CertificateRef::from).collect(),
            pods: pods.unwrap_or_default(),
        }
    }
}

/// Is there nothing left that a change could break: no proxy that was seen accepts another's workload certificate, nor gets one?
fn is_dead(states: &States, at: Timestamp) -> bool {
    let violations = states.violations(at);
    let any = |sides| violations.iter().any(|one| one.sides == sides);
    let bundles = || 0..states.bundles.len();
    let rejected = |presented| bundles().all(|bundle| any(Sides::Peers { bundle, presented }));
    let lost = |controller| bundles().all(|bundle| any(Sides::Renewal { bundle, controller }));
    // The Secret's issuer has signed nothing before a controller signs with it.
    let signed = |chain: &IssuerChain| states.controllers.iter().any(|one| one.what.1 == *chain);
    let expired = |chain: usize| {
        let presented = &states.presented[chain];
        presented.until.is_some_and(|end| end < at)
            || states.issuer.as_ref() == Some(&presented.what) && !signed(&presented.what)
    };
    let renews = |controller| !any(Sides::Signing { controller }) && !lost(controller);
    states.unseen.is_empty()
        && (0..states.presented.len()).all(|chain| expired(chain) || rejected(chain))
        && !(0..states.controllers.len()).any(renews)
}

/// Does time alone resolve it, when a certificate becomes valid?
fn has_not_begun(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::NotYetValid { .. } => true,
        Refusal::UnknownIssuer { candidate: Some(candidate), .. } => has_not_begun(&candidate.because),
        _ => false,
    }
}

/// The certificates of both sides.
fn materials(pair: &Pair) -> (BTreeSet<Fingerprint>, Vec<Fingerprint>) {
    let of = |party: &Party| party.certificates.iter().map(|one| one.fingerprint).collect::<Vec<_>>();
    (of(&pair.rejection.verifier).into_iter().collect(), of(&pair.rejection.presenter))
}

fn key(states: &States, violation: &Violation) -> Key {
    let (bundle, chain) = states.sides(violation);
    let anchors = bundle.map(|bundle| bundle.fingerprints().into_iter().collect()).unwrap_or_default();
    let chain = chain.map(|chain| chain.certificates().map(Certificate::fingerprint).collect());
    (violation.invariant(), anchors, chain.unwrap_or_default())
}
