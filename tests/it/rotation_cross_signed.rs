//! Cross-signed rotations: the new issuer is accepted by whoever holds only the old anchor, and nobody restarts for it.

use jiff::ToSpan;
use l5d_rotate::document::{ObjectRef, Origin};
use l5d_rotate::finding::{Fact, Finding, IssuerRole, Severity, StepFact};
use l5d_rotate::mesh::{Era, Manifest, Obstacle, Owner};
use l5d_rotate::pki::{
    AnchorRequest, Authority, Bundle, IssuerChain, IssuerRequest, Rules, accepts, cross_sign, mint_anchor,
    mint_issuer,
};
use l5d_rotate::rotation::{
    Act, Change, CrossError, Direction, Phase, PlannedStep, Record, RestartAnnotation, Restarts, Standing,
    Step, StepState, Strategy, anchor_of_key, plan,
};

use crate::support::rotation::*;

fn cross_signed(era: Era) -> (Pki, Cluster, Record) {
    let pki = Pki::mint();
    let cluster = Cluster::new(&pki, era);
    let record = pki.record(&cluster.mesh, Strategy::CrossSigned);
    (pki, cluster, record)
}

fn begin(pki: &Pki, old: &Authority, cluster: &Cluster) -> Result<Record, CrossError> {
    let cross = cross_sign(&pki.new.certificate, old, time("2026-05-31T00:00:00Z")).unwrap();
    Record::cross_signed(
        &cluster.mesh,
        time(STARTED),
        pki.new.certificate.clone(),
        pki.new_issuer.clone(),
        cross,
    )
}

fn secret_of(cluster: &mut Cluster, owner: Owner) {
    let object = ObjectRef::new("v1", "Secret", "linkerd", "linkerd-identity-issuer");
    cluster.mesh.manifests.push(Manifest {
        object,
        origin: Origin::default(),
        owners: vec![owner],
        tree: serde_json::Value::Null,
    });
}

#[test]
fn the_steps_are_issuer_then_prune_then_remove_cross_and_no_data_plane_is_restarted() {
    let (_, mut cluster, record) = cross_signed(Era::V2_12);
    let names: Vec<_> = record.steps().iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "issuer/1-issuer",
            "issuer/2-control-plane",
            "issuer/3-data-plane",
            "prune/1-trust",
            "prune/2-control-plane",
            "prune/3-data-plane",
            "remove-cross/1-issuer",
            "remove-cross/2-control-plane",
        ]
    );
    for step in record.steps() {
        let ready = planned(&cluster.plan(&record), step);
        assert_eq!(ready.blocked, [], "{step}");
        assert!(!ready.changes.iter().any(|change| matches!(change, Change::Restart { .. })), "{step}");
        cluster.merge(&ready);
        if step == self::step(Phase::Issuer, 3) {
            cluster.now += 25.hours();
        }
        if step == self::step(Phase::Prune, 3) {
            cluster.deploy();
        }
        assert_eq!(state(&cluster.plan(&record), step), StepState::Done, "{step}");
    }
    assert_eq!(cluster.plan(&record).standing, Standing::Finished);
}

#[test]
fn every_rule_set_accepts_the_crossed_chain_with_either_anchor_and_the_bare_one_with_the_new_only() {
    let (pki, cluster, record) = cross_signed(Era::V2_12);
    let name = cluster.mesh.identity_name();
    let [old, new] = [&pki.old, &pki.new].map(|anchor| Bundle::of(&anchor.certificate));
    for rules in [Rules::Proxy, Rules::Controller] {
        let judge = |bundle: &Bundle, chain| accepts(bundle, chain, &name, time(STARTED), rules).is_ok();
        let chain = record.chain_with_cross();
        assert!(judge(&old, &chain) && judge(&new, &chain), "{rules:?}");
        assert!(!judge(&old, &record.issuer) && judge(&new, &record.issuer), "{rules:?}");
    }
}

#[test]
fn the_old_anchor_is_removed_only_when_no_workload_certificate_of_the_old_issuer_can_be_left() {
    let (_, mut cluster, record) = cross_signed(Era::V2_12);
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Issuer, 1)));
    cluster.merge(&planned(&cluster.plan(&record), step(Phase::Issuer, 2)));
    let prune = planned(&cluster.plan(&record), step(Phase::Prune, 1));
    let fact = step_fact(&prune, Severity::Wait, "step-order");
    assert!(matches!(fact, StepFact::StepOrder { before, .. } if before == step(Phase::Issuer, 3)));
    cluster.now += 25.hours();
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Prune, 1)).blocked, []);
}

