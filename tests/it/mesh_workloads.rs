//! Workloads are found above their pods and by their manifests, with everything that is in the way of a restart.

use l5d_rotate::mesh::{Injection, Known, Mesh, Obstacle, Owner, Plane, Workload};
use serde_json::{Value, json};

use crate::support::manifests::{control_plane, documents, list, mesh, mint, observe_all, pod};

const NOW: &str = "2026-03-01T00:00:00Z";

/// The data plane's workloads of a mesh with these objects.
fn data(objects: &[Value]) -> Vec<Workload> {
    let mesh = mesh(&[&control_plane("2.12", &mint("root")), &list(objects)]);
    mesh.workloads.into_iter().filter(|workload| workload.plane == Plane::Data).collect()
}

fn found(objects: &[Value]) -> Vec<(String, Vec<Obstacle>)> {
    data(objects).into_iter().map(|workload| (workload.object.to_string(), workload.obstacles)).collect()
}

/// A pod whose controller is this, without the labels of the injector.
fn owned(api_version: &str, kind: &str, name: &str) -> Value {
    let mut pod = pod("shop", name, "a", NOW, "x");
    pod["metadata"]["labels"] = json!({"linkerd.io/control-plane-ns": "linkerd"});
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": api_version, "kind": kind, "name": name, "controller": true}]);
    pod
}

/// An object of `apps/v1` or another group whose template asks for a proxy.
fn injected(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    let template = json!({"metadata": {"annotations": {"linkerd.io/inject": "enabled"}}, "spec": {"containers": [{"name": "app"}]}});
    let mut spec = spec;
    if kind == "CronJob" {
        spec["jobTemplate"] = json!({"spec": {"template": template}});
    } else {
        spec["template"] = template;
    }
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": spec})
}

fn child(api_version: &str, kind: &str, name: &str, parent: (&str, &str, &str)) -> Value {
    let mut object = injected(api_version, kind, name, json!({}));
    let (version, kind, name) = parent;
    object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": version, "kind": kind, "name": name, "controller": true}]);
    object
}

#[test]
fn a_pod_is_followed_to_what_would_be_changed_to_restart_it() {
    use Obstacle::{ArgoRollout, BarePod, BareReplicas, NextRun, RunningJob, UnknownOwner};
    let replica_set = owned("apps/v1", "ReplicaSet", "web-5d");
    let job = owned("batch/v1", "Job", "clean-29384");
    let with = |mut pod: Value, label: &str, value: &str| {
        pod["metadata"]["labels"][label] = value.into();
        pod
    };
    let mut bare = owned("", "", "lone");
    bare["metadata"]["ownerReferences"] = json!([]);
    let cases: [(&[Value], &str, &[Obstacle]); 15] = [
        (
            &[
                replica_set.clone(),
                child("apps/v1", "ReplicaSet", "web-5d", ("apps/v1", "Deployment", "web")),
            ],
            "Deployment shop/web",
            &[],
        ),
        (
            &[
                replica_set.clone(),
                child("apps/v1", "ReplicaSet", "web-5d", ("argoproj.io/v1alpha1", "Rollout", "web")),
            ],
            "Rollout shop/web",
            &[ArgoRollout],
        ),
        (&[with(replica_set.clone(), "linkerd.io/proxy-deployment", "web")], "Deployment shop/web", &[]),
        (&[with(replica_set.clone(), "pod-template-hash", "5d")], "Deployment shop/web", &[]),
        (
            &[with(replica_set.clone(), "rollouts-pod-template-hash", "5d")],
            "Rollout shop/web",
            &[ArgoRollout],
        ),
        (std::slice::from_ref(&replica_set), "ReplicaSet shop/web-5d", &[BareReplicas]),
        (
            &[
                with(replica_set.clone(), "linkerd.io/proxy-deployment", "copied"),
                injected("apps/v1", "ReplicaSet", "web-5d", json!({})),
            ],
            "ReplicaSet shop/web-5d",
            &[BareReplicas],
        ),
        (
            &[job.clone(), child("batch/v1", "Job", "clean-29384", ("batch/v1", "CronJob", "clean"))],
            "CronJob shop/clean",
            &[NextRun],
        ),
        (&[with(job.clone(), "linkerd.io/proxy-cronjob", "clean")], "CronJob shop/clean", &[NextRun]),
        (
            &[job.clone(), injected("batch/v1", "CronJob", "clean", json!({}))],
            "CronJob shop/clean",
            &[NextRun],
        ),
        (&[job], "Job shop/clean-29384", &[RunningJob]),
        (&[owned("apps/v1", "StatefulSet", "db")], "StatefulSet shop/db", &[]),
        (&[owned("v1", "ReplicationController", "old")], "ReplicationController shop/old", &[BareReplicas]),
        (
            &[owned("core.strimzi.io/v1beta2", "StrimziPodSet", "kafka")],
            "StrimziPodSet shop/kafka",
            &[UnknownOwner],
        ),
        (&[bare], "Pod shop/lone-7d4f8c-a", &[BarePod]),
    ];
    for (objects, name, obstacles) in cases {
        assert_eq!(found(objects), [(name.to_owned(), obstacles.to_vec())]);
    }
}

