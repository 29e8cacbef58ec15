//! Input that is not what it should be is refused with its place, or shown as unreadable; never taken as fine.

use l5d_rotate::mesh::{Gap, Issuer, KeyState, Known, Mesh, MeshError, REDACTED, Unread};
use serde_json::{Value, json};

use crate::support::manifests::{control_plane, documents, list, mesh, mint, observe, refused};
use crate::support::pki::Pair;

fn v2_12() -> String {
    control_plane("2.12", &mint("root"))
}

/// A control plane of 2.12 with its issuer Secret changed.
fn with_issuer(change: impl FnOnce(&mut Value, &Pair)) -> Mesh {
    let pki = mint("root");
    let mut trees: Vec<Value> =
        documents(&[&control_plane("2.12", &pki)]).into_iter().map(|document| document.tree).collect();
    change(trees.iter_mut().find(|tree| tree["kind"] == "Secret").unwrap(), &pki);
    mesh(&[&list(&trees)])
}

fn issuer(mesh: &Mesh) -> &Issuer {
    mesh.issuer.as_option().unwrap()
}

#[test]
fn nothing_of_linkerd_is_said_so() {
    let text = refused(&["apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"]);
    assert_eq!(text, "no Linkerd control plane in the input");
}

#[test]
fn nothing_that_could_be_read_names_what_could_not() {
    let mut observer = observe(&[]);
    observer.gap(Gap::object("configmaps", "linkerd", "linkerd-config", Unread::Refused("forbidden".into())));
    let error = observer.finish(None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no Linkerd control plane in what could be read; not read: configmaps linkerd/linkerd-config (forbidden)"
    );
}

#[test]
fn two_linkerds_are_listed_and_one_can_be_chosen() {
    let one = v2_12();
    let two = control_plane("2.10", &mint("other"))
        .replace("namespace: linkerd\n", "namespace: mesh-two\n")
        .replace("control-plane-ns: linkerd\n", "control-plane-ns: mesh-two\n");
    let error = observe(&[&one, &two]).finish(None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 Linkerd control planes in the input, in the namespaces linkerd, mesh-two"
    );
    assert_eq!(error.help(), "say which one is meant: --linkerd-namespace linkerd|mesh-two");
    let chosen = |namespace| observe(&[&one, &two]).finish(Some(namespace)).unwrap();
    assert_eq!(chosen("linkerd").control_plane.era.to_string(), "2.12+");
    assert_eq!(chosen("mesh-two").control_plane.era.to_string(), "2.10");
    assert_eq!(chosen("mesh-two").control_plane.namespace, "mesh-two");
    for namespace in ["linkerd", "mesh-two"] {
        let mesh = chosen(namespace);
        let [workload] = mesh.workloads.as_slice() else { panic!("{:?}", mesh.workloads) };
        assert_eq!(workload.object.to_string(), format!("Deployment {namespace}/linkerd-identity"));
    }

    let error = observe(&[&one]).finish(Some("elsewhere")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no Linkerd control plane in namespace elsewhere; the input holds one in linkerd"
    );
}

#[test]
fn copies_that_trust_manager_makes_in_every_namespace_are_not_control_planes() {
    let copy = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: linkerd-identity-trust-roots, namespace: shop}\ndata: {ca-bundle.crt: x}\n";
    assert_eq!(mesh(&[&v2_12(), copy]).control_plane.namespace, "linkerd");
}

#[test]
fn objects_of_two_eras_are_named_with_their_places() {
    let old = control_plane("2.8", &mint("root"));
    let roots = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: linkerd-identity-trust-roots, namespace: linkerd}\ndata: {ca-bundle.crt: x}\n";
    assert_eq!(
        refused(&[&old, roots]),
        "objects of two Linkerd versions in one input: ConfigMap linkerd/linkerd-config (1.yaml:1) has `global` with a scheme \
         (2.7-2.8), but ConfigMap linkerd/linkerd-identity-trust-roots (2.yaml:1) exists (2.11 to 2.12+)"
    );
}

