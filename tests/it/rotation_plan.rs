//! What each step changes, what it leaves to do manually, and who restarts the control plane.

use std::collections::BTreeSet;

use jiff::ToSpan;
use l5d_rotate::finding::{Opens, Severity, StepFact};
use l5d_rotate::mesh::{Era, Held, Known, Obstacle, Owner, Scheme};
use l5d_rotate::pki::Fingerprint;
use l5d_rotate::report::{Screen, in_words};
use l5d_rotate::rotation::{
    Act, Change, Phase, Record, RestartAnnotation, Restarts, Scope, Standing, StepState, Strategy, plan,
};

use crate::support::rotation::*;

const ERAS: [Era; 6] = [Era::V2_6, Era::V2_7, Era::V2_9, Era::V2_10, Era::V2_11, Era::V2_12];
const CONTROL_PLANE: [&str; 3] = ["linkerd-destination", "linkerd-identity", "linkerd-proxy-injector"];
const TRUST_ROOT: &str = "linkerd.io/trust-root-sha256";

/// Gives every control-plane template the annotation that follows the bundle's value.
fn hash_templates(cluster: &mut Cluster, text: &str) {
    for name in CONTROL_PLANE {
        let id = cluster.id("linkerd", name);
        cluster.annotate(id, TRUST_ROOT, &Fingerprint::digest(text.as_bytes()).to_string());
    }
}

// What steps change.

#[test]
fn every_era_restarts_the_control_plane_in_each_phase() {
    for era in ERAS {
        let (_, mut cluster, record) = fixture(era);
        for phase in PHASES {
            cluster.merge(&planned(&cluster.plan(&record), step(phase, 1)));
            let control_plane = planned(&cluster.plan(&record), step(phase, 2));
            let rest = planned(&cluster.plan(&record), step(phase, 3));
            let rest: Vec<_> =
                restarted(&cluster.mesh, &rest).into_iter().filter(|name| name != "web").collect();
            // After the swap the identity controller goes first: who starts with it may still ask the one that it replaces.
            let (first, then) = match phase {
                Phase::Issuer => {
                    (vec!["linkerd-identity"], vec!["linkerd-destination", "linkerd-proxy-injector"])
                }
                _ => (CONTROL_PLANE.to_vec(), vec![]),
            };
            assert_eq!(restarted(&cluster.mesh, &control_plane), first, "{era:?} {phase}");
            assert_eq!(rest, then, "{era:?} {phase}");
            let expected = record.anchors_of(phase);
            for change in &control_plane.changes {
                let Change::ControlPlane { bundle, .. } = change else { panic!("{change:?}") };
                assert!(bundle.same_set(&expected));
            }
            cluster.merge(&control_plane);
            cluster.merge(&planned(&cluster.plan(&record), step(phase, 3)));
        }
    }
}

#[test]
fn annotations_follow_from_the_content_and_differ_between_phases() {
    let (_, cluster, record) = fixture(Era::V2_12);
    let annotation = |restart, phase| {
        let plan = plan(&record, &cluster.mesh, restart, &BTreeSet::new(), cluster.now).unwrap();
        match planned(&plan, step(phase, 3)).changes.first().unwrap() {
            Change::Restart { annotation, .. } => (annotation.key, annotation.value.clone()),
            change => panic!("{change:?}"),
        }
    };
    let content = |fingerprint: Fingerprint, step: &str| {
        format!("sha256-{}.{step}.2026-06-01T00:00:00Z", fingerprint.short())
    };
    for (phase, key, value) in [
        (
            Phase::Bundle,
            "l5d-rotate/trust-bundle",
            content(record.anchors_of(Phase::Bundle).fingerprint(), "bundle-3"),
        ),
        (Phase::Issuer, "l5d-rotate/issuer", content(record.issuer.issuer.fingerprint(), "issuer-3")),
        (
            Phase::Prune,
            "l5d-rotate/trust-bundle",
            content(record.anchors_of(Phase::Prune).fingerprint(), "prune-3"),
        ),
    ] {
        assert_eq!(annotation(RestartAnnotation::Content, phase), (key, value));
    }
    let phases = [Phase::Bundle, Phase::Issuer, Phase::Prune];
    let times = phases.map(|phase| annotation(RestartAnnotation::RestartedAt, phase));
    let expected = ["2026-06-01T00:00:01Z", "2026-06-01T00:00:03Z", "2026-06-01T00:00:05Z"];
    assert_eq!(times, expected.map(|time| ("kubectl.kubernetes.io/restartedAt", time.to_owned())));
}

