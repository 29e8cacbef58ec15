//! When leaves end that nobody renews any more.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::mesh::{Held, Known, Mesh};
use crate::rotation::plan::refresh;

/// When the leaves end that were in use when issuance stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkloadCertificates {
    /// The first of a proxy that renewed its leaf whenever it should; `None` where it cannot be told.
    pub first: Option<Timestamp>,
    /// The last that there can be.
    pub last: Timestamp,
}

/// What is left of them at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// All of proxies that renewed theirs whenever they should.
    All,
    /// Some: they are running out.
    Some,
    /// None.
    None,
}

/// Proxies that have no leaf because they started when none was issued.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WithoutCertificate {
    /// How many are known to have started since.
    pub count: u64,
    /// Their workloads.
    pub workloads: Vec<String>,
    /// How many do not tell when they started.
    pub unknown: u64,
}

impl WorkloadCertificates {
    /// Of leaves issued until `since`; the identity controller caps each at the first end in the issuer file
    /// (`findFirstExpiration` in Linkerd's `pkg/tls`), the anchor's not among them.
    pub(super) fn of(mesh: &Mesh, since: Timestamp, cap: Option<Timestamp>) -> Self {
        let life = mesh.control_plane.workload_certificate_lifetime();
        let after =
            |left| since.checked_add(left).unwrap_or(Timestamp::MAX).min(cap.unwrap_or(Timestamp::MAX));
        Self { first: Some(after(life.saturating_sub(refresh(life)))), last: after(life) }
    }

    /// What is left of them at `at`; a leaf's last valid instant counts.
    #[must_use]
    pub fn left(&self, at: Timestamp) -> Left {
        match self.first {
            _ if at > self.last => Left::None,
            Some(first) if at <= first => Left::All,
            _ => Left::Some,
        }
    }
}

impl WithoutCertificate {
    pub(super) fn of(mesh: &Mesh, since: Timestamp) -> Self {
        let mut without_certificate = Self::default();
        let mut workloads = BTreeSet::new();
        if mesh.pods != Known::Is(()) {
            return without_certificate;
        }
        for group in mesh.proxies.iter().filter(|group| group.held != Held::Nothing) {
            let started = group.starts.at.values().sum::<u64>() - group.starts.not_after(since);
            if started > 0 {
                workloads.insert(mesh.workload(group.workload).object.to_string());
            }
            without_certificate.count += started;
            without_certificate.unknown += group.starts.unknown;
        }
        Self { workloads: workloads.into_iter().collect(), ..without_certificate }
    }
}
