//! What reading a cluster costs: each request is a kubectl that is started.

use super::Cluster;
use super::desk::Desk;

#[test]
fn a_cluster_without_the_kinds_of_others_is_read_with_few_requests() {
    const NAME: &str = "a_cluster_without_the_kinds_of_others_is_read_with_few_requests";
    let Some(desk) = Desk::new(NAME, Cluster::new()) else { return };
    for command in ["check", "status"] {
        let before = desk.servers.done_by("jane").len();
        desk.out(command);
        let mut done = desk.servers.done_by("jane").split_off(before);
        // Some kubectl ask for the version before anything else, to run the one that fits it.
        done.retain(|entry| !entry["requestURI"].as_str().unwrap().starts_with("/version"));
        let of = |code: u64| done.iter().filter(|entry| entry["responseStatus"]["code"] == code).count();
        println!("{command}: {} requests, {} answered 404", done.len(), of(404));
        // Two objects that this install has not, and no kind.
        assert!(done.len() <= 14 && of(404) <= 1 && of(403) == 0, "{done:#?}");
    }
}
