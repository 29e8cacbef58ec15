//! Each era is told by its features, and its trust material found where that era keeps it.

use l5d_rotate::mesh::{ChangeTime, Era, GoDuration, KeyState, Known, Owner, Scheme};
use l5d_rotate::pki::Rules;
use serde_json::{Value, json};

use crate::support::manifests;
use crate::support::manifests::{control_plane, list, mesh, mint, pod, refused};
use crate::support::pki::{Pair, at};

const ERAS: [(&str, Era); 6] = [
    ("2.6", Era::V2_6),
    ("2.8", Era::V2_7),
    ("2.9", Era::V2_9),
    ("2.10", Era::V2_10),
    ("2.11", Era::V2_11),
    ("2.12", Era::V2_12),
];

#[test]
fn each_era_is_told_and_its_material_found() {
    let pki = mint("root");
    for (name, era) in ERAS {
        let mesh = mesh(&[&control_plane(name, &pki)]);
        assert_eq!(mesh.control_plane.era, era, "{name}");
        let published = mesh.trust.published.as_option().unwrap();
        assert_eq!(published.home, era.trust_home(), "{name}");
        let anchors = |text: &l5d_rotate::pki::BundleText| {
            text.as_read_by(Rules::Controller).unwrap().anchors().to_vec()
        };
        let anchor = [pki.anchor.certificate.clone()];
        assert_eq!(anchors(&published.text), anchor, "{name}");
        assert_eq!(anchors(mesh.trust.config.as_option().unwrap()), anchor, "{name}");
        let identity = mesh.trust.identity.as_ref().map(anchors);
        assert_eq!(identity.is_some(), matches!(era, Era::V2_9 | Era::V2_10), "{name}");
        assert!(identity.is_none_or(|found| found == anchor));
        let issuer = mesh.issuer.as_option().unwrap();
        assert_eq!(issuer.chain.as_ref().unwrap().issuer, pki.issuer.certificate, "{name}");
        assert_eq!((&issuer.key, issuer.from_secret), (&KeyState::Matches, true), "{name}");
        assert_eq!(issuer.keys, ["crt.pem", "key.pem"]);
    }
}

#[test]
fn the_arguments_of_the_identity_controller_go_before_the_configuration() {
    let pki = mint("root");
    for (name, _) in ERAS {
        let control_plane = mesh(&[&control_plane(name, &pki)]).control_plane;
        assert_eq!(control_plane.trust_domain, "mesh.example", "{name}");
        assert_eq!(control_plane.issuance_lifetime, GoDuration::from_secs(43_200), "{name}");
        assert_eq!(control_plane.clock_skew, GoDuration::from_secs(30), "{name}");
    }
    let text = control_plane("2.12", &pki);
    let without = text.replace("        - -identity-", "        - -no-identity-");
    assert_ne!(text, without);
    let configured = mesh(&[&without]).control_plane;
    assert_eq!(configured.issuance_lifetime, GoDuration::from_secs(86_400));
    assert_eq!(configured.clock_skew, GoDuration::from_secs(20));
}

#[test]
fn a_duration_that_the_controller_cannot_read_is_what_it_falls_back_to() {
    let text = control_plane("2.12", &mint("root"));
    let text = text.replace("lifetime=12h0m0s", "lifetime=1 day").replace("allowance=30s", "allowance=soon");
    let control_plane = mesh(&[&text]).control_plane;
    assert_eq!(control_plane.issuance_lifetime, GoDuration::from_secs(86_400));
    assert_eq!(control_plane.clock_skew, GoDuration::from_secs(10));
}

#[test]
fn version_and_installer_are_told() {
    let pki = mint("root");
    let helm = |release: &str, namespace: &str| {
        Some(Owner::Helm { release: release.to_owned(), namespace: namespace.to_owned() })
    };
    for (name, version, installer) in [
        ("2.6", "stable-2.6.1", Some(Owner::LinkerdCli)),
        ("2.8", "stable-2.8.1", Some(Owner::LinkerdCli)),
        ("2.9", "stable-2.9.5", helm("linkerd2", "default")),
        ("2.10", "stable-2.10.2", helm("linkerd2", "default")),
        ("2.12", "edge-25.4.4", helm("linkerd-control-plane", "linkerd")),
    ] {
        let control_plane = mesh(&[&control_plane(name, &pki)]).control_plane;
        assert_eq!(
            (control_plane.version.as_deref(), control_plane.installer),
            (Some(version), installer),
            "{name}"
        );
    }
    let argo = control_plane("2.12", &pki).replace(
        "meta.helm.sh/release-name: linkerd-control-plane",
        "argocd.argoproj.io/tracking-id: mesh:/ConfigMap:linkerd/linkerd-config",
    );
    let argo = mesh(&[&argo]).control_plane;
    assert_eq!(argo.installer, Some(Owner::ArgoCd { application: "mesh".to_owned() }));
}