#[test]
fn a_configuration_of_one_era_and_a_controller_of_another_do_not_go_together() {
    let pki = mint("root");
    let config = control_plane("2.9", &pki);
    let config = config.split("\n---\n").next().unwrap();
    let identity = control_plane("2.10", &pki);
    let identity = identity.split("\n---\n").last().unwrap();
    let text = refused(&[config, identity]);
    assert!(
        text.contains("linkerd-config (1.yaml:1) has `values` with the settings under `global` (2.9)"),
        "{text}"
    );
    assert!(
        text.contains("linkerd-identity (2.yaml:1) has the variable LINKERD2_IDENTITY_TRUST_ANCHORS (2.10)"),
        "{text}"
    );
}

#[test]
fn a_config_map_without_its_key_is_named_with_the_key() {
    let without = |text: &str, line: &str| text.replacen(line, &line.replace(':', "-gone:"), 1);
    assert_eq!(
        refused(&[&without(&v2_12(), "  ca-bundle.crt: |-")]),
        "1.yaml:1: ConfigMap linkerd/linkerd-identity-trust-roots: data has no `ca-bundle.crt`, the trust bundle"
    );
    let config = without(&v2_12(), "  values: |");
    let text = refused(&[&config]);
    assert!(
        text.ends_with("ConfigMap linkerd/linkerd-config: data has neither `values` (Linkerd 2.9 and later) nor `global` (up to 2.8)"),
        "{text}"
    );
    for (era, line, field) in [
        (
            "2.10",
            "    identityTrustAnchorsPEM: |",
            "data.values, identityTrustAnchorsPEM, is missing or empty: it is this version's trust bundle",
        ),
        (
            "2.9",
            "      identityTrustAnchorsPEM: |",
            "data.values, global.identityTrustAnchorsPEM, is missing or empty: it is this version's trust bundle",
        ),
    ] {
        let text = refused(&[&without(&control_plane(era, &mint("root")), line)]);
        assert_eq!(text, format!("1.yaml:1: ConfigMap linkerd/linkerd-config: {field}"));
    }
    let v2_8 = control_plane("2.8", &mint("root")).replace("trustAnchorsPem", "trustAnchors");
    assert_eq!(
        refused(&[&v2_8]),
        "1.yaml:1: ConfigMap linkerd/linkerd-config: data.global, identityContext.trustAnchorsPem, is missing or empty: it is this version's trust bundle"
    );
}

#[test]
fn the_copy_of_the_bundle_may_be_missing_where_others_publish_it() {
    let text = v2_12();
    let mesh = mesh(&[&text.replace("    identityTrustAnchorsPEM: |", "    somethingElse: |")]);
    assert_eq!(mesh.trust.config, Known::Absent);
    assert!(mesh.trust.published.as_option().is_some());
}

#[test]
fn a_config_map_whose_text_cannot_be_read_is_named_with_the_line_in_it() {
    let text = v2_12().replace("    clusterDomain: cluster.local\n", "    clusterDomain: [\n");
    let said = refused(&[&text]);
    assert!(said.contains("ConfigMap linkerd/linkerd-config: data.values cannot be read: line "), "{said}");
    let text = control_plane("2.8", &mint("root")).replace("\"linkerdNamespace\":", "\"linkerdNamespace\"");
    let said = refused(&[&text]);
    assert!(said.contains("ConfigMap linkerd/linkerd-config: data.global cannot be read: line 1 "), "{said}");
    let text = control_plane("2.8", &mint("root"));
    let start = text.find("    {\"linkerdNamespace\"").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    let said = refused(&[&text.replace(&text[start..end], "    just text")]);
    assert!(said.contains("linkerd-config: data.global"), "{said}");
}

