//! How far each step is, what blocks it, and the pains and outages that this spares.

use crate::rotation_support;

use std::collections::BTreeSet;

use jiff::ToSpan;
use l5d_rotate::mesh::{ChangeTime, Era, Held, Known, Obstacle, Owner, Scheme, Unread};
use l5d_rotate::pki::{Authority, BundleText, IssuerChain, PrivateKey};
use l5d_rotate::rotation::{
    Change, Note, Phase, PlanError, Record, RestartAnnotation, Scope, Severity, Standing, StepState,
    Strategy, plan,
};
use rotation_support::*;

// States.

#[test]
fn times_that_are_not_known_make_a_step_unknown_and_tell_what_to_read() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Bundle, 3));
    for unknown in [ChangeTime::Unknown, ChangeTime::Since(time(INSTALLED))] {
        cluster.bundle().changed = unknown;
        let StepState::Unknown(why) = state(&cluster.plan(&record), step(Phase::Bundle, 2)) else { panic!() };
        assert!(
            why.contains("linkerd-identity-trust-roots") && why.contains("--show-managed-fields"),
            "{why}"
        );
    }
    cluster.bundle().changed = ChangeTime::Since(cluster.now);
    assert_eq!(state(&cluster.plan(&record), step(Phase::Bundle, 2)), StepState::Pending { done: 0, of: 5 });
}

#[test]
fn an_unreadable_secret_makes_the_swap_unknown() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 2));
    cluster.issuer().from_secret = false;
    assert!(matches!(state(&cluster.plan(&record), step(Phase::Issuer, 1)), StepState::Unknown(_)));
    cluster.mesh.issuer = Known::Unknown(Unread::Refused("secrets is forbidden".into()));
    let plan = cluster.plan(&record);
    let StepState::Unknown(why) = state(&plan, step(Phase::Issuer, 1)) else { panic!() };
    assert!(why.contains("secrets is forbidden"));
    let prune = planned(&plan, step(Phase::Prune, 1));
    assert!(reasons(&prune, Severity::Unknown).contains("linkerd-identity-issuer"));
}

#[test]
fn once_prune_is_published_the_bundle_phase_is_over_and_does_not_come_back() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 2));
    let plan = cluster.plan(&record);
    assert_eq!(plan.standing, Standing::At(step(Phase::Prune, 2)));
    for planned in plan.phase(Phase::Bundle) {
        assert_eq!((&planned.state, planned.changes.len()), (&StepState::Done, 0), "{}", planned.step);
    }
    let Change::Swap { anchors, .. } = &planned(&plan, step(Phase::Issuer, 1)).changes[0] else { panic!() };
    assert_eq!(anchors.anchors(), [record.anchor().unwrap().clone()]);
}

#[test]
fn the_record_is_of_one_mesh() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let found = |cluster: &Cluster| {
        plan(&record, &cluster.mesh, RestartAnnotation::Content, &BTreeSet::new(), cluster.now).unwrap_err()
    };
    cluster.mesh.control_plane.trust_domain = "other.local".into();
    assert!(matches!(found(&cluster), PlanError::OtherTrustDomain { .. }));
    cluster.mesh.control_plane.namespace = "other".into();
    assert!(matches!(found(&cluster), PlanError::OtherMesh { .. }));
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.mesh.trust.published = Known::Unknown(Unread::Refused("forbidden".into()));
    let error =
        plan(&record, &cluster.mesh, RestartAnnotation::Content, &BTreeSet::new(), cluster.now).unwrap_err();
    assert!(error.to_string().contains("forbidden"), "{error}");
}

#[test]
fn a_new_anchor_published_alone_before_the_swap_is_mended_by_phase_bundle() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    cluster.bundle().text = text(&[&pki.new.certificate]);
    let plan = cluster.plan(&record);
    assert_eq!(plan.standing, Standing::At(step(Phase::Bundle, 1)));
    let Change::Publish(bundle) = &planned(&plan, step(Phase::Bundle, 1)).changes[0] else { panic!() };
    assert!(bundle.same_set(&record.anchors_of(Phase::Bundle)));
}

