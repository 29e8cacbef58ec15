//! A dump, manifests or a snapshot; a snapshot of what was read gives the same snapshot.
#![no_main]

use l5d_rotate::document::yaml;
use l5d_rotate::mesh::{Mesh, Observer};
use l5d_rotate::source::{Observed, observe_reader, snapshot};
use libfuzzer_sys::fuzz_target;

fn mesh(bytes: &[u8]) -> Option<Mesh> {
    match observe_reader(bytes, "fuzz", Observer::new(false)).ok()? {
        Observed::Objects(observer) => observer.finish(None).ok(),
        Observed::Snapshot(mesh) => Some(mesh),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some(read) = mesh(bytes) else { return };
    let first = yaml::write(&snapshot(&read));
    let again = mesh(first.as_bytes()).expect("a snapshot is read");
    assert_eq!(yaml::write(&snapshot(&again)), first);
});
