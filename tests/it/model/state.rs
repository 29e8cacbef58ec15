//! Random mixed states of a mesh, made of certificates of a pool.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan};
use l5d_rotate::mesh::{
    BundleId, ChangeTime, Held, Injection, Made, Mesh, Plane, ProxyGroup, Replica, Starts, WorkloadId,
};
use l5d_rotate::pki::{
    Authority, Bundle, BundleText, Certificate, IssuerChain, IssuerRequest, Refusal, Rules, accepts,
    cross_sign, mint_issuer,
};
use l5d_rotate::rotation::{Record, Scope, Strategy};
use rcgen::KeyPair;

use crate::support::pki::random::{self, Dice, Keys};
use crate::support::pki::tls::key_pair;
use crate::support::pki::{anchor, at, bundle, chain, identity, issuer, issuer_request};
use crate::support::rotation::Cluster;

const WORKLOAD_CERTIFICATE_LIFETIME_SECONDS: i64 = 86_420;

pub type ChainAt = usize;
pub type BundleAt = usize;

/// Certificates minted once: rotations of a shared and of different subjects first, then chains of any shape.
pub struct Pool {
    pub bundles: Vec<Bundle>,
    pub texts: Vec<BundleText>,
    pub chains: Vec<IssuerChain>,
    pub signers: Vec<KeyPair>,
    pub anchors: Vec<Certificate>,
    pub verdicts: BTreeMap<(BundleAt, ChainAt, Timestamp, Rules), Option<Refusal>>,
}

/// Of each rotation in the pool: bundles of the old anchor, of both, of the new one.
const BUNDLES: usize = 3;
/// Of each rotation in the pool: the old issuer, the new one, the new one with its anchor signed by the old one.
const CHAINS: usize = 3;
pub const ROTATIONS: usize = 2;
/// Beside them in the pool: bundles and chains with expiries, usages, path lengths, constraints and keys of every kind, taken from
/// so many as far as the two rule sets tell them apart.
const CASES: u64 = 300;
/// So many of each kind.
const ALIKE: usize = 1;

impl Pool {
    pub fn mint() -> Self {
        let mut pool = Self {
            bundles: vec![],
            texts: vec![],
            chains: vec![],
            signers: vec![],
            anchors: vec![],
            verdicts: BTreeMap::new(),
        };
        pool.rotation(&anchor("root"), &anchor("root"), hour(400));
        pool.rotation(&anchor("old root"), &anchor("new root"), hour(20));
        let keys = Keys::new();
        let mut known: BTreeMap<_, usize> = BTreeMap::new();
        for case in (0..CASES).map(|seed| random::case(&keys, seed)) {
            let told =
                known.entry([Rules::Controller, Rules::Proxy].map(|rules| kind(&case, rules))).or_default();
            if *told == ALIKE {
                continue;
            }
            *told += 1;
            let signer = KeyPair::try_from(keys.get(case.issuer_key).serialize_der());
            pool.bundles.push(case.anchors);
            pool.chains.push(case.chain);
            pool.signers.push(signer.unwrap());
        }
        pool.texts = pool.bundles.iter().map(|bundle| BundleText::read(bundle.to_pem())).collect();
        pool
    }

    /// A rotation whose old issuer expires at `end`.
    pub fn rotation(&mut self, old: &Authority, new: &Authority, end: Timestamp) {
        let expiring = IssuerRequest { not_after: end, ..issuer_request() };
        let (old_issuer, new_issuer) = (mint_issuer(&expiring, old).unwrap(), issuer(new));
        let cross = cross_sign(&new.certificate, old, at("2026-02-01T00:00:00Z")).unwrap();
        let [a, b] = [&old.certificate, &new.certificate];
        self.bundles.extend([bundle([a]), bundle([a, b]), bundle([b])]);
        self.chains.extend([
            chain(&old_issuer.certificate, &[]),
            chain(&new_issuer.certificate, &[]),
            chain(&new_issuer.certificate, &[cross]),
        ]);
        self.signers.extend([&old_issuer, &new_issuer, &new_issuer].map(key_pair));
        self.anchors.push(new.certificate.clone());
    }

