//! Proxies are grouped by their workload and the bundle they hold, with the time their containers started.

use l5d_rotate::document::Origin;
use l5d_rotate::mesh::{Held, Injection, Known, Made, Mesh, Observer, Plane, Pod, ProxyGroup, Replica};
use l5d_rotate::pki::{Fingerprint, Rules};
use serde_json::{Value, json};

use crate::support::manifests::{control_plane, list, mesh, mint, observe, pod};
use crate::support::pki::at;

const EARLY: &str = "2026-03-01T00:00:00Z";
const LATE: &str = "2026-03-02T00:00:00Z";

fn group<'a>(mesh: &'a Mesh, workload: &str) -> &'a ProxyGroup {
    let mut groups =
        mesh.proxies.iter().filter(|group| mesh.workload(group.workload).object.to_string() == workload);
    let group = groups.next().unwrap_or_else(|| panic!("no {workload} among {:?}", mesh.workloads));
    assert!(groups.next().is_none());
    group
}

fn with_pods(pods: &[Value]) -> Mesh {
    mesh(&[&control_plane("2.12", &mint("root")), &list(pods)])
}

#[test]
fn proxies_of_one_workload_with_one_bundle_are_one_group() {
    let (old, new) = (mint("old").anchor_pem(), mint("new").anchor_pem());
    let mut pods: Vec<Value> = ["g", "f", "e", "d", "c", "b", "a"]
        .iter()
        .map(|suffix| pod("shop", "web", suffix, EARLY, &old))
        .collect();
    pods.push(pod("shop", "web", "h", LATE, &new));
    pods.push(pod("shop", "api", "a", LATE, &old));
    let mesh = with_pods(&pods);
    let groups: Vec<_> = mesh
        .proxies
        .iter()
        .map(|group| {
            let bundle = mesh.literal_bundle(&group.held).unwrap().text();
            (
                mesh.workload(group.workload).object.name.as_str(),
                bundle == old,
                group.count(),
                group.sample.len(),
            )
        })
        .collect();
    let mut sorted = groups.clone();
    sorted.sort();
    assert_eq!(sorted, [("api", true, 1, 1), ("web", false, 1, 1), ("web", true, 7, 5)]);
    assert_eq!(mesh.bundles.len(), 2);
    let many = mesh.proxies.iter().find(|group| group.count() == 7).unwrap();
    assert_eq!(many.sample, ["a", "b", "c", "d", "e"].map(|suffix| format!("web-7d4f8c-{suffix}")));
    assert_eq!(
        (many.starts.not_after(at(EARLY)), many.injection, many.plane),
        (7, Injection::Webhook, Plane::Data)
    );
    assert_eq!(mesh.pods, Known::Is(()));
}

#[test]
fn the_last_entry_of_the_environment_wins() {
    let mut two = pod("shop", "web", "a", EARLY, "first");
    let entry = |value: &str| json!({"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": value});
    two["spec"]["containers"][1]["env"] =
        json!([entry("first"), {"name": "OTHER", "value": "x"}, entry("last")]);
    let mesh = with_pods(&[two]);
    assert_eq!(mesh.literal_bundle(&group(&mesh, "Deployment shop/web").held).unwrap().text(), "last");
}

