//! What is there and what is proposed, divided by a line of `=`: as documents, laid over each other.
#![no_main]

use l5d_rotate::mesh::Observer;
use l5d_rotate::source::{Observed, Proposal, observe_reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (current, proposed) = text.split_once("\n=\n").unwrap_or((&text, &text));
    let Ok(Observed::Objects(proposal)) =
        observe_reader(proposed.as_bytes(), "proposed", Proposal::default())
    else {
        return;
    };
    let _ = proposal.clone().whole(None);
    let mesh = match observe_reader(current.as_bytes(), "current", Observer::new(false)) {
        Ok(Observed::Objects(observer)) => observer.finish(None).ok(),
        Ok(Observed::Snapshot(mesh)) => Some(mesh),
        Err(_) => None,
    };
    if let Some(mesh) = mesh {
        let _ = proposal.over(&mesh);
    }
});