#[test]
fn owners_that_go_in_a_circle_come_to_an_end() {
    let circle = [
        owned("apps/v1", "ReplicaSet", "a"),
        child("apps/v1", "ReplicaSet", "a", ("apps/v1", "ReplicaSet", "b")),
        child("apps/v1", "ReplicaSet", "b", ("apps/v1", "ReplicaSet", "a")),
    ];
    assert_eq!(found(&circle).len(), 1);
}

#[test]
fn a_job_of_another_group_is_not_kubernetes_own() {
    let seen = found(&[owned("batch.volcano.sh/v1alpha1", "Job", "train")]);
    assert_eq!(seen, [("Job shop/train".to_owned(), vec![Obstacle::UnknownOwner])]);
}

#[test]
fn a_manifest_shows_what_is_in_the_way_of_its_restart() {
    use Obstacle::{
        ArgoRollout, BareReplicas, NextRun, OnDelete, Partition, Paused, Promotion, RunningJob, ZeroReplicas,
    };
    let canary =
        |pause: Value| json!({"strategy": {"canary": {"steps": [{"setWeight": 5}, {"pause": pause}]}}});
    let blue_green = |auto: Value| json!({"strategy": {"blueGreen": {"autoPromotionEnabled": auto}}});
    let cases: [(&str, &str, Value, &[Obstacle]); 19] = [
        ("apps/v1", "Deployment", json!({"replicas": 2}), &[]),
        ("apps/v1", "Deployment", json!({"paused": true}), &[Paused]),
        ("apps/v1", "Deployment", json!({"replicas": 0, "paused": true}), &[Paused, ZeroReplicas]),
        ("apps/v1", "StatefulSet", json!({"updateStrategy": {"type": "RollingUpdate"}}), &[]),
        ("apps/v1", "StatefulSet", json!({"updateStrategy": {"type": "OnDelete"}}), &[OnDelete]),
        (
            "apps/v1",
            "StatefulSet",
            json!({"updateStrategy": {"rollingUpdate": {"partition": 2}}}),
            &[Partition(2)],
        ),
        ("apps/v1", "StatefulSet", json!({"updateStrategy": {"rollingUpdate": {"partition": 0}}}), &[]),
        ("apps/v1", "DaemonSet", json!({"updateStrategy": {"type": "OnDelete"}}), &[OnDelete]),
        ("batch/v1", "CronJob", json!({}), &[NextRun]),
        ("batch/v1", "Job", json!({}), &[RunningJob]),
        ("apps/v1", "ReplicaSet", json!({}), &[BareReplicas]),
        ("v1", "ReplicationController", json!({"replicas": 0}), &[BareReplicas, ZeroReplicas]),
        ("argoproj.io/v1alpha1", "Rollout", json!({}), &[ArgoRollout]),
        (
            "argoproj.io/v1alpha1",
            "Rollout",
            json!({"paused": true, "replicas": 0}),
            &[ArgoRollout, Paused, ZeroReplicas],
        ),
        ("argoproj.io/v1alpha1", "Rollout", canary(json!({"duration": "10m"})), &[ArgoRollout]),
        ("argoproj.io/v1alpha1", "Rollout", canary(json!({})), &[ArgoRollout, Promotion]),
        ("argoproj.io/v1alpha1", "Rollout", canary(Value::Null), &[ArgoRollout, Promotion]),
        ("argoproj.io/v1alpha1", "Rollout", blue_green(json!(false)), &[ArgoRollout, Promotion]),
        ("argoproj.io/v1alpha1", "Rollout", blue_green(json!(true)), &[ArgoRollout]),
    ];
    for (api_version, kind, spec, obstacles) in cases {
        let object = injected(api_version, kind, "web", spec);
        let mut expected = obstacles.to_vec();
        expected.sort();
        assert_eq!(
            found(std::slice::from_ref(&object)),
            [(format!("{kind} shop/web"), expected)],
            "{object}"
        );
    }
}

