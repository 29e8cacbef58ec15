//! The annotation on a pod template that restarts a workload.

use clap::ValueEnum;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::{Timestamp, ToSpan};

use super::{PhaseSpec, Record, Stage, Step};
use crate::linkerd;
use crate::mesh::Workload;
use crate::pki::{Certificate, Fingerprint, IssuerChain};
use crate::rotation::Direction;

/// An annotation on a pod template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// `l5d-rotate/trust-bundle`, `l5d-rotate/issuer` or `kubectl.kubernetes.io/restartedAt`.
    pub key: &'static str,
    /// What the restart is for, the step and the rotation; or a time of the rotation that is the step's own.
    pub value: String,
}

/// How restarts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum RestartAnnotation {
    /// l5d-rotate/trust-bundle and l5d-rotate/issuer with what the restart is for, the step and the rotation
    #[default]
    #[value(name = "l5d-rotate")]
    Content,
    // Each step a second later than the one before it: the same value twice would restart nothing.
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
    /// The annotation of a step: it follows from the record alone, so that it is the same whenever it is rendered, and no two
    /// steps of a rotation and of its rollback have the same, so that none makes the restart of another a change of nothing.
    pub(in crate::rotation) fn of(
        spec: &PhaseSpec,
        stage: Stage,
        record: &Record,
        restart: RestartAnnotation,
    ) -> Self {
        if restart == RestartAnnotation::RestartedAt {
            let place = 2 * spec.rank() + i64::from(stage == Stage::DataPlane);
            return Self {
                key: linkerd::RESTARTED_AT,
                value: whole_seconds(record.started + place.seconds()),
            };
        }
        let (key, content) = match spec.swapped_in() {
            // cert-manager renews the issuer meanwhile, and the annotation must stay.
            Some(_) if record.managed.is_some() => (linkerd::ISSUER_ANNOTATION, spec.bundle.fingerprint()),
            Some(chain) => (linkerd::ISSUER_ANNOTATION, of_chain(chain)),
            None => (linkerd::BUNDLE_ANNOTATION, spec.bundle.fingerprint()),
        };
        let step = Step { phase: spec.phase, stage };
        let back = match spec.direction() {
            Direction::Forward => "",
            Direction::Rollback => "-rollback",
        };
        let (content, started) = (content.short(), whole_seconds(record.started));
        Self { key, value: format!("sha256-{content}.{}-{}{back}.{started}", step.phase, step.number()) }
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
fn of_chain(chain: &IssuerChain) -> Fingerprint {
    let below = chain.intermediates.iter().map(Certificate::fingerprint);
    if chain.intermediates.is_empty() {
        chain.issuer.fingerprint()
    } else {
        Fingerprint::of_set(below.chain([chain.issuer.fingerprint()]))
    }
}

fn whole_seconds(time: Timestamp) -> String {
    DateTimePrinter::new().precision(Some(0)).timestamp_to_string(&time)
}
