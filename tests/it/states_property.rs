//! The possible states over random meshes: less that is known never means fewer possibilities.

use std::sync::LazyLock;

use jiff::ToSpan;
use l5d_rotate::mesh::{ChangeTime, Era, Held, Known, Mesh, Starts, Unread};
use l5d_rotate::pki::{Bundle, IssuerChain};
use l5d_rotate::rotation::Record;
use l5d_rotate::states::{Holding, Invariant, States, Violation};
use proptest::prelude::*;

use crate::sizes;
use crate::support::rotation::*;

static FIXTURE: LazyLock<(Pki, Cluster, Record)> = LazyLock::new(|| fixture(Era::V2_12));

const ERAS: [Era; 6] = [Era::V2_6, Era::V2_7, Era::V2_9, Era::V2_10, Era::V2_11, Era::V2_12];

/// What a random mesh is made of: which bundle is published and held, which issuer is in place, and hours of change and start.
#[derive(Debug, Clone)]
struct Drawn {
    era: usize,
    published: usize,
    held: Vec<(usize, bool, Option<i32>)>,
    swapped: bool,
    changes: [i32; 2],
    replicas: Vec<Option<i32>>,
    now: i32,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let start = || proptest::option::weighted(0.8, 0..60_i32);
    (
        0..ERAS.len(),
        0..3_usize,
        proptest::collection::vec((0..3_usize, any::<bool>(), start()), 0..4),
        any::<bool>(),
        [0..60_i32, 0..60_i32],
        proptest::collection::vec(start(), 1..3),
        60..100_i32,
    )
        .prop_map(|(era, published, held, swapped, changes, replicas, now)| Drawn {
            era,
            published,
            held,
            swapped,
            changes,
            replicas,
            now,
        })
}

fn hour(hours: i32) -> jiff::Timestamp {
    time(STARTED) + hours.hours()
}

fn bundles() -> [Bundle; 3] {
    let (pki, _, _) = &*FIXTURE;
    let [old, new] = [&pki.old, &pki.new].map(|authority| authority.certificate.clone());
    [vec![old.clone()], vec![old, new.clone()], vec![new]].map(|anchors| Bundle::new(anchors).unwrap())
}

fn mesh(drawn: &Drawn) -> Mesh {
    let (pki, _, record) = &*FIXTURE;
    let mut cluster = Cluster::new(pki, ERAS[drawn.era]);
    let text = |at: usize| l5d_rotate::pki::BundleText::read(bundles()[at].to_pem());
    for (at, (bundle, by_reference, start)) in drawn.held.iter().enumerate() {
        let id = cluster.add("Deployment", "apps", &format!("app-{at}"), 2, &[]);
        let held = cluster.intern(text(*bundle));
        let group = cluster.group(id);
        group.held = if *by_reference { Held::ByReference } else { Held::Literal(held) };
        group.starts = Starts::default();
        (0..2).for_each(|_| group.starts.add(start.map(hour)));
    }
    cluster.bundle().text = text(drawn.published);
    cluster.bundle().changed = ChangeTime::At(hour(drawn.changes[0]));
    cluster.issuer().changed = ChangeTime::At(hour(drawn.changes[1]));
    if drawn.swapped {
        cluster.issuer().chain = Ok(record.issuer.clone());
    }
    let identity =
        cluster.mesh.control_plane.replicas.iter().position(|one| one.container == "identity").unwrap();
    let replica = cluster.mesh.control_plane.replicas.remove(identity);
    for (at, start) in drawn.replicas.iter().enumerate() {
        let mut replica = replica.clone();
        replica.pod = format!("linkerd-identity-{at}");
        replica.started = start.map(hour);
        cluster.mesh.control_plane.replicas.push(replica);
    }
    cluster.mesh
}

