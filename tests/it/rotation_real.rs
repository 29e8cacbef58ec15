//! Rotations of Linkerd's own rendered installs.

use std::collections::BTreeSet;

use l5d_rotate::finding::{Flag, Instead, Severity, StepFact};
use l5d_rotate::mesh::Mesh;
use l5d_rotate::pki::{Authority, IssuerChain};
use l5d_rotate::rotation::{
    Change, Phase, Record, RestartAnnotation, Scope, Standing, StepState, Strategy, plan,
};

use crate::support::manifests::{CONTROL_PLANES, mesh, real};
use crate::support::rotation::{
    PHASES, mint_chain, mint_root, notes, planned, restarted, step, step_fact, time,
};

/// An instant at which the certificates of the installs are valid: the day after they begin.
fn instant(mesh: &Mesh) -> jiff::Timestamp {
    let issuer = mesh.issuer.as_option().unwrap().chain.as_ref().unwrap();
    issuer.issuer.facts().not_before.max(time("2026-06-01T00:00:00Z"))
}

fn begin(mesh: &Mesh, anchor: &Authority, chain: IssuerChain) -> Record {
    let scope = Scope::Full { anchor: anchor.certificate.clone() };
    Record::new(mesh, time("2026-06-01T00:00:00Z"), Strategy::Staged, scope, chain, false).unwrap()
}

#[test]
fn every_install_is_planned_from_its_manifests_alone() {
    let Some(folder) = real("every_install_is_planned_from_its_manifests_alone") else { return };
    for (version, workloads) in CONTROL_PLANES {
        let install = std::fs::read_to_string(folder.join(format!("install/{version}.yaml"))).unwrap();
        let mesh = mesh(&[&install]);
        let anchor = mint_root("root.linkerd.cluster.local");
        let record = begin(&mesh, &anchor, mint_chain(&anchor));
        let plan =
            plan(&record, &mesh, RestartAnnotation::Content, &BTreeSet::new(), instant(&mesh)).unwrap();
        assert_eq!(plan.standing, Standing::At(step(Phase::Bundle, 1)), "{version}");
        let Change::Publish(bundle) = &planned(&plan, step(Phase::Bundle, 1)).changes[0] else { panic!() };
        assert_eq!(bundle.anchors().len(), 2);
        for phase in PHASES {
            let control_plane = planned(&plan, step(phase, 2));
            let expected = if phase == Phase::Issuer { &["linkerd-identity"] } else { workloads };
            assert_eq!(restarted(&mesh, &control_plane), expected, "{version} {phase}");
            assert_ne!(control_plane.state, StepState::Done);
        }
        let swap = planned(&plan, step(Phase::Issuer, 1));
        step_fact(&swap, Severity::Error, "bundle-refuses-issuer");
        let managed = notes(&planned(&plan, step(Phase::Bundle, 1)), "managed-object");
        let StepFact::ManagedObject { instead: Instead::LinkerdUpgrade { flags, .. }, .. } = &managed[0]
        else {
            panic!("{version}: {managed:?}")
        };
        let expected = Flag { flag: "--identity-trust-anchors-file", file: "trust-bundle.pem" };
        assert_eq!(*flags, [expected]);
    }
}