#[test]
fn a_manifest_tells_its_template_its_replicas_and_its_owners() {
    let mut object = injected("apps/v1", "Deployment", "web", json!({"replicas": 3}));
    object["metadata"]["labels"] = json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
    let [workload] = data(&[object]).try_into().unwrap();
    assert_eq!((workload.replicas, workload.injection), (Some(3), Injection::Webhook));
    let annotations = workload.template.unwrap().annotations.unwrap();
    assert_eq!(
        annotations.into_iter().collect::<Vec<_>>(),
        [("linkerd.io/inject".to_owned(), "enabled".to_owned())]
    );
    assert_eq!(
        workload.owners,
        [Owner::FluxKustomization { name: "apps".to_owned(), namespace: "flux-system".to_owned() }]
    );
    assert_eq!((workload.origin.source.as_str(), workload.origin.item), ("2.yaml", 1));

    let mut by_namespace = injected("apps/v1", "Deployment", "web", json!({}));
    by_namespace["spec"]["template"]["metadata"] = json!({});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "annotations": {"linkerd.io/inject": "enabled"}}});
    assert_eq!(data(std::slice::from_ref(&by_namespace)), []);
    let [workload] = data(&[by_namespace, namespace]).try_into().unwrap();
    assert_eq!(workload.template.unwrap().annotations, None);
}

#[test]
fn what_is_done_or_owned_or_a_patch_is_no_workload() {
    let mut done = injected("batch/v1", "Job", "done", json!({}));
    done["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}], "completionTime": NOW});
    let mut patch = injected("apps/v1", "Deployment", "web", json!({}));
    patch["spec"]["template"]["spec"] = json!({});
    let owned = child("apps/v1", "ReplicaSet", "web-5d", ("apps/v1", "Deployment", "web"));
    assert_eq!(found(&[done, patch, owned]), []);
}

#[test]
fn a_pod_that_outlives_its_replica_set_is_still_its_deployment_s() {
    let mut scaled_down = child("apps/v1", "ReplicaSet", "web-7d4f8c", ("apps/v1", "Deployment", "web"));
    scaled_down["spec"]["replicas"] = 0.into();
    assert_eq!(
        found(&[scaled_down, pod("shop", "web", "a", NOW, "x")]),
        [("Deployment shop/web".to_owned(), vec![])]
    );
}

#[test]
fn a_patch_does_not_take_the_place_of_its_object() {
    let object = injected("apps/v1", "Deployment", "web", json!({"replicas": 3}));
    let patch = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"metadata": {"annotations": {"l5d-rotate/trust-bundle": "x"}}}}});
    let [workload] = data(&[object, patch]).try_into().unwrap();
    assert_eq!(workload.replicas, Some(3));
}

#[test]
fn a_rollout_may_take_another_object_s_template() {
    let rollout = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 2, "workloadRef": {"kind": "Deployment", "name": "web"}}});
    let replica_set = child("apps/v1", "ReplicaSet", "web-5d", ("argoproj.io/v1alpha1", "Rollout", "web"));
    let [workload] =
        data(&[rollout, replica_set, owned("apps/v1", "ReplicaSet", "web-5d")]).try_into().unwrap();
    assert_eq!(
        (workload.object.kind.as_str(), workload.template, workload.replicas),
        ("Rollout", None, Some(2))
    );
    assert_eq!(workload.obstacles, [Obstacle::ArgoRollout]);
}

#[test]
fn manual_injection_is_told_by_the_template_or_where_none_is_seen_by_the_pod() {
    let mut manual = pod("shop", "web", "a", NOW, "x");
    manual["metadata"]["annotations"]["linkerd.io/created-by"] = "linkerd/cli stable-2.14.10".into();
    let [unseen] = data(std::slice::from_ref(&manual)).try_into().unwrap();
    assert_eq!((unseen.injection, unseen.obstacles), (Injection::Manual, vec![Obstacle::ManualInjection]));

    let webhook = injected("apps/v1", "Deployment", "web", json!({}));
    let [seen] = data(&[manual.clone(), webhook.clone()]).try_into().unwrap();
    assert_eq!((seen.injection, seen.obstacles), (Injection::Webhook, vec![]));

    let mut manual = webhook;
    manual["spec"]["template"]["spec"]["containers"] = json!([{"name": "app"}, {"name": "linkerd-proxy"}]);
    let [seen] = data(&[manual]).try_into().unwrap();
    assert_eq!((seen.injection, seen.obstacles), (Injection::Manual, vec![Obstacle::ManualInjection]));
}

#[test]
fn a_later_copy_of_an_object_replaces_the_earlier() {
    let copy = |replicas: u32| injected("apps/v1", "Deployment", "web", json!({"replicas": replicas}));
    let [workload] = data(&[copy(1), copy(2)]).try_into().unwrap();
    assert_eq!(workload.replicas, Some(2));
    let old = injected("extensions/v1beta1", "Deployment", "web", json!({"replicas": 3}));
    let [workload] = data(&[copy(1), old]).try_into().unwrap();
    assert_eq!((workload.replicas, workload.object.api_version.as_str()), (Some(3), "extensions/v1beta1"));
}