/// The same mesh with something that is not known any more.
fn forget(mut mesh: Mesh, what: u8) -> Mesh {
    let at = |changed: &mut ChangeTime| *changed = ChangeTime::Unknown;
    match what % 5 {
        0 => {
            if let Known::Is(published) = &mut mesh.trust.published {
                at(&mut published.changed);
            }
        }
        1 => {
            if let Known::Is(issuer) = &mut mesh.issuer {
                at(&mut issuer.changed);
            }
        }
        2 => mesh.proxies.iter_mut().for_each(|group| {
            group.starts = Starts { unknown: group.starts.count(), ..Starts::default() };
        }),
        3 => mesh.pods = Known::Unknown(Unread::Refused("forbidden".into())),
        _ => mesh.control_plane.replicas.iter_mut().for_each(|replica| replica.started = None),
    }
    mesh
}

fn within<T: PartialEq>(few: &[Holding<T>], many: &[Holding<T>]) -> bool {
    few.iter().all(|one| many.iter().any(|other| other.what == one.what))
}

/// What is broken, by what it is.
fn pair<'a>(states: &'a States, one: &Violation) -> (Invariant, Option<&'a Bundle>, Option<&'a IssuerChain>) {
    let (bundle, chain) = states.sides(one);
    (one.invariant(), bundle, chain)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sizes::of(60, 200), max_global_rejects: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn forgetting_a_time_never_takes_a_possibility_away(drawn in drawn(), what in any::<u8>()) {
        let (_, _, record) = &*FIXTURE;
        let known = mesh(&drawn);
        let now = hour(drawn.now);
        let sure = States::of(&known, Some(&record.history()), now);
        // An identity controller that refused what it read when it started does not run.
        prop_assume!(sure.violations(now).iter().all(|one| one.invariant() != Invariant::ControllerSigns));
        let blurred = States::of(&forget(known, what), Some(&record.history()), now);
        prop_assert!(within(&sure.bundles, &blurred.bundles), "{sure:?}\n{blurred:?}");
        prop_assert!(within(&sure.controllers, &blurred.controllers));
        prop_assert!(within(&sure.presented, &blurred.presented), "{:?}\n{:?}", sure.presented, blurred.presented);
        // What is certain with less known is certain with more.
        let violations = sure.violations(now);
        for one in blurred.violations(now).iter().filter(|one| one.certain) {
            let same = |other: &&Violation| other.certain && pair(&sure, other) == pair(&blurred, one);
            prop_assert!(violations.iter().any(|other| same(&other)), "{one:?}\n{violations:?}");
        }
    }

    #[test]
    fn publishing_more_breaks_nothing(drawn in drawn()) {
        let (_, _, record) = &*FIXTURE;
        let now = hour(drawn.now);
        let before = States::of(&mesh(&drawn), Some(&record.history()), now);
        let more = bundles()[drawn.published].union(bundles()[1].anchors());
        prop_assume!(before.violations(now).is_empty());
        // An issuer that no controller has loaded yet waits in the Secret: the next restart would activate it.
        prop_assume!(before.controllers.iter().all(|one| Some(&one.what.1) == before.issuer.as_ref()));
        prop_assert_eq!(before.publishing(&more).violations(now), vec![]);
    }

    #[test]
    fn every_possible_state_is_listed_once_and_every_restart_keeps_the_published_bundle(drawn in drawn()) {
        let (_, _, record) = &*FIXTURE;
        let now = hour(drawn.now);
        let states = States::of(&mesh(&drawn), Some(&record.history()), now);
        let restarted = states.restarted(|_| true);
        prop_assert_eq!(restarted.bundles.len(), 1);
        prop_assert!(restarted.bundles[0].certain);
        // Where the controller fails to start, whoever starts has no workload certificate.
        let starts = restarted.violations(now).iter().all(|one| one.invariant() != Invariant::ControllerStarts);
        prop_assert_eq!(restarted.presented.len(), usize::from(starts));
        for presented in &restarted.presented {
            prop_assert!(presented.certain);
            prop_assert_eq!(&presented.what, restarted.issuer.as_ref().unwrap());
        }
        for (at, one) in states.bundles.iter().enumerate() {
            prop_assert!(states.bundles[at + 1..].iter().all(|other| !other.what.same_set(&one.what)));
        }
        // Waiting as long as a workload certificate can live changes nothing that somebody still signs.
        let waited = restarted.waited(now + 48.hours());
        prop_assert_eq!(&waited.presented, &restarted.presented);
    }
}
