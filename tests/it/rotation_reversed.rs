//! Rotations in every era, whose direction changes at random: who follows the plan to the letter finishes.

use jiff::ToSpan;
use l5d_rotate::document::ObjectRef;
use l5d_rotate::finding::Severity;
use l5d_rotate::mesh::{Era, Held, Known, Obstacle, Scheme};
use l5d_rotate::pki::{BundleText, IssuerChain};
use l5d_rotate::rotation::{Annotation, Change, PlannedStep, Record, Scope, Standing, Strategy};

use crate::sizes;
use crate::support::pki::random::Dice;
use crate::support::rotation::*;

const ROUNDS: usize = 300;
const ERAS: [Era; 6] = [Era::V2_6, Era::V2_7, Era::V2_9, Era::V2_10, Era::V2_11, Era::V2_12];

/// A mesh with everything that makes rotations hard, and a rotation of it.
fn begun(dice: &mut Dice) -> (Cluster, Record) {
    let (mut pki, era) = (Pki::mint(), *dice.pick(&ERAS));
    if dice.roll(3) == 0 {
        // What `linkerd install` makes: one root that is the issuer, too, and bears its name.
        pki.old = mint_root("identity.linkerd.cluster.local");
        pki.old_issuer = IssuerChain { issuer: pki.old.certificate.clone(), intermediates: vec![] };
    }
    let mut cluster = Cluster::new(&pki, era);
    if dice.roll(3) == 0 {
        hold_another_anchor_too(&mut cluster, &pki);
    }
    if dice.roll(2) == 0 {
        cluster.mesh.control_plane.scheme = Scheme::Kubernetes;
        cluster.issuer().ca = Some(cluster.published());
    }
    cluster.add("StatefulSet", "apps", "db", 3, &[Obstacle::OnDelete]);
    cluster.add("Deployment", "legacy", "manual", 2, &[Obstacle::ManualInjection]);
    cluster.add("Rollout", "apps", "canary", 2, &[Obstacle::ArgoRollout]);
    cluster.add("Deployment", "apps", "idle", 0, &[Obstacle::ZeroReplicas]);
    let strategy = *dice.pick(&strategies(era));
    let record = match strategy {
        Strategy::Patient if dice.roll(2) == 0 => {
            let issuer = mint_chain(&pki.old);
            Record::new(&cluster.mesh, time(STARTED), strategy, Scope::IssuerOnly, issuer, false).unwrap()
        }
        strategy => pki.record(&cluster.mesh, strategy),
    };
    (cluster, record)
}

/// Everyone holds an anchor beside the old one that signed nothing here.
fn hold_another_anchor_too(cluster: &mut Cluster, pki: &Pki) {
    let held = text(&[&mint_root("another").certificate, &pki.old.certificate]);
    cluster.bundle().text = held.clone();
    cluster.mesh.trust.config = Known::Is(held.clone());
    cluster.mesh.trust.identity = cluster.mesh.trust.identity.take().map(|_| held.clone());
    let id = cluster.intern(held);
    let literal = cluster.mesh.proxies.iter_mut().filter(|group| matches!(group.held, Held::Literal(_)));
    literal.for_each(|group| group.held = Held::Literal(id));
}

/// Merges as an API server and its controllers would: the same text again changes nothing, the same annotation again restarts nothing.
fn merge(cluster: &mut Cluster, planned: &PlannedStep) {
    let carries = |annotation: &Annotation, id| {
        let template = cluster.mesh.workload(id).template.as_ref().unwrap();
        let annotations = template.annotations.as_ref();
        annotations.and_then(|found| found.get(annotation.key)) == Some(&annotation.value)
    };
    let changes = |change: &&Change| match change {
        Change::Managed(_) => true,
        Change::Publish(bundle) => BundleText::read(bundle.to_pem()) != cluster.published(),
        Change::Swap { chain, anchors } => {
            let issuer = cluster.mesh.issuer.as_option().unwrap();
            let ca = issuer.ca.as_ref().map(BundleText::text);
            issuer.chain.as_ref().ok() != Some(chain) || ca != Some(&anchors.to_pem())
        }
        Change::ControlPlane { workload, annotation, .. } | Change::Restart { workload, annotation } => {
            !carries(annotation, *workload)
        }
    };
    let changes = planned.changes.iter().filter(changes).cloned().collect();
    cluster.merge(&PlannedStep { changes, manual: vec![], ..planned.clone() });
}

/// Does what is told beside the YAML, and sometimes deploys what is deployed anyway.
fn go_on(cluster: &mut Cluster, planned: &PlannedStep, dice: &mut Dice) {
    let told = planned.manual.iter().map(|act| &act.object).chain(&planned.again);
    let told: Vec<ObjectRef> = told.cloned().collect();
    let deployed = [("emojivoto", "web"), ("apps", "db"), ("apps", "canary")]
        .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    let deployed = deployed.into_iter().filter(|_| dice.roll(3) == 0);
    for (namespace, name) in told.into_iter().map(|object| (object.namespace, object.name)).chain(deployed) {
        let id = cluster.id(&namespace, &name);
        cluster.restart(id);
    }
    cluster.now += 1.hour();
}

/// Gives the steps that were taken, or where it stood when it did not finish.
fn gone_through(seed: u64) -> Result<Vec<String>, String> {
    let mut dice = Dice(seed);
    let (mut cluster, forth) = begun(&mut dice);
    let ways = [forth.clone(), forth.clone().rolled_back().unwrap()];
    let (mut way, mut changes, mut taken) = (0, dice.roll(5), Vec::new());
    for _ in 0..ROUNDS {
        if changes > 0 && dice.roll(4) == 0 {
            (way, changes) = (1 - way, changes - 1);
            taken.push("direction".to_owned());
        }
        let plan = cluster.plan(&ways[way]);
        let Standing::At(step) = plan.standing else {
            if changes == 0 {
                return Ok(taken);
            }
            cluster.now += 1.hour();
            continue;
        };
        let next = planned(&plan, step);
        if next.blocked.is_empty() && !next.is_merged(&cluster.mesh) {
            merge(&mut cluster, &next);
            taken.push(step.to_string());
        } else {
            go_on(&mut cluster, &next, &mut dice)
        }
    }
    let plan = cluster.plan(&ways[way]);
    let stuck: Vec<_> =
        plan.steps.iter().map(|step| (step.step, &step.state, codes(step, Severity::Error))).collect();
    Err(format!("{:?} {} seed {seed}: {taken:?} {stuck:#?}", cluster.mesh.control_plane.era, forth.strategy))
}

#[test]
fn every_rotation_whose_direction_changes_at_random_finishes_in_every_era() {
    let seeds = sizes::of(36, 120);
    let taken: Vec<_> = (0..seeds).map(|seed| gone_through(seed).unwrap()).collect();
    let of = |name: &str| taken.iter().flatten().filter(|step| *step == name).count() as u64;
    // The sample is worth something: changes of direction, and steps of every phase.
    for name in ["direction", "bundle/1-trust", "issuer/1-issuer", "prune/1-trust", "remove-cross/1-issuer"] {
        assert!(of(name) * 12 > seeds, "{name}: {} in {seeds}", of(name));
    }
}