/// The same value on two steps would make the later restart a change of nothing.
#[test]
fn no_two_steps_of_a_rotation_and_its_rollback_restart_with_the_same_annotation() {
    for strategy in strategies(Era::V2_12) {
        for restart in [RestartAnnotation::Content, RestartAnnotation::RestartedAt] {
            let (pki, cluster, _) = fixture(Era::V2_12);
            let forward = pki.record(&cluster.mesh, strategy);
            let later =
                Record { started: forward.started + jiff::SignedDuration::from_hours(1), ..forward.clone() };
            let backward = forward.clone().rolled_back().unwrap();
            let mut seen = BTreeSet::new();
            for record in [&forward, &backward, &later] {
                let restarts = Restarts { annotation: restart, on_request: true };
                let plan = plan(record, &cluster.mesh, restarts, &BTreeSet::new(), cluster.now).unwrap();
                for planned in &plan.steps {
                    let values: BTreeSet<_> = planned.changes.iter().filter_map(annotation_of).collect();
                    assert!(values.len() <= 1, "{}: {values:?}", planned.step);
                    assert!(
                        values.into_iter().all(|value| seen.insert(value)),
                        "{strategy} {}",
                        planned.step
                    );
                }
            }
            assert!(seen.len() > 6, "{strategy}: {seen:?}");
        }
    }
}

fn annotation_of(change: &Change) -> Option<(&'static str, String)> {
    match change {
        Change::ControlPlane { annotation, .. } | Change::Restart { annotation, .. } => {
            Some((annotation.key, annotation.value.clone()))
        }
        Change::Publish(_) | Change::Swap { .. } | Change::Managed(_) => None,
    }
}

#[test]
fn only_workloads_with_a_proxy_that_lacks_the_bundle_are_restarted() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    let done = cluster.add("Deployment", "emojivoto", "voting", 2, &[]);
    let both = cluster.intern(text(&[&pki.new.certificate, &pki.old.certificate]));
    cluster.group(done).held = Held::Literal(both);
    let data_plane = planned(&cluster.plan(&record), step(Phase::Bundle, 3));
    assert_eq!(restarted_data(&cluster.mesh, &data_plane), ["web"]);
    assert_eq!(data_plane.state, StepState::Pending { done: 2, of: 5 });
    cluster.advance(&record, step(Phase::Prune, 3));
    let prune = planned(&cluster.plan(&record), step(Phase::Prune, 3));
    assert_eq!(restarted(&cluster.mesh, &prune), ["voting", "web"]);
}

#[test]
fn without_pods_every_meshed_workload_is_restarted_and_nothing_is_proven() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.add("StatefulSet", "emojivoto", "db", 0, &[]);
    cluster.mesh.proxies.clear();
    cluster.mesh.control_plane.replicas.clear();
    cluster.mesh.pods = Known::Absent;
    let plan = cluster.plan(&record);
    for phase in PHASES {
        let data_plane = planned(&plan, step(phase, 3));
        assert_eq!(restarted_data(&cluster.mesh, &data_plane), ["web", "db"]);
        assert_ne!(data_plane.state, StepState::Done);
    }
    assert!(matches!(state(&plan, step(Phase::Bundle, 3)), StepState::Unknown(_)));
    blocker(&planned(&plan, step(Phase::Issuer, 1)), Severity::Unknown, "pods-not-given");
}