#[test]
fn a_proxy_without_the_variable_holds_nothing_and_only_the_control_plane_s_own_reference_is_one() {
    let referring = |namespace, name, config_map: &str| {
        let mut pod = pod(namespace, name, "a", EARLY, "");
        pod["spec"]["containers"][1]["env"][0] = json!({
            "name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS",
            "valueFrom": {"configMapKeyRef": {"name": config_map, "key": "ca-bundle.crt"}},
        });
        pod
    };
    let mut bare = pod("shop", "web", "a", EARLY, "");
    bare["spec"]["containers"][1]["env"] = json!([]);
    let mesh = with_pods(&[
        bare,
        referring("linkerd", "linkerd-destination", "linkerd-identity-trust-roots"),
        referring("linkerd", "tap", "other"),
        referring("shop", "api", "linkerd-identity-trust-roots"),
        referring("shop", "db", "some-old-bundle"),
    ]);
    let held = |of: &str| group(&mesh, &format!("Deployment {of}")).held;
    assert_eq!(held("shop/web"), Held::Nothing);
    assert_eq!(held("linkerd/linkerd-destination"), Held::ByReference);
    for (of, text) in [
        ("linkerd/tap", r#"the key "ca-bundle.crt" of ConfigMap "linkerd/other""#),
        ("shop/api", r#"the key "ca-bundle.crt" of ConfigMap "shop/linkerd-identity-trust-roots""#),
        ("shop/db", r#"the key "ca-bundle.crt" of ConfigMap "shop/some-old-bundle""#),
    ] {
        let bundle = mesh.literal_bundle(&held(of)).unwrap();
        assert_eq!(bundle.text(), text);
        assert!(bundle.as_read_by(Rules::Proxy).is_err());
    }
}

#[test]
fn the_start_is_the_container_s_and_not_the_pod_s() {
    let mut restarted = pod("shop", "web", "a", LATE, "x");
    restarted["metadata"]["creationTimestamp"] = EARLY.into();
    restarted["status"]["startTime"] = EARLY.into();
    let mut waiting = pod("shop", "web", "b", LATE, "x");
    waiting["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let mut native = pod("shop", "web", "c", EARLY, "x");
    native["spec"]["initContainers"] = json!([native["spec"]["containers"][1]]);
    native["spec"]["containers"] = json!([{"name": "app"}]);
    native["status"]["initContainerStatuses"] = native["status"]["containerStatuses"].take();
    let mesh = with_pods(&[restarted, waiting, native]);
    let starts = &group(&mesh, "Deployment shop/web").starts;
    assert_eq!((starts.not_after(at(EARLY)), starts.not_after(at(LATE)), starts.unknown), (1, 2, 1));
}

#[test]
fn pods_that_are_done_are_no_proxies_and_terminating_ones_still_are() {
    let phases = ["Succeeded", "Failed", "Pending", "Running", "Unknown"];
    let mut pods: Vec<Value> = phases
        .iter()
        .map(|phase| {
            let mut pod = pod("shop", "web", &phase.to_lowercase(), EARLY, "x");
            pod["status"]["phase"] = (*phase).into();
            pod
        })
        .collect();
    pods[3]["metadata"]["deletionTimestamp"] = LATE.into();
    let mesh = with_pods(&pods);
    let group = group(&mesh, "Deployment shop/web");
    assert_eq!(group.sample, ["web-7d4f8c-pending", "web-7d4f8c-running", "web-7d4f8c-unknown"]);
}

#[test]
fn pods_of_another_control_plane_are_not_counted() {
    let mut foreign = pod("shop", "web", "a", EARLY, "x");
    foreign["metadata"]["labels"]["linkerd.io/control-plane-ns"] = "linkerd-two".into();
    let mesh = with_pods(&[foreign]);
    assert!(mesh.proxies.is_empty() && mesh.bundles.is_empty());
    assert!(matches!(mesh.pods, Known::Unknown(_)));
}

/// Why pods are not known of two Deployments, in a namespace that is meshed, beside these pods.
fn missing(web_replicas: u32, pods: &[Value]) -> Option<String> {
    let deployment = |name, replicas: u32| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "app"}]}}}})
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": "shop", "annotations": {"linkerd.io/inject": "enabled"}}});
    let others = [namespace, deployment("web", web_replicas), deployment("api", 1)];
    let all = list(&others.iter().chain(pods).cloned().collect::<Vec<_>>());
    match mesh(&[&control_plane("2.12", &mint("root")), &all]).pods {
        Known::Is(()) => None,
        Known::Absent => panic!("pods are in the input"),
        Known::Unknown(why) => Some(why.to_string()),
    }
}

#[test]
fn pods_are_all_only_where_every_workload_that_asks_for_some_has_one() {
    let mut own = pod("linkerd", "linkerd-destination", "a", EARLY, "x");
    own["metadata"]["labels"]["linkerd.io/control-plane-component"] = "destination".into();
    let [web, api] = ["web", "api"].map(|name| pod("shop", name, "a", EARLY, "x"));
    let mut bare = web.clone();
    bare["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .retain(|container| container["name"] != "linkerd-proxy");

    assert!(missing(1, &[own]).unwrap().starts_with("no proxy outside of the control plane"));
    assert!(
        missing(1, std::slice::from_ref(&api)).unwrap().starts_with("no pods of Deployment shop/web are")
    );
    assert_eq!(missing(0, std::slice::from_ref(&api)), None, "scaled to zero");
    assert_eq!(missing(1, &[api.clone(), bare]), None, "not meshed yet");
    assert_eq!(missing(1, &[api, web]), None);
}

/// A Deployment, StatefulSet or DaemonSet in a meshed namespace whose status says so, beside these pods: why they are not all.
fn fewer(kind: &str, status: Value, pods: &[Value]) -> Option<String> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": "shop", "annotations": {"linkerd.io/inject": "enabled"}}});
    let workload = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 9, "template": {"spec": {"containers": [{"name": "app"}]}}}, "status": status});
    let other = pod("shop", "other", "a", EARLY, "x");
    let all = list(&[namespace, workload, other].iter().chain(pods).cloned().collect::<Vec<_>>());
    match mesh(&[&control_plane("2.12", &mint("root")), &all]).pods {
        Known::Is(()) => None,
        Known::Absent => panic!("pods are in the input"),
        Known::Unknown(why) => Some(why.to_string()),
    }
}

