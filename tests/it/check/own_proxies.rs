//! Ours about running proxies, restarts, and what lies outside the cluster.

use jiff::{Timestamp, ToSpan as _};
use l5d_rotate::document::{ObjectRef, Origin};
use l5d_rotate::finding::{
    CheckFact, Container, InputFact, Opens, Pods, RefusingProxies, Severity, UnreadableBundle, WorkloadPods,
};
use l5d_rotate::mesh::{
    BundleId, ChangeTime, Doubt, Era, Held, Injection, Made, Manifest, Mesh, Plane, Unmeshed,
};
use l5d_rotate::pki::pem::{Defect, DefectKind};
use l5d_rotate::pki::{BundleText, Fingerprint, Rules};
use serde_json::json;

use crate::support::checked::*;

fn pods(namespace: &str, name: &str, count: u64) -> WorkloadPods {
    WorkloadPods { workload: deployment(namespace, name), count, sample: vec![] }
}

fn container(pod: &str, container: &str, started: Option<Timestamp>, doubt: Option<Doubt>) -> Container {
    Container { pod: format!("linkerd/{pod}"), container: container.into(), started, doubt }
}

fn identity(started: Timestamp, doubt: impl Into<Option<Doubt>>) -> Container {
    container("linkerd-identity-0", "identity", Some(started), doubt.into())
}

#[test]
fn a_proxy_that_refuses_the_issuer_is_an_error_by_bundle_and_workload() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&new));
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), PASSES);
    proxies(&mut mesh, "voting", text(&[&old]), &["voting-1"], 3);
    proxies(&mut mesh, "emoji", text(&[&old]), &["emoji-1"], 1);
    mesh.proxies[3].held = mesh.proxies[2].held;
    let bundle = text(&[&old]).as_read_by(Rules::Proxy).unwrap().fingerprint();
    let workloads = vec![pods("emojivoto", "emoji", 1), pods("emojivoto", "voting", 3)];
    let refusal = no_anchor("new");
    assert_eq!(
        outcome(&mesh, "proxies-accept-issuer"),
        error(CheckFact::ProxiesRefuseIssuer {
            refusals: vec![RefusingProxies { bundle, refusal, workloads }]
        })
    );
}

/// The same refusal is said once, with all whom it concerns.
#[test]
fn proxies_by_reference_and_with_a_literal_bundle_of_the_same_anchors_are_one_class() {
    let (old, new) = (root("old"), root("new"));
    let mesh = mesh(&[&old], &good_issuer(&new));
    let (_, fact) = outcome(&mesh, "proxies-accept-issuer").unwrap();
    let l5d_rotate::finding::Fact::Check(CheckFact::ProxiesRefuseIssuer { refusals }) = fact else {
        panic!()
    };
    let workloads: Vec<_> = refusals.into_iter().map(|refusing| refusing.workloads).collect();
    assert_eq!(workloads, [[pods("emojivoto", "web", 2), pods("linkerd", "linkerd-identity", 1)]]);
}

#[test]
fn proxies_by_reference_are_judged_by_the_published_bundle() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old], &good_issuer(&new));
    mesh.proxies.remove(0);
    let bundle = text(&[&old]).as_read_by(Rules::Proxy).unwrap().fingerprint();
    let workloads = vec![pods("linkerd", "linkerd-identity", 1)];
    let refusals = vec![RefusingProxies { bundle, refusal: no_anchor("new"), workloads }];
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), error(CheckFact::ProxiesRefuseIssuer { refusals }));
}

#[test]
fn a_proxy_with_an_unreadable_bundle_is_an_error() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    proxies(&mut mesh, "voting", BundleText::read(""), &["voting-1"], 1);
    assert_eq!(
        outcome(&mesh, "proxies-hold-readable-bundles"),
        error(CheckFact::ProxyBundleUnreadable {
            bundles: vec![UnreadableBundle {
                defect: Defect { line: 1, kind: DefectKind::Empty },
                workloads: vec![pods("emojivoto", "voting", 1)],
            }]
        })
    );
}

#[test]
fn a_proxy_without_trust_anchors_is_a_warning() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(outcome(&mesh, "proxies-hold-anchors"), PASSES);
    let id = workload(&mut mesh, "emojivoto", "voting", Plane::Data, Injection::Webhook);
    group(&mut mesh, id, Held::Nothing, &["voting-1"], 1);
    assert_eq!(
        outcome(&mesh, "proxies-hold-anchors"),
        warning(CheckFact::ProxiesWithoutAnchors {
            pods: Pods {
                count: 1,
                sample: vec!["emojivoto/voting-1".into()],
                workloads: vec![deployment("emojivoto", "voting")],
            }
        })
    );
}