#[test]
fn a_certificate_that_is_not_base64_is_said_of_the_chain() {
    let mesh = with_issuer(|secret, _| secret["data"]["crt.pem"] = "${ISSUER_CRT}".into());
    assert_eq!(
        issuer(&mesh).chain.as_ref().unwrap_err().to_string(),
        "crt.pem is not base64: character 1 is none of its alphabet"
    );
    // Nothing is left to compare the key with.
    assert_eq!(issuer(&mesh).key, KeyState::NotSeen);
}

#[test]
fn a_key_that_is_not_base64_is_said_without_a_byte_of_it() {
    let mesh = with_issuer(|secret, _| secret["data"]["key.pem"] = "c2VjcmV0!".into());
    assert_eq!(
        issuer(&mesh).key,
        KeyState::Unreadable("key.pem is not base64: character 9 is none of its alphabet".to_owned())
    );
    let mesh = with_issuer(|secret, _| secret["data"]["key.pem"] = "//79".into());
    assert_eq!(
        issuer(&mesh).key,
        KeyState::Unreadable("key.pem is not text once decoded from base64".to_owned())
    );
}

#[test]
fn anchors_in_a_secret_that_are_not_base64_are_named_with_their_place() {
    let text = v2_12().replace("  crt.pem: ", "  ca.crt: '*'\n  crt.pem: ");
    let said = refused(&[&text]);
    assert!(
        said.ends_with("Secret linkerd/linkerd-identity-issuer: data.ca.crt is not base64: character 1 is none of its alphabet"),
        "{said}"
    );
}

#[test]
fn the_controller_s_own_copy_that_is_not_base64_is_named_with_its_place() {
    let pki = mint("root");
    for (era, field, marks) in [
        ("2.9", "argument -identity-trust-anchors-pem", "-identity-trust-anchors-pem="),
        ("2.10", "variable LINKERD2_IDENTITY_TRUST_ANCHORS", "value: "),
    ] {
        let text = control_plane(era, &pki);
        let start = text.rfind(&format!("{marks}LS0")).unwrap() + marks.len();
        let said = refused(&[
            &format!("{}#{}", &text[..start], &text[start + 1..]).replace("value: #", "value: '#'#")
        ]);
        assert!(
            said.contains(&format!("Deployment linkerd/linkerd-identity: {field} is not base64")),
            "{said}"
        );
    }
}

#[test]
fn base64_in_broken_lines_is_read() {
    let mesh = with_issuer(|secret, _| {
        let (first, rest) = secret["data"]["crt.pem"].as_str().unwrap().split_at(76);
        secret["data"]["crt.pem"] = format!("{first}\r\n{rest}\n").into();
    });
    assert_eq!(issuer(&mesh).key, KeyState::Matches);
}

#[test]
fn a_foreign_block_where_the_issuer_should_be_is_said_of_the_chain() {
    let mesh = with_issuer(|secret, pki| {
        secret["stringData"] = json!({"crt.pem": format!("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n{}", pki.issuer_pem())});
    });
    let why = issuer(&mesh).chain.as_ref().unwrap_err().to_string();
    assert!(why.starts_with("crt.pem: ") && why.contains("line 1"), "{why}");
}