    pub fn refusal(
        &mut self,
        bundle: BundleAt,
        chain: ChainAt,
        at: Timestamp,
        rules: Rules,
        name: &str,
    ) -> Option<Refusal> {
        let judge = || accepts(&self.bundles[bundle], &self.chains[chain], &name.into(), at, rules).err();
        self.verdicts.entry((bundle, chain, at, rules)).or_insert_with(judge).clone()
    }

    /// Why a proxy refuses a workload certificate: its issuer, or a certificate of the issuer's file with which it expired.
    pub fn workload_certificate_refusal(
        &mut self,
        bundle: BundleAt,
        chain: ChainAt,
        at: Timestamp,
        name: &str,
    ) -> bool {
        self.refusal(bundle, chain, at, Rules::Proxy, name).is_some() || self.is_past(chain, at)
    }

    /// Is a chain refused, and not only for the time being?
    pub fn refuses_for_good(
        &mut self,
        bundle: BundleAt,
        chain: ChainAt,
        at: Timestamp,
        rules: Rules,
        name: &str,
    ) -> bool {
        self.refusal(bundle, chain, at, rules, name).is_some_and(|refusal| !is_of_time(&refusal))
    }

    /// Has every workload certificate of an issuer expired?
    pub fn is_past(&self, chain: ChainAt, at: Timestamp) -> bool {
        let chain = &self.chains[chain];
        std::iter::once(&chain.issuer).chain(&chain.intermediates).any(|one| one.facts().not_after < at)
    }

    pub fn bundle_at(&self, bundle: &Bundle) -> BundleAt {
        self.bundles.iter().position(|known| known.same_set(bundle)).unwrap()
    }

    pub fn chain_at(&self, chain: &IssuerChain) -> ChainAt {
        self.chains.iter().position(|known| known == chain).unwrap()
    }
}

/// What the rules say of a chain, whatever the names in it.
fn kind(case: &random::Case, rules: Rules) -> String {
    fn of(refusal: &Refusal) -> String {
        let words = format!("{refusal:?}");
        let name = words.split([' ', '{']).next().unwrap_or_default().to_owned();
        match refusal {
            Refusal::UnknownIssuer { candidate: Some(candidate), .. } => {
                format!("{name} {}", of(&candidate.because))
            }
            _ => name,
        }
    }
    let found = accepts(&case.anchors, &case.chain, &identity(), at("2026-06-01T12:00:00Z"), rules);
    found.err().map_or_else(|| "accepted".to_owned(), |refusal| of(&refusal))
}

/// A start against a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    At(Timestamp),
    Unknown,
}

impl Start {
    pub const fn known(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Unknown => None,
        }
    }

    pub fn after(self, change: Option<Timestamp>) -> bool {
        self.known().zip(change).is_some_and(|(start, change)| start > change)
    }

    /// After the change, and later than a kubelet may take to bring it into a mount.
    pub fn mounted(self, change: Option<Timestamp>) -> bool {
        self.after(change.map(|change| change + 2.minutes()))
    }

    pub fn before(self, change: Option<Timestamp>) -> bool {
        self.known().zip(change).is_some_and(|(start, change)| start < change)
    }
}

/// The workload of the identity controller in a cluster.
const IDENTITY_CONTROLLER: WorkloadId = WorkloadId(1);

/// A mixed state, in the words of the pool.
#[derive(Debug)]
pub struct State {
    pub rotation: usize,
    pub has_record: bool,
    pub new_chain: ChainAt,
    pub published: BundleAt,
    pub bundle_changed: Option<Timestamp>,
    pub secret: ChainAt,
    pub secret_changed: Option<Timestamp>,
    pub replicas: Vec<Start>,
    /// Proxies of the data plane: literal bundle and start.
    pub literal: Vec<(BundleAt, Start)>,
    /// Proxies of identity pods.
    pub by_reference: Vec<Start>,
    /// When it is observed.
    pub at: Timestamp,
    /// When it is judged: then or later.
    pub judged: Timestamp,
}