#[test]
fn parts_of_viz_in_the_control_plane_s_namespace_belong_to_it() {
    let mut web = injected("apps/v1", "Deployment", "linkerd-web", json!({}));
    web["metadata"]["namespace"] = "linkerd".into();
    web["metadata"]["labels"] =
        json!({"linkerd.io/control-plane-component": "web", "linkerd.io/control-plane-ns": "linkerd"});
    web["spec"]["template"]["spec"]["containers"] = json!([{"name": "web"}, {"name": "linkerd-proxy"}]);
    let mut mirror = web.clone();
    mirror["metadata"]["namespace"] = "linkerd-multicluster".into();
    let mesh = mesh(&[&control_plane("2.9", &mint("root")), &list(&[web, mirror])]);
    let planes: Vec<_> =
        mesh.workloads.iter().map(|workload| (workload.object.to_string(), workload.injection)).collect();
    assert_eq!(
        planes,
        [
            ("Deployment linkerd/linkerd-identity".to_owned(), Injection::ControlPlane),
            ("Deployment linkerd/linkerd-web".to_owned(), Injection::ControlPlane),
            ("Deployment linkerd-multicluster/linkerd-web".to_owned(), Injection::Manual),
        ]
    );
}

#[test]
fn whole_manifests_of_meshed_workloads_are_kept_when_asked_for() {
    let mut web = injected("apps/v1", "Deployment", "web", json!({}));
    web["status"] = json!({"replicas": 1});
    web["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    let mut open = web.clone();
    open["metadata"] = json!({"name": "open"});
    let mut other = web.clone();
    other["metadata"]["name"] = "other".into();
    other["spec"]["template"]["metadata"] = json!({});
    let texts = [control_plane("2.12", &mint("root")), list(&[web, other, open])];
    let kept =
        |keep: bool| -> Mesh { observe_all(documents(&[&texts[0], &texts[1]]), keep).finish(None).unwrap() };
    assert!(kept(false).manifest("Deployment", "shop", "web").is_none());
    let mesh = kept(true);
    let manifest = mesh.manifest("Deployment", "shop", "web").unwrap();
    assert_eq!((manifest.tree.get("status"), manifest.tree["metadata"].get("managedFields")), (None, None));
    assert!(mesh.manifest("Deployment", "shop", "other").is_none());
    assert!(mesh.manifest("Deployment", "", "open").is_some());
    assert!(mesh.manifest("Deployment", "linkerd", "linkerd-identity").is_some());
    assert_eq!(mesh.pods, Known::Absent);
}

#[test]
fn external_workloads_and_links_are_named() {
    let object = |api_version: &str, kind: &str| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "shop"}});
    let objects = [
        object("workload.linkerd.io/v1beta1", "ExternalWorkload"),
        object("multicluster.linkerd.io/v1alpha3", "Link"),
    ];
    let mesh = mesh(&[&control_plane("2.12", &mint("root")), &list(&objects)]);
    assert_eq!((mesh.external_workloads, mesh.links), (vec!["shop/a".to_owned()], vec!["shop/a".to_owned()]));
}

#[test]
fn pods_without_the_proxy_that_their_workload_asks_for_are_counted_once_by_it() {
    let bare = |name: &str, phase: &str| {
        let mut pod = owned("apps/v1", "StatefulSet", "db");
        pod["metadata"]["name"] = json!(name);
        pod["spec"]["containers"].as_array_mut().unwrap().retain(|one| one["name"] != "linkerd-proxy");
        pod["status"]["phase"] = json!(phase);
        pod
    };
    let unmeshed = |workload: Value| {
        let objects = [
            workload,
            bare("db-1", "Running"),
            bare("db-0", "Running"),
            bare("db-1", "Running"),
            bare("db-2", "Failed"),
        ];
        let mesh = mesh(&[&control_plane("2.12", &mint("root")), &list(&objects)]);
        let told = |found: &l5d_rotate::mesh::Unmeshed| {
            (mesh.workload(found.workload).object.to_string(), found.count, found.sample.clone())
        };
        mesh.unmeshed.iter().map(told).collect::<Vec<_>>()
    };
    let asks = injected("apps/v1", "StatefulSet", "db", json!({"replicas": 3}));
    let names = vec!["db-0".to_owned(), "db-1".to_owned()];
    assert_eq!(unmeshed(asks.clone()), [("StatefulSet shop/db".to_owned(), 2, names)]);
    let mut asks_not = asks;
    asks_not["spec"]["template"]["metadata"]["annotations"]["linkerd.io/inject"] = json!("disabled");
    assert_eq!(unmeshed(asks_not), []);
}
