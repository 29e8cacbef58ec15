//! Linkerd's rules for each place that holds trust material.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use l5d_rotate::finding::{Finding, Instead, Severity, StepFact};
use l5d_rotate::mesh::{Era, Known, Manifest, Mesh, Owner, REDACTED, Scheme, Unread};
use l5d_rotate::pki::{BundleText, Fingerprint};
use l5d_rotate::render::{Edit, Form, RenderError, Rendered, render};
use l5d_rotate::report::{Screen, head_notes};
use l5d_rotate::rotation::{Phase, Stage};
use serde_json::{Value, json};

use crate::runner;
use crate::support::render;
use crate::support::render::install::{ERAS, Install, SCHEMES};
use crate::support::render::{Rotation, kubectl, mint, named, step, written};

fn over(era: Era, scheme: Scheme) -> Rotation {
    Rotation::over(|old| Install::new(era, scheme, old))
}

/// The install with one of its objects changed.
fn with(era: Era, scheme: Scheme, kind: &str, name: &str, change: impl FnOnce(&mut Value)) -> Rotation {
    let mut rotation = over(era, scheme);
    let mut objects: Vec<_> =
        rotation.install.mesh.manifests.iter().map(|manifest| manifest.tree.clone()).collect();
    let object = objects.iter_mut().find(|tree| tree["kind"] == *kind && tree["metadata"]["name"] == *name);
    change(object.unwrap());
    rotation.install = Install::of(era, scheme, objects);
    rotation
}

fn manifest<'a>(mesh: &'a mut Mesh, name: &str) -> &'a mut Manifest {
    mesh.manifests.iter_mut().find(|manifest| manifest.object.name == name).unwrap()
}

fn rendered(rotation: &Rotation, phase: Phase, stage: Stage, name: &str) -> Rendered {
    let step = rotation.step(step(phase, stage));
    rotation.render(&step).into_iter().find(|item| item.object.name == name).unwrap()
}

fn error(rotation: &Rotation, phase: Phase, stage: Stage) -> RenderError {
    let step = rotation.step(step(phase, stage));
    render(&step, &rotation.install.mesh, &rotation.record, Some(&rotation.new.issuer.key)).err().unwrap()
}

fn issuer(rotation: &Rotation) -> Rendered {
    rendered(rotation, Phase::Issuer, Stage::Issuer, "linkerd-identity-issuer")
}