#[test]
fn control_plane_proxies_that_kept_running_have_new_leafs_once_the_old_ones_end() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 2));
    let identity = cluster.id("linkerd", "linkerd-identity");
    cluster.now += 1.minute();
    cluster.restart(identity);
    assert_eq!(state(&cluster.plan(&record), step(Phase::Issuer, 2)), StepState::Done);
    assert_eq!(state(&cluster.plan(&record), step(Phase::Issuer, 3)), StepState::Pending { done: 0, of: 5 });
    cluster.now += 25.hours();
    let plan = cluster.plan(&record);
    assert_eq!(plan.standing, Standing::At(step(Phase::Prune, 1)));
}

#[test]
fn an_issuer_only_swap_waits_for_a_control_plane_that_has_not_read_the_bundle() {
    let pki = Pki::mint();
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let chain = mint_chain(&pki.old);
    let record =
        Record::new(&cluster.mesh, time(STARTED), Strategy::Staged, Scope::IssuerOnly, chain, false).unwrap();
    let swap = |cluster: &Cluster| planned(&cluster.plan(&record), step(Phase::Issuer, 1));
    assert_eq!(swap(&cluster).blocked, []);
    cluster.bundle().changed = ChangeTime::At(cluster.now);
    assert!(reasons(&swap(&cluster), Severity::Wait).contains("0 of 5 have taken up the published bundle"));
    cluster.bundle().changed = ChangeTime::Unknown;
    assert!(reasons(&swap(&cluster), Severity::Unknown).contains("--show-managed-fields"));
}

#[test]
fn a_data_plane_proxy_that_holds_the_bundle_by_reference_must_have_started_since_it_was_published() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let web = cluster.id("emojivoto", "web");
    cluster.group(web).held = Held::ByReference;
    let data = step(Phase::Bundle, 3);
    cluster.now += 1.minute();
    cluster.restart(web);
    assert_eq!(
        state(&cluster.plan(&record), data),
        StepState::Pending { done: 0, of: 3 },
        "nothing is published"
    );
    cluster.advance(&record, data);
    assert_eq!(state(&cluster.plan(&record), data), StepState::Pending { done: 0, of: 3 });
    cluster.restart(web);
    assert_eq!(state(&cluster.plan(&record), data), StepState::Done);
}

#[test]
fn leafs_are_unknown_while_the_time_of_the_swap_is() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 1));
    cluster.issuer().changed = ChangeTime::Unknown;
    let plan = cluster.plan(&record);
    for number in [2, 3] {
        let StepState::Unknown(why) = state(&plan, step(Phase::Issuer, number)) else { panic!() };
        assert!(why.contains("linkerd-identity-issuer") && why.contains("--show-managed-fields"), "{why}");
    }
    let prune = planned(&plan, step(Phase::Prune, 1));
    assert!(
        reasons(&prune, Severity::Unknown).starts_with("issuer/2-control-plane comes first: cannot be told")
    );
}

// Blockers.

#[test]
fn a_restart_is_never_in_the_commit_of_the_bundle() {
    let (_, cluster, record) = fixture(Era::V2_12);
    let plan = cluster.plan(&record);
    for number in [2, 3] {
        let reason = reasons(&planned(&plan, step(Phase::Bundle, number)), Severity::Wait);
        assert!(reason.starts_with("bundle/1-trust comes first"), "{reason}");
    }
}

#[test]
fn prune_never_drops_an_anchor_that_the_record_does_not_know() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 1));
    let third = mint_root("third").certificate;
    let mut anchors = record.anchors_of(Phase::Bundle).anchors().to_vec();
    anchors.push(third.clone());
    cluster.bundle().text = text(&anchors.iter().collect::<Vec<_>>());
    let prune = planned(&cluster.plan(&record), step(Phase::Prune, 1));
    assert_eq!(prune.changes, []);
    assert!(reasons(&prune, Severity::Unsafe).contains(&third.fingerprint().to_string()));
}

