//! What takes a mesh down (pitfalls) and what users suffered (pains): the state that caused it, and the answer given.
//!
//! Pitfalls 1 to 8 are in `order`, 9 to 11 and 14 to 19 in `sick`, 12, 13 and 19 to 24 in `written`; pains in `pains`.

mod order;
mod pains;
mod scene;
mod sick;
mod written;

use crate::cluster;

const TESTS: &str = concat!(
    include_str!("order.rs"),
    include_str!("sick.rs"),
    include_str!("written.rs"),
    include_str!("pains.rs")
);

#[test]
fn each_pitfall_and_each_pain_has_a_test_of_its_number() {
    let missing = |kind: &str, numbers: &[u8]| -> Vec<String> {
        let names = numbers.iter().map(|number| format!("#[test]\nfn {kind}_{number:02}_"));
        names.filter(|name| !TESTS.contains(name)).collect()
    };
    let pitfalls: Vec<_> = (1..=24).collect();
    assert_eq!(missing("pitfall", &pitfalls), [""; 0]);
    assert_eq!(missing("pain", &[2, 3, 4, 5, 14, 15, 25]), [""; 0]);
}

/// The anchors that a cluster publishes.
fn cluster_anchors(cluster: &cluster::Cluster) -> Vec<l5d_rotate::pki::Certificate> {
    l5d_rotate::pki::pem::read_as_controller(&cluster.bundle).unwrap()
}
