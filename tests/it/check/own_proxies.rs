//! Ours about running proxies, restarts, and what lies outside the cluster.

use jiff::ToSpan as _;
use l5d_rotate::check::Outcome;
use l5d_rotate::document::{ObjectRef, Origin};
use l5d_rotate::mesh::{BundleId, ChangeTime, Era, Held, Injection, Manifest, Mesh, Plane, Unmeshed};
use l5d_rotate::pki::BundleText;
use serde_json::json;

use crate::check::builder::*;

#[test]
fn a_proxy_that_refuses_the_issuer_is_an_error_by_bundle_and_workload() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old, &new], &good_issuer(&new));
    assert_eq!(outcome(&mesh, "proxies-accept-issuer"), Outcome::Success);
    proxies(&mut mesh, "voting", text(&[&old]), &["voting-1"], 3);
    proxies(&mut mesh, "emoji", text(&[&old]), &["emoji-1"], 1);
    mesh.proxies[3].held = mesh.proxies[2].held;
    let fingerprint = text(&[&old]).as_read_by(l5d_rotate::pki::Rules::Proxy).unwrap().fingerprint().short();
    assert_eq!(
        outcome(&mesh, "proxies-accept-issuer"),
        error(format!(
            "leaves of the issuer are refused by these proxies, and they by everybody else; put back the \
             issuer that they trust, or publish its anchor beside the others and restart them:\n\t* bundle \
             {fingerprint}: `identity.linkerd.cluster.local` was signed by no anchor of the bundle: none is \
             named `new`\n\t    Deployment emojivoto/emoji: 1 proxy\n\t    Deployment emojivoto/voting: 3 \
             proxies"
        ))
    );
}

#[test]
fn proxies_by_reference_are_judged_by_the_published_bundle() {
    let (old, new) = (root("old"), root("new"));
    let mut mesh = mesh(&[&old], &good_issuer(&new));
    mesh.proxies.remove(0);
    let Outcome::Failed(_, said) = outcome(&mesh, "proxies-accept-issuer") else { panic!() };
    assert!(said.ends_with("\n\t    Deployment linkerd/linkerd-identity: 1 proxy"), "{said}");
}

#[test]
fn a_proxy_with_an_unreadable_bundle_is_an_error() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    proxies(&mut mesh, "voting", BundleText::read(""), &["voting-1"], 1);
    assert_eq!(
        outcome(&mesh, "proxies-hold-readable-bundles"),
        error(
            "a proxy does not start again with what stands in LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS; repair \
             the published bundle, or the template that holds it, and restart:\n\t* line 1: the text is \
             empty: proxies and the control plane would not start; put the trust anchors there\n\t    \
             Deployment emojivoto/voting: 1 proxy"
        )
    );
}

#[test]
fn a_proxy_without_trust_anchors_is_a_warning() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(outcome(&mesh, "proxies-hold-anchors"), Outcome::Success);
    let id = workload(&mut mesh, "emojivoto", "voting", Plane::Data, Injection::Webhook);
    group(&mut mesh, id, Held::Nothing, &["voting-1"], 1);
    assert_eq!(
        outcome(&mesh, "proxies-hold-anchors"),
        warning(
            "these proxies have no LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS, so no identity and no mTLS; \
             remove the annotation that disables identity and restart them:\n\t* emojivoto/voting-1"
        )
    );
}

#[test]
fn pods_without_the_proxy_that_they_should_have_are_a_warning() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(check(&mesh, "pods-are-meshed"), None);
    let workload = workload(&mut mesh, "emojivoto", "voting", Plane::Data, Injection::Webhook);
    let sample = (1..=5).map(|at| format!("voting-{at}")).collect();
    mesh.unmeshed.push(Unmeshed { workload, count: 6, sample });
    assert_eq!(
        outcome(&mesh, "pods-are-meshed"),
        warning(
            "no injector answered when these started, or injection was asked for later: they take no part in \
             mTLS, and policies that ask for it refuse them; restart them while the injector runs:\n\t* \
             Deployment emojivoto/voting: 6 pods (voting-1, voting-2, voting-3, voting-4, voting-5, …)"
        )
    );
}