#[test]
fn external_workloads_and_linked_clusters_are_told_before_the_steps_that_need_them() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.mesh.external_workloads = vec!["vms/legacy".into()];
    cluster.mesh.links = vec!["linkerd-multicluster/west".into()];
    for at in [step(Phase::Issuer, 1), step(Phase::Prune, 1)] {
        let notes = format!("{:?}", planned(&cluster.plan(&record), at).notes);
        assert!(notes.contains("vms/legacy") && notes.contains("linkerd-multicluster/west"), "{notes}");
    }
}

#[test]
fn the_old_anchor_in_ca_crt_is_told_when_prune_is_planned() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.mesh.control_plane.scheme = Scheme::Kubernetes;
    cluster.advance(&record, step(Phase::Prune, 1));
    let notes = format!("{:?}", planned(&cluster.plan(&record), step(Phase::Prune, 1)).notes);
    assert!(notes.contains("render issuer/1-issuer again"), "{notes}");
}

// What users suffered (pains) and what takes a mesh down (pitfalls).

#[test]
fn pain_1_only_the_restarts_that_are_needed_are_asked_for() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)));
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 2)));
    cluster.now += 1.minute();
    let web = cluster.id("emojivoto", "web");
    cluster.restart(web); // an ordinary deploy
    let plan = cluster.plan(&record);
    let data_plane = planned(&plan, step(Phase::Bundle, 3));
    assert_eq!((data_plane.state, data_plane.changes), (StepState::Done, vec![]));
    assert_eq!(plan.standing, Standing::At(step(Phase::Issuer, 1)));
}

#[test]
fn pain_2_and_pitfall_2_the_old_anchor_stays_while_a_leaf_of_the_old_issuer_can_be_left() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 3));
    let prune = planned(&cluster.plan(&record), step(Phase::Prune, 1));
    assert!(
        reasons(&prune, Severity::Wait).starts_with("issuer/3-data-plane comes first: 0 of 5"),
        "{:?}",
        prune.blocked
    );
    cluster.now += 25.hours();
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Prune, 1)).blocked, []);
    // Without the swap at all it is unsafe.
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 1));
    let prune = planned(&cluster.plan(&record), step(Phase::Prune, 1));
    assert!(reasons(&prune, Severity::Unsafe).contains("the new anchor alone does not accept the issuer"));
}

#[test]
fn pain_3_and_pitfall_3_the_issuer_waits_until_the_control_plane_holds_the_bundle() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)));
    let both = cluster.intern(text(&[&pki.old.certificate, &pki.new.certificate]));
    let web = cluster.id("emojivoto", "web");
    cluster.group(web).held = Held::Literal(both);
    let swap = planned(&cluster.plan(&record), step(Phase::Issuer, 1));
    assert_eq!(swap.blocked.len(), 1);
    assert!(reasons(&swap, Severity::Wait).starts_with("bundle/2-control-plane comes first: 0 of 5"));
}

#[test]
fn pain_4_a_swapped_secret_proves_nothing_until_every_identity_controller_restarted() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 2));
    let web = cluster.id("emojivoto", "web");
    cluster.restart(web);
    cluster.now += 48.hours();
    let plan = cluster.plan(&record);
    assert_eq!(state(&plan, step(Phase::Issuer, 2)), StepState::Pending { done: 0, of: 1 });
    assert_ne!(state(&plan, step(Phase::Issuer, 3)), StepState::Done);
}

/// An anchor with an issuer that outlives it, as some other tool made them.
fn anchor_that_ends_before_its_issuer(not_after: &str) -> (Authority, IssuerChain) {
    let key = rcgen::KeyPair::generate().unwrap();
    let root = |day: u8| {
        let mut root = rcgen::CertificateParams::default();
        root.distinguished_name.push(rcgen::DnType::CommonName, "root.linkerd.cluster.local");
        root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        (root.not_before, root.not_after) =
            (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2026, 6, day));
        Authority {
            certificate: IssuerChain::from_pem(&root.self_signed(&key).unwrap().pem()).unwrap().issuer,
            key: PrivateKey::from_pem(&key.serialize_pem()).unwrap(),
        }
    };
    let short = root(2);
    assert_eq!(short.certificate.facts().not_after, time(not_after));
    let issuer = mint_chain(&root(20));
    (short, issuer)
}

