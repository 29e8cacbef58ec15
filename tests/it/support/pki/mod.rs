//! What the tests of the room share: fixed instants, certificates of any shape, real programs.

pub mod go;
pub mod random;
pub mod tls;

use jiff::Timestamp;
use l5d_rotate::pki::{
    AnchorRequest, Authority, Bundle, Certificate, Identity, IssuerChain, IssuerRequest, KeyEncoding,
    mint_anchor, mint_issuer,
};

pub const IDENTITY: &str = "web.emojivoto.serviceaccount.identity.linkerd.cluster.local";

/// As a verifier of today asks for it.
pub fn identity() -> Identity {
    IDENTITY.into()
}

/// An instant, or the midnight with which a day begins.
pub fn at(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    text.parse().unwrap()
}

/// The instant at which most tests judge.
pub fn now() -> Timestamp {
    at("2026-06-01T12:00:00Z")
}

/// An anchor that is good for years.
pub fn anchor(common_name: &str) -> Authority {
    anchor_until(common_name, at("2036-01-01"))
}

pub fn anchor_until(common_name: &str, not_after: Timestamp) -> Authority {
    anchor_within(common_name, at("2026-01-01"), not_after)
}

pub fn anchor_within(common_name: &str, not_before: Timestamp, not_after: Timestamp) -> Authority {
    mint_anchor(&AnchorRequest { common_name: common_name.into(), not_before, not_after }).unwrap()
}

/// An issuer that is good for a year.
pub fn issuer(anchor: &Authority) -> Authority {
    mint_issuer(&issuer_request(), anchor).unwrap()
}

pub fn issuer_within(anchor: &Authority, not_before: Timestamp, not_after: Timestamp) -> Authority {
    mint_issuer(&IssuerRequest { not_before, not_after, ..issuer_request() }, anchor).unwrap()
}

/// An issuer with a name of its own.
pub fn issuer_named(
    name: &str,
    anchor: &Authority,
    not_before: Timestamp,
    not_after: Timestamp,
) -> Authority {
    let request = IssuerRequest { common_name: name.into(), not_before, not_after, ..issuer_request() };
    mint_issuer(&request, anchor).unwrap()
}

pub fn issuer_request() -> IssuerRequest {
    IssuerRequest {
        common_name: "identity.linkerd.cluster.local".into(),
        dns_names: vec![],
        not_before: at("2026-01-02"),
        not_after: at("2027-01-02"),
    }
}

/// An anchor, and an issuer that it signed.
pub struct Pair {
    pub anchor: Authority,
    pub issuer: Authority,
}

impl Pair {
    pub fn anchor_pem(&self) -> String {
        self.anchor.certificate.to_pem()
    }

    pub fn issuer_pem(&self) -> String {
        self.issuer.certificate.to_pem()
    }

    pub fn key_pem(&self) -> String {
        self.issuer.key.to_pem(KeyEncoding::Sec1).unwrap().to_string()
    }

    pub fn bundle(&self) -> Bundle {
        bundle([&self.anchor.certificate])
    }

    pub fn chain(&self) -> IssuerChain {
        chain(&self.issuer.certificate, &[])
    }
}

pub fn chain(issuer: &Certificate, intermediates: &[Certificate]) -> IssuerChain {
    IssuerChain { issuer: issuer.clone(), intermediates: intermediates.to_vec() }
}

pub fn bundle<'a>(anchors: impl IntoIterator<Item = &'a Certificate>) -> Bundle {
    Bundle::new(anchors.into_iter().cloned()).unwrap()
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