fn decoded(tree: &Value, key: &str) -> String {
    String::from_utf8(STANDARD.decode(tree["data"][key].as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn the_bundle_keeps_the_final_newline_of_the_place_it_stands_in() {
    for (before, after) in [("", ""), ("\n", "\n"), ("\n\n", "\n")] {
        let roots = "linkerd-identity-trust-roots";
        let rotation = with(Era::V2_12, Scheme::Linkerd, "ConfigMap", roots, |tree| {
            let text = tree["data"]["ca-bundle.crt"].as_str().unwrap().trim_end().to_owned();
            tree["data"]["ca-bundle.crt"] = json!(text + before);
        });
        let document = rendered(&rotation, Phase::Bundle, Stage::Trust, roots).document(Form::Patch).unwrap();
        let text = document["data"]["ca-bundle.crt"].as_str().unwrap();
        assert_eq!(text, format!("{}{after}", rotation.both().to_pem().trim_end()));
        assert_eq!(BundleText::read(text).defects(), []);
    }
}

#[test]
fn a_base64_copy_keeps_the_final_newline_of_its_text() {
    for end in ["", "\n"] {
        let rotation = with(Era::V2_10, Scheme::Linkerd, "Deployment", "linkerd-identity", |tree| {
            let value = &mut tree["spec"]["template"]["spec"]["containers"][0]["env"][1]["value"];
            let text = String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
            *value = json!(STANDARD.encode(format!("{}{end}", text.trim_end())));
        });
        let item = rendered(&rotation, Phase::Bundle, Stage::ControlPlane, "linkerd-identity");
        let edit = item
            .edits
            .iter()
            .find(|edit| matches!(edit, Edit::Env { container, .. } if container == "identity"));
        let wanted = STANDARD.encode(format!("{}{end}", rotation.both().to_pem().trim_end()));
        assert_eq!(edit.unwrap().text(), wanted);
    }
}

#[test]
fn since_2_11_the_copy_is_kept_true_unless_an_external_ca_leaves_it_empty() {
    for era in [Era::V2_11, Era::V2_12] {
        let names = |rotation: &Rotation| -> Vec<String> {
            let step = rotation.step(step(Phase::Bundle, Stage::Trust));
            rotation.render(&step).into_iter().map(|item| item.object.name).collect()
        };
        assert_eq!(names(&over(era, Scheme::Kubernetes)), ["linkerd-config", "linkerd-identity-trust-roots"]);
        let empty = with(era, Scheme::Kubernetes, "ConfigMap", "linkerd-config", |tree| {
            tree["data"]["values"] = json!("identityTrustAnchorsPEM: \"\"\nidentity:\n  externalCA: true\n");
        });
        assert_eq!(names(&empty), ["linkerd-identity-trust-roots"]);
        let mut absent = over(era, Scheme::Kubernetes);
        absent.install.mesh.manifests.retain(|manifest| manifest.object.name != "linkerd-config");
        absent.install.mesh.control_plane.external_ca = true;
        assert_eq!(names(&absent), ["linkerd-identity-trust-roots"]);
    }
}

#[test]
fn what_every_linkerd_has_and_the_input_lacks_is_named() {
    for era in ERAS {
        let mut rotation = over(era, Scheme::Linkerd);
        rotation.install.mesh.manifests.retain(|manifest| manifest.object.name != "linkerd-config");
        let error = error(&rotation, Phase::Bundle, Stage::Trust).to_string();
        assert_eq!(
            error,
            "ConfigMap linkerd/linkerd-config is not in the input: add it \
             (`kubectl get configmap linkerd-config -n linkerd -o yaml`)"
        );
    }
    let mut rotation = over(Era::V2_10, Scheme::Linkerd);
    rotation.install.mesh.manifests.retain(|manifest| manifest.object.kind != "Deployment");
    let error = error(&rotation, Phase::Bundle, Stage::ControlPlane).to_string();
    assert!(error.starts_with("Deployment linkerd/linkerd-identity is not in the input"), "{error}");
}

#[test]
fn a_text_that_cannot_be_edited_is_named_with_object_and_field() {
    for (values, found) in [("a: [", "the text cannot be read"), ("identityTrustAnchorsPEM: {a: 1}", "")] {
        let mut rotation = over(Era::V2_10, Scheme::Linkerd);
        manifest(&mut rotation.install.mesh, "linkerd-config").tree["data"]["values"] = json!(values);
        let error = error(&rotation, Phase::Bundle, Stage::Trust).to_string();
        let start =
            format!("ConfigMap linkerd/linkerd-config: `data.values: identityTrustAnchorsPEM`: {found}");
        assert!(error.starts_with(&start), "{error}");
    }
    let mut rotation = over(Era::V2_10, Scheme::Linkerd);
    manifest(&mut rotation.install.mesh, "linkerd-config").tree["data"] = json!({});
    let error = error(&rotation, Phase::Bundle, Stage::Trust).to_string();
    assert!(error.contains("ConfigMap linkerd/linkerd-config: `data.values` holds nothing"), "{error}");
}

#[test]
fn trust_roots_that_are_not_there_are_built_new() {
    let mut rotation = over(Era::V2_12, Scheme::Kubernetes);
    rotation.install.mesh.manifests.retain(|manifest| manifest.object.name != "linkerd-identity-trust-roots");
    rotation.install.mesh.trust.published = Known::Absent;
    let item = rendered(&rotation, Phase::Bundle, Stage::Trust, "linkerd-identity-trust-roots");
    let labels =
        json!({ "linkerd.io/control-plane-component": "identity", "linkerd.io/control-plane-ns": "linkerd" });
    let wanted = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "linkerd-identity-trust-roots", "namespace": "linkerd", "labels": labels },
        "data": { "ca-bundle.crt": rotation.both().to_pem().trim_end() },
    });
    assert_eq!(item.document(Form::Object).unwrap(), wanted);
    assert!(item.is_new() && item.document(Form::JsonPatch).is_ok());
}

