//! Random mixed states of meshes: what the possible worlds say, worlds counted one by one, and real handshakes agree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod pki_support;
mod rotation_support;
#[path = "model/state.rs"]
mod state;

use std::collections::BTreeSet;
use std::time::Instant;

use l5d_rotate::mesh::Era;
use l5d_rotate::pki::Rules;
use l5d_rotate::rotation::worlds::{Invariant, Worlds};
use pki_support::random::Dice;
use pki_support::tls::{self, Proxy};
use rotation_support::Cluster;
use state::{BundleAt, ChainAt, Pool, State};

/// States judged where nothing else is asked for; `MODEL_STATES` asks for more.
const STATES: u64 = 8_000;
/// Of so many states one meets in handshakes.
const SAMPLED: u64 = 16;

/// What does not hold: the invariant, the bundle, the controller's bundle, the chain.
type Finding = (Invariant, Option<BundleAt>, Option<BundleAt>, ChainAt);

/// Findings of the worlds one by one: in some of them, and in all of them.
fn counted(state: &State, pool: &mut Pool, name: &str) -> (BTreeSet<Finding>, BTreeSet<Finding>) {
    let loaded: Vec<_> = state.replicas.iter().map(|start| state.loaded(pool, *start, name)).collect();
    let signed: BTreeSet<_> = loaded.iter().flatten().flatten().map(|(_, chain)| *chain).collect();
    let mut held: Vec<_> = state.literal.iter().map(|(bundle, _)| vec![Some(*bundle)]).collect();
    held.extend(state.by_reference.iter().map(|start| state.read(*start)));
    let starts = state.literal.iter().map(|(_, start)| start).chain(&state.by_reference);
    let leaves: Vec<_> = starts.map(|start| state.leaf(pool, *start, &signed)).collect();
    let (mut some, mut all): (BTreeSet<Finding>, Option<BTreeSet<Finding>>) = (BTreeSet::new(), None);
    for held in choices(&held) {
        for presented in choices(&leaves) {
            for loaded in choices(&loaded) {
                let found = world(state, pool, name, (&held, &presented, &loaded));
                all = Some(all.map_or_else(|| found.clone(), |all| &all & &found));
                some.extend(found);
            }
        }
    }
    (some, all.unwrap())
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

/// What does not hold in one world.
fn world(
    state: &State,
    pool: &mut Pool,
    name: &str,
    (held, presented, loaded): (&[BundleAt], &[ChainAt], &[(BundleAt, ChainAt)]),
) -> BTreeSet<Finding> {
    let mut found = BTreeSet::new();
    let is_there = |chain: &ChainAt| *chain == state.secret || state.end(pool, *chain) >= state.judged;
    let presented: Vec<_> = presented.iter().copied().filter(is_there).collect();
    let mut ask = |bundle, chain, rules, finding| {
        if pool.refusal(bundle, chain, state.judged, rules, name).is_some() {
            found.insert(finding);
        }
    };
    let start = (Invariant::ControllerStarts, None, None, state.secret);
    ask(state.published, state.secret, Rules::Controller, start);
    for &(own, chain) in loaded {
        ask(own, chain, Rules::Controller, (Invariant::ControllerSigns, None, Some(own), chain));
    }
    for &bundle in held {
        for &chain in &presented {
            ask(bundle, chain, Rules::Proxy, (Invariant::EveryPair, Some(bundle), None, chain));
        }
        for &(own, chain) in loaded {
            ask(bundle, chain, Rules::Proxy, (Invariant::EveryRenewal, Some(bundle), Some(own), chain));
        }
    }
    found
}

/// What the possible worlds say, in the words of the pool: in some of them, and in all of them.
fn said(worlds: &Worlds, state: &State, pool: &Pool) -> (BTreeSet<Finding>, BTreeSet<Finding>) {
    let (mut some, mut all) = (BTreeSet::new(), BTreeSet::new());
    for broken in worlds.broken(state.judged) {
        let bundle = broken.bundle.map(|at| pool.bundle_at(&worlds.bundles[at].what));
        let (own, chain) = match (broken.invariant, broken.chain) {
            (Invariant::EveryPair, Some(at)) => (None, pool.chain_at(&worlds.leaves[at].what)),
            (_, Some(at)) => {
                let (own, chain) = &worlds.controllers[at].what;
                (Some(pool.bundle_at(own)), pool.chain_at(chain))
            }
            (_, None) => (None, state.secret),
        };
        let finding = (broken.invariant, bundle, own, chain);
        some.insert(finding);
        if broken.certain {
            all.insert(finding);
        }
    }
    (some, all)
}

/// Every bundle of the worlds meets every leaf of them in a handshake, each side with the same: does it say what the worlds
/// say? Gives the number of handshakes.
fn meet(worlds: &Worlds, state: &State, pool: &Pool, some: &BTreeSet<Finding>) -> u64 {
    let mut met = 0;
    for leaf in worlds.leaves.iter().filter(|leaf| leaf.until.is_none_or(|until| until >= state.judged)) {
        let chain = pool.chain_at(&leaf.what);
        // The controller signs with ECDSA on P-256 only, so no handshake can be had of another issuer's leaf.
        if pool.signers[chain].algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
            continue;
        }
        let proxy = Proxy::new(&leaf.what, &pool.signers[chain]);
        for held in &worlds.bundles {
            let bundle = pool.bundle_at(&held.what);
            let real = tls::handshake((&held.what, &proxy), (&held.what, &proxy), state.judged);
            let refused = some.contains(&(Invariant::EveryPair, Some(bundle), None, chain));
            assert_eq!(real.is_err(), refused, "{real:?} {state:?}");
            met += 1;
        }
    }
    met
}

fn judge(states: u64) {
    let began = Instant::now();
    let mut pool = Pool::mint();
    let (pki, mut safe, mut unsafe_, mut perhaps, mut met) = (rotation_support::Pki::mint(), 0, 0, 0, 0);
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let name = cluster.mesh.identity_name();
    for seed in 0..states {
        let state = State::random(&pool, &mut Dice(seed));
        let (mesh, record) = (state.mesh(&pool, &mut cluster), state.record(&pool));
        let worlds = Worlds::of(&mesh, record.as_ref(), state.at);
        let (some, all) = said(&worlds, &state, &pool);
        let (counted_some, counted_all) = counted(&state, &mut pool, &name);
        assert_eq!(some, counted_some, "what may be broken, seed {seed}: {state:#?}");
        assert_eq!(all, counted_all, "what is broken for sure, seed {seed}: {state:#?}");
        *(match (some.is_empty(), all.is_empty()) {
            (true, _) => &mut safe,
            (false, true) => &mut perhaps,
            (false, false) => &mut unsafe_,
        }) += 1;
        if seed % SAMPLED == 0 {
            met += meet(&worlds, &state, &pool, &some);
        }
    }
    println!(
        "{states} states: {safe} safe, {perhaps} perhaps not, {unsafe_} unsafe; {met} handshakes; {:?}",
        began.elapsed()
    );
    assert!(safe * 20 > states && perhaps * 20 > states && unsafe_ * 20 > states && met * 10 > states);
}

#[test]
fn worlds_counted_one_by_one_and_handshakes_say_the_same_of_random_states() {
    judge(std::env::var("MODEL_STATES").map_or(STATES, |states| states.parse().unwrap()));
}