#[test]
fn pods_are_not_all_where_a_workload_has_more_by_its_own_status() {
    let [one, two, three] = ["a", "b", "c"].map(|suffix| pod("shop", "web", suffix, EARLY, "x"));
    let of = |status: Value, pods: &[&Value]| {
        fewer("Deployment", status, &pods.iter().map(|pod| (*pod).clone()).collect::<Vec<_>>())
    };
    let three_ready = || json!({"replicas": 3, "readyReplicas": 3});
    assert_eq!(
        of(three_ready(), &[&one, &two]).unwrap(),
        "only 2 of the 3 pods of Deployment shop/web are in the input; add the output of `kubectl get pods -A -o json`"
    );
    assert_eq!(of(three_ready(), &[&one, &two, &three]), None);
    assert_eq!(of(json!({"replicas": 2}), &[&one, &two, &three]), None, "a rollout goes on");
    assert_eq!(of(json!({"readyReplicas": 3}), &[&one]).unwrap()[..13], *"only 1 of the");
    assert_eq!(
        of(json!({"replicas": 3, "readyReplicas": 1}), &[&one, &two]).unwrap()[..13],
        *"only 2 of the"
    );
    // What is asked for is no promise: a quota or a full cluster may keep the others from being made.
    assert_eq!(of(json!({"replicas": 1, "readyReplicas": 1}), &[&one]), None);
    assert_eq!(of(json!({}), &[&one]), None);
}

#[test]
fn every_kind_of_pod_counts_as_one_of_those_that_the_status_tells_of_and_none_twice() {
    let [one, two] = ["a", "b"].map(|suffix| pod("shop", "web", suffix, EARLY, "x"));
    let ready = |number: u32| json!({"replicas": number, "readyReplicas": number});
    let of = |pods: &[Value]| fewer("Deployment", ready(2), pods);
    let mut bare = two.clone();
    bare["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .retain(|container| container["name"] != "linkerd-proxy");
    assert_eq!(of(&[one.clone(), bare.clone()]), None, "one that was made before the namespace was meshed");
    assert!(of(&[bare.clone(), bare]).is_some());
    let mut foreign = two.clone();
    foreign["metadata"]["labels"]["linkerd.io/control-plane-ns"] = "linkerd-two".into();
    assert_eq!(of(&[one.clone(), foreign]), None, "one of another control plane");
    let restarted = pod("shop", "web", "a", LATE, "y");
    assert!(of(&[one.clone(), restarted]).is_some(), "the same pod in two forms is one pod");
    let mut done = two;
    done["status"]["phase"] = "Failed".into();
    assert!(of(&[one, done]).is_some(), "one that is done is replaced by another");
}

#[test]
fn a_daemon_set_and_the_control_plane_are_counted_too() {
    let mut daemon = pod("shop", "web", "a", EARLY, "x");
    daemon["metadata"]["ownerReferences"][0] =
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "web", "controller": true});
    let of = |status| fewer("DaemonSet", status, std::slice::from_ref(&daemon));
    assert!(of(json!({"numberReady": 2})).unwrap().starts_with("only 1 of the 2 pods of DaemonSet shop/web"));
    // A node counts as scheduled also while its pod is one that has failed.
    assert_eq!(of(json!({"currentNumberScheduled": 2, "numberReady": 1})), None);
    let identity = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "linkerd-proxy-injector", "namespace": "linkerd",
            "labels": {"linkerd.io/control-plane-component": "proxy-injector"}},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "proxy-injector"}, {"name": "linkerd-proxy"}]}}},
        "status": {"replicas": 3, "readyReplicas": 3}});
    let all = list(&[identity, pod("shop", "web", "a", EARLY, "x")]);
    let Known::Unknown(why) = mesh(&[&control_plane("2.12", &mint("root")), &all]).pods else { panic!() };
    assert!(
        why.to_string().starts_with("none of the 3 pods of Deployment linkerd/linkerd-proxy-injector"),
        "{why}"
    );
}