#[test]
fn pitfall_3_what_started_before_the_bundle_changed_must_restart() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    published(&mut mesh).changed = ChangeTime::At(at("2026-02-01T00:10:00Z"));
    mesh.control_plane.replicas[1].started = Some(at("2026-02-01T00:10:01Z"));
    assert_eq!(
        outcome(&mesh, "control-plane-restarted"),
        warning(
            "anchors are read at the start only; what started before ConfigMap \
             linkerd/linkerd-identity-trust-roots changed on 2026-02-01T00:10:00Z does not know the new \
             ones: restart it (phase bundle, step 2; `kubectl rollout restart -n linkerd deploy`):\n\t* \
             linkerd/linkerd-identity-0 (identity) since 2026-02-01T00:10:00Z"
        )
    );
    mesh.control_plane.era = Era::V2_10;
    assert_eq!(check(&mesh, "control-plane-restarted"), None);
}

#[test]
fn the_injector_counts_only_until_the_kubelet_has_renewed_its_mount() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    mesh.control_plane.replicas.retain(|replica| replica.container == "proxy-injector");
    published(&mut mesh).changed = ChangeTime::At(at("2026-05-31T23:57:59Z"));
    assert_eq!(
        outcome(&mesh, "control-plane-restarted"),
        unknown("the input holds no running control-plane container in linkerd")
    );
    published(&mut mesh).changed = ChangeTime::At(at("2026-05-31T23:58:00Z"));
    let Outcome::Failed(_, said) = outcome(&mesh, "control-plane-restarted") else { panic!() };
    assert!(
        said.ends_with("\n\t* linkerd/linkerd-proxy-injector-0 (proxy-injector) since 2026-02-01T00:10:00Z"),
        "{said}"
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
    let said = |object: &str, since: &str| {
        unknown(format!(
            "these containers started within 120 s after {object} changed on 2026-02-01T00:10:00Z, while a kubelet \
             may still have had it mounted as it was; restart them once more:\n\t* \
             linkerd/linkerd-identity-0 (identity) since {since}"
        ))
    };
    let (bundle, issuer) =
        ("ConfigMap linkerd/linkerd-identity-trust-roots", "Secret linkerd/linkerd-identity-issuer");
    assert_eq!(outcome(&mesh, "control-plane-restarted"), said(bundle, "2026-02-01T00:12:00Z"));
    assert_eq!(outcome(&mesh, "identity-loaded-issuer"), said(issuer, "2026-02-01T00:12:00Z"));
    started(&mut mesh, "identity", 1);
    assert_eq!(outcome(&mesh, "identity-loaded-issuer"), said(issuer, "2026-02-01T00:10:01Z"));
    started(&mut mesh, "identity", 121);
    assert_eq!(outcome(&mesh, "control-plane-restarted"), Outcome::Success);
    assert_eq!(outcome(&mesh, "identity-loaded-issuer"), Outcome::Success);
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
    let unproven = |mesh: &Mesh| checks(mesh).iter().all(|found| matches!(found, Outcome::Unknown(_)));
    assert!(unproven(&mesh), "nothing tells how old the objects are");
    created(&mut mesh, "ConfigMap", "linkerd-identity-trust-roots", "2026-02-01T00:09:50Z");
    created(&mut mesh, "Secret", "linkerd-identity-issuer", "2026-02-01T00:09:50Z");
    created(&mut mesh, "Deployment", "linkerd-identity", "2026-02-01T00:09:51Z");
    assert_eq!(checks(&mesh), [Outcome::Success, Outcome::Success]);
    created(&mut mesh, "Deployment", "linkerd-identity", "2026-02-01T00:09:49Z");
    assert!(unproven(&mesh), "the objects have replaced older ones");
    created(&mut mesh, "Deployment", "linkerd-identity", "2026-02-01T00:09:51Z");
    secret(&mut mesh).changed = ChangeTime::At(at("2026-02-01T00:09:51Z"));
    assert_eq!(
        checks(&mesh),
        [Outcome::Success, Outcome::Success],
        "the next second may be of the same request"
    );
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
    mesh.control_plane.replicas[0].started = Some(at("2026-05-31T23:59:30Z"));
    let Outcome::Unknown(said) = outcome(&mesh, "control-plane-restarted") else { panic!() };
    assert!(
        said.ends_with("\n\t* linkerd/linkerd-proxy-injector-0 (proxy-injector) since 2026-05-31T23:59:30Z"),
        "{said}"
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
            unknown(
                "the input does not say when ConfigMap linkerd/linkerd-identity-trust-roots last changed; \
                 dump it with `kubectl get -o yaml --show-managed-fields`, or read the cluster"
            )
        );
    }
    published(&mut mesh).changed = ChangeTime::At(at("2026-02-01"));
    mesh.control_plane.replicas[0].started = None;
    assert_eq!(
        outcome(&mesh, "control-plane-restarted"),
        unknown("these containers do not tell when they started:\n\t* linkerd/linkerd-identity-0 (identity)")
    );
}