#[test]
fn the_issuer_is_written_as_its_era_and_scheme_read_it() {
    for (era, scheme) in ERAS.into_iter().flat_map(|era| SCHEMES.map(|scheme| (era, scheme))) {
        let rotation = over(era, scheme);
        let item = issuer(&rotation);
        assert!(!item.document(Form::Object).unwrap().to_string().contains("PRIVATE KEY"));
        let tree = written(&item, Form::Object);
        let (certificate, key) = scheme.keys();
        let label = if era <= Era::V2_7 { "EC PRIVATE KEY" } else { "PRIVATE KEY" };
        assert!(decoded(&tree, key).starts_with(&format!("-----BEGIN {label}-----\n")), "{era:?}");
        let end = if scheme == Scheme::Linkerd { "-----" } else { "-----\n" };
        for name in [certificate, key] {
            assert!(
                decoded(&tree, name).ends_with(end) && !decoded(&tree, name).ends_with("\n\n"),
                "{era:?} {name}"
            );
        }
        assert_eq!(BundleText::read(decoded(&tree, certificate)).defects(), []);
        match scheme {
            Scheme::Linkerd => assert_eq!(tree["data"].as_object().unwrap().len(), 2),
            Scheme::Kubernetes => assert_eq!(decoded(&tree, "ca.crt"), rotation.both().to_pem()),
        }
        let expiry = &tree["metadata"]["annotations"]["linkerd.io/identity-issuer-expiry"];
        assert_eq!(expiry.is_string(), era < Era::V2_12, "{era:?}");
        assert!(era == Era::V2_12 || *expiry == "2027-03-01T12:00:00Z");
    }
}

#[test]
fn the_copy_of_the_issuer_certificate_is_kept_true_where_there_is_one() {
    for era in ERAS {
        let rotation = over(era, Scheme::Linkerd);
        let swap = rotation.step(step(Phase::Issuer, Stage::Issuer));
        let rendered = rotation.render(&swap);
        let config = rendered.iter().find(|item| item.object.name == "linkerd-config");
        assert_eq!(config.is_some(), era >= Era::V2_9, "{era:?}");
        let Some(config) = config else { continue };
        let text = config.document(Form::Object).unwrap()["data"]["values"].as_str().unwrap().to_owned();
        let read = |path: &[&str]| l5d_rotate::document::embedded::get_scalar(&text, path).unwrap().unwrap();
        assert_eq!(read(&["identity", "issuer", "tls", "crtPEM"]), rotation.new.chain().to_pem());
        let anchors: &[&str] = if era == Era::V2_9 {
            &["global", "identityTrustAnchorsPEM"]
        } else {
            &["identityTrustAnchorsPEM"]
        };
        assert_eq!(read(anchors), rotation.old.bundle().to_pem(), "the anchors are not touched");
        assert!(text.contains("# as installed"), "comments stay");
    }
}

#[test]
fn a_swap_needs_the_key_of_that_issuer() {
    let rotation = over(Era::V2_12, Scheme::Linkerd);
    let swap = rotation.step(step(Phase::Issuer, Stage::Issuer));
    let with = |key| render(&swap, &rotation.install.mesh, &rotation.record, key).err().unwrap();
    assert!(matches!(with(None), RenderError::NoKey { .. }));
    let other = mint("other");
    assert!(matches!(with(Some(&other.issuer.key)), RenderError::WrongKey { .. }));
    assert!(with(Some(&other.issuer.key)).to_string().contains("identity.linkerd.cluster.local"));
}

#[test]
fn an_issuer_secret_that_may_not_be_read_is_built_whole() {
    for scheme in SCHEMES {
        let mut rotation = over(Era::V2_12, scheme);
        rotation.install.mesh.manifests.retain(|manifest| manifest.object.kind != "Secret");
        rotation.install.mesh.issuer = Known::Unknown(Unread::Refused("forbidden".into()));
        let item = issuer(&rotation);
        let tree = written(&item, Form::Object);
        assert_eq!(
            tree["type"],
            if scheme == Scheme::Linkerd { Value::Null } else { json!("kubernetes.io/tls") }
        );
        assert_eq!(tree["metadata"]["labels"]["linkerd.io/control-plane-ns"], "linkerd");
        assert!(decoded(&tree, scheme.keys().1).contains("PRIVATE KEY"));
        assert_eq!(written(&item, Form::Patch)["data"], tree["data"]);
        assert!(item.head.iter().any(|line| line.starts_with("built new (it was not in the input")));
    }
}

#[test]
fn a_second_private_key_is_never_written_as_its_placeholder() {
    let rotation = with(Era::V2_12, Scheme::Linkerd, "Secret", "linkerd-identity-issuer", |tree| {
        tree["data"]["tls.key"] = json!(REDACTED);
    });
    let item = issuer(&rotation);
    assert!(matches!(item.document(Form::Object), Err(RenderError::Redacted { .. })));
    for form in [Form::Patch, Form::JsonPatch] {
        assert!(!item.document(form).unwrap().to_string().contains(REDACTED));
    }
    let mut rotation = over(Era::V2_12, Scheme::Linkerd);
    let values = &mut manifest(&mut rotation.install.mesh, "linkerd-config").tree["data"]["values"];
    *values = json!(format!("{}keyPEM: {REDACTED}\n", values.as_str().unwrap()));
    let item = rendered(&rotation, Phase::Bundle, Stage::Trust, "linkerd-config");
    for form in [Form::Patch, Form::JsonPatch, Form::Object] {
        assert!(matches!(item.document(form), Err(RenderError::Redacted { .. })), "{form:?}");
    }
}