#[test]
fn a_pod_that_two_inputs_show_differently_counts_in_both_forms_whatever_their_order() {
    let old = pod("shop", "web", "a", EARLY, "old");
    let [restarted, new] =
        [(LATE, "old"), (EARLY, "new")].map(|(at, text)| pod("shop", "web", "a", at, text));
    for (one, other, groups) in [(&old, &restarted, 1), (&old, &new, 2)] {
        for pods in [[one, other], [other, one]] {
            let mesh = with_pods(&pods.map(Clone::clone));
            let count: u64 = mesh.proxies.iter().map(ProxyGroup::count).sum();
            assert_eq!((mesh.proxies.len(), count), (groups, 2));
        }
    }
}

#[test]
fn a_pod_that_is_in_the_input_twice_counts_once() {
    let one = pod("shop", "web", "a", EARLY, "x");
    let mesh = with_pods(&[one.clone(), one]);
    assert_eq!(group(&mesh, "Deployment shop/web").count(), 1);
}

#[test]
fn control_plane_pods_show_each_container_that_reads_trust_material() {
    let mut identity = pod("linkerd", "linkerd-identity", "a", EARLY, "");
    identity["metadata"]["labels"]["linkerd.io/control-plane-component"] = "identity".into();
    let mark = Fingerprint::digest(b"the bundle");
    identity["metadata"]["creationTimestamp"] = EARLY.into();
    identity["metadata"]["annotations"]["linkerd.io/trust-root-sha256"] = mark.to_string().into();
    identity["spec"]["containers"][0]["name"] = "identity".into();
    identity["spec"]["containers"][1]["env"][0] = json!({"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "valueFrom": {"configMapKeyRef": {
            "name": "linkerd-identity-trust-roots", "key": "ca-bundle.crt"}}});
    identity["status"]["containerStatuses"] = json!([
        {"name": "identity", "state": {"running": {"startedAt": EARLY}}},
        {"name": "linkerd-proxy", "state": {"running": {"startedAt": LATE}}},
    ]);
    let mut mirror = identity.clone();
    mirror["metadata"]["namespace"] = "linkerd-multicluster".into();
    mirror["metadata"]["labels"]["linkerd.io/control-plane-component"] = "service-mirror".into();
    mirror["metadata"]["labels"]["linkerd.io/proxy-deployment"] = "mirror".into();
    let mesh = with_pods(&[identity, mirror]);
    let replica = |container: &str, started| Replica {
        pod: "linkerd-identity-7d4f8c-a".to_owned(),
        component: "identity".to_owned(),
        container: container.to_owned(),
        started: Some(at(started)),
        made: Made { created: Some(at(EARLY)), trust_root: Some(mark) },
    };
    assert_eq!(mesh.control_plane.replicas, [replica("identity", EARLY), replica("linkerd-proxy", LATE)]);
    let own = group(&mesh, "Deployment linkerd/linkerd-identity");
    assert_eq!(
        (own.plane, own.injection, own.held),
        (Plane::Control, Injection::ControlPlane, Held::ByReference)
    );
    assert_eq!(own.made, Made { created: Some(at(EARLY)), trust_root: Some(mark) });
    assert_eq!(group(&mesh, "Deployment linkerd-multicluster/mirror").plane, Plane::Data);
}

#[test]
fn input_without_pods_says_so_and_an_empty_answer_is_an_answer() {
    let text = control_plane("2.12", &mint("root"));
    assert_eq!(mesh(&[&text]).pods, Known::Absent);
    let mut asked = observe(&[&text]);
    asked.pods_were_read();
    assert_eq!(asked.finish(None).unwrap().pods, Known::Is(()));
}

#[test]
fn a_pod_s_manifest_may_leave_fields_empty() {
    let yaml = "metadata:\n  name: a\n  labels:\n  annotations:\nspec:\n  containers:\n  - name: linkerd-proxy\n    env:\n  initContainers:\nstatus:\n  phase: Running\n  containerStatuses:\n";
    let pod: Pod = serde_yaml::from_str(yaml).unwrap();
    let mut observer = Observer::new(false);
    observer.pod(&Origin::default(), pod);
    assert!(observer.finish(None).is_err());
}

#[test]
fn hundred_thousand_pods_are_few_groups() {
    let mut observer = observe(&[&control_plane("2.12", &mint("root"))]);
    let pki = mint("root").anchor_pem();
    let template: Pod = serde_json::from_value(pod("shop", "web", "a", EARLY, &pki)).unwrap();
    for at in 0..100_000_u32 {
        let mut pod = template.clone();
        pod.metadata.name = format!("web-7d4f8c-{at}");
        observer.pod(&Origin::default(), pod);
    }
    let mesh = observer.finish(None).unwrap();
    assert_eq!((mesh.bundles.len(), mesh.proxies.len()), (1, 1));
    assert_eq!(group(&mesh, "Deployment shop/web").count(), 100_000);
}
