//! Random mixed states of meshes: what the possible states say, states counted one by one, real handshakes and Go agree.

pub(crate) mod state;

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::Timestamp;
use l5d_rotate::mesh::Era;
use l5d_rotate::pki::{Refusal, Rules};
use l5d_rotate::states::{Invariant, Sides, States};

use crate::sizes;
use crate::support::pki::go::{self, Oracle};
use crate::support::pki::random::Dice;
use crate::support::pki::tls::{self, Proxy};
use crate::support::rotation;
use crate::support::rotation::Cluster;
use state::{BundleAt, ChainAt, Pool, State};

/// Of so many states one meets in handshakes.
const SAMPLED: u64 = 16;

/// What Go must have had to say, beside accepting: certificates of every shape were asked for.
const WORDS: [&str; 5] = [
    "x509: certificate has expired",
    "x509: certificate signed by unknown authority",
    "x509: certificate specifies an incompatible key",
    "x509: too many intermediates",
    "x509: a root or intermediate certificate is not ",
];

/// What does not hold: the invariant, the bundle, the controller's bundle, the chain.
type Finding = (Invariant, Option<BundleAt>, Option<BundleAt>, ChainAt);

/// Findings of the states one by one: in some of them, and in all of them.
fn counted(state: &State, pool: &mut Pool, name: &str) -> (BTreeSet<Finding>, BTreeSet<Finding>) {
    let loaded: Vec<_> = state.replicas.iter().map(|start| state.loaded(pool, *start, name)).collect();
    let signed: BTreeSet<_> = loaded.iter().flatten().flatten().map(|(_, chain)| *chain).collect();
    let mut held: Vec<_> = state.literal.iter().map(|(bundle, _)| vec![Some(*bundle)]).collect();
    held.extend(state.by_reference.iter().map(|start| state.read(*start)));
    let starts = state.literal.iter().map(|(_, start)| start).chain(&state.by_reference);
    let holders = held.iter().map(Vec::as_slice).zip(starts.copied());
    let presented: Vec<_> = holders.map(|holder| state.presented(pool, holder, &signed, name)).collect();
    // The proxies of identity pods come last.
    let others = state.literal.len();
    let (held, presented) = (owned(&held, others), owned(&presented, others));
    let (mut some, mut all): (BTreeSet<Finding>, Option<BTreeSet<Finding>>) = (BTreeSet::new(), None);
    for held in choices(&held) {
        for presented in choices(&presented) {
            for loaded in choices(&loaded) {
                let chosen = Chosen { held: &held, presented: &presented, loaded: &loaded };
                let found = possible_state(state, pool, name, chosen);
                all = Some(all.map_or_else(|| found.clone(), |all| &all & &found));
                some.extend(found);
            }
        }
    }
    (some, all.unwrap())
}

/// What a proxy holds, and whether it is one of an identity pod.
type Owned<T> = (bool, T);

/// One possible state: what proxies hold and present, and what controllers have loaded.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    held: &'a [Owned<BundleAt>],
    presented: &'a [Owned<ChainAt>],
    loaded: &'a [(BundleAt, ChainAt)],
}

/// What each may hold, with whether it is a proxy of an identity pod.
fn owned<T: Copy>(of: &[Vec<Option<T>>], others: usize) -> Vec<Vec<Option<Owned<T>>>> {
    let own = |(place, may): (usize, &Vec<Option<T>>)| {
        may.iter().map(|one| one.map(|one| (place >= others, one))).collect()
    };
    of.iter().enumerate().map(own).collect()
}

/// Every choice of one of each.
fn choices<T: Copy>(of: &[Vec<Option<T>>]) -> Vec<Vec<T>> {
    of.iter().fold(vec![vec![]], |found, options| {
        let longer = |choice: &Vec<T>| {
            options
                .iter()
                .map(|option| choice.iter().copied().chain(*option).collect())
                .collect::<Vec<Vec<T>>>()
        };
        found.iter().flat_map(longer).collect()
    })
}

