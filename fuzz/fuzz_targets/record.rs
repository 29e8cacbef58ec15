//! A rotation's files: the record first, then the certificates, divided by lines of `=`.
#![no_main]

use l5d_rotate::rotation::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut parts = text.split("\n=\n");
    let record = parts.next().unwrap_or_default();
    let certificates: Vec<&str> = parts.collect();
    let _ = Record::from_files(|name| match name {
        "rotation.yaml" => Some(record.to_owned()),
        name => certificates.get(name.len() % certificates.len().max(1)).map(|text| (*text).to_owned()),
    });
});