#[test]
fn after_the_swap_only_proxies_that_started_with_it_or_before_are_restarted() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let [late, same, pending] =
        ["late", "same", "pending"].map(|name| cluster.add("Deployment", "emojivoto", name, 1, &[]));
    cluster.advance(&record, step(Phase::Issuer, 3));
    let signing = cluster.now - 5.minutes();
    let mut start = |id, started| {
        let starts = &mut cluster.group(id).starts;
        *starts = l5d_rotate::mesh::Starts::default();
        starts.add(started);
    };
    // Until two minutes after the last identity controller has started, the one that it replaces may still sign.
    start(late, Some(signing + 121.seconds()));
    start(same, Some(signing + 120.seconds()));
    start(pending, None);
    let data_plane = planned(&cluster.plan(&record), step(Phase::Issuer, 3));
    assert_eq!(restarted_data(&cluster.mesh, &data_plane), ["pending", "same", "web"]);
    assert_eq!(data_plane.state, StepState::Pending { done: 1, of: 8 });
}

#[test]
fn a_patient_rotation_waits_for_certificates_instead_of_restarting_the_data_plane() {
    let pki = Pki::mint();
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let record = pki.record(&cluster.mesh, Strategy::Patient);
    let data = step(Phase::Issuer, 3);
    let wait = |cluster: &Cluster| {
        let notes = notes(&planned(&cluster.plan(&record), data), "renewal-time");
        let [StepFact::RenewalTime { lifetime, renewed_after, until, .. }] = notes[..] else {
            panic!("{notes:?}")
        };
        (lifetime.to_string(), renewed_after.to_string(), until)
    };
    assert_eq!(wait(&cluster), ("24h0m20s".to_owned(), "16h48m14s".to_owned(), None));
    cluster.advance(&record, data);
    let signing = cluster.now - 5.minutes();
    let until = signing + 86_420.seconds();
    assert_eq!(wait(&cluster).2, Some(until));
    let waiting = planned(&cluster.plan(&record), data);
    assert!(waiting.changes.is_empty() && waiting.manual.is_empty());
    assert_eq!(waiting.state, StepState::Pending { done: 0, of: 5 });
    let blocked = planned(&cluster.plan(&record), step(Phase::Prune, 1));
    assert_eq!(blocker(&blocked, Severity::Wait, "step-order").opens, [Opens::At(until)]);
    cluster.now = until;
    assert_ne!(state(&cluster.plan(&record), data), StepState::Done);
    cluster.now = until + 1.second();
    let plan = cluster.plan(&record);
    assert_eq!(state(&plan, data), StepState::Done);
    assert_eq!(plan.standing, Standing::At(step(Phase::Prune, 1)));
}

#[test]
fn an_issuer_only_rotation_is_phase_issuer_and_nothing_else() {
    let pki = Pki::mint();
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let chain = mint_chain(&pki.old);
    let record =
        Record::new(&cluster.mesh, time(STARTED), Strategy::Staged, Scope::IssuerOnly, chain.clone(), false)
            .unwrap();
    let plan = cluster.plan(&record);
    assert_eq!(plan.steps.iter().map(|planned| planned.step).collect::<Vec<_>>(), record.steps());
    assert_eq!(record.steps(), [1, 2, 3].map(|number| step(Phase::Issuer, number)));
    let swap = planned(&plan, step(Phase::Issuer, 1));
    assert_eq!(swap.blocked, []);
    assert_eq!(swap.changes, [Change::Swap { chain, anchors: record.old.clone() }]);
    for step in record.steps() {
        let planned = planned(&cluster.plan(&record), step);
        cluster.merge(&planned);
    }
    assert_eq!(cluster.plan(&record).standing, Standing::Finished);
}

// Manual restarts.