#[test]
fn pain_5_an_anchor_that_is_already_expired_makes_every_restart_unsafe_and_force_the_way_out() {
    let ended = "2026-06-02T00:00:00Z";
    let (old, old_issuer) = anchor_that_ends_before_its_issuer(ended);
    let new = mint_root("root.linkerd.cluster.local");
    let new_issuer = mint_chain(&new);
    let pki = Pki { old, new, old_issuer, new_issuer };
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let record = pki.record(&cluster.mesh, Strategy::Staged);
    let unsafe_ones = |cluster: &Cluster, step| {
        let blocked = planned(&cluster.plan(&record), step).blocked;
        blocked.into_iter().filter(|one| one.severity == Severity::Unsafe).collect::<Vec<_>>()
    };
    cluster.now = time(ended);
    for number in [2, 3] {
        assert_eq!(unsafe_ones(&cluster, step(Phase::Bundle, number)), []);
    }
    assert!(unsafe_ones(&cluster, step(Phase::Issuer, 1)).iter().all(|one| !one.over));
    cluster.now += 1.hour();
    for number in [2, 3] {
        let [one] = &unsafe_ones(&cluster, step(Phase::Bundle, number))[..] else { panic!() };
        assert!(one.over && one.reason.contains("Replacing expired certificates"), "{}", one.reason);
        assert!(
            one.reason.contains("take bundle/1-trust, then issuer/1-issuer with --force"),
            "{}",
            one.reason
        );
    }
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)));
    let said = unsafe_ones(&cluster, step(Phase::Issuer, 1));
    assert!(said.iter().any(|one| one.over && one.reason.contains("take issuer/1-issuer with --force")));
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Issuer, 1)));
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Bundle, 2)).blocked, []);
}

#[test]
fn pain_10_a_finished_restart_is_rendered_again_so_that_git_keeps_its_annotation() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    for step in record.steps() {
        let before = planned(&cluster.plan(&record), step);
        cluster.merge(&before);
        let after = planned(&cluster.plan(&record), step);
        assert_eq!((after.state, &after.changes), (StepState::Done, &before.changes), "{step}");
        assert_eq!(after.manual, []);
    }
}

#[test]
fn pain_10_after_an_identity_controller_moved_old_leafs_run_out_or_proxies_restart_once_more() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 1));
    assert_eq!(cluster.plan(&record).standing, Standing::At(step(Phase::Prune, 1)));
    cluster.now += 3.hours();
    cluster.restart(cluster.id("linkerd", "linkerd-identity"));
    let moved = cluster.now;
    let plan = cluster.plan(&record);
    assert_eq!(plan.standing, Standing::At(step(Phase::Issuer, 3)));
    assert!(
        reasons(&planned(&plan, step(Phase::Prune, 1)), Severity::Wait)
            .contains("restart them, or wait until")
    );
    cluster.now = moved + 86_421.seconds();
    assert_eq!(cluster.plan(&record).standing, Standing::At(step(Phase::Prune, 1)), "after T+s");
    cluster.now = moved + 3.minutes();
    for (namespace, name) in
        [("linkerd", "linkerd-destination"), ("linkerd", "linkerd-proxy-injector"), ("emojivoto", "web")]
    {
        cluster.restart(cluster.id(namespace, name));
    }
    let prune = planned(&cluster.plan(&record), step(Phase::Prune, 1));
    assert_eq!((prune.state.clone(), prune.blocked), (StepState::Pending { done: 0, of: 1 }, vec![]));
}