/// Half an hour apart, with the changes between them.
fn hour(place: usize) -> Timestamp {
    at("2026-06-01T12:00:00Z") + i64::try_from(place * 30).unwrap().minutes()
}

impl State {
    pub fn random(pool: &Pool, dice: &mut Dice) -> Self {
        let rotation = dice.roll(ROTATIONS);
        let (first_bundle, first_chain) = (rotation * BUNDLES, rotation * CHAINS);
        let has_record = dice.roll(4) > 0;
        let new_chain = first_chain + 1 + dice.roll(2);
        let secret = match (has_record, dice.roll(2)) {
            (true, 0) => first_chain,
            (true, _) => new_chain,
            (false, _) => dice.roll(pool.chains.len()),
        };
        // A chain of another shape mostly meets the bundle that was made with it.
        let own = secret.checked_sub(ROTATIONS * CHAINS).map(|case| ROTATIONS * BUNDLES + case);
        let any_bundle = |dice: &mut Dice| match (dice.roll(5), own) {
            (0, _) => dice.roll(pool.bundles.len()),
            (1..=3, Some(own)) => own,
            _ => first_bundle + dice.roll(BUNDLES),
        };
        let change = |dice: &mut Dice| (dice.roll(8) > 0).then(|| hour(1 + dice.roll(5)));
        let start = |dice: &mut Dice| match dice.roll(9) {
            0 => Start::Unknown,
            1 => Start::At(hour(dice.roll(7)) + 1.minute()),
            _ => Start::At(hour(dice.roll(7))),
        };
        let published = if has_record { first_bundle + dice.roll(BUNDLES) } else { any_bundle(dice) };
        let at = *dice.pick(&[
            hour(8),
            hour(8),
            hour(8) + 12.hours(),
            hour(8) + 26.hours(),
            at("2027-03-01T00:00:00Z"),
        ]);
        Self {
            rotation,
            has_record,
            new_chain,
            published,
            bundle_changed: change(dice),
            secret,
            secret_changed: change(dice),
            replicas: (0..=dice.roll(2)).map(|_| start(dice)).collect(),
            literal: (0..dice.roll(3)).map(|_| (any_bundle(dice), start(dice))).collect(),
            by_reference: (0..=dice.roll(2)).map(|_| start(dice)).collect(),
            at,
            judged: *dice.pick(&[at, at, at + 2.hours(), at + 20.hours(), at + 26.hours()]),
        }
    }

    pub fn record(&self, pool: &Pool) -> Option<Record> {
        self.has_record.then(|| Record {
            started: hour(0),
            namespace: "linkerd".into(),
            trust_domain: "cluster.local".into(),
            strategy: Strategy::Staged,
            old: pool.bundles[self.rotation * BUNDLES].clone(),
            scope: Scope::Full { anchor: pool.anchors[self.rotation].clone() },
            old_issuer: Some(pool.chains[self.rotation * CHAINS].clone()),
            issuer: pool.chains[self.new_chain].clone(),
            cross: None,
            managed: None,
            direction: Default::default(),
        })
    }