#[test]
fn pods_without_the_proxy_that_they_should_have_are_a_warning() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(check(&mesh, "pods-are-meshed"), None);
    let workload = workload(&mut mesh, "emojivoto", "voting", Plane::Data, Injection::Webhook);
    let sample: Vec<_> = (1..=5).map(|at| format!("voting-{at}")).collect();
    mesh.unmeshed.push(Unmeshed { workload, count: 6, sample: sample.clone() });
    assert_eq!(
        outcome(&mesh, "pods-are-meshed"),
        warning(CheckFact::PodsNotMeshed {
            workloads: vec![WorkloadPods { sample, ..pods("emojivoto", "voting", 6) }]
        })
    );
}

#[test]
fn pitfall_3_what_started_before_the_bundle_changed_must_restart() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let (started, changed) = (at("2026-02-01T00:10:00Z"), at("2026-02-01T00:10:01Z"));
    published(&mut mesh).changed = ChangeTime::At(changed);
    mesh.control_plane.replicas[1].started = Some(at("2026-02-01T00:10:02Z"));
    assert_eq!(
        outcome(&mesh, "control-plane-restarted"),
        warning(CheckFact::ControlPlaneNotRestarted {
            object: bundle_ref(),
            changed,
            containers: vec![identity(started, None)],
        })
    );
    assert_eq!(
        finding(&mesh, "control-plane-restarted").opens,
        [Opens::Restart(vec![deployment("linkerd", "linkerd-identity")])]
    );
    mesh.control_plane.era = Era::V2_10;
    assert_eq!(check(&mesh, "control-plane-restarted"), None);
}

/// Kubernetes tells starts and changes to the second: which of the two came first is not known.
#[test]
fn a_start_in_the_second_of_the_change_proves_nothing() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let changed = at("2026-02-01T00:10:00Z");
    published(&mut mesh).changed = ChangeTime::At(changed);
    secret(&mut mesh).changed = ChangeTime::At(changed);
    mesh.control_plane.replicas[1].started = Some(at("2026-02-01T00:10:01Z"));
    let unproven = |object| {
        let containers = vec![identity(changed, Doubt::SameSecond)];
        unknown(CheckFact::RestartUnproven { object, changed, containers })
    };
    assert_eq!(outcome(&mesh, "control-plane-restarted"), unproven(bundle_ref()));
    assert_eq!(outcome(&mesh, "identity-loaded-issuer"), unproven(secret_ref()));
}

#[test]
fn the_injector_counts_only_until_the_kubelet_has_renewed_its_mount() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    mesh.control_plane.replicas.retain(|replica| replica.container == "proxy-injector");
    published(&mut mesh).changed = ChangeTime::At(at("2026-05-31T23:57:59Z"));
    assert_eq!(
        outcome(&mesh, "control-plane-restarted"),
        unknown(InputFact::ControlPlaneNotSeen { namespace: "linkerd".into() })
    );
    let changed = at("2026-05-31T23:58:00Z");
    published(&mut mesh).changed = ChangeTime::At(changed);
    let started = Some(at("2026-02-01T00:10:00Z"));
    assert_eq!(
        outcome(&mesh, "control-plane-restarted"),
        warning(CheckFact::ControlPlaneNotRestarted {
            object: bundle_ref(),
            changed,
            containers: vec![container("linkerd-proxy-injector-0", "proxy-injector", started, None)],
        })
    );
}

/// What reads a mounted volume at its start may have found there what a lagging kubelet had not replaced yet; a proxy's
/// environment is made of the ConfigMap itself.
#[test]
fn a_start_within_the_kubelets_lag_proves_nothing_of_what_is_mounted() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let changed = at("2026-02-01T00:10:00Z");
    published(&mut mesh).changed = ChangeTime::At(changed);
    secret(&mut mesh).changed = ChangeTime::At(changed);
    let started = |mesh: &mut Mesh, container: &str, seconds: i64| {
        let replicas = &mut mesh.control_plane.replicas;
        let replica = replicas.iter_mut().find(|replica| replica.container == container).unwrap();
        replica.started = Some(changed + seconds.seconds());
    };
    started(&mut mesh, "linkerd-proxy", 1);
    started(&mut mesh, "identity", 120);
    let unproven = |object, started| {
        let containers = vec![identity(at(started), Doubt::KubeletLag)];
        unknown(CheckFact::RestartUnproven { object, changed, containers })
    };
    let late = "2026-02-01T00:12:00Z";
    assert_eq!(outcome(&mesh, "control-plane-restarted"), unproven(bundle_ref(), late));
    assert_eq!(outcome(&mesh, "identity-loaded-issuer"), unproven(secret_ref(), late));
    started(&mut mesh, "identity", 1);
    assert_eq!(outcome(&mesh, "identity-loaded-issuer"), unproven(secret_ref(), "2026-02-01T00:10:01Z"));
    started(&mut mesh, "identity", 121);
    assert_eq!(outcome(&mesh, "control-plane-restarted"), PASSES);
    assert_eq!(outcome(&mesh, "identity-loaded-issuer"), PASSES);
}

