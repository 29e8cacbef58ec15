//! Writes `testdata/`: `UPDATE_TESTDATA=1 cargo test --test it testdata:: -- --ignored`.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use l5d_rotate::document;
use l5d_rotate::pki::KeyEncoding;
use serde_json::{Value, json};

use crate::cluster::{Cluster, at};
use crate::runner;
use crate::support::user::User;

const README: &str = "\
# Test data

`cluster.yaml` is what `kubectl get … -o yaml` prints of a Linkerd edge-25.4.4 in a cluster of a few teams, on 23 November 2026, five weeks before its anchor and issuer expire.
`rotation/` is a rotation started over it that night, without its keys; `stages/` are snapshots of the same cluster after each step of that rotation; `sick/` are snapshots of meshes that something is wrong with.
`cert-manager/` is such a cluster under cert-manager and trust-manager after the first step of the rotation beside it, written by `UPDATE_TESTDATA=1 cargo test --test it managed::testdata -- --ignored`; its `verdicts.json` holds what packages of cert-manager 1.21.2 and trust-manager 0.25.0 (Apache-2.0) made of certificates of `rotation/`.
`checkouts/` holds repositories of six kinds, in which the anchor of `rotation/` is published; `UPDATE_GOLDEN=1 cargo test --test it checkouts` writes them.
`mesh/` holds control planes of six eras of Linkerd without their certificates: skeletons (`.yaml.in`), in which tests put what they mint in the place of `@ANCHORS@` and the like. They are no YAML before that.
`snapshot-v1.yaml` is a snapshot of version 1 in which every field is set; it is never written anew.
`linkerd-check.json` holds what `linkerd check --proxy` of edge-25.4.4 (2.18; linkerd2, Apache-2.0) cost in a cluster of 10,000 pods, in which it passed: requests, bytes on the wire, and its times on a machine with two processors; `UPDATE_TESTDATA=1 L5D_ROTATE_TEST_LINKERD=LINKERD cargo test --test it real_cluster::crowd -- --ignored` records it.
`verdicts.json` holds what real identity controllers did when this project's people started linkerd2 at version-2.20 and older tags (Apache-2.0) with these bundles and issuers; it is made of their records, without keys, by `UPDATE_TESTDATA=1 cargo test --test it verdicts -- --ignored`.
Everything is written by this project with throw-away keys that are kept nowhere, and no file holds a private key (the Secret's `key.pem` says so in words).
Read it at its own time, whatever the clock says: `kubectl l5d-rotate -f testdata/cluster.yaml --at 2026-11-23T02:00:00Z`.
Written anew by `UPDATE_TESTDATA=1 cargo test --test it testdata:: -- --ignored`, after which `UPDATE_GOLDEN=1 cargo test --test it golden` shows in its diff what users will see differently.
";

fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

#[test]
#[ignore = "writes testdata"]
fn testdata_is_written() {
    if runner::writes_nothing("testdata_is_written") {
        return;
    }
    for directory in ["rotation", "stages", "sick"] {
        fs::create_dir_all(testdata(directory)).unwrap();
    }
    fs::write(testdata("README.md"), README).unwrap();
    let mut user = User::rotating(Cluster::realistic());
    fs::write(testdata("cluster.yaml"), user.cluster.dump_yaml()).unwrap();
    for entry in fs::read_dir(user.home.path().join("rotation")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "key") {
            fs::copy(&path, testdata("rotation").join(path.file_name().unwrap())).unwrap();
        }
    }
    stages(&mut user);
    for (name, dump) in sick() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("sick.yaml"), dump).unwrap();
        let output =
            runner::plugin().current_dir(home.path()).args(["snapshot", "-f", "sick.yaml"]).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        fs::write(testdata("sick").join(name).with_extension("yaml"), output.stdout).unwrap();
    }
}