#[test]
fn a_global_that_an_umbrella_chart_hands_down_is_not_the_2_9_notation() {
    let text = control_plane("2.12", &mint("root"))
        .replace("    cliVersion: \"\"\n", "    cliVersion: \"\"\n    global: {}\n");
    assert!(text.contains("global: {}"));
    assert_eq!(mesh(&[&text]).control_plane.era, Era::V2_12);
}

#[test]
fn the_configuration_alone_tells_the_era_where_it_can() {
    let pki = mint("root");
    for (name, era) in ERAS {
        let text = control_plane(name, &pki);
        let config: Vec<&str> = text
            .split("\n---\n")
            .filter(|document| document.contains("\n  name: linkerd-config\n"))
            .collect();
        assert_eq!(config.len(), 1);
        let mesh = mesh(&config);
        assert_eq!(mesh.control_plane.era, era, "{name}");
        assert_eq!(mesh.trust.published == Known::Absent, matches!(era, Era::V2_11 | Era::V2_12), "{name}");
    }
}

#[test]
fn control_plane_pods_alone_tell_an_era_by_reference_or_nothing() {
    let mut identity = pod("linkerd", "linkerd-identity", "a", "2026-03-01T00:00:00Z", "");
    identity["metadata"]["labels"]["linkerd.io/control-plane-component"] = "identity".into();
    let literal = refused(&[&list(&[identity.clone()])]);
    assert_eq!(literal, "nothing tells which version of Linkerd runs in namespace linkerd");
    identity["spec"]["containers"][1]["env"][0] = json!({
        "name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS",
        "valueFrom": {"configMapKeyRef": {"name": "linkerd-identity-trust-roots", "key": "ca-bundle.crt"}},
    });
    assert_eq!(mesh(&[&list(&[identity])]).control_plane.era, Era::V2_12);
}

/// The documents of a control plane as trees, to be changed by a test.
fn trees(era: &str, pki: &Pair) -> Vec<Value> {
    manifests::documents(&[&control_plane(era, pki)]).into_iter().map(|document| document.tree).collect()
}

fn named<'a>(trees: &'a mut [Value], kind: &str, name: &str) -> &'a mut Value {
    trees.iter_mut().find(|tree| tree["kind"] == kind && tree["metadata"]["name"] == name).unwrap()
}

#[test]
fn change_times_come_from_the_managers_of_the_data() {
    let mut all = trees("2.12", &mint("root"));
    named(&mut all, "ConfigMap", "linkerd-identity-trust-roots")["metadata"]["managedFields"] = json!([
        {"manager": "helm", "operation": "Update", "time": "2026-02-01T00:00:00Z", "fieldsV1": {"f:data": {"f:ca-bundle.crt": {}}}},
        {"manager": "labels", "operation": "Update", "time": "2026-03-01T00:00:00Z", "fieldsV1": {"f:metadata": {}}},
    ]);
    named(&mut all, "Secret", "linkerd-identity-issuer")["metadata"]["creationTimestamp"] =
        "2026-01-05T00:00:00Z".into();
    let mesh = mesh(&[&list(&all)]);
    assert_eq!(mesh.trust.published.as_option().unwrap().changed, ChangeTime::At(at("2026-02-01T00:00:00Z")));
    assert_eq!(mesh.issuer.as_option().unwrap().changed, ChangeTime::Since(at("2026-01-05T00:00:00Z")));
    let roots = mesh.manifest("ConfigMap", "linkerd", "linkerd-identity-trust-roots").unwrap();
    assert_eq!(roots.tree["metadata"].get("managedFields"), None);
}

