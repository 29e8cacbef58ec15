//! The annotation on a pod template that restarts a workload.

use clap::ValueEnum;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::{Timestamp, ToSpan};

use super::{PhaseSpec, Record};
use crate::linkerd;
use crate::mesh::Workload;
use crate::pki::{Certificate, Fingerprint, IssuerChain};

/// An annotation on a pod template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// `l5d-rotate/trust-bundle`, `l5d-rotate/issuer` or `kubectl.kubernetes.io/restartedAt`.
    pub key: &'static str,
    /// The fingerprint the restart is for, or the record's time.
    pub value: String,
}

/// How restarts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum RestartAnnotation {
    /// l5d-rotate/trust-bundle and l5d-rotate/issuer with the fingerprint that the restart is for
    #[default]
    #[value(name = "l5d-rotate")]
    Content,
    // Each phase a second later than the one before it: the same value twice would restart nothing.
    /// kubectl's own, with the time at which the rotation was started
    #[value(name = "kubectl.kubernetes.io/restartedAt")]
    RestartedAt,
}

/// Which restarts are written, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restarts {
    /// The annotation that restarts workloads.
    pub annotation: RestartAnnotation,
    /// Restart the data plane also where the strategy would wait until it restarts on its own, or until workload certificates
    /// expire.
    pub on_request: bool,
}

impl From<RestartAnnotation> for Restarts {
    fn from(annotation: RestartAnnotation) -> Self {
        Self { annotation, on_request: false }
    }
}

impl Annotation {
    /// The annotation of a phase: it follows from the record alone, so that it is the same whenever it is rendered.
    pub(in crate::rotation) fn of(spec: &PhaseSpec, record: &Record, restart: RestartAnnotation) -> Self {
        match (restart, spec.swapped_in()) {
            (RestartAnnotation::Content, Some(chain)) => {
                Self { key: linkerd::ISSUER_ANNOTATION, value: of_chain(chain) }
            }
            (RestartAnnotation::Content, None) => {
                Self { key: linkerd::BUNDLE_ANNOTATION, value: content(spec.bundle.fingerprint()) }
            }
            (RestartAnnotation::RestartedAt, _) => Self {
                key: linkerd::RESTARTED_AT,
                value: whole_seconds(record.started + spec.rank().seconds()),
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

/// The issuer's fingerprint; with intermediates that of all of them, as a change of these is worth a restart too.
fn of_chain(chain: &IssuerChain) -> String {
    let below = chain.intermediates.iter().map(Certificate::fingerprint);
    match chain.intermediates.is_empty() {
        true => content(chain.issuer.fingerprint()),
        false => content(Fingerprint::of_set(below.chain([chain.issuer.fingerprint()]))),
    }
}

fn content(fingerprint: Fingerprint) -> String {
    format!("sha256-{}", fingerprint.short())
}

fn whole_seconds(time: Timestamp) -> String {
    DateTimePrinter::new().precision(Some(0)).timestamp_to_string(&time)
}