#[test]
fn pitfall_2_pods_moved_before_the_identity_controller_restarted_prove_nothing_whatever_the_template_carries()
{
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 3));
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Issuer, 3)));
    let swap = cluster.now - 35.minutes();
    assert_eq!(cluster.issuer().changed, ChangeTime::At(swap));
    for (namespace, name) in [("emojivoto", "web"), ("linkerd", "linkerd-destination")] {
        let kept = cluster.mesh.clone();
        let id = cluster.id(namespace, name);
        cluster.group(id).starts.at = [(swap + 3.minutes(), 1)].into();
        let waits = reasons(&planned(&cluster.plan(&record), step(Phase::Prune, 1)), Severity::Wait);
        assert!(
            waits.contains(&format!("1 proxy ({namespace}/{name}-0) may still present a leaf")),
            "{waits}"
        );
        cluster.mesh = kept;
    }
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Prune, 1)).blocked, []);
}

#[test]
fn an_identity_container_that_starts_within_the_kubelets_lag_has_not_surely_read_issuer_or_bundle() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    for (number, phase) in [Phase::Bundle, Phase::Issuer].into_iter().enumerate() {
        cluster.advance(&record, step(phase, 3));
        let changed = match number {
            0 => cluster.bundle().changed,
            _ => cluster.issuer().changed,
        };
        let ChangeTime::At(changed) = changed else { panic!() };
        let kept = cluster.mesh.clone();
        for (seconds, is_read) in [(5, false), (120, false), (121, true)] {
            let replicas = &mut cluster.mesh.control_plane.replicas;
            let identity = replicas.iter_mut().find(|replica| replica.container == "identity").unwrap();
            identity.started = Some(changed + i64::from(seconds).seconds());
            let plan = cluster.plan(&record);
            match (is_read, state(&plan, step(phase, 2))) {
                (true, found) => assert_eq!(found, StepState::Done, "{seconds} s"),
                (false, StepState::Unknown(why)) => {
                    assert!(why.contains("within 120 s") && why.contains("restart again"), "{why}");
                    assert!(why.contains("linkerd-identity-0 (identity)"), "{why}");
                    assert_ne!(planned(&plan, step(phase, 3)).blocked, []);
                }
                (false, found) => panic!("{seconds} s: {found:?}"),
            }
        }
        cluster.mesh = kept;
    }
}

#[test]
fn an_injector_that_starts_within_the_kubelets_lag_has_read_the_bundle_once_the_lag_is_over() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Bundle, 3));
    let ChangeTime::At(changed) = cluster.bundle().changed else { panic!() };
    let replicas = &mut cluster.mesh.control_plane.replicas;
    replicas.iter_mut().find(|one| one.container == "proxy-injector").unwrap().started =
        Some(changed + 5.seconds());
    assert_eq!(state(&cluster.plan(&record), step(Phase::Bundle, 2)), StepState::Done);
    cluster.mesh.control_plane.replicas.retain(|one| one.container == "proxy-injector");
    cluster.now = changed + 60.seconds();
    assert!(matches!(state(&cluster.plan(&record), step(Phase::Bundle, 2)), StepState::Unknown(_)));
}

#[test]
fn pain_12_an_argo_rollout_is_not_restarted_by_annotation() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.add("Rollout", "apps", "canary", 2, &[Obstacle::ArgoRollout]);
    for phase in PHASES {
        let data_plane = planned(&cluster.plan(&record), step(phase, 3));
        assert!(!restarted(&cluster.mesh, &data_plane).contains(&"canary".to_owned()));
        assert!(data_plane.manual[0].act.contains("kubectl argo rollouts restart canary -n apps"));
    }
}