#[test]
fn each_state_of_the_key_is_told_and_the_key_is_gone() {
    let other = mint("other").key_pem();
    let parameters =
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{other}");
    let states = [
        (json!(other), KeyState::Mismatch),
        (json!(""), KeyState::Missing),
        (
            json!(mint("before").anchor_pem() + &other),
            KeyState::Unreadable(
                "a block CERTIFICATE stands before it, which Linkerd does not pass over".to_owned(),
            ),
        ),
        (json!(REDACTED), KeyState::NotSeen),
        (
            json!("no key"),
            KeyState::Unreadable("no private key found: the text holds no PEM block".to_owned()),
        ),
        (
            json!(parameters),
            KeyState::Unreadable(
                "a block EC PARAMETERS stands before it, which Linkerd does not pass over".to_owned(),
            ),
        ),
    ];
    for (key, state) in states {
        let mesh = with_issuer(|secret, _| secret["stringData"] = json!({"key.pem": key.clone()}));
        assert_eq!(issuer(&mesh).key, state);
        let manifest = mesh.manifest("Secret", "linkerd", "linkerd-identity-issuer").unwrap();
        assert_eq!(manifest.tree["stringData"]["key.pem"], REDACTED);
        assert!(!l5d_rotate::source::snapshot(&mesh).to_string().contains("EC PRIVATE"));
    }
    let missing = with_issuer(|secret, _| _ = secret["data"].as_object_mut().unwrap().remove("key.pem"));
    assert_eq!(issuer(&missing).key, KeyState::Missing);
}

#[test]
fn a_pkcs8_key_is_unreadable_up_to_2_8_and_read_since() {
    let pki = mint("root");
    let pkcs8 = pki.issuer.key.to_pem(l5d_rotate::pki::KeyEncoding::Pkcs8).unwrap();
    let key = |era: &str| {
        let text = control_plane(era, &pki);
        let start = text.find("  key.pem: ").unwrap();
        let end = start + text[start..].find('\n').unwrap();
        let text = text.replace(&text[start..end], &format!("stringData:\n  key.pem: {}", json!(*pkcs8)));
        issuer(&mesh(&[&text])).key.clone()
    };
    assert_eq!(key("2.9"), KeyState::Matches);
    assert_eq!(
        key("2.8"),
        KeyState::Unreadable("it is PKCS#8 (`PRIVATE KEY`), which Linkerd 2.7-2.8 does not read".to_owned())
    );
}

#[test]
fn a_secret_that_sops_encrypted_says_so() {
    let mesh = with_issuer(|secret, _| {
        secret["data"] = json!({"crt.pem": "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]", "key.pem": "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]", "ca.crt": "ENC[x]"});
        secret["sops"] = json!({"mac": "ENC[x]"});
    });
    let found = issuer(&mesh);
    assert_eq!(
        found.chain.as_ref().unwrap_err().to_string(),
        "the Secret is encrypted (SOPS); decrypt it (`sops -d`) or give the Secret as the cluster has it"
    );
    assert_eq!((&found.key, &found.ca, found.keys.len()), (&KeyState::NotSeen, &None, 3));
}

#[test]
fn what_another_controller_turns_into_the_secret_says_so() {
    let without = |text: String| -> String {
        let kept: Vec<&str> =
            text.split("\n---\n").filter(|document| !document.contains("kind: Secret")).collect();
        kept.join("\n---\n")
    };
    let sealed = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: linkerd-identity-issuer, namespace: linkerd}\nspec: {encryptedData: {crt.pem: AgB, key.pem: AgB}}\n";
    let external = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: issuer, namespace: linkerd}\nspec: {target: {name: linkerd-identity-issuer}}\n";
    for (source, name) in [
        (sealed, "SealedSecret linkerd/linkerd-identity-issuer"),
        (external, "ExternalSecret linkerd/issuer"),
    ] {
        let mesh = mesh(&[&without(v2_12()), source]);
        assert_eq!(
            issuer(&mesh).chain.as_ref().unwrap_err().to_string(),
            format!(
                "only the cluster can make the Secret of {name} (2.yaml:1); add the Secret itself to the input"
            )
        );
        assert_eq!(issuer(&mesh).key, KeyState::NotSeen);
    }
}