#[test]
fn each_obstacle_has_its_act_and_its_template_change_where_that_helps() {
    let table = [
        ("StatefulSet", Obstacle::OnDelete, true, Act::DeletePods),
        ("DaemonSet", Obstacle::OnDelete, true, Act::DeletePods),
        ("StatefulSet", Obstacle::Partition(2), true, Act::LowerPartition(2)),
        ("Deployment", Obstacle::Paused, true, Act::Resume),
        ("Pod", Obstacle::BarePod, false, Act::RecreatePod),
        ("Job", Obstacle::RunningJob, false, Act::AwaitJob),
        ("CronJob", Obstacle::NextRun, false, Act::AwaitRun),
        ("Deployment", Obstacle::ManualInjection, false, Act::InjectAgain),
        ("Rollout", Obstacle::ArgoRollout, false, Act::RestartRollout),
        ("Rollout", Obstacle::Promotion, true, Act::Promote),
        ("ReplicaSet", Obstacle::BareReplicas, false, Act::DeletePods),
        ("Strimzi", Obstacle::UnknownOwner, false, Act::RestartByOwner),
    ];
    for (kind, obstacle, patched, act) in table {
        let (_, mut cluster, record) = fixture(Era::V2_12);
        cluster.add(kind, "apps", "it", 4, &[obstacle]);
        if obstacle == Obstacle::ArgoRollout {
            cluster.mesh.workloads.iter_mut().find(|one| one.object.name == "it").unwrap().template = None;
        }
        let data_plane = planned(&cluster.plan(&record), step(Phase::Bundle, 3));
        let restarts = restarted(&cluster.mesh, &data_plane).contains(&"it".to_owned());
        assert_eq!(restarts, patched, "{obstacle:?}");
        let [manual] = &data_plane.manual[..] else { panic!("{obstacle:?}: {:?}", data_plane.manual) };
        assert_eq!(
            (manual.acts.as_slice(), manual.obstacles.as_slice()),
            ([act].as_slice(), [obstacle].as_slice())
        );
        assert_eq!(manual.proxies, 4);
    }
}

#[test]
fn cron_jobs_between_runs_and_workloads_scaled_to_zero_need_nothing() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.add("CronJob", "apps", "nightly", 0, &[Obstacle::NextRun]);
    cluster.add("Deployment", "apps", "idle", 0, &[Obstacle::ZeroReplicas]);
    for pods in [Known::Is(()), Known::Absent] {
        cluster.mesh.pods = pods;
        for phase in PHASES {
            let data_plane = planned(&cluster.plan(&record), step(phase, 3));
            assert_eq!(restarted_data(&cluster.mesh, &data_plane), ["web"]);
            assert_eq!(data_plane.manual, []);
        }
    }
}

#[test]
fn a_manually_injected_workload_is_restarted_like_any_other_for_its_certificate() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.add("Deployment", "apps", "manual", 1, &[Obstacle::ManualInjection]);
    cluster.advance(&record, step(Phase::Issuer, 3));
    let data_plane = planned(&cluster.plan(&record), step(Phase::Issuer, 3));
    assert_eq!(restarted_data(&cluster.mesh, &data_plane), ["manual", "web"]);
    assert_eq!(data_plane.manual, []);
}

// Who restarts the control plane.

/// Installs whose control plane restarts with the value of the bundle, with a rotation of each.
fn that_roll_with_the_value() -> impl Iterator<Item = (Cluster, Record)> {
    [helm(), Owner::LinkerdCli].into_iter().map(|owner| {
        let (_, mut cluster, record) = fixture(Era::V2_12);
        cluster.mesh.control_plane.installer = Some(owner);
        let published = cluster.published().text().to_owned();
        hash_templates(&mut cluster, published.trim());
        (cluster, record)
    })
}

#[test]
fn a_control_plane_that_rolls_with_the_helm_value_is_not_restarted_twice() {
    for (cluster, record) in that_roll_with_the_value() {
        let plan = cluster.plan(&record);
        let control_plane = planned(&plan, step(Phase::Bundle, 2));
        assert_eq!(control_plane.changes, []);
        let notes = notes(&control_plane, "restarted-by-install");
        let [StepFact::RestartedByInstall { workloads }] = &notes[..] else { panic!("{notes:?}") };
        assert!(workloads.iter().any(|object| object.name == "linkerd-identity"), "{workloads:?}");
        assert_eq!(restarted(&cluster.mesh, &planned(&plan, step(Phase::Issuer, 2))), ["linkerd-identity"]);
    }
}

