//! The annotation on a pod template that restarts a workload.

use jiff::fmt::temporal::DateTimePrinter;
use jiff::{Timestamp, ToSpan};

use super::{Phase, Record};
use crate::mesh::Workload;
use crate::pki::Fingerprint;

/// An annotation on a pod template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// `l5d-rotate/trust-bundle`, `l5d-rotate/issuer` or `kubectl.kubernetes.io/restartedAt`.
    pub key: &'static str,
    /// The fingerprint the restart is for, or the record's time.
    pub value: String,
}

/// How restarts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartAnnotation {
    /// By content: the same state gives the same annotation, so no GitOps engine fights it.
    #[default]
    Content,
    /// `kubectl.kubernetes.io/restartedAt` with the record's time; each phase a second later than the one before it, since
    /// the same value twice would restart nothing.
    RestartedAt,
}

impl Annotation {
    /// The annotation of a phase: it follows from the record alone, so that it is the same whenever it is rendered.
    pub(in crate::rotation) fn of(record: &Record, phase: Phase, restart: RestartAnnotation) -> Self {
        match (restart, phase) {
            (RestartAnnotation::Content, Phase::Issuer) => {
                Self { key: "l5d-rotate/issuer", value: content(record.issuer.issuer.fingerprint()) }
            }
            (RestartAnnotation::Content, Phase::Bundle | Phase::Prune) => Self {
                key: "l5d-rotate/trust-bundle",
                value: content(record.anchors_of(phase).fingerprint()),
            },
            (RestartAnnotation::RestartedAt, _) => Self {
                key: "kubectl.kubernetes.io/restartedAt",
                value: whole_seconds(record.started + (phase as i64).seconds()),
            },
        }
    }

    /// Does the workload's template carry it already?
    pub(in crate::rotation) fn is_on(&self, workload: &Workload) -> bool {
        let annotations = workload.template.as_ref().and_then(|template| template.annotations.as_ref());
        annotations
            .and_then(|annotations| annotations.get(self.key))
            .is_some_and(|value| *value == self.value)
    }
}

fn content(fingerprint: Fingerprint) -> String {
    format!("sha256-{}", fingerprint.short())
}

fn whole_seconds(time: Timestamp) -> String {
    DateTimePrinter::new().precision(Some(0)).timestamp_to_string(&time)
}