#[test]
fn a_secret_that_may_not_be_read_is_taken_from_the_configuration_or_unknown() {
    let text = v2_12();
    let kept: Vec<&str> =
        text.split("\n---\n").filter(|document| !document.contains("kind: Secret")).collect();
    let text = kept.join("\n---\n");
    let forbidden = || Unread::Refused("forbidden".into());
    let gap = |name: &str| Gap::object("secrets", "linkerd", name, forbidden());
    for gap in [gap("linkerd-identity-issuer"), Gap::all("", "secrets", forbidden())] {
        let mut observer = observe(&[&text]);
        observer.gap(gap.clone());
        let mesh = observer.finish(None).unwrap();
        let found = issuer(&mesh);
        assert_eq!((found.from_secret, &found.key), (false, &KeyState::NotSeen));
        assert_eq!(found.chain.as_ref().unwrap().issuer.name(), "identity.linkerd.cluster.local");
        assert_eq!(mesh.gaps, std::slice::from_ref(&gap));

        let mut observer = observe(&[&text.replace("crtPEM", "nothing")]);
        observer.gap(gap);
        assert_eq!(
            observer.finish(None).unwrap().issuer,
            Known::Unknown(Unread::Refused("forbidden".into()))
        );
    }
    // Without a gap the Secret is missing only where Secrets were looked for at all.
    assert!(!issuer(&mesh(&[&text])).from_secret);
    let mut observer = observe(&[&text]);
    observer.secrets_were_read();
    assert_eq!(observer.finish(None).unwrap().issuer, Known::Absent);
    let mut observer = observe(&[&text]);
    observer.secrets_were_read();
    observer.gap(gap("other"));
    assert_eq!(observer.finish(None).unwrap().issuer, Known::Absent);
}

#[test]
fn what_may_not_be_read_is_unknown_and_not_absent() {
    let text = v2_12();
    let identity = text.split("\n---\n").last().unwrap();
    let mut observer = observe(&[identity]);
    let forbidden = |what: &str| Unread::Refused(format!("{what}: forbidden"));
    for name in ["linkerd-config", "linkerd-identity-trust-roots"] {
        observer.gap(Gap::object("configmaps", "linkerd", name, forbidden(name)));
    }
    observer.gap(Gap::all("", "pods", forbidden("pods")));
    let mesh = observer.finish(None).unwrap();
    assert_eq!(mesh.trust.published, Known::Unknown(forbidden("linkerd-identity-trust-roots")));
    assert_eq!(mesh.trust.config, Known::Unknown(forbidden("linkerd-config")));
    assert_eq!(mesh.pods, Known::Unknown(Unread::Refused("pods: forbidden".into())));
    assert_eq!(mesh.gaps.len(), 3);
}

#[test]
fn an_object_without_a_name_is_passed_over() {
    let text = format!("{}---\napiVersion: batch/v1\nkind: Job\nmetadata: {{generateName: a-}}\n", v2_12());
    assert_eq!(mesh(&[&text]).workloads.len(), 1);
}

#[test]
fn an_object_of_linkerd_without_a_namespace_is_its_control_plane_s() {
    let text = v2_12();
    let open = text.replace("  namespace: linkerd\n", "");
    assert_ne!(open, text);
    let mesh = mesh(&[&open]);
    assert_eq!(mesh.control_plane.namespace, "linkerd");
    assert_eq!(issuer(&mesh).key, KeyState::Matches);
    for (kind, name) in [
        ("ConfigMap", "linkerd-config"),
        ("Secret", "linkerd-identity-issuer"),
        ("Deployment", "linkerd-identity"),
    ] {
        assert!(mesh.manifest(kind, "linkerd", name).is_some(), "{kind} {name}");
    }
}

#[test]
fn every_error_says_what_to_do_next() {
    let errors = [
        MeshError::NoControlPlane,
        MeshError::Unreadable { gaps: Vec::new() },
        MeshError::SeveralControlPlanes { namespaces: vec!["a".to_owned()] },
        MeshError::UnknownEra { namespace: "a".to_owned(), between: String::new() },
        MeshError::MixedEras { one: "a".to_owned(), other: "b".to_owned() },
    ];
    assert!(errors.iter().all(|error| error.help().len() > 20));
}
