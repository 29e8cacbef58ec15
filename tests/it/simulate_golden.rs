//! What `simulate` shows, to the letter.

use jiff::SignedDuration;

use crate::cluster::Cluster;
use crate::runner::Ran;
use crate::simulate_orders::{self, merge};
use crate::support::user::User;

/// Fingerprints differ from run to run, and with them the hashes in names of pods: each is written in zeros.
fn nameless(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for char in text.chars().chain(['\n']) {
        if char.is_ascii_alphanumeric() {
            word.push(char);
            continue;
        }
        let is_hash = [10, 12].contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        out.push_str(&if is_hash { "0".repeat(word.len()) } else { std::mem::take(&mut word) });
        word.clear();
        out.push(char);
    }
    out.pop();
    out
}

fn simulate(user: &User, flags: &str) -> Ran {
    let ran = simulate_orders::simulate(user, flags);
    Ran { out: nameless(&ran.out), ..ran }
}

fn golden(name: &str, ran: &Ran, code: i32) {
    assert_eq!(ran.code, code, "{}", ran.err);
    for line in ran.out.lines().filter(|_| !ran.out.starts_with("**")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    insta::assert_snapshot!(name, ran.out);
}

#[test]
fn a_staged_rotation_breaks_nothing() {
    let ran = simulate(&User::started(Cluster::new(), ""), "");
    golden("a_staged_rotation_breaks_nothing", &ran, 0);
}

#[test]
fn an_issuer_swapped_before_its_anchor_is_published_breaks_renewals_at_once_and_connections_later() {
    let ran = simulate(&User::started(Cluster::new(), ""), "--order issuer,bundle,prune");
    golden(
        "an_issuer_swapped_before_its_anchor_is_published_breaks_renewals_at_once_and_connections_later",
        &ran,
        4,
    );
}

#[test]
fn an_old_anchor_pruned_before_the_new_issuer_is_in_place_breaks_whoever_starts() {
    let ran = simulate(&User::started(Cluster::new(), ""), "--order prune,issuer");
    golden("an_old_anchor_pruned_before_the_new_issuer_is_in_place_breaks_whoever_starts", &ran, 4);
    let ran = simulate(&User::started(Cluster::new(), ""), "--order bundle,prune,issuer");
    assert_eq!(ran.code, 4);
    assert!(ran.out.starts_with("Breaks at prune/1-trust, from +0: "), "{}", ran.out);
}

#[test]
fn an_issuer_alone_breaks_nothing_and_has_no_other_phase() {
    let user = User::started(
        Cluster::new(),
        "--issuer-only --strategy staged --anchor anchor.pem --anchor-key anchor.key",
    );
    golden("an_issuer_alone_breaks_nothing_and_has_no_other_phase", &simulate(&user, ""), 0);
    let ran = simulate(&user, "--order bundle,issuer");
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("the order names phase bundle, and the phases of this rotation are: issuer"),
        "{}",
        ran.err
    );
}

#[test]
fn steps_that_are_done_are_shown_as_done() {
    let mut user = User::started(Cluster::new(), "");
    merge(&mut user, "bundle --step 1");
    merge(&mut user, "bundle --step 2");
    // The control plane's pods of before are gone: which issuer they signed with is not told until the workload certificates
    // under it expire.
    user.cluster.wait(SignedDuration::from_hours(25));
    let ran = simulate(&user, "--order bundle,issuer");
    golden("steps_that_are_done_are_shown_as_done", &ran, 0);
    let ran = simulate(&user, "--order issuer");
    assert_eq!(ran.code, 4);
    assert!(ran.out.starts_with("Breaks at issuer/1-issuer, from +0: up to 22 proxies with"), "{}", ran.out);
}

#[test]
fn a_pull_request_gets_one_table() {
    let ran = simulate(&User::started(Cluster::new(), ""), "--order issuer -o markdown");
    golden("a_pull_request_gets_one_table", &ran, 4);
}