#[test]
fn an_object_that_holds_the_text_which_stands_for_the_key_is_not_given_one() {
    let rotation = with(Era::V2_12, Scheme::Linkerd, "Secret", "linkerd-identity-issuer", |tree| {
        tree["metadata"]["annotations"]["note"] = json!("l5d-rotate-private-key-000");
    });
    let item = issuer(&rotation);
    assert!(matches!(item.written(Form::Object), Err(RenderError::Placeholder { .. })));
    assert!(decoded(&written(&item, Form::Patch), "key.pem").contains("PRIVATE KEY"));
}

#[test]
fn a_secret_written_as_string_data_is_changed_there() {
    let mut rotation = over(Era::V2_12, Scheme::Linkerd);
    let certificate = rotation.old.chain().to_pem();
    let tree = &mut manifest(&mut rotation.install.mesh, "linkerd-identity-issuer").tree;
    tree.as_object_mut().unwrap().remove("data");
    tree["stringData"] = json!({ "crt.pem": certificate, "key.pem": REDACTED });
    let object = written(&issuer(&rotation), Form::Object);
    assert_eq!(object["stringData"]["crt.pem"], rotation.new.chain().to_pem().trim_end());
    assert!(object["stringData"]["key.pem"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(object["data"].is_null());
}

#[test]
fn what_sops_encrypted_is_written_anew() {
    let mut rotation = over(Era::V2_12, Scheme::Linkerd);
    let tree = &mut manifest(&mut rotation.install.mesh, "linkerd-identity-issuer").tree;
    tree["sops"] = json!({ "mac": "ENC[AES256_GCM,data:x]" });
    let object = written(&issuer(&rotation), Form::Object);
    assert!(object["sops"].is_null() && decoded(&object, "key.pem").contains("PRIVATE KEY"));
}

#[test]
fn the_hash_of_nothing_is_left_alone() {
    const KEY: &str = "linkerd.io/trust-root-sha256";
    for (text, followed) in [("", false), ("\n", false), ("some anchors", true)] {
        let hash = Fingerprint::digest(text.as_bytes()).to_string();
        let rotation = with(Era::V2_12, Scheme::Linkerd, "Deployment", "linkerd-identity", |tree| {
            tree["spec"]["template"]["metadata"]["annotations"][KEY] = json!(hash);
        });
        let item = rendered(&rotation, Phase::Bundle, Stage::ControlPlane, "linkerd-identity");
        let edit =
            item.edits.iter().find(|edit| matches!(edit, Edit::TemplateAnnotation { key, .. } if key == KEY));
        let wanted = Fingerprint::digest(rotation.both().to_pem().as_bytes()).to_string();
        assert_eq!(edit.map(Edit::text), followed.then_some(wanted.as_str()), "{text:?}");
    }
}

#[test]
fn a_variable_that_stands_twice_counts_where_it_stands_last() {
    let rotation = with(Era::V2_10, Scheme::Linkerd, "Deployment", "linkerd-destination", |tree| {
        let env = tree["spec"]["template"]["spec"]["containers"][1]["env"].as_array_mut().unwrap();
        env.push(env[1].clone());
    });
    let item = rendered(&rotation, Phase::Bundle, Stage::ControlPlane, "linkerd-destination");
    let object = item.document(Form::Object).unwrap();
    let env = object.pointer("/spec/template/spec/containers/1/env").unwrap().as_array().unwrap();
    assert_eq!(env[1]["value"], rotation.old.bundle().to_pem());
    assert_eq!(env[3]["value"], rotation.both().to_pem());
    let error = item.document(Form::Patch).unwrap_err();
    assert!(error.to_string().contains("/spec/template/spec/containers/env"), "{error}");
    if runner::has("a_variable_that_stands_twice_counts_where_it_stands_last", &["kubectl"]) {
        let patch = item.document(Form::JsonPatch).unwrap().to_string();
        assert_eq!(kubectl::patch("json", item.current.tree().unwrap(), &patch).unwrap(), object);
    }
}

#[test]
fn what_only_the_api_server_writes_is_not_committed() {
    let mut rotation = over(Era::V2_12, Scheme::Linkerd);
    let tree = &mut manifest(&mut rotation.install.mesh, "web").tree;
    let clean = tree.clone();
    tree["status"] = json!({ "replicas": 1 });
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
        tree["metadata"][field] = json!("x");
    }
    tree["metadata"]["annotations"] = json!({ "deployment.kubernetes.io/revision": "7" });
    let object = rendered(&rotation, Phase::Bundle, Stage::DataPlane, "web").document(Form::Object).unwrap();
    assert_eq!(object["metadata"], clean["metadata"]);
    assert!(object["status"].is_null());
}

#[test]
fn a_namespace_that_a_manifest_leaves_open_stays_open() {
    let mut rotation = over(Era::V2_12, Scheme::Linkerd);
    let tree = &mut manifest(&mut rotation.install.mesh, "linkerd-identity-trust-roots").tree;
    tree["metadata"].as_object_mut().unwrap().remove("namespace");
    let planned = rotation.step(step(Phase::Bundle, Stage::Trust));
    let rendered = rotation.render(&planned);
    let roots = rendered.iter().find(|item| item.object.name == "linkerd-identity-trust-roots").unwrap();
    assert!(roots.document(Form::Patch).unwrap()["metadata"]["namespace"].is_null());
    let files = l5d_rotate::render::directory(&planned, &rendered, Form::Patch, &[]).unwrap();
    if runner::has("a_namespace_that_a_manifest_leaves_open_stays_open", &["kubectl"]) {
        let objects = [roots.current.tree().unwrap().clone()];
        let built = kubectl::overlay(&objects, &files, "components", &["bundle/1-trust"]).unwrap();
        assert_eq!(built, [roots.document(Form::Object).unwrap()]);
    }
}

#[test]
fn the_head_names_every_certificate_and_beside_it_stands_who_would_put_the_object_back() {
    let rotation = over(Era::V2_12, Scheme::Linkerd);
    let mut planned = rotation.step(step(Phase::Bundle, Stage::Trust));
    planned.notes = vec![Finding::new(
        Severity::Warning,
        StepFact::ManagedObject {
            object: named("ConfigMap", "linkerd-identity-trust-roots"),
            owner: Owner::Helm { release: "linkerd".to_owned(), namespace: "linkerd".to_owned() },
            instead: Instead::SealedSecret { name: "x\nkind: Secret".to_owned() },
            lacks_published: false,
        },
    )];
    let rendered = rotation.render(&planned);
    let [config, roots] = rendered.as_slice() else { panic!("two objects") };
    let anchor = &rotation.new.anchor.certificate;
    for line in [
        "certificate CN=new.root.linkerd.cluster.local".to_owned(),
        "  issuer CN=new.root.linkerd.cluster.local".to_owned(),
        "  valid 2026-03-01T12:00:00Z to 2036-03-01T12:00:00Z".to_owned(),
        format!("  sha256 {}", anchor.fingerprint()),
        "step bundle/1-trust of the rotation started 2026-03-01T12:00:00Z".to_owned(),
    ] {
        assert!(roots.head.contains(&line) && config.head.contains(&line), "{line}: {:?}", roots.head);
    }
    assert!(rendered.iter().flat_map(|item| &item.head).all(|line| !line.contains(char::is_control)));
    let screen = Screen::utc(render::start());
    let notes = |item: &Rendered| head_notes(&planned, &item.object, "FORCED", &screen);
    let [note] = &notes(roots)[..] else { panic!("{:?}", notes(roots)) };
    assert!(note.starts_with("note: managed-object: ") && note.contains("x\\nkind: Secret"), "{note}");
    assert!(!note.contains(char::is_control));
    assert_eq!(notes(config), [""; 0]);
}

#[test]
fn a_restart_says_which_bundle_or_issuer_it_is_for() {
    let rotation = over(Era::V2_12, Scheme::Linkerd);
    let both = rotation.both().fingerprint().short();
    let bundle = rendered(&rotation, Phase::Bundle, Stage::DataPlane, "web").head;
    assert!(
        bundle.iter().any(|line| line.starts_with(&format!("for the trust bundle {both}: "))),
        "{bundle:?}"
    );
    let issuer = rendered(&rotation, Phase::Issuer, Stage::DataPlane, "web").head;
    let wanted = format!(
        "for the issuer identity.linkerd.cluster.local {}",
        rotation.new.issuer.certificate.fingerprint().short()
    );
    assert!(issuer.contains(&wanted), "{issuer:?}");
}