    pub fn mesh(&self, pool: &Pool, cluster: &mut Cluster) -> Mesh {
        let change = |at: Option<Timestamp>| at.map_or(ChangeTime::Unknown, ChangeTime::At);
        (cluster.bundle().text, cluster.bundle().changed) =
            (pool.texts[self.published].clone(), change(self.bundle_changed));
        (cluster.issuer().chain, cluster.issuer().changed) =
            (Ok(pool.chains[self.secret].clone()), change(self.secret_changed));
        let mut mesh = cluster.mesh.clone();
        mesh.proxies.clear();
        mesh.bundles = self.literal.iter().map(|(bundle, _)| pool.texts[*bundle].clone()).collect();
        mesh.control_plane.replicas = self.replicas.iter().map(|start| replica(*start)).collect();
        let literal = self.literal.iter().enumerate().map(|(place, (_, start))| {
            group(WorkloadId(3), Plane::Data, Held::Literal(BundleId(place)), *start)
        });
        let by_reference = self
            .by_reference
            .iter()
            .map(|start| group(IDENTITY_CONTROLLER, Plane::Control, Held::ByReference, *start));
        mesh.proxies = literal.chain(by_reference).collect();
        mesh
    }

    /// What whoever started then may have read, by what was published in the phases of the rotation; `None` for what
    /// nothing tells of.
    pub fn read(&self, start: Start) -> Vec<Option<BundleAt>> {
        self.read_by(start, start.after(self.bundle_changed))
    }

    fn read_by(&self, start: Start, is_after: bool) -> Vec<Option<BundleAt>> {
        if is_after {
            return vec![Some(self.published)];
        }
        let first = self.rotation * BUNDLES;
        let earlier: Vec<_> =
            if self.has_record { (first..self.published).map(Some).collect() } else { vec![] };
        match (start.before(self.bundle_changed), earlier.is_empty()) {
            (_, true) => vec![Some(self.published), None],
            (true, false) => earlier,
            (false, false) => earlier.into_iter().chain([Some(self.published)]).collect(),
        }
    }

    /// The issuer that the Secret held before, where there was another; `None` for one that nothing tells of.
    pub fn issuer_before(&self) -> Option<ChainAt> {
        (self.has_record && self.secret == self.new_chain).then_some(self.rotation * CHAINS)
    }

    /// What an identity controller may have loaded.
    pub fn loaded(&self, pool: &mut Pool, start: Start, name: &str) -> Vec<Option<(BundleAt, ChainAt)>> {
        let fresh = start.mounted(self.secret_changed);
        let mut found = vec![];
        for bundle in self.read_by(start, start.mounted(self.bundle_changed)) {
            let Some(bundle) = bundle else {
                found.push(None);
                continue;
            };
            let before = if fresh { None } else { Some(self.issuer_before()) };
            found.push(Some((bundle, self.secret)));
            found.extend(before.map(|chain| chain.map(|chain| (bundle, chain))));
        }
        // Whoever refuses an issuer has not loaded it, unless nothing else is possible: then something is amiss.
        let timed = start.mounted(self.secret_changed) || start.before(self.secret_changed);
        let refuses = |pair: &Option<(BundleAt, ChainAt)>, pool: &mut Pool| {
            pair.is_some_and(|(bundle, chain)| {
                let refusal = pool.refusal(bundle, chain, self.at, Rules::Controller, name);
                timed && refusal.is_some_and(|refusal| !is_of_time(&refusal))
            })
        };
        let kept: Vec<_> = found.iter().copied().filter(|pair| !refuses(pair, pool)).collect();
        if kept.iter().any(Option::is_some) {
            kept
        } else {
            found.push(None);
            found
        }
    }

    /// Since when every identity controller surely signs with the Secret's issuer.
    pub fn surely(&self) -> Option<Timestamp> {
        let all_fresh = self.replicas.iter().all(|replica| replica.mounted(self.secret_changed));
        all_fresh.then(|| self.replicas.iter().filter_map(|replica| replica.known()).max()).flatten()
    }

    /// Since when no identity controller signs with the issuer before the Secret's: those that run cannot have loaded it.
    pub fn quit(&self, pool: &mut Pool, before: ChainAt, name: &str) -> Option<Timestamp> {
        let never = self.replicas.iter().all(|start| {
            let has = |pair: &Option<(BundleAt, ChainAt)>| pair.is_none_or(|(_, chain)| chain == before);
            start.mounted(self.secret_changed) || !self.loaded(pool, *start, name).iter().any(has)
        });
        let starts: Option<Vec<_>> = self.replicas.iter().map(|replica| replica.known()).collect();
        starts.filter(|_| never)?.into_iter().max()
    }

