//! The file of version 1: what was written once is read by every later program, and written the same.

use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use l5d_rotate::document::{self, yaml};
use l5d_rotate::mesh::{Era, Held, Known, Mesh, Obstacle, Owner, Plane, Scope, Unread};
use l5d_rotate::source::{self, Input, Request};
use serde_json::{Value, json};

/// With every kind of field in it, and never written anew: what this test asks of it is what version 1 promises.
fn old() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/snapshot-v1.yaml")).unwrap()
}

fn read(text: &str) -> Mesh {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    fs::write(file.path(), text).unwrap();
    let inputs = vec![Input::Path(file.path().to_owned())];
    source::read(&Request { inputs, ..Request::default() }).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn an_old_file_is_read_into_the_mesh_that_it_was_written_from() {
    let mesh = read(&old());
    let plane = &mesh.control_plane;
    assert_eq!((plane.namespace.as_str(), plane.trust_domain.as_str()), ("linkerd", "cluster.local"));
    assert_eq!((plane.era, plane.external_ca), (Era::V2_12, true));
    assert_eq!(plane.workload_certificate_lifetime(), SignedDuration::from_secs(86_420));
    assert_eq!(plane.replicas.len(), 2);
    let issuer = mesh.issuer.as_option().unwrap();
    assert!(issuer.from_secret && issuer.chain.is_ok());
    let workloads = &mesh.workloads;
    assert_eq!(workloads[0].owners.len(), 9);
    assert_eq!(workloads[0].owners[1], Owner::TrustManager { bundle: "b".to_owned() });
    assert_eq!(workloads[1].obstacles.len(), 11);
    assert_eq!(workloads[1].obstacles[1], Obstacle::Partition(2));
    let group = &mesh.proxies[1];
    assert_eq!((group.plane, group.count(), group.starts.unknown), (Plane::Data, 4, 1));
    assert!(matches!(group.held, Held::Literal(_)) && mesh.literal_bundle(&group.held).is_some());
    assert_eq!((mesh.unmeshed.len(), mesh.certificates.len(), mesh.manifests.len()), (1, 2, 1));
    assert_eq!(
        (mesh.external_workloads, mesh.links),
        (vec!["vm/one".into()], vec!["linkerd-multicluster/east".into()])
    );
    assert_eq!(mesh.only.as_deref(), Some("shop"));
    let Known::Unknown(Unread::FewPods(missing)) = &mesh.pods else { panic!("{:?}", mesh.pods) };
    assert_eq!((missing[0].seen, missing[0].promised, missing[1].promised), (1, Some(3), None));
    let named = Scope::Object { namespace: "linkerd".into(), name: "linkerd-identity-issuer".into() };
    assert_eq!((mesh.gaps.len(), &mesh.gaps[0].scope), (4, &named));
    assert_eq!(mesh.gaps[0].why, Unread::Refused("secrets is forbidden".to_owned()));
}

#[test]
fn what_is_read_is_written_the_same_to_the_byte() {
    assert_eq!(yaml::write(&source::snapshot(&read(&old()))), old());
}

/// Found by the fuzz target `mesh`: the lines of a Bundle's `inLine` source became one.
#[test]
fn a_snapshot_of_a_snapshot_is_the_same() {
    for name in ["cluster.yaml", "cert-manager/cluster.yaml", "sick/cert-manager.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
        let first = yaml::write(&source::snapshot(&read(&fs::read_to_string(path).unwrap())));
        assert_eq!(yaml::write(&source::snapshot(&read(&first))), first, "{name}");
    }
}

/// What one mesh cannot show at once.
#[test]
fn every_other_value_is_read_and_written_too() {
    let eras =
        ["2.6", "2.7-2.8", "2.9", "2.10", "2.11", "2.12+"].map(|era| ("/controlPlane/era", json!(era)));
    let homes = ["ConfigGlobal", "ConfigValuesGlobal", "ConfigValues", "TrustRoots"]
        .map(|home| ("/trust/published/is/home", json!(home)));
    let keys = [
        json!("matches"),
        json!("mismatch"),
        json!("missing"),
        json!({"unreadable": "why"}),
        json!("notSeen"),
    ]
    .map(|key| ("/issuer/is/key", key));
    let instant = "2026-01-01T00:00:00Z";
    let changes = [json!({"at": instant}), json!({"since": instant}), json!("unknown")]
        .map(|change| ("/issuer/is/changed", change));
    let others = [
        ("/controlPlane/scheme", json!("linkerd.io/tls")),
        ("/controlPlane/scheme", json!("kubernetes.io/tls")),
        ("/controlPlane/version", Value::Null),
        ("/controlPlane/installer", Value::Null),
        ("/trust/published", json!("absent")),
        ("/trust/config", json!({"unknown": "no-secret"})),
        ("/trust/identity", Value::Null),
        ("/issuer", json!("absent")),
        ("/issuer/is/chain", json!({"Err": "why"})),
        ("/issuer/is/ca", Value::Null),
        ("/pods", json!("absent")),
        ("/pods", json!({"is": null})),
        ("/only", Value::Null),
    ];
    let parsed = document::parse(&old(), "old").unwrap().remove(0).tree;
    for (place, value) in eras.into_iter().chain(homes).chain(keys).chain(changes).chain(others) {
        let mut tree = parsed.clone();
        *tree["mesh"].pointer_mut(place).unwrap() = value.clone();
        assert_eq!(source::snapshot(&read(&yaml::write(&tree))), tree, "{place}: {value}");
    }
}

#[test]
fn a_file_from_before_a_field_was_added_is_read() {
    let mut tree = document::parse(&old(), "old").unwrap().remove(0).tree;
    tree["mesh"].as_object_mut().unwrap().shift_remove("unmeshed");
    assert!(read(&yaml::write(&tree)).unmeshed.is_empty());
}

#[test]
fn how_pods_were_made_is_written_where_it_is_known() {
    let mut tree = document::parse(&old(), "old").unwrap().remove(0).tree;
    let made = json!({"created": "2026-01-01T00:00:00Z", "trustRoot": "ab".repeat(32)});
    tree["mesh"]["controlPlane"]["replicas"][0]["made"] = made.clone();
    tree["mesh"]["proxies"][0]["made"] = json!({"created": "2026-01-01T00:00:00Z"});
    let mesh = read(&yaml::write(&tree));
    assert_eq!(mesh.control_plane.replicas[0].made.trust_root.unwrap().to_string(), "ab".repeat(32));
    assert_eq!(mesh.control_plane.replicas[1].made, Default::default());
    assert_eq!(source::snapshot(&mesh), tree);
}
