//! However an owner rolled the control plane: a step that is not done has a way on, and whoever takes it gets the step done.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use l5d_rotate::finding::{Finding, Opens, StepFact};
use l5d_rotate::mesh::{Era, Made, Owner, WorkloadId};
use l5d_rotate::pki::Fingerprint;
use l5d_rotate::rotation::{
    Change, Confirmation, Phase, PlannedStep, Record, Stage, Standing, Step, StepState,
};

use crate::sizes;
use crate::support::pki::random::Dice;
use crate::support::rotation::{self as support, *};

const COMPONENTS: [&str; 3] = ["destination", "identity", "proxy-injector"];
const TRUST_ROOT: &str = "linkerd.io/trust-root-sha256";

fn owners(dice: &mut Dice) -> Vec<Owner> {
    let flux = || Owner::FluxHelmRelease { name: "l5d".into(), namespace: "flux-system".into() };
    let argo = || Owner::ArgoCd { application: "linkerd".into() };
    let kustomization = Owner::FluxKustomization { name: "infra".into(), namespace: "flux-system".into() };
    let chart = Owner::Helm { release: String::new(), namespace: String::new() };
    let all = [
        vec![],
        vec![support::helm()],
        vec![flux(), support::helm()],
        vec![Owner::LinkerdCli],
        vec![argo(), chart],
        vec![kustomization, Owner::LinkerdCli],
    ];
    dice.pick(&all).clone()
}

/// A cluster at a step over the control plane, of which some owner made something.
struct Scene {
    cluster: Cluster,
    record: Record,
    phase: Phase,
}

impl Scene {
    fn random(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let era = *dice.pick(&[Era::V2_12, Era::V2_12, Era::V2_11]);
        let (_, mut cluster, record) = support::fixture(era);
        let phase = *dice.pick(&[Phase::Bundle, Phase::Prune]);
        cluster.advance(&record, step(phase, 2));
        let owners = owners(&mut dice);
        cluster.mesh.control_plane.installer = owners.last().cloned();
        let version = *dice.pick(&[None, Some("edge-25.4.4"), Some("stable-2.14.10")]);
        cluster.mesh.control_plane.version = version.map(str::to_owned);
        let mark = Fingerprint::digest(cluster.published().text().as_bytes());
        let marks = [Some(mark), Some(mark), Some(Fingerprint::digest(b"other")), None];
        let changed = cluster.now - SignedDuration::from_mins(5);
        for component in COMPONENTS {
            let id = cluster.id("linkerd", &format!("linkerd-{component}"));
            cluster.mesh.workloads[id.0].owners = owners.clone();
            if let Some(mark) = dice.pick(&marks) {
                cluster.annotate(id, TRUST_ROOT, &mark.to_string());
            }
            let created = *dice.pick(&[-3600, -3, 0, 0, 3, 10, 11]);
            let started = *dice.pick(&[-5, 0, 1, 4, 60, 119, 121, 280]);
            let second = |seconds| changed + SignedDuration::from_secs(seconds);
            let trust_root = *dice.pick(&marks);
            let made = Made { created: (dice.roll(5) > 0).then(|| second(created)), trust_root };
            pods(&mut cluster, id, second(started), made);
        }
        cluster.now = changed + SignedDuration::from_secs(*dice.pick(&[5, 15, 90, 300]));
        let mut scene = Self { cluster, record, phase };
        scene.carry(&mut dice);
        scene
    }

    /// Some templates carry the restart of the step already.
    fn carry(&mut self, dice: &mut Dice) {
        for change in self.planned().changes {
            let Change::ControlPlane { workload, annotation, .. } = change else { panic!("{change:?}") };
            if dice.roll(3) == 0 {
                self.cluster.annotate(workload, annotation.key, &annotation.value);
            }
        }
    }

    fn planned(&self) -> PlannedStep {
        support::planned(&self.cluster.plan(&self.record), step(self.phase, 2))
    }

    /// Replaces the pods of a workload.
    fn roll(&mut self, id: WorkloadId) {
        let template = self.cluster.mesh.workload(id).template.as_ref().unwrap();
        let mark = template.annotations.as_ref().and_then(|annotations| annotations.get(TRUST_ROOT));
        let made =
            Made { created: Some(self.cluster.now), trust_root: mark.map(|mark| mark.parse().unwrap()) };
        let started = self.cluster.now + SignedDuration::from_secs(4);
        pods(&mut self.cluster, id, started, made);
    }