/// The whole rotation, with a snapshot after each step that matters.
fn stages(user: &mut User) {
    let stage = |user: &User, name: &str| {
        fs::write(testdata("stages").join(name).with_extension("yaml"), user.out("snapshot")).unwrap();
    };
    user.cluster.wait(SignedDuration::from_mins(30));
    user.take("bundle", 1);
    stage(user, "1-bundle-published");
    user.take("bundle", 2);
    stage(user, "2-control-plane-restarted");
    user.take_everywhere("bundle");
    stage(user, "3-bundle-everywhere");
    user.take("issuer", 1);
    stage(user, "4-issuer-swapped");
    user.take("issuer", 2);
    user.take_everywhere("issuer");
    stage(user, "5-certificates-renewed");
    user.take("prune", 1);
    stage(user, "6-pruned");
    user.take("prune", 2);
    user.take_everywhere("prune");
    stage(user, "7-finished");
}

/// Meshes that something is wrong with.
fn sick() -> Vec<(&'static str, String)> {
    let expired_issuer = Cluster::expiring("2027-12-28T09:00:00Z", "2026-11-22T21:04:11Z");
    let expired_anchor = Cluster::expiring("2026-11-22T21:04:11Z", "2026-11-22T21:04:11Z");
    let outlived = outlived("2026-11-22T21:04:11Z");
    let mut too_early = Cluster::new();
    let other = Cluster::new();
    (too_early.issuer, too_early.issuer_key) = (other.issuer, other.issuer_key);
    too_early.issuer_changed = at("2026-11-23T01:40:00Z");
    let mut blank_line = Cluster::new();
    blank_line.bundle.push_str("\n\n");
    blank_line.bundle_changed = at("2026-11-23T01:40:00Z");
    vec![
        ("expired-issuer", expired_issuer.dump_yaml()),
        ("expired-anchor", expired_anchor.dump_yaml()),
        ("expired-anchor-of-a-valid-issuer", outlived.dump_yaml()),
        ("issuer-swapped-too-early", too_early.dump_yaml()),
        ("trailing-blank-line-in-bundle", blank_line.dump_yaml()),
        ("cert-manager", under_cert_manager(&Cluster::new())),
    ]
}

/// A mesh whose issuer is valid for longer than its anchor, which expires then; a few proxies have started since.
fn outlived(end: &str) -> Cluster {
    let mut cluster = Cluster::expiring("2027-06-28T09:00:00Z", "2027-06-28T09:00:00Z");
    let key = rcgen::KeyPair::from_pem(&cluster.anchor.key.to_pem(KeyEncoding::Pkcs8).unwrap()).unwrap();
    let mut anchor = rcgen::CertificateParams::default();
    let name = "root.linkerd.cluster.local".try_into().unwrap();
    anchor.distinguished_name.push(rcgen::DnType::CommonName, rcgen::DnValue::PrintableString(name));
    anchor.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(1));
    anchor.not_before = rcgen::date_time_ymd(2025, 12, 28);
    anchor.not_after = time::OffsetDateTime::from_unix_timestamp(at(end).as_second()).unwrap();
    anchor.self_signed(&key).unwrap().pem().trim_end().clone_into(&mut cluster.bundle);
    for load in &mut cluster.workloads {
        load.held.clone_from(&cluster.bundle);
        if load.name == "checkout" || load.name == "web" {
            load.started = at("2026-11-22T23:31:40Z");
        }
    }
    cluster
}

