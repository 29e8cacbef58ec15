//! The pains and pitfalls of rotating Linkerd by its guide, each met by a step that waits, restarts or says so.

use std::collections::BTreeSet;

use jiff::ToSpan;
use l5d_rotate::finding::{CertificateRef, Fact, Instead, Opens, Severity, StepFact};
use l5d_rotate::mesh::{ChangeTime, Era, Held, Obstacle, Owner};
use l5d_rotate::pki::{Authority, BundleText, IssuerChain, PrivateKey};
use l5d_rotate::rotation::{
    Act, Phase, PlanError, PlannedStep, RestartAnnotation, Standing, StepState, Strategy, plan,
};

use crate::support::rotation::*;

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
fn pain_2_and_pitfall_2_the_old_anchor_stays_while_a_workload_certificate_of_the_old_issuer_can_be_left() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 3));
    let prune = planned(&cluster.plan(&record), step(Phase::Prune, 1));
    assert!(waits_for(&prune, step(Phase::Issuer, 3), 0, 5), "{:?}", prune.blocked);
    cluster.now += 25.hours();
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Prune, 1)).blocked, []);
    // Without the swap at all it is unsafe.
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 1));
    let prune = planned(&cluster.plan(&record), step(Phase::Prune, 1));
    step_fact(&prune, Severity::Error, "anchors-refuse-issuer");
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
    assert!(waits_for(&swap, step(Phase::Bundle, 2), 0, 5), "{:?}", swap.blocked);
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
fn anchor_that_expires_before_its_issuer(not_after: &str) -> (Authority, IssuerChain) {
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
    let expired = "2026-06-02T00:00:00Z";
    let (old, old_issuer) = anchor_that_expires_before_its_issuer(expired);
    let new = mint_root("root.linkerd.cluster.local");
    let new_issuer = mint_chain(&new);
    let pki = Pki { old, new, old_issuer, new_issuer };
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let record = pki.record(&cluster.mesh, Strategy::Staged);
    let at = |cluster: &Cluster, step| planned(&cluster.plan(&record), step);
    let forced = |planned: &PlannedStep| {
        let fact = step_fact(planned, Severity::Error, "present-issuer-expired");
        let StepFact::PresentIssuerExpired { forced, issuer } = fact else { panic!() };
        assert_eq!(issuer, CertificateRef::from(&pki.old_issuer.issuer));
        forced
    };
    cluster.now = time(expired);
    for number in [2, 3] {
        assert_eq!(codes(&at(&cluster, step(Phase::Bundle, number)), Severity::Error), [""; 0]);
    }
    let swap = at(&cluster, step(Phase::Issuer, 1));
    assert!(!codes(&swap, Severity::Error).contains(&"present-issuer-expired"));
    cluster.now += 1.hour();
    for number in [2, 3] {
        let restart = at(&cluster, step(Phase::Bundle, number));
        let expected = ["restart-stops-identity", "present-issuer-expired"];
        assert_eq!(codes(&restart, Severity::Error), expected);
        assert_eq!(forced(&restart), [step(Phase::Bundle, 1), step(Phase::Issuer, 1)]);
    }
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)));
    assert_eq!(forced(&at(&cluster, step(Phase::Issuer, 1))), [step(Phase::Issuer, 1)]);
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
fn pain_10_after_an_identity_controller_moved_old_workload_certificates_expire_or_proxies_restart_once_more()
{
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 1));
    assert_eq!(cluster.plan(&record).standing, Standing::At(step(Phase::Prune, 1)));
    cluster.now += 3.hours();
    cluster.restart(cluster.id("linkerd", "linkerd-identity"));
    let moved = cluster.now;
    let plan = cluster.plan(&record);
    assert_eq!(plan.standing, Standing::At(step(Phase::Issuer, 3)));
    let presenting = blocker(&planned(&plan, step(Phase::Prune, 1)), Severity::Wait, "certificates-refused");
    assert!(matches!(presenting.opens[..], [Opens::At(_)]), "{presenting:?}");
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
        let prune = planned(&cluster.plan(&record), step(Phase::Prune, 1));
        let fact = step_fact(&prune, Severity::Wait, "certificates-refused");
        let StepFact::CertificatesRefused { proxies, certain, .. } = fact else { panic!() };
        assert_eq!((proxies.count, certain), (1, false));
        assert_eq!(proxies.sample, [format!("{namespace}/{name}-0")]);
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
                    let Fact::Step(StepFact::StartedTooEarly { containers, seconds, .. }) = why.fact else {
                        panic!("{why:?}")
                    };
                    assert_eq!((containers, seconds), (vec!["linkerd-identity-0 (identity)".into()], 120));
                    assert_ne!(planned(&plan, step(phase, 3)).blocked, []);
                }
                (false, found) => panic!("{seconds} s: {found:?}"),
            }
        }
        cluster.mesh = kept;
    }
}