/// What does not hold in one possible state.
fn possible_state(
    state: &State,
    pool: &mut Pool,
    name: &str,
    Chosen { held, presented, loaded }: Chosen<'_>,
) -> BTreeSet<Finding> {
    let mut found = BTreeSet::new();
    let is_there = |(_, chain): &(bool, ChainAt)| {
        *chain == state.secret || state.end(pool, *chain, name) >= state.judged
    };
    // Who could not renew is refused after its certificate has expired, too.
    let asking = presented;
    let presented: Vec<_> = presented.iter().copied().filter(is_there).collect();
    let mut ask = |bundle, chain, rules, finding| {
        let refused = match rules {
            Rules::Controller => pool.refusal(bundle, chain, state.judged, rules, name).is_some(),
            Rules::Proxy => pool.workload_certificate_refusal(bundle, chain, state.judged, name),
        };
        if refused {
            found.insert(finding);
        }
    };
    let start = (Invariant::ControllerStarts, None, None, state.secret);
    ask(state.published, state.secret, Rules::Controller, start);
    for &(own, chain) in loaded {
        ask(own, chain, Rules::Controller, (Invariant::ControllerSigns, None, Some(own), chain));
    }
    for &(_, bundle) in held {
        for &(_, chain) in &presented {
            ask(bundle, chain, Rules::Proxy, (Invariant::EveryPair, Some(bundle), None, chain));
        }
        for &(own, chain) in loaded {
            ask(bundle, chain, Rules::Proxy, (Invariant::EveryRenewal, Some(bundle), Some(own), chain));
        }
    }
    // An identity controller signs nothing with an issuer that it refuses for good.
    found.retain(|(invariant, _, own, chain)| {
        *invariant != Invariant::EveryRenewal
            || own
                .is_none_or(|own| !pool.refuses_for_good(own, *chain, state.judged, Rules::Controller, name))
    });
    let identity = held.iter().filter(|(identity, _)| *identity).map(|(_, bundle)| *bundle);
    for bundle in identity {
        for (_, chain) in asking.iter().filter(|(identity, _)| !identity) {
            if pool.refuses_for_good(bundle, *chain, state.judged, Rules::Proxy, name) {
                found.insert((Invariant::EveryRequest, Some(bundle), None, *chain));
            }
        }
    }
    found
}

/// What the possible states say, in the words of the pool: in some of them, and in all of them.
fn said(states: &States, state: &State, pool: &Pool) -> (BTreeSet<Finding>, BTreeSet<Finding>) {
    let (mut some, mut all) = (BTreeSet::new(), BTreeSet::new());
    for violation in states.violations(state.judged) {
        let bundle = violation.bundle().map(|at| pool.bundle_at(&states.bundles[at].what));
        let (own, chain) = match violation.sides {
            Sides::Start => (None, state.secret),
            Sides::Peers { presented, .. } | Sides::Request { presented, .. } => {
                (None, pool.chain_at(&states.presented[presented].what))
            }
            Sides::Renewal { controller, .. } | Sides::Signing { controller } => {
                let (own, chain) = &states.controllers[controller].what;
                (Some(pool.bundle_at(own)), pool.chain_at(chain))
            }
        };
        let finding = (violation.invariant(), bundle, own, chain);
        some.insert(finding);
        if violation.certain {
            all.insert(finding);
        }
    }
    (some, all)
}

/// Proxies with every bundle of the states and every workload certificate of them meet in handshakes: each with its like, and
/// with the next, either calling. Does it say what the states say? Gives the number of handshakes, and of those that failed.
fn meet(states: &States, state: &State, pool: &Pool, some: &BTreeSet<Finding>) -> [u64; 2] {
    let present =
        states.presented.iter().filter(|presented| presented.until.is_none_or(|until| until >= state.judged));
    // No workload certificate can be minted that is valid longer than its issuer's file.
    let chains = present
        .map(|presented| pool.chain_at(&presented.what))
        .filter(|chain| !pool.is_past(*chain, state.judged));
    // The controller signs with ECDSA on P-256 only, so no handshake can be had of another issuer's workload certificate.
    let signed = chains.filter(|chain| pool.signers[*chain].algorithm() == &rcgen::PKCS_ECDSA_P256_SHA256);
    let presented: Vec<_> =
        signed.map(|chain| (chain, Proxy::new(&pool.chains[chain], &pool.signers[chain]))).collect();
    let proxies: Vec<_> = states
        .bundles
        .iter()
        .flat_map(|held| presented.iter().map(|(chain, proxy)| (pool.bundle_at(&held.what), *chain, proxy)))
        .collect();
    let next = proxies.iter().zip(proxies.iter().cycle().skip(1));
    let (mut met, mut failed) = (0, 0);
    let mut call = |client: &(BundleAt, ChainAt, &Proxy), server: &(BundleAt, ChainAt, &Proxy)| {
        let (client_anchors, server_anchors) = (&pool.bundles[client.0], &pool.bundles[server.0]);
        let real = tls::handshake((client_anchors, client.2), (server_anchors, server.2), state.judged);
        (met, failed) = (met + 1, failed + u64::from(real.is_err()));
        real
    };
    for (one, other) in proxies.iter().map(|one| (one, one)).chain(next) {
        let (real, back) = (call(one, other), call(other, one));
        let refuses = |bundle, chain| some.contains(&(Invariant::EveryPair, Some(bundle), None, chain));
        let refused = refuses(one.0, other.1) || refuses(other.0, one.1);
        assert_eq!(real.is_err() || back.is_err(), refused, "{real:?} {back:?} {state:?}");
    }
    [met, failed]
}

