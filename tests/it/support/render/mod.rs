//! What the tests of rendering share: certificates, installs, a mesh of them, and the real kubectl.

pub mod install;
pub mod kubectl;

use jiff::Timestamp;
use l5d_rotate::document::ObjectRef;
use l5d_rotate::mesh::{Era, WorkloadId};
use l5d_rotate::pki::Bundle;
use l5d_rotate::render::{Form, Rendered, render};
use l5d_rotate::rotation::{
    Annotation, Change, Phase, PlannedStep, Record, Scope, Stage, Step, StepState, Strategy,
};

use super::pki::{self, Pair, at};
use install::Install;

/// When everything here happens.
pub fn start() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

pub fn mint(name: &str) -> Pair {
    let anchor = pki::anchor_within(
        &format!("{name}.root.linkerd.cluster.local"),
        start(),
        at("2036-03-01T12:00:00Z"),
    );
    let issuer = pki::issuer_within(&anchor, start(), at("2027-03-01T12:00:00Z"));
    Pair { anchor, issuer }
}

/// A record of a rotation from a bundle to another anchor and its issuer.
pub fn record(old: Bundle, new: &Pair) -> Record {
    Record {
        started: start(),
        namespace: "linkerd".to_owned(),
        trust_domain: "cluster.local".to_owned(),
        strategy: Strategy::Staged,
        old,
        old_issuer: None,
        scope: Scope::Full { anchor: new.anchor.certificate.clone() },
        issuer: new.chain(),
        cross: None,
        managed: None,
        direction: Default::default(),
    }
}

/// A rotation from one pair to another over an install.
pub struct Rotation {
    pub install: Install,
    pub old: Pair,
    pub new: Pair,
    pub record: Record,
}

impl Rotation {
    pub fn over(install: impl FnOnce(&Pair) -> Install) -> Self {
        let (old, new) = (mint("old"), mint("new"));
        let record = record(old.bundle(), &new);
        Self { install: install(&old), old, new, record }
    }

    pub fn both(&self) -> Bundle {
        self.old.bundle().union(std::slice::from_ref(&self.new.anchor.certificate))
    }

    /// Every step with the changes that the plan would give it.
    pub fn steps(&self) -> Vec<PlannedStep> {
        self.record.steps().into_iter().map(|step| self.step(step)).collect()
    }

    /// The steps that differ in form: `prune` is written as `bundle` is, and a restart is the same in every era.
    pub fn distinct_steps(&self) -> Vec<PlannedStep> {
        let newest = self.install.mesh.control_plane.era == Era::V2_12;
        let distinct = |step: &Step| step.phase != Phase::Prune && (newest || step.stage != Stage::DataPlane);
        self.steps().into_iter().filter(|planned| distinct(&planned.step)).collect()
    }

    pub fn step(&self, step: Step) -> PlannedStep {
        let bundle = if step.phase == Phase::Prune { self.new.bundle() } else { self.both() };
        let annotation = match step.phase {
            Phase::Issuer => Annotation {
                key: "l5d-rotate/issuer",
                value: self.record.issuer.issuer.fingerprint().short(),
            },
            _ => Annotation { key: "l5d-rotate/trust-bundle", value: bundle.fingerprint().short() },
        };
        let changes = match step.stage {
            Stage::Trust => vec![Change::Publish(bundle)],
            Stage::Signer | Stage::Objects => vec![],
            Stage::Issuer => vec![Change::Swap { chain: self.new.chain(), anchors: bundle }],
            Stage::ControlPlane => self
                .install
                .control_plane()
                .map(|workload| Change::ControlPlane {
                    workload,
                    bundle: bundle.clone(),
                    annotation: annotation.clone(),
                })
                .collect(),
            Stage::DataPlane => self
                .install
                .data_plane()
                .map(|workload| Change::Restart { workload, annotation: annotation.clone() })
                .collect(),
        };
        planned(step, changes)
    }

    pub fn render(&self, step: &PlannedStep) -> Vec<Rendered> {
        render(step, &self.install.mesh, &self.record, Some(&self.new.issuer.key)).unwrap()
    }
}

pub fn planned(step: Step, changes: Vec<Change>) -> PlannedStep {
    let state = StepState::Pending { done: 0, of: 1 };
    PlannedStep {
        step,
        state,
        blocked: vec![],
        confirmed: vec![],
        changes,
        manual: vec![],
        again: vec![],
        notes: vec![],
    }
}

pub fn restart(workload: usize) -> Change {
    let annotation = Annotation { key: "l5d-rotate/trust-bundle", value: "0123456789ab".to_owned() };
    Change::Restart { workload: WorkloadId(workload), annotation }
}

pub fn step(phase: Phase, stage: Stage) -> Step {
    Step { phase, stage }
}

pub fn named(kind: &str, name: &str) -> ObjectRef {
    let version = if kind == "Deployment" { "apps/v1" } else { "v1" };
    ObjectRef::new(version, kind, "linkerd", name)
}

/// The document with its private key, as it is written.
pub fn written(item: &Rendered, form: Form) -> serde_json::Value {
    l5d_rotate::document::parse(&item.written(form).unwrap(), "written").unwrap().remove(0).tree
}