/// The lag is that of pods that were there before the change; a new one is given what its kubelet has heard of.
#[test]
fn a_pod_that_is_created_after_the_change_has_read_it_within_seconds() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let changed = at("2026-02-01T00:10:00Z");
    published(&mut mesh).changed = ChangeTime::At(changed);
    secret(&mut mesh).changed = ChangeTime::At(changed);
    let started = changed + 15.seconds();
    let mark = Fingerprint::digest(published(&mut mesh).text.text().as_bytes());
    let mut created = |seconds: i64, trust_root| {
        for replica in &mut mesh.control_plane.replicas {
            replica.started = Some(started);
            replica.made = Made { created: Some(changed + seconds.seconds()), trust_root };
        }
        ["control-plane-restarted", "identity-loaded-issuer"].map(|code| outcome(&mesh, code))
    };
    let unproven = |object| {
        let containers = vec![identity(started, Doubt::JustCreated)];
        unknown(CheckFact::RestartUnproven { object, changed, containers })
    };
    assert_eq!(created(10, None), [unproven(bundle_ref()), unproven(secret_ref())]);
    assert_eq!(created(11, None), [PASSES, PASSES]);
    // The mark is that of the bundle, and tells nothing of the issuer.
    assert_eq!(created(0, Some(mark)), [PASSES, unproven(secret_ref())]);
}

/// `linkerd install` and Helm make ConfigMaps and Secrets just before the Deployments that mount them: no volume can show what was
/// there before, as there was nothing.
#[test]
fn what_was_installed_with_the_control_plane_and_never_changed_is_what_it_read() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    let installed = at("2026-02-01T00:09:50Z");
    published(&mut mesh).changed = ChangeTime::At(installed);
    secret(&mut mesh).changed = ChangeTime::At(installed);
    let checks =
        |mesh: &Mesh| ["control-plane-restarted", "identity-loaded-issuer"].map(|code| outcome(mesh, code));
    let unproven =
        |mesh: &Mesh| checks(mesh).iter().all(|found| matches!(found, Some((Severity::Unknown, _))));
    assert!(unproven(&mesh), "nothing tells how old the objects are");
    created(&mut mesh, "ConfigMap", "linkerd-identity-trust-roots", "2026-02-01T00:09:50Z");
    created(&mut mesh, "Secret", "linkerd-identity-issuer", "2026-02-01T00:09:50Z");
    created(&mut mesh, "Deployment", "linkerd-identity", "2026-02-01T00:09:51Z");
    assert_eq!(checks(&mesh), [PASSES, PASSES]);
    created(&mut mesh, "Deployment", "linkerd-identity", "2026-02-01T00:09:49Z");
    assert!(unproven(&mesh), "the objects have replaced older ones");
    created(&mut mesh, "Deployment", "linkerd-identity", "2026-02-01T00:09:51Z");
    secret(&mut mesh).changed = ChangeTime::At(at("2026-02-01T00:09:51Z"));
    assert_eq!(checks(&mesh), [PASSES, PASSES], "the next second may be of the same request");
    published(&mut mesh).changed = ChangeTime::At(at("2026-02-01T00:09:52Z"));
    secret(&mut mesh).changed = ChangeTime::At(at("2026-02-01T00:09:52Z"));
    assert!(unproven(&mesh), "the objects have changed since");
}

/// Sets when the API server took in an object of the control plane.
fn created(mesh: &mut Mesh, kind: &str, name: &str, at: &str) {
    mesh.manifests.retain(|manifest| manifest.object.name != name);
    mesh.manifests.push(Manifest {
        object: ObjectRef::new("v1", kind, "linkerd", name),
        origin: Origin::default(),
        owners: vec![],
        tree: json!({"metadata": {"creationTimestamp": at}}),
    });
}

