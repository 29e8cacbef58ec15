//! A mesh is the same whatever the order of reading, and nothing of it is lost when it is written down.

use std::sync::LazyLock;

use l5d_rotate::document::Document;
use l5d_rotate::mesh::{Gap, Mesh, Unread};
use l5d_rotate::source;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sizes;
use crate::support::manifests::{control_plane, documents, list, mint, observe_all, pod};

/// An input with something of everything, none of it twice.
static INPUT: LazyLock<Vec<Document>> = LazyLock::new(|| {
    let pki = mint("root");
    let (old, new) = (mint("old").anchor_pem(), pki.anchor_pem());
    let mut trees: Vec<Value> = Vec::new();
    for (deployment, bundle) in [("web", &old), ("api", &new), ("web2", &new)] {
        trees.extend(
            ["a", "b", "c", "d", "e", "f"]
                .map(|suffix| pod("shop", deployment, suffix, "2026-03-01T00:00:00Z", bundle)),
        );
    }
    trees[0]["status"]["containerStatuses"][0]["state"] =
        json!({"running": {"startedAt": "2026-03-02T00:00:00.5Z"}});
    trees[1]["status"]["containerStatuses"] = json!([]);
    trees[2]["metadata"]["annotations"]["linkerd.io/created-by"] = "linkerd/cli stable-2.14.10".into();
    trees[3]["spec"]["containers"][1]["env"] = json!([]);
    trees[4]["metadata"]["ownerReferences"][0] =
        json!({"apiVersion": "batch/v1", "kind": "Job", "name": "clean-1"});
    trees[4]["metadata"]["labels"] = json!({"linkerd.io/control-plane-ns": "linkerd"});
    trees[5]["metadata"]["ownerReferences"][0] =
        json!({"apiVersion": "example.org/v1", "kind": "Db", "name": "db"});
    let mut identity = pod("linkerd", "linkerd-identity", "a", "2026-03-01T00:00:00Z", "");
    identity["metadata"]["labels"]["linkerd.io/control-plane-component"] = "identity".into();
    identity["spec"]["containers"][1]["env"][0] = json!({"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "valueFrom": {"configMapKeyRef": {
            "name": "linkerd-identity-trust-roots", "key": "ca-bundle.crt"}}});
    trees.push(identity);
    let template = json!({"metadata": {}, "spec": {"containers": [{"name": "app"}]}});
    let object = |api_version: &str, kind: &str, name: &str, spec: Value| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": spec});
    trees.push(object(
        "apps/v1",
        "StatefulSet",
        "db",
        json!({"template": template, "updateStrategy": {"rollingUpdate": {"partition": 3}}}),
    ));
    trees.push(object("apps/v1", "Deployment", "web", json!({"template": template, "replicas": 6})));
    trees.push(object(
        "batch/v1",
        "CronJob",
        "clean",
        json!({"jobTemplate": {"spec": {"template": template}}}),
    ));
    trees.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "annotations": {"linkerd.io/inject": "enabled"}}}));
    trees.push(object("multicluster.linkerd.io/v1alpha3", "Link", "west", json!({})));
    trees.push(object("workload.linkerd.io/v1beta1", "ExternalWorkload", "vm", json!({})));
    trees.push(json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": "linkerd-trust-anchor", "namespace": "cert-manager"},
        "spec": {"secretName": "linkerd-trust-anchor", "isCA": true, "duration": "1.5s"},
        "status": {"renewalTime": "2026-05-01T00:00:00Z"}}));
    documents(&[&control_plane("2.12", &pki), &list(&trees)])
});

fn mesh(documents: Vec<Document>) -> Mesh {
    let mut observer = observe_all(documents, true);
    let forbidden = || Unread::Refused("forbidden".to_owned());
    observer.gap(Gap::object("secrets", "shop", "a", forbidden()));
    for resource in ["links", "events"] {
        observer.gap(Gap::all("", resource, forbidden()));
    }
    observer.finish(None).unwrap()
}

#[test]
fn the_input_has_something_of_everything() {
    let mesh = mesh(INPUT.clone());
    assert_eq!((mesh.bundles.len(), mesh.proxies.len(), mesh.workloads.len()), (2, 7, 7));
    assert_eq!((mesh.links.len(), mesh.external_workloads.len(), mesh.certificates.len()), (1, 1, 1));
    assert!(mesh.manifest("Deployment", "shop", "web").is_some());
    assert_eq!(mesh.gaps.len(), 3);
}

fn read_again(snapshot: &serde_json::Value) -> Mesh {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), l5d_rotate::document::yaml::write(snapshot)).unwrap();
    let inputs = vec![source::Input::Path(file.path().to_owned())];
    source::read(&source::Request { inputs, ..source::Request::default() }).unwrap()
}

#[test]
fn a_mesh_written_down_and_read_again_is_the_same() {
    for era in ["2.6", "2.8", "2.9", "2.10", "2.11"] {
        let mesh = mesh(documents(&[&control_plane(era, &mint("root"))]));
        assert_eq!(read_again(&source::snapshot(&mesh)), mesh, "{era}");
    }
    let mesh = mesh(INPUT.clone());
    let written = source::snapshot(&mesh);
    let again = read_again(&written);
    assert_eq!(again, mesh);
    assert_eq!(source::snapshot(&again), written);
    assert!(!written.to_string().contains("PRIVATE KEY"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sizes::of(32, 64), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_reading_does_not_matter(shuffled in Just(INPUT.clone()).prop_shuffle()) {
        prop_assert_eq!(mesh(shuffled), mesh(INPUT.clone()));
    }
}