    /// When the last workload certificate of an issuer before the Secret's expires: with a certificate of the chain, or a
    /// lifetime after it was signed.
    pub fn end(&self, pool: &mut Pool, before: ChainAt, name: &str) -> Timestamp {
        let expiry =
            self.quit(pool, before, name).map(|quit| quit + WORKLOAD_CERTIFICATE_LIFETIME_SECONDS.seconds());
        let chain = &pool.chains[before];
        let certificates = std::iter::once(&chain.issuer).chain(&chain.intermediates);
        certificates.map(|one| one.facts().not_after).chain(expiry).min().unwrap()
    }

    /// Which workload certificate a proxy with one of these bundles that started then may present: none that its own bundle
    /// refuses.
    pub fn presented(
        &self,
        pool: &mut Pool,
        (held, start): (&[Option<BundleAt>], Start),
        signed: &BTreeSet<ChainAt>,
        name: &str,
    ) -> Vec<Option<ChainAt>> {
        let found = self.signed_for(pool, start, signed, name);
        let unknown = |refusal| matches!(refusal, Some(Refusal::UnknownIssuer { .. }));
        let mut takes = |held, chain| !unknown(pool.refusal(held, chain, self.at, Rules::Proxy, name));
        let mut kept = vec![];
        for chain in found {
            let accepts =
                |held: &Option<BundleAt>| held.zip(chain).is_none_or(|(held, chain)| takes(held, chain));
            let accepted = held.iter().map(accepts).filter(|accepts| *accepts).count();
            kept.extend((accepted > 0).then_some(chain));
            kept.extend((accepted < held.len()).then_some(None));
        }
        kept
    }

    /// Which workload certificate a proxy that started then may have been signed.
    fn signed_for(
        &self,
        pool: &mut Pool,
        start: Start,
        signed: &BTreeSet<ChainAt>,
        name: &str,
    ) -> Vec<Option<ChainAt>> {
        let surely = self.surely();
        let since = |instant: Option<Timestamp>| {
            // Two minutes after the last controller has started, the one that it replaces has gone.
            instant.is_some_and(|instant| start.known().is_some_and(|start| start > instant + 2.minutes()))
        };
        if since(surely) {
            return vec![Some(self.secret)];
        }
        match self.issuer_before() {
            None if surely
                .is_some_and(|surely| surely + WORKLOAD_CERTIFICATE_LIFETIME_SECONDS.seconds() < self.at) =>
            {
                vec![Some(self.secret)]
            }
            None => vec![Some(self.secret), None],
            Some(before) if since(self.quit(pool, before, name)) => vec![Some(self.secret)],
            Some(before) => {
                let left = (self.end(pool, before, name) >= self.at).then_some(Some(before));
                let now = (left.is_none() || signed.contains(&self.secret)).then_some(Some(self.secret));
                now.into_iter().chain(left).collect()
            }
        }
    }
}

fn is_of_time(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Expired { .. } | Refusal::NotYetValid { .. } => true,
        Refusal::UnknownIssuer { candidate: Some(candidate), .. } => is_of_time(&candidate.because),
        _ => false,
    }
}

fn replica(start: Start) -> Replica {
    let (pod, component, container) = ("linkerd-identity-0".into(), "identity".into(), "identity".into());
    Replica { pod, component, container, started: start.known(), made: Made::default() }
}

fn group(workload: WorkloadId, plane: Plane, held: Held, start: Start) -> ProxyGroup {
    let mut starts = Starts::default();
    starts.add(start.known());
    let (injection, made, sample) = (Injection::Webhook, Made::default(), vec!["pod".into()]);
    ProxyGroup { workload, plane, held, injection, starts, made, sample }
}