#[test]
fn pain_25_extensions_stateful_sets_and_jobs_are_restarted_or_listed_and_hold_up_the_issuer() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.add("Deployment", "linkerd-viz", "prometheus", 1, &[]);
    cluster.add("StatefulSet", "apps", "db", 3, &[]);
    cluster.add("Job", "apps", "import", 1, &[Obstacle::RunningJob]);
    let plan = cluster.plan(&record);
    let data_plane = planned(&plan, step(Phase::Bundle, 3));
    assert_eq!(
        restarted(&cluster.mesh, &data_plane),
        ["db", "web", "prometheus"],
        "by namespace, kind and name"
    );
    assert_eq!(data_plane.manual[0].object.name, "import");
    cluster.merge(&planned(&plan, step(Phase::Bundle, 1)));
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 2)));
    let mut restarts = planned(&cluster.plan(&record), step(Phase::Bundle, 3));
    restarts.manual.clear(); // the Job runs on
    cluster.merge(&restarts);
    let swap = planned(&cluster.plan(&record), step(Phase::Issuer, 1));
    let reason = reasons(&swap, Severity::Unsafe);
    assert!(reason.starts_with("1 running proxy (apps/import-0, …) would refuse the new issuer"), "{reason}");
}

#[test]
fn pitfall_1_the_issuer_is_unsafe_while_a_running_proxy_or_the_bundle_does_not_accept_it() {
    let (_, cluster, record) = fixture(Era::V2_12);
    let swap = planned(&cluster.plan(&record), step(Phase::Issuer, 1));
    let reason = reasons(&swap, Severity::Unsafe);
    assert!(
        reason.contains("3 running proxies (emojivoto/web-0, …) would refuse the new issuer"),
        "{reason}"
    );
    assert!(reason.contains("the identity controller would refuse the new issuer"), "{reason}");
    assert_eq!(swap.blocked[0].severity, Severity::Unsafe, "the gravest comes first");
}

#[test]
fn pitfall_4_no_restart_while_the_published_bundle_does_not_accept_the_issuer_in_the_secret() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    cluster.issuer().chain = Ok(pki.new_issuer.clone());
    let control_plane = planned(&cluster.plan(&record), step(Phase::Bundle, 2));
    assert!(
        reasons(&control_plane, Severity::Unsafe)
            .contains("an identity controller that restarts now would refuse")
    );
    cluster.bundle().text = BundleText::read("-----BEGIN NONSENSE");
    cluster.issuer().chain = Ok(pki.old_issuer.clone());
    let error =
        plan(&record, &cluster.mesh, RestartAnnotation::Content, &BTreeSet::new(), cluster.now).unwrap_err();
    assert!(matches!(error, PlanError::BundleUnknown { .. }));
}

#[test]
fn pitfall_7_a_pod_that_restarted_and_still_got_the_old_bundle_is_seen() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    let old = cluster.published();
    cluster.advance(&record, step(Phase::Issuer, 1));
    let web = cluster.id("emojivoto", "web");
    let stale = cluster.intern(old);
    cluster.group(web).held = Held::Literal(stale); // the injector's mount lagged
    let plan = cluster.plan(&record);
    assert_eq!(plan.standing, Standing::At(step(Phase::Bundle, 3)));
    assert!(
        reasons(&planned(&plan, step(Phase::Issuer, 1)), Severity::Unsafe)
            .contains("would refuse the new issuer")
    );
}

#[test]
fn pitfall_13_a_patch_that_the_next_upgrade_reverts_is_told_for_the_bundle_and_for_its_copy() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.mesh.control_plane.installer = Some(Owner::LinkerdCli);
    let notes = planned(&cluster.plan(&record), step(Phase::Bundle, 1)).notes;
    let owned: Vec<_> = notes
        .iter()
        .filter_map(|note| match note {
            Note::Owned { object, instead, .. } => {
                Some((object.name.as_str(), instead.contains("linkerd-config-overrides")))
            }
            _ => None,
        })
        .collect();
    assert_eq!(owned, [("linkerd-identity-trust-roots", true), ("linkerd-config", true)]);
    cluster.mesh.control_plane.external_ca = true;
    let notes = planned(&cluster.plan(&record), step(Phase::Bundle, 1)).notes;
    let copy = |note: &Note| matches!(note, Note::Owned { object, .. } if object.name == "linkerd-config");
    assert!(!notes.iter().any(copy), "with externalCA there is no copy in linkerd-config");
}