#[test]
fn the_cross_certificate_stays_while_one_proxy_holds_only_the_old_anchor() {
    let (_, mut cluster, record) = cross_signed(Era::V2_12);
    cluster.add("Deployment", "apps", "rarely-deployed", 4, &[]);
    cluster.advance(&record, step(Phase::Prune, 3));
    cluster.now += 1.minute();
    let web = cluster.id("emojivoto", "web");
    cluster.restart(web);
    let plan = cluster.plan(&record);
    assert_eq!(state(&plan, step(Phase::Prune, 3)), StepState::Pending { done: 3, of: 7 });
    let remove_cross = planned(&plan, step(Phase::RemoveCross, 1));
    assert!(waits_for(&remove_cross, step(Phase::Prune, 3), 3, 7), "{:?}", remove_cross.blocked);
    let fact = step_fact(&remove_cross, Severity::Error, "proxies-not-ready");
    let StepFact::ProxiesNotReady { proxies, issuer, .. } = fact else { panic!() };
    assert_eq!((proxies.count, issuer.role), (4, IssuerRole::NewWithoutCross));
}

#[test]
fn a_restart_is_rendered_on_request_only() {
    let (_, mut cluster, record) = cross_signed(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 3));
    let of = |on_request| {
        let restarts = Restarts { annotation: RestartAnnotation::Content, on_request };
        let plan = plan(&record, &cluster.mesh, restarts, &cluster.confirmed, cluster.now).unwrap();
        restarted(&cluster.mesh, &planned(&plan, step(Phase::Prune, 3)))
    };
    assert_eq!(of(false), [""; 0]);
    assert_eq!(of(true), ["web"]);
}

#[test]
fn the_reader_is_told_by_when_all_must_have_restarted() {
    let (_, cluster, record) = cross_signed(Era::V2_12);
    let notes = notes(&planned(&cluster.plan(&record), step(Phase::Prune, 3)), "bundle-loaded-by-time");
    let [StepFact::BundleLoadedByTime { latest, is_late, .. }] = notes[..] else { panic!("{notes:?}") };
    // The old anchor, and so the cross certificate, expires at the start of 2036: a certificate's lifetime (24 h and 20 s) before
    // that.
    assert_eq!((latest, is_late), (Some(time("2035-12-30T23:59:40Z")), false));
}

#[test]
fn a_crossed_chain_that_lost_its_cross_certificate_is_put_in_place_again() {
    let (_, mut cluster, record) = cross_signed(Era::V2_12);
    cluster.advance(&record, step(Phase::Issuer, 2));
    let l5d_rotate::mesh::Known::Is(issuer) = &mut cluster.mesh.issuer else { panic!() };
    issuer.chain.as_mut().unwrap().intermediates.clear();
    let plan = cluster.plan(&record);
    assert_eq!(plan.standing, Standing::At(step(Phase::Issuer, 1)));
    let restart = planned(&plan, step(Phase::Issuer, 2));
    step_fact(&restart, Severity::Error, "restart-stops-identity");
}

#[test]
fn an_expired_cross_certificate_stops_the_rotation_before_remove_cross() {
    let (_, mut cluster, record) = cross_signed(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 3));
    cluster.now = time("2036-01-02T00:00:00Z");
    let plan = cluster.plan(&record);
    step_fact(&planned(&plan, step(Phase::Prune, 3)), Severity::Error, "rotation-expired");
}

#[test]
fn remove_cross_comes_first_only_where_nobody_has_a_valid_certificate() {
    let pki = expiring("2026-06-10T00:00:00Z");
    let remove_cross = |swapped: bool| {
        let mut cluster = Cluster::new(&pki, Era::V2_12);
        let record = begin(&pki, &pki.old, &cluster).unwrap();
        if swapped {
            cluster.advance(&record, step(Phase::Prune, 3));
        } else {
            cluster.bundle().text = text(&[&pki.old.certificate, &pki.new.certificate]);
        }
        cluster.now = time("2026-06-10T01:00:00Z");
        let plan = cluster.plan(&record);
        (plan.standing, planned(&plan, step(Phase::RemoveCross, 1)).blocked)
    };
    // Those that hold the old anchor alone lost theirs with the cross certificate.
    assert_eq!(remove_cross(true), (Standing::At(step(Phase::RemoveCross, 1)), vec![]));
    // Where the new issuer was never in place, they may have one of the old issuer.
    let (standing, blocked) = remove_cross(false);
    assert_ne!(standing, Standing::At(step(Phase::RemoveCross, 1)));
    assert!(blocked.iter().any(|one| one.code() == "proxies-not-ready"), "{blocked:?}");
}

