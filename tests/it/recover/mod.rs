//! What `recover` says of meshes that have expired: a table of states, and what real handshakes say of the same.

use crate::check::builder;
mod handshakes;
mod states;

use builder::{at, now};
use l5d_rotate::mesh::Mesh;
use l5d_rotate::pki::{Authority, IssuerChain, PrivateKey};
use l5d_rotate::rotation::recover::{Diagnosis, Issuance, Role, Stopped, Way};
use rcgen::KeyPair;

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
/// The state of a mesh in one line: what is over; whether leaves are issued, and how long those hold that are; the way back.
pub(crate) fn told(mesh: &Mesh) -> String {
    let diagnosis = Diagnosis::of(mesh, now());
    let over: Vec<_> = diagnosis
        .expired
        .iter()
        .map(|part| match part.role {
            Role::Anchor => "anchor",
            Role::Issuer => "issuer",
            Role::Intermediate => "intermediate",
        })
        .collect();
    let issuance = match &diagnosis.issuance {
        Issuance::Works { until } => format!("issues until {until}"),
        Issuance::Refused(refusal) => format!("refused: {refusal}"),
        Issuance::Unknown => "unknown".to_owned(),
        Issuance::Stopped(stopped) => {
            let Stopped { since, exact, presented: leaves, .. } = stopped;
            let first = leaves.first.map_or("?".to_owned(), |first| first.to_string());
            let by = if *exact { "" } else { " at the latest" };
            let left = leaves.left(now());
            format!("stopped {since}{by}, leaves {first} to {}: {left:?} left", leaves.last)
        }
    };
    let way = match &diagnosis.way {
        Way::Replace(candidates) => match diagnosis.fit().next() {
            Some(one) => format!("issuer of {}", one.anchor.name()),
            None => {
                let not: Vec<_> = candidates.iter().map(|one| format!("{:?}", one.standing)).collect();
                format!("anchor and issuer [{}]", not.join(", "))
            }
        },
        way => format!("{way:?}").to_lowercase(),
    };
    format!("over [{}]; {issuance}; {way}", over.join(", "))
}