    /// Follows what a plan says, in one of the ways that it leaves; which they were.
    fn follow(&mut self, planned: &PlannedStep) -> BTreeSet<&'static str> {
        let mut ways = BTreeSet::new();
        for finding in &planned.blocked {
            for opens in &finding.opens {
                if let Opens::At(instant) = opens {
                    self.cluster.now = self.cluster.now.max(*instant + SignedDuration::from_secs(1));
                    ways.insert("wait");
                }
            }
        }
        if !ways.is_empty() {
            return ways;
        }
        assert_eq!(planned.blocked, [], "nothing tells what opens it");
        for change in &planned.changes {
            let Change::ControlPlane { workload, annotation, .. } = change else { panic!("{change:?}") };
            if self.cluster.annotate(*workload, annotation.key, &annotation.value) {
                self.roll(*workload);
                ways.insert("rendered");
            } else if planned.again.contains(&self.cluster.mesh.workload(*workload).object) {
                self.roll(*workload);
                ways.insert("manual");
            }
        }
        for object in self.rolling(planned) {
            self.roll(self.cluster.id("linkerd", &object));
            ways.insert("rollout");
        }
        self.cluster.now += SignedDuration::from_mins(2);
        ways
    }

    /// What restarts by itself, as the plan says, while a pod of another template runs indeed.
    fn rolling(&self, planned: &PlannedStep) -> Vec<String> {
        let notes = notes(planned, "restarted-by-install");
        let [StepFact::RestartedByInstall { workloads }] = &notes[..] else { return vec![] };
        for object in workloads {
            let id = self.cluster.id("linkerd", &object.name);
            let template = self.cluster.mesh.workload(id).template.as_ref().unwrap();
            let mark = &template.annotations.as_ref().unwrap()[TRUST_ROOT];
            let is_old = |made: Made| made.trust_root.is_none_or(|found| found.to_string() != *mark);
            let pods = &self.cluster.mesh.control_plane.replicas;
            let mut own = pods.iter().filter(|pod| self.cluster.mesh.workload_of(pod) == *object);
            assert!(own.any(|pod| is_old(pod.made)), "no rollout of {object} runs");
        }
        workloads.iter().map(|object| object.name.clone()).collect()
    }
}

fn pods(cluster: &mut Cluster, id: WorkloadId, started: Timestamp, made: Made) {
    let name = cluster.mesh.workload(id).object.name.clone();
    for replica in &mut cluster.mesh.control_plane.replicas {
        if name == format!("linkerd-{}", replica.component) {
            (replica.started, replica.made) = (Some(started), made);
        }
    }
    let group = cluster.group(id);
    group.made = made;
    group.starts = l5d_rotate::mesh::Starts { at: [(started, 1)].into(), unknown: 0 };
}

#[test]
#[ignore = "long"]
fn whoever_takes_the_way_that_a_step_leaves_gets_it_done() {
    let mut taken = BTreeSet::new();
    for seed in 0..sizes::of(120, 600) {
        let mut scene = Scene::random(seed);
        let mut told = Vec::new();
        while scene.planned().state != StepState::Done {
            let planned = scene.planned();
            let ways = scene.follow(&planned);
            told.push(ways.clone());
            assert!(!ways.is_empty() && told.len() < 4, "seed {seed}, {told:?}: {planned:#?}");
            taken.extend(ways);
        }
    }
    assert_eq!(taken.into_iter().collect::<Vec<_>>(), ["manual", "rendered", "rollout", "wait"]);
}

#[test]
#[ignore = "long"]
fn a_confirmation_that_is_named_opens_what_names_it() {
    let mut opened = 0;
    for seed in 0..sizes::of(120, 600) {
        let mut scene = Scene::random(seed);
        let StepState::Unknown(why) = scene.planned().state else { continue };
        let is_confirmable = |finding: &Finding| finding.is_confirmed_by(Confirmation::ControlPlaneRestarted);
        assert!(is_confirmable(&why), "seed {seed}: {why:?}");
        scene.cluster.confirmed.insert(Confirmation::ControlPlaneRestarted);
        let planned = scene.planned();
        assert_eq!(planned.state, StepState::Done, "seed {seed}: {why:?}");
        assert!(planned.confirmed.iter().any(|finding| finding.code() == "restart-confirmed"), "seed {seed}");
        opened += 1;
    }
    assert!(opened > 5, "{opened}");
}

/// A pod that is created later than ten seconds after a change is given what there is, and until then the step waits.
#[test]
fn the_control_plane_is_restarted_ten_seconds_after_the_change_and_not_earlier() {
    for (phase, changed_by) in [(Phase::Bundle, 1), (Phase::Issuer, 1)] {
        let (_, mut cluster, record) = support::fixture(Era::V2_12);
        cluster.advance(&record, step(phase, changed_by));
        cluster.merge(&support::planned(&cluster.plan(&record), step(phase, changed_by)));
        let changed = cluster.now - SignedDuration::from_mins(5);
        let at = |cluster: &mut Cluster, seconds| {
            cluster.now = changed + SignedDuration::from_secs(seconds);
            support::planned(&cluster.plan(&record), step(phase, 2)).blocked
        };
        let waiting = at(&mut cluster, 10);
        let [finding] = &waiting[..] else { panic!("{waiting:?}") };
        let given = changed + SignedDuration::from_secs(10);
        assert_eq!((finding.code(), &finding.opens[..]), ("mount-outdated", &[Opens::At(given)][..]));
        assert_eq!(at(&mut cluster, 11), [], "{phase}");
    }
}

/// Whoever merges the restarts of several steps at once finds each later one on the templates already.
#[test]
fn restarts_that_were_merged_together_are_made_manually_where_they_change_nothing_and_the_rotation_finishes()
{
    let beyond = Step { phase: Phase::RemoveCross, stage: Stage::DataPlane };
    for strategy in support::strategies(Era::V2_12) {
        let (pki, mut cluster, _) = support::fixture(Era::V2_12);
        let record = pki.record(&cluster.mesh, strategy);
        for planned in cluster.plan(&record).steps {
            for change in planned.changes {
                if let Change::ControlPlane { workload, annotation, .. }
                | Change::Restart { workload, annotation } = change
                {
                    cluster.annotate(workload, annotation.key, &annotation.value);
                }
            }
        }
        cluster.advance(&record, beyond);
        assert_eq!(cluster.plan(&record).standing, Standing::Finished, "{strategy}");
    }
}
