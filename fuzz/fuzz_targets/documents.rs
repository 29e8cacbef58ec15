//! YAML and JSON as they are read; what is written again is the same tree.
#![no_main]

use l5d_rotate::document::{parse, yaml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(documents) = parse(text, "fuzz") else { return };
    for document in documents {
        let written = yaml::write(&document.tree);
        let again = parse(&written, "again").expect("what is written is read");
        assert!(again.iter().all(|again| again.tree == document.tree));
    }
});
