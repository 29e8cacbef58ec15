//! Certificates found in files and in the mesh, place by place.

use serde::Serialize;

use super::words::as_data;
use super::{CertificateView, Screen};
use crate::cli::DataFormat;
use crate::pki::{BundleText, PrivateKey, Rules};

/// What one text holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspected {
    /// Files, or objects and their fields, that hold the same.
    pub places: Vec<String>,
    /// The certificates that a proxy reads in it.
    pub certificates: Vec<CertificateView>,
    /// What is said of a private key in it; never the key.
    pub private_key: Option<String>,
    /// What the strictest reader minds.
    pub defects: Vec<String>,
}

impl Inspected {
    /// Reads a PEM text.
    #[must_use]
    pub fn read(place: &str, text: &str) -> Self {
        let bundle = BundleText::read(text);
        let certificates: Vec<_> = bundle
            .as_read_by(Rules::Proxy)
            .map(|bundle| bundle.anchors().iter().map(CertificateView::from).collect())
            .unwrap_or_default();
        let private_key = text.contains("PRIVATE KEY-----").then(|| match PrivateKey::from_pem(text) {
            Ok(_) => "a private key, not shown".to_owned(),
            Err(error) => error.to_string(),
        });
        let only_a_key = private_key.is_some() && certificates.is_empty();
        let defects = bundle.defects().iter().filter(|_| !only_a_key).map(ToString::to_string).collect();
        Self { places: vec![place.to_owned()], certificates, private_key, defects }
    }

    /// Certificates only: two keys that are not shown may be two.
    fn holds_the_same(&self, other: &Self) -> bool {
        let keyless = self.private_key.is_none() && other.private_key.is_none();
        keyless && self.certificates == other.certificates && self.defects == other.defects
    }
}

/// All of it in one of the formats; what several places hold is shown once.
#[must_use]
pub fn inspected(found: Vec<Inspected>, format: DataFormat, screen: &Screen) -> String {
    let mut distinct: Vec<Inspected> = Vec::new();
    for one in found {
        match distinct.iter_mut().find(|other| other.holds_the_same(&one)) {
            Some(other) => other.places.extend(one.places),
            None => distinct.push(one),
        }
    }
    as_data(format, &distinct)
        .unwrap_or_else(|| distinct.iter().map(|one| text(one, screen)).collect::<Vec<_>>().join("\n"))
}

/// So many places are named, the others counted.
const NAMED: usize = 5;

fn text(inspected: &Inspected, screen: &Screen) -> String {
    let mut out: String = inspected.places.iter().take(NAMED).map(|place| format!("{place}\n")).collect();
    if inspected.places.len() > NAMED {
        out.push_str(&format!("and {} more places\n", inspected.places.len() - NAMED));
    }
    let mut indented = |text: &str| text.lines().for_each(|line| out.push_str(&format!("  {line}\n")));
    for certificate in &inspected.certificates {
        indented(&certificate.block(screen));
    }
    if let Some(key) = &inspected.private_key {
        indented(key);
    }
    for defect in &inspected.defects {
        indented(&format!("! {defect}"));
    }
    out
}