/// What was judged, and how it came out.
#[derive(Debug, Default)]
struct Count {
    safe: u64,
    perhaps: u64,
    violated: u64,
    handshakes: u64,
    refused: u64,
    /// Questions to the trust relation under the controller's rules that Go was asked, and how many of them it accepted.
    verdicts: u64,
    accepted: u64,
    /// The beginnings of Go's refusals.
    words: BTreeSet<String>,
}

impl Count {
    fn add(mut self, other: Self) -> Self {
        self.safe += other.safe;
        self.perhaps += other.perhaps;
        self.violated += other.violated;
        self.handshakes += other.handshakes;
        self.refused += other.refused;
        self.verdicts += other.verdicts;
        self.accepted += other.accepted;
        self.words.extend(other.words);
        self
    }

    /// Judges the states of these seeds.
    fn of(seeds: impl Iterator<Item = u64>, oracle: Option<&Oracle>) -> Self {
        let (mut pool, mut count) = (Pool::mint(), Self::default());
        let mut cluster = Cluster::new(&rotation::Pki::mint(), Era::V2_12);
        let name = cluster.mesh.identity_name().name;
        for seed in seeds {
            let state = State::random(&pool, &mut Dice(seed));
            let (mesh, record) = (state.mesh(&pool, &mut cluster), state.record(&pool));
            let states = States::of(&mesh, record.as_ref().map(|record| record.history()).as_ref(), state.at);
            let (some, all) = said(&states, &state, &pool);
            let (counted_some, counted_all) = counted(&state, &mut pool, &name);
            assert_eq!(some, counted_some, "what may be broken, seed {seed}: {state:#?}");
            assert_eq!(all, counted_all, "what is broken for sure, seed {seed}: {state:#?}");
            *(match (some.is_empty(), all.is_empty()) {
                (true, _) => &mut count.safe,
                (false, true) => &mut count.perhaps,
                (false, false) => &mut count.violated,
            }) += 1;
            if seed % SAMPLED == 0 {
                let [met, failed] = meet(&states, &state, &pool, &some);
                count.handshakes += met;
                count.refused += failed;
            }
        }
        if let Some(oracle) = oracle {
            count.compare(&pool, oracle);
        }
        count
    }

    /// Go's own verdict on every question that was asked under the controller's rules, in its own words.
    fn compare(&mut self, pool: &Pool, oracle: &Oracle) {
        let asked: Vec<_> =
            pool.verdicts.iter().filter(|((.., rules), _)| *rules == Rules::Controller).collect();
        let question = |(bundle, chain, at, _): &(BundleAt, ChainAt, Timestamp, Rules)| {
            go::verify(&pool.bundles[*bundle], &pool.chains[*chain], *at)
        };
        let answers = oracle.ask(&asked.iter().map(|(key, _)| question(key)).collect::<Vec<_>>());
        for ((key, ours), answer) in asked.iter().zip(answers) {
            let ours = ours.as_ref().map(Refusal::go_text).unwrap_or_default();
            assert_eq!(ours, answer.error, "{key:?}\n{:?}\n{:?}", pool.bundles[key.0], pool.chains[key.1]);
            self.verdicts += 1;
            self.accepted += u64::from(ours.is_empty());
            self.words.insert(ours.chars().take(48).collect());
        }
    }
}

fn judge(states: u64) {
    let began = Instant::now();
    let oracle = Oracle::build(
        "possible_states_counted_one_by_one_and_handshakes_and_go_say_the_same_of_random_meshes",
    );
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let parts = (0..threads).map(|part| (part..states).step_by(usize::try_from(threads).unwrap()));
    let count = std::thread::scope(|scope| {
        let running: Vec<_> = parts.map(|seeds| scope.spawn(|| Count::of(seeds, oracle.as_ref()))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).fold(Count::default(), Count::add)
    });
    println!(
        "{states} states: {} safe, {} perhaps not, {} unsafe; {} handshakes, {} of them refused; {} verdicts of Go, {} of them \
         accepting; {:?}",
        count.safe,
        count.perhaps,
        count.violated,
        count.handshakes,
        count.refused,
        count.verdicts,
        count.accepted,
        began.elapsed()
    );
    assert!([count.safe, count.perhaps, count.violated].iter().all(|kind| kind * 20 > states), "{count:#?}");
    assert!(count.handshakes * 5 > states && count.refused * 10 > count.handshakes, "{count:#?}");
    assert!((count.handshakes - count.refused) * 10 > count.handshakes, "{count:#?}");
    assert!(oracle.is_none() || count.accepted > 200, "{count:#?}");
    for kind in WORDS.iter().filter(|_| oracle.is_some()) {
        assert!(count.words.iter().any(|words| words.starts_with(kind)), "{kind}: {:#?}", count.words);
    }
}

#[test]
fn possible_states_counted_one_by_one_and_handshakes_and_go_say_the_same_of_random_meshes() {
    judge(sizes::of(800, 100_000));
}