#[test]
fn it_is_refused_where_the_chain_is_dropped_with_the_reason() {
    let pki = Pki::mint();
    let refusal = |owner: Option<Owner>, era| {
        let mut cluster = Cluster::new(&pki, era);
        owner.into_iter().for_each(|owner| secret_of(&mut cluster, owner));
        begin(&pki, &pki.old, &cluster).unwrap_err()
    };
    let cli = refusal(Some(Owner::LinkerdCli), Era::V2_12);
    assert!(cli.to_string().contains("drops the cross certificate"), "{cli}");
    assert!(cli.help().contains("--strategy staged"));
    let manager =
        refusal(Some(Owner::CertManager { certificate: "linkerd-identity-issuer".into() }), Era::V2_12);
    assert!(matches!(manager, CrossError::Automated { .. }), "{manager}");
    for era in [Era::V2_6, Era::V2_7] {
        assert!(matches!(refusal(None, era), CrossError::Era(_)));
    }
    let mut helm_release = Cluster::new(&pki, Era::V2_12);
    secret_of(&mut helm_release, helm());
    assert!(begin(&pki, &pki.old, &helm_release).is_ok(), "Helm keeps the chain");
}

#[test]
fn an_old_anchor_of_path_length_zero_is_refused_when_signing() {
    let pki = Pki::mint();
    let (not_before, not_after) = (time("2026-01-01T00:00:00Z"), time("2036-01-01T00:00:00Z"));
    let request = AnchorRequest { common_name: "root.linkerd.cluster.local".into(), not_before, not_after };
    let old = mint_anchor(&request).unwrap();
    let request = IssuerRequest { common_name: "ca".into(), dns_names: vec![], not_before, not_after };
    let short = mint_issuer(&request, &old).unwrap();
    let refused = cross_sign(&pki.new.certificate, &short, time(STARTED)).unwrap_err();
    assert!(refused.to_string().contains("has path length 0"), "{refused}");
}

#[test]
fn the_old_anchor_is_found_by_its_key() {
    let pki = Pki::mint();
    let cluster = Cluster::new(&pki, Era::V2_12);
    assert_eq!(anchor_of_key(&cluster.mesh, &pki.old.key).unwrap(), pki.old.certificate);
    let error = anchor_of_key(&cluster.mesh, &pki.new.key).unwrap_err();
    assert!(error.to_string().contains("the key is of none of the anchors in ConfigMap linkerd/"), "{error}");
}

#[test]
fn when_the_old_anchor_expires_before_the_first_step_the_remedy_is_another() {
    let (_, mut cluster, record) = cross_signed(Era::V2_12);
    cluster.now = time("2036-01-02T00:00:00Z");
    let restart = planned(&cluster.plan(&record), step(Phase::Issuer, 2));
    let fact = step_fact(&restart, Severity::Error, "rotation-expired");
    assert!(matches!(fact, StepFact::RotationExpired { direction: Direction::Forward, .. }));
    assert_eq!(forced(&restart), [], "this rotation has no step bundle/1-trust");
}

#[test]
fn it_is_refused_when_the_old_anchor_expires_before_it_could_finish() {
    let pki = Pki::mint();
    let cluster = Cluster::new(&pki, Era::V2_12);
    let begun = |at: &str| {
        let (anchor, issuer) = (pki.new.certificate.clone(), pki.new_issuer.clone());
        let cross = cross_sign(&anchor, &pki.old, time("2026-05-31T00:00:00Z")).unwrap();
        Record::cross_signed(&cluster.mesh, time(at), anchor, issuer, cross)
    };
    // Three days and a minute before the old anchor expires, and a minute later.
    let late = begun("2035-12-28T23:59:30Z").unwrap_err();
    assert!(late.to_string().contains("takes 72h1m0s at least"), "{late}");
    assert!(late.help().contains("--strategy staged"));
    assert!(!matches!(begun("2035-12-28T23:58:59Z"), Err(CrossError::TooLate { .. })));
}

#[test]
fn near_its_expiry_the_cross_certificate_does_not_wait_for_ordinary_deploys() {
    let (_, mut cluster, record) = cross_signed(Era::V2_12);
    cluster.advance(&record, step(Phase::Prune, 3));
    cluster.now = time("2035-12-31T12:00:00Z");
    let notes = notes(&planned(&cluster.plan(&record), step(Phase::Prune, 3)), "bundle-loaded-by-time");
    assert!(matches!(notes[..], [StepFact::BundleLoadedByTime { is_late: true, .. }]), "{notes:?}");
}

/// The steps that are named as those that lead on by force.
fn forced(planned: &PlannedStep) -> Vec<Step> {
    let forced = |finding: &Finding| match &finding.fact {
        Fact::Step(StepFact::PresentIssuerExpired { forced, .. }) => forced.clone(),
        _ => Vec::new(),
    };
    planned.blocked.iter().flat_map(forced).collect()
}

