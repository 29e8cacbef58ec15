//! What the tests of the room share: fixed instants, certificates of any shape, real programs.

pub mod go;
pub mod random;
pub mod tls;

use std::process::Command;

use jiff::Timestamp;
use l5d_rotate::pki::{
    AnchorRequest, Authority, Bundle, Certificate, IssuerChain, IssuerRequest, mint_anchor, mint_issuer,
};

pub const IDENTITY: &str = "web.emojivoto.serviceaccount.identity.linkerd.cluster.local";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The instant at which most tests judge.
pub fn now() -> Timestamp {
    at("2026-06-01T12:00:00Z")
}

pub fn anchor(common_name: &str) -> Authority {
    anchor_until(common_name, at("2036-01-01T00:00:00Z"))
}

pub fn anchor_until(common_name: &str, not_after: Timestamp) -> Authority {
    let not_before = at("2026-01-01T00:00:00Z");
    mint_anchor(&AnchorRequest { common_name: common_name.into(), not_before, not_after }).unwrap()
}

pub fn issuer(anchor: &Authority) -> Authority {
    mint_issuer(&issuer_request(), anchor).unwrap()
}

pub fn issuer_request() -> IssuerRequest {
    IssuerRequest {
        common_name: "identity.linkerd.cluster.local".into(),
        dns_names: vec![],
        not_before: at("2026-01-02T00:00:00Z"),
        not_after: at("2027-01-02T00:00:00Z"),
    }
}

pub fn chain(issuer: &Certificate, intermediates: &[Certificate]) -> IssuerChain {
    IssuerChain { issuer: issuer.clone(), intermediates: intermediates.to_vec() }
}

pub fn bundle<'a>(anchors: impl IntoIterator<Item = &'a Certificate>) -> Bundle {
    Bundle::new(anchors.into_iter().cloned()).unwrap()
}

/// Is this program here? If not, says that the test is skipped, by name.
pub fn has(program: &str, test: &str) -> bool {
    let found = Command::new(program).arg("version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: {test}: no {program}");
    }
    found
}

/// The PEM files of Linkerd's own tests, if they are here.
pub fn real_pem(test: &str) -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/real/pem");
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: {test}: no ../shared/real");
        return vec![];
    };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}