#[test]
fn an_issuer_of_cert_manager_is_read_by_its_scheme() {
    let pki = mint("root");
    let mut all = trees("2.12", &pki);
    let secret = named(&mut all, "Secret", "linkerd-identity-issuer");
    secret["type"] = "kubernetes.io/tls".into();
    secret["metadata"]["annotations"] =
        json!({"cert-manager.io/certificate-name": "linkerd-identity-issuer"});
    secret["data"] = Value::Null;
    secret["stringData"] =
        json!({"tls.crt": pki.issuer_pem(), "tls.key": pki.key_pem(), "ca.crt": pki.anchor_pem()});
    let text = list(&all);
    let wrong = mesh(&[&text]);
    assert_eq!(wrong.control_plane.scheme, Scheme::Linkerd);
    let issuer = wrong.issuer.as_option().unwrap();
    assert_eq!(
        issuer.chain.as_ref().unwrap_err().to_string(),
        "there is no crt.pem (scheme linkerd.io/tls); the Secret has ca.crt, tls.crt, tls.key"
    );
    assert_eq!(issuer.key, KeyState::Missing);

    let right =
        mesh(&[&text.replace("-identity-scheme=linkerd.io/tls", "--identity-scheme=kubernetes.io/tls")]);
    assert_eq!(right.control_plane.scheme, Scheme::Kubernetes);
    let issuer = right.issuer.as_option().unwrap();
    assert_eq!(
        (issuer.key.clone(), issuer.secret_type.as_deref()),
        (KeyState::Matches, Some("kubernetes.io/tls"))
    );
    assert!(issuer.ca.as_ref().unwrap().as_read_by(Rules::Controller).is_ok());
    let manifest = right.manifest("Secret", "linkerd", "linkerd-identity-issuer").unwrap();
    assert_eq!(manifest.owners, [Owner::CertManager { certificate: "linkerd-identity-issuer".to_owned() }]);
}

#[test]
fn an_external_ca_is_told_by_the_setting_the_owner_or_the_hash_of_nothing() {
    let pki = mint("root");
    let text = control_plane("2.12", &pki);
    assert!(!mesh(&[&text]).control_plane.external_ca);
    let hash = l5d_rotate::pki::Fingerprint::digest(pki.anchor_pem().as_bytes()).to_string();
    let nothing = l5d_rotate::pki::Fingerprint::digest(b"").to_string();
    let bundle = "apiVersion: trust.cert-manager.io/v1alpha1\nkind: Bundle\nmetadata: {name: linkerd-identity-trust-roots}\n";
    for external in [
        text.replace("externalCA: false", "externalCA: true"),
        text.replace(&hash, &nothing),
        text.replacen(
            "  labels:\n",
            "  labels:\n    trust.cert-manager.io/bundle: linkerd-identity-trust-roots\n",
            1,
        ),
        format!("{text}---\n{bundle}"),
    ] {
        assert_ne!(external, text);
        assert!(mesh(&[&external]).control_plane.external_ca);
    }
}

#[test]
fn certificates_above_the_issuer_are_found() {
    let cert_manager = "
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: linkerd-identity-issuer, namespace: linkerd}
spec:
  secretName: linkerd-identity-issuer
  isCA: true
  duration: 48h
  renewBefore: 25h
  privateKey: {algorithm: ECDSA, rotationPolicy: Always}
  issuerRef: {name: mesh-ca, kind: ClusterIssuer}
status: {renewalTime: 2026-05-01T00:00:00Z}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: mesh-ca}
spec: {ca: {secretName: mesh-root}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: mesh-root, namespace: cert-manager}
spec: {secretName: mesh-root, isCA: true, issuerRef: {name: self}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: shop, namespace: shop}
spec: {secretName: shop-tls, issuerRef: {name: mesh-ca, kind: ClusterIssuer}}
";
    let mesh = mesh(&[&control_plane("2.12", &mint("root")), cert_manager]);
    let found: Vec<_> = mesh.certificates.iter().map(|certificate| certificate.object.to_string()).collect();
    assert_eq!(found, ["Certificate cert-manager/mesh-root", "Certificate linkerd/linkerd-identity-issuer"]);
    let issuer = &mesh.certificates[1];
    assert_eq!(issuer.duration, Some(GoDuration::from_secs(48 * 3600)));
    assert_eq!(issuer.renew_before, Some(GoDuration::from_secs(25 * 3600)));
    assert_eq!((issuer.rotation_policy.as_deref(), issuer.is_ca), (Some("Always"), true));
    assert_eq!(issuer.renewal_time, Some(at("2026-05-01T00:00:00Z")));
    // The Secret does not say so itself: the Certificate has only been read.
    let secret = mesh.manifest("Secret", "linkerd", "linkerd-identity-issuer").unwrap();
    assert_eq!(secret.owners[0], Owner::CertManager { certificate: "linkerd-identity-issuer".to_owned() });
}