#[test]
fn pain_4_the_secret_does_not_prove_what_a_running_identity_controller_serves() {
    let root = root("root");
    let mut mesh = mesh(&[&root], &good_issuer(&root));
    assert_eq!(outcome(&mesh, "identity-loaded-issuer"), Outcome::Success);
    secret(&mut mesh).changed = ChangeTime::At(at("2026-03-01"));
    let head = "Secret linkerd/linkerd-identity-issuer changed on 2026-03-01T00:00:00Z";
    let pod = "\n\t* linkerd/linkerd-identity-0 (identity) since 2026-02-01T00:10:00Z";
    assert_eq!(
        outcome(&mesh, "identity-loaded-issuer"),
        unknown(format!(
            "{head}, and a running identity controller may miss that; look for its event IssuerUpdated \
             (`kubectl get events -n linkerd --field-selector reason=IssuerUpdated`) or restart it:{pod}"
        ))
    );
    mesh.control_plane.era = Era::V2_6;
    assert_eq!(
        outcome(&mesh, "identity-loaded-issuer"),
        warning(format!(
            "Linkerd 2.6 reads the issuer at the start only, and {head}; restart it (`kubectl rollout \
             restart -n linkerd deploy/linkerd-identity`):{pod}"
        ))
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
    assert_eq!(outcome(&mesh, "manual-injection"), Outcome::Success);
    let said = warning(
        "their bundle is written into their own templates and survives every restart; inject them again \
         after each change of the bundle (`linkerd inject --manual` reads linkerd-config), or let the \
         injector do it:\n\t* Deployment legacy/app: 1 proxy",
    );
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
        warning(
            "their proxies run outside the cluster and their anchors cannot be seen; give each both anchors \
             and restart it before the issuer changes, and move SPIRE to the new anchor before the old one \
             goes:\n\t* vms/db-1"
        )
    );
    assert_eq!(
        outcome(&mesh, "linked-clusters"),
        warning(
            "every linked cluster must hold both anchors in all its proxies before any of them changes its \
             issuer, and have changed it before any removes the old anchor; check each:\n\t* \
             linkerd-multicluster/west"
        )
    );
    let ending = anchor("ending", "2025-01-01", "2026-07-01");
    let mut rotation_ahead = crate::check::builder::mesh(&[&ending], &ending);
    rotation_ahead.external_workloads = vec!["vms/db-1".into()];
    assert!(not_passed(&rotation_ahead).contains(&"external-workloads"));
}