#[test]
fn a_bundle_that_is_patched_past_the_value_is_followed_by_a_rendered_restart_and_the_plan_says_so() {
    for (mut cluster, record) in that_roll_with_the_value() {
        let plan = cluster.plan(&record);
        let control_plane = planned(&plan, step(Phase::Bundle, 2));
        let note = control_plane.notes.iter().find(|note| note.code() == "restarted-by-install").unwrap();
        let said = in_words(note, &Screen::utc(cluster.now));
        let next = "Where the bundle is changed as it is rendered here, no value changes. After that render this step, which \
                    holds their restart.";
        assert!(said.ends_with(next), "{said}");
        cluster.merge(&planned(&plan, step(Phase::Bundle, 1)));
        let control_plane = planned(&cluster.plan(&record), step(Phase::Bundle, 2));
        assert_eq!(restarted(&cluster.mesh, &control_plane), CONTROL_PLANE);
    }
}

#[test]
fn a_helm_control_plane_that_does_not_roll_by_itself_is_restarted() {
    let published_manually = |cluster: &mut Cluster, record: &Record| {
        let published = cluster.published().text().to_owned();
        hash_templates(cluster, &published);
        let trust = planned(&cluster.plan(record), step(Phase::Bundle, 1));
        cluster.merge(&trust);
    };
    type Arrange<'a> = &'a dyn Fn(&mut Cluster, &Record);
    let cases: [(&str, Era, Arrange<'_>); 8] = [
        ("2.11 has no annotation", Era::V2_11, &|_, _| {}),
        ("hash of nothing", Era::V2_12, &|cluster, _| hash_templates(cluster, "")),
        ("hash of a line end", Era::V2_12, &|cluster, _| hash_templates(cluster, "\n")),
        ("published past Helm", Era::V2_12, &published_manually),
        ("anchors published by others", Era::V2_12, &|cluster, _| {
            cluster.mesh.control_plane.external_ca = true;
            hash_templates(cluster, "value");
        }),
        ("manifests as the source", Era::V2_12, &|cluster, _| {
            cluster.mesh.pods = Known::Absent;
            hash_templates(cluster, "value");
        }),
        ("applied from Git", Era::V2_12, &|cluster, _| {
            cluster.mesh.control_plane.installer = Some(Owner::ArgoCd { application: "linkerd".into() });
            hash_templates(cluster, "value");
        }),
        ("rendered by `helm template`", Era::V2_12, &|cluster, _| {
            cluster.mesh.control_plane.installer =
                Some(Owner::Helm { release: String::new(), namespace: String::new() });
            hash_templates(cluster, "value");
        }),
    ];
    for (case, era, arrange) in cases {
        let (_, mut cluster, record) = fixture(era);
        cluster.mesh.control_plane.installer = Some(helm());
        arrange(&mut cluster, &record);
        let control_plane = planned(&cluster.plan(&record), step(Phase::Bundle, 2));
        assert_eq!(restarted(&cluster.mesh, &control_plane), CONTROL_PLANE, "{case}");
    }
}

#[test]
fn a_control_plane_restarted_by_its_value_is_not_restarted_again_once_done() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)));
    cluster.now += 1.minute();
    for name in CONTROL_PLANE {
        let id = cluster.id("linkerd", name);
        cluster.restart(id);
    }
    let control_plane = planned(&cluster.plan(&record), step(Phase::Bundle, 2));
    assert_eq!((control_plane.state, control_plane.changes), (StepState::Done, vec![]));
}

#[test]
fn ca_crt_is_mended_after_prune_without_another_restart() {
    for era in [Era::V2_7, Era::V2_11, Era::V2_12] {
        let pki = Pki::mint();
        let mut cluster = Cluster::new(&pki, era);
        cluster.mesh.control_plane.scheme = Scheme::Kubernetes;
        cluster.issuer().ca = Some(text(&[&pki.old.certificate]));
        let record = pki.record(&cluster.mesh, Strategy::Staged);
        record.steps().into_iter().for_each(|step| cluster.merge(&planned(&cluster.plan(&record), step)));
        let plan = cluster.plan(&record);
        let notes = notes(&planned(&plan, step(Phase::Prune, 1)), "ca-crt-outdated");
        let [StepFact::CaCrtOutdated { render, .. }] = &notes[..] else { panic!("{notes:?}") };
        assert_eq!(*render, step(Phase::Issuer, 1));
        cluster.merge(&planned(&plan, step(Phase::Issuer, 1)));
        assert_eq!(cluster.plan(&record).standing, Standing::Finished, "{era:?}");
    }
}
