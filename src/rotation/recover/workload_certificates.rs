//! When workload certificates expire that nobody renews any more.

use jiff::Timestamp;
use serde::Serialize;

use crate::document::ObjectRef;
use crate::mesh::{Held, Known, Mesh};
use crate::rotation::plan::refresh;

/// When the workload certificates expire that were in use when issuance stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkloadCertificates {
    /// The first of a proxy that renewed its own whenever it should; `None` where it cannot be told.
    pub first: Option<Timestamp>,
    /// The last that there can be.
    pub last: Timestamp,
}

/// What is left of them at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remaining {
    /// All of proxies that renewed theirs whenever they should.
    All,
    /// Some: they are expiring.
    Some,
    /// None.
    None,
}

/// Proxies that have no certificate because they started when none was issued.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WithoutCertificate {
    /// How many are known to have started since.
    pub count: u64,
    /// Their workloads.
    pub workloads: Vec<ObjectRef>,
    /// How many do not tell when they started.
    pub start_unknown: u64,
}

impl WorkloadCertificates {
    /// Of certificates issued until `since`; the identity controller caps each at the first to expire in the issuer file
    /// (`findFirstExpiration` in Linkerd's `pkg/tls`), the anchor not among them.
    pub(super) fn of(mesh: &Mesh, since: Timestamp, cap: Option<Timestamp>) -> Self {
        let life = mesh.control_plane.workload_certificate_lifetime();
        let after =
            |left| since.checked_add(left).unwrap_or(Timestamp::MAX).min(cap.unwrap_or(Timestamp::MAX));
        Self { first: Some(after(life.saturating_sub(refresh(life)))), last: after(life) }
    }

    /// What is left of them at `at`; a certificate's last valid instant counts.
    #[must_use]
    pub fn left(&self, at: Timestamp) -> Remaining {
        match self.first {
            _ if at > self.last => Remaining::None,
            Some(first) if at <= first => Remaining::All,
            _ => Remaining::Some,
        }
    }
}

impl WithoutCertificate {
    pub(super) fn of(mesh: &Mesh, since: Timestamp) -> Self {
        let mut found = Self::default();
        if mesh.pods != Known::Is(()) {
            return found;
        }
        for group in mesh.proxies.iter().filter(|group| group.held != Held::Nothing) {
            let started = group.starts.at.values().sum::<u64>() - group.starts.not_after(since);
            if started > 0 {
                found.workloads.push(mesh.workload(group.workload).object.clone());
            }
            found.count += started;
            found.start_unknown += group.starts.unknown;
        }
        found.workloads.sort_by_key(ToString::to_string);
        found.workloads.dedup();
        found
    }
}