/// The cluster with its issuer from cert-manager and its bundle from trust-manager, as Linkerd's guide sets them up.
fn under_cert_manager(cluster: &Cluster) -> String {
    let mut list: Value = serde_json::from_str(&cluster.dump()).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    for item in items.iter_mut() {
        match item["metadata"]["name"].as_str().unwrap() {
            "linkerd-identity-issuer" => {
                let certificate = item["data"]["crt.pem"].clone();
                item["data"] = json!({
                    "ca.crt": STANDARD.encode(&cluster.bundle), "tls.crt": certificate,
                    "tls.key": STANDARD.encode(l5d_rotate::mesh::REDACTED),
                });
                item["metadata"]["annotations"] = json!({
                    "cert-manager.io/certificate-name": "linkerd-identity-issuer", "cert-manager.io/issuer-kind": "ClusterIssuer",
                    "cert-manager.io/issuer-name": "linkerd-trust-anchor",
                });
                item["metadata"]["labels"] = json!({"controller.cert-manager.io/fao": "true"});
                item["type"] = json!("kubernetes.io/tls");
            }
            "linkerd-identity-trust-roots" => {
                item["metadata"]["labels"] =
                    json!({"trust.cert-manager.io/bundle": "linkerd-identity-trust-roots"});
            }
            "linkerd-config" => {
                let values = item["data"]["values"].as_str().unwrap();
                item["data"]["values"] = json!(
                    values
                        .replace("scheme: linkerd.io/tls", "scheme: kubernetes.io/tls")
                        .replace("externalCA: false", "externalCA: true")
                );
            }
            "linkerd-identity" => {
                let text = item
                    .to_string()
                    .replace("-identity-scheme=linkerd.io/tls", "-identity-scheme=kubernetes.io/tls");
                *item = serde_json::from_str(&text).unwrap();
            }
            _ => {}
        }
    }
    items.extend(certificates());
    document::yaml::write(&list)
}

fn certificates() -> Vec<Value> {
    let certificate = |namespace: &str, name: &str, spec: Value, renewal: &str| {
        json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": name, "namespace": namespace},
            "spec": spec, "status": {"renewalTime": renewal},
        })
    };
    vec![
        certificate(
            "cert-manager",
            "linkerd-trust-anchor",
            json!({"commonName": "root.linkerd.cluster.local", "duration": "8760h0m0s", "isCA": true,
                "issuerRef": {"kind": "ClusterIssuer", "name": "linkerd-self-signed-issuer"}, "secretName": "linkerd-trust-anchor"}),
            "2026-12-02T09:00:00Z",
        ),
        certificate(
            "linkerd",
            "linkerd-identity-issuer",
            json!({"commonName": "identity.linkerd.cluster.local", "duration": "48h0m0s", "isCA": true, "renewBefore": "25h0m0s",
                "issuerRef": {"kind": "ClusterIssuer", "name": "linkerd-trust-anchor"}, "secretName": "linkerd-identity-issuer"}),
            "2026-11-23T09:00:00Z",
        ),
        json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "linkerd-trust-anchor"},
            "spec": {"ca": {"secretName": "linkerd-trust-anchor"}}}),
        json!({"apiVersion": "trust.cert-manager.io/v1alpha1", "kind": "Bundle", "metadata": {"name": "linkerd-identity-trust-roots"},
            "spec": {"sources": [{"secret": {"key": "tls.crt", "name": "linkerd-trust-anchor"}}], "target": {"configMap": {"key": "ca-bundle.crt"}}}}),
    ]
}

/// What is called YAML there is what a stranger gives to `-f`.
#[test]
fn each_mesh_can_be_read_by_itself() {
    let mut read = 0;
    for directory in ["", "mesh", "stages", "sick"] {
        for entry in fs::read_dir(testdata(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let status =
                runner::plugin().arg("-f").arg(&path).args(["--at", crate::cluster::NOW]).output().unwrap();
            assert!(
                status.status.success(),
                "{}: {}",
                path.display(),
                String::from_utf8_lossy(&status.stderr)
            );
            read += 1;
        }
    }
    assert!(read > 10, "{read}");
}

#[test]
fn no_committed_file_holds_a_private_key() {
    let mut directories = vec![testdata("")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("PRIVATE KEY-----"), "{}", path.display());
            // `UFJJVkFURSBLRVkt` and its two shifts: the same words within base64.
            for encoded in ["UFJJVkFURSBLRVktLS0t", "BSSVZBVEUgS0VZLS0tL", "QUklWQVRFIEtFWS0tLS"] {
                assert!(!text.contains(encoded), "{}", path.display());
            }
        }
    }
    let shifts = ["", "x", "xx"].map(|before| STANDARD.encode(format!("{before}PRIVATE KEY-----")));
    assert!(shifts[0].starts_with("UFJJVkFURSBLRVktLS0t"));
    assert!(shifts[1].contains("BSSVZBVEUgS0VZLS0tL") && shifts[2].contains("QUklWQVRFIEtFWS0tLS"));
}