/// An old anchor, and its issuer, that expire then.
fn expiring(end: &str) -> Pki {
    let (not_before, not_after) = (time("2026-01-01T00:00:00Z"), time(end));
    let request = AnchorRequest { common_name: "root.linkerd.cluster.local".into(), not_before, not_after };
    let old = mint_anchor(&request).unwrap();
    let request = IssuerRequest { common_name: "old".into(), dns_names: vec![], not_before, not_after };
    let old_issuer =
        IssuerChain { issuer: mint_issuer(&request, &old).unwrap().certificate, intermediates: vec![] };
    Pki { old, old_issuer, ..Pki::mint() }
}

#[test]
fn a_cross_certificate_is_not_put_in_place_when_it_is_about_to_expire() {
    let pki = expiring("2026-06-10T00:00:00Z");
    let mut cluster = Cluster::new(&pki, Era::V2_12);
    let record = begin(&pki, &pki.old, &cluster).unwrap();
    cluster.now = time("2026-06-07T23:00:00Z");
    assert_eq!(planned(&cluster.plan(&record), step(Phase::Issuer, 1)).blocked, []);
    cluster.now = time("2026-06-08T00:00:00Z");
    let swap = planned(&cluster.plan(&record), step(Phase::Issuer, 1));
    let fact = step_fact(&swap, Severity::Error, "cross-expires-soon");
    let StepFact::CrossExpiresSoon { certificate, .. } = fact else { panic!() };
    assert_eq!(certificate.not_after, time("2026-06-10T00:00:00Z"));
}

#[test]
fn pods_that_no_deploy_replaces_are_named_with_what_is_done_for_them() {
    use Obstacle::*;
    let named = |cluster: &Cluster, record: &Record| -> Vec<_> {
        let manual = planned(&cluster.plan(record), step(Phase::Prune, 3)).manual;
        manual.into_iter().map(|manual| (manual.object.name, manual.obstacles, manual.acts)).collect()
    };
    let table = [
        ("Deployment", vec![ManualInjection], vec![ManualInjection], vec![Act::InjectAgain]),
        ("StatefulSet", vec![OnDelete], vec![OnDelete], vec![Act::DeletePods]),
        ("DaemonSet", vec![OnDelete], vec![OnDelete], vec![Act::DeletePods]),
        ("StatefulSet", vec![Partition(2)], vec![Partition(2)], vec![Act::DeletePods]),
        ("Deployment", vec![Paused], vec![Paused], vec![Act::DeletePods]),
        ("ReplicaSet", vec![BareReplicas], vec![BareReplicas], vec![Act::DeletePods]),
        ("Pod", vec![BarePod], vec![BarePod], vec![Act::RecreatePod]),
        (
            "StatefulSet",
            vec![OnDelete, ManualInjection],
            vec![OnDelete, ManualInjection],
            vec![Act::DeletePods, Act::InjectAgain],
        ),
        // A deploy replaces them, or they end.
        ("Deployment", vec![], vec![], vec![]),
        ("Deployment", vec![ZeroReplicas], vec![], vec![]),
        ("Job", vec![RunningJob], vec![], vec![]),
        ("CronJob", vec![NextRun], vec![], vec![]),
        ("Rollout", vec![Promotion], vec![], vec![]),
        ("Strimzi", vec![UnknownOwner], vec![], vec![]),
    ];
    for (kind, obstacles, told, acts) in table {
        let (_, mut cluster, record) = cross_signed(Era::V2_12);
        let id = cluster.add(kind, "apps", "it", 2, &obstacles);
        cluster.advance(&record, step(Phase::Prune, 3));
        let left = if acts.is_empty() { vec![] } else { vec![("it".to_owned(), told, acts)] };
        assert_eq!(named(&cluster, &record), left, "{kind} {obstacles:?}");
        let planned = planned(&cluster.plan(&record), step(Phase::Prune, 3));
        assert!(planned.changes.is_empty(), "{kind} {obstacles:?}");
        cluster.restart(id);
        assert_eq!(named(&cluster, &record), [], "{kind} {obstacles:?}");
    }
}

#[test]
fn where_the_cross_certificate_has_expired_no_remedy_is_named_that_the_rotation_does_not_have() {
    let pki = expiring("2026-06-10T00:00:00Z");
    for taken in [0, 2] {
        let mut cluster = Cluster::new(&pki, Era::V2_12);
        let record = begin(&pki, &pki.old, &cluster).unwrap();
        record
            .steps()
            .into_iter()
            .take(taken)
            .for_each(|step| cluster.merge(&planned(&cluster.plan(&record), step)));
        cluster.now = time("2026-06-10T01:00:00Z");
        let plan = cluster.plan(&record);
        let found: Vec<_> = plan.steps.iter().map(|step| codes(step, Severity::Error)).collect();
        assert!(found.iter().any(|codes| codes.contains(&"rotation-expired")), "{found:?}");
        assert!(plan.steps.iter().all(|step| forced(step).is_empty()), "{found:?}");
    }
}
