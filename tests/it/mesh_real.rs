//! Linkerd's own rendered installs and injected workloads are read for what they are.

use l5d_rotate::mesh::{
    Era, GoDuration, Held, Injection, KeyState, Known, Mesh, Obstacle, Owner, Plane, REDACTED, Scheme,
};
use l5d_rotate::pki::Rules;

use crate::support::manifests::{CONTROL_PLANES, mesh, real};
use crate::support::pki::at;

fn read(test: &str, path: &str) -> Option<String> {
    real(test).map(|folder| std::fs::read_to_string(folder.join(path)).unwrap())
}

fn names(mesh: &Mesh) -> Vec<&str> {
    mesh.workloads.iter().map(|workload| workload.object.name.as_str()).collect()
}

#[test]
fn every_install_shows_its_era_its_bundle_and_its_issuer() {
    let installs = [
        ("2.8.1", Era::V2_7, "install-control-plane-version"),
        ("2.10.2", Era::V2_10, "dev-undefined"),
        ("2.12.6", Era::V2_12, "install-control-plane-version"),
        ("2.20", Era::V2_12, "install-control-plane-version"),
    ];
    for (version, era, called) in installs {
        let Some(text) = read("every_install_shows_its_era", &format!("install/{version}.yaml")) else {
            return;
        };
        let mesh = mesh(&[&text]);
        let control_plane = &mesh.control_plane;
        assert_eq!(control_plane.namespace, "linkerd", "{version}");
        assert_eq!((control_plane.era, control_plane.scheme), (era, Scheme::Linkerd), "{version}");
        assert_eq!(control_plane.version.as_deref(), Some(called), "{version}");
        assert_eq!(control_plane.installer, Some(Owner::LinkerdCli), "{version}");
        assert_eq!(control_plane.trust_domain, "cluster.local");
        assert_eq!(control_plane.issuance_lifetime, GoDuration::from_secs(86_400));
        assert_eq!(control_plane.clock_skew, GoDuration::from_secs(20));
        assert!(!control_plane.external_ca && control_plane.replicas.is_empty());

        let published = mesh.trust.published.as_option().unwrap();
        assert_eq!(published.home, era.trust_home());
        let anchors = published.text.as_read_by(Rules::Controller).unwrap();
        let copy = mesh.trust.config.as_option().unwrap().as_read_by(Rules::Controller).unwrap();
        assert!(anchors.same_set(copy), "{version}");
        assert_eq!(mesh.trust.identity.is_some(), era == Era::V2_10, "{version}");

        let issuer = mesh.issuer.as_option().unwrap();
        assert_eq!(issuer.key, KeyState::Matches, "{version}");
        assert_eq!(issuer.chain.as_ref().unwrap().issuer.name(), "identity.linkerd.cluster.local");
        assert_eq!((mesh.pods.clone(), mesh.proxies.len()), (Known::Absent, 0), "{version}");
    }
}

#[test]
fn every_install_shows_its_control_plane_and_not_the_heartbeat() {
    for (version, workloads) in CONTROL_PLANES {
        let Some(text) = read("every_install_shows_its_control_plane", &format!("install/{version}.yaml"))
        else {
            return;
        };
        let mesh = mesh(&[&text]);
        assert_eq!(names(&mesh), workloads, "{version}");
        for workload in &mesh.workloads {
            assert_eq!((workload.plane, workload.injection), (Plane::Control, Injection::ControlPlane));
            assert_eq!((workload.obstacles.len(), workload.replicas), (0, Some(1)), "{}", workload.object);
            let kept = mesh.manifest("Deployment", "linkerd", &workload.object.name).unwrap();
            assert!(kept.tree.pointer("/spec/template/spec/containers/0").is_some());
        }
    }
}

#[test]
fn no_private_key_of_an_install_is_kept() {
    for version in ["2.8.1", "2.10.2", "2.12.6", "2.20"] {
        let Some(text) = read("no_private_key_of_an_install_is_kept", &format!("install/{version}.yaml"))
        else {
            return;
        };
        let mesh = mesh(&[&text]);
        let secret = mesh.manifest("Secret", "linkerd", "linkerd-identity-issuer").unwrap();
        assert_eq!(secret.tree["data"]["key.pem"], REDACTED);
        if version != "2.8.1" {
            let overrides = mesh.manifest("Secret", "linkerd", "linkerd-config-overrides").unwrap();
            assert_eq!(overrides.tree["data"]["linkerd-config-overrides"], REDACTED);
        }
        let snapshot = l5d_rotate::source::snapshot(&mesh).to_string();
        assert!(!snapshot.contains("PRIVATE KEY"), "{version}");
        // The same words in base64, at each of the three offsets.
        let encoded = ["UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW"];
        assert!(encoded.iter().any(|words| text.contains(words)));
        assert!(!encoded.iter().any(|words| snapshot.contains(words)), "{version}");
        let key = text.lines().find_map(|line| line.trim().strip_prefix("key.pem: ")).unwrap();
        assert!(!snapshot.contains(key));
    }
}

#[test]
fn templates_that_were_injected_manually_say_so() {
    let Some(install) = read("templates_that_were_injected_manually", "install/2.20.yaml") else { return };
    let list = read("", "inject/emojivoto-list-2.20.yaml").unwrap();
    let pod = read("", "inject/emojivoto-pod-native-sidecar-2.20.yaml").unwrap();
    let mesh = mesh(&[&install, &list, &pod]);
    let data: Vec<_> = mesh.workloads.iter().filter(|workload| workload.plane == Plane::Data).collect();
    let seen: Vec<_> = data
        .iter()
        .map(|workload| (workload.object.to_string(), workload.injection, workload.obstacles.as_slice()))
        .collect();
    assert_eq!(
        seen,
        [
            (
                "Deployment emojivoto/emoji".to_owned(),
                Injection::Manual,
                [Obstacle::ManualInjection].as_slice()
            ),
            ("Deployment emojivoto/web".to_owned(), Injection::Manual, &[Obstacle::ManualInjection]),
            (
                "Pod emojivoto/vote-bot".to_owned(),
                Injection::Manual,
                &[Obstacle::BarePod, Obstacle::ManualInjection]
            ),
        ]
    );
    assert_eq!(mesh.pods, Known::Absent);
}

#[test]
fn a_native_sidecar_is_a_proxy_with_its_own_start() {
    let Some(install) = read("a_native_sidecar_is_a_proxy", "install/2.20.yaml") else { return };
    let pod = read("", "inject/emojivoto-pod-native-sidecar-2.20.yaml").unwrap();
    let running = "status:\n  phase: Running\n  initContainerStatuses:\n  - name: linkerd-proxy\n    state: {running: {startedAt: 2026-05-01T10:00:00Z}}\n";
    let pod = format!("{}\n{running}", pod.trim_end().trim_end_matches("---"));
    let mesh = mesh(&[&install, &pod]);
    let [group] = mesh.proxies.as_slice() else { panic!("{:?}", mesh.proxies) };
    assert_eq!((group.count(), group.sample.as_slice()), (1, ["vote-bot".to_owned()].as_slice()));
    assert_eq!(group.starts.not_after(at("2026-05-01T10:00:00Z")), 1);
    let Held::Literal(_) = group.held else { panic!("{:?}", group.held) };
    let bundle = mesh.literal_bundle(&group.held).unwrap().as_read_by(Rules::Proxy).unwrap();
    let published = mesh.trust.published.as_option().unwrap().text.as_read_by(Rules::Proxy).unwrap();
    assert!(bundle.same_set(published));
    assert_eq!(mesh.pods, Known::Is(()));
}
