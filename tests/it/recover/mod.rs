//! What `recover` says of meshes that have expired: a table of states, and what real handshakes say of the same.

mod handshakes;
mod states;

use l5d_rotate::finding::{CertificateRole, Finding};
use l5d_rotate::mesh::Mesh;
use l5d_rotate::pki::{Authority, IssuerChain, PrivateKey};
use l5d_rotate::rotation::recover::{Diagnosis, Issuance, Remedy, Stopped};
use rcgen::KeyPair;

use crate::support::checked::{at, now};

/// One anchor, signed twice with its own key: once until `end`, once until 2036.
pub(crate) fn twins(name: &str, end: &str) -> [Authority; 2] {
    let key = KeyPair::generate().unwrap();
    [at(end), at("2036-01-01")].map(|end| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(1));
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = time::OffsetDateTime::from_unix_timestamp(end.as_second()).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            certificate: IssuerChain::from_pem(&pem).unwrap().issuer,
            key: PrivateKey::from_pem(&key.serialize_pem()).unwrap(),
        }
    })
}
/// Codes with their evidence.
pub(crate) fn evidence(findings: &[Finding]) -> Vec<serde_json::Value> {
    findings.iter().map(|finding| serde_json::to_value(&finding.fact).unwrap()).collect()
}

/// The state of a mesh in one line: what has expired; whether workload certificates are issued, and until when those in use are
/// valid; the remedy.
pub(crate) fn told(mesh: &Mesh) -> String {
    let diagnosis = Diagnosis::of(mesh, now());
    let expired: Vec<_> = diagnosis
        .expired
        .iter()
        .map(|part| match part.role {
            CertificateRole::TrustAnchor => "anchor",
            CertificateRole::Issuer => "issuer",
            CertificateRole::Intermediate => "intermediate",
        })
        .collect();
    let issuance = match &diagnosis.issuance {
        Issuance::Works { until } => format!("issues until {until}"),
        Issuance::Refused(refusal) => format!("refused {}", serde_json::to_string(refusal).unwrap()),
        Issuance::Unknown => "unknown".to_owned(),
        Issuance::Stopped(stopped) => {
            let Stopped { since, exact, presented, .. } = stopped;
            let first = presented.first.map_or("?".to_owned(), |first| first.to_string());
            let by = if *exact { "" } else { " at the latest" };
            let remaining = presented.left(now());
            format!("stopped {since}{by}, certificates {first} to {}: {remaining:?} left", presented.last)
        }
    };
    let remedy = match &diagnosis.remedy {
        Remedy::Replace(signers) => match diagnosis.eligible().next() {
            Some(one) => format!("issuer of {}", one.anchor.name()),
            None => {
                let not: Vec<_> = signers.iter().map(|one| format!("{:?}", one.eligibility)).collect();
                format!("anchor and issuer [{}]", not.join(", "))
            }
        },
        remedy => format!("{remedy:?}").to_lowercase(),
    };
    format!("expired [{}]; {issuance}; {remedy}", expired.join(", "))
}