#[test]
fn an_injector_that_started_within_the_lag_is_not_known_to_hand_out_the_new_bundle_yet() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    mesh.control_plane.replicas.retain(|replica| replica.container == "proxy-injector");
    published(&mut mesh).changed = ChangeTime::At(at("2026-05-31T23:59:00Z"));
    let started = Some(at("2026-05-31T23:59:30Z"));
    mesh.control_plane.replicas[0].started = started;
    let doubt = Some(Doubt::KubeletLag);
    assert_eq!(
        outcome(&mesh, "control-plane-restarted"),
        unknown(CheckFact::RestartUnproven {
            object: bundle_ref(),
            changed: at("2026-05-31T23:59:00Z"),
            containers: vec![container("linkerd-proxy-injector-0", "proxy-injector", started, doubt)],
        })
    );
}

#[test]
fn without_change_times_nothing_is_concluded_and_the_way_to_them_is_told() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    for changed in [ChangeTime::Unknown, ChangeTime::Since(at("2026-01-01"))] {
        published(&mut mesh).changed = changed;
        assert_eq!(
            outcome(&mesh, "control-plane-restarted"),
            unknown(InputFact::ChangeTimeUnknown { object: bundle_ref() })
        );
    }
    published(&mut mesh).changed = ChangeTime::At(at("2026-02-01"));
    mesh.control_plane.replicas[0].started = None;
    let doubt = Some(Doubt::StartUnknown);
    assert_eq!(
        outcome(&mesh, "control-plane-restarted"),
        unknown(CheckFact::RestartUnproven {
            object: bundle_ref(),
            changed: at("2026-02-01"),
            containers: vec![container("linkerd-identity-0", "identity", None, doubt)],
        })
    );
}

#[test]
fn pain_4_the_secret_does_not_prove_what_a_running_identity_controller_serves() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(outcome(&mesh, "identity-loaded-issuer"), PASSES);
    let (object, changed) = (secret_ref(), at("2026-03-01"));
    secret(&mut mesh).changed = ChangeTime::At(changed);
    let containers = vec![identity(at("2026-02-01T00:10:00Z"), None)];
    assert_eq!(
        outcome(&mesh, "identity-loaded-issuer"),
        unknown(CheckFact::IssuerReloadUnproven {
            object: object.clone(),
            changed,
            containers: containers.clone()
        })
    );
    mesh.control_plane.era = Era::V2_6;
    assert_eq!(
        outcome(&mesh, "identity-loaded-issuer"),
        warning(CheckFact::IssuerNotLoaded { object, changed, containers })
    );
}

#[test]
fn manual_injection_is_told_when_it_lags_or_when_the_anchor_is_about_to_change() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old], &good_issuer(&old));
    assert_eq!(check(&mesh, "manual-injection"), None);
    mesh.bundles.push(text(&[&old]));
    let held = BundleId(mesh.bundles.len() - 1);
    let id = workload(&mut mesh, "legacy", "app", Plane::Data, Injection::Manual);
    group(&mut mesh, id, Held::Literal(held), &["app-1"], 1);
    assert_eq!(outcome(&mesh, "manual-injection"), PASSES);
    let said = warning(CheckFact::ManualInjection { workloads: vec![pods("legacy", "app", 1)] });
    published(&mut mesh).text = text(&[&old, &new]);
    assert_eq!(outcome(&mesh, "manual-injection"), said);
    mesh.bundles[held.0] = text(&[&old, &new]);
    assert_eq!(outcome(&mesh, "manual-injection"), said);
    published(&mut mesh).text = text(&[&old]);
    assert_eq!(outcome(&mesh, "manual-injection"), said);
}

#[test]
fn what_cannot_be_seen_is_told_only_when_the_anchor_is_about_to_change() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old], &good_issuer(&old));
    mesh.external_workloads = vec!["vms/db-1".into()];
    mesh.links = vec!["linkerd-multicluster/west".into()];
    assert_eq!(check(&mesh, "external-workloads"), None);
    assert_eq!(check(&mesh, "linked-clusters"), None);
    published(&mut mesh).text = text(&[&old, &new]);
    assert_eq!(
        outcome(&mesh, "external-workloads"),
        warning(InputFact::ExternalWorkloadsUnseen { names: vec!["vms/db-1".into()] })
    );
    assert_eq!(
        outcome(&mesh, "linked-clusters"),
        warning(InputFact::LinkedClustersUnseen { links: vec!["linkerd-multicluster/west".into()] })
    );
    let expiring = anchor("expiring", "2025-01-01", "2026-07-01");
    let mut rotation_ahead = crate::support::checked::mesh(&[&expiring], &expiring);
    rotation_ahead.external_workloads = vec!["vms/db-1".into()];
    assert!(not_passed(&rotation_ahead).contains(&"external-workloads"));
}