#[test]
fn an_injector_that_starts_within_the_kubelets_lag_is_known_to_have_read_the_bundle_after_the_lag() {
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
fn pain_12_an_argo_rollout_is_restarted_by_its_template_and_by_restart_at_where_that_stands_elsewhere() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.add("Rollout", "apps", "canary", 2, &[Obstacle::ArgoRollout, Obstacle::Promotion]);
    cluster.add("Rollout", "apps", "plain", 2, &[Obstacle::ArgoRollout]);
    cluster.add("Rollout", "apps", "reference", 2, &[Obstacle::ArgoRollout]);
    cluster.mesh.workloads.iter_mut().find(|one| one.object.name == "reference").unwrap().template = None;
    for phase in PHASES {
        let data_plane = planned(&cluster.plan(&record), step(phase, 3));
        let restarts = restarted(&cluster.mesh, &data_plane);
        let is_restarted = |name: &str| restarts.contains(&name.to_owned());
        assert!(is_restarted("canary") && is_restarted("plain") && !is_restarted("reference"));
        let manual: Vec<_> =
            data_plane.manual.iter().map(|one| (one.object.name.as_str(), one.acts.as_slice())).collect();
        assert_eq!(manual, [("canary", &[Act::Promote][..]), ("reference", &[Act::RestartRollout])]);
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
    let fact = step_fact(&swap, Severity::Error, "proxies-not-ready");
    let StepFact::ProxiesNotReady { proxies, .. } = fact else { panic!() };
    assert_eq!((proxies.count, proxies.sample), (1, vec!["apps/import-0".into()]));
}

#[test]
fn pitfall_1_the_issuer_is_unsafe_while_a_running_proxy_or_the_bundle_does_not_accept_it() {
    let (_, cluster, record) = fixture(Era::V2_12);
    let swap = planned(&cluster.plan(&record), step(Phase::Issuer, 1));
    let fact = step_fact(&swap, Severity::Error, "proxies-not-ready");
    let StepFact::ProxiesNotReady { proxies, .. } = fact else { panic!() };
    assert_eq!((proxies.count, proxies.sample[0].as_str()), (3, "emojivoto/web-0"));
    step_fact(&swap, Severity::Error, "bundle-refuses-issuer");
    assert_eq!(swap.blocked[0].severity, Severity::Error, "the gravest comes first");
}

#[test]
fn pitfall_4_no_restart_while_the_published_bundle_does_not_accept_the_issuer_in_the_secret() {
    let (pki, mut cluster, record) = fixture(Era::V2_12);
    cluster.issuer().chain = Ok(pki.new_issuer.clone());
    let control_plane = planned(&cluster.plan(&record), step(Phase::Bundle, 2));
    step_fact(&control_plane, Severity::Error, "restart-stops-identity");
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
    step_fact(&planned(&plan, step(Phase::Issuer, 1)), Severity::Error, "proxies-not-ready");
}

#[test]
fn pitfall_13_a_patch_that_the_next_upgrade_reverts_is_told_for_the_bundle_and_for_its_copy() {
    let (_, mut cluster, record) = fixture(Era::V2_12);
    cluster.mesh.control_plane.installer = Some(Owner::LinkerdCli);
    let managed = |cluster: &Cluster| -> Vec<_> {
        let notes = notes(&planned(&cluster.plan(&record), step(Phase::Bundle, 1)), "managed-object");
        let told = notes.into_iter().map(|note| match note {
            StepFact::ManagedObject {
                object,
                instead: Instead::LinkerdUpgrade { from_overrides, .. },
                ..
            } => (object.name, from_overrides),
            other => panic!("{other:?}"),
        });
        told.collect()
    };
    let (roots, config) = ("linkerd-identity-trust-roots".to_owned(), "linkerd-config".to_owned());
    assert_eq!(managed(&cluster), [(roots.clone(), true), (config, true)]);
    cluster.mesh.control_plane.external_ca = true;
    assert_eq!(managed(&cluster), [(roots, true)], "with externalCA there is no copy in linkerd-config");
}
